"""`weakspot doctor`: what speaks against auditing this model on this data, before it is done."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.table import Table
from rich.text import Text

from weakspot.cli.options import DEFAULT, Output, Shown
from weakspot.cli.streams import say, say_json

if TYPE_CHECKING:
    from weakspot.doubts import Finding

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skipped": "dim"}


def doctor(
    model: str | None = None,
    *,
    data: str | None = None,
    weights: Path | None = None,
    radius: str | None = None,
    full: bool = False,
    seed: Annotated[int, Shown] = 0,
    device: Annotated[str, Shown] = "auto",
    offline: bool = False,
    trust_pickle: bool = False,
    output: Output = DEFAULT,
) -> int:
    """Check whether a model and data can be audited and the result believed; takes seconds.

    Checks shapes, the range of images, eval mode, logits or probabilities, determinism, dependence on the batch,
    gradients and the mapping of labels. The exit code is 1 if a check fails.

    Parameters
    ----------
    model
        What to examine: an address as for `weakspot audit`.
    data
        Images and labels: an address as for `weakspot audit`.
    weights
        A file of weights for the model.
    radius
        The radius to try attacks with, such as linf:8/255; by default what is customary for the data.
    full
        Run the dear checks too, which an audit runs on its own results.
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

    findings = api.doctor(
        model,
        data,
        weights=weights,
        radius=radius,
        full=full,
        device=device,
        seed=seed,
        offline=offline,
        trust_pickle=trust_pickle,
    )
    failed = any(finding.status == "fail" for finding in findings)
    if output.json:
        say_json({"failed": failed, "findings": [asdict(finding) for finding in findings]})
    else:
        say(findings_table(findings))
    return 1 if failed else 0


def findings_table(findings: "list[Finding]") -> Table:
    """A line per check: its status in words and in colour, its name, and what it found."""
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row(Text(finding.status.upper(), STYLES[finding.status]), finding.check, Text(finding.says))
    return table
