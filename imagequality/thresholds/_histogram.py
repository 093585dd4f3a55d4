"""What the selectors that look at a histogram share: the bins, the splits, the choice."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._base import Interval
from ._base import Scores, ThresholdSelector, flag_nothing
from ._scaling import scale_by_power_of_two

Floats = NDArray[np.float64]

# Two splits whose criteria differ by less than this share of the largest one are tied: the
# difference is rounding, and must not decide.
TIE = 1e-12
# More bins than this would only cost memory: they must fit, whoever chooses their number.
MOST_BINS = 1 << 20


class Histogram(NamedTuple):
    """Scores in equal bins over [min, max].

    "Split k" puts bins 0 … k into the low class. Its threshold is ``edges[k + 1]``:
    a score lies strictly below it exactly if it was counted in one of these bins.

    Attributes
    ----------
    counts : ndarray of shape (bins,)
        Scores in each bin. The first and the last bin are never empty, so that
        both classes of every split hold a score.
    edges : ndarray of shape (bins + 1,)
        The bins' limits, in the unit of the scores.
    """

    counts: Floats
    edges: Floats


def histogram_of(scores: Scores, bins: int) -> Histogram:
    """Count finite scores with at least two distinct values in ``bins`` bins.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    bins : int
        At least 2.

    Returns
    -------
    histogram : Histogram
        NumPy's own histogram wherever NumPy can make one. It cannot where the
        range overflows or holds fewer floats than ``bins + 1``; there, the same
        equal bins are laid over the rescaled scores, and the edge above bin k is
        the lowest score of any later bin.
    """
    lowest, highest = scores.min(), scores.max()
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(lowest, highest, bins + 1)
        # Twice the range: NumPy's last edge may overshoot before it is set right.
        range_fits = np.isfinite(2 * (highest - lowest))
    if range_fits and (np.diff(edges) > 0).all():
        counts, edges = np.histogram(scores, bins=bins, range=(lowest, highest))
    else:
        counts, edges = _histogram_of_rescaled(scores, bins)
    return Histogram(counts.astype(np.float64), edges)


def _histogram_of_rescaled(scores: Scores, bins: int) -> tuple[NDArray[np.int64], Floats]:
    ordered = np.sort(scores)
    scaled, _ = scale_by_power_of_two(ordered)
    share_of_range = (scaled - scaled[0]) / (scaled[-1] - scaled[0])
    bin_of = np.minimum((share_of_range * bins).astype(np.int64), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    # Rescaling keeps the order, so the scores of bins 0 … k are the first counts[:k + 1].sum().
    lowest_above = ordered[np.cumsum(counts)[:-1]]
    return counts, np.concatenate([ordered[:1], lowest_above, ordered[-1:]])


class SplitStatistics(NamedTuple):
    """What both classes of every split amount to; each array has one entry a split.

    Positions are bin numbers, so that nothing depends on the scores' unit.

    Attributes
    ----------
    weight_low, weight_high : ndarray of shape (bins - 1,)
        How much is counted in the class.
    mean_low, mean_high : ndarray of shape (bins - 1,)
        Its mean position, in bins.
    scatter_low, scatter_high : ndarray of shape (bins - 1,)
        Its summed squared distances from that mean, in squared bins; exactly 0
        if only one of its bins is occupied.
    """

    weight_low: Floats
    weight_high: Floats
    mean_low: Floats
    mean_high: Floats
    scatter_low: Floats
    scatter_high: Floats


def split_statistics(counts: Floats) -> SplitStatistics:
    """Weight, mean and scatter of both classes, for every split of a histogram.

    Parameters
    ----------
    counts : ndarray of shape (bins,)
        The first and the last must be positive.

    Returns
    -------
    statistics : SplitStatistics
    """
    positions = np.arange(counts.size, dtype=np.float64)
    low = _running_statistics(counts, positions)
    high = _running_statistics(counts[::-1], positions[::-1])
    weight_low, mean_low, scatter_low = (values[:-1] for values in low)
    weight_high, mean_high, scatter_high = (values[-2::-1] for values in high)
    return SplitStatistics(weight_low, weight_high, mean_low, mean_high, scatter_low, scatter_high)


def _running_statistics(counts: Floats, positions: Floats) -> tuple[Floats, Floats, Floats]:
    weight = np.cumsum(counts)
    mean = np.cumsum(counts * positions) / weight
    # What each bin adds to the scatter of those before it (Chan, Golub & LeVeque). Unlike
    # "sum of squares minus squared sum" this only ever adds, so nothing cancels.
    added = np.zeros_like(weight)
    added[1:] = counts[1:] * weight[:-1] / weight[1:] * (positions[1:] - mean[:-1]) ** 2
    return weight, mean, np.cumsum(added)


def between_class_variance(counts: Floats) -> Floats:
    """Share of the low class times share of the high class times squared distance of the means.

    Parameters
    ----------
    counts : ndarray of shape (bins,)

    Returns
    -------
    variance : ndarray of shape (bins - 1,)
        In squared bins.
    """
    classes = split_statistics(counts)
    total = counts.sum()
    return (
        (classes.weight_low / total)
        * (classes.weight_high / total)
        * (classes.mean_high - classes.mean_low) ** 2
    )


class HistogramThreshold(ThresholdSelector):
    """Base of the selectors that pick the best split of a histogram.

    A subclass implements ``_criterion(counts)``: one number a split, NaN or infinite
    where the split is not admissible. Where splits tie, which they do wherever bins
    between two groups of scores are empty, the lowest one wins: a new score that
    falls into the gap is not flagged.

    Attributes
    ----------
    threshold_ : float
        The edge above the last flagged bin.
    candidates_ : ndarray of shape (bins - 1,)
        The bins' inner edges; empty if all scores are equal.
    criterion_ : ndarray of shape (bins - 1,)
        What is optimised, at each candidate.

    Notes
    -----
    Bins span the data's range, so the threshold moves with scale and shift of the
    scores; a score that lies exactly on an edge may change bins by rounding.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "bins": [Interval(Integral, 2, MOST_BINS, closed="both")]
    }

    scale_equivariant: ClassVar[bool] = True
    shift_equivariant: ClassVar[bool] = True
    replication_invariant: ClassVar[bool] = True

    # What a subclass says about its criterion.
    _minimised: ClassVar[bool] = False
    _why_chosen: ClassVar[str] = ""
    _why_nothing: ClassVar[str] = ""

    bins: int

    def _threshold(self, scores: Scores) -> float:
        self.candidates_ = np.empty(0)
        self.criterion_ = np.empty(0)
        return super()._threshold(scores)

    def _select(self, scores: Scores) -> float:
        histogram = histogram_of(scores, self.bins)
        self.candidates_ = histogram.edges[1:-1]
        self.criterion_ = self._criterion(histogram.counts)
        split = self._best_split(histogram.counts)
        if split is None:
            self.reason_ = self._why_nothing
            return flag_nothing(scores)
        self.reason_ = f"{self._why_chosen}, of {self.candidates_.size} candidates"
        return float(self.candidates_[split])

    def _criterion(self, counts: Floats) -> Floats:
        raise NotImplementedError(f"{type(self).__name__} must implement _criterion(counts)")

    def _best_split(self, counts: Floats) -> int | None:
        """Return the lowest of the best splits, None if none is admissible."""
        objective = -self.criterion_ if self._minimised else self.criterion_
        admissible = np.isfinite(objective)
        if not admissible.any():
            return None
        tie = TIE * np.abs(objective[admissible]).max()
        best = admissible & (objective >= objective[admissible].max() - tie)
        return int(np.argmax(best))
