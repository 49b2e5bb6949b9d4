"""The catalogue of checks, by id, in the order in which they run."""

from collections.abc import Mapping

from weakspot.doubts import (
    anchor,
    batches,
    binarization,
    black_box,
    class_floor,
    composition,
    determinism,
    doubling,
    dynamic,
    fake_gain,
    gradients,
    graph,
    identity,
    incomplete,
    label_mapping,
    logit_scale,
    loss_disagreement,
    monotone,
    noise,
    returned,
    setup,
    silent_success,
    transfer,
    unconstrained,
    unstable_loss,
)  # fmt: skip
from weakspot.doubts.check import Check

_ORDER = (
    setup, label_mapping, determinism, batches, identity, returned, graph, gradients, unstable_loss, silent_success,
    incomplete, unconstrained, black_box, noise, monotone, doubling, loss_disagreement, logit_scale, dynamic,
    class_floor, composition, transfer, binarization, anchor, fake_gain,
)  # fmt: skip

CHECKS: Mapping[str, Check] = {module.CHECK.id: module.CHECK for module in _ORDER}
"""One file each; T20 (class_floor) reads what T12, T13 and T15 left, so it comes after them."""
