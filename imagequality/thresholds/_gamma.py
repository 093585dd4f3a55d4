"""A mixture of two gamma distributions."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, polygamma

from .._base import Interval, StrOptions
from ._base import Scores, ThresholdSelector, flag_nothing
from ._otsu import OtsuThreshold
from ._scaling import scale_by_power_of_two

Floats = NDArray[np.float64]

# Scores below this share of the mean score are raised to it: a gamma density has no finite
# logarithm at zero.
FLOOR = 1e-4
# A component that holds less than this share of the scores holds nothing.
SMALLEST_WEIGHT = 1e-6
# No cut is looked for below this share of the mean score: it would lie far below the floor.
LOWEST_CUT = 1e-12
# More distinct scores than this are fitted in cells: the time of an iteration no longer grows.
MOST_DISTINCT = 1 << 18
CELLS = 1 << 16


class Mixture(NamedTuple):
    """Two gamma distributions; component 0 has the lower mean once fitting is done."""

    weights: Floats
    shapes: Floats
    scales: Floats

    @property
    def means(self) -> Floats:
        """The components' means."""
        return self.shapes * self.scales

    @property
    def log_ratio_terms(self) -> tuple[float, float, float]:
        """(constant, log slope, slope) of the log density ratio.

        log f₀(t) − log f₁(t) = constant + log slope · log t − slope · t, without weights.
        """
        norms = -gammaln(self.shapes) - self.shapes * np.log(self.scales)
        rates = 1 / self.scales
        return (
            float(norms[0] - norms[1]),
            float(self.shapes[0] - self.shapes[1]),
            float(rates[0] - rates[1]),
        )


class Points(NamedTuple):
    """What the mixture is fitted to: distinct scores, or cells of neighbouring ones.

    Attributes
    ----------
    shares : ndarray of shape (n_points,)
        Of all scores; they add up to 1.
    values, log_values : ndarray of shape (n_points,)
        The score in units of the mean score, and its logarithm; of a cell, the mean of each.
    """

    shares: Floats
    values: Floats
    log_values: Floats


