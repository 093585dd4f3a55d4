"""The selector that first asks whether there is anything to divide."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.base import clone

from .._base import Interval
from ._base import Scores, ThresholdSelector, flag_nothing
from ._modes import (
    LARGEST_SHARE,
    LowMode,
    bulk_scale,
    choose_valley,
    find_gap,
    find_valleys,
    least_scale,
    lower_scale,
)

FEWEST_SCORES = 20  # below it no shape can be told, and only the fixed limit counts
# A fixed limit with more than this share of the bulk below it may cut into it; then it
# must keep this distance from the bulk's median, in scales.
CUTS_INTO_BULK = 0.01
FIXED_LIMIT_DISTANCE = 3.0

# What a calibrated floor and cap mean: the largest share of clean images that lies below them.
CLEAN_BELOW_FLOOR = 0.0005
CLEAN_BELOW_CAP = 0.05
# How much of what is flagged for its excess may be clean by that, and how much must be seen.
CLEAN_AMONG_EXCESS = 0.15
LEAST_EXCESS = 0.02
# How much of a gap must lie below the cap: a group that reaches up to it is good images, too.
LEAST_GAP_BELOW_CAP = 1 / 12
# Scores beyond the first are counted in units of 2 to the power of the second: differences and
# sums of some scores near the largest float would overflow.
HUGE = 2.0**900
HUGE_UNIT_EXPONENT = 200


class AutoThreshold(ThresholdSelector):
    """Cut below the bulk where a separate group of low scores exists; abstain where none does.

    1. *Valley.* The density of the scores is estimated at several bandwidths. Where a low
       group stands apart from the bulk, by a valley that is deep and significant, the threshold
       is the bottom of the valley.
    2. *Gap.* Else, where the lowest few scores are divided from all others by a gap that an
       exponential tail does not explain, the threshold is its middle.
    3. *Excess.* Else, where the two groups overlap so far that no valley is left: ``floor`` and
       ``cap`` are calibrated so that of clean images 0.05 % and 5 % at most lie below them. The
       threshold is the highest between them below which clean images would make up at most
       15 % of the scores seen, if at least 2 % of the scores are seen there, and if the bulk
       lies where that of clean images does, well above ``floor``.
    4. *Fixed limit.* Else the threshold is ``floor``, the limit below which a score is bad in
       any collection; lowered, where it would cut into the bulk (more than 1 % of it lies
       below), to three scales below the bulk's median.

    Whatever was found stays between ``floor``, lowered if need be, and ``cap``. A detector
    fills what is left ``None`` from its own limits.

    Parameters
    ----------
    floor : float, default=None
        Scores below it are bad in any collection, in the unit of the scores. None: no such
        limit (in a detector: the detector's).
    cap : float, default=None
        The threshold is never above it, however clear a valley: a second population of good
        images (night photographs among others) lies above it. None: no cap (in a detector: the
        detector's).
    separation : float, default=2.0
        How far the low group must lie below the bulk, in robust standard deviations of the
        bulk.
    depth : float, default=0.5
        How deep the valley must be: its density over that of the lower of the two peaks, in
        (0, 1).
    significance : float, default=0.01
        Level of the tests that a valley or a gap is no chance, in (0, 1).
    max_flag_rate : float, default=None
        Largest share of the scores that may be flagged, in (0, 1]; the lowest are kept. None:
        no limit.

    Attributes
    ----------
    threshold_ : float
    separated_ : bool
        Whether a separate low group was found.
    reason_ : str
        In words, what decided.
    candidates_ : ndarray of shape (n_candidates,)
        The valleys found, from the finest bandwidth to the coarsest, or the one gap.
    expected_false_flags_ : float
        How many of the scores below the threshold belong to the bulk, if the bulk's lower half
        is normal.

    Notes
    -----
    Deterministic; O(n log n). Meaningful from 20 scores on; for fewer, ``floor`` alone counts.
    Known failures: a low group that overlaps the bulk and holds less than a few percent is
    left to the fixed limit, where a method that always splits does better
    (:class:`LiThreshold`, when some percent are known to be bad); a genuine second population
    below ``cap`` is taken for a flaw; fewer than about ten bad images make no valley.

    References
    ----------
    B. W. Silverman, "Using kernel density estimates to investigate multimodality", Journal of
    the Royal Statistical Society B, 1981, for modes by bandwidth; P. J. Rousseeuw and A. M.
    Leroy, "Robust Regression and Outlier Detection", 1987, for the shortest half. The
    combination is this library's own.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import AutoThreshold
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.normal(0.8, 0.05, 1000)
    >>> AutoThreshold().fit(clean).separated_
    False
    >>> flawed = np.concatenate([clean, rng.normal(0.3, 0.05, 30)])
    >>> selector = AutoThreshold().fit(flawed)
    >>> selector.separated_, selector.reason_, int(selector.predict(flawed).sum())
    (True, 'valley below the bulk', 30)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "floor": [None, Interval(Real, None, None, closed="neither")],
        "cap": [None, Interval(Real, None, None, closed="neither")],
        "separation": [Interval(Real, 0, None, closed="neither")],
        "depth": [Interval(Real, 0, 1, closed="neither")],
        "significance": [Interval(Real, 0, 1, closed="neither")],
        "max_flag_rate": [None, Interval(Real, 0, 1, closed="right")],
    }

    replication_invariant: ClassVar[bool] = False

    def __init__(
        self,
        floor: float | None = None,
        cap: float | None = None,
        *,
        separation: float = 2.0,
        depth: float = 0.5,
        significance: float = 0.01,
        max_flag_rate: float | None = None,
    ) -> None:
        self.floor = floor
        self.cap = cap
        self.separation = separation
        self.depth = depth
        self.significance = significance
        self.max_flag_rate = max_flag_rate

    def _threshold(self, scores: Scores) -> float:
        self.separated_ = False
        self.candidates_: NDArray[np.float64] = np.empty(0)
        self.expected_false_flags_ = 0.0
        if self.floor is not None and scores.size:
            # Equal scores have no outlier, so from FEWEST_SCORES on none of them is flagged;
            # but the fixed limit goes on to hold for other images.
            all_fine = scores.min() == scores.max() >= self.floor
            if all_fine or scores.size < FEWEST_SCORES:
                self.reason_ = "all scores are equal; fixed limit"
                return self._select(scores) if not all_fine else float(self.floor)
        return super()._threshold(scores)

    def _select(self, scores: Scores) -> float:
        if np.abs(scores).max() > HUGE:
            return self._select_huge(scores)
        ordered = np.sort(scores)
        mode = self._find_low_mode(ordered)
        self.separated_ = mode is not None
        threshold = self._within_limits(ordered, mode)
        threshold = self._within_rate(ordered, threshold)
        self.expected_false_flags_ = _expected_false_flags(ordered, threshold)
        return threshold

    def _select_huge(self, scores: Scores) -> float:
        """Choose in a unit in which nothing overflows."""

        def in_unit(limit: float | None) -> float | None:
            return None if limit is None else float(np.ldexp(limit, -HUGE_UNIT_EXPONENT))

        inner = clone(self).set_params(floor=in_unit(self.floor), cap=in_unit(self.cap))
        inner.fit(np.ldexp(scores, -HUGE_UNIT_EXPONENT))
        self.separated_, self.reason_ = inner.separated_, inner.reason_
        self.candidates_ = np.ldexp(inner.candidates_, HUGE_UNIT_EXPONENT)
        self.expected_false_flags_ = inner.expected_false_flags_
        return float(np.ldexp(inner.threshold_, HUGE_UNIT_EXPONENT))

    def _find_low_mode(self, ordered: Scores) -> LowMode | None:
        if len(ordered) < FEWEST_SCORES:
            self.reason_ = f"fewer than {FEWEST_SCORES} scores"
            return None
        cap = np.inf if self.cap is None else float(self.cap)
        valleys = find_valleys(
            ordered,
            separation=self.separation,
            depth=self.depth,
            significance=self.significance,
            cap=cap,
        )
        mode = choose_valley(valleys, cap)
        if mode is not None:
            self.candidates_ = np.array([valley.threshold for valley in valleys])
            self.reason_ = "valley below the bulk"
            return mode
        gap = find_gap(ordered, significance=self.significance)
        if gap is not None and _cuts_within(ordered, gap, cap):
            self.candidates_ = np.array([gap.threshold])
            self.reason_ = "gap below the lowest scores of the bulk"
            return gap
        self.reason_ = "no separate low group"
        return None

    def _within_limits(self, ordered: Scores, mode: LowMode | None) -> float:
        limit = self._fixed_limit(ordered, mode)
        excess = self._excess_limit(ordered) if mode is None else None
        if excess is not None:
            self.reason_ = "more low scores than clean images have, no valley"
            return excess
        if mode is None:
            if limit is None:
                return flag_nothing(ordered)
            self.reason_ += "; fixed limit" + (", lowered" if limit != self.floor else "")
            return limit
        threshold = mode.threshold
        if limit is not None and threshold < limit:
            self.reason_ += ", raised to the fixed limit"
            self.reason_ += ", itself lowered" if limit != self.floor else ""
            threshold = limit
        if self.cap is not None and threshold > self.cap:
            self.reason_ += ", lowered to the cap"
            threshold = float(self.cap)
        return threshold

    def _fixed_limit(self, ordered: Scores, mode: LowMode | None) -> float | None:
        """Return the floor, as far as it is an outlier in this collection; None: no floor."""
        if self.floor is None or len(ordered) < FEWEST_SCORES:
            return self.floor
        bulk = ordered if mode is None else ordered[ordered > mode.threshold]
        median, scale = lower_scale(bulk)
        scale = max(scale, least_scale(median))
        if np.searchsorted(bulk, self.floor) <= CUTS_INTO_BULK * len(bulk):
            return self.floor
        limit = min(self.floor, median - FIXED_LIMIT_DISTANCE * scale)
        return float(max(limit, flag_nothing(ordered)))

    def _excess_limit(self, ordered: Scores) -> float | None:
        """Return the highest limit with far more scores below it than clean images have."""
        if self.floor is None or self.cap is None or not self.floor < self.cap:
            return None
        n = len(ordered)
        if n < FEWEST_SCORES:
            return None
        centre, scale = bulk_scale(ordered)
        if centre - FIXED_LIMIT_DISTANCE * max(scale, least_scale(centre)) < self.floor:
            return None  # the bulk itself lies low (enlarged images, say): not what was calibrated
        limits = 2 * np.linspace(self.floor / 2, self.cap / 2, 41)  # their range may overflow
        seen = np.searchsorted(ordered, limits) / n
        # Tails fall off exponentially, so the clean share is interpolated on a log scale; and
        # two standard errors are allowed for chance.
        clean = np.geomspace(CLEAN_BELOW_FLOOR, CLEAN_BELOW_CAP, len(limits))
        clean += 2 * np.sqrt(clean / n)
        enough = np.flatnonzero(
            (clean <= CLEAN_AMONG_EXCESS * seen)
            & (seen >= LEAST_EXCESS)
            & (seen <= LARGEST_SHARE)
            & (limits <= centre - self.separation * scale)
        )
        return float(limits[enough[-1]]) if enough.size else None

    def _within_rate(self, ordered: Scores, threshold: float) -> float:
        if self.max_flag_rate is None:
            return threshold
        allowed = int(self.max_flag_rate * len(ordered) * (1 + 1e-12))  # .29 · 100 is 28.99…
        if np.searchsorted(ordered, threshold) <= allowed:
            return threshold
        self.reason_ += f", lowered to flag at most {self.max_flag_rate:.3g}"
        return float(ordered[allowed])


def _cuts_within(ordered: Scores, gap: LowMode, cap: float) -> bool:
    """Whether a cut at the cap would still lie inside the gap, and not just above the group."""
    low, high = ordered[gap.size - 1], ordered[gap.size]
    return bool(min(gap.threshold, cap) >= low + LEAST_GAP_BELOW_CAP * (high - low))


def _expected_false_flags(ordered: Scores, threshold: float) -> float:
    bulk = ordered[ordered >= threshold]
    if not bulk.size:
        return 0.0
    median, scale = lower_scale(bulk)
    with np.errstate(over="ignore"):
        share = float(ndtr((threshold - median) / max(scale, least_scale(median))))
    return bulk.size * share / (1 - share)
