"""Kittler and Illingworth's minimum error threshold."""

from __future__ import annotations

import numpy as np

from ._histogram import Floats, HistogramThreshold, split_statistics


class MinimumErrorThreshold(HistogramThreshold):
    """Split the histogram where two normal distributions explain it best.

    Minimises J = 1 + 2 (P₀ log σ₀ + P₁ log σ₁) − 2 (P₀ log P₀ + P₁ log P₁), where P
    is a class's share of the scores and σ its standard deviation in bins. J stands
    for the error of the best classifier of two normal distributions with these
    moments. The global minimum over all admissible splits is taken; a split is
    admissible if both classes have a variance above zero, that is, occupy at least
    two bins each.

    Parameters
    ----------
    bins : int, default=256
        The number of equal bins over [min, max] of the scores, 2 to 1,048,576.

    Attributes
    ----------
    threshold_ : float
        The edge above the last flagged bin, in the unit of the scores; flags
        nothing where no split is admissible (``reason_`` says so).
    candidates_ : ndarray of shape (bins - 1,)
        The bins' inner edges; empty if all scores are equal.
    criterion_ : ndarray of shape (bins - 1,)
        J at each candidate, NaN where the split is not admissible; minimised.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Known failures: it always splits where it can, clean data too. J drops without
    limit as a class shrinks to nearly a point, so a handful of scores in adjacent
    bins at either end can win over a true valley.

    References
    ----------
    J. Kittler and J. Illingworth, "Minimum Error Thresholding", Pattern Recognition
    19(1), 41-47, 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import MinimumErrorThreshold
    >>> rng = np.random.default_rng(0)
    >>> scores = np.r_[rng.normal(0.2, 0.02, 50), rng.normal(0.8, 0.05, 450)]
    >>> int(MinimumErrorThreshold().fit(scores).predict(scores).sum())
    50
    >>> MinimumErrorThreshold().fit([0.1, 0.9]).reason_
    'no split leaves both classes a variance above zero'
    """

    _minimised = True
    _why_chosen = "smallest criterion J"
    _why_nothing = "no split leaves both classes a variance above zero"

    def __init__(self, bins: int = 256) -> None:
        self.bins = bins

    def _criterion(self, counts: Floats) -> Floats:
        classes = split_statistics(counts)
        admissible = (classes.scatter_low > 0) & (classes.scatter_high > 0)
        criterion = np.full(admissible.size, np.nan)
        low, high, scatter_low, scatter_high = (
            values[admissible]
            for values in (
                classes.weight_low,
                classes.weight_high,
                classes.scatter_low,
                classes.scatter_high,
            )
        )
        share_low, share_high = low / counts.sum(), high / counts.sum()
        criterion[admissible] = (
            1
            # 2 log σ is the log of the variance.
            + share_low * np.log(scatter_low / low)
            + share_high * np.log(scatter_high / high)
            - 2 * (share_low * np.log(share_low) + share_high * np.log(share_high))
        )
        return criterion
