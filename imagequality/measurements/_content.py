"""What is in an image: how much information, and whether it has colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray


def entropy(histogram: NDArray[np.int64]) -> float:
    """Shannon entropy of the pooled levels of the three channels, equal to Pillow's.

    The counts of R, G and B are 768 symbols of one distribution, so that three channels alike
    add log2(3) = 1.585 bits to the entropy of one.

    Parameters
    ----------
    histogram : ndarray of shape (3, 256)
        Counts of the levels of R, G and B.

    Returns
    -------
    bits : float in [log2 3, log2 768]

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", 1948; ``PIL.Image.entropy``;
    CleanVision's ``entropy``.

    Examples
    --------
    >>> import numpy as np
    >>> flat = np.zeros((3, 256), np.int64)
    >>> flat[:, 7] = 100
    >>> round(entropy(flat), 3)
    1.585
    """
    counts = histogram[histogram > 0]
    share = counts / counts.sum()
    return float(-(share @ np.log2(share)))


def channels_identical(rgb: RGBArray) -> bool:
    """Whether R, G and B are the same in every pixel, whatever the file's mode says.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    identical : bool

    References
    ----------
    The paper, III-C: the re-detection of grayscale images stored as RGB.

    Examples
    --------
    >>> import numpy as np
    >>> channels_identical(np.full((2, 2, 3), 9, np.uint8))
    True
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    # A few rows decide for nearly every colour image.
    few = slice(None, None, max(1, len(rgb) // 4))
    if (red[few] != green[few]).any() or (red[few] != blue[few]).any():
        return False
    return bool((red == green).all() and (red == blue).all())
