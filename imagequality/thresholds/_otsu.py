"""Otsu's threshold."""

from __future__ import annotations

import numpy as np
from skimage.filters import threshold_otsu

from ._histogram import Floats, HistogramThreshold, between_class_variance


class OtsuThreshold(HistogramThreshold):
    """Split the histogram where the two classes' means lie furthest apart.

    Maximises the between-class variance: the share of the low class times the
    share of the high class times the squared distance between their means. This
    also minimises the variance within the classes.

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
        The between-class variance at each candidate, in squared bins; maximised.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    scikit-image's ``threshold_otsu`` chooses the bin. It names the bin's centre and
    counts what is above as foreground, so its threshold lies half a bin lower.

    Known failures: it always splits, clean data too; and it favours classes of
    similar size and spread, so that a few bad images beside many good ones are
    drowned by a split through the good ones.

    References
    ----------
    N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE
    Transactions on Systems, Man, and Cybernetics 9(1), 62-66, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import OtsuThreshold
    >>> scores = np.r_[np.linspace(0.1, 0.31, 50), np.linspace(0.7, 0.9, 50)]
    >>> selector = OtsuThreshold().fit(scores)
    >>> round(selector.threshold_, 3), int(selector.predict(scores).sum())
    (0.312, 50)
    """

    _why_chosen = "largest between-class variance"

    def __init__(self, bins: int = 256) -> None:
        self.bins = bins

    def _criterion(self, counts: Floats) -> Floats:
        return between_class_variance(counts)

    def _best_split(self, counts: Floats) -> int:
        # Bin numbers in place of centres: the choice is the same, and nothing overflows.
        positions = np.arange(counts.size, dtype=np.float64)
        return int(threshold_otsu(hist=(counts, positions)))
