"""The threat, its address, and the catalogue."""

from dataclasses import FrozenInstanceError

import pytest
import torch

from weakspot.addresses import ThreatAddress
from weakspot.contracts import Threat
from weakspot.errors import InputError
from weakspot.threats.corruptions import CORRUPTIONS, Corruption, suite

FIFTEEN = ["gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"]
FIFTEEN += ["snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"]
EXTRA = ["speckle_noise", "gaussian_blur", "spatter", "saturate"]


def never(images):
    raise AssertionError("the model plays no part")


def test_the_catalogue_holds_the_published_names_in_their_order():
    assert [name for name, entry in CORRUPTIONS.items() if entry.group == "15"] == FIFTEEN
    assert [name for name, entry in CORRUPTIONS.items() if entry.group == "extra"] == EXTRA
    assert [name for name, entry in CORRUPTIONS.items() if not entry.comparable] == ["frost"]
    for name, entry in CORRUPTIONS.items():
        assert entry.function.__name__ == name
        assert entry.function.__doc__
        assert "1903.12261" in entry.source


def test_the_suite_is_every_corruption_at_every_severity():
    addresses = suite()
    assert len(addresses) == len(set(addresses)) == 75
    assert addresses[:6] == (*(f"gaussian_noise@{s}" for s in range(1, 6)), "shot_noise@1")
    assert len(suite("extra")) == 20
    for address in (*addresses, *suite("extra")):
        assert str(Corruption.of(address)) == address == str(ThreatAddress.of(address))


def test_the_threat_applies_its_corruption_and_nothing_else():
    images = torch.randint(0, 256, (4, 3, 16, 16), generator=torch.Generator().manual_seed(0)) / 255
    sample = torch.arange(4)
    for name in ("fog", "impulse_noise"):
        threat = Corruption(corruption=name, severity=4)
        assert isinstance(threat, Threat)
        assert (threat.name, threat.kind, threat.severity, threat.comparable) == (name, "corruption", 4, True)
        made = threat(never, images, torch.zeros(4, dtype=torch.long), sample, 7)
        assert torch.equal(made, CORRUPTIONS[name].function(images, 4, sample, 7))
    assert not Corruption(corruption="frost", severity=1).comparable


def test_a_threat_is_frozen_and_compares_by_its_fields():
    fog = Corruption(corruption="fog", severity=3)
    assert fog == Corruption.of("fog@3")
    assert fog != Corruption.of("fog@2")
    assert hash(fog) == hash(Corruption.of("fog@3"))
    assert str(fog) == "fog@3"
    with pytest.raises(FrozenInstanceError):
        fog.severity = 4


@pytest.mark.parametrize(
    "address, message",
    [
        ("fogg@3", "did you mean 'fog'"),
        ("fog", "a severity is 1, 2, 3, 4 or 5, got None in 'fog'; write fog@3"),
        ("fog@6", "a severity is 1, 2, 3, 4 or 5, got '6'"),
        ("fog@linf:8/255", "a severity is 1, 2, 3, 4 or 5"),
        ("fog(x=1)@3", "fog takes no options"),
        ("@3", "a threat is written"),
    ],
)
def test_a_wrong_address_says_what_to_write(address, message):
    with pytest.raises(InputError) as caught:
        Corruption.of(address)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fields", [{"corruption": "fogg", "severity": 3}, {"corruption": "fog", "severity": 0}])
def test_wrong_fields_are_input_errors(fields):
    with pytest.raises(InputError):
        Corruption(**fields)
