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
_HALVED_ABOVE = 4
# Pillow's luma is (19595 R + 38470 G + 7471 B + 32768) >> 16. In units of 1/65536 all sums are
# whole numbers below 2²⁴, so that single precision holds them exactly.
_LUMA = np.array([[19595, 38470, 7471, 32768]], dtype=np.float32) / 65536


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

    Notes
    -----
    Equal for each of the 2²⁴ colours.

    Examples
    --------
    >>> import numpy as np
    >>> to_grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8))
    array([[ 76, 150,  29]], dtype=uint8)
    """
    height, width = rgb.shape[:2]
    grey = np.empty((height, width), dtype=np.uint8)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = rgb[top : top + rows].astype(np.float32)
        grey[top : top + rows] = cv2.transform(strip, _LUMA)  # rounded down
    return grey


def shrink(grey: NDArray[np.uint8], longest_side: int) -> NDArray[np.uint8]:
    """Shrink an image by area averaging until no side exceeds ``longest_side``; never enlarge.

    An image more than four times too large is halved first, which rounds once more but is fast.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
    longest_side : int
        In pixels.

    Returns
    -------
    small : ndarray, uint8
    """
    while min(grey.shape) > 1 and max(grey.shape) > _HALVED_ABOVE * longest_side:
        height, width = (side // 2 for side in grey.shape)
        even = grey[: 2 * height, : 2 * width]
        grey = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
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

    @property
    def _is_sampled(self) -> bool:
        return self.sampled_rgb is not self.rgb

    @cached_property
    def _sampled_planes(self) -> Sequence[NDArray[np.uint8]]:
        return planes_of(self.sampled_rgb) if self._is_sampled else self.planes

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Pillow's luma."""
        return to_grey(self.rgb)

    @cached_property
    def green(self) -> NDArray[np.uint8]:
        """The green part, shape (h, w); not contiguous if large, to be looked at in tiles."""
        return self.rgb[..., 1] if self._is_sampled else self.planes[1]

    @cached_property
    def grey_for_contrast(self) -> NDArray[np.uint8]:
        """The luma, that of a large image shrunk: what is coarse can be seen in it."""
        return self.grey_for_sharpness if self._is_sampled else self.grey

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
