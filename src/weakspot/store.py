"""The files of a run: written aside, synced, renamed; a finished file is never touched again."""

import errno
import json
import os
from collections.abc import Callable, Iterable, Sequence
from glob import escape
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from weakspot.errors import InputError, SetupError
from weakspot.outcomes import COLUMNS, SCHEMA, Outcomes

_SQL = {"int64": "BIGINT", "int32": "INTEGER", "str": "VARCHAR", "bool": "BOOLEAN", "float32": "FLOAT"}


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, sync it, and rename it there: the file is whole or absent.

    Raises:
        SetupError: the disk is full or the folder cannot be written.

    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        with aside.open("rb") as made:
            os.fsync(made.fileno())
        aside.replace(path)
        _tidy_after_the_dead(path)
    except (OSError, duckdb.IOException) as error:
        _tidy(aside)
        raise _setup_error(path, error) from error
    except BaseException:
        _tidy(aside)
        raise


def _tidy(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the first error is the one to tell


def _tidy_after_the_dead(path: Path) -> None:
    """Remove what processes that no longer live left of the same file when they were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not _lives(int(process)):
            _tidy(left)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _setup_error(path: Path, error: Exception) -> SetupError:
    full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
    if full:
        return SetupError(f"the disk of {path.parent} is full; free some space and run the same command again")
    return SetupError(f"cannot write {path}: {str(error).splitlines()[0]}; give another folder with --out")


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON, atomically; NaN is refused, undefined values must be None."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays by name as a compressed .npz, atomically."""

    def write(aside: Path) -> None:
        with aside.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # its own keywords are not among the names

    write_atomically(path, write)


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: the file is absent or no JSON.

    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"expected a run folder with {path.name}, found none in {path.parent}") from None
    except ValueError as error:
        raise InputError(f"{path} is not readable as JSON ({error}); delete it to start again") from None


def write_unit(path: Path, rows: Outcomes) -> None:
    """Write one unit's rows as Parquet, atomically.

    The file says under which name it was written, which stands for all that determines it (`plan_units`): a copy of
    another unit in its place is noticed.
    """
    columns = {name: _storable(values) for name, values in rows.columns().items()}
    select = ", ".join(f"CAST({name} AS {_SQL[kind]}) AS {name}" for name, kind in COLUMNS.items())

    def write(aside: Path) -> None:
        with duckdb.connect(config={"threads": 1}) as database:
            database.register("rows", columns)
            database.execute(
                f"COPY (SELECT {select} FROM rows) TO '{_escaped(aside)}' "
                "(FORMAT parquet, COMPRESSION zstd, KV_METADATA "
                f"{{weakspot_schema: '{SCHEMA}', weakspot_unit: '{_escaped(path.stem)}', "
                f"weakspot_digest: '{rows.digest()}'}})"
            )

    write_atomically(path, write)


def _storable(values: np.ndarray) -> np.ndarray:
    return values.astype(str) if values.dtype == object else values


def _escaped(name: str | Path) -> str:
    return str(name).replace("'", "''")


def unit_damage(path: Path, samples: int) -> str | None:
    """What is wrong with a stored unit that must hold this many samples; None where it is whole.

    The whole file is read and compared with its own digest: Parquet alone would not notice a flipped bit.
    """
    try:
        found = read_units([path])
        with duckdb.connect() as database:
            written = _metadata(database, f"'{_escaped(path)}'", "weakspot_digest")
            unit = _metadata(database, f"'{_escaped(path)}'", "weakspot_unit")
    except (InputError, duckdb.Error) as error:
        return str(error).splitlines()[0]
    if len(np.unique(found.sample)) != samples:
        return f"{path} holds {len(np.unique(found.sample))} samples instead of {samples}"
    if unit != [path.stem]:
        return f"{path} was written as another unit"
    if written != [found.digest()]:
        return f"{path} does not hold what was written to it"
    return None


def _metadata(database: duckdb.DuckDBPyConnection, files: str, key: str) -> list[str]:
    """The distinct values of one metadata key over quoted, comma-separated Parquet files."""
    query = f"SELECT DISTINCT decode(value) FROM parquet_kv_metadata([{files}]) WHERE decode(key) = '{key}'"
    return [value for (value,) in database.execute(query).fetchall()]


def read_units(paths: Sequence[Path]) -> Outcomes:
    """The rows of these files, in the order of the paths.

    Raises:
        InputError: a file is absent, damaged, or of another schema.

    """
    if not paths:
        return Outcomes.build(sample=np.zeros(0, dtype=np.int64))
    files = ", ".join(f"'{_escaped(path)}'" for path in paths)
    try:
        with duckdb.connect() as database:
            schemas = _metadata(database, files, "weakspot_schema")
            if schemas != [str(SCHEMA)]:
                raise InputError(
                    f"{paths[0].parent} holds outcomes of schema {schemas}, expected {SCHEMA}; audit again"
                )
            select = ", ".join(COLUMNS)
            table = database.execute(f"SELECT {select} FROM read_parquet([{files}])").fetchnumpy()
    except duckdb.Error as error:
        raise InputError(f"stored outcomes cannot be read: {str(error).splitlines()[0]}") from error
    return Outcomes.build(**{name: np.asarray(table[name]) for name in COLUMNS})


def damaged_units(units: Iterable[tuple[Path, int]]) -> dict[Path, str]:
    """The stored units among (path, rows) that must be computed again, with the reason."""
    found = {path: unit_damage(path, rows) for path, rows in units if path.exists()}
    return {path: reason for path, reason in found.items() if reason}
