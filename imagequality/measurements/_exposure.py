"""How bright an image is: percentiles of two kinds of brightness, means, clipped highlights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._counting import counts_of, counts_of_rows

PERCENTILES = (1, 5, 10, 15, 25, 30, 40, 50, 60, 75, 90, 95, 99)
"""The percentiles that are measured: CleanVision's and those that the paper tries."""

# Weights of R², G² and B² in perceived brightness: the HSP colour model, after Finley (2006),
# https://alienryderflex.com/hsp.html; used by CleanVision and by the paper (III-A).
_HSP = np.array([[0.241, 0.691, 0.068]], dtype=np.float32)
_STEPS = 16  # histogram bins per grey level: brightness is exact to 1 / (2 · 16 · 255)
_BINS = 255 * _STEPS + 1
_SCALED_HSP = _HSP * np.float32(_STEPS**2)  # by a power of two, which rounds nothing
_PIXELS_COUNTED = 1 << 20  # at a time, so that memory does not grow with the image
_STRIP = 1 << 15  # pixels held as float at a time, so that they stay in the processor's cache


def brightness_percentiles(rgb: RGBArray, percentiles: Sequence[float]) -> NDArray[np.float64]:
    """Percentiles of the pixels' perceived brightness.

    Brightness is sqrt(0.241 R² + 0.691 G² + 0.068 B²) / 255. The percentiles are taken from a
    histogram of 4081 bins, with linear interpolation between order statistics as in
    ``numpy.percentile``; they differ from the exact ones by at most 1.3e-4.

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
    counts = np.zeros(_BINS, dtype=np.int64)
    rows = max(1, _PIXELS_COUNTED // width)
    for top in range(0, height, rows):
        counts += counts_of(_brightness_bins(rgb[top : top + rows]), _BINS)
    return _percentiles_of_counts(counts, percentiles) / (_BINS - 1)


def brightness_percentiles_of_stack(
    rgb: RGBArray, percentiles: Sequence[float]
) -> NDArray[np.float64]:
    """Percentiles of each of several images, equal to those of :func:`brightness_percentiles`.

    Parameters
    ----------
    rgb : ndarray of shape (n, h, w, 3), uint8
    percentiles : sequence of float
        In [0, 100].

    Returns
    -------
    brightness : ndarray of shape (n, n_percentiles), in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((2, 2, 2, 3), np.uint8)
    >>> images[1, 0] = 255
    >>> brightness_percentiles_of_stack(images, [0, 50, 100]).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.5, 1.0]]
    """
    n, height, width, _ = rgb.shape
    bins = _brightness_bins(rgb.reshape(n * height, width, 3)).reshape(n, height * width)
    bins.sort(axis=1)
    position, below, above = _order_statistics(percentiles, height * width)
    low = bins[:, below.astype(np.intp)].astype(np.int64)
    high = bins[:, above.astype(np.intp)].astype(np.int64)
    return _between(low, high, position - below) / (_BINS - 1)


def _brightness_bins(rgb: RGBArray) -> NDArray[np.uint16]:
    """Perceived brightness of each pixel in sixteenths of a grey level, rounded."""
    height, width = rgb.shape[:2]
    bins = np.empty((height, width), dtype=np.uint16)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        squares = rgb[top : top + rows].astype(np.uint16)
        squares *= squares
        brightness = cv2.transform(squares.astype(np.float32), _SCALED_HSP)
        cv2.sqrt(brightness, brightness)
        np.rint(brightness, out=brightness)
        bins[top : top + rows] = brightness
    return bins


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
    return value_percentiles_of_histogram(value_histogram(rgb), percentiles)


def value_percentiles_of_histogram(
    histogram: NDArray[np.int64], percentiles: Sequence[float]
) -> NDArray[np.float64]:
    """Percentiles of the pixels' value from its histogram, see :func:`value_percentiles`.

    Parameters
    ----------
    histogram : ndarray of shape (..., 256)
        From :func:`value_histogram` or :func:`value_histograms_of_stack`, of one image or many.
    percentiles : sequence of float
        In [0, 100].

    Returns
    -------
    value : ndarray of shape (..., n_percentiles), in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((3, 2, 4, 4), np.uint8)
    >>> images[2, 1] = 51  # the blue plane of the second image
    >>> value_percentiles_of_histogram(value_histograms_of_stack(images), [1, 99]).tolist()
    [[0.0, 0.0], [0.2, 0.2]]
    """
    return _percentiles_of_counts(histogram, percentiles) / 255


def value_histogram(rgb: RGBArray) -> NDArray[np.int64]:
    """Count the 256 levels of the pixels' value max(R, G, B).

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    counts : ndarray of shape (256,), int64

    Examples
    --------
    >>> import numpy as np
    >>> counts = value_histogram(np.array([[[1, 9, 3], [4, 2, 9]]], np.uint8))
    >>> int(counts[9]), int(counts.sum())
    (2, 2)
    """
    return value_histogram_of_planes([rgb[..., channel] for channel in range(3)])


def value_histogram_of_planes(planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Count the 256 levels of the pixels' value, see :func:`value_histogram`.

    Parameters
    ----------
    planes : sequence of three ndarray of shape (h, w), uint8
        The red, green and blue parts.

    Returns
    -------
    counts : ndarray of shape (256,), int64

    Examples
    --------
    >>> import numpy as np
    >>> planes = np.array([[[1, 4]], [[9, 2]], [[3, 9]]], np.uint8)
    >>> int(value_histogram_of_planes(planes)[9])
    2
    """
    return counts_of(_value(planes), 256)


