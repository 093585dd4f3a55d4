"""Noise, compression and pixelation, against plain references and what must hold."""

import io

import cv2
import naive
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from imagequality import measure
from imagequality.images import read_image
from imagequality.measurements import (
    block_repetition,
    blockiness,
    edge_frequency,
    jpeg_quality,
    noise_sigma,
    spectral_extent,
    to_grey,
)
from imagequality.measurements._tiles import LARGEST_AREA, native_tiles
from imagequality.perturbations import add_noise, compress_jpeg, pixelate

SETTINGS = settings(max_examples=40, deadline=None, database=None)

ASTRONAUT = skimage.data.astronaut()
FACE = np.ascontiguousarray(ASTRONAUT[0:200, 150:310])
CAT = skimage.data.chelsea()[:296, :448]


def grey_of(kind, height=64, width=64):
    y, x = np.mgrid[:height, :width]
    return {
        "black": np.zeros((height, width), np.uint8),
        "white": np.full((height, width), 255, np.uint8),
        "grey": np.full((height, width), 100, np.uint8),
        "ramp": np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, 0),
        "chequered": ((x + y) % 2 * 255).astype(np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, (height, width), dtype=np.uint8),
        "line": np.where(x == width // 2, 0, 255).astype(np.uint8),
    }[kind]


KINDS = ["black", "white", "grey", "ramp", "chequered", "noise", "line"]
SHAPES = [(1, 1), (1, 40), (2, 2), (3, 500), (500, 3), (7, 9), (24, 8), (32, 32), (33, 47)]


def stacked(grey):
    return np.ascontiguousarray(grey[..., None].repeat(3, axis=2))


def views(picture):
    """The mirror images and the quarter turns."""
    return [picture[:, ::-1], picture[::-1], np.swapaxes(picture, 0, 1), np.rot90(picture)]


# --------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_pictures_have_finite_values_in_range(kind, shape):
    grey = grey_of(kind, *shape)
    assert 0 <= noise_sigma(stacked(grey)) < np.inf
    assert 0 <= blockiness(grey) < 10
    assert 0 < block_repetition(grey) <= 1
    assert 0 <= spectral_extent(grey) <= 1


@pytest.mark.parametrize("kind", ["black", "white", "grey"])
def test_flat_pictures_show_nothing(kind):
    grey = grey_of(kind)
    assert noise_sigma(stacked(grey)) == 0
    assert blockiness(grey) == 0
    assert block_repetition(grey) == 1
    assert spectral_extent(grey) == 1


@SETTINGS
@given(
    hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=48),
        elements=st.one_of(st.sampled_from([0, 128, 255]), st.integers(0, 255)),
    )
)
def test_any_picture_and_any_memory_layout(grey):
    rgb = stacked(grey)
    found = noise_sigma(rgb), blockiness(grey), block_repetition(grey), spectral_extent(grey)
    assert np.isfinite(found).all()
    strided = np.asfortranarray(grey)
    assert found[1:] == (blockiness(strided), block_repetition(strided), spectral_extent(strided))
    assert found[0] == noise_sigma(np.asfortranarray(rgb))


@pytest.mark.parametrize("view", range(4))
def test_views_of_a_picture_measure_alike(view):
    rgb = compress_jpeg(FACE, 30)
    other = np.ascontiguousarray(views(rgb)[view])
    assert noise_sigma(other) == pytest.approx(noise_sigma(rgb), rel=1e-4)
    assert blockiness(to_grey(other)) == pytest.approx(blockiness(to_grey(rgb)), rel=0.03)
    assert spectral_extent(to_grey(other)) == pytest.approx(spectral_extent(to_grey(rgb)), rel=1e-3)
    blocks = pixelate(FACE, 3)
    other = np.ascontiguousarray(views(blocks)[view])
    assert block_repetition(to_grey(other)) == pytest.approx(block_repetition(to_grey(blocks)))


def test_a_constant_added_changes_nothing():
    grey = grey_of("noise") // 4 + 20
    brighter = grey + np.uint8(40)
    assert blockiness(brighter) == pytest.approx(blockiness(grey), rel=1e-5)
    assert block_repetition(brighter) == block_repetition(grey)
    assert spectral_extent(brighter) == pytest.approx(spectral_extent(grey), rel=1e-5)


# --------------------------------------------------------------------------------- noise


@pytest.mark.parametrize("kind", ["gaussian", "shot"])
@pytest.mark.parametrize("rgb", [FACE, CAT], ids=["face", "cat"])
def test_noise_is_that_of_the_plain_reference(rgb, kind):
    noisy = add_noise(rgb, 12, kind, random_state=0)
    assert noise_sigma(noisy) == pytest.approx(naive.noise_sigma(noisy), rel=1e-5)
    assert noise_sigma(rgb) == pytest.approx(naive.noise_sigma(rgb), rel=1e-5)


