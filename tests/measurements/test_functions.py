"""Each measurement against its definition, or against the peer that it equals."""

import io
import math

import cv2
import imagehash
import naive
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFilter, ImageStat

from imagequality.images import load_image
from imagequality.measurements import (
    aspect_ratio,
    brightness_percentiles,
    channel_histograms,
    channels_identical,
    cleanvision_blurriness,
    edge_frequency,
    entropy,
    hash_contrast,
    laplacian_variance,
    mean_brightness,
    mean_intensity,
    phash,
    pixel_digest,
    size,
    to_grey,
    value_percentiles,
    value_share,
)
from imagequality.measurements._pixels import Pixels, shrink

PERCENTILES = [0, 1, 5, 10, 12.5, 50, 90, 95, 99, 100]
SETTINGS = settings(max_examples=40, deadline=None, database=None)

ASTRONAUT = skimage.data.astronaut()


def random_rgb(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = {
    "random": random_rgb(50, 60),
    "astronaut": ASTRONAUT,
    "face": np.ascontiguousarray(ASTRONAUT[0:200, 150:300]),
    "tall": np.ascontiguousarray(ASTRONAUT[:, 200:230]),
    "wide": np.ascontiguousarray(ASTRONAUT[100:120]),
    "dark": ASTRONAUT // 9,
    "tiny": random_rgb(3, 4),
    "row": random_rgb(1, 90),
    "pixel": random_rgb(1, 1),
    "white": np.full((20, 30, 3), 255, np.uint8),
}
each_picture = pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)

rgb_arrays = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))
grey_arrays = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.one_of(st.sampled_from([0, 128, 255]), st.integers(0, 255)),
)


# -------------------------------------------------------------------------- exposure


def naive_brightness(rgb):
    """CleanVision's formula, pixel by pixel."""
    red, green, blue = (rgb[..., channel].astype(int) for channel in range(3))
    return np.sqrt(0.241 * red * red + 0.691 * green * green + 0.068 * blue * blue) / 255


@each_picture
def test_brightness_percentiles_are_those_of_the_formula(rgb):
    expected = np.percentile(naive_brightness(rgb), PERCENTILES)
    np.testing.assert_allclose(brightness_percentiles(rgb, PERCENTILES), expected, atol=1.3e-4)


@SETTINGS
@given(rgb_arrays)
def test_brightness_percentiles_of_any_image(rgb):
    found = brightness_percentiles(rgb, PERCENTILES)
    expected = np.percentile(naive_brightness(rgb), PERCENTILES)
    np.testing.assert_allclose(found, expected, atol=1.3e-4)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize(("level", "expected"), [(0, 0.0), (255, 1.0)])
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 9, 3)])
def test_black_and_white_are_exact(level, expected, shape):
    rgb = np.full(shape, level, np.uint8)
    assert brightness_percentiles(rgb, [0, 1, 50, 99, 100]).tolist() == [expected] * 5
    assert value_percentiles(rgb, [0, 1, 50, 99, 100]).tolist() == [expected] * 5


def test_brightness_percentiles_are_pooled_over_strips():
    rgb = np.zeros((2050, 1024, 3), np.uint8)  # two strips and two rows
    rgb[:512] = 100
    rgb[2048:] = 255
    found = brightness_percentiles(rgb, [0, 50, 90, 100])
    expected = np.percentile(naive_brightness(rgb), [0, 50, 90, 100])
    np.testing.assert_allclose(found, expected, atol=1.3e-4)


@each_picture
def test_value_percentiles_are_exact(rgb):
    expected = np.percentile(rgb.max(axis=2), PERCENTILES) / 255
    np.testing.assert_allclose(value_percentiles(rgb, PERCENTILES), expected, rtol=1e-12)


@SETTINGS
@given(rgb_arrays)
def test_value_percentiles_and_shares_of_any_image(rgb):
    value = rgb.max(axis=2)
    found = value_percentiles(rgb, PERCENTILES)
    np.testing.assert_allclose(found, np.percentile(value, PERCENTILES) / 255, atol=1e-12)
    for level in (0, 192, 255):
        assert value_share(rgb, level) == pytest.approx((value >= level).mean(), abs=1e-12)


