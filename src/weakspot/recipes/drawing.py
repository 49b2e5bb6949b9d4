"""Figures of studies as SVG text, so that a page and its picture are made and committed alike."""

import io

from matplotlib import rc_context
from matplotlib.figure import Figure


def svg(figure: Figure) -> str:
    """The figure on white, as text; the same numbers give the same text."""
    buffer = io.StringIO()
    # Without dates and random ids the same run gives the same file; text stays text.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "weakspot"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white", bbox_inches="tight")
    # Matplotlib leaves spaces behind attributes that a commit would be refused for.
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
