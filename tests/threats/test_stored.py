"""Images found elsewhere: shown to the model, measured afresh, and refused where they cheat."""

import numpy as np
import pytest
import torch

import weakspot
from weakspot.errors import InputError
from weakspot.maths.losses import margin
from weakspot.threats import parse_threat, threat_address
from weakspot.threats.measure import measure
from weakspot.threats.pgd import Pgd
from weakspot.threats.stored import Stored


@pytest.fixture
def attacked(digits):
    """What PGD finds on the digits' network."""
    net, images, labels = digits
    found = Pgd(radius="linf:0.1")(net, images, labels, torch.arange(len(images)), 0)
    return net, images, labels, found


def save(path, **arrays):
    np.savez(path, **{key: np.asarray(value) for key, value in arrays.items()})
    return path


def verdicts(threat, net, images, labels, sample=None):
    sample = torch.arange(len(images)) if sample is None else sample
    return measure(net, threat, "t", images, labels, sample, 0)


def test_stored_images_give_the_rows_of_the_attack_that_found_them(attacked, tmp_path):
    net, images, labels, found = attacked
    threat = Stored(radius="linf:0.1", path=save(tmp_path / "x.npz", attacked=found))
    rows, shown = verdicts(threat, net, images, labels)
    expected, _ = verdicts(Pgd(radius="linf:0.1"), net, images, labels)
    for column in ("prediction", "margin", "correct", "distance_linf", "distance_l2"):
        np.testing.assert_array_equal(getattr(rows, column), getattr(expected, column), err_msg=column)
    assert torch.equal(shown, found)
    assert 0.2 < rows.correct.mean() < 0.9


def test_samples_in_any_order_in_several_archives_and_blocks(attacked, tmp_path):
    net, images, labels, found = attacked
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    for number, part in enumerate(order.split(40)):
        save(tmp_path / f"{number}.npz", images=found[part], sample=part + 1000, label=labels[part])
    threat = Stored(radius="linf:0.1", path=tmp_path)
    whole, _ = verdicts(threat, net, images, labels, torch.arange(len(images)) + 1000)
    block, _ = verdicts(threat, net, images[20:50], labels[20:50], torch.arange(20, 50) + 1000)
    np.testing.assert_array_equal(block.margin, whole.margin[20:50])
    expected = margin(net(found), labels) < 0
    np.testing.assert_array_equal(~whole.correct, expected.numpy())
    elsewhere, _ = verdicts(threat, net, images, labels)  # the archives know samples from 1000 on only
    assert elsewhere.correct.all()


def test_the_worst_of_several_images_of_a_sample_counts(attacked, tmp_path):
    net, images, labels, found = attacked
    both, twice = torch.cat([images, found]), torch.arange(len(images)).repeat(2)
    rows, _ = verdicts(
        Stored(radius="linf:0.1", path=save(tmp_path / "x.npz", images=both, sample=twice)), net, images, labels
    )
    np.testing.assert_array_equal(rows.correct, (margin(net(found), labels) > 0).numpy())


def test_bytes_are_levels_of_255(attacked, tmp_path):
    net, images, labels, found = attacked
    levels = (found * 255).round().clamp(0, 255).byte()
    rows, shown = verdicts(
        Stored(radius="linf:0.11", path=save(tmp_path / "x.npz", images=levels)), net, images, labels
    )
    at = ~rows.correct
    torch.testing.assert_close(shown[at], levels[at].float() / 255, rtol=0, atol=0)
    assert at.sum() > 10


