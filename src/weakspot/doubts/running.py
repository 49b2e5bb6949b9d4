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
BLOCK = 256
"""The audit's batches are about so large."""
OVERHEAD = 16
"""What a call costs besides its samples, in samples: measured on a CPU with small networks."""
ELSEWHERE = 256
"""The same on an accelerator, where small batches take as long as an audit's."""


def examine(context: Context, when: When, budget: int | None = None) -> list[Finding]:
    """The findings of all checks that run at `when` (`full` runs all, `audit` those of `doctor` too), in order.

    A check that needs rows is left out where there are none: nothing was audited, so nothing is in doubt. One that
    needs a radius or a gradient where there is none, or that the budget has no room for, says that it was not checked
    (status skipped, figure None). A check that raises becomes a warning with the reason.

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
            reasons[check.id] = f"{SHARE:.0%} of this audit's cost has no room for {check.name}; doctor --full has"
        elif check.samples and check.price(context) and check.when != "doctor" and sizes[check.id] < FEWEST:
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
    """How many samples each check gets; one that is left out is missing.

    Cheap checks get all that they ask for. The others get 8 samples each, and share what is then left of the budget
    alike; where not even the 8 fit, the check that is then the dearest is left out.
    """
    sizes = {check.id: min(check.samples, len(pools[check.of])) for check in checks if check.samples}
    if budget is None:
        return sizes
    overhead = OVERHEAD if context.images.device.type == "cpu" else ELSEWHERE
    prices = {check.id: check.price(context) for check in checks if check.samples}
    fixed = {check.id: check.length(context) * overhead for check in checks if check.samples}
    dear = {check.id for check in checks if check.samples and check.when != "doctor"}
    left = budget * (1 + overhead / BLOCK)
    left -= sum(prices[name] * size + fixed[name] for name, size in sizes.items() if name not in dear)
    least = {name: min(FEWEST, sizes[name]) for name in dear}
    floor = {name: prices[name] * least[name] + fixed[name] for name in dear}
    while dear and sum(floor[name] for name in dear) > left:
        dearest = max(dear, key=lambda name: (floor[name], name))
        dear.remove(dearest)
        del sizes[dearest]
    left -= sum(floor[name] for name in dear)
    more = sum(prices[name] * (sizes[name] - least[name]) for name in dear)
    share = min(1.0, left / more) if more else 1.0
    return {**sizes, **{name: least[name] + int(share * (sizes[name] - least[name])) for name in dear}}


def _run(check: Check, context: Context) -> Finding:
    try:
        found = check.run(context)
        return replace(found, figure=None) if found.figure is not None and isnan(found.figure) else found
    except Exception as error:  # whatever breaks a check must not break the audit
        reason = str(error).splitlines()[0][:200] if str(error) else "no message"
        says = f"The check of {check.name} broke: {type(error).__name__}: {reason}."
        return Finding(check.id, "warn", None, None, says)
