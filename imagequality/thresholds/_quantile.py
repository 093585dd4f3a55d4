"""A given share of the scores."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._base import Interval
from ._base import Scores, ThresholdSelector


class QuantileThreshold(ThresholdSelector):
    """Flag the lowest share of the scores.

    The threshold is the score of rank ⌊quantile · n⌋, counted from 0: that many
    scores are lower or equal to it.

    Parameters
    ----------
    quantile : float, default=0.05
        The share to flag, in [0, 1).

    Attributes
    ----------
    threshold_ : float
        One of the scores, the lowest one that is not flagged.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Never more than the share is flagged: of scores tied at the threshold none is. So
    with 30 % of the scores at the lowest value, a quantile of 5 % flags nothing, as
    it does for fewer than 1 / quantile scores.

    It flags the share whatever the scores are, clean data too.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import QuantileThreshold
    >>> scores = np.linspace(0, 1, 200)
    >>> int(QuantileThreshold(0.1).fit(scores).predict(scores).sum())
    20
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "quantile": [Interval(Real, 0, 1, closed="left")]
    }

    scale_equivariant: ClassVar[bool] = True
    shift_equivariant: ClassVar[bool] = True
    replication_invariant: ClassVar[bool] = True

    def __init__(self, quantile: float = 0.05) -> None:
        self.quantile = quantile

    def _select(self, scores: Scores) -> float:
        # 0.29 * 100 is 28.999…: without the tiny addition a float's error would cost a rank.
        rank = int(np.floor(self.quantile * scores.size * (1 + 1e-12)))
        rank = min(rank, scores.size - 1)
        self.reason_ = f"the lowest {self.quantile:.4g} of the scores"
        return float(np.partition(scores, rank)[rank])
