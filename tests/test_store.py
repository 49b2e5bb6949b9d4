"""Stored units come back as they were, and damage never passes unnoticed."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from weakspot.errors import InputError, SetupError
from weakspot.outcomes import COLUMNS, Outcomes
from weakspot.store import read_json, read_units, unit_damage, write_atomically, write_json, write_unit


def rows(size: int = 37, seed: int = 0) -> Outcomes:
    draw = np.random.default_rng(seed)
    return Outcomes.build(
        sample=np.arange(size),
        label=draw.integers(0, 5, size),
        threat="pgd@linf:8/255",
        prediction=draw.integers(0, 5, size),
        correct=draw.random(size) < 0.5,
        margin=draw.normal(size=size),
        found_by=draw.choice(["", 'it\'s "quoted"', "clean"], size),
    )


def test_round_trip(tmp_path):
    parts = [rows(37, 0), rows(5, 1)]
    paths = [tmp_path / "a'b.parquet", tmp_path / "deep" / "b.parquet"]
    for path, part in zip(paths, parts, strict=True):
        write_unit(path, part)
        assert unit_damage(path, len(part)) is None
    found = read_units(paths)
    for name in COLUMNS:
        expected = np.concatenate([getattr(part, name) for part in parts])
        assert getattr(found, name).dtype == expected.dtype
        np.testing.assert_array_equal(getattr(found, name), expected)
    assert found.digest() == Outcomes.join(parts).digest()
    assert not list(tmp_path.rglob("*.tmp"))


def test_same_rows_same_bytes(tmp_path):
    for folder in "ab":
        write_unit(tmp_path / folder / "u.parquet", rows())
    assert (tmp_path / "a" / "u.parquet").read_bytes() == (tmp_path / "b" / "u.parquet").read_bytes()


def test_another_unit_in_the_place_of_one_is_damage(tmp_path):
    for name in ("00000-aa", "00000-bb"):
        write_unit(tmp_path / f"{name}.parquet", rows())
    (tmp_path / "00000-aa.parquet").write_bytes((tmp_path / "00000-bb.parquet").read_bytes())
    assert unit_damage(tmp_path / "00000-bb.parquet", 37) is None
    assert "written as another unit" in str(unit_damage(tmp_path / "00000-aa.parquet", 37))


def test_what_a_killed_process_left_is_tidied_and_a_living_ones_is_not(tmp_path):
    script = "import os, pathlib, sys; pathlib.Path(sys.argv[1], f'.a.json.{os.getpid()}.tmp').write_text('half')"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    living = tmp_path / f".a.json.{os.getppid()}.tmp"
    living.write_text("being written")
    assert len(list(tmp_path.glob(".a.json.*.tmp"))) == 2
    write_json(tmp_path / "a.json", {})
    assert list(tmp_path.glob(".a.json.*.tmp")) == [living]


def test_no_units_are_no_rows():
    assert len(read_units([])) == 0


def test_every_flipped_byte_is_noticed_or_harmless(tmp_path):
    """A flipped byte either is reported, or leaves all values as they were (it hit a byte that nobody reads)."""
    path = tmp_path / "unit.parquet"
    write_unit(path, rows())
    content = path.read_bytes()
    noticed = 0
    for at in range(4, len(content), 97):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :])
        if unit_damage(path, 37) is None:
            assert read_units([path]).digest() == rows().digest()
        else:
            noticed += 1
    assert noticed > 5


@pytest.mark.parametrize("cut", [0, 3, 500, -1])
def test_a_cut_file_is_damage(tmp_path, cut):
    write_unit(tmp_path / "a", rows())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:cut])
    assert unit_damage(tmp_path / "a", 37) is not None


def test_a_wrong_count_is_damage(tmp_path):
    write_unit(tmp_path / "a", rows())
    assert "37 samples instead of 38" in str(unit_damage(tmp_path / "a", 38))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})

    def half(aside):
        aside.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, half)
    assert read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_in_the_way_is_a_setup_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="--out"):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_real_limit_on_file_size_is_a_setup_error(tmp_path):
    """A process that may write only 1 kB: the unit fails as on a full disk, and no half file stays."""
    script = (
        "import sys, resource, signal; sys.path.insert(0, sys.argv[2]);"
        "from pathlib import Path; from test_store import rows; from weakspot.store import write_unit;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024));"
        "from weakspot.errors import SetupError\n"
        "try:\n    write_unit(Path(sys.argv[1]) / 'u.parquet', rows(5000))\nexcept SetupError as e:\n"
        "    print('SETUP', e)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.startswith("SETUP cannot write"), done.stderr
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1024


def test_a_missing_run_is_named(tmp_path):
    with pytest.raises(InputError, match=r"expected a run folder with manifest\.json"):
        read_json(tmp_path / "manifest.json")
