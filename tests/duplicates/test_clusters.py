"""Clusters against SciPy and brute force, and what must hold for any set of pairs."""

from __future__ import annotations

from itertools import pairwise

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from imagequality.duplicates import (
    Pairs,
    _clusters,
    complete_linkage,
    density_clusters,
    describe_clusters,
    identical,
    linked_clusters,
    merge_forests,
    minimum_spanning_forest,
    similarity_components,
    single_linkage,
    spanning_forest_of_chunks,
    unpack_hashes,
)

SEEDS = st.integers(0, 2**32 - 1)


def line_up(labels):
    """Number labels by first appearance, in plain words."""
    numbers = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]


def random_matrix(seed, n, *, ties):
    """Distances of points in the plane; on a coarse grid where ties are wanted."""
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 6, (n, 2)) if ties else rng.random((n, 2))
    return squareform(pdist(points, "cityblock"))


def pairs_within(matrix, limit=np.inf):
    i, j = np.nonzero(np.triu(matrix <= limit, 1))
    return Pairs(i, j, matrix[i, j])


def some_limit(matrix, share):
    """A distance that occurs, so that it matters that the limit is included."""
    return float(np.quantile(matrix, share, method="lower"))


def cut(matrix, method, limit):
    return fcluster(linkage(squareform(matrix), method), limit, "distance").tolist()


def as_tuples(pairs):
    return list(zip(*(part.tolist() for part in pairs), strict=True))


cases = given(
    seed=SEEDS,
    n=st.integers(2, 40),
    share=st.sampled_from([0.0, 0.05, 0.2, 0.6]),
    ties=st.booleans(),
)


# ------------------------------------------------------------------------- spanning forests


@cases
@settings(max_examples=60, deadline=None)
def test_forest_has_single_linkages_heights_and_components(seed, n, share, ties):
    matrix = random_matrix(seed, n, ties=ties)
    limit = some_limit(matrix, share)
    pairs = pairs_within(matrix, limit)
    forest = minimum_spanning_forest(pairs, n)
    heights = linkage(squareform(matrix), "single")[:, 2]
    assert forest.distance.tolist() == heights[heights <= limit].tolist()
    assert set(as_tuples(forest)) <= set(as_tuples(pairs))
    for closer in (0, limit / 2, limit):
        assert single_linkage(forest, n, closer).tolist() == line_up(cut(matrix, "single", closer))


@given(seed=SEEDS, n=st.integers(2, 30), n_chunks=st.integers(0, 6), buffer=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_forest_of_chunks_is_the_forest_of_all_pairs(seed, n, n_chunks, buffer):
    rng = np.random.default_rng(seed)
    pairs = pairs_within(random_matrix(seed, n, ties=True), 4)
    chunk_of = rng.integers(0, max(n_chunks, 1), len(pairs.i))
    chunks = [Pairs(*(part[chunk_of == number] for part in pairs)) for number in range(n_chunks)]
    expected = as_tuples(minimum_spanning_forest(pairs, n)) if n_chunks else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_clusters, "_BUFFERED_PAIRS", buffer)
        assert as_tuples(spanning_forest_of_chunks(iter(chunks), n)) == expected
    forests = [minimum_spanning_forest(chunk, n) for chunk in chunks]
    assert as_tuples(merge_forests(forests, n)) == expected


@given(seed=SEEDS, n=st.integers(2, 20))
@settings(max_examples=40, deadline=None)
def test_turned_repeated_and_shuffled_pairs_change_nothing(seed, n):
    rng = np.random.default_rng(seed)
    pairs = pairs_within(random_matrix(seed, n, ties=True), 5)
    again = rng.integers(0, len(pairs.i), len(pairs.i)) if len(pairs.i) else pairs.i
    loop = rng.integers(0, n, 3)
    i = np.concatenate([pairs.i, pairs.j[again], loop])
    j = np.concatenate([pairs.j, pairs.i[again], loop])
    farther = rng.integers(0, 2, len(again))
    distance = np.concatenate([pairs.distance, pairs.distance[again] + farther, np.zeros(3)])
    order = rng.permutation(len(i))
    messy = Pairs(i[order], j[order], distance[order])
    for cluster in (minimum_spanning_forest, complete_linkage):
        expected, found = cluster(pairs, n), cluster(messy, n)
        for one, other in zip(np.atleast_2d(expected), np.atleast_2d(found), strict=True):
            assert one.tolist() == other.tolist()


def test_distance_zero_is_a_link_and_whole_distances_stay_whole():
    pairs = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([0, 0]))
    forest = minimum_spanning_forest(pairs, 3)
    assert as_tuples(forest) == [(0, 1, 0), (1, 2, 0)]
    assert forest.distance.dtype == pairs.distance.dtype


@pytest.mark.parametrize("bad", [-1, 3])
def test_items_out_of_range_are_refused(bad):
    pairs = Pairs(np.array([0]), np.array([bad]), np.array([1]))
    with pytest.raises(ValueError, match="items in 0 … 2"):
        minimum_spanning_forest(pairs, 3)
    with pytest.raises(ValueError):  # noqa: PT011 - SciPy's own words
        linked_clusters(pairs.i, pairs.j, 3)


