"""Which image of a group of duplicates stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Keep = str | Callable[[pd.DataFrame], Any]


def kept_of_groups(labels: NDArray[np.int64], table: pd.DataFrame, keep: Keep) -> NDArray[np.int64]:
    """Choose one row of each group.

    Parameters
    ----------
    labels : ndarray of shape (n,), int
        Number of the group of each row, from 0; negative for rows in no group.
    table : DataFrame of n rows
        For ``"best"``: ``size``, and where they are there ``quality_score`` and ``file_size``.
    keep : {"best", "first"} or callable
        ``"best"``: one without a flaw (``quality_score`` of at least 0.5) if there is one, of
        these the largest by ``size``, then the least flawed, then the largest file, then the
        first. A callable gets the rows of one group and returns the position of one of them,
        0 … size − 1.

    Returns
    -------
    kept : ndarray of shape (n_groups,), int
        Rows, by group.

    Raises
    ------
    ValueError
        If a callable returns anything but a position in the group.
    """
    grouped = np.flatnonzero(labels >= 0)
    if callable(keep):
        chosen = []
        for group, rows in pd.Series(grouped).groupby(labels[grouped]):
            positions = rows.to_numpy()
            position = keep(table.iloc[positions])
            is_whole = isinstance(position, (int, np.integer)) and not isinstance(position, bool)
            if not (is_whole and 0 <= position < len(positions)):
                raise ValueError(
                    f"keep must return a position in the group, 0 … {len(positions) - 1}; "
                    f"got {position!r} for group {group}"
                )
            chosen.append(positions[position])
        return np.array(chosen, dtype=np.int64)
    keys: list[NDArray[Any]] = [grouped]
    if keep == "best":
        for name in ("file_size", "quality_score", "size"):  # the last is the first in rank
            if name in table.columns:
                keys.append(-_column(table, name)[grouped])
        if "quality_score" in table.columns:
            keys.append(_column(table, "quality_score")[grouped] < 0.5)
    order = grouped[np.lexsort([*keys, labels[grouped]])]
    return order[np.unique(labels[order], return_index=True)[1]]


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.nan_to_num(values, nan=-np.inf)
