"""No threat at all: the images as they are. It always runs, and every other threat is read against it."""

from typing import ClassVar

from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels


@settings
class Clean:
    """The identity."""

    name: ClassVar[str] = "clean"
    kind: ClassVar[Kind] = "clean"

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The images themselves."""
        return images
