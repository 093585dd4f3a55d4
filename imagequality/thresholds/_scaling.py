"""Bring scores near 1 without rounding, so that no selector overflows or underflows."""

from __future__ import annotations

import numpy as np

from ._base import Scores


def scale_by_power_of_two(scores: Scores) -> tuple[Scores, int]:
    """Divide the scores by the power of two that brings the largest magnitude into [0.5, 1).

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Finite, not all zero.

    Returns
    -------
    scaled : ndarray of shape (n,)
        ``scores / 2**exponent``. A power of two only moves the exponent, so
        nothing is rounded, save scores some 300 orders of magnitude smaller than
        the largest one.
    exponent : int
        ``np.ldexp(scaled, exponent)`` is the way back.
    """
    exponent = int(np.frexp(np.abs(scores).max())[1])
    return np.ldexp(scores, -exponent), exponent
