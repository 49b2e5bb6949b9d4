"""What headings of the tables mean, and the checks in words."""

TERMS = {
    "natural error": "wrong already on the clean image, of all images of the class",
    "boundary error": "right when clean, wrong under the threat, of all images of the class",
    "false pos.": "images of other classes that end as this one",
    "false positives": "images of other classes that end as this one",
    "false pos. rate": "images of other classes that end as this one, as a share of all images of other classes",
    "CFPS": "Class False Positive Score: false positives as a share of all errors",
    "CFNS": "Class False Negative Score: errors on this class as a share of all errors",
    "balanced": "mean of the classes' accuracies",
    "weakest, mean": "mean over the weakest classes; less biased than the lowest one",
    "gap": "best minus worst class, in percentage points",
    "without noise": "the spread that sampling of images does not explain, in percentage points",
    "p of equal": "p-value: how likely such differences are if all classes were equally accurate",
    "NRR": "natural-robustness ratio: harmonic mean of the accuracies clean and under the threat",
    "corrected": "the accuracy without the bias of picking the lowest of several estimates",
    "probability": "that this class is the weakest one, in per cent",
    "overstated": "images that this attack leaves right and another one breaks, in percentage points",
    "by chance": "how many there would be on average by chance",
    "purity": "of an image's nearest clean images, the share with its label",
    "nearest": "the class with the nearest mean",
    "distance": "from the mean of the class to the nearest other one, in the unit of the features (it has no other)",
    "shift": "how far the attack moves the mean of the class, in the unit of the features",
    "toward": "the class whose clean mean is nearest to the moved mean",
    "mean distance": "to the means of all other classes, on average, in the unit of the features",
    "cosine": "cosine distance to the nearest class: 0 same direction, 1 at right angles",
    "rank correlation": "Spearman's: +1 the same order of classes, 0 none, -1 the opposite order",
    "beside the others": "by how many standard deviations robust accuracy changes when this figure grows by one and "
    "the other figures stay as they are (coefficient of a linear regression)",
    "unique R2": "the share of the differences in robust accuracy that only this figure explains: what R2 loses "
    "without it",
}
"""By heading, for readers who do not know it."""

CHECKS = {
    "T0": "set-up",
    "labels": "label mapping",
    "T1": "determinism",
    "T2": "batch independence",
    "T3": "radius 0",
    "T4": "returned images",
    "T5": "interrupted graph",
    "T6": "zero gradients",
    "T7": "unstable loss",
    "T8": "silent success",
    "T9": "incomplete optimisation",
    "T10": "transfer",
    "T11": "unconstrained attack",
    "T12": "black box beats white box",
    "T13": "noise and single step",
    "T14": "monotone in the radius",
    "T15": "iteration doubling",
    "T16": "loss disagreement",
    "T17": "logit scale",
    "T18": "binarization test",
    "T19": "dynamic defence",
    "T20": "class floor",
    "T21": "monotone composition",
    "T22": "reference anchor",
    "scale": "fake gain by logit scale",
}
"""The names of `weakspot.doubts.CHECKS`, which the report cannot import: it works without torch."""


def check_name(check: str) -> str:
    """A check as people say it: T7 (unstable loss); what has no entry stays as it is."""
    return f"{check} ({CHECKS[check]})" if check in CHECKS else check
