"""explain.html: one file with its pictures inside, which asks for nothing."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weakspot.report.explain_figures import Drawn, model_labels, weakest_first
from weakspot.report.explain_tables import (
    audit_grid,
    bend_grid,
    class_grid,
    cost_grid,
    proof_grid,
    psi_text,
    said_of,
    whole_line,
)
from weakspot.report.page import render
from weakspot.report.words import printable, rank
from weakspot.store import write_text


def write_explanation(path: Path, summary: dict[str, Any], drawn: Sequence[Drawn]) -> None:
    """Write the page, atomically.

    Raises:
        SetupError: the folder cannot be written or the disk is full.

    """
    sections: dict[str, list[dict[str, str]]] = {}
    for each in drawn:
        picture = base64.b64encode(each.file.read_bytes()).decode()
        entry = {"title": each.title, "caption": each.caption, "source": f"data:image/png;base64,{picture}"}
        sections.setdefault(each.section, []).append(entry)
    content = {
        "summary": summary,
        "labels": model_labels(summary),
        "verdict": verdict(summary),
        "notes": said_of(summary),
        "drawn": sections,
        "classes": [whole_line(class_grid(summary, at)) for at in range(len(summary["models"]))],
        "proof": proof_grid(summary),
        "bends": [bend_grid(summary, pair) for pair in summary["models"][0]["surfaces"]],
        "cost": cost_grid(summary),
        "audit": None if summary["audit"] is None else audit_grid(summary),
        "pairs_said": pairs_said(summary),
    }
    page = render("explain.html", {}, content)
    write_text(path, page)


def verdict(summary: dict[str, Any]) -> str:
    """The weakest class by psi in one sentence."""
    order = weakest_first(summary)
    entry = summary["models"][0]["psi"]["B"]["classes"][order[0]]
    found, name = entry["psi"], printable(entry["name"])
    if found["value"] is None:
        return "The search moved no prediction of any class."
    return (
        f"Predictions are easiest to move for {name}: psi {psi_text(found)} in form B, within {summary['radius']} of "
        "each image."
    )


def pairs_said(summary: dict[str, Any]) -> str | None:
    """Whether predictions move to where errors go."""
    if summary["audit"] is None or summary["audit"]["pairs"] is None:
        return None
    found = summary["audit"]["pairs"]
    value = found["correlation"]
    if value is None or value["value"] is None:
        return (
            f"Whether predictions move to where the audit's errors go is undefined: the search changed the prediction "
            f"of {found['images']:,} images."
        )
    return (
        f"The search changed the prediction of {found['images']:,} images (form B). Over {found['ordered_pairs']:,} "
        "ordered pairs of classes, the share of a class's predictions that it changes to the other class and the share "
        "of the class that the audit mistakes for the other have a rank correlation of "
        f"{rank(value['value'])} [{rank(value['low'])}, {rank(value['high'])}]; the interval takes pairs as "
        "independent."
    )
