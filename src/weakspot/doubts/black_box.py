"""T12: a search without gradients must be the weaker attack (Carlini et al., 2019; AutoAttack checks it too)."""

import numpy as np
import torch

from weakspot.addresses import ThreatAddress
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, Status
from weakspot.doubts.hits import bounds, judge_hits
from weakspot.maths.losses import margin
from weakspot.threats.square import Square
from weakspot.threats.standard import HARD, random_part

QUERIES = 1000
WARN = 0.002  # AutoAttack's threshold
FAIL = 0.02
RUN_SQUARE = ("standard", "autoattack", "square")
"""Threats that run Square themselves, the first two on what their gradient attacks left standing."""


def black_box(context: Context) -> Finding:
    """What Square broke in the audit and no gradient attack did; if the audit did not run it, 1,000 queries now."""
    assert context.radius is not None
    if _ran(context):
        return _from_rows(context)
    square = Square(radius=context.radius, queries=QUERIES)
    found = square(context.model, context.images, context.labels, context.sample, context.seed)
    return judge_hits(
        "T12",
        context,
        margin(context.logits(found), context.labels) < 0,
        f"Square, which uses no gradients, with {QUERIES} queries",
        "it should find nothing that gradient attacks miss, so gradients mislead them: run square on all samples",
        warn=WARN,
        fail=FAIL,
    )


def _addresses(context: Context) -> list[str]:
    threats = (context.manifest or {}).get("threats", ())
    return [t["address"] for t in threats if t["kind"] == "adversarial" and t["radius"] == str(context.radius)]


def _ran(context: Context) -> bool:
    return any(ThreatAddress.of(address).name in RUN_SQUARE for address in _addresses(context))


def _from_rows(context: Context) -> Finding:
    """Count the samples that fell to Square alone among all that the gradient attacks left standing."""
    assert context.rows is not None
    rows = context.rows.where(np.isin(context.rows.threat, _addresses(context)))
    blind = np.array(["square" in str(part) for part in rows.found_by], dtype=bool)
    by_gradient = np.unique(rows.sample[~rows.correct & ~blind])
    by_square = np.setdiff1d(rows.sample[~rows.correct & blind], by_gradient)
    left = len(np.setdiff1d(rows.sample, by_gradient))
    share = len(by_square) / max(left, 1)
    status: Status = "fail" if bounds(len(by_square), left)[0] > FAIL else "warn" if share > WARN else "ok"
    says = (
        f"Of {left} samples that the audit's gradient attacks left standing, Square, which uses no gradients and was "
        f"run on some or all of them, broke {len(by_square)}"
    )
    if status != "ok":
        says += "; gradients mislead here, so the robust accuracy rests on Square alone and may be too high"
    return Finding("T12", status, share, FAIL if status == "fail" else WARN, f"{says}.{_sentinel(context)}")


def _sentinel(context: Context) -> str:
    """What `standard` may have missed, by the survivors that its sentinel drew at random; empty for other threats.

    In a block where the sentinel broke anything the search widened to all survivors, so the bound is about the others.
    """
    assert context.rows is not None
    names = [address for address in _addresses(context) if ThreatAddress.of(address).name == "standard"]
    blocks = [unit for unit in (context.manifest or {}).get("units", ()) if unit["threat"] in names]
    drawn, left, widened = 0, 0, 0
    for unit in blocks:
        rows = context.rows.of(unit["threat"])
        rows = rows.where((rows.sample >= unit["start"]) & (rows.sample < unit["stop"]))
        by_sentinel = np.array([str(part).startswith(("sentinel:", "widened:")) for part in rows.found_by], dtype=bool)
        if by_sentinel.any():
            widened += 1
            continue
        labels, sample = (
            torch.from_numpy(column[rows.correct].astype(np.int64)) for column in (rows.label, rows.sample)
        )
        drawn += int(random_part(labels, sample, context.seed).sum())
        left += len(sample)
    if not blocks:
        return ""
    most = bounds(0, drawn)[1]
    said = ""
    if widened:
        said = (
            f" FAB-T or Square broke something in {widened} of {len(blocks)} blocks; there the same short attack went "
            f"on to all survivors, and one of AutoAttack's length to each class's hardest {HARD:.0%}."
        )
    if left:
        where, whom = ("Elsewhere the", f"the {left} there") if widened else ("The", f"all {left}")
        said += (
            f" {where} sentinel's FAB-T and Square broke none of {drawn} survivors drawn at random, so at most "
            f"{most:.1%} of {whom} would fall to these short attacks (95 % sure)."
        )
    return said


CHECK = Check(
    id="T12",
    name="black box beats white box",
    when="audit",
    cost=lambda context: 0 if _ran(context) else QUERIES + 1,
    # Drawing a square takes about as long as asking about it.
    steps=lambda context: 0 if _ran(context) else 2 * QUERIES,
    samples=64,
    run=black_box,
    of="survivors",
    rows=True,
    radius=True,
)
