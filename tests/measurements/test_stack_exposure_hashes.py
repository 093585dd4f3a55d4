"""Exposure, content and hashes of many images at once: equal to those of each, in any company."""

import math

import imagehash
import naive
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from imagequality.measurements import (
    VIEWS,
    brightness_percentiles,
    channel_histograms,
    channels_identical,
    entropy,
    hash_contrast,
    low_frequencies,
    phash_of_views,
    pixel_digest,
    to_grey,
    value_percentiles,
    value_shares,
)
from imagequality.measurements import _resampling as resampling
from imagequality.measurements._content import (
    channel_histograms_of_planes,
    channel_histograms_of_stack,
    channels_identical_of_stack,
)
from imagequality.measurements._counting import counts_of, counts_of_rows
from imagequality.measurements._exposure import (
    brightness_percentiles_of_stack,
    value_histogram,
    value_histogram_of_planes,
    value_histograms_of_stack,
    value_percentiles_of_histogram,
    value_shares_of_histogram,
)
from imagequality.measurements._hashes import (
    hash_contrast_of_stack,
    low_frequencies_of_stack,
    phashes_of_views,
    pixel_digests_of_stack,
)
from imagequality.measurements._sampling import sampled_rows

SETTINGS = settings(max_examples=40, deadline=None, database=None)
PERCENTILES = [0, 1, 5, 12.5, 50, 75, 99, 100]
LEVELS = [255, 192, 5, 0]
SHAPES = [
    (1, 1),
    (2, 2),
    (1, 64),
    (64, 1),
    (3, 64),
    (28, 28),
    (32, 32),
    (17, 33),
    (64, 64),
    (60, 9),
]

PHOTO = skimage.data.astronaut()


def difficult_images(height, width):
    """Images of one shape: noise, crops of a photograph, flat, symmetric, two levels, grey."""
    rng = np.random.default_rng(height * 100 + width)
    noise = rng.integers(0, 256, (4, height, width, 3), dtype=np.uint8)
    crops = [PHOTO[top : top + height, left : left + width] for top, left in ((0, 150), (300, 9))]
    halves = np.zeros((height, width, 3), np.uint8)
    halves[:, : width // 2 + 1] = 200
    stripes = np.zeros((height, width, 3), np.uint8)
    stripes[::2] = 255
    symmetric = np.maximum(noise[0], noise[0][:, ::-1])
    return np.stack(
        [
            *noise,
            *crops,
            halves,
            stripes,
            symmetric,
            np.maximum(symmetric, symmetric[::-1]),
            *(np.full((height, width, 3), level, np.uint8) for level in (0, 1, 128, 255)),
            noise[1] // 128 * 255,
            noise[2][..., :1].repeat(3, axis=2),
        ]
    )


def planes_of(images):
    return np.ascontiguousarray(np.moveaxis(images, -1, 0))


def greys_of(images):
    return np.stack([to_grey(image) for image in images])


MEASURES = {
    "brightness": lambda images: brightness_percentiles_of_stack(images, PERCENTILES),
    "value histogram": lambda images: value_histograms_of_stack(planes_of(images)),
    "value percentiles": lambda images: value_percentiles_of_histogram(
        value_histograms_of_stack(planes_of(images)), PERCENTILES
    ),
    "value shares": lambda images: (
        value_shares_of_histogram(value_histograms_of_stack(planes_of(images)), LEVELS).T
    ),
    "channel histograms": lambda images: channel_histograms_of_stack(planes_of(images)),
    "entropy": lambda images: entropy(channel_histograms_of_stack(planes_of(images))),
    "channels identical": lambda images: channels_identical_of_stack(planes_of(images)),
    "phash": lambda images: np.array(
        phashes_of_views(low_frequencies_of_stack(greys_of(images)), VIEWS)
    ),
    "phash 256": lambda images: np.array(
        phashes_of_views(low_frequencies_of_stack(greys_of(images), 16), VIEWS)
    ),
    "hash contrast": lambda images: hash_contrast_of_stack(greys_of(images)),
    "digest": lambda images: np.array(pixel_digests_of_stack(images)),
}
BY_ITSELF = {
    "brightness": lambda image: brightness_percentiles(image, PERCENTILES),
    "value histogram": value_histogram,
    "value percentiles": lambda image: value_percentiles(image, PERCENTILES),
    "value shares": lambda image: value_shares(image, LEVELS),
    "channel histograms": channel_histograms,
    "entropy": lambda image: entropy(channel_histograms(image)),
    "channels identical": channels_identical,
    "phash": lambda image: phash_of_views(low_frequencies(to_grey(image)), VIEWS),
    "phash 256": lambda image: phash_of_views(low_frequencies(to_grey(image), 16), VIEWS),
    "hash contrast": lambda image: hash_contrast(to_grey(image)),
    "digest": pixel_digest,
}
each_measure = pytest.mark.parametrize("name", MEASURES)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@each_measure
@each_shape
def test_a_stack_is_measured_as_its_images_are(name, shape):
    images = difficult_images(*shape)
    expected = np.stack([BY_ITSELF[name](image) for image in images])
    np.testing.assert_array_equal(MEASURES[name](images), expected)


@each_measure
@each_shape
def test_neighbours_change_nothing(name, shape):
    images = difficult_images(*shape)
    together = MEASURES[name](images)
    order = np.random.default_rng(0).permutation(len(images))
    np.testing.assert_array_equal(MEASURES[name](images[order]), together[order])
    for position in range(len(images)):
        alone = MEASURES[name](images[position : position + 1])
        np.testing.assert_array_equal(alone[0], together[position])


@each_measure
def test_stacks_that_are_cut_into_parts(name):
    images = np.tile(difficult_images(8, 12), (40, 1, 1, 1))  # 640: more than any part holds
    few = MEASURES[name](images[:16])
    np.testing.assert_array_equal(MEASURES[name](images), np.concatenate([few] * 40))


# -------------------------------------------------------------------- against definitions

stacks = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: hnp.arrays(
        np.uint8,
        (*shape, 3),
        elements=st.one_of(st.sampled_from([0, 4, 5, 192, 255]), st.integers(0, 255)),
    )
)


