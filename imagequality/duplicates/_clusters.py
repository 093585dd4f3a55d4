"""Neighbouring pairs → clusters.

Items are numbered 0 … n − 1. The pairs within some distance are a sparse graph; every other pair
counts as farther apart. A clustering is an array of n labels: equal for items of one cluster,
numbered from 0 by first appearance, an item alone in its cluster included. So another order of
the items gives other numbers, but the same clusters, unless a method says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.csgraph import minimum_spanning_tree as scipy_spanning_tree
from sklearn.cluster import HDBSCAN
from sklearn.preprocessing import normalize

from ._neighbours import Pairs

Distances = Callable[[NDArray[np.int64], NDArray[np.int64]], ArrayLike]

_BUFFERED_PAIRS = 1 << 20  # chunks are gathered to so many pairs before they are merged
_PAIRS_A_CALL = 1 << 14  # distances are asked for in so many pairs at a time
_SWEEPS = 8  # the farthest of the farthest of …; two or three mostly reach the diameter

# ------------------------------------------------------------------------------ what all share


def _number_by_first_appearance(labels: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(pd.factorize(np.asarray(labels))[0], dtype=np.int64)


def _select(pairs: Pairs, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Pairs:
    return Pairs(pairs.i[chosen], pairs.j[chosen], pairs.distance[chosen])


def _within(pairs: Pairs, max_distance: float | None) -> Pairs:
    return pairs if max_distance is None else _select(pairs, pairs.distance <= max_distance)


def _in_order(pairs: Pairs, n: int) -> Pairs:
    """Turn pairs to i < j, each of them once, sorted by (distance, i, j)."""
    i, j = np.minimum(pairs.i, pairs.j), np.maximum(pairs.i, pairs.j)
    if len(i) and (i.min() < 0 or j.max() >= n):
        raise ValueError(f"pairs must name items in 0 … {n - 1}; got {i.min()} … {j.max()}")
    place = i.astype(np.int64) * n + j
    order = np.lexsort((pairs.distance, place))
    place = place[order]
    first = np.ones(len(place), dtype=bool)
    np.not_equal(place[1:], place[:-1], out=first[1:])
    order = order[first & (i[order] < j[order])]
    order = order[np.argsort(pairs.distance[order], kind="stable")]
    return Pairs(i[order], j[order], pairs.distance[order])


def _group(labels: NDArray[np.int64], n_labels: int) -> tuple[NDArray[np.int64], ...]:
    """Sort positions by label: those of label k are ``order[bounds[k] : bounds[k + 1]]``."""
    order = np.argsort(labels, kind="stable")
    return order, np.searchsorted(labels[order], np.arange(n_labels + 1))


# ------------------------------------------------------------------------- spanning forests


def minimum_spanning_forest(pairs: Pairs, n: int) -> Pairs:
    """Keep the pairs that single linkage needs: at most n − 1 that join all that is joined.

    Cut at any distance, the forest has the connected components of ``pairs`` cut there, and its
    distances are the heights at which single linkage merges. Among equal distances the pair
    with the smaller i, then j, is taken, so that the forest is unique.

    Parameters
    ----------
    pairs : Pairs
        In any order; a pair given twice counts with its smaller distance.
    n : int
        Number of items.

    Returns
    -------
    forest : Pairs
        Sorted by distance, then i, then j.

    Raises
    ------
    ValueError
        Where a pair names an item outside 0 … n − 1.

    References
    ----------
    J. C. Gower and G. J. S. Ross, "Minimum Spanning Trees and Single Linkage Cluster Analysis",
    Applied Statistics 18(1), 1969.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([3, 5, 0]))
    >>> minimum_spanning_forest(pairs, 4)
    Pairs(i=array([1, 0]), j=array([2, 1]), distance=array([0, 3]))
    """
    ordered = _in_order(pairs, n)
    # SciPy takes a weight of 0 for no edge. The rank, from 1, orders the edges as the distance
    # does, and has no ties.
    rank = np.arange(1, len(ordered.i) + 1, dtype=np.float64)
    ends = ordered.i.astype(np.int32), ordered.j.astype(np.int32)  # SciPy 1.13 takes no other
    tree = scipy_spanning_tree(coo_array((rank, ends), shape=(n, n)))
    return _select(ordered, np.sort(tree.data).astype(np.int64) - 1)


def merge_forests(forests: Iterable[Pairs], n: int) -> Pairs:
    """Join the spanning forests of several sets of pairs to that of their union.

    A pair that is the largest of a circle in its own set is the largest of the same circle in
    the union, so nothing that a forest left out is missed.

    Parameters
    ----------
    forests : iterable of Pairs
        Forests, or just pairs, over the same items.
    n : int
        Number of items.

    Returns
    -------
    forest : Pairs
        Sorted by distance, then i, then j.

    Examples
    --------
    >>> import numpy as np
    >>> first = Pairs(np.array([0]), np.array([1]), np.array([3]))
    >>> second = Pairs(np.array([0, 1]), np.array([2, 2]), np.array([2, 1]))
    >>> merge_forests([first, second], 3)
    Pairs(i=array([1, 0]), j=array([2, 2]), distance=array([1, 2]))
    """
    parts = list(forests)
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return Pairs(empty, empty, empty)
    joined = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return minimum_spanning_forest(Pairs(*joined), n)


def spanning_forest_of_chunks(chunks: Iterable[Pairs], n: int) -> Pairs:
    """Build the minimum spanning forest of pairs that come in chunks.

    The result equals ``minimum_spanning_forest`` of all pairs at once. Memory is bounded by
    the forest (n − 1 pairs), the largest chunk and a buffer of a million pairs or n.

    Parameters
    ----------
    chunks : iterable of Pairs
        In any order, of any size.
    n : int
        Number of items.

    Returns
    -------
    forest : Pairs
        Sorted by distance, then i, then j.

    Examples
    --------
    >>> import numpy as np
    >>> chunks = (Pairs(np.array([0]), np.array([k]), np.array([9 - k])) for k in (1, 2))
    >>> spanning_forest_of_chunks(chunks, 3)
    Pairs(i=array([0, 0]), j=array([2, 1]), distance=array([7, 8]))
    """
    waiting: list[Pairs] = []
    n_waiting = 0
    for chunk in chunks:
        waiting.append(chunk)
        n_waiting += len(chunk.i)
        if n_waiting >= max(n, _BUFFERED_PAIRS):
            waiting, n_waiting = [merge_forests(waiting, n)], 0
    return merge_forests(waiting, n)


# -------------------------------------------------------------------------------- clusterings


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
        Equal for items of one cluster, numbered from 0 by first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> linked_clusters(np.array([0, 1]), np.array([1, 3]), 4)
    array([0, 0, 1, 0])
    """
    ends = np.asarray(i, dtype=np.int32), np.asarray(j, dtype=np.int32)
    links = coo_array((np.ones(len(i), dtype=np.bool_), ends), shape=(n, n))
    return _number_by_first_appearance(connected_components(links, directed=False)[1])