def value_histograms_of_stack(planes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count the 256 levels of the value of each of several images.

    Parameters
    ----------
    planes : ndarray of shape (3, n, h, w), uint8
        The red, green and blue parts.

    Returns
    -------
    counts : ndarray of shape (n, 256), int64

    Examples
    --------
    >>> import numpy as np
    >>> value_histograms_of_stack(np.full((3, 5, 2, 2), 7, np.uint8))[:, 7].tolist()
    [4, 4, 4, 4, 4]
    """
    return counts_of_rows(_value(planes).reshape(planes.shape[1], -1))


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
    return value_shares_of_histogram(value_histogram(rgb), levels).tolist()


def value_shares_of_histogram(
    histogram: NDArray[np.int64], levels: Sequence[int]
) -> NDArray[np.float64]:
    """Shares of the pixels whose value reaches each of several levels, from its histogram.

    Parameters
    ----------
    histogram : ndarray of shape (..., 256)
        From :func:`value_histogram` or :func:`value_histograms_of_stack`, of one image or many.
    levels : sequence of int
        In 0 … 255.

    Returns
    -------
    shares : ndarray of shape (n_levels, ...), in [0, 1]

    Examples
    --------
    >>> import numpy as np
    >>> histograms = value_histograms_of_stack(np.full((3, 2, 1, 1), 100, np.uint8))
    >>> value_shares_of_histogram(histograms, [100, 101]).tolist()
    [[1.0, 1.0], [0.0, 0.0]]
    """
    reaching = np.stack([histogram[..., level:].sum(axis=-1) for level in levels])
    return np.asarray(reaching / histogram.sum(axis=-1))


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


def _value(planes: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    value = np.maximum(planes[0], planes[1])
    return np.maximum(value, planes[2], out=value)


def _percentiles_of_counts(
    counts: NDArray[np.int64], percentiles: Sequence[float]
) -> NDArray[np.float64]:
    """Percentiles, in bins, of integers given by their histograms, interpolated linearly.

    ``counts`` has shape (..., bins); what is returned has shape (..., n_percentiles).
    """
    cumulative = counts.cumsum(axis=-1)
    position, below, above = _order_statistics(percentiles, cumulative[..., -1:])
    return _between(_bins_at(cumulative, below), _bins_at(cumulative, above), position - below)


def _order_statistics(
    percentiles: Sequence[float], total: int | NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Positions of percentiles among sorted numbers, and the whole positions around them."""
    position = np.asarray(percentiles, dtype=np.float64) / 100 * (total - 1)
    below = np.floor(position)
    return position, below, np.minimum(below + 1, total - 1)


def _bins_at(cumulative: NDArray[np.int64], positions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins in which the numbers at some positions, when sorted, lie."""
    if cumulative.ndim == 1:
        return np.asarray(cumulative.searchsorted(positions, side="right"))
    before = cumulative[..., np.newaxis, :] <= positions[..., np.newaxis]
    return np.asarray(np.count_nonzero(before, axis=-1))


def _between(
    low: NDArray[np.int64], high: NDArray[np.int64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(low + (high - low) * share)
