"""Whole runs on real digits: what a run folder holds, what is refused, and that no test data are read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests.training.runs import digits, mlp, short_run
from torch import nn

from weakspot.cli import main
from weakspot.data.arrays import ArrayData
from weakspot.errors import InputError, SetupError
from weakspot.models import load as load_model
from weakspot.training import OBJECTIVES, Losses, TrainConfig, saved_epoch, train
from weakspot.training.blow_up import BAD_BATCH
from weakspot.training.objectives import objective_of
from weakspot.training.objectives.standard import Standard
from weakspot.training.pool import split


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", [*OBJECTIVES, "trades+awp"])
def test_every_method_trains(method: str, tmp_path: Path) -> None:
    out = train(
        method,
        digits(400),
        model=mlp(objective_of(method).base.head),
        radius="linf:0.05",
        epochs=5,
        batch=16,
        average=0.9,
        crop=0.0,
        flip=False,
        validation=0.2,
        out=tmp_path / "run",
    )
    last = rows_of(out)[-1]
    assert sum(last["clean"]) > 0.8 * sum(last["samples"])
    assert sum(last["robust"]) > 0.7 * sum(last["samples"])


def test_bfloat16_trains_float32_weights(tmp_path: Path) -> None:
    outs = [
        train(
            "trades", digits(), model=mlp("linear"), epochs=2, batch=32, precision=precision, out=tmp_path / precision
        )
        for precision in ("fp32", "bf16")
    ]
    full, half = (load_file(out / "model.safetensors") for out in outs)
    assert all(value.dtype == full[name].dtype for name, value in half.items())
    assert not torch.equal(half["1.weight"], full["1.weight"])
    for one, other in zip(rows_of(outs[0]), rows_of(outs[1]), strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=0.02)


def test_the_run_folder_is_the_model_that_was_validated(tmp_path: Path) -> None:
    out = short_run(tmp_path / "run")
    data, rows = digits(120), rows_of(out)
    model = load_model(str(out), channels=1, classes=10, size=8).module
    assert isinstance(model, nn.Module)
    _, held = split(data.labels, 10, 0.1, 0)
    assert [len(held[data.labels[held] == c]) for c in range(10)] == rows[0]["samples"]
    right = model(data.batch(held.tolist())).argmax(1) == data.labels[held]
    counts = [int(right[data.labels[held] == c].sum()) for c in range(10)]
    score = [np.mean(np.array(row["robust"]) / row["samples"]) for row in rows]
    best = max(zip(score, range(len(rows)), rows, strict=True), key=lambda each: each[:2])[2]  # the last of equals
    assert counts == best["clean"]
    assert saved_epoch(out) == best["epoch"]
    assert all(0 <= attacked <= clean for attacked, clean in zip(best["robust"], best["clean"], strict=True))


@pytest.mark.parametrize("select", ["average", "worst", "sum"])
def test_of_equal_epochs_the_last_one_is_saved(select: str, tmp_path: Path) -> None:
    out = train("standard", digits(120), epochs=3, batch=32, lr=1e-30, average=0.0, select=select, out=tmp_path / "run")
    assert [row["saved"] for row in rows_of(out)] == [True, True, True]
    assert saved_epoch(out) == 3


def test_the_last_epoch_and_the_average_are_what_is_asked_for(tmp_path: Path) -> None:
    out = train("standard", digits(), epochs=2, batch=32, average=0.9, select="last", out=tmp_path / "run")
    saved, state = load_file(out / "model.safetensors"), load_file(out / "checkpoint.safetensors")
    assert all(torch.equal(value, state[f"average/{name}"]) for name, value in saved.items())
    assert any(not torch.equal(value, state[f"model/{name}"]) for name, value in saved.items())


def test_the_configuration_is_resolved_and_names_the_default_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = train("n-fgsm", digits(40), epochs=1, batch=16, device="cpu")
    config = yaml.safe_load((out / "config.yaml").read_text())
    assert config["radius"] == "linf:0.1"
    assert config["data"] == "digits"
    assert config["precision"] == "fp32"
    assert out.parent == Path("runs")
    assert out.name.startswith("n-fgsm-")
    assert train("n-fgsm", digits(40), epochs=1, batch=16, device="cpu") == out
    assert train("n-fgsm", digits(40), epochs=1, batch=16, device="cpu", seed=1) != out
    assert json.loads((out / "environment.json").read_text())["torch"] == torch.__version__


class Recording(Standard):
    """Standard training that remembers which samples it saw, and as what."""

    seen: dict[int, int] = {}

    def __call__(self, *arguments: Any) -> Losses:
        self.seen.update(zip(arguments[3].tolist(), arguments[2].tolist(), strict=True))
        return super().__call__(*arguments)


def test_held_out_samples_never_train_and_test_data_are_never_read(tmp_path: Path) -> None:
    data = digits()
    kept, held = split(data.labels, 10, 0.1, 0)
    train(Recording(), data, epochs=3, batch=16, out=tmp_path / "run")
    assert not set(Recording.seen) & set(held.tolist())
    assert set(Recording.seen) == set(kept.tolist())
    assert all(data.labels[sample] == label for sample, label in Recording.seen.items())
    with pytest.raises(InputError, match="never reads a test split"):
        train("standard", digits(split="test"), epochs=1, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_validation_attack_keeps_to_the_exact_bounds_of_a_linear_model(tmp_path: Path) -> None:
    data = digits(400)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        model[1].weight.zero_()
    out = train(
        "standard",
        data,
        model=model,
        epochs=4,
        batch=32,
        average=0.0,
        crop=0.0,
        flip=False,
        radius="linf:0.03",
        select="last",
        out=tmp_path / "run",
    )
    assert not (out / "model.json").exists(), "only zoo models can be described"
    weight, bias = load_file(out / "model.safetensors").values()
    weight, bias = (weight, bias) if weight.ndim == 2 else (bias, weight)
    torch.testing.assert_close(weight, model[1].weight.detach())
    _, held = split(data.labels, 10, 0.1, 0)
    images, labels = data.batch(held.tolist()).flatten(1), data.labels[held]
    surely = 0
    for image, label in zip(images, labels.tolist(), strict=True):
        logits = weight @ image + bias
        rivals = [j for j in range(10) if j != label]
        surely += all(logits[label] - logits[j] > 0.03 * (weight[label] - weight[j]).abs().sum() for j in rivals)
    last = rows_of(out)[-1]
    assert 0 < surely <= sum(last["robust"]) < sum(last["clean"])


def test_a_loss_that_blows_up_stops_the_run_and_saves_the_batch(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lower lr=1e\+30") as error:
        train("standard", digits(), epochs=2, batch=32, lr=1e30, schedule="constant", out=tmp_path / "run")
    assert BAD_BATCH in str(error.value)
    bad = load_file(tmp_path / "run" / BAD_BATCH)
    assert not bad["per_sample"].isfinite().all()
    assert torch.equal(bad["labels"], digits().labels[bad["sample"]])
    assert bad["images"].shape == (32, 1, 8, 8)


@pytest.mark.parametrize("validation", [0.0, 0.1])
def test_weights_that_blow_up_in_the_last_step_are_not_saved(validation: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"blew up in epoch 1 and were not saved; lower lr=1e\+38"):
        train(
            "standard", digits(40), epochs=1, batch=40, lr=1e38, weight_decay=1e3, schedule="constant",
            validation=validation, select="last", out=tmp_path / "run",
        )  # fmt: skip
    assert not {"model.safetensors", "checkpoint.safetensors"} & {path.name for path in (tmp_path / "run").iterdir()}


def test_logits_that_overflow_stop_the_run_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="blew up in epoch 1"):
        train("standard", digits(40), epochs=1, batch=40, lr=1e37, schedule="constant", out=tmp_path / "run")


def test_batch_norm_on_single_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch norm needs two images in each process's part of a batch, got 1 for 1"):
        train("standard", digits(40), model="resnet18-w4", epochs=1, batch=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_radius_of_0_is_clean_training(tmp_path: Path) -> None:
    outs = [
        train("standard", digits(80, radius=None), epochs=1, radius=radius, out=tmp_path / f"{radius}")
        for radius in ("linf:0", None)
    ]
    assert (outs[0] / "model.safetensors").read_bytes() == (outs[1] / "model.safetensors").read_bytes()
    assert rows_of(outs[0])[0]["robust"] is None


@pytest.mark.parametrize("classes, channels", [(2, 1), (3, 3)])
def test_few_classes_and_colours(classes: int, channels: int, tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((30, channels, 8, 8), dtype=np.float32)
    data = ArrayData.of(images, np.arange(30) % classes, name="noise")
    out = train("trades(steps=1)", data, model="resnet18-w4", radius="l2:0.5", epochs=1, batch=64, out=tmp_path / "run")
    assert load_model(str(out), channels=channels, classes=classes, size=8).digest


def test_a_class_without_samples_is_no_obstacle(tmp_path: Path) -> None:
    data = ArrayData.of(np.zeros((20, 1, 8, 8), np.uint8), np.arange(20) % 2, classes=["a", "b", "none"], name="two")
    row = rows_of(train("standard", data, epochs=1, batch=4, out=tmp_path / "run"))[0]
    assert row["samples"] == [1, 1, 0]
    assert row["robust"] is None


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"epochs": 0}, "epochs"),
        ({"batch": 0}, "batch"),
        ({"lr": 0.0}, "lr"),
        ({"lr": 1e300}, "lr"),
        ({"validation": 0.9}, "validation"),
        ({"validation": 0.0, "select": "worst"}, "compares epochs on held-out images"),
        ({"average": 1.0}, "average"),
        ({"model": "resnet81"}, "did you mean 'resnet18'"),
        ({"head": "cosin"}, "did you mean 'cosine'"),
        ({"head": "lws"}, "give an earlier run: --model RUN"),
        ({"loss": "ldem"}, "did you mean 'ldam'"),
        ({"loss": "ldam", "smoothing": 0.1}, "knows no smoothed labels"),
        ({"adjust": "tau-norm", "head": "cosine"}, "needs the head linear"),
        ({"policy": "cfol", "sampler": "class-aware"}, "draws the images itself"),
        ({"device": "tpu"}, "known: auto, cpu, cuda"),
        ({"radius": "linf:0"}, "needs a radius above 0"),
        ({"radius": "l1:1"}, "linf and l2"),
        ({"radius": "8/255"}, "NORM:SIZE"),
    ],
)
def test_a_wrong_argument_is_one_clear_line_and_leaves_no_folder(
    wrong: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as error:
        train("pgd-at", digits(40), **{"epochs": 1, "out": tmp_path / "run", **wrong})
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "wrong, says",
    [
        ({"schedule": "cosin"}, "'trades' or 'mart'"),
        ({"select": "best"}, "'last', 'average', 'worst' or 'sum'"),
        ({"optimizer": "adam"}, "'sgd' or 'adamw'"),
        ({"average": "sw"}, "'swa'"),
        ({"precision": "fp16"}, "'fp32' or 'bf16'"),
        ({"sampler": "aware"}, "'shuffled' or 'class-aware'"),
        ({"epoch": 3}, "unknown option 'epoch'; did you mean 'epochs'?"),
    ],
)
def test_a_stored_configuration_reads_back_and_wrong_ones_do_not(
    wrong: dict[str, Any], says: str, tmp_path: Path
) -> None:
    out = train("pgd-at(steps=1)", digits(40), epochs=1, out=tmp_path / "run")
    stored = yaml.safe_load((out / "config.yaml").read_text())
    assert TrainConfig(**stored).plain() == stored
    with pytest.raises(InputError) as error:
        TrainConfig(**{**stored, **wrong})
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", ["spat", "mart", "mart+awp"])
def test_smoothing_is_refused_where_it_would_be_ignored(method: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no cross-entropy to smooth, got 0.1"):
        train(method, digits(40), epochs=1, smoothing=0.1, out=tmp_path / "run")


def test_wrong_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a radius above 0, got none"):
        train("pgd-at", digits(radius=None), epochs=1, out=tmp_path / "run")
    oblong = ArrayData.of(np.zeros((4, 1, 8, 6), np.uint8), [0, 1, 0, 1], name="oblong")
    with pytest.raises(InputError, match="square images, got 8x6"):
        train("standard", oblong, epochs=1, out=tmp_path / "run")


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="is no training run"):
        train("standard", digits(40), epochs=1, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(SetupError, match="cannot make the run folder"):
        train("standard", digits(40), epochs=1, out=tmp_path / "letter.txt" / "run")


def test_the_configuration_of_a_run_repeats_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    once, again = tmp_path / "once", tmp_path / "again"
    options = ["--model", "small-cnn", "--epochs", "1", "--batch", "256", "--no-flip", "--policy", "none"]
    assert main(["train", "standard", *options, "--out", str(once), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": str(once), "saved_epoch": 1}
    assert main(["train", "--config", str(once / "config.yaml"), "--out", str(again)]) == 0
    assert (again / "config.yaml").read_text() == (once / "config.yaml").read_text()
    assert (again / "model.safetensors").read_bytes() == (once / "model.safetensors").read_bytes()
    assert main(["train", "--out", str(again)]) == 2
    assert "needs a METHOD" in capsys.readouterr().err
