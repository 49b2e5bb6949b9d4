"""T0 to T6 and the label mapping: their figures against values known by construction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import broken
import planted
from weakspot.addresses import Radius
from weakspot.doubts.batches import batches
from weakspot.doubts.context import Context
from weakspot.doubts.determinism import determinism
from weakspot.doubts.gradients import gradients
from weakspot.doubts.graph import graph
from weakspot.doubts.identity import identity
from weakspot.doubts.label_mapping import held_out, label_mapping
from weakspot.doubts.returned import returned
from weakspot.doubts.setup import setup
from weakspot.outcomes import Outcomes


@pytest.fixture
def honest() -> Context:
    return planted.context_of(planted.HONEST["mlp"](), samples=64)


def test_setup_names_images_out_of_range(honest: Context) -> None:
    found = setup(replace(honest, images=honest.images * 255))
    assert found.status == "fail"
    assert "[0, 255]" in found.says


def test_setup_names_labels_out_of_range(honest: Context) -> None:
    found = setup(replace(honest, labels=honest.labels + 3))
    assert found.status == "fail"
    assert "labels span 3 to 12, but there are 10 classes" in found.says


def test_setup_names_a_wrong_number_of_classes(honest: Context) -> None:
    found = setup(replace(honest, classes=tuple("abcdefghijkl")))
    assert found.status == "fail"
    assert "(64, 10) where (64, 12)" in found.says


@pytest.mark.parametrize("scale, status", [(1.0, "fail"), (2.0, "ok")])
def test_setup_takes_only_rows_that_sum_to_one_for_probabilities(honest: Context, scale: float, status: str) -> None:
    assert setup(replace(honest, model=lambda x: honest.model(x).softmax(1) * scale)).status == status


def test_setup_accepts_log_probabilities(honest: Context) -> None:
    """They are logits: softmax(log p) = p."""
    assert setup(replace(honest, model=lambda x: honest.model(x).log_softmax(1))).status == "ok"


def test_setup_counts_all_faults(honest: Context) -> None:
    wrong = replace(honest, images=honest.images * 2, labels=honest.labels - 1)
    assert setup(wrong).figure == 2.0


def test_determinism_measures_the_relative_length_of_the_change() -> None:
    """Logits (1, 0) and then (1, 0.3): 0.3 of the first one's length, and no prediction changes."""
    calls = []

    def model(images: Tensor) -> Tensor:
        calls.append(len(images))
        return torch.tensor([1.0, 0.0 if len(calls) == 1 else 0.3]).expand(len(images), 2)

    images = torch.zeros(3, 1, 2, 2)
    context = Context(model, images, torch.zeros(3, dtype=torch.int64), torch.arange(3), ("a", "b"), None, 0)
    found = determinism(context)
    assert found.figure == pytest.approx(0.3)
    assert found.status == "warn"
    assert len(calls) == 5


def test_batches_ignores_what_rounding_does(honest: Context) -> None:
    """Logits that depend on the batch size in the sixth digit are two kernels, not a dependence."""
    found = batches(replace(honest, model=lambda x: honest.model(x) * (1 + 1e-6 * len(x))))
    assert found.status == "ok"
    assert found.figure is not None
    assert 1e-5 < found.figure < 1e-4


def test_batches_notices_an_order(honest: Context) -> None:
    """A model that always answers the first image's question."""
    found = batches(replace(honest, model=lambda x: honest.model(x)[:1].expand(len(x), -1)))
    assert found.status == "fail"


def test_identity_notices_an_answer_that_changes_while_a_gradient_is_taken(honest: Context) -> None:
    assert identity(honest).status == "ok"
    found = identity(replace(honest, model=lambda x: honest.model(x) * (1.5 if x.requires_grad else 1)))
    assert found.status == "fail"
    assert found.figure == 1.0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_identity_in_each_norm(honest: Context, norm: str) -> None:
    assert identity(replace(honest, radius=Radius.of(f"{norm}:0.5"))).figure == 0.0


def rows_at(distance_linf: float, distance_l2: float, radius: str) -> tuple[Outcomes, dict]:
    address = f"pgd@{radius}"
    rows = Outcomes.build(
        sample=np.arange(4), threat=address, margin=1.0, distance_linf=distance_linf, distance_l2=distance_l2
    )
    return rows, {"threats": [{"address": address, "kind": "adversarial", "radius": radius}]}


@pytest.mark.parametrize(
    "linf, l2, radius, share",
    [
        (0.1, 9.0, "linf:0.1", 0.0),
        (0.1001, 0.2, "linf:0.1", 1.0),
        (0.9, 0.5, "l2:0.5", 0.0),
        (0.1, 0.51, "l2:0.5", 1.0),
        (float("nan"), 0.1, "l2:0.5", 1.0),
    ],
)
def test_returned_images_are_held_to_their_own_norm(
    honest: Context, linf: float, l2: float, radius: str, share: float
) -> None:
    rows, manifest = rows_at(linf, l2, radius)
    found = returned(replace(honest, rows=rows, manifest=manifest))
    assert found.figure == share
    assert found.status == ("fail" if share else "ok")


