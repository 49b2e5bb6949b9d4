"""The class-wise study: every step is accepted, its rules decide as planned, its page comes from tiny runs."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.stats import spearmanr

import weakspot
from weakspot.analysis.coupling import attractiveness
from weakspot.analysis.intervals import Interval
from weakspot.data import limit
from weakspot.models.zoo import is_zoo_name
from weakspot.recipes import catalogue, classwise, classwise_figures, classwise_runs, classwise_verdicts
from weakspot.recipes.classwise_figures import figures, success
from weakspot.recipes.classwise_mutual import mutual, split
from weakspot.recipes.classwise_pairs import alike, directed
from weakspot.recipes.classwise_plans import SMALL, WIDE
from weakspot.recipes.classwise_runs import DATA, Kind, name_of, parts_of, runs
from weakspot.recipes.classwise_tables import spaces
from weakspot.recipes.classwise_ties import Tie, partial, tie
from weakspot.recipes.study import Sets
from weakspot.run import Run

SETS = Sets(dict.fromkeys(("fashion-mnist", "cifar10", "cifar100"), "fashion-mnist-mini"))

SVG_TEXT = "{http://www.w3.org/2000/svg}text"


@pytest.mark.parametrize(
    "plan, scale, models",
    [
        (WIDE, "cpu", {"resnet18-w16", "preact-resnet18-w16", "cnn"}),
        (WIDE, "gpu", {"resnet18", "preact-resnet18", "cnn", "wrn-34-10"}),
        (SMALL, "cpu", {"small-cnn-bn", "cnn", "resnet18-w8"}),
    ],
)
def test_every_step_is_accepted_as_it_will_be_called(plan, scale, models, tmp_path, planned):
    begun, audits = planned
    made = runs(plan, scale)
    assert {run.training["model"] for run in made} == models
    assert all(is_zoo_name(run.training["model"]) for run in made)
    # Of kinds that differ only in the network one is enough, since all get one that is drawn at once.
    by_method = {kind.method: name for name, kind in plan.kinds.items()}
    kinds = {name: Kind("lenet5", method, once=True) for method, name in by_method.items()}
    tried = runs(replace(plan, kinds=kinds), scale)
    for run in tried:
        run.step(SETS).make(tmp_path)
    assert [one.folder.name for one in audits] == [f"{run.name}-audit" for run in tried]
    assert len(begun) == len(tried) == 2 * len(by_method)
    assert {config.method for config in begun} == {run.method for run in made}
    assert {config.select for config in begun} == {"last"}
    assert all({"pairs", "standard"} < {each.name for each in one.threats} for one in audits)


@pytest.mark.parametrize("plan", [WIDE, SMALL])
def test_the_first_seed_of_all_kinds_comes_first(plan):
    made = runs(plan, "cpu")
    names = [run.name for run in made]
    number = {"classwise": 24, "classwise-small": 28}[plan.name]
    assert len(names) == len(set(names)) == number
    assert len({(run.data, run.method, run.training["model"], run.training["seed"]) for run in made}) == number
    kinds = [name for name, kind in plan.kinds.items() if not kind.large]
    first = {name_of(kind, data, plan.seeds[0]) for kind in kinds for data in DATA}
    assert set(names[: len(first)]) == first
    assert len(kinds) >= 6


def test_a_hundred_classes_are_other_images_and_fewer_of_them():
    made = {parts_of(run.name)[0::2]: run for run in runs(WIDE, "gpu") if run.data == "cifar10"}
    for run in runs(WIDE, "gpu-100"):
        other = made.pop(parts_of(run.name)[0::2])
        assert replace(run, name=other.name, data="cifar10", audit={**run.audit, "limit": 10_000}) == other
    assert not made
    assert classwise.STUDY.sets["gpu-100"] == ("cifar100",)


@pytest.mark.parametrize("plan", [WIDE, SMALL])
def test_a_run_s_name_says_what_it_is(plan):
    for run in runs(plan, "cpu"):
        kind, data, seed = parts_of(run.name)
        assert (data, seed, plan.kinds[kind].model) == (run.data, run.training["seed"], run.training["model"])
        assert ("standard" in run.method) == ("-standard-" in run.name)


def drawn(seed, runs_of_kind):
    random = np.random.default_rng(seed)
    return {
        kind: [(random.random(10), random.random(10)) for _ in range(count)] for kind, count in runs_of_kind.items()
    }


def test_a_tie_against_a_plain_loop():
    given = drawn(1, {"a": 2, "b": 1, "c": 1})
    found = tie(given, deals=99)
    random = np.random.default_rng([0, 2])
    deals = [np.arange(10), *random.permuted(np.broadcast_to(np.arange(10), (99, 10)), axis=1)]

    def mean(order):
        z = {kind: [np.arctanh(spearmanr(x, y[order]).statistic) for x, y in both] for kind, both in given.items()}
        return np.mean([np.mean(each) for each in z.values()])

    means = np.array([mean(order) for order in deals])
    lower, upper = (means <= means[0] + 1e-12).mean(), (means >= means[0] - 1e-12).mean()
    assert found.value == pytest.approx(np.tanh(means[0]))
    assert found.p == pytest.approx(min(1, 2 * min(lower, upper)))
    assert found.low < found.value < found.high
    assert (found.kinds, found.runs) == (3, 4)


def test_models_that_only_repeat_each_other_give_no_smaller_p():
    x, y = drawn(2, {"a": 1})["a"][0]
    once, often = (tie({str(kind): [(x, y)] for kind in range(many)}, deals=500).p for many in (1, 6))
    assert once == often
    assert tie({"a": [(x, x)], "b": [(x, np.exp(x))]}, deals=500).p < 0.01


def test_a_tie_is_about_what_is_defined():
    x, y = drawn(3, {"a": 1})["a"][0]
    gap = y.copy()
    gap[4] = np.nan
    assert tie({"a": [(x, y), (x, np.ones(10)), (x, gap)], "b": []}, deals=10).runs == 1
    nothing = tie({"a": [(x, gap)]}, deals=10)
    assert (nothing.kinds, nothing.runs) == (0, 0)
    assert np.isnan(nothing.value)


def test_partial_correlation_against_residuals_of_ranks():
    x, y, given = np.random.default_rng(4).random((3, 12))
    ranks = [np.argsort(np.argsort(each)).astype(float) for each in (x, y, given)]
    rest = [np.polynomial.Polynomial.fit(ranks[2], each, 1) for each in ranks[:2]]
    left = [each - fit(ranks[2]) for each, fit in zip(ranks, rest, strict=False)]
    assert partial(x, y, given) == pytest.approx(np.corrcoef(*left)[0, 1])
    assert np.isnan(partial(x, y, y))


@pytest.mark.parametrize(
    "low, high, p, kinds, says",
    [
        (0.1, 0.9, 0.01, 6, "yes"), (-0.9, -0.1, 0.01, 6, "against"), (-0.1, 0.9, 0.01, 6, "not resolved"),
        (0.1, 0.9, 0.06, 6, "not resolved"), (np.nan, np.nan, 0.01, 1, "one kind only"),
        (np.nan, np.nan, 1.0, 0, "not run"),
    ],
)  # fmt: skip
def test_a_tie_is_seen_only_if_deals_and_kinds_say_so(low, high, p, kinds, says):
    assert classwise_verdicts.verdict(Tie(0.5, low, high, p, kinds, kinds), p, ("yes", "against")) == says


def test_mutual_confusion_alone_ties_attractive_classes_to_weakness():
    random = np.random.default_rng(5)
    affinity = np.exp(random.normal(size=(10, 10)))
    both = np.round(8 * (affinity + affinity.T) * (1 - np.eye(10))).astype(int)
    made = both + np.diag(200 - both.sum(axis=1))
    drawn = split(made, random)
    np.testing.assert_array_equal(drawn + drawn.T, both + both.T)
    assert np.diag(drawn).sum() == 0
    found = mutual({"a": [made], "b": [made, made], "c": []}, draws=50)
    exact = 1 - both.sum(axis=1) / 200
    tied = spearmanr(attractiveness(both.sum(axis=0), both.sum(axis=1)), exact).statistic
    assert -1 <= found.low <= found.high < 0
    assert tied < -0.5
    assert np.isnan(mutual({"a": []}).low)


@pytest.mark.parametrize(
    "value, says",
    [(-0.8, "weak, as mutual confusion alone would give"), (-0.95, "weak, beyond mutual confusion"),
     (-0.4, "weak, less than mutual confusion would give"), (0.6, "weak, beyond mutual confusion")],
)  # fmt: skip
def test_the_primary_verdict_says_what_mutual_confusion_would_give(value, says, monkeypatch):
    monkeypatch.setattr(classwise_verdicts, "mutual", lambda tables: Interval(np.array(-0.9), np.array(-0.7)))
    row, found = classwise_verdicts.beside_mutual({}, "cifar10", Tie(value, -1.0, 1.0, 0.01, 6, 6), {}, "weak")
    assert (row, found) == ({"if confusion were mutual": "-0.90 to -0.70"}, says)
    assert (
        classwise_verdicts.beside_mutual({}, "cifar10", Tie(value, -1.0, 1.0, 0.9, 6, 6), {}, "not run")[1] == "not run"
    )


@pytest.mark.parametrize(
    "low, p, given, says",
    [(0.1, 0.04, "the same", "the same"), (0.1, 0.06, "the same", "the same, by errors of clean images"),
     (-0.1, 0.04, "the same", "the same, by errors of clean images"), (-0.1, 0.9, "opposed", "opposed")],
)  # fmt: skip
def test_attracting_alike_needs_the_errors_that_attacks_add(low, p, given, says):
    assert classwise_verdicts.beside_added(Tie(0.5, low, 0.9, p, 6, 6), {}, given)[1] == says


def planted(low, lowest=(), cat=(0.05, 0.15)):
    """An audit's object with these lower limits, weakest classes and interval of cat's CFPS, and nothing else."""
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    entries = [
        {"name": name, "accuracy": 0.1 if name in lowest else 0.5, "cfps_low": cat[0], "cfps_high": cat[1]}
        for name in names
    ]
    run, threat = Run(Path("nowhere")), "standard@linf:8/255"
    run.__dict__["manifest"] = {"threats": [{"address": "clean"}, {"address": "pairs@linf:8/255"}, {"address": threat}]}
    run.__dict__["summary"] = {"threats": {threat: {"low": low, "classes": entries}}}
    return run


def test_runs_that_answer_one_class_or_are_not_trained_for_it_take_no_part_under_attack():
    lows = {"resnet-trades-cifar10-s1": 0.1, "preact-n-fgsm-cifar10-s1": 0.09, "resnet-standard-cifar10-s1": 0.3}
    found = {name: planted(low) for name, low in lows.items()}
    assert set(classwise_figures.resisting(found)) == {"resnet-trades-cifar10-s1"}


@pytest.mark.parametrize(
    "cats, says", [((0.11, 0.2), "it holds"), ((0.0, 0.09), "it is contradicted"), ((0.09, 0.2), "it is not resolved")]
)
def test_the_sources_classes_need_more_than_half_of_the_runs(cats, says):
    four = ("bird", "cat", "deer", "dog")
    part = {f"{kind}-cifar10-s1": planted(0.2, four, cats) for kind in ("resnet-trades", "cnn-trades")}
    part |= {"cnn-pgd-at-cifar10-s1": planted(0.2), "cnn-pgd-at-fashion-mnist-s1": planted(0.2)}
    page = classwise_verdicts.source_classes(part)
    assert says in page[0]
    assert page[2].startswith("Bird, cat, deer and dog are the four weakest in 2 of 3 runs; it holds")
    assert "1 of 2 runs; it does not hold" in classwise_verdicts.source_classes(dict(list(part.items())[1:]))[2]


def test_alike_compares_kinds_at_the_first_seed_and_seeds_within_a_kind():
    random, part, flat = np.random.default_rng(6), {}, {}
    for name in ("small-trades-cifar10-s3", "cnn-trades-cifar10-s3", "small-trades-cifar10-s4", "cnn-x-cifar10-s4"):
        table = random.random((4, 4))
        flat[name] = [table[i, j] for i in range(4) for j in range(4) if i != j]
        part[name] = Run(Path("nowhere"))
        part[name].__dict__["summary"] = {"pairs": {"success": table.tolist()}}
    kinds, seeds, *others = alike(part, DATA)

    def expected(one, two):
        return f"{spearmanr(flat[one], flat[two]).statistic:.2f}"

    assert kinds["correlation"].startswith(expected("small-trades-cifar10-s3", "cnn-trades-cifar10-s3"))
    assert seeds["correlation"].startswith(expected("small-trades-cifar10-s3", "small-trades-cifar10-s4"))
    assert [(row["data"], row["pairs of runs"]) for row in (kinds, seeds, *others)] == [
        ("cifar10", 1), ("cifar10", 1), ("fashion-mnist", 0), ("fashion-mnist", 0),
    ]  # fmt: skip


def test_of_many_classes_the_most_open_pairs_are_listed_and_of_few_all():
    names = [f"class {c}" for c in range(21)]
    top = [{"source": "class 3", "target": "class 20", "success": 0.5}]
    matrix = [[None if one == two else one / 100 for two in range(3)] for one in range(3)]
    matrix[2][0] = None

    class Many(Run):
        @property
        def classes(self):
            return [{"name": name} for name in names[: 21 if self.folder.name == "many" else 3]]

        summary = {"pairs": {"top": top, "success": matrix}}

    (row,) = directed({"run": Many(Path("many"))})
    assert row == {"run": "run", "source": "class 3", "target": "class 20", "success": "50.0"}
    found = [(row["source"][6:], row["target"][6:], row["success"]) for row in directed({"run": Many(Path("few"))})]
    assert found == [
        ("0", "1", "0.0"), ("0", "2", "0.0"), ("1", "0", "1.0"), ("1", "2", "1.0"), ("2", "0", ""), ("2", "1", "2.0"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "ratio, low, scatter, nearest",
    [(0.5, 0.4, "0.500 [0.400, 0.600]", "cat and dog"), (0.5, None, "-", "-"), (None, None, "-", "-")],
)
def test_feature_space_of_a_model_that_answers_one_class_is_a_dash(ratio, low, scatter, nearest):
    sides = {"cat": "dog", "dog": "cat", "deer": "cat", "frog": None}
    whole = {"ratio": ratio, "low": low, "high": None if low is None else 0.6, "purity": 0.25}
    classes = [{"name": name, "clean": {"nearest": near}} for name, near in sides.items()]
    run = Run(Path("nowhere"))
    run.__dict__["summary"] = {"latent": {"layer": "7", "features": 3, "clean": whole, "classes": classes}}
    (row,) = spaces({"some-run": run})
    assert (row["scatter"], row["each other's nearest"], row["purity"]) == (scatter, nearest, "25.0")


def test_verdicts_of_whole_seeds_count_while_no_other_seed_is_begun():
    planned = runs(WIDE, "cpu")
    second = [run.name for run in planned if run.name.endswith("-s2")]
    assert classwise.standing(planned, second).startswith("Seed 1 is whole and seed 2 not begun")
    assert classwise.standing(planned, second[1:]) == "Preliminary: runs are left."
    assert classwise.standing(planned, [*second, planned[0].name]) == "Preliminary: runs are left."
    assert classwise.standing(planned, [run.name for run in planned]) == "Preliminary: runs are left."


def test_the_page_of_nothing_is_a_page(tmp_path):
    assert "0 of 24 runs" in classwise.pages(WIDE, tmp_path, "cpu")["classwise.md"]
    small = classwise.pages(SMALL, tmp_path, "cpu")["classwise-small.md"]
    assert "`weakspot reproduce classwise-small --scale cpu` as [planned](classwise-small-plan.md)" in small
    assert "in fp32. `small-cnn-bn`, `cnn` and a ResNet-18 of 8 channels" in small


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Tiny runs of two kinds on one data set, and of one on another with other classes."""
    with pytest.MonkeyPatch.context() as patch:
        yield tiny(patch, tmp_path_factory.mktemp("study"))


