"""The latent figures of a run from Python: by what images are attacked, and models that have no layers."""

import pytest

import planted
import weakspot
from weakspot.api import prepare
from weakspot.errors import InputError
from weakspot.latent_space import attack_of
from weakspot.threats import threat_address


@pytest.mark.parametrize(
    "threats, radius, expected",
    [
        (("fgsm", "pgd(steps=3)"), "linf:0.1", "pgd(steps=3)@linf:0.1"),
        (("fgsm",), ("l2:0.5", "linf:0.1"), "pgd@l2:0.5"),
        (("pgd@l2:1", "pgd@linf:0.2"), None, "pgd@l2:1"),
        (("fog@3",), "linf:0.1", None),
        (("fog@3", "standard"), "linf:0.1", "pgd@linf:0.1"),
        (("pairs",), "linf:0.1", "pgd@linf:0.1"),
    ],
)
def test_the_attack_is_pgd_at_the_first_radius(threats, radius, expected):
    prepared = prepare(planted.HONEST["mlp"](), planted.digits(), threats=threats, radius=radius)
    found = attack_of(prepared)
    assert (None if found is None else threat_address(found)) == expected


def test_a_plain_function_is_audited_without_them(tmp_path):
    remarks, model = [], planted.HONEST["linear"]()
    options = {"threats": ["fgsm"], "limit": 30, "device": "cpu", "remark": remarks.append}
    run = weakspot.audit(lambda images: model(images), planted.digits(), latent="auto", out=tmp_path / "run", **options)
    assert run.summary["latent"] is None
    assert any(line.startswith("no figures of feature space: ") and "a plain function" in line for line in remarks)
    with pytest.raises(InputError, match="a plain function"):
        weakspot.audit(lambda images: model(images), planted.digits(), latent="1", out=tmp_path / "other", **options)
    assert not (tmp_path / "other").exists()


def test_it_is_no_part_of_what_a_run_is(tmp_path):
    usual, looking = (
        prepare(planted.HONEST["mlp"](), planted.digits(), threats=["fgsm"], latent=latent) for latent in (None, "auto")
    )
    assert usual.manifest["units"] == looking.manifest["units"]
    assert usual.folder == looking.folder
    assert "latent" not in looking.manifest["config"]
