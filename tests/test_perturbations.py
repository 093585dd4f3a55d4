from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from imagequality.perturbations import (
    add_noise,
    adjust_brightness,
    adjust_exposure,
    as_generator,
    blur,
    compress_jpeg,
    crop_to_strip,
    downscale,
    low_information,
    near_duplicate,
    pixelate,
    to_grayscale,
)

EVERY = {
    "adjust_brightness": lambda image: adjust_brightness(image, 1.7),
    "blur_average": lambda image: blur(image, "average", 5),
    "blur_gaussian": lambda image: blur(image, "gaussian", 5),
    "blur_median": lambda image: blur(image, "median", 5),
    "blur_nothing": lambda image: blur(image, "average", 1),
    "downscale": lambda image: downscale(image, 1),
    "downscale_to_itself": lambda image: downscale(image, np.shape(image)[1::-1]),
    "to_grayscale": to_grayscale,
    "low_information": low_information,
    "add_noise": lambda image: add_noise(image, 20, random_state=0),
    "add_noise_shot": lambda image: add_noise(image, 20, "shot", random_state=0),
    "add_noise_nothing": lambda image: add_noise(image, 0, "shot"),
    "adjust_exposure": lambda image: adjust_exposure(image, 1.5),
    "compress_jpeg": lambda image: compress_jpeg(image, 30),
    "pixelate": lambda image: pixelate(image, 3),
    "pixelate_bicubic": lambda image: pixelate(image, 2.5, "bicubic"),
    "pixelate_nothing": lambda image: pixelate(image, 1),
    "near_duplicate": lambda image: near_duplicate(image, hue=True, random_state=0),
}
CHANGES_SIZE = {
    "downscale": lambda image: downscale(image, 1, restore=False),
    "crop_to_strip": crop_to_strip,
    "crop_to_strip_of_all": lambda image: crop_to_strip(image, 1.0),
}

IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# ---------------------------------------------------------------- what holds for all of them


@pytest.mark.parametrize("perturb", EVERY.values(), ids=EVERY.keys())
@given(image=IMAGES)
def test_any_image_keeps_its_shape_and_the_input_its_pixels(perturb, image):
    before = image.copy()
    image.setflags(write=False)
    result = perturb(image)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert not np.shares_memory(result, image)
    assert result.flags.writeable
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("perturb", CHANGES_SIZE.values(), ids=CHANGES_SIZE.keys())
@given(image=IMAGES)
def test_what_changes_the_size_leaves_the_input_alone(perturb, image):
    before = image.copy()
    result = perturb(image)
    assert result.dtype == np.uint8
    assert result.ndim == 3
    assert result.shape[2] == 3
    assert result.size > 0
    assert not np.shares_memory(result, image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("perturb", (EVERY | CHANGES_SIZE).values(), ids=(EVERY | CHANGES_SIZE))
def test_a_view_gives_what_its_copy_gives(perturb):
    view = noise(20, 30)[::2, ::-1]
    np.testing.assert_array_equal(perturb(view), perturb(np.ascontiguousarray(view)))


@pytest.mark.parametrize("perturb", (EVERY | CHANGES_SIZE).values(), ids=(EVERY | CHANGES_SIZE))
@pytest.mark.parametrize(
    ("image", "error"),
    [
        ([[[1, 2, 3]]], TypeError),
        (np.zeros((4, 4, 3)), TypeError),
        (np.zeros((4, 4, 3), dtype=np.int64), TypeError),
        (np.zeros((4, 4), dtype=np.uint8), ValueError),
        (np.zeros((4, 4, 4), dtype=np.uint8), ValueError),
        (np.zeros((0, 4, 3), dtype=np.uint8), ValueError),
    ],
)
def test_anything_but_an_rgb_uint8_array_is_refused(perturb, image, error):
    with pytest.raises(error, match="image must"):
        perturb(image)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: adjust_brightness(x, -0.1), ValueError, "factor must .* at least 0"),
        (lambda x: adjust_brightness(x, float("nan")), ValueError, "factor"),
        (lambda x: adjust_brightness(x, float("inf")), ValueError, "factor"),
        (lambda x: adjust_brightness(x, "2"), TypeError, "factor"),
        (lambda x: adjust_brightness(x, True), TypeError, "factor"),
        (lambda x: blur(x, "box", 3), ValueError, "kernel must be one of average, gaussian"),
        (lambda x: blur(x, size=4), ValueError, "size must be odd"),
        (lambda x: blur(x, size=-3), ValueError, "size must be at least 1"),
        (lambda x: blur(x, size=3.0), TypeError, "size"),
        (lambda x: blur(x, "median", 257), ValueError, "size must be at most 255"),
        (lambda x: downscale(x, 0), ValueError, "size must be at least 1"),
        (lambda x: downscale(x, 9), ValueError, r"size must not exceed .*width 10, height 8"),
        (lambda x: downscale(x, (8, 9)), ValueError, "size must not exceed"),
        (lambda x: downscale(x, (8, 8, 3)), TypeError, "size must be an integer or"),
        (lambda x: downscale(x, "8"), TypeError, "size"),
        (lambda x: crop_to_strip(x, 0), ValueError, "ratio"),
        (lambda x: crop_to_strip(x, 1.1), ValueError, "ratio"),
        (lambda x: crop_to_strip(x, None), TypeError, "ratio"),
        (lambda x: near_duplicate(x, strength=1.2), ValueError, "strength .* from 0 to 1"),
        (lambda x: near_duplicate(x, strength=-0.1), ValueError, "strength"),
        (lambda x: near_duplicate(x, strength=None), TypeError, "strength"),
        (lambda x: near_duplicate(x, random_state="a"), ValueError, "random_state"),
        (lambda x: near_duplicate(x, random_state=-1), ValueError, "random_state"),
        (lambda x: add_noise(x, -1), ValueError, "sigma must .* at least 0"),
        (lambda x: add_noise(x, "5"), TypeError, "sigma"),
        (lambda x: add_noise(x, 5, "pink"), ValueError, "kind must be one of gaussian, shot"),
        (lambda x: add_noise(x, 5, random_state="a"), ValueError, "random_state"),
        (lambda x: adjust_exposure(x, 17), ValueError, "ev must .* from -16 to 16"),
        (lambda x: adjust_exposure(x, None), TypeError, "ev"),
        (lambda x: compress_jpeg(x, 0), ValueError, "quality must be at least 1"),
        (lambda x: compress_jpeg(x, 96), ValueError, "quality must be at most 95"),
        (lambda x: compress_jpeg(x, 50.0), TypeError, "quality"),
        (lambda x: compress_jpeg(np.repeat(x, 8200, 0), 50), ValueError, "65500"),
        (lambda x: pixelate(x, 0.5), ValueError, "factor must .* at least 1"),
        (lambda x: pixelate(x, 2, "cubic"), ValueError, "interpolation must be one of nearest"),
    ],
)
def test_a_bad_parameter_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(noise(8, 10))


