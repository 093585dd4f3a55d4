"""What is in the tables of a store, as SQLite has it: columns, sets of them, keys, cells."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._store_checksums import checksums
from ._store_file import DamagedError

# Of the table of images, beside the measurements.
OWN_COLUMNS = ("key", "stamp", "column_set", "checksum")
KEYS_PER_QUERY = 500  # below the 999 parameters that an old SQLite allows

_KINDS: dict[type, str] = {
    float: "real",
    int: "integer",
    bool: "integer",
    str: "text",
    np.ndarray: "vector",
}

_CELL_TYPES: dict[str | None, set[type]] = {
    "real": {float, int},
    "integer": {int},
    "text": {str},
    "vector": {bytes},
}
_ANY_CELL: set[type] = {float, int, str, bytes}

Versions = dict[str, str]


@dataclass(frozen=True)
class StoredColumn:
    """What the table of columns says of one measurement."""

    sql_name: str
    version: str
    kind: str | None  # of its cells: one of _KINDS, None while all are missing


def stored_columns(connection: sqlite3.Connection) -> dict[str, StoredColumn]:
    rows = connection.execute("SELECT name, sql_name, version, kind FROM columns ORDER BY rowid")
    stored = {name: StoredColumn(*entry) for name, *entry in rows}
    for name, column in stored.items():
        if column.kind not in (None, *_KINDS.values()):
            raise DamagedError(f"columns: {name!r} is of kind {column.kind!r}")
    return stored


def column_sets(connection: sqlite3.Connection) -> dict[int, Versions]:
    """Return the sets of columns that rows hold, by number."""
    try:
        rows = connection.execute("SELECT id, versions FROM column_sets").fetchall()
        return {number: dict(json.loads(versions)) for number, versions in rows}
    except (TypeError, ValueError, RecursionError) as error:
        raise DamagedError(f"column_sets: {error}") from error


def check_columns(stored: Mapping[str, StoredColumn], sets: Mapping[int, Versions]) -> None:
    """Refuse tables in which a column that rows hold is missing."""
    for versions in sets.values():
        missing = versions.keys() - stored.keys()
        if missing:
            raise DamagedError(f"columns: {missing.pop()!r} is missing")


def number_of_set(
    connection: sqlite3.Connection, sets: dict[int, Versions], versions: Versions
) -> int:
    """Return the number of a set of columns; a new one gets the next number."""
    for number, known in sets.items():
        if known == versions:
            return number
    number = max(sets, default=0) + 1
    connection.execute("INSERT INTO column_sets VALUES (?, ?)", (number, json.dumps(versions)))
    sets[number] = versions
    return number


def register_columns(
    connection: sqlite3.Connection, versions: Versions, kinds: Mapping[str, str | None]
) -> list[str]:
    """Make sure that each measurement has its column; return the columns' names in SQL."""
    stored = stored_columns(connection)
    taken = {name.casefold() for name in OWN_COLUMNS}
    taken.update(column.sql_name.casefold() for column in stored.values())
    sql_names = []
    for name, version in versions.items():
        known = stored.get(name)
        sql_name = _free_name(name, taken) if known is None else known.sql_name
        sql_names.append(sql_name)
        if known is None:
            connection.execute(f"ALTER TABLE images ADD COLUMN {quoted(sql_name)}")
            taken.add(sql_name.casefold())
        # At another version the cells may well be of another kind.
        kind_before = known.kind if known is not None and known.version == version else None
        entry = StoredColumn(sql_name, version, _united_kind(name, kind_before, kinds[name]))
        if entry != known:
            connection.execute(
                "INSERT INTO columns VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE "
                "SET version = excluded.version, kind = excluded.kind",
                (name, entry.sql_name, entry.version, entry.kind),
            )
    return sql_names


def _free_name(name: str, taken: set[str]) -> str:
    """Return the name, or one like it where SQLite would take it for another column's."""
    wanted = name.replace("\0", "") or "unnamed"
    number, free = 2, wanted
    while free.casefold() in taken:
        free, number = f"{wanted}_{number}", number + 1
    return free


def _united_kind(name: str, before: str | None, now: str | None) -> str | None:
    kinds = {before, now} - {None}
    if kinds == {"integer", "real"}:
        return "real"
    if len(kinds) > 1:
        raise TypeError(f"the cells of the column {name!r} are of two kinds: {before} and {now}")
    return kinds.pop() if kinds else None


