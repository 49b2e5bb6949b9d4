"""A model in training: it computes at the run's precision, and attacks go through a faster twin of it."""

from torch import nn

from weakspot.contracts import Images, Logits
from weakspot.maths.folding import Twin, twin_of
from weakspot.maths.mixed import Mixed
from weakspot.models.zoo.model import ZooModel


class Trainee(nn.Module):
    """The module as training calls it, in bfloat16 if `rough`; `quiet` is what the inner maximisation sees."""

    def __init__(self, module: nn.Module, *, rough: bool) -> None:
        super().__init__()
        self.inner = _at(module, rough)
        self.rough = rough
        self._twin: Twin | None = None  # no module, so that its weights are not counted twice
        self._tried = False

    def forward(self, images: Images) -> Logits:
        """The module's logits, float32."""
        return self.inner(images)

    def quiet(self) -> nn.Module:
        """The same function of the images up to rounding, without batch norms, at the weights as they are.

        Of a module in eval mode. One that is not of the zoo is returned as it is, since its code may decide things that
        tracing would fix.
        """
        if not self._tried:
            module = self.inner.inner if isinstance(self.inner, Mixed) else self.inner
            self._twin = twin_of(module) if _folds(module) else None
            self._tried = True
        return self if self._twin is None else _at(self._twin.current(), self.rough)


def _at(module: nn.Module, rough: bool) -> nn.Module:
    return Mixed(module) if rough else module


def _folds(module: nn.Module) -> bool:
    parts = list(module.modules())
    return any(isinstance(part, ZooModel) for part in parts) and any(isinstance(part, nn.BatchNorm2d) for part in parts)
