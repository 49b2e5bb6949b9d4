"""explain.html: one file with its pictures inside, which asks for nothing."""

import base64
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from weakspot.analysis.psi import FEW
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
    """The weakest class by psi, of those with FEW images or more, and how many are not told apart from it."""
    classes = summary["models"][0]["psi"]["B"]["classes"]
    order = weakest_first(summary)
    large = [classes[c] for c in order if classes[c]["samples"] >= FEW]
    if classes[order[0]]["psi"]["value"] is None:
        return "The search moved no prediction of any class."
    if not large:
        return f"No class is named as the easiest to move: none has {FEW} images."
    first, name = large[0]["psi"], printable(large[0]["name"])
    if first["value"] is None:
        return f"The search moved no prediction of any class with {FEW} images or more."
    # A limit that is missing is infinite. The others' values are not lower, so they overlap if their low ends do.
    end = inf if first["high"] is None else first["high"]
    lows = [inf if other["psi"]["low"] is None else other["psi"]["low"] for other in large[1:]]
    alike = sum(low <= end for low in lows)
    others = f"{alike} other{'s' if alike > 1 else ''}, whose intervals overlap with its own"
    told = f" It is not told apart from {others}." if alike else ""
    whom = name if len(large) == len(order) else f"{name} (of the classes with {FEW} images or more)"
    return (
        f"Predictions are easiest to move for {whom}: psi {psi_text(first)} in form B, within {summary['radius']} of "
        f"each image.{told}"
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