@pytest.mark.parametrize(("level", "expected"), [(253, 0.0), (254, 0.0), (255, 1.0)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_clipped_is_255_in_any_channel(level, expected, channel):
    rgb = np.zeros((4, 5, 3), np.uint8)
    rgb[..., channel] = level
    assert value_share(rgb, 255) == expected


def test_exposure_measures_leave_the_image_alone():
    rgb = random_rgb(9, 9)
    rgb.flags.writeable = False
    brightness_percentiles(rgb, [50])
    value_percentiles(rgb, [50])
    value_share(rgb, 255)


@each_picture
def test_mean_brightness_is_cleanvisions(rgb):
    red, green, blue = ImageStat.Stat(Image.fromarray(rgb)).mean
    expected = np.sqrt(0.241 * red * red + 0.691 * green * green + 0.068 * blue * blue) / 255
    assert mean_brightness(channel_histograms(rgb)) == pytest.approx(expected, abs=1e-7)


@each_picture
def test_mean_intensity_is_the_mean(rgb):
    assert mean_intensity(channel_histograms(rgb)) == pytest.approx(rgb.mean() / 255, abs=1e-12)


@each_picture
def test_channel_histograms_count(rgb):
    found = channel_histograms(rgb)
    assert found.shape == (3, 256)
    for channel in range(3):
        expected = np.bincount(rgb[..., channel].ravel(), minlength=256)
        np.testing.assert_array_equal(found[channel], expected)


# --------------------------------------------------------------------------- content


@each_picture
def test_entropy_is_pillows(rgb):
    expected = Image.fromarray(rgb).entropy()
    assert entropy(channel_histograms(rgb)) == pytest.approx(expected, abs=1e-9)


def test_entropy_at_its_ends():
    flat = np.full((5, 5, 3), 9, np.uint8)
    assert entropy(channel_histograms(flat)) == pytest.approx(math.log2(3))
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert entropy(channel_histograms(every)) == pytest.approx(math.log2(768))


@SETTINGS
@given(grey_arrays)
def test_equal_channels_are_identical(grey):
    assert channels_identical(grey[..., None].repeat(3, axis=2)) is True


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 3), (9, 4)])
def test_one_differing_pixel_anywhere_is_found(shape):
    grey = np.full((*shape, 3), 100, np.uint8)
    for row in range(shape[0]):
        for column in range(shape[1]):
            for channel in range(3):
                rgb = grey.copy()
                rgb[row, column, channel] = 101
                assert channels_identical(rgb) is False


# -------------------------------------------------------------------------- geometry


@pytest.mark.parametrize(("width", "height"), [(1, 1), (640, 480), (480, 640), (3, 10_000)])
def test_size_and_aspect_ratio_are_cleanvisions(width, height):
    assert size(width, height) == math.sqrt(width) * math.sqrt(height)
    assert aspect_ratio(width, height) == min(width / height, height / width)


# ------------------------------------------------------------------------- sharpness


def naive_edge_frequency(grey):
    """The definition, difference by difference."""
    height, width = grey.shape
    g = grey.astype(int).tolist()
    ratios = []
    for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1)):
        first, second = [], []
        for row in range(height):
            for column in range(width):
                one = row + down, column + right
                two = row + 2 * down, column + 2 * right
                if 0 <= one[0] < height and one[1] < width:
                    first.append((g[one[0]][one[1]] - g[row][column]) ** 2)
                if 0 <= two[0] < height and two[1] < width:
                    curve = g[two[0]][two[1]] - 2 * g[one[0]][one[1]] + g[row][column]
                    second.append(curve**2)
        power = sum(first) / len(first)
        ratios.append(sum(second) / len(second) / (4 * (power + 4)))
    return math.sqrt(min(*ratios, 1))


