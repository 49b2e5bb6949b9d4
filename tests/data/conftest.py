"""The same small images, written in every format by means that share no code with the readers."""

import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torch.utils.data import Subset as TorchSubset

from weakspot.contracts import Data
from weakspot.data import ArrayData, load

CLASSES = ("ankle", "bag", "coat")
SAMPLES = 12


def sample_images(channels: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """(N, H, W, C) uint8 with every value from 0 to 255, and labels 0, 1, 2, 0, 1, 2, ..."""
    count = SAMPLES * size * size * channels
    pixels = (np.arange(count, dtype=np.uint64) * 2654435761 >> 13).astype(np.uint8)
    return pixels.reshape(SAMPLES, size, size, channels), np.arange(SAMPLES) % 3


def idx_bytes(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()
    )


def png(pixels: np.ndarray, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(buffer, form, lossless=True)
    return buffer.getvalue()


def write_idx(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    for stem in ("train", "t10k"):
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(images[..., 0]))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    return f"idx:{folder}"


def write_idx_gz(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images[..., 0])))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    return f"idx:{folder}"


def write_idx_file(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    (folder / "letters-images.idx3-ubyte").write_bytes(idx_bytes(images[..., 0]))
    (folder / "letters-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    return f"idx:{folder / 'letters-images.idx3-ubyte'}"


def write_npz_medmnist(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    squeezed = images.squeeze(-1) if images.shape[-1] == 1 else images
    np.savez_compressed(folder / "x.npz", test_images=squeezed, test_labels=labels[:, None], classes=np.array(CLASSES))
    return f"npz:{folder / 'x.npz'}"


def write_npz_plain(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    np.savez(folder / "x.npz", X=images, y=labels.astype(np.int16), classes=np.array(CLASSES))
    return f"npz:{folder / 'x.npz'}"


def write_npz_keras(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    """As float64 in Fortran order, channels first."""
    folder.mkdir()
    floats = np.asfortranarray(images.transpose(0, 3, 1, 2) / 255)
    np.savez(folder / "x.npz", x_test=floats, y_test=labels, x_train=floats, y_train=labels, classes=np.array(CLASSES))
    return f"npz:{folder / 'x.npz'}"


def write_folder(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:03d}.png").write_bytes(png(pixels))
    (folder / "README.txt").write_text("no class")
    (folder / CLASSES[0] / "notes.txt").write_text("no image")
    (folder / ".hidden").mkdir()
    return f"folder:{folder}"


def write_split_folders(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    write_folder(folder / "test", images, labels)
    write_folder(folder / "train", images[:3], labels[:3])
    return f"folder:{folder}"


def parquet(file: Path, images: np.ndarray, labels: np.ndarray, column: str = "img", metadata: str = "") -> None:
    with duckdb.connect() as base:
        base.execute("CREATE TABLE t (img STRUCT(bytes BLOB, path VARCHAR), label BIGINT)")
        form = "PNG" if images.shape[-1] == 1 else "WEBP"  # WebP has no grey images
        rows = [
            [{"bytes": png(pixels, form), "path": "x"}, int(label)]
            for pixels, label in zip(images, labels, strict=True)
        ]
        base.executemany("INSERT INTO t VALUES (?, ?)", rows)
        options = f", KV_METADATA {{{metadata}}}" if metadata else ""
        base.execute(f"COPY (SELECT img AS {column}, label FROM t) TO '{file}' (FORMAT parquet{options})")


def write_parquet(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    """Two files, in a folder whose name holds characters that a pattern would use."""
    folder = folder.with_name(folder.name + " [1]*")
    folder.mkdir()
    metadata = 'class_names: \'["ankle", "bag", "coat"]\''
    parquet(folder / "test-00000-of-00002.parquet", images[:5], labels[:5], metadata=metadata)
    parquet(folder / "test-00001-of-00002.parquet", images[5:], labels[5:])
    parquet(folder / "train-00000-of-00001.parquet", images[:3], labels[:3], metadata=metadata)
    return f"parquet:{folder}"


def write_parquet_hub(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    names = '{"info": {"features": {"label": {"names": ["ankle", "bag", "coat"], "_type": "ClassLabel"}}}}'
    parquet(folder / "x.parquet", images, labels, "image", f"huggingface: '{names}'")
    return f"parquet:{folder / 'x.parquet'}"


def cifar_records(images: np.ndarray, labels: np.ndarray, coarse: bool) -> bytes:
    chw = images.transpose(0, 3, 1, 2)
    return b"".join(
        bytes([7] * coarse + [int(label)]) + pixels.tobytes() for pixels, label in zip(chw, labels, strict=True)
    )


def write_cifar10_folder(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir(parents=True)
    for number in range(1, 6):
        (inner / f"data_batch_{number}.bin").write_bytes(cifar_records(images[:2], labels[:2], False))
    (inner / "test_batch.bin").write_bytes(cifar_records(images, labels, False))
    (inner / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")
    return f"cifar10-bin:{folder}"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def write_cifar100_archive(folder: Path, images: np.ndarray, labels: np.ndarray) -> str:
    folder.mkdir()
    with tarfile.open(folder / "c.tar.gz", "w:gz") as archive:
        add(archive, "cifar-100-binary/fine_label_names.txt", "\n".join(CLASSES).encode())
        add(archive, "cifar-100-binary/train.bin", cifar_records(images[:3], labels[:3], True))
        add(archive, "cifar-100-binary/test.bin", cifar_records(images, labels, True))
    return f"cifar100-bin:{folder / 'c.tar.gz'}"


Writer = Callable[[Path, np.ndarray, np.ndarray], str]
WRITERS: dict[str, tuple[Writer, tuple[int, ...]]] = {
    "idx": (write_idx, (1,)),
    "idx.gz": (write_idx_gz, (1,)),
    "idx file": (write_idx_file, (1,)),
    "npz MedMNIST": (write_npz_medmnist, (1, 3)),
    "npz plain": (write_npz_plain, (1, 3)),
    "npz floats": (write_npz_keras, (1, 3)),
    "folder": (write_folder, (1, 3)),
    "split folders": (write_split_folders, (1, 3)),
    "parquet folder": (write_parquet, (1, 3)),
    "parquet hub": (write_parquet_hub, (1, 3)),
    "cifar10-bin folder": (write_cifar10_folder, (3,)),
    "cifar100-bin archive": (write_cifar100_archive, (3,)),
}


class Listed(Dataset):
    """A data set from a list of pairs, with what torchvision's sets have."""

    def __init__(self, pairs, **attributes):
        self.pairs = pairs
        self.__dict__.update(attributes)

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


def chw(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def pil(images):
    return [Image.fromarray(one.squeeze(-1) if one.shape[-1] == 1 else one) for one in images]


def with_classes(pairs, classes, **attributes):
    return Listed(list(pairs), classes=list(classes), **attributes)


OBJECTS = {
    "arrays NHWC": lambda x, y, k: ArrayData.of(x, y, classes=k),
    "arrays NCHW": lambda x, y, k: ArrayData.of(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y, classes=k),
    "permuted tensor": lambda x, y, k: ArrayData.of(chw(x), torch.from_numpy(y), classes=k),
    "float64 arrays": lambda x, y, k: ArrayData.of(x / 255, y, classes=k, layout="NHWC"),
    "float tensor": lambda x, y, k: ArrayData.of(chw(x).float() / 255, y.tolist(), classes=k),
    "reversed views": lambda x, y, k: ArrayData.of(x[::-1].copy()[::-1], y[::-1].copy()[::-1], classes=k),
    "data set of PIL with targets": lambda x, y, k: load(
        with_classes(zip(pil(x), y.tolist(), strict=True), k, targets=y.tolist())
    ),
    "data set of uint8": lambda x, y, k: load(with_classes(zip(x, y, strict=True), k, labels=y[:, None])),
    "data set of floats": lambda x, y, k: load(with_classes(zip(chw(x).float() / 255, y, strict=True), k)),
    "loader": lambda x, y, k: load(
        DataLoader(with_classes(zip(pil(x), y.tolist(), strict=True), k), batch_size=5, shuffle=True)
    ),
    "torch subset": lambda x, y, k: load(
        TorchSubset(
            with_classes(zip(pil(x[::-1]), y[::-1].tolist(), strict=True), k, targets=y[::-1].copy()),
            list(range(len(y)))[::-1],
        )
    ),
}


CASES = [(name, channels) for name, (_, fitting) in WRITERS.items() for channels in fitting]
CASES += [(name, 3) for name in OBJECTS]


@dataclass(frozen=True)
class Case:
    """A set made from the sample images, and what it must hold."""

    data: Data
    images: torch.Tensor
    labels: torch.Tensor


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request, tmp_path_factory) -> Case:
    """Every format and every kind of Python object, with the sample images."""
    name, channels = request.param
    images, labels = sample_images(channels)
    if name in WRITERS:
        data = load(WRITERS[name][0](tmp_path_factory.mktemp("case") / "set", images, labels))
    else:
        data = OBJECTS[name](images, labels, CLASSES)
    return Case(data, chw(images).contiguous().float() / 255, torch.from_numpy(labels))


@pytest.fixture
def classes() -> tuple[str, ...]:
    return CLASSES


@pytest.fixture
def write(tmp_path) -> Callable[..., str]:
    """Write the sample images in a format by name; returns the address."""

    def written(name: str, channels: int, to: Path | None = None) -> str:
        return WRITERS[name][0](to or tmp_path / "set", *sample_images(channels))

    return written


@pytest.fixture
def listed():
    return Listed


@pytest.fixture
def make_png():
    return png


@pytest.fixture
def make_parquet():
    return parquet


@pytest.fixture
def make_idx():
    return idx_bytes


@pytest.fixture
def add_member():
    return add
