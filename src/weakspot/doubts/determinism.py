"""T1: does the model answer the same question twice in the same way? AutoAttack checks this too."""

from jaxtyping import Float
from torch import Tensor

from weakspot.contracts import Logits
from weakspot.doubts.check import Check
from weakspot.doubts.context import Context
from weakspot.doubts.finding import Finding

REPEATS = 5
SAME = 1e-4


def relative(first: Logits, second: Logits) -> Float[Tensor, " batch"]:
    """Per sample ||first - second|| / ||first||; NaN and infinite logits count as large numbers, which T0 reports."""
    first, second = first.nan_to_num(1e6, 1e6, -1e6), second.nan_to_num(1e6, 1e6, -1e6)
    return (first - second).norm(dim=1) / first.norm(dim=1).clamp(min=1e-12)


def determinism(context: Context) -> Finding:
    """Repeat one batch: any prediction that differs fails, logits that differ by more than 1e-4 warn."""
    first = context.logits()
    others = [context.logits() for _ in range(REPEATS - 1)]
    flipped = sum((other.argmax(1) != first.argmax(1)) for other in others)
    worst = max(relative(first, other).amax().item() for other in others)
    changed = int((flipped > 0).sum()) if isinstance(flipped, Tensor) else 0
    same = changed == 0 and worst <= SAME
    says = (
        f"In {REPEATS} repetitions of {len(context)} samples {changed} predictions changed and the logits moved by at "
        f"most {worst:.1e} of their length"
    )
    if not same:
        says += "; the model is random, so attack its expectation (EOT) and repeat the audit with several seeds"
    return Finding("T1", "ok" if same else "fail" if changed else "warn", worst, SAME, says + ".")


CHECK = Check(id="T1", name="determinism", when="doctor", cost=REPEATS, samples=64, run=determinism)
