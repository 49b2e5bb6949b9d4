"""Of three or more models together: whether classes that attract errors resist better or worse, as plain values."""

from collections.abc import Mapping, Sequence

from weakspot.analysis.relate import Correlation, over_models
from weakspot.report.comparison_schema import OverModels
from weakspot.report.numbers import correlation, number

MODELS = 3
"""Two models give no idea of how models differ: the t interval of two correlations is all of [-1, 1]."""


def related(models: Sequence[str], found: Sequence[Mapping[str, Correlation]]) -> dict[str, OverModels]:
    """The correlation of CFPS with accuracy over the models, under each condition; empty below three models.

    Args:
        models: Their names.
        found: Of each model, by condition (`weakspot.analysis.attraction_relation`).

    """
    if len(models) < MODELS:
        return {}
    shared = [scope for scope in ("robust", "clean") if all(scope in each for each in found)]
    return {
        scope: {
            "models": list(models),
            "values": [number(each[scope].value) for each in found],
            "together": correlation(over_models([each[scope] for each in found])),
        }
        for scope in shared
    }
