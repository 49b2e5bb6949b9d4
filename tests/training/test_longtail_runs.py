"""Whole runs of long-tailed methods: RoBal's own, further training of a run, and a run that is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tests.oracles.longtail_objectives import tail
from tests.training.runs import digits
from tests.training.test_resume import assert_same_run, epochs_done

from weakspot import rng
from weakspot.data.longtail import LongTail, long_tail
from weakspot.errors import InputError
from weakspot.models import checkpoints, load
from weakspot.models.spec import read_spec
from weakspot.training import train
from weakspot.training.objectives import objective_of
from weakspot.training.options import LATER

ROOT = Path(__file__).parents[2]


def tailed_run(out: Path, method: Any = "pgd-at(steps=1)", samples: int = 600, **options: Any) -> Path:
    """An epoch or more on digits of which class 0 has five times as many as class 9."""
    fixed: dict[str, Any] = {"epochs": 1, "batch": 32, "lr": 0.05, "validation_steps": 1, "average": 0.0}
    return train(method, long_tail(digits(samples), LongTail.of("5")), out=out, device="cpu", **fixed | options)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoints.read(run / "model.safetensors")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to train further."""
    return tailed_run(tmp_path_factory.mktemp("first") / "run", adjust="scale")


@pytest.mark.parametrize(
    "method, head, adjust",
    [
        ("robal-n", "robal", "logit-adjustment(tau=0.1,scale=10.0)"),
        ("robal-r", "robal", "none"),
        ("robal-n-100", "robal", "logit-adjustment(tau=1.5,scale=10.0)"),
        ("robal-r-100", "robal(gamma=0.0625)", "logit-adjustment(tau=1.7,scale=10.0)"),
        ("robal-n(invariant=False)", "linear", "logit-adjustment(tau=0.1)"),
        ("robal-n(rebalance=False)", "robal", "scale"),
        ("robal-r(invariant=False,rebalance=False)", "linear", "none"),
    ],
)
def test_robals_settings_reach_the_model(method: str, head: str, adjust: str, tmp_path: Path) -> None:
    name, _, options = method.partition("(")
    out = tailed_run(tmp_path / "run", f"{name}(steps=1{',' + options[:-1] if options else ''})")
    spec = read_spec(out / "model.json")
    assert (spec.head, spec.adjust) == (head, adjust)
    logits = load(str(out), channels=1, classes=10, size=8).module(digits(3).batch(range(3)))
    assert logits.isfinite().all()


def test_robals_margins_and_biases() -> None:
    """On CIFAR-10-LT, imbalance 50, from the settings of METHODS: the head's margin and the tail's bias."""
    counts = torch.tensor([5000.0, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100])
    robal, z = objective_of("robal-r"), torch.zeros(10, 10)
    losses = robal.multi_margin(z, torch.arange(10), counts)  # type: ignore[attr-defined]
    shares = counts / 13996
    margins = 0.1 + 0.03 * (counts / 100).log()
    assert margins[0].item() == pytest.approx(0.2174, abs=1e-4)
    own = shares**1.5 * torch.exp(-10 * margins)
    expected = -(own / (own + (shares**1.5).sum() - shares**1.5)).log()
    torch.testing.assert_close(losses, expected)
    bare = objective_of("robal-r(rebalance=False,invariant=False)")
    torch.testing.assert_close(
        bare.multi_margin(z, torch.arange(10), counts),  # type: ignore[attr-defined]
        torch.full((10,), -torch.tensor(-0.1).exp().div(torch.tensor(-0.1).exp() + 9).log().item()),
    )


def test_further_training_starts_from_the_weights_and_leaves_the_adjustment(first: Path, tmp_path: Path) -> None:
    out = tailed_run(tmp_path / "run", model=str(first), lr=1e-30)
    spec, before = read_spec(out / "model.json"), read_spec(first / "model.json")
    assert (before.adjust, spec.adjust, spec.zoo, spec.head) == ("scale", "none", "cnn", "linear")
    old = weights(first)
    assert all(torch.equal(value, old[name]) for name, value in weights(out).items())
    assert str(first) in (out / "config.yaml").read_text()


@pytest.mark.parametrize("options", [{"sampler": "class-aware"}, {"loss": "class-balanced"}], ids=["RS", "RW"])
def test_the_head_alone_learns(first: Path, tmp_path: Path, options: dict[str, str]) -> None:
    out = tailed_run(tmp_path / "run", model=str(first), tune="head", schedule="constant", **options)
    old = weights(first)
    changed = {name for name, value in weights(out).items() if not torch.equal(value, old[name])}
    assert changed == {"linear.weight", "linear.bias"}


def test_a_head_alone_over_a_network_that_nothing_trained_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--tune head trains the last layer of a trained network; give an earlier run"):
        tailed_run(tmp_path / "run", tune="head")
    assert not (tmp_path / "run").exists()


def test_lws_learns_scales_alone(first: Path, tmp_path: Path) -> None:
    out = tailed_run(
        tmp_path / "run", model=str(first), head="lws", tune="head", sampler="class-aware", schedule="constant"
    )
    old, new = weights(first), weights(out)
    assert new.keys() - old.keys() == {"linear.scales"}
    assert old.keys() - new.keys() == {"linear.bias"}
    assert all(torch.equal(value, old[name]) for name, value in new.items() if name in old)
    assert (new["linear.scales"] != 1).all()


