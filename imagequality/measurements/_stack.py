"""Small images of one shape, measured together: the cost of a call is shared by all of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._content import channel_histograms_of_stack
from ._exposure import value_histograms_of_stack
from ._hashes import low_frequencies_of_stack
from ._pixels import to_grey

LARGEST_STACKED_AREA = 64 * 64
"""Pixels of the largest image that is measured in a stack, by itself if it is the only one."""

PIXELS_PER_STACK = 1 << 18
"""More pixels would not fit the processor's cache, with what is computed from them."""


def is_stacked(shape: Sequence[int]) -> bool:
    """Whether an image of a shape is measured in a stack, and not by itself.

    It depends on nothing but the image, so that its neighbours in the collection change none
    of its numbers.

    Parameters
    ----------
    shape : sequence of int
        (h, w, ...)

    Returns
    -------
    stacked : bool

    Examples
    --------
    >>> is_stacked((32, 32, 3)), is_stacked((64, 65, 3))
    (True, False)
    """
    return shape[0] * shape[1] <= LARGEST_STACKED_AREA


class Stack:
    """The pixels of some images of one shape, and their shared derivatives, as in :class:`Pixels`.

    Parameters
    ----------
    rgb : ndarray of shape (n, h, w, 3), uint8
    """

    def __init__(self, rgb: RGBArray) -> None:
        self.rgb = rgb
        self._low_frequencies: dict[int, NDArray[np.float64]] = {}

    @cached_property
    def planes(self) -> NDArray[np.uint8]:
        """The red, green and blue parts, shape (3, n, h, w)."""
        return np.ascontiguousarray(np.moveaxis(self.rgb, -1, 0))

    @cached_property
    def grey(self) -> NDArray[np.uint8]:
        """Pillow's luma, shape (n, h, w)."""
        n, height, width, _ = self.rgb.shape
        return to_grey(self.rgb.reshape(n * height, width, 3)).reshape(n, height, width)

    @cached_property
    def histograms(self) -> NDArray[np.int64]:
        """Counts of the 256 levels of R, G and B, shape (n, 3, 256)."""
        return channel_histograms_of_stack(self.planes)

    @cached_property
    def value_histograms(self) -> NDArray[np.int64]:
        """Counts of the 256 levels of max(R, G, B), shape (n, 256)."""
        return value_histograms_of_stack(self.planes)

    def low_frequencies(self, hash_size: int) -> NDArray[np.float64]:
        """Return what perceptual hashes compare, shape (n, hash_size, hash_size)."""
        if hash_size not in self._low_frequencies:
            self._low_frequencies[hash_size] = low_frequencies_of_stack(self.grey, hash_size)
        return self._low_frequencies[hash_size]
