"""Addresses read back as themselves, and wrong ones name the nearest right one."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weakspot.addresses import Radius, ThreatAddress, slug
from weakspot.errors import InputError


@given(norm=st.sampled_from(["linf", "l2", "l1"]), size=st.fractions(0, 1, max_denominator=1000))
def test_every_radius_reads_back(norm, size):
    radius = Radius(norm, size)
    assert float(Radius.of(str(radius))) == pytest.approx(float(size), rel=1e-11)
    if 255 % size.denominator == 0 or size.denominator in (1, 2, 4, 5, 8, 10, 100):
        assert Radius.of(str(radius)) == radius


@pytest.mark.parametrize("text", ["linf:8/255", "l2:0.5", "linf:0.3", "l2:128/255", "l1:12", "linf:0"])
def test_customary_radii_print_as_written(text):
    assert str(Radius.of(text)) == text


def test_the_same_radius_has_one_name():
    assert Radius.of("linf: 16/510") == Radius.of("linf:8/255")
    assert Radius.of("linf:8/255").size == Fraction(8, 255)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("8/255", "NORM:SIZE"),
        ("linf", "NORM:SIZE"),
        ("linf:", "NORM:SIZE"),
        ("linf:8/0", "NORM:SIZE"),
        ("linf:nan", "NORM:SIZE"),
        ("lnf:8/255", "did you mean 'linf'"),
        ("linf:8", "8/255"),
        ("l2:-1", "negative"),
        ("l2:1e99999999", "NORM:SIZE"),
        ("l2:" + "9" * 100, "NORM:SIZE"),
    ],
)
def test_wrong_radii(text, says):
    with pytest.raises(InputError, match=says):
        Radius.of(text)


@pytest.mark.parametrize("text", ["clean", "fog@3", "pgd@linf:8/255", "apgd-ce(steps=50,restarts=2)@l2:0.5"])
def test_threat_addresses_read_back(text):
    assert str(ThreatAddress.of(text)) == text


def test_slugs_are_file_names():
    assert slug("apgd-ce(steps=5)@linf:8/255") == "apgd-ce_steps_5_linf_8_255"
    assert "/" not in slug("../../etc@x")
