"""Images unlike all others, against brute force."""

from __future__ import annotations

import pickle

import naive
import numpy as np
import pandas as pd
import pytest
from duplicate_tables import Embedder
from hypothesis import given, settings
from hypothesis import strategies as st

import imagequality as iq


def table_of(vectors):
    return pd.DataFrame({"embedding": list(vectors)})


def detector_of(n_neighbors=10):
    return iq.OutlierDetector(Embedder(), n_neighbors=n_neighbors)


@given(st.integers(0, 2**32 - 1), st.integers(2, 20), st.integers(1, 25))
@settings(max_examples=25, deadline=None)
def test_scores_of_fitted_and_new_images(seed, n, n_neighbors):
    vectors = np.random.default_rng(seed).normal(size=(n + 3, 5)).astype(np.float32)
    fitted, new = vectors[:n], vectors[n:]
    detector = detector_of(n_neighbors).fit(table_of(fitted))
    expected = [
        naive.neighbour_score(vector, np.delete(fitted, row, axis=0), n_neighbors)
        for row, vector in enumerate(fitted)
    ]
    np.testing.assert_allclose(detector.score_samples(table_of(fitted)), expected, atol=1e-6)
    expected = [naive.neighbour_score(vector, fitted, n_neighbors) for vector in new]
    np.testing.assert_allclose(detector.score_samples(table_of(new)), expected, atol=1e-6)
    # A query that equals a fitted image scores as that image, whatever is asked beside it.
    mixed = detector.score_samples(table_of([new[0], fitted[1]]))
    assert mixed[1] == detector.score_samples(table_of(fitted))[1]


def test_a_copy_counts_as_a_neighbour():
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    scores = detector_of(1).fit(table_of(vectors)).score_samples(table_of(vectors))
    np.testing.assert_allclose(scores, [1, 1, 0.5, 0.5])


@pytest.mark.parametrize("vectors", [[None], [None, None], [np.ones(3)], [np.ones(3), None]])
def test_where_there_is_no_other_image_none_is_an_outlier(vectors):
    detector = detector_of().fit(table_of(vectors))
    expected = [np.nan if vector is None else 1 for vector in vectors]
    np.testing.assert_array_equal(detector.score_samples(table_of(vectors)), expected)
    assert not detector.predict(table_of([np.ones(3), None])).any()


def test_images_that_cannot_be_read_are_not_judged(clean):
    collection = [*clean[:20], b"broken"]
    detector = iq.OutlierDetector().fit(collection)
    scores = detector.score_samples(collection)
    assert np.isnan(scores[-1])
    without = iq.OutlierDetector().fit(collection[:-1]).score_samples(collection[:-1])
    np.testing.assert_array_equal(scores[:-1], without)


def test_an_embedder_and_its_column_are_one(clean):
    images = list(clean[:15])
    vectors = Embedder().transform(images)
    by_images = detector_of().fit(images)
    by_table = detector_of().fit(table_of(vectors))
    np.testing.assert_array_equal(
        by_images.score_samples(images), by_table.score_samples(table_of(vectors))
    )
    loaded = pickle.loads(pickle.dumps(by_images))
    np.testing.assert_array_equal(loaded.predict(images), by_images.predict(images))


def test_bad_parameters_are_named(clean):
    for detector in (detector_of(0), detector_of(1.5)):
        with pytest.raises(ValueError, match="'n_neighbors'"):
            detector.fit(clean[:3])
    with pytest.raises(ValueError, match="'embedder'"):
        iq.OutlierDetector("clip").fit(clean[:3])
