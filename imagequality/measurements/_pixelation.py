"""How much of an image's resolution is real: repeated blocks, and an empty upper spectrum."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

_SAMPLED_LINES = 256  # rows and columns looked at for repetition
_REACH = 16  # columns: a step is judged against the largest within this distance
_NO_STEP = 0.1  # of that largest one: below, neighbouring columns repeat each other
_LEAST_STEP = 0.5  # grey levels; where the largest is smaller there is nothing to see
_FEWEST_STEPS = 3
_FEW_GAPS = 8
_REGULAR = 0.8  # share of the gaps between steps that must be as long as the usual one, ± 1

_SEGMENT = 32  # pixels
_SEGMENTS = 512  # of each axis
_WINDOW = np.hanning(_SEGMENT).astype(np.float32)
_WINDOW /= np.sqrt(_WINDOW @ _WINDOW)  # white noise of variance v then has the power v
_FREQUENCY = np.linspace(0, 1, _SEGMENT // 2 + 1)
_DIFFERENCES = 4 * np.sin(np.pi / 2 * _FREQUENCY) ** 2
_POWER_SHARE = 0.95
_ROUNDING_POWER = 1 / 12  # grey levels²: the variance of rounding to integers


def block_repetition(grey: NDArray[np.uint8]) -> float:
    """Share of the pixels that are not repetitions of their neighbour: 1 / (f · g).

    Along each axis the mean absolute step between neighbouring columns (rows) is taken.
    Columns whose step is at most a tenth of the largest one within 16 columns repeat the
    one before. Where the others, the real steps, come at regular gaps (at least 80 % of them
    within 1 of their median; fewer than 8 must also tile the whole picture), the mean gap is
    the factor by which the axis was enlarged; else the factor is 1. At most 511 evenly spaced
    lines are looked at.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8

    Returns
    -------
    share : float in (0, 1]
        1/f² after nearest-neighbour enlargement by f (any factor up to 16, whole or not); 1
        where nothing repeats, or fewer than 3 steps are seen.

    Notes
    -----
    Known failures: a chequered board or another drawing of equal squares is what it looks like;
    blocks that were softened by strong compression, noise or a further resize are not found.

    References
    ----------
    After the periodicity that resampling leaves in differences: A. C. Gallagher, "Detection of
    linear and cubic interpolation in JPEG compressed images", CRV 2005. The rule of the gaps is
    this library's own.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    >>> block_repetition(pixels), block_repetition(pixels.repeat(4, 0).repeat(4, 1))
    (1.0, 0.0625)
    """
    return 1 / (_enlargement(grey) * _enlargement(grey.T))


def _enlargement(grey: NDArray[np.uint8]) -> float:
    """By how much the rows were stretched, by repeating pixels."""
    if grey.shape[1] < 4:
        return 1.0
    lines = np.ascontiguousarray(grey[:: max(1, len(grey) // _SAMPLED_LINES)])
    steps = cv2.absdiff(lines[:, 1:], lines[:, :-1])
    means = cv2.reduce(steps, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    largest = cv2.dilate(means, np.ones((1, 2 * _REACH + 1), np.uint8))
    (position,) = np.nonzero(((means > _NO_STEP * largest) & (largest > _LEAST_STEP)).ravel())
    if position.size < _FEWEST_STEPS:
        return 1.0
    gaps = np.diff(position)
    usual = np.abs(gaps - np.median(gaps)) <= 1
    if usual.mean() < _REGULAR:
        return 1.0
    factor = float(gaps[usual].mean())
    if gaps.size < _FEW_GAPS:  # so few could be anything, unless they tile the whole picture
        margins = position[0] + 1, grey.shape[1] - 1 - position[-1]
        return factor if max(margins) <= factor + 1 else 1.0
    return factor


def spectral_extent(grey: NDArray[np.uint8]) -> float:
    """Frequency below which 95 % of the power of the differences lies, 1 = the pixels' limit.

    The mean power spectrum of segments of 32 pixels (Hann window, mean removed), half of them
    along rows and half along columns, less that of rounding, is weighted with
    4 sin²(ω/2), which turns it into the spectrum of the differences between neighbours and
    cancels the 1/ω² of natural images. Enlarging by a factor f with any smooth interpolation
    leaves nothing above 1/f. At most 512 segments of each axis, evenly spaced, are used.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8

    Returns
    -------
    extent : float in [0, 1]
        About 1/f after enlargement by f; 0.75 to 0.95 for photographs; 1 where no side reaches
        32 pixels or nothing but rounding is seen.

    Notes
    -----
    It cannot tell an enlarged image from one out of focus: both lack the detail that the
    pixels could hold. An image that is meant to be smooth (a gradient, fog) lacks it as well.
    It is measured at the image's own pixels, so a large soft photograph scores low, whatever it
    looks like when shrunk. Strong compression or noise after enlargement fills the spectrum
    again.

    References
    ----------
    D. J. Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", Journal of the Optical Society of America A 4, 1987, for the
    1/ω² spectrum; the quantile of a spectrum as its extent is the spectral roll-off of audio
    analysis.

    Examples
    --------
    >>> import cv2, numpy as np
    >>> pixels = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    >>> enlarged = cv2.resize(pixels, (128, 128), interpolation=cv2.INTER_CUBIC)
    >>> round(spectral_extent(pixels), 1), round(spectral_extent(enlarged), 2)
    (1.0, 0.29)
    """
    power = _mean_spectrum(grey) + _mean_spectrum(grey.T)
    axes = sum(side >= _SEGMENT for side in grey.shape)
    # Twice the rounding power, since a mean spectrum strays about its expectation.
    power = np.maximum(power - 2 * axes * _ROUNDING_POWER, 0)
    power *= _DIFFERENCES
    cumulative = np.cumsum(power)
    if cumulative[-1] <= 0:
        return 1.0
    return float(np.interp(_POWER_SHARE * cumulative[-1], cumulative, _FREQUENCY))


def _mean_spectrum(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean power spectrum along the rows, white noise of variance v being v everywhere."""
    height, width = grey.shape
    per_row = width // _SEGMENT
    if not per_row:
        return np.zeros(_SEGMENT // 2 + 1)
    step = max(1, height * per_row // _SEGMENTS)
    segments = grey[:, : per_row * _SEGMENT]
    rows = np.arange(0, height * per_row, step)
    starts = rows % per_row * _SEGMENT
    chosen = segments[(rows // per_row)[:, None], starts[:, None] + np.arange(_SEGMENT)]
    chosen = chosen.astype(np.float32)
    chosen -= chosen.mean(axis=1, keepdims=True)
    spectrum = fft.rfft(chosen * _WINDOW, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power.mean(axis=0, dtype=np.float64))
