"""How noisy an image is: the standard deviation of its noise, in grey levels."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._tiles import BLOCK, in_parts, sums_of_block_rows, tiles_of_one_shape

_GREEN = 1
_LEAST_SIDE = 3  # pixels
_GAIN = math.sqrt(math.pi / 2) / 6  # mean absolute response → standard deviation
_QUANTILE = 0.02  # of the blocks: the flattest
# In pure noise the blocks' estimates stray by 12 %, so that quantile lies at three quarters.
_QUANTILE_TO_MEAN = 4 / 3
_FEWEST_BLOCKS = 0.01  # share of the blocks that must be free of clipping
_LARGEST_CLIPPED = 0.05  # share of the pixels of a usable block that may be clipped
_MIDDLE = 127.5  # grey level at which both kinds of noise are given
_DARKEST = 8.0  # shot noise is not extrapolated from darker blocks than this

_Blocks = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]


def noise_sigma(rgb: RGBArray) -> float:
    """Estimate the standard deviation of the noise, from the flattest parts of an image.

    Immerkær's mask is applied to the green channel (in luma independent noise of the three
    channels averages out by a third). In each block of 8 × 8 pixels its mean absolute response
    gives a standard deviation. Blocks with more than 5 % clipped pixels (0 or 255) are left
    out, since clipping removes noise. The estimate is the 2 % quantile over the blocks, where
    texture is least: contrast and detail elsewhere do not count. So that shot noise, whose
    variance grows with the level m, does not hide in the dark blocks, the same quantile is
    taken of σ · √(127.5 / max(m, 8)); the larger of the two counts. It is multiplied by 4/3,
    since the blocks' estimates stray about the true value.

    Images above 1,048,576 pixels are measured on sixteen tiles of 256 × 256 pixels.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    sigma : float, grey levels
        0 where a side is below 3 pixels, since nothing can be said.

    Notes
    -----
    Noise is a property of the pixels at hand: shrinking an image by half really removes half
    of it. Known failures: an image that is fine texture everywhere (grass, fur, gravel, and
    most of a 32-pixel thumbnail) reads as slightly noisy; noise is overlooked where a caption
    or frame that was drawn later fills 2 % of the blocks, where it was smoothed by strong
    compression, or where every block is clipped. Noise that spans several pixels reads as
    weaker than it is.

    References
    ----------
    J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64,
    1996. The quantile over blocks follows the block-based methods compared in S. I. Olsen,
    "Estimation of noise in images: an evaluation", CVGIP 55, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> flat = np.full((256, 256, 3), 100.0)
    >>> noisy = np.rint(rng.normal(flat, 10)).astype(np.uint8)
    >>> noise_sigma(flat.astype(np.uint8)), bool(9 < noise_sigma(noisy) < 11)
    (0.0, True)
    """
    if min(rgb.shape[:2]) < _LEAST_SIDE:
        return 0.0
    green = cv2.extractChannel(np.ascontiguousarray(rgb), _GREEN)
    return noise_sigma_of_plane(np.asarray(green, dtype=np.uint8))


def noise_sigma_of_plane(green: NDArray[np.uint8]) -> float:
    """Do what :func:`noise_sigma` does, given the green channel.

    Parameters
    ----------
    green : ndarray of shape (h, w), uint8

    Returns
    -------
    sigma : float, grey levels

    Examples
    --------
    >>> import numpy as np
    >>> noise_sigma_of_plane(np.full((32, 32), 100, np.uint8))
    0.0
    """
    if min(green.shape) < _LEAST_SIDE:
        return 0.0
    sigma, level, usable = _blocks(tiles_of_one_shape(green))
    # The blocks of all tiles are those of one image.
    return float(
        _sigma_of_flattest(sigma.reshape(1, -1), level.reshape(1, -1), usable.reshape(1, -1))[0]
    )


def noise_sigmas_of_stack(green: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Do what :func:`noise_sigma` does, for the green channels of many small images of one shape.

    Parameters
    ----------
    green : ndarray of shape (n, h, w), uint8
        Images of at most 1,048,576 pixels.

    Returns
    -------
    sigmas : ndarray of shape (n,), float64, grey levels
        Equal to those of :func:`noise_sigma_of_plane`.

    Examples
    --------
    >>> import numpy as np
    >>> noise_sigmas_of_stack(np.full((2, 32, 32), 100, np.uint8))
    array([0., 0.])
    """
    if min(green.shape[1:]) < _LEAST_SIDE:
        return np.zeros(len(green))
    return in_parts(lambda part: _sigma_of_flattest(*_blocks(part)), green)