def check_names(names: Mapping[str, str]) -> None:
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"the column name {name!r} is no valid Unicode") from error


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def listed(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def sql_key(key: str) -> str | bytes:
    """Return text, or bytes where a name has lone surrogates: SQLite's text is valid UTF-8."""
    if key.isascii():
        return key
    try:
        key.encode()
    except UnicodeEncodeError:
        return key.encode("utf-8", "surrogatepass")
    return key


def key_of(sql_key: str | bytes) -> str:
    try:
        return sql_key if isinstance(sql_key, str) else sql_key.decode("utf-8", "surrogatepass")
    except ValueError as error:
        raise DamagedError(f"a key: {error}") from error


def printable(key: str) -> str:
    return key.encode("utf-8", "backslashreplace").decode()


def rows_of(
    connection: sqlite3.Connection, keys: Sequence[str | bytes], selected: str
) -> list[tuple[Any, ...]]:
    places = ", ".join("?" * len(keys))
    return connection.execute(
        f"SELECT {selected} FROM images WHERE key IN ({places})", keys
    ).fetchall()


def check_rows(
    rows: Sequence[tuple[Any, ...]], names: Sequence[str], sets: Mapping[int, Versions]
) -> None:
    """Refuse rows that are not as they were written.

    Parameters
    ----------
    rows : sequence of tuple
        ``OWN_COLUMNS`` and then the measurements.
    names : sequence of str
        Which measurements: all that a row's column set has, and perhaps others.
    sets : mapping of int to versions
    """
    rows_of_set: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        rows_of_set[row[2]].append(row)
    for number, some in rows_of_set.items():
        if number not in sets:
            raise DamagedError(f"images: there is no column set {number!r}")
        keys, stamps, _, written, *measured = zip(*some, strict=True)
        cells = dict(zip(names, measured, strict=True))
        columns = {name: cells[name] for name in sets[number]}
        if checksums(number, sets[number], keys, stamps, columns) != list(written):
            raise DamagedError("images: a row is not as it was written")


def sets_of_same_state(
    connection: sqlite3.Connection, keys: Sequence[str | bytes], stamps: Sequence[str]
) -> dict[str | bytes, int]:
    """Of the images that are stored with the same stamp, the number of their column set."""
    stamp_of = dict(zip(keys, stamps, strict=True))
    numbers = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        some = keys[start : start + KEYS_PER_QUERY]
        for key, stamp, number, _ in rows_of(connection, some, listed(OWN_COLUMNS)):
            if stamp == stamp_of[key]:
                numbers[key] = number
    return numbers


def encoded(name: str, cells: Any) -> tuple[Sequence[Any], str | None]:
    """Return the cells as SQLite takes them, and their kind."""
    cells = list(cells)
    types = set(map(type, cells)) - {type(None)}
    if types - _KINDS.keys():  # NumPy's and pandas' scalars
        cells = [_python_value(name, cell) for cell in cells]
        types = set(map(type, cells)) - {type(None)}
    kind: str | None = None
    for one_type in types:
        kind = _united_kind(name, kind, _KINDS[one_type])
    if kind == "vector":
        return [None if cell is None else _vector_bytes(name, cell) for cell in cells], kind
    return cells, kind


def _python_value(name: str, cell: Any) -> Any:
    if cell is pd.NA:
        return None
    value = cell.item() if isinstance(cell, np.generic) else cell
    if value is not None and type(value) not in _KINDS:
        raise TypeError(
            f"the cells of the column {name!r} must be numbers, text or vectors, "
            f"got {type(cell).__name__}"
        )
    return value


def _vector_bytes(name: str, vector: NDArray[Any]) -> bytes:
    if vector.ndim != 1 or vector.dtype != np.float32:
        raise TypeError(
            f"the vectors of the column {name!r} must be 1-D float32 arrays, "
            f"got {vector.dtype} of shape {vector.shape}"
        )
    return vector.astype("<f4").tobytes()


def decoded(values: Sequence[Any], kind: str | None) -> Sequence[Any]:
    """Return the cells as they were written; of kind None each by its own type."""
    strange = set(map(type, values)) - _CELL_TYPES.get(kind, _ANY_CELL) - {type(None)}
    if strange:
        raise DamagedError(f"a cell of kind {kind} is {strange.pop().__name__}")
    try:
        if kind == "vector":
            return [None if value is None else _vector(value) for value in values]
        if kind is None:
            return [_vector(value) if isinstance(value, bytes) else value for value in values]
    except (TypeError, ValueError) as error:
        raise DamagedError(f"a vector: {error}") from error
    return values


def _vector(cell: bytes) -> NDArray[np.float32]:
    return np.frombuffer(cell, "<f4").astype(np.float32)
