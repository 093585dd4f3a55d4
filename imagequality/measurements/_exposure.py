"""How bright an image is: percentiles of two kinds of brightness, means, clipped highlights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray

PERCENTILES = (1, 5, 10, 15, 25, 30, 40, 50, 60, 75, 90, 95, 99)
"""The percentiles that are measured: CleanVision's and those that the paper tries."""

# Weights of R², G² and B² in perceived brightness: the HSP colour model, after Finley (2006),
# https://alienryderflex.com/hsp.html; used by CleanVision and by the paper (III-A).
_HSP = np.array([[0.241, 0.691, 0.068]], dtype=np.float32)
_STEPS = 16  # histogram bins per grey level: brightness is exact to 1 / (2 · 16 · 255)
_BINS = 255 * _STEPS + 1
_STRIP = 1 << 20  # pixels held as float at a time, so that memory does not grow with the image


def brightness_percentiles(rgb: RGBArray, percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Percentiles of the pixels' perceived brightness.

    Brightness is sqrt(0.241 R² + 0.691 G² + 0.068 B²) / 255. The percentiles are taken from a
    histogram of 4081 bins, with linear interpolation between order statistics as in
    :func:`numpy.percentile`; they differ from the exact ones by at most 1.3e-4.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    percentiles : sequence of float
        In [0, 100].

    Returns
    -------
    brightness : ndarray of shape (n_percentiles,), in [0, 1]

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A; CleanVision's ``brightness_perc_*``.

    Examples
    --------
    >>> import numpy as np
    >>> half = np.zeros((2, 2, 3), np.uint8)
    >>> half[0] = 255
    >>> brightness_percentiles(half, [0, 50, 100]).tolist()
    [0.0, 0.5, 1.0]
    """
    height, width = rgb.shape[:2]
    rows = max(1, _STRIP // width)
    counts = np.zeros(_BINS, dtype=np.int64)
    for top in range(0, height, rows):
        strip = rgb[top : top + rows].astype(np.float32)
        strip *= strip
        brightness = cv2.transform(strip, _HSP)
        np.sqrt(brightness, out=brightness)
        brightness *= _STEPS
        np.rint(brightness, out=brightness)
        counts += _count(brightness.astype(np.uint16), _BINS)
    return _percentiles_of_counts(counts, percentiles) / (_BINS - 1)


def value_percentiles(rgb: RGBArray, percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Percentiles of the pixels' value, max(R, G, B) / 255: the V of HSV.

    A saturated colour is not dark by it, as it is by brightness. Exact.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    percentiles : sequence of float
        In [0, 100].

    Returns
    -------
    value : ndarray of shape (n_percentiles,), in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> blue = np.zeros((4, 4, 3), np.uint8)
    >>> blue[..., 2] = 255
    >>> value_percentiles(blue, [99]).tolist()
    [1.0]
    """
    return _percentiles_of_counts(_value_counts(rgb), percentiles) / 255


def value_share(rgb: RGBArray, level: int) -> float:
    """Share of the pixels whose value max(R, G, B) reaches a level.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    level : int
        In 0 … 255. 255 counts the clipped pixels: at least one channel is saturated.

    Returns
    -------
    share : float in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((2, 2, 3), 100, np.uint8)
    >>> image[0, 0] = (255, 0, 0)
    >>> value_share(image, 255), value_share(image, 100)
    (0.25, 1.0)
    """
    return value_shares(rgb, [level])[0]


def value_shares(rgb: RGBArray, levels: Sequence[int]) -> list[float]:
    """Shares of the pixels whose value max(R, G, B) reaches each of several levels.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    levels : sequence of int
        In 0 … 255.

    Returns
    -------
    shares : list of float in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> value_shares(np.full((2, 2, 3), 100, np.uint8), [100, 101])
    [1.0, 0.0]
    """
    counts = _value_counts(rgb)
    return [float(counts[level:].sum() / counts.sum()) for level in levels]


def mean_brightness(histogram: NDArray[np.int64]) -> float:
    """Perceived brightness of the mean colour: CleanVision's ``brightness``.

    Parameters
    ----------
    histogram : ndarray of shape (3, 256)
        Counts of the levels of R, G and B.

    Returns
    -------
    brightness : float in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import channel_histograms
    >>> red = np.zeros((4, 4, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> round(mean_brightness(channel_histograms(red)), 3)
    0.491
    """
    mean = _channel_means(histogram)
    return float(np.sqrt(_HSP[0].astype(np.float64) @ mean**2) / 255)


def mean_intensity(histogram: NDArray[np.int64]) -> float:
    """Mean of all values of all channels, over 255: fastdup's mean (the paper, III-B).

    Parameters
    ----------
    histogram : ndarray of shape (3, 256)
        Counts of the levels of R, G and B.

    Returns
    -------
    intensity : float in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import channel_histograms
    >>> red = np.zeros((4, 4, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> round(mean_intensity(channel_histograms(red)), 3)
    0.333
    """
    return float(_channel_means(histogram).mean() / 255)


def _channel_means(histogram: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(histogram @ np.arange(256.0) / histogram.sum(axis=1))


def _value_counts(rgb: RGBArray) -> NDArray[np.int64]:
    value = np.maximum(rgb[..., 0], rgb[..., 1])  # rgb.max(axis=2) is ten times as slow
    return _count(np.maximum(value, rgb[..., 2], out=value), 256)


def _count(values: NDArray[np.uint8] | NDArray[np.uint16], bins: int) -> NDArray[np.int64]:
    """Histogram of small unsigned integers; OpenCV's is four times as fast as bincount."""
    counts = cv2.calcHist([values], [0], None, [bins], [0, bins])
    return counts.ravel().astype(np.int64)


def _percentiles_of_counts(
    counts: NDArray[np.int64], percentiles: Sequence[float]
) -> NDArray[np.float64]:
    """Percentiles, in bins, of integers given by their histogram, interpolated linearly."""
    cumulative = counts.cumsum()
    total = int(cumulative[-1])
    position = np.asarray(percentiles, dtype=np.float64) / 100 * (total - 1)
    below = np.floor(position)
    above = np.minimum(below + 1, total - 1)
    low = cumulative.searchsorted(below, side="right")
    high = cumulative.searchsorted(above, side="right")
    return np.asarray(low + (high - low) * (position - below))
