"""`latent`: on a trained model against features taken by hand; what it leaves untouched; degenerate sets of images."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import planted
from weakspot.analysis.cka import Looked, align, linear_cka
from weakspot.analysis.latent import geometry
from weakspot.analysis.neighbours import purity
from weakspot.errors import InputError
from weakspot.landscape.latent import describe, latent
from weakspot.landscape.seen import Seen, choose, look
from weakspot.outcomes import Outcomes
from weakspot.report.latent_tables import latent_block
from weakspot.threats import parse_threat
from weakspot.threats.clean import Clean
from weakspot.threats.measure import measure

PGD = parse_threat("pgd(steps=5)", planted.RADIUS)


@pytest.fixture(scope="module")
def seen() -> Seen:
    return look(planted.HONEST["mlp"](), planted.digits(), PGD, limit=120)


def test_look_against_features_by_hand(seen):
    model, data = planted.HONEST["mlp"](), planted.digits()
    images, labels = data.batch(seen.sample.tolist()), data.labels[seen.sample]
    np.testing.assert_array_equal(seen.label, labels.numpy())
    assert (seen.layer, seen.threat) == ("3", "pgd(steps=5)@linf:0.1")
    torch.testing.assert_close(torch.from_numpy(seen.clean), model[:3](images))
    sample = torch.from_numpy(seen.sample)
    rows, attacked = measure(model, PGD, seen.threat, images, labels, sample, 0)
    torch.testing.assert_close(torch.from_numpy(seen.attacked), model[:3](attacked))
    np.testing.assert_array_equal(seen.attacked_rows.prediction, rows.prediction)
    clean, _ = measure(model, Clean(), "clean", images, labels, sample, 0)
    assert seen.clean_rows.digest() == clean.digest()
    wrong = ~seen.clean_rows.correct
    np.testing.assert_array_equal(seen.attacked[wrong], seen.clean[wrong])


def test_the_figures_are_those_of_the_analysis(seen):
    found = describe(seen)
    before, after = (geometry(each, seen.label, 10) for each in (seen.clean, seen.attacked))
    shares = purity(seen.attacked, seen.clean, seen.label)
    for c, entry in enumerate(found["classes"]):
        assert entry["samples"] == np.sum(seen.label == c) == 12
        for side, shape in ((entry["clean"], before), (entry["attacked"], after)):
            assert side["spread"]["value"] == shape.spread.value[c]
            assert side["nearest"] == seen.classes[shape.nearest[c]]
            assert side["distance"]["low"] == shape.nearest_distance.low[c]
            assert side["cosine"] == shape.cosine[c, shape.nearest[c]]
            assert side["mean_distance"]["high"] == shape.mean_distance.high[c]
        assert entry["attacked"]["purity"]["value"] == pytest.approx(shares[seen.label == c].mean())
        assert entry["shift"]["low"] <= entry["shift"]["value"] <= entry["shift"]["high"]
        row = np.delete(np.array(found["distances"]["attacked_to_clean"]["euclidean"][c]), c)
        names = np.delete(np.array(seen.classes), c)
        assert entry["toward"] == names[row.argmin()]
        assert found["distances"]["attacked_to_clean"]["euclidean"][c][c] == entry["shift"]["value"]
    assert found["attacked"]["purity"] == pytest.approx(shares.mean())
    assert found["attacked"]["ratio"] < found["clean"]["ratio"]
    assert (found["samples"], found["features"], found["neighbours"]) == (120, 64, 10)
    explains = found["explains"]
    assert list(explains["variables"]) == ["distance", "margin", "samples", "cfps"]
    assert explains["constant"] == ["samples"]  # 12 images of each class
    assert explains["variables"]["samples"]["coefficient"] is None
    np.testing.assert_allclose(
        explains["robust"], [seen.attacked_rows.correct[seen.label == c].mean() for c in range(10)]
    )
    assert explains["freedom"] == 6
    assert explains["samples_of"] == "test"


def test_maps_and_summary(seen):
    found = describe(seen)
    maps = found["maps"]
    assert maps["sample"] == seen.sample.tolist()
    assert maps["attacked_prediction"] == seen.attacked_rows.prediction.tolist()
    for method in ("pca", "tsne"):
        assert len(maps[method]["clean"]) == len(maps[method]["attacked"]) == 120
        assert len(maps[method]["clean"][0]) == 2
    json.dumps(found, allow_nan=False)
    assert latent_block(found).keys() == found.keys() - {"distances", "maps"}
    assert describe(seen) == found


def test_given_outcomes_and_training_counts(seen):
    """A run's own rows, of all its images, judge robustness; `trained` replaces the number of tested images."""
    trained = np.arange(1, 11) * 50
    other = replace(seen, clean_rows=seen.attacked_rows, attacked_rows=seen.clean_rows)
    found = describe(other, outcomes=(seen.clean_rows, seen.attacked_rows), trained=trained)["explains"]
    usual = describe(seen)["explains"]
    assert found["robust"] == usual["robust"]
    assert found["variables"]["samples"]["values"] == trained.tolist()
    assert (found["samples_of"], found["constant"], found["freedom"]) == ("training", [], 5)
    assert found["variables"]["distance"]["rank_correlation"] == usual["variables"]["distance"]["rank_correlation"]


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 5), nn.Dropout(), nn.Linear(5, 10))
    model[1].eval()
    model[4].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    latent(model, planted.digits(), PGD, limit=20)
    assert [m.training for m in model] == [True, False, True, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True] * 5 + [False]
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in model.modules())

    class Stops(nn.Module):
        def forward(self, images):
            raise RuntimeError("planted")

    model[3] = Stops()
    with pytest.raises(RuntimeError, match="planted"):
        latent(model, planted.digits(), PGD, limit=20)
    assert [m.training for m in model] == [True, False, True, True, True]
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_without_a_threat_and_with_a_corruption():
    model, data = planted.HONEST["mlp"](), planted.digits()
    found = latent(model, data, None, limit=60, layer="1")
    assert found["threat"] is found["attacked"] is found["explains"] is found["maps"]["attacked_prediction"] is None
    assert found["distances"].keys() == {"clean"}
    assert (found["layer"], found["features"]) == ("1", 64)
    assert found["classes"][0]["shift"] is found["classes"][0]["attacked"] is found["maps"]["pca"]["attacked"] is None
    assert latent(model, data, parse_threat("brightness@2", None), limit=60)["attacked"]["ratio"] > 0


