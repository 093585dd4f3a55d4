"""How sharp an image is: our measure, the Laplacian variance, and CleanVision's two numbers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageStat

from ..images import RGBArray

_NOISE_FLOOR = 4.0  # grey levels²: gradients of this power count as no content

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
        With its longer side at most 512 pixels; see :class:`Pixels`.

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
    if min(grey.shape) < 3:
        return 1.0
    g = grey.astype(np.float32)
    horizontal = g[:, 1:] - g[:, :-1]
    vertical = g[1:] - g[:-1]
    falling = g[1:, 1:] - g[:-1, :-1]
    rising = g[1:, :-1] - g[:-1, 1:]
    first_and_second = (
        (horizontal, horizontal[:, 1:] - horizontal[:, :-1]),
        (vertical, vertical[1:] - vertical[:-1]),
        (falling, falling[1:, 1:] - falling[:-1, :-1]),
        (rising, rising[1:, :-1] - rising[:-1, 1:]),
    )
    lowest = min(
        _power(second) / (4 * (_power(first) + _NOISE_FLOOR)) for first, second in first_and_second
    )
    # Few pixels can exceed 1: the means run over different numbers of differences.
    return float(np.sqrt(min(lowest, 1.0)))


def _power(values: NDArray[np.float32]) -> float:
    flat = values.ravel()
    return float(flat @ flat) / flat.size


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
