"""PreActResNet-18 (He et al., 2016, arXiv:1603.05027) for small images, as adversarial training papers use it.

Names and order follow the models of Rice et al., 2020 (arXiv:2002.11569): batch norm and ReLU before the last pooling.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from weakspot.contracts import Images
from weakspot.models.zoo.model import Features, Normalize, Shape, ZooModel


class PreActBlock(nn.Module):
    """Norm and ReLU come before each convolution; a changing shortcut starts after the first ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.changes = stride != 1 or inputs != outputs
        if self.changes:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, outputs, H / stride, W / stride)."""
        active = F.relu(self.bn1(x))
        branch = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return branch + (self.shortcut(active) if self.changes else x)


def stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two blocks; the first one changes the shape."""
    return nn.Sequential(PreActBlock(inputs, outputs, stride), PreActBlock(outputs, outputs, 1))


class PreActResNet18(ZooModel):
    """Four stages of two blocks with 1, 2, 4 and 8 times `width` channels."""

    head_name = "linear"

    def __init__(self, shape: Shape, normalize: Normalize, width: int) -> None:
        super().__init__()
        self.normalize = normalize
        self.conv1 = nn.Conv2d(shape.channels, width, 3, padding=1, bias=False)
        self.layer1 = stage(width, width, 1)
        self.layer2 = stage(width, 2 * width, 2)
        self.layer3 = stage(2 * width, 4 * width, 2)
        self.layer4 = stage(4 * width, 8 * width, 2)
        self.bn = nn.BatchNorm2d(8 * width)
        self.linear = nn.Linear(8 * width, shape.classes)

    def features(self, images: Images) -> Features:
        """The mean over pixels after the last ReLU, 8 times `width` numbers."""
        x = self.conv1(self.normalize(images))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return F.relu(self.bn(x)).mean(dim=(2, 3))
