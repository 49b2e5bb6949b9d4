"""What must start fast, or run without torch, does not import it: checked in fresh interpreters."""

import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is blocked here")

sys.meta_path.insert(0, NoTorch())
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


def without_torch(code: str) -> None:
    done = python(BLOCKED + code)
    assert done.returncode == 0, done.stderr


def test_the_block_blocks() -> None:
    assert "torch is blocked here" in python(BLOCKED + "import torch").stderr


def test_import_weakspot() -> None:
    without_torch("import weakspot")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["audit", "--help"], ["report", "--help"], ["adit"]], ids=" ".join
)
def test_command_line_answers_without_torch(arguments: list[str]) -> None:
    without_torch(f"import weakspot.cli\nassert weakspot.cli.main({arguments!r}) in (0, 2)")


def test_public_names_are_functions_before_and_after_first_use() -> None:
    """A submodule of the same name would replace the function once it is imported."""
    code = (
        "import weakspot\n"
        "for _ in range(2):\n"
        "    for name in weakspot.__all__:\n"
        "        assert callable(getattr(weakspot, name)), name\n"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr


SOURCE = Path(__file__).parents[2] / "src"
LIGHT = ["weakspot.outcomes", "weakspot.store", "weakspot.config", "weakspot.registry"] + [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for floor in ("analysis", "report")
    for path in sorted((SOURCE / "weakspot" / floor).rglob("*.py"))
]


def test_rows_analysis_and_report_import_no_torch() -> None:
    without_torch("import importlib\n" + "\n".join(f"importlib.import_module({module!r})" for module in LIGHT))
