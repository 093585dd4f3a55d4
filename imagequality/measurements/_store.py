"""The store: rows of measurements in an SQLite file, so that no image is measured twice.

The file
--------
====================  =========================================================================
table                 holds
====================  =========================================================================
``images``            one row per image: ``key``, ``stamp``, ``column_set``, ``checksum`` and one
                      column per measurement
``columns``           of each measurement its name, its column in ``images`` (another where two
                      names differ in case only, which is one name to SQLite), the version
                      written last and the kind of its cells
``column_sets``       which measurements, at which versions, a row holds, as JSON: a cell is NULL
                      where it was not measured, but also where it was and there is no value
====================  =========================================================================

The columns of measurements have no declared type, so that each cell comes back as it went in.
Vectors are blobs of little-endian float32. A key is text; one with invalid UTF-8, as a name of
a file can be, is a blob of its bytes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..images._identity import Identity
from ._store_checksums import checksums
from ._store_file import (
    TIMEOUT,
    DamagedError,
    StoreError,
    faults,
    open_store,
    open_to_read,
    transaction,
)
from ._store_rows import (
    KEYS_PER_QUERY,
    OWN_COLUMNS,
    check_columns,
    check_names,
    check_rows,
    column_sets,
    decoded,
    encoded,
    key_of,
    listed,
    number_of_set,
    printable,
    quoted,
    register_columns,
    rows_of,
    sets_of_same_state,
    sql_key,
    stored_columns,
)

_ROWS_AT_ONCE = 10_000  # in memory while a store is exported
_PARQUET_EXTRA = "writing Parquet needs the extra: pip install 'imagequality[parquet]'"


class Store:
    """Rows of measurements in an SQLite file, by image and version of the measurement.

    Every write is one transaction: a process that is killed loses at most the rows of the write
    in flight. Several processes may read and write at once; a writer waits for another.

    Parameters
    ----------
    path : str or Path
        The file; made if there is none.
    columns : mapping of str to str
        The measurements to look up and to write, and the version of each: a row that was measured
        at another version counts as not measured.
    timeout : float, default=60
        Seconds to wait while another process writes.

    Attributes
    ----------
    path : str
    columns : dict of str to str
    writable : bool
        False where the file may only be read: then :meth:`lookup` works, :meth:`write` raises.

    Raises
    ------
    StoreError
        If the file is no store, one of a newer format, damaged, or cannot be made or read. Such a
        file is left as it is. Every method raises it for damage that only shows when it is read.

    Examples
    --------
    >>> import os, tempfile
    >>> from imagequality.images._identity import Identity
    >>> cat, dog = Identity("/photos/cat.jpg", "90321:17"), Identity("/photos/dog.jpg", "88004:18")
    >>> folder = tempfile.TemporaryDirectory()
    >>> with Store(os.path.join(folder.name, "scan.sqlite"), {"entropy": "1"}) as store:
    ...     store.write([cat], {"entropy": [7.25]})
    ...     found, cells = store.lookup([dog, cat, None])
    >>> found.tolist(), cells
    ([False, True, False], {'entropy': [7.25]})
    >>> folder.cleanup()
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        columns: Mapping[str, str],
        *,
        timeout: float = TIMEOUT,
    ) -> None:
        self.path = os.fsdecode(path)
        self.columns = dict(columns)
        check_names(self.columns)
        self.writable, self._connection = open_store(self.path, timeout)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a closed store cannot be used any more."""
        self._connection.close()

    def lookup(
        self, identities: Sequence[Identity | None]
    ) -> tuple[NDArray[np.bool_], dict[str, list[Any]]]:
        """Return the rows of the images that were measured before.

        Parameters
        ----------
        identities : sequence of Identity or None, of length n
            May repeat; None is never found.

        Returns
        -------
        found : ndarray of shape (n,), bool
            Whether the image is stored with the same stamp and every column of the store at the
            wanted version.
        cells : dict of str to list
            Of each column the cells of the found rows, in the order of ``identities``: int,
            float, str, float32 arrays of shape (d,), or None where there is no value (NaN too).

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        found = np.zeros(len(identities), dtype=bool)
        cells: dict[str, list[Any]] = {name: [] for name in self.columns}
        with faults(self.path), transaction(self._connection, "DEFERRED"):
            sets = column_sets(self._connection)
            usable = {
                number
                for number, versions in sets.items()
                if self.columns.items() <= versions.items()
            }
            if not usable:
                return found, cells
            stored = stored_columns(self._connection)
            check_columns(stored, sets)
            kinds = {  # what is known is that of the version written last
                name: stored[name].kind if stored[name].version == version else None
                for name, version in self.columns.items()
            }
            # All that the checksums of these rows are made of.
            held = sorted({name for number in usable for name in sets[number]})
            selected = listed([*OWN_COLUMNS, *(stored[name].sql_name for name in held)])
            for start in range(0, len(identities), KEYS_PER_QUERY):
                asked = [
                    None if item is None else (sql_key(item.key), item.stamp)
                    for item in identities[start : start + KEYS_PER_QUERY]
                ]
                keys = list({item[0] for item in asked if item is not None})
                rows = {row[0]: row for row in rows_of(self._connection, keys, selected)}
                hits = []
                for position, item in enumerate(asked, start):
                    row = None if item is None else rows.get(item[0])
                    if item is not None and row and row[1] == item[1] and row[2] in usable:
                        found[position] = True
                        hits.append(row)
                if not hits:
                    continue
                check_rows(hits, held, sets)
                by_column = list(zip(*hits, strict=True))[len(OWN_COLUMNS) :]
                measured = dict(zip(held, by_column, strict=True))
                for name in self.columns:
                    cells[name].extend(decoded(measured[name], kinds[name]))
        return found, cells

    def write(
        self, identities: Sequence[Identity | None], cells: Mapping[str, Sequence[Any]]
    ) -> None:
        """Store rows, all or none of them.

        Only give rows of images that could be measured: a stored row is taken for a valid one,
        and an image that could not be read should be looked at again each time.

        Parameters
        ----------
        identities : sequence of Identity or None, of length n
            The rows of None are passed over; of rows of one key the last is stored.
        cells : mapping of str to sequence of length n
            The cells of each column of the store: int (64 bits), float, str, 1-D float32 arrays
            (or one array of shape (n, d)), or None. Bools come back as int, NaN as None. What is
            stored of an image with the same stamp under other columns is kept.

        Raises
        ------
        TypeError, ValueError
            For cells of another type or of two kinds in one column; for missing or unknown
            columns and wrong lengths.
        OverflowError
            For an int of more than 64 bits.
        StoreError
            If the file is damaged or cannot be written, or if another process writes for longer
            than the timeout.
        """
        if cells.keys() != self.columns.keys():
            raise ValueError(
                f"cells must hold the columns {', '.join(map(repr, self.columns))}, "
                f"got {', '.join(map(repr, cells))}"
            )
        wrong = [name for name, column in cells.items() if len(column) != len(identities)]
        if wrong:
            raise ValueError(
                f"the column {wrong[0]!r} has {len(cells[wrong[0]])} cells for "
                f"{len(identities)} identities"
            )
        if not self.writable:
            raise StoreError(
                f"{self.path!r} cannot be written: measure without a store, or copy it to where "
                "it can be written"
            )
        last = {item.key: position for position, item in enumerate(identities) if item is not None}
        keys = [sql_key(key) for key in last]
        stamps = [identities[position].stamp for position in last.values()]  # type: ignore[union-attr]
        kinds: dict[str, str | None] = {}
        values = []
        for name in self.columns:
            column, kinds[name] = encoded(name, cells[name])
            values.append([column[position] for position in last.values()])
        with faults(self.path), transaction(self._connection, "IMMEDIATE"):
            self._write_rows(keys, stamps, values, kinds)

    def _write_rows(
        self,
        keys: list[str | bytes],
        stamps: list[str],
        values: list[list[Any]],
        kinds: dict[str, str | None],
    ) -> None:
        connection = self._connection
        sql_names = register_columns(connection, self.columns, kinds)
        sets = column_sets(connection)
        fresh_set = number_of_set(connection, sets, self.columns)
        set_of_same_state = sets_of_same_state(connection, keys, stamps)
        # What other columns hold of an image in this state stays, and so does their place in
        # its column set; all that is known of a new or changed image is what is written here.
        united = {
            number: number_of_set(connection, sets, {**sets[number], **self.columns})
            for number in set(set_of_same_state.values())
        }
        is_known = [key in set_of_same_state for key in keys]
        if not all(is_known):
            names = listed([*OWN_COLUMNS, *sql_names])
            places = ", ".join("?" * (len(OWN_COLUMNS) + len(sql_names)))
            cells = dict(zip(self.columns, values, strict=True))
            sums = checksums(fresh_set, sets[fresh_set], keys, stamps, cells)
            rows = zip(keys, stamps, [fresh_set] * len(keys), sums, *values, strict=True)
            connection.executemany(
                f"INSERT OR REPLACE INTO images ({names}) VALUES ({places})",
                compress(rows, [not known for known in is_known]),
            )
        if any(is_known):
            changed = ["column_set", "checksum", *sql_names]
            assignments = ", ".join(f"{quoted(name)} = ?" for name in changed)
            rows_of_cells = zip(*values, strict=True) if values else [()] * len(keys)
            cells_of = dict(zip(keys, rows_of_cells, strict=True))
            for before, number in united.items():
                some = [key for key in keys if set_of_same_state.get(key) == before]
                sums = self._checksums_of_united(some, before, number, sets, cells_of)
                connection.executemany(
                    f"UPDATE images SET {assignments} WHERE key = ?",
                    [
                        (number, checksum, *cells_of[key], key)
                        for key, checksum in zip(some, sums, strict=True)
                    ],
                )

    def _checksums_of_united(
        self,
        keys: list[str | bytes],
        before: int,
        number: int,
        sets: dict[int, dict[str, str]],
        cells_of: Mapping[str | bytes, tuple[Any, ...]],
    ) -> list[int]:
        """Return the checksums of stored rows when the cells of this store's columns are new.

        Parameters
        ----------
        keys : list of n str or bytes
        before, number : int
            The column sets of all of these rows, and what it becomes.
        sets : dict of int to versions
        cells_of : mapping of key to tuple
            The new cells.
        """
        stored = stored_columns(self._connection)
        held = sorted(sets[before])
        selected = listed([*OWN_COLUMNS, *(stored[name].sql_name for name in held)])
        sums: dict[str | bytes, int] = {}
        for start in range(0, len(keys), KEYS_PER_QUERY):
            rows = rows_of(self._connection, keys[start : start + KEYS_PER_QUERY], selected)
            check_rows(rows, held, sets)  # or damage would get a new checksum
            found, stamps, _, _, *by_column = zip(*rows, strict=True)
            cells = dict(zip(held, by_column, strict=True))
            new = zip(*(cells_of[key] for key in found), strict=True)
            cells.update(zip(self.columns, new, strict=True))
            made = checksums(number, sets[number], found, stamps, cells)
            sums.update(zip(found, made, strict=True))
        return [sums[key] for key in keys]


