"""What attraction, directed pairs and corruptions say, as sentences: the same ones in every output."""

from weakspot.addresses import ThreatAddress
from weakspot.report.imbalance_tables import imbalance_sentences
from weakspot.report.latent_tables import latent_sentences
from weakspot.report.overstated_tables import overstated_sentences
from weakspot.report.schema import Pairs, Summary
from weakspot.report.schema_pairs import Agreement, Correlation, Coupling
from weakspot.report.words import NONE, chances, headline, percent, printable, rank

TARGETS = 9
"""Of AutoAttack's targeted parts."""
EXPLAINING = 10
"""After how many pairs it is said what they explain."""


def findings(summary: Summary) -> list[str]:
    """One sentence for each relation that the run can tell something about."""
    found = []
    name, _ = headline(summary)
    if (coupled := summary["relations"]["coupling"].get(name)) is not None:
        found += coupling(name, coupled)
    found += agreements(summary) + overstated_sentences(summary)
    found += substitutes(summary) + fallbacks(summary)
    if summary["pairs"] is not None:
        found += aimed(summary["pairs"])
    return found + imbalance_sentences(summary) + latent_sentences(summary)


def leading(summary: Summary) -> list[str]:
    """What a short report says of all that: the easiest directed pair, what imbalance does, what is no standard."""
    pairs = [] if summary["pairs"] is None else aimed(summary["pairs"])[:1]
    return pairs + substitutes(summary) + fallbacks(summary) + imbalance_sentences(summary)


def substitutes(summary: Summary) -> list[str]:
    """Which corruptions are not the published ones."""
    found = summary["corrupted"]
    if found is None or not found["substituted"]:
        return []
    return [
        f"{', '.join(found['substituted'])}: drawn with a substitute for what was published, so neither that accuracy "
        "nor means over corruptions are comparable with published ones."
    ]


def fallbacks(summary: Summary) -> list[str]:
    """Where the reference's AutoAttack would have failed."""
    classes = len(summary["data"]["classes"])
    if classes >= TARGETS + 1 or not any(ThreatAddress.of(name).name == "autoattack" for name in summary["threats"]):
        return []
    dlr = ", and the DLR loss without the logits that do not exist" if classes < 4 else ""
    return [
        f"autoattack on {classes} classes: {classes - 1} instead of {TARGETS} targets{dlr}, where the reference's code "
        "fails."
    ]


def correlated(found: Correlation) -> str:
    """A correlation with its interval and what that resamples: -0.41 [-0.83, +0.33] (resampling classes)."""
    if found["value"] is None:
        return "undefined"
    limits = "" if found["low"] is None else f" [{rank(found['low'])}, {rank(found['high'])}]"
    return f"{rank(found['value'])}{limits} (resampling {found['resampled']})"


def coupling(name: str, found: Coupling) -> list[str]:
    """Whether classes that attract errors resist better or worse."""
    if found["over_classes"]["value"] is None:
        return []
    null = "unknown"
    if found["null_mean"] is not None:
        limits = f"[{rank(found['null_low'])}, {rank(found['null_high'])}]"
        null = f"{rank(found['null_mean'])} {limits}, p = {chances(found['p'])}"
    halves = found["split_half"]
    return [
        f"Attraction and accuracy ({name}): rank correlation of CFPS with accuracy "
        f"{correlated(found['over_classes'])}, {correlated(found['over_images'])}. Where no class attracted it would "
        f"be {null}; with CFPS freed from that tie it is {correlated(found['uncoupled'])}.",
        f"Between random halves of the images CFPS repeats with {rank(halves['cfps'])}, accuracy with "
        f"{rank(halves['accuracy'])}; CFPS of one half goes with accuracy of the other by {rank(halves['crossed'])}.",
    ]


def agreements(summary: Summary) -> list[str]:
    """A sentence for each pair of conditions; none where there are no more classes than the weakest ones."""
    return [agreement(each) for each in summary["relations"]["agreement"] if each["by_chance"] < each["k"]]


def agreement(found: Agreement) -> str:
    """Whether the weak classes are the same ones."""
    shared = f"{found['shared']} of the {found['k']} weakest are the same ones ({found['by_chance']:.1f} by chance)"
    if found["shared"] is None:
        shared = f"{NONE} of the {found['k']} weakest are the same ones (undefined: the next weakest is equal)"
    return (
        f"Weak classes, {found['first']} and {found['last']}: {shared}; rank correlation of accuracies "
        f"{correlated(found['correlation'])}."
    )


def aimed(pairs: Pairs) -> list[str]:
    """What the directed pairs say beyond their table."""
    top = pairs["top"][0]
    found = [
        f"Easiest directed pair: {printable(top['source'])} to {printable(top['target'])}, {percent(top['success'])} % "
        f"of {top['samples']:,} images ({top['already']:,} already when clean); back: {percent(top['back'])} %."
    ]
    if pairs["aimed"] < pairs["possible"]:
        classes = len(pairs["targets"])
        found.append(
            f"Not every image was aimed at every class: {pairs['possible'] - pairs['aimed']:,} of "
            f"{pairs['possible']:,} combinations of an image and a class were left out and count as not reached: the "
            f"shares are lower bounds; {classes * (classes - 1) - pairs['attacked']:,} of {classes * (classes - 1):,} "
            "pairs were aimed at from no image."
        )
    if pairs["explained"] is not None:
        first = min(EXPLAINING, len(pairs["explained"]))
        found.append(
            f"The {first} easiest of {pairs['attacked']:,} directed pairs hold "
            f"{percent(pairs['explained'][first - 1])} % of the errors under attacks that aim at nothing "
            f"({percent(first / pairs['attacked'])} % if all pairs were alike)."
        )
    if pairs["hub_cfps"] is not None:
        found.append(
            "Classes that others are driven into (hubs), and CFPS under the attacks that aim at nothing: "
            f"{correlated(pairs['hub_cfps'])}."
        )
    if pairs["exposure_accuracy"] is not None:
        found.append(
            "Classes whose images are driven elsewhere (exposure), and accuracy under the attacks that aim at nothing: "
            f"{correlated(pairs['exposure_accuracy'])}."
        )
    return found
