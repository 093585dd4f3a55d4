"""Measurement tables as a folder of Parquet files, made file by file and resumable."""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from dask import delayed
from pyarrow import parquet

from ..images._remote import is_url
from ..measurements import Column
from ._measuring import VECTOR, measure_part, reference_parts

_MANIFEST = "_imagequality.json"  # readers of Parquet pass over names that begin with _ or .
_UNFINISHED = ".tmp"
# Names that _unfinished_name makes and nobody else does: nothing of anyone else is removed.
_OWN_UNFINISHED = re.compile(rf"\.(?:part\.\d{{6,}}\.parquet|{_MANIFEST})\.[0-9a-f]{{32}}\.tmp")


def measure_to_parquet(
    references: Any,
    folder: str | os.PathLike[str],
    columns: Iterable[Column] | None = None,
    *,
    rows_per_file: int = 10_000,
) -> dd.DataFrame:
    """Measure images on a cluster into a folder of Parquet files; go on where it was left.

    Each partition becomes one file, written under another name first: a file is whole or is
    not there. Called again, only the missing files are made.

    Parameters
    ----------
    references : Dask Series, one-column Dask DataFrame, Dask Bag, or collection of paths
        Paths or URLs that every worker can open. A Dask collection keeps its partitions.
    folder : path
        That all workers and this process share. It is made if need be.
    columns : iterable of str, Measurement or Embedding, default=None
        See :func:`imagequality.measure`.
    rows_per_file : int, default=10_000
        Images in each file, of what is no Dask collection.

    Returns
    -------
    table : dask.dataframe.DataFrame
        The files, lazily read, as :func:`measure` gives them. ``dask.dataframe.read_parquet``
        and ``pandas.read_parquet`` read the folder too.

    Raises
    ------
    ValueError
        If the folder holds measurements of other references (or of the same in another order or
        in files of other sizes), or other columns.
    TypeError
        For references that are no paths: whether they are the same cannot be told later.

    Notes
    -----
    A file in the folder is taken as it is: an image that changed since is not measured again,
    and of one's own columns only the names are compared. Delete a file to have it made anew.

    Examples
    --------
    >>> import tempfile
    >>> import dask
    >>> import imagequality as iq
    >>> from imagequality.dask import measure_to_parquet
    >>> folder = tempfile.TemporaryDirectory()
    >>> with dask.config.set(scheduler="synchronous"):
    ...     table = measure_to_parquet(["a.png", "b.png"], folder.name, ["width"], rows_per_file=1)
    >>> table.npartitions, len(table)
    (2, 2)
    >>> folder.cleanup()
    """
    chosen = None if columns is None else list(columns)
    parts, none = reference_parts(references, rows_per_file)
    empty = measure_part(none, chosen)  # an unknown column is noticed before all
    if is_url(folder):
        raise ValueError(
            f"folder must be on a disk that all workers share, got the URL {folder!r}; "
            "measure(...).to_parquet writes to URLs"
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    digests = dask.compute(*[delayed(_digest)(part) for part in parts])
    _check_manifest(
        target / _MANIFEST, {"columns": list(empty.columns), "references": list(digests)}
    )
    files = [target / f"part.{number:06}.parquet" for number in range(len(parts))]
    missing = [
        delayed(_write)(part, chosen, str(file))
        for part, file in zip(parts, files, strict=True)
        if not file.exists()
    ]
    dask.compute(*missing)
    for leftover in target.iterdir():  # of processes that were killed
        if _OWN_UNFINISHED.fullmatch(leftover.name):
            leftover.unlink(missing_ok=True)
    return dd.from_map(_Reader(empty), [str(file) for file in files], meta=empty)


class _Reader:
    """Read one file with the types of all; Dask asks it for the columns that it needs."""

    def __init__(self, empty: pd.DataFrame) -> None:
        self._types, self._names = empty.dtypes.to_dict(), empty.index.dtype

    def __call__(self, file: str, columns: list[str] | None = None) -> pd.DataFrame:
        table = pd.read_parquet(file, engine="pyarrow", columns=columns)
        table.index = table.index.astype(self._names)
        return table.astype({name: self._types[name] for name in table.columns})


def _digest(references: pd.Series) -> str:
    """Tell one list of paths, and their names, from another."""
    others = [item for item in references if not isinstance(item, (str, os.PathLike))]
    if others:
        raise TypeError(
            f"measure_to_parquet takes paths or URLs, got {type(others[0]).__name__}; "
            "imagequality.dask.measure takes any reference"
        )
    lines = [[os.fsdecode(item), str(name)] for name, item in references.items()]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def _check_manifest(file: Path, manifest: dict[str, list[str]]) -> None:
    """Write what a folder is to hold, or see that it holds nothing else."""
    if not file.exists():
        foreign = sorted(path.name for path in file.parent.glob("*.parquet"))
        if foreign:
            raise ValueError(
                f"{file.parent} holds Parquet files of another origin: {', '.join(foreign[:3])}"
            )
        unfinished = _unfinished_name(file)
        unfinished.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        os.replace(unfinished, file)
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        columns, references = found["columns"], found["references"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    if columns != manifest["columns"]:
        differing = sorted(set(columns) ^ set(manifest["columns"])) or manifest["columns"]
        raise ValueError(
            f"{file.parent} holds a table of other columns; they differ in, or in the order of, "
            f"{', '.join(map(repr, differing[:8]))}"
        )
    if references != manifest["references"]:
        raise ValueError(
            f"{file.parent} holds measurements of another list of images, or of the same list in "
            "files of another size; choose another folder"
        )


def _write(references: pd.Series, columns: list[Column] | None, file: str) -> None:
    """Measure the images of one file; it appears under its name once it is whole."""
    table = measure_part(references, columns)
    unfinished = _unfinished_name(Path(file))
    try:
        parquet.write_table(_for_pandas(table), unfinished)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _for_pandas(table: pd.DataFrame) -> pa.Table:
    """Bring a table to Arrow; pandas is told to make arrays of Arrow's lists.

    It writes its own name for a column of Arrow's lists into a file, but cannot read it.
    """
    lists = [name for name, dtype in table.dtypes.items() if dtype == VECTOR]
    read_as = pa.Table.from_pandas(table.astype(dict.fromkeys(lists, object)))
    return pa.Table.from_pandas(table).replace_schema_metadata(read_as.schema.metadata)


def _unfinished_name(file: Path) -> Path:
    """Name a file for one writer only: a cluster may run a task twice."""
    return file.with_name(f".{file.name}.{uuid.uuid4().hex}{_UNFINISHED}")
