"""What every attack stands on: a model that counts what it is asked, and the worst point seen for each image."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from weakspot.contracts import Classifier, Counts, Images, Labels, Logits, PerSample, Rows
from weakspot.maths.losses import input_gradient, margin

Loss = Callable[[Logits, Labels], PerSample]
"""One value per sample, which the attack ascends."""


class Oracle:
    """A classifier for one block of samples that counts forwards and backwards per sample.

    A threat that evaluates a part of the block says which `rows` it sends; calls without rows are spread evenly. The
    backward count comes from a hook on the logits, so it holds for any threat, whoever wrote it.
    """

    def __init__(self, model: Classifier, samples: int):
        self.model = model
        self.places: Rows | None = None
        self.forwards = torch.zeros(samples, dtype=torch.int64)
        self.backwards = torch.zeros(samples, dtype=torch.int64)
        self.found_by = [""] * samples

    @classmethod
    def of(cls, model: Classifier, samples: int) -> "Oracle":
        """`model` itself where it counts already, else a counting one around it."""
        return model if isinstance(model, cls) else cls(model, samples)

    def __call__(self, images: Images, rows: Labels | None = None) -> Logits:
        """The logits of `images`, which belong to these rows of the block (all of them, in order, by default)."""
        logits = self.model(images)
        self._count(self.forwards, len(images), rows)
        if logits.requires_grad:
            logits.register_hook(lambda _: self._count(self.backwards, len(images), rows))  # type: ignore[no-untyped-call]
        return logits

    def _count(self, counter: Counts, asked: int, rows: Rows | None) -> None:
        if rows is None:
            counter += -(-asked // max(len(counter), 1))
        else:
            rows = rows if self.places is None else self.places[rows]
            counter.index_add_(0, rows.cpu(), torch.ones(len(rows), dtype=torch.int64))

    def rough(self) -> "Oracle | None":
        """An oracle of the model's bfloat16 twin that counts into this one; None for a model without a twin."""
        twin = getattr(self.model, "rough", None)
        if twin is None:
            return None
        found = copy(self)  # shallow: the counters and the credits are the same objects
        found.model = twin
        return found

    def at(self, places: Rows) -> "Oracle":
        """An oracle that counts into this one, whose row i is row places[i] of the block."""
        found = copy(self)
        found.places = places
        return found

    def credit(self, rows: Rows, part: str) -> None:
        """Note which part of an ensemble broke these rows; the first one that claims a row keeps it."""
        for row in rows.tolist():
            self.found_by[row] = self.found_by[row] or part