def _sigma_of_flattest(
    sigma: NDArray[np.float32], level: NDArray[np.float32], usable: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Noise of images from that of their blocks, all of shape (n, blocks)."""
    count = usable.sum(axis=1)
    enough = count >= max(1.0, _FEWEST_BLOCKS * usable.shape[1])
    if not enough.all():
        count = np.where(enough, count, usable.shape[1])
        usable = usable | ~enough[:, None]
    as_shot = sigma * np.sqrt(_MIDDLE / np.maximum(level, _DARKEST))
    # Those that do not count end beyond the others after sorting.
    estimates = np.sort(np.where(usable, [sigma, as_shot], np.float32(np.inf)), axis=2)
    position = _QUANTILE * (count - 1)
    below = position.astype(np.intp)
    image = np.arange(len(count))
    lower = estimates[:, image, below].astype(np.float64)
    upper = estimates[:, image, np.minimum(below + 1, count - 1)].astype(np.float64)
    quantiles = lower + (position - below) * (upper - lower)
    return np.asarray(_QUANTILE_TO_MEAN * quantiles.max(axis=0))


def _blocks(channels: NDArray[np.uint8]) -> _Blocks:
    """Noise and mean level of each block of pictures, and whether few of its pixels are clipped.

    All of shape (n, blocks); of a picture smaller than a block there is one.
    """
    height, width = channels.shape[1:]
    area = BLOCK**2 if min(height, width) >= BLOCK else height * width
    response = _absolute_response(_mirrored(channels))
    clipped = (channels - np.uint8(1) > 253).view(np.uint8)  # 0 becomes 255, and 255 254
    return (
        _block_sums(response[:, :height], width) * np.float32(_GAIN / area),
        _block_sums(channels.astype(np.int16), width) * np.float32(1 / area),
        _block_sums(clipped, width) <= _LARGEST_CLIPPED * area,
    )


def _mirrored(channels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Pictures with one more pixel on each side, those beside the border once more.

    Nothing is cut off the border: the blocks so coincide with those of JPEG, whose flat ones are
    the most reliable.
    """
    count, height, width = channels.shape
    mirrored = np.empty((count, height + 2, width + 2), dtype=np.int16)
    mirrored[:, 1:-1, 1:-1] = channels
    mirrored[:, 0] = mirrored[:, 2]
    mirrored[:, -1] = mirrored[:, -3]
    mirrored[:, :, 0] = mirrored[:, :, 2]
    mirrored[:, :, -1] = mirrored[:, :, -3]
    return mirrored


def _absolute_response(mirrored: NDArray[np.int16]) -> NDArray[np.int16]:
    """Absolute response to Immerkær's mask, in the upper left of an array of the same shape.

    The mask, [1, -2, 1] along both axes, is the difference of two Laplacians: blind to constants,
    ramps and straight horizontal and vertical edges. White noise of standard deviation s leaves
    6 s.
    """
    # On one long line, which is fastest: what runs over a border falls on the pixels added there.
    line_length = mirrored.shape[2]
    line = mirrored.reshape(1, -1)
    for offset in (line_length, line_length, 1):
        line = np.asarray(cv2.subtract(line[:, offset:], line[:, :-offset]))
    response = np.empty_like(mirrored)
    cv2.absdiff(line[:, 1:], line[:, :-1], dst=response.reshape(1, -1)[:, : line.size - 1])
    return response


def _block_sums(values: NDArray[Any], width: int) -> NDArray[np.float32]:
    """Add up whole blocks of pictures, row by row; of a picture smaller than a block one sum.

    Of the lines only the first ``width`` values count.
    """
    count, height = values.shape[:2]
    columns = width // BLOCK
    if not (height // BLOCK and columns):
        values = values[:, :, :width]
        return values.sum(axis=(1, 2), dtype=np.int64).astype(np.float32)[:, None]
    by_column = sums_of_block_rows(values)[:, :, : columns * BLOCK].astype(np.float32)
    # Whole numbers below 2 ** 24: exact, whatever the order of a product's additions.
    return (by_column.reshape(-1, BLOCK) @ np.ones(BLOCK, np.float32)).reshape(count, -1)
