"""Cells of many batches → one table, whose columns have the types that users are promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._columns import INTEGER_COLUMNS, STATUS_COLUMNS, TEXT_COLUMNS, Plan

Cells = dict[str, NDArray[Any]]
"""Columns of some rows: of each an array of shape (n,), float64 with NaN or objects with None.

``valid`` is an array of bool."""


def empty_cells(plan: Plan, number: int) -> Cells:
    """Return cells of rows of which nothing is known but that they are no valid images.

    Parameters
    ----------
    plan : Plan
    number : int
        Of rows.

    Returns
    -------
    cells : dict of str to ndarray of shape (number,)
    """
    cells: Cells = {"valid": np.zeros(number, dtype=bool), "reason": np.full(number, "", object)}
    for name in plan.columns:
        holds_objects = name in TEXT_COLUMNS or name in plan.vector_columns
        cells[name] = np.full(number, None, object) if holds_objects else np.full(number, np.nan)
    return cells


def cells_of_values(plan: Plan, number: int, values: Mapping[str, Sequence[Any]]) -> Cells:
    """Return the cells of images whose measurements are known.

    Parameters
    ----------
    plan : Plan
    number : int
        Of rows.
    values : mapping of str to sequence of that length

    Returns
    -------
    cells : dict of str to ndarray of shape (number,)
    """
    cells = empty_cells(plan, number)
    fill(cells, range(number), values)
    return cells


def fill(cells: Cells, positions: Sequence[int], values: Mapping[str, Sequence[Any]]) -> None:
    """Put the measurements of some images into their rows, which so become valid.

    Parameters
    ----------
    cells : dict of str to ndarray
    positions : sequence of k int
    values : mapping of str to sequence of k
        What is missing stays missing.
    """
    rows = np.asarray(positions, dtype=np.intp)
    cells["valid"][rows] = True
    for name, column in values.items():
        if len(column) and isinstance(column[0], np.ndarray):
            for row, vector in zip(rows, column, strict=True):  # or they become one matrix
                cells[name][row] = vector
        else:
            cells[name][rows] = column


def fill_one(cells: Cells, position: int, values: Mapping[str, Any]) -> None:
    """Put the measurements of one image into its row, which so becomes valid."""
    cells["valid"][position] = True
    for name, value in values.items():
        cells[name][position] = value  # None becomes NaN where the cells are numbers


def refuse(cells: Cells, position: int, reason: str) -> None:
    """Make the row of one image invalid, and say why."""
    for column in cells.values():
        column[position] = None if column.dtype == object else 0
        if column.dtype == np.float64:
            column[position] = np.nan
    cells["reason"][position] = reason


def stored_values(name: str, column: NDArray[Any]) -> list[Any]:
    """Return a column as a store holds it: whole numbers as such, None where there is none."""
    if name in INTEGER_COLUMNS:
        return [None if value != value else int(value) for value in column.tolist()]
    return list(column.tolist())


def take(cells: Mapping[str, NDArray[Any]], rows: NDArray[Any]) -> Cells:
    """Return some of the rows, by position or by a mask."""
    return {name: column[rows] for name, column in cells.items()}


def joined(parts: Sequence[tuple[NDArray[np.intp], Cells]], plan: Plan) -> Cells:
    """Join cells of parts of a collection, and bring their rows in order.

    The parts are emptied on the way, so that no more than one column is held twice.

    Parameters
    ----------
    parts : sequence of (positions, cells)
        Each row's position in the collection; together they are 0 … n − 1.
    plan : Plan

    Returns
    -------
    cells : dict of str to ndarray of shape (n,)
    """
    if not parts:
        return empty_cells(plan, 0)
    positions = np.concatenate([positions for positions, _ in parts])
    order = None if (np.diff(positions) > 0).all() else np.argsort(positions)
    cells = {}
    for name in list(parts[0][1]):
        column = np.concatenate([part.pop(name) for _, part in parts])
        cells[name] = column if order is None else column[order]
    return cells


def as_table(cells: Cells, plan: Plan, names: pd.Index) -> pd.DataFrame:
    """Make the measurement table.

    Parameters
    ----------
    cells : dict of str to ndarray of shape (n,)
    plan : Plan
    names : Index of length n

    Returns
    -------
    table : DataFrame of shape (n, n_columns + 2)

    Raises
    ------
    ValueError
        If the vectors of one column differ in length.
    """
    data = {
        name: _as_column(name, cells[name], names, plan)
        for name in (*STATUS_COLUMNS, *plan.columns)
    }
    return pd.DataFrame(data, index=names, copy=False)


def _as_column(name: str, values: NDArray[Any], names: pd.Index, plan: Plan) -> Any:
    if name in plan.vector_columns:
        lengths = sorted({len(value) for value in values if value is not None})
        if len(lengths) > 1:
            raise ValueError(
                f"the vectors of {name!r} must all have one length, got {lengths[0]} and "
                f"{lengths[-1]}"
            )
    if name in INTEGER_COLUMNS:
        return pd.array(values, dtype="Int64")
    if values.dtype == object:
        # A Series keeps its dtype; a bare array of text becomes another one in pandas 3.
        return pd.Series(values, dtype=object, index=names)
    return values
