"""T7 to T17, T19 to T21: their figures against values known by construction, plain loops and other libraries."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from torch import Tensor, nn
from torch.autograd import grad as borrowed

import broken
import planted
from weakspot.addresses import Radius
from weakspot.doubts import CHECKS, Context
from weakspot.doubts.attack import ascend, whole_box
from weakspot.doubts.black_box import black_box
from weakspot.doubts.blind import blind_margins, corners
from weakspot.doubts.class_floor import class_floor
from weakspot.doubts.composition import composition
from weakspot.doubts.dynamic import counted_gradients, dynamic
from weakspot.doubts.hits import HITS, bounds, judge_hits
from weakspot.doubts.incomplete import late_progress
from weakspot.doubts.logit_scale import logit_scale
from weakspot.doubts.loss_disagreement import loss_disagreement, pair
from weakspot.doubts.monotone import monotone, rising
from weakspot.doubts.replay import adversarial, replay
from weakspot.doubts.unstable_loss import unstable_loss
from weakspot.maths.balls import distance
from weakspot.maths.losses import margin
from weakspot.outcomes import Outcomes
from weakspot.rng import uniform


@pytest.fixture
def honest() -> Context:
    return planted.context_of(planted.HONEST["mlp"](), samples=64)


def two_classes(samples: int = 12) -> tuple[Context, Tensor]:
    """A linear model of two classes on images of 0.5 +- 0.05, and the difference of its two rows."""
    weight = torch.linspace(-1, 1, 32).view(2, 16)
    images = (0.5 + 0.05 * torch.linspace(-1, 1, samples * 16).sin()).view(samples, 1, 4, 4)
    labels = (images.flatten(1) @ weight.T).argmax(1)
    radius = Radius.of("linf:0.01")
    context = Context(lambda x: x.flatten(1) @ weight.T, images, labels, torch.arange(samples), ("a", "b"), radius, 0)
    return context, weight[0] - weight[1]


# -- the attack that the checks use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("norm, dual", [("linf", 1), ("l2", 2)])
def test_ascend_meets_the_closed_form_of_a_linear_model(norm: str, dual: int) -> None:
    context, difference = two_classes()
    context = replace(context, radius=Radius.of(f"{norm}:0.01"))
    search = ascend(context, 0.01, 10)
    least = margin(context.logits(), context.labels) - 0.01 * difference.norm(p=dual)
    torch.testing.assert_close(search.lowest, least)


def test_the_whole_box_is_within_reach_from_everywhere() -> None:
    images = torch.zeros(1, 3, 4, 5)
    assert whole_box(images, "linf") == (1 - images).abs().max()
    assert whole_box(images, "l2") == pytest.approx((1 - images).norm().item())


# -- shares with bounds -----------------------------------------------------------------------------------------------


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_bounds_are_one_sided_clopper_pearson(counts: tuple[int, int]) -> None:
    """A two-sided 90 % interval has 5 % on either side."""
    low, high = proportion_confint(*counts, alpha=0.1, method="beta")
    assert bounds(*counts) == pytest.approx((low, high), abs=1e-9)


def test_bounds_without_samples_bound_nothing() -> None:
    assert bounds(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("hits, status", [(0, "ok"), (1, "warn"), (3, "warn"), (4, "fail"), (64, "fail")])
def test_a_lucky_hit_warns_and_many_fail(honest: Context, hits: int, status: str) -> None:
    """Of 64: the lower limit of 3 hits is 1.3 %, that of 4 is 2.2 %."""
    fell = torch.arange(64) < hits
    found = judge_hits("T12", honest, fell, "An attack", "mend it", warn=0.005, fail=0.02)
    assert (found.status, found.figure) == (status, hits / 64)
    assert f"{hits} of 64" in found.says
    assert ("mend it" in found.says) == (status != "ok")
    assert honest.memo[HITS]["T12"].sum() == hits


# -- T7 ---------------------------------------------------------------------------------------------------------------


def test_unstable_loss_against_a_plain_loop(honest: Context) -> None:
    context = honest.take(5)
    total, count = 0.0, 0
    for i in range(5):
        one = context.take(torch.tensor([i]))
        before = margin(one.logits(), one.labels).item()
        for draw in range(30):
            # Draws come in batches of 4.
            noise = 0.05 * (uniform((4, 1, 8, 8), one.sample, 0, "doubts/T7", draw // 4)[:, draw % 4] * 2 - 1)
            after = margin(one.logits((one.images + noise).clamp(0, 1)), one.labels).item()
            total, count = total + min(1.0, abs(after - before) / abs(before)), count + 1
    assert unstable_loss(context).figure == pytest.approx(total / count, rel=1e-4)


def test_one_sample_beside_the_boundary_is_no_rough_loss(honest: Context) -> None:
    """Seven calm samples and the one with the lowest margin."""
    context = honest.correct()
    order = margin(context.logits(), context.labels).argsort()
    calm, near = context.take(order[-7:]), context.take(order[:1])
    alone = unstable_loss(calm)
    found = unstable_loss(context.take(torch.cat([order[-7:], order[:1]])))
    assert found.figure == pytest.approx((7 * (alone.figure or 0) + (unstable_loss(near).figure or 0)) / 8, rel=1e-4)
    assert found.figure > 0.1
    assert found.status == "ok"


# -- T8, T9: replays --------------------------------------------------------------------------------------------------


def test_a_replay_sees_what_the_threat_saw(honest: Context) -> None:
    context = honest.take(8)
    again = replay(context, "pgd(steps=5)@linf:0.1")
    assert [len(path) for path in again.paths] == [7 if path[0] >= 0 else 1 for path in again.paths]
    clean = margin(context.logits(), context.labels)
    for path, start, end in zip(again.paths, clean, again.returned, strict=True):
        assert path[0] == pytest.approx(start.item(), abs=1e-4)
        assert path.min() == pytest.approx(end.item(), abs=1e-4)


def test_points_outside_the_set_are_no_success(honest: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    class Outside(broken.Forgetful):
        def __call__(self, model: Any, images: Tensor, labels: Tensor, sample: Tensor, seed: int) -> Tensor:
            model(1 - images)  # breaks most samples, far outside the ball
            return images

    monkeypatch.setitem(broken.THREATS, "outside", Outside)
    assert [len(path) for path in replay(honest, "outside@linf:0.1").paths] == [0] * len(honest)
    assert [len(path) for path in replay(honest, "outside@linf:1").paths] == [1] * len(honest)


def test_the_dearest_threat_of_the_radius_comes_first(honest: Context) -> None:
    context = planted.with_rows(
        honest, ("pgd(steps=2)", "apgd-ce(steps=9)", "pgd(steps=50)@linf:0.3", "fgsm", "pairs(steps=2)")
    )
    ran = adversarial(context)
    assert [one.address for one in ran] == ["apgd-ce(steps=9)@linf:0.1", "pgd(steps=2)@linf:0.1", "fgsm@linf:0.1"]
    # A sample that PGD attacks is asked about when clean, at the start and after each of the two steps; two gradients.
    assert (ran[1].cost, ran[1].longest) == (4 + 2 * 2, 4 + 2 * 2)


@pytest.mark.parametrize(
    "path, late",
    [
        (np.linspace(1, 0, 101), 0.1),  # even progress: the last 10 of 100 steps make a tenth of it
        (np.concatenate([np.linspace(1, 0, 50), np.zeros(51)]), 0.0),
        (np.concatenate([np.linspace(1, 0, 50), np.full(51, 0.7)]), 0.0),  # going back is no progress
        (np.concatenate([np.ones(100), [0.0]]), 1.0),
        (np.ones(30), 0.0),
        (np.array([1.0, 0.5, 0.0]), 0.5),  # three points: the last one is the end
    ],
)
def test_late_progress(path: np.ndarray, late: float) -> None:
    assert late_progress(path) == pytest.approx(late)


# -- T12 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_square, status", [(0, "ok"), (1, "warn"), (9, "fail")])
def test_square_is_read_from_the_rows_where_the_audit_ran_it(honest: Context, by_square: int, status: str) -> None:
    """Of 100 samples 10 are wrong when clean and 30 fall to gradients; Square takes some of the 60 that are left."""
    number = np.arange(100)
    found_by = np.full(100, "", dtype=object)
    found_by[:10], found_by[10:40] = "clean", "apgd-dlr-10"
    found_by[40 : 40 + by_square] = "sentinel:square"
    address = "standard@linf:0.1"
    rows = Outcomes.build(sample=number, threat=address, found_by=found_by, correct=found_by == "")
    described = {"threats": [{"address": address, "kind": "adversarial", "radius": "linf:0.1"}]}
    context = replace(honest, rows=rows, manifest=described)
    assert CHECKS["T12"].price(context) == CHECKS["T12"].length(context) == 0
    found = black_box(context)
    assert (found.status, found.figure) == (status, by_square / 60)


def test_what_the_search_may_have_missed_is_bounded_block_by_block(honest: Context) -> None:
    """Two blocks of 100: in the first 40 survive and nothing is found, in the second the sentinel broke one."""
    found_by = np.full(200, "", dtype=object)
    found_by[40:100], found_by[100] = "apgd-dlr-10", "sentinel:fab-t"
    address = "standard@linf:0.1"
    rows = Outcomes.build(
        sample=np.arange(200), label=np.arange(200) % 10, threat=address, found_by=found_by, correct=found_by == ""
    )
    described = {
        "threats": [{"address": address, "kind": "adversarial", "radius": "linf:0.1"}],
        "units": [{"threat": address, "start": start, "stop": start + 100} for start in (0, 100)],
    }
    says = black_box(replace(honest, rows=rows, manifest=described)).says
    # 5 % of 40 are 2; none of 2 broken leaves a share of up to 1 - 0.05^(1/2).
    assert "in 1 of 2 blocks" in says
    assert f"none of 2 survivors drawn at random, so at most {1 - 0.05**0.5:.1%} of the 40 there" in says
    says = black_box(replace(honest, rows=rows, manifest={**described, "units": described["units"][:1]})).says
    assert "broke something in" not in says
    assert f"at most {1 - 0.05**0.5:.1%} of all 40 would fall" in says


def test_what_gradients_broke_too_is_no_find_of_square(honest: Context) -> None:
    rows = [
        Outcomes.build(sample=np.arange(50), threat="square@linf:0.1", found_by="square", correct=False),
        Outcomes.build(sample=np.arange(50), threat="pgd@linf:0.1", found_by="pgd", correct=np.arange(50) >= 45),
    ]
    described = [{"address": part.threat[0], "kind": "adversarial", "radius": "linf:0.1"} for part in rows]
    context = replace(honest, rows=Outcomes.join(rows), manifest={"threats": described})
    assert black_box(context).figure == 1.0
    assert "Of 5 samples" in black_box(context).says


# -- T13, T14 ---------------------------------------------------------------------------------------------------------


def test_corners_are_extreme_points(honest: Context) -> None:
    cube = corners(honest.images, 0.1, "linf", honest.sample, 0, "test")
    assert torch.equal(cube.abs(), torch.full_like(cube, 0.1))
    assert 0.4 < (cube > 0).double().mean() < 0.6
    sphere = corners(honest.images, 0.1, "l2", honest.sample, 0, "test")
    torch.testing.assert_close(sphere.flatten(1).norm(dim=1), torch.full((64,), 0.1))


@pytest.mark.parametrize("norm, size", [("linf", 0.1), ("l2", 0.8)])
@pytest.mark.parametrize("extreme", [False, True])
def test_blind_points_lie_in_the_ball(honest: Context, norm: str, size: float, extreme: bool) -> None:
    asked: list[Tensor] = []

    def model(images: Tensor) -> Tensor:
        asked.append(images)
        return honest.model(images)

    grey = torch.full_like(honest.images, 0.5)  # nothing is clamped
    context = replace(honest, model=model, images=grey, radius=Radius.of(f"{norm}:{size}"))
    margins = torch.cat(list(blind_margins(context, size, 6, "test", extreme)), dim=1)
    assert margins.shape == (64, 6)
    away = torch.cat([distance(x - 0.5, norm) for x in asked])
    assert away.max() <= size + 1e-5
    assert (away.min().item() >= size - 1e-5) is extreme
    # The first draws of the first sample stand first: their margins are of its label.
    expected = margin(honest.model(asked[0][:4]), honest.labels[:1].expand(4))
    torch.testing.assert_close(margins[0, :4], expected)


def accuracies(small: int, large: int, both: int = 10) -> np.ndarray:
    """Rows (radius): `small` samples stand at the smaller radius only, `large` at the larger one only."""
    kept = np.ones(both, dtype=bool)
    return np.array(
        [
            np.concatenate([kept, np.ones(small, dtype=bool), np.zeros(large, dtype=bool)]),
            np.concatenate([kept, np.zeros(small, dtype=bool), np.ones(large, dtype=bool)]),
        ]
    )


@pytest.mark.parametrize(
    "small, large, up", [(0, 5, False), (0, 6, True), (20, 6, False), (6, 20, True), (20, 0, False)]
)
def test_a_rise_must_be_beyond_chance(small: int, large: int, up: bool) -> None:
    """Exact McNemar: 5 of 5 has p = 0.0625, 6 of 6 has 0.03."""
    robust = accuracies(small, large)
    assert rising(robust, np.zeros(robust.shape[1], dtype=np.int64), 1) is up


def test_a_rise_in_one_class_is_a_rise() -> None:
    """Class 1 gains 9 while class 0 loses 30: overall it falls."""
    robust = np.concatenate([accuracies(30, 0), accuracies(0, 9)], axis=1)
    label = np.repeat([0, 1], [40, 19])
    assert rising(robust, np.zeros(59, dtype=np.int64), 1) is False
    assert rising(robust, label, 2) is True


def test_monotone_says_the_accuracies(honest: Context) -> None:
    found = monotone(honest.correct().take(16))
    assert found.status == "ok"
    assert found.figure is not None
    assert found.figure <= 0  # it never rises
    assert "0% at 8x" in found.says


# -- T16, T17 ---------------------------------------------------------------------------------------------------------


def test_the_two_losses_are_compared_in_equal_attacks() -> None:
    names = [
        "apgd-ce@linf:0.2",
        "apgd-ce(steps=9)@linf:0.1",
        "apgd-dlr(steps=7)@linf:0.1",
        "apgd-dlr(steps=9)@linf:0.1",
    ]
    described = [{"address": name, "radius": name.split("@")[1]} for name in names]
    assert pair({"threats": described}, "linf:0.1") == ("apgd-ce(steps=9)@linf:0.1", "apgd-dlr(steps=9)@linf:0.1")
    assert pair({"threats": described}, "linf:0.2") is None


@pytest.mark.parametrize("only, status", [(3, "ok"), (12, "warn")])
def test_loss_disagreement_counts_rows(honest: Context, only: int, status: str) -> None:
    """200 samples, 20 of them wrong when clean; `only` fall to DLR alone, 5 to CE alone."""
    number = np.arange(200)
    wrong = number < 20
    right = {
        "clean": ~wrong,
        "apgd-ce@linf:0.1": ~wrong & ~((number >= 50) & (number < 55)),
        "apgd-dlr@linf:0.1": ~wrong & ~((number >= 100) & (number < 100 + only)),
    }
    # The rows of one threat come in another order: they are matched by sample.
    parts = [
        Outcomes.build(sample=number[order], threat=name, correct=values[order])
        for (name, values), order in zip(right.items(), [number, number[::-1], number], strict=True)
    ]
    described = [{"address": name, "radius": "linf:0.1"} for name in right if name != "clean"]
    found = loss_disagreement(replace(honest, rows=Outcomes.join(parts), manifest={"threats": described}))
    assert found.figure == pytest.approx(only / 180)
    assert found.status == status
    assert "and 5 to CE alone" in found.says


def test_loss_disagreement_attacks_by_itself_where_the_audit_did_not(honest: Context) -> None:
    found = loss_disagreement(honest)
    right, entropy, ratio = (
        (honest.logits().argmax(1) == honest.labels).numpy(),
        *(
            (ascend(honest, 0.1, 50, (loss,)).lowest >= 0).numpy()
            for loss in (nn.CrossEntropyLoss(reduction="none"), _dlr)
        ),
    )
    assert found.figure == pytest.approx((right & entropy & ~ratio).sum() / right.sum())


def _dlr(logits: Tensor, labels: Tensor) -> Tensor:
    """The formula of the paper, sample by sample."""
    made = []
    for row, label in zip(logits, labels.tolist(), strict=True):
        ordered = row.sort(descending=True).values
        best = ordered[1] if row.argmax() == label else ordered[0]
        made.append(-(row[label] - best) / (ordered[0] - ordered[2] + 1e-12))
    return torch.stack(made)


def test_logit_scale_against_numpy(honest: Context) -> None:
    ordered = np.sort(honest.logits().numpy(), axis=1)
    found = logit_scale(honest)
    assert found.figure == pytest.approx(np.median(ordered[:, -1] - ordered[:, -2]), abs=0.2)
    assert found.status == "ok"


def test_logit_scale_warns_of_large_logits(honest: Context) -> None:
    found = logit_scale(replace(honest, model=lambda x: 10 * honest.model(x)))
    assert found.status == "warn"


# -- T19 --------------------------------------------------------------------------------------------------------------


def test_gradients_are_noticed_under_any_name() -> None:
    def one() -> Tensor:
        return torch.ones(2, requires_grad=True)

    with counted_gradients() as calls:
        x = one()
        (x * 2).sum()
    assert calls == []
    with counted_gradients() as calls:
        x = one()
        borrowed((x * 2).sum(), x)
        (one() * 2).sum().backward()
        torch.func.grad(lambda value: (value * 2).sum())(torch.ones(2))
    assert calls.count("grad") >= 1
    assert calls.count("backward") >= 1
    assert len(calls) >= 3


def test_a_model_that_learns_while_it_answers_is_noticed(honest: Context) -> None:
    class Counting(broken.Wrapped):
        def __init__(self, net: nn.Module):
            super().__init__(net)
            self.register_buffer("asked", torch.zeros(()))

        def forward(self, images: Tensor) -> Tensor:
            self.asked += 1
            return self.net(images)

    found = dynamic(replace(honest, model=Counting(planted.HONEST["mlp"]())))
    assert found.status == "fail"
    assert "asked" in found.says


# -- T20, T21 ---------------------------------------------------------------------------------------------------------


def test_the_class_floor_adjusts_for_the_number_of_classes(honest: Context) -> None:
    """2 of 6 in one class: P(Bin(6, 0.02) >= 2) = 0.0057, times 10 classes is above 5 %; 3 of 6 is 0.0015 in all."""
    of_three = (honest.labels == 3).numpy()
    assert of_three.sum() == 6
    for fell, status in ((2, "ok"), (3, "fail")):
        hits = np.zeros(64, dtype=bool)
        hits[np.flatnonzero(of_three)[:fell]] = True
        context = replace(honest, memo={HITS: {"T12": hits, "T13": np.zeros(64, dtype=bool)}})
        found = class_floor(context)
        assert found.status == status
        tail = sum(_binomial(6, k, 0.02) for k in range(fell, 7))
        assert found.figure == pytest.approx(10 * tail)


def _binomial(n: int, k: int, p: float) -> float:
    ways = 1.0
    for i in range(k):
        ways = ways * (n - i) / (i + 1)
    return ways * p**k * (1 - p) ** (n - k)


def test_the_class_floor_needs_hits(honest: Context) -> None:
    assert class_floor(honest).figure is None


def composed(small: list[bool], large: list[bool], clean: list[bool]) -> Context:
    names = {"clean": clean, "pgd@linf:0.05": small, "pgd@linf:0.1": large}
    rows = [Outcomes.build(sample=np.arange(len(clean)), threat=name, correct=right) for name, right in names.items()]
    described = [
        {"address": name, "kind": "adversarial", "radius": name.split("@")[1]} for name in names if name != "clean"
    ]
    context = planted.context_of(planted.HONEST["linear"](), samples=4)
    return replace(context, rows=Outcomes.join(rows), manifest={"threats": described})


def test_composition_counts_contradictions() -> None:
    good = composed([True, True, False], [True, False, False], [True, True, False])
    assert (composition(good).status, composition(good).figure) == ("ok", 0.0)
    inverted = composed([True, False, False], [True, True, False], [True, True, False])
    assert (composition(inverted).status, composition(inverted).figure) == ("warn", 1.0)
    revived = composed([True, True, True], [True, False, True], [True, True, False])
    assert (composition(revived).status, composition(revived).figure) == ("fail", 2.0)
