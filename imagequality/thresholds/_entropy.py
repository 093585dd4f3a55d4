"""Kapur, Sahoo and Wong's maximum entropy threshold."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from ._histogram import Floats, HistogramThreshold


class MaxEntropyThreshold(HistogramThreshold):
    """Split the histogram where both classes together are the most evenly spread.

    Maximises the entropy of the low class plus the entropy of the high class, each
    class's bins taken as a distribution of their own: −Σ q log q with q the bin's
    share of its class, in nats.

    Parameters
    ----------
    bins : int, default=256
        The number of equal bins over [min, max] of the scores, 2 to 1,048,576.

    Attributes
    ----------
    threshold_ : float
        The edge above the last flagged bin, in the unit of the scores.
    candidates_ : ndarray of shape (bins - 1,)
        The bins' inner edges; empty if all scores are equal.
    criterion_ : ndarray of shape (bins - 1,)
        The sum of the entropies at each candidate, in nats; maximised.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Known failures: it always splits, clean data too. It asks for spread, not for a
    valley: with one narrow and one wide group it cuts into the wide one.

    References
    ----------
    J. N. Kapur, P. K. Sahoo and A. K. C. Wong, "A New Method for Gray-Level Picture
    Thresholding Using the Entropy of the Histogram", Computer Vision, Graphics, and
    Image Processing 29(3), 273-285, 1985.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import MaxEntropyThreshold
    >>> scores = np.r_[np.linspace(0.1, 0.3, 50), np.linspace(0.7, 0.9, 50)]
    >>> int(MaxEntropyThreshold().fit(scores).predict(scores).sum())
    50
    """

    _why_chosen = "largest sum of the classes' entropies"

    def __init__(self, bins: int = 256) -> None:
        self.bins = bins

    def _criterion(self, counts: Floats) -> Floats:
        shares = counts / counts.sum()
        return _entropy_of_first(shares)[:-1] + _entropy_of_first(shares[::-1])[-2::-1]


def _entropy_of_first(shares: Floats) -> Floats:
    """Return the entropy of the first 1, 2, … bins, each time as a distribution of their own."""
    weight = np.cumsum(shares)
    # −Σ (p/P) log (p/P) = log P + (−Σ p log p) / P
    return np.log(weight) + np.cumsum(entr(shares)) / weight
