"""Several kinds of evidence at once."""

from __future__ import annotations

import pickle

import naive
import numpy as np
import pandas as pd
import pytest
from duplicate_tables import Embedder, groups_of, random_collection
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import imagequality as iq


def by_hash(**parameters):
    return iq.NearDuplicateDetector(hash="phash", distance=6, **parameters)


def by_vector(**parameters):
    return iq.SemanticDuplicateDetector(Embedder(), distance=0.05, **parameters)


def united(*detectors, **parameters):
    named = [(f"part{number}", detector) for number, detector in enumerate(detectors)]
    return iq.DuplicateDetector(named, **parameters)


def with_vectors(seed, n):
    table, _ = random_collection(seed, n)
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n // 3 + 1, 6))
    vectors = centres[rng.integers(len(centres), size=n)] + rng.normal(0, 0.1, (n, 6))
    row_of = dict(zip(table["pixel_digest"], range(n), strict=True))  # one vector per content
    table["embedding"] = [
        None if digest is None else vectors[row_of[digest]].astype(np.float32)
        for digest in table["pixel_digest"].where(table["pixel_digest"].notna(), None)
    ]
    return table


@given(st.integers(0, 2**32 - 1), st.integers(2, 35))
@settings(max_examples=25, deadline=None)
def test_groups_are_what_the_links_of_all_parts_join(seed, n):
    table = with_vectors(seed, n)
    parts = [by_hash(), by_vector(), iq.ExactDuplicateDetector()]
    detector = united(*parts).fit(table)
    links = []
    for part in parts:
        found = part.fit(table).pairs_
        links += found[["i", "j"]].to_numpy().tolist()
        assert len(found.merge(detector.pairs_)) == len(found)
    together = naive.joined_labels(n, links)
    assert groups_of(detector.labels_) == {g for g in groups_of(together) if len(g) > 1}
    assert set(detector.distances_) == {"phash", "embedding"}
    # Shares of what is allowed: linked directly or not, no step is longer than 1.
    assert (detector.groups_["weakest_link"] <= 1).all()
    assert (detector.groups_["diameter"] >= detector.groups_["weakest_link"]).all()
    within = detector.groups_["size"] == 2
    assert (detector.groups_.loc[within, "diameter"] <= 1).all()


def test_one_detector_alone_finds_the_same():
    table = with_vectors(1, 40)
    for part in (by_hash(), by_hash(method="complete_linkage"), iq.ExactDuplicateDetector()):
        alone, inside = clone(part).fit(table), united(part).fit(table)
        assert groups_of(inside.labels_) == groups_of(alone.labels_)
        assert inside.pairs_[["i", "j", "distance"]].equals(alone.pairs_[["i", "j", "distance"]])


def test_matches_come_from_every_part():
    table = with_vectors(3, 40)
    fitted, new = table.iloc[:30], table.iloc[30:]
    parts = [by_hash(), by_vector()]
    expected = pd.concat([part.fit(fitted).find_matches(new) for part in parts])
    matches = united(*parts).fit(fitted).find_matches(new)
    assert {*matches.itertuples(index=False)} == {*expected.itertuples(index=False)}
    assert set(matches["kind"]) <= {"exact", "phash", "embedding"}


def test_parameters_nest():
    detector = iq.DuplicateDetector()
    assert detector.get_params()["near__views"] == "mirror"
    detector.set_params(near__distance=3, semantic=iq.SemanticDuplicateDetector(n_components=5))
    copy = clone(detector)
    assert copy.get_params()["near__distance"] == 3
    assert copy.get_params()["semantic__n_components"] == 5
    assert iq.DuplicateDetector().get_params()["near__distance"] == "auto"
    pipeline = iq.QualityPipeline([("copies", iq.DuplicateDetector())])
    pipeline.set_params(copies__near__distance=7, copies__keep="first")
    assert clone(pipeline).get_params()["copies__near__distance"] == 7
    assert clone(pipeline).get_params()["copies__keep"] == "first"


def test_a_parameter_that_is_refused_changes_nothing():
    detector = iq.DuplicateDetector()
    for name in ("nope", "near__nope", "far__distance"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            detector.set_params(**{name: 1})
        assert detector.detectors is None


@pytest.mark.parametrize(
    ("detectors", "message"),
    [
        ([], "at least one is needed"),
        (["near"], r"\(name, detector\) pairs"),
        ([(1, by_hash())], r"\(name, detector\) pairs"),
        ([("a", "drop")], "'a' must be a detector of exact, near or semantic"),
        ([("a", iq.BlurDetector())], "'a' must be a detector of exact, near or semantic"),
        ([("a", iq.OutlierDetector())], "'a' must be a detector of exact, near or semantic"),
        ([("a", iq.DuplicateDetector())], "'a' must be a detector of exact, near or semantic"),
        ([("a", by_hash()), ("a", by_vector())], "not unique"),
        ([("a", iq.NearDuplicateDetector(hash="md5"))], "'hash'"),
        ([("a__b", by_hash())], "must not contain __"),
        (3, "'detectors'"),
    ],
)
def test_bad_detectors_are_named(detectors, message):
    images = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
    with pytest.raises((ValueError, TypeError), match=message):
        iq.DuplicateDetector(detectors).fit(images)


def test_pickling():
    table = with_vectors(4, 30)
    detector = united(by_hash(), by_vector(), keep="first").fit(table)
    loaded = pickle.loads(pickle.dumps(detector))
    pd.testing.assert_frame_equal(loaded.find_matches(table), detector.find_matches(table))
    np.testing.assert_array_equal(loaded.score_samples(table), detector.score_samples(table))