def single_linkage(pairs: Pairs, n: int, max_distance: float | None = None) -> NDArray[np.int64]:
    """Join all items that a chain of pairs within a distance connects.

    It finds every copy of a copy, and it chains: the ends of a long cluster may lie far apart.

    Parameters
    ----------
    pairs : Pairs
        All pairs within ``max_distance``, or their minimum spanning forest; those beyond it are
        ignored.
    n : int
        Number of items.
    max_distance : float, optional
        In the pairs' unit, included. By default all pairs are links.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0 by first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 3]), np.array([2, 4]))
    >>> single_linkage(pairs, 4), single_linkage(pairs, 4, max_distance=3)
    (array([0, 0, 1, 0]), array([0, 0, 1, 2]))
    """
    near = _within(pairs, max_distance)
    return linked_clusters(near.i, near.j, n)


def complete_linkage(pairs: Pairs, n: int, max_distance: float | None = None) -> NDArray[np.int64]:
    """Form clusters in which every two items lie within a distance.

    The closest two clusters are merged as long as their farthest members lie within
    ``max_distance``. It does not chain, and may split what belongs together.

    Parameters
    ----------
    pairs : Pairs
        *All* pairs within ``max_distance``: a missing one counts as beyond it.
    n : int
        Number of items.
    max_distance : float, optional
        In the pairs' unit, included. By default all pairs count as near.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0 by first appearance.

    Notes
    -----
    Equal to SciPy's complete linkage of the full distance matrix, cut at ``max_distance``. Where
    several pairs have equal distances it may matter which of them is merged first (of three
    items in a row, the middle one can join either): then the clusters depend on the order of
    the items, as in any implementation.

    No distance matrix is built: memory grows with the number of near pairs. A connected
    component in which all pairs are near is one cluster; the pairs of the others are gone
    through one by one, in about a second a million.

    References
    ----------
    T. Sørensen, "A Method of Establishing Groups of Equal Amplitude in Plant Sociology Based on
    Similarity of Species Content", Biologiske Skrifter 5(4), 1948.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(np.array([0, 1, 2]), np.array([1, 2, 3]), np.array([1, 3, 2]))
    >>> complete_linkage(pairs, 4, max_distance=3)
    array([0, 0, 1, 1])
    """
    # Why near pairs suffice. The distance of two clusters is that of their farthest members, so
    # it is within max_distance only where all of their pairs are. Merging never brings clusters
    # closer (the maximum only grows), so every merge within max_distance comes before all
    # others and depends on nothing beyond it.
    near = _in_order(_within(pairs, max_distance), n)
    component = linked_clusters(near.i, near.j, n)
    size = np.bincount(component)
    n_pairs = np.bincount(component[near.i], minlength=len(size))
    is_done = n_pairs == size * (size - 1) // 2  # every pair of the component is near
    undone = _select(near, ~is_done[component[near.i]])
    items, ends = np.unique(np.concatenate([undone.i, undone.j]), return_inverse=True)
    i, j = ends.reshape(2, -1)
    labels = component.copy()
    labels[items] = n + _merge_once_all_pairs_are_seen(i, j, len(items))
    return _number_by_first_appearance(labels)


