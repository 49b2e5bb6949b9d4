"""Tables of how figures of the classes go together: worst class, attraction, weak classes, pairs, corruption errors."""

from weakspot.report.grid import Grid
from weakspot.report.schema import Summary
from weakspot.report.schema_pairs import Correlation
from weakspot.report.words import NONE, cells, chance, chances, headline, limited, percent, points, printable, rank

LISTED = 40
"""Up to this many classes stand one by one."""
FIRST = (1, 3, 10, 30)
"""After how many of the easiest pairs it is listed what they explain."""


def relation_grids(summary: Summary) -> list[Grid]:
    """All of them; those that the run cannot fill are empty."""
    makers = (worst_classes, _errors, _by_class, _coupling, _halves, _agreement, _explained, _hubs, _aimed)
    return [make(summary) for make in makers]


def related(found: Correlation | None) -> str:
    """A rank correlation with its interval: -0.41 [-0.83, +0.33]."""
    if found is None or found["value"] is None:
        return NONE
    limits = "" if found["low"] is None else f" [{rank(found['low'])}, {rank(found['high'])}]"
    return f"{rank(found['value'])}{limits}"


def worst_classes(summary: Summary) -> Grid:
    """The weakest class clean, under what the run is judged by and under corruptions, and how sure that is."""
    wanted = ("clean", "corrupted", headline(summary)[0])
    found = {name: cell["worst_class"] for name, cell in cells(summary).items() if name in wanted}
    known = {name: worst for name, worst in found.items() if worst is not None}
    made = {
        "condition": [printable(name) for name in known],
        "weakest class": [printable(worst["name"]) for worst in known.values()],
        "accuracy": [limited(worst["accuracy"], worst["low"], worst["high"]) for worst in known.values()],
        "corrected": [percent(worst["corrected"]) for worst in known.values()],
        "probability": [chance(worst["probability"]) for worst in known.values()],
    }
    return Grid("How sure the weakest class is", made, ("condition", "weakest class"))


def _errors(summary: Summary) -> Grid:
    found = summary["corrupted"]
    given = [] if found is None else [found["mean_corruption_error"], found["relative_corruption_error"]]
    made = {
        "corruption error": ["mean (mCE)", "added to the clean error (relative mCE)"] if given else [],
        "per cent": [percent(value) for value in given],
    }
    return Grid("Corruption error, not divided by a reference model's", made, ("corruption error",))


def _by_class(summary: Summary) -> Grid:
    found = summary["corrupted"]
    few = found is not None and len(found["classes"]) <= LISTED
    lines = [] if found is None or not few else list(zip(found["classes"], found["relative_errors"], found["slopes"],
                                                         strict=True))  # fmt: skip
    made = {
        "class": [printable(entry["name"]) for entry, _, _ in lines],
        "lost to corruptions": [points(None if lost is None else -lost) for _, lost, _ in lines],
        "per severity": [points(slope) for _, _, slope in lines],
    }
    return Grid("Accuracy that corruptions cost each class, in points", made, ("class",))


def _coupling(summary: Summary) -> Grid:
    found = summary["relations"]["coupling"]
    made = {
        "condition": [printable(name) for name in found],
        "resampling classes": [related(each["over_classes"]) for each in found.values()],
        "resampling images": [related(each["over_images"]) for each in found.values()],
        "if none attracted": [
            NONE if each["null_mean"] is None
            else f"{rank(each['null_mean'])} [{rank(each['null_low'])}, {rank(each['null_high'])}]"
            for each in found.values()
        ],
        "p": [chances(each["p"]) for each in found.values()],
        "freed from that tie": [related(each["uncoupled"]) for each in found.values()],
    }  # fmt: skip
    return Grid("Rank correlation of CFPS with accuracy", made, ("condition",))


def _halves(summary: Summary) -> Grid:
    found = {name: each["split_half"] for name, each in summary["relations"]["coupling"].items()}
    made = {
        "condition": [printable(name) for name in found],
        "CFPS": [rank(each["cfps"]) for each in found.values()],
        "accuracy": [rank(each["accuracy"]) for each in found.values()],
        "CFPS with accuracy": [rank(each["crossed"]) for each in found.values()],
    }
    return Grid("Rank correlation between random halves of the images", made, ("condition",))


def _agreement(summary: Summary) -> Grid:
    # With no more classes than the weakest ones they are shared by necessity.
    found = [each for each in summary["relations"]["agreement"] if each["by_chance"] < each["k"]]
    made = {
        "conditions": [f"{each['first']} and {each['last']}" for each in found],
        "accuracies": [related(each["correlation"]) for each in found],
        "weakest shared": [f"{NONE if each['shared'] is None else each['shared']} of {each['k']}" for each in found],
        "by chance": [f"{each['by_chance']:.1f}" for each in found],
    }
    return Grid("Whether the weak classes are the same ones (rank correlation)", made, ("conditions",))


def _explained(summary: Summary) -> Grid:
    pairs = summary["pairs"]
    shares = [] if pairs is None or pairs["explained"] is None else pairs["explained"]
    listed = [number for number in FIRST if number <= len(shares)]
    made = {
        "easiest pairs": [str(number) for number in listed],
        "of all errors": [percent(shares[number - 1]) for number in listed],
        "if all were alike": [percent(number / pairs["attacked"]) for number in listed] if pairs else [],
    }
    return Grid("Errors of attacks that aim at nothing, in the easiest directed pairs", made, ())


def _hubs(summary: Summary) -> Grid:
    pairs = summary["pairs"]
    found = [] if pairs is None or len(pairs["classes"]) > LISTED else pairs["classes"]
    made = {
        "class": [printable(entry["name"]) for entry in found],
        "hub": [percent(entry["hub"]) for entry in found],
        "exposure": [percent(entry["exposure"]) for entry in found],
    }
    return Grid("Hubs (driven into) and exposure (driven elsewhere), mean success", made, ("class",))


def _aimed(summary: Summary) -> Grid:
    pairs = summary["pairs"]
    found = {} if pairs is None else {"hub and CFPS": pairs["hub_cfps"], "exposure and accuracy":
                                      pairs["exposure_accuracy"]}  # fmt: skip
    known = {name: each for name, each in found.items() if each is not None}
    made = {"untargeted attacks": [*known], "rank correlation": [related(each) for each in known.values()]}
    return Grid("Directed pairs beside attacks that aim at nothing", made, ("untargeted attacks",))
