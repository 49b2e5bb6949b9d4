"""What every policy must do: a new one gets these tests by being listed, given a restatement in tests/oracles."""

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.oracles.objectives import ORACLES as OBJECTIVE_ORACLES
from tests.oracles.objectives import Net
from tests.oracles.policies import ORACLES, Story, Turned
from tests.training.test_objectives import CLASSES, batch, planted
from torch import Tensor

from weakspot.addresses import Radius
from weakspot.errors import InputError
from weakspot.training import Knobs
from weakspot.training.objectives import OBJECTIVES
from weakspot.training.policies import POLICIES, address_of, origin, policy_of
from weakspot.training.policies.faal import divergence, worst
from weakspot.training.policy import Batch, Epoch, Given, Policy, State
from weakspot.training.validation import Validation

EPS, EPOCHS = 0.1, 4
each = pytest.mark.parametrize("name", POLICIES)
over = pytest.mark.parametrize("method", ["pgd-at", "trades", "mart"])
NAMES = ("radius", "natural", "robust", "beta")


def made(name: str) -> Policy:
    """The policy as tested: late starts at half of the run."""
    return POLICIES[name](**({"begin": 0.5} if name in ("dafa", "frl", "faal") else {}))


def told(seed: int, classes: int, absent: bool, method: str) -> Story:
    """Two epochs of random logits and counts; one class may be absent from batches and validation."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).tolist()

    def labels() -> list[int]:
        return torch.randint(classes - absent, (12,), generator=generator).tolist()

    def cube() -> list[list[list[float]]]:
        clean = torch.randint(9, (classes, classes), generator=generator).double()
        clean[classes - 1] *= not absent
        moved = (clean.diagonal() * torch.rand(classes, generator=generator)).floor()
        attacked = clean - moved.diag()
        attacked[torch.arange(classes), (torch.arange(classes) + 1) % classes] += moved
        return [clean.tolist(), attacked.tolist()]

    objective = OBJECTIVES[method]
    sums = [[abs(v) * 30 * (c < classes - absent) for c, v in enumerate(row)] for row in draw(4, classes)]
    return Story(
        classes=classes,
        eps=EPS,
        beta=getattr(objective(), "beta", 0.0),
        natural="natural" in objective.carries,
        method=method,
        counts=torch.randint(1, 50, (classes,), generator=generator).tolist()[: classes - absent] + [0] * absent,
        draws=40,
        batches=[[(labels(), draw(12, classes)) for _ in range(3)] for _ in range(2)],
        cubes=[cube(), cube()],
        entropy=sums[:2],
        divergence=sums[2:],
        labels=labels(),
    )


def given_of(story: Story) -> Given:
    base = Knobs.uniform(story.classes, Radius.of(f"linf:{EPS}"))
    one = torch.ones(story.classes, dtype=torch.float64)
    return Given(
        base=replace(base, radius=EPS * one, natural=one, robust=one, beta=one),
        counts=torch.tensor(story.counts, dtype=torch.float64),
        epochs=EPOCHS,
        draws=story.draws,
        method=story.method,
        carries=OBJECTIVES[story.method].carries,
        trade_off=story.beta,
    )


def lived(policy: Policy, story: Story) -> tuple[State, list[float]]:
    """The state after the story, and what the average kept; no hook may change a state that it was given."""
    setting = given_of(story)
    state, keep = policy.start(setting), []
    names = {name: (value.shape, value.dtype) for name, value in state.items()}
    for epoch in range(2):
        for labels, logits in story.batches[epoch]:
            before = {name: value.clone() for name, value in state.items()}
            y, z = torch.tensor(labels), torch.tensor(logits, dtype=torch.float64)
            policy.knobs(state, setting, epoch, y)
            after = policy.after_batch(state, setting, Batch(epoch, y, z, torch.zeros(len(y), dtype=torch.float64)))
            assert all(torch.equal(value, before[name]) for name, value in state.items())
            state = after
        found = [torch.tensor(v[epoch], dtype=torch.float64) for v in (story.cubes, story.entropy, story.divergence)]
        seen = Validation(found[0], found[1], found[2], attacked=True) if policy.looks else None
        state = policy.after_epoch(state, setting, Epoch(epoch, seen))
        keep += [policy.keep(state)] if policy.averages else []
        assert {name: (value.shape, value.dtype) for name, value in state.items()} == names
        assert all(value.isfinite().all() for value in state.values())
    return state, keep


def knobs_after(policy: Policy, story: Story) -> Knobs:
    return policy.knobs(lived(policy, story)[0], given_of(story), 2, torch.tensor(story.labels))


STORIES = {"seed": st.integers(0, 10_000), "classes": st.integers(3, 6), "absent": st.booleans()}


def test_the_catalogue_and_the_restatements_name_the_same() -> None:
    assert POLICIES.keys() == ORACLES.keys()
    assert all(kind.name == name for name, kind in POLICIES.items())


@each
@over
@settings(max_examples=25, deadline=None)
@given(**STORIES)
def test_knobs_are_the_papers(name: str, method: str, seed: int, classes: int, absent: bool) -> None:
    story, policy = told(seed, classes, absent, method), made(name)
    state, keep = lived(policy, story)
    knobs = policy.knobs(state, given_of(story), 2, torch.tensor(story.labels))
    expected: Turned = ORACLES[name](story)
    plain = {"radius": [EPS] * classes, "natural": [1.0] * classes, "robust": [1.0] * classes, "beta": [1.0] * classes}
    for knob in NAMES:
        wanted = getattr(expected, knob) or plain[knob]
        if knob in OBJECTIVES[method].carries:
            assert getattr(knobs, knob).tolist() == pytest.approx(wanted, rel=1e-9), knob
    assert keep == pytest.approx(expected.keep)
    chances = policy.draw(state, given_of(story))
    assert (None if chances is None else chances.tolist()) == (expected.chances and pytest.approx(expected.chances))
    assert (knobs.target is None) == (expected.target is None)
    if knobs.target is not None and expected.target is not None:
        assert knobs.target.flatten().tolist() == pytest.approx([v for row in expected.target for v in row], abs=1e-12)
    assert (knobs.within is None) == (expected.within is None)
    if knobs.within is not None:
        labels, logits = story.batches[1][-1]
        weights = knobs.within(torch.tensor(logits, dtype=torch.float64), torch.tensor(labels))
        assert weights.tolist() == pytest.approx(expected.within, rel=1e-6)


@each
@settings(max_examples=25, deadline=None)
@given(**STORIES)
def test_what_is_promised_holds(name: str, seed: int, classes: int, absent: bool) -> None:
    """Nothing below 0, rows and chances sum to 1, no target of the own class by FAIR-TAT, and means where promised."""
    story, policy = told(seed, classes, absent, "trades"), made(name)
    state, keep = lived(policy, story)
    knobs = policy.knobs(state, given_of(story), 2, torch.tensor(story.labels))
    assert all((getattr(knobs, knob) >= 0).all() for knob in NAMES)
    assert all(0 <= share <= 1 for share in keep)
    if name == "dafa":
        assert knobs.radius.mean().item() == pytest.approx(EPS)
        assert knobs.natural.mean().item() == pytest.approx(1)
    if name == "robust-lt":
        counts = torch.tensor(story.counts).double()
        full = policy.knobs(state, given_of(story), EPOCHS, torch.tensor(story.labels))
        assert (counts / counts.sum() * full.radius).sum().item() == pytest.approx(EPS)
    if name == "frl":
        for weight in (knobs.natural, knobs.robust):
            assert weight[torch.tensor(story.labels)].mean().item() == pytest.approx(1)
    if name == "confusion":
        assert knobs.natural.mean().item() == pytest.approx(1)
        assert knobs.robust.mean().item() == pytest.approx(1)
    if name == "wat":
        q = policy.arms(state)  # type: ignore[attr-defined]
        assert q.sum().item() == pytest.approx(classes)
        assert knobs.robust.mean().item() == pytest.approx(1 + q[-1].item() * (1 - 1 / classes))
    if knobs.target is not None:
        assert knobs.target.sum(1).tolist() == pytest.approx([1] * classes)
        assert (knobs.target >= 0).all()
        if name == "fair-tat":
            assert (knobs.target.diagonal() == 0).all()
    if (chances := policy.draw(state, given_of(story))) is not None:
        assert chances.sum().item() == pytest.approx(1)
        assert (chances >= 0.5 / classes).all()


def renamed(story: Story, new: list[int]) -> Story:
    """The same story where class c is called new[c]."""
    old = sorted(range(len(new)), key=lambda c: new[c])
    logits = [[[([new[y] for y in ys], [[z[c] for c in old] for z in zs]) for ys, zs in epoch] for epoch in [e]][0]
              for e in story.batches]  # fmt: skip
    return replace(
        story,
        counts=[story.counts[c] for c in old],
        batches=logits,
        cubes=[[[[m[i][j] for j in old] for i in old] for m in cube] for cube in story.cubes],
        entropy=[[row[c] for c in old] for row in story.entropy],
        divergence=[[row[c] for c in old] for row in story.divergence],
        labels=[new[y] for y in story.labels],
    )


@each
@over
@settings(max_examples=15, deadline=None)
@given(**STORIES, shift=st.integers(1, 5))
def test_renaming_the_classes_renames_the_knobs(
    name: str, method: str, seed: int, classes: int, absent: bool, shift: int
) -> None:
    assume(shift % classes)
    story, policy = told(seed, classes, absent, method), made(name)
    new = torch.tensor([(c + shift) % classes for c in range(classes)])
    other = renamed(story, new.tolist())
    one, two = knobs_after(policy, story), knobs_after(policy, other)
    for knob in NAMES:
        torch.testing.assert_close(getattr(two, knob)[new], getattr(one, knob))
    if one.target is not None and two.target is not None:
        torch.testing.assert_close(two.target[new][:, new], one.target)
    if one.within is not None and two.within is not None:
        (ys, zs), (vs, ws) = story.batches[1][0], other.batches[1][0]
        torch.testing.assert_close(
            two.within(torch.tensor(ws).double(), torch.tensor(vs)),
            one.within(torch.tensor(zs).double(), torch.tensor(ys)),
        )
    states = [lived(policy, s)[0] for s in (story, other)]
    chances = [policy.draw(state, given_of(s)) for state, s in zip(states, (story, other), strict=True)]
    if chances[0] is not None and chances[1] is not None:
        torch.testing.assert_close(chances[1][new], chances[0])


@each
def test_the_first_epoch_is_the_objectives_own_but_for_what_acts_at_once(name: str) -> None:
    story, policy = told(3, CLASSES, False, "trades"), made(name)
    setting = given_of(story)
    knobs = policy.knobs(policy.start(setting), setting, 0, torch.tensor(story.labels))
    if name in ("robust-lt", "wat"):  # a radius that starts at 0; arms whose weights do not have mean 1
        return
    for knob in NAMES:
        torch.testing.assert_close(getattr(knobs, knob), getattr(setting.base, knob))
    chances = policy.draw(policy.start(setting), setting)
    assert chances is None or chances.tolist() == pytest.approx([1 / CLASSES] * CLASSES)


@each
@over
def test_objectives_obey_the_knobs_of_every_policy(name: str, method: str) -> None:
    """The loss and its gradient under a policy's knobs are the restated objective's under the restated weights."""
    story, policy = told(7, CLASSES, False, method), made(name)
    knobs = replace(knobs_after(policy, story), progress=0.5)
    images, labels, sample = batch()
    model = planted()
    net, objective = Net(model), OBJECTIVES[method]()
    got = objective(model, images, labels, sample, 3, 11, knobs)
    losses, logits, _ = OBJECTIVE_ORACLES[method](objective, net, images, labels.tolist(), sample, 3, 11, knobs)
    weights = knobs.within(logits.detach(), labels) if knobs.within else torch.ones(len(labels)).double()
    expected = torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)])
    torch.testing.assert_close(got.per_sample, expected.detach())
    torch.testing.assert_close(got.total, expected.mean())
    got.total.backward()
    for parameter, gradient in zip(model.parameters(), torch.autograd.grad(expected.mean(), net.weights), strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@each
def test_an_address_reads_back_as_the_policy(name: str) -> None:
    policy = POLICIES[name]()
    assert address_of(policy) == name
    assert policy_of(name) == policy
    assert policy_of(policy) is policy
    for field, value in ((f.name, getattr(policy, f.name)) for f in fields(policy)):
        other: Any = not value if isinstance(value, bool) else 0.25 if value in ("auto", 0) else value / 2
        changed = replace(policy, **{field: other})
        assert policy_of(address_of(changed)) == changed
        assert address_of(changed) != name


def test_combinations_are_marked_by_their_papers() -> None:
    table = {
        name: [m for m in ("pgd-at", "trades", "mart") if origin(POLICIES[name](), OBJECTIVES[m]()) == "paper"]
        for name in POLICIES
    }
    assert table == {
        "none": [], "cfa": ["pgd-at", "trades"], "dafa": ["pgd-at", "trades"], "frl": ["trades"], "wat": ["trades"],
        "fair-tat": ["pgd-at"], "faal": ["pgd-at", "trades", "mart"], "cfol": ["pgd-at"], "robust-lt": ["pgd-at"],
        "confusion": [],
    }  # fmt: skip


@pytest.mark.parametrize("address, says", [("wta", "did you mean 'wat'"), ("faal(r=0)", "greater than 0")])
def test_a_wrong_policy_is_one_clear_line(address: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        policy_of(address)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(-20, 20), min_size=2, max_size=8), r=st.floats(0.01, 3))
def test_faals_worst_weights_use_the_ball_up_and_no_feasible_point_is_better(values: list[float], r: float) -> None:
    v = torch.tensor(values, dtype=torch.float64)
    q = worst(v, r)
    assert q.sum().item() == pytest.approx(1)
    assert divergence(q).item() <= r * (1 + 1e-6)
    assume(v.max() - v.min() > 1e-6)
    assert divergence(q).item() == pytest.approx(r, rel=1e-6)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        p = torch.rand(len(values), generator=generator, dtype=torch.float64).pow(3)
        p = p / p.sum()
        for share in torch.linspace(0, 1, 6, dtype=torch.float64):  # towards the centre, which is in the ball
            point = share * p + (1 - share) / len(values)
            if divergence(point) <= r:
                assert (v * point).sum() <= (v * q).sum() + 1e-9


def test_an_aimed_attack_moves_towards_its_target() -> None:
    images, labels, sample = batch()
    target = torch.eye(3, dtype=torch.float64)[[1, 2, 0]]  # everybody to the next class
    base = Knobs.uniform(CLASSES, Radius.of("linf:0.1"))

    def chance(knobs: Knobs) -> Tensor:
        model = planted()
        attacked = OBJECTIVES["pgd-at"]().attack(model, images, labels, sample, 0, 0, knobs).images
        return model.eval()(attacked).softmax(1)[torch.arange(len(labels)), (labels + 1) % 3]

    aimed, untargeted = chance(replace(base, target=target)), chance(base)
    clean = planted().eval()(images).softmax(1)[torch.arange(len(labels)), (labels + 1) % 3]
    assert (aimed > clean).all()
    assert (aimed >= untargeted - 1e-9).all()
    assert torch.equal(chance(replace(base, target=torch.eye(3).double())), untargeted)


def test_robust_lt_names_the_bases_of_its_paper() -> None:
    over = {m for m in OBJECTIVES if origin(POLICIES["robust-lt"](), OBJECTIVES[m]()) == "paper"}
    assert over == {"pgd-at", "robal-n", "robal-r", "robal-n-100", "robal-r-100", "at-bsl", "taet"}
