"""The study of psi: steps as planned, files that resume, and a page from tiny runs by the command line."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import weakspot
from weakspot.addresses import Radius
from weakspot.cli.entry import main
from weakspot.data import Subset, limit
from weakspot.explaining.files import read_grids, write_grids
from weakspot.landscape.forms import GAP, GapScaled
from weakspot.landscape.seen import choose
from weakspot.machine import device_name
from weakspot.models.zoo import is_zoo_name
from weakspot.recipes import psi, psi_runs, psi_surfaces
from weakspot.recipes.psi_pictures import surfaces_of_one
from weakspot.recipes.psi_runs import SEEDS, SIZES, TRAININGS, Model, models
from weakspot.recipes.psi_steps import files, measured, planes, stored
from weakspot.recipes.study import Sets
from weakspot.rng import uniform


@pytest.mark.parametrize("scale", SIZES)
def test_all_models_of_a_seed_come_before_the_next_seed(scale):
    planned = models(scale)
    assert len({model.name for model in planned}) == len(planned) == 45
    assert [model.seed for model in planned] == [seed for seed in SEEDS for _ in range(15)]
    assert all(is_zoo_name(model.size) for model in planned)
    assert len(psi.steps(scale, Sets())) == 45


@pytest.mark.parametrize("scale", SIZES)
def test_every_training_is_accepted_as_it_will_be_called(scale, tmp_path, planned):
    mini = limit(weakspot.load_data("fashion-mnist-mini", split="train"), 50)
    for training in TRAININGS:
        model = Model("lenet5", training, SEEDS[0])
        weakspot.train(model.method(scale), mini, out=tmp_path / model.name, **model.options(scale))
    small = {"standard", "grad-reg", "n-fgsm", "pgd-at(steps=5)", "trades(steps=5)"}
    assert {config.method for config in planned.begun} == (small if scale == "cpu" else set(TRAININGS))
    assert {config.select for config in planned.begun} == {"last"}


def test_the_images_of_the_grid_are_among_those_of_psi():
    labels = weakspot.load_data("fashion-mnist-mini").labels
    for few, many in ((200, 500), (10, 50), (50, 500)):
        assert set(choose(labels, few, 0)) < set(choose(labels, many, 0))


def test_a_damaged_file_is_made_again_and_a_whole_one_is_kept(tmp_path):
    path, made = tmp_path / "psi.npz", []

    def make():
        made.append(1)
        return {"one": np.ones(3)}

    stored(path, make)
    stored(path, make)
    path.write_bytes(b"")
    stored(path, make)
    kept = read_grids(path)
    assert (len(made), kept["one"].tolist()) == (2, [1, 1, 1])
    assert 0 <= float(kept["cpu_s"]) < 1
    assert float(kept["wall_s"]) >= 0


def test_what_a_file_took_is_all_of_making_it(tmp_path, monkeypatch):
    clock = {"process_time": iter([10.0, 13.0]), "perf_counter": iter([100.0, 107.0])}
    for name, times in clock.items():
        monkeypatch.setattr(f"weakspot.recipes.psi_steps.time.{name}", lambda times=times: next(times))
    stored(tmp_path / "psi.npz", lambda: {"one": np.ones(1)})
    monkeypatch.undo()
    kept = read_grids(tmp_path / "psi.npz")
    assert (float(kept["cpu_s"]), float(kept["wall_s"])) == (3, 7)


def test_the_page_of_nothing_is_a_page(tmp_path):
    made = psi.pages(tmp_path, "cpu")
    assert set(made) == {"psi.md", "psi.csv"}
    assert "0 of 45 models. Not run: small-cnn-standard-s3, small-cnn-grad-reg-s3" in made["psi.md"]
    assert made["psi.md"].count("| undecided |") == 9
    for said in (
        "10,177 training images", "networks small-cnn, cnn, resnet18-w16", "of 5 steps", "decay 5e-4", "1,000 clean",
        "No interval covers which models were chosen",
    ):  # fmt: skip
        assert said in made["psi.md"]
    assert "of each method's own steps" in psi.pages(tmp_path, "gpu")["psi.md"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A tiny model by the command line."""
    patch = pytest.MonkeyPatch()
    tiny = {"epochs": 1, "batch": 32, "validation_steps": 1, "select": "last", "precision": "fp32", "flip": False}
    for table, value in (
        (psi_runs.SIZES, ("lenet5", "small-cnn", "cnn")), (psi_runs.TRAINING, tiny), (psi_runs.IMAGES, 10),
        (psi_runs.GRADED, 10), (psi_runs.PART, "+lt=balanced:100"),
    ):  # fmt: skip
        patch.setitem(table, "cpu", value)
    patch.setattr(psi_runs, "STEPS", 1)
    patch.setattr(psi_surfaces, "IMAGES", 10)
    patch.setattr(psi_surfaces, "STEPS", 5)
    patch.setattr("weakspot.landscape.forms.CALIBRATION", 50)
    out = tmp_path_factory.mktemp("study")
    name = "lenet5-pgd-at-s3"
    command = [
        "reproduce",
        "psi",
        "--only",
        name,
        "--set",
        "fashion-mnist=fashion-mnist-mini",
        "--out",
        str(out),
        "--json",
    ]
    assert main(command) == 0
    yield out, name, command
    patch.undo()