def _merge_once_all_pairs_are_seen(
    i: NDArray[np.int64], j: NDArray[np.int64], n: int
) -> NDArray[np.int64]:
    """Agglomerate by complete linkage, given the near pairs in order of their distance.

    The distance of two clusters is that of the last of their pairs, so they merge once as many
    pairs between them were seen as there are. What was seen adds up when clusters merge.
    """
    cluster_of = list(range(n))
    members = [[item] for item in range(n)]
    seen: list[dict[int, int]] = [{} for _ in range(n)]  # pairs seen, by the other cluster
    for first, second in _as_integers(i, j):
        kept, gone = cluster_of[first], cluster_of[second]  # no pair within a cluster is unseen
        count = seen[kept].get(gone, 0) + 1
        if count < len(members[kept]) * len(members[gone]):
            seen[kept][gone] = seen[gone][kept] = count
            continue
        if len(members[kept]) + len(seen[kept]) < len(members[gone]) + len(seen[gone]):
            kept, gone = gone, kept  # move the less
        for item in members[gone]:
            cluster_of[item] = kept
        members[kept] += members[gone]
        seen[kept].pop(gone, None)
        seen[gone].pop(kept, None)
        for other, count in seen[gone].items():
            del seen[other][gone]
            seen[kept][other] = seen[other][kept] = seen[kept].get(other, 0) + count
        members[gone], seen[gone] = [], {}
    return np.array(cluster_of, dtype=np.int64)


