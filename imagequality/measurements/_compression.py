"""How strongly an image was compressed as JPEG: by its pixels, and by its file's tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ._tiles import native_tiles

_BLOCK = 8
# A step between two pixels less the mean of the steps beside it, on four pixels.
_STEP = np.array([[0.5, -1.5, 1.5, -0.5]], dtype=np.float32)
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
    tiles = [np.ascontiguousarray(tile) for tile in native_tiles(grey)]
    axes = (tiles, [np.ascontiguousarray(tile.T) for tile in tiles])
    found = [
        _strongest_phase(np.sum([_moments_by_phase(tile) for tile in axis], axis=0))
        for axis in axes
        if axis[0].shape[1] >= 3 * _BLOCK and axis[0].shape[0] >= _BLOCK
    ]
    if not found:
        return 0.0
    mean = sum(mean for mean, _ in found) / len(found)
    error = math.hypot(*(error for _, error in found)) / len(found)
    return max(0.0, mean - _STANDARD_ERRORS * error)


def _moments_by_phase(tile: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Count, sum and sum of squares of the log ratios along the rows, for each of the phases.

    Returns an array of shape (3, 8).
    """
    height, width = tile.shape
    strips = height // _BLOCK
    lines = tile[: strips * _BLOCK]
    if strips > _MOST_STRIPS:
        every = -(-strips // _MOST_STRIPS)
        lines = lines.reshape(strips, _BLOCK, width)[::every].reshape(-1, width)
        strips = len(lines) // _BLOCK
    # The step between the pixels x and x + 1 stands at x - 1.
    step = np.abs(cv2.filter2D(lines, cv2.CV_32F, _STEP, anchor=(1, 0))[:, 1:-2])
    step = cv2.resize(step, (width - 3, strips), interpolation=cv2.INTER_AREA)
    inside = cv2.boxFilter(step, -1, (_INSIDE, 1))
    # Around the middle at t, inside is the mean over t - 2 … t + 2: of a step 2 to 6 away at 4.
    across, left, right = step[:, 6:-6], inside[:, 2:-10], inside[:, 10:-2]
    ratio = np.log(across + _OFFSET)
    ratio -= 0.5 * np.log((left + _OFFSET) * (right + _OFFSET))
    active = (across + 0.5 * (left + right) >= 2 * _LEAST_ACTIVITY).astype(np.float32)
    ratio *= active
    moments = np.zeros((3, -(-ratio.shape[1] // _BLOCK) * _BLOCK))
    columns = moments[:, : ratio.shape[1]]  # the first step is that between the pixels 7 and 8
    active.sum(axis=0, out=columns[0])
    ratio.sum(axis=0, out=columns[1])
    np.einsum("ij,ij->j", ratio, ratio, out=columns[2])
    return np.asarray(moments.reshape(3, -1, _BLOCK).sum(axis=1))


def _strongest_phase(moments: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard error of the phase that stands out most."""
    counts, sums, squares = moments[:, moments[0] > 1]
    if not counts.size:
        return 0.0, 0.0
    means = sums / counts
    errors = np.sqrt(np.maximum(squares / counts - means**2, 0) / counts)
    best = int(np.argmax(means - _STANDARD_ERRORS * errors))
    return float(means[best]), float(errors[best])


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
