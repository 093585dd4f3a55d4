"""What first users of the duplicate detectors ran into."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

import imagequality as iq
from imagequality.datasets import make_flawed_images
from imagequality.duplicates import _linked


@pytest.fixture(scope="module")
def photos():
    return list(make_flawed_images(150, size=64, contamination=0, random_state=0)[0])


def jpeg(image, quality=50):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def flat(level):
    return np.full((64, 64, 3), level, np.uint8)


def pairs_found(detector, n, copies):
    labels = detector.labels_
    return sum(labels[row] >= 0 and labels[row] == labels[n + row] for row in range(copies))


def test_flat_images_neither_match_nor_hide_copies(photos):
    copies = [jpeg(photo) for photo in photos[:15]]
    flats = [flat(level) for level in (0, 60, 128, 200, 255)]
    detector = iq.SemanticDuplicateDetector()
    alone = pairs_found(detector.fit([*photos, *copies]), 150, 15)
    together = detector.fit([*photos, *copies, *flats])
    assert pairs_found(together, 150, 15) == alone >= 10
    assert together.labels_[-5:].max() == -1
    assert iq.SemanticDuplicateDetector(distance=0.05).fit(flats).labels_.max() == -1


@pytest.mark.parametrize("shape", ["ellipse", "rectangle"])
def test_symmetric_images_with_copies_do_not_hide_others(photos, shape):
    icons = []
    for size in range(10, 30, 2):
        icon = Image.new("RGB", (64, 64), "white")
        box = (32 - size, 32 - size, 31 + size, 31 + size)
        getattr(ImageDraw.Draw(icon), shape)(box, fill="navy")
        icons.append(np.asarray(icon))
    copies = [jpeg(photo) for photo in photos[:15]]
    collection = [*photos, *copies, *icons, *map(jpeg, icons)]
    assert pairs_found(iq.NearDuplicateDetector().fit(collection), 150, 15) == 15


def test_white_drawings_on_nothing_stay_apart():
    logos = []
    for draw in ("ellipse", "rectangle"):
        logo = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
        getattr(ImageDraw.Draw(logo), draw)((8, 8, 31, 31), fill=(255, 255, 255, 255))
        logos.append(logo)
    assert iq.ExactDuplicateDetector().fit(logos).labels_.tolist() == [-1, -1]
    assert iq.load_image(logos[0])[20, 20].tolist() == [255, 255, 255]
    assert iq.load_image(logos[0])[0, 0].tolist() == [0, 0, 0]
    empty = Image.new("RGBA", (40, 40), (9, 9, 9, 0))
    assert (iq.load_image(empty) == 255).all()


def test_complete_linkage_says_when_there_are_too_many_links(photos, monkeypatch):
    table = iq.measure([*photos[:20], *map(jpeg, photos[:20])])
    monkeypatch.setattr(_linked, "MOST_PAIRS", 10)
    with pytest.raises(ValueError, match="more than 10: use 'single_linkage'"):
        iq.NearDuplicateDetector("complete_linkage", distance=60).fit(table)
    with pytest.warns(UserWarning, match="pairs of duplicates"):
        assert (iq.NearDuplicateDetector(distance=60).fit(table).labels_ >= 0).sum() == 40


def test_hdbscan_does_not_depend_on_the_order(photos):
    table = iq.measure([*photos[:40], *map(jpeg, photos[:20])])
    order = np.random.default_rng(0).permutation(60)
    detector = iq.NearDuplicateDetector("hdbscan")
    straight, shuffled = (
        {frozenset(group) for group in groups_of(detector.fit(table.iloc[rows]).labels_, rows)}
        for rows in (np.arange(60), order)
    )
    assert straight == shuffled


def groups_of(labels, rows):
    return [rows[labels == label].tolist() for label in range(labels.max() + 1)]


def test_two_detectors_with_one_hash_keep_their_distances(photos):
    parts = [
        ("wide", iq.NearDuplicateDetector(distance=40)),
        ("narrow", iq.NearDuplicateDetector(distance=2)),
    ]
    detector = iq.DuplicateDetector(parts).fit([*photos[:20], *map(jpeg, photos[:20])])
    assert detector.distances_ == {"wide phash_256": 40, "narrow phash_256": 2}
    assert detector.groups_["weakest_link"].max() <= 1


class Mean:
    def __init__(self, axis):
        self.axis = axis

    def transform(self, images):
        return [np.asarray(image, float).mean(axis=self.axis).ravel() for image in images]


def test_two_embedders_have_a_column_each(photos):
    parts = [
        ("rows", iq.SemanticDuplicateDetector(Mean(0), column="rows", distance=1e-9)),
        ("columns", iq.SemanticDuplicateDetector(Mean(1), column="columns", distance=1e-9)),
    ]
    detector = iq.DuplicateDetector(parts).fit([*photos[:10], photos[3] ^ np.uint8(0)])
    assert detector.labels_.tolist() == [-1] * 3 + [0] + [-1] * 6 + [0]
    assert len(detector.distances_) == 2


def test_vectors_that_are_not_finite_are_named(photos):
    table = iq.measure(photos[:3])
    table["mine"] = [np.ones(4), np.array([1, np.nan, 0, 0]), np.ones(4)]
    with pytest.raises(ValueError, match="'mine' must hold finite vectors; that of row 1"):
        iq.SemanticDuplicateDetector(embedder="mine").fit(table)


def test_dropping_duplicates_takes_duplicate_detectors_only():
    with pytest.raises(ValueError, match="detector"):
        iq.DropDuplicates(iq.BlurDetector()).fit([flat(0)])


def test_many_equal_images_match_within_bounds(photos, monkeypatch):
    from imagequality.duplicates import _contents

    detector = iq.ExactDuplicateDetector().fit([photos[0]] * 30)
    monkeypatch.setattr(_contents, "MOST_PAIRS", 100)
    with pytest.warns(UserWarning, match="first of its content"):
        matches = detector.find_matches([photos[0]] * 30)
    assert matches[["i", "j"]].to_numpy().tolist() == [[0, 0]]


def test_the_report_says_how_the_distance_was_chosen(photos):
    report = iq.QualityPipeline(progress=False).fit([*photos, jpeg(photos[0], 90)]).report()
    method = report.summary.set_index("issue").loc["near_duplicates", "method"]
    assert "distance" in method


def test_hdbscan_has_no_distance_and_says_so(photos):
    copies = [*photos[:40], *map(jpeg, photos[:20])]
    alone = iq.NearDuplicateDetector("hdbscan").fit(copies)
    assert alone.distance_ is None
    assert "HDBSCAN" in alone.reason_
    assert 0 in alone.find_matches([jpeg(photos[0], 80)])["j"].tolist()
    parts = [("dense", iq.NearDuplicateDetector("hdbscan")), ("exact", iq.ExactDuplicateDetector())]
    together = iq.DuplicateDetector(parts).fit(copies)
    assert np.isfinite(together.groups_[["diameter", "weakest_link"]].to_numpy()).all()


def test_faiss_is_not_left_out_silently(photos):
    with pytest.raises(ValueError, match="crops=False"):
        iq.SemanticDuplicateDetector(index="faiss").fit(photos[:5])
    pytest.importorskip("faiss")
    copies = [*photos, *map(jpeg, photos[:15])]
    labels = [
        iq.SemanticDuplicateDetector(index=index, crops=False, distance=0.005).fit(copies).labels_
        for index in ("exact", "faiss")
    ]
    assert labels[0].max() >= 5
    np.testing.assert_array_equal(*labels)