def test_the_page_of_what_is_done_names_what_is_not(study, capsys):
    out, name, command = study
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    assert len(before) == 3
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["done"], len(found["left"])) == ([name], 44)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")} == before
    assert {"psi.md", "psi.csv"} <= {path.name for path in out.glob("psi*")}
    made = psi.pages(out, "cpu")
    assert "1 of 45 models. Not run: lenet5-standard-s3, lenet5-grad-reg-s3" in made["psi.md"]
    on = f"{device_name(torch.device('cpu'))}, torch {torch.__version__}"
    assert f"0.0 hours in trainings, 0.0 in measuring, each in one process ({on}, " in made["psi.md"]
    assert made["psi.md"].count("| undecided |") == 9
    assert len(made["psi.csv"].splitlines()) == 1 + 3 * 11


def test_a_step_is_done_once_all_its_files_are_there(study, tmp_path):
    out, name, _ = study
    (step,) = [each for each in psi.steps("cpu", Sets()) if each.name == name]
    assert step.done(out)
    (tmp_path / name).mkdir()
    for file in files(Model("lenet5", "pgd-at", SEEDS[0])):
        assert not step.done(tmp_path)
        write_grids(tmp_path / name / file, {"one": np.ones(1)})
    assert step.done(tmp_path)
    assert files(Model("lenet5", "standard", SEEDS[1])) == ("psi.npz", "grid.npz")


def test_what_is_measured_against_plain_calls(study):
    out, name, _ = study
    found = measured(out / name)
    whole = weakspot.load_data("fashion-mnist-mini")
    part = Subset(whole, tuple(choose(whole.labels, 10, 0).tolist()))
    assert found.psi["label"].tolist() == part.labels.tolist()
    assert (found.psi["attacked"] <= found.psi["clean"]).all()
    assert (found.psi["withstood"] <= found.psi["attacked"]).all()
    assert float(found.psi["tenfold_B"]) == pytest.approx(1, abs=1e-6)
    longest = found.grid["pgd/own/0.1/32/1"]
    for shorter in (2, 4, 8, 16):
        assert (found.grid[f"pgd/own/0.1/{shorter}/1"] <= longest).all()
        assert (found.grid[f"pgd/own/0.1/{shorter}/1"] <= found.grid[f"pgd/own/0.1/{shorter}/2"]).all()
        assert (found.grid[f"psi/own/1.0/{shorter}/1"] <= found.grid[f"psi/own/1.0/{shorter}/2"]).all()
    assert {int(found.grid[f"passes_{many}"]) for many in (2, 32)} == {9, 69}
    ways = planes(out / name)
    for name in psi_surfaces.DIRECTIONS:
        assert ways[f"{name}/margin"].shape == (10, 11)
        np.testing.assert_allclose(ways[f"{name}/margin"][:, 0], ways["psi/margin"][:, 0], rtol=1e-4, atol=1e-5)