def read_store(path: str | os.PathLike[str], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read all that a store holds, without looking at any image.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, default=None
        The measurements to read; None means all.

    Returns
    -------
    table : DataFrame
        One row per stored image, in the order of the keys, which are the index ("path"). Numbers
        are float64, integers Int64, text and vectors objects. A cell is missing where there is
        no value and where the measurement was not made, or not at the version written last.

    Raises
    ------
    StoreError
        If the file is no store, or damaged.
    ValueError
        If a column is not stored.

    Examples
    --------
    >>> import os, tempfile
    >>> from imagequality.images._identity import Identity
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "scan.sqlite")
    ...     with Store(path, {"width": "1", "entropy": "1"}) as store:
    ...         store.write([Identity("/cat.jpg", "9:17")], {"width": [640], "entropy": [7.25]})
    ...     read_store(path)
              width  entropy
    path
    /cat.jpg    640     7.25
    """
    path = os.fsdecode(path)
    with open_to_read(path) as connection:
        frames = list(_frames(connection, path, columns))
    table = pd.concat(frames, ignore_index=True)
    # Not joined by pandas, which would make it an index of strings that cannot hold every path.
    names = [name for frame in frames for name in frame.index]
    return table.set_axis(pd.Index(names, name="path", dtype=object))


def export_parquet(
    store_path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    rows_per_file: int = 100_000,
    columns: Sequence[str] | None = None,
) -> list[str]:
    """Write what a store holds to Parquet files, a bounded number of rows in memory at a time.

    Parameters
    ----------
    store_path : str or Path
    folder : str or Path
        Made if there is none; must not hold Parquet files yet.
    rows_per_file : int, default=100_000
    columns : sequence of str, default=None
        The measurements to export; None means all.

    Returns
    -------
    files : list of str
        At least one, all with one schema: the column ``path``, then the measurements as doubles,
        64-bit integers, strings, and lists of floats, all nullable. Rows are in the order of the
        keys. What is no valid UTF-8 in a path is written as a backslash escape.

    Raises
    ------
    ImportError
        Without the extra ``imagequality[parquet]``.
    StoreError
        If the file is no store, or damaged.
    ValueError
        If a column is not stored or named "path", or the folder holds Parquet files.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from imagequality import measure
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = os.path.join(folder, "scan.sqlite")
    ...     table = measure(np.zeros((3, 8, 8, 3), np.uint8), ["width"], cache=store)
    ...     try:
    ...         files = export_parquet(store, os.path.join(folder, "parquet"))
    ...     except ImportError:  # without the extra
    ...         files = ["part"]
    >>> len(files)
    1
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(_PARQUET_EXTRA) from error
    if rows_per_file < 1:
        raise ValueError(f"rows_per_file must be at least 1, got {rows_per_file}")
    types = {
        "real": pyarrow.float64(),
        "integer": pyarrow.int64(),
        "text": pyarrow.string(),
        "vector": pyarrow.list_(pyarrow.float32()),
    }
    store_path, folder = os.fsdecode(store_path), os.fsdecode(folder)
    files: list[str] = []
    with open_to_read(store_path) as connection, contextlib.ExitStack() as open_file:
        kinds = _kinds_of(connection, store_path, columns)
        if "path" in kinds:
            raise ValueError("the column 'path' cannot be exported beside the paths: name columns=")
        schema = pyarrow.schema(
            {
                "path": pyarrow.string(),
                **{name: types[kind or "real"] for name, kind in kinds.items()},
            }
        )
        os.makedirs(folder, exist_ok=True)
        if any(name.endswith(".parquet") for name in os.listdir(folder)):
            raise ValueError(f"{folder!r} holds Parquet files: give an empty folder")
        room = 0
        for frame in _frames(connection, store_path, columns):
            frame.index = frame.index.map(printable)
            table = pyarrow.Table.from_pandas(frame.reset_index(), schema, preserve_index=False)
            while len(table) or not files:
                if not room:
                    open_file.close()
                    files.append(os.path.join(folder, f"part-{len(files):05}.parquet"))
                    writer = open_file.enter_context(
                        pyarrow.parquet.ParquetWriter(files[-1], schema)
                    )
                    room = rows_per_file
                writer.write_table(table.slice(0, room))
                written = min(room, len(table))
                table, room = table.slice(written), room - written
    return files


