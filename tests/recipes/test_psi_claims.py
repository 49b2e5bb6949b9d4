"""The study of psi: figures against plain loops, and verdicts on made-up models whose right verdict is known."""

import json
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kendalltau
from scipy.stats import t as student

from weakspot.recipes import psi, psi_rankings, psi_turned, psi_verdicts
from weakspot.recipes import psi_tables as tables
from weakspot.recipes.psi_claims import (
    FEWEST,
    Measured,
    agreement,
    counted_pairs,
    order,
    separated,
    speaks,
    wrong,
)
from weakspot.recipes.psi_measure import GRADIENTS, LADDER, OTHER_STEP, RESTARTS, STEPS
from weakspot.recipes.psi_rankings import (
    BUDGETS,
    REPEATS,
    agreed,
    at_equal_cost,
    cheapest,
    costs,
    crosses,
    errors_of_data,
    errors_of_few,
    few,
    images_of,
    ranked,
    turned_by_one_setting,
    turned_by_settings,
)
from weakspot.recipes.psi_resampling import centred, graded, limits, meaned, psi_of, resamples, side, tau, told_apart
from weakspot.recipes.psi_runs import N_FGSM, NATURAL, SEEDS, TRAININGS, Model, models
from weakspot.recipes.psi_surfaces import DIRECTIONS
from weakspot.recipes.psi_verdicts import (
    ENDPOINTS,
    UNDEFINED,
    Judged,
    judge,
    judge_all,
    made_of,
    over_seeds,
    verdict,
    verdict_rows,
)

LABEL = np.repeat(np.arange(10), 20)
STRENGTH = dict(zip(TRAININGS, (0.1, 0.3, 0.5, 0.65, 0.8), strict=True))
"""Of each training: the share of images that withstand."""


def planted(training, seed, size, *, honest=True, psi_moves=0.0, pgd_moves=0.0):
    """A model whose psi goes with its accuracy, or against it, and whose figures move so far over the settings."""
    random = np.random.default_rng([seed, size])
    strength = STRENGTH[training] + 0.02 * size + 0.005 * seed
    drawn = random.permutation(len(LABEL)) / len(LABEL)
    fooled = drawn >= strength
    divergence = np.exp(-4 * strength if honest else 4 * strength) * (0.5 + random.random(len(LABEL)))
    psi = {
        "label": LABEL, "clean": drawn < 0.85, "attacked": ~fooled, "withstood": ~fooled, "raw": divergence,
        "A": divergence, "B": divergence, "tenfold_raw": np.array(50.0), "tenfold_A": np.array(1.0),
        "tenfold_B": np.array(1.0), "cpu_s": np.array(3.0), "wall_s": np.array(5.0),
        "classes": np.array([str(c) for c in range(10)]),
    }  # fmt: skip
    grid = {"label": LABEL, "cpu_s": np.array(1.0), "wall_s": np.array(2.0)}
    keys = [("own", step, many, starts) for step in STEPS for many in GRADIENTS for starts in RESTARTS]
    keys += [("other", OTHER_STEP, many, 1) for many in GRADIENTS]
    for at, (loss, step, many, starts) in enumerate(keys):
        weak = (len(keys) - 1 - at) / (len(keys) - 1)
        grid[f"psi/{loss}/{step}/{many}/{starts}"] = divergence * np.exp(-psi_moves * weak)
        grid[f"pgd/{loss}/{step}/{many}/{starts}"] = drawn >= strength + pgd_moves * weak
    for step in STEPS:
        grid[f"pgd/own/{step}/{LADDER[-1]}/1"] = fooled
    for many in LADDER:
        grid[f"psi/ladder/1.5/{many}/1"] = divergence
        grid[f"passes_{many}"] = np.array(2 * many + 5)
    return Measured(psi, grid)


def study(**options):
    """All planned models."""
    planned = models("cpu")
    sizes = list(dict.fromkeys(model.size for model in planned))
    return {model: planted(model.training, model.seed, sizes.index(model.size), **options) for model in planned}


def of_seed(found, seed=SEEDS[0]):
    return {model: each for model, each in found.items() if model.seed == seed}


def named(title):
    """The endpoint whose name begins so."""
    return next(one for one in ENDPOINTS if f"{one.claim} {one.says}".startswith(title))


def says(found, title):
    """The verdict of an endpoint, without a correction."""
    made = judge(named(title), found, models("cpu"))
    return verdict(named(title), made, made.p)


