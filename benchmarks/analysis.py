#!/usr/bin/env python3
"""From stored rows to the summary: 1,000 classes x 50,000 samples x 20 threats in at most 20 s and 2 GB.

    python benchmarks/analysis.py [--classes 1000] [--samples 50000] [--block 256]

Writes a run folder of drawn rows (clean, fourteen attacks, five corruptions; one Parquet file for each threat and
block, as an audit does), then lets a fresh process read and summarise it, and measures that process from its start
to its summary. Exits with 1 beyond a budget; the table goes to benchmarks/results/analysis.md.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from weakspot.outcomes import Outcomes
from weakspot.store import write_json, write_unit

SECONDS, GIGABYTES = 20.0, 2.0
RESULT = Path(__file__).parent / "results" / "analysis.md"
ATTACKS = [f"attack-{n}@linf:{r}/255" for r in (8, 4) for n in range(7)]
CORRUPTIONS = [f"fog@{severity}" for severity in range(1, 6)]
THREATS = ["clean", *ATTACKS, *CORRUPTIONS]


def described(address: str) -> dict[str, object]:
    """A threat's entry in the manifest."""
    place = address.partition("@")[2]
    kind = "clean" if not place else "corruption" if place.isdigit() else "adversarial"
    return {"address": address, "kind": kind, "radius": place if kind == "adversarial" else None, "comparable": True}


def write_run(folder: Path, classes: int, samples: int, block: int) -> None:
    """A run folder whose errors prefer ten neighbours of each class."""
    units = [
        {"threat": threat, "block": at, "start": start, "stop": min(start + block, samples),
         "file": f"outcomes/t{t}/{at:05d}.parquet"}
        for at, start in enumerate(range(0, samples, block))
        for t, threat in enumerate(THREATS)
    ]  # fmt: skip
    names = [f"class {c}" for c in range(classes)]
    write_json(
        folder / "manifest.json",
        {
            "schema": 1,
            "weakspot": "0.1.0",
            "verb": "audit",
            "config": {"block": block},
            "model": {"address": "drawn", "digest": "0" * 64},
            "data": {"name": "drawn", "split": "test", "classes": names, "samples": samples, "shape": [3, 64, 64]},
            "threats": [described(threat) for threat in THREATS],
            "units": units,
            "seed": 0,
            "environment": {},
        },
    )
    random = np.random.default_rng(0)
    label = random.integers(0, classes, samples)
    weak = random.beta(2, 2, classes)[label]
    hard = random.random(samples)
    for t, threat in enumerate(THREATS):
        reach = 0.2 if t == 0 else 0.35 + 0.02 * t
        wrong = (hard < reach * weak * 2) | (random.random(samples) < 0.05)
        near = (label + random.choice([1, 2, 3, 5, 8, 13, 21, 34, 55, 89], samples)) % classes
        other = np.where(random.random(samples) < 0.7, near, random.integers(0, classes, samples))
        prediction = np.where(wrong, other, label)
        rows = Outcomes.build(
            sample=np.arange(samples),
            label=label,
            threat=threat,
            prediction=prediction,
            correct=prediction == label,
            margin=np.where(prediction == label, 1, -1) * random.exponential(1.0, samples),
            confidence=random.random(samples),
            runner_up=near,
            found_by=np.where((prediction == label) | (t == 0), "", "attack").astype(object),
            severity=int(threat[-1]) if threat in CORRUPTIONS else 0,
            forwards=20,
            backwards=20,
        )
        for unit in units:
            if unit["threat"] == threat:
                write_unit(folder / str(unit["file"]), rows.where(slice(unit["start"], unit["stop"])))


MEASURED = """
import json, resource, sys, time
began = time.perf_counter()
from weakspot import open_run
run = open_run(sys.argv[1])
imported = time.perf_counter()
rows = len(run.rows)
read = time.perf_counter()
summary = run.summary
done = time.perf_counter()
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"import": imported - began, "read": read - imported, "summarise": done - read, "rows": rows,
                  "processor": used.ru_utime + used.ru_stime, "gigabytes": used.ru_maxrss / 1024**2,
                  "json": len(json.dumps(summary)) / 1024**2}))
"""


def main() -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--block", type=int, default=256)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "run"
        write_run(folder, given.classes, given.samples, given.block)
        began = time.perf_counter()
        printed = subprocess.run(
            [sys.executable, "-c", MEASURED, str(folder)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        wall = time.perf_counter() - began
    found = json.loads(printed)
    load = os.getloadavg()[0]
    lines = [
        "# From stored rows to the summary",
        "",
        f"`benchmarks/analysis.py`: {given.classes:,} classes x {given.samples:,} samples x {len(THREATS)} threats, "
        f"{found['rows']:,} rows in {len(THREATS) * -(-given.samples // given.block):,} Parquet files; "
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, numpy {np.__version__}.",
        "",
        "| what | measured | budget |",
        "| --- | ---: | ---: |",
        f"| the whole process | {wall:.1f} s | {SECONDS:.0f} s |",
        f"| - importing | {found['import']:.1f} s | |",
        f"| - reading the rows | {found['read']:.1f} s | |",
        f"| - the summary | {found['summarise']:.1f} s | |",
        f"| processor time | {found['processor']:.1f} s | |",
        f"| peak memory | {found['gigabytes']:.2f} GB | {GIGABYTES:.0f} GB |",
        f"| summary.json, without spaces | {found['json']:.1f} MB | |",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if (given.classes, given.samples) == (1000, 50_000):
        RESULT.write_text(text)
    return int(wall > SECONDS or found["gigabytes"] > GIGABYTES)


if __name__ == "__main__":
    sys.exit(main())
