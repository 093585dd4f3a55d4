"""How sharp an image is: our measure, the Laplacian variance, and CleanVision's two numbers."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageStat

from ..images import RGBArray
from ._tiles import in_parts

_NOISE_FLOOR = 4.0  # grey levels²: gradients of this power count as no content

_LEAST_SIDE = 3  # pixels
_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # →, ↓, ↘ and ↙: rows down, columns right
_WIDEST_EXACT = 64  # pixels: 64 · 510² < 2²⁴, so that the sum of a row fits float32 exactly

_CLEANVISION_SIDE = 64


def edge_frequency(grey: NDArray[np.uint8]) -> float:
    """Root-mean-square frequency of the edges, along the blurriest of four directions.

    For each of the directions →, ↓, ↘ and ↗ the power of the second differences is divided by
    four times the power of the first differences (plus 4, so that rounding noise in a flat
    image counts for nothing). In the spectrum this is the mean of sin²(ω/2) weighted with the
    power of the gradient: 0 for a smooth ramp, 1 for detail at the Nyquist frequency. Contrast
    cancels, so a dull sharp image is sharp. The minimum over the directions finds motion blur.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        With its longer side at most 512 pixels; see ``Pixels``.

    Returns
    -------
    frequency : float in [0, 1]
        Low = blurry; 1 where a side is below 3 pixels, since nothing can be said.

    Notes
    -----
    Known failures: strong noise hides blur; an image that is meant to be smooth (sky, a sheet
    of paper) reads as blurry; below 64 pixels there is little to measure.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> sharp = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    >>> blurry = cv2.GaussianBlur(sharp, (0, 0), 2)
    >>> round(edge_frequency(sharp), 1), round(edge_frequency(blurry), 1)
    (0.9, 0.3)
    """
    if min(grey.shape) < _LEAST_SIDE:
        return 1.0
    grey = np.ascontiguousarray(grey)
    sums = np.array([_sums_of_squares(grey, down, right) for down, right in _DIRECTIONS])
    return float(_frequency(sums[:, None], grey.shape)[0])


def edge_frequencies_of_stack(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Do what :func:`edge_frequency` does, for many small images of one shape.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
        With their longer sides at most 512 pixels.

    Returns
    -------
    frequencies : ndarray of shape (n,), float64
        Equal to those of :func:`edge_frequency`.

    Examples
    --------
    >>> import numpy as np
    >>> edge_frequencies_of_stack(np.full((2, 32, 32), 100, np.uint8))
    array([0., 0.])
    """
    if min(grey.shape[1:]) < _LEAST_SIDE:
        return np.ones(len(grey))
    return in_parts(_frequencies, grey)


