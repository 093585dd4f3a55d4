"""All detectors over one measurement of the images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, TransformerMixin, clone
from sklearn.metrics import f1_score
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted

from ._base import N_JOBS, DetectorComposition, takes_images, validate_parameters
from ._plan import removal_plan
from .detectors import (
    BlurDetector,
    CompressionDetector,
    DarkDetector,
    ExposureDetector,
    GrayscaleDetector,
    InvalidImageDetector,
    IssueDetector,
    LightDetector,
    LowInformationDetector,
    NoiseDetector,
    OddAspectRatioDetector,
    OddSizeDetector,
    PixelationDetector,
)
from .detectors._base import find_table, plain_columns, rescaled
from .duplicates import ExactDuplicateDetector, NearDuplicateDetector
from .duplicates._base import DuplicateDetectorBase
from .duplicates._keep import Keep
from .images import load_image
from .measurements import DEFAULT_COLUMNS, Column, Isolation, measure
from .report import QualityReport

Scores = NDArray[np.float64]
Flags = NDArray[np.int64]
NamedDetectors = list[tuple[str, IssueDetector]]

# quality_score and is_any_issue are columns of the issues table already.
_RESERVED_NAMES = frozenset({"quality", "any", "primary"})


def default_detectors() -> NamedDetectors:
    """Return the detectors of ``QualityPipeline()``, each named by its issue, causes first.

    A flaw may set off other detectors too: a tiny image holds little information, a dark or an
    overexposed one uses few levels and has no edges left, strong compression leaves few
    levels, a thumbnail on a canvas looks blurry and has a grid, a blurry image lacks the detail
    of its resolution. The order is that of causes, so that an image's first issue names what
    is wrong: unreadable; odd size; dark; light; noisy; low information; compressed; blurry;
    pixelated; badly exposed; odd aspect ratio; grayscale; exact duplicates; near duplicates.

    Returns
    -------
    detectors : list of (str, IssueDetector)
        New and unfitted.

    Examples
    --------
    >>> from imagequality import default_detectors
    >>> [name for name, _ in default_detectors()][:3]
    ['invalid', 'odd_size', 'dark']
    """
    detectors = (
        InvalidImageDetector(),
        OddSizeDetector(),
        DarkDetector(),
        LightDetector(),
        NoiseDetector(),
        LowInformationDetector(),
        CompressionDetector(),
        BlurDetector(),
        PixelationDetector(),
        ExposureDetector(),
        OddAspectRatioDetector(),
        GrayscaleDetector(),
        ExactDuplicateDetector(),
        NearDuplicateDetector(),
    )
    return [(detector.issue, detector) for detector in detectors]


class QualityPipeline(ClassifierMixin, TransformerMixin, DetectorComposition):
    """Audit a collection of images: measure once, score every issue, choose every threshold.

    Parameters
    ----------
    detectors : list of (str, IssueDetector or "drop"), default=None
        The detectors and their names, which become the names of the columns; causes first,
        since an image's ``primary_issue`` is the first that is flagged. None means
        :func:`default_detectors`. Parameters nest as in any scikit-learn composition:
        ``blurry__threshold``, ``blurry__threshold__max_flag_rate``; ``blurry="drop"`` leaves one
        out.
    n_jobs : int, default=None
        Number of workers for measuring, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar on long work.
    cache : str or path-like, default=None
        A store of measurements, so that no unchanged image is measured twice and a scan that
        was killed goes on where it was, see :func:`measure`.
    isolate : bool or Isolation, default=False
        Whether to measure in processes that may be lost, so that an image that crashes or hangs
        its decoder becomes an invalid one, see :func:`measure`.
    multilabel : bool, default=False
        Whether ``predict`` and ``decision_function`` give one column per issue instead of one
        value per image.

    Attributes
    ----------
    detectors_ : list of (str, IssueDetector)
        Fitted clones, without those dropped.
    named_detectors_ : dict of str to IssueDetector
        The same by name.
    measurements_ : DataFrame
        The measurements of the images given to ``fit``.
    classes_ : ndarray of shape (2,), or list of them
        ``[0, 1]``: fine, flagged; a list with one such array per issue if ``multilabel``.

    Examples
    --------
    >>> from imagequality import QualityPipeline
    >>> from imagequality.datasets import make_flawed_images
    >>> images, y = make_flawed_images(100, issues=["dark"], random_state=0)
    >>> report = QualityPipeline().fit(images).report()
    >>> int(report.issues["is_dark_issue"].sum())
    5

    Any parameter of any detector can be set by name:

    >>> from imagequality import OtsuThreshold
    >>> pipeline = QualityPipeline(progress=False).set_params(
    ...     blurry__threshold=OtsuThreshold(), grayscale="drop"
    ... )
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "detectors": [None, list],
        "n_jobs": N_JOBS,
        "progress": ["boolean"],
        "cache": [None, str, os.PathLike],
        "isolate": ["boolean", Isolation],
        "multilabel": ["boolean"],
    }

    def __init__(
        self,
        detectors: list[tuple[str, Any]] | None = None,
        *,
        n_jobs: int | None = None,
        progress: bool = True,
        cache: str | os.PathLike[str] | None = None,
        isolate: bool | Isolation = False,
        multilabel: bool = False,
    ) -> None:
        self.detectors = detectors
        self.n_jobs = n_jobs
        self.progress = progress
        self.cache = cache
        self.isolate = isolate
        self.multilabel = multilabel

    def _default_detectors(self) -> NamedDetectors:
        return default_detectors()

    # ----------------------------------------------------------------- public

    def fit(self, X: Any, y: Any = None) -> QualityPipeline:
        """Measure the images once and fit every detector.

        Parameters
        ----------
        X : collection of images, or measurement table
            See :meth:`IssueDetector.fit`.
        y : ignored
            For scikit-learn's convention.

        Returns
        -------
        self : QualityPipeline

        Raises
        ------
        ValueError, TypeError
            If a parameter is bad (it is named), X is no collection of images, X is empty, or
            a table lacks a column. A broken image raises nothing.
        """
        validate_parameters(self)
        detectors = self._checked_detectors()
        self.measurements_ = table = self._measure(X, detectors)
        fitted = {
            name: clone(detector).fit(table)
            for name, detector in detectors
            if not isinstance(detector, DuplicateDetectorBase)
        }
        # Which of several duplicates stays depends on their other flaws.
        quality = self._quality(list(fitted.items()), table)
        with_quality = table.assign(quality_score=quality)
        for name, detector in detectors:
            if name not in fitted:
                fitted[name] = clone(detector).fit(with_quality)
        self.detectors_ = [(name, fitted[name]) for name, _ in detectors]
        self.named_detectors_ = dict(self.detectors_)
        both = np.array([0, 1])
        self.classes_ = [both for _ in detectors] if self.multilabel else both
        return self

    def score_samples(self, X: Any) -> Scores:
        """Return the overall quality of each image.

        Each issue's score is mapped piecewise linearly so that its threshold becomes 0.5, 0
        stays 0 and 1 stays 1; the overall quality is the lowest of them.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        quality : ndarray of shape (n,), in [0, 1]
            Below 0.5 = at least one issue; 0 where the image could not be read.
        """
        table = self._fitted_table(X)
        return self._quality(self.detectors_, table)

    def decision_function(self, X: Any) -> Scores:
        """Return 0.5 − the overall quality: positive = at least one issue.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        decision : ndarray of shape (n,), or (n, n_issues) if ``multilabel``
            Always finite.
        """
        if self.multilabel:
            table = self._fitted_table(X)
            columns = [detector.decision_function(table) for _, detector in self.detectors_]
            return np.column_stack(columns)
        return 0.5 - self.score_samples(X)

    def predict(self, X: Any) -> Flags:
        """Flag the images with at least one issue.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        flags : ndarray of shape (n,), int, or (n, n_issues) if ``multilabel``
            1 = at least one issue. An image that cannot be read is flagged, with or without
            the detector of invalid images.
        """
        if self.multilabel:
            return self.predict_issues(X)
        return (self.score_samples(X) < 0.5).astype(np.int64)

    def predict_issues(self, X: Any) -> Flags:
        """Flag each issue.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        flags : ndarray of shape (n, n_issues), int
            1 = has the issue; the columns are in the order of ``detectors_``.
        """
        table = self._fitted_table(X)
        return np.column_stack([detector.predict(table) for _, detector in self.detectors_])

    def fit_predict(self, X: Any, y: Any = None) -> Flags:
        """Fit and flag the same images, measuring them once.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : ignored

        Returns
        -------
        flags : ndarray of shape (n,), int, or (n, n_issues) if ``multilabel``
        """
        return self.fit(X).predict(self.measurements_)

    def transform(self, X: Any) -> Scores:
        """Return the score of each issue.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        scores : ndarray of shape (n, n_issues)
            NaN where the image could not be read; put an imputer behind it.
        """
        return self._issue_scores(self._fitted_table(X))

    def fit_transform(self, X: Any, y: Any = None) -> Scores:
        """Fit and return the score of each issue, measuring the images once.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : ignored

        Returns
        -------
        scores : ndarray of shape (n, n_issues)
        """
        return self._issue_scores(self.fit(X).measurements_)

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the F1 score of the flags; the mean over the issues if ``multilabel``.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : array-like of shape (n,), or (n, n_issues) if ``multilabel``
            1 = has an issue.
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        f1 : float in [0, 1]
        """
        return float(
            f1_score(
                y,
                self.predict(X),
                average="macro" if self.multilabel else "binary",
                sample_weight=sample_weight,
                zero_division=0.0,
            )
        )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns that ``transform`` makes.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of shape (n_issues,)
        """
        check_is_fitted(self, "detectors_")
        return np.array([f"{name}_score" for name, _ in self.detectors_], dtype=object)

    def report(self, X: Any = None) -> QualityReport:
        """Report on the images: the summary, and one row per image.

        Parameters
        ----------
        X : collection of images, or measurement table, default=None
            None means the images given to ``fit``.

        Returns
        -------
        report : QualityReport
        """
        check_is_fitted(self, "detectors_")
        table = self.measurements_ if X is None else self._fitted_table(X)
        scores = self._issue_scores(table)
        quality = self._quality(self.detectors_, table, scores)
        primary = self._primary(scores)
        columns: dict[str, Any] = {
            "quality_score": quality,
            "is_any_issue": quality < 0.5,
            "primary_issue": pd.Series(primary, dtype=object, index=table.index),
        }
        summary = []
        for (name, detector), issue_scores in zip(self.detectors_, scores.T, strict=True):
            flags = pd.array(issue_scores < detector.threshold_, dtype="boolean")
            flags[np.isnan(issue_scores)] = pd.NA
            columns[f"{name}_score"] = issue_scores
            columns[f"is_{name}_issue"] = flags
            if X is None and hasattr(detector, "labels_"):
                groups = pd.array(detector.labels_, dtype="Int64")
                groups[detector.labels_ < 0] = pd.NA
                columns[f"{name}_group"] = groups
            summary.append(
                {
                    "issue": name,
                    "count": int(flags.sum()),
                    "share": float(flags.sum() / len(table)),
                    "primary_count": int((primary == name).sum()),
                    "threshold": detector.threshold_,
                    "score": getattr(detector, "method", ""),
                    "method": getattr(detector, "reason_", "") or _describe(detector.selector_),
                }
            )
        reason = table["reason"].fillna("").to_numpy(dtype=object)
        columns["reason"] = pd.Series(reason, dtype=object, index=table.index)
        return QualityReport(
            pd.DataFrame(columns, index=table.index),
            pd.DataFrame(summary),
            duplicates=self._duplicates(table, fitted_images=X is None),
            plan=self._plan(table, scores, fitted_images=X is None),
            loader=load_image,
        )

    # --------------------------------------------------------------- internal

    def _checked_detectors(self) -> NamedDetectors:
        named = self._named_detectors
        for item in named:
            if not (isinstance(item, Sequence) and len(item) == 2 and isinstance(item[0], str)):
                raise ValueError(f"detectors must hold (name, detector) pairs, got {item!r}")
        self._validate_names([name for name, _ in named])
        for name, _ in named:
            if name in _RESERVED_NAMES:
                raise ValueError(f"detectors: the name {name!r} is taken by the report's columns")
        kept = [(name, detector) for name, detector in named if detector != "drop"]
        for name, detector in kept:
            if not isinstance(detector, IssueDetector):
                raise TypeError(
                    f"detectors: {name!r} must be an IssueDetector or 'drop', got {detector!r}"
                )
        if not kept:
            raise ValueError("detectors: at least one is needed, all are dropped")
        return kept

    def _measure(self, X: Any, detectors: NamedDetectors) -> pd.DataFrame:
        union: dict[Column, None] = {"valid": None, "reason": None}
        for _, detector in detectors:
            # A detector's own check must speak before its bad parameter picks the columns.
            validate_parameters(detector)
            union.update(dict.fromkeys(detector._columns()))
        table = find_table(X, list(union))
        if table is None:
            if (
                self.cache is not None
            ):  # they cost next to nothing more, and measure() asks for them
                union.update(dict.fromkeys(DEFAULT_COLUMNS))
            table = measure(
                X,
                list(union),
                n_jobs=self.n_jobs,
                progress=self.progress,
                cache=self.cache,
                isolate=self.isolate,
            )
        if not len(table):
            raise ValueError("QualityPipeline needs at least one image, got none")
        return table

    def _fitted_table(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self, "detectors_")
        return self._measure(X, self.detectors_)

    def _issue_scores(self, table: pd.DataFrame) -> Scores:
        # In place, column by column: a second copy of all scores would be the most that is held.
        scores = np.empty((len(table), len(self.detectors_)), order="F")
        for position, (_, detector) in enumerate(self.detectors_):
            scores[:, position] = detector.score_samples(table)
        return scores

    def _quality(
        self, detectors: NamedDetectors, table: pd.DataFrame, scores: Scores | None = None
    ) -> Scores:
        quality = np.ones(len(table))
        for position, (_, detector) in enumerate(detectors):
            own = detector.score_samples(table) if scores is None else scores[:, position]
            # fmin passes over NaN: what was not judged says nothing.
            quality = np.fmin(quality, rescaled(own, detector.threshold_))
        quality[self._unreadable(table)] = 0.0
        return quality

    def _primary(self, scores: Scores) -> NDArray[np.object_]:
        """Return the name of each image's first issue, None where there is none."""
        primary = np.full(len(scores), None, dtype=object)
        for (name, detector), issue_scores in reversed(
            list(zip(self.detectors_, scores.T, strict=True))
        ):
            primary[issue_scores < detector.threshold_] = name
        return primary

    def _duplicates(self, table: pd.DataFrame, *, fitted_images: bool) -> pd.DataFrame:
        """Return a row for each image in a group of duplicates, by issue."""
        parts = []

        def names_of(rows: pd.Series) -> pd.Series:
            names = table.index[rows.to_numpy()].to_numpy(dtype=object)
            # Of a bare array pandas 3 makes text of its own, which not every file name can be.
            return pd.Series(names, index=rows.index, dtype=object)

        for name, detector in self.detectors_ if fitted_images else ():
            if isinstance(detector, DuplicateDetectorBase):
                members = detector._members()
                members.insert(0, "issue", name)
                members.insert(0, "image", names_of(members.pop("row")))
                members["kept"] = names_of(members["kept"])
                parts.append(members)
        columns = ["image", "issue", "group", "size", "keep", "kept", "distance"]
        empty = pd.DataFrame(columns=[*columns, "diameter", "weakest_link"])
        filled = [part for part in parts if len(part)] or parts[:1]
        return pd.concat(filled, ignore_index=True) if filled else empty

    def _plan(self, table: pd.DataFrame, scores: Scores, *, fitted_images: bool) -> pd.DataFrame:
        flaws = np.full(len(table), None, dtype=object)
        quality = np.ones(len(table))
        groupings: list[tuple[str, NDArray[np.int64]]] = []
        keep: Keep = "best"
        for (name, detector), own in zip(self.detectors_, scores.T, strict=True):
            if isinstance(detector, DuplicateDetectorBase):
                if fitted_images:
                    keep = detector.keep  # that of the last, the widest
                    groupings.append((name, detector.labels_))
                continue
            threshold = detector.threshold_
            first = np.flatnonzero((own < threshold) & (quality >= 0.5))
            limit = f"{threshold:.3g}"
            flaws[first] = [f"{name}: score {score:.3g} < {limit}" for score in own[first].tolist()]
            quality = np.fmin(quality, rescaled(own, threshold))
        unreadable = np.flatnonzero(self._unreadable(table))
        reasons = table["reason"].iloc[unreadable]
        flaws[unreadable] = [f"cannot be read: {reason}" for reason in reasons]
        return removal_plan(table.assign(quality_score=quality), flaws, groupings, keep)

    @staticmethod
    def _unreadable(table: pd.DataFrame) -> NDArray[np.bool_]:
        # What says neither yes nor no has not been read either.
        return np.asarray(plain_columns(table, ["valid"])["valid"].to_numpy() != 1)

    def _sk_visual_block_(self) -> Any:
        """Return scikit-learn's diagram: the detectors side by side, thresholds once fitted."""
        named = getattr(self, "detectors_", None) or self._named_detectors
        block = FeatureUnion(named)._sk_visual_block_()
        # Up to a colon the name is what a parameter's path begins with when it is copied.
        block.names = [_with_threshold(name, detector) for name, detector in named]
        return block

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "detectors_")

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.target_tags.multi_output = self.multilabel
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = self.multilabel
        return tags


def _describe(selector: Any) -> str:
    name, reason = type(selector).__name__, getattr(selector, "reason_", "")
    return f"{name}: {reason}" if reason and reason != "fixed" else name


def _with_threshold(name: str, detector: Any) -> str:
    threshold = getattr(detector, "threshold_", None)
    return name if threshold is None else f"{name}: score < {threshold:.3g}"
