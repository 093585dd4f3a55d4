"""Labels, pairs, groups and scores of the duplicate detectors agree, and with brute force."""

from __future__ import annotations

import pickle

import naive
import numpy as np
import pandas as pd
import pytest
from duplicate_tables import Embedder, groups_of, hash_table, random_collection
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.base import clone
from sklearn.decomposition import PCA

import imagequality as iq
from imagequality.measurements import column_name

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def near(method="single_linkage", distance=6, **parameters):
    return iq.NearDuplicateDetector(method, hash="phash", distance=distance, **parameters)


def semantic(**parameters):
    return iq.SemanticDuplicateDetector(Embedder(), **parameters)


def vector_table(vectors, digests=None):
    n = len(vectors)
    return pd.DataFrame(
        {
            "embedding": list(vectors),
            "pixel_digest": digests or [f"digest {k}" for k in range(n)],
            "size": 1.0,
            "file_size": 1.0,
        }
    )


def random_vectors(seed, n, d=8):
    """Vectors in clusters of cosine distances around 0.04, and their matrix."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n // 4 + 1, d))
    vectors = centres[rng.integers(len(centres), size=n)] + rng.normal(0, 0.15, (n, d))
    vectors = vectors.astype(np.float32)
    return vectors, squareform(pdist(vectors.astype(float), "cosine"))


def check_consistency(detector, table, matrix=None):
    labels, pairs, groups = detector.labels_, detector.pairs_, detector.groups_
    n = len(table)
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    assert (i < j).all()
    assert pairs.equals(pairs.sort_values(["i", "j", "distance"], ignore_index=True))
    assert not pairs.duplicated(["i", "j", "kind"]).any()
    assert (labels[i] == labels[j]).all()
    assert (labels[i] >= 0).all()
    together = naive.joined_labels(n, zip(i.tolist(), j.tolist(), strict=True))
    assert {group for group in groups_of(together) if len(group) > 1} == groups_of(labels)

    grouped = labels[labels >= 0].tolist()
    assert groups["group"].tolist() == list(dict.fromkeys(grouped))  # by first appearance
    digests = table["pixel_digest"]
    scores = detector.score_samples(table)
    for row in groups.to_dict("records"):
        members = np.flatnonzero(labels == row["group"])
        assert row["size"] == len(members) > 1
        assert row["contents"] == digests.iloc[members].nunique()
        assert np.flatnonzero(detector.keep_ & (labels == row["group"])).tolist() == [row["kept"]]
        assert (scores[members] == 1 / len(members)).all()
        if matrix is not None:
            diameter, weakest = naive.cluster_extent(matrix.tolist(), members.tolist())
            assert row["diameter"] == pytest.approx(diameter, abs=1e-5)
            assert row["weakest_link"] == pytest.approx(weakest, abs=1e-5)
            assert row["diameter_exact"]
    assert detector.keep_[labels < 0].all()
    unreadable = digests.isna().to_numpy()
    assert np.isnan(scores[unreadable]).all()
    assert (labels[unreadable] == -1).all()
    assert (scores[(labels < 0) & ~unreadable] == 1).all()
    assert (detector.predict(table) == (labels >= 0)).all()
    if matrix is not None:
        np.testing.assert_allclose(pairs["distance"], matrix[i, j], atol=1e-5)


# -------------------------------------------------------------------------- hashes, made by hand


@given(SEEDS, st.integers(2, 40), st.integers(0, 12))
@few
def test_single_linkage_equals_scipys(seed, n, distance):
    table, matrix = random_collection(seed, n)
    detector = near(distance=distance).fit(table)
    check_consistency(detector, table, matrix)
    theirs = fcluster(linkage(squareform(matrix), "single"), distance, "distance")
    assert groups_of(detector.labels_) == {g for g in groups_of(theirs) if len(g) > 1}
    within = [(i, j) for i in range(n) for j in range(i + 1, n) if matrix[i, j] <= distance]
    assert [(i, j) for i, j in detector.pairs_[["i", "j"]].to_numpy().tolist()] == within


def test_single_linkage_equals_scipys_on_300_rows():
    table, matrix = random_collection(0, 300)
    detector = near(distance=7).fit(table)
    theirs = fcluster(linkage(squareform(matrix), "single"), 7, "distance")
    assert groups_of(detector.labels_) == {g for g in groups_of(theirs) if len(g) > 1}
    check_consistency(detector, table)


@given(SEEDS, st.integers(2, 40), st.integers(0, 12))
@few
def test_complete_linkage_joins_only_what_is_all_near(seed, n, distance):
    table, matrix = random_collection(seed, n)
    detector = near("complete_linkage", distance).fit(table)
    check_consistency(detector, table, matrix)
    assert (detector.groups_["diameter"] <= distance).all()
    single = near(distance=distance).fit(table)
    for group in groups_of(detector.labels_):
        assert len(set(single.labels_[list(group)])) == 1
    # No two groups could be one.
    groups = [
        *groups_of(detector.labels_),
        *({int(k)} for k in np.flatnonzero(detector.labels_ < 0)),
    ]
    readable = table["pixel_digest"].notna().to_numpy()
    groups = [list(group) for group in groups if readable[list(group)].all()]
    for a, one in enumerate(groups):
        for other in groups[:a]:
            assert matrix[np.ix_(one, other)].max() > distance


@given(SEEDS, st.integers(2, 40))
@few
def test_identical_rule_joins_equal_hashes_of_unequal_pixels(seed, n):
    table, _ = random_collection(seed, n)
    detector = near("identical").fit(table)
    check_consistency(detector, table)
    says_something = table["phash"].notna() & (table["hash_contrast"] >= 2)
    expected = set()
    for value in set(table["phash"][says_something]):
        rows = np.flatnonzero((table["phash"] == value) & says_something)
        if len(set(table["pixel_digest"].iloc[rows])) > 1:
            expected.add(frozenset(rows.tolist()))
    assert groups_of(detector.labels_) == expected


@given(SEEDS, st.integers(2, 40), st.sampled_from(["single_linkage", "identical"]))
@few
def test_the_order_of_the_images_does_not_matter(seed, n, method):
    table, _ = random_collection(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    groups = groups_of(near(method).fit(table).labels_, table.index)
    shuffled = table.iloc[order]
    assert groups_of(near(method).fit(shuffled).labels_, shuffled.index) == groups


@given(SEEDS, st.integers(2, 30), st.sampled_from(["single_linkage", "complete_linkage"]))
@few
def test_an_unrelated_image_changes_no_group(seed, n, method):
    table, _ = random_collection(seed, n)
    stranger = hash_table(np.random.default_rng(seed + 1).random((1, 64)) < 0.5, ["alone"])
    larger = pd.concat([table, stranger.rename(index={"0.png": "stranger.png"})])
    before, after = near(method).fit(table), near(method).fit(larger)
    assert after.labels_.tolist() == [*before.labels_, -1]
    assert after.pairs_.equals(before.pairs_)


def test_flat_images_and_images_without_a_hash_match_by_pixels_only():
    table = hash_table(np.zeros((6, 64), bool), [*"aabcde"])
    table["hash_contrast"] = [1.9, 1.9, 1.9, 2.0, 50.0, 50.0]
    table.loc["5.png", "phash"] = None
    detector = near().fit(table)
    assert detector.labels_.tolist() == [0, 0, -1, 1, 1, -1]
    assert set(detector.pairs_["kind"]) == {"exact", "phash"}


def test_hdbscan_finds_dense_groups_of_hashes():
    rng = np.random.default_rng(0)
    bits = rng.random((40, 64)) < 0.5
    bits[1], bits[11] = bits[0], bits[10]
    bits[1, 0] ^= True
    table = hash_table(bits)
    detector = near("hdbscan", "auto").fit(table)
    check_consistency(detector, table)
    assert detector.labels_[0] == detector.labels_[1] >= 0
    assert detector.labels_[10] == detector.labels_[11] >= 0


# ------------------------------------------------------------------------- vectors, made by hand


@given(SEEDS, st.integers(2, 40), st.sampled_from([0.005, 0.02, 0.1]))
@few
def test_vectors_in_a_table_of_the_users(seed, n, distance):
    vectors, matrix = random_vectors(seed, n)
    table = vector_table(vectors)
    detector = semantic(distance=distance).fit(table)
    check_consistency(detector, table, matrix)
    theirs = fcluster(linkage(squareform(matrix), "single"), distance, "distance")
    assert groups_of(detector.labels_) == {g for g in groups_of(theirs) if len(g) > 1}
    complete = semantic(distance=distance, method="complete_linkage").fit(table)
    check_consistency(complete, table, matrix)
    assert (complete.groups_["diameter"] <= distance + 1e-6).all()


@given(SEEDS, st.integers(2, 40))
@few
def test_fastdups_rule_joins_nearest_neighbours_above_a_similarity(seed, n):
    vectors, matrix = random_vectors(seed, n)
    table = vector_table(vectors)
    detector = semantic(method="fastdup").fit(table)
    expected = naive.components_among_nearest(matrix.tolist(), 0.04, 2)
    assert groups_of(detector.labels_) == {g for g in groups_of(expected) if len(g) > 1}
    check_consistency(detector, table)


def test_a_zero_vector_and_a_missing_one_match_by_pixels_only():
    vectors = [np.zeros(3), np.zeros(3), np.zeros(3), np.ones(3), 2 * np.ones(3), None]
    table = vector_table(
        [None if v is None else v.astype(np.float32) for v in vectors], [*"aabcde"]
    )
    assert semantic(distance=0.1).fit(table).labels_.tolist() == [0, 0, -1, 1, 1, -1]
    alone = table.iloc[[0, 2, 5]]
    assert semantic().fit(alone).labels_.tolist() == [-1, -1, -1]
    assert len(semantic().fit(alone).find_matches(table.iloc[3:])) == 1  # the one without a vector


def test_principal_components_are_compared_when_asked_for():
    vectors, _ = random_vectors(1, 30)
    table = vector_table(vectors)
    detector = semantic(distance=0.05, n_components=3).fit(table)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    reduced = PCA(3).fit_transform(unit.astype(float))
    matrix = squareform(pdist(reduced, "cosine"))
    theirs = fcluster(linkage(squareform(matrix), "single"), 0.05, "distance")
    assert groups_of(detector.labels_) == {g for g in groups_of(theirs) if len(g) > 1}
    assert detector.pca_.n_components_ == 3
    matches = detector.find_matches(vector_table(vectors[:5], [f"new {k}" for k in range(5)]))
    assert {(k, k) for k in range(5)} <= {*zip(matches["i"], matches["j"], strict=True)}
    assert semantic(n_components=100).fit(table).pca_.n_components_ == 8  # all there are
    assert semantic().fit(table).pca_ is None


def test_hdbscan_finds_dense_groups_of_vectors():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8))
    vectors[1] = vectors[0] + 0.001
    table = vector_table(vectors.astype(np.float32))
    detector = semantic(method="hdbscan").fit(table)
    check_consistency(detector, table)
    assert detector.labels_[0] == detector.labels_[1] >= 0


# ------------------------------------------------------------------------------------- new images


@given(SEEDS, st.integers(1, 25), st.integers(1, 10), st.integers(0, 10))
@few
def test_matches_of_new_images_are_all_that_lie_within_the_distance(seed, n, n_new, distance):
    table, matrix = random_collection(seed, n + n_new)
    fitted, new = table.iloc[:n], table.iloc[n:]
    detector = near(distance=distance).fit(fitted)
    matches = detector.find_matches(new)
    readable = table["pixel_digest"].notna().to_numpy()
    expected = [
        (i, j, matrix[n + i, j])
        for i in range(n_new)
        for j in range(n)
        if matrix[n + i, j] <= distance and readable[n + i] and readable[j]
    ]
    expected.sort(key=lambda match: (match[0], match[2], match[1]))
    assert [*zip(matches["i"], matches["j"], matches["distance"], strict=True)] == expected
    digests = table["pixel_digest"].to_numpy()
    is_exact = digests[n + matches["i"].to_numpy()] == digests[matches["j"].to_numpy()]
    assert ((matches["kind"] == "exact") == is_exact).all()
    assert matches.dtypes.tolist() == near().fit(fitted).find_matches(new.iloc[:1]).dtypes.tolist()


def test_scores_of_new_images_are_those_of_the_contents_they_repeat():
    table, _ = random_collection(5, 30)
    detector = near().fit(table)
    new = hash_table(np.zeros((2, 64), bool), ["never seen", None])
    assert detector.score_samples(new)[0] == 1
    assert np.isnan(detector.score_samples(new)[1])
    np.testing.assert_array_equal(
        detector.score_samples(table.iloc[::-1]), detector.score_samples(table)[::-1]
    )


# -------------------------------------------------------------------------------------- contract


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (near(distance=-1), "'distance'"),
        (near(distance="far"), "'distance'"),
        (near("average"), "'method'"),
        (iq.NearDuplicateDetector(hash="md5"), "'hash'"),
        (near(views="upside down"), "'views'"),
        (near(keep="last"), "'keep'"),
        (iq.ExactDuplicateDetector(keep=3), "'keep'"),
        (iq.NearDuplicateDetector(hash="colorhash", views="mirror"), "a hash of colours has no"),
        (semantic(views="mirror"), "needs the descriptor"),
        (semantic(n_components=0), "'n_components'"),
        (semantic(method="identical"), "'method'"),
        (iq.SemanticDuplicateDetector(embedder="clip"), "'clip'"),
    ],
)
def test_bad_parameters_are_named(detector, message):
    images = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match=message):
        detector.fit(images)


@pytest.mark.parametrize("column", ["phash", "pixel_digest", "hash_contrast"])
def test_a_column_that_is_missing_is_named(column):
    table = hash_table(np.zeros((3, 64), bool)).drop(columns=column)
    with pytest.raises(ValueError, match=f"lacks '{column}'"):
        near().fit(table)


@pytest.mark.parametrize("method", ["single_linkage", "complete_linkage", "hdbscan", "identical"])
def test_pickled_detectors_find_the_same(method):
    table, _ = random_collection(2, 30)
    detector = near(method).fit(table)
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(loaded.score_samples(table), detector.score_samples(table))
    pd.testing.assert_frame_equal(loaded.find_matches(table), detector.find_matches(table))
    fresh = clone(detector)
    assert not hasattr(fresh, "labels_")
    assert fresh.fit(table).pairs_.equals(detector.pairs_)


@pytest.mark.parametrize(
    "make", [near, semantic, lambda: iq.OutlierDetector(Embedder()), iq.DuplicateDetector]
)
def test_nothing_readable(make):
    table = pd.concat([hash_table(np.zeros((3, 64), bool)), vector_table(np.ones((3, 2)))[:0]])
    table[["phash", "pixel_digest", "embedding"]] = None
    detector = make()
    for column in detector._columns():
        if column_name(column) not in table:
            table[column_name(column)] = None
    detector.fit(table)
    assert np.isnan(detector.score_samples(table)).all()
    assert not detector.predict(table).any()
    if hasattr(detector, "labels_"):
        assert detector.labels_.tolist() == [-1] * 3
        assert len(detector.pairs_) == len(detector.groups_) == 0
        assert len(detector.find_matches(table)) == 0
        assert detector.keep_.all()