def test_resamples_keep_class_sizes_and_begin_with_the_data():
    weights = resamples(LABEL, draws=50)
    np.testing.assert_allclose(weights[0], 1 / len(LABEL))
    for c in range(10):
        np.testing.assert_allclose(weights[:, c == LABEL].sum(1), 0.1)
    values = np.random.default_rng(0).random((3, len(LABEL)))
    np.testing.assert_allclose(meaned(weights, values)[0], values.mean(-1))
    np.testing.assert_allclose(psi_of(weights, values)[7], [1 / (row @ weights[7]) for row in values])


def test_tau_against_scipy():
    random = np.random.default_rng(1)
    first, second = random.integers(0, 5, (2, 20, 8)).astype(float)
    expected = [kendalltau(one, two).statistic for one, two in zip(first, second, strict=True)]
    np.testing.assert_allclose(tau(first, second), expected)
    assert tau(np.ones(5), first[0, :5]) == 0


def test_models_with_as_many_right_images_are_a_tie_in_every_resample():
    random = np.random.default_rng(4)
    counts = np.rint(resamples(LABEL) * len(LABEL)).astype(int)
    one, two = (random.permutation(len(LABEL)) < 100 for _ in range(2))
    means = meaned(resamples(LABEL), np.stack([one, two]))
    gaps = means[:, 0] - means[:, 1]
    whole = counts @ one.astype(int) - counts @ two.astype(int)
    assert (gaps[whole == 0] != 0).any()  # what summing leaves
    np.testing.assert_array_equal(side(gaps), np.sign(whole))
    np.testing.assert_array_equal(wrong(gaps, np.ones(len(gaps)))[whole == 0], 0.5)


def test_limits_around_the_value_against_the_formula():
    drawn = np.random.default_rng(5).normal(0.3, 0.1, 2001)
    drawn[0] = 0.2
    value, low, high = centred(drawn)
    off = student.ppf(0.975, np.inf) * np.std(drawn[1:])
    assert (value, low, high) == pytest.approx((0.2, 0.2 - off, 0.2 + off))
    assert limits(drawn)[1] > low  # the percentiles lie to the right of it
    assert centred(drawn, 0.1, 0.3) == (0.2, 0.1, 0.3)


def test_told_apart_against_a_plain_loop():
    drawn = np.random.default_rng(2).normal([0, 0.5, 4, -4], 1, (400, 4))
    expected = []
    for i, j in combinations(range(4), 2):
        _, low, high = limits(drawn[:, i] - drawn[:, j])
        expected.append(1 if low > 0 else -1 if high < 0 else 0)
    assert told_apart(drawn).tolist() == expected
    assert {-1, 0, 1} == set(expected)


def test_agreement_against_a_plain_loop():
    part = of_seed(study())
    some = [model for model in part if model.training != NATURAL]
    weights = resamples(LABEL)
    accuracy = meaned(weights, np.stack([part[model].psi["withstood"] for model in some]))
    for across in (True, False):
        right = []
        for i, j in combinations(range(len(some)), 2):
            _, low, high = limits(accuracy[:, i] - accuracy[:, j])
            if (some[i].size != some[j].size) == across and (low > 0 or high < 0):
                one, two = (1 / part[some[at]].psi["B"].mean() for at in (i, j))
                right.append((one > two) == (low > 0))
        assert agreement(part, across=across)[0] == np.mean(right)
    few = {model: each for model, each in part.items() if model.training in (NATURAL, N_FGSM)}
    assert agreement(few) is None


def test_order_and_separation_against_plain_numbers():
    part = of_seed(study())

    def psi(training):
        return {model.size: 1 / each.psi["B"].mean() for model, each in part.items() if model.training == training}

    one, two = psi(NATURAL), psi(N_FGSM)
    assert order(part, NATURAL, N_FGSM)[0] == pytest.approx(np.mean([np.log(two[size] / one[size]) for size in one]))
    lowest = min(min(psi(each).values()) for each in ("n-fgsm", "pgd-at", "trades"))
    assert separated(part)[0] == pytest.approx(np.log(lowest / max(one.values())))
    gone = {model: each for model, each in part.items() if not (model.size == "cnn" and model.training == N_FGSM)}
    assert order(gone, NATURAL, N_FGSM)[0] == pytest.approx(
        np.mean([np.log(two[size] / one[size]) for size in one if size != "cnn"])
    )