def test_what_cannot_be_looked_at():
    with pytest.raises(InputError, match="a plain function"):
        latent(lambda images: images.flatten(1)[:, :10], planted.digits(), PGD, limit=10)
    with pytest.raises(InputError, match="at least one image, got 500 in digits and a limit of 0"):
        latent(planted.HONEST["mlp"](), planted.digits(), PGD, limit=0)


def test_choose_takes_as_many_of_each_class():
    labels = torch.tensor([0] * 50 + [1] * 3 + [2] * 50 + [4] * 7)
    for limit, counts in [(20, [6, 3, 6, 0, 5]), (1000, [50, 3, 50, 0, 7]), (2, None)]:
        found = choose(labels, limit, 0)
        assert (np.diff(found) > 0).all()
        assert len(found) == min(limit, 110)
        if counts:
            taken = np.bincount(labels.numpy()[found], minlength=5)
            assert np.abs(taken - counts).max() <= 1
    np.testing.assert_array_equal(choose(labels, 20, 0), choose(labels, 20, 0))
    assert (choose(labels, 20, 0) != choose(labels, 20, 1)).any()
    assert len(choose(labels[:0], 5, 0)) == 0


def looked(seen: Seen) -> Looked:
    return Looked(seen.sample, seen.label, seen.clean)


def test_alignment_of_two_models(seen):
    other = looked(look(planted.HONEST["small-cnn"](), planted.digits(), None, limit=200))
    one = looked(seen)
    count, found = align(one, other)
    common = np.intersect1d(seen.sample, other.sample)
    assert count == len(common) == 120
    expected = linear_cka(seen.clean, other.features[np.searchsorted(other.sample, common)])
    assert found == expected
    assert 0.2 < found.unbiased < 0.95
    assert align(one, one)[1].unbiased == pytest.approx(1)
    with pytest.raises(InputError, match="common images"):
        align(one, replace(other, sample=other.sample + 1000))
    with pytest.raises(InputError, match="other labels"):
        align(one, replace(other, label=(other.label + 1) % 10))


def made(label: np.ndarray, classes: int, dimensions: int) -> Seen:
    """Features around random centres, and the same moved a little."""
    random = np.random.default_rng(0)
    clean = random.standard_normal((classes, dimensions))[label] * 3 + random.standard_normal((len(label), dimensions))
    sample, margin = np.arange(len(label)), random.standard_normal(len(label))
    fooled = np.where(random.random(len(label)) < 0.5, label, random.integers(0, classes, len(label)))
    clean_rows = Outcomes.build(
        sample=sample, label=label, prediction=label, correct=True, margin=margin, threat="clean"
    )
    rows = Outcomes.build(sample=sample, label=label, prediction=fooled, correct=label == fooled, threat="pgd")
    names = tuple(f"<{c}>" for c in range(classes))
    moved = (clean + 0.5).astype(np.float32)
    return Seen("fc", names, sample, label, clean.astype(np.float32), clean_rows, "pgd", moved, rows)


@pytest.mark.parametrize(
    "sizes, dimensions",
    [((7, 5, 0, 6), 4), ((7, 5, 1, 6), 4), ((1,), 3), ((0, 1), 3), ((9, 8), 1), ((9, 8), 5), ((3, 4, 5), 1)],
)
def test_degenerate_sets(sizes, dimensions):
    label = np.repeat(np.arange(len(sizes)), sizes)
    found = describe(made(label, len(sizes), dimensions))
    json.dumps(found, allow_nan=False)
    for size, entry in zip(sizes, found["classes"], strict=True):
        assert entry["samples"] == size
        for side in ("clean", "attacked"):
            assert (entry[side]["spread"]["value"] is None) == (size < 2)
            assert (entry[side]["nearest"] is None) == (size < 2 or sum(n > 1 for n in sizes) < 2)
            assert (entry[side]["purity"]["value"] is None) == (size < 1 or sum(sizes) < 2)
    assert (found["maps"]["tsne"] is None) == (sum(sizes) < 10)
    assert found["explains"]["r2"] is None


def test_a_thousand_classes(monkeypatch):
    monkeypatch.setattr("weakspot.landscape.latent.POINTS", 200)
    label = np.repeat(np.arange(1000), 3)
    found = describe(made(label, 1000, 8))
    assert found["distances"] is None
    assert len(found["classes"]) == 1000
    assert len(found["maps"]["sample"]) == 100
    assert len(set(found["maps"]["label"])) == 100
    assert len(json.dumps(latent_block(found), allow_nan=False)) < 1_500_000
    assert found["explains"]["freedom"] == 996  # the number of samples is the same for all
