"""Rows as Parquet and grids as npz: one immutable file per model and part, each determined by the run's manifest."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np

from weakspot.store import write_atomically

Table = dict[str, np.ndarray]
"""Columns by name."""


def write_table(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write columns as Parquet, atomically."""

    def write(aside: Path) -> None:
        with duckdb.connect(config={"threads": 1}) as database:
            database.register("rows", dict(columns))
            target = str(aside).replace("'", "''")
            database.execute(f"COPY (SELECT * FROM rows) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")

    write_atomically(path, write)


def read_table(path: Path) -> Table | None:
    """The columns of a Parquet file in their order; None where it is absent or damaged."""
    if not path.exists():
        return None
    try:
        with duckdb.connect() as database:
            source = str(path).replace("'", "''")
            found = database.execute(f"SELECT * FROM read_parquet('{source}')").fetchnumpy()
    except duckdb.Error:
        return None
    return {name: np.asarray(values) for name, values in found.items()}


def write_grids(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed npz file, atomically."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)  # type: ignore[arg-type]  # names are no options of numpy's
    write_atomically(path, lambda aside: aside.write_bytes(buffer.getvalue()))


def read_grids(path: Path) -> Table | None:
    """The arrays of an npz file; None where it is absent or damaged."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
