"""The catalogue of corruptions, and the threat that applies one of them: `fog@3`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from weakspot.addresses import ThreatAddress
from weakspot.config import settings
from weakspot.contracts import Classifier, Images, Kind, Labels
from weakspot.errors import InputError, unknown
from weakspot.threats.corruptions.blur import defocus_blur, gaussian_blur, glass_blur
from weakspot.threats.corruptions.digital import brightness, contrast, pixelate, saturate
from weakspot.threats.corruptions.elastic import elastic_transform
from weakspot.threats.corruptions.fog import fog
from weakspot.threats.corruptions.frost import frost
from weakspot.threats.corruptions.jpeg import jpeg_compression
from weakspot.threats.corruptions.levels import SEVERITIES, Corrupt, severity_of
from weakspot.threats.corruptions.motion import motion_blur
from weakspot.threats.corruptions.noise import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from weakspot.threats.corruptions.snow import snow
from weakspot.threats.corruptions.spatter import spatter
from weakspot.threats.corruptions.zoom import zoom_blur

HENDRYCKS = "Hendrycks and Dietterich, 2019, arXiv:1903.12261"


@dataclass(frozen=True)
class Entry:
    """One corruption of the catalogue."""

    function: Corrupt
    group: Literal["15", "extra"]
    """"15": counted in the mean over corruptions; "extra": the four meant for validation."""
    comparable: bool = True
    """Whether accuracies may be set beside published ones for this corruption."""
    source: str = HENDRYCKS


CORRUPTIONS: Mapping[str, Entry] = {
    "gaussian_noise": Entry(gaussian_noise, "15"),
    "shot_noise": Entry(shot_noise, "15"),
    "impulse_noise": Entry(impulse_noise, "15"),
    "defocus_blur": Entry(defocus_blur, "15"),
    "glass_blur": Entry(glass_blur, "15"),
    "motion_blur": Entry(motion_blur, "15"),
    "zoom_blur": Entry(zoom_blur, "15"),
    "snow": Entry(snow, "15"),
    "frost": Entry(frost, "15", comparable=False, source=f"{HENDRYCKS}; with a procedural texture for its photographs"),
    "fog": Entry(fog, "15"),
    "brightness": Entry(brightness, "15"),
    "contrast": Entry(contrast, "15"),
    "elastic_transform": Entry(elastic_transform, "15"),
    "pixelate": Entry(pixelate, "15"),
    "jpeg_compression": Entry(jpeg_compression, "15"),
    "speckle_noise": Entry(speckle_noise, "extra"),
    "gaussian_blur": Entry(gaussian_blur, "extra"),
    "spatter": Entry(spatter, "extra"),
    "saturate": Entry(saturate, "extra"),
}
"""All corruptions by name, in the published order."""


def _known(name: str) -> str:
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    return name


@settings
class Corruption:
    """One corruption at one severity; the model plays no part. It prints as `fog@3`."""

    corruption: Annotated[str, AfterValidator(_known)]
    severity: Annotated[int, Field(ge=1, le=5)]
    kind: ClassVar[Kind] = "corruption"

    @property
    def name(self) -> str:
        """The corruption's name."""
        return self.corruption

    @property
    def comparable(self) -> bool:
        """Whether accuracies may be set beside published ones."""
        return CORRUPTIONS[self.corruption].comparable

    @property
    def address(self) -> ThreatAddress:
        """`fog@3`."""
        return ThreatAddress(self.corruption, place=str(self.severity))

    @classmethod
    def of(cls, address: str) -> "Corruption":
        """Read `fog@3`.

        Raises:
            InputError: it is no corruption (the nearest is named) or no severity.

        """
        parts = ThreatAddress.of(address)
        if parts.options:
            raise InputError(f"{parts.name} takes no options, got {address!r}; write {parts.name}@3")
        return cls(corruption=parts.name, severity=severity_of(parts))

    def __call__(self, model: Classifier, images: Images, labels: Labels, sample: Labels, seed: int) -> Images:
        """The corrupted images: 8-bit levels / 255, same shape; they depend on image, sample and seed alone."""
        return CORRUPTIONS[self.corruption].function(images, self.severity, sample, seed)

    def __str__(self) -> str:
        return str(self.address)


def suite(group: Literal["15", "extra"] = "15") -> tuple[str, ...]:
    """The addresses of a group's corruptions at all severities: 75 for the 15, 20 for the extra four."""
    names = [name for name, entry in CORRUPTIONS.items() if entry.group == group]
    return tuple(f"{name}@{severity}" for name in names for severity in SEVERITIES)
