"""Every search for neighbours against comparing all pairs, and what must hold for any input."""

from __future__ import annotations

import sys
import threading

import imagehash
import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from imagequality.duplicates import (
    _cosine,
    _hamming,
    _hamming_join,
    cosine_distances,
    cosine_histogram,
    cosine_pairs,
    hamming_distances,
    hamming_histogram,
    hamming_pairs,
    iter_cosine_pairs,
    iter_hamming_pairs,
    unpack_hashes,
)
from imagequality.duplicates._pairs import Pairs, expand_ranges, run_in_threads


def pack(bits):
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def random_hashes(rng, n, n_words):
    return rng.integers(0, 2**64 - 1, (n, n_words), dtype=np.uint64, endpoint=True)


def clustered_hashes(rng, n, n_words):
    """Few centres with some bits flipped."""
    centres = rng.random((max(n // 10, 1), 64 * n_words)) < 0.5
    flipped = rng.random((n, 64 * n_words)) < 0.05
    return pack(centres[rng.integers(len(centres), size=n)] ^ flipped)


def duplicated_hashes(rng, n, n_words):
    return random_hashes(rng, max(n // 8, 1), n_words)[rng.integers(max(n // 8, 1), size=n)]


def skewed_hashes(rng, n, n_words):
    """Bits that are hardly ever one, or always."""
    return pack(rng.random((n, 64 * n_words)) < rng.choice([0, 0.02, 0.3, 1], 64 * n_words))


KINDS = [random_hashes, clustered_hashes, duplicated_hashes, skewed_hashes]


def as_list(pairs):
    return list(zip(*(column.tolist() for column in pairs), strict=True))


def all_distances(hashes, others):
    """The matrix of Hamming distances, by comparing bits."""
    left, right = (_hamming_join.unpack_bits(rows).astype(np.int64) for rows in (hashes, others))
    return left @ (1 - right).T + (1 - left) @ right.T


def expected_pairs(hashes, max_distance, others=None):
    matrix = all_distances(hashes, hashes if others is None else others)
    near = matrix <= max_distance
    if others is None:
        near = np.triu(near, 1)
    i, j = np.nonzero(near)
    return Pairs(i, j, matrix[i, j])


def assert_pairs_equal(found, expected):
    for column, of_both in zip(found, expected, strict=True):
        np.testing.assert_array_equal(column, of_both)
        assert column.dtype == of_both.dtype


def in_order(chunks):
    return _hamming.sorted_pairs(chunks, np.int64)


# ------------------------------------------------------------------------------ hexadecimal text


def test_unpack_hashes_reads_imagehash_hex():
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)) for _ in range(2)]
    for function in (imagehash.phash, imagehash.colorhash, lambda x: imagehash.phash(x, 16)):
        first, second = (function(image) for image in images)
        words = unpack_hashes([str(first), str(second)])
        assert naive.hamming(*words) == first - second


@given(st.integers(1, 70), st.data())
@settings(max_examples=40, deadline=None)
def test_unpack_hashes_keeps_the_number_at_any_length(digits, data):
    text = st.text("0123456789abcdef", min_size=digits, max_size=digits)
    hashes = data.draw(st.lists(text, min_size=1, max_size=4))
    words = unpack_hashes(hashes)
    assert words.shape == (len(hashes), -(-digits // 16))
    for row, value in zip(words.tolist(), hashes, strict=True):
        assert sum(word << 64 * place for place, word in enumerate(row[::-1])) == int(value, 16)


def test_unpack_hashes_refuses_what_is_no_hash():
    with pytest.raises(ValueError, match="hexadecimal"):
        unpack_hashes(["z" * 16])
    with pytest.raises(ValueError, match="white space"):
        unpack_hashes(["00  " * 4])
    for hashes in (["00" * 8, "00" * 4], ["0" * 15, "0" * 17], ["", ""]):
        with pytest.raises(ValueError, match="one length"):
            unpack_hashes(hashes)
    assert unpack_hashes([]).shape == (0, 1)


# -------------------------------------------------------------------------------- Hamming: pairs


@given(
    hnp.arrays(np.uint64, st.tuples(st.integers(0, 40), st.integers(1, 4))),
    st.integers(0, 40),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_hamming_pairs_equal_plain_loops(hashes, max_distance, two):
    hashes &= np.uint64(0x8000_0000_0003_0007)  # near each other, and many are equal
    others = hashes[::-2] ^ np.uint64(1) if two else None
    found = hamming_pairs(hashes, max_distance, others)
    assert as_list(found) == naive.hamming_pairs(hashes, max_distance, others)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_words", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("n", [0, 1, 2, 50, 300])
def test_join_and_brute_force_equal_all_comparisons(kind, n_words, n):
    rng = np.random.default_rng(n + n_words)
    hashes, others = kind(rng, n, n_words), kind(rng, 70, n_words)
    others[: min(n, 20)] = hashes[:20]
    for max_distance in (0, 1, 5, 24, 32 * n_words, 64 * n_words):
        for right in (None, others):
            expected = expected_pairs(hashes, max_distance, right)
            assert_pairs_equal(hamming_pairs(hashes, max_distance, right), expected)
            brute = _hamming._iter_pairs(hashes, max_distance, right, blocks=[])
            assert_pairs_equal(in_order(brute), expected)
            if n > 1 and max_distance <= 24:
                _, blocks = _hamming_join.plan_blocks(hashes, right, max_distance)
                joined = _hamming._iter_pairs(hashes, max_distance, right, blocks=blocks, chunk=97)
                assert_pairs_equal(in_order(joined), expected)


@given(
    st.sampled_from(KINDS),
    st.integers(1, 3),
    st.integers(0, 12),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_any_blocks_that_obey_the_pigeonhole_argument_find_each_pair_once(
    kind, n_words, max_distance, seed, two, data
):
    rng = np.random.default_rng(seed)
    hashes = kind(rng, 60, n_words)
    others = np.concatenate([hashes[::3], kind(rng, 20, n_words)]) if two else None
    radii = []
    while sum(radii) + len(radii) <= max_distance:
        left_over = max_distance - sum(radii) - len(radii)
        radii.append(data.draw(st.integers(0, min(2, left_over))))
    order = rng.permutation(64 * n_words)
    width = data.draw(st.integers(1, min(12, 64 * n_words // len(radii))))
    blocks = [
        _hamming_join.Block(order[k * width : (k + 1) * width], radius)
        for k, radius in enumerate(radii)
    ]
    chunk, n_threads = data.draw(st.sampled_from([(1, 1), (7, 3), (10_000, 2)]))
    found = _hamming._iter_pairs(
        hashes, max_distance, others, blocks=blocks, chunk=chunk, n_threads=n_threads
    )
    assert_pairs_equal(in_order(found), expected_pairs(hashes, max_distance, others))


@given(
    st.integers(0, 80),
    st.integers(0, 80),
    st.integers(0, 64),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_hamming_pairs_are_symmetric_and_follow_a_permutation(n, m, max_distance, seed):
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    hashes, others = kind(rng, n, 1), kind(rng, m, 1)
    forth = hamming_pairs(hashes, max_distance, others)
    back = hamming_pairs(others, max_distance, hashes)
    assert sorted(zip(back.j, back.i, back.distance, strict=True)) == as_list(forth)
    place = rng.permutation(n)
    shuffled = hamming_pairs(hashes[place], max_distance)
    pairs = {
        (*sorted((int(place[i]), int(place[j]))), int(d)) for i, j, d in zip(*shuffled, strict=True)
    }
    assert sorted(pairs) == as_list(hamming_pairs(hashes, max_distance))


def test_the_chosen_way_crosses_blocks_and_chunks():
    rng = np.random.default_rng(0)
    hashes = random_hashes(rng, 20_000, 1)
    hashes[19_999] = hashes[3] ^ np.uint64(1 << 63)
    hashes[9_000] = hashes[8_500]
    for max_distance in (1, 6):
        assert _hamming._choose_blocks(hashes, None, max_distance)  # a join, not brute force
        brute = in_order(_hamming._iter_pairs(hashes, max_distance, None, blocks=[]))
        assert {(3, 19_999), (8_500, 9_000)} <= set(zip(brute.i, brute.j, strict=True))
        assert_pairs_equal(hamming_pairs(hashes, max_distance), brute)
        crossed = hamming_pairs(hashes[:5000], max_distance, hashes[5000:])
        parted = (brute.i < 5000) & (brute.j >= 5000)
        assert_pairs_equal(
            crossed, Pairs(brute.i[parted], brute.j[parted] - 5000, brute.distance[parted])
        )


def test_many_copies_of_one_hash_come_in_bounded_chunks():
    hashes = np.zeros((2000, 2), dtype=np.uint64)
    hashes[1500:, 1] = 1
    chunks = list(_hamming._iter_pairs(hashes, 1, None, chunk=1000))
    assert max(len(chunk.i) for chunk in chunks) <= 1000
    assert sum(len(chunk.i) for chunk in chunks) == 2000 * 1999 // 2
    distances = np.concatenate([chunk.distance for chunk in chunks])
    assert np.bincount(distances).tolist() == [
        1500 * 1499 // 2 + 500 * 499 // 2,
        1500 * 500,
    ]


def test_iterating_can_stop_early_and_leaves_no_thread_behind():
    before = threading.active_count()
    hashes = random_hashes(np.random.default_rng(0), 3000, 1)
    chunks = iter_hamming_pairs(hashes, 64)
    next(chunks)
    chunks.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_fault_in_a_thread_reaches_the_caller(n_threads):
    def fails():
        yield Pairs(*[np.zeros(1, dtype=np.int64)] * 3)
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        list(run_in_threads([fails] * 5, n_threads))


def test_wrong_hashes_are_refused_before_the_search():
    hashes = np.zeros((3, 1), dtype=np.uint64)
    with pytest.raises(ValueError, match="max_distance"):
        iter_hamming_pairs(hashes, -1)
    with pytest.raises(ValueError, match="max_distance"):
        iter_hamming_pairs(hashes, 1.5)
    with pytest.raises(ValueError, match="hashes must be uint64"):
        hamming_pairs(hashes.astype(np.int64), 1)
    with pytest.raises(ValueError, match="number of words"):
        hamming_pairs(hashes, 1, np.zeros((3, 2), dtype=np.uint64))
    assert not len(hamming_pairs(unpack_hashes([]), 1, np.zeros((3, 4), dtype=np.uint64)).i)


@given(hnp.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 9)), st.integers(1, 12))
def test_expand_ranges_lists_each_element_once_in_bounded_chunks(sizes, chunk):
    starts = np.arange(len(sizes)) * 100
    pieces = list(expand_ranges(starts, sizes, chunk))
    assert all(len(owner) == len(element) <= chunk for owner, element in pieces)
    listed = [pair for owner, element in pieces for pair in zip(owner, element, strict=True)]
    assert listed == [(k, 100 * k + step) for k, size in enumerate(sizes) for step in range(size)]


# --------------------------------------------------------- Hamming: the plan and its foundations


@pytest.mark.parametrize("max_distance", [0, 3, 8, 24])
def test_a_plan_obeys_the_pigeonhole_argument(max_distance):
    hashes = skewed_hashes(np.random.default_rng(0), 500, 2)
    _, blocks = _hamming_join.plan_blocks(hashes, None, max_distance)
    bits = np.concatenate([block.bits for block in blocks])
    assert len(np.unique(bits)) == len(bits)
    assert sum(block.radius + 1 for block in blocks) == max_distance + 1


def test_a_plan_passes_over_bits_that_tell_nothing():
    rng = np.random.default_rng(0)
    bits = np.zeros((30_000, 256), dtype=bool)
    informative = rng.choice(256, 64, replace=False)
    bits[:, informative] = rng.random((30_000, 64)) < 0.5
    _, blocks = _hamming_join.plan_blocks(pack(bits), None, 4)
    assert np.isin(np.concatenate([block.bits for block in blocks]), informative).all()


def test_block_keys_gather_the_named_bits():
    hashes = random_hashes(np.random.default_rng(0), 20, 3)
    bits = np.array([190, 0, 64, 63, 17])
    for row, key in zip(hashes.tolist(), _hamming_join.block_keys(hashes, bits), strict=True):
        expected = [row[bit // 64] >> bit % 64 & 1 for bit in bits.tolist()]
        assert [int(key) >> place & 1 for place in range(5)] == expected


# ---------------------------------------------------------- Hamming: given pairs, all distances


@pytest.mark.parametrize("n_words", [1, 3])
def test_hamming_distances_and_histogram_equal_plain_loops(n_words):
    rng = np.random.default_rng(0)
    hashes, others = clustered_hashes(rng, 90, n_words), clustered_hashes(rng, 40, n_words)
    i, j = rng.integers(90, size=200), rng.integers(40, size=200)
    expected = [naive.hamming(hashes[a], others[b]) for a, b in zip(i, j, strict=True)]
    assert hamming_distances(hashes, i, j, others).tolist() == expected
    for right in (None, others, others[rng.integers(40, size=90)]):
        counts = hamming_histogram(hashes, right)
        distances = naive.distances_between(hashes, right, naive.hamming)
        assert counts.tolist() == np.bincount(distances, minlength=64 * n_words + 1).tolist()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hamming_histogram_of_few_rows(n):
    assert hamming_histogram(np.zeros((n, 2), np.uint64)).sum() == n * (n - 1) // 2


@pytest.mark.parametrize("n_words", [1, 3, 4, 5])
def test_hamming_histogram_counts_equal_and_opposite_hashes(n_words):
    rng = np.random.default_rng(0)
    hashes = np.tile(random_hashes(rng, 3, n_words), (40, 1))
    hashes[::2] = ~hashes[::2]
    for right in (None, hashes[:7], hashes):
        counts = hamming_histogram(hashes, right)
        distances = naive.distances_between(hashes, right, naive.hamming)
        assert counts.tolist() == np.bincount(distances, minlength=64 * n_words + 1).tolist()
        assert counts[0]
        assert counts[-1]


def test_hamming_histogram_across_blocks():
    rng = np.random.default_rng(0)
    hashes, others = random_hashes(rng, 100, 1), random_hashes(rng, 9000, 1)
    expected = np.bincount(all_distances(hashes, others).ravel(), minlength=65)
    np.testing.assert_array_equal(hamming_histogram(hashes, others), expected)


def test_given_pairs_need_indices_of_one_length():
    with pytest.raises(ValueError, match="one length"):
        hamming_distances(np.zeros((3, 1), np.uint64), [0, 1], [0])


# ---------------------------------------------------------------------------------------- cosine


def embeddings(rng, n, width=12):
    """Clustered directions of very different lengths, with copies and zeros."""
    centres = rng.normal(size=(6, width))
    vectors = centres[rng.integers(6, size=n)] + rng.normal(0, 0.2, (n, width))
    vectors *= 10.0 ** rng.integers(-200, 150, (n, 1))
    vectors[n // 2 : n // 2 + 3] = 0
    vectors[-n // 6 :] = vectors[: len(vectors[-n // 6 :])] * 3
    return vectors


def shortened(vectors):
    """Vectors whose squares neither overflow nor vanish."""
    return vectors / np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-300)


def every_pair(n, m):
    return (part.ravel() for part in np.indices((n, m)))


@pytest.mark.parametrize("n", [1, 2, 50, 300])
@pytest.mark.parametrize("max_distance", [0, 0.02, 0.3, 1, 2])
def test_cosine_pairs_are_exactly_those_of_the_float64_distances(n, max_distance):
    rng = np.random.default_rng(n)
    vectors, others = embeddings(rng, n), embeddings(rng, 60)
    for right in (None, others):
        i, j = every_pair(n, n if right is None else len(right))
        if right is None:
            i, j = i[i < j], j[i < j]
        distance = cosine_distances(vectors, i, j, right)
        near = distance <= max_distance
        expected = Pairs(i[near], j[near], distance[near])
        assert_pairs_equal(cosine_pairs(vectors, max_distance, right), expected)
        small = _cosine._iter_pairs(vectors, max_distance, right, rows=7, columns=31)
        assert_pairs_equal(_cosine.sorted_pairs(small, np.float64), expected)


def test_cosine_pairs_are_exact_where_float32_cannot_tell():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=64) + rng.normal(0, 1e-3, (200, 64))
    i, j = np.triu_indices(200, 1)
    distances = cosine_distances(vectors, i, j)
    limit = float(np.sort(distances)[len(distances) // 2])  # one of the distances: it is kept
    found = cosine_pairs(vectors, limit)
    assert len(found.i) == len(distances) // 2 + 1
    assert found.distance.max() == limit


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_cosine_distances_equal_plain_loops(seed, width):
    rng = np.random.default_rng(seed)
    vectors, others = rng.normal(size=(6, width)), rng.integers(-1, 2, (5, width))
    i, j = every_pair(6, 5)
    expected = [naive.cosine(vectors[a], others[b]) for a, b in zip(i, j, strict=True)]
    np.testing.assert_allclose(cosine_distances(vectors, i, j, others), expected, atol=1e-14)


@given(st.integers(0, 2**32 - 1), st.floats(0, 2), st.integers(1, 30), st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_cosine_pairs_are_symmetric_scale_free_and_follow_a_permutation(seed, limit, n, m):
    rng = np.random.default_rng(seed)
    vectors, others = embeddings(rng, n), embeddings(rng, m)
    forth = cosine_pairs(vectors, limit, others)
    back = cosine_pairs(others, limit, vectors)
    assert sorted(zip(back.j, back.i, back.distance, strict=True)) == as_list(forth)
    assert_pairs_equal(cosine_pairs(vectors * 0.25, limit, others * 8), forth)
    place = rng.permutation(n)
    shuffled = cosine_pairs(vectors[place], limit)
    pairs = [(*sorted((place[i], place[j])), d) for i, j, d in zip(*shuffled, strict=True)]
    assert sorted(pairs) == as_list(cosine_pairs(vectors, limit))


def test_equal_and_scaled_vectors_are_at_zero_and_zero_vectors_match_nothing():
    vector = np.random.default_rng(0).normal(size=100)
    found = cosine_pairs([vector, vector, 0 * vector, 4 * vector, 0 * vector], 0)
    assert as_list(found) == [(0, 1, 0.0), (0, 3, 0.0), (1, 3, 0.0)]
    assert np.isnan(cosine_distances([vector, 0 * vector], [0, 1], [1, 1])).all()


def test_chunks_of_cosine_pairs_hold_each_pair_once():
    vectors = embeddings(np.random.default_rng(0), 200)
    chunks = list(iter_cosine_pairs(vectors, 2))
    assert len({(i, j) for chunk in chunks for i, j, _ in as_list(chunk)}) == 197 * 196 // 2
    assert sum(len(chunk.i) for chunk in chunks) == 197 * 196 // 2


@pytest.mark.parametrize("others", [None, 40, 90])
def test_cosine_histogram_counts_plain_distances(others):
    rng = np.random.default_rng(0)
    vectors = embeddings(rng, 90)
    right = None if others is None else embeddings(rng, others)
    edges = np.sort(rng.uniform(0, 1.8, 9))
    distances = naive.distances_between(
        shortened(vectors), None if right is None else shortened(right), naive.cosine
    )
    assert np.abs(np.subtract.outer(distances, edges)[~np.isnan(distances)]).min() > 1e-5
    expected = np.histogram(np.array(distances)[~np.isnan(distances)], edges)[0]
    np.testing.assert_array_equal(cosine_histogram(vectors, edges, right), expected)


def test_wrong_vectors_are_refused():
    with pytest.raises(ValueError, match="finite"):
        cosine_pairs([[1.0, np.nan]], 0.5)
    with pytest.raises(ValueError, match="max_distance"):
        iter_cosine_pairs([[1.0]], np.nan)
    with pytest.raises(ValueError, match="shape"):
        cosine_pairs([1.0, 2.0], 0.5)
    with pytest.raises(ValueError, match="number of features"):
        cosine_pairs([[1.0, 2.0]], 0.5, [[1.0]])
    with pytest.raises(ValueError, match="edges"):
        cosine_histogram([[1.0, 2.0]], [1, 0])


# ----------------------------------------------------------------------------------------- faiss


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the types that swig generates
@pytest.mark.parametrize("m", [None, 4000])
def test_faiss_finds_nearly_all_pairs_each_once_at_exact_distances(m):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6000, 16))
    vectors[1::2] = vectors[::2] + rng.normal(0, 0.1, (3000, 16))
    vectors[7:10] = 0
    others = None if m is None else vectors[rng.integers(6000, size=m)] * 2
    exact = {pair[:2]: pair[2] for pair in as_list(cosine_pairs(vectors, 0.05, others))}
    found = as_list(cosine_pairs(vectors, 0.05, others, index="faiss"))
    assert len({pair[:2] for pair in found}) == len(found)
    assert all(exact[pair[:2]] == pair[2] for pair in found)
    assert len(found) >= 0.98 * len(exact) > 1000


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("n", [0, 1, 3, 60])
def test_faiss_is_exact_where_all_cells_are_searched(n):
    pytest.importorskip("faiss")
    vectors = np.random.default_rng(0).normal(size=(n, 5))
    for others in (None, vectors[::2], vectors[:0]):
        approximate = cosine_pairs(vectors, 0.5, others, index="faiss")
        assert_pairs_equal(approximate, cosine_pairs(vectors, 0.5, others))


def test_a_missing_faiss_is_told_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"imagequality\[faiss\]"):
        iter_cosine_pairs([[1.0]], 0.5, index="faiss")
    with pytest.raises(ValueError, match="index"):
        iter_cosine_pairs([[1.0]], 0.5, index="annoy")
