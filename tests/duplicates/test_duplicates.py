"""Exact and near duplicates against brute force, and the traps that perceptual hashes set."""

from __future__ import annotations

import io

import cv2
import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

import imagequality as iq
from imagequality.duplicates import hamming_pairs, linked_clusters
from imagequality.testing import check_detector


def texture(seed, shape=(40, 40, 3)):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (10, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, shape[1::-1], interpolation=cv2.INTER_CUBIC)


def same_partition(a, b):
    return len({*zip(a, b, strict=True)}) == len(set(a)) == len(set(b))


# -------------------------------------------------------------------------------- clusters


@given(st.integers(2, 60), st.integers(0, 20), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_clusters_equal_scipys_single_linkage(n, distance, seed):
    rng = np.random.default_rng(seed)
    bits = rng.random((n, 64)) < rng.choice([0.05, 0.3])
    hashes = np.packbits(bits, axis=1).view(">u8").astype(np.uint64)
    pairs = hamming_pairs(hashes, distance)
    ours = linked_clusters(pairs.i, pairs.j, n)
    matrix = (bits[:, None] != bits[None]).sum(axis=2)
    theirs = fcluster(linkage(squareform(matrix), "single"), distance, "distance")
    assert same_partition(ours.tolist(), theirs.tolist())


# ------------------------------------------------------------------------ exact duplicates


def test_equal_pixels_match_across_containers_and_orientation(tmp_path):
    image = Image.fromarray(texture(0, (30, 50, 3)))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.bmp")
    turned = image.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned.save(tmp_path / "c.png", exif=exif)
    other = np.asarray(image).copy()
    other[0, 0, 0] ^= 1
    collection = [*(str(tmp_path / name) for name in ("a.png", "b.bmp", "c.png")), other, b"broken"]
    detector = iq.ExactDuplicateDetector().fit(collection)
    np.testing.assert_allclose(detector.score_samples(collection), [1 / 3, 1 / 3, 1 / 3, 1, np.nan])
    assert detector.labels_.tolist() == [0, 0, 0, -1, -1]


def test_shape_takes_part():
    assert (
        not iq.ExactDuplicateDetector()
        .fit_predict([np.zeros((2, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)])
        .any()
    )


def test_new_images_are_looked_up_among_the_fitted_ones():
    a, b, c = texture(0), texture(1), texture(2)
    detector = iq.ExactDuplicateDetector().fit([a, a, b])
    assert detector.score_samples([a, b, c, c]).tolist() == [0.5, 1.0, 1.0, 1.0]


# ------------------------------------------------------------------------- near duplicates


def jpeg(image, quality):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def test_edited_copies_are_found_and_strangers_are_not():
    image = texture(0, (120, 160, 3))
    small = cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA)
    copies = [image, jpeg(image, 30), small, (image * 0.9).astype(np.uint8)]
    strangers = [texture(seed) for seed in range(1, 40)]
    detector = iq.NearDuplicateDetector().fit([*strangers[:20], *copies, *strangers[20:]])
    expected = np.full(43, -1)
    expected[20:24] = 0
    assert detector.labels_.tolist() == expected.tolist()


def test_identical_rule_groups_equal_hashes_only():
    rng = np.random.default_rng(0)
    images = [texture(seed) for seed in range(30)]
    images += [np.clip(x + rng.normal(0, 3, x.shape), 0, 255).astype(np.uint8) for x in images]
    hashes = [str(imagehash.phash(Image.fromarray(image))) for image in images]
    detector = iq.NearDuplicateDetector(method="identical", hash="phash")
    flags = detector.fit_predict(images)
    assert flags.tolist() == [int(hashes.count(value) > 1) for value in hashes]
    assert 0 < flags.sum() < len(images)


def test_identical_rule_leaves_exact_duplicates_out_as_cleanvision_does():
    a, b = texture(0), texture(1)
    almost = a.copy()
    almost[0, 0] ^= 1
    detector = iq.NearDuplicateDetector(method="identical", hash="phash")
    assert detector.fit_predict([b, b, a, almost, a]).tolist() == [0, 0, 1, 1, 1]
    assert detector.labels_.tolist() == [-1, -1, 0, 0, 0]
    assert iq.NearDuplicateDetector().fit_predict([b, b, a, almost, a]).all()


def test_flat_images_match_by_exact_pixels_only():
    flat = [np.full((32, 32, 3), level, np.uint8) for level in (10, 200, 90)]
    logo = np.full((40, 40, 4), 0, np.uint8)  # wholly transparent: white
    collection = [*flat, logo, np.full((32, 32, 3), 10, np.uint8)]
    assert iq.NearDuplicateDetector().fit_predict(collection).tolist() == [1, 0, 0, 0, 1]


def test_a_flat_image_without_a_digest_is_not_judged():
    table = iq.measure([np.full((32, 32, 3), 10, np.uint8)] * 2)
    table.loc[1, "pixel_digest"] = None
    scores = iq.NearDuplicateDetector().fit(table).score_samples(table)
    np.testing.assert_array_equal(scores, [1, np.nan])


def test_order_does_not_change_the_groups():
    images = [texture(seed) for seed in range(12)] + [texture(3) + np.uint8(4), texture(7)]
    detector = iq.NearDuplicateDetector().fit(images)
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = iq.NearDuplicateDetector().fit([images[k] for k in order])
    assert same_partition(
        (detector.labels_[order] + 100 * np.arange(14) * (detector.labels_[order] < 0)).tolist(),
        (shuffled.labels_ + 100 * np.arange(14) * (shuffled.labels_ < 0)).tolist(),
    )


@pytest.mark.parametrize("distance", [0, 256])
def test_extreme_distances_keep_the_contract(distance):
    check_detector(iq.NearDuplicateDetector(distance=distance))