def test_what_lies_outside_is_refused_and_says_so(attacked, tmp_path):
    net, images, labels, found = attacked
    cheat = found.clone()
    cheat[0] = (images[0] + 0.5).clamp(0, 1)
    cheat[1] = torch.nan
    cheat[2] = images[2] - 0.05  # below 0 somewhere
    rows, _ = verdicts(Stored(radius="linf:0.1", path=save(tmp_path / "x.npz", images=cheat)), net, images, labels)
    assert list(rows.found_by[:3]) == ["refused"] * 3
    assert rows.correct[:3].all()
    assert "refused" not in rows.found_by[3:]
    # Beside an image within the radius that breaks the sample, one outside does no harm.
    twice = torch.cat([cheat[:1], found])
    numbers = torch.cat([torch.tensor([0]), torch.arange(len(images))])
    path = save(tmp_path / "y.npz", images=twice, sample=numbers)
    again, _ = verdicts(Stored(radius="linf:0.1", path=path), net, images, labels)
    broken = bool(margin(net(found[:1]), labels[:1]) < 0)
    assert again.found_by[0] == ("stored" if broken else "refused")


def test_address_reads_back_and_notices_a_change(attacked, tmp_path):
    *_, found = attacked
    path = save(tmp_path / "x.npz", images=found)
    threat = parse_threat(f"stored(path={path})@linf:0.1")
    address = threat_address(threat)
    assert address.startswith(f"stored(path={path},digest=")
    assert parse_threat(address) == threat
    save(path, images=found[1:])
    with pytest.raises(InputError, match="has changed: its digest is"):
        parse_threat(address)


def test_an_audits_own_images_come_back(digits, tmp_path):
    net, images, labels = digits
    first = weakspot.audit(net, (images, labels), threats=["pgd@linf:0.1"], out=tmp_path / "first", block=40)
    folder = next((tmp_path / "first" / "adversarial").glob("pgd*"))
    second = weakspot.audit(
        net, (images, labels), threats=[f"stored(path={folder})@linf:0.1"], out=tmp_path / "second", block=32
    )
    kept = {int(i) for file in folder.glob("*.npz") for i in np.load(file)["sample"]}
    rows = second.rows.where(second.rows.found_by == "stored")
    assert {int(i) for i in rows.sample} == kept
    assert len(kept) > 10
    pgd = first.rows.of("pgd@linf:0.1")
    before = dict(zip(pgd.sample, pgd.margin, strict=True))
    assert [before[i] for i in rows.sample] == pytest.approx(list(rows.margin), abs=1e-5)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"images": np.zeros((3, 1, 8, 7), np.float32)}, r"shape \(1, 8, 7\), the data have \(1, 8, 8\)"),
        ({"images": np.zeros((3, 8, 8), np.float32)}, "expected attacked or images"),
        ({"images": np.zeros((3, 1, 8, 8), np.int64)}, "got int64"),
        ({"x": np.zeros(3)}, "got x"),
        ({"images": np.zeros((3, 1, 8, 8), np.float32), "sample": np.arange(2)}, "sample must hold 3 whole numbers"),
        ({"images": np.zeros((3, 1, 8, 8), np.float32), "sample": np.arange(3) - 1}, "from 0 on"),
        ({"images": np.zeros((3, 1, 8, 8), np.float32), "label": np.full(3, 99)}, "made from other data: 3 of 3"),
        ({"images": np.array([None])}, "archive of plain arrays"),
    ],
)
def test_wrong_archives_are_one_clear_line(digits, tmp_path, arrays, says):
    net, images, labels = digits
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=says) as caught:
        verdicts(Stored(radius="linf:0.1", path=tmp_path / "x.npz"), net, images, labels)
    assert "\n" not in str(caught.value)


def test_a_missing_or_damaged_archive(digits, tmp_path):
    net, images, labels = digits
    with pytest.raises(InputError, match="found none at"):
        Stored(radius="linf:0.1", path=tmp_path / "no.npz")
    whole = save(tmp_path / "x.npz", images=images).read_bytes()
    for content in (whole[:100], whole[: len(whole) // 2], b"", b"no archive"):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match="save it again"):
            verdicts(Stored(radius="linf:0.1", path=tmp_path / "x.npz"), net, images, labels)
