"""Published sets by name: class names, customary radius, and where their files lie or come from.

The SHA-256 are of the files as their authors publish them. The customary radii: Fashion-MNIST and MNIST as in Wong
and Kolter (2018, arXiv:1711.00851) and Madry et al. (2018, arXiv:1706.06083), CIFAR as in RobustBench.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from weakspot.data.arrays import ArrayData
from weakspot.data.cifar_binary import read_cifar10, read_cifar100
from weakspot.data.downloads import Source, cache_folder, check_present, is_offline, obtain
from weakspot.data.idx import read_idx
from weakspot.data.npz import read_npz


@runtime_checkable
class _Reader(Protocol):
    def __call__(
        self, path: Path, split: str, *, classes: Sequence[str] | None = None, radius: str | None = None
    ) -> ArrayData: ...


@dataclass(frozen=True, kw_only=True)
class Named:
    """A published set."""

    name: str
    says: str
    """What it is, in one line."""
    classes: tuple[str, ...]
    radius: str
    read: _Reader
    sources: Mapping[str, tuple[Source, ...]]
    """The files of each split; the first one's folder, or the first itself, is what `read` gets."""
    packaged: Path | None = None
    """A file that ships in the package, instead of sources."""
    system: Path | None = None
    """A folder of the operating system's package of the set; used when the split's files are there."""

    def __call__(self, split: str, *, offline: bool = False) -> ArrayData:
        """The images of a split, fetched when they are not there.

        Raises:
            InputError: a file of it is damaged.
            SetupError: it is not there and cannot be fetched.

        """
        data = self.read(self.fetch(split, offline=offline), split, classes=self.classes, radius=self.radius)
        return replace(data, name=self.name)

    def fetch(self, split: str, *, offline: bool = False) -> Path:
        """What `read` reads: a folder or a file; only files of `split` are needed.

        Raises:
            InputError: a file of it is damaged.
            SetupError: it is not there and cannot be fetched.

        """
        if self.packaged is not None:
            return self.packaged
        sources = self.sources[split]
        if self.system is not None and all((self.system / source.file).is_file() for source in sources):
            return self.system
        folder = cache_folder() / self.name
        if is_offline(offline):
            check_present(sources, folder)
        files = [obtain(source, folder, offline=offline) for source in sources]
        return files[0] if len(files) == 1 else folder


def _idx_sources(urls: Sequence[str], digests: Mapping[str, str]) -> dict[str, tuple[Source, ...]]:
    """The images' and the labels' file of both splits."""
    made = {
        part: Source(f"{part}-ubyte.gz", digest, tuple(f"{url}{part}-ubyte.gz" for url in urls))
        for part, digest in digests.items()
    }
    return {
        "train": (made["train-images-idx3"], made["train-labels-idx1"]),
        "test": (made["t10k-images-idx3"], made["t10k-labels-idx1"]),
    }


def _cifar_sources(file: str, digest: str) -> dict[str, tuple[Source, ...]]:
    source = Source(file, digest, (f"https://www.cs.toronto.edu/~kriz/{file}",))
    return {"train": (source,), "test": (source,)}


_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CIFAR100 = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)

_SETS = (
    Named(
        name="fashion-mnist-mini",
        says="4,000 training and 2,000 test images of Fashion-MNIST, class-balanced; ships in the package",
        classes=_FASHION,
        radius="linf:0.1",
        read=read_npz,
        sources={},
        packaged=Path(__file__).parent / "fashion_mnist_mini.npz",
    ),
    Named(
        name="fashion-mnist",
        says="60,000 training and 10,000 test images of clothes, 28x28 grey (Xiao et al., 2017, arXiv:1708.07747)",
        classes=_FASHION,
        radius="linf:0.1",
        read=read_idx,
        system=Path("/usr/share/datasets/fashion-mnist"),  # Debian's dataset-fashion-mnist
        sources=_idx_sources(
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            {
                "train-images-idx3": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "train-labels-idx1": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "t10k-images-idx3": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "t10k-labels-idx1": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ),
    ),
    Named(
        name="mnist",
        says="60,000 training and 10,000 test images of handwritten digits, 28x28 grey (LeCun et al., 1998)",
        classes=tuple("0123456789"),
        radius="linf:0.3",
        read=read_idx,
        sources=_idx_sources(
            (
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            {
                "train-images-idx3": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "train-labels-idx1": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "t10k-images-idx3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "t10k-labels-idx1": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            },
        ),
    ),
    Named(
        name="cifar10",
        says="50,000 training and 10,000 test images of 10 classes, 32x32 colour (Krizhevsky, 2009)",
        classes=_CIFAR10,
        radius="linf:8/255",
        read=read_cifar10,
        sources=_cifar_sources(
            "cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
        ),
    ),
    Named(
        name="cifar100",
        says="50,000 training and 10,000 test images of 100 classes, 32x32 colour (Krizhevsky, 2009)",
        classes=tuple(_CIFAR100.split(" ")),
        radius="linf:8/255",
        read=read_cifar100,
        sources=_cifar_sources(
            "cifar-100-binary.tar.gz", "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
        ),
    ),
)
NAMED: dict[str, Named] = {one.name: one for one in _SETS}
"""By name. An installed package adds sets, as functions (split, *, offline), under the entry points `weakspot.data`."""
