#!/usr/bin/env python3
"""How long a newcomer waits: `weakspot --help` (at most 0.3 s) and `import weakspot` (at most 0.2 s).

    benchmarks/startup.py [RUNS]

Prints the median of RUNS (20) fresh processes beside the bare interpreter's, and exits with 1 beyond a budget.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).parent / "weakspot"
BUDGETS = {
    "python -c pass": ([sys.executable, "-c", "pass"], None),
    "import weakspot": ([sys.executable, "-c", "import weakspot"], 0.2),
    "weakspot --help": ([str(COMMAND), "--help"], 0.3),
    "weakspot audit --help": ([str(COMMAND), "audit", "--help"], 0.3),
}


def seconds(command: list[str]) -> float:
    """One process, from start to end."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(runs: int) -> int:
    """Print the table; 1 if a budget is exceeded."""
    late = False
    for name, (command, budget) in BUDGETS.items():
        seconds(command)  # the first run fills the file cache
        median = statistics.median(seconds(command) for _ in range(runs))
        over = budget is not None and median > budget
        late |= over
        print(
            f"{name:24}{median:7.3f} s" + (f"   budget {budget} s" if budget else "") + ("   TOO SLOW" if over else "")
        )
    return int(late)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=int, nargs="?", default=20)
    sys.exit(main(parser.parse_args().runs))
