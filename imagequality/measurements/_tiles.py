"""What is measured at once: tiles of a large image, runs of many small ones, blocks of 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LARGEST_AREA = 1 << 20  # pixels; up to here the whole image is measured
_SIDE = 256  # of one tile, in pixels
_GRID = 4  # tiles along each axis
BLOCK = 8  # pixels: JPEG's; tiles begin at multiples of it, so that all of them see one grid
_PIXELS_AT_ONCE = 1 << 17  # of a stack: what a few int16 copies of fit into a core's cache


def native_tiles(picture: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the image itself, or of a large one a bounded number of tiles, at full resolution.

    Noise, compression and pixelation live in neighbouring pixels: shrinking would destroy them,
    so a large image is sampled instead. Up to 1,048,576 pixels the one tile is the image; above,
    the tiles are 16 squares of 256 pixels, spread evenly in a 4 × 4 grid (all of a side shorter
    than 256 pixels), which begin at multiples of 8.

    Parameters
    ----------
    picture : ndarray of shape (h, w) or (h, w, channels)

    Returns
    -------
    tiles : list of ndarray
        They share the picture's memory.

    Examples
    --------
    >>> import numpy as np
    >>> len(native_tiles(np.zeros((300, 400)))), len(native_tiles(np.zeros((3000, 4000))))
    (1, 16)
    """
    height, width = picture.shape[:2]
    if height * width <= LARGEST_AREA:
        return [picture]
    return [
        picture[top : top + _SIDE, left : left + _SIDE]
        for top in _starts(height)
        for left in _starts(width)
    ]


def _starts(length: int) -> list[int]:
    """Where the tiles begin along one axis; a short axis is covered once or without gaps."""
    count = min(_GRID, max(1, length // _SIDE))
    starts = np.linspace(0, max(0, length - _SIDE), count)
    return [int(start) // BLOCK * BLOCK for start in starts]


def tiles_of_one_shape(picture: NDArray[Any]) -> NDArray[Any]:
    """Return the tiles of :func:`native_tiles` as one array.

    Parameters
    ----------
    picture : ndarray of shape (h, w)

    Returns
    -------
    tiles : ndarray of shape (n, tile_h, tile_w), contiguous
    """
    tiles = native_tiles(picture)
    return np.ascontiguousarray(tiles[0])[None] if len(tiles) == 1 else np.stack(tiles)


def in_parts(
    function: Callable[[NDArray[np.uint8]], NDArray[np.float64]], stack: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """Apply a function of stacks to parts of a stack that a processor's cache can hold.

    Parameters
    ----------
    function : callable
        (k, h, w) → (k,), each value being that of one image alone.
    stack : ndarray of shape (n, h, w), uint8

    Returns
    -------
    values : ndarray of shape (n,), float64

    Examples
    --------
    >>> import numpy as np
    >>> stack = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    >>> in_parts(lambda part: part.mean(axis=(1, 2)), stack)
    array([1.5, 5.5, 9.5])
    """
    at_once = max(1, _PIXELS_AT_ONCE // max(1, stack[0].size if len(stack) else 1))
    values = np.empty(len(stack))
    for start in range(0, len(stack), at_once):
        part = np.ascontiguousarray(stack[start : start + at_once])
        values[start : start + at_once] = function(part)
    return values


def sums_of_block_rows(lines: NDArray[Any]) -> NDArray[Any]:
    """Add up every 8 lines of pictures, in the type of the lines.

    Parameters
    ----------
    lines : ndarray of shape (n, h, w), uint8 or int16, its lines contiguous
        h is at least 8, the values so small that 8 of them do not overflow.

    Returns
    -------
    sums : ndarray of shape (n, h // 8, w)

    Examples
    --------
    >>> import numpy as np
    >>> sums_of_block_rows(np.arange(18, dtype=np.int16).reshape(1, 9, 2)).tolist()
    [[[56, 64]]]
    """
    count, height, width = lines.shape
    rows = height // BLOCK
    # By halves: a few additions of long runs instead of many of single lines.
    sums = lines[:, : rows * BLOCK].reshape(count * rows, BLOCK * width)
    for half in (4 * width, 2 * width, width):
        sums = np.asarray(cv2.add(sums[:, :half], sums[:, half:]))
    return sums.reshape(count, rows, width)


def transposed(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Exchange the axes of each picture.

    Parameters
    ----------
    pictures : ndarray of shape (n, h, w), uint8

    Returns
    -------
    pictures : ndarray of shape (n, w, h), uint8, contiguous

    Examples
    --------
    >>> import numpy as np
    >>> transposed(np.arange(6, dtype=np.uint8).reshape(1, 2, 3)).tolist()
    [[[0, 3], [1, 4], [2, 5]]]
    """
    if len(pictures) == 1:  # many times faster on a large picture
        return np.asarray(cv2.transpose(pictures[0]))[None]
    return np.ascontiguousarray(pictures.transpose(0, 2, 1))
