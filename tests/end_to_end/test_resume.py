"""Whatever stops an audit, the same command finishes it, and nobody can tell from its table."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from weakspot.api import open_run
from weakspot.outcomes import Outcomes

MODEL = ("audit", "models.py:net", "--data", "data.py:make", "--radius", "linf:0.1", "--quiet")
THREATS = ("--threats", "pgd(steps=3)", "--threats", "apgd-ce(steps=6)")
AUDIT = (*MODEL, *THREATS, "--block", "5")
UNITS = 24
KILLS = 10


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)


def rows(place, out: str) -> Outcomes:
    return open_run(place.folder / out).rows


@pytest.fixture
def whole(place) -> dict[str, bytes]:
    """The outcome table of an audit that nothing interrupted."""
    ended = place.run(*AUDIT, "--out", "whole")
    assert ended.code == 0, ended.err
    table = place.table("whole")
    assert len(table) == UNITS
    return table


def test_kill_9_at_random_moments(place, whole) -> None:
    seconds = json.loads((place.folder / "whole/summary.json").read_text())["cost"]["seconds"]
    moments = random.Random(1)
    stopped = []
    for _ in range(KILLS):
        before = place.units("killed")
        process = place.start(*AUDIT, "--out", "killed")
        time.sleep(moments.uniform(0, seconds / 2))
        os.kill(process, signal.SIGKILL)
        assert place.wait(process).code in (-signal.SIGKILL, 0)
        after = place.units("killed")
        assert {name: after[name] for name in before} == before, "a finished unit was touched"
        stopped.append(len(after))
    assert any(0 < finished < UNITS for finished in stopped), stopped
    before = place.units("killed")
    ended = place.run(*AUDIT, "--out", "killed")
    assert ended.code == 0, ended.err
    after = place.units("killed")
    assert {name: after[name] for name in before} == before
    assert place.table("killed") == whole
    assert rows(place, "killed").digest() == rows(place, "whole").digest()


def test_damaged_units_are_computed_again_and_the_others_stay(place, whole) -> None:
    before = place.units("whole")
    torn, emptied, flipped = sorted(before)[3], sorted(before)[11], sorted(before)[19]
    folder = place.folder / "whole/outcomes"
    (folder / torn).write_bytes(whole[torn][:-9])
    (folder / emptied).write_bytes(b"")
    content = bytearray(whole[flipped])
    content[content.index(b"PAR1", 4) - 1] ^= 1  # the length of the footer
    (folder / flipped).write_bytes(content)
    ended = place.run(*(word for word in AUDIT if word != "--quiet"), "--out", "whole")
    assert ended.code == 0, ended.err
    after = place.units("whole")
    for name in before:
        if name in (torn, emptied, flipped):
            assert f"computing outcomes/{name} again" in ended.err
        else:
            assert after[name] == before[name]
    assert place.table("whole") == whole


def test_shards_in_one_folder_equal_one_run(place, whole) -> None:
    parts = [place.start(*AUDIT, "--out", "shards", "--shard", f"{part}/2") for part in range(2)]
    assert [place.wait(part).code for part in parts] == [0, 0]
    assert place.table("shards") == whole
    assert open_run(place.folder / "shards").missing == []


def test_one_shard_alone_says_what_is_missing(place) -> None:
    ended = place.run(*AUDIT, "--out", "part", "--shard", "1/2")
    assert ended.code == 0
    assert "INCOMPLETE: 12 planned units are missing" in ended.out


def test_ctrl_c_prints_the_line_that_resumes(place, whole) -> None:
    process = place.start(*AUDIT, "--out", "stopped run")
    until(lambda: len(place.units("stopped run")) > 2)
    os.kill(process, signal.SIGINT)
    ended = place.wait(process)
    assert ended.code == 130
    before = place.units("stopped run")
    assert 0 < len(before) < UNITS
    command = ended.line.partition("go on with: ")[2]
    assert shlex.split(command) == ["weakspot", *AUDIT, "--out", "stopped run"]
    assert place.run(*shlex.split(command)[1:]).code == 0
    after = place.units("stopped run")
    assert {name: after[name] for name in before} == before
    assert place.table("stopped run") == whole


def test_the_installed_command_is_interrupted_and_resumed(place) -> None:
    """The same once with the script that pip installs, from its start."""
    script = str(Path(sys.executable).parent / "weakspot")

    def start() -> subprocess.Popen[str]:
        # A shell that runs a job in the background lets it ignore SIGINT; a terminal does not.
        return subprocess.Popen(
            [script, *MODEL, "--out", "run"],
            cwd=place.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    process = start()
    until(lambda: len(place.units("run")) > 0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert re.fullmatch(r"weakspot: interrupted; .*go on with: \S*weakspot audit .* --out run\n", err)
    process = start()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("run/report.html\n")


@pytest.mark.parametrize(
    "change, named",
    [
        (("--limit", "20"), "limit"),
        (("--seed", "1"), "seed"),
        (("--radius", "l2:0.5"), "radius"),
        (("--threats", "fgsm"), "threats"),
        (("--weights", "other.pt"), "weights"),
        (("--block", "8"), "block"),
    ],
)
def test_another_run_is_refused_with_the_difference(place, change, named) -> None:
    import torch

    first = (*MODEL, "--threats", "pgd(steps=1)", "--out", "run")
    assert place.run(*first).code == 0
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(144, 3)
    )
    torch.save(net.state_dict(), place.folder / "other.pt")
    before = place.units("run"), (place.folder / "run/manifest.json").read_bytes()
    ended = place.run(*first, *change)
    assert ended.code == 2
    assert "run holds another run" in ended.line
    assert named in ended.line
    assert (place.units("run"), (place.folder / "run/manifest.json").read_bytes()) == before


def test_other_weights_behind_the_same_address_are_refused(place) -> None:
    first = (*MODEL, "--threats", "pgd(steps=1)", "--out", "run")
    assert place.run(*first).code == 0
    models = place.folder / "models.py"
    models.write_text(models.read_text().replace("scale=0.4", "scale=0.5"))
    ended = place.run(*first)
    assert ended.code == 2
    assert "model.digest" in ended.line


ROUNDING = 1e-4
"""Logits of these nets are near 1; float32 sums of 144 terms in another order differ by about 1e-6."""
FLIPPED = 0.02
"""A share of samples far above what rounding was seen to change (none), far below what another draw would."""


def test_another_block_size_changes_no_draw_and_no_prediction(place, whole) -> None:
    assert place.run(*MODEL, *THREATS, "--block", "16", "--out", "blocks").code == 0
    small, large = rows(place, "whole"), rows(place, "blocks")
    np.testing.assert_array_equal(small.sample, large.sample)
    np.testing.assert_array_equal(small.threat, large.threat)
    near = np.abs(small.margin) < ROUNDING
    assert near.mean() <= FLIPPED
    np.testing.assert_array_equal(small.prediction[~near], large.prediction[~near])


def test_another_block_size_finds_the_same_images(place) -> None:
    """One step from a random start: the images that both runs kept show that both drew the same numbers."""
    found = []
    for block in ("5", "40"):
        out = f"block{block}"
        ended = place.run(*MODEL, "--threats", "pgd(steps=1)@linf:0.3", "--block", block, "--out", out)
        assert ended.code == 0, ended.err
        found.append({int(one["sample"]): one["attacked"] for one in open_run(place.folder / out).found_images()})
    both = found[0].keys() & found[1].keys()
    assert len(both) >= 5
    for sample in both:
        np.testing.assert_allclose(found[0][sample], found[1][sample], atol=1e-6)


def test_the_config_of_a_run_repeats_it(place, whole) -> None:
    assert place.run("audit", "--config", "whole/config.yaml", "--out", "again").code == 0
    assert place.table("again") == whole
