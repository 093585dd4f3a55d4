"""The distribution of a score, for drawing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ScoreHistogram(NamedTuple):
    """Counts of scores in bins of one width.

    Attributes
    ----------
    counts : ndarray of shape (n_bins,), int64
    low, high : float
        The ends of the drawn range; it holds every score and the threshold, unless the
        threshold flags nothing by lying far below all scores.
    """

    counts: NDArray[np.int64]
    low: float
    high: float

    def position(self, score: float) -> float:
        """Return where a score lies in the range, as a share of it in [0, 1]."""
        return min(max((score - self.low) / (self.high - self.low), 0.0), 1.0)


def score_histogram(scores: ArrayLike, threshold: float, bins: int = 48) -> ScoreHistogram:
    """Count scores in bins over the range that matters.

    Parameters
    ----------
    scores : array-like of shape (n,)
        NaN is left out.
    threshold : float
    bins : int, default=48

    Returns
    -------
    histogram : ScoreHistogram

    Examples
    --------
    >>> histogram = score_histogram([0.1, 0.9, 1.0, float("nan")], threshold=0.5, bins=3)
    >>> histogram.counts.tolist()
    [1, 0, 2]
    """
    finite = np.asarray(scores, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    # A threshold of 0 flags nothing; drawn at 0, it could squeeze all scores into one bin.
    shown = finite if threshold <= 0 and len(finite) else np.append(finite, threshold)
    low, high = float(shown.min()), float(shown.max())
    margin = 0.02 * (high - low) or 0.05
    low, high = max(low - margin, 0.0), high + margin
    counts = np.histogram(finite, bins=bins, range=(low, high))[0]
    return ScoreHistogram(counts.astype(np.int64), low, high)


def bars_path(counts: NDArray[np.int64], tallest: int, width: int, height: int) -> str:
    """Return the outline of bars as the data of one SVG path.

    Parameters
    ----------
    counts : ndarray of shape (n_bins,), int
    tallest : int
        The count whose bar is as high as the drawing. Heights go by the square root, so that
        a few images can be seen beside thousands.
    width, height : int
        Of the drawing, in its own units.

    Returns
    -------
    path : str
        Empty bins take no room in it; a bin that holds anything is at least a unit high.

    Examples
    --------
    >>> bars_path(np.array([0, 4]), tallest=4, width=20, height=10)
    'M10 10V0h10V10z'
    """
    step = width / len(counts)
    bars = []
    for number in np.flatnonzero(counts):
        top = height - max(height * (counts[number] / tallest) ** 0.5, 1)
        bars.append(f"M{number * step:.4g} {height}V{top:.3g}h{step:.3g}V{height}z")
    return "".join(bars)