def test_a_focal_bias_is_not_drawn_over_a_trained_one(first: Path, tmp_path: Path) -> None:
    out = tailed_run(tmp_path / "run", model=str(first), loss="focal", lr=1e-30)
    assert torch.equal(weights(out)["linear.bias"], weights(first)["linear.bias"])
    fresh = weights(tailed_run(tmp_path / "fresh", loss="focal", lr=1e-30))["linear.bias"]
    counts = torch.tensor(read_spec(tmp_path / "fresh" / "model.json").counts)
    torch.testing.assert_close(fresh.sigmoid(), counts / counts.sum())


def test_augmentations_change_what_is_trained_on(tmp_path: Path) -> None:
    plain, *others = (
        weights(tailed_run(tmp_path / augment, augment=augment))["linear.weight"]
        for augment in ("none", "randaugment", "autoaugment")
    )
    assert not torch.equal(*others)
    for other in others:
        assert not torch.equal(plain, other)
        assert (other - plain).norm() < plain.norm()


def test_a_frozen_bias_stays(tmp_path: Path) -> None:
    still = weights(tailed_run(tmp_path / "still", lr=1e-30))["linear.bias"]
    assert torch.equal(weights(tailed_run(tmp_path / "run", loss="logit-adjustment"))["linear.bias"], still)
    assert not torch.equal(weights(tailed_run(tmp_path / "other", loss="cdt"))["linear.bias"], still)


def test_other_data_are_refused(first: Path, tmp_path: Path) -> None:
    data = digits(60)
    few = [i for i, c in enumerate(data.labels.tolist()) if c < 3]
    three = type(data).of(data.images[few], data.labels[few], name="three", radius="linf:0.1")
    with pytest.raises(InputError, match="knows 10 classes, the data has 1 and 3"):
        train("pgd-at", three, model=str(first), out=tmp_path / "run", epochs=1)


def hang(out: Path) -> Path:
    """Three epochs with class-aware sampling, a long-tailed loss whose weights come late, TDE's head and adjustment."""
    return tailed_run(
        out, "trades(steps=1)", samples=300, epochs=3, head="tde", adjust="tde", sampler="class-aware", average=0.9,
        loss="ldam(drw=True,drw_from=0.5)",
    )  # fmt: skip


def test_a_killed_run_ends_the_same(tmp_path: Path) -> None:
    whole, out = hang(tmp_path / "whole"), tmp_path / "run"
    code = f"from pathlib import Path; from tests.training.test_longtail_runs import hang; hang(Path({str(out)!r}))"
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **threads})
    try:
        while not (out / "checkpoint.safetensors").exists():
            assert process.poll() is None, "it must not end by itself"
            time.sleep(0.01)
    finally:
        process.kill()  # SIGKILL
        process.wait()
    assert epochs_done(out) < 3, "it must be killed before its end"
    for stale in out.glob("*.tmp"):
        stale.write_bytes(b"half")
    hang(out)
    assert_same_run(out, whole)
    assert (weights(out)["linear.mean_direction"].norm() > 1).item()


@pytest.mark.parametrize("present", [False, True])
def test_taets_absent_classes(present: bool) -> None:
    """Two of three classes are there, with losses 1 and 3: the absent one counts as 0, or not at all."""
    taet = objective_of(f"taet(present={present})")
    losses, labels = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 2])
    by_class = [1.0, 3.0] if present else [1.0, 0.0, 3.0]
    mean = 4 / len(by_class)
    spread = sum((v - mean) ** 2 for v in by_class) / len(by_class)
    expected = 0.1 * (mean + spread + 1 / 16 + 9 / 16)
    assert taet.harl(losses, labels, 3).item() == pytest.approx(expected)  # type: ignore[attr-defined]
    silent = taet.harl(0 * losses, labels, 3)  # type: ignore[attr-defined]
    assert silent.item() == 0


@pytest.mark.parametrize("per_pair", [False, True])
def test_reats_tail_against_a_plain_loop(per_pair: bool) -> None:
    reat = objective_of(f"reat(per_pair={per_pair})")
    counts, labels = torch.tensor([4.0, 50, 9, 30, 2, 8, 7]), torch.tensor([0, 1, 4, 4, 6, 3, 0, 5])
    phi = rng.normal((5,), torch.arange(8), 0, "phi").double().requires_grad_()
    value = reat.tail(phi, labels, counts.double())  # type: ignore[attr-defined]
    expected = tail(reat, phi.tolist(), labels.tolist(), [int(n) for n in counts.tolist()])
    assert value.item() == pytest.approx(expected)
    assert value.item() != 0
    (gradient,) = torch.autograd.grad(value, phi)
    assert (gradient[[1, 5, 7]].norm(dim=1) > 0).all(), "the others are moved"
    none = reat.tail(phi[[1, 5]], labels[[1, 5]], counts.double())  # type: ignore[attr-defined]
    assert none.item() == 0


def test_reat_reaches_the_features_of_a_zoo_model(tmp_path: Path) -> None:
    rows = [
        (tailed_run(tmp_path / name, f"reat(steps=1,weight={weight})") / "model.safetensors").read_bytes()
        for name, weight in (("with", 1.0), ("without", 0.0))
    ]
    assert rows[0] != rows[1]


def test_a_run_of_before_long_tails_is_still_the_same(tmp_path: Path) -> None:
    out = tailed_run(tmp_path / "run")
    path, trained = out / "config.yaml", (out / "model.safetensors").read_bytes()
    stored = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({k: v for k, v in stored.items() if k not in LATER}))
    with pytest.raises(InputError, match="loss: 'cross-entropy' -> 'focal'"):
        tailed_run(out, loss="focal")
    tailed_run(out)
    assert (out / "model.safetensors").read_bytes() == trained
    assert yaml.safe_load(path.read_text()) == stored
