"""The pages of the psi pilot: tables and verdicts as Markdown, psi of every class as CSV, four figures."""

import csv
from pathlib import Path

import numpy as np
import psi_claims as claims
import psi_figures
from psi_pilot import SEEDS, SETTINGS

from weakspot.analysis.psi import psi_figures as figures_of
from weakspot.explaining.measure import FORMS
from weakspot.recipes.psi_measure import GRADIENTS, LADDER, STEPS
from weakspot.recipes.psi_resampling import graded as graded_of
from weakspot.recipes.psi_resampling import limits, resamples, tau

DOCS = Path(__file__).parents[1] / "docs" / "pilots"
ORDER = (("standard", "n-fgsm"), ("n-fgsm", "pgd-at"))
CALLED = {"standard": "natural", "fgsm-rs": "FGSM (RS)", "n-fgsm": "N-FGSM", "pgd-at": "PGD"}
MAIN = {"fashion-mnist": "cnn", "cifar10": "resnet18-w8"}


def three(found):
    """A value with its interval."""
    value, low, high = found
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"


def table(rows):
    """Markdown."""
    rows = list(rows)
    if not rows:
        return ["Nothing is measured yet."]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def per_seed(found):
    """Cells of each seed, and all seeds together; `found` is by seed an interval."""
    cells = {f"seed {seed}": three(found[seed]) if seed in found else "not measured" for seed in SEEDS}
    whole = len(found) == len(SEEDS)
    return cells, whole


def judged(first, found, null=0.0):
    """A row: what is judged, the intervals, the verdict."""
    cells, whole = per_seed(found)
    verdict = claims.together([claims.verdict(found[seed], null) for seed in found]) if whole else "not complete"
    return {**first, **cells, "verdict": verdict}


def stacked(psi, keys, what):
    """Measurements of several models, (models, images)."""
    return np.stack([psi[key][what] for key in keys])


def order_rows(psi):
    """The order of trainings, by data, form and step."""
    for data, model in MAIN.items():
        for form in FORMS:
            for weaker, stronger in ORDER:
                found = {}
                for seed in SEEDS:
                    one, two = ((data, model, each, seed) for each in (weaker, stronger))
                    if one in psi and two in psi:
                        weights = resamples(psi[one]["label"])
                        found[seed] = claims.order_step(weights, psi[one][form], psi[two][form])
                first = {"data": data, "form": form, "step": f"{CALLED[weaker]} < {CALLED[stronger]}"}
                yield judged(first, found)


def complete(psi, data):
    """Seeds of which all models of a data set are measured, with the keys of the models."""
    for seed in SEEDS:
        keys = [(data, model, method.partition("(")[0], seed)
                for model, methods in SETTINGS[data].models.items() for method in methods]  # fmt: skip
        if all(key in psi for key in keys):
            yield seed, keys


def architecture_rows(psi):
    """Claim 1."""
    for form in FORMS:
        gap, whole, robust_only = {}, {}, {}
        for seed, keys in complete(psi, "fashion-mnist"):
            weights = resamples(psi[keys[0]]["label"])
            natural = [key for key in keys if key[2] == "standard"]
            robust = [key for key in keys if key[2] in ("n-fgsm", "pgd-at")]
            other = [key for key in keys if key[2] != "standard"]
            gap[seed] = claims.apart(weights, stacked(psi, natural, form), stacked(psi, robust, form))
            for found, some in ((whole, keys), (robust_only, other)):
                fooled = ~stacked(psi, some, "attacked")
                found[seed] = claims.agreement(weights, stacked(psi, some, form), fooled)
        yield judged({"form": form, "endpoint": "(a) lowest trained / highest natural psi"}, gap, 1.0)
        yield judged({"form": form, "endpoint": "(b) tau-b with PGD accuracy, all nine"}, whole)
        yield judged({"form": form, "endpoint": "(b) tau-b with PGD accuracy, the six"}, robust_only)


def graded(grids):
    """Seeds whose grid is complete: resamples, names of models, settings of both figures, passes of the rungs."""
    for seed, keys in complete(grids | dict.fromkeys(lenets()), "fashion-mnist"):
        keys = [key for key in keys if grids.get(key) is not None]
        label = grids[keys[0]]["label"]
        passes = {
            "psi": [float(grids[keys[0]][f"passes_{gradients}"]) for gradients in LADDER],
            "pgd": [2.0 * gradients + 2 for gradients in LADDER],
        }
        yield seed, keys, label, graded_of([grids[key] for key in keys], GRADIENTS, LADDER, STEPS), passes


