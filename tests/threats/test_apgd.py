"""APGD step by step against an independent implementation, fed the same starts, in float64."""

import pytest
import torch
import torchattacks

from weakspot.maths.balls import distance
from weakspot.maths.losses import cross_entropy, dlr, margin
from weakspot.threats.apgd import ApgdCe, ApgdDlr, apgd, checkpoints
from weakspot.threats.search import Search


class Recorded(torch.nn.Module):
    """A small network in float64 that keeps every batch it is shown."""

    def __init__(self, seed: int):
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        self.first = torch.nn.Parameter(torch.randn(48, 32, generator=draw, dtype=torch.float64) / 4)
        self.second = torch.nn.Parameter(torch.randn(32, 5, generator=draw, dtype=torch.float64) / 2)
        self.seen: list[torch.Tensor] = []

    def forward(self, images):
        self.seen.append(images.detach().clone())
        return torch.tanh((images - 0.5).flatten(1) @ self.first) @ self.second


@pytest.fixture
def float64():
    """torchattacks keeps its loss history in the default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_checkpoints_of_100_steps():
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


# Where the true class is third, DLR is constant and its gradient is rounding noise, which l2 makes a full step: the
# small l2 radius keeps the true class among the first two, so that equality to 1e-9 can be asked for. On CE the large
# one keeps the ascent from converging, after which "did the loss rise?" is decided by the last bit.
@pytest.mark.parametrize(
    ("loss", "norm", "theirs", "radius"),
    [("ce", "linf", "Linf", 0.06), ("dlr", "linf", "Linf", 0.06), ("ce", "l2", "L2", 1.5), ("dlr", "l2", "L2", 0.06)],
)
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.usefixtures("float64")
def test_iterates_equal_torchattacks(loss, norm, theirs, radius, seed):
    model = Recorded(seed).eval()
    images = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(10 + seed)).double()
    labels = model(images).argmax(1)
    reference = torchattacks.APGD(model, norm=theirs, eps=radius, steps=100, loss=loss, seed=seed)
    reference.set_model_training_mode(False, False, False)
    model.seen.clear()
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(seed)
        *_, best_loss, _ = reference.attack_single_run(images, labels)
    expected = list(model.seen)

    search = Search(model, images, labels, torch.arange(40), seed)
    model.seen.clear()
    radii = torch.full((40,), radius, dtype=torch.float64)
    function = {"ce": cross_entropy, "dlr": dlr}[loss]
    _, found = apgd(search, torch.arange(40), radii, norm, function, 100, expected[0])
    assert len(model.seen) == len(expected) == 101
    for ours, reference_point in zip(model.seen, expected, strict=True):
        torch.testing.assert_close(ours, reference_point, rtol=0, atol=1e-9)
    torch.testing.assert_close(found, best_loss, rtol=0, atol=1e-9)


@pytest.mark.parametrize("threat", [ApgdCe, ApgdDlr])
def test_cost_is_counted(threat):
    model = Recorded(3)
    images = torch.rand(6, 3, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    labels = model(images).argmax(1)
    search = Search(model, images, labels, torch.arange(6), 0)
    threat(radius="linf:0.0001", steps=10)(search.oracle, images, labels, torch.arange(6), 0)
    assert (search.oracle.forwards == 1 + 1 + 1 + 10).all()  # two clean looks, the start, ten steps
    assert (search.oracle.backwards == 10).all()


def test_more_radius_never_helps_the_model():
    model = Recorded(4)
    images = torch.rand(30, 3, 4, 4, generator=torch.Generator().manual_seed(1)).double()
    labels = model(images).argmax(1)
    margins = []
    for radius in ("linf:0.01", "linf:0.03", "linf:0.1"):
        attacked = ApgdCe(radius=radius, steps=20)(model, images, labels, torch.arange(30), 0)
        assert (distance(attacked - images, "linf") <= float(radius.split(":")[1]) + 1e-9).all()
        margins.append(margin(model(attacked), labels).detach())
    assert (margins[1] < margins[0]).all()
    assert (margins[2] < margins[1]).all()
