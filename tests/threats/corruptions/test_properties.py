"""What every corruption must do: a new one gets these tests by being listed in CORRUPTIONS."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.oracles.photographs import large, small, tensor

from weakspot.errors import InputError
from weakspot.threats.corruptions import CORRUPTIONS, SEVERITIES
from weakspot.threats.corruptions import levels as border

ALL = list(CORRUPTIONS)
# A severity changes an image less than the one before by the published constants: glass (a smaller sigma at 4), elastic
# (the affine map shrinks), spatter (mud after water), saturate (pale, then gaudy), frost (less of the image).
UNEVEN = {"glass_blur", "elastic_transform", "spatter", "saturate", "frost"}


def noise_images(*shape: int, seed: int = 0) -> torch.Tensor:
    """Whole levels, uniform."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator).float() / 255


def corrupt(name: str, images: torch.Tensor, severity: int = 3, sample: torch.Tensor | None = None, seed: int = 0):
    sample = torch.arange(len(images)) if sample is None else sample
    return CORRUPTIONS[name].function(images, severity, sample, seed)


@pytest.mark.parametrize("name", ALL)
@given(
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    channels=st.integers(1, 4),
    severity=st.sampled_from(SEVERITIES),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=8)
def test_any_size_and_channel_count_gives_whole_levels_in_range(name, rows, columns, channels, severity, seed):
    images = noise_images(2, channels, rows, columns, seed=seed)
    before = images.clone()
    out = corrupt(name, images, severity, seed=seed)
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert torch.equal(images, before), "the input was written to"
    levels = (out * 255).round()
    assert torch.equal(levels / 255, out), "not whole levels"
    assert 0 <= levels.min() <= levels.max() <= 255


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(3, 66, 9), (1, 9, 70), (3, 96, 80)])
def test_large_images_of_any_shape(name, shape):
    images = noise_images(2, *shape)
    for severity in (1, 2, 4, 5):
        out = corrupt(name, images, severity)
        assert out.shape == images.shape
        assert 0 <= out.min() <= out.max() <= 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("severity", [1, 5])
def test_a_sample_is_corrupted_alike_whatever_comes_with_it(name, severity, monkeypatch):
    images, sample = noise_images(13, 3, 32, 32), torch.tensor([7, 0, 5, 12, 3, 99, 41, 2**40, 8, 1, 30, 11, 4])
    whole = corrupt(name, images, severity, sample)
    assert torch.equal(corrupt(name, images, severity, sample), whole)
    order = torch.tensor([4, 12, 0, 7, 9, 2, 11, 1, 3, 10, 5, 8, 6])
    assert torch.equal(corrupt(name, images[order], severity, sample[order]), whole[order])
    singly = [corrupt(name, images[i : i + 1], severity, sample[i : i + 1]) for i in range(13)]
    assert torch.equal(torch.cat(singly), whole)
    monkeypatch.setattr(border, "CHUNK", 5 * 3 * 32 * 32)
    assert torch.equal(corrupt(name, images, severity, sample), whole)


@pytest.mark.parametrize("name", ALL)
def test_memory_layout_and_precision_of_the_input_do_not_matter(name):
    images = noise_images(3, 3, 20, 24)
    out = corrupt(name, images)
    assert torch.equal(corrupt(name, images.to(memory_format=torch.channels_last)), out)
    assert torch.equal(corrupt(name, images.transpose(2, 3).contiguous().transpose(2, 3)), out)
    assert torch.equal(corrupt(name, images.double()).float(), out)
    between = (images + 0.3 / 255).clamp(0, 1)  # rounded to 8 bits first
    assert torch.equal(corrupt(name, between), out)


@pytest.mark.parametrize("name", ALL)
def test_draws_depend_on_sample_and_seed(name):
    images = tensor(small()[:1]).expand(2, -1, -1, -1)
    drawn = {"shot_noise", "gaussian_noise", "impulse_noise", "speckle_noise", "glass_blur", "motion_blur", "snow"}
    drawn |= {"frost", "fog", "elastic_transform", "spatter"}
    out = corrupt(name, images, 5)
    other_seed = corrupt(name, images, 5, seed=1)
    assert torch.equal(out[0], out[1]) == (name not in drawn)
    assert torch.equal(out, other_seed) == (name not in drawn)


@pytest.mark.parametrize("name", [name for name in ALL if name not in UNEVEN])
def test_distortion_grows_with_severity(name):
    images = tensor(small()).repeat(8, 1, 1, 1)
    distance = [(corrupt(name, images, severity) - images).abs().mean().item() for severity in SEVERITIES]
    # Motion's severities 3 and 4 differ in a radius beyond which all weights vanish.
    assert all(np.diff(distance) > 0) or (name == "motion_blur" and all(np.diff(distance) >= 0))
    assert distance[0] > 0


def test_the_size_decides_which_constants_hold():
    for name in ("brightness", "gaussian_blur"):
        at_64, at_65 = noise_images(1, 3, 64, 64), noise_images(1, 3, 65, 64)
        assert not torch.equal(corrupt(name, at_64)[..., :40, :40], corrupt(name, at_65)[..., :40, :40])
    table = border.Table(small=(1, 2, 3, 4, 5), large=(6, 7, 8, 9, 10))
    assert [table.at(torch.zeros(1, 1, *side), 2) for side in ((64, 64), (65, 1), (1, 65))] == [2, 7, 7]


@pytest.mark.parametrize("name", ALL)
def test_black_white_and_empty_batches_pass(name):
    for value in (0.0, 1.0):
        out = corrupt(name, torch.full((2, 3, 32, 32), value), 5)
        assert torch.isfinite(out).all()
    assert corrupt(name, torch.zeros(0, 3, 32, 32)).shape == (0, 3, 32, 32)


def test_grey_images_stay_grey():
    grey = noise_images(2, 1, 32, 32)
    colour = grey.expand(-1, 3, -1, -1).contiguous()
    for name in ("defocus_blur", "zoom_blur", "motion_blur", "glass_blur", "fog", "snow", "contrast", "pixelate"):
        assert torch.equal(corrupt(name, grey).expand_as(colour), corrupt(name, colour)), name
    assert torch.equal(corrupt("brightness", grey).expand_as(colour), corrupt("brightness", colour))
    assert torch.equal(corrupt("saturate", grey, 5), grey)  # one channel has no saturation


@pytest.mark.parametrize("severity", [0, 6, -1])
def test_a_severity_outside_1_to_5_is_refused(severity):
    with pytest.raises(InputError, match="a severity is 1, 2, 3, 4 or 5"):
        corrupt("fog", noise_images(1, 3, 32, 32), severity)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ALL)
def test_a_gpu_corrupts_as_a_cpu_does(name):
    for images in (tensor(small()), tensor(large())):
        for severity in SEVERITIES:
            here = corrupt(name, images, severity)
            there = corrupt(name, images.cuda(), severity).cpu()
            # Bilinear sampling and sines round differently; all else is exact.
            apart = (here - there).abs() * 255
            assert (apart > 0.5).float().mean() < 1e-3


@pytest.mark.parametrize("name", ["pixelate", "jpeg_compression", "snow", "elastic_transform", "zoom_blur"])
def test_a_precision_set_for_the_model_does_not_reach_the_corruption(name):
    images = tensor(small())[..., :31, :27].contiguous()  # of a size whose tables are made in here and used after
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        made = corrupt(name, images)
    assert torch.equal(corrupt(name, images), made.clone())
