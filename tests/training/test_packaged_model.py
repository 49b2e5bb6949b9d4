"""The packaged model is what its recipe says it is, by attacks that are not ours."""

import re
import warnings
from pathlib import Path

import torch
from scipy.stats import binomtest
from torch import nn

from weakspot.data import load
from weakspot.models import load as load_model
from weakspot.recipes import fashion_cnn


def packaged() -> nn.Module:
    model = load_model(None, channels=1, classes=10, size=28).module
    assert isinstance(model, nn.Module)
    return model


def test_the_header_says_what_the_counts_say() -> None:
    text = Path(fashion_cnn.__file__).read_text()
    for name in ("CLEAN", "PGD_20", "WORST_OF_THREE"):
        count = getattr(fashion_cnn, name)
        low, high = binomtest(count, fashion_cnn.SAMPLES).proportion_ci(method="wilson")
        line = rf"{count:,}.* {100 * count / fashion_cnn.SAMPLES:.1f} %  \[{100 * low:.1f}, {100 * high:.1f}\]"
        assert re.search(line, text), line


def test_clean_accuracy_is_as_stated() -> None:
    data = load("fashion-mnist-mini", split="test")
    with torch.no_grad():
        right = packaged()(data.batch(range(len(data)))).argmax(1) == data.labels
    assert len(data) == fashion_cnn.SAMPLES
    assert abs(int(right.sum()) - fashion_cnn.CLEAN) <= 2  # logits that tie up to rounding


def test_robust_accuracy_is_as_stated_under_foolboxs_pgd() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # foolbox imports from where scipy moved things away
        import foolbox
    data = load("fashion-mnist-mini", split="test")
    rows = range(0, len(data), 5)
    images, labels = data.batch(rows), data.labels[list(rows)]
    attack = foolbox.attacks.LinfPGD(rel_stepsize=0.1, steps=20, random_start=False)
    _, _, broken = attack(foolbox.PyTorchModel(packaged(), bounds=(0, 1)), images, labels, epsilons=0.1)
    held = int((~broken).sum())
    low, high = binomtest(held, len(labels)).proportion_ci(confidence_level=0.999, method="wilson")
    assert low < fashion_cnn.PGD_20 / fashion_cnn.SAMPLES < high
    assert held > 0.7 * len(labels)
