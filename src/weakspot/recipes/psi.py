"""The second source's study: is psi comparable, stable and cheap, and are surfaces flat, by docs/studies/psi-plan.md.

Source: Yu et al., Interpreting and Evaluating Neural Network Robustness, arXiv:1905.04270.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from weakspot.explaining.files import Table
from weakspot.recipes import psi_tables as tables
from weakspot.recipes.psi_claims import Measured, ordered_trainings, speaks
from weakspot.recipes.psi_pictures import against_accuracy, surfaces_of_one
from weakspot.recipes.psi_runs import DATA, FIRST, SIZES, TRAININGS, Model, models
from weakspot.recipes.psi_steps import measured, planes, step, took
from weakspot.recipes.psi_surfaces import profile_rows
from weakspot.recipes.psi_turned import budgets, settings
from weakspot.recipes.psi_verdicts import verdict_rows
from weakspot.recipes.psi_words import CAPTIONS, NOTES, head
from weakspot.recipes.study import Scale, Sets, Step, Study, trained_for
from weakspot.recipes.tables import markdown, to_csv

DRAWN = 1
"""The place of the network among the sizes whose surfaces are drawn: the middle one."""


def steps(scale: Scale, sets: Sets) -> tuple[Step, ...]:
    """A step for each model, trained and measured."""
    return tuple(step(model, scale, sets) for model in models(scale))


def pages(out: Path, scale: Scale) -> Mapping[str, str]:
    """The page, its figures and all numbers as CSV, of the models that are there; the others are named."""
    planned = models(scale)
    found = {model: each for model in ordered_trainings(planned) if (each := measured(out / model.name)) is not None}
    part = {model: each for model, each in found.items() if speaks(each)}
    left = [model.name for model in planned if model not in found]
    silent = [model.name for model in found if model not in part]
    drawn = {model: kept for model in found if (kept := planes(out / model.name)) is not None}
    classes = [str(name) for name in next(iter(found.values())).psi["classes"]] if found else []
    pictures = figures(part, drawn, scale, classes)
    lines = [
        "# psi and surfaces", "", *head(scale),
        f"{len(found)} of {len(planned)} models. Not run: {', '.join(left) if left else 'none'}. Silent, without part "
        f"in any verdict, range or surface: {', '.join(silent) if silent else 'none'}. {took(out, found, drawn)}", "",
        *sections(found, part, planned, drawn, out),
        *(f"![{file}]({file})\n\n{CAPTIONS[file]}\n" for file in pictures),
    ]  # fmt: skip
    return {"psi.md": "\n".join(lines), "psi.csv": to_csv(tables.entries(found, classes)), **pictures}


def figures(
    part: Mapping[Model, Measured], drawn: Mapping[Model, Table], scale: Scale, classes: list[str]
) -> dict[str, str]:
    """The pictures of the models that take part; surfaces once all trainings of their network are measured."""
    made = {"psi.svg": against_accuracy(part, SIZES[scale])} if part else {}
    middle = [model for model in drawn if model.size == SIZES[scale][DRAWN] and model.seed == FIRST]
    shown = {model: drawn[model] for model in middle if model in part}
    if len(middle) == len(TRAININGS) and shown:
        made["psi-surfaces.svg"] = surfaces_of_one(shown, classes)
    return made


def sections(
    found: Mapping[Model, Measured],
    part: Mapping[Model, Measured],
    planned: tuple[Model, ...],
    drawn: Mapping[Model, Table],
    out: Path,
) -> Iterator[str]:
    """The lines of all tables and verdicts, with what is to be known of them."""
    seconds = {model: trained_for(out / model.name) for model in found}
    named = {
        "Verdicts": verdict_rows(found, planned),
        "Order by network: ln of the ratio of psi (B); accuracy under attack in points": tables.orders(part),
        "Claim 1 in every form": tables.forms(part),
        "Claim 2: orders turned round by settings": settings(part),
        "Claim 3: orders turned round with few passes and images": budgets(part),
        "Pairs told apart on the same images": tables.telling(part),
        "Logits times ten": tables.scales(part),
        f"Surfaces, seed {FIRST}: logits of form B": profile_rows({model: drawn[model] for model in drawn
                                                                   if model in part}),
        "Models": tables.models(found, seconds, drawn),
    }  # fmt: skip
    assert NOTES.keys() <= named.keys(), "a note without its table"
    for title, rows in named.items():
        yield from (f"## {title}", "", *((NOTES[title], "") if title in NOTES else ()), *markdown(rows), "")


STUDY = Study(
    "psi",
    "Is psi comparable across networks, stable over settings and cheaper than attacks?",
    steps,
    pages,
    {scale: (data,) for scale, data in DATA.items()},
    partial=True,
)