@SETTINGS
@given(stacks)
def test_exposure_and_entropy_are_their_definitions(images):
    planes = planes_of(images)
    brightness = brightness_percentiles_of_stack(images, PERCENTILES)
    histograms = value_histograms_of_stack(planes)
    values = value_percentiles_of_histogram(histograms, PERCENTILES)
    shares = value_shares_of_histogram(histograms, LEVELS)
    bits = entropy(channel_histograms_of_stack(planes))
    for position, image in enumerate(images):
        bins = naive.brightness_bins(image)
        levels = [max(pixel) for pixel in image.reshape(-1, 3).tolist()]
        for column, percent in enumerate(PERCENTILES):
            expected = naive.percentile(bins, percent) / 4080
            assert brightness[position, column] == pytest.approx(expected, abs=0.501 / 4080)
            expected = naive.percentile(levels, percent) / 255
            assert values[position, column] == pytest.approx(expected, abs=1e-12)
        for row, level in enumerate(LEVELS):
            assert shares[row, position] == sum(v >= level for v in levels) / len(levels)
        assert bits[position] == pytest.approx(naive.pooled_entropy(image), abs=1e-12)


@SETTINGS
@given(stacks)
def test_histograms_count(images):
    found = channel_histograms_of_stack(planes_of(images))
    for position, image in enumerate(images):
        for channel in range(3):
            expected = np.bincount(image[..., channel].ravel(), minlength=256)
            np.testing.assert_array_equal(found[position, channel], expected)
        planes = [image[..., channel] for channel in range(3)]
        np.testing.assert_array_equal(channel_histograms_of_planes(planes), found[position])
        expected = np.bincount(image.max(axis=2).ravel(), minlength=256)
        np.testing.assert_array_equal(value_histogram_of_planes(planes), expected)


@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 600])
def test_every_row_has_its_own_counts(n):
    rows = np.random.default_rng(n).integers(0, 256, (n, 5), dtype=np.uint8)
    rows[:, 0] = np.arange(n) % 256
    expected = [np.bincount(row, minlength=256) for row in rows]
    np.testing.assert_array_equal(counts_of_rows(rows), expected)


def test_counts_beyond_single_precision_are_exact():
    values = np.zeros((2**12 + 1, 2**12), np.uint8)
    values[-1, -3:] = 7
    counts = counts_of(values, 8)
    assert counts.tolist() == [2**24 + 2**12 - 3, 0, 0, 0, 0, 0, 0, 3]


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_differing_pixel_anywhere_is_found_in_its_image(channel):
    for position in range(12):
        planes = np.full((3, 3, 3, 4), 100, np.uint8)
        planes[channel, 1].flat[position] = 101
        assert channels_identical_of_stack(planes).tolist() == [True, False, True]


