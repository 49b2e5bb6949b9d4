"""`weakspot rarity`: are weak classes rare or hard? Audits of models with other classes in the tail tell."""

import shutil
from typing import Annotated, Literal

from weakspot.cli.options import DEFAULT, Output, Shown
from weakspot.cli.streams import say, say_json


def rarity(
    run: str,
    /,
    *others: str,
    condition: Literal["robust", "clean", "corrupted"] | None = None,
    seed: Annotated[int, Shown] = 0,
    output: Output = DEFAULT,
) -> None:
    """Tell classes that are rare in training from classes that are hard.

    Parameters
    ----------
    run
        The folder of an audit of a model that weakspot train made.
    others
        The folders of further ones, on the same images, whose models saw other classes often (+lt_order=1).
    condition
        The accuracy that is explained: robust, clean or corrupted; by default the first of these that all runs have.
    seed
        Names the random draws of the intervals.
    output
        What is printed, and where.

    """
    from weakspot import api

    found = api.rare_or_hard(run, *others, condition=condition, seed=seed).summary
    if output.json:
        say_json(found)
        return
    from weakspot.report.rarity import rarity_grid, rarity_sentences
    from weakspot.report.terminal import fitted

    grid = rarity_grid(found)
    say(f"{grid.title}:")
    say(fitted(grid.columns, {}, shutil.get_terminal_size().columns, wanted=3, left=grid.left))
    say("")
    for sentence in rarity_sentences(found):
        say(sentence)
