"""Candidates for near vectors from an approximate index of faiss, beyond what all pairs allow."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PROBED_CELLS = 16  # cells searched for each vector: more find more, and take longer
_QUERIES = 4096  # vectors searched together
_ROWS_PER_CELL = 39  # below it faiss warns that the cells are badly placed


def import_faiss() -> Any:
    """Return the module faiss, or say how to get it."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError(
            "index='faiss' needs the package faiss-cpu: pip install 'imagequality[faiss]'"
        ) from error


def near_directions(
    left: NDArray[np.float32], right: NDArray[np.float32] | None, least_product: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find most pairs of directions whose product is at least ``least_product``.

    Space is cut into about 4 √n cells around the centres of k-means, and each vector is compared
    with those of the 16 cells nearest to it (faiss's IndexIVFFlat). What is missed lies in a
    cell further away: rare for small distances.

    Parameters
    ----------
    left : ndarray of shape (n, n_features), float32
        Of length 1.
    right : ndarray of shape (m, n_features), float32, or None
        None: pairs within ``left``.

    Yields
    ------
    row, column : ndarray of int64
        Each pair once; row < column within one collection.
    """
    faiss = import_faiss()
    members = left if right is None else right
    if not len(left) or not len(members):
        return
    n_cells = max(1, min(int(4 * len(members) ** 0.5), len(members) // _ROWS_PER_CELL))
    centres = faiss.IndexFlatIP(members.shape[1])
    index = faiss.IndexIVFFlat(centres, members.shape[1], n_cells, faiss.METRIC_INNER_PRODUCT)
    index.train(members)
    index.add(members)
    index.nprobe = min(_PROBED_CELLS, n_cells)
    nearness, probed = centres.search(left, index.nprobe)
    home = _home_cells(faiss, index, len(members))
    for top in range(0, len(left), _QUERIES):
        part = slice(top, top + _QUERIES)
        ends, _, column = index.range_search_preassigned(
            left[part], least_product, probed[part], nearness[part]
        )
        row = np.repeat(np.arange(top, top + len(ends) - 1), np.diff(ends).astype(np.int64))
        if right is None:
            # From its later row, a pair is reported only where the search from the earlier
            # one passes the later one's cell over.
            elsewhere = (probed[column] != home[row, None]).all(axis=1)
            kept = (row < column) | ((row > column) & elsewhere)
            row, column = row[kept], column[kept]
            row, column = np.minimum(row, column), np.maximum(row, column)
        yield row, column


def _home_cells(faiss: Any, index: Any, n: int) -> NDArray[np.int64]:
    """Return the cell that holds each vector of an index."""
    home = np.empty(n, dtype=np.int64)
    for cell in range(index.nlist):
        size = index.invlists.list_size(cell)
        if size:
            home[faiss.rev_swig_ptr(index.invlists.get_ids(cell), size)] = cell
    return home
