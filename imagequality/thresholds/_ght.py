"""Barron's generalized histogram threshold."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._base import Interval
from ._histogram import Floats, HistogramThreshold, split_statistics


class GeneralizedHistogramThreshold(HistogramThreshold):
    """Split the histogram by a mixture of two normal distributions with priors (GHT).

    Maximises the likelihood of the best split into two normal distributions, given
    two beliefs: each class's variance is τ², held as firmly as ν scores would hold
    it; and the low class holds the share ω, held as firmly as κ scores would.

    With, for each class, w its count, P its share, D its summed squared distances
    from its mean and v = (P ν τ² + D) / (P ν + w) its variance after the belief, the
    criterion is the sum over both classes of
    −D/v − w log v + 2 (w + κω) log P, with 1 − ω in place of ω for the high class.

    Parameters
    ----------
    nu : float, default=2**29.5
        ν ≥ 0, in scores: how firmly the variance is believed to be τ². 0: not at all.
    tau : float, default=2**3.125
        τ ≥ 0, in bins: the standard deviation that a class is believed to have.
    kappa : float, default=2**22.25
        κ ≥ 0, in scores: how firmly the low class is believed to hold the share ω.
        0: not at all.
    omega : float, default=2**-3.25
        ω in [0, 1]: the share of the scores that the low class is believed to hold.
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
        The criterion at each candidate, up to a constant; NaN where a class's
        variance is zero (possible only if ν or τ is 0) or the parameters overflow;
        maximised.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Three methods are limits of this one:

    - ν → ∞, τ → 0, κ = 0: :class:`OtsuThreshold`.
    - ν = 0, κ = 0: :class:`MinimumErrorThreshold`.
    - κ → ∞: the split whose low class holds the share nearest to ω, a percentile.

    The defaults are the best that the paper reports, found on 8-bit images with
    hundreds of thousands of pixels. Beside fewer than about 100,000 scores the
    belief κ outweighs the data: the result is hardly more than the percentile
    ω ≈ 10.5 %, whatever the scores are. For a belief that leaves the data a say,
    choose ν and κ below the number of scores.

    Tied splits: the paper averages them; here the lowest one wins, as in all
    selectors of this kind. Averages of tied splits need not be optimal, and in an
    empty gap both flag the same scores.

    References
    ----------
    J. T. Barron, "A Generalization of Otsu's Method and Minimum Error Thresholding",
    European Conference on Computer Vision (ECCV), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import GeneralizedHistogramThreshold
    >>> rng = np.random.default_rng(0)
    >>> scores = np.r_[rng.normal(0.2, 0.02, 20), rng.normal(0.8, 0.05, 980)]
    >>> weak = GeneralizedHistogramThreshold(nu=100, tau=5, kappa=50, omega=0.02)
    >>> int(weak.fit(scores).predict(scores).sum())
    20
    >>> int(GeneralizedHistogramThreshold().fit(scores).predict(scores).sum())  # a percentile
    104
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HistogramThreshold._parameter_constraints,
        "nu": [Interval(Real, 0, None, closed="left")],
        "tau": [Interval(Real, 0, None, closed="left")],
        "kappa": [Interval(Real, 0, None, closed="left")],
        "omega": [Interval(Real, 0, 1, closed="both")],
    }

    # ν and κ are counts: twice the scores outweigh them twice as much.
    replication_invariant: ClassVar[bool] = False

    _why_chosen = "largest likelihood of the split under its priors"
    _why_nothing = "no split has a finite criterion under these parameters"

    def __init__(
        self,
        nu: float = 2**29.5,
        tau: float = 2**3.125,
        kappa: float = 2**22.25,
        omega: float = 2**-3.25,
        bins: int = 256,
    ) -> None:
        self.nu = nu
        self.tau = tau
        self.kappa = kappa
        self.omega = omega
        self.bins = bins

    def _criterion(self, counts: Floats) -> Floats:
        classes = split_statistics(counts)
        # Parameters near the largest float overflow; such a criterion decides nothing.
        with np.errstate(all="ignore"):
            criterion = self._class_criterion(
                classes.weight_low, classes.scatter_low, counts.sum(), self.omega
            ) + self._class_criterion(
                classes.weight_high, classes.scatter_high, counts.sum(), 1 - self.omega
            )
        return np.where(np.isfinite(criterion), criterion, np.nan)

    def _class_criterion(
        self, weight: Floats, scatter: Floats, total: float, believed_share: float
    ) -> Floats:
        share = weight / total
        # v of the docstring as a weighted mean of belief and data. Since P = w / total, the
        # weights are the same for every split.
        prior = self.nu / (self.nu + total)
        data = total / (self.nu + total)
        variance = prior * np.square(np.float64(self.tau)) + data * scatter / weight
        # A variance of zero makes 0/0 below: NaN, so not admissible.
        fit = -scatter / variance - weight * np.log(variance)
        # The paper has log w where this has log P; the difference is the same for every split.
        return fit + 2 * (weight + self.kappa * believed_share) * np.log(share)
