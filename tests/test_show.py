"""`Run.show` and `weakspot show`: the stored images of a cell as files, what is told of them, what is refused."""

import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import planted
import weakspot
from weakspot.auditing import PER_CELL
from weakspot.cli import main
from weakspot.errors import InputError
from weakspot.outcomes import Outcomes
from weakspot.report.behind import class_number, told
from weakspot.report.judged import images_of_headline, rows_of

THREATS = ("pgd(steps=5)", "fog@5")
ADDRESS = "pgd(steps=5)@linf:0.1"
BLOCK = 64


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A real audit of a linear model of digits."""
    folder = tmp_path_factory.mktemp("audit") / "run"
    return weakspot.audit(
        planted.HONEST["linear"](), planted.digits(), threats=THREATS, limit=150, block=BLOCK, out=folder
    )


def cells(run, threat):
    """Rows of each cell of errors, as (label, prediction): [row, ...], largest first."""
    rows = run.rows.of(threat)
    found = {}
    for i in np.flatnonzero(~rows.correct):
        found.setdefault((int(rows.label[i]), int(rows.prediction[i])), []).append(i)
    return sorted(found.items(), key=lambda item: -len(item[1])), rows


@pytest.mark.parametrize("threat", [ADDRESS, "fog@5"])
def test_the_files_are_what_the_audit_stored(run, tmp_path, threat):
    ranked, rows = cells(run, threat)
    stored = {}
    for record in run.found_images():
        if record["threat"] == threat:
            stored.setdefault((int(record["label"]), int(record["prediction"])), []).append(record)
    (cell, inside) = next(item for item in ranked if item[0] in stored)
    found, folder = run.show(str(cell[0]), str(cell[1]), threat=threat, out=tmp_path / "out")
    assert folder == tmp_path / "out"
    assert (found.rows, found.images) == (len(inside), int((rows.label == cell[0]).sum()))
    assert found.wrong_when_clean == sum(rows.found_by[i] == "clean" for i in inside)
    ours = [kept for kept in found.kept if kept.threat == threat and kept.stored]
    assert [kept.sample for kept in ours] == sorted(int(record["sample"]) for record in stored[cell])
    clean = run.rows.of("clean")
    for kept in ours:
        (record,) = [r for r in stored[cell] if int(r["sample"]) == kept.sample]
        (at,) = np.flatnonzero(rows.sample == kept.sample)
        assert kept.margin == float(rows.margin[at])
        assert kept.margin <= 0
        assert kept.clean_margin == float(clean.margin[clean.sample == kept.sample][0])
        assert kept.distance_linf == float(rows.distance_linf[at])
        before, added, after = (
            np.asarray(Image.open(folder / name)) for name in (kept.clean, kept.added, kept.attacked)
        )
        assert before.shape == added.shape == after.shape == (8, 8)
        np.testing.assert_array_equal(before, np.round(255 * record["clean"][0]))
        np.testing.assert_array_equal(after, np.round(255 * record["attacked"][0]))
        delta = record["attacked"][0] - record["clean"][0]
        expected = np.clip(255 * (0.5 + kept.factor * delta), 0, 255)
        assert np.abs(added - expected).max() <= 0.51
        assert f"added-x{kept.factor}.png" in kept.added
    table = list(csv.DictReader(io.StringIO((folder / "margins.csv").read_text())))
    assert [(int(line["sample"]), float(line["margin"])) for line in table] == [
        (k.sample, k.margin) for k in found.kept
    ]
    assert {p.name for p in folder.iterdir()} - {"margins.csv"} == {
        name for k in found.kept for name in (k.clean, k.added, k.attacked) if name
    }


def test_robust_is_the_default_and_its_images_are_those_of_the_attack_that_broke_them(run):
    ranked, rows = cells(run, ADDRESS)
    shown = 0
    for cell, inside in ranked:
        found, folder = run.show(*map(str, cell))
        assert (found.threat, found.rows) == ("robust", len(inside))  # one attack: its rows are the worst case
        assert {kept.threat for kept in found.kept} <= {ADDRESS, "clean"}
        assert folder.exists() == bool(found.kept)
        shown += len(found.kept)
    # The linear model is broken by the attack and never when clean only, so the stored images are those of both.
    assert shown == sum(record["threat"] in (ADDRESS, "clean") for record in run.found_images())


def test_it_says_what_is_stored_and_what_is_not(run, tmp_path):
    ranked, _ = cells(run, ADDRESS)
    cell, inside = next(item for item in ranked if len(item[1]) >= 2)
    found, _ = run.show(*map(str, cell), out=tmp_path)
    said = " ".join(told(found, PER_CELL, BLOCK))
    assert said.startswith(f"{len(inside)} of {found.images} images of {cell[0]} are seen as {cell[1]} (robust).")
    assert ("when clean" in said) == (found.wrong_when_clean > 0)
    if found.kept:
        assert "(up to 4 for each threat, class, predicted class and block of 64 samples)" in said
        assert f"Shown: {len(found.kept)} of {len(inside)};" in said
    empty = next((i, j) for i in range(10) for j in range(10) if i != j and (i, j) not in dict(ranked))
    found, folder = run.show(*map(str, empty), out=tmp_path / "none")
    assert (found.rows, found.kept) == (0, [])
    assert told(found, PER_CELL, BLOCK) == [
        f"0 of {found.images} images of {empty[0]} are seen as {empty[1]} (robust)."
    ]
    assert not folder.exists()


def test_images_that_were_wrong_when_clean_are_shown_as_they_are(run, tmp_path):
    ranked, _ = cells(run, "clean")
    cell, inside = ranked[0]
    stored = {int(record["sample"]): record for record in run.found_images() if record["threat"] == "clean"}
    for threat in ("clean", ADDRESS, "robust"):
        found, folder = run.show(*map(str, cell), threat=threat, out=tmp_path / threat)
        mine = [kept for kept in found.kept if kept.threat == "clean"]
        assert found.wrong_when_clean == len(inside) == len(mine)
        for kept in mine:
            assert (kept.attacked, kept.added, kept.factor, kept.stored) == (kept.clean, "", 0, True)
            pixels = np.asarray(Image.open(folder / kept.clean))
            np.testing.assert_array_equal(pixels, np.round(255 * stored[kept.sample]["clean"][0]))
        assert f"{len(inside)} of them were so when clean" in " ".join(told(found, PER_CELL, BLOCK))


@pytest.fixture(scope="module")
def readable(tmp_path_factory):
    """A run of data that have an address, with nothing stored of its images, as runs were before."""
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    with torch.no_grad():
        for part in model.parameters():
            part.copy_(torch.randn(part.shape, generator=generator))
    folder = tmp_path_factory.mktemp("readable") / "run"
    made = weakspot.audit(model, "fashion-mnist-mini", threats=["pgd(steps=2)"], limit=150, out=folder)
    shutil.rmtree(folder / "adversarial")
    return made


def test_images_that_are_not_stored_come_from_the_data(readable, tmp_path):
    images = weakspot.load_data("fashion-mnist-mini", split="test").batch(range(150)).numpy()
    for threat in ("clean", "robust"):
        rows = readable.rows.of("clean" if threat == "clean" else "pgd(steps=2)@linf:0.1")
        for cell, inside in cells(readable, rows.threat[0])[0][:3]:
            found, folder = readable.show(*map(str, cell), threat=threat, out=tmp_path / f"{threat}{cell}")
            assert [kept.sample for kept in found.kept] == sorted(int(rows.sample[i]) for i in inside)
            for kept in found.kept:
                assert not kept.stored
                assert (kept.attacked == kept.clean) == (kept.threat == "clean") == (kept.attacked != "")
                pixels = np.asarray(Image.open(folder / kept.clean))
                np.testing.assert_array_equal(pixels, np.round(255 * images[kept.sample, 0]))
            said = " ".join(told(found, PER_CELL, BLOCK))
            assert f"Shown: {len(inside)} of {len(inside)}; 0 as the run stored them" in said
            assert f"{len(inside)} read again from the data fashion-mnist-mini." in said


@pytest.mark.parametrize(
    "change, says",
    [
        ({"digest": "0" * 64}, "holds other images or labels"),
        ({"name": "somewhere.else:factory"}, "is a Python function, which is not run"),
        ({"name": "npz:absent.npz"}, "cannot be read again"),
        ({"shape": [3, 28, 28]}, "is not what it was"),
    ],
)
def test_data_that_are_not_the_same_any_more_are_not_shown(readable, tmp_path, change, says):
    manifest = {**readable.manifest, "data": {**readable.manifest["data"], **change}}
    shutil.copytree(readable.folder, tmp_path / "run")
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    cell, inside = cells(readable, "clean")[0][0]
    found, folder = weakspot.open_run(tmp_path / "run").show(*map(str, cell), threat="clean")
    assert (found.rows, found.kept) == (len(inside), [])
    said = " ".join(told(found, PER_CELL, BLOCK))
    assert f"Shown: 0 of {len(inside)};" in said
    assert f"The other {len(inside)} are not stored, and " in said
    assert says in said
    assert not folder.exists()


def test_of_a_large_cell_some_are_shown_and_it_says_so(readable, tmp_path, monkeypatch):
    monkeypatch.setattr(weakspot.report.behind, "MOST", 2)
    cell, inside = cells(readable, "clean")[0][0]
    found, _ = readable.show(*map(str, cell), threat="clean", out=tmp_path)
    assert len(found.kept) == 2
    assert f"The other {len(inside) - 2} are left out" in " ".join(told(found, PER_CELL, BLOCK))


def test_of_many_threats_an_error_names_the_nearest():
    threats = [
        {"address": f"{name}@{s}", "kind": "corruption", "radius": None} for name in "abcdefghijklm" for s in "12345"
    ]
    with pytest.raises(InputError, match=r"did you mean 'c@5'\? .*; this run has 66") as error:
        rows_of({"threats": threats}, Outcomes.build(sample=np.zeros(0, dtype=np.int64)), "c@55")
    assert len(str(error.value)) < 160


def test_the_page_shows_images_of_the_condition_of_its_cells(run):
    """Corruptions break images too, and the cells of the verdict are those of the attacks."""
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", (run.folder / "report.html").read_text())
    assert captions
    assert not [caption for caption in captions if "fog" in caption]
    robust = {(r["threat"], r["sample"]) for r in images_of_headline(run.manifest, run.rows, run.found_images())}
    worst = run.summary["robust"]["confusion"]
    assert len(robust) <= sum(map(sum, worst)) - sum(worst[c][c] for c in range(10))
    assert {threat for threat, _ in robust} <= {ADDRESS, "clean"}
    assert len(robust) < sum(1 for _ in run.found_images())


def test_corrupted_shows_rows_of_all_corruptions(run, tmp_path):
    ranked, _ = cells(run, "fog@5")
    found, _ = run.show(*map(str, ranked[0][0]), threat="corrupted", out=tmp_path)
    assert (found.rows, {kept.threat for kept in found.kept}) == (len(ranked[0][1]), {"fog@5"})


def test_the_command(run, capsys):
    ranked, _ = cells(run, "fog@5")
    cell = [str(c) for c in ranked[0][0]]
    given = ["show", str(run.folder), "--class", cell[0], "--predicted", cell[1], "--threat", "fog@5"]
    assert main(given) == 0
    printed = capsys.readouterr().out
    folder = run.folder / "shown" / f"fog_5-{cell[0]}-{cell[0]}-as-{cell[1]}-{cell[1]}"
    assert printed.splitlines()[-1] == str(folder)
    assert main([*given, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["folder"] == str(folder)
    assert content["rows"] == len(ranked[0][1])
    for kept in content["kept"]:
        assert f"{kept['sample']:,}" in printed
        assert f"{kept['margin']:+.2f}" in printed
        assert (folder / kept["added"]).exists()
    assert content["says"][0] in " ".join(printed.split())


@pytest.mark.parametrize(
    "options, says",
    [
        (["--class", "0", "--predicted", "0"], "give two classes"),
        (["--class", "x", "--predicted", "0"], "unknown class 'x'"),
        (["--class", "0", "--predicted", "1", "--threat", "fog@4"], "did you mean 'fog@5'"),
    ],
)
def test_what_cannot_be_shown_is_one_line(run, capsys, options, says):
    assert main(["show", str(run.folder), *options]) == 2
    line = capsys.readouterr().err
    assert says in line
    assert line.count("\n") == 1


def test_classes_are_found_by_name_or_number():
    names = ["cat", "dog", "cat", "3", *(f"c{n}" for n in range(100))]
    assert (class_number(names, "dog"), class_number(names, "3"), class_number(names, "2")) == (1, 3, 2)
    with pytest.raises(InputError, match="2 classes are called 'cat'; give one's number: 0, 2"):
        class_number(names, "cat")
    with pytest.raises(InputError, match="did you mean 'c99'") as error:
        class_number(names, "c990")
    assert len(str(error.value)) < 200


def test_every_option_of_the_command_is_described():
    from weakspot.cli.show import show

    for name in ("run", "class_", "predicted", "threat", "out", "output"):
        assert f"    {name}\n        " in (show.__doc__ or "")


def test_without_attacks_a_run_is_judged_by_its_corruptions(tmp_path):
    run = weakspot.audit(planted.HONEST["linear"](), planted.digits(), threats=("fog@5",), limit=60, out=tmp_path / "r")
    assert run.worst == run.summary["corrupted"]["worst_class"]
    assert run.classes == run.summary["corrupted"]["classes"]
    ranked, _ = cells(run, "fog@5")
    found, _ = run.show(*map(str, ranked[0][0]))
    assert (found.threat, found.rows) == ("corrupted", len(ranked[0][1]))
