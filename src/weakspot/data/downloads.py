"""Files of published sets: in the cache, or fetched by pooch against their SHA-256; offline nothing is fetched."""

import errno
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from weakspot.errors import InputError, SetupError, reason

_SECONDS = 30
"""Without a byte for so long, an attempt is given up."""


@dataclass(frozen=True)
class Source:
    """One published file."""

    file: str
    """Its name in the cache."""
    sha256: str
    urls: tuple[str, ...]
    """Tried in this order."""


def cache_folder() -> Path:
    """Where published sets lie: WEAKSPOT_CACHE, else the platform's cache folder."""
    import pooch  # only here and below: it brings an HTTP client

    given = os.environ.get("WEAKSPOT_CACHE")
    return Path(given).expanduser() if given else Path(pooch.os_cache("weakspot"))


def is_offline(offline: bool) -> bool:
    """Whether the network must not be touched: asked for, or WEAKSPOT_OFFLINE is set to something else than 0."""
    return offline or os.environ.get("WEAKSPOT_OFFLINE", "0") not in ("", "0")


def check_present(sources: Sequence[Source], folder: Path) -> None:
    """Offline, name all that is missing at once.

    Raises:
        SetupError: some of the files are not in `folder`.

    """
    if absent := [source for source in sources if not (folder / source.file).is_file()]:
        names, urls = (" and ".join(part) for part in ([s.file for s in absent], [s.urls[0] for s in absent]))
        raise SetupError(
            f"offline, and {names} {'is' if len(absent) == 1 else 'are'} not in {folder}; put {urls} there"
        )


def obtain(source: Source, folder: Path, *, offline: bool) -> Path:
    """The path of the file in `folder`, fetched when it is not there.

    Raises:
        InputError: the file in `folder` is not the published one.
        SetupError: it is not there and cannot be fetched, or the folder cannot be written.

    """
    path = folder / source.file
    if path.is_file():
        if _sha256(path) != source.sha256:
            raise InputError(f"{path}: not the published file (SHA-256 {source.sha256}); delete it to fetch it again")
        return path
    if is_offline(offline):
        raise SetupError(f"offline, and {path} is missing; put the file of {source.urls[0]} there")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(
            f"cannot make {folder} ({error.strerror or reason(error)}); set WEAKSPOT_CACHE to a writable folder"
        ) from error
    if not os.access(folder, os.W_OK):
        raise SetupError(f"cannot write into {folder}; set WEAKSPOT_CACHE to a writable folder")
    return _fetch(source, path)


def _fetch(source: Source, path: Path) -> Path:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)  # it would tell of every URL it tries; the log below does
    found: list[str] = []
    for url in source.urls:
        logging.getLogger(__name__).info("fetching %s to %s", url, path)
        try:
            fetch = pooch.HTTPDownloader(timeout=_SECONDS)
            pooch.retrieve(url, f"sha256:{source.sha256}", fname=path.name, path=path.parent, downloader=fetch)
            return path
        except (OSError, ValueError) as error:  # no connection, or pooch's refusal of another SHA-256
            if getattr(error, "errno", None) == errno.ENOSPC:
                raise SetupError(f"the disk of {path.parent} is full; free some space and try again") from error
            found.append(f"{url}: {_brief(error)}")
    raise SetupError(f"cannot fetch {path.name} ({'; '.join(found)}); put the file at {path} yourself")


def _brief(error: Exception) -> str:
    """What went wrong; an HTTP client nests five errors of which only the kind of the outer one can be read."""
    said = reason(error)
    return type(error).__name__ if "Max retries exceeded" in said or "object at 0x" in said else said


def _sha256(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            found.update(piece)
    return found.hexdigest()
