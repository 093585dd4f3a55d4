"""The contract of a threshold selector, and the selector that selects nothing."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._base import Interval, validate_parameters

Scores = NDArray[np.float64]


def as_scores(scores: ArrayLike) -> Scores:
    """Bring scores to a 1-D float64 array; NaN stays.

    Raises
    ------
    ValueError
        If the scores are neither (n,) nor (n, 1), or hold an infinite value.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"scores must have shape (n,) or (n, 1), got {values.shape}")
    if np.isinf(values).any():
        raise ValueError("scores hold an infinite value; only finite values and NaN are allowed")
    return values


def as_labels(y: Any, known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Bring labels to 0 and 1 (= bad), those of the known scores only.

    Raises
    ------
    ValueError
        If there is not one label per score, or one that counts is neither 0 nor 1.
    """
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != known.shape:
        raise ValueError(
            f"y must hold one label per score: expected shape {known.shape}, got {labels.shape}"
        )
    labels = labels[known]
    if labels.dtype.kind == "O":  # nullable booleans among others
        is_number = all(isinstance(label, (Real, np.bool_)) for label in labels)
    else:
        is_number = labels.dtype.kind in "biuf"
    if not is_number or not np.isin(labels.astype(np.float64), (0, 1)).all():
        found = ", ".join(sorted({repr(label) for label in labels.tolist()})[:5])
        raise ValueError(f"y must hold 0 (good) and 1 (bad) or bool, got {found}")
    return labels.astype(np.int64)


def flag_nothing(scores: Scores) -> float:
    """Return the threshold below which no score lies: 0, or less where a score is negative."""
    return min(0.0, float(scores.min()))


class ThresholdSelector(BaseEstimator):
    """Base class of all threshold selectors: scores in, one threshold out.

    A subclass implements ``_select(scores)``: finite 1-D float64 scores with at
    least two distinct values → the threshold. Scores *strictly below* it are
    flagged, so a selector that means "up to and including s" returns a value
    above s. Everything else is settled here: the shape of the input, NaN,
    infinite values, empty input and constant scores.

    Attributes
    ----------
    threshold_ : float
        Scores strictly below it are flagged. Always finite.
    n_samples_ : int
        The number of scores (without NaN) that it was chosen from.
    reason_ : str
        In words, why the threshold is where it is.

    Notes
    -----
    A subclass declares which properties its threshold has, as class attributes;
    :func:`imagequality.testing.check_threshold_selector` tests what is declared:

    ``scale_equivariant``
        threshold(a·scores) = a·threshold(scores) for a > 0.
    ``shift_equivariant``
        threshold(scores + b) = threshold(scores) + b, wherever a score is flagged.
    ``replication_invariant``
        Every score given twice: the same threshold.
    ``ignores_scores``
        The threshold is given beforehand: constant and empty scores are no special case.

    One more says what the selector looks at:

    ``uses_y``
        Labels given to ``fit`` count, 1 = bad; ``_threshold_for_labels(scores, y)`` then takes
        the place of ``_select``. Else y is not even read.

    Examples
    --------
    A new method is one hook:

    >>> import numpy as np
    >>> from imagequality.thresholds import ThresholdSelector
    >>> class ThreeSigma(ThresholdSelector):
    ...     def _select(self, scores):
    ...         return float(np.median(scores) - 3 * scores.std())
    >>> scores = np.r_[np.linspace(0.7, 0.9, 99), 0.1]
    >>> selector = ThreeSigma().fit(scores)
    >>> round(selector.threshold_, 3), int(selector.predict(scores).sum())
    (0.527, 1)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    scale_equivariant: ClassVar[bool] = False
    shift_equivariant: ClassVar[bool] = False
    replication_invariant: ClassVar[bool] = False
    ignores_scores: ClassVar[bool] = False
    uses_y: ClassVar[bool] = False

    def fit(self, scores: ArrayLike, y: Any = None) -> ThresholdSelector:
        """Choose the threshold.

        Parameters
        ----------
        scores : array-like of shape (n,) or (n, 1)
            Quality scores, low = bad. NaN is left out.
        y : array-like of shape (n,), default=None
            1 where the image is bad, else 0. Used by a selector that says so in ``uses_y``
            (:class:`SupervisedThreshold`); any other ignores it.

        Returns
        -------
        self : ThresholdSelector

        Raises
        ------
        ValueError
            For a bad parameter, an infinite score, no score at all, or labels other than 0 and
            1 if they are used.
        """
        validate_parameters(self)
        values = as_scores(scores)
        known = ~np.isnan(values)
        values = values[known]
        self.n_samples_ = int(values.size)
        self.reason_ = ""
        if self.uses_y and y is not None:
            threshold = self._threshold_for_labels(values, as_labels(y, known))
        else:
            threshold = self._threshold(values)
        self.threshold_ = float(threshold)
        if not np.isfinite(self.threshold_):
            raise ValueError(
                f"{type(self).__name__} chose {self.threshold_}; a threshold must be finite"
            )
        return self

    def predict(self, scores: ArrayLike) -> NDArray[np.int64]:
        """Flag the scores below the threshold.

        Parameters
        ----------
        scores : array-like of shape (n,) or (n, 1)

        Returns
        -------
        flags : ndarray of shape (n,), int
            1 where the score is strictly below ``threshold_``; 0 elsewhere and for NaN.
        """
        check_is_fitted(self, "threshold_")
        return (as_scores(scores) < self.threshold_).astype(np.int64)

    def _threshold(self, scores: Scores) -> float:
        """Settle degenerate input, so that no subclass has to."""
        if scores.size == 0:
            raise ValueError(f"{type(self).__name__} needs at least one score that is not NaN")
        if scores.min() == scores.max():
            self.reason_ = "all scores are equal"
            return flag_nothing(scores)
        return self._select(scores)

    def _select(self, scores: Scores) -> float:
        raise NotImplementedError(f"{type(self).__name__} must implement _select(scores)")

    def _threshold_for_labels(self, scores: Scores, y: NDArray[np.int64]) -> float:
        raise NotImplementedError(
            f"{type(self).__name__} must implement _threshold_for_labels(scores, y)"
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags


class FixedThreshold(ThresholdSelector):
    """A threshold given beforehand.

    Parameters
    ----------
    value : float, default=0.5
        The threshold, in the unit of the scores. It holds whatever the scores
        are, constant and empty ones included.

    Attributes
    ----------
    threshold_ : float
        ``value``.

    Examples
    --------
    >>> from imagequality.thresholds import FixedThreshold
    >>> FixedThreshold(0.3).fit([]).predict([0.2, 0.3, float("nan")])
    array([1, 0, 0])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "value": [Interval(Real, None, None, closed="neither")]
    }

    replication_invariant: ClassVar[bool] = True
    ignores_scores: ClassVar[bool] = True

    def __init__(self, value: float = 0.5) -> None:
        self.value = value

    def _threshold(self, scores: Scores) -> float:
        self.reason_ = "fixed"
        return float(self.value)
