"""How noisy an image is: the standard deviation of its noise, in grey levels."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._tiles import native_tiles

# The difference of two Laplacians: blind to constants, ramps and straight horizontal and
# vertical edges. White noise of standard deviation s leaves 6 s.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_GAIN = math.sqrt(math.pi / 2) / 6  # mean absolute response → standard deviation
_BLOCK = 8  # pixels
_QUANTILE = 0.02  # of the blocks: the flattest
# In pure noise the blocks' estimates stray by 12 %, so that quantile lies at three quarters.
_QUANTILE_TO_MEAN = 4 / 3
_FEWEST_BLOCKS = 0.01  # share of the blocks that must be free of clipping
_LARGEST_CLIPPED = 0.05  # share of the pixels of a usable block that may be clipped
_MIDDLE = 127.5  # grey level at which both kinds of noise are given
_DARKEST = 8.0  # shot noise is not extrapolated from darker blocks than this


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
    if min(rgb.shape[:2]) < 3:
        return 0.0
    of_tiles = [_blocks(tile[..., 1]) for tile in native_tiles(rgb)]
    sigma, level, clipped = (np.concatenate(parts) for parts in zip(*of_tiles, strict=True))
    usable = clipped <= _LARGEST_CLIPPED
    if usable.sum() >= max(1.0, _FEWEST_BLOCKS * usable.size):
        sigma, level = sigma[usable], level[usable]
    as_shot = sigma * np.sqrt(_MIDDLE / np.maximum(level, _DARKEST))
    flattest = np.quantile(np.stack([sigma, as_shot]), _QUANTILE, axis=1)
    return float(_QUANTILE_TO_MEAN * flattest.max())


def _blocks(
    channel: NDArray[np.uint8],
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Noise, mean level and share of clipped pixels of each block."""
    channel = np.ascontiguousarray(channel)
    # Nothing is cut off the border, where the picture is mirrored: the blocks so coincide with
    # those of JPEG, whose flat ones are the most reliable.
    response = cv2.filter2D(channel, cv2.CV_32F, _MASK)
    unclipped = np.asarray(cv2.inRange(channel, 1, 254))
    return (
        _block_means(np.abs(response)) * np.float32(_GAIN),
        _block_means(channel.astype(np.float32)),
        1 - _block_means(unclipped.astype(np.float32)) / 255,
    )


def _block_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of whole blocks, row by row; of a picture smaller than a block one mean."""
    rows, columns = values.shape[0] // _BLOCK, values.shape[1] // _BLOCK
    if not (rows and columns):
        return values.mean(keepdims=True).ravel()
    whole = values[: rows * _BLOCK, : columns * _BLOCK]
    means = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(means, dtype=np.float32).ravel()
