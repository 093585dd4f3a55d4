"""The shape of an image."""

from __future__ import annotations

import math


def size(width: int, height: int) -> float:
    """Geometric mean of the sides, √width·√height: CleanVision's ``size``.

    Parameters
    ----------
    width, height : int
        In pixels.

    Returns
    -------
    size : float, pixels

    Examples
    --------
    >>> size(4, 9)
    6.0
    """
    return math.sqrt(width) * math.sqrt(height)


def aspect_ratio(width: int, height: int) -> float:
    """Shorter side over longer side: CleanVision's ``aspect_ratio``.

    Parameters
    ----------
    width, height : int
        In pixels.

    Returns
    -------
    ratio : float in (0, 1]

    Examples
    --------
    >>> aspect_ratio(100, 50)
    0.5
    """
    return min(width / height, height / width)