# -------------------------------------------------------------------------------- one by one


@given(image=IMAGES, factor=st.floats(0, 4))
def test_brightness_multiplies_every_value(image, factor):
    result = adjust_brightness(image, factor)
    for value, out in zip(image.ravel().tolist(), result.ravel().tolist(), strict=True):
        assert abs(out - min(255.0, value * factor)) <= 0.5


def test_brightness_by_hand():
    image = np.array([[[0, 1, 10], [100, 200, 255]]], dtype=np.uint8)
    assert adjust_brightness(image, 3.5).tolist() == [[[0, 4, 35], [255, 255, 255]]]
    assert adjust_brightness(image, 0.05).tolist() == [[[0, 0, 0], [5, 10, 13]]]
    np.testing.assert_array_equal(adjust_brightness(image, 1), image)


def test_brightness_takes_numpy_numbers():
    image = noise(3, 3)
    np.testing.assert_array_equal(
        adjust_brightness(image, np.float32(2)), adjust_brightness(image, np.int64(2))
    )


@pytest.mark.parametrize("size", [3, 5, 7, 11])
def test_average_and_median_blur_equal_the_naive_ones_inside(size):
    image = noise(16, 15)
    half = size // 2
    average, median = blur(image, "average", size), blur(image, "median", size)
    for row in range(half, 16 - half):
        for column in range(half, 15 - half):
            window = image[row - half : row + half + 1, column - half : column + half + 1]
            mean = window.reshape(-1, 3).astype(float).mean(axis=0)
            assert np.abs(average[row, column] - mean).max() <= 0.5 + 1e-6
            np.testing.assert_array_equal(
                median[row, column], np.median(window.reshape(-1, 3), axis=0)
            )


def test_borders_mirror_for_the_average_and_repeat_for_the_median():
    image = noise(9, 9)
    mirrored = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect").astype(float)
    repeated = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge")
    corner = mirrored[:5, :5].reshape(-1, 3).mean(axis=0)
    assert np.abs(blur(image, "average", 5)[0, 0] - corner).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(
        blur(image, "median", 5)[0, 0], np.median(repeated[:5, :5].reshape(-1, 3), axis=0)
    )


