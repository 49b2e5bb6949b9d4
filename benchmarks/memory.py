"""Peak memory of an audit at 1,000 and at 10,000 samples, each in a process of its own.

    python benchmarks/memory.py

The images (64 x 64, colour) are written once to a memory-mapped npz file; the model is a small ResNet with first
weights, the threats are clean, FGSM and a two-step PGD. Results go to benchmarks/results/memory.md and .csv.
"""

import argparse
import csv
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

SIZES = (1000, 10_000)
MOST = 1.2
RESULTS = Path(__file__).parent / "results"
AUDIT = """
import json, resource, sys
import weakspot
from weakspot.models import build
data, limit, out = sys.argv[1:]
model = build("resnet18-w4", channels=3, classes=10, size=64).eval()
run = weakspot.audit(
    model, "npz:" + data, radius="linf:8/255", threats=["fgsm", "pgd(steps=2)"], limit=int(limit), out=out
)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts kilobytes
print(json.dumps({"peak": peak, "rows": len(run.rows)}))
"""


def main():
    """Run both sizes, print and keep the table; exit 1 where the peak grows by more than the budget."""
    with tempfile.TemporaryDirectory() as folder:
        draw = np.random.default_rng(0)
        data = Path(folder) / "images.npz"
        images = draw.integers(0, 256, (max(SIZES), 3, 64, 64), dtype=np.uint8)
        np.savez(data, x=images, y=draw.integers(0, 10, max(SIZES)))
        del images
        peaks = []
        for size in SIZES:
            command = [sys.executable, "-c", AUDIT, str(data), str(size), str(Path(folder) / f"run{size}")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(json.loads(done.stdout.splitlines()[-1])["peak"])
            print(f"{size:>6} samples: {peaks[-1]:.0f} MiB", flush=True)
    ratio = peaks[1] / peaks[0]
    print(f"ratio {ratio:.3f}, budget {MOST}")
    RESULTS.mkdir(exist_ok=True)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    rows = [[size, f"{peak:.0f}", f"{peak / peaks[0]:.3f}", machine] for size, peak in zip(SIZES, peaks, strict=True)]
    header = ["samples", "peak MiB", "ratio", "machine"]
    with (RESULTS / "memory.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    lines = ["| " + " | ".join(str(cell) for cell in cells) + " |" for cells in (header, ["---"] * 4, *rows)]
    (RESULTS / "memory.md").write_text("\n".join(["# Peak memory of an audit", "", *lines]) + "\n")
    return 0 if ratio <= MOST else 1


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sys.exit(main())
