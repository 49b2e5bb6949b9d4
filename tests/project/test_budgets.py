"""Size budgets: a file is one idea, a function fits on a screen, and nothing is called utils."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "weakspot"
FILES = sorted(SOURCE.rglob("*.py"))
LINES = 300
FUNCTION, THREAT = 60, 80
DUMPING_GROUNDS = {"utils.py", "util.py", "helpers.py", "common.py", "misc.py"}


def name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 20


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LINES
    assert path.name not in DUMPING_GROUNDS
    assert ast.get_docstring(tree), "a module says what it is for"
    most = THREAT if "threats" in path.relative_to(SOURCE).parts else FUNCTION
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # The signature and the docstring of a public function are its manual: only what it does is counted.
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert lines <= most, f"{node.name} has {lines} lines"


def test_no_machine_specific_text() -> None:
    """What is committed must make sense on any machine."""
    root = SOURCE.parents[1]
    kinds = ("*.py", "*.md", "*.toml", "*.txt", "*.yaml", "*.cff", "Makefile")
    for folder in ("src", "tests", "docs", "benchmarks", "examples", "tools", "."):
        for kind in kinds:
            found = (root / folder).glob(kind) if folder == "." else (root / folder).rglob(kind)
            for path in found:
                assert "/" + "work/" not in path.read_text(), path
