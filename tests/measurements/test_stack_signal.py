"""Noise, compression, pixelation and edges of stacks of small images: as of one image alone."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagequality.measurements import (
    block_repetition,
    blockiness,
    edge_frequency,
    noise_sigma,
    spectral_extent,
)
from imagequality.measurements._compression import blockinesses_of_stack
from imagequality.measurements._noise import noise_sigma_of_plane, noise_sigmas_of_stack
from imagequality.measurements._pixelation import (
    block_repetitions_of_stack,
    spectral_extents_of_stack,
)
from imagequality.measurements._sharpness import edge_frequencies_of_stack
from imagequality.measurements._tiles import in_parts, sums_of_block_rows, transposed

SETTINGS = settings(max_examples=60, deadline=None, database=None)

FORMS = {
    "noise": (noise_sigma_of_plane, noise_sigmas_of_stack),
    "blockiness": (blockiness, blockinesses_of_stack),
    "repetition": (block_repetition, block_repetitions_of_stack),
    "extent": (spectral_extent, spectral_extents_of_stack),
    "edges": (edge_frequency, edge_frequencies_of_stack),
}
SHAPES = [(1, 1), (2, 7), (3, 3), (7, 9), (8, 24), (28, 28), (32, 32), (32, 31), (64, 23), (64, 64)]
SHAPES += [(1, 64), (40, 8), (33, 47), (5, 300), (300, 5)]
each_form = pytest.mark.parametrize("form", FORMS)


def texture(random, height, width):
    return random.integers(0, 256, (height, width), dtype=np.uint8)


def soft(random, height, width):
    return cv2.GaussianBlur(texture(random, height, width), (0, 0), random.uniform(0.4, 3))


def flat(random, height, width):
    return np.full((height, width), random.integers(0, 256), np.uint8)


def clipped(random, height, width):
    picture = soft(random, height, width)
    picture[: random.integers(0, height + 1)] = random.choice([0, 255])
    return picture


def stripes(random, height, width):
    line = np.arange(width) // random.integers(1, 9) % 2 * random.integers(1, 256)
    return np.tile(line.astype(np.uint8), (height, 1))


def repeated(random, height, width):
    down, right = random.integers(1, 9, 2)
    return texture(random, height, width).repeat(down, 0).repeat(right, 1)[:height, :width]


def compressed(random, height, width):
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(2, 95))]
    _, file = cv2.imencode(".jpg", soft(random, height, width), quality)
    return cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)


def faint(random, height, width):
    return flat(random, height, width) // 2 + random.integers(0, 3, (height, width), dtype=np.uint8)


PICTURES = [texture, soft, flat, clipped, stripes, repeated, compressed, faint]


def stack_of(seed, count, height, width):
    random = np.random.default_rng(seed)
    kinds = random.integers(0, len(PICTURES), count)
    return np.stack([PICTURES[kind](random, height, width) for kind in kinds])


sizes = st.one_of(st.sampled_from(SHAPES), st.tuples(st.integers(1, 64), st.integers(1, 64)))
seeds = st.integers(0, 2**32 - 1)


@each_form
@SETTINGS
@given(shape=sizes, seed=seeds, count=st.integers(1, 9))
def test_a_stack_measures_like_its_images_to_the_last_bit(form, shape, seed, count):
    alone, together = FORMS[form]
    stack = stack_of(seed, count, *shape)
    found = together(stack)
    assert found.shape == (count,)
    assert found.dtype == np.float64
    assert found.tolist() == [alone(picture) for picture in stack]


@each_form
@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (8, 8), (3, 64), (64, 64)])
def test_neighbours_and_order_in_a_long_stack_change_nothing(form, shape):
    together = FORMS[form][1]
    stack = stack_of(0, 300, *shape)  # more than is measured at once
    found = together(stack)
    order = np.random.default_rng(1).permutation(len(stack))
    assert (together(stack[order]) == found[order]).all()
    assert (together(stack[::3]) == found[::3]).all()
    assert [float(together(stack[[i]])[0]) for i in range(20)] == found[:20].tolist()


@each_form
def test_any_memory_layout(form):
    together = FORMS[form][1]
    stack = stack_of(2, 6, 40, 36)
    assert (together(np.asfortranarray(stack)) == together(stack)).all()
    channels = np.stack([stack, stack[::-1]], axis=3)
    assert (together(channels[..., 1]) == together(stack[::-1])).all()


@each_form
@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (32, 32)])
def test_an_empty_stack_has_no_values(form, shape):
    assert FORMS[form][1](np.empty((0, *shape), np.uint8)).shape == (0,)


@pytest.mark.parametrize("shape", [(4, 1000), (1000, 4), (512, 8), (63, 65)])
def test_edges_of_the_strongest_contrast_are_exact_in_wide_images(shape):
    chequered = (np.indices(shape).sum(axis=0) % 2 * 255).astype(np.uint8)
    stack = np.stack([chequered, 255 - chequered, texture(np.random.default_rng(0), *shape)])
    alone = [edge_frequency(picture) for picture in stack]
    assert edge_frequencies_of_stack(stack).tolist() == alone


def test_the_plane_of_noise_is_the_green_one():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert noise_sigma(rgb) == noise_sigma_of_plane(rgb[..., 1])
    assert noise_sigma(rgb[:, ::-1]) == noise_sigma_of_plane(rgb[:, ::-1, 1])


@given(st.integers(1, 5), st.integers(8, 30), st.integers(1, 30), seeds)
@SETTINGS
def test_sums_of_block_rows_are_plain_sums(count, height, width, seed):
    lines = np.random.default_rng(seed).integers(0, 2000, (count, height, width), dtype=np.int16)
    plain = [
        [picture[top : top + 8].sum(axis=0).tolist() for top in range(0, height - 7, 8)]
        for picture in lines
    ]
    assert sums_of_block_rows(lines).tolist() == plain


def test_parts_of_a_stack_are_put_together_in_order():
    stack = np.random.default_rng(0).integers(0, 256, (700, 20, 20), dtype=np.uint8)
    lengths = []

    def first_pixel(part):
        lengths.append(len(part))
        return part[:, 0, 0].astype(np.float64)

    assert (in_parts(first_pixel, stack) == stack[:, 0, 0]).all()
    assert len(lengths) > 1
    assert sum(lengths) == 700


@pytest.mark.parametrize("count", [1, 3])
def test_transposed_pictures_are_contiguous(count):
    stack = stack_of(0, count, 5, 9)
    assert (transposed(stack) == stack.swapaxes(1, 2)).all()
    assert transposed(stack).flags.c_contiguous