def test_settings_that_cannot_cross_the_ball_are_left_out():
    assert not crosses("pgd/own/0.1/8/2")
    assert crosses("pgd/own/0.1/16/1")
    assert crosses("psi/other/0.25/4/1")
    grid = graded([planted(NATURAL, 3, 0).grid], GRADIENTS, LADDER, STEPS)["psi"]
    assert (len(grid.names), sum(crosses(name) for name in grid.names)) == (28, 19)


def test_orders_turned_round_against_plain_loops():
    found = study(psi_moves=0.8, pgd_moves=0.3)
    part = {model: each for model, each in of_seed(found).items() if model.size != "cnn"}
    held = ranked(part)
    grids = [each.grid for each in part.values()]
    for figure in ("psi", "pgd"):
        able = [name for name in grids[0] if name.startswith(f"{figure}/") and "ladder" not in name]
        able = [name for name in able if int(name.split("/")[3]) in GRADIENTS and crosses(name)]
        two, one = [], []
        for at, (i, j) in enumerate(combinations(range(len(grids)), 2)):
            for k in able if held.signs[0, at] else ():
                for other in able:
                    gap = grids[i][k].mean() - grids[j][other].mean()
                    bad = 0.5 if gap == 0 else float(np.sign(gap) != held.signs[0, at])
                    (one if k == other else two).append(bad)
        assert turned_by_settings(held, figure)[0] == pytest.approx(np.mean(two))
        assert turned_by_one_setting(held, figure)[0] == pytest.approx(np.mean(one))
        assert 0 < np.mean(two) < 0.5


def test_pairs_on_which_the_references_disagree_do_not_count():
    assert np.abs(ranked(of_seed(study())).signs[0]).sum() == 15 * 14 / 2
    assert ranked(of_seed(study(honest=False))) is None


def test_errors_of_few_images_are_those_of_drawing_them():
    found = ranked(of_seed(study()), natural=False)
    made = errors_of_few(found, "pgd")[0]
    random = np.random.default_rng(5)
    pairs = [(i, j) for i, j in combinations(range(12), 2)]
    for size, row in zip(BUDGETS, made, strict=True):
        bad = []
        for _ in range(300):
            picks = random.integers(0, len(LABEL), size)
            means = found.grids["pgd"].rungs[-1][:, picks].mean(1)
            gaps = np.array([means[i] - means[j] for i, j in pairs])
            bad.append(wrong(gaps, found.signs[0])[found.signs[0] != 0].mean())
        assert row[-1] == pytest.approx(np.mean(bad), abs=4 * np.std(bad) * np.sqrt(1 / 300 + 1 / 200))
    assert (np.diff(made[:, -1]) < 0).all()
    np.testing.assert_array_equal(made, errors_of_data(found, "pgd"))


def test_errors_of_few_images_of_a_resample_against_a_plain_loop():
    found = ranked(of_seed(study()), natural=False)
    at, size = 7, BUDGETS[0]
    counts = np.rint(found.weights[at] * len(LABEL)).astype(int)
    pool = [image for image, often in enumerate(counts) for _ in range(often)]
    assert images_of(found.weights[1:])[at - 1].tolist() == pool
    random, bad = np.random.default_rng(6), []
    left, right = np.triu_indices(12, 1)
    for _ in range(400):
        means = found.grids["psi"].rungs[0][:, random.choice(pool, size)].mean(1)
        bad.append(wrong(means[left] - means[right], found.signs[at])[found.signs[at] != 0].mean())
    made = errors_of_few(found, "psi")[at, 0, 0]
    assert made == pytest.approx(np.mean(bad), abs=4 * np.std(bad) * np.sqrt(1 / 400 + 1 / REPEATS))


def test_few_images_are_drawn_from_each_resample_as_often_as_it_holds_them():
    weights = resamples(LABEL, draws=3)[1:]
    random, held = np.random.default_rng(0), images_of(weights)
    drawn = np.stack([few(random, held, 25) for _ in range(2000)])
    np.testing.assert_allclose(drawn.sum(-1), 1)
    np.testing.assert_allclose(drawn * 25, np.rint(drawn * 25), atol=1e-9)
    assert (drawn[:, weights == 0] == 0).all()
    error = np.sqrt(weights * (1 - weights) / 25 / 2000)
    assert (np.abs(drawn.mean(0) - weights) <= 5 * error).all()