class Search:
    """One block under attack: each point that is evaluated is judged, and the one with the lowest margin is kept.

    `best` starts as the clean images and `lowest` as their margins; ties keep the earlier point, so an image that
    no step could hurt comes back clean. A NaN margin is never lower than anything: the audit refuses such models.
    """

    def __init__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int):
        self.oracle = Oracle.of(model, len(images))
        self.images, self.labels, self.sample, self.seed = images, labels, sample, seed
        self.best = images.clone(memory_format=torch.contiguous_format)
        with torch.no_grad():
            self.clean_logits = self.oracle(images)
        self.lowest = margin(self.clean_logits, labels)

    def rough(self) -> "Search":
        """A copy that looks and judges by the model's bfloat16 twin; itself where there is none.

        What it keeps in `best` and `lowest` is its own: only an exact search may call an image wrong (`collect`).
        """
        oracle = self.oracle.rough()
        if oracle is None:
            return self
        found = copy(self)
        found.oracle, found.best, found.lowest = oracle, self.best.clone(), self.lowest.clone()
        return found

    def abreast(self, rows: Rows, times: int) -> "Search":
        """These rows, `times` times one after the other, as a search of its own: a batch of several runs.

        Its row i is row `rows[i % len(rows)]` here. What it finds counts here after `collect`.
        """
        found, places = copy(self), rows.repeat(times)
        found.oracle = self.oracle.at(places)
        found.images, found.labels, found.sample = self.images[places], self.labels[places], self.sample[places]
        found.best, found.lowest = self.best[places], self.lowest[places]
        found.clean_logits = self.clean_logits[places]
        return found

    def collect(self, side: "Search", rows: Rows) -> None:
        """Take over what a search that stood beside this one has found on these rows, run after run.

        Where it asked another model (a rough twin), this one's judges.
        """
        exact = side.oracle.model is self.oracle.model
        for best, lowest in zip(torch.split(side.best, len(rows)), torch.split(side.lowest, len(rows)), strict=True):
            lower = lowest < self.lowest[rows]
            if exact:
                self.best[rows[lower]], self.lowest[rows[lower]] = best[lower], lowest[lower]
            elif lower.any():
                self.logits(best[lower], rows[lower])

    def alive(self, rows: Rows | None = None) -> Int[Tensor, " alive"]:
        """Those of `rows` (by default of all) that nothing has broken yet."""
        if rows is None:
            return (self.lowest >= 0).nonzero().squeeze(1)
        return rows[self.lowest[rows] >= 0]

    def judge(self, x: Images, logits: Logits, rows: Labels) -> PerSample:
        """Keep each point of `x` that lowers its row's margin; returns the margins. Each row occurs at most once."""
        margins = margin(logits, self.labels[rows])
        lower = margins < self.lowest[rows]
        self.lowest[rows[lower]] = margins[lower]
        self.best[rows[lower]] = x[lower]
        return margins

    def ask(self, x: Images, rows: Rows) -> Logits:
        """Evaluate `x` without a graph and without judging it."""
        with torch.no_grad():
            return self.oracle(x, rows)

    def look(self, x: Images, rows: Rows, loss: Loss) -> tuple[PerSample, Images, Logits]:
        """The loss of `x`, its gradient and the logits, without judging it.

        Gradients that are not finite become 0, and so does the gradient of a model that has none (a detached or
        rounded input): attacks without gradients and the doubts must notice that, and the audit must get so far.
        """
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            logits = self.oracle(x, rows)
            values = loss(logits, self.labels[rows])
            gradient = input_gradient(values, x)
        return values.detach(), gradient, logits.detach()

    def logits(self, x: Images, rows: Rows) -> Logits:
        """Evaluate and judge `x` without a graph."""
        logits = self.ask(x, rows)
        self.judge(x, logits, rows)
        return logits

    def gradient(self, x: Images, rows: Rows, loss: Loss) -> tuple[PerSample, Images]:
        """Judge `x`; return the loss and its gradient per sample. Gradients that are not finite become 0."""
        values, gradient, logits = self.look(x, rows, loss)
        self.judge(x.detach(), logits, rows)
        return values, gradient


@runtime_checkable
class Part(Protocol):
    """An attack that can stand alone or in an ensemble."""

    @property
    def name(self) -> str:
        """What `found_by` says of the samples it breaks."""
        ...

    def run(self, search: Search, rows: Rows) -> None:
        """Attack these rows, which are alive, and let `search` judge each point; the other rows stay untouched."""
        ...


def attack(
    parts: Sequence[Part], model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int
) -> Images:
    """Run `parts` one after the other on what is left alive; returns each image's lowest-margin point."""
    return run_parts(parts, Search(model, images, labels, sample, seed))


def run_parts(parts: Sequence[Part], search: Search) -> Images:
    """Run `parts` one after the other on what `search` has left alive; returns each image's lowest-margin point.

    A sample leaves at the end of the part that broke it, which is credited: so its prediction is the one at the lowest
    margin of that part run to its end, and not the first wrong one that happened to come up.
    """
    for part in parts:
        before = search.alive()
        if not len(before):
            break
        part.run(search, before)
        search.oracle.credit(before[search.lowest[before] < 0], part.name)
    return search.best
