"""Runs that nobody made: manifests and rows drawn from a seed, with a weak class and pairs that attract each other.

`python tests/report/synthetic_runs.py FOLDER` writes a report to look at.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from weakspot.outcomes import Outcomes
from weakspot.store import write_json, write_unit

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
QUICK = ("pgd@linf:8/255", "apgd-ce@linf:8/255", "apgd-dlr@linf:8/255")
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "snow",
    "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression",
)  # fmt: skip
BLOCK = 256
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><img src=x onerror=\"document.title='owned'\">",
    '<b>bold</b> &amp; <a href="javascript:alert(1)">link</a>',
    "{{ 7*7 }} {% raw %} %{y}",
    '\\input{x} $a_b$ #1 {x} ~ ^ & % "',
    "*star* | pipe `code` [text](http://example.org)",
    "=1+1",
    "line\nbreak\x1b[31m red \u202e reversed",
    "[red]markup[/red]",
    "#1d2127",
    "",
    "same name",
    "same name",
    "a name that is much longer than any name of a class ought to be, and then some more of it",
)
"""Names that a page, a table or a terminal could stumble over."""


def manifest(classes, attacks=QUICK, samples=2000, corruptions=()) -> dict[str, Any]:
    """A manifest with the threat "clean" before `attacks` and `corruptions`."""
    threats = [{"address": "clean", "kind": "clean", "radius": None, "comparable": True}]
    for address in attacks:
        radius = address.partition("@")[2] or None
        threats.append({"address": address, "kind": "adversarial", "radius": radius, "comparable": True})
    for address in corruptions:
        threats.append({"address": address, "kind": "corruption", "radius": None,
                        "comparable": not address.startswith("frost")})  # fmt: skip
    units = [
        {
            "threat": threat["address"],
            "block": block,
            "start": start,
            "stop": min(start + BLOCK, samples),
            "file": f"outcomes/t{t}/{block:05d}-0123456789ab.parquet",
        }
        for t, threat in enumerate(threats)
        for block, start in enumerate(range(0, samples, BLOCK))
    ]
    return {
        "schema": 1,
        "weakspot": "0.1.0",
        "verb": "audit",
        "config": {"preset": "quick", "radius": ["linf:8/255"], "limit": samples, "precision": "auto"},
        "model": {
            "address": "resnet18-w16",
            "weights": "models/cifar10_trades.safetensors",
            "class": "weakspot.models.zoo.ResNet",
            "digest": "5f1d7a84db00d2fce00b31a7fc73224f" * 2,
            "parameters": 701466,
        },
        "data": {
            "name": "cifar10",
            "split": "test",
            "classes": list(classes),
            "samples": samples,
            "shape": [3, 32, 32],
            "digest": "3b5d5c3712955042212316173ccf37be" * 2,
            "counts": [samples // len(classes)] * len(classes),
        },
        "threats": threats,
        "units": units,
        "seed": 0,
        "environment": {"python": "3.11.9", "torch": "2.13.0", "device": "cpu", "threads": 2, "platform": "Linux"},
    }


def full(classes=CIFAR, samples=2000) -> dict[str, Any]:
    """A manifest with attacks at two radii, directed pairs, and the 15 corruptions at five severities."""
    attacks = (*QUICK, "pairs@linf:8/255", "pgd@linf:4/255")
    return manifest(classes, attacks, samples, [f"{name}@{s}" for name in CORRUPTIONS for s in range(1, 6)])


def rows(plan, seed=0, strength=0.36, clean_error=0.12) -> Outcomes:
    """Rows of every threat in `plan`: class 3 is weak, and each class loses most samples to one partner."""
    draw = np.random.default_rng(seed)
    names, samples = plan["data"]["classes"], plan["data"]["samples"]
    classes = len(names)
    label = draw.integers(0, classes, samples)
    weakness = draw.uniform(0.6, 1.3, classes)
    weakness[3 % classes] = 1.7
    partner = (np.arange(classes) + 2) % classes
    partner[5 % classes] = 3 % classes
    hard = draw.random(samples)
    wrong_clean = hard < clean_error * weakness[label]
    stray = (label + draw.integers(1, classes, samples)) % classes
    other = np.where(draw.random(samples) < 0.6, partner[label], stray)
    other = np.where(other == label, (label + 1) % classes, other)
    parts = []
    for t, threat in enumerate(plan["threats"]):
        if threat["kind"] == "corruption":
            parts.append(corrupted(threat["address"], label, hard, weakness, other, draw))
            continue
        if threat["address"].startswith("pairs"):
            parts.append(driven(threat["address"], label, hard, weakness, np.where(wrong_clean, other, label), draw))
            continue
        reach = 0.0 if t == 0 else strength * (1 + 0.1 * np.sin(t))
        broken = wrong_clean | (
            hard < (clean_error + reach) * weakness[label] + draw.normal(0, 0.02, samples) * (t > 0)
        )
        margin = np.where(broken, -1, 1) * draw.exponential(1.0, samples)
        parts.append(
            Outcomes.build(
                sample=np.arange(samples),
                label=label,
                threat=threat["address"],
                prediction=np.where(broken, other, label),
                correct=~broken,
                margin=margin,
                confidence=draw.uniform(0.3, 1, samples),
                runner_up=other,
                distance_linf=0.0 if t == 0 else 8 / 255,
                distance_l2=0.0 if t == 0 else 1.2,
                found_by=np.where(broken & (t > 0), "clean", ""),
                forwards=1 if t == 0 else 21,
                backwards=0 if t == 0 else 20,
            )
        )
    return Outcomes.join(parts)


def corrupted(address, label, hard, weakness, other, draw) -> Outcomes:
    """Rows of one corruption: each severity breaks more of the same images, and noise breaks others than fog."""
    name, _, severity = address.partition("@")
    samples = len(label)
    taste = np.random.default_rng(sum(name.encode())).uniform(0.3, 1.7, len(weakness))
    broken = hard + draw.normal(0, 0.1, samples) < (0.08 + 0.07 * int(severity)) * weakness[label] * taste[label]
    return Outcomes.build(
        sample=np.arange(samples),
        label=label,
        threat=address,
        prediction=np.where(broken, other, label),
        correct=~broken,
        margin=np.where(broken, -1, 1) * draw.exponential(1.0, samples),
        severity=int(severity),
        forwards=1,
    )


def driven(address, label, hard, weakness, clean, draw) -> Outcomes:
    """Rows of an attack at each other class: a class is reached more easily the nearer its number is above."""
    classes, samples = len(weakness), len(label)
    source = np.repeat(np.arange(samples), classes - 1)
    target = (label[source] + np.tile(np.arange(1, classes), samples)) % classes
    reach = 0.12 + 0.4 * weakness[label[source]] / (1 + (target - label[source]) % classes)
    hit = (hard[source] + draw.normal(0, 0.05, len(source)) < reach) & (clean == label)[source]
    prediction = np.where(hit, target, clean[source])
    correct = prediction == label[source]
    return Outcomes.build(
        sample=source,
        label=label[source],
        threat=address,
        target=target,
        prediction=prediction,
        correct=correct,
        margin=np.where(correct, 1, -1) * draw.exponential(1.0, len(source)),
        found_by=np.where((clean != label)[source], "clean", np.where(correct, "", "pairs")).astype(object),
    )


def without(plan, table, files) -> Outcomes:
    """The rows that are left when the units in `files` do not exist."""
    keep = np.ones(len(table), dtype=bool)
    for unit in plan["units"]:
        if unit["file"] in files:
            keep &= ~(
                (table.threat == unit["threat"]) & (table.sample >= unit["start"]) & (table.sample < unit["stop"])
            )
    return table.where(keep)


def doubts(worst="warn") -> list[dict[str, Any]]:
    """Findings of some checks, the last one with the status `worst`."""
    return [
        {"check": "eval mode", "status": "ok", "figure": None, "threshold": None, "says": "the model is in eval mode"},
        {"check": "logits", "status": "ok", "figure": 14.2, "threshold": 1.0, "says": "rows do not sum to 1"},
        {"check": "determinism", "status": "ok", "figure": 0.0, "threshold": 1e-6, "says": "two runs agree"},
        {
            "check": "input gradients",
            "status": worst,
            "figure": 0.062,
            "threshold": 0.05,
            "says": "6.2 % of the images have a gradient of zero: attacks that follow it may be blind there",
        },
    ]


def found(plan, table, size=32, seed=0):
    """Found images: soft blobs of their class's colour, up to four per cell of the confusion and threat."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    seen: dict[tuple[str, int, int], int] = {}
    for i in np.flatnonzero(~table.correct & (table.threat != "clean")):
        cell = (table.threat[i], int(table.label[i]), int(table.prediction[i]))
        seen[cell] = seen.get(cell, 0) + 1
        if seen[cell] > 4:
            continue
        centre, colour = draw.uniform(0.3, 0.7, 2), draw.uniform(0.2, 1, (3, 1, 1))
        blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) * draw.uniform(8, 30))
        clean = np.clip(0.15 + colour * blob + draw.normal(0, 0.03, (3, size, size)), 0, 1)
        clean = np.round(clean * 255).astype(np.uint8)
        sign = np.sign(draw.normal(0, 1, (3, size, size)) + 2 * np.sin(9 * x + 7 * y))
        attacked = np.clip(clean / 255 + sign * 8 / 255, 0, 1).astype(np.float32)
        yield {
            "threat": table.threat[i],
            "sample": int(table.sample[i]),
            "label": cell[1],
            "prediction": cell[2],
            "margin": float(table.margin[i]),
            "clean": clean,
            "attacked": attacked,
        }


def write(folder, plan, table, doubts=()) -> Path:
    """A run folder with these rows, as an audit leaves it; units without rows are missing."""
    write_json(folder / "manifest.json", plan)
    write_json(folder / "doubts.json", list(doubts))
    for unit in plan["units"]:
        mine = (table.threat == unit["threat"]) & (table.sample >= unit["start"]) & (table.sample < unit["stop"])
        if mine.any():
            write_unit(folder / unit["file"], table.where(mine))
    return folder


if __name__ == "__main__":
    from weakspot.report.html import write_html
    from weakspot.report.summary import summarise

    plan = full()
    table = rows(plan)
    write_html(Path(sys.argv[1]) / "report.html", summarise(plan, table, doubts()), plan, found(plan, table))