def test_gaussian_blur_has_the_documented_standard_deviation():
    image = np.zeros((31, 31, 3), dtype=np.uint8)
    image[15, 15] = 255
    size = 11
    sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8
    offsets = np.arange(size) - size // 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    result = blur(image, "gaussian", size)
    expected = 255 * np.outer(weights, weights)
    assert np.abs(result[10:21, 10:21, 0] - expected).max() <= 1
    assert result[9].max() == 0


def test_a_window_larger_than_the_image_is_fine():
    flat = np.full((2, 3, 3), 77, dtype=np.uint8)
    for kernel in ("average", "gaussian", "median"):
        np.testing.assert_array_equal(blur(flat, kernel, 31), flat)


def test_downscale_averages_areas():
    image = noise(12, 18)
    small = downscale(image, (6, 4), restore=False)
    means = image.reshape(4, 3, 6, 3, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((32, 32), 12, (12, 12)),
        ((40, 100), 10, (10, 25)),
        ((100, 40), 10, (25, 10)),
        ((33, 50), 33, (33, 50)),
        ((40, 100), (7, 9), (9, 7)),
        ((40, 100), [100, 40], (40, 100)),
        ((40, 100), np.int64(1), (1, 2)),
    ],
)
def test_size_is_the_shorter_side_or_width_and_height(shape, size, expected):
    assert downscale(noise(*shape), size, restore=False).shape == (*expected, 3)


def test_the_way_down_and_up_loses_detail_and_keeps_the_mean():
    image = noise(32, 32)
    back = downscale(image, 4)
    assert back.shape == image.shape
    assert np.diff(back.astype(int), axis=0).std() < np.diff(image.astype(int), axis=0).std() / 5
    assert back.mean() == pytest.approx(image.mean(), rel=0.03)


@given(image=IMAGES)
def test_grayscale_is_the_weighted_sum_in_three_equal_channels(image):
    grey = to_grayscale(image)
    assert (grey == grey[:, :, :1]).all()
    expected = image.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(grey[:, :, 0] - expected).max() <= 0.51


@pytest.mark.parametrize(
    ("shape", "thumbnail"),
    [((32, 32), (12, 12)), ((64, 64), (24, 24)), ((500, 375), (188, 141)), ((1, 2), (1, 1))],
)
def test_low_information_is_a_thumbnail_amid_black(shape, thumbnail):
    image = np.maximum(noise(*shape), 1)
    result = low_information(image)
    rows, columns = (np.flatnonzero(result.any(axis=(axis, 2))) for axis in (1, 0))
    assert (rows.size, columns.size) == thumbnail
    assert (np.diff(rows) == 1).all()
    assert (np.diff(columns) == 1).all()
    before, after = rows[0], shape[0] - 1 - rows[-1]
    assert after - before in (0, 1)
    shown = result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_array_equal(shown, downscale(image, thumbnail[::-1], restore=False))


