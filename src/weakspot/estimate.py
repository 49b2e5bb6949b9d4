"""What an audit will cost, from a probe: the planned threats on a few samples, timed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from weakspot.auditing import Unit
from weakspot.contracts import Classifier, Data, Threat
from weakspot.threats import threat_address
from weakspot.threats.measure import clean_logits, measure

PROBE = 32
"""Samples in the probe: enough to fill a vector unit, few enough to be quick with a large model."""


@dataclass(frozen=True)
class ThreatCost:
    """What one threat costs per sample, and how many of its samples must still be computed."""

    threat: str
    units: int
    samples: int
    seconds: float
    """Per sample."""
    forwards: float
    """Model evaluations per sample."""
    backwards: float


@dataclass(frozen=True)
class Estimate:
    """The cost of the units that must still be computed."""

    planned: int
    """Units of the whole run."""
    probed: int
    """Samples that were tried."""
    threats: tuple[ThreatCost, ...]

    @property
    def units(self) -> int:
        """How many units must still be computed."""
        return sum(cost.units for cost in self.threats)

    @property
    def seconds(self) -> float:
        """The expected time, by proportion from the probe."""
        return sum(cost.samples * cost.seconds for cost in self.threats)


def estimate(
    model: Classifier,
    data: Data,
    threats: Sequence[Threat],
    planned: int,
    todo: Sequence[Unit],
    seed: int,
    device: torch.device,
) -> Estimate:
    """Run every threat that `todo` needs on the first PROBE samples, and multiply; nothing is written.

    The cost per sample falls a little with the batch, so a full block tends to be cheaper than its probe.

    Raises:
        InputError: the model returns NaN or a wrong shape.

    """
    rows = range(min(PROBE, len(data)))
    images, labels = data.batch(rows).to(device), data.labels[list(rows)].to(device)
    sample = torch.arange(len(rows), device=device)
    with torch.no_grad():
        model(images)  # the first call also sets libraries up, and is not timed
    costs: list[ThreatCost] = []
    clean = None
    for threat in threats:
        address = threat_address(threat)
        mine = [unit for unit in todo if unit.threat == address]
        if not mine:
            continue
        began = time.monotonic()
        if clean is None:  # as in an audit, the first threat's time holds the pass that serves all
            clean = clean_logits(model, images, sample)
        outcomes, _ = measure(model, threat, address, images, labels, sample, seed, clean)
        seconds = time.monotonic() - began
        costs.append(
            ThreatCost(
                threat=address,
                units=len(mine),
                samples=sum(unit.stop - unit.start for unit in mine),
                seconds=seconds / len(rows),
                forwards=float(outcomes.forwards.mean()),
                backwards=float(outcomes.backwards.mean()),
            )
        )
    return Estimate(planned, len(rows), tuple(costs))
