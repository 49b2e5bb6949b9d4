"""The first source's study: weak classes, classes that attract errors, hard pairs, by docs/studies/classwise-plan.md.

Source: Medi, Grabinski, Keuper, Towards Class-wise Robustness Analysis, arXiv:2411.19853.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from weakspot.recipes.classwise_figures import resisting
from weakspot.recipes.classwise_pairs import alike, always_open, directed, open_pairs
from weakspot.recipes.classwise_picture import picture
from weakspot.recipes.classwise_plans import WIDE
from weakspot.recipes.classwise_runs import LIMIT, PART, Plan, parts_of, runs
from weakspot.recipes.classwise_tables import by_corruption, classes, corruptions, models, spaces
from weakspot.recipes.classwise_verdicts import (
    ATTRACT,
    PRIMARY,
    WEAK,
    couplings,
    family,
    number,
    source_classes,
    tied,
    weak_classes,
)
from weakspot.recipes.study import Scale, Sets, Step, Study, Trained, cost, finished, images
from weakspot.recipes.tables import markdown, options, to_csv
from weakspot.run import Run


def study(plan: Plan, says: str) -> Study:
    """The packaged experiment of a plan: a step for each training with its audit, in the order of the plan."""

    def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
        return tuple(run.step(sets) for run in runs(plan, scale))

    sets = {scale: tuple(PART[scale]) for scale in plan.training}
    return Study(plan.name, says, steps, partial(pages, plan), sets, partial=True)


def pages(plan: Plan, out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, its picture, and classes, directed pairs and corruptions as CSV, of the runs that are there."""
    planned, name = runs(plan, scale), plan.name
    found, left = finished(planned, out)
    part = resisting(found)
    weak = [each for each in found if each not in part]
    training = "; ".join(f"{data}: {options(given)}" for data, given in plan.training[scale].items())
    noise = ": about 10 points to an accuracy and 3 to CFPS" if scale == "cpu" else ""
    number_of = "a hundred" if scale == "gpu-100" else "ten"
    lines = [
        f"# {plan.title}", "",
        f"Made by `weakspot reproduce {name} --scale {scale}` as [planned]({name}-plan.md): "
        f"{training}, in {plan.precision}. {plan.says[scale]} "
        f"Audited on the first {LIMIT[scale]:,} test images, seed 0; frost is of our own making. Accuracies in per "
        'cent with 95 % intervals; "attacked" is the default preset alone.', "",
        f"{len(found)} of {len(planned)} runs. Not run: {', '.join(left) if left else 'none'}. Without part in what is "
        f"said of attacks (standard, or not seen to keep 10 % there): {', '.join(weak) if weak else 'none'}. "
        f"{images(planned, found, out)} {cost(found, out)}", "",
        f"![accuracy and CFPS of each class]({name}.svg)", "",
        "Weakest classes on top. A mark is the mean of the models that take part under attack, a line their range, "
        f"neither of which says what images add{noise}. The upright line is an equal share of the errors. The interval "
        f"of a tie below is over kinds of model; that {number_of} classes are few is left to its p, which deals one "
        "figure to the classes at random.", "",
        *([f"**{standing(planned, left)}**", ""] if left else []),
        *sections(found, part, out, tuple(PART[scale])),
    ]  # fmt: skip
    text = "\n".join(lines)
    return {
        f"{name}.md": text, f"{name}.svg": picture(part, tuple(PART[scale])),
        f"{name}.csv": to_csv(classes(found)), f"{name}-pairs.csv": to_csv(directed(found)),
        f"{name}-corruptions.csv": to_csv(corruptions(found)),
    }  # fmt: skip


def standing(planned: Sequence[Trained], left: Sequence[str]) -> str:
    """What verdicts count for while runs are left: those of whole seeds do if time ends before another is begun."""
    seeds: dict[int, list[str]] = {}
    for run in planned:
        seeds.setdefault(parts_of(run.name)[2], []).append(run.name)
    whole = [seed for seed, names in seeds.items() if not set(names) & set(left)]
    missing = [seed for seed, names in seeds.items() if set(names) <= set(left)]
    if whole and len(whole) + len(missing) == len(seeds):
        has, lacks = (", ".join(map(str, some)) for some in (whole, missing))
        return f"Seed {has} is whole and seed {lacks} not begun: as planned, these verdicts count if it stays so."
    return "Preliminary: runs are left."


def sections(found: Mapping[str, Run], part: Mapping[str, Run], out: Path, sets: Sequence[str]) -> Iterator[str]:
    """The lines of all tables and verdicts, of the planned data sets."""
    same = ("the same", "opposed")
    plain = [{"data": data, "tie of plain CFPS": f"{number(each.value)}"}
             for data in sets for each in (tied(found, data, "cfps", "attacked"),)]  # fmt: skip
    parts = {
        "Is CFPS tied to vulnerability beyond coupling?": [
            *markdown(family(found, sets, PRIMARY, ("attractive classes resist", "attractive classes are weak"))), "",
            "Not resolved does not mean that coupling explains all. `if confusion were mutual`: the range of the tie "
            "if the direction of every error between two classes were drawn anew. Below, described: the same with "
            "plain CFPS, which coupling alone ties, and of each run its correlation beside the range that it would "
            "have by chance and coupling alone, its attractiveness dealt to the classes at random, with the p of that.",
            "",
            *markdown(plain), "", *markdown(couplings(part, sets)),
        ],
        "Are the weak classes the same?": [
            *markdown(family(found, sets, WEAK, same)), "",
            "Described, of each run; a dash where the third and the fourth are equal, as distances are of two classes "
            "that are each other's nearest, or where the order is that of clean accuracy.", "",
            *markdown(weak_classes(part)),
        ],
        "Do they attract alike?": markdown(family(found, sets, ATTRACT, same)),
        "Hard pairs": [
            *always_open(part, sets), "", *markdown(open_pairs(part)), "", *markdown(alike(part, sets)),
        ],
        "The source's classes": source_classes(part),
        "Corruptions": [
            "Of the models that take part under attack, described: the mean over the five severities and the classes, "
            "with the lowest and the highest model; and of how many models a class is the weakest.", "",
            *markdown(by_corruption(part, sets)),
        ],
        "Feature space": [
            "Clean images, described. Scatter: between classes over within them; purity: the share of an image's ten "
            "nearest neighbours that are of its class.", "", *markdown(spaces(found)),
        ],
        "Models": markdown(models(found, out)),
    }  # fmt: skip
    for title, lines in parts.items():
        yield from (f"## {title}", "", *lines, "")


STUDY = study(WIDE, "Which classes are weak or attract errors, and is it so under corruptions, too?")
