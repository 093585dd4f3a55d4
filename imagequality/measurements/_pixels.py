"""One decoded image, and what several measurements share, each computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._content import channel_histograms_of_planes
from ._exposure import value_histogram_of_planes
from ._hashes import low_frequencies
from ._sampling import sampled_rows

LARGEST_SHARPNESS_SIDE = 512

_STRIP = 1 << 15  # pixels
_WEIGHTS = np.array([19595, 38470, 7471])  # of R, G and B in Pillow's luma, over 65536
_HIGH_WEIGHTS, _LOW_WEIGHTS = (_WEIGHTS >> 8).astype(np.uint16), (_WEIGHTS & 255).astype(np.uint16)


def planes_of(rgb: RGBArray) -> Sequence[NDArray[np.uint8]]:
    """Return the red, green and blue parts of an image, each C-contiguous of shape (h, w)."""
    return cast("Sequence[NDArray[np.uint8]]", cv2.split(rgb))


def to_grey(rgb: RGBArray) -> NDArray[np.uint8]:
    """Return the luma of an image, equal to Pillow's mode "L" (ITU-R 601-2).

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    grey : ndarray of shape (h, w), uint8

    Examples
    --------
    >>> import numpy as np
    >>> to_grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    array([[ 76, 150,  29]], dtype=uint8)
    """
    return luma(*planes_of(rgb))


def luma(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return Pillow's luma of planes: (19595 R + 38470 G + 7471 B + 32768) >> 16, exactly.

    Parameters
    ----------
    red, green, blue : ndarray of one shape, uint8
        C-contiguous.

    Returns
    -------
    grey : ndarray of the same shape, uint8

    Notes
    -----
    The weights are split into 256 · high + low, so that 16 bits hold every sum, and the planes
    into strips that stay in the processor's cache.

    Examples
    --------
    >>> import numpy as np
    >>> luma(*np.full((3, 1, 2), 255, np.uint8))
    array([[255, 255]], dtype=uint8)
    """
    grey = np.empty(red.shape, dtype=np.uint8)
    flat = [plane.reshape(-1) for plane in (red, green, blue)]
    out = grey.reshape(-1)
    for start in range(0, out.size, _STRIP):
        strip = slice(start, start + _STRIP)
        planes = [plane[strip].astype(np.uint16) for plane in flat]
        low = planes[0] * _LOW_WEIGHTS[0]
        low += planes[1] * _LOW_WEIGHTS[1]
        low += planes[2] * _LOW_WEIGHTS[2]
        low >>= 8
        low += np.uint16(128)
        for plane, weight in zip(planes, _HIGH_WEIGHTS, strict=True):
            plane *= weight
            low += plane
        low >>= 8
        out[strip] = low
    return grey


def shrink(grey: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Shrink an image by area averaging until no side exceeds ``longest_side``; never enlarge.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
    longest_side : int
        In pixels.

    Returns
    -------
    small : ndarray, uint8
    """
    height, width = grey.shape
    ratio = longest_side / max(height, width)
    if ratio >= 1:
        return grey
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Pixels:
    """The pixels of one image and their shared derivatives, computed when first asked for.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    """

    def __init__(self, rgb: RGBArray) -> None:
        self.rgb = rgb
        self._low_frequencies: dict[int, NDArray[np.float64]] = {}

    @cached_property
    def sampled_rgb(self) -> RGBArray:
        """The image, or of a large one some of its rows, for what a sample tells."""
        return sampled_rows(self.rgb)

    @cached_property
    def planes(self) -> Sequence[NDArray[np.uint8]]:
        """The red, green and blue parts, each of shape (h, w)."""
        return planes_of(self.rgb)

    @cached_property
    def _sampled_planes(self) -> Sequence[NDArray[np.uint8]]:
        if self.sampled_rgb is self.rgb:
            return self.planes
        return planes_of(self.sampled_rgb)

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Pillow's luma."""
        return luma(*self.planes)

    @cached_property
    def grey_for_sharpness(self) -> NDArray[np.uint8]:
        """The luma, its longer side at most 512 pixels: small sharp detail decides, not size."""
        return shrink(self.grey, LARGEST_SHARPNESS_SIDE)

    @cached_property
    def histogram(self) -> NDArray[np.int64]:
        """Counts of the 256 levels of R, G and B, shape (3, 256); of a sample, if large."""
        return channel_histograms_of_planes(self._sampled_planes)

    @cached_property
    def value_histogram(self) -> NDArray[np.int64]:
        """Counts of the 256 levels of max(R, G, B), shape (256,); of a sample, if large."""
        return value_histogram_of_planes(self._sampled_planes)

    def low_frequencies(self, hash_size: int) -> NDArray[np.float64]:
        """Return what perceptual hashes of one size compare, shape (hash_size, hash_size)."""
        if hash_size not in self._low_frequencies:
            self._low_frequencies[hash_size] = low_frequencies(self.grey, hash_size)
        return self._low_frequencies[hash_size]


def channel_histograms(rgb: RGBArray) -> NDArray[np.int64]:
    """Count the 256 levels of each channel.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    counts : ndarray of shape (3, 256), int64

    Examples
    --------
    >>> import numpy as np
    >>> counts = channel_histograms(np.full((2, 3, 3), 7, np.uint8))
    >>> counts[:, 7].tolist(), int(counts.sum())
    ([6, 6, 6], 18)
    """
    return channel_histograms_of_planes(planes_of(rgb))
