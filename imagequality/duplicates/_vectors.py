"""Distances between images that are described by several vectors: the whole and its crops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ._pairs import Pairs, index_chunks

Vectors = NDArray[np.float32]

_ROWS, _COLUMNS = 512, 2048  # one block of the matrix of products: 4 MiB in float32
_GATHERED = 1 << 22  # numbers gathered at one time to recompute distances


def iter_crop_pairs(
    vectors: Vectors, max_distance: float, others: Vectors | None = None
) -> Iterator[Pairs]:
    """Find all pairs within a distance, see :func:`crop_distances`; in pieces.

    Parameters
    ----------
    vectors : ndarray of shape (n, n_vectors, n_features), of unit length
        The first vector of each image is that of the whole, the others those of its crops.
    max_distance : float
        In [0, 2].
    others : ndarray of shape (m, n_vectors, n_features), default=None
        None: pairs i < j of ``vectors``. Else all pairs of row i of ``vectors`` with row j of
        ``others``.

    Yields
    ------
    pairs : Pairs
        Each pair once. The distances are those of float32 products, to six decimals.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]], np.float32)
    >>> list(iter_crop_pairs(vectors, 0.1))
    [Pairs(i=array([0]), j=array([1]), distance=array([0.]))]
    """
    against = vectors if others is None else others
    everyone = np.arange(len(vectors))
    for block, begin, nearest in _blocks(vectors, everyone, against, upper=others is None):
        distance = _distances(nearest)
        row, column = np.nonzero(distance <= max_distance)
        i, j = block[row], begin + column
        if others is None:
            row, column, i, j = (part[i < j] for part in (row, column, i, j))
        if len(i):
            yield Pairs(i, j, distance[row, column].astype(np.float64))


def _blocks(
    vectors: Vectors, rows: NDArray[np.int64], against: Vectors, *, upper: bool = False
) -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.float32]]]:
    """Yield the largest cosines of some images with all others, block by block.

    Parameters
    ----------
    upper : bool, default=False
        Whether to leave out the blocks in which every row is larger than every column.

    Yields
    ------
    block : ndarray of shape (n_rows,), int
        Some of ``rows``.
    begin : int
        The first of the columns.
    nearest : ndarray of shape (n_rows, n_columns), float32
    """
    for top in range(0, len(rows), _ROWS):
        block = rows[top : top + _ROWS]
        left = np.ascontiguousarray(vectors[block].swapaxes(0, 1))
        for begin in range(top // _COLUMNS * _COLUMNS if upper else 0, len(against), _COLUMNS):
            right = np.ascontiguousarray(against[begin : begin + _COLUMNS].swapaxes(0, 1))
            nearest = left[0] @ right[0].T
            for crop in range(1, len(left)):
                np.maximum(nearest, left[crop] @ right[0].T, out=nearest)
                np.maximum(nearest, left[0] @ right[crop].T, out=nearest)
            yield block, begin, nearest


def _distances(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn cosines into distances, without the digits that depend on the order of summation."""
    return np.asarray(np.round(np.clip(1 - cosines, 0, 2), 6), dtype=np.float32)


def crop_distances(
    vectors: Vectors, i: NDArray[np.int64], j: NDArray[np.int64], others: Vectors | None = None
) -> NDArray[np.float64]:
    """Compute the distances of given pairs of images.

    The distance of two images is the smallest cosine distance between the whole of one and the
    whole or a crop of the other.

    Parameters
    ----------
    vectors, others : ndarray of shape (n, n_vectors, n_features)
        See :func:`iter_crop_pairs`.
    i, j : ndarray of shape (n_pairs,), int

    Returns
    -------
    distances : ndarray of shape (n_pairs,), float64

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]], np.float32)
    >>> crop_distances(vectors, np.array([0]), np.array([1]))
    array([0.])
    """
    against = vectors if others is None else others
    largest = np.full(len(i), -1, dtype=np.float32)
    for part, a, b in index_chunks(i, j, _GATHERED // vectors[:1].size + 1):
        left, right = vectors[a], against[b]
        one_way = np.einsum("ncf,nf->nc", left, right[:, 0]).max(axis=1)
        other_way = np.einsum("nf,ncf->nc", left[:, 0], right).max(axis=1)
        largest[part] = np.maximum(one_way, other_way)
    return _distances(largest).astype(np.float64)


def count_crop_pairs(
    vectors: Vectors,
    rows: NDArray[np.int64],
    step: float,
    n_steps: int,
    others: Vectors | None = None,
) -> NDArray[np.int64]:
    """Count the pairs of some images with all others at each distance.

    Parameters
    ----------
    vectors, others : ndarray of shape (n, n_vectors, n_features), of unit length
        See :func:`iter_crop_pairs`; ``others`` are other versions of the same images.
    rows : ndarray of shape (n_rows,), int
        The first image of each pair.
    step : float
        Width of a bin.
    n_steps : int

    Returns
    -------
    counts : ndarray of shape (n_steps,), int64
        Pairs of row i with another row j whose distance is at most ``step`` times the bin's
        number, and not in a bin before it; in float32.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]], np.float32)
    >>> count_crop_pairs(vectors, np.array([0, 1]), 0.5, 3)
    array([2, 0, 0])
    """
    against = vectors if others is None else others
    counts = np.zeros(n_steps + 1, dtype=np.int64)
    for block, begin, nearest in _blocks(vectors, rows, against):
        itself = np.flatnonzero((block >= begin) & (block < begin + nearest.shape[1]))
        nearest[itself, block[itself] - begin] = -np.inf
        # In steps, rounded up but for rounding errors; beyond the last: not counted.
        steps = np.ceil((1 - nearest) / np.float32(step) - np.float32(1e-3))
        np.clip(steps, 0, n_steps, out=steps)
        counts += np.bincount(steps.astype(np.int32).ravel(), minlength=n_steps + 1)
    return counts[:-1]
