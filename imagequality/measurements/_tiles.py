"""The part of a large image that is measured at its own pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_AREA = 1 << 20  # pixels; up to here the whole image is measured
_SIDE = 256  # of one tile, in pixels
_GRID = 4  # tiles along each axis
_JPEG_BLOCK = 8  # tiles begin at multiples of it, so that all of them see one grid


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
    return [int(start) // _JPEG_BLOCK * _JPEG_BLOCK for start in starts]
