"""The contract of a detector: every public method, written once.

Think twice before adding anything to this class: each of its methods is one that every
detector, ours and a user's, has to keep.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.metrics import f1_score
from sklearn.utils.validation import check_is_fitted

from .._base import Interval, takes_images, validate_parameters
from ..measurements import (
    ALL_COLUMNS,
    TEXT_COLUMNS,
    Column,
    column_name,
    holds_vectors,
    measure,
)
from ..thresholds import AutoThreshold, FixedThreshold, ThresholdSelector

Scores = NDArray[np.float64]
Flags = NDArray[np.int64]

_BELOW_HALF = np.nextafter(0.5, 0)
_ROUNDING = 1e-9  # how far a score may stray from [0, 1] by floating-point rounding


class IssueDetector(ClassifierMixin, TransformerMixin, BaseEstimator):
    """Base class of all detectors: images in, quality scores, a threshold and flags out.

    A subclass names its ``issue`` and the measurement ``columns`` it needs, and implements
    ``_score(table)``: a table of these columns → one quality score per row in [0, 1],
    low = bad, NaN where it cannot say. The columns arrive as float64 with NaN for what is
    missing; hashes and other text as objects with None; vectors as objects, float32 arrays with
    None. A subclass may also override
    ``_columns()`` (when the columns follow from parameters), ``_learn(table)`` (when the score
    needs something from the collection) and ``_default_threshold()``.

    Parameters
    ----------
    threshold : ThresholdSelector, float or None, default=None
        What chooses the threshold from the scores. A float is a fixed threshold; None is
        :class:`AutoThreshold`, which abstains where there is nothing to divide. What an
        AutoThreshold leaves unset (``floor``, ``cap``) the detector fills in.

    Attributes
    ----------
    threshold_ : float
        Scores strictly below it are flagged.
    selector_ : ThresholdSelector
        The fitted selector.
    classes_ : ndarray of shape (2,)
        ``[0, 1]``: fine, has the issue.

    Examples
    --------
    A detector of one's own is one hook:

    >>> import numpy as np
    >>> from imagequality import IssueDetector, Measurement
    >>> def contrast(rgb):
    ...     return rgb.std() / 127.5
    >>> class DullDetector(IssueDetector):
    ...     issue = "dull"
    ...     columns = (Measurement("contrast", contrast),)
    ...     def _score(self, table):
    ...         return table["contrast"]
    >>> images = np.zeros((2, 8, 8, 3), np.uint8)
    >>> images[0, :4] = 255
    >>> DullDetector(threshold=0.2).fit_predict(images)
    array([0, 1])
    """

    issue: ClassVar[str] = ""
    columns: ClassVar[tuple[Column, ...]] = ()
    validation_limit: ClassVar[float | None] = None  # for one image by itself, see validate

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "threshold": [None, Interval(Real, None, None, closed="neither"), ThresholdSelector]
    }

    def __init__(self, threshold: ThresholdSelector | float | None = None) -> None:
        self.threshold = threshold

    # ------------------------------------------------------------------ hooks

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        raise NotImplementedError(f"{type(self).__name__} must implement _score(table)")

    def _columns(self) -> tuple[Column, ...]:
        """Return the measurements that the score needs, for the present parameters."""
        return self.columns

    def _learn(self, table: pd.DataFrame) -> None:
        """Learn from the collection what the score needs; most scores need nothing."""

    def _default_threshold(self) -> ThresholdSelector:
        """Return the selector for ``threshold=None``."""
        return AutoThreshold()

    def _limits(self) -> tuple[float | None, float | None]:
        """Return what fills an AutoThreshold's floor and cap, calibrated on clean images.

        By the default scores at most 0.05 % of clean images lie below the floor and 5 % below
        the cap. Of a published score the floor is the published limit, whatever lies below it.
        None where nothing is known.
        """
        return None, None

    # ----------------------------------------------------------------- public

    def set_params(self, **params: Any) -> IssueDetector:
        """Set parameters; those of the default selector too, as ``threshold__max_flag_rate``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : IssueDetector
        """
        nested = any(name.startswith("threshold__") for name in params)
        if nested and params.get("threshold", getattr(self, "threshold", 0.0)) is None:
            params = {**params, "threshold": self._default_threshold()}
        super().set_params(**params)
        return self

    def fit(self, X: Any, y: Any = None) -> IssueDetector:
        """Learn what the score needs and choose the threshold.

        Parameters
        ----------
        X : collection of images, or measurement table
            References (str, Path, bytes, PIL image, array) in a list, array, Series or
            one-column DataFrame; an ``(n, h, w[, c])`` array; or a DataFrame from
            :func:`measure` that holds the detector's columns.
        y : array-like of shape (n,), default=None
            1 where the image has the issue, else 0: for a ``threshold`` that learns from it
            (:class:`SupervisedThreshold`). Any other ignores it.

        Returns
        -------
        self : IssueDetector

        Raises
        ------
        ValueError, TypeError
            If a parameter is bad (it is named), X is no collection of images, X is empty, or
            a table lacks a column. A broken image raises nothing.
        """
        validate_parameters(self)
        self._fit(self._table(X), y)
        return self

    def score_samples(self, X: Any) -> Scores:
        """Score the images.

        Parameters
        ----------
        X : collection of images, or measurement table
            See :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n,), in [0, 1]
            Low = bad; NaN where the image could not be read.
        """
        check_is_fitted(self, "threshold_")
        return self._scores(self._table(X))

    def decision_function(self, X: Any) -> Scores:
        """Return how far each image lies on the bad side: ``threshold_ - score_samples(X)``.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        decision : ndarray of shape (n,)
            Positive = flagged. Always finite: an unreadable image, which is not judged, has
            the lowest value there is, that of a perfect score.
        """
        check_is_fitted(self, "threshold_")
        return self._decision(self._scores(self._table(X)))

    def predict(self, X: Any) -> Flags:
        """Flag the images whose score lies below the threshold.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        flags : ndarray of shape (n,), int
            1 = has the issue, 0 = fine, or not judged since it could not be read.
        """
        check_is_fitted(self, "threshold_")
        return self._flags(self._scores(self._table(X)))

    def fit_predict(self, X: Any, y: Any = None) -> Flags:
        """Fit and flag the same images, measuring them once.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : array-like of shape (n,), default=None
            See :meth:`fit`.

        Returns
        -------
        flags : ndarray of shape (n,), int
        """
        validate_parameters(self)
        return self._flags(self._fit(self._table(X), y))

    def transform(self, X: Any) -> Scores:
        """Return the scores as one feature.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        scores : ndarray of shape (n, 1)
            NaN where the image could not be read; put an imputer behind it.
        """
        check_is_fitted(self, "threshold_")
        return self._scores(self._table(X))[:, np.newaxis]

    def fit_transform(self, X: Any, y: Any = None) -> Scores:
        """Fit and return the scores as one feature, measuring the images once.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : array-like of shape (n,), default=None
            See :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n, 1)
        """
        validate_parameters(self)
        return self._fit(self._table(X), y)[:, np.newaxis]

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the F1 score of the flags, images with the issue being the positive class.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : array-like of shape (n,)
            1 where the image has the issue, else 0.
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        f1 : float in [0, 1]
        """
        return float(f1_score(y, self.predict(X), sample_weight=sample_weight, zero_division=0.0))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the name of the one feature that ``transform`` makes.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of shape (1,)
            ``["<issue>_score"]``.
        """
        return np.array([f"{self.issue}_score"], dtype=object)

    # --------------------------------------------------------------- internal

    def _table(self, X: Any) -> pd.DataFrame:
        """Return the measurements of X: X itself if it holds them, else a scan."""
        columns = self._columns()
        table = find_table(X, columns)
        if table is None:
            table = measure(X, columns, progress=False)
        if not len(table):
            raise ValueError(f"{type(self).__name__} needs at least one image, got none")
        return table

    def _fit(self, table: pd.DataFrame, y: Any) -> Scores:
        """Fit on a table and return its scores."""
        if not self.issue:
            raise ValueError(f"{type(self).__name__} must name its issue: issue = 'blurry'")
        self._learn(self._plain(table))
        scores = self._scores(table)
        judged = ~np.isnan(scores)
        selector = self._selector()
        if not (judged.any() or selector.ignores_scores):
            # Not one image could be read: there is nothing to choose a threshold from.
            selector = FixedThreshold(self._limits()[0] or 0.0)
        if selector.uses_y and y is not None:
            self.selector_ = selector.fit(scores, y)  # leaves NaN out, together with its label
        else:
            self.selector_ = selector.fit(scores[judged])
        self.threshold_ = float(self.selector_.threshold_)
        self.classes_ = np.array([0, 1])
        return scores

    def _selector(self) -> ThresholdSelector:
        threshold = getattr(self, "threshold", None)
        if threshold is None:
            return self._with_limits(self._default_threshold())
        if isinstance(threshold, Real):
            return FixedThreshold(float(threshold))
        selector: ThresholdSelector = clone(threshold)
        return self._with_limits(selector)

    def _with_limits(self, selector: ThresholdSelector) -> ThresholdSelector:
        """Fill any ``floor`` and ``cap`` that is None, nested or not, with the detector's."""
        limits = dict(zip(("floor", "cap"), self._limits(), strict=True))
        parameters = selector.get_params()
        for path, value in parameters.items():
            name = path.rpartition("__")[2]
            if name in limits and value is None:
                selector.set_params(**{path: limits[name]})
        return selector

    def _scores(self, table: pd.DataFrame) -> Scores:
        # A table may hold infinite and impossible numbers: a score of them is NaN or out of range.
        with np.errstate(all="ignore"):
            scores = np.asarray(self._score(self._plain(table)), dtype=np.float64)
        if scores.shape != (len(table),):
            raise ValueError(
                f"{type(self).__name__}._score must return one score per row: expected shape "
                f"({len(table)},), got {scores.shape}"
            )
        outside = (scores < -_ROUNDING) | (scores > 1 + _ROUNDING)
        if outside.any():
            raise ValueError(
                f"{type(self).__name__}._score must return scores in [0, 1], "
                f"got {scores[outside][0]}"
            )
        return scores.clip(0.0, 1.0)

    def _plain(self, table: pd.DataFrame) -> pd.DataFrame:
        return plain_columns(table, self._columns())

    def _flags(self, scores: Scores) -> Flags:
        return (scores < self.threshold_).astype(np.int64)

    def _decision(self, scores: Scores) -> Scores:
        return self.threshold_ - np.where(np.isnan(scores), 1.0, scores)

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.classifier_tags.multi_class = False
        return tags


