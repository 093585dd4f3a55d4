"""What is in an image: how much information, and whether it has colour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._counting import counts_of, counts_of_rows

_SMALL = 1 << 12  # counts up to this one have their logarithms in a table


def channel_histograms_of_planes(planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Count the 256 levels of each channel of an image.

    Parameters
    ----------
    planes : sequence of three ndarray of shape (h, w), uint8
        The red, green and blue parts.

    Returns
    -------
    counts : ndarray of shape (3, 256), int64

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.array([[[1, 1]], [[2, 1]], [[3, 1]]], np.uint8)
    >>> channel_histograms_of_planes(planes)[:, 1].tolist()
    [2, 1, 1]
    """
    return np.stack([counts_of(plane, 256) for plane in planes])


def channel_histograms_of_stack(planes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the 256 levels of each channel of each of several images.

    Parameters
    ----------
    planes : ndarray of shape (3, n, h, w), uint8
        The red, green and blue parts.

    Returns
    -------
    counts : ndarray of shape (n, 3, 256), int64

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.zeros((3, 2, 4, 5), np.uint8)
    >>> planes[2, 1] = 9  # the second image is blue
    >>> channel_histograms_of_stack(planes)[..., 9].tolist()
    [[0, 0, 0], [0, 0, 20]]
    """
    _, n, height, width = planes.shape
    counts = counts_of_rows(planes.reshape(3 * n, height * width))
    return np.ascontiguousarray(counts.reshape(3, n, 256).swapaxes(0, 1))


def entropy(histogram: NDArray[np.int64]) -> Any:
    """Shannon entropy of the pooled levels of the three channels, equal to Pillow's.

    The counts of R, G and B are 768 symbols of one distribution, so that three channels alike
    add log2(3) = 1.585 bits to the entropy of one.

    Parameters
    ----------
    histogram : ndarray of shape (3, 256) or (n, 3, 256)
        Counts of the levels of R, G and B; of one image or of many.

    Returns
    -------
    bits : float or ndarray of shape (n,), in [log2 3, log2 768]

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", 1948; ``PIL.Image.entropy``;
    CleanVision's ``entropy``.

    Examples
    --------
    >>> import numpy as np
    >>> flat = np.zeros((3, 256), np.int64)
    >>> flat[:, 7] = 100
    >>> round(entropy(flat), 3)
    1.585
    """
    counts = histogram.reshape(*histogram.shape[:-2], 3 * 256)
    total = counts.sum(axis=-1)
    bits = np.log2(total) - _times_logarithm(counts).sum(axis=-1) / total
    return float(bits) if histogram.ndim == 2 else np.asarray(bits)


def _times_logarithm(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Multiply counts by their logarithms to the base 2; 0 for 0."""
    if counts.max() <= _SMALL:
        return _table_of_small_counts()[counts]
    return np.asarray(counts * np.log2(np.maximum(counts, 1)))


@lru_cache(maxsize=1)
def _table_of_small_counts() -> NDArray[np.float64]:
    counts = np.arange(_SMALL + 1)
    return np.asarray(counts * np.log2(np.maximum(counts, 1)))


def channels_identical(rgb: RGBArray) -> bool:
    """Whether R, G and B are the same in every pixel, whatever the file's mode says.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    identical : bool

    References
    ----------
    The paper, III-C: the re-detection of grayscale images stored as RGB.

    Examples
    --------
    >>> import numpy as np
    >>> channels_identical(np.full((2, 2, 3), 9, np.uint8))
    True
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    # A few rows decide for nearly every colour image.
    few = slice(None, None, max(1, len(rgb) // 4))
    if (red[few] != green[few]).any() or (red[few] != blue[few]).any():
        return False
    return bool((red == green).all() and (red == blue).all())


def channels_identical_of_stack(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether R, G and B are the same in every pixel, of each of several images.

    Parameters
    ----------
    planes : ndarray of shape (3, n, h, w), uint8
        The red, green and blue parts.

    Returns
    -------
    identical : ndarray of shape (n,), bool

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.full((3, 2, 4, 5), 9, np.uint8)
    >>> planes[2, 1, 0, 0] = 8
    >>> channels_identical_of_stack(planes).tolist()
    [True, False]
    """
    red, green, blue = planes.reshape(3, planes.shape[1], -1)
    return np.asarray(((red == green) & (red == blue)).all(axis=1))