# ------------------------------------------------------------------------------- clusterings


@given(seed=SEEDS, n=st.sampled_from([2, 50, 300]), share=st.sampled_from([0, 0.002, 0.01, 0.1]))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("ties", [False, True])
def test_single_linkage_equals_scipys(seed, n, share, ties):
    matrix = random_matrix(seed, n, ties=ties)
    limit = some_limit(matrix, share)
    expected = line_up(cut(matrix, "single", limit))
    assert single_linkage(pairs_within(matrix), n, limit).tolist() == expected
    assert single_linkage(pairs_within(matrix, limit), n).tolist() == expected


@given(seed=SEEDS, n=st.sampled_from([2, 50, 300]), share=st.sampled_from([0, 0.01, 0.05, 0.4, 1]))
@settings(max_examples=40, deadline=None)
def test_complete_linkage_equals_scipys_where_distances_differ(seed, n, share):
    matrix = random_matrix(seed, n, ties=False)
    limit = some_limit(matrix, share)
    expected = line_up(cut(matrix, "complete", limit))
    assert complete_linkage(pairs_within(matrix, limit), n).tolist() == expected
    assert complete_linkage(pairs_within(matrix), n, limit).tolist() == expected


@cases
@settings(max_examples=60, deadline=None)
def test_complete_linkage_is_tight_and_done(seed, n, share, ties):
    matrix = random_matrix(seed, n, ties=ties)
    limit = some_limit(matrix, share)
    labels = complete_linkage(pairs_within(matrix), n, limit)
    assert labels.tolist() == line_up(labels.tolist())
    for one in range(labels.max() + 1):
        for other in range(one + 1):
            farthest = matrix[np.ix_(labels == one, labels == other)].max()
            assert farthest <= limit if one == other else farthest > limit


