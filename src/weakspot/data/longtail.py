"""Long-tailed subsets: exponential (Cui et al., 2019, arXiv:1901.05555) or step (Buda et al., 2018, arXiv:1710.05381).

With K classes in label order, imbalance ratio IR and r = 1 / IR: n_c = floor(n_max r^(c / (K - 1))), c = 0 .. K - 1; in
the step form the first half of the classes have n_max and the others floor(n_max r).
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

from weakspot.contracts import Data
from weakspot.data.subset import Subset, class_orders
from weakspot.errors import InputError

Form = Literal["exp", "step"]


@dataclass(frozen=True, kw_only=True)
class LongTail:
    """How many samples each class keeps, and which: the first n_c of the class's order, drawn with `seed`."""

    ratio: Fraction
    """The imbalance ratio IR: the largest class's count over the smallest's, at least 1."""
    form: Form = "exp"
    seed: int = 0

    @classmethod
    def of(cls, text: str, seed: int = 0) -> "LongTail":
        """Read `50` or `step:50`.

        Raises:
            InputError: it is neither, or not from 1 to 1,000,000.

        """
        form, _, ratio = text.rpartition(":")
        size = Fraction(ratio) if re.fullmatch(r"\d{1,7}(\.\d{1,9})?", ratio, re.ASCII) else Fraction(0)
        if form not in ("", "exp", "step") or not 1 <= size <= 10**6:
            raise InputError(
                f"a long tail is written +lt=50 or +lt=step:50, with a ratio from 1 to 1,000,000, got +lt={text}"
            )
        return cls(ratio=size, form="step" if form == "step" else "exp", seed=seed)

    def __str__(self) -> str:
        ratio = str(self.ratio) if self.ratio.denominator == 1 else str(float(self.ratio))
        seed = f"+lt_seed={self.seed}" if self.seed else ""
        return f"+lt={'step:' if self.form == 'step' else ''}{ratio}{seed}"

    def counts(self, head: int, classes: int) -> list[int]:
        """The samples of each class, when the largest has `head`."""
        if self.form == "step":
            return [head if c < classes // 2 else floor(head / self.ratio) for c in range(classes)]
        # The power is inexact: 49^-1 * 49 gives 0.999..., so a whole number may fall short by rounding.
        return [floor(head * float(self.ratio) ** (-c / max(classes - 1, 1)) + 1e-9) for c in range(classes)]


def long_tail(data: Data, tail: LongTail) -> Subset:
    """The long-tailed part of `data`, in the order of `data`; its index list is `.indices`.

    n_max is the smallest class's count: N / K where classes are equal, as in the papers.

    Raises:
        InputError: a class is empty already, or would be.

    """
    orders = class_orders(data.labels, len(data.classes), tail.seed, "long-tail")
    head = min(len(order) for order in orders)
    counts = tail.counts(head, len(orders))
    if min(counts) < 1:
        name = data.classes[counts.index(0) if head else [len(order) for order in orders].index(0)]
        raise InputError(
            f"{data.name}{tail}: the class {name} would have no samples, since the smallest class has {head}; "
            "take a lower ratio or more samples"
        )
    kept = [row for order, count in zip(orders, counts, strict=True) for row in order[:count]]
    return Subset(data, tuple(sorted(kept)), address=f"{data.name}{tail}")