def _kinds_of(
    connection: sqlite3.Connection, path: str, columns: Sequence[str] | None
) -> dict[str, str | None]:
    stored = stored_columns(connection)
    if isinstance(columns, str):
        raise TypeError(f"columns must be a list of columns, got {columns!r}")
    wanted = list(stored) if columns is None else list(dict.fromkeys(columns))
    unknown = [name for name in wanted if name not in stored]
    if unknown:
        raise ValueError(
            f"columns: {unknown[0]!r} is not stored in {path!r}; stored are {', '.join(stored)}"
        )
    return {name: stored[name].kind for name in wanted}


def _frames(
    connection: sqlite3.Connection, path: str, columns: Sequence[str] | None
) -> Iterator[pd.DataFrame]:
    """Yield the stored rows in the order of their keys, some at a time; at least one frame."""
    kinds = _kinds_of(connection, path, columns)
    stored = stored_columns(connection)
    sets = column_sets(connection)
    check_columns(stored, sets)
    current = {  # of each column the sets that hold it at the version written last
        name: {
            number
            for number, versions in sets.items()
            if versions.get(name) == stored[name].version
        }
        for name in kinds
    }
    held = list(stored)  # all that checksums are made of
    selected = listed([*OWN_COLUMNS, *(stored[name].sql_name for name in held)])
    cursor = connection.execute(f"SELECT {selected} FROM images ORDER BY key")
    rows = cursor.fetchmany(_ROWS_AT_ONCE)
    check_rows(rows, held, sets)
    yield _as_frame(rows, held, kinds, current)
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        check_rows(rows, held, sets)
        yield _as_frame(rows, held, kinds, current)


def _as_frame(
    rows: Sequence[tuple[Any, ...]],
    held: Sequence[str],
    kinds: Mapping[str, str | None],
    current: Mapping[str, set[int]],
) -> pd.DataFrame:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * (len(OWN_COLUMNS) + len(held))
    keys, _, numbers, _, *measured = by_column
    cells = dict(zip(held, measured, strict=True))
    index = pd.Index([key_of(key) for key in keys], name="path", dtype=object)
    present = set(numbers)
    data = {}
    for name, kind in kinds.items():
        values: Sequence[Any] = cells[name]
        if not present <= current[name]:  # some rows were measured without it, or formerly
            values = [
                value if number in current[name] else None
                for value, number in zip(values, numbers, strict=True)
            ]
        data[name] = _as_column(values, kind, index)
    return pd.DataFrame(data, index=index)


def _as_column(values: Sequence[Any], kind: str | None, index: pd.Index) -> Any:
    try:
        if kind == "integer":
            return pd.array(list(values), dtype="Int64")
        if kind in ("text", "vector"):
            return pd.Series(list(decoded(values, kind)), dtype=object, index=index)
        return np.array(values, dtype=np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise DamagedError(str(error)) from error