def read(table, run):
    """The rows of a CSV that are of a run."""
    name = run.folder.name.removesuffix("-audit")
    return [row for row in csv.DictReader(table.read_text().splitlines()) if row["run"] == name]


def tiny(patch, out):
    """What the study leaves; the patches hold as long as its pages are looked at."""
    kinds = {kind: Kind("lenet5", each.method, once=True) for kind, each in WIDE.kinds.items() if not each.large}
    training = {**classwise_runs.COMMON, "epochs": 1, "validation_steps": 1}
    plan = replace(WIDE, kinds=kinds, training={"cpu": dict.fromkeys(DATA, training)}, precision="fp32")
    patch.setattr(classwise, "STUDY", classwise.study(plan, "tiny"))
    patch.setattr(classwise_runs, "STEPS", 1)
    patch.setattr(classwise_runs, "LIMIT", {"cpu": 12})
    patch.setattr(classwise_runs, "PAIRS", "pairs(steps=1)")
    patch.setattr(classwise_runs, "CORRUPTIONS", "contrast@3")
    # Models of one epoch keep nothing under attack.
    patch.setattr(classwise_figures, "LEAST", 0.0)
    wanted = [name_of(kind, "fashion-mnist", 1) for kind in ("resnet-pgd-at", "resnet-standard")]
    mini = limit(weakspot.load_data("fashion-mnist-mini", split="train"), 1500)
    np.savez(out / "other.npz", images=mini.batch(range(len(mini))).numpy(), labels=mini.labels.numpy(),
             classes=[f"class {c}" for c in range(10)])  # fmt: skip
    wanted.append(name_of("resnet-standard", "cifar10", 1))
    sets = {"fashion-mnist": "fashion-mnist-mini", "cifar10": f"npz:{out / 'other.npz'}"}
    found = catalogue.reproduce("classwise", only=wanted, sets=sets, out=out)
    return out, found


