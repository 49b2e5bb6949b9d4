"""Documentation cannot go stale: the code blocks of README.md and docs/ are run.

A `python` block runs in a fresh interpreter in an empty folder, beside DEMO_FILES. A `console`
block's lines that begin with `$ weakspot` run likewise, one after another, and must end with exit code 0.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(kind, text, id=f"{page.relative_to(ROOT)}:{number}")
    for page in PAGES
    for number, (kind, text) in enumerate(BLOCK.findall(page.read_text()))
]

DEMO_FILES = {
    "my_model.py": """
import torch
from torch import nn

def make():
    with torch.random.fork_rng(devices=[]):
        return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(3 * 2 * 2, 4))
""",
    "my_loader.py": """
import torch
from torch.utils.data import DataLoader, TensorDataset

from my_data import make as images_and_labels
from my_model import make as make_model

images, labels = images_and_labels()
loader = DataLoader(TensorDataset(torch.from_numpy(images), torch.from_numpy(labels)), batch_size=4)
model = make_model()
""",
    "my_data.py": """
import numpy as np

def make():
    images = np.linspace(0, 1, 12 * 3 * 8 * 8, dtype=np.float32).reshape(12, 3, 8, 8)
    return images, np.arange(12) % 4
""",
}
"""What a reader has already: their own model and their own data, tiny."""


def commands(text: str) -> list[str]:
    """The commands of a console block, with their continuation lines."""
    joined = text.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in joined.splitlines() if line.startswith("$ ")]


def run(arguments: list[str], folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    # doctor and gates answer with 1; a reader's tiny model may well be doubted
    assert done.returncode == 0 or (done.returncode == 1 and "doctor" in arguments), done.stderr


@pytest.mark.parametrize("kind, text", BLOCKS)
def test_block(kind: str, text: str, tmp_path: Path) -> None:
    for name, content in DEMO_FILES.items():
        (tmp_path / name).write_text(content)
    if kind == "python":
        run([sys.executable, "-W", "error", "-c", text], tmp_path)
        return
    for command in commands(text):
        if command.startswith("weakspot "):
            run(shlex.split(command, comments=True), tmp_path)


def test_readme_has_blocks_and_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert BLOCK.findall(text)
    assert "make demo" in text
    assert "make test" in text
