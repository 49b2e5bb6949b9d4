"""What goes with robustness: variables by plain loops, correlations of scipy, and what cannot explain anything."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from weakspot.analysis.reasons import class_variables, reasons
from weakspot.outcomes import Outcomes

from .conftest import SIZES, draw, rows_of


def both() -> tuple[Outcomes, Outcomes]:
    label, prediction = draw(SIZES, 0, correct=0.9)
    margin = np.random.default_rng(0).standard_normal(len(label)) + label / 3
    attacked = np.where(np.random.default_rng(1).random(len(label)) < 0.05 * label + 0.2, prediction, (label + 3) % 10)
    return rows_of(label, prediction, margin=margin), rows_of(label, attacked.astype(np.int32), "pgd@linf:0.1")


def test_variables_against_loops():
    clean, attacked = both()
    distance = np.arange(10.0)
    found = class_variables(clean, attacked, distance, 10)
    assert list(found) == ["distance", "margin", "samples", "cfps"]
    wrong = [p for y, p in zip(attacked.label, attacked.prediction, strict=True) if y != p]
    for c in range(10):
        mine = [m for m, y in zip(clean.margin, clean.label, strict=True) if y == c]
        assert found["samples"][c] == len(mine) == SIZES[c]
        assert found["cfps"][c] == pytest.approx(wrong.count(c) / len(wrong))
        if mine:
            assert found["margin"][c] == pytest.approx(np.mean(mine), rel=1e-5)
        else:
            assert np.isnan(found["margin"][c])
    trained = np.arange(100, 110)
    np.testing.assert_array_equal(class_variables(clean, attacked, distance, 10, trained)["samples"], trained)


def test_correlations_and_regression():
    clean, attacked = both()
    variables = class_variables(clean, attacked, np.random.default_rng(2).random(10), 10)
    found = reasons(attacked, variables, 10)
    known = np.array(SIZES) > 0
    accuracy = [np.mean(attacked.correct[attacked.label == c]) for c in np.flatnonzero(known)]
    np.testing.assert_allclose(found.robust[known], accuracy)
    assert np.isnan(found.robust[8])
    for name, values in variables.items():
        expected = spearmanr(values[known], accuracy).statistic
        assert found.correlations[name].value == pytest.approx(expected)
        assert found.correlations[name].low <= expected <= found.correlations[name].high
    assert found.regression.names == ("distance", "margin", "samples", "cfps")
    assert found.regression.freedom == 4
    assert 0 < found.regression.r2 < 1
    assert found.constant == ()


def test_constant_and_unknown_variables_leave_the_regression():
    clean, attacked = both()
    label = np.repeat(np.arange(10), 7).astype(np.int32)
    balanced = rows_of(label, label)
    some = np.random.default_rng(0).random(10)
    variables = class_variables(balanced, attacked, np.full(10, np.nan), 10)
    assert (variables["samples"] == 7).all()
    found = reasons(attacked, variables | {"other": some}, 10)
    assert found.constant == ("distance", "margin", "samples")
    assert found.regression.names == ("cfps", "other")
    assert np.isfinite(found.regression.coefficient).all()
    assert np.isnan(found.correlations["samples"].value)


@pytest.mark.parametrize("classes", [2, 3])
def test_few_classes_have_no_regression(classes):
    label, prediction = draw((20,) * classes, 3)
    rows = rows_of(label, prediction)
    found = reasons(rows, class_variables(rows, rows, np.arange(float(classes)), classes), classes)
    assert np.isnan(found.regression.r2)
    assert found.correlations["distance"].count == classes


def test_no_errors_and_no_rows():
    label = np.repeat(np.arange(6), 5).astype(np.int32)
    rows = rows_of(label, label)
    found = reasons(rows, class_variables(rows, rows, np.arange(6.0), 6), 6)
    assert all(np.isnan(each.value) for each in found.correlations.values())
    assert "cfps" in found.constant
    empty = rows.where(np.zeros(30, dtype=bool))
    assert np.isnan(reasons(empty, class_variables(empty, empty, np.arange(6.0), 6), 6).robust).all()
