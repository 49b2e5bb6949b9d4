"""`weakspot explain` as real processes: its files, its page, repeated commands, bad input."""

import json
import re

import numpy as np
import pytest
import torch
from torch import nn

import weakspot
from weakspot.explaining.files import read_grids, read_table

TINY = {"--radius": "linf:0.1", "--images": "9", "--steps": "9", "--pairs": "gradient,random"}


def explain(place, *more: str, model: str = "models.py:net", data: str = "data.py:make", out: str = "made"):
    usual = [word for option, value in TINY.items() if option not in more for word in (option, value)]
    return place.run("explain", model, "--data", data, "--quiet", "--out", out, *usual, *more)


def test_the_whole_way(place) -> None:
    audited = place.run(
        "audit", "models.py:net", "--data", "data.py:make", "--radius", "linf:0.1", "--threats", "pgd(steps=3)",
        "--quiet", "--out", "audited",
    )  # fmt: skip
    assert audited.code == 0, audited
    ended = explain(
        place, "--beside", "models.py:other", "--parameters", "--audit", "audited", "--pairs", "gradient,random",
        "--pairs", "attack,mean:1",
    )  # fmt: skip
    assert ended.code == 0, ended
    assert ended.err == ""
    assert "psi (B)" in ended.out
    assert ended.out.rstrip().endswith("made/explain.html")
    folder = place.folder / "made"
    summary = json.loads((folder / "explain.json").read_text())
    assert [each["model"]["address"] for each in summary["models"]] == ["models.py:net", "models.py:other"]
    for side, model in zip(("model", "beside"), summary["models"], strict=True):
        rows = read_table(folder / side / "psi.parquet")
        assert len(rows["sample"]) == 3 * 40
        for form in ("raw", "A", "B"):
            mine = rows["form"] == form
            for c, entry in enumerate(model["psi"][form]["classes"]):
                of_class = rows["divergence"][mine & (rows["label"] == c)]
                assert entry["samples"] == len(of_class)
                assert entry["psi"]["value"] == pytest.approx(1 / of_class.mean())
            assert model["proof"]["found"][form] <= 1 + 1e-9
        assert max(model["proof"]["change"][form] for form in "AB") < 1e-6
        assert model["proof"]["change"]["raw"] > 1
        grids = read_grids(folder / side / "surfaces" / "attack_mean_1.npz")
        assert grids["decision"].shape == (9, 9, 9)
        classes = read_grids(folder / side / "surfaces" / "attack_mean_1-classes.npz")
        assert classes["quantile_levels"].tolist() == [0.1, 0.5, 0.9]
        for stored in (grids, classes):
            assert stored["class_names"].tolist() == ["0", "1", "2"]
            assert str(stored["radius"]) == "linf:0.1"
            assert stored["directions"].tolist() == ["attack", "mean:1"]
        for place_of, c in enumerate(classes["classes"]):
            mean = grids["decision"][grids["label"] == c].mean(0)
            np.testing.assert_allclose(classes["decision_mean"][place_of], mean, rtol=1e-4, atol=1e-5)
        assert read_grids(folder / side / "parameters.npz")["cross_entropy"].shape == (1, 21, 21)
    link = summary["audit"]
    assert {"psi raw", "psi A", "psi B", "curvature of decision along gradient"} <= link["figures"].keys()
    drawn = sorted(path.name for path in (folder / "figures").glob("*.png"))
    assert {"psi.png", "audit.png", "parameters.png", "attack_mean_1-examples.png"} <= set(drawn)
    assert len(list((folder / "figures").glob("*.svg"))) == len(drawn)
    page = (folder / "explain.html").read_text()
    assert page.count("<img ") == len(drawn)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)


SHARED = ("--limit", "10", "--seed", "3", "--pairs", "gradient,random", "--pairs", "attack,random")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, fill):
    """A place with one explanation, which several tests look at, and how its process ended."""
    place = fill(tmp_path_factory.mktemp("explained"))
    return place, explain(place, *SHARED, "--json")


