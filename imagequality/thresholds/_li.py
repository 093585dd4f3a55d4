"""Li's minimum cross-entropy threshold."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from skimage.filters import threshold_li

from .._base import Interval, StrOptions
from ._base import Scores, ThresholdSelector
from ._otsu import OtsuThreshold
from ._scaling import scale_by_power_of_two

InitialGuess = float | str | Callable[[Scores], float] | None


class LiThreshold(ThresholdSelector):
    """Split the scores where two class means lose the least cross-entropy.

    Minimises the cross-entropy between the scores and the scores with each replaced
    by its class's mean, both counted from the lowest score. The iteration of Li and
    Tam moves the threshold to (m₁ − m₀) / (log m₁ − log m₀), m₀ and m₁ being the
    means of the scores up to and above it, until it stands still. No histogram is
    used.

    Parameters
    ----------
    initial_guess : float, {"otsu", "median"}, callable or None, default=None
        Where the iteration starts, in the unit of the scores. None: their mean. A
        callable takes the scores and returns the start. A float, or what a callable
        returns, must lie strictly between the lowest and the highest score. With
        more than two groups of scores the result depends on the start.
    tolerance : float or None, default=None
        The iteration ends when it moves by no more than this, in the unit of the
        scores. None: half the smallest distance between two scores.

    Attributes
    ----------
    threshold_ : float
        The next float above the iteration's fixed point: what lies on the fixed
        point belongs to the low class.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    scikit-image's ``threshold_li`` does the iteration. Should the low class shrink to
    copies of the lowest score, whose distance from itself has no logarithm, it ends
    there. A fixed point is, as in k-means, the best split for its own two means; a
    split a few scores away, with means of its own, may be slightly better.

    Known failures: it always splits, clean data too; a local minimum of the
    cross-entropy may be far from the global one; and it is not mirror-symmetric, so
    the direction of the scores (low = bad) matters.

    References
    ----------
    C. H. Li and C. K. Lee, "Minimum Cross Entropy Thresholding", Pattern Recognition
    26(4), 617-625, 1993.

    C. H. Li and P. K. S. Tam, "An Iterative Algorithm for Minimum Cross Entropy
    Thresholding", Pattern Recognition Letters 19(8), 771-776, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import LiThreshold
    >>> scores = np.r_[np.linspace(0.1, 0.3, 50), np.linspace(0.7, 0.9, 50)]
    >>> selector = LiThreshold().fit(scores)
    >>> round(selector.threshold_, 3), int(selector.predict(scores).sum())
    (0.408, 50)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "initial_guess": [
            Interval(Real, None, None, closed="neither"),
            StrOptions({"otsu", "median"}),
            callable,
            None,
        ],
        "tolerance": [Interval(Real, 0, None, closed="neither"), None],
    }

    scale_equivariant: ClassVar[bool] = True
    shift_equivariant: ClassVar[bool] = True
    replication_invariant: ClassVar[bool] = True

    def __init__(self, initial_guess: InitialGuess = None, tolerance: float | None = None) -> None:
        self.initial_guess = initial_guess
        self.tolerance = tolerance

    def _select(self, scores: Scores) -> float:
        # Sorted: sums, and so the last digits, must not depend on the order.
        ordered = np.sort(scores)
        scaled, exponent = scale_by_power_of_two(ordered)
        heights = scaled - scaled[0]  # above the lowest score, as scikit-image counts them

        start = self._start(ordered)
        if start is None:
            start_height = heights.mean()
        else:
            start_height = np.ldexp(start, -exponent) - scaled[0]
        # Rounding, or a median that is the lowest or the highest score, must not leave a class
        # empty: what lies on the threshold belongs to the low class.
        start_height = np.clip(start_height, 0.0, np.nextafter(heights[-1], 0.0))

        fixed_point = float(
            threshold_li(
                heights,
                tolerance=self._scaled_tolerance(heights, exponent),
                # As a callable, since a number that is the lowest height would be refused.
                initial_guess=lambda _: start_height,
            )
        )
        # Ordered, so the low class comes first. The way back may round onto a score of the
        # wrong class; the last of one and the first of the other bound it.
        n_low = int(np.searchsorted(heights, fixed_point, side="right"))
        above = np.nextafter(np.ldexp(fixed_point + scaled[0], exponent), np.inf)
        self.reason_ = "fixed point of the cross-entropy iteration"
        return float(np.clip(above, np.nextafter(ordered[n_low - 1], np.inf), ordered[n_low]))

    def _start(self, scores: Scores) -> float | None:
        """Return the initial guess in the unit of the scores; None for the mean."""
        guess = self.initial_guess
        if guess is None:
            return None
        if isinstance(guess, str):
            if guess == "otsu":
                return OtsuThreshold().fit(scores).threshold_
            return float(scores[(scores.size - 1) // 2])  # the lower median: no sum to overflow
        start = float(guess(scores)) if callable(guess) else float(guess)
        if not scores[0] < start < scores[-1]:
            raise ValueError(
                f"initial_guess must lie strictly between the lowest and the highest score, "
                f"{scores[0]:g} and {scores[-1]:g}; got {start:g}"
            )
        return start

    def _scaled_tolerance(self, heights: Scores, exponent: int) -> float:
        if self.tolerance is None:
            tolerance = np.diff(np.unique(heights)).min() / 2
        else:
            with np.errstate(over="ignore"):
                tolerance = min(np.ldexp(self.tolerance, -exponent), heights[-1])
        # Below the rounding of the means the iteration could swing for ever.
        return float(max(tolerance, 16 * np.spacing(heights[-1])))
