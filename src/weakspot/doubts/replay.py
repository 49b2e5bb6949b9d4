"""Run a threat of the audit again on a few samples and write down every point that it asked the model about."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from jaxtyping import Float

from weakspot.addresses import ThreatAddress
from weakspot.contracts import Images, Labels, Logits, PerSample, Threat
from weakspot.doubts.context import Context
from weakspot.maths.losses import margin
from weakspot.threats import MADE_IN_PYTHON, parse_threat
from weakspot.threats.measure import inside_set
from weakspot.threats.search import Oracle


@dataclass(frozen=True)
class Replay:
    """What one threat did to each sample of a context."""

    paths: list[Float[np.ndarray, " _"]]
    """The margins of all points inside the threat's set, in the order in which they were asked about."""
    returned: PerSample
    """The margin of the returned image, in a fresh forward."""


class Recorder(Oracle):
    """An oracle that keeps the margins of what it is asked about."""

    def __init__(self, context: Context, threat: Threat):
        super().__init__(context.model, len(context))
        self.context, self.threat = context, threat
        self.seen: list[tuple[Labels, PerSample]] = []

    def __call__(self, images: Images, rows: Labels | None = None) -> Logits:
        """The logits; calls that do not say which rows they are about are kept where they are about all of them."""
        logits = super().__call__(images, rows)
        if rows is None and len(images) == len(self.context):
            rows = torch.arange(len(images), device=images.device)
        if rows is not None:
            with torch.no_grad():
                held = inside_set(self.threat, images.detach(), self.context.images[rows])
                values = margin(logits.detach().float(), self.context.labels[rows])
            self.seen.append((rows[held].cpu(), values[held].cpu()))
        return logits


def replay(context: Context, address: str) -> Replay:
    """Run the threat at `address` on the context's samples; a second check of the same samples gets the same replay."""
    kept: dict[str, Replay] = context.memo.setdefault("replays", {})
    if address not in kept:
        kept[address] = _replay(context, address)
    return kept[address]


def _replay(context: Context, address: str) -> Replay:
    threat = parse_threat(address)
    recorder = Recorder(context, threat)
    attacked = threat(recorder, context.images, context.labels, context.sample, context.seed)
    rows = torch.cat([rows for rows, _ in recorder.seen]).numpy()
    values = torch.cat([values for _, values in recorder.seen]).double().numpy()
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(1, len(context)))
    return Replay(np.split(values[order], starts), margin(context.logits(attacked), context.labels).cpu())


@dataclass(frozen=True)
class Ran:
    """An adversarial threat of the audit, and what it spent: model evaluations, a backward counted as two."""

    address: str
    cost: int
    """Per sample that it did not break; a broken one is cheaper."""
    longest: int
    """On nine of ten samples at most: so many calls have to wait for each other when a few are attacked again.

    Not the most of all: where `standard` widens, it spends ten times as much on the few that are hardest.
    """


def adversarial(context: Context) -> list[Ran]:
    """The audit's adversarial threats at the context's radius that return an image per sample, dearest first."""
    assert context.rows is not None
    found = []
    for threat in (context.manifest or {}).get("threats", ()):
        if threat["kind"] == "adversarial" and threat["radius"] == str(context.radius):
            if ThreatAddress.of(threat["address"]).name in MADE_IN_PYTHON:
                continue  # its address does not make it again
            if hasattr(parse_threat(threat["address"]), "cases"):
                continue  # one image per target
            rows = context.rows.of(threat["address"])
            spent = rows.forwards + 2 * rows.backwards
            standing = spent[rows.correct] if rows.correct.any() else spent
            found.append(Ran(threat["address"], ceil(standing.mean()), int(np.quantile(standing, 0.9))))
    return sorted(found, key=lambda ran: -ran.cost)
