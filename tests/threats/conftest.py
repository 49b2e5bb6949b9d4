"""A small network that was trained on real images: scikit-learn's digits, 8 x 8 pixels, with some noise."""

import pytest
import torch
from sklearn.datasets import load_digits


class DigitsNet(torch.nn.Module):
    """One convolution and two layers; parameters ask for no gradient once it is trained."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(0)
        self.kernel = torch.nn.Parameter(torch.randn(16, 1, 3, 3, generator=draw) / 3)
        self.first = torch.nn.Parameter(torch.randn(576, 64, generator=draw) / 24)
        self.second = torch.nn.Parameter(torch.randn(64, 10, generator=draw) / 8)

    def forward(self, images):
        hidden = torch.relu(torch.nn.functional.conv2d(images, self.kernel)).flatten(1)
        return torch.relu(hidden @ self.first) @ self.second


@pytest.fixture(scope="session")
def digits():
    """(network, images, labels): 92 test images that the network classifies correctly."""
    bunch = load_digits()
    images, labels = torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None], torch.tensor(bunch.target)
    net, draw = DigitsNet(), torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(15):
        for batch in torch.randperm(1500, generator=draw).split(64):
            noise = 0.1 * (2 * torch.rand(images[batch].shape, generator=draw) - 1)
            loss = torch.nn.functional.cross_entropy(net((images[batch] + noise).clamp(0, 1)), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    net.eval().requires_grad_(False)
    images, labels = images[1500:1600], labels[1500:1600]
    right = net(images).argmax(1) == labels
    return net, images[right], labels[right]
