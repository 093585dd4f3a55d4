"""All pairs of vectors within a cosine distance, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._faiss import import_faiss, near_directions
from ._pairs import CHUNK, Pairs, index_chunks, sorted_pairs

_ROWS, _COLUMNS = 1024, 4096  # one block of the matrix of products: 16 MiB in float32
_RECOMPUTED = 1 << 22  # numbers gathered at one time to recompute distances


def cosine_pairs(
    vectors: ArrayLike,
    max_distance: float,
    others: ArrayLike | None = None,
    *,
    index: str = "exact",
) -> Pairs:
    """Find all pairs of vectors within a cosine distance, 1 − their cosine.

    Parameters
    ----------
    vectors : array-like of shape (n, n_features), real
        Finite, of any length: they are normalised here. A vector of zeros has no direction
        and matches nothing, not even another one.
    max_distance : float
        In [0, 2]: 0 for vectors of one direction, 1 for orthogonal ones, 2 for opposite ones.
    others : array-like of shape (m, n_features), default=None
        None: pairs i < j of ``vectors``. Else pairs of row i of ``vectors`` with row j of
        ``others``, for any i and j.
    index : {"exact", "faiss"}, default="exact"
        "faiss" is for collections of more than some hundred thousand vectors: its time grows
        with n^1.5 instead of n². It compares each vector with those of the 16 nearest of about
        4 √n cells only, so it may miss pairs, the more the larger ``max_distance``; those that
        it finds have exact distances. Needs ``pip install 'imagequality[faiss]'``.

    Returns
    -------
    pairs : Pairs
        Sorted by i, then j; the distances are float64, as ``cosine_distances`` gives them.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional or of different widths, hold NaN or infinity, or
        the distance is outside [0, 2].
    ImportError
        For ``index="faiss"`` where faiss is not installed.

    See Also
    --------
    iter_cosine_pairs : The same pairs in pieces, where all of them are too many.

    Notes
    -----
    With ``index="exact"`` all pairs are compared, in float32; whatever comes as near to the
    limit as float32 can err is computed again in float64. So the result is that of comparing
    ``cosine_distances`` of all pairs, without an exception. The distances themselves err by
    about 1e-16 · the square root of the distance. Beside the result, memory grows with the
    vectors only (4 bytes a number).

    Examples
    --------
    >>> cosine_pairs([[1, 0], [3, 0], [0, 1], [0, 0]], 0.5)
    Pairs(i=array([0]), j=array([1]), distance=array([0.]))
    """
    return sorted_pairs(
        iter_cosine_pairs(vectors, max_distance, others, index=index), dtype=np.float64
    )


def iter_cosine_pairs(
    vectors: ArrayLike,
    max_distance: float,
    others: ArrayLike | None = None,
    *,
    index: str = "exact",
) -> Iterator[Pairs]:
    """Find the pairs of ``cosine_pairs`` piece by piece, in bounded memory.

    Parameters
    ----------
    vectors, max_distance, others, index
        As in ``cosine_pairs``.

    Returns
    -------
    chunks : iterator of Pairs
        Each pair once, in no fixed order.

    Examples
    --------
    >>> sum(len(chunk.i) for chunk in iter_cosine_pairs([[1, 0], [3, 0], [0, 1]], 1.0))
    3
    """
    left, right = _check_vectors(vectors, others)
    if not 0 <= max_distance <= 2:  # NaN fails too
        raise ValueError(f"max_distance must be in [0, 2], got {max_distance!r}")
    if index not in ("exact", "faiss"):
        raise ValueError(f"index must be 'exact' or 'faiss', got {index!r}")
    if index == "faiss":
        import_faiss()  # where it is missing, say so now, not at the first pair
    return _iter_pairs(left, float(max_distance), right, index=index)


def _check_vectors(
    vectors: ArrayLike, others: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    left = _check_matrix("vectors", vectors)
    right = None if others is None else _check_matrix("others", others)
    if right is not None and right.shape[1] != left.shape[1]:
        raise ValueError(
            f"vectors and others must have one number of features, got {left.shape[1]} "
            f"and {right.shape[1]}"
        )
    return left, right


def _check_matrix(name: str, values: ArrayLike) -> NDArray[Any]:
    matrix = np.asarray(values)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be real numbers of shape (n, n_features), "
            f"got {matrix.dtype} of {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be finite; leave out rows with NaN or infinity first")
    return matrix


def _directions(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Bring rows to length 1; rows of zeros become NaN.

    Each row's result depends on that row alone, to the last bit.
    """
    rows = rows.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        rows /= np.abs(rows).max(axis=1, keepdims=True, initial=0)  # else squares may overflow
        rows /= np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return rows