@pytest.mark.parametrize("side", [32, 256])
@pytest.mark.parametrize("kind", ["gaussian", "shot"])
@pytest.mark.parametrize("sigma", [2, 5, 10, 25, 40])
def test_noise_of_known_strength_is_found(sigma, kind, side):
    flat = np.full((side, side, 3), 128, np.uint8)
    found = [noise_sigma(add_noise(flat, sigma, kind, random_state=seed)) for seed in range(8)]
    assert np.mean(found) == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize("kind", ["gaussian", "shot"])
def test_noise_grows_with_its_strength(kind):
    found = [noise_sigma(add_noise(CAT, s, kind, random_state=0)) for s in (0, 5, 10, 20, 40)]
    assert (np.diff(found) > 1).all()


def test_contrast_texture_and_compression_are_no_noise():
    half_texture = np.concatenate([stacked(grey_of("noise")), stacked(grey_of("ramp"))])
    assert noise_sigma(half_texture) < 1
    assert noise_sigma(stacked(grey_of("line"))) == 0
    assert noise_sigma(compress_jpeg(ASTRONAUT, 10)) <= noise_sigma(ASTRONAUT) + 0.5


def test_noise_beside_clipped_areas_is_found():
    image = add_noise(np.full((64, 64, 3), 128, np.uint8), 15, random_state=0)
    image[:, :48] = 255
    assert noise_sigma(image) == pytest.approx(15, rel=0.2)


def test_shot_noise_in_a_dark_picture_with_a_bright_corner():
    image = np.full((64, 64, 3), 12, np.uint8)
    image[:16, :16] = 200
    assert noise_sigma(add_noise(image, 20, "shot", random_state=0)) == pytest.approx(20, rel=0.3)


# --------------------------------------------------------------------------- compression


@pytest.mark.parametrize("quality", [10, 40, 80])
def test_blockiness_is_that_of_the_plain_reference(quality):
    grey = to_grey(compress_jpeg(FACE, quality))
    assert blockiness(grey) == pytest.approx(naive.blockiness(grey), rel=1e-4)


@pytest.mark.parametrize("rgb", [ASTRONAUT, CAT, ASTRONAUT[:64, 200:264]], ids=str)
def test_blockiness_grows_as_quality_falls(rgb):
    found = [blockiness(to_grey(compress_jpeg(rgb, quality))) for quality in (90, 60, 40, 20, 10)]
    assert (np.diff(found) > 0).all()
    assert blockiness(to_grey(rgb)) < found[0] + 0.05