class GammaMixtureThreshold(ThresholdSelector):
    """Fit two gamma distributions to the scores and cut where they cross.

    The mixture is fitted by maximum likelihood with the EM algorithm, started from
    Otsu's split. Component 0 is the one with the lower mean.

    Parameters
    ----------
    cutoff : {"optimal", "intersection"}, default="optimal"
        "optimal" maximises sensitivity plus specificity of the fitted pair: it cuts
        where the two densities cross, each with an area of one. "intersection"
        minimises the share of wrong decisions: it cuts where the densities cross
        after each is multiplied by its weight.
    max_iter : int, default=1000
        The most EM iterations.
    tol : float, default=1e-8
        EM ends when an iteration raises the mean log-likelihood per score by less.
    max_shape : float, default=1e6
        The largest shape of a component. A shape a means a standard deviation of
        mean / √a, so this keeps a component from collapsing onto copies of one
        score, where the likelihood has no bound.

    Attributes
    ----------
    threshold_ : float
        In the unit of the scores; flags nothing where the mixture degenerates or
        the components do not cross below the upper one's mean (``reason_`` says so).
    weights_ : ndarray of shape (2,)
        The components' shares of the scores; NaN if all scores are equal.
    shapes_ : ndarray of shape (2,)
        Their shapes; NaN if all scores are equal or a component is empty.
    scales_ : ndarray of shape (2,)
        Their scales, in the unit of the scores. Mean = shape · scale.
    log_likelihood_ : float
        Of the scores (after the floor) under the mixture, summed; NaN as above.
    n_iter_ : int
        EM iterations done.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Scores must not be negative. Scores below 1e-4 times the mean score, zeros among
    them, are raised to that value for fitting.

    The fit is exact up to 262,144 distinct scores: no bins, each weighted by how often it
    occurs. More of them are gathered in 65,536 cells between FLOOR and the highest score, of one
    width on a log scale (under 0.03 % of a score for scores up to a thousand times their mean),
    and the scores of a cell share one responsibility; sums and log sums stay exact.
    The result is a local maximum of the likelihood, but always the same one.

    Between two gamma distributions the log density ratio is a constant plus multiples
    of log t and t, which falls through zero at most once: the cut is unique if there
    is one.

    Known failures: it always fits two components, clean data too, and one skewed
    group of scores is readily split in two.

    References
    ----------
    N. Nouri and S. H. Kleinstein, "Optimized Threshold Inference for Partitioning of
    Clones From High-Throughput B Cell Repertoire Sequencing Data", Frontiers in
    Immunology 9, 1687, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import GammaMixtureThreshold
    >>> rng = np.random.default_rng(0)
    >>> scores = np.r_[rng.gamma(20, 0.01, 100), rng.gamma(200, 0.004, 900)]
    >>> selector = GammaMixtureThreshold().fit(scores)
    >>> int(selector.predict(scores).sum()), selector.weights_.round(2)
    (100, array([0.1, 0.9]))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "cutoff": [StrOptions({"optimal", "intersection"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_shape": [Interval(Real, 1, None, closed="left")],
    }

    scale_equivariant: ClassVar[bool] = True
    replication_invariant: ClassVar[bool] = True

    def __init__(
        self,
        cutoff: str = "optimal",
        max_iter: int = 1000,
        tol: float = 1e-8,
        max_shape: float = 1e6,
    ) -> None:
        self.cutoff = cutoff
        self.max_iter = max_iter
        self.tol = tol
        self.max_shape = max_shape

    def _threshold(self, scores: Scores) -> float:
        if scores.size and scores.min() < 0:
            raise ValueError(
                f"GammaMixtureThreshold needs scores of at least 0, got {scores.min():g}"
            )
        self.weights_ = self.shapes_ = self.scales_ = np.full(2, np.nan)
        self.log_likelihood_ = np.nan
        self.n_iter_ = 0
        return super()._threshold(scores)

    def _select(self, scores: Scores) -> float:
        # Fitted in units of the mean score; distinct scores are sorted, so that sums do not
        # depend on the order.
        scaled, exponent = scale_by_power_of_two(scores)
        distinct, counts = np.unique(scaled, return_counts=True)
        shares = counts / scores.size
        mean = float(shares @ distinct)
        values = np.maximum(distinct / mean, FLOOR)
        otsu = OtsuThreshold().fit(np.maximum(scaled / mean, FLOOR)).threshold_
        points = _points(values, shares)

        mixture, mean_log_likelihood, ended = self._fit_mixture(points, points.values < otsu)
        if mixture.means[0] > mixture.means[1]:
            mixture = Mixture(*(parameter[::-1] for parameter in mixture))

        self.weights_, self.shapes_ = mixture.weights, mixture.shapes
        with np.errstate(over="ignore"):
            self.scales_ = np.ldexp(mixture.scales * mean, exponent)
        # A density in units of the mean is the mean times the density in units of the scores.
        log_mean = np.log(mean) + exponent * np.log(2.0)
        self.log_likelihood_ = float(scores.size * (mean_log_likelihood - log_mean))

        if mixture.weights.min() < SMALLEST_WEIGHT:
            self.reason_ = "the mixture degenerated: one component holds no scores"
            return flag_nothing(scores)
        constant, log_slope, slope = mixture.log_ratio_terms
        if self.cutoff == "intersection":
            constant += float(np.log(mixture.weights[0] / mixture.weights[1]))
        cut = _falling_zero(constant, log_slope, slope, LOWEST_CUT, float(mixture.means[1]))
        if cut is None:
            self.reason_ = "the fitted components do not cross below the upper one's mean"
            return flag_nothing(scores)
        self.reason_ = f"{self.cutoff} cut between two gamma distributions, {ended}"
        return float(np.ldexp(cut * mean, exponent))

    def _fit_mixture(
        self, points: Points, starts_low: NDArray[np.bool_]
    ) -> tuple[Mixture, float, str]:
        """Run EM from a hard split, and count its iterations in ``n_iter_``.

        Returns the mixture, its mean log-likelihood, and how the iteration ended.
        """
        shares, values, log_values = points
        # A component's sums of these three are all that its maximum likelihood needs.
        features = shares * np.stack([np.ones_like(values), values, log_values])
        in_low = np.where(starts_low, 0.99, 0.01)  # the low component's responsibilities
        previous = -np.inf
        while True:
            mixture = _most_likely(features @ np.column_stack([in_low, 1 - in_low]), self.max_shape)
            if mixture.weights.min() < SMALLEST_WEIGHT:
                return mixture, np.nan, "degenerate"

            # With δ = log(w₀ f₀ / w₁ f₁), a score's responsibility is 1 / (1 + exp(−δ)) and its
            # log density log(w₁ f₁) + log(1 + exp(δ)); exp(−|δ|) serves both and cannot overflow.
            constant, log_slope, slope = mixture.log_ratio_terms
            constant += float(np.log(mixture.weights[0] / mixture.weights[1]))
            log_odds = constant + log_slope * log_values - slope * values
            decay = np.exp(-np.abs(log_odds))
            in_low = np.where(log_odds > 0, 1.0, decay) / (1 + decay)
            log_likelihood = _mean_log_density_of_upper(mixture, features.sum(axis=1)) + float(
                shares @ (np.maximum(log_odds, 0.0) + np.log1p(decay))
            )

            if log_likelihood - previous <= self.tol:
                return mixture, log_likelihood, f"converged after {self.n_iter_} iterations"
            if self.n_iter_ == self.max_iter:
                return mixture, log_likelihood, f"not converged after {self.n_iter_} iterations"
            previous = log_likelihood
            self.n_iter_ += 1


def _points(values: Floats, shares: Floats) -> Points:
    """Return increasing positive values as they are, or of very many the cells they fall into."""
    log_values = np.log(values)
    if values.size <= MOST_DISTINCT:
        return Points(shares, values, log_values)
    # The values increase, so those of a cell stand side by side.
    edges = np.linspace(log_values[0], log_values[-1], CELLS + 1)[:-1]
    start = np.unique(np.searchsorted(log_values, edges))
    share = np.add.reduceat(shares, start)
    return Points(
        share,
        np.add.reduceat(shares * values, start) / share,
        np.add.reduceat(shares * log_values, start) / share,
    )


def _most_likely(sums: Floats, max_shape: float) -> Mixture:
    """Return the gamma distributions of maximum likelihood.

    ``sums`` has a column a component: its summed responsibility, and the sums of the
    values and of their logarithms weighted with it.
    """
    weights = sums[0]
    with np.errstate(all="ignore"):  # an empty component has neither mean nor shape
        means = sums[1] / weights
        gap = np.log(means) - sums[2] / weights  # ≥ 0; 0 if all values are equal
        # The likelihood equation is log a − ψ(a) = gap. Minka's approximation starts Newton's
        # method on 1/a, which gains two to four digits a step.
        gap = np.maximum(gap, 1e-13)
        shapes = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
        for _ in range(4):
            error = np.log(shapes) - digamma(shapes) - gap
            shapes = 1 / (1 / shapes + error / (shapes**2 * (1 / shapes - polygamma(1, shapes))))
        # The likelihood of a shape has one peak, so the best one allowed is the limit.
        shapes = np.where((gap < 0.5 / max_shape) | (shapes > max_shape), max_shape, shapes)
        return Mixture(weights, shapes, means / shapes)


def _mean_log_density_of_upper(mixture: Mixture, sums: Floats) -> float:
    """Return the mean over all values of log(w₁ f₁), from the mean value and the mean logarithm."""
    _, mean, mean_log = sums
    shape, scale = mixture.shapes[1], mixture.scales[1]
    normalisation = np.log(mixture.weights[1]) - gammaln(shape) - shape * np.log(scale)
    return float(normalisation + (shape - 1) * mean_log - mean / scale)


def _falling_zero(
    constant: float, log_slope: float, slope: float, low: float, high: float
) -> float | None:
    """Return where ``constant + log_slope · log t − slope · t`` falls through 0 in (low, high).

    It turns at most once, at log_slope / slope, so it falls on one interval at most.
    """

    def log_ratio(t: float) -> float:
        return float(constant + log_slope * np.log(t) - slope * t)

    if log_slope * slope > 0:
        turn = log_slope / slope
        if log_slope > 0:  # rises, then falls
            low = max(low, turn)
        else:
            high = min(high, turn)
    if not (low < high and log_ratio(low) > 0 > log_ratio(high)):
        return None
    # Where scores lie many powers of ten apart, it can take some hundreds of steps.
    return float(brentq(log_ratio, low, high, xtol=1e-15, maxiter=10_000))