def lenets():
    """The models without a grid."""
    return [("fashion-mnist", "lenet5", method, seed) for method in ("standard", "n-fgsm") for seed in SEEDS]


def stability(grids):
    """Claim 2: by seed, tau-b of each setting in each figure and what else is said; and the endpoint."""
    found = {}
    for seed, _, label, settings, _ in graded(grids):
        weights = resamples(label)
        taus, said = {}, {}
        for figure, (names, arrays, _, reference) in settings.items():
            taus[figure] = claims.moves(weights, arrays, reference)
            known, turned = claims.flips(weights, arrays, reference)
            values = 1 / arrays.mean(-1) if figure == "psi" else 1 - arrays.mean(-1)
            spread = (values.max(0) / values.min(0)) if figure == "psi" else values.max(0) - values.min(0)
            said[figure] = {
                "seed": seed, "figure": "psi (B)" if figure == "psi" else "PGD accuracy",
                "tau-b, mean of settings": three(limits(taus[figure].mean(1))),
                "lowest": f"{taus[figure][0].min():.2f} ({names[int(taus[figure][0].argmin())]})",
                "pairs told apart": f"{known} of {reference.shape[0] * (reference.shape[0] - 1) // 2}",
                "of them turned round, mean and most": f"{100 * turned.mean():.1f} %, {100 * turned.max():.0f} %",
                "the figure moves by": f"a factor of {np.median(spread):.2f} (median model)" if figure == "psi"
                else f"{100 * np.median(spread):.0f} points (median model)",
            }  # fmt: skip
        difference = limits((taus["psi"] - taus["pgd"]).mean(1))
        found[seed] = (difference, {figure: (settings[figure][0], taus[figure][0]) for figure in taus}, said)
    return found


def costs(grids):
    """Claim 3: by seed and figure, passes, tau-b of each rung, the stable rung, and what a reliable ranking costs."""
    found = {}
    for seed, _, label, settings, passes in graded(grids):
        found[seed] = {}
        for figure, (_, _, rungs, reference) in settings.items():
            taus = tau(-rungs.mean(-1), -reference.mean(-1))
            cheapest, tried = claims.dearest_reliable(label, rungs, reference, passes[figure])
            found[seed][figure] = (passes[figure], taus, claims.first_stable(taus, passes[figure]), cheapest, tried)
    return found


def cost_rows(found):
    """Claim 3 as rows."""
    for seed, figures in found.items():
        for figure, (passes, taus, stable, cheapest, _) in figures.items():
            yield {
                "seed": seed, "figure": "psi (B)" if figure == "psi" else "PGD accuracy",
                "tau-b of the rungs": ", ".join(f"{t:.3f} ({p:.0f})" for p, t in zip(passes, taus, strict=True)),
                "stable from": "not on this ladder" if stable is None else f"{stable:.0f} passes",
                "passes times images for an expected tau-b of 0.8": "not reached" if cheapest is None
                else f"{cheapest:,.0f}",
            }  # fmt: skip


def cost_verdict(found):
    """Claim 3: psi less PGD; a figure that is never stable costs more than the ladder."""
    said = []
    for figures in found.values():
        psi, pgd = (figures[figure][2] or np.inf for figure in ("psi", "pgd"))
        said.append("open" if psi == pgd else "yes" if psi < pgd else "no")
    return claims.together(said) if len(said) == len(SEEDS) else "not complete"


def class_entries(psi, classes):
    """A row for each model, form and class: psi with intervals."""
    for (data, model, method, seed), found in psi.items():
        names = classes[data]
        for form in FORMS:
            overall, each = figures_of(found[form], found["label"], len(names), seed=0)
            for name, entry in zip(("all", *names), (overall, *each), strict=True):
                value = entry.inverse_mean
                yield {
                    "data": data, "architecture": model, "training": method, "seed": seed, "form": form, "class": name,
                    "images": entry.samples, "psi": f"{value.value:.4g}", "low": f"{value.low:.4g}",
                    "high": f"{value.high:.4g}", "median": f"{entry.median.value:.4g}",
                    "low_quantile": f"{entry.low_quantile.value:.4g}", "still": entry.still,
                }  # fmt: skip


def model_rows(psi, entries):
    """A row for each model: accuracies and psi."""
    overall = {(e["data"], e["architecture"], e["training"], e["seed"], e["form"]): e
               for e in entries if e["class"] == "all"}  # fmt: skip
    for key, found in psi.items():
        cells = {}
        for form in FORMS:
            entry = overall[(*key, form)]
            cells[f"psi {form}"] = f"{float(entry['psi']):.3g} [{float(entry['low']):.3g}, {float(entry['high']):.3g}]"
        yield {
            "data": key[0], "architecture": key[1], "training": CALLED[key[2]], "seed": key[3],
            "clean": f"{100 * found['clean'].mean():.0f}", "PGD-20": f"{100 * found['attacked'].mean():.0f}", **cells,
        }  # fmt: skip


