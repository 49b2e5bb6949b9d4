"""Gates: statements about a run or a comparison that pass or fail, such as `worst_class_robust >= -0.02`.

Grammar, closed: [low( | high(] METRIC [)] OPERATOR NUMBER, with METRIC one of the names of
`weakspot.analysis.measures` and OPERATOR one of >= > <= <. On a comparison a metric is the difference, last minus
first; on one run it is the value. `low(...)` is the lower limit of its one-sided 95 % interval, `high(...)` the upper.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import ge, gt, le, lt
from typing import Literal, cast

from weakspot.analysis.measures import Measure
from weakspot.errors import InputError, unknown

LISTED = 20
"""At most so many classes are listed where a clause names none of them."""

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {">=": ge, ">": gt, "<=": le, "<": lt}
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# The number ends the clause, so a class name may hold an operator or a bracket.
_CLAUSE = re.compile(
    r"\s*(?:(?P<bound>low|high)\(\s*(?P<bounded>.+)\)|(?P<plain>.+?))"
    rf"\s*(?P<operator>>=|<=|>|<)\s*(?P<number>{_NUMBER})\s*"
)
# Signs before the number that are no operator; they never end a metric.
_SIGNS = re.compile(rf"(?P<signs>[=<>!~]+)\s*{_NUMBER}\s*")
_MEANT = {"=>": ">=", "=<": "<="}


@dataclass(frozen=True)
class Gate:
    """A clause, read."""

    clause: str
    metric: str
    bound: Literal["value", "low", "high"]
    operator: str
    number: float


@dataclass(frozen=True)
class Verdict:
    """A clause with its evidence."""

    clause: str
    value: float
    """What was compared with the number: the value, or the one-sided limit that the clause asks for."""
    measure: Measure
    """The metric's value and intervals."""
    passed: bool
    """False where the value is undefined: what cannot be shown is not passed."""


def parse(clause: str) -> Gate:
    """Read a clause.

    Raises:
        InputError: it is not of the grammar, or its number is no share.

    """
    signs = _SIGNS.search(clause)
    if signs and signs.end() == len(clause) and signs["signs"] not in _OPERATORS:
        wrong, meant = signs["signs"], _MEANT.get(signs["signs"])
        raise InputError(
            f"a gate is written METRIC OPERATOR NUMBER with >= > <= or <, got the operator {wrong!r} in {clause!r}"
            + (f"; did you mean {meant!r}?" if meant else "")
        )
    found = _CLAUSE.fullmatch(clause)
    if not found:
        raise InputError(
            "a gate is written METRIC OPERATOR NUMBER with >= > <= or <, such as 'worst_class_robust >= -0.02' "
            f"or 'low(class(cat).robust) >= 0', got {clause!r}"
        )
    if abs(float(found["number"])) > 1:
        raise InputError(
            f"a gate's number is a share from -1 to 1, got {found['number']} in {clause!r}; 2 points are written 0.02"
        )
    metric = (found["bounded"] or found["plain"]).strip()
    bound = cast(Literal["value", "low", "high"], found["bound"] or "value")
    return Gate(clause.strip(), metric, bound, found["operator"], float(found["number"]))


def judge(gate: Gate, measures: Mapping[str, Measure]) -> Verdict:
    """Whether the gate passes, with its evidence.

    Raises:
        InputError: no such metric among `measures`; the nearest one is named.

    """
    if gate.metric not in measures:
        # Of a thousand classes only the nearest are listed; else all of the condition that was asked for, if one was.
        classes = [name for name in measures if name.startswith("class(")]
        scope = gate.metric.rpartition(".")[2]
        here = [name for name in classes if name.endswith(f").{scope}")] or classes
        others = [name for name in measures if not name.startswith("class(")]
        near = here if len(here) <= LISTED else get_close_matches(gate.metric, here, n=3, cutoff=0.4)
        raise unknown("metric", gate.metric, others + near)
    measure = measures[gate.metric]
    value = {"value": measure.value, "low": measure.lower, "high": measure.upper}[gate.bound]
    return Verdict(gate.clause, value, measure, _OPERATORS[gate.operator](value, gate.number))
