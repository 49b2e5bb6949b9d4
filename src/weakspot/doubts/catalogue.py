"""Run the checks that apply, within a budget; a check that breaks is itself a finding."""

from collections.abc import Mapping

from weakspot.doubts import batches, determinism, gradients, graph, identity, label_mapping, returned, setup
from weakspot.doubts.check import LEVELS, Check, When
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding, not_checked

CHECKS: Mapping[str, Check] = {
    module.CHECK.id: module.CHECK
    for module in (setup, label_mapping, determinism, batches, identity, returned, graph, gradients)
}
"""All checks by id, in the order in which they run."""

SHARE = 0.15
"""The checks after an audit may cost this share of the audit itself."""
FEWEST = 8
"""A check on fewer samples says nothing; a cheap one uses at least so many whatever the budget."""


def examine(context: Context, when: When, budget: int | None = None) -> list[Finding]:
    """The findings of all checks that run at `when` (`full` runs all, `audit` those of `doctor` too), in order.

    A check that needs rows is left out where there are none: nothing was audited, so nothing is in doubt. One that
    needs a radius where there is none, or that the budget has no room for, says that it was not checked (status ok,
    figure None). A check that raises becomes a warning with the reason.

    Args:
        context: The model, the samples, and the rows where there are some.
        when: The dearest kind of checks to run.
        budget: Model evaluations that all checks together may spend, a backward counted as two; by default 15 % of
            what the rows cost, where there are rows and `when` is "audit", else no limit.

    """
    chosen = [
        check
        for check in CHECKS.values()
        if LEVELS.index(check.when) <= LEVELS.index(when) and not (check.rows and context.rows is None)
    ]
    if budget is None and when == "audit" and context.rows is not None:
        budget = int(SHARE * (context.rows.forwards.sum() + 2 * context.rows.backwards.sum()))
    share = _share(chosen, len(context), budget)
    blind = _blind(chosen, context)
    return [
        not_checked(check.id, f"{check.name} needs a gradient (see T5)")
        if check.gradient and blind
        else _examine(check, context, share)
        for check in chosen
    ]


def _blind(checks: list[Check], context: Context) -> bool:
    """Whether some check needs a gradient and none reaches the input."""
    try:
        return any(check.gradient for check in checks) and graph.interruption(context.take(2)) is not None
    except Exception:  # a model that breaks breaks each check by itself, which tells more
        return False


def _share(checks: list[Check], samples: int, budget: int | None) -> float:
    """By which factor the number of samples of the dearer checks must shrink to stay within the budget."""
    if budget is None:
        return 1.0
    cheap, dear = 0.0, 0.0
    for check in checks:
        cost = check.cost * min(check.samples, samples)
        cheap, dear = (cheap + cost, dear) if check.when == "doctor" else (cheap, dear + cost)
    return min(1.0, max(0.0, budget - cheap) / dear) if dear else 1.0


def _examine(check: Check, context: Context, share: float) -> Finding:
    if check.radius and context.radius is None:
        return not_checked(check.id, f"{check.name} needs a radius")
    if check.cost and check.when != "doctor":
        samples = int(check.samples * share)
        if samples < FEWEST:
            return not_checked(check.id, f"{check.name} would cost more than {SHARE:.0%} of this audit")
        context = context.take(samples)
    elif check.cost:
        context = context.take(check.samples)
    try:
        return check.run(context)
    except Exception as error:  # whatever breaks a check must not break the audit
        reason = str(error).splitlines()[0][:200] if str(error) else "no message"
        says = f"The check of {check.name} broke: {type(error).__name__}: {reason}."
        return Finding(check.id, "warn", None, None, says)