def test_the_page_of_what_is_done_names_what_is_not(study):
    out, found = study
    assert (len(found.done), len(found.left)) == (3, 11)
    made = {path.name: path.read_text() for path in found.pages}
    tables = {"classwise.csv", "classwise-pairs.csv", "classwise-corruptions.csv"}
    assert set(made) == {"classwise.md", "classwise.svg"} | tables
    texts = [each.text for each in ElementTree.fromstring(made["classwise.svg"]).iter(SVG_TEXT)]
    run = weakspot.open_run(out / f"{name_of('resnet-pgd-at', 'fashion-mnist', 1)}-audit")
    attacked = {entry["name"]: entry["accuracy"] for entry in run.summary["threats"]["standard@linf:0.1"]["classes"]}
    shown = [text for text in texts if text in attacked]
    assert len(shown) == 10
    # The weakest class is drawn last, which is on top.
    assert [attacked[name] for name in shown] == sorted(attacked.values(), reverse=True)
    page = made["classwise.md"]
    assert "hours in trainings" in page
    placed = re.escape("fashion-mnist+lt=balanced:100 as placed by `--set`, ")
    counted = re.search(placed + r"([\d,]+) in training and ([\d,]+) held out, 12 audited \(SHA-256 ", page)
    assert counted is not None
    whole = len(weakspot.load_data("fashion-mnist-mini+lt=balanced:100", split="train"))
    kept, held = (int(each.replace(",", "")) for each in counted.groups())
    assert kept + held == whole
    assert held == pytest.approx(whole / 10, abs=10)  # rounded down in each class
    assert "3 of 14 runs. Not run: resnet-pgd-at-cifar10-s1, resnet-trades-cifar10-s1" in page
    assert (
        "(standard, or not seen to keep 10 % there): resnet-standard-cifar10-s1, resnet-standard-fashion-mnist-s1."
        in page
    )
    assert "No run of CIFAR-10 takes part." in page
    assert "| fashion-mnist | accuracy corrupted, latent distance | " in page
    assert len(made["classwise.csv"].splitlines()) == 1 + 3 * 10


