"""What the page and the pictures say of an explanation that is put together by hand."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text

from weakspot.report.explain_drawing import scale_of
from weakspot.report.explain_figures import audit_figure, model_labels, psi_figure, psi_said, weakest_first
from weakspot.report.explain_html import verdict
from weakspot.report.explain_planes import classes_figure, classes_said
from weakspot.report.explain_summary import Measured, summarise_explanation
from weakspot.report.explain_tables import class_grid

STEPS = np.linspace(-2, 2, 5)


def measured(divergence: np.ndarray, label: np.ndarray) -> Measured:
    """The same divergences in all forms; surfaces of the first two images of each class."""
    sample = np.arange(len(label))
    table = {
        "form": np.repeat(["raw", "A", "B"], len(label)), "divergence": np.tile(divergence, 3),
        "label": np.tile(label, 3), "sample": np.tile(sample, 3), "moved_to": np.tile(label, 3),
        "prediction": np.tile(label, 3),
        **{key: np.ones(3 * len(label)) for key in ("forwards", "backwards", "seconds")},
    }  # fmt: skip
    few = np.sort(np.concatenate([np.flatnonzero(label == c)[:2] for c in np.unique(label)]))
    bowl = STEPS[:, None] ** 2 + STEPS[None, :]
    grids = {
        "first": STEPS, "second": STEPS, "label": label[few], "sample": few,
        "decision": np.tile(bowl - 1, (len(few), 1, 1)), "cross_entropy": np.tile(2.3 + bowl / 1000, (len(few), 1, 1)),
        "outline": np.zeros((len(few), 0, 2)), "path": np.zeros((len(few), 0, 2)), "shown": np.zeros(0, int),
        "pictures": np.zeros((0, 1, 2, 2)), "forwards": np.array(1.0), "backwards": np.array(1.0),
        "seconds": np.array(1.0),
    }  # fmt: skip
    traces = {form: np.stack([divergence / 2] * 6 + [divergence]) for form in ("raw", "A", "B")}
    proof = {"images": 1, "factor": 10.0, **{key: dict.fromkeys(["raw", "A", "B"], 0.0) for key in ("change", "found")}}
    return Measured(table, traces, {"gap": 1.0, "rows": [0], "proof": proof}, {"gradient,random": grids}, None)


def summary_of(divergence: np.ndarray, label: np.ndarray, classes: int) -> dict[str, Any]:
    data = {"name": "made", "split": "test", "samples": len(label), "classes": [f"class {c}" for c in range(classes)]}
    manifest = {"data": data, "seed": 0, "config": {"radius": "linf:0.1"}, "model": [{"address": "net", "digest": "0"}]}
    return summarise_explanation(manifest, [measured(divergence, label)], {"A": 5.0, "B": 3.0}, None)


def test_the_class_that_is_named_is_told_apart_or_not():
    noise = np.random.default_rng(0).uniform(0.9, 1.1, 60)
    label = np.repeat([0, 1, 2], 20)
    assert verdict(summary_of(noise * np.array([1.0, 9.0, 3.0])[label], label, 3)).startswith(
        "Predictions are easiest to move for class 1: psi 0.1"
    )
    assert "told apart" not in verdict(summary_of(noise * np.array([1.0, 9.0, 3.0])[label], label, 3))
    assert "not told apart from 1 other," in verdict(summary_of(noise * np.array([1.0, 9.0, 9.0])[label], label, 3))
    assert "not told apart from 2 others," in verdict(summary_of(noise, label, 3))


def test_classes_of_few_images_are_not_named():
    label = np.array([0] * 6 + [1] * 4)
    said = verdict(summary_of(np.where(label == 1, 9.0, 1.0) + np.arange(10) / 100, label, 2))
    assert "for class 0 (of the classes with 5 images or more)" in said
    few = np.repeat(np.arange(3), 3)
    assert verdict(summary_of(1.0 + few, few, 3)) == "No class is named as the easiest to move: none has 5 images."
    assert verdict(summary_of(np.zeros(9), few, 3)) == "The search moved no prediction of any class."


def test_the_table_shows_intervals_and_the_mean():
    label = np.repeat([0, 1], 20)
    divergence = np.random.default_rng(1).uniform(0.5, 1.5, 40)
    divergence[0] = 0  # its psi is infinite, and so is the mean over its class
    found = summary_of(divergence, label, 3)
    grid = class_grid(found)
    entries = {entry["name"]: entry for entry in found["models"][0]["psi"]["B"]["classes"]}
    for at, name in enumerate(grid.columns["class"]):
        for heading, key in (("median", "median"), ("10 % quantile", "low_quantile"), ("mean of psi", "mean")):
            text, entry = grid.columns[heading][at], entries[name][key]
            value, low, high = (float(each) for each in text.replace("[", "").replace("]", "").replace(",", "").split())
            for shown, stored in ((value, entry["value"]), (low, entry["low"]), (high, entry["high"])):
                assert shown == (np.inf if stored is None else pytest.approx(stored, rel=5e-3))
    assert grid.last["mean of psi"].startswith("inf [")
    assert grid.last["median"].count("[") == grid.last["10 % quantile"].count("[") == 1


def many() -> tuple[dict[str, Any], Measured]:
    """50 classes, of which the last has no images."""
    label = np.repeat(np.arange(49), 6)
    divergence = 1 + label + np.tile(np.arange(6) / 10, 49)
    return summary_of(divergence, label, 50), measured(divergence, label)


def test_pictures_of_many_classes_say_which_they_show():
    found, side = many()
    figure = psi_figure(found)
    assert figure.get_suptitle() == "The 30 weakest of 49 classes"
    assert len(figure.axes[0].get_yticks()) == 30
    assert figure.axes[0].get_yticklabels()[0].get_text() == "class 48"
    assert psi_said(found) == " Shown are the 30 classes that are easiest to move by form B, of 49 with images."
    grids, order = side.surfaces["gradient,random"], weakest_first(found)
    said = classes_said(grids, order, 50)
    assert said == " Shown are the 20 weakest of the 49 classes that have images here, of 50 in all."
    drawn = classes_figure("gradient,random", [grids], ["net"], found["data"]["classes"], order)
    assert drawn.subfigs[0].get_suptitle() == "net: the 20 weakest of 49 classes with images here"


def test_pictures_of_few_classes_show_all_and_count_images():
    label = np.array([0] * 6 + [1] * 6 + [2])
    found, side = summary_of(1.0 + label, label, 3), measured(1.0 + label, label)
    assert psi_figure(found).get_suptitle() == ""
    assert psi_said(found) == ""
    grids, order = side.surfaces["gradient,random"], weakest_first(found)
    assert classes_said(grids, order, 3) == ""
    drawn = classes_figure("gradient,random", [grids], ["net"], found["data"]["classes"], order)
    titles = [axes.get_title() for axes in drawn.axes if axes.get_title()]
    assert titles == ["class 2 (n = 1)", "class 1 (n = 2)", "class 0 (n = 2)"]


def test_the_cross_entropys_colours_begin_at_the_lowest_value_of_all_models():
    scale = scale_of("cross_entropy", [np.array([2.30, 2.31]), np.array([2.29, np.nan])])
    assert (scale.vmin, scale.vmax) == (2.29, 2.31)
    flat = scale_of("cross_entropy", [np.full((2, 2), 2.3)])
    assert flat.vmin == 2.3
    assert flat.vmax > 2.3
    even = scale_of("decision", [np.array([-3.0, 1.0])])
    assert (even.vmin, even.vmax) == (-3, 3)


def test_numbers_in_the_figure_of_the_audit_do_not_overlap():
    """25 classes of which most lie close together: each has a number beside its point and a name in the list."""
    label = np.repeat(np.arange(25), 6)
    crowd = np.where(label < 20, 1 + label / 100, 5.0 + label)
    found = summary_of(crowd, label, 25)
    rate = np.where(np.arange(25) < 20, 0.5 + np.arange(25) % 3 / 1000, np.arange(25) / 30)
    found["audit"] = {
        "condition": "robust", "radius": "linf:0.1",
        "classes": [
            {"name": f"class {c}", "accuracy": float(a), "cfps": float(1 - a)} for c, a in enumerate(rate)
        ],
        "figures": {"psi B": {key: {"value": None, "low": None, "high": None} for key in ("robust_accuracy", "cfps")}},
    }  # fmt: skip
    figure = audit_figure(found)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes[:2]:
        texts = [each for each in axes.texts if isinstance(each, Annotation)]
        assert sorted(int(each.get_text()) for each in texts) == list(range(1, 26))
        boxes = [Text.get_window_extent(each) for each in texts]
        for one, two in combinations(boxes, 2):
            assert not one.overlaps(two)
        low, high = axes.get_xlim()
        labels = [*axes.get_xticklabels(), *axes.get_xticklabels(minor=True)]
        assert len({each.get_text() for each in labels if low <= each.get_position()[0] <= high} - {""}) >= 3
    listed = [each.get_text() for each in figure.axes[2].texts]
    assert listed[:4] == ["1", "class 24", "2", "class 23"]
    assert len(listed) == 50


@pytest.mark.parametrize(
    ("addresses", "labels"),
    [
        (["packaged"], ["packaged"]),
        (["/a/long/way/to/runs/robust", "/a/long/way/to/runs/natural/"], ["robust", "natural"]),
        (["one/run", "two/run"], ["one/run", "two/run"]),
        (["one/run", "one/run"], ["one/run (1)", "one/run (2)"]),
    ],
)
def test_models_are_called_by_what_tells_them_apart(addresses, labels):
    assert model_labels({"models": [{"model": {"address": address}} for address in addresses]}) == labels