@pytest.mark.parametrize("counts", [[4096], [4097], [1 << 20, 1, 0, 3], [5, 4096, 4097]])
def test_entropy_of_small_and_large_counts(counts):
    histogram = np.zeros((3, 256), np.int64)
    histogram[0, : len(counts)] = counts
    total = sum(counts)
    expected = -math.fsum(c / total * math.log2(c / total) for c in counts if c)
    assert entropy(histogram) == pytest.approx(expected, abs=1e-12)
    # In a stack with smaller counts, whose logarithms would come from the table.
    small = np.ones((3, 256), np.int64)
    together = entropy(np.stack([small, histogram]))
    assert together.tolist() == [entropy(small), entropy(histogram)]


# ------------------------------------------------------------------------------- hashes


@each_shape
@pytest.mark.parametrize("hash_size", [8, 16])
def test_hashes_of_a_stack_are_imagehashs(shape, hash_size):
    images = difficult_images(*shape)
    coefficients = low_frequencies_of_stack(greys_of(images), hash_size)
    found = phashes_of_views(coefficients, VIEWS[:1])
    expected = [str(imagehash.phash(Image.fromarray(image), hash_size)) for image in images]
    assert found == expected


@SETTINGS
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40)),
        elements=st.one_of(st.sampled_from([0, 127, 128, 255]), st.integers(0, 255)),
        fill=st.integers(0, 255),  # mostly flat: ties are the difficult case
    )
)
def test_hashes_of_any_stack_are_imagehashs(greys):
    found = phashes_of_views(low_frequencies_of_stack(greys), VIEWS[:1])
    assert found == [str(imagehash.phash(Image.fromarray(grey))) for grey in greys]


def test_low_frequencies_are_their_definition():
    grey = np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    found = low_frequencies_of_stack(grey, 4)  # thumbnails of 16 × 16: nothing is resampled
    for position in range(2):
        expected = naive.cosine_transform(grey[position].tolist(), 4)
        np.testing.assert_allclose(found[position], expected, atol=1e-8)


@pytest.mark.parametrize("hash_size", [4, 8, 16, 32])
def test_digits_of_each_view(hash_size):
    images = difficult_images(23, 31)
    coefficients = low_frequencies_of_stack(greys_of(images), hash_size)
    for views in (VIEWS, VIEWS[1:4], VIEWS[5:6]):
        for text, one in zip(phashes_of_views(coefficients, views), coefficients, strict=True):
            digits = hash_size**2 // 4
            assert len(text) == digits * len(views)
            for number, view in enumerate(views):
                signs = np.where(np.arange(hash_size) % 2, -1.0, 1.0)
                seen = one.T if view.transpose else one
                seen = seen * signs[:, np.newaxis] if view.flip_rows else seen
                seen = seen * signs if view.flip_columns else seen
                bits = imagehash.ImageHash(seen > np.median(seen))
                assert text[number * digits : (number + 1) * digits] == str(bits)


# --------------------------------------------------------------------- Pillow's resize

sides = st.one_of(st.integers(1, 20), st.integers(1, 150))


@SETTINGS
@given(sides, sides, st.sampled_from([16, 32, 64]), st.integers(0, 2**32 - 1), st.booleans())
def test_lanczos_is_pillows(height, width, side, seed, hard):
    rng = np.random.default_rng(seed)
    greys = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
    if hard:
        greys = greys // 128 * 255  # overshoots at both ends
    found = resampling.lanczos(greys, side, side)
    for position, grey in enumerate(greys):
        image = Image.fromarray(grey).resize((side, side), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(found[:, position], np.asarray(image))


@pytest.mark.parametrize(
    "shape", [(64, 64), (64, 200), (200, 64), (1200, 40), (40, 1200), (700, 1000), (9000, 3)]
)
def test_lanczos_of_large_images_is_pillows(shape):
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = Image.fromarray(grey).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(resampling.lanczos(grey[np.newaxis], 64, 64)[:, 0], expected)


def test_sums_near_a_half_are_decided_exactly():
    # Enlarged twofold, 0 and 255 next to each other meet many weights at a half.
    rng = np.random.default_rng(0)
    greys = rng.integers(0, 256, (300, 32, 32), dtype=np.uint8)
    found = resampling.lanczos(greys, 64, 64)
    for position, grey in enumerate(greys):
        expected = Image.fromarray(grey).resize((64, 64), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(found[:, position], expected)


def test_this_pillow_is_known():
    # Otherwise all images are resized by Pillow itself: correct but slow.
    assert resampling._equals_pillows()


@SETTINGS
@given(sides, sides, st.integers(0, 2**32 - 1))
def test_box_is_pillows(height, width, seed):
    greys = np.random.default_rng(seed).integers(0, 256, (2, height, width), dtype=np.uint8)
    rows, columns = min(16, height), min(16, width)
    for found, grey in zip(resampling.box(greys, rows, columns), greys, strict=True):
        expected = Image.fromarray(grey).resize((columns, rows), Image.Resampling.BOX)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(5, 7), (40, 33), (300, 200)])
