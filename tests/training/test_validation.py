"""What held-out images show, against plain loops; a linear model's attacked figures have closed forms."""

from math import exp, log

import pytest
import torch
from tests.training.runs import digits
from torch import nn

from weakspot.addresses import Radius
from weakspot.training.pool import Pool
from weakspot.training.validation import BATCH, validate

ROWS = torch.arange(10, 240)


def linear() -> nn.Sequential:
    """Right for some classes, wrong for others: each class's mean image, scored."""
    data = digits()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    means = torch.stack(
        [data.batch(torch.nonzero(data.labels == c)[:, 0].tolist()).mean(0).flatten() for c in range(10)]
    )
    with torch.no_grad():
        model[1].weight.copy_(means)
        model[1].bias.copy_(-means.square().sum(1) / 2 + 2 * (torch.arange(10) == 3))
    return model


def softmax(z: list[float]) -> list[float]:
    e = [exp(v - max(z)) for v in z]
    return [v / sum(e) for v in e]


def test_clean_counts_and_entropies_are_plain_sums() -> None:
    data, model = digits(), linear()
    found = validate(model, Pool.of(data, "cpu"), ROWS, 10, None, 3, 0)
    cube, entropy = torch.zeros(10, 10), [0.0] * 10
    for row in ROWS.tolist():
        z = model(data.batch([row]))[0].tolist()
        y = int(data.labels[row])
        cube[y, max(range(10), key=lambda j: z[j])] += 1
        entropy[y] -= log(softmax(z)[y])
    assert torch.equal(found.cube, torch.stack([cube, cube]).double())
    assert found.entropy.tolist() == pytest.approx(entropy, rel=1e-4)
    assert found.divergence.tolist() == [0.0] * 10
    assert found.robust is None
    assert found.samples == torch.bincount(data.labels[ROWS]).tolist()
    assert 0 < sum(found.clean) < sum(found.samples)


def test_attacked_figures_agree_with_themselves_and_do_not_depend_on_the_batches() -> None:
    data, model = digits(), linear()
    pool, radius = Pool.of(data, "cpu"), Radius.of("linf:0.05")
    found = validate(model, pool, ROWS, 10, radius, 5, 0)
    clean, attacked = found.cube
    assert torch.equal(clean.sum(1), attacked.sum(1))
    assert (attacked.diagonal() <= clean.diagonal()).all()
    wrong = clean - clean.diagonal().diag()
    assert (attacked - attacked.diagonal().diag() >= wrong).all(), "what is wrong when clean keeps its prediction"
    assert (attacked - clean).abs().sum() > 0
    assert (found.divergence > 0).all()
    assert len(ROWS) < BATCH
    parts = [validate(model, pool, part, 10, radius, 5, 0) for part in ROWS.split(50)]
    torch.testing.assert_close(sum(part.cube for part in parts), found.cube)
    torch.testing.assert_close(sum(part.divergence for part in parts), found.divergence, rtol=1e-4, atol=1e-5)


def test_scores() -> None:
    found = validate(linear(), Pool.of(digits(), "cpu"), ROWS, 10, Radius.of("linf:0.05"), 5, 0)
    assert found.robust is not None
    rates = [r / n for r, n in zip(found.robust, found.samples, strict=True)]
    assert found.score("average", True) == pytest.approx(sum(rates) / 10)
    assert found.score("worst", True) == pytest.approx(min(rates))
    assert found.score("sum", True) == pytest.approx(sum(rates) / 10 + min(rates))
    assert found.score("last", True) == float("-inf")
    natural = [right / samples for right, samples in zip(found.clean, found.samples, strict=True)]
    assert found.score("average", False) == pytest.approx(sum(natural) / 10)  # what a standard training is compared by
    assert found.score("average", False) > found.score("average", True)