def test_both_figures_are_compared_at_the_same_passes(monkeypatch):
    monkeypatch.setattr(psi_rankings, "REPEATS", 2)
    found = ranked(of_seed(study()))
    assert costs(found).tolist() == [10, 18, 34, 66]
    psi, pgd = at_equal_cost(found)
    own = errors_of_few(found, "psi")
    assert psi.shape == pgd.shape == (1001, 3, 4)
    share = np.log(18 / 13) / np.log(21 / 13)
    np.testing.assert_allclose(psi[5, 1, 1], (1 - share) * own[5, 1, 1] + share * own[5, 1, 2])
    np.testing.assert_allclose(pgd, errors_of_few(found, "pgd")[..., 1:])
    drawn = np.full((3, 5), 0.2)
    assert cheapest(found, "psi", drawn) is None
    drawn[1, 2] = drawn[2, 0] = 0.1
    assert cheapest(found, "psi", drawn) == min(50 * 21, 100 * 9)


def test_an_endpoint_over_seeds_against_the_formula():
    drawn = np.random.default_rng(3).normal(1, 0.2, (501, 3))
    found = over_seeds(drawn, 0.5)
    images, seeds = drawn[1:].mean(1).var(), np.var(drawn[0], ddof=1) / 3
    freedom = (images + seeds) ** 2 / (seeds**2 / 2)
    error = np.sqrt(images + seeds)
    assert (found.low, found.high) == pytest.approx(student.interval(0.95, freedom, drawn[0].mean(), error))
    assert found.p == pytest.approx(2 * student.sf(abs(drawn[0].mean() - 0.5) / error, freedom))
    assert found.each[1] == limits(drawn[:, 1])
    turned = over_seeds(drawn, 0.5, centred)
    assert turned.each[1] == centred(drawn[:, 1])
    assert (turned.low, turned.high, turned.p) == (found.low, found.high, found.p)
    still = np.ones((11, 3))
    assert (over_seeds(still).p, over_seeds(still, 1.0).p) == (0, 1)
    assert over_seeds(np.full((11, 3), np.nan)) == UNDEFINED


def test_verdicts_on_models_whose_psi_goes_with_accuracy():
    found = study(pgd_moves=0.6)
    assert {says(found, title) for title in ("order", "1a", "1b", "2 the same")} == {"holds"}
    turned = study(honest=False)
    assert says(turned, "order natural < N-FGSM") == "contradicted"
    assert says(turned, "1b") == "contradicted"
    assert says(turned, "2 the same") == "undecided"  # no pair on which the references agree
    assert says(study(psi_moves=3.0), "2 the same") == "contradicted"


def test_holm_is_of_the_endpoints_of_a_claim(monkeypatch):
    few = [named("order natural < N"), named("order N-FGSM"), named("1b")]
    monkeypatch.setattr(psi_verdicts, "ENDPOINTS", few)
    p = dict(zip(few, (0.02, 0.04, 0.03), strict=True))
    monkeypatch.setattr(psi_verdicts, "judge", lambda one, found, planned: Judged(1.0, 0.9, 1.1, p[one]))
    assert [each for *_, each in judge_all({}, ())] == pytest.approx([0.04, 0.04, 0.03])
    monkeypatch.setattr(psi_verdicts, "made_of", lambda *_: "-")
    (first, *_, last) = verdict_rows({}, ())
    assert (first["verdict"], first["seeds yes / no / open"], last["mean"]) == ("holds", "-", "1 [0.9, 1]")


@pytest.mark.parametrize(
    "low, high, p, says", [
        (0.8, 0.9, 0.01, "holds"), (0.5, 0.7, 0.01, "contradicted"), (0.7, 0.9, 0.01, "undecided"),
        (0.8, 0.9, 0.05, "undecided"),
    ],
)  # fmt: skip
def test_a_verdict_needs_p_and_interval(low, high, p, says):
    found = Judged((low + high) / 2, low, high, p, ((0.8, 0.76, 0.9), (0.7, 0.6, 0.74), (0.75, 0.7, 0.8)))
    assert verdict(named("1b"), found, p) == says
    assert psi_verdicts.counted(named("1b"), found) == "1 / 1 / 1"


def test_what_is_missing_is_undecided_and_what_is_silent_takes_no_part():
    found, planned = study(), models("cpu")
    lost = Model("cnn", N_FGSM, SEEDS[1])
    without = {model: each for model, each in found.items() if model != lost}
    assert judge(named("1b"), without, planned) == UNDEFINED
    assert says(without, "1b") == "undecided"
    assert says(without, "order natural < gradient") == "holds"
    constant = {"clean": LABEL == 0, "B": np.full(len(LABEL), 1e-9), "withstood": LABEL == 0}
    silent = found | {lost: Measured({**found[lost].psi, **constant}, found[lost].grid)}
    assert not speaks(silent[lost])
    assert all(speaks(each) for each in found.values())
    assert judge(named("1b"), silent, planned).each[0] == judge(named("1b"), found, planned).each[0]
    assert says(silent, "1b") == "holds"
    assert says(silent, "order natural < N-FGSM") == "holds"
    one = named("order natural < N-FGSM")
    assert made_of(one, silent, planned) == "networks 3, 2, 3"
    assert made_of(one, without, planned) == "networks 3, -, 3"
    assert made_of(named("1a"), silent, planned) == "models 12, 11, 12"