def test_hash_contrast_is_the_spread_of_means(shape):
    grey = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    size = min(16, shape[1]), min(16, shape[0])
    coarse = np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BOX))
    assert hash_contrast(grey) == pytest.approx(coarse.std(), rel=1e-12)


# ---------------------------------------------------------------------- sampled rows


def test_images_up_to_a_million_pixels_are_taken_whole():
    for shape in ((1024, 1024), (1, 9000), (511, 5000), (3, 2)):
        image = np.zeros((*shape, 3), np.uint8)
        assert sampled_rows(image) is image


@pytest.mark.parametrize("shape", [(1025, 1024), (2000, 1500), (3001, 4000), (600, 9000)])
def test_one_row_of_every_stride(shape):
    height, width = shape
    stride = min(math.ceil(height * width / 2**20), height // 256)
    numbered = np.arange(height, dtype=np.uint16)[:, None, None].repeat(3, axis=2)
    numbered = np.broadcast_to(numbered, (height, width, 3))
    rows = sampled_rows(numbered)[:, 0, 0]
    whole = height // stride
    np.testing.assert_array_equal(rows[:whole] // stride, np.arange(whole))
    assert 256 <= whole <= len(rows) <= whole + 1
    assert len(set((rows[:whole] % stride).tolist())) == stride  # every place in a stride is used


HEIGHT, WIDTH = 2048, 1536


def smooth():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (127 + 120 * np.sin(y / 400) * np.cos(x / 300)).astype(np.uint8)[..., None]


def noisy():
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def columns():
    return np.broadcast_to(np.arange(WIDTH) % 7 < 3, (HEIGHT, WIDTH))[..., None] * np.uint8(255)


def stripes(period, share):
    bright = (np.arange(HEIGHT) / period) % 1 < share
    return np.broadcast_to(bright[:, None, None], (HEIGHT, WIDTH, 1)) * np.uint8(230)


TEXTURES = {
    "smooth": (smooth, 0.01),
    "noisy": (noisy, 0.01),
    "photograph": (lambda: np.kron(PHOTO[:512, :384], np.ones((4, 4, 1), np.uint8)), 0.01),
    "tiles": (lambda: np.tile(PHOTO[:256, :256], (8, 6, 1)), 0.02),
    "columns": (columns, 1e-12),
}
PERIODS = [2, 3, 4, 5, 6, 7.5, 8, 9, 16, 31.4, 64, 500, 2048]


def check_the_sample(image, limit=None):
    """Levels have the shares of the whole, and percentiles their ranks, within a limit."""
    image = np.ascontiguousarray(np.broadcast_to(image, (HEIGHT, WIDTH, 3)))
    sample = sampled_rows(image)
    assert len(sample) < len(image)
    limit = limit or 2 / math.sqrt(len(sample))
    whole, part = (
        value_histogram(picture).cumsum() / (picture.size // 3) for picture in (image, sample)
    )
    assert np.abs(whole - part).max() <= limit
    percents = np.array([1, 5, 25, 50, 75, 95, 99])
    found = brightness_percentiles(sample, percents)
    reach = 100 * limit + 0.2  # and a rank more or less
    assert (found >= brightness_percentiles(image, np.maximum(percents - reach, 0)) - 1e-9).all()
    assert (found <= brightness_percentiles(image, np.minimum(percents + reach, 100)) + 1e-9).all()


@pytest.mark.parametrize("name", TEXTURES)
def test_a_sample_has_the_shares_of_the_whole(name):
    make, limit = TEXTURES[name]
    check_the_sample(make(), limit)


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("period", PERIODS)
def test_stripes_of_no_period_mislead_a_sample(period, share):
    check_the_sample(stripes(period, share))