def class_rows(entries):
    """Form B, class by class: the middle seed and the range over seeds of each training of the main architecture."""
    for data, model in MAIN.items():
        mine = [e for e in entries if (e["data"], e["architecture"], e["form"]) == (data, model, "B")]
        for name in dict.fromkeys(e["class"] for e in mine):
            row, by_training = {"data": data, "class": name}, {}
            for method in ("standard", "n-fgsm", "pgd-at"):
                values = [float(e["psi"]) for e in mine if (e["class"], e["training"]) == (name, method)]
                by_training[method] = {e["seed"]: float(e["psi"]) for e in mine
                                       if (e["class"], e["training"]) == (name, method)}  # fmt: skip
                row[CALLED[method]] = (
                    f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})" if values else "-"
                )
            shared = set.intersection(*(set(each) for each in by_training.values()))
            held = sum(
                by_training["standard"][seed] < by_training["n-fgsm"][seed] < by_training["pgd-at"][seed]
                for seed in shared
            )
            yield {**row, "seeds in the claimed order": f"{held} of {len(shared)}"}


def invariance_rows(psi):
    """What multiplying the logits by 10 does to the mean divergence of 20 images: the least and the most of a form."""
    for form in FORMS:
        factors = [float(found[f"tenfold_{form}"]) for found in psi.values()]
        yield {
            "form": form, "models": len(factors),
            "mean divergence with logits x 10, as a multiple": f"{min(factors):.7g} to {max(factors):.7g}",
        }  # fmt: skip


def missing(psi):
    """What the plan asks for and is not measured, as a sentence."""
    said = []
    for data, setting in SETTINGS.items():
        for model, methods in setting.models.items():
            for method in (each.partition("(")[0] for each in methods):
                seeds = [str(seed) for seed in SEEDS if (data, model, method, seed) not in psi]
                if seeds:
                    said.append(f"{data} {model} {CALLED[method]} (seeds {', '.join(seeds)})")
    return f" NOT COMPLETE, the same command goes on; missing are: {'; '.join(said)}." if said else ""


def write_page(psi, grids, classes):
    """Everything under docs/pilots."""
    entries = list(class_entries(psi, classes))
    order, architectures = list(order_rows(psi)), list(architecture_rows(psi))
    stable, cost = stability(grids), costs(grids)
    whole = sum(len(methods) for one in SETTINGS.values() for methods in one.models.values()) * len(SEEDS)
    text = [
        "# Pilot of psi", "",
        "Made by `python studies/psi_pilot.py`; models, sizes, endpoints and rules are those of "
        f"[the plan](psi-plan.md). Measured are {len(psi)} of {whole} models. psi = 1 / the mean of the largest "
        "divergence found in the ball; 95 % intervals of images resampled within their classes; seeds are never "
        "pooled. Yes and no are seeds whose interval lies on the claimed side, or on the other." + missing(psi), "",
        "## Order: natural < N-FGSM < PGD", "", "ln of the ratio of psi; above 0 as claimed.", "", *table(order), "",
        "![psi of each training](psi-order.png)", "",
        "## Claim 1: comparable across architectures", "", *table(architectures), "",
        "![psi against PGD accuracy](psi-architectures.png)", "",
        *table(invariance_rows(psi)), "",
        "## Claim 2: stable where attack accuracy moves", "",
        *table([judged({"endpoint": "tau-b with the reference, mean of 28 settings: psi less PGD accuracy"},
                       {seed: found[0] for seed, found in stable.items()})]), "",
        *table(row for _, _, said in stable.values() for row in said.values()), "",
        "![rank agreement over settings](psi-settings.png)", "",
        "## Claim 3: cost", "", f"Verdict: {cost_verdict(cost)}.", "", *table(cost_rows(cost)), "",
        "![rank agreement against passes](psi-cost.png)", "",
        "## Classes, form B", "",
        "The middle of the seeds and their range; intervals over images stand in [the CSV](psi.csv).", "",
        *table(class_rows(entries)), "",
        "## Models", "", "Accuracies in per cent.", "", *table(model_rows(psi, entries)), "",
    ]  # fmt: skip
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / "psi.md").write_text("\n".join(text), encoding="utf-8")
    with (DOCS / "psi.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(entries[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
    psi_figures.draw(DOCS, psi, entries, stable, cost, CALLED, MAIN)
