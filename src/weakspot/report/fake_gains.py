"""The part of a gain that one attack alone shows and all attacks together do not, as plain values."""

from collections.abc import Mapping, Sequence

import numpy as np

from weakspot.analysis.class_means import Estimate
from weakspot.analysis.fake_gain import fake_gain
from weakspot.analysis.scores import Scores, align
from weakspot.report.comparison_schema import FakeClass, FakeGain, FakeShare
from weakspot.report.numbers import number


def fake_gains(
    first: Mapping[str, Scores], last: Mapping[str, Scores], robust: tuple[Scores, Scores], names: Sequence[str]
) -> list[FakeGain]:
    """Of each attack that every image has been through in both runs; stored images may be of some only.

    Args:
        first: Scores of the run before under each attack alone (`weakspot.analysis.scores.alone`).
        last: Of the run after.
        robust: Of both under all attacks together.
        names: The classes.

    Raises:
        InputError: the runs do not hold the same samples.

    """
    made: list[FakeGain] = []
    for threat in first:
        if any(not np.array_equal(side[threat].sample, robust[0].sample) for side in (first, last)):
            continue
        label, scores = align([first[threat], last[threat], *robust])
        one, two, all_one, all_two = (scores == 1).T
        found = fake_gain((one, all_one), (two, all_two), label, len(names))
        each: list[FakeClass] = [{"name": name, **_share(of)} for name, of in zip(names, found.classes, strict=True)]
        made.append(
            {
                "threat": threat,
                "gain": number(found.weak),
                "confirmed": number(found.strong),
                **_share(found.overall),
                "classes": each,
            }
        )
    return made


def _share(found: Estimate) -> FakeShare:
    return {
        "value": number(found.value),
        "low": number(found.low),
        "high": number(found.high),
        "seen": found.low > 0,
    }