def _matrix_of_directions(vectors: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Directions of the rows that have one, in float32, and those rows' numbers."""
    kept = np.flatnonzero(vectors.any(axis=1))
    matrix = np.empty((len(kept), vectors.shape[1]), dtype=np.float32)
    step = max(1, _RECOMPUTED // max(vectors.shape[1], 1))
    for top in range(0, len(kept), step):
        matrix[top : top + step] = _directions(vectors[kept[top : top + step]])
    return kept, matrix


def _product_error(n_features: int) -> float:
    """Bound the error of a float32 product of two directions rounded to float32.

    Whatever the order of summation, a product of vectors of length 1 errs by at most
    n u / (1 − n u), where u = 2⁻²⁴; rounding the inputs adds 2 u. (N. J. Higham, "Accuracy and
    Stability of Numerical Algorithms", 2nd ed., section 3.1.) Twice that is safe, and covers
    the rounding of the limit to float32 too.
    """
    return (n_features + 4) * 2.0**-23


def _iter_pairs(
    vectors: NDArray[Any],
    max_distance: float,
    others: NDArray[Any] | None,
    *,
    index: str = "exact",
    rows: int = _ROWS,
    columns: int = _COLUMNS,
) -> Iterator[Pairs]:
    """Look for candidates in float32, then judge them in float64."""
    left_rows, left = _matrix_of_directions(vectors)
    right_rows, right = (left_rows, None) if others is None else _matrix_of_directions(others)
    least_product = 1 - max_distance - _product_error(vectors.shape[1])
    if index == "faiss":
        candidates = near_directions(left, right, least_product)
    else:
        candidates = _all_near_directions(left, right, least_product, rows, columns)
    for row, column in candidates:
        i, j = left_rows[row], right_rows[column]
        distance = _distances(vectors, i, j, others)
        near = distance <= max_distance
        if near.any():
            yield Pairs(i[near], j[near], distance[near])


def _all_near_directions(
    left: NDArray[np.float32],
    right: NDArray[np.float32] | None,
    least_product: float,
    rows: int,
    columns: int,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Find all pairs of directions whose product is at least ``least_product``.

    Within one collection (``right`` is None) row < column.
    """
    everyone = left if right is None else right
    for top in range(0, len(left), rows):
        for begin in range(top if right is None else 0, len(everyone), columns):
            products = left[top : top + rows] @ everyone[begin : begin + columns].T
            near = np.flatnonzero(products >= np.float32(least_product))
            row, column = np.divmod(near, products.shape[1])
            row, column = row + top, column + begin
            if right is None:
                row, column = row[row < column], column[row < column]
            for part in range(0, len(row), CHUNK):
                yield row[part : part + CHUNK], column[part : part + CHUNK]


def cosine_distances(
    vectors: ArrayLike,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    others: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Cosine distances of given pairs of vectors.

    Parameters
    ----------
    vectors : array-like of shape (n, n_features), real
    i, j : ndarray of shape (n_pairs,), int
        Row of ``vectors``; row of ``others``.
    others : array-like of shape (m, n_features), default=None
        None: ``vectors``.

    Returns
    -------
    distances : ndarray of shape (n_pairs,), float64
        In [0, 2]; NaN where a vector is zero.

    Notes
    -----
    1 − cos is computed as half the squared distance of the two directions, which keeps its
    precision near 0: two equal vectors are at exactly 0.

    Examples
    --------
    >>> cosine_distances([[1, 0], [0, 2]], [0, 0], [0, 1])
    array([0., 1.])
    """
    left, right = _check_vectors(vectors, others)
    return _distances(left, i, j, right)


def _distances(
    vectors: NDArray[Any],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    others: NDArray[Any] | None,
) -> NDArray[np.float64]:
    others = vectors if others is None else others
    distances = np.empty(len(i), dtype=np.float64)
    for part, a, b in index_chunks(i, j, max(1, _RECOMPUTED // max(vectors.shape[1], 1))):
        gap = _directions(vectors[a]) - _directions(others[b])
        distances[part] = np.minimum((gap * gap).sum(axis=1) / 2, 2)
    return distances


def cosine_histogram(
    vectors: ArrayLike, edges: ArrayLike, others: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Count the pairs of vectors in bins of cosine distance.

    Parameters
    ----------
    vectors : array-like of shape (n, n_features), real
        Zero vectors take part in no pair.
    edges : array-like of shape (n_bins + 1,), float
        Increasing. A bin holds its lower edge, the last one its upper edge too (as
        ``numpy.histogram`` has it); distances outside are not counted.
    others : array-like of shape (m, n_features), default=None
        None: all pairs i < j of ``vectors``. Else all pairs of row i of ``vectors`` with row j
        of ``others``; if both have the same number of rows, without the pairs i = j (the two
        are then taken for two versions of one collection).

    Returns
    -------
    counts : ndarray of shape (n_bins,), int64

    Notes
    -----
    The products are float32: a distance within (n_features + 4) · 1.2e-7 of an edge may fall on
    its other side.

    Examples
    --------
    >>> cosine_histogram([[1, 0], [3, 0], [0, 1]], [0, 0.5, 2])
    array([1, 2])
    """
    left_vectors, right_vectors = _check_vectors(vectors, others)
    limits = np.asarray(edges, dtype=np.float64)
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
        raise ValueError(f"edges must be two or more increasing numbers, got {edges!r}")
    left_rows, left = _matrix_of_directions(left_vectors)
    right_rows, right = (
        (left_rows, left) if right_vectors is None else _matrix_of_directions(right_vectors)
    )
    paired = right_vectors is not None and len(left_vectors) == len(right_vectors)
    counts = np.zeros(len(limits) - 1, dtype=np.int64)
    for top in range(0, len(left), _ROWS):
        for begin in range(top if others is None else 0, len(right), _COLUMNS):
            distance = 1 - left[top : top + _ROWS] @ right[begin : begin + _COLUMNS].T
            np.clip(distance, 0, 2, out=distance)
            row = left_rows[top : top + _ROWS, None]
            column = right_rows[None, begin : begin + _COLUMNS]
            if others is None:
                distance = distance[row < column]
            elif paired:
                distance = distance[row != column]
            counts += np.histogram(distance, limits)[0]
    return counts
