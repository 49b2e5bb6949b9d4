"""A folder with tiny models and data, in which the real command line runs as real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

MODELS = '''
"""Tiny classifiers of 1x6x6 images: weights are drawn once, by number."""

import numpy as np
import torch
from torch import nn


def net(classes=3, seed=0):
    draws = np.random.default_rng(seed)
    made = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(torch.from_numpy(draws.normal(scale=0.4, size=tuple(weight.shape)).astype("float32")))
    return made


def other():
    return net(seed=1)


def two():
    return net(classes=2)


def one():
    return net(classes=1)


class Nan(nn.Module):
    """Breaks on bright images."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, images):
        return self.net(images) + torch.where(images.mean((1, 2, 3)) > 0.52, torch.nan, 0.0)[:, None]


class Flat(nn.Module):
    """Returns one number per image instead of a row of logits."""

    def forward(self, images):
        return images.mean((1, 2, 3))


class Probabilities(nn.Module):
    """Returns the softmax of its logits."""

    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, images):
        return self.net(images).softmax(1)


def large():
    """Wants 3x8x8 images."""
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))


def broken():
    raise RuntimeError("no weights today")


def nothing():
    return None
'''

DATA = '''
"""40 images, whose labels are those of the model `net` for most of them."""

import numpy as np
import torch

from models import net

COUNT = 40


def pixels(seed=0):
    return np.random.default_rng(seed).random((COUNT, 1, 6, 6), dtype=np.float32)


def labelled(classes=3):
    images = pixels()
    with torch.no_grad():
        labels = net(classes)(torch.from_numpy(images)).argmax(1).numpy()
    labels[::7] = (labels[::7] + 1) % classes
    return images, labels


def make():
    return labelled()


def two():
    return labelled(2)


def one():
    return pixels(), np.zeros(COUNT, dtype=np.int64)


def empty_class():
    images, labels = labelled()
    return images[labels != 1], labels[labels != 1]


def nan():
    images, labels = labelled()
    images[3, 0, 2, 2] = np.nan
    return images, labels


def bytes_as_floats():
    images, labels = labelled()
    return images * 255, labels


def negative_label():
    images, labels = labelled()
    labels[5] = -1
    return images, labels


def label_beyond():
    images, labels = labelled()
    labels[5] = 7
    return images, labels


def fractional_labels():
    images, labels = labelled()
    return images, labels + 0.5


def too_few_labels():
    images, labels = labelled()
    return images, labels[:-1]


def no_images():
    images, labels = labelled()
    return images[:0], labels[:0]


def vectors():
    images, labels = labelled()
    return images.reshape(COUNT, 36), labels


def nothing():
    return None
'''


@dataclass(frozen=True)
class Ended:
    """How a process ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The only line on stderr that is not progress."""
        lines = [line for line in self.err.splitlines() if line.startswith("weakspot: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err, self.err
        return lines[0]


class Server:
    """Starts commands as forks of a process that has torch already; see zygote.py."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"},
        )

    def ask(self, request: Mapping[str, object]) -> int:
        """One request, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(json.loads(self.process.stdout.readline()))

    def stop(self) -> None:
        """End the server."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)


@dataclass(frozen=True)
class Place:
    """A folder in which commands run."""

    folder: Path
    server: Server

    def start(
        self,
        *arguments: str,
        stdout: str | None = "out.txt",
        stderr: str | None = "err.txt",
        file_size: int | None = None,
        **environment: str,
    ) -> int:
        """Start `weakspot ARGUMENTS` and return its process id; a stream that is None is closed."""
        request = {
            "arguments": arguments,
            "folder": str(self.folder),
            "stdin": "/dev/null",
            "stdout": stdout,
            "stderr": stderr,
            "file_size": file_size,
            "environment": environment,
        }
        return self.server.ask({"run": request})

    def wait(self, process: int) -> Ended:
        """Wait for the end of a process that `start` began."""
        code = self.server.ask({"wait": process})
        texts = [
            path.read_text() if path.exists() else "" for path in (self.folder / "out.txt", self.folder / "err.txt")
        ]
        return Ended(code, *texts)

    def run(self, *arguments: str, **options: object) -> Ended:
        """Run `weakspot ARGUMENTS` to its end."""
        for name in ("out.txt", "err.txt"):
            (self.folder / name).unlink(missing_ok=True)
        return self.wait(self.start(*arguments, **options))  # type: ignore[arg-type]

    def units(self, out: str) -> dict[str, tuple[bytes, int, int]]:
        """The finished units of a run: content, time of the last change, inode."""
        root = self.folder / out / "outcomes"
        return {
            str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
            for path in sorted(root.rglob("*.parquet"))
        }

    def table(self, out: str) -> dict[str, bytes]:
        """The outcome table of a run, as bytes."""
        return {name: content for name, (content, _, _) in self.units(out).items()}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests of a worker."""
    made = Server()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def fill(server: Server) -> Callable[[Path], Place]:
    """Puts models.py and data.py into a folder; for folders that several tests share."""

    def filled(folder: Path) -> Place:
        (folder / "models.py").write_text(MODELS)
        (folder / "data.py").write_text(DATA)
        return Place(folder, server)

    return filled


@pytest.fixture
def place(tmp_path: Path, fill: Callable[[Path], Place]) -> Place:
    """A fresh folder with models.py and data.py."""
    return fill(tmp_path)
