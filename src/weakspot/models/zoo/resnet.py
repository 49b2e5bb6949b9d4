"""ResNet-18 (He et al., 2016, arXiv:1512.03385, section 4.2) for small images: 3x3 stem, no pooling before the end.

The layers' names are those of the CIFAR models that adversarial training papers share.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from weakspot.contracts import Images
from weakspot.models.zoo.model import Features, Normalize, Shape, ZooModel


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; a 1x1 convolution in the shortcut where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, outputs, H / stride, W / stride)."""
        branch = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(branch + self.shortcut(x))


def stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Two blocks; the first one changes the shape."""
    return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1))


class ResNet18(ZooModel):
    """Four stages of two blocks with 1, 2, 4 and 8 times `width` channels."""

    head_name = "linear"

    def __init__(self, shape: Shape, normalize: Normalize, width: int) -> None:
        super().__init__()
        self.normalize = normalize
        self.conv1 = nn.Conv2d(shape.channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = stage(width, width, 1)
        self.layer2 = stage(width, 2 * width, 2)
        self.layer3 = stage(2 * width, 4 * width, 2)
        self.layer4 = stage(4 * width, 8 * width, 2)
        self.linear = nn.Linear(8 * width, shape.classes)

    def features(self, images: Images) -> Features:
        """The mean over pixels of the last stage, 8 times `width` numbers."""
        x = F.relu(self.bn1(self.conv1(self.normalize(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean(dim=(2, 3))
