"""Pairs → clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def linked_clusters(i: NDArray[np.int64], j: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Join all items that are linked, directly or through others.

    With the pairs within a distance d these are the clusters of single linkage, cut at d.

    Parameters
    ----------
    i, j : ndarray of shape (n_pairs,), int
        Linked items, in 0 … n − 1.
    n : int
        Number of items.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0.

    Examples
    --------
    >>> import numpy as np
    >>> linked_clusters(np.array([0, 1]), np.array([1, 3]), 4)
    array([0, 0, 1, 0])
    """
    links = coo_array((np.ones(len(i), dtype=np.int8), (i, j)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)
