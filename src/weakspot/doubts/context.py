"""What the checks look at: a model, a class-stratified draw of samples, and the audit's rows where there are some."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from weakspot.addresses import Radius
from weakspot.analysis.worst_case import worst_case
from weakspot.contracts import Classifier, Data, Images, Labels, Logits
from weakspot.outcomes import Outcomes
from weakspot.rng import uniform

SAMPLES = 256
"""How many samples are drawn; most checks use the first few of them."""


@dataclass(frozen=True, eq=False)
class Context:
    """The subject of all checks. The classes take turns in the batch, so that any first n samples are stratified."""

    model: Classifier
    """In the mode and state in which it is audited: eval, frozen; no check changes it."""
    images: Images
    labels: Labels
    sample: Labels
    """Each image's number in the data set; draws depend on it, and it is the key into `rows`."""
    classes: tuple[str, ...]
    radius: Radius | None
    seed: int
    rows: Outcomes | None = None
    """All rows of the audit; None where nothing was audited."""
    manifest: Mapping[str, Any] | None = None
    memo: dict[str, Any] = field(default_factory=dict, repr=False)
    """What one check leaves for another one on the very same samples, such as which of them it broke."""

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: int | Labels | Bool[Tensor, " batch"]) -> "Context":
        """The same with the first `rows` samples, or with those that a mask or positions select."""
        chosen = slice(rows) if isinstance(rows, int) else rows
        return replace(
            self, images=self.images[chosen], labels=self.labels[chosen], sample=self.sample[chosen], memo={}
        )

    def logits(self, images: Images | None = None) -> Logits:
        """The float32 logits of `images` (the batch's own by default), without a graph."""
        with torch.no_grad():
            return self.model(self.images if images is None else images).float()

    def survivors(self) -> "Context":
        """The same with the samples that are correct under every adversarial threat of the rows at this radius."""
        assert self.rows is not None
        threats = (self.manifest or {}).get("threats", ())
        names = [t["address"] for t in threats if t["kind"] == "adversarial" and t["radius"] == str(self.radius)]
        robust = worst_case(self.rows, ["clean", *names])
        standing = torch.from_numpy(robust.sample[robust.correct])
        return self.take(torch.isin(self.sample.cpu(), standing).to(self.sample.device))

    def correct(self) -> "Context":
        """The same with the samples that are classified correctly as they are."""
        return self.take(self.logits().argmax(1) == self.labels)


def stratified(labels: Labels, samples: int, seed: int) -> Int[Tensor, " drawn"]:
    """Up to `samples` positions, the classes taking turns; within a class in the order of a hash of the position."""
    position = torch.arange(len(labels))
    hashed = uniform((1,), position, seed, "doubts/draw")[:, 0]
    by_hash = hashed.argsort(stable=True)
    turn = torch.empty_like(position)
    for label in range(int(labels.amax()) + 1):
        mine = by_hash[labels[by_hash] == label]
        turn[mine] = torch.arange(len(mine))
    return by_hash[turn[by_hash].argsort(stable=True)][:samples]


def gather(
    model: Classifier,
    data: Data,
    radius: Radius | None,
    seed: int = 0,
    *,
    samples: int = SAMPLES,
    device: torch.device | None = None,
    rows: Outcomes | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Context:
    """Draw the samples from `data` and make a context; `device` is where the model's parameters are by default."""
    if device is None and isinstance(model, nn.Module):
        device = next((parameter.device for parameter in model.parameters()), None)
    drawn = stratified(data.labels, samples, seed)
    return Context(
        model=model,
        images=data.batch(drawn.tolist()).to(device or "cpu"),
        labels=data.labels[drawn].to(device or "cpu"),
        sample=drawn.to(device or "cpu"),
        classes=data.classes,
        radius=radius,
        seed=seed,
        rows=rows,
        manifest=manifest,
    )
