"""Tukey's fence below the lower quartile."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._base import Interval
from ._base import Scores, ThresholdSelector, flag_nothing
from ._scaling import scale_by_power_of_two


class IQRThreshold(ThresholdSelector):
    """Flag what lies far below the lower quartile, measured in interquartile ranges.

    The threshold is Q1 − factor · (Q3 − Q1), with NumPy's linear quantiles.

    Parameters
    ----------
    factor : float, default=3.0
        How many interquartile ranges below Q1, at least 0. Tukey calls what lies
        beyond 1.5 outside and what lies beyond 3 far out.

    Attributes
    ----------
    threshold_ : float
        In the unit of the scores; may lie below every score. Flags nothing where
        the interquartile range is zero (``reason_`` says so).
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    An interquartile range of zero, as at least half of the scores being one value
    makes it, gives no yardstick: every score below that value would be infinitely
    far out, however close it lies. So nothing is flagged there. A range that is only
    rounding (a few units in the last place of the quartiles) counts as zero.

    It flags nothing in most clean data, but for a skewed distribution its long tail,
    and it is blind once a quarter of the scores are bad.

    References
    ----------
    J. W. Tukey, "Exploratory Data Analysis", Addison-Wesley, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import IQRThreshold
    >>> scores = np.r_[np.linspace(0.7, 0.9, 99), 0.1]
    >>> selector = IQRThreshold().fit(scores)
    >>> round(selector.threshold_, 3), int(selector.predict(scores).sum())
    (0.445, 1)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "factor": [Interval(Real, 0, None, closed="left")]
    }

    scale_equivariant: ClassVar[bool] = True
    shift_equivariant: ClassVar[bool] = True

    def __init__(self, factor: float = 3.0) -> None:
        self.factor = factor

    def _select(self, scores: Scores) -> float:
        # Scaled, because differences between scores may overflow.
        scaled, exponent = scale_by_power_of_two(scores)
        lower, upper = np.quantile(scaled, [0.25, 0.75])
        spread = upper - lower
        if spread <= 4 * np.spacing(max(abs(lower), abs(upper))):
            self.reason_ = "the interquartile range is zero"
            return flag_nothing(scores)
        self.reason_ = f"{self.factor:g} interquartile ranges below the lower quartile"
        with np.errstate(over="ignore"):
            threshold = np.ldexp(lower - self.factor * spread, exponent)
        return float(max(threshold, -np.finfo(np.float64).max))