@pytest.mark.parametrize("offset", [(1, 0), (3, 5), (7, 7)])
def test_a_cropped_jpeg_is_found_too(offset):
    down, right = offset
    grey = to_grey(compress_jpeg(CAT, 15))
    assert blockiness(grey[down:, right:]) == pytest.approx(blockiness(grey), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_no_grid_in_noise_or_in_a_blurred_picture(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (200, 300), dtype=np.uint8)
    assert blockiness(noise) < 0.05
    assert blockiness(cv2.GaussianBlur(noise, (0, 0), 2)) < 0.1


@pytest.mark.parametrize("quality", [5, 10, 25, 49, 50, 51, 75, 90, 95, 98, 100])
@pytest.mark.parametrize("as_bytes", [True, False])
def test_jpeg_quality_is_the_one_the_file_was_saved_with(quality, as_bytes):
    file = io.BytesIO()
    Image.fromarray(FACE).save(file, "JPEG", quality=quality)
    reference = file.getvalue() if as_bytes else Image.open(file)
    (found,) = measure([reference], ["jpeg_quality"], progress=False)["jpeg_quality"]
    assert found == pytest.approx(quality, abs=1)


def test_only_jpeg_files_have_a_table():
    file = io.BytesIO()
    Image.fromarray(compress_jpeg(FACE, 10)).save(file, "PNG")
    assert read_image(file.getvalue()).luminance_table is None
    assert read_image(FACE).luminance_table is None
    table = measure([file.getvalue(), FACE, b"no image"], ["jpeg_quality"], progress=False)
    assert table["jpeg_quality"].isna().all()
    assert table["valid"].tolist() == [True, True, False]


def test_jpeg_quality_refuses_a_table_of_another_size():
    with pytest.raises(ValueError, match="64 entries"):
        jpeg_quality([1] * 63)


@given(st.lists(st.integers(1, 65535), min_size=64, max_size=64))
def test_jpeg_quality_of_any_table(table):
    assert 1 <= jpeg_quality(table) <= 100


# ---------------------------------------------------------------------------- pixelation


@pytest.mark.parametrize("factor", [1, 2, 2.5, 3, 6])
def test_repetition_is_that_of_the_plain_reference(factor):
    for picture in (FACE, CAT[:40, :90], FACE[:21, :33]):
        grey = to_grey(pixelate(picture, factor))
        assert block_repetition(grey) == pytest.approx(naive.block_repetition(grey), rel=1e-6)


@SETTINGS
@given(st.integers(2, 9), st.integers(2, 9), st.integers(9, 30), st.integers(0, 2**32 - 1))
def test_repetition_of_any_whole_factors_is_found(down, right, side, seed):
    small = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    enlarged = small.repeat(down, 0).repeat(right, 1)
    assert block_repetition(small) == pytest.approx(1, abs=0.2)
    assert block_repetition(enlarged) == pytest.approx(1 / (down * right), rel=0.15)


@pytest.mark.parametrize("factor", [1.5, 2, 2.5, 3, 4, 6, 8])
@pytest.mark.parametrize("rgb", [ASTRONAUT, CAT, FACE], ids=["astronaut", "cat", "face"])
def test_repetition_by_any_factor(rgb, factor):
    assert block_repetition(to_grey(rgb)) > 0.9
    found = block_repetition(to_grey(pixelate(rgb, factor)))
    assert found == pytest.approx(1 / factor**2, rel=0.12)


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_repetition_is_seen_in_small_pictures(factor):
    small = ASTRONAUT[100:132, 200:232]
    assert block_repetition(to_grey(pixelate(small, factor))) < 0.3


def test_compression_and_enlarging_smoothly_repeat_nothing():
    for quality in (5, 20, 60):
        assert block_repetition(to_grey(compress_jpeg(ASTRONAUT, quality))) > 0.7
    for factor in (2, 4, 8):
        assert block_repetition(to_grey(pixelate(ASTRONAUT, factor, "bicubic"))) > 0.9


def test_a_frame_and_a_few_lines_repeat_nothing():
    framed = np.zeros((80, 80), np.uint8)
    framed[30:50, 30:50] = grey_of("noise", 20, 20)
    assert block_repetition(framed) > 0.9
    drawing = np.full((90, 90), 255, np.uint8)
    drawing[:, [10, 17, 40, 80]] = 0
    drawing[[3, 30, 50, 51, 77]] = 0
    assert block_repetition(drawing) > 0.9


@pytest.mark.parametrize("grey", [to_grey(FACE)[:64, :64], grey_of("noise")], ids=["face", "noise"])
def test_extent_is_that_of_the_plain_reference(grey):
    for picture in (grey, cv2.GaussianBlur(grey, (0, 0), 2)):
        assert spectral_extent(picture) == pytest.approx(naive.spectral_extent(picture), rel=1e-4)


@pytest.mark.parametrize("factor", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("rgb", [ASTRONAUT, CAT], ids=["astronaut", "cat"])
def test_extent_is_about_one_over_the_factor(rgb, factor):
    assert spectral_extent(to_grey(rgb)) > 0.7
    found = spectral_extent(to_grey(pixelate(rgb, factor, "bicubic")))
    assert 0.7 / factor < found < 1.3 / factor


def test_extent_is_not_moved_by_contrast():
    grey = to_grey(ASTRONAUT)
    assert spectral_extent(grey // 2 + 40) == pytest.approx(spectral_extent(grey), abs=0.03)


# --------------------------------------------------------------------------------- edges


@SETTINGS
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, min_side=3, max_side=12)))
def test_edge_frequency_is_that_of_the_plain_reference(grey):
    assert edge_frequency(grey) == pytest.approx(naive.edge_frequency(grey), rel=1e-12)


def test_edge_frequency_of_the_largest_sums_is_exact():
    stripes = np.zeros((512, 512), np.uint8)
    stripes[::2, ::2] = 255
    assert edge_frequency(stripes) == pytest.approx(naive.edge_frequency(stripes), rel=1e-12)
    assert edge_frequency(to_grey(FACE)) == pytest.approx(
        naive.edge_frequency(to_grey(FACE)), rel=1e-12
    )


# --------------------------------------------------------------------------------- tiles


def test_tiles_cover_a_small_picture_and_sample_a_large_one():
    small = np.zeros((1024, 1024, 3), np.uint8)
    assert native_tiles(small)[0] is small
    large = np.arange(3000 * 4000, dtype=np.uint32).reshape(3000, 4000)
    tiles = native_tiles(large)
    assert sum(tile.size for tile in tiles) <= LARGEST_AREA
    starts = np.array([np.unravel_index(tile[0, 0], large.shape) for tile in tiles])
    assert (starts % 8 == 0).all()
    assert starts.max(axis=0).tolist() == [2744, 3744]
    assert len({tuple(start) for start in starts.tolist()}) == 16


@pytest.mark.parametrize("shape", [(10, 200_000), (200_000, 10), (300, 5000), (1100, 1100)])
def test_tiles_of_narrow_pictures_have_pixels(shape):
    tiles = native_tiles(np.zeros(shape, np.uint8))
    assert all(tile.size for tile in tiles)
    assert sum(tile.size for tile in tiles) <= LARGEST_AREA


def test_a_large_picture_measures_like_its_parts():
    rgb = np.tile(compress_jpeg(add_noise(ASTRONAUT, 8, random_state=0), 30), (3, 3, 1))
    part = rgb[:1024, :1024]
    assert noise_sigma(rgb) == pytest.approx(noise_sigma(part), rel=0.15, abs=0.3)
    assert blockiness(to_grey(rgb)) == pytest.approx(blockiness(to_grey(part)), rel=0.15)
    assert spectral_extent(to_grey(rgb)) == pytest.approx(spectral_extent(to_grey(part)), abs=0.05)
