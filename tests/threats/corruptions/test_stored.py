"""A user's folder of `.npy` files, written here as CIFAR-10-C's are."""

import numpy as np
import pytest
import torch

from weakspot.addresses import ThreatAddress, slug
from weakspot.contracts import Threat
from weakspot.errors import InputError
from weakspot.threats.corruptions import StoredCorruption

N = 7


@pytest.fixture
def folder(tmp_path):
    """Seven images of 8x8 at five severities: each value says which image of the file it belongs to."""
    files = np.arange(5 * N, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 8, 8, 3), dtype=np.uint8)
    files[..., 1] += 100
    np.save(tmp_path / "fog.npy", files)
    np.save(tmp_path / "grey.npy", files[..., 0])
    np.save(tmp_path / "labels.npy", np.tile(np.arange(N, dtype=np.uint8) % 3, 5))
    return tmp_path


def run(folder, sample, *, corruption="fog", severity=3, channels=3, labels=None):
    sample = torch.tensor(sample, dtype=torch.long)
    threat = StoredCorruption(folder=folder, corruption=corruption, severity=severity)
    labels = sample % 3 if labels is None else torch.tensor(labels)
    return threat(torch.nn.Identity(), torch.zeros(len(sample), channels, 8, 8), labels, sample, 0)


@pytest.mark.parametrize("severity", [1, 2, 5])
def test_each_sample_gets_its_stored_image(folder, severity):
    sample = [4, 0, 6, 4]
    made = run(folder, sample, severity=severity)
    assert made.shape == (4, 3, 8, 8)
    assert made.dtype == torch.float32
    for image, number in zip(made, sample, strict=True):
        value = (severity - 1) * N + number
        expected = torch.tensor([value, value + 100, value]).float() / 255
        torch.testing.assert_close(image, expected[:, None, None].expand(3, 8, 8), rtol=0, atol=0)


def test_grey_files_and_a_single_set_of_labels(folder):
    np.save(folder / "labels.npy", np.arange(N) % 3)
    made = run(folder, [1, 2], corruption="grey", severity=2, channels=1)
    assert (made[:, 0, 0, 0] * 255).round().tolist() == [N + 1, N + 2]


def test_the_file_is_mapped_and_not_read(folder, monkeypatch):
    real, modes = np.load, []
    monkeypatch.setattr(np, "load", lambda *args, **kw: modes.append(kw) or real(*args, **kw))
    run(folder, [0])
    assert modes
    assert all(kw == {"mmap_mode": "r", "allow_pickle": False} for kw in modes)


def test_the_address_reads_back(folder):
    threat = StoredCorruption(folder=folder, corruption="fog", severity=3)
    assert isinstance(threat, Threat)
    assert (threat.name, threat.kind) == ("stored:fog", "corruption")
    assert str(threat) == f"stored:fog(folder={folder})@3"
    assert ThreatAddress.of(str(threat)) == threat.address
    assert StoredCorruption.of(str(threat)) == threat
    assert slug(str(threat)).isascii()
    for wrong, message in (
        ("stored:fog@3", "stored:fog(folder=PATH)@3"),
        ("stored:fog(folder=x)@9", "severity"),
        ("fog(folder=x)@3", "stored:fog(folder=PATH)@3"),
        ("stored:fog(folder=x,y=2)@3", "stored:fog(folder=PATH)@3"),
    ):
        with pytest.raises(InputError) as caught:
            StoredCorruption.of(wrong)
        assert message in str(caught.value)


def refused(message, *arguments, **options):
    with pytest.raises(InputError) as caught:
        run(*arguments, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_data_are_refused(folder):
    refused("labels.npy says class 1 for sample 4, the data say 0; 1 of 2 differ", folder, [3, 4], labels=[0, 0])
    refused("holds samples 0 to 6, got 0 to 7", folder, [0, 7], labels=[0, 0])
    refused("holds samples 0 to 6, got -1 to 0", folder, [0, -1], labels=[0, 0])
    refused("holds images of shape (3, 8, 8), the data have (1, 8, 8)", folder, [0], channels=1)


def test_broken_folders_are_refused(folder, tmp_path):
    refused("unknown file of stored corruptions 'fogg'; did you mean 'fog'?", folder, [0], corruption="fogg")
    refused("expected a folder of .npy files", tmp_path / "nowhere", [0])
    np.save(folder / "float.npy", np.zeros((10, 8, 8, 3)))
    refused("must be uint8 of shape (5 n, height, width, channels), got float64", folder, [0], corruption="float")
    np.save(folder / "odd.npy", np.zeros((11, 8, 8, 3), dtype=np.uint8))
    refused("got uint8 of shape (11, 8, 8, 3)", folder, [0], corruption="odd")
    np.save(folder / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused("expected a NumPy array in pickle.npy", folder, [0], corruption="pickle")
    (folder / "text.npy").write_text("no array")
    refused("expected a NumPy array in text.npy", folder, [0], corruption="text")
    (folder / "empty.npy").write_bytes(b"")
    refused("expected a NumPy array in empty.npy", folder, [0], corruption="empty")
    np.save(folder / "labels.npy", np.zeros(6))
    refused("labels.npy must hold 7 or 35 labels, got (6,)", folder, [0])
    (folder / "labels.npy").unlink()
    refused("unknown file of stored corruptions 'labels'", folder, [0])
