"""How strongly an image was compressed as JPEG: by its pixels, and by its file's tables."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ._tiles import (
    BLOCK,
    in_parts,
    sums_of_block_rows,
    tiles_of_one_shape,
    transposed,
)

_LEAST_WIDTH = 3 * BLOCK
_STEP_UNIT = 2 * BLOCK  # what the sums over a strip are larger by than a mean step
_OFFSET = 0.5  # grey levels: added to both sides of the ratio, so that flat areas say nothing
_LEAST_ACTIVITY = 0.5  # grey levels; strips flatter than this are left out
_STANDARD_ERRORS = 2.0
_MOST_STRIPS = 32  # of each tile; more of them add nothing but time
_INSIDE = 5  # positions inside a block, 2 to 6 steps from a border

# Table K.1 of ITU-T T.81 (JPEG), luminance, row by row.
_STANDARD_TABLE = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61),
        *(12, 12, 14, 19, 26, 58, 60, 55),
        *(14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62),
        *(18, 22, 37, 56, 68, 109, 103, 77),
        *(24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101),
        *(72, 92, 95, 98, 112, 100, 103, 99),
    ],
    dtype=np.float64,
)


def blockiness(grey: NDArray[np.uint8]) -> float:
    """How much larger the steps across an 8 × 8 grid are than those inside its blocks.

    At each position between two neighbours along an axis, J is the absolute difference of the
    step there and the mean of the steps beside it, averaged over strips of 8 lines (at
    most 32 strips, evenly spaced). The log
    ratio log((J + ½)/(I + ½)), I being the mean of the positions 2 to 6 steps away on one side
    (averaged over both sides), is zero on average at every position of an image without a
    grid. Its mean is taken over the positions of one of the eight phases of the grid; the
    phase with the highest mean counts, so that a cropped or mirrored image is judged the same.
    Strips where nothing happens (below half a grey level) are left out. Two standard errors are
    taken off, so that chance in a small image is not taken for blocks.

    Images above 1,048,576 pixels are measured on sixteen tiles of 256 × 256 pixels.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8

    Returns
    -------
    log_ratio : float, at least 0
        0 = no blocks; log 2 = a step across a border is twice one inside. The mean of both
        axes; 0 where no side reaches 24 pixels.

    Notes
    -----
    JPEG at quality 90 gives about 0.25, 60 about 0.8, 20 about 1.4. Known failures: nearest
    neighbour enlargement by 4 or 8 has the same grid (:func:`block_repetition` tells them
    apart); resizing after compression hides the grid; tiles, masonry and pixel art of period 8.

    References
    ----------
    Z. Wang, H. R. Sheikh and A. C. Bovik, "No-reference perceptual quality assessment of JPEG
    compressed images", ICIP 2002, for steps across borders against those inside; Z. Fan and
    R. L. de Queiroz, "Identification of bitmap compression history: JPEG detection and quantizer
    estimation", IEEE Transactions on Image Processing 12, 2003, for the comparison across and
    within blocks of any alignment. The ratio of logarithms is this library's own.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> texture = rng.integers(100, 110, (64, 64), dtype=np.uint8)
    >>> steps = np.repeat(np.repeat(rng.integers(0, 99, (8, 8), dtype=np.uint8), 8, 0), 8, 1)
    >>> blockiness(texture) < 0.1, blockiness(texture + steps) > 1
    (True, True)
    """
    # The tiles are small images whose moments add up to those of one.
    return float(_log_ratios(tiles_of_one_shape(grey), of_one_image=True)[0])


def blockinesses_of_stack(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Do what :func:`blockiness` does, for many small images of one shape.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
        Images of at most 1,048,576 pixels.

    Returns
    -------
    log_ratios : ndarray of shape (n,), float64
        Equal to those of :func:`blockiness`.

    Examples
    --------
    >>> import numpy as np
    >>> blockinesses_of_stack(np.full((2, 32, 32), 100, np.uint8))
    array([0., 0.])
    """
    return in_parts(_log_ratios, grey)


def _log_ratios(pictures: NDArray[np.uint8], of_one_image: bool = False) -> NDArray[np.float64]:
    """Blockiness of each picture, or of one image of which they are the tiles."""
    height, width = pictures.shape[1:]
    found = []
    if width >= _LEAST_WIDTH and height >= BLOCK:
        found.append(_moments_by_phase(pictures))
    if height >= _LEAST_WIDTH and width >= BLOCK:
        found.append(_moments_by_phase(transposed(pictures)))
    if of_one_image:
        found = [moments.sum(axis=0, keepdims=True) for moments in found]
    if not found:
        return np.zeros(1 if of_one_image else len(pictures))
    means, errors = _strongest_phase(np.concatenate(found))
    mean = means.reshape(len(found), -1).sum(axis=0)
    error = np.sqrt(np.square(errors).reshape(len(found), -1).sum(axis=0))
    return np.asarray(np.maximum(mean - _STANDARD_ERRORS * error, 0) / len(found))


