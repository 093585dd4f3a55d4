"""One decoded image, and what several measurements share, each computed once."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images import RGBArray
from ._hashes import low_frequencies

LARGEST_SHARPNESS_SIDE = 512


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
    return np.asarray(Image.fromarray(rgb).convert("L"))


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
    def grey(self) -> NDArray[np.uint8]:
        """Pillow's luma."""
        return to_grey(self.rgb)

    @cached_property
    def grey_for_sharpness(self) -> NDArray[np.uint8]:
        """The luma, its longer side at most 512 pixels: small sharp detail decides, not size."""
        return shrink(self.grey, LARGEST_SHARPNESS_SIDE)

    @cached_property
    def histogram(self) -> NDArray[np.int64]:
        """Counts of the 256 levels of R, G and B, shape (3, 256)."""
        return channel_histograms(self.rgb)

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
    return np.array(Image.fromarray(rgb).histogram(), dtype=np.int64).reshape(3, 256)