def _frequencies(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Edge frequency of each picture."""
    # One long line, which is fastest: what runs over a border is left out of the sums.
    exact = np.float32 if pictures.shape[2] <= _WIDEST_EXACT else np.float64
    line = pictures.reshape(-1).astype(exact)
    sums = np.stack(
        [
            _sums_of_squares_of_stack(line, pictures.shape, down, right)
            for down, right in _DIRECTIONS
        ]
    )
    return _frequency(sums, pictures.shape[1:])


def _frequency(sums: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Edge frequency of images of one shape, given the sums of squares.

    ``sums`` has shape (4, n, 2): those of the first and of the second differences along the four
    directions.
    """
    height, width = shape
    numbers = np.array(
        [
            [(height - order * down) * (width - order * abs(right)) for order in (1, 2)]
            for down, right in _DIRECTIONS
        ]
    )
    first, second = np.moveaxis(sums / numbers[:, None], 2, 0)
    lowest = (second / (4 * (first + _NOISE_FLOOR))).min(axis=0)
    # Few pixels can exceed 1: the means run over different numbers of differences.
    return np.asarray(np.sqrt(np.minimum(lowest, 1)))


def _sums_of_squares(grey: NDArray[np.uint8], down: int, right: int) -> tuple[int, int]:
    """Add up the squared first and second differences along a direction, exactly.

    Neither is computed: of three pixels a, b, c in a row the second difference squared is, by the
    parallelogram law, 2 (b - a)² + 2 (c - b)² - (c - a)², and sums of squared differences of two
    pictures are what OpenCV has for bytes.
    """

    def squares(one: int, other: int, last: int) -> int:
        """Those of the pixels ``other`` steps on less those ``one`` step on."""
        pixels = _moved(grey, one, last, down, right), _moved(grey, other, last, down, right)
        return round(cv2.norm(*pixels, cv2.NORM_L2SQR))  # some builds square a square root

    first = squares(0, 1, last=1)
    second = 2 * squares(0, 1, last=2) + 2 * squares(1, 2, last=2) - squares(0, 2, last=2)
    return first, second


def _moved(
    grey: NDArray[np.uint8], steps: int, last: int, down: int, right: int
) -> NDArray[np.uint8]:
    """Return the pixels some steps along a direction from those that ``last`` steps can leave."""
    height, width = grey.shape
    top = steps * down
    left = steps * right if right >= 0 else (last - steps) * -right
    return grey[
        top : top + height - last * down,
        left : left + width - last * abs(right),
    ]


def _sums_of_squares_of_stack(
    line: NDArray[Any], shape: tuple[int, ...], down: int, right: int
) -> NDArray[np.float64]:
    """Add up the squared first and second differences along a direction, exactly.

    Of shape (n, 2). ``line`` holds the pixels of a stack of a given shape, as floating numbers.
    """
    count, height, width = shape
    offset = down * width + right
    differences, sums = line, []
    for order in (1, 2):
        differences = differences[offset:] - differences[:-offset]
        squares = np.empty(line.size, line.dtype)
        np.square(differences, out=squares[: differences.size])
        squares[differences.size :] = 0
        inside = np.zeros(width, line.dtype)
        inside[max(0, -order * right) : width - max(0, order * right)] = 1
        # Whole numbers so small that no addition rounds, in whatever order a product adds.
        of_rows = (squares.reshape(-1, width) @ inside).reshape(count, height)
        sums.append(of_rows[:, : height - order * down].sum(axis=1, dtype=np.float64))
    return np.stack(sums, axis=1)


def laplacian_variance(grey: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian, at the image's own size: fastdup's blur measure.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8

    Returns
    -------
    variance : float, grey levels²
        Low = blurry. It grows with contrast and noise and depends on the image's size.

    References
    ----------
    J. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative
    study", ICPR 2000; the paper, III-B.

    Examples
    --------
    >>> import numpy as np
    >>> laplacian_variance(np.full((8, 8), 7, np.uint8))
    0.0
    """
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def cleanvision_blurriness(rgb: RGBArray) -> tuple[float, float]:
    """Return the two numbers of CleanVision's blur score, equal to its own.

    The image is shrunk so that its longer side is at most 64 pixels and turned grey; the
    numbers are the standard deviation of Pillow's ``FIND_EDGES`` and that of the counts of the
    256 grey levels.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    blurriness, blurriness_grayscale_std : float

    Notes
    -----
    ``FIND_EDGES`` copies the pixels of the border. On small images they dominate the first
    number, which caps what the score can reach. The second number depends on the pixel count.

    References
    ----------
    CleanVision 0.3, ``BlurrinessProperty``; the paper, III-A.

    Examples
    --------
    >>> import numpy as np
    >>> edges, histogram = cleanvision_blurriness(np.full((64, 64, 3), 9, np.uint8))
    >>> round(edges, 3), round(histogram, 3)  # a flat image has "edges" along its border
    (2.163, 255.5)
    """
    image = Image.fromarray(rgb)
    ratio = max(image.size) / _CLEANVISION_SIDE
    if ratio > 1:
        image = image.resize(
            (max(int(image.width // ratio), 1), max(int(image.height // ratio), 1))
        )
    grey = image.convert("L")
    edges = grey.filter(ImageFilter.FIND_EDGES)
    return float(np.sqrt(ImageStat.Stat(edges).var[0])), float(np.std(grey.histogram()))
