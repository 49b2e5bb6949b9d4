"""`weakspot.rare_or_hard` and `weakspot rarity`: from run folders with planted causes to a table and JSON."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "report"))

import synthetic_runs as runs

import weakspot
from weakspot.cli import main
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.report.rarity import RARITY_SUMMARY

NAMES = ("cat", "dog", "ship", "[red]truck[/red]", "deer")
SIZES = (127, 131, 137, 139, 149)
COUNTS = ([800, 200, 50, 12, 3], [12, 800, 3, 200, 50], [3, 50, 200, 800, 12])
HARD = np.array([-0.25, 0.15, 0.1, 0.05, -0.05])
SLOPE = 0.12
ATTACK = "pgd@linf:0.1"


def write(folder, run, counts, planted=True):
    """A finished audit whose robust accuracy is 0.5 + how hard the class is + SLOPE per ten times the samples."""
    draw = np.random.default_rng(0)
    label = draw.permutation(np.repeat(np.arange(5), SIZES))
    luck, own = draw.random(len(label)), np.random.default_rng(run + 1).random(len(label))
    x = np.log10(counts)
    share = 0.45 + HARD + SLOPE * (x - 1.7) if planted else np.full(5, 0.5)
    right = np.where(draw.random(len(label)) < 0.5, luck, own) < share[label]
    wrong = (label + 1) % 5
    rows = [
        Outcomes.build(
            sample=np.arange(len(label)), label=label, threat=threat, correct=held, margin=np.where(held, 1.0, -1.0),
            prediction=np.where(held, label, wrong),
        )
        for threat, held in (("clean", np.full(len(label), True)), (ATTACK, right))
    ]  # fmt: skip
    plan = runs.manifest(NAMES, (ATTACK,), len(label))
    plan["model"]["digest"] = f"{run:064d}"
    plan["training"] = {"name": f"set+lt=50+lt_order={run}", "counts": list(counts)}
    runs.write(folder, plan, Outcomes.join(rows))
    return right, label


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = tmp_path_factory.mktemp("rarity")
    found = [write(made / f"run{run}", run, counts) for run, counts in enumerate(COUNTS)]
    return [str(made / f"run{run}") for run in range(3)], found


def test_planted_causes_come_back(folders):
    summary = weakspot.rare_or_hard(*folders[0]).summary
    assert RARITY_SUMMARY.validate_python(summary, strict=True) == summary
    assert summary["condition"] == "robust"
    assert summary["slope"]["low"] <= SLOPE <= summary["slope"]["high"]
    for one, hard in zip(summary["hardness"], HARD - HARD.mean(), strict=True):
        assert one["value"] == pytest.approx(hard, abs=0.09)
    assert min(range(5), key=lambda c: summary["hardness"][c]["value"]) == 0
    assert sum(summary[part]["value"] for part in ("hard", "rare", "rest")) == pytest.approx(1)
    assert summary["hard"]["low"] > 0.2
    assert summary["rare"]["low"] > 0.1
    for run, (right, label) in enumerate(folders[1]):
        told = summary["runs"][run]
        assert told["training"] == COUNTS[run]
        for c in range(5):
            mine = [bool(held) for held, y in zip(right, label, strict=True) if y == c]
            assert told["accuracy"][c] == pytest.approx(sum(mine) / len(mine))
    # Of a class that was seen often in one run and seldom in another, the count gives and takes.
    assert summary["runs"][0]["rarity"][0]["low"] > 0 > summary["runs"][2]["rarity"][0]["high"]


def test_the_command_prints_the_same(folders, capsys):
    assert main(["rarity", *folders[0], "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(weakspot.rare_or_hard(*folders[0]).summary))
    assert main(["rarity", *folders[0]]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert next(line for line in lines if "cat" in line).split()[0] == "cat"
    assert lines.index(next(line for line in lines if "cat" in line)) < lines.index(
        next(x for x in lines if "dog" in x)
    )
    assert "[red]truck[/red]" in text
    assert "(hard)" in text
    assert main(["rarity", *folders[0], "--condition", "clean", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["condition"] == "clean"


def test_what_cannot_be_told_is_one_line(folders, tmp_path):
    first, second, _ = folders[0]
    with pytest.raises(InputError, match="by two runs or more, got 1"):
        weakspot.rare_or_hard(first)
    with pytest.raises(InputError, match="same training count in all runs; add runs"):
        weakspot.rare_or_hard(first, first)
    with pytest.raises(InputError, match="unknown condition 'corrupted'"):
        weakspot.rare_or_hard(first, second, condition="corrupted")
    write(tmp_path / "unknown", 7, COUNTS[1])
    manifest = json.loads((tmp_path / "unknown" / "manifest.json").read_text())
    (tmp_path / "unknown" / "manifest.json").write_text(json.dumps(manifest | {"training": None}))
    with pytest.raises(InputError, match="does not say how many samples of each class"):
        weakspot.rare_or_hard(first, tmp_path / "unknown")
    wrong = manifest | {"training": {"name": "x", "counts": [1, 2]}}
    (tmp_path / "unknown" / "manifest.json").write_text(json.dumps(wrong))
    with pytest.raises(InputError, match="one number of samples for each of 5 classes, got 2 numbers"):
        weakspot.rare_or_hard(first, tmp_path / "unknown")
    (tmp_path / "unknown" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "unknown" / manifest["units"][0]["file"]).unlink()
    with pytest.raises(InputError, match="is not finished: 1 units are missing"):
        weakspot.rare_or_hard(first, tmp_path / "unknown")
