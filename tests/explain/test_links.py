"""Links with an audit: psi that follows accuracy exactly, and psi that knows nothing."""

import numpy as np
import pytest

from weakspot.outcomes import Outcomes
from weakspot.report.explain_html import pairs_said
from weakspot.report.explain_links import link_section
from weakspot.report.explain_summary import Measured

CLASSES, EACH = 8, 40
MANIFEST = {
    "data": {"classes": [f"c{c}" for c in range(CLASSES)]},
    "threats": [
        {"address": "clean", "kind": "clean", "radius": None},
        {"address": "pgd@linf:0.1", "kind": "adversarial", "radius": "linf:0.1"},
    ],
}
LABEL = np.repeat(np.arange(CLASSES), EACH)
SAMPLE = np.arange(CLASSES * EACH)


def rows() -> Outcomes:
    """Class c loses 3 (c + 1) of its images to the class after it; all are right when clean."""
    wrong = SAMPLE % EACH < 3 * (LABEL + 1)
    made = []
    for threat, broken in (("clean", np.zeros_like(wrong)), ("pgd@linf:0.1", wrong)):
        made.append(
            Outcomes.build(
                sample=SAMPLE, label=LABEL, threat=threat, prediction=np.where(broken, (LABEL + 1) % CLASSES, LABEL),
                correct=~broken, margin=np.where(broken, -1.0, 1.0),
            )
        )  # fmt: skip
    return Outcomes.join(made)


def measured(divergence: np.ndarray, moved_to: np.ndarray, curve: np.ndarray) -> Measured:
    steps = np.linspace(-2, 2, 5)
    table = {
        "form": np.full(len(SAMPLE), "B"), "divergence": divergence, "sample": SAMPLE, "label": LABEL,
        "moved_to": moved_to, "prediction": LABEL,
    }  # fmt: skip
    grids = {
        "first": steps, "second": steps, "label": LABEL, "sample": SAMPLE,
        "decision": curve[:, None, None] * np.broadcast_to(steps[:, None] ** 2, (5, 5)),
        "cross_entropy": np.zeros((len(SAMPLE), 5, 5)),
    }  # fmt: skip
    return Measured(table, {}, {}, {"gradient,random": grids}, None)


def test_figures_that_follow_accuracy():
    wrong = SAMPLE % EACH < 3 * (LABEL + 1)
    side = measured(0.1 + LABEL, np.where(wrong, (LABEL + 1) % CLASSES, LABEL), -LABEL.astype(float))
    found = link_section("audited", MANIFEST, rows(), side, "linf:0.1", seed=0)
    assert (found["condition"], found["samples"]) == ("robust", len(SAMPLE))
    assert [each["accuracy"] for each in found["classes"]] == pytest.approx([1 - 3 * (c + 1) / 40 for c in range(8)])
    psi = found["figures"]["psi B"]
    assert psi["robust_accuracy"]["value"] == pytest.approx(1)
    assert psi["over_images"]["value"] == pytest.approx(1)
    assert psi["over_images"]["low"] > 0.8
    assert found["figures"]["curvature of decision along gradient"]["robust_accuracy"]["value"] == pytest.approx(1)
    assert found["figures"]["rise of cross-entropy along gradient"]["robust_accuracy"]["value"] is None
    assert found["pairs"]["ordered_pairs"] == CLASSES * (CLASSES - 1)
    assert found["pairs"]["correlation"]["value"] == pytest.approx(1)


def test_figures_that_know_nothing():
    noise = np.random.default_rng(0).exponential(size=CLASSES)[LABEL]
    found = link_section("audited", MANIFEST, rows(), measured(noise, LABEL, noise), "linf:0.1", seed=0)
    psi = found["figures"]["psi B"]
    assert psi["robust_accuracy"]["low"] < 0 < psi["robust_accuracy"]["high"]
    assert found["pairs"]["images"] == 0
    assert found["pairs"]["correlation"] is None  # nothing moved


def test_an_audit_without_attacks_is_judged_by_its_clean_rows():
    manifest = MANIFEST | {"threats": MANIFEST["threats"][:1]}
    side = measured(0.1 + LABEL, LABEL, LABEL.astype(float))
    found = link_section("audited", manifest, rows().of("clean"), side, "linf:0.1", seed=0)
    assert found["condition"] == "clean"
    assert found["figures"]["psi B"]["robust_accuracy"]["value"] is None  # all classes are alike
    assert found["classes"][0]["cfps"] is None


def test_images_that_were_wrong_already_and_stay_do_not_count_as_moved():
    """All errors are there when clean and the search moves few images: both matrices of labels would be alike."""
    wrong = SAMPLE % EACH < 3 * (LABEL + 1)
    taken = np.where(wrong, (LABEL + 1) % CLASSES, LABEL)
    side = measured(0.1 + LABEL, taken, LABEL.astype(float))
    side.table["prediction"] = taken
    found = link_section("audited", MANIFEST, rows(), side, "linf:0.1", seed=0)["pairs"]
    assert (found["images"], found["correlation"]) == (0, None)
    moved = np.where(SAMPLE % EACH == EACH - 1, (taken + 3) % CLASSES, taken)  # one image of each class
    side.table["moved_to"] = moved
    found = link_section("audited", MANIFEST, rows(), side, "linf:0.1", seed=0)["pairs"]
    assert found["images"] == CLASSES
    assert found["correlation"]["value"] < 0.5
    said = pairs_said({"audit": {"pairs": found}})
    assert said is not None
    assert said.startswith("The search changed the prediction of 8 images (form B). Over 56 ordered pairs")


def test_the_audits_radius_is_the_explained_one_where_it_has_it_and_named_where_not():
    other = {"address": "pgd@linf:0.3", "kind": "adversarial", "radius": "linf:0.3"}
    manifest = MANIFEST | {"threats": [MANIFEST["threats"][0], other, MANIFEST["threats"][1]]}
    all_wrong = Outcomes.build(
        sample=SAMPLE, label=LABEL, threat="pgd@linf:0.3", prediction=(LABEL + 1) % CLASSES,
        correct=np.zeros(len(LABEL), bool), margin=np.full(len(LABEL), -1.0),
    )  # fmt: skip
    both = Outcomes.join([rows(), all_wrong])
    side = measured(0.1 + LABEL, LABEL, LABEL.astype(float))
    found = link_section("audited", manifest, both, side, "linf:0.1", seed=0)
    assert (found["radius"], found["notes"]) == ("linf:0.1", [])
    assert found["classes"][0]["accuracy"] == pytest.approx(1 - 3 / 40)
    found = link_section("audited", manifest, both, side, "linf:0.2", seed=0)
    assert found["radius"] == "linf:0.3"
    assert "no attacks at linf:0.2" in found["notes"][0]
    assert "linf:0.3" in found["notes"][0]


def test_of_a_few_images_of_a_class_there_is_no_interval_over_images():
    whole = measured(0.1 + LABEL, LABEL, -LABEL.astype(float))
    for images in (4, 5):
        kept = (images > SAMPLE % EACH) | (LABEL > 0)
        side = Measured({key: value[kept] for key, value in whole.table.items()}, {}, {}, whole.surfaces, None)
        over = link_section("audited", MANIFEST, rows(), side, "linf:0.1", seed=0)["figures"]["psi B"]["over_images"]
        assert over["value"] is not None
        assert (over["low"] is None) == (over["high"] is None) == (images < 5)
