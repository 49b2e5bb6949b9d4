"""Rows to analyse: class sizes are coprime and classes do not align with predictions, so no slip cancels out."""

import numpy as np
import pytest

from weakspot.outcomes import Outcomes

SIZES = (97, 101, 13, 59, 7, 211, 31, 1, 0, 47)  # pairwise coprime; class 8 has no samples


def draw(sizes: tuple[int, ...], seed: int, correct: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled labels of these class sizes, and predictions with errors that prefer some classes."""
    random = np.random.default_rng(seed)
    label = random.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    attraction = random.dirichlet(np.ones(len(sizes)))
    other = random.choice(len(sizes), size=len(label), p=attraction)
    return label, np.where(random.random(len(label)) < correct, label, other).astype(np.int32)


def rows_of(label: np.ndarray, prediction: np.ndarray, threat: str = "clean", **columns: object) -> Outcomes:
    """Rows of one threat, samples numbered from 0."""
    given = {"sample": np.arange(len(label)), "margin": np.where(label == prediction, 1.0, -1.0)} | columns
    return Outcomes.build(label=label, prediction=prediction, correct=label == prediction, threat=threat, **given)


@pytest.fixture
def labelled() -> tuple[np.ndarray, np.ndarray]:
    return draw(SIZES, seed=1)
