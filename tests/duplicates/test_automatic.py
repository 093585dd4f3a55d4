"""The distance that is chosen by itself, views and embedders, on images."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from duplicate_tables import Embedder, groups_of
from sklearn.base import BaseEstimator, TransformerMixin, clone

import imagequality as iq
from imagequality.datasets import make_flawed_images
from imagequality.measurements import ALL_COLUMNS, VIEWS

AUTOMATIC = [
    iq.NearDuplicateDetector(),
    iq.NearDuplicateDetector("complete_linkage"),
    iq.NearDuplicateDetector(hash="phash"),
    iq.NearDuplicateDetector(hash="dhash_256"),
    iq.NearDuplicateDetector(views="mirror"),
    iq.NearDuplicateDetector(views="all"),
    iq.SemanticDuplicateDetector(),
    iq.SemanticDuplicateDetector(views="mirror"),
    iq.SemanticDuplicateDetector(views="all"),
    iq.DuplicateDetector(),
]
N = 300
COPIED = np.arange(0, N, 8)  # 12 % of the images


@pytest.fixture(scope="module")
def crops():
    return list(make_flawed_images(N, issues=[], contamination=0, size=48, random_state=3)[0])


@pytest.fixture(scope="module")
def table(crops):
    """The measurements of all crops, then of brighter copies of an eighth of them."""
    brighter = [np.clip(crops[row] * 0.85 + 25, 0, 255).astype(np.uint8) for row in COPIED]
    return iq.measure([*crops, *brighter], columns=ALL_COLUMNS)


@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_a_collection_without_duplicates_reports_none(detector, table):
    assert clone(detector).fit(table.iloc[:N]).labels_.max() == -1


@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_brighter_copies_are_found_and_nothing_else(detector, table):
    fitted = clone(detector).fit(table)
    planted = {frozenset({int(row), N + k}) for k, row in enumerate(COPIED)}
    found = groups_of(fitted.labels_)
    assert len(found & planted) >= 0.8 * len(planted)
    assert len(found - planted) <= 0.05 * len(planted)  # a chance pair or two may be allowed


@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_another_order_gives_the_same_groups(detector, table):
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = table.iloc[order]
    first, second = clone(detector).fit(table), clone(detector).fit(shuffled)
    names = table.index.to_numpy()
    assert groups_of(second.labels_, names[order]) == groups_of(first.labels_, names)
    assert second.distances_ == first.distances_


@pytest.mark.parametrize("n", [1, 2, 3, 10])
@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_a_few_images_are_told_apart_and_a_copy_is_found(detector, n, crops):
    images = crops[:n]
    assert clone(detector).fit(images).labels_.tolist() == [-1] * n
    brighter = np.clip(images[0] * 0.95 + 8, 0, 255).astype(np.uint8)
    assert groups_of(clone(detector).fit([*images, brighter]).labels_) == {frozenset({0, n})}
    assert groups_of(clone(detector).fit([*images, images[0]]).labels_) == {frozenset({0, n})}
    matches = clone(detector).fit(images).find_matches([images[0]])
    assert matches[["i", "j", "kind"]].to_numpy().tolist() == [[0, 0, "exact"]]


@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_new_images_find_what_they_repeat(detector, crops, table):
    fitted = clone(detector).fit(table.iloc[:N])
    matches = fitted.find_matches(table.iloc[N:])
    found = {*zip(matches["i"], matches["j"], strict=True)}
    planted = {(k, int(row)) for k, row in enumerate(COPIED)}
    assert len(found & planted) >= 0.8 * len(planted)
    assert len(found - planted) <= 0.1 * len(planted)


@pytest.mark.parametrize("detector", AUTOMATIC, ids=repr)
def test_copies_of_one_image_are_one_group(detector, crops):
    fitted = clone(detector).fit([crops[0]] * 12)
    assert fitted.labels_.tolist() == [0] * 12
    assert fitted.keep_.tolist() == [True] + [False] * 11


# ----------------------------------------------------------------------------------------- views


def by_near(distance):
    return iq.NearDuplicateDetector(distance=distance if distance == "auto" else 20)


def by_descriptor(distance):
    return iq.SemanticDuplicateDetector(distance=distance if distance == "auto" else 0.01)


@pytest.mark.parametrize("make", [by_near, by_descriptor])
@pytest.mark.parametrize("distance", ["auto", "fixed"])
@pytest.mark.parametrize("number", range(1, 8))
def test_flips_and_turns_are_found_where_they_are_looked_for(make, distance, number, crops):
    turned = [np.ascontiguousarray(VIEWS[number].of(image)) for image in crops[:15]]
    images = [*crops[:120], *turned]
    planted = {frozenset({row, 120 + row}) for row in range(15)}
    for views, shown in (("identity", []), ("mirror", [1]), ("all", range(8))):
        detector = make(distance).set_params(views=views).fit(images)
        found = groups_of(detector.labels_)
        if number in shown:
            assert len(found & planted) >= 14
            limits = [limit for limit in detector.distances_.values() if limit is not None]
            assert (detector.groups_["diameter"] <= max(limits) + 1e-6).all()  # either way round
        assert len(found - planted) <= 1


@pytest.mark.parametrize("make", [by_near, by_descriptor])
@pytest.mark.parametrize("number", range(8))
def test_new_images_are_found_in_every_view(make, number, crops):
    detector = make("fixed").set_params(views="all").fit(crops[:40])
    turned = np.ascontiguousarray(VIEWS[number].of(crops[7])) ^ np.uint8(1)
    matches = detector.find_matches([turned])
    assert matches[["i", "j"]].to_numpy().tolist() == [[0, 7]]


# ------------------------------------------------------------------------------------- embedders


class Centred(TransformerMixin, BaseEstimator):
    """A transformer that must be fitted, as scikit-learn's are."""

    def fit(self, images, y=None):
        self.mean_ = np.mean(Embedder().transform(images), axis=0)
        return self

    def transform(self, images):
        return np.array(Embedder().transform(images)) - self.mean_


@pytest.fixture(params=["plain", "fitted"])
def embedder(request, crops):
    return Embedder() if request.param == "plain" else Centred().fit(crops)


def test_an_embedder_works_wherever_the_detector_is_cloned(embedder, crops):
    images = [*crops[:30], np.clip(crops[4] + 1.0, 0, 255).astype(np.uint8)]
    detector = iq.SemanticDuplicateDetector(embedder, distance=0.001)
    expected = detector.fit(images)
    assert groups_of(expected.labels_) == {frozenset({4, 30})}
    assert clone(detector).embedder is embedder
    pipeline = iq.QualityPipeline(
        [("copies", detector), ("outlier", iq.OutlierDetector(embedder, threshold=0.0))],
        progress=False,
    ).fit(images)
    assert pipeline.named_detectors_["copies"].pairs_.equals(expected.pairs_)
    np.testing.assert_array_equal(pipeline.predict(images), expected.predict(images))
    assert iq.find_leaks(images[:30], images[30:], detector)["train"].tolist() == [4]
    united = iq.DuplicateDetector([("vectors", detector)]).fit(images)
    assert groups_of(united.labels_) == {frozenset({4, 30})}
    assert iq.DropDuplicates(detector).fit(images).sample_indices_.tolist() == list(range(30))
    loaded = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(loaded.predict(images), pipeline.predict(images))


def test_set_output_survives_the_clone(embedder):
    detector = iq.SemanticDuplicateDetector(embedder).set_output(transform="pandas")
    assert clone(detector)._sklearn_output_config == detector._sklearn_output_config
    assert not hasattr(clone(detector), "labels_")
