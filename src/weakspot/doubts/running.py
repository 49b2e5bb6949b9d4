"""How the checks that apply are run: on stratified samples, within a budget, and never fatally."""

from collections.abc import Mapping
from dataclasses import replace
from math import isnan

from weakspot.doubts import graph
from weakspot.doubts.catalogue import CHECKS
from weakspot.doubts.check import LEVELS, Check, Pool, When
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, not_checked

SHARE = 0.15
"""The checks after an audit may cost this share of the audit itself."""
FEWEST = 8
"""A dear check is left out rather than run on fewer samples."""


def examine(context: Context, when: When, budget: int | None = None) -> list[Finding]:
    """The findings of all checks that run at `when` (`full` runs all, `audit` those of `doctor` too), in order.

    A check that needs rows is left out where there are none: nothing was audited, so nothing is in doubt. One that
    needs a radius or a gradient where there is none, or that the budget has no room for, says that it was not checked
    (status ok, figure None). A check that raises becomes a warning with the reason.

    Args:
        context: The model, the samples, and the rows where there are some.
        when: The dearest kind of checks to run.
        budget: Model evaluations that all checks together may spend, a backward counted as two; by default 15 % of
            what the rows cost, where there are rows and `when` is "audit", else no limit.

    """
    if budget is None and when == "audit" and context.rows is not None:
        budget = int(SHARE * (context.rows.forwards.sum() + 2 * context.rows.backwards.sum()))
    applying = [
        check
        for check in CHECKS.values()
        if LEVELS.index(check.when) <= LEVELS.index(when) and not (check.rows and context.rows is None)
    ]
    reasons = {check.id: reason for check in applying if (reason := _obstacle(check, context))}
    runs = [check for check in applying if check.id not in reasons]
    pools = _pools(runs, context)
    sizes = _sizes(runs, pools, context, budget)
    for check in runs:
        if check.samples and check.id not in sizes:
            reasons[check.id] = f"the budget of {SHARE:.0%} of this audit has no room for {check.name}"
        elif check.samples and check.when != "doctor" and sizes[check.id] < FEWEST:
            reasons[check.id] = f"{check.name} finds only {sizes[check.id]} samples to look at"
    taken: dict[tuple[Pool, int], Context] = {}  # checks of the same samples share one memo
    findings = []
    for check in applying:
        if check.id in reasons:
            findings.append(not_checked(check.id, reasons[check.id]))
        elif check.samples:
            key = (check.of, sizes[check.id])
            if key not in taken:
                taken[key] = pools[check.of].take(key[1])
            findings.append(_run(check, taken[key]))
        else:
            findings.append(_run(check, context))
    return findings


def _obstacle(check: Check, context: Context) -> str | None:
    """Why a check cannot run, whatever the budget."""
    if check.radius and (context.radius is None or context.radius.norm == "l1"):
        return f"{check.name} needs a radius in linf or l2"
    if check.gradient:
        if "blind" not in context.memo:
            context.memo["blind"] = _blind(context)
        if context.memo["blind"]:
            return f"{check.name} needs a gradient (see T5)"
    return None


def _blind(context: Context) -> bool:
    try:
        return graph.interruption(context.take(2)) is not None
    except Exception:  # a model that breaks breaks each check by itself, which tells more
        return False


def _pools(checks: list[Check], context: Context) -> dict[Pool, Context]:
    """The samples that the checks look at."""
    made: dict[Pool, Context] = {"all": context}
    try:
        if any(check.of == "correct" for check in checks):
            made["correct"] = context.correct()
        if any(check.of == "survivors" for check in checks):
            made["survivors"] = context.survivors()
    except Exception:  # the model breaks; so will the checks, one by one
        made["correct"] = made["survivors"] = context
    return made


def _sizes(checks: list[Check], pools: Mapping[Pool, Context], context: Context, budget: int | None) -> dict[str, int]:
    """How many samples each check gets.

    Cheap ones get all that they ask for. The others shrink alike until they fit into the budget; where that would
    leave fewer than 8 samples, the dearest one is left out and the rest shrink less.
    """
    sizes = {check.id: min(check.samples, len(pools[check.of])) for check in checks if check.samples}
    if budget is None:
        return sizes
    costs = {check.id: check.price(context) * sizes[check.id] for check in checks if check.samples}
    dear = {check.id for check in checks if check.samples and check.when != "doctor"}
    left = budget - sum(cost for name, cost in costs.items() if name not in dear)
    while dear:
        share = min(1.0, max(0, left) / max(1, sum(costs[name] for name in dear)))
        shrunk = {name: int(sizes[name] * share) for name in dear}
        if all(size >= min(FEWEST, sizes[name]) for name, size in shrunk.items()):
            return {**sizes, **shrunk}
        dearest = max(dear, key=lambda name: (costs[name], name))
        dear.remove(dearest)
        del sizes[dearest]
    return sizes


def _run(check: Check, context: Context) -> Finding:
    try:
        found = check.run(context)
        return replace(found, figure=None) if found.figure is not None and isnan(found.figure) else found
    except Exception as error:  # whatever breaks a check must not break the audit
        reason = str(error).splitlines()[0][:200] if str(error) else "no message"
        says = f"The check of {check.name} broke: {type(error).__name__}: {reason}."
        return Finding(check.id, "warn", None, None, says)
