"""Saved predictions become rows: what is known is computed, what is not is NaN."""

import numpy as np
import pytest

from weakspot.analysis.rates import by_class
from weakspot.analysis.worst_case import worst_case
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.threats.predictions import import_predictions

THREAT = "apgd-ce@linf:8/255"


@pytest.fixture
def clean():
    """Twelve samples of four classes; samples 3 and 7 are wrong when clean."""
    label = np.arange(12) % 4
    prediction = label.copy()
    prediction[[3, 7]] = 0
    correct = prediction == label
    return Outcomes.build(
        sample=np.arange(12), label=label, threat="clean", prediction=prediction, correct=correct,
        margin=np.where(correct, 1, -1), confidence=0.5, runner_up=1,
    )  # fmt: skip


def test_classes_alone(clean, tmp_path):
    prediction = np.array([1, 1, 2, 3, 0, 2, 2, 3])
    np.savez(tmp_path / "x.npz", prediction=prediction)
    rows = import_predictions(tmp_path / "x.npz", clean, THREAT, 4)
    np.testing.assert_array_equal(rows.sample, np.arange(8))
    np.testing.assert_array_equal(rows.prediction, [1, 1, 2, 0, 0, 2, 2, 0])  # 3 and 7 keep their clean errors
    assert list(rows.found_by) == ["imported", "", "", "clean", "", "imported", "", "clean"]
    assert np.isnan(rows.margin[[0, 1, 2, 4, 5, 6]]).all()
    assert (rows.margin[[3, 7]] == -1).all()
    assert np.isnan(rows.distance_linf[0])
    assert (rows.runner_up[[0, 1, 2]] == -1).all()
    np.testing.assert_array_equal(by_class(rows.label, rows.prediction, 4).correct, [1, 1, 2, 0])
    worst = worst_case(Outcomes.join([clean, rows]), ["clean", THREAT])
    np.testing.assert_array_equal(worst.correct, rows.correct)


def test_logits_in_any_order_against_a_plain_loop(clean, tmp_path):
    draw = np.random.default_rng(0)
    logits, sample = draw.normal(size=(12, 4)), draw.permutation(12)
    for number, part in enumerate(np.split(np.arange(12), 3)):
        np.savez(tmp_path / f"{number}.npz", logits=logits[part], sample=sample[part], label=sample[part] % 4)
    rows = import_predictions(tmp_path, clean, THREAT, 4)
    for i in range(12):
        z, y = logits[i], sample[i] % 4
        assert rows.sample[i] == sample[i]
        if sample[i] in (3, 7):
            assert rows.found_by[i] == "clean"
            continue
        ranked = sorted(range(4), key=lambda j: -z[j])
        assert rows.prediction[i] == ranked[0]
        assert rows.runner_up[i] == ranked[1]
        assert rows.margin[i] == pytest.approx(z[y] - max(z[j] for j in range(4) if j != y), rel=1e-6)
        assert rows.confidence[i] == pytest.approx(np.exp(z[ranked[0]]) / np.exp(z).sum(), rel=1e-6)
        assert rows.correct[i] == (ranked[0] == y)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"prediction": [4]}, "classes 0 to 3, got 4"),
        ({"prediction": [-1]}, "from 0 on"),
        ({"prediction": [0.5]}, "whole numbers"),
        ({"prediction": [[0]]}, "expected prediction"),
        ({"guess": [0]}, "got guess"),
        ({"logits": [[0.0, 1, 2]]}, r"shape \(n, 4\)"),
        ({"logits": [[0.0, 1, 2, np.nan]]}, "finite"),
        ({"prediction": [0], "sample": [12]}, "names 1 samples that are not audited .is there a --limit.., such as 12"),
        ({"prediction": [0, 1], "sample": [1, 1]}, "more than once"),
        ({"prediction": [0], "label": [1]}, "made from other data: 1 of 1"),
    ],
)
def test_wrong_archives_are_one_clear_line(clean, tmp_path, arrays, says):
    np.savez(tmp_path / "x.npz", **{key: np.array(value) for key, value in arrays.items()})
    with pytest.raises(InputError, match=says) as caught:
        import_predictions(tmp_path / "x.npz", clean, THREAT, 4)
    assert "\n" not in str(caught.value)
