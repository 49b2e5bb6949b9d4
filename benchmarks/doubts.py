"""Which doubts notice which planted fault, and which disturb an honest model: a table check x model, and what it costs.

    python benchmarks/doubts.py [--limit 500] [--skip-real]

The planted models are those of the tests (tests/planted.py, tests/broken.py). The other tables audit real models with
the presets `quick` and `standard` and measure what the checks after such an audit cost: the packaged model, and the
public checkpoints of ../shared/models where that folder is there. It exits with 1 if a plant goes unnoticed, an honest
model fails a check or the checks of a real audit cost more than 15 %. The tables go to benchmarks/results/doubts.md.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import broken
import planted
from weakspot import load_data, load_model
from weakspot.addresses import Radius
from weakspot.contracts import Data
from weakspot.data import limit as first_of
from weakspot.doubts import CHECKS, Context, Finding, examine, gather
from weakspot.threats import PRESETS

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared"
MARKS = {"ok": "·", "warn": "w", "fail": "F"}
LEGEND = """`·` ok, `w` warns, `F` fails, blank: not checked (the finding says why). A bold mark is the plant that the
check exists for."""


@dataclass
class Spent:
    """Model evaluations, a backward counted as two."""

    evaluations: int = 0


@contextmanager
def counting(model: nn.Module) -> Iterator[Spent]:
    """Count what a model is asked; copies of it (the float64 twin) count into the same sum."""
    spent = Spent()

    def asked(_: nn.Module, given: tuple[torch.Tensor], logits: torch.Tensor) -> None:
        samples = len(given[0])
        spent.evaluations += samples

        def answered(_: torch.Tensor) -> None:
            spent.evaluations += 2 * samples

        if logits.requires_grad:
            logits.register_hook(answered)

    hook = model.register_forward_hook(asked)
    try:
        yield spent
    finally:
        hook.remove()


def findings(context: Context, threats: tuple[str, ...]) -> dict[str, Finding]:
    """All checks on a planted model, after an audit by `threats` if the model can be audited."""
    with suppress(ValueError, RuntimeError):  # NaN logits, no gradient
        context = planted.with_rows(context, threats)
    return {found.check: found for found in examine(context, "full")}


def mark(found: Finding | None, wanted: bool) -> str:
    """One cell of the table."""
    if found is None or found.status == "skipped":
        return ""
    return f"**{MARKS[found.status]}**" if wanted else MARKS[found.status]


def planted_table() -> tuple[list[str], list[str]]:
    """The lines of the table check x model, and what is wrong with it."""
    rows, wrong = [], []
    for name, make in planted.HONEST.items():
        found = findings(planted.context_of(make(), samples=256), planted.QUICK)
        rows.append([f"honest: {name}", *(mark(found.get(check), False) for check in CHECKS)])
        wrong += [f"{id} fails on the honest {name}: {f.says}" for id, f in found.items() if f.status == "fail"]
        print(rows[-1][0], flush=True)
    for name, plant in broken.BROKEN.items():
        found = findings(planted.context_of(plant.make(), samples=256), plant.threats)
        rows.append([name, *(mark(found.get(check), check in plant.noticed_by) for check in CHECKS)])
        wrong += [f"{id} does not notice {name}" for id in plant.noticed_by if found[id].status in ("ok", "skipped")]
        print(rows[-1][0], flush=True)
    found = leaving()
    rows.append(["a threat that leaves its set", *(mark(found.get(check), check == "T4") for check in CHECKS)])
    wrong += [] if found["T4"].status == "fail" else ["T4 does not notice a threat that leaves its set"]
    head = [["model", *CHECKS], ["---", *[":-:"] * len(CHECKS)]]
    return [f"| {' | '.join(row)} |" for row in head + rows], wrong


def leaving() -> dict[str, Finding]:
    """The cheap checks on the rows of a threat that returns images outside its ball."""
    context = planted.context_of(planted.HONEST["mlp"]())
    rows, _ = planted.measured(context, broken.Leaving())
    return {found.check: found for found in examine(replace(context, rows=rows), "doctor")}


def real_models(samples: int, preset: str = "quick") -> Iterator[tuple[str, nn.Module, Data]]:
    """Real models with the first test images of their data.

    LeNet-5 is audited with `quick` only: Square finds something on it, so `standard` widens and takes many minutes.
    """
    fashion = first_of(load_data("fashion-mnist-mini", split="test"), samples)
    yield "packaged cnn, Fashion-MNIST", load_model(data=fashion).module, fashion
    if not SHARED.is_dir():
        return
    mnist = replace(load_data(f"idx:{SHARED / 'data' / 'mnist'}", split="test"), radius="linf:0.3")
    folder = SHARED / "models"
    for name, model, weights, data in (
        ("Wong-Kolter small, Fashion-MNIST", "small-cnn", "wongkolter_fashion_mnist_small.pth", fashion),
        ("LeNet-5 adversarial, MNIST", "lenet5", "advertorch_mnist_lenet5_adversarial.pt", first_of(mnist, samples)),
    ):
        if preset == "quick" or model != "lenet5":
            yield name, load_model(model, weights=folder / weights, data=data).module, data


def real_table(samples: int, preset: str) -> tuple[list[str], list[str]]:
    """The lines of the table of costs, and what is wrong with it."""
    head = ["model", "radius", "evaluations of the audit", "of the checks", "share", "seconds of the audit",
            "of the checks", "share", "not ok", "not checked"]  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"| --- | --- {'| ---: ' * 6}| --- | --- |"]
    wrong: list[str] = []
    for name, model, data in real_models(samples, preset):
        radius = Radius.of(data.radius or "")
        whole = gather(model, data, radius, samples=samples)
        start = time.process_time()
        with counting(model) as audit:
            whole = planted.with_rows(whole, PRESETS[preset])
        middle = time.process_time()
        with counting(model) as checks:
            found = examine(replace(whole, rows=whole.rows), "audit")
        seconds = middle - start, time.process_time() - middle
        share = checks.evaluations / audit.evaluations
        doubtful = ", ".join(f"{f.check} {f.status}" for f in found if f.status in ("warn", "fail")) or "none"
        skipped = ", ".join(f.check for f in found if f.status == "skipped") or "none"
        counts = [f"{audit.evaluations:,}", f"{checks.evaluations:,}", f"{share:.1%}"]
        times = [f"{seconds[0]:.1f}", f"{seconds[1]:.1f}", f"{seconds[1] / seconds[0]:.1%}"]
        cells = [name, str(radius), *counts, *times, doubtful, skipped]
        lines.append(f"| {' | '.join(cells)} |")
        wrong += [f"{f.check} fails on {name}: {f.says}" for f in found if f.status == "fail"]
        dearer = max(share, seconds[1] / seconds[0])
        wrong += [f"the checks cost {dearer:.1%} of the audit of {name}"] if dearer > 0.15 else []
        print(lines[-1], flush=True)
        for finding in found:
            print("  ", finding.check, finding.status, finding.says, flush=True)
    return lines, wrong


def main() -> int:
    """Make both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--limit", type=int, default=500, help="samples of each real audit")
    parser.add_argument("--skip-real", action="store_true", help="the planted models only")
    options = parser.parse_args()
    with broken.planted_threats():
        table, wrong = planted_table()
    text = ["# Doubts: check x model", "", f"{machine()}.", "", LEGEND, "", *table, ""]
    text += ["| check | what it asks | runs in | model evaluations per sample |", "| --- | --- | --- | ---: |"]
    for check in CHECKS.values():
        cost = "depends on the audit" if callable(check.cost) else f"{check.cost:,}" if check.samples else "0 (rows)"
        text.append(f"| {check.id} | {check.name} | {check.when} | {cost} |")
    if not options.skip_real:
        text += ["", "## What the checks cost after an audit", ""]
        text += [f"{options.limit} samples; a backward counts as two evaluations; CPU seconds."]
        for preset in ("quick", "standard"):
            real, more = real_table(options.limit, preset)
            wrong += more
            text += ["", f"Preset `{preset}`:", "", *real]
    text += ["", "Made by `python benchmarks/doubts.py`."]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "doubts.md").write_text("\n".join(text) + "\n")
    print("\n".join(wrong) or "every plant is noticed, no honest model fails, the checks cost at most 15 %")
    return 1 if wrong else 0


def machine() -> str:
    """What ran it."""
    return f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    sys.exit(main())