def test_figures_against_plain_loops_over_rows(study):
    out, _ = study
    run = weakspot.open_run(out / f"{name_of('resnet-pgd-at', 'fashion-mnist', 1)}-audit")
    rows = run.rows
    wrong, into, right, samples = 0, np.zeros(10), np.zeros(10), np.zeros(10)
    for threat, label, prediction in zip(rows.threat, rows.label, rows.prediction, strict=True):
        if threat.startswith("standard@"):
            samples[label] += 1
            right[label] += label == prediction
            wrong += label != prediction
            into[prediction] += label != prediction
    found = figures(run)
    np.testing.assert_allclose(found["attacked"], right / samples)
    np.testing.assert_allclose(found["cfps"], into / wrong)
    reached = {}
    for threat, sample, label, target, prediction in zip(
        rows.threat, rows.sample, rows.label, rows.target, rows.prediction, strict=True
    ):
        if threat.startswith("pairs"):
            reached.setdefault((int(label), int(target)), {})[int(sample)] = prediction == target
    pairs = [(i, j) for i in range(10) for j in range(10) if i != j]
    expected = [np.mean(list(reached[pair].values())) for pair in pairs]
    np.testing.assert_allclose(success(run), expected)
    names = [entry["name"] for entry in run.classes]
    written = read(out / "classwise-pairs.csv", run)
    assert [(row["source"], row["target"]) for row in written] == [(names[i], names[j]) for i, j in pairs]
    np.testing.assert_allclose([float(row["success"]) for row in written], 100 * np.array(expected), atol=0.0501)
    clean = {sample: label == prediction for sample, label, prediction, threat in zip(
        rows.sample, rows.label, rows.prediction, rows.threat, strict=True) if threat == "clean"}  # fmt: skip
    hits = [[] for _ in names]
    for threat, label, prediction in zip(rows.threat, rows.label, rows.prediction, strict=True):
        if threat == "contrast@3":
            hits[label].append(label == prediction)
    spoiled = read(out / "classwise-corruptions.csv", run)
    assert [(row["corruption"], row["class"]) for row in spoiled] == [("contrast", name) for name in names]
    shares = [100 * np.mean(each) for each in hits]
    np.testing.assert_allclose([float(row["accuracy"]) for row in spoiled], shares, atol=0.0501)
    page = (out / "classwise.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith("| contrast | "))
    assert line.split(" | ")[3].startswith(f"{np.mean(shares):.1f} (")
    assert line.split(" | ")[4] == f"{names[int(np.argmin(shares))]} 1 |"
    added = np.zeros(10)
    for threat, sample, label, prediction in zip(rows.threat, rows.sample, rows.label, rows.prediction, strict=True):
        added[prediction] += threat.startswith("standard@") and clean[sample] and label != prediction
    np.testing.assert_allclose(found["cfps added"], added / added.sum())
    kept = {pair: [hit for sample, hit in hits.items() if clean[sample]] for pair, hits in reached.items()}
    hubs = [[np.mean(kept[i, j]) for i in range(10) if i != j and kept[i, j]] for j in range(10)]
    np.testing.assert_allclose(found["hub added"], [np.mean(each) if each else np.nan for each in hubs])
