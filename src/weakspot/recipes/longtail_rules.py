"""Sentences of rules 1 and 2 of docs/studies/longtail-plan.md: is the source confirmed, is the rule fit to say so."""

from collections.abc import Mapping, Sequence

from weakspot.recipes.longtail_gains import FAKE, Judged
from weakspot.recipes.longtail_runs import PLANTED, name_of
from weakspot.recipes.sweeps import POINT, Swept
from weakspot.recipes.tables import Row

SOURCE = ("cosine", "cosine-margin", "cdt", "tde", "robal-n", "robal-r")
"""The source's methods."""
LOSES = "robal-r-x10"
"""RoBal with ten times its logits: what the scale alone gave it is gone."""
MOST_ALARMS = 0.1


def confirmed(judged: Mapping[str, Judged]) -> str:
    """Say whether the fake gains of the source are seen."""
    fake = [name for name in SOURCE if name in judged and judged[name].says == FAKE]
    missing = [name for name in (*SOURCE, LOSES) if name not in judged or judged[name].scale is None]
    loses = LOSES in judged and judged[LOSES].says != FAKE
    if fake and loses and LOSES not in missing:
        says = "the source is confirmed"
    elif missing and (loses or LOSES in missing):
        says = f"not decided, {', '.join(missing)} missing"
    else:
        says = "the source is not confirmed"
    listed = ", ".join(fake) if fake else "none"
    kept = ", ".join(f"{name} is {judged[name].says if name in judged else 'missing'}" for name in ("robal-r", LOSES))
    return f"Fake by scale of the source's methods: {listed}; {kept}: {says}."


def fit(counts: Sequence[Row], planned: int) -> str:
    """Say whether the rule flags plain models too often; `counts` are the rows of false alarms, the sum last.

    Args:
        counts: As of `longtail_gains.alarms`.
        planned: The pairs of the plan.

    """
    total = counts[-1]
    flagged, tried = total["flagged by scale"], total["with a sweep"]
    if not tried:
        return "No pair of plain models is there."
    says = "unfit" if flagged > MOST_ALARMS * tried else "fit"
    return (
        f"Of {tried} pairs of plain models ({planned} are planned) the rule flags {flagged} by scale, at most one in "
        f"ten asked for: {says}. The fake gain alone flags {total['fake gain flagged']} of {total['number']}."
    )


def power(judged: Mapping[str, Judged], swept: Mapping[str, Swept]) -> str:
    """Say whether the planted are found."""
    there = [name for name in PLANTED if name in judged and name_of(name) in swept]
    due = [name for name in there if swept[name_of(name)].excess > POINT]
    missed = [name for name in due if judged[name].says != FAKE]
    return (
        f"Planted: {len(there)} of {len(PLANTED)} are there. The scale makes more than a point for "
        f"{', '.join(due) if due else 'none'} of them; not flagged of these: {', '.join(missed) if missed else 'none'}."
    )
