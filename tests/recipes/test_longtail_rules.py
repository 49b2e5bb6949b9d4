"""The long tail's rules of fake gains: each sentence where its verdict is known, and the picture."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from weakspot.analysis.class_means import Estimate
from weakspot.analysis.fake_gain import FakeGain
from weakspot.recipes import longtail_gains
from weakspot.recipes.longtail_gains import FAMILY, Judged, by_scale, controls, gains, verdict
from weakspot.recipes.longtail_picture import label, picture
from weakspot.recipes.longtail_rules import LOSES, SOURCE, confirmed, fit, power
from weakspot.recipes.longtail_runs import PLANTED, name_of
from weakspot.recipes.sweeps import Swept
from weakspot.run import Run


def judged(fake, scale=True):
    """A model whose fake gain is seen, or not."""
    low = 0.01 if fake else -0.01
    gain = FakeGain(Estimate(0.03, low, 0.05), (), weak=0.06, strong=0.03)
    return Judged(gain, 0.001 if fake else 1.0, scale)


@pytest.mark.parametrize(
    "ratio, lows, says",
    [
        (50, {1: 0.01, 2: 0.01, 3: 0.01}, "yes"),
        (50, {1: 0.01, 2: -0.01, 3: 0.01}, "no"),
        (50, {1: 0.01, 2: 0.01}, "-"),
        (10, {1: 0.01, 2: 0.01, 3: 0.01}, "(yes)"),
        (10, {1: 0.01, 2: 0.0, 3: 0.01}, "(no)"),
    ],
)
def test_a_fake_gain_is_stable_if_every_seed_has_it(ratio, lows, says, monkeypatch):
    faked = {seed: FakeGain(Estimate(0.03, low, 0.05), (), weak=0.06, strong=0.03) for seed, low in lows.items()}
    monkeypatch.setattr(longtail_gains, "faked", lambda base, run: faked[int(run.folder.name)])
    found = {name_of(name, seed, ratio): Run(Path(str(seed))) for name in ("pgd-at", "robal-r") for seed in lows}
    (row,) = longtail_gains.stable(found)
    assert (row["imbalance"], row["method"], row["stable"]) == (ratio, "robal-r", says)
    assert [row[f"seed {seed}"] == "-" for seed in (1, 2, 3)] == [seed not in lows for seed in (1, 2, 3)]
    assert row["all attacks"] == ", ".join(["3.0"] * len(lows))


def swept(lost, images=1000):
    """A sweep in which so many images are right at scale 1 and wrong at scale 10, and all others right throughout."""
    right = np.ones((5, images), dtype=bool)
    right[3, :lost] = False
    return Swept(right, right[3], np.zeros(images, dtype=int), ("a", "b"))


@pytest.mark.parametrize(
    "seen, lost, says",
    [
        (True, 11, "fake by scale"),
        (True, 10, "fake, reason unknown"),
        (True, None, "fake, scale not tried"),
        (False, 11, "not seen, though the scale matters"),
        (False, 10, "not seen"),
        (False, None, "not seen"),
    ],
)
def test_a_fake_gain_by_scale_needs_both(seen, lost, says):
    found = {} if lost is None else {"run": swept(lost)}
    assert verdict(seen, by_scale("run", found)) == says


@pytest.mark.parametrize(
    "fakes, loses, absent, says",
    [
        (("cdt",), True, (), "the source is confirmed"),
        # One is enough, whatever is missing beside it.
        (("cdt",), True, ("tde",), "the source is confirmed"),
        ((), True, ("tde",), "not decided, tde missing"),
        (("cdt",), False, (), "the source is not confirmed"),
        ((), True, (), "the source is not confirmed"),
        (("cdt",), True, (LOSES,), f"not decided, {LOSES} missing"),
        # It did not lose it, so that nothing which is missing could confirm the source.
        (("cdt",), False, ("tde",), "the source is not confirmed"),
    ],
)
def test_the_source_is_confirmed_if_a_method_of_its_own_is_fake_by_scale_and_robal_loses_it(fakes, loses, absent, says):
    made = {name: judged(name in fakes) for name in SOURCE} | {LOSES: judged(not loses)}
    made = {name: each for name, each in made.items() if name not in absent}
    assert confirmed(made).endswith(f": {says}.")
    assert f"methods: {', '.join(fakes) if fakes else 'none'}; robal-r is " in confirmed(made)


def test_a_source_whose_scales_are_not_tried_is_not_decided():
    made = {name: judged(True, None) for name in (*SOURCE, LOSES)}
    assert "not decided" in confirmed(made)


@pytest.mark.parametrize("flagged, says", [(3, "fit"), (4, "unfit")])
def test_the_rule_is_unfit_if_it_flags_more_than_one_in_ten(flagged, says):
    rest = {"number": 31, "fake gain flagged": 5}
    counts = [{"with a sweep": 20, "flagged by scale": 0}, {"with a sweep": 30, "flagged by scale": flagged, **rest}]
    assert f"(36 are planned) the rule flags {flagged} by scale" in fit(counts, 36)
    assert fit(counts, 36).endswith(f": {says}. The fake gain alone flags 5 of 31.")


def test_planted_scales_must_be_flagged_where_they_make_more_than_a_point():
    one, two, three, *_ = PLANTED
    made = {one: judged(True), two: judged(False), three: judged(False)}
    scales = {name_of(one): swept(11), name_of(two): swept(11), name_of(three): swept(10)}
    says = power(made, scales)
    assert f"3 of {len(PLANTED)} are there" in says
    assert f"for {one}, {two} of them; not flagged of these: {two}." in says


def test_the_picture_names_each_method_but_the_planted_and_marks_the_fake():
    made = {name: judged(name == "cdt") for name in (*FAMILY, *PLANTED)}
    drawn = picture(made)
    texts = {each.text for each in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")}
    assert {name for name in FAMILY if name != "cdt"} | {"cdt (fake by scale)"} <= texts
    assert not texts & set(PLANTED)
    assert picture(made) == drawn


def test_a_star_marks_who_is_judged_without_a_correction():
    beside = Judged(judged(True).gain, None, True)
    assert label("trades", beside) == "trades * (fake by scale)"
    assert label("cdt", judged(False)) == "cdt"
    assert [row["verdict"] for row in gains({"trades": beside, "cdt": judged(True)})] == [
        "fake by scale *", "fake by scale",
    ]  # fmt: skip


def test_all_planned_pairs_of_plain_models_are_counted():
    pairs = [pair for each in controls().values() for pair in each]
    assert len(pairs) == len(set(pairs)) == 36


def test_the_picture_of_nothing_is_a_picture():
    assert ElementTree.fromstring(picture({})).tag.endswith("svg")