def _as_integers(i: NDArray[np.int64], j: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Give pairs as Python's integers, which take five times the memory: a few at a time."""
    for start in range(0, len(i), _PAIRS_A_CALL):
        part = slice(start, start + _PAIRS_A_CALL)
        yield from zip(i[part].tolist(), j[part].tolist(), strict=True)


def identical(keys: ArrayLike | pd.Index) -> NDArray[np.int64]:
    """Join items of equal keys: CleanVision's rule for near duplicates, by hash.

    Parameters
    ----------
    keys : array-like of shape (n,)
        Hashes, digests or other hashable keys; an item without one (None, NaN) is alone.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0 by first appearance.

    Examples
    --------
    >>> identical(["ff", "0e", None, "ff", None])
    array([0, 1, 2, 0, 3])
    """
    codes, distinct = pd.factorize(pd.Series(keys, dtype=object))
    return _each_alone(np.asarray(codes, dtype=np.int64), len(distinct))


def _each_alone(labels: NDArray[np.int64], n_labels: int) -> NDArray[np.int64]:
    """Give each item of label −1 a cluster of its own."""
    loose = labels < 0
    return _number_by_first_appearance(np.where(loose, n_labels - 1 + np.cumsum(loose), labels))


def similarity_components(
    pairs: Pairs, n: int, similarity: float = 0.96, n_neighbors: int | None = None
) -> NDArray[np.int64]:
    """Join items that are similar to a nearest neighbour: fastdup's rule.

    An item is linked to those of its ``n_neighbors`` nearest neighbours whose cosine similarity
    exceeds ``similarity``; clusters are the connected components.

    Parameters
    ----------
    pairs : Pairs
        All pairs above ``similarity``; ``distance`` is the cosine distance, 1 − similarity.
    n : int
        Number of items.
    similarity : float, default=0.96
        In [−1, 1], excluded.
    n_neighbors : int, optional
        At least 1; fastdup takes 2. Neighbours as near as the last of them count too, so that
        ties do not depend on the order of the items. By default all are linked.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0 by first appearance.

    Examples
    --------
    >>> import numpy as np
    >>> pairs = Pairs(np.array([0, 1]), np.array([1, 3]), np.array([0.01, 0.1]))
    >>> similarity_components(pairs, 4)
    array([0, 0, 1, 2])
    """
    if not -1 <= similarity <= 1:
        raise ValueError(f"similarity must lie in [-1, 1]; got {similarity!r}")
    near = _in_order(_select(pairs, 1 - pairs.distance > similarity), n)
    if n_neighbors is not None:
        near = _among_nearest(near, n, n_neighbors)
    return linked_clusters(near.i, near.j, n)


def _among_nearest(near: Pairs, n: int, n_neighbors: int) -> Pairs:
    """Keep the pairs in which one item is among the nearest of the other; sorted by distance."""
    if n_neighbors < 1:
        raise ValueError(f"n_neighbors must be at least 1; got {n_neighbors!r}")
    item = np.concatenate([near.i, near.j])
    pair = np.tile(np.arange(len(near.i)), 2)
    order = np.lexsort((pair, item))  # each item's pairs, nearest first
    bounds = np.searchsorted(item[order], np.arange(n + 1))
    farthest = np.full(n, np.inf)  # of the nearest n_neighbors, where there are so many
    has_more = np.diff(bounds) > n_neighbors
    last = bounds[:-1][has_more] + n_neighbors - 1
    farthest[has_more] = near.distance[pair[order[last]]]
    return _select(near, near.distance <= np.maximum(farthest[near.i], farthest[near.j]))


def density_clusters(
    features: NDArray[np.generic],
    metric: str = "cosine",
    min_cluster_size: int = 2,
    *,
    min_samples: int | None = None,
    max_distance: float = 0.0,
    n_jobs: int | None = None,
) -> NDArray[np.int64]:
    """Cluster by density, with scikit-learn's HDBSCAN: no distance needs to be chosen.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
        One row an item: vectors, or for ``metric="hamming"`` the words of ``unpack_hashes``.
    metric : {"cosine", "euclidean", "hamming"}, default="cosine"
        ``"cosine"`` brings the rows to unit length and takes the Euclidean distance, which
        orders pairs as the cosine distance does; ``"hamming"`` is the share of differing bits.
    min_cluster_size : int, default=2
        Smallest cluster, at least 2.
    min_samples : int, optional
        Neighbourhood that makes an item dense, itself included; by default
        ``min_cluster_size``. More than n items cannot be asked for.
    max_distance : float, default=0.0
        HDBSCAN's ``cluster_selection_epsilon``, in the metric's unit: clusters closer than this
        are not split.
    n_jobs : int, optional
        Workers for the neighbourhoods; −1 for all cores.

    Returns
    -------
    labels : ndarray of shape (n,), int
        Equal for items of one cluster, numbered from 0 by first appearance. An item that
        HDBSCAN calls noise is alone in its cluster.

    Notes
    -----
    The time grows with n² and the memory with n, 8 bytes a feature (hashes: a bit). HDBSCAN
    looks for groups that are denser than what surrounds them: on a collection without
    duplicates it still finds many, and on one that is a single group it finds none.

    References
    ----------
    R. J. G. B. Campello, D. Moulavi and J. Sander, "Density-Based Clustering Based on
    Hierarchical Density Estimates", PAKDD 2013.

    Examples
    --------
    >>> import numpy as np
    >>> vectors = np.array([[1, 0], [1, 0.01], [0, 1], [0.01, 1], [-1, -0.3]])
    >>> density_clusters(vectors)
    array([0, 0, 1, 1, 2])
    """
    if metric not in {"cosine", "euclidean", "hamming"}:
        raise ValueError(f"metric must be 'cosine', 'euclidean' or 'hamming'; got {metric!r}")
    if len(features) < 2:
        return np.arange(len(features))
    rows = np.asarray(features)
    if metric == "cosine":
        rows = normalize(rows)
    elif metric == "hamming":
        rows = np.unpackbits(np.ascontiguousarray(rows).view(np.uint8), axis=1)
    labels = HDBSCAN(
        min_cluster_size=min_cluster_size,
        min_samples=min_samples,
        cluster_selection_epsilon=float(max_distance),
        metric="hamming" if metric == "hamming" else "euclidean",
        n_jobs=n_jobs,
        copy=False,
    ).fit_predict(rows)
    return _each_alone(labels.astype(np.int64), int(labels.max(initial=-1)) + 1)


# -------------------------------------------------------------------------------- description


def describe_clusters(
    labels: NDArray[np.int64], forest: Pairs, distances: Distances, *, exact_size: int = 1000
) -> pd.DataFrame:
    """Tell how wide each cluster is and how loosely it hangs together.

    Parameters
    ----------
    labels : ndarray of shape (n,), int
        Of any method; items of a negative label are in no cluster.
    forest : Pairs
        Minimum spanning forest of the pairs that were clustered.
    distances : callable
        ``distances(i, j)`` gives the distances of the items i[0] and j[0], i[1] and j[1], …;
        it is asked for at most 16,384 at a time.
    exact_size : int, default=1000
        Clusters of up to so many items are compared pair by pair, in at most
        n · ``exact_size`` / 2 distances.

    Returns
    -------
    clusters : DataFrame
        One row for each cluster of two or more items, by its label:

        - ``cluster``: the label;
        - ``size``: number of items;
        - ``diameter``: the largest distance of any two members. In a larger cluster than
          ``exact_size``, the largest that is found by going from the first member to the one
          farthest from it, on to the one farthest from that, as long as it grows: at least half
          of the diameter in a metric, and mostly all of it;
        - ``weakest_link``: the largest step that is needed to get from any member to any other
          over members, the largest distance of the cluster's minimum spanning tree. It comes
          from ``forest`` where that joins all members (as for single linkage), else from all
          pairs of members; NaN in such a cluster of more than ``exact_size``;
        - ``diameter_exact``: whether all pairs were compared.

    Examples
    --------
    >>> import numpy as np
    >>> place = np.array([0, 9, 1, 3])
    >>> forest = Pairs(np.array([0, 2]), np.array([2, 3]), np.array([1, 2]))
    >>> table = describe_clusters(
    ...     np.array([0, 1, 0, 0]), forest, lambda i, j: abs(place[i] - place[j])
    ... )
    >>> table.to_dict("records")
    [{'cluster': 0, 'size': 3, 'diameter': 3.0, 'weakest_link': 2.0, 'diameter_exact': True}]
    """
    labels = np.asarray(labels)
    n_labels = int(labels.max(initial=-1)) + 1
    items, bounds = _group(labels, n_labels)
    sizes = np.diff(bounds)
    small = np.flatnonzero((sizes > 1) & (sizes <= exact_size))
    large = np.flatnonzero((sizes > 1) & (sizes > exact_size))

    diameter = np.zeros(n_labels)
    for pairs in _member_pairs(items, bounds, small, distances):
        np.maximum.at(diameter, labels[pairs.i], pairs.distance)
    for cluster in large:
        members = items[bounds[cluster] : bounds[cluster + 1]]
        diameter[cluster] = _diameter_by_sweeps(members, distances)

    # A forest that joins all members by edges between members is a minimum spanning tree of
    # them: an edge of a minimum tree stays one in every subset that holds both of its ends.
    weakest_link, n_links = _largest_inner_distances(forest, labels, n_labels)
    unjoined = n_links < sizes - 1
    torn = small[unjoined[small]]
    own_forest = spanning_forest_of_chunks(
        _member_pairs(items, bounds, torn, distances), len(labels)
    )
    weakest_link[torn] = _largest_inner_distances(own_forest, labels, n_labels)[0][torn]
    weakest_link[large[unjoined[large]]] = np.nan

    clusters = np.flatnonzero(sizes > 1)
    return pd.DataFrame(
        {
            "cluster": clusters,
            "size": sizes[clusters],
            "diameter": diameter[clusters],
            "weakest_link": weakest_link[clusters],
            "diameter_exact": sizes[clusters] <= exact_size,
        }
    )


def _largest_inner_distances(
    forest: Pairs, labels: NDArray[np.int64], n_labels: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the largest distance, and the number, of each label's pairs within itself."""
    inner = _select(forest, (labels[forest.i] == labels[forest.j]) & (labels[forest.i] >= 0))
    label = labels[inner.i]
    largest = np.zeros(n_labels)
    np.maximum.at(largest, label, inner.distance)
    return largest, np.bincount(label, minlength=n_labels)


def _member_pairs(
    items: NDArray[np.int64],
    bounds: NDArray[np.int64],
    clusters: NDArray[np.int64],
    distances: Distances,
) -> Iterator[Pairs]:
    """Give all pairs within clusters, of many small ones at once and of a larger one in parts."""
    start = bounds[clusters]
    size = bounds[clusters + 1] - start
    end_pair = np.cumsum(size * (size - 1) // 2)
    n_pairs = int(end_pair[-1]) if len(clusters) else 0
    for first in range(0, n_pairs, _PAIRS_A_CALL):
        number = np.arange(first, min(first + _PAIRS_A_CALL, n_pairs))
        which = np.searchsorted(end_pair, number, side="right")
        number -= np.where(which > 0, end_pair[which - 1], 0)
        # Pair number b(b − 1)/2 + a of a cluster is that of its members a < b.
        b = ((1 + np.sqrt(1 + 8 * number)) // 2).astype(np.int64)
        a = number - b * (b - 1) // 2
        i, j = items[start[which] + a], items[start[which] + b]
        yield Pairs(i, j, np.asarray(distances(i, j)))


def _diameter_by_sweeps(members: NDArray[np.int64], distances: Distances) -> float:
    """Return the largest distance found on a walk from farthest to farthest member."""
    item, largest = int(members[0]), -np.inf
    for _ in range(_SWEEPS):
        away = _distances_from(item, members, distances)
        farthest = int(away.argmax())
        if away[farthest] <= largest:
            break
        item, largest = int(members[farthest]), float(away[farthest])
    return largest


def _distances_from(
    item: int, members: NDArray[np.int64], distances: Distances
) -> NDArray[np.generic]:
    parts = np.split(members, range(_PAIRS_A_CALL, len(members), _PAIRS_A_CALL))
    return np.concatenate([np.asarray(distances(np.full(len(part), item), part)) for part in parts])
