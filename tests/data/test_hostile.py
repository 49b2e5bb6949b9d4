"""Damaged and hostile files: an InputError in one line that names the file, whatever the bytes are."""

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from weakspot.data import load
from weakspot.errors import InputError

FILES = {
    "idx": ("t10k-images-idx3-ubyte", 1),
    "idx.gz": ("t10k-images-idx3-ubyte.gz", 1),
    "idx file": ("letters-labels.idx1-ubyte.gz", 1),
    "npz MedMNIST": ("x.npz", 1),
    "npz plain": ("x.npz", 3),
    "folder": ("ankle/000.png", 3),
    "parquet hub": ("x.parquet", 3),
    "cifar10-bin folder": ("test_batch.bin", 3),
    "cifar100-bin archive": ("c.tar.gz", 3),
}


@pytest.fixture(params=sorted(FILES))
def damaged(request, write, tmp_path):
    """An address, one of its files, and the file's sound content."""
    name, channels = FILES[request.param]
    address = write(request.param, channels)
    (file,) = (tmp_path / "set").rglob(Path(name).name)
    return address, file, file.read_bytes()


def refused(address, file):
    with pytest.raises(InputError) as caught:
        load(address)
    assert "\n" not in str(caught.value)
    assert str(file.parent) in str(caught.value) or str(file.parent.parent) in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.7, 0.9])
def test_a_truncated_file_is_refused(damaged, kept):
    address, file, content = damaged
    file.write_bytes(content[: int(len(content) * kept)])
    refused(address, file)


def test_another_kind_of_file_is_refused(damaged):
    address, file, _ = damaged
    for content in (b"<html>404 Not Found</html>" * 9, pickle.dumps({"data": [1, 2, 3]}), bytes(4000)):
        file.write_bytes(content)
        refused(address, file)


def test_a_folder_in_the_file_s_place_is_refused(damaged):
    address, file, _ = damaged
    file.unlink()
    file.mkdir()
    if file.suffix == ".png":
        assert len(load(address)) == 11
    else:
        refused(address, file)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 0.999), flip=st.integers(1, 255), at_head=st.booleans())
def test_any_changed_byte_gives_a_set_or_an_input_error(damaged, place, flip, at_head):
    address, file, content = damaged
    changed = bytearray(content)
    changed[int(place * min(len(content), 200 if at_head else len(content)))] ^= flip
    file.write_bytes(changed)
    data, message = None, ""
    try:
        data = load(address)
    except InputError as error:
        message = str(error)
    assert "\n" not in message
    if data is not None:
        batch = data.batch(range(len(data)))
        assert batch.min() >= 0
        assert batch.max() <= 1


