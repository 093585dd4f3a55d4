"""How much of an image's resolution is real: repeated blocks, and an empty upper spectrum."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ._tiles import LARGEST_AREA, in_parts, transposed

_LEAST_SIDE = 4  # pixels
_SAMPLED_LINES = 256  # rows and columns looked at for repetition
_REACH = 16  # columns: a step is judged against the largest within this distance
_NO_STEP = 0.1  # of that largest one: below, neighbouring columns repeat each other
_LEAST_STEP = 0.5  # grey levels; where the largest is smaller there is nothing to see
_FEWEST_STEPS = 3
_FEW_GAPS = 8
_REGULAR = 0.8  # share of the gaps between steps that must be as long as the usual one, ± 1

_SEGMENT = 32  # pixels
_HALF = _SEGMENT // 2
_SEGMENTS = 512  # of each axis
_WINDOW = np.hanning(_SEGMENT)[:_HALF]  # and once more, mirrored
_WINDOW /= np.sqrt(2 * _WINDOW @ _WINDOW)  # white noise of variance v then has the power v
_FREQUENCY = np.linspace(0, 1, _HALF + 1)
_PHASES = np.pi * _FREQUENCY * (np.arange(_HALF)[:, None] - (_SEGMENT - 1) / 2)
_COSINES = _WINDOW[:, None] * np.cos(_PHASES)
_COSINES -= _COSINES.mean(axis=0)  # of what is left when the mean is removed from the pixels
_SINES = _WINDOW[:, None] * np.sin(_PHASES)
# By which the products of all pairs of parts give the power at each frequency.
_PRODUCTS_OF_WAVES = np.concatenate(
    [(waves[:, None] * waves).reshape(_HALF**2, -1) for waves in (_COSINES, _SINES)]
)
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
    grey = np.ascontiguousarray(grey)
    height, width = grey.shape
    factor = 1.0
    if width >= _LEAST_SIDE:
        lines = grey[:: max(1, height // _SAMPLED_LINES)]
        means = _line_means(np.asarray(cv2.absdiff(lines[:, 1:], lines[:, :-1])), 0)
        factor *= float(_enlargements(means)[0])
    if height >= _LEAST_SIDE:
        lines = grey[:, :: max(1, width // _SAMPLED_LINES)]
        means = _line_means(np.asarray(cv2.absdiff(lines[1:], lines[:-1])), 1)
        factor *= float(_enlargements(means)[0])
    return 1 / factor


def block_repetitions_of_stack(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Do what :func:`block_repetition` does, for many small images of one shape.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
        With sides below 512 pixels, so that all lines are looked at.

    Returns
    -------
    shares : ndarray of shape (n,), float64
        Equal to those of :func:`block_repetition`.

    Examples
    --------
    >>> import numpy as np
    >>> block_repetitions_of_stack(np.full((2, 32, 32), 100, np.uint8))
    array([1., 1.])
    """
    return in_parts(_repetitions, grey)


