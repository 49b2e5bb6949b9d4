"""report.html: one file that opens anywhere and asks for nothing."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from weakspot.report import figures, heatmaps
from weakspot.report.curves import curve_figure, curve_grids
from weakspot.report.findings import agreements, aimed, coupling, fallbacks, substitutes
from weakspot.report.imbalance_tables import imbalance_figure, imbalance_grids, imbalance_sentences
from weakspot.report.latent_figures import latent_drawings
from weakspot.report.latent_tables import latent_grids, latent_sentences
from weakspot.report.overstated_tables import overstated_grids, overstated_sentences, overstated_warning
from weakspot.report.page import render
from weakspot.report.relation_tables import worst_classes
from weakspot.report.schema import Cell, Summary
from weakspot.report.tables import class_rows, disparity, roles, sizes_differ
from weakspot.report.thumbnails import worst_confusions
from weakspot.report.verdict import verdict
from weakspot.report.words import cells, headline, images, single_corruptions
from weakspot.store import write_text

FEW_ROWS = 10
"""How many of its confusions a single corruption shows: there may be a hundred of them."""


def write_html(
    path: Path,
    summary: Summary,
    manifest: Mapping[str, Any],
    found: Iterable[Mapping[str, Any]] = (),
    latent: Mapping[str, Any] | None = None,
) -> None:
    """Write the page to `path`, atomically.

    Raises:
        SetupError: the folder cannot be written or the disk is full.

    """
    page = to_html(summary, manifest, found, latent)
    write_text(path, page)


def to_html(
    summary: Summary,
    manifest: Mapping[str, Any],
    found: Iterable[Mapping[str, Any]] = (),
    latent: Mapping[str, Any] | None = None,
) -> str:
    """The whole report as one page.

    Args:
        summary: The numbers; every figure of the page comes from here.
        manifest: The run's manifest.json, for the protocol.
        found: Images (see `thumbnails.worst_confusions`); read once.
        latent: The run's latent.json, for its maps; its figures are in the summary.

    """
    name, _ = headline(summary)
    together = single_corruptions(summary)
    content = {
        "summary": summary,
        "manifest": manifest,
        "verdict": verdict(summary),
        "failed": [doubt for doubt in summary["doubts"] if doubt["status"] == "fail"],
        "headline": name,
        "radius": next((threat["radius"] for threat in manifest["threats"] if threat["radius"]), ""),
        "cells": {name: cell for name, cell in cells(summary).items() if name not in together},
        "together": {name: cell for name, cell in summary["threats"].items() if name in together},
        "counts": {name: sum(images(summary, name)) for name in cells(summary)},
        "offered": offered(summary),
        "choices": _choices(summary),
        "few_rows": FEW_ROWS,
        "spread": disparity(summary),
        "overstated": {"grids": overstated_grids(summary), "warning": overstated_warning(summary)},
        "sureness": worst_classes(summary),
        "sizes_differ": sizes_differ(summary),
        "roles": {name: roles(name, cell) for name, cell in offered(summary).items()},
        "severities": [] if summary["corrupted"] is None else heatmaps.severities(summary["corrupted"]),
        "said": _said(summary),
        "rows": class_rows(summary),
        "anchors": _anchors(summary["data"]["classes"]),
        "twin": _twin(summary),
        "groups": worst_confusions(summary, found),
        "imbalance_grids": imbalance_grids(summary),
        "curve_grids": curve_grids(summary),
        "latent": _latent(summary, latent),
    }
    return render("report.html", _drawings(summary) | latent_drawings(summary, latent), content)


def _latent(summary: Summary, found: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the section on feature space shows: tables, maps with their captions, whether there are distances."""
    drawn = latent_drawings(summary, found)
    maps = {} if found is None else {name: found["maps"][name] for name in ("pca", "tsne") if f"latent-{name}" in drawn}
    return {
        "grids": latent_grids(summary),
        "drawn": [(name, drawing["says"]) for name, drawing in maps.items()],
        "distances": "latent-distances" in drawn,
    }


def _drawings(summary: Summary) -> dict[str, Any]:
    """Every figure of the page by the element that it fills."""
    drawn: dict[str, Any] = {}
    _, cell = headline(summary)
    if cell is not None:
        drawn["accuracy"] = figures.accuracy_figure(summary)
        if len(cell["classes"]) > figures.FEW:
            drawn["distribution"] = figures.distribution_figure(summary)
    for place, other in enumerate(offered(summary).values()):
        if other["confusion"] is not None:
            drawn[f"confusion-{place}"] = figures.confusion_figure(other)
        drawn[f"attraction-{place}"] = figures.attraction_figure(other)
    if summary["imbalance"] is not None:
        drawn["imbalance"] = imbalance_figure(summary)
    for place, curve in enumerate(summary["curves"]):
        drawn[f"curve-{place}"] = curve_figure(curve)
    if summary["corrupted"] is not None:
        drawn["corruptions"] = heatmaps.corruption_figure(summary)
    if summary["pairs"] is not None and summary["pairs"]["success"] is not None:
        drawn["pairs"] = heatmaps.pairs_figure(summary["pairs"])
    return drawn


def offered(summary: Summary) -> dict[str, Cell]:
    """The threats that the page has pictures of; of many classes no single corruptions: the page must stay small."""
    few = len(summary["data"]["classes"]) <= figures.WITH_COUNTS
    together = set() if few else single_corruptions(summary)
    return {name: cell for name, cell in cells(summary).items() if name not in together}


def _choices(summary: Summary) -> list[tuple[str, list[tuple[int, str]]]]:
    """What the threat selector offers, in groups: (group, [(place, name), ...]); each corruption is one."""
    group = {name: "Attacks" for name, cell in summary["threats"].items() if cell["kind"] == "adversarial"}
    for entry in summary["corrupted"]["by_corruption"] if summary["corrupted"] is not None else []:
        group |= dict.fromkeys(entry["threats"], entry["name"])
    group |= {"clean": "Clean", "corrupted": "All corruptions"}
    found: dict[str, list[tuple[int, str]]] = {"Worst case": [], "Clean": [], "Attacks": [], "All corruptions": []}
    for place, name in enumerate(offered(summary)):
        found.setdefault(group.get(name, "Worst case"), []).append((place, name))
    return [(label, listed) for label, listed in found.items() if listed]


def _said(summary: Summary) -> dict[str, list[str]]:
    """The findings, by the section in which they stand."""
    related = summary["relations"]
    return {
        "attraction": [line for name, each in related["coupling"].items() for line in coupling(name, each)],
        "agreement": agreements(summary),
        "overstated": overstated_sentences(summary),
        "corruptions": substitutes(summary),
        "protocol": fallbacks(summary),
        "pairs": [] if summary["pairs"] is None else aimed(summary["pairs"]),
        "imbalance": imbalance_sentences(summary),
        "latent": latent_sentences(summary),
    }


def _twin(summary: Summary) -> list[int]:
    """The classes of the table beside the picture of accuracies: the same as there."""
    _, cell = headline(summary)
    return [] if cell is None else figures.weakest(cell)


def _anchors(names: list[str]) -> dict[int, str]:
    """An address within the page for each class: cat gives "class-cat"; unlike names never share one."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for c, name in enumerate(names):
        anchor = "class-" + (re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or str(c))
        anchor = anchor if anchor not in taken else f"{anchor}-{c}"
        taken.add(anchor)
        found[c] = anchor
    return found
