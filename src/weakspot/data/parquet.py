"""Parquet files as the Hugging Face hub stores image sets: a column `img` or `image` of {bytes, path}, and `label`.

DuckDB reads them; the encoded images are held in memory, the pixels as `encoded.py` says.
"""

import json
from glob import escape
from pathlib import Path

import duckdb

from weakspot.contracts import Data
from weakspot.data.encoded import from_encoded
from weakspot.errors import InputError, reason

_IMAGES = ("img", "image")
_LABELS = ("label", "fine_label")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""DuckDB would otherwise fetch extensions from the network."""


def read_parquet(path: Path, split: str) -> Data:
    """The images of one file (a set of one split) or of a folder's files.

    In a folder, files are a split's when their name, or their folder's, begins with `train` or `test`; a folder
    without such names is one split. Class names come from the schema's metadata, under `class_names` (a JSON list) or
    the hub's own `huggingface` key; numbers when neither is there.

    Args:
        path: a file or folder.
        split: "train" or "test".

    Raises:
        InputError: no such file, no such columns, or a damaged file or image.

    """
    files, found = _files(path, split)
    # Brackets and stars in a path would otherwise be read as patterns.
    names = [escape(str(file)) for file in files]
    try:
        with duckdb.connect(":memory:", config=_CONFIG) as base:
            image, label = _columns(base, names, path)
            rows = base.execute(f'SELECT {image}, "{label}" FROM read_parquet($1)', [names]).fetchall()
            classes = _class_names(base, names[0], label, path)
    except duckdb.Error as error:
        raise InputError(f"{path}: truncated or no Parquet file ({reason(error)}); make or fetch it again") from error
    for row, (content, number) in enumerate(rows):
        if content is None or number is None:
            raise InputError(f"{path}: row {row} has no image or no label; every row needs both")
    return from_encoded(
        [content for content, _ in rows],
        [number for _, number in rows],
        called=[f"{path} row {row}" for row in range(len(rows))],
        classes=classes,
        name=f"parquet:{path}",
        split=found,
    )


def _files(path: Path, split: str) -> tuple[list[Path], str]:
    if path.is_file():
        return [path], "all"
    if not path.is_dir():
        raise InputError(f"parquet: no file or folder {path}")
    files = sorted(path.rglob("*.parquet"))
    of = {file: _split_of(file.relative_to(path)) for file in files}
    if fitting := [file for file in files if of[file] == split]:
        return fitting, split
    if files and not any(of.values()):
        return files, "all"
    raise InputError(
        f"{path}: expected files {split}-*.parquet, found {', '.join(file.name for file in files[:5]) or 'no Parquet'}"
    )


def _split_of(file: Path) -> str | None:
    """The split that a file's name or its folders say, nearest first."""
    for part in reversed(file.parts):
        for split in ("train", "test"):
            if part.startswith(split):
                return split
    return None


def _columns(base: duckdb.DuckDBPyConnection, names: list[str], path: Path) -> tuple[str, str]:
    """The SQL of the image's bytes, and the label column's name."""
    described = base.execute("DESCRIBE SELECT * FROM read_parquet($1)", [names]).fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    image = next((column for column in _IMAGES if column in types), None)
    label = next((column for column in _LABELS if column in types), None)
    if image is None or label is None:
        raise InputError(f"{path}: expected columns img or image, and label; found {', '.join(types)}")
    if types[image].startswith("STRUCT") and "bytes BLOB" in types[image].replace('"', ""):
        return f'"{image}"."bytes"', label
    if types[image] == "BLOB":
        return f'"{image}"', label
    raise InputError(f"{path}: expected {image} to hold image bytes, as {{bytes, path}}, got {types[image]}")


def _class_names(base: duckdb.DuckDBPyConnection, name: str, label: str, path: Path) -> list[str] | None:
    pairs = base.execute("SELECT key, value FROM parquet_kv_metadata($1)", [name]).fetchall()
    metadata = {bytes(key).decode(errors="replace"): bytes(value) for key, value in pairs}
    try:
        if "class_names" in metadata:
            names = json.loads(metadata["class_names"])
        elif "huggingface" in metadata:
            names = json.loads(metadata["huggingface"])["info"]["features"].get(label, {}).get("names")
        else:
            return None
    except (ValueError, KeyError, TypeError, AttributeError):
        names = 0  # something else than what is documented
    if names is None or (isinstance(names, list) and all(isinstance(one, str) for one in names)):
        return names
    raise InputError(f"{path}: the class names in its metadata are no list of names; write them as a JSON list")
