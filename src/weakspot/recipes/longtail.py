"""The fourth source's study: RoBal and what else is made for long tails, by docs/studies/longtail-plan.md.

Source: Wu et al., Adversarial Robustness under Long-Tailed Distribution, arXiv:2104.02703.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from weakspot.recipes import longtail_classes as single
from weakspot.recipes import longtail_gains as gained
from weakspot.recipes import longtail_rules as rules
from weakspot.recipes import longtail_verdicts as verdicts
from weakspot.recipes import sweeps
from weakspot.recipes.longtail_picture import picture
from weakspot.recipes.longtail_runs import AUDIT, DATA, FIRST, RATIO, TRAINING, policy_base, runs
from weakspot.recipes.longtail_tables import classes, groups, models
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained, cost, finished, images
from weakspot.recipes.tables import markdown, options, to_csv
from weakspot.run import Run


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each training, fine-tuning and adjustment, in the order of the plan, and its sweep behind it."""
    wanted, radius = gained.sweeps_wanted(), str(AUDIT[scale]["radius"])
    made: list[Step] = []
    for run in runs(scale):
        made.append(run.step(sets))
        if run.name in wanted:
            made.append(sweeps.step(run.name, DATA[scale], radius, sets))
    return tuple(made)


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, and classes and groups as CSV, of the runs that are there; the others are named."""
    planned = runs(scale)
    found, left = finished(planned, out)
    swept = sweeps.read_sweeps(out, list(found))
    judged = gained.judge(found, swept)
    lines = [
        "# The long tail", "",
        f"Made by `weakspot reproduce longtail --scale {scale}` as [planned](longtail-plan.md): {DATA[scale]}; "
        f"{options(TRAINING[scale])}; audited on the first {AUDIT[scale]['limit']:,} test images (balanced) under "
        "PGD-20 and the default preset, seed 0. Per cent with 95 % intervals, differences in points; groups are "
        "thirds of the classes by training count, and each class counts alike.", "",
        f"{len(found)} of {len(planned)} runs. Not run: {', '.join(left) if left else 'none'}. "
        f"{cost(found, out)} {images([run for run in planned if isinstance(run, Trained)], found, out)}", "",
        *sections(found, swept, judged, scale),
    ]  # fmt: skip
    tables = {"longtail.csv": to_csv(classes(found)), "longtail-groups.csv": to_csv(groups(found))}
    return {"longtail.md": "\n".join(lines), "longtail.svg": picture(judged), **tables}


def sections(
    found: Mapping[str, Run], swept: Mapping[str, sweeps.Swept], judged: Mapping[str, gained.Judged], scale: Scale
) -> Iterator[str]:
    """The lines of all tables and verdicts."""
    alarms, planned = list(gained.alarms(found, swept)), sum(len(pairs) for pairs in gained.controls().values())
    parts = {
        f"Fake gain over {gained.BASE}": [
            "![gains under PGD-20 and under all attacks](longtail.svg)", "",
            "A line from the gain under PGD-20 to the gain under all attacks; thick where the rule says "
            f'"{gained.FAKE}", dotted where it is fake, reason unknown. A star: beside the family, judged by its '
            "own interval and without a correction.", "",
            rules.confirmed(judged), "", *markdown(gained.gains(judged)),
        ],
        "PGD-20 by scale of the logits": markdown(sweeps.sweep_rows(swept)),
        "Fake gain by seed": markdown(gained.stable(found)),
        "False alarms and power": [rules.fit(alarms, planned), "", rules.power(judged, swept), "", *markdown(alarms)],
        "Is natural accuracy easily raised?": [verdicts.easily(found), "", *markdown(verdicts.raised(found))],
        "What limits the tail: boundary error less natural error": markdown(verdicts.limits(found)),
        "RoBal against its rivals, intervals of 98.75 %": markdown(verdicts.rivals(found)),
        "Rare or hard": [*single.rare_or_hard(found), "", *markdown(single.even(found))],
        "Class-fair policies over TRADES": markdown(single.policies(found, policy_base(scale))),
        "Models": markdown(models(found)),
        f"Groups of classes, imbalance {RATIO}, seed {FIRST}": markdown(groups(shown(found))),
    }  # fmt: skip
    for title, lines in parts.items():
        yield from (f"## {title}", "", *lines, "")


def shown(found: Mapping[str, Run]) -> dict[str, Run]:
    """The runs that stand in the table of groups; all stand in its CSV."""
    return {name: run for name, run in found.items() if name.endswith(f"-ir{RATIO}-s{FIRST}")}


STUDY = Study(
    "longtail",
    "RoBal, its rivals and class-fair policies on long tails: which gains are real?",
    steps,
    pages,
    {scale: (data,) for scale, data in DATA.items()},
    partial=True,
)
