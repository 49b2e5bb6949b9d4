"""Our corruptions against imagecorruptions-imaug: images per second at 32x32, side by side in one run.

    python benchmarks/corruptions.py [--data ADDRESS] [--limit 256] [--rounds 3] [--threads 1]

Both sides corrupt the same images on the same cores with as many threads each, turn by turn for every corruption and
severity. The opponent takes one uint8 image at a time and has ImageNet's constants only, so ours are timed twice: with
the constants for 32x32, which is what an audit runs, and with ImageNet's. Time is the process's CPU time (wall clock on
idle cores, for one thread), the median over the rounds; each side's first use (compilers, tables) is not counted. The
table goes to benchmarks/results/corruptions.{md,csv}.
"""

import argparse
import csv
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import cv2
import torch
from imagecorruptions import corrupt

from weakspot import load_data
from weakspot.threats.corruptions import CORRUPTIONS, SEVERITIES, levels

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data" / "cifar10"
SIDES = ("opponent", "ours", "ours, ImageNet's constants")


def spent(action: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def with_large_constants(action: Callable[[], object]) -> None:
    """Call with no image counting as small."""
    side, levels.SMALL_SIDE = levels.SMALL_SIDE, 0
    try:
        action()
    finally:
        levels.SMALL_SIDE = side


def time_cell(name: str, severity: int, images: torch.Tensor, rounds: int) -> list[float]:
    """Each side's median seconds per image for one corruption and severity."""
    stack = (images * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    function, sample = CORRUPTIONS[name].function, torch.arange(len(images))

    def ours() -> None:
        function(images, severity, sample, 0)

    def theirs() -> None:
        for image in stack:
            corrupt(image, severity, name)

    sides = [theirs, ours, lambda: with_large_constants(ours)]
    corrupt(stack[0], severity, name)
    ours()
    with_large_constants(ours)
    seconds = [[spent(side) for side in sides] for _ in range(rounds)]
    return [statistics.median(turn) / len(images) for turn in zip(*seconds, strict=True)]


def machine() -> str:
    """The processor's name and number of cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def line(label: str, seconds: list[float]) -> list[str]:
    """One row: the label, images per second of each side, and the two ratios."""
    rates = [f"{1 / second:,.0f}" for second in seconds]
    return [label, *rates, *(f"{seconds[0] / second:.1f}" for second in seconds[1:])]


def mean_line(label: str, names: list[str], cells: dict[tuple[str, int], list[float]]) -> list[str]:
    """A row over all severities of some corruptions: as many images per second as the total time allows."""
    chosen = [cells[name, severity] for name in names for severity in SEVERITIES]
    return line(label, [statistics.fmean(side) for side in zip(*chosen, strict=True)])


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=f"parquet:{SHARED}")
    parser.add_argument("--limit", type=int, default=256, help="images; 256 is the block of an audit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    images = load_data(options.data).batch(range(options.limit))
    cells = {}
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            cells[name, severity] = time_cell(name, severity, images, options.rounds)
        print(*mean_line(name, [name], cells), sep="\t", flush=True)
    fifteen = [name for name, entry in CORRUPTIONS.items() if entry.group == "15"]
    rows = [mean_line(name, [name], cells) for name in fifteen]
    rows.append(mean_line("**all 15 x 5**", fifteen, cells))
    rows.append(mean_line("all but frost", [name for name in fifteen if name != "frost"], cells))
    rows += [mean_line(f"extra: {name}", [name], cells) for name in CORRUPTIONS if name not in fifteen]
    write(rows, cells, options)


def write(rows: list[list[str]], cells: dict[tuple[str, int], list[float]], options: argparse.Namespace) -> None:
    """The Markdown table, by corruption, and the CSV, by corruption and severity."""
    packages = ("torch", "numpy", "imagecorruptions-imaug", "opencv-python", "scikit-image", "numba", "pillow")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    head = ["images per second", *SIDES, "ratio", "ratio, ImageNet's constants"]
    table = [f"| {' | '.join(row)} |" for row in (head, ["---", *["---:"] * (len(head) - 1)], *rows)]
    height, width = load_data(options.data).shape[1:]
    text = [
        "# Corruptions: images per second",
        "",
        f"{options.limit} images of {height}x{width}, severities 1 to 5, {options.threads} thread(s), median of "
        f"{options.rounds} rounds of CPU time. {machine()}. {versions}. Python {platform.python_version()}.",
        "",
        *table,
        "",
        "The opponent is imagecorruptions-imaug, one image at a time. Most of its time for frost goes into reading a",
        "photograph from a file for each image; ours has procedural textures (not comparable with published frost).",
        "",
        "Made by `python benchmarks/corruptions.py`.",
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "corruptions.md").write_text("\n".join(text) + "\n")
    with (RESULTS / "corruptions.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["corruption", "severity", *(f"{side}, seconds per image" for side in SIDES), "n", "threads"])
        for (name, severity), seconds in cells.items():
            times = (f"{second:.3e}" for second in seconds)
            writer.writerow([name, severity, *times, options.limit, options.threads])
    print("\n".join(text))


if __name__ == "__main__":
    main()