@pytest.mark.parametrize("shape", [(3, 3), (3, 9), (9, 3), (8, 8), (13, 17)])
@pytest.mark.parametrize("levels", [2, 256])
def test_edge_frequency_is_its_definition(shape, levels):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        grey = (rng.integers(0, levels, shape) * (255 // (levels - 1))).astype(np.uint8)
        grey = cv2.blur(grey, (1 + seed % 3, 1))
        assert edge_frequency(grey) == pytest.approx(naive_edge_frequency(grey), rel=1e-5)


@SETTINGS
@given(grey_arrays)
def test_edge_frequency_lies_between_0_and_1(grey):
    frequency = edge_frequency(grey)
    assert 0 <= frequency <= 1
    if min(grey.shape) < 3:
        assert frequency == 1
    else:
        assert frequency == pytest.approx(naive_edge_frequency(grey), rel=1e-4, abs=1e-6)
    # In any frame: turned and mirrored images are as sharp.
    for turned in (grey.T, grey[::-1], grey[:, ::-1]):
        assert edge_frequency(turned) == pytest.approx(frequency, rel=1e-5)


def test_edge_frequency_never_exceeds_1_on_few_pixels():
    # The means over different numbers of differences give 1.09 here without the limit.
    grey = np.array(
        [
            [128, 255, 0, 255, 128],
            [255, 255, 0, 255, 128],
            [0, 255, 0, 255, 128],
            [255, 255, 0, 255, 128],
            [128, 255, 0, 255, 128],
        ],
        np.uint8,
    )
    assert edge_frequency(grey) == 1


def test_edge_frequency_of_flat_and_ramp():
    assert edge_frequency(np.full((30, 30), 77, np.uint8)) == 0
    ramp = np.arange(0, 250, 5, dtype=np.uint8)
    assert edge_frequency(np.add.outer(ramp // 2, ramp // 2)) < 0.15
    assert edge_frequency(np.tile(ramp, (50, 1))) == 0


PHOTO = shrink(to_grey(ASTRONAUT), 512)


@pytest.mark.parametrize("contrast", [0.5, 0.75, 1.3])
def test_contrast_nearly_cancels_in_edge_frequency(contrast):
    scaled = np.rint((PHOTO.astype(float) - 128) * contrast + 128).clip(0, 255).astype(np.uint8)
    assert edge_frequency(scaled) == pytest.approx(edge_frequency(PHOTO), rel=0.05)
    assert laplacian_variance(scaled) != pytest.approx(laplacian_variance(PHOTO), rel=0.2)


def test_blur_lowers_every_measure_of_sharpness():
    blurred = [PHOTO, *(cv2.GaussianBlur(PHOTO, (0, 0), sigma) for sigma in (0.7, 1.5, 3, 6))]
    for measure in (
        edge_frequency,
        laplacian_variance,
        lambda grey: cleanvision_blurriness(grey[..., None].repeat(3, axis=2))[0],
    ):
        values = [measure(image) for image in blurred]
        assert values == sorted(values, reverse=True)
        assert values[-1] < 0.9 * values[0]


@pytest.mark.parametrize("direction", ["→", "↓", "↘", "↗"])
def test_motion_blur_is_found_in_four_directions(direction):
    kernel = {
        "→": np.eye(9)[[4] * 9] * 0 + np.outer(np.eye(9)[4], np.ones(9)),
        "↓": np.outer(np.ones(9), np.eye(9)[4]),
        "↘": np.eye(9),
        "↗": np.eye(9)[::-1],
    }[direction]
    moved = cv2.filter2D(PHOTO, -1, kernel / kernel.sum())
    assert edge_frequency(moved) < 0.75 * edge_frequency(PHOTO)


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (2, 2), (3, 3), (20, 31)])
def test_laplacian_variance_is_its_definition(shape):
    grey = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    g = grey.astype(float)
    for axis in (0, 1):  # reflected about the outermost pixel; a single one repeats
        mode = "reflect" if shape[axis] > 1 else "edge"
        g = np.pad(g, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode=mode)
    laplacian = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    assert laplacian_variance(grey) == pytest.approx(laplacian.var(), rel=1e-9)


@pytest.mark.parametrize(
    "rgb",
    [*PICTURES.values(), random_rgb(64, 64), random_rgb(65, 64), random_rgb(300, 2)],
)
def test_cleanvision_blurriness_is_cleanvisions(rgb):
    image = Image.fromarray(rgb)
    ratio = max(image.width, image.height) / 64
    if ratio > 1:
        image = image.resize(
            (max(int(image.width // ratio), 1), max(int(image.height // ratio), 1))
        )
    grey = image.convert("L")
    edges = np.asarray(grey.filter(ImageFilter.FIND_EDGES), dtype=float)
    counts = np.bincount(np.asarray(grey).ravel(), minlength=256)
    found = cleanvision_blurriness(rgb)
    assert found == pytest.approx((edges.std(), counts.std()), rel=1e-9, abs=1e-9)
    assert all(type(value) is float for value in found)


# ---------------------------------------------------------------------------- hashes


def test_pixel_digest_is_equal_across_containers():
    rgb = random_rgb(7, 9)
    digests = {
        pixel_digest(rgb),
        pixel_digest(np.asfortranarray(rgb)),
        pixel_digest(rgb[::-1][::-1]),
    }
    for format_name in ("PNG", "BMP", "TIFF", "PPM"):
        buffer = io.BytesIO()
        Image.fromarray(rgb).save(buffer, format_name)
        digests.add(pixel_digest(load_image(buffer)))
    assert len(digests) == 1
    (digest,) = digests
    assert len(digest) == 32
    assert int(digest, 16) >= 0


@pytest.mark.parametrize("shape", [(209, 210, 3), (300, 301, 3), (128, 512, 3)])
def test_pixel_digest_of_a_large_image(shape):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, shape, dtype=np.uint8)
    assert rgb.size > 131_072
    assert pixel_digest(rgb) == naive.pixel_digest(rgb)
    assert pixel_digest(np.asfortranarray(rgb)) == pixel_digest(rgb)
    digests = {pixel_digest(rgb), pixel_digest(rgb.reshape(shape[1], shape[0], 3))}
    for position in (0, 32_767, 32_768, rgb.size - 1, *rng.integers(0, rgb.size, 40)):
        other = rgb.copy()
        other.flat[position] ^= 128
        digests.add(pixel_digest(other))
    turned = rgb.reshape(-1).copy()  # two words that are folded into one state change places
    turned[:8], turned[32_768:32_776] = rgb.reshape(-1)[32_768:32_776], rgb.reshape(-1)[:8]
    digests.add(pixel_digest(turned.reshape(shape)))
    assert len(digests) == 2 + 44 + 1


def test_pixel_digest_minds_shape_and_every_value():
    rgb = random_rgb(6, 8)
    digests = {pixel_digest(rgb.reshape(shape)) for shape in ((6, 8, 3), (8, 6, 3), (4, 12, 3))}
    for position in range(rgb.size):
        other = rgb.copy()
        other.flat[position] ^= 1
        digests.add(pixel_digest(other))
    digests.add(pixel_digest(np.ascontiguousarray(rgb[..., ::-1])))
    assert len(digests) == 3 + rgb.size + 1


@each_picture
@pytest.mark.parametrize("hash_size", [4, 8, 16])
def test_phash_is_imagehashs(rgb, hash_size):
    expected = str(imagehash.phash(Image.fromarray(rgb), hash_size=hash_size))
    assert phash(to_grey(rgb), hash_size) == expected


def test_phash_of_many_crops():
    for top in range(0, 400, 57):
        for left in range(0, 400, 61):
            crop = ASTRONAUT[top : top + 90, left : left + 110]
            expected = str(imagehash.phash(Image.fromarray(crop)))
            assert phash(to_grey(crop)) == expected
            assert len(expected) == 16


def test_hash_contrast():
    for level in (0, 100, 255):
        assert hash_contrast(np.full((200, 300), level, np.uint8)) == pytest.approx(0, abs=1e-9)
    fine = np.random.default_rng(0).integers(0, 2, (512, 512)).astype(np.uint8) * 255
    assert hash_contrast(fine) < 6 < 100 < fine.std()
    assert hash_contrast(PHOTO) > 2
    halves = np.zeros((40, 40), np.uint8)
    halves[20:] = 255
    assert hash_contrast(halves) == pytest.approx(127.5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (5, 7), (16, 16)])
def test_hash_contrast_of_a_small_image_is_its_own_spread_where_it_fits(shape):
    grey = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    contrast = hash_contrast(grey)
    if max(shape) <= 16:
        assert contrast == pytest.approx(grey.std())
    assert 0 <= contrast <= 127.5


# ---------------------------------------------------------------------------- pixels


@each_picture
def test_to_grey_is_pillows(rgb):
    expected = np.asarray(Image.fromarray(rgb).convert("L"))
    np.testing.assert_array_equal(to_grey(rgb), expected)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((512, 512), (512, 512)),
        ((513, 1026), (256, 512)),
        ((1024, 768), (512, 384)),
        ((1, 2000), (1, 512)),
        ((2000, 1), (512, 1)),
        ((3, 4), (3, 4)),
    ],
)
def test_shrink_never_enlarges_and_keeps_the_mean(shape, expected):
    grey = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    small = shrink(grey, 512)
    assert small.shape == expected
    assert small.mean() == pytest.approx(grey.mean(), abs=3)
    if shape == expected:
        assert small is grey


def test_pixels_are_derived_once():
    pixels = Pixels(random_rgb(600, 20))
    assert pixels.grey is pixels.grey
    assert pixels.grey_for_sharpness is pixels.grey_for_sharpness
    assert pixels.grey_for_sharpness.shape == (512, 17)
    assert pixels.histogram is pixels.histogram
    np.testing.assert_array_equal(pixels.grey, to_grey(pixels.rgb))


def test_phash_of_a_size_that_fills_no_bytes_is_refused():
    with pytest.raises(ValueError, match="hash_size must be a multiple of 4, got 5"):
        phash(np.zeros((8, 8), np.uint8), 5)
