"""labels: does class 3 of the model mean class 3 of the data? Accuracy above chance, and no better renumbering.

The renumbering is fitted on one half of the samples and judged on the other, since with many classes and few samples
some permutation always fits better.
"""

import numpy as np
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment
from scipy.stats import binomtest

from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

Numbers = Int[np.ndarray, " samples"]

GAIN = 0.2
"""A renumbering that raises the accuracy of unseen samples by more than this is no accident; one class for all does
not count."""
ABOVE_CHANCE = 1e-3
"""p-value up to which an accuracy counts as above chance."""


def label_mapping(context: Context) -> Finding:
    """Fail if a renumbering of the classes raises the held-out accuracy by 0.2; warn if it is not above chance.

    The audit's clean rows are used where there are some, else the batch.
    """
    label, prediction = _answers(context)
    classes = max(len(context.classes), int(prediction.max()) + 1)
    accuracy = float((label == prediction).mean())
    renumbered = held_out(label, prediction, classes)
    # A model that always answers the same reaches the largest class's share under some renumbering: that says nothing.
    largest = float(np.bincount(label).max()) / len(label)
    gain = renumbered - max(accuracy, largest)
    if gain > GAIN:
        says = (
            f"The clean accuracy on {len(label)} samples is {accuracy:.1%}, but {renumbered:.1%} once the model's "
            "classes are renumbered; its classes are in another order than the data's."
        )
        return Finding("labels", "fail", gain, GAIN, says)
    chance = 1 / len(context.classes)
    p_value = binomtest(int((label == prediction).sum()), len(label), chance, alternative="greater").pvalue
    says = (
        f"The clean accuracy on {len(label)} samples is {accuracy:.1%} (chance: {chance:.1%}) and no renumbering of "
        "classes explains the errors"
    )
    if p_value > ABOVE_CHANCE:
        says += "; that is not above chance: check normalisation, weights and labels"
        return Finding("labels", "warn", gain, GAIN, says + ".")
    return Finding("labels", "ok", gain, GAIN, says + ".")


def _answers(context: Context) -> tuple[Numbers, Numbers]:
    if context.rows is not None and (context.rows.threat == "clean").any():
        clean = context.rows.of("clean")
        return clean.label.astype(np.int64), clean.prediction.astype(np.int64)
    return context.labels.cpu().numpy(), context.logits().argmax(1).cpu().numpy()


def held_out(label: Numbers, prediction: Numbers, classes: int) -> float:
    """The accuracy of each half of the samples under the renumbering that fits the other half best.

    The halves alternate within each class. Among equally good renumberings the one with most fixed classes is taken.
    """
    turn = np.zeros(len(label), dtype=np.int64)
    for c in np.unique(label):
        turn[label == c] = np.arange((label == c).sum()) % 2
    right = 0
    for half in (0, 1):
        fit, judge = turn == half, turn != half
        counts = np.zeros((classes, classes))
        np.add.at(counts, (prediction[fit], label[fit]), 1)
        rows, columns = linear_sum_assignment(counts + 0.5 / classes * np.eye(classes), maximize=True)
        new = np.empty(classes, dtype=np.int64)
        new[rows] = columns
        right += int((new[prediction[judge]] == label[judge]).sum())
    return right / len(label)


CHECK = Check(id="labels", name="label mapping", when="doctor", cost=1, samples=256, run=label_mapping)
