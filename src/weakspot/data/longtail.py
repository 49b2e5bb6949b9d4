"""Long-tailed subsets: exponential (Cui et al., 2019, arXiv:1901.05555) or step (Buda et al., 2018, arXiv:1710.05381).

With K classes from the most to the least frequent, imbalance ratio IR and r = 1 / IR:
n_c = floor(n_max r^(c / (K - 1))), c = 0 .. K - 1; in the step form the first half of the classes have n_max and the
others floor(n_max r). All published code takes the classes in label order, so how frequent a class is and which one it
is cannot be told apart; `+lt_order=SEED` draws another order. The balanced form is the control: as many samples in
all, spread evenly.
"""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor
from typing import Literal

import torch

from weakspot import rng
from weakspot.contracts import Data
from weakspot.data.subset import Subset, class_orders
from weakspot.errors import InputError

Form = Literal["exp", "step"]

_WRITTEN = re.compile(r"(?P<balanced>balanced:)?((?P<form>exp|step):)?(?P<ratio>\d{1,7}(\.\d{1,9})?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class LongTail:
    """How many samples each class keeps, and which: the first n_c of the class's order, drawn with `seed`."""

    ratio: Fraction
    """The imbalance ratio IR: the largest class's count over the smallest's, at least 1."""
    form: Form = "exp"
    balanced: bool = False
    """The control: the profile's total, in counts that differ by at most one."""
    seed: int = 0
    order: int | None = None
    """Names a drawn order of the classes, from the most to the least frequent; None is label order."""
    test: bool = False
    """Cut the test split as well."""

    @classmethod
    def of(cls, text: str, seed: int = 0, order: int | None = None, test: bool = False) -> "LongTail":
        """Read `50`, `step:50`, `balanced:50` or `balanced:step:50`.

        Raises:
            InputError: it is none of them, or the ratio is not from 1 to 1,000,000.

        """
        found = _WRITTEN.fullmatch(text)
        ratio = Fraction(found["ratio"]) if found else Fraction(0)
        if not found or not 1 <= ratio <= 10**6:
            raise InputError(
                "a long tail is written +lt=50 or +lt=step:50, its control +lt=balanced:50, with a ratio from 1 to "
                f"1,000,000, got +lt={text}"
            )
        form: Form = "step" if found["form"] == "step" else "exp"
        return cls(ratio=ratio, form=form, balanced=bool(found["balanced"]), seed=seed, order=order, test=test)

    def __str__(self) -> str:
        ratio = str(self.ratio) if self.ratio.denominator == 1 else str(float(self.ratio))
        form = ("balanced:" if self.balanced else "") + ("step:" if self.form == "step" else "")
        order = "" if self.order is None else f"+lt_order={self.order}"
        return (
            f"+lt={form}{ratio}{order}{f'+lt_seed={self.seed}' if self.seed else ''}{'+lt_test' if self.test else ''}"
        )

    def profile(self, head: int, classes: int) -> list[int]:
        """The samples of each class from the most to the least frequent, when the largest has `head`; unbalanced."""
        if self.form == "step":
            return [head if c < classes // 2 else floor(head / self.ratio) for c in range(classes)]
        # The power is inexact: 49^-1 * 49 gives 0.999..., so a whole number may fall short by rounding.
        return [floor(head * float(self.ratio) ** (-c / max(classes - 1, 1)) + 1e-9) for c in range(classes)]

    def ranking(self, classes: int) -> list[int]:
        """The classes from the most to the least frequent."""
        if self.order is None:
            return list(range(classes))
        drawn: list[int] = rng.bits((), torch.arange(classes), self.order, "tail-order").argsort(stable=True).tolist()
        return drawn

    def counts(self, head: int, classes: int) -> list[int]:
        """The samples of each class, in label order, when the largest may have `head`."""
        wanted = self.profile(head, classes)
        if self.balanced:
            each, more = divmod(sum(wanted), classes)
            wanted = [each + (rank < more) for rank in range(classes)]
        return [count for _, count in sorted(zip(self.ranking(classes), wanted, strict=True))]


def long_tail(data: Data, tail: LongTail) -> Subset:
    """The long-tailed part of `data`, in the order of `data`; its index list is `.indices`.

    n_max is the smallest class's count: N / K where classes are equal, as in the papers. A test split is always drawn
    with seed 0, so that models of all training seeds are audited on the same images.

    Raises:
        InputError: a class is empty already, or would be.

    """
    tail = replace(tail, seed=0) if data.split == "test" else tail
    orders = class_orders(data.labels, len(data.classes), tail.seed, "long-tail")
    sizes = [len(order) for order in orders]
    head = min(sizes)
    profile = tail.profile(head, len(orders))
    if min(profile) < 1:
        # Without samples of its own a class cannot be mended by a lower ratio.
        at = sizes.index(0) if not head else tail.ranking(len(orders))[profile.index(0)]
        mend = "take a lower ratio or more samples" if head else "every class needs samples"
        raise InputError(
            f"{data.name}{tail}: the class {data.classes[at]} would have no samples, since the smallest class has "
            f"{head}; {mend}"
        )
    counts = tail.counts(head, len(orders))
    kept = [row for order, count in zip(orders, counts, strict=True) for row in order[:count]]
    return Subset(data, tuple(sorted(kept)), address=f"{data.name}{tail}")