def test_graph_agrees_with_an_honest_gradient_everywhere(honest: Context) -> None:
    assert graph(honest).figure == 0.0


def test_graph_measures_a_gradient_that_is_made_up(honest: Context) -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            return gradient * 2

    class Model(broken.Wrapped):
        def forward(self, images: Tensor) -> Tensor:
            return self.net(Doubled.apply(images))

    assert isinstance(honest.model, nn.Module)
    found = graph(replace(honest, model=Model(honest.model)))
    assert found.status == "fail"
    assert found.figure == 1.0


def test_graph_says_when_it_could_not_compare(honest: Context) -> None:
    found = graph(replace(honest, model=lambda x: honest.model(x)))
    assert found.status == "ok"
    assert "not compared" in found.says


def test_a_model_that_needs_float32_is_not_compared(honest: Context) -> None:
    class Single(broken.Wrapped):
        def forward(self, images: Tensor) -> Tensor:
            return self.net(images + torch.zeros_like(images, dtype=torch.float32)).float()

    found = graph(replace(honest, model=Single(planted.HONEST["mlp"]())))
    assert found.status == "ok"
    assert "not compared" in found.says
    held = nn.Sequential(nn.Flatten(), Float32Linear()).eval()
    assert graph(replace(honest, model=held)).status == "ok"


class Float32Linear(nn.Module):
    """A weight that is no parameter does not follow `double()`."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.linspace(-1, 1, 640).sin().view(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


def test_gradients_counts_the_samples_without_one(honest: Context) -> None:
    """A model that cuts the gradient of images brighter than 0.3 on average: the share is known."""
    bright = honest.images.mean(dim=(1, 2, 3)) > 0.3

    def model(images: Tensor) -> Tensor:
        cut = (images.mean(dim=(1, 2, 3)) > 0.3)[:, None, None, None]
        return honest.model(torch.where(cut, images.detach(), images))

    right = honest.logits().argmax(1) == honest.labels
    found = gradients(replace(honest, model=model, radius=Radius.of("linf:0")))
    assert found.figure == pytest.approx((bright & right).sum().item() / right.sum().item())
    assert found.status == "fail"


def test_gradients_needs_a_correct_sample(honest: Context) -> None:
    found = gradients(replace(honest, model=lambda x: -honest.model(x)))
    assert (found.status, found.figure) == ("skipped", None)


def test_held_out_accuracy_finds_a_permutation_and_no_accident() -> None:
    label = np.arange(2000) % 10
    assert held_out(label, label, 10) == 1.0
    assert held_out(label, (label * 3 + 1) % 10, 10) == 1.0
    random = np.random.default_rng(0).integers(0, 10, 2000)
    assert held_out(label, random, 10) < 0.15
    # 256 samples of 1,000 classes: fitting and judging on the same samples would find a permutation in pure noise.
    label, random = np.arange(256) % 1000, np.random.default_rng(1).integers(0, 1000, 256)
    assert held_out(label, random, 1000) < 0.05


def test_two_swapped_classes_of_many_are_not_enough_to_fail() -> None:
    """Two of ten classes swapped is 20 % of accuracy, which a weak model may lose honestly: below the threshold."""
    model = planted.HONEST["mlp"]()
    order = [1, 0, *range(2, 10)]
    found = label_mapping(planted.context_of(nn.Sequential(model, Reorder(order)).eval(), samples=256))
    assert found.figure is not None
    assert 0.1 < found.figure < 0.2
    order = [1, 0, 3, 2, *range(4, 10)]
    found = label_mapping(planted.context_of(nn.Sequential(model, Reorder(order)).eval(), samples=256))
    assert found.status == "fail"


class Reorder(nn.Module):
    def __init__(self, order: list[int]):
        super().__init__()
        self.order = order

    def forward(self, logits: Tensor) -> Tensor:
        return logits[:, self.order]


def test_label_mapping_prefers_the_rows_of_an_audit(honest: Context) -> None:
    label = np.arange(500) % 10
    rows = Outcomes.build(sample=np.arange(500), threat="clean", label=label, prediction=(label + 1) % 10)
    found = label_mapping(replace(honest, rows=rows))
    assert found.status == "fail"
    assert "500 samples" in found.says


def test_a_model_that_always_answers_the_same_is_in_no_other_order(honest: Context) -> None:
    """Of three classes some renumbering makes the constant right for a third: at chance, and no finding."""
    label = np.arange(60) % 3
    rows = Outcomes.build(sample=np.arange(60), threat="clean", label=label, prediction=np.full(60, 8))
    found = label_mapping(replace(honest, rows=rows))
    assert found.status == "warn"
    assert "not above chance" in found.says
