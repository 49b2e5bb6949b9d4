"""Logits before the softmax of psi: as they are, or freed from their scale in one of two ways.

KL divergence grows or shrinks with the scale of the logits, which changes no decision. Both invariant forms give the
same divergence for a model and for the same model with its last layer multiplied by any positive number.

A: each image's centred logits get the length UNIT. What is left is their direction: differences in confidence between
   images, and so between classes, are gone. Two classes leave two directions, so there it only says whether the
   decision changes, and its gradient is 0: it is not measured. Take B.
B: one temperature for the model, such that the mean gap between its two largest logits on a fixed list of clean images
   is GAP. Differences in confidence within a model stay.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from weakspot.contracts import Classifier, Data, Logits
from weakspot.rng import uniform
from weakspot.threats.measure import check_logits

Form = Callable[[Logits], Logits]
"""What the softmax of psi is taken of."""

UNIT = 5.0
"""Centred logits of this length that name one of ten classes give it a probability of 0.96: neither flat nor
saturated."""
GAP = 3.0
"""A gap of 3 between two classes is a probability of 0.95."""
CALIBRATION = 1000
"""Images that form B is calibrated on."""
BATCH = 256


def raw(logits: Logits) -> Logits:
    """The logits themselves: the published form, which depends on their scale."""
    return logits


def unit_length(logits: Logits) -> Logits:
    """Form A: centred (softmax ignores shifts, a length does not), then scaled to the length UNIT; 0 stays 0."""
    return UNIT * F.normalize(logits - logits.mean(dim=1, keepdim=True))


@dataclass(frozen=True)
class GapScaled:
    """Form B: logits divided by one temperature, gap / GAP."""

    gap: float
    """The model's mean gap between its two largest logits on the calibration list."""
    rows: tuple[int, ...] = ()
    """The calibration list: positions in the split."""

    def __call__(self, logits: Logits) -> Logits:
        """The scaled logits; as they are where the gap is 0, since there is nothing to go by."""
        return logits * (GAP / self.gap) if self.gap > 0 else logits


def calibration_list(samples: int) -> tuple[int, ...]:
    """At most CALIBRATION positions of a split of so many samples: fixed, whatever part of it is looked at."""
    drawn = uniform((1,), torch.arange(samples), 0, "psi calibration")[:, 0]
    return tuple(sorted(drawn.argsort(stable=True)[:CALIBRATION].tolist()))


def calibrate(model: Classifier, data: Data, device: torch.device | str = "cpu") -> GapScaled:
    """Form B for a model: `data` is the whole split, not the part that is looked at. Hold the model still (`frozen`).

    Raises:
        InputError: the logits are not finite.

    """
    rows, total = calibration_list(len(data)), 0.0
    for start in range(0, len(rows), BATCH):
        at = rows[start : start + BATCH]
        with torch.no_grad():
            logits = model(data.batch(at).to(device))
        check_logits(logits, len(at), torch.tensor(at, device=logits.device))
        top = logits.double().topk(2, dim=1).values
        total += float((top[:, 0] - top[:, 1]).sum())
    return GapScaled(total / len(rows), rows)
