"""The threshold that is best for given labels."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._base import Interval, StrOptions
from ._auto import AutoThreshold
from ._base import Scores, ThresholdSelector, flag_nothing
from ._composed import ComposedThreshold

Labels = NDArray[np.int64]


class SupervisedThreshold(ComposedThreshold):
    """Choose the threshold whose flags agree best with given labels.

    Every division of the scores is tried: nothing flagged, or everything below the middle
    between two neighbouring distinct scores; never all. The one with the highest metric counts;
    of equal ones that which flags the fewest. Without labels, or with labels of one class only,
    from which no boundary can be learnt, ``fallback`` chooses; ``reason_`` says so.

    Parameters
    ----------
    metric : {"f1", "fbeta", "balanced_accuracy"} or callable, default="f1"
        What is maximised, the bad images being the positive class. A callable takes the labels
        and the flags (both 0/1, 1 = bad, in the order of the scores from low to high) and
        returns a finite number, the higher the better.
    beta : float, default=1.0
        How many times as important recall is as precision, for ``metric="fbeta"`` only;
        positive.
    fallback : ThresholdSelector, default=None
        What chooses where the labels cannot. None: :class:`AutoThreshold`. A detector fills its
        ``floor`` and ``cap``, where unset, from its calibrated limits.

    Attributes
    ----------
    threshold_ : float
        In the unit of the scores.
    metric_value_ : float
        The metric of the flags on the scores fitted; NaN where the labels were not used.
    fallback_ : ThresholdSelector or None
        The fitted fallback; None where the labels were used.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Give the labels as ``fit(scores, y)``, or to a detector as ``detector.fit(images, y)``: 0/1
    or bool, 1 = bad. Scores that are NaN are left out together with their labels.

    Exact, in O(n log n), for the named metrics. A callable is called for each division that has
    a bad image just below and a good one just above, and for none flagged: for a metric that
    never falls when one more bad image or one fewer good image is flagged, that is exact too,
    but it takes O(n²) where the classes overlap.

    Known failures: with few labelled bad images the threshold follows chance and
    ``metric_value_`` is too good; cross-validate the detector to learn what it is worth. Inside
    a scikit-learn Pipeline, where y is the target of the last step, it would take that y for
    the labels.

    References
    ----------
    C. J. van Rijsbergen, "Information Retrieval", 2nd edition, 1979, for the F measure; K. H.
    Brodersen, C. S. Ong, K. E. Stephan and J. M. Buhmann, "The Balanced Accuracy and Its
    Posterior Distribution", ICPR 2010.

    Examples
    --------
    >>> from imagequality.thresholds import SupervisedThreshold
    >>> scores = [0.1, 0.2, 0.3, 0.4, 0.7, 0.8, 0.9]
    >>> y = [1, 1, 0, 1, 0, 0, 0]
    >>> selector = SupervisedThreshold().fit(scores, y)
    >>> round(selector.threshold_, 3), round(selector.metric_value_, 3)
    (0.55, 0.857)
    >>> SupervisedThreshold("fbeta", beta=0.5).fit(scores, y).predict(scores)
    array([1, 1, 0, 0, 0, 0, 0])
    >>> SupervisedThreshold().fit(scores).reason_
    'no labels; AutoThreshold: fewer than 20 scores'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "metric": [StrOptions({"f1", "fbeta", "balanced_accuracy"}), callable],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "fallback": [None, ThresholdSelector],
    }

    uses_y: ClassVar[bool] = True

    def __init__(
        self,
        metric: str | Callable[[Labels, Labels], float] = "f1",
        *,
        beta: float = 1.0,
        fallback: ThresholdSelector | None = None,
    ) -> None:
        self.metric = metric
        self.beta = beta
        self.fallback = fallback

    def _defaults(self) -> dict[str, ThresholdSelector]:
        return {"fallback": AutoThreshold()}

    def _threshold(self, scores: Scores) -> float:
        return self._fall_back(scores, "no labels")

    def _fall_back(self, scores: Scores, why: str) -> float:
        self.metric_value_ = float("nan")
        self.fallback_: ThresholdSelector | None = self._part("fallback").fit(scores)
        self.reason_ = f"{why}; {type(self.fallback_).__name__}: {self.fallback_.reason_}"
        return self.fallback_.threshold_

    def _threshold_for_labels(self, scores: Scores, y: Labels) -> float:
        if not scores.size or y.min() == y.max():
            return self._fall_back(scores, "labels of one class only")
        self.fallback_ = None
        # Ties in the score by label, so that a callable sees the same whatever the order.
        order = np.lexsort((y, scores))
        scores, y = scores[order], y[order]
        # The numbers of scores that can be flagged: equal scores only together, never all.
        cuts = np.r_[0, np.flatnonzero(scores[1:] > scores[:-1]) + 1]
        if callable(self.metric):
            cuts = cuts[_on_boundary(cuts, y)]
            values = _called(self.metric, y, cuts)
            name = getattr(self.metric, "__name__", type(self.metric).__name__)
        else:
            values = self._swept(y, cuts)
            name = self.metric
        best = int(np.argmax(values))  # the first, so that of equals with the fewest flags
        self.metric_value_ = float(values[best])
        self.reason_ = f"highest {name} for the labels: {self.metric_value_:.3g}"
        return _between(scores, int(cuts[best]))

    def _swept(self, y: Labels, cuts: NDArray[np.int64]) -> Scores:
        """Compute a named metric at every cut."""
        n_bad = int(y.sum())
        hits = np.r_[0, np.cumsum(y)][cuts]  # bad ones among those flagged
        if self.metric == "balanced_accuracy":
            n_good = y.size - n_bad
            # In whole numbers up to the one division: equal values stay equal.
            agreement = hits * n_good + (n_good - (cuts - hits)) * n_bad
            return agreement / (2 * n_bad * n_good)
        beta = 1.0 if self.metric == "f1" else float(self.beta)
        # beta² / (1 + beta²), the weight of recall, whatever the size of beta
        share = 1 / (1 + beta**-2) if beta > 1 else beta**2 / (1 + beta**2)
        share = max(share, float(np.finfo(np.float64).tiny))
        return hits / (share * n_bad + (1 - share) * cuts)


def _called(metric: Callable[[Labels, Labels], Any], y: Labels, cuts: NDArray[np.int64]) -> Scores:
    """Ask a callable at every cut."""
    values = []
    for cut in cuts:
        flags = np.zeros(y.size, dtype=np.int64)
        flags[:cut] = 1
        value = metric(y.copy(), flags)
        if not (isinstance(value, Real) and np.isfinite(float(value))):
            raise ValueError(f"metric must return a finite number, got {value!r}")
        values.append(float(value))
    return np.array(values)


def _on_boundary(cuts: NDArray[np.int64], y: Labels) -> NDArray[np.bool_]:
    """Say which cuts have a bad one among the equal scores below, and a good one above."""
    ends = np.r_[cuts[1:], y.size]
    n_bad = np.diff(np.r_[0, np.cumsum(y)][np.r_[cuts, y.size]])  # from each cut to the next
    has_bad, has_good = n_bad > 0, n_bad < ends - cuts
    return np.r_[True, has_bad[:-1] & has_good[1:]]


def _between(ordered: Scores, n_flagged: int) -> float:
    """Return the middle between the last score flagged and the next one."""
    if n_flagged == 0:
        return flag_nothing(ordered)
    low, high = ordered[n_flagged - 1], ordered[n_flagged]
    # Halved first, so that nothing overflows; between adjacent floats it must not be ``low``.
    return float(np.clip(low / 2 + high / 2, np.nextafter(low, np.inf), high))
