"""References in partitions → a measurement table in partitions."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import dask.bag as db
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from dask import delayed
from dask.delayed import Delayed

from .._base import Interval, validate_arguments
from ..images import as_references
from ..measurements import Column, column_name, holds_vectors
from ..measurements import measure as measure_here

ROWS: list[Any] = [Interval(Integral, 1, None, closed="left")]

_TEXT = pd.StringDtype("pyarrow")
VECTOR = pd.ArrowDtype(pa.list_(pa.float32()))


def measure(
    references: Any, columns: Iterable[Column] | None = None, *, rows_per_partition: int = 10_000
) -> dd.DataFrame:
    """Measure images on a cluster, lazily: each partition where and when it is asked for.

    Parameters
    ----------
    references : Dask Series, one-column Dask DataFrame, Dask Bag, or what ``measure`` takes
        Paths that every worker can open, or other references. A Dask collection keeps its
        partitions.
    columns : iterable of str, Measurement or Embedding, default=None
        See :func:`imagequality.measure`.
    rows_per_partition : int, default=10_000
        Images in each partition of what is no Dask collection.

    Returns
    -------
    table : dask.dataframe.DataFrame of len(references) rows
        The table of :func:`imagequality.measure`, in order and with its index. Text is Arrow's
        (``string[pyarrow]``) and vectors are Arrow lists of float32, so that all partitions
        have one schema and ``to_parquet`` writes them as they are (vectors it does not: pandas
        cannot read what it writes; :func:`measure_to_parquet` writes them). The library's
        estimators take ``table.compute()`` like any measurement table.

    Raises
    ------
    TypeError, ValueError
        If this is no collection of references, or a column is unknown. A broken image raises
        nothing.

    Examples
    --------
    >>> import dask
    >>> import numpy as np
    >>> from imagequality.dask import measure
    >>> images = [np.zeros((4, 6, 3), np.uint8), b"no image", np.ones((2, 2, 3), np.uint8)]
    >>> table = measure(images, columns=["width"], rows_per_partition=2)
    >>> with dask.config.set(scheduler="synchronous"):
    ...     table[["valid", "width"]].compute()
       valid  width
    0   True      6
    1  False   <NA>
    2   True      2
    """
    chosen = None if columns is None else list(columns)
    parts, none = reference_parts(references, rows_per_partition)
    tables = [delayed(measure_part)(part, chosen) for part in parts]
    return dd.from_delayed(tables, meta=measure_part(none, chosen), verify_meta=False)


def reference_parts(
    references: Any, rows_per_part: int
) -> tuple[list[pd.Series | Delayed], pd.Series]:
    """Cut a collection of references into parts, each a Series named by its index.

    Returns
    -------
    parts : list of Series, or Delayed that give one
        At least one.
    none : Series
        Without a row; its index is of the type that all have.
    """
    validate_arguments({"rows": ROWS}, {"rows": rows_per_part}, "imagequality.dask")
    if isinstance(references, db.Bag):
        return [delayed(_named)(part) for part in references.to_delayed()], _named(["path"])[:0]
    if isinstance(references, dd.DataFrame):
        if len(references.columns) != 1:
            raise ValueError(
                "a Dask DataFrame of images must have one column of references, got "
                f"{len(references.columns)} columns: {', '.join(map(str, references.columns[:8]))}"
            )
        references = references[references.columns[0]]
    if isinstance(references, dd.Series):
        return references.to_delayed(), references._meta
    whole = _named(references)
    starts = range(0, max(len(whole), 1), rows_per_part)
    return [whole.iloc[start : start + rows_per_part] for start in starts], whole.iloc[:0]


def _named(references: Any) -> pd.Series:
    items, names = as_references(references)
    return pd.Series(list(items), index=names, dtype=object)


def measure_part(references: pd.Series, columns: list[Column] | None) -> pd.DataFrame:
    """Measure one partition in one thread: the cluster runs several of them at a time."""
    table = measure_here(references, columns, n_jobs=1, progress=False)
    vectors = {column_name(column) for column in columns or () if holds_vectors(column)}
    return _with_arrow_types(table, vectors)


def _with_arrow_types(table: pd.DataFrame, vectors: set[str]) -> pd.DataFrame:
    """Give columns of objects a type that does not depend on what a partition holds."""
    objects = [name for name in table if table[name].dtype == object]
    types = {name: VECTOR if name in vectors else _TEXT for name in objects}
    typed = table.astype(types)
    if table.index.dtype == object:
        typed.index = table.index.astype(str).astype(_TEXT)
    return typed