def idx_head(kind, *sizes):
    return bytes([0, 0, kind, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)


@pytest.mark.parametrize(
    "content, message",
    [
        (idx_head(8, 2**32 - 1, 2**32 - 1, 2**32 - 1), "its head says"),
        (idx_head(8, 3, 4, 4) + bytes(47), r"its head says 48 values of shape \(3, 4, 4\)"),
        (idx_head(8, 3, 4, 4) + bytes(49), "its head says 48 values"),
        (idx_head(13, 1, 4, 4) + bytes(64), "expected uint8 values"),
        (idx_head(8, 12), "its head says 12 values"),
        (idx_head(8, 3) + bytes(3), "are these the labels"),
        (idx_head(8, 3, 4, 4) + bytes(48), "12 labels for 3 images"),
        (idx_head(8, 0, 4, 4), "12 labels for 0 images"),
        (idx_head(8, 3, 4)[:9], "truncated inside its head"),
        (b"\x80\x02}q\x00", "no IDX file, it begins with 8002"),
        (b"", "no IDX file, it begins with nothing"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_heads_are_not_believed(write, tmp_path, content, message, packed):
    write("idx.gz" if packed else "idx", 1)
    file = tmp_path / "set" / ("t10k-images-idx3-ubyte.gz" if packed else "t10k-images-idx3-ubyte")
    file.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match=message):
        load(f"idx:{tmp_path / 'set'}")


def test_pickles_inside_npz_are_never_loaded(tmp_path):
    witness = tmp_path / "executed"

    class Hostile:
        def __reduce__(self):
            return (Path.touch, (witness,))

    file = tmp_path / "x.npz"
    np.savez(file, x=np.array([Hostile()], dtype=object), y=np.array([0]))
    with pytest.raises(InputError, match="pickled objects, which are never loaded"):
        load(f"npz:{file}")
    assert not witness.exists()


def npy(shape, content, dtype="|u1"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(2**40, 28, 28), (3, 2, 2), (2, 2**62, 16)])
def test_npz_heads_are_not_believed(tmp_path, method, shape):
    file = tmp_path / "x.npz"
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", npy(shape, bytes(8)))
        archive.writestr("y.npy", npy((2,), bytes(2)))
    with pytest.raises(InputError, match=r"x says .* but 8 follow"):
        load(f"npz:{file}")


def test_npz_without_known_keys_says_what_it_found(tmp_path):
    np.savez(tmp_path / "x.npz", weights=np.zeros(3))
    with pytest.raises(InputError, match="found weights"):
        load(f"npz:{tmp_path / 'x.npz'}")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("../../escape.bin", tarfile.REGTYPE),
        ("/etc/escape.bin", tarfile.REGTYPE),
        ("cifar-10-batches-bin/test_batch.bin", tarfile.SYMTYPE),
        ("cifar-10-batches-bin/test_batch.bin", tarfile.LNKTYPE),
        ("cifar-10-batches-bin/test_batch.bin", tarfile.FIFOTYPE),
    ],
)
def test_archives_that_reach_outside_are_refused_and_write_nothing(tmp_path, name, kind):
    file = tmp_path / "inner" / "c.tar.gz"
    file.parent.mkdir()
    with tarfile.open(file, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "/etc/hostname"
        member.size = 5 if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(b"hello"))
    with pytest.raises(InputError, match="hostile archive"):
        load(f"cifar10-bin:{file}")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_archives_with_false_sizes_do_not_fill_the_memory(tmp_path, kind):
    member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
    member.type, member.size = kind, 2**33
    file = tmp_path / "c.tar.gz"
    file.write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
    with pytest.raises(InputError, match="claims"):
        load(f"cifar10-bin:{file}")


def test_an_archive_without_the_split_says_what_is_missing(tmp_path, add_member):
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        add_member(archive, "cifar-10-batches-bin/data_batch_1.bin", bytes(3073))
    with pytest.raises(InputError, match="test_batch.bin is missing"):
        load(f"cifar10-bin:{tmp_path / 'c.tar'}")
    with pytest.raises(InputError, match="data_batch_2.bin is missing"):
        load(f"cifar10-bin:{tmp_path / 'c.tar'}", split="train")


def test_a_label_beyond_the_class_names_is_refused(tmp_path):
    (tmp_path / "test_batch.bin").write_bytes(bytes([9]) + bytes(3072))
    (tmp_path / "batches.meta.txt").write_text("a b c")
    with pytest.raises(InputError, match="label 9 is out of range for 3 class names"):
        load(f"cifar10-bin:{tmp_path}")


def test_images_of_two_sizes_are_named(write, tmp_path, make_png):
    address = write("folder", 3)
    (tmp_path / "set" / "coat" / "zz.png").write_bytes(make_png(np.zeros((20, 30, 3), np.uint8)))
    with pytest.raises(InputError, match=r"one size, but .*000.png is 32x32 and .*zz.png is 30x20"):
        load(address)


@pytest.mark.parametrize("mode", ["I", "I;16", "F"])
def test_images_of_more_than_8_bits_are_refused(tmp_path, mode):
    (tmp_path / "a").mkdir()
    Image.new(mode, (4, 4)).save(tmp_path / "a" / "x.tiff")
    with pytest.raises(InputError, match="x.tiff: expected 8 bits"):
        load(f"folder:{tmp_path}")


def test_an_image_of_false_size_is_refused(tmp_path, make_png):
    (tmp_path / "a").mkdir()
    content = bytearray(make_png(np.zeros((4, 4, 3), np.uint8)))
    content[16:24] = (2**30).to_bytes(4, "big") * 2
    (tmp_path / "a" / "x.png").write_bytes(content)
    with pytest.raises(InputError, match="x.png: no readable image"):
        load(f"folder:{tmp_path}")
