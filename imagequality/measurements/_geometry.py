"""The shape of an image."""

from __future__ import annotations

import math


def size(width: int, height: int) -> float:
    """Geometric mean of the sides, √width·√height, in pixels: CleanVision's ``size``.

    Examples
    --------
    >>> size(4, 9)
    6.0
    """
    return math.sqrt(width) * math.sqrt(height)


def aspect_ratio(width: int, height: int) -> float:
    """Shorter side over longer side, in (0, 1]: CleanVision's ``aspect_ratio``.

    Examples
    --------
    >>> aspect_ratio(100, 50)
    0.5
    """
    return min(width / height, height / width)