def test_json_is_one_object(shared) -> None:
    place, ended = shared
    assert ended.code == 0, ended
    assert json.loads(ended.out) == json.loads((place.folder / "made" / "explain.json").read_text())


def test_the_calibration_does_not_depend_on_the_limit(shared, monkeypatch) -> None:
    place, _ = shared
    stored = json.loads((place.folder / "made" / "model" / "calibration.json").read_text())
    assert stored["rows"] == list(range(40))
    monkeypatch.chdir(place.folder)
    data = weakspot.load_data("data.py:make")
    model = weakspot.load_model("models.py:net", data=data).module
    top = model(data.batch(range(40))).topk(2, dim=1).values
    assert stored["gap"] == pytest.approx((top[:, 0] - top[:, 1]).mean().item(), rel=1e-5)


def test_the_same_command_keeps_what_is_measured_and_a_damaged_file_is_made_again(shared) -> None:
    place, _ = shared
    folder = place.folder / "made" / "model"
    files = ["psi.parquet", "surfaces/gradient_random.npz", "surfaces/attack_random.npz"]
    before = {name: (folder / name).read_bytes() for name in files}
    times = {name: (folder / name).stat().st_mtime_ns for name in files}
    summary = json.loads((place.folder / "made" / "explain.json").read_text())
    (folder / files[1]).write_bytes(b"cut short")
    assert explain(place, *SHARED).code == 0
    assert [(folder / name).stat().st_mtime_ns == times[name] for name in files] == [True, False, True]
    with np.load(folder / files[1]) as again:
        assert again["decision"].shape == (9, 9, 9)
    assert (folder / files[0]).read_bytes() == before[files[0]]
    again = json.loads((place.folder / "made" / "explain.json").read_text())
    assert again["models"][0]["psi"] == summary["models"][0]["psi"]
    other = explain(place, "--limit", "11", *SHARED[2:])
    assert other.code == 2
    assert "holds another run" in other.line
    assert "config.limit is 10, asked for 11" in other.line


@pytest.mark.parametrize(
    "more, words",
    [
        (("--radius", "linf:0"), ("radius 0", "above 0")),
        (("--radius", "l1:1"), ("linf or l2",)),
        (("--pairs", "gradient,gradient"), ("two different directions", "gradient twice")),
        (("--pairs", "gradient,towards:nobody"), ("unknown class 'nobody'",)),
        (("--pairs", "gradient"), ("over two directions",)),
        (("--steps", "10"), ("odd number of steps", "got 10")),
        (("--limit", "0"), ("at least 1",)),
        (("--images", "0"), ("weakspot: images must be at least 1, got 0",)),
        (("--restarts", "0"), ("weakspot: restarts must be at least 1, got 0",)),
        (("--beside-weights", "x.pt"), ("name it as well",)),
        (("--beside", "models.py:two"), ("2 logits", "3 classes")),
        (("--audit", "nowhere"), ("nowhere",)),
    ],
)
def test_bad_options(place, more, words) -> None:
    ended = explain(place, *more)
    assert ended.code == 2, ended
    assert ended.out == ""
    for word in words:
        assert word in ended.line, ended.line
    assert not (place.folder / "made").exists()


def test_the_mean_of_a_class_without_images_is_refused_before_anything_is_computed(place) -> None:
    ended = explain(place, "--pairs", "gradient,mean:1", data="data.py:empty_class")
    assert ended.code == 2, ended
    assert "class '1' has no samples" in ended.line
    assert not (place.folder / "made").exists()


@pytest.mark.parametrize(
    "model, words",
    [("Nan", ("NaN or infinite logits",)), ("Flat", ("shape (batch, classes)",)), ("large", ("1, 6, 6",))],
)
def test_bad_models(place, model, words) -> None:
    ended = explain(place, model=f"models.py:{model}")
    assert ended.code == 2, ended
    for word in words:
        assert word in ended.line, ended.line