def find_table(X: Any, columns: Sequence[Column]) -> pd.DataFrame | None:
    """Return X if it is a measurement table, None if it is a collection of images.

    Raises
    ------
    ValueError
        If X is a table that lacks one of the columns; it is named.
    """
    if not isinstance(X, pd.DataFrame):
        return None
    missing = [column_name(column) for column in columns if column_name(column) not in X.columns]
    if not missing:
        return X
    if X.shape[1] == 1:
        holds_numbers = pd.api.types.is_numeric_dtype(X.dtypes.iloc[0])
        if not holds_numbers and X.columns[0] not in ALL_COLUMNS:
            return None
    has = ", ".join(map(repr, X.columns[:12]))
    if set(X.columns).isdisjoint([*ALL_COLUMNS, "valid", *map(column_name, columns)]):
        raise ValueError(
            f"a DataFrame must be a measurement table or hold one column of references to "
            f"images; this one has {has} and lacks {', '.join(map(repr, missing))}: "
            "pass X['path'], say"
        )
    raise ValueError(
        f"the measurement table lacks {', '.join(map(repr, missing))}; it has {has}. "
        "measure(X, columns=imagequality.measurements.ALL_COLUMNS) has them all"
    )


def plain_columns(table: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Return columns as plain data, however they were stored: nullable, object, from a CSV file.

    Parameters
    ----------
    table : DataFrame
        With the columns.
    columns : sequence of str, Measurement or Embedding

    Returns
    -------
    plain : DataFrame
        A new one: float64 with NaN for what is missing, text as objects with None, vectors as
        objects that are float32 arrays of one length, or None.

    Raises
    ------
    ValueError
        If a column that must be numbers, text or vectors holds something else; it is named.
    """
    plain = {}
    for column in columns:
        name = column_name(column)
        if holds_vectors(column):
            values = _plain_vectors(table[name])
        elif name in TEXT_COLUMNS:
            values = _plain_text(table[name])
        else:
            values = _plain_numbers(table[name])
        plain[name] = pd.Series(values, index=table.index, dtype=values.dtype)
    return pd.DataFrame(plain, index=table.index)


def _plain_numbers(column: pd.Series) -> NDArray[Any]:
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"the measurement table's column {column.name!r} must hold numbers: {error}"
        ) from error


def _plain_text(column: pd.Series) -> NDArray[Any]:
    values = _plain_objects(column)
    if pd.api.types.infer_dtype(values, skipna=True) in {"string", "empty"}:
        return values
    numbers = [value for value in values if not isinstance(value, (str, type(None)))]
    if numbers:  # a CSV file read without dtype=str: leading zeros are lost for good
        raise ValueError(
            f"the measurement table's column {column.name!r} must hold text, got "
            f"{numbers[0]!r}; read it with dtype=str"
        )
    return values


def _plain_vectors(column: pd.Series) -> NDArray[Any]:
    values = _plain_objects(column)
    length = None
    for position, value in enumerate(values):
        if value is None:
            continue
        # A list is what some files make of an array; text is what CSV makes of it.
        vector = None if isinstance(value, str) else _as_vector(value)
        if vector is None:
            raise ValueError(
                f"the measurement table's column {column.name!r} must hold arrays, got "
                f"{value!r}; a CSV file cannot hold them, a pickle can"
            )
        length = len(vector) if length is None else length
        if len(vector) != length:
            raise ValueError(
                f"the measurement table's column {column.name!r} must hold arrays of one "
                f"length, got {length} and {len(vector)}"
            )
        if not np.isfinite(vector).all():
            raise ValueError(
                f"the measurement table's column {column.name!r} must hold finite vectors; that of "
                f"row {position} holds NaN or infinity"
            )
        values[position] = vector
    return values


def _as_vector(value: Any) -> NDArray[np.float32] | None:
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        return None
    return vector if vector.ndim == 1 else None


def _plain_objects(column: pd.Series) -> NDArray[Any]:
    values = column.to_numpy(dtype=object, copy=True)
    values[column.isna().to_numpy()] = None
    return values


def rescaled(scores: Scores, threshold: float) -> Scores:
    """Map scores so that the threshold becomes 0.5, keeping 0, 1 and which side they are on.

    Parameters
    ----------
    scores : ndarray of shape (n,), in [0, 1]
    threshold : float

    Returns
    -------
    rescaled : ndarray of shape (n,), in [0, 1]
        Below 0.5 where the score is below the threshold; piecewise linear.
    """
    if threshold <= 0:
        return 0.5 + 0.5 * scores
    with np.errstate(over="ignore"):  # of a score far above a tiny threshold, which is not used
        below = np.minimum(0.5 * scores / threshold, _BELOW_HALF)
    if threshold >= 1:
        return np.where(scores < threshold, below, scores)
    above = 0.5 + 0.5 * (scores - threshold) / (1 - threshold)
    return np.where(scores < threshold, below, above)