def _moments_by_phase(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Count, sum and sum of squares of the log ratios along the rows, for each of the phases.

    Returns an array of shape (n, 3, 8).
    """
    steps = _strip_sums_of_steps(_sampled_strips(pictures))
    count, strips, width = steps.shape
    # On one long line, which is fastest: what runs over the end of a strip is cut off.
    line = steps.reshape(-1).astype(np.float32)
    two = line[:-1] + line[1:]
    inside = two[:-3] + two[2:-1]
    inside += line[4:]
    inside += _INSIDE * _OFFSET * _STEP_UNIT
    # The step between the pixels x and x + 1 stands at x - 1, and what is inside at t is the sum
    # over t … t + 4: of a step, those 2 to 6 before it and those 2 to 6 behind it.
    left, right = inside[:-8], inside[8:]
    across = line[6:-6] + _OFFSET * _STEP_UNIT
    across *= _INSIDE
    moments = np.empty((3, line.size), np.float32)
    moments[:, across.size :] = 0
    active, ratio, square = moments[:, : across.size]
    # Whole numbers: exact. A step counts twice, each of its sides once.
    activity = across + across
    activity += left
    activity += right
    np.greater_equal(activity, 4 * _INSIDE * _STEP_UNIT * (_LEAST_ACTIVITY + _OFFSET), out=active)
    np.divide(np.square(across, out=across), left * right, out=ratio)
    np.log(ratio, out=ratio)  # twice the log ratio
    ratio *= active
    np.square(ratio, out=square)
    columns = width - 15  # a strip ends with 3 values without a step, and 6 + 6 without sides
    by_column = np.zeros((3, count, -(-columns // BLOCK) * BLOCK))
    by_column[:, :, :columns] = moments.reshape(3, count, strips, width)[..., :columns].sum(axis=2)
    # The first step is that between the pixels 7 and 8.
    by_phase = by_column.reshape(3, count, -1, BLOCK).sum(axis=2).transpose(1, 0, 2)
    return by_phase * np.array([[1], [1 / 2], [1 / 4]])


def _sampled_strips(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return strips of 8 lines of pictures, evenly spaced if there are too many."""
    count, height, width = pictures.shape
    strips = height // BLOCK
    every = -(-strips // _MOST_STRIPS)
    of_strips = pictures[:, : strips * BLOCK].reshape(count, strips, BLOCK, width)[:, ::every]
    return of_strips.reshape(count, -1, width)


def _strip_sums_of_steps(lines: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Add up, over each strip, twice the steps less the mean of those beside them, absolute.

    This is the third difference: of the pixels a, b, c and d, |a - 3b + 3c - d|. Of shape (n,
    strips, w); the last 3 values of each strip mean nothing.
    """
    line = lines.reshape(1, -1).astype(np.int16)
    for _ in range(2):
        line = np.asarray(cv2.subtract(line[:, 1:], line[:, :-1]))
    steps = np.empty(lines.shape, dtype=np.int16)
    cv2.absdiff(line[:, 1:], line[:, :-1], dst=steps.reshape(1, -1)[:, : line.size - 1])
    steps[-1, -1, -3:] = 0
    return sums_of_block_rows(steps)


def _strongest_phase(
    moments: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard error of the phase that stands out most; 0 where there is none.

    From moments of shape (n, 3, 8).
    """
    counts, sums, squares = moments.transpose(1, 0, 2)
    usable = counts > 1
    divisor = np.where(usable, counts, 1)
    means = sums / divisor
    errors = np.sqrt(np.maximum(squares / divisor - means**2, 0) / divisor)
    certain = np.where(usable, means - _STANDARD_ERRORS * errors, -np.inf)
    best = np.arange(len(moments)), certain.argmax(axis=1)
    return np.where(usable[best], means[best], 0), np.where(usable[best], errors[best], 0)


def jpeg_quality(table: Sequence[int]) -> float:
    """Quality setting of the Independent JPEG Group's encoder that a quantisation table stands for.

    The encoder multiplies the standard's example table by S %, where S = 5000/q below a
    quality q of 50 and 200 − 2q from there on, and clips the entries to 1 … 255. S is
    estimated as the mean of 100 · entry / example entry over the entries that were not clipped,
    and turned back into q.

    Parameters
    ----------
    table : sequence of 64 int
        The luminance table, row by row.

    Returns
    -------
    quality : float in [1, 100]
        For tables of other encoders (cameras, Photoshop) the setting of equal mean coarseness.

    Raises
    ------
    ValueError
        If the table does not have 64 entries.

    Notes
    -----
    Rounding shifts it by less than 1 from quality 5 to 98. It tells how the file was last
    saved: an image that was compressed strongly and saved again at 95 has quality 95.

    References
    ----------
    ITU-T T.81, annex K; ``jpeg_quality_scaling`` in the Independent JPEG Group's libjpeg.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (8, 8)).save(file, "JPEG", quality=75)
    >>> round(jpeg_quality(Image.open(file).quantization[0]))
    75
    """
    entries = np.asarray(table, dtype=np.float64)
    if entries.shape != _STANDARD_TABLE.shape:
        raise ValueError(f"table must have 64 entries, got shape {entries.shape}")
    if entries.max() <= 1:
        return 100.0
    clipped = (entries <= 1) | (entries >= 255)
    usable = ~clipped if not clipped.all() else np.ones_like(clipped)
    scale = float(np.mean((100 * entries / _STANDARD_TABLE)[usable]))
    quality = 5000 / scale if scale > 100 else (200 - scale) / 2
    return min(max(quality, 1.0), 100.0)