def test_an_audit_of_another_model_is_refused(place) -> None:
    audited = place.run(
        "audit", "models.py:other", "--data", "data.py:make", "--threats", "clean", "--quiet", "--out", "audited"
    )
    assert audited.code == 0, audited
    ended = explain(place, "--audit", "audited")
    assert ended.code == 2
    assert "audit of another model" in ended.line
    assert not (place.folder / "made").exists()


def test_an_audit_of_other_data_of_the_same_name_is_refused_and_one_at_another_radius_is_named(place) -> None:
    audited = place.run(
        "audit", "models.py:net", "--data", "data.py:make", "--radius", "linf:0.05", "--threats", "pgd(steps=2)",
        "--limit", "20", "--quiet", "--out", "audited",
    )  # fmt: skip
    assert audited.code == 0, audited
    ended = explain(place, "--audit", "audited", "--restarts", "2", "--limit", "30")
    assert ended.code == 0, ended
    said = "The audit has no attacks at linf:0.1, within which psi is searched"
    assert said in " ".join(ended.out.split())
    page = (place.folder / "made" / "explain.html").read_text()
    assert said in page
    assert "(robust at linf:0.05, 20 images)" in page
    assert "a search with 8 restarts of 30 steps" in page
    source = place.folder / "data.py"
    source.write_text(source.read_text().replace("(labels[::7] + 1)", "(labels[::7] + 2)"))
    refused = explain(place, "--audit", "audited", out="other")
    assert refused.code == 2
    assert "other data of the same name" in refused.line
    assert not (place.folder / "other").exists()


EXTREME = '''
import torch
from torch import nn
from models import net

class Constant(nn.Module):
    def forward(self, images):
        return images.flatten(1)[:, :3] * 0 + torch.tensor([1.0, 2.0, 2.0])

class Saturated(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()
    def forward(self, images):
        return 1e6 * self.net(images)

class Step(nn.Module):
    """Has no gradient."""
    def __init__(self):
        super().__init__()
        self.net = net()
    def forward(self, images):
        return self.net((images * 4).round() / 4)
'''


def test_a_constant_model_is_explained_and_noted(place) -> None:
    (place.folder / "extreme.py").write_text(EXTREME)
    ended = explain(place, model="extreme.py:Constant")
    assert ended.code == 0, ended
    found = json.loads((place.folder / "made" / "explain.json").read_text())["models"][0]
    assert found["psi"]["B"]["overall"]["still"] == 40
    assert found["psi"]["B"]["overall"]["psi"]["value"] is None
    assert any("no evidence of robustness" in line for line in found["notes"])
    assert any("nothing to calibrate on" in line for line in found["notes"])
    assert "not moved" in ended.out


def test_saturated_models_and_models_without_a_gradient_are_explained(place) -> None:
    (place.folder / "extreme.py").write_text(EXTREME)
    ended = explain(place, "--beside", "extreme.py:Step", model="extreme.py:Saturated")
    assert ended.code == 0, ended
    found = json.loads((place.folder / "made" / "explain.json").read_text())["models"]
    assert [each["model"]["class"] for each in found] == ["Saturated", "Step"]


def test_from_python_an_image_on_the_boundary_and_colour(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    images = torch.rand(12, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    images[0] = 0  # a dark image, whose logits are equal
    net = nn.Sequential(nn.Flatten(), nn.Linear(108, 3, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(torch.linspace(-1, 1, 324).view(3, 108).sin())
    made = weakspot.explain(
        net, (images, torch.arange(12) % 3), radius="l2:0.5", images=12, steps=5, pairs=["gradient,random"], out="py"
    )
    assert len(made.classes) == 3
    assert made.rows()["psi"].min() > 0
    assert made.rows()["margin"][0] == 0
    grids = made.grids("gradient,random")
    assert grids["decision"].shape == (12, 5, 5)
    assert grids["sample"][0] == 0
    assert grids["decision"][0, 2, 2] == 0
    assert grids["pictures"].shape == (3, 3, 6, 6)
    assert made.page.exists()
    with pytest.raises(weakspot.errors.InputError, match="absent or damaged"):
        made.grids("attack,random")
