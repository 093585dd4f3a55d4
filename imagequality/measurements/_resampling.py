"""Pillow's resize of grey images, many at a time: the same bytes in less time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_KERNEL = Image.Resampling.LANCZOS
_SUPPORT = 3.0  # of the kernel, to either side
_ONE = 1 << 22  # Pillow rounds the weights of 8-bit images to multiples of 1 / _ONE
_SHRINKING_BLOCK, _ENLARGING_BLOCK = 8, 16  # outputs of one product: of few, fewer are zeros
_STRIP = 1 << 17  # pixels of a pass that are held in single precision at a time
_LONGEST = 8192
_LARGEST_BOXED = 1 << 14  # pixels of an image whose boxes are a product

_Pixels = NDArray[np.uint8] | NDArray[np.float32]


class _Block(NamedTuple):
    """Neighbouring outputs and the inputs that they depend on."""

    outputs: slice
    inputs: slice
    matrix: NDArray[np.float32]  # (outputs, inputs)


class _Weights(NamedTuple):
    """One pass of a resize, from one length to another."""

    starts: NDArray[np.intp]  # (outputs,): the first input that counts
    integers: NDArray[np.float64]  # (outputs, taps): multiples of 1 / _ONE
    blocks: tuple[_Block, ...]
    error: float  # no product is further from the exact one


def lanczos(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    """Resize equal-shaped grey images by Lanczos' kernel, each to the bytes that Pillow makes.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
    height, width : int
        Of the results, in pixels.

    Returns
    -------
    resized : ndarray of shape (height, n, width), float32
        Whole numbers in [0, 255]. The rows come first: ``resized[:, i]`` is the i-th image.

    Notes
    -----
    Pillow resizes one axis after the other. Each pass is a sum of pixels with weights that are
    multiples of 2⁻²², rounded half up to a byte. Here it is a float32 product with a banded
    matrix, whose error is bounded; sums so near a half that the error could decide are made
    again exactly. So the result depends neither on the order in which a product is summed, nor
    on the other images of the stack. The weights are asked of the installed Pillow; should its
    passes be of another kind, or an image be longer than 8192 pixels, so that to ask would fill
    the memory, Pillow resizes by itself.

    Examples
    --------
    >>> import numpy as np
    >>> stack = np.arange(2 * 6 * 4, dtype=np.uint8).reshape(2, 6, 4)
    >>> lanczos(stack, 2, 2)[:, 0].tolist()
    [[5.0, 6.0], [17.0, 18.0]]
    """
    if max(grey.shape[1:]) > _LONGEST or not _equals_pillows():
        return _resize_by_pillow(grey, height, width)
    return _resize(grey, height, width)


def box(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink equal-shaped grey images by means of boxes, each to the bytes that Pillow makes.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
    height, width : int
        Of the results, in pixels; at most h and w.

    Returns
    -------
    shrunk : ndarray of shape (n, height, width), uint8

    Notes
    -----
    Every pixel belongs to one box, that which holds its centre. The means are rounded after the
    first axis and after the second. Large images are left to Pillow, which is faster there.

    Examples
    --------
    >>> import numpy as np
    >>> stack = np.arange(2 * 6 * 4, dtype=np.uint8).reshape(2, 6, 4)
    >>> box(stack, 2, 2)[0].tolist()
    [[5, 7], [17, 19]]
    """
    if grey[0].size > _LARGEST_BOXED or not _equals_pillows():
        return np.stack([_by_pillow(image, height, width, Image.Resampling.BOX) for image in grey])
    _, rows, columns = grey.shape
    if _rows_come_first(rows, columns, height, width):
        return _means_across(_means_down(grey, height), width)
    return _means_down(_means_across(grey, width), height)