def test_complete_linkage_of_a_long_chain_needs_no_matrix():
    n = 200_000  # a matrix would take 160 GB
    chain = Pairs(np.arange(n - 1), np.arange(1, n), np.arange(n - 1) % 2)
    assert complete_linkage(chain, n, 1).tolist() == (np.arange(n) // 2).tolist()


CLUSTERINGS = {
    "single": lambda pairs, n: single_linkage(pairs, n, 0.1),
    "complete": lambda pairs, n: complete_linkage(pairs, n, 0.2),
    "similar": lambda pairs, n: similarity_components(pairs, n, 0.9),
    "similar among 2": lambda pairs, n: similarity_components(pairs, n, 0.8, 2),
}


@pytest.mark.parametrize("cluster", CLUSTERINGS.values(), ids=CLUSTERINGS)
@given(seed=SEEDS, n=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_order_does_not_matter_and_a_stranger_changes_nothing(cluster, seed, n):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(seed, n, ties=False)
    labels = cluster(pairs_within(matrix, 0.3), n).tolist()
    assert labels == line_up(labels)

    order = rng.permutation(n)
    permuted = cluster(pairs_within(matrix[np.ix_(order, order)], 0.3), n)
    assert permuted.tolist() == line_up([labels[item] for item in order])

    place = int(rng.integers(0, n + 1))
    apart = np.insert(np.insert(matrix, place, 9, axis=0), place, 9, axis=1)
    with_stranger = cluster(pairs_within(apart, 0.3), n + 1).tolist()
    stranger = with_stranger.pop(place)
    assert stranger not in with_stranger
    assert line_up(with_stranger) == labels


@pytest.mark.parametrize("cluster", CLUSTERINGS.values(), ids=CLUSTERINGS)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_pairs_everything_is_alone(cluster, n):
    empty = np.empty(0, dtype=np.int64)
    labels = cluster(Pairs(empty, empty, empty), n)
    assert labels.tolist() == list(range(n))
    assert labels.dtype == np.int64


@given(st.lists(st.sampled_from(["a", "b", "cd", "", None, float("nan")]), max_size=20))
def test_identical_joins_equal_keys(keys):
    named = [
        number if key is None or key != key else key  # no key: a name of its own
        for number, key in enumerate(keys)
    ]
    assert identical(np.array(keys, dtype=object)).tolist() == line_up(named)


@given(seed=SEEDS, n=st.integers(2, 25), n_neighbors=st.integers(1, 4), ties=st.booleans())
@settings(max_examples=60, deadline=None)
def test_similarity_components_equal_brute_force(seed, n, n_neighbors, ties):
    matrix = random_matrix(seed, n, ties=ties)
    matrix /= max(matrix.max(), 1) * 4
    expected = naive.components_among_nearest(matrix, 0.05, n_neighbors)
    ours = similarity_components(pairs_within(matrix), n, 1 - 0.0500001, n_neighbors)
    assert ours.tolist() == line_up(expected)


def test_similarity_is_excluded_and_parameters_are_checked():
    pairs = Pairs(np.array([0]), np.array([1]), np.array([0.5]))
    assert similarity_components(pairs, 2, 0.5).tolist() == [0, 1]
    assert similarity_components(pairs, 2, 0.49).tolist() == [0, 0]
    with pytest.raises(ValueError, match="similarity"):
        similarity_components(pairs, 2, 96)
    with pytest.raises(ValueError, match="n_neighbors"):
        similarity_components(pairs, 2, 0.5, 0)


def test_density_finds_tight_groups_in_vectors_and_in_hashes():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(6), 3)
    order = rng.permutation(len(group))
    centres = rng.normal(size=(6, 64))
    vectors = centres[group[order]] + rng.normal(0, 0.01, (len(group), 64))
    scaled = vectors * rng.uniform(1, 100, (len(group), 1))  # direction alone counts
    bits = vectors > 0
    hashes = unpack_hashes([row.tobytes().hex() for row in np.packbits(bits, axis=1)])
    expected = line_up(group[order].tolist())
    assert density_clusters(vectors, "euclidean").tolist() == expected
    assert density_clusters(scaled, "cosine").tolist() == expected
    assert density_clusters(hashes, "hamming").tolist() == expected


def test_density_noise_is_alone():
    near = np.array([[0, 0], [0, 0.1], [5, 5], [5, 5.1]])
    far = np.array([[60.0, 0], [0, 90]])
    labels = density_clusters(np.vstack([near, far]), "euclidean")
    assert labels.tolist() == [0, 0, 1, 1, 2, 3]
    assert density_clusters(near[:1]).tolist() == [0]
    assert density_clusters(near[:0]).tolist() == []
    with pytest.raises(ValueError, match="metric"):
        density_clusters(near, "levenshtein")


# ------------------------------------------------------------------------------- description


@cases
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("cluster", [single_linkage, complete_linkage, "random"])
def test_description_equals_brute_force(cluster, seed, n, share, ties):
    rng = np.random.default_rng(seed)
    matrix = random_matrix(seed, n, ties=ties)
    limit = some_limit(matrix, share)
    pairs = pairs_within(matrix, limit)
    labels = rng.integers(-1, 4, n) if cluster == "random" else cluster(pairs, n)
    table = describe_clusters(labels, minimum_spanning_forest(pairs, n), lambda i, j: matrix[i, j])
    expected = []
    for label in range(labels.max() + 1):
        members = np.flatnonzero(labels == label).tolist()
        if len(members) > 1:
            extent = naive.cluster_extent(matrix, members)
            expected.append((label, len(members), *extent, True))
    assert list(table.itertuples(index=False, name=None)) == expected


@given(seed=SEEDS, n=st.integers(2, 40), ties=st.booleans())
@settings(max_examples=40, deadline=None)
def test_swept_diameter_is_a_bound_from_below(seed, n, ties):
    matrix = random_matrix(seed, n, ties=ties)
    forest = minimum_spanning_forest(pairs_within(matrix), n)
    table = describe_clusters(
        np.zeros(n, dtype=np.int64), forest, lambda i, j: matrix[i, j], exact_size=1
    )
    diameter, weakest_link = naive.cluster_extent(matrix, range(n))
    assert diameter / 2 <= table["diameter"].item() <= diameter
    assert table["weakest_link"].item() == weakest_link
    assert not table["diameter_exact"].item()


def test_description_asks_for_few_distances_at_a_time_and_for_each_pair_once():
    sizes = np.array([2] * 3000 + [3] * 2000 + [200, 300])
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    place = labels * 1000 + np.arange(len(labels)) % 7
    pairs = [
        (i, j)
        for members in np.split(np.argsort(labels, kind="stable"), np.cumsum(sizes)[:-1])
        for i, j in pairwise(members)
    ]
    i, j = np.array(pairs).T
    forest = minimum_spanning_forest(Pairs(i, j, np.ones(len(i))), len(labels))
    asked, calls = set(), []

    def distances(i, j):
        calls.append(len(i))
        asked.update(zip(i.tolist(), j.tolist(), strict=True))
        return abs(place[i] - place[j])

    table = describe_clusters(labels, forest, distances)
    assert table["size"].tolist() == sizes.tolist()
    assert sum(calls) == len(asked) == (sizes * (sizes - 1) // 2).sum()
    assert max(calls) <= 1 << 14
    assert len(calls) == -(-sum(calls) // (1 << 14))
    expected = [np.ptp(place[labels == label]) for label in range(len(sizes))]
    assert table["diameter"].tolist() == expected


def test_large_torn_cluster_has_no_weakest_link():
    place = np.arange(5)
    empty = np.empty(0, dtype=np.int64)
    table = describe_clusters(
        np.zeros(5, dtype=np.int64),
        Pairs(empty, empty, empty),
        lambda i, j: abs(place[i] - place[j]),
        exact_size=4,
    )
    assert table["diameter"].item() == 4
    assert np.isnan(table["weakest_link"].item())


@pytest.mark.parametrize("labels", [[], [-1, -1], [0, 1, 2]])
def test_description_without_clusters_is_empty(labels):
    empty = np.empty(0, dtype=np.int64)
    table = describe_clusters(
        np.array(labels, dtype=np.int64), Pairs(empty, empty, empty), lambda i, j: i * 0
    )
    assert table.shape == (0, 5)
    assert table["size"].dtype == np.int64
    assert table["diameter_exact"].dtype == bool
