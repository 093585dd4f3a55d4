"""A graph's pairs, searched once or again, and the counts that its distance is chosen from."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagequality.duplicates import _graphs
from imagequality.duplicates._graphs import Features, Graph, HammingMetric

N_BITS = 64


class SampledMetric(HammingMetric):
    """Takes a sample of a small collection already."""

    n_sampled = 5


def make_features(seed, n):
    """Hashes in clusters, and those of the mirror images, of some of n + 3 items."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(2**63, size=n // 5 + 1, dtype=np.uint64)
    flips = np.uint64(1) << rng.integers(N_BITS, size=(n, 4), dtype=np.uint64)
    hashes = centres[rng.integers(len(centres), size=n)] ^ np.bitwise_xor.reduce(flips, axis=1)
    hashes = hashes[:, np.newaxis]
    items = np.sort(rng.permutation(n + 3)[:n])
    views = {0: hashes, 1: hashes ^ np.uint64(0xAAAA)}
    order = rng.permutation(n + 3)
    return Features("phash", SampledMetric(N_BITS), items, views, order)


def pairs_of(graph, distance):
    found = set()
    for i, j, distances in graph.chunks(distance):
        found |= set(zip(i.tolist(), j.tolist(), distances.tolist(), strict=True))
    return found


def expected_pairs(features, number, distance):
    """Plain loops over all items and views."""
    found = set()
    own, other = features.views[0], features.views[number]
    for a, item in enumerate(features.items.tolist()):
        for b, partner in enumerate(features.items.tolist()):
            if (a < b or (number and a != b)) and naive.hamming(own[a], other[b]) <= distance:
                ends = min(item, partner), max(item, partner)
                found.add((*ends, naive.hamming(own[a], other[b])))
    return found


@pytest.mark.parametrize("most_kept", [0, 3, 1_000_000])
@given(st.integers(0, 2**32 - 1), st.integers(6, 40), st.sampled_from([0, 1]), st.integers(0, 40))
@settings(max_examples=30)
def test_pairs_that_were_kept_are_those_of_a_new_search(most_kept, seed, n, number, distance):
    features = make_features(seed, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_graphs, "_KEPT_PAIRS", most_kept)
        features.found(number)  # a search as far as the reach, 20 bits
        found = pairs_of(Graph(features, number), distance)
        assert found == expected_pairs(features, number, distance)
        features.forget_pairs()
        assert pairs_of(Graph(features, number), distance) == found


@pytest.mark.parametrize("number", [0, 1])
def test_near_pairs_are_counted_one_by_one_and_far_ones_from_the_sample(number):
    features = make_features(0, 40)
    counts, resolution = features.found(number)
    reach = int(features.metric.reach(40))
    own, other = features.views[0], features.views[number]
    distances = np.array(
        [naive.hamming(own[a], other[b]) for a in range(40) for b in range(40) if a != b]
    )
    exact = np.array([(distances <= limit).sum() / 2 for limit in range(reach + 1)])
    np.testing.assert_array_equal(counts[: reach + 1], exact)
    assert (resolution[: reach + 1] == 1).all()
    assert (resolution[reach + 1 :] == 40 / (2 * 5)).all()
    assert (np.diff(counts) >= 0).all()
