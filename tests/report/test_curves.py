"""Accuracy against radius in the report: the same numbers in every form, from rows with a known answer."""

import csv
import io
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from weakspot.outcomes import Outcomes
from weakspot.report.curves import curve_figure, curve_grids
from weakspot.report.schema import json_schema
from weakspot.report.summary import summarise
from weakspot.report.values import to_csv

NAMES = ["cat", "dog", "<b>", "empty"]
CLEAN = {"address": "clean", "kind": "clean", "radius": None}


def run(addresses, broken_at):
    """21 samples of three classes; sample i falls at `broken_at[i]` (0: wrong when clean, inf: never)."""
    number, label = np.arange(21), np.arange(21) % 3
    clean = Outcomes.build(sample=number, label=label, threat="clean", correct=broken_at > 0, prediction=label)
    made = [clean]
    for address, radius in addresses.items():
        fell = broken_at <= radius
        made.append(Outcomes.build(
            sample=number, label=label, threat=address, correct=~fell,
            prediction=np.where(fell, (label + 1) % 3, label),
            distance_linf=np.where(fell, np.where(np.isinf(broken_at), 0, broken_at), radius),
        ))  # fmt: skip
    attacks = [{"address": a, "kind": "adversarial", "radius": f"linf:{r}"} for a, r in addresses.items()]
    manifest = {
        "model": {}, "seed": 0, "units": [], "data": {"name": "made", "classes": NAMES, "samples": 21},
        "threats": [CLEAN, *attacks],
    }  # fmt: skip
    return summarise(manifest, Outcomes.join(made))


@pytest.fixture
def broken_at():
    return np.random.default_rng(0).choice([0, 0.02, 0.05, 0.08, np.inf], 21)


@pytest.mark.parametrize(
    "addresses, radii",
    [
        ({"pgd@linf:0.05": 0.05, "pgd@linf:0.1": 0.1}, ["0", "0.05", "0.1"]),
        ({"curve(points=5)@linf:0.1": 0.1}, ["0", "0.02", "0.04", "0.06", "0.08", "0.1"]),
    ],
)
def test_each_class_at_each_radius_by_a_plain_loop(broken_at, addresses, radii):
    summary = run(addresses, broken_at)
    assert not list(Draft202012Validator(json.loads(json_schema())).iter_errors(summary))
    (curve,) = summary["curves"]
    assert curve["radii"] == radii
    for at, radius in enumerate(float(radius) for radius in radii):
        standing = [bool(fell > radius + 1e-9) for fell in broken_at]
        assert curve["overall"][at] == pytest.approx(sum(standing) / 21)
        for c in range(3):
            mine = standing[c::3]
            assert curve["classes"][c]["accuracy"][at] == pytest.approx(sum(mine) / len(mine))
    assert curve["classes"][3]["area"] is None
    lines = [line for line in csv.DictReader(io.StringIO(to_csv(summary))) if line["scope"] == "curve"]
    assert len(lines) == len(radii) * (1 + len(NAMES))
    assert float(lines[0]["accuracy"]) == pytest.approx(curve["overall"][0])
    (grid,) = curve_grids(summary)
    assert grid.lines[-1][0] == "all classes"
    assert [line[0] for line in grid.lines[:-1]] == [
        one["name"] for one in sorted(curve["classes"][:3], key=lambda one: one["area"])
    ]
    drawn = curve_figure(curve)
    assert [len(trace["x"]) for trace in drawn["data"]] == [len(radii)] * 4
    assert "<b>" not in str(drawn)


def test_one_radius_is_no_curve(broken_at):
    assert run({"pgd@linf:0.1": 0.1}, broken_at)["curves"] == []
