"""`weakspot explain`: how far predictions can be moved, and the surfaces around images."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.text import Text

from weakspot.cli.options import DEFAULT, Output, Several, Shown
from weakspot.cli.printing import pasteable
from weakspot.cli.streams import say, say_json, warn

if TYPE_CHECKING:
    from weakspot.explanation import Explanation


def explain(
    model: str | None = None,
    *,
    data: str | None = None,
    weights: Path | None = None,
    beside: str | None = None,
    beside_weights: Path | None = None,
    radius: str | None = None,
    pairs: Annotated[tuple[str, ...], Several, Shown] = ("gradient,random", "attack,random"),
    images: Annotated[int, Shown] = 100,
    steps: Annotated[int, Shown] = 41,
    restarts: Annotated[int, Shown] = 1,
    parameters: bool = False,
    audit: Path | None = None,
    limit: int | None = None,
    out: Path | None = None,
    config: Path | None = None,
    seed: Annotated[int, Shown] = 0,
    device: Annotated[str, Shown] = "auto",
    offline: bool = False,
    trust_pickle: bool = False,
    output: Output = DEFAULT,
) -> None:
    """Measure how far predictions can be moved (psi), class by class, and draw the surfaces around images.

    Without arguments it explains the small robust model that is part of weakspot. What is measured already is kept
    when the same command is given again.

    Parameters
    ----------
    model
        What to explain: an address as for `weakspot audit`.
    data
        Images and labels: an address as for `weakspot audit`.
    weights
        A file of weights for the model.
    beside
        A second model for the same data, drawn beside the first on the same scale.
    beside_weights
        A file of weights for it.
    radius
        The ball, such as linf:8/255 or l2:0.5; by default what is customary for the data.
    pairs
        The two directions of a surface: gradient (of the loss), random, attack (to the adversarial image),
        towards:CLASS (the gradient towards a class) or mean:CLASS (to its mean image), such as gradient,mean:Coat. May
        be given several times.
    images
        How many images the surfaces are made of, as many of each class; psi is measured for all.
    steps
        Points of a surface along each direction, odd.
    restarts
        Of the search for psi; the report says what share of a thorough search it finds.
    parameters
        Draw also the surface over two directions of the parameters, for contrast.
    audit
        A finished audit of the same model and data: do the figures know its weak classes?
    limit
        Only the first N samples.
    out
        The folder; by default runs/NAME, where the name follows from what is asked.
    config
        A YAML file with options, such as the config.yaml of an explanation. Flags come first, then environment
        variables, then the file.
    seed
        Names all random draws.
    device
        Where to compute: auto, cpu, cuda or cuda:N.
    offline
        Touch no network.
    trust_pickle
        Load weights that can only be read by executing code from their file.
    output
        What is printed, and where.

    """
    from weakspot import api

    made = api.explain(
        model,
        data,
        weights=weights,
        beside=beside,
        beside_weights=beside_weights,
        radius=radius,
        pairs=pairs,
        images=images,
        steps=steps,
        restarts=restarts,
        parameters=parameters,
        audit=audit,
        limit=limit,
        out=out,
        device=device,
        seed=seed,
        offline=offline,
        trust_pickle=trust_pickle,
        remark=None if output.quiet else warn,
    )
    show_explanation(made, output)


def show_explanation(made: "Explanation", output: Output) -> None:
    """Print the class table of each model, the notes and the page's path; or explain.json alone."""
    if output.json:
        say_json(made.summary)
        return
    from weakspot.report.explain_tables import MANY, class_grid, said_of
    from weakspot.report.terminal import folded

    width = shutil.get_terminal_size().columns
    several = len(made.summary["models"]) > 1
    for at in range(len(made.summary["models"])):
        grid = class_grid(made.summary, at, MANY)
        if several:
            say(Text(f"{grid.title}:", style="bold"))
        for table in folded(grid.columns, grid.last, width, left=grid.left):
            say(table)
        hidden = len(made.summary["data"]["classes"]) - len(grid.columns["class"])
        if hidden:
            say(f"... and {hidden:,} classes that are harder to move or have no images.")
        say("")
    say("psi = 1 / the largest divergence found in the ball: an upper bound, larger is harder to move. Forms A and B")
    say("do not depend on the scale of the logits.")
    for line in said_of(made.summary):
        say(Text(line, style="yellow"))
    say("")
    say(pasteable(made.page))