def test_profiles_are_read_as_they_are_called():
    profile = np.array([[3.0, 2.0, -1.0], [1.0, 1.0, 1.0]])
    assert psi_surfaces.fall(profile) == 2
    assert psi_surfaces.straight(profile) == 0.5
    assert psi_surfaces.straight(-profile) is None
    lost, seen = np.array([True, True, False]), np.array([True, False, True])
    assert psi_surfaces.missed(lost, seen) == 0.5
    assert psi_surfaces.missed(lost & False, seen) is None


def test_every_way_ends_inside_the_image_range(monkeypatch):
    monkeypatch.setattr(psi_surfaces, "IMAGES", 10)
    monkeypatch.setattr(psi_surfaces, "STEPS", 3)
    whole, radius, device = weakspot.load_data("fashion-mnist-mini"), Radius.of("linf:0.1"), torch.device("cpu")
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with torch.no_grad():
        for each in model.parameters():
            each.copy_(uniform(tuple(each.shape[1:]), torch.arange(len(each)), 0, "test"))
    made = psi_surfaces.surface(model, GapScaled(GAP), whole, radius, device)
    rows = choose(whole.labels, 10, 0).tolist()
    images, labels = whole.batch(rows), whole.labels[rows]
    assert (images == 0).any()
    x = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(cross_entropy(model(x), labels, reduction="sum"), x)
    end = (images + 0.1 * gradient.sign()).clamp(0, 1)
    with torch.no_grad():
        expected = cross_entropy(model(end), labels, reduction="none")
        uncut = cross_entropy(model(images + 0.1 * gradient.sign()), labels, reduction="none")
    np.testing.assert_allclose(made["gradient/loss"][:, -1], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(made["gradient/loss"][:, -1] - uncut.numpy()).max() > 0.01


def test_every_way_has_its_row_of_margin_and_loss():
    names = list(psi_surfaces.DIRECTIONS)
    margins = {"gradient": [2.0, 1, 1], "random": [2.0, 2, 1.5], "psi": [2.0, 1, -1]}
    losses = {"gradient": [0.0, 1, 1], "random": [0.0, 0.1, 0.2], "psi": [0.0, 1, 4]}
    table = {f"{name}/margin": np.array([margins[name]]) for name in names}
    table |= {f"{name}/loss": np.array([losses[name]]) for name in names}
    rows = list(psi_surfaces.profile_rows({Model("cnn", "trades", SEEDS[0]): table}))
    assert [row["it falls by"] for row in rows] == ["1.00", "0.50", "3.00"]
    assert [row["loss rises by"] for row in rows] == ["1.00", "0.20", "4.00"]
    assert [row["straight, margin"] for row in rows] == ["2.00", "0.00", "0.67"]
    assert [row["straight, loss"] for row in rows] == ["2.00", "1.00", "0.50"]
    assert [row["right images lost"] for row in rows] == ["0.0", "0.0", "100.0"]
    assert [row["lost along psi, not here"] for row in rows] == ["100.0", "100.0", "0.0"]


def test_the_image_that_is_drawn_is_the_first_that_all_take_for_its_class(study):
    out, name, _ = study
    plane = planes(out / name)
    right = np.array([False, True, True]), np.array([True, False, True])
    tables = []
    for flags in right:
        decision = np.where(flags, 1.0, -1.0)[:, None, None] * np.ones((3, 5, 5))
        tables.append({**plane, "plane/decision": decision})
    assert psi_surfaces.example(tables) == 2
    tables[0]["plane/decision"] = -np.ones((3, 5, 5))
    assert psi_surfaces.example(tables) == 0
    drawn = {Model("cnn", training, SEEDS[0]): plane for training in ("standard", "trades")}
    text = surfaces_of_one(drawn, [str(c) for c in range(10)])
    assert text.startswith("<?xml")
    assert "natural" in text
