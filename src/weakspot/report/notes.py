"""What stands below the tables: failed checks, what is missing, the worst class, findings, protocol, cost."""

from weakspot.report.findings import findings, leading
from weakspot.report.overstated_tables import overstated_warning
from weakspot.report.schema import Doubt, Summary
from weakspot.report.tables import about_the_worst
from weakspot.report.terms import check_name
from weakspot.report.words import printable, protocol, spent

UPPER_BOUND = (
    "Robust accuracy is an upper bound: a stronger attack can only lower it. Intervals (95 %, Wilson; under several "
    "corruptions images are resampled) cover the sampling of images, not an attack that missed something."
)


def unchecked(doubt: Doubt) -> bool:
    """Whether a check was left out, so that it says nothing."""
    return doubt["status"] == "skipped"


def notes(summary: Summary, *, whole: bool = True) -> list[tuple[str, str]]:
    """The notes as (style, text), style one of fail, warn, plain and dim; without `whole` the leading findings only."""
    found: list[tuple[str, str]] = [
        (
            doubt["status"],
            f"{doubt['status'].upper()} {printable(check_name(doubt['check']))}: {printable(doubt['says'])}",
        )
        for doubt in summary["doubts"]
        if doubt["status"] in ("warn", "fail")
    ]
    if summary["missing"]:
        found.append(("fail", f"INCOMPLETE: {len(summary['missing']):,} planned units are missing."))
    if warning := overstated_warning(summary, whole=whole):
        found.append(("warn", f"WARN {warning}"))
    if (worst := about_the_worst(summary)) is not None:
        found.append(("plain", worst))
    found += [("plain", sentence) for sentence in (findings if whole else leading)(summary)]
    found.append(("dim", f"Rates in per cent with 95 % intervals. {protocol(summary)}."))
    found.append(("dim", f"Cost: {spent(summary)}."))
    if skipped := [doubt["check"] for doubt in summary["doubts"] if unchecked(doubt)]:
        found.append(
            ("dim", f"Not checked: {', '.join(skipped)}; the page says why, and `weakspot doctor --full` runs them.")
        )
    if any(cell["kind"] == "adversarial" for cell in summary["threats"].values()):
        found.append(("dim", UPPER_BOUND))
    return found
