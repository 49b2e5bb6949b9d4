"""A comparison as texts: gates, the figures of all classes together, and the classes, most changed first."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from weakspot.report.comparison_schema import (
    Change,
    ClassChange,
    Compared,
    ComparisonSummary,
    Condition,
    FakeShare,
    GateResult,
)
from weakspot.report.schema_pairs import Correlation
from weakspot.report.tables import Grid
from weakspot.report.terminal import MANY, SHOWN, fitted
from weakspot.report.words import NONE, amount, chances, percent, points, printable, rank

ALPHA = 0.05
COVERED = (
    "Differences are in percentage points, last minus first, with 95 % intervals over images (and over training seeds, "
    "where a side has several runs). p: exact McNemar for one run each, else Student's t; adjusted for the number of "
    "classes (Holm). detectable: the true change of a class found with 80 % power; - where even the largest possible "
    "one would be missed. For all images, the mean of classes and the worst class it is not listed: it is about "
    "1.4 times half their interval. Intervals do not cover a missed attack."
)


def moved(change: Change) -> str:
    """A difference with its interval, in points: +3.1 [-0.4, +6.6]."""
    limits = "" if change["low"] is None else f" [{points(change['low'])}, {points(change['high'])}]"
    return f"{points(change['difference'])}{limits}"


def verdict(change: ClassChange) -> str:
    """Better or worse, where the adjusted test says that the class changed."""
    if change["p_holm"] is None or change["p_holm"] >= ALPHA or change["difference"] is None:
        return ""
    return "better" if change["difference"] > 0 else "worse"


def ordered(found: Condition) -> list[ClassChange]:
    """The classes, those that lost most first; classes without samples last."""
    return sorted(found["classes"], key=lambda one: (one["difference"] is None, one["difference"] or 0.0, one["name"]))


def class_grid(found: Condition, title: str) -> Grid:
    """A line per class."""
    rows = ordered(found)
    paired = any(one["lost"] is not None for one in rows)
    made = {
        "class": [printable(one["name"]) for one in rows],
        "n": [f"{one['samples']:,}" for one in rows],
        "difference": [moved(one) for one in rows],
        "": [verdict(one) for one in rows],
        "p (Holm)": [chances(one["p_holm"]) for one in rows],
        "first": [percent(one["first"]) for one in rows],
        "last": [percent(one["last"]) for one in rows],
        **({"lost, gained": [_counts(one) for one in rows]} if paired else {}),
        "detectable": [percent(one["detectable"]) for one in rows],
        "p": [chances(one["p"]) for one in rows],
    }
    return Grid(title, made, ("class", ""))


def _counts(one: ClassChange) -> str:
    return NONE if one["lost"] is None or one["gained"] is None else f"{one['lost']:,}, {one['gained']:,}"


def whole_grid(compared: Compared) -> Grid:
    """The figures of all classes together, under each condition."""
    lines: list[list[str]] = []
    for scope, found in compared["conditions"].items():
        for name, change in (("all images", found["overall"]), ("mean of classes", found["balanced"])):
            lines.append([scope, name, *_ends(change), moved(change), ""])
        worst = found["worst_class"]
        names = [printable(name) if name is not None else NONE for name in (worst["first_class"], worst["last_class"])]
        lines.append([scope, "worst class", *_ends(worst), moved(worst), " to ".join(dict.fromkeys(names))])
    headings = ("condition", "figure", "first", "last", "difference", "which")
    made = {heading: [line[at] for line in lines] for at, heading in enumerate(headings)}
    return Grid(
        f"{printable(compared['first'])} to {printable(compared['last'])}", made, ("condition", "figure", "which")
    )


FAKE = (
    "What one attack shows and all attacks together do not confirm: that attack flatters the later run, since the "
    'method misleads it ("fake gain") or since more images than before are right and within reach of the others. Means '
    "over classes, in points, with 95 % intervals; classes are those whose own interval is above 0, one in forty by "
    "chance."
)


def fake_grid(compared: Compared) -> Grid:
    """A line for each attack: the gain that it shows alone, what all confirm, and the rest; no columns without any."""
    found = compared["fake_gains"]
    if not found:
        return Grid("", {}, ())
    made = {
        "under": [each["threat"] for each in found],
        "not confirmed": [spread(each) for each in found],
        "": ["overstated" if each["seen"] else "" for each in found],
        "gain": [points(each["gain"]) for each in found],
        "under all": [points(each["confirmed"]) for each in found],
    }
    return Grid("Gains under one attack, and under all", made, ("under", ""))


def about_fakes(compared: Compared) -> list[str]:
    """What the table is, and the classes that it is about; empty without a table."""
    if not compared["fake_gains"]:
        return []
    found = [FAKE]
    for each in compared["fake_gains"]:
        seen = sorted((one for one in each["classes"] if one["seen"]), key=lambda one: -(one["value"] or 0.0))
        if seen:
            more = f" and {len(seen) - SHOWN} more" if len(seen) > SHOWN else ""
            named = ", ".join(f"{printable(one['name'])} {spread(one)}" for one in seen[:SHOWN])
            found.append(f"Not confirmed under {each['threat']}, class by class: {named}{more}.")
    return found


def spread(share: FakeShare) -> str:
    """A share with its interval, in points."""
    limits = "" if share["low"] is None else f" [{points(share['low'])}, {points(share['high'])}]"
    return f"{points(share['value'])}{limits}"


def _ends(change: Change) -> tuple[str, str]:
    return percent(change["first"]), percent(change["last"])


def remarks(compared: Compared) -> list[str]:
    """What belongs beside a comparison: bias of the worst class, rho, remarks."""
    found = []
    for scope, each in compared["conditions"].items():
        found.append(
            f"{scope}: worst class with both minima freed from their bias {points(each['worst_class']['corrected'])} "
            f"points; rho {rank(each['rho'])}; {_changed(each)}."
        )
        if each["rho_uncertain"] and each["rho"] is not None:
            found.append(
                f"{scope}: rho divides by the worst class's accuracy before, {percent(each['worst_class']['first'])} "
                "%, whose interval is wider than itself: read the difference in points instead."
            )
    if (alike := compared["alignment"]) is not None:
        found.append(
            f"Features of {alike['images']:,} clean images: linear CKA {amount(alike['cka'])}, without its bias "
            f"{amount(alike['unbiased'])} [{amount(alike['low'])}, {amount(alike['high'])}]."
        )
    return found + [printable(f"They differ in {line}.") for line in compared["remarks"]]


def models_grid(summary: ComparisonSummary) -> Grid:
    """CFPS with accuracy: a line for each model, and one for all of them; no columns below three models."""
    found = summary["over_models"]
    if not found:
        return Grid("", {}, ())
    models, together = next(iter(found.values()))["models"], f"mean of {_models(summary)} models"
    made = {"model": [*(printable(name) for name in models), together]}
    for scope, each in found.items():
        made[scope] = [*(rank(value) for value in each["values"]), _mean(each["together"])]
    return Grid("Rank correlation of CFPS with class accuracy, over the models", made, ("model",))


def _mean(found: Correlation) -> str:
    return rank(found["value"]) + ("" if found["low"] is None else f" [{rank(found['low'])}, {rank(found['high'])}]")


def _models(summary: ComparisonSummary) -> int:
    return len(next(iter(summary["over_models"].values()))["models"])


def about_models(summary: ComparisonSummary) -> str:
    """What the intervals over models are; empty below three models."""
    if not summary["over_models"]:
        return ""
    counts = sorted({each["together"]["count"] for each in summary["over_models"].values()})
    defined = " or ".join(str(count) for count in counts)
    return (
        f"Each line is over the classes of one model; the mean (on Fisher's z) has a 95 % t interval that takes the "
        f"models as the sample, not classes or images: {defined} of {_models(summary)} models with a value. CFPS and "
        "accuracy are tied where no class attracts; each run's own report has that null."
    )


def _changed(found: Condition) -> str:
    said = [verdict(one) for one in found["classes"]]
    return f"of the classes {said.count('better')} better, {said.count('worse')} worse, {said.count('')} not resolved"


def warnings(summary: ComparisonSummary) -> list[str]:
    """The failed checks of the runs."""
    return [
        printable(f"{run['folder']} failed its check {check}")
        for side in summary["sides"]
        for run in side["runs"]
        for check in run["failed_checks"]
    ]


def evidence(result: GateResult) -> str:
    """What a gate rests on, in its own unit: value [95 % interval], and both one-sided limits."""
    measure = result["measure"]
    form = "{:+.4f}" if result["against"] is not None else "{:.4f}"
    value, low, high, lower, upper = (
        NONE if each is None else form.format(each)
        for each in (measure["value"], measure["low"], measure["high"], measure["lower"], measure["upper"])
    )
    return f"{value} [{low}, {high}], low {lower}, high {upper}"


def gate_grid(results: Sequence[GateResult]) -> Grid:
    """A line per gate."""
    made = {
        "gate": ["PASS" if result["passed"] else "FAIL" for result in results],
        "clause": [printable(result["clause"]) for result in results],
        "evidence": [evidence(result) for result in results],
        "of": [_about(result) for result in results],
    }
    return Grid("Gates", made, ("gate", "clause", "evidence", "of"))


def _about(result: GateResult) -> str:
    run = printable(result["run"])
    return run if result["against"] is None else f"{printable(result['against'])} to {run}"


def failed(summary: ComparisonSummary) -> list[str]:
    """The gates that failed, each with its evidence, as one line."""
    return [
        printable(f"gate failed: {result['clause']} ({_about(result)}): {evidence(result)}")
        for result in summary["gates"]
        if not result["passed"]
    ]


def comparison_terminal(summary: ComparisonSummary, width: int = 80) -> RenderableType:
    """Gates, then for each comparison the figures of all classes, and the classes under its first condition.

    Columns that do not fit into `width` are left out from the right.
    """
    parts: list[RenderableType] = []
    for passed, clause, shown, about in gate_grid(summary["gates"]).lines:
        style = "green" if passed == "PASS" else "bold red"
        parts += [Text(f"{passed} {clause}", style=style), Text(f"     {about}: {shown}")]
    parts += [Text()] if summary["gates"] else []
    for compared in summary["comparisons"]:
        grid = whole_grid(compared)
        parts += [Text(f"{grid.title}:"), fitted(grid.columns, {}, width, wanted=5, left=grid.left), Text()]
        scope, found = next(iter(compared["conditions"].items()))
        parts += [*_classes(class_grid(found, scope), found, width), Text()]
        parts += [Text(line) for line in remarks(compared)]
        grid = fake_grid(compared)
        if grid.columns:
            parts += [Text(), Text(f"{grid.title}:"), fitted(grid.columns, {}, width, wanted=5, left=grid.left)]
            parts += [*(Text(line, style="dim") for line in about_fakes(compared)), Text()]
    if summary["over_models"]:
        grid = models_grid(summary)
        parts += [Text(), Text(f"{grid.title}:"), fitted(grid.columns, {}, width, wanted=2, left=grid.left)]
        parts += [Text(about_models(summary), style="dim"), Text()]
    parts += [Text(f"FAIL {line}", style="bold red") for line in warnings(summary)]
    if summary["comparisons"]:
        parts.append(Text(COVERED, style="dim"))
    return Group(*parts)


def _classes(grid: Grid, found: Condition, width: int) -> list[RenderableType]:
    """The table of classes; of many classes those that lost and those that gained most."""
    total = len(found["classes"])
    kept = range(total) if total <= MANY else [*range(SHOWN // 2), *range(total - SHOWN // 2, total)]
    made = {heading: [values[at] for at in kept] for heading, values in grid.columns.items()}
    table = fitted(made, {}, width, wanted=3, left=grid.left)
    for at, line in enumerate(table.rows):
        line.style = {"better": "green", "worse": "bold red"}.get(made[""][at])
    more = [Text(f"... and {total - len(kept):,} classes between.")] if len(kept) < total else []
    return [Text(f"{grid.title}, class by class:"), table, *more]
