"""Which two directions a surface is drawn over, as an address: `gradient,random`, `attack,mean:Coat`, ..."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from weakspot.addresses import Radius
from weakspot.contracts import Classifier, Data, Images, Labels
from weakspot.errors import InputError, unknown
from weakspot.landscape.directions import (
    class_gradient,
    class_mean,
    class_rows,
    coordinates,
    loss_gradient,
    rademacher,
    towards,
)
from weakspot.landscape.paths import Path, attack_path
from weakspot.maths.balls import distance

PLAIN = ("gradient", "random", "attack")
OF_A_CLASS = ("towards", "mean")
ANGLES = 120
"""Corners of the polygon that the ball's outline is drawn as; a multiple of 8, so that a cube's corners are hit."""


@dataclass(frozen=True)
class Direction:
    """gradient (of the loss), random (signs), attack (to the adversarial image), towards:CLASS, mean:CLASS."""

    kind: str
    target: str | None = None

    @classmethod
    def of(cls, address: str) -> "Direction":
        """Read an address.

        Raises:
            InputError: it is no direction's.

        """
        kind, colon, target = address.strip().partition(":")
        if kind not in (*PLAIN, *OF_A_CLASS):
            raise unknown("direction", kind, [*PLAIN, *(f"{each}:CLASS" for each in OF_A_CLASS)])
        if (kind in OF_A_CLASS) != bool(colon and target):
            raise InputError(
                f"a direction is gradient, random, attack, towards:CLASS or mean:CLASS, got {address.strip()!r}"
            )
        return cls(kind, target or None)

    def __str__(self) -> str:
        return self.kind if self.target is None else f"{self.kind}:{self.target}"

    def says(self) -> str:
        """What a figure's axis calls it."""
        plain = {
            "gradient": "loss gradient",
            "random": "random direction",
            "attack": "adversarial direction",
            "towards": f"gradient towards {self.target}",
            "mean": f"to the mean of {self.target}",
        }
        return plain[self.kind]


@dataclass(frozen=True)
class Pair:
    """Two different directions."""

    first: Direction
    second: Direction

    @classmethod
    def of(cls, address: "str | Pair") -> "Pair":
        """Read `gradient,random`; a Pair is returned as it is.

        Raises:
            InputError: it is no pair of two different directions.

        """
        if isinstance(address, Pair):
            return address
        parts = address.split(",")
        if len(parts) != 2:
            raise InputError(f"a surface is over two directions, such as gradient,random, got {address!r}")
        first, second = (Direction.of(part) for part in parts)
        if first == second:
            raise InputError(
                f"a surface needs two different directions, got {first} twice; try {first},random or gradient,attack"
            )
        return cls(first, second)

    def __str__(self) -> str:
        return f"{self.first},{self.second}"

    def check(self, data: Data) -> None:
        """Refuse what only the data can tell, before anything is computed.

        Raises:
            InputError: a class is not among the data's, its mean is asked for and it has no samples, or both
                directions are one and the same.

        """
        both = (self.first, self.second)
        for each in both:
            if each.target is not None:
                number = class_number(data.classes, each.target)
                if each.kind == "mean":
                    class_rows(data, number)
        if len(data.classes) == 2 and all(each.kind in ("gradient", "towards") for each in both):
            raise InputError(
                f"with two classes the loss and both classes have one gradient up to its sign, so {self} spans no "
                f"plane; try {self.first},random"
            )
        named = [(each.kind, class_number(data.classes, each.target)) for each in both if each.target is not None]
        if len(named) == 2 and named[0] == named[1]:
            raise InputError(f"{self.first} and {self.second} are one direction; try {self.first},random")


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through each image of one pair."""

    first: Images
    second: Images
    path: Float[Tensor, "batch points 2"]
    """The attack's way on it, in steps of the directions; no points where neither direction is the attack."""
    outline: Float[Tensor, "batch angles 2"]
    """The ball's border on it; a million radii away or infinite along a direction that is zero."""


@dataclass(frozen=True)
class Planes:
    """Makes the planes of a pair for one batch after the other; the means of classes are read once."""

    pair: Pair
    radius: Radius
    seed: int
    targets: dict[str, int]
    """Class numbers by the names that the directions use."""
    means: dict[int, Float[Tensor, "channels height width"]]

    @classmethod
    def of(cls, pair: Pair, data: Data, radius: Radius, seed: int) -> "Planes":
        """Read what the pair's directions need of `data`.

        Raises:
            InputError: a class is not among the data's, or has no samples.

        """
        both = (pair.first, pair.second)
        targets = {each.target: class_number(data.classes, each.target) for each in both if each.target is not None}
        wanted = {targets[each.target] for each in both if each.kind == "mean" and each.target is not None}
        return cls(pair, radius, seed, targets, {c: class_mean(data, c) for c in wanted})

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels) -> Plane:
        """Both directions of each image, of the radius' length; zero where there is none (a saturated model)."""
        path = None
        if "attack" in (self.pair.first.kind, self.pair.second.kind):
            path = attack_path(model, images, labels, sample, self.radius, self.seed)
        first, second = (
            self._direction(each, model, images, labels, sample, path) for each in (self.pair.first, self.pair.second)
        )
        drawn = images.new_zeros(len(images), 0, 2)
        if path is not None:
            drawn = torch.stack([coordinates(images, points, first, second) for points in path.points], dim=1)
        return Plane(first, second, drawn, ball_outline(first, second, self.radius))

    def _direction(
        self,
        direction: Direction,
        model: Classifier,
        images: Images,
        labels: Labels,
        sample: Labels,
        path: Path | None,
    ) -> Images:
        if direction.kind == "gradient":
            return loss_gradient(model, images, labels, self.radius)
        if direction.kind == "random":
            return rademacher(images, sample, self.seed, self.radius)
        if path is not None and direction.kind == "attack":
            return towards(images, path.best, self.radius)
        target = self.targets[str(direction.target)]
        if direction.kind == "towards":
            return class_gradient(model, images, target, self.radius)
        return towards(images, self.means[target].to(images).expand_as(images), self.radius)


def ball_outline(first: Images, second: Images, radius: Radius) -> Float[Tensor, "batch angles 2"]:
    """Where each ray of the plane leaves the ball: a diamond for two sign vectors in linf, near a circle in l2."""
    angle = torch.arange(ANGLES, device=first.device) * (2 * torch.pi / ANGLES)
    rays = torch.stack([angle.cos(), angle.sin()], dim=1)
    # A norm does not see the sign: half of the rays are enough.
    half = [float(radius) / distance(i * first + j * second, radius.norm) for i, j in rays[: ANGLES // 2].tolist()]
    reach = torch.stack(half * 2, dim=1)
    return reach[:, :, None] * rays


def class_number(classes: tuple[str, ...], name: str) -> int:
    """The class of that name, or of that number where no class is called so.

    Raises:
        InputError: there is none; the nearest name is given.

    """
    if name in classes:
        return classes.index(name)
    if name.isdigit() and int(name) < len(classes):
        return int(name)
    raise unknown("class", name, classes)