def _means_down(grey: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    if grey.shape[1] == height:
        return grey
    members, weights = _boxes(grey.shape[1], height)
    return _weighted(np.matmul(members, grey.astype(np.float32)), weights[:, np.newaxis])


def _means_across(grey: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    n, height, old_width = grey.shape
    if old_width == width:
        return grey
    members, weights = _boxes(old_width, width)
    sums = grey.reshape(n * height, old_width).astype(np.float32) @ members.T
    return _weighted(sums, weights).reshape(n, height, width)


def _weighted(sums: NDArray[np.float32], weights: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round as Pillow does; all numbers are whole, and small enough to be exact."""
    return np.asarray(np.floor((sums * weights + _ONE // 2) * (1 / _ONE)), dtype=np.uint8)


@lru_cache(maxsize=1024)
def _boxes(length: int, new_length: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return which pixels belong to which box, as Pillow decides it, and their weights."""
    starts, ends, centres = _reach(length, new_length, 0.5)
    pixels = np.arange(length)
    distances = (pixels - centres[:, np.newaxis] + 0.5) * (1 / (length / new_length))
    members = (distances > -0.5) & (distances <= 0.5)
    members &= (pixels >= starts[:, np.newaxis]) & (pixels < ends[:, np.newaxis])
    return members.astype(np.float32), np.floor(_ONE / members.sum(axis=1) + 0.5)


def _resize(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    n, rows, columns = grey.shape
    pixels = np.ascontiguousarray(grey.transpose(1, 0, 2))
    if _rows_come_first(rows, columns, height, width):
        fewer = _down(pixels.reshape(rows, n * columns), height)
        resized = _across(fewer.reshape(height * n, columns), width)
    else:
        fewer = _across(pixels.reshape(rows * n, columns), width)
        resized = _down(fewer.reshape(rows, n * width), height)
    return resized.reshape(height, n, width)


def _rows_come_first(rows: int, columns: int, height: int, width: int) -> bool:
    """Whether Pillow reduces the number of rows before it changes that of columns."""
    return _PILLOW >= 13 and rows > height and rows - height > 2 * (columns - width)


_PILLOW = int(Image.__version__.partition(".")[0])


def _down(pixels: _Pixels, height: int) -> NDArray[np.float32]:
    """Resize along the first axis."""
    length, columns = pixels.shape
    if length == height:
        return pixels.astype(np.float32, copy=False)
    weights = _weights(length, height)
    resized = np.empty((height, columns), dtype=np.float32)
    for strip in _strips(columns, length):
        inputs = np.asarray(pixels[:, strip], dtype=np.float32)
        product = np.empty((height, inputs.shape[1]), dtype=np.float32)
        for block in weights.blocks:
            np.matmul(block.matrix, inputs[block.inputs], out=product[block.outputs])
        rounded, (outputs, lines) = _round(product, weights.error)
        rounded[outputs, lines] = _exact(inputs.T, lines, outputs, weights)
        np.clip(rounded, 0, 255, out=resized[:, strip])
    return resized


def _across(pixels: _Pixels, width: int) -> NDArray[np.float32]:
    """Resize along the second axis."""
    rows, length = pixels.shape
    if length == width:
        return pixels.astype(np.float32, copy=False)
    weights = _weights(length, width)
    resized = np.empty((rows, width), dtype=np.float32)
    for strip in _strips(rows, length):
        inputs = np.asarray(pixels[strip], dtype=np.float32)
        product = np.empty((len(inputs), width), dtype=np.float32)
        for block in weights.blocks:
            np.matmul(inputs[:, block.inputs], block.matrix.T, out=product[:, block.outputs])
        rounded, (lines, outputs) = _round(product, weights.error)
        rounded[lines, outputs] = _exact(inputs, lines, outputs, weights)
        np.clip(rounded, 0, 255, out=resized[strip])
    return resized


def _strips(lines: int, length: int) -> Iterator[slice]:
    """Cut parallel lines of pixels into strips that stay in the processor's cache."""
    step = max(1, _STRIP // length)
    return (slice(first, first + step) for first in range(0, lines, step))


def _round(
    product: NDArray[np.float32], error: float
) -> tuple[NDArray[np.float32], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Round numbers, and say where an error could have moved one over a half.

    The product is overwritten.
    """
    rounded = np.rint(product)
    product -= rounded
    np.abs(product, out=product)
    doubtful = np.flatnonzero(product > np.float32(0.5 - error))
    return rounded, np.divmod(doubtful, product.shape[1])


def _exact(
    lines_of_pixels: NDArray[np.float32],
    lines: NDArray[np.intp],
    outputs: NDArray[np.intp],
    weights: _Weights,
) -> NDArray[np.float64]:
    """Sum and round single outputs of a pass in integers, which float64 holds exactly."""
    taps = np.arange(weights.integers.shape[1])
    inputs = np.minimum(weights.starts[outputs, np.newaxis] + taps, lines_of_pixels.shape[1] - 1)
    pixels = lines_of_pixels[lines[:, np.newaxis], inputs].astype(np.float64)
    sums = np.einsum("ij,ij->i", pixels, weights.integers[outputs])
    return np.asarray(np.floor((sums + _ONE // 2) / _ONE))


@lru_cache(maxsize=1024)
def _weights(length: int, new_length: int) -> _Weights:
    """Ask Pillow for its weights: what it makes of single bright pixels."""
    starts, ends, _ = _reach(length, new_length, _SUPPORT)
    # Pixels further apart than the kernel is wide share no output, so one row can hold them.
    apart = int((ends - starts).max()) + 1
    pixels = np.zeros((apart, length), dtype=np.int32)
    pixels[np.arange(length) % apart, np.arange(length)] = _ONE
    answers = np.asarray(Image.fromarray(pixels).resize((new_length, apart), _KERNEL))
    inputs = starts[:, np.newaxis] + np.arange(apart - 1)
    integers = answers.T[np.arange(new_length)[:, np.newaxis], inputs % apart].astype(np.float64)
    integers[inputs >= ends[:, np.newaxis]] = 0
    blocks = tuple(_blocks(starts, ends, integers / _ONE, length))
    return _Weights(starts, integers, blocks, _largest_error(blocks))


def _reach(
    length: int, new_length: int, support: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """First input, end of the inputs and centre of each output of a kernel, as in Pillow."""
    scale = length / new_length
    centres = (np.arange(new_length, dtype=np.float64) + 0.5) * scale
    to_either_side = support * max(scale, 1.0)
    starts = np.maximum(centres - to_either_side + 0.5, 0).astype(np.intp)
    ends = np.minimum((centres + to_either_side + 0.5).astype(np.intp), length)
    return starts, ends, centres


def _blocks(
    starts: NDArray[np.intp],
    ends: NDArray[np.intp],
    weights: NDArray[np.float64],
    length: int,
) -> Iterator[_Block]:
    step = _SHRINKING_BLOCK if length > len(starts) else _ENLARGING_BLOCK
    for first in range(0, len(starts), step):
        outputs = slice(first, min(first + step, len(starts)))
        inputs = slice(int(starts[outputs].min()), int(ends[outputs].max()))
        matrix = np.zeros((outputs.stop - first, inputs.stop - inputs.start), dtype=np.float32)
        for row, output in enumerate(range(first, outputs.stop)):
            taps = ends[output] - starts[output]
            at = starts[output] - inputs.start
            matrix[row, at : at + taps] = weights[output, :taps]
        yield _Block(outputs, inputs, matrix)


def _largest_error(blocks: Sequence[_Block]) -> float:
    """Bound what rounding adds to a product: m terms, in whatever order, are rounded m times."""
    terms = max(block.matrix.shape[1] for block in blocks)
    largest = max(float(np.abs(block.matrix).sum(axis=1).max()) for block in blocks)
    return (terms + 2) * 2.0**-24 * 255 * largest


def _resize_by_pillow(grey: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float32]:
    images = [_by_pillow(image, height, width, _KERNEL) for image in grey]
    return np.stack(images, axis=1).astype(np.float32)


def _by_pillow(
    grey: NDArray[np.uint8], height: int, width: int, kernel: Image.Resampling
) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(grey).resize((width, height), kernel))


@lru_cache(maxsize=1)
def _equals_pillows() -> bool:
    """Whether the installed Pillow resizes as this module does: shapes of every kind are tried."""
    noise = np.random.default_rng(0)
    for rows, columns in ((20, 20), (90, 90), (300, 70), (70, 300), (40, 34), (16, 8), (60, 20)):
        grey = noise.integers(0, 256, (1, rows, columns), dtype=np.uint8)
        if not np.array_equal(_resize(grey, 32, 32), _resize_by_pillow(grey, 32, 32)):
            return False
    return True