@pytest.mark.parametrize(
    ("shape", "ratio", "vertical", "expected"),
    [
        ((64, 64), 0.3, False, (19, 64)),
        ((64, 64), 0.3, True, (64, 19)),
        ((48, 100), 0.25, False, (25, 100)),
        ((10, 100), 0.3, False, (10, 100)),
        ((2, 2), 0.3, True, (2, 1)),
    ],
)
def test_the_strip_is_cut_from_the_middle(shape, ratio, vertical, expected):
    image = noise(*shape)
    strip = crop_to_strip(image, ratio, vertical=vertical)
    assert strip.shape == (*expected, 3)
    top, left = ((whole - part) // 2 for whole, part in zip(shape, expected, strict=True))
    np.testing.assert_array_equal(strip, image[top : top + expected[0], left : left + expected[1]])


def naive_near_duplicate(image, strength, random_state):
    brightness, contrast, saturation = as_generator(random_state).uniform(
        1 - strength, 1 + strength, size=3
    )
    weights = np.array([0.299, 0.587, 0.114])
    pixels = np.clip(image * brightness, 0, 255)
    mean = (pixels * weights).sum(axis=2).mean()
    pixels = np.clip(mean + contrast * (pixels - mean), 0, 255)
    grey = (pixels * weights).sum(axis=2, keepdims=True)
    return np.clip(grey + saturation * (pixels - grey), 0, 255)


@given(value=st.integers(0, 255), ev=st.floats(-8, 8))
def test_exposure_multiplies_light(value, ev):
    image = np.full((1, 1, 3), value, dtype=np.uint8)
    assert abs(int(adjust_exposure(image, ev)[0, 0, 0]) - naive.expose(value, ev)) <= 0.5 + 1e-6


def test_no_exposure_changes_nothing_and_there_and_back_loses_only_what_was_clipped():
    image = noise(20, 20)
    np.testing.assert_array_equal(adjust_exposure(image, 0), image)
    back = adjust_exposure(adjust_exposure(image, 1), -1)
    kept = adjust_exposure(image, 1) < 255
    assert np.abs(back.astype(int) - image)[kept].max() <= 1


@pytest.mark.parametrize("level", [40, 128, 220])
@pytest.mark.parametrize("sigma", [1, 4, 10])
@pytest.mark.parametrize("kind", ["gaussian", "shot"])
def test_noise_has_the_documented_mean_and_deviation(kind, sigma, level):
    noisy = add_noise(np.full((200, 200, 3), level, dtype=np.uint8), sigma, kind, random_state=0)
    expected = sigma if kind == "gaussian" else sigma * np.sqrt(level / 127.5)
    assert noisy.mean() == pytest.approx(level, abs=0.2)
    assert noisy.std() == pytest.approx(np.sqrt(expected**2 + 1 / 12), rel=0.03)


def test_noise_is_independent_reproducible_and_absent_from_black_if_it_is_that_of_light():
    flat = np.full((100, 100, 3), 128, dtype=np.uint8)
    noisy = add_noise(flat, 10, random_state=3)
    np.testing.assert_array_equal(noisy, add_noise(flat, 10, random_state=3))
    assert (noisy != add_noise(flat, 10, random_state=4)).any()
    correlation = np.corrcoef(noisy.reshape(-1, 3).T) - np.eye(3)
    assert np.abs(correlation).max() < 0.05
    assert not add_noise(np.zeros_like(flat), 10, "shot", random_state=0).any()
    np.testing.assert_array_equal(add_noise(flat, 1e-9, "shot", random_state=0), flat)


def test_a_lower_quality_is_further_from_the_original():
    image = blur(noise(64, 64), "gaussian", 5)
    errors = [np.abs(compress_jpeg(image, q).astype(int) - image).mean() for q in (95, 60, 20, 5)]
    assert (np.diff(errors) > 0).all()


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pixelated_blocks_have_the_mean_of_what_they_cover(factor):
    image = noise(32, 48)
    result = pixelate(image, factor)
    shape = 32 // factor, factor, 48 // factor, factor, 3
    blocks = image.reshape(shape).astype(float).mean(axis=(1, 3))
    assert np.abs(result[::factor, ::factor] - blocks).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(
        result, result[::factor, ::factor].repeat(factor, 0).repeat(factor, 1)
    )


def test_bicubic_enlargement_keeps_the_mean_and_repeats_nothing():
    image = noise(64, 64)
    result = pixelate(image, 4, "bicubic")
    assert result.mean() == pytest.approx(image.mean(), abs=1)
    assert (np.diff(result.astype(int), axis=1) != 0).mean() > 0.5


@pytest.mark.parametrize("strength", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_near_duplicate_follows_its_formula(strength, seed):
    image = noise(8, 9, seed)
    result = near_duplicate(image, strength=strength, random_state=seed)
    assert np.abs(result - naive_near_duplicate(image, strength, seed)).max() <= 0.51


@pytest.mark.parametrize("hue", [False, True])
def test_no_strength_is_an_exact_copy(hue):
    image = noise(8, 8)
    np.testing.assert_array_equal(near_duplicate(image, strength=0, hue=hue, random_state=0), image)


def test_the_hue_turns_colours_and_not_greys():
    colour = np.zeros((4, 4, 3), dtype=np.uint8)
    colour[..., 0] = 120
    for seed in range(10):
        red, green, blue = near_duplicate(colour, strength=0.5, random_state=seed)[0, 0]
        assert green == blue
        assert red > green
    turned = [near_duplicate(colour, strength=0.5, hue=True, random_state=i) for i in range(10)]
    assert any(np.ptp(image[0, 0, 1:]) > 20 for image in turned)
    grey = near_duplicate(to_grayscale(noise(4, 4)), strength=0.5, hue=True, random_state=0)
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


def test_near_duplicate_is_reproducible_and_otherwise_random():
    image = noise(8, 8)
    first = near_duplicate(image, random_state=3)
    np.testing.assert_array_equal(first, near_duplicate(image, random_state=3))
    assert (first != near_duplicate(image, random_state=4)).any()
    generator = np.random.default_rng(3)
    one, two = (near_duplicate(image, random_state=generator) for _ in range(2))
    assert (one != two).any()


def test_as_generator_takes_every_kind_of_random_state():
    generator = np.random.default_rng(0)
    assert as_generator(generator) is generator
    draws = [
        as_generator(state).integers(2**62) for state in (5, np.int64(5), np.random.RandomState(5))
    ]
    assert len(set(draws)) == 1
    state = np.random.RandomState(5)
    assert as_generator(state).integers(2**62) != as_generator(state).integers(2**62)
    assert as_generator(None).integers(2**62) != as_generator(None).integers(2**62)