def _repetitions(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Block repetition of each picture."""
    count, height, width = pictures.shape
    factors = np.ones(count)
    # Sums of at most 511 bytes are exact in float32, whatever the order of a product's additions.
    if width >= _LEAST_SIDE:
        sums = np.ones(height, np.float32) @ _steps(pictures, 1)
        factors *= _enlargements(sums[:, : width - 1] * np.float32(1 / height))
    if height >= _LEAST_SIDE:
        steps = _steps(pictures, width).reshape(-1, width)
        sums = (steps @ np.ones(width, np.float32)).reshape(count, height)
        factors *= _enlargements(sums[:, : height - 1] * np.float32(1 / width))
    return 1 / factors


def _steps(pictures: NDArray[np.uint8], offset: int) -> NDArray[np.float32]:
    """Absolute differences of pixels and those ``offset`` behind them, in the shape of pictures."""
    # On one long line, which is fastest; the caller cuts off the steps that run over a border.
    line = pictures.reshape(1, -1)
    steps = np.empty(line.size, np.float32)
    steps[:-offset] = cv2.absdiff(line[:, offset:], line[:, :-offset])[0]
    steps[-offset:] = 0
    return steps.reshape(pictures.shape)


def _line_means(steps: NDArray[Any], axis: int) -> NDArray[np.float32]:
    """Means along an axis, of shape (1, other axis)."""
    sums = cv2.reduce(steps, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).reshape(1, -1)
    return sums.astype(np.float32) * np.float32(1 / steps.shape[axis])


def _enlargements(means: NDArray[np.float32]) -> NDArray[np.float64]:
    """By how much pictures were stretched by repeating pixels, given their mean steps.

    ``means`` has shape (n, positions).
    """
    count, width = means.shape
    largest = cv2.dilate(means, np.ones((1, 2 * _REACH + 1), np.uint8))
    real = (means > _NO_STEP * largest) & (largest > _LEAST_STEP)
    number = real.sum(axis=1)
    factors = np.ones(count)
    # Where every step is real, the rule of the gaps gives 1, too.
    (asked,) = np.nonzero((number >= _FEWEST_STEPS) & (number < width))
    if asked.size:
        factors[asked] = _factors_by_gaps(real[asked])
    return factors


def _factors_by_gaps(real: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean gap between the real steps of each picture where they are regular, else 1."""
    count, width = real.shape
    picture, position = np.nonzero(real)
    within = picture[1:] == picture[:-1]
    gaps, owners = np.diff(position)[within], picture[1:][within]
    # How often each length occurs: all that follows comes from these whole numbers.
    counts = np.bincount(owners * width + gaps, minlength=count * width).reshape(count, width)
    number = counts.sum(axis=1)
    cumulative = counts.cumsum(axis=1)
    middle = [
        (cumulative <= rank[:, None]).sum(axis=1) for rank in ((number - 1) // 2, number // 2)
    ]
    lengths = np.arange(width)
    # Twice the median is a whole number.
    usual = np.where(np.abs(2 * lengths - (middle[0] + middle[1])[:, None]) <= 2, counts, 0)
    regular = usual.sum(axis=1) / number >= _REGULAR
    factors = usual @ lengths / np.maximum(usual.sum(axis=1), 1)
    # So few gaps could be anything, unless they tile the whole picture.
    margins = np.maximum(real.argmax(axis=1), real[:, ::-1].argmax(axis=1)) + 1
    tiled = (number >= _FEW_GAPS) | (margins <= factors + 1)
    return np.where(regular & tiled, factors, 1.0)


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
    grey = np.ascontiguousarray(grey)
    segments = [_sampled_segments(picture) for picture in (grey, grey.T)]
    return float(_extents([of_axis[None] for of_axis in segments if of_axis.size], 1)[0])


def spectral_extents_of_stack(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Do what :func:`spectral_extent` does, for many small images of one shape.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
        Images of at most 16,384 pixels, so that all segments are used.

    Returns
    -------
    extents : ndarray of shape (n,), float64
        Equal to those of :func:`spectral_extent`.

    Examples
    --------
    >>> import numpy as np
    >>> spectral_extents_of_stack(np.full((2, 32, 32), 100, np.uint8))
    array([1., 1.])
    """
    return in_parts(_extents_of_pictures, grey)


def _extents_of_pictures(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Spectral extent of each picture, with all of its segments."""
    count = len(pictures)
    segments = []
    for along_rows in (True, False):
        if pictures.shape[2 if along_rows else 1] < _SEGMENT:
            continue
        lines = pictures if along_rows else transposed(pictures)
        whole = lines[:, :, : lines.shape[2] // _SEGMENT * _SEGMENT]
        segments.append(whole.reshape(count, -1, _SEGMENT))
    return _extents(segments, count)


def _sampled_segments(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Segments of the rows of a picture, evenly spaced, of shape (segments, 32)."""
    height, width = picture.shape
    per_row = width // _SEGMENT
    numbers = np.arange(0, height * per_row, max(1, height * per_row // _SEGMENTS))
    if not per_row:
        return np.empty((0, _SEGMENT), np.uint8)
    rows, starts = numbers // per_row, numbers % per_row * _SEGMENT
    if picture.strides[1] != 1 and picture.size > LARGEST_AREA:
        return picture[rows[:, None], starts[:, None] + np.arange(_SEGMENT)]
    # Segments as things of 32 bytes: many times faster, even where the picture is turned first.
    lines = transposed(picture.T[None])[0] if picture.strides[1] != 1 else picture
    things = lines[:, : per_row * _SEGMENT].view(np.dtype((np.void, _SEGMENT)))
    return things[rows, numbers % per_row].view(np.uint8).reshape(-1, _SEGMENT)


def _extents(segments: list[NDArray[np.uint8]], count: int) -> NDArray[np.float64]:
    """Spectral extent of images, given the segments of one or both axes, (n, segments, 32)."""
    if not segments:
        return np.ones(count)
    products = np.sum([_mean_products(of_axis) for of_axis in segments], axis=0)
    # A product for each image: a single one for all could round by the number of images.
    power = (products.reshape(count, 1, -1) @ _PRODUCTS_OF_WAVES)[:, 0]
    # Twice the rounding power, since a mean spectrum strays about its expectation.
    power = np.maximum(power - 2 * len(segments) * _ROUNDING_POWER, 0) * _DIFFERENCES
    cumulative = np.cumsum(power, axis=1)
    total = cumulative[:, -1]
    goal = _POWER_SHARE * total
    image = np.arange(count)
    # Between the last frequency up to which the power falls short of the goal and the next.
    above = np.maximum((cumulative < goal[:, None]).sum(axis=1), 1)
    lower, upper = cumulative[image, above - 1], cumulative[image, above]
    share = (goal - lower) / np.where(upper > lower, upper - lower, 1)
    return np.where(total > 0, (above - 1 + share) / (_SEGMENT // 2), 1.0)


def _mean_products(segments: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean products of what the power spectra of segments are made of.

    From (n, segments, 32) to (n, 2, 16, 16). The window being symmetric, the real part of a
    spectrum (about the middle) comes from the sums of the pixels that mirror each other, the
    imaginary part from their differences, and the mean power from the mean products of those.
    This is a quarter of the work of transforming each segment.
    """
    left = segments[:, :, :_HALF].astype(np.float32)
    right = segments[:, :, : _HALF - 1 : -1].astype(np.float32)
    differences = left - right
    sums = np.add(left, right, out=left)
    sums -= sums[:, :, -1:].copy()  # the cosines are blind to a constant; small numbers round less
    products = np.empty((len(segments), 2, _HALF, _HALF))
    for number, parts in enumerate((sums, differences)):
        products[:, number] = np.matmul(parts.transpose(0, 2, 1), parts)
    products /= segments.shape[1]
    return products
