"""The LeNet-like network of advertorch's MNIST models (Ding, Wang, Jin, 2019, arXiv:1902.07623).

Its layers keep advertorch's names, so that public weights load.
"""

import torch.nn.functional as F
from torch import nn

from weakspot.contracts import Images
from weakspot.models.zoo.model import Features, Normalize, Shape, ZooModel, check_size


class LeNet5(ZooModel):
    """Two 3x3 convolutions of 32 and 64 channels, each halved by max pooling, then 200 hidden units."""

    head_name = "linear2"

    def __init__(self, shape: Shape, normalize: Normalize) -> None:
        super().__init__()
        self.size = shape.size
        self.normalize = normalize
        self.conv1 = nn.Conv2d(shape.channels, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.linear1 = nn.Linear(64 * (shape.size // 4) ** 2, 200)
        self.linear2 = nn.Linear(200, shape.classes)

    def features(self, images: Images) -> Features:
        """The 200 hidden units."""
        check_size(images, self.size)
        x = F.max_pool2d(F.relu(self.conv1(self.normalize(images))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.relu(self.linear1(x.flatten(1)))