def test_the_pairs_of_an_endpoint_are_those_it_is_drawn_from():
    found, planned = study(), models("cpu")
    part = {model: each for model, each in of_seed(found).items() if model.training != NATURAL}
    each = made_of(named("1b"), found, planned).removeprefix("pairs ").split(", ")
    assert each[0] == str(np.abs(counted_pairs(part)[1]).sum())
    assert made_of(named("2 the same"), found, planned) == "pairs 66, 66, 66"
    assert agreed(of_seed(study(honest=False))) < FEWEST


def test_tables_of_made_up_models():
    found = {model: each for model, each in study().items() if model.seed == SEEDS[0]}
    assert len(list(tables.orders(found))) == 5 * 3
    assert [row["form"] for row in tables.forms(found)] == ["raw"] * 4 + ["A"] * 4 + ["B"] * 4
    assert [row["pairs"] for row in psi_turned.settings(found)] == [105, 105, 66, 66]
    costs_of = [
        [row[key].replace(",", "").split()[0] for key in ("10 % wrong from", "with form B's images")]
        for row in psi_turned.budgets(found)
    ]
    assert [int(more) - int(least) for least, more in costs_of] == [1000, 0, 1000, 0]
    (told,) = tables.telling(found)
    assert (told["seed"], told["pairs"]) == (SEEDS[0], 105)
    assert 0 < told["counted in claim 1b"] <= 12 * 11 / 2 - 3 * 6
    rows = list(tables.entries(found, [str(c) for c in range(10)]))
    assert len(rows) == 15 * 3 * 11
    assert rows[0]["class"] == "all"
    shapes = {next(iter(found)): {"cpu_s": np.array(10.0), "wall_s": np.array(20.0)}}
    first, second, *_ = tables.models(found, dict.fromkeys(found, 2.0), shapes)
    assert first["training s"] == "2"
    assert [(row["measuring, processor s"], row["measuring, s passed"]) for row in (first, second)] == [
        ("14", "27"), ("4", "7"),
    ]  # fmt: skip


def test_silent_models_are_in_no_range_of_the_page(monkeypatch, tmp_path):
    speaking, silent = (Model("cnn", training, SEEDS[0]) for training in ("trades", NATURAL))
    tables_of = {model.name: planted(model.training, SEEDS[0], 1) for model in (speaking, silent)}
    constant = {"clean": LABEL == 0, "tenfold_raw": np.array(np.nan), "B": np.full(len(LABEL), 1e-9)}
    tables_of[silent.name] = Measured(tables_of[silent.name].psi | constant, tables_of[silent.name].grid)
    ways = {f"{name}/{what}": np.array([[3.0, 2.0, -1.0]]) for name in DIRECTIONS for what in ("margin", "loss")}
    ways |= {"cpu_s": np.array(1.0), "wall_s": np.array(1.0)}
    lost = {key: value * np.nan for key, value in ways.items() if "/" in key} | {
        "cpu_s": np.array(1.0), "wall_s": np.array(1.0),
    }  # fmt: skip
    monkeypatch.setattr(psi, "measured", lambda folder: tables_of.get(folder.name))
    monkeypatch.setattr(psi, "planes", lambda folder: {speaking.name: ways, silent.name: lost}.get(folder.name))
    for model in (speaking, silent):
        (tmp_path / model.name).mkdir()
        world = {"device": "abacus", "torch": "0", "threads": 1}
        (tmp_path / model.name / "environment.json").write_text(json.dumps(world))
    page = psi.pages(tmp_path, "cpu")["psi.md"]
    assert f"Silent, without part in any verdict, range or surface: {silent.name}." in page
    assert "in measuring, each in one process (abacus, torch 0, 1 thread(s))." in page
    assert "| raw | 50 to 50 |" in page
    assert page.count(f"| {speaking.name} |") == len(DIRECTIONS) + 1
    assert page.count(f"| {silent.name} |") == 1  # among the models
