"""WideResNet (Zagoruyko, Komodakis, 2016, arXiv:1605.07146), `wrn-D-W`: depth D, W times as wide; no dropout.

The layers' names are those of the public CIFAR weights (TRADES, MART, AWP and others). Their extra, unused module
`sub_block1` is left out.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from weakspot.contracts import Images
from weakspot.errors import InputError
from weakspot.models.zoo.model import Features, Normalize, Shape, ZooModel


class WideBlock(nn.Module):
    """Norm and ReLU before each 3x3 convolution; a shortcut that changes width starts after the first ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.widens = inputs != outputs
        if self.widens:
            self.convShortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, outputs, H / stride, W / stride)."""
        active = F.relu(self.bn1(x))
        branch = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return branch + (self.convShortcut(active) if self.widens else x)


class Stage(nn.Module):
    """`blocks` blocks; the first one changes the shape."""

    def __init__(self, blocks: int, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        later = (WideBlock(outputs, outputs, 1) for _ in range(blocks - 1))
        self.layer = nn.Sequential(WideBlock(inputs, outputs, stride), *later)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (B, outputs, H / stride, W / stride)."""
        return self.layer(x)


class WideResNet(ZooModel):
    """Three stages with 1, 2 and 4 times 16 W channels, (D - 4) / 6 blocks each."""

    head_name = "fc"
    initialisation = "he_fan_out"

    def __init__(self, shape: Shape, normalize: Normalize, depth: int, widen: int) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            below = max(10, depth - (depth - 4) % 6)
            raise InputError(
                f"a WideResNet's depth is 6 n + 4 (10, 16, 22, 28, 34, ...), got {depth}; try wrn-{below}-{widen}"
            )
        blocks, width = (depth - 4) // 6, 16 * widen
        self.normalize = normalize
        self.conv1 = nn.Conv2d(shape.channels, 16, 3, padding=1, bias=False)
        # A width of 1 keeps 16 channels from stem to first stage; the stride-2 stages always widen.
        self.block1 = Stage(blocks, 16, width, 1)
        self.block2 = Stage(blocks, width, 2 * width, 2)
        self.block3 = Stage(blocks, 2 * width, 4 * width, 2)
        self.bn1 = nn.BatchNorm2d(4 * width)
        self.fc = nn.Linear(4 * width, shape.classes)

    def features(self, images: Images) -> Features:
        """The mean over pixels after the last ReLU, 64 W numbers."""
        x = self.conv1(self.normalize(images))
        x = self.block3(self.block2(self.block1(x)))
        return F.relu(self.bn1(x)).mean(dim=(2, 3))
