"""Dropping flagged images before training, as a sampler for imbalanced-learn's pipelines."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_consistent_length

from ._base import safe_indexing, takes_images, validate_parameters
from .detectors import IssueDetector
from .pipeline import QualityPipeline


class DropFlagged(BaseEstimator):
    """Drop the images that a detector flags; a step for imbalanced-learn's Pipeline.

    It acts when a pipeline is fitted and does nothing when it predicts, so the model is
    trained on clean images and asked about all. Of a group of duplicates one image stays: the
    first that has no other issue. Nothing is changed on disk.

    Parameters
    ----------
    detector : IssueDetector or QualityPipeline, default=None
        What flags; None means ``QualityPipeline()``. An image that cannot be read is dropped
        in any case.

    Attributes
    ----------
    pipeline_ : QualityPipeline
        The fitted pipeline, of one detector if ``detector`` is one.
    sample_indices_ : ndarray of shape (n_kept,), int
        Positions of the rows kept.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import DarkDetector, DropFlagged
    >>> images = [np.full((8, 8, 3), level, np.uint8) for level in (0, 150, 250)]
    >>> kept, labels = DropFlagged(DarkDetector()).fit_resample(images, ["a", "b", "c"])
    >>> len(kept), labels
    (2, ['b', 'c'])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "detector": [None, IssueDetector, QualityPipeline]
    }

    def __init__(self, detector: Any = None) -> None:
        self.detector = detector

    def set_params(self, **params: Any) -> DropFlagged:
        """Set parameters; those of the default pipeline too, as ``detector__blurry__threshold``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : DropFlagged
        """
        if params.get("detector", self.detector) is None and any("__" in name for name in params):
            params = {**params, "detector": QualityPipeline()}
        super().set_params(**params)
        return self

    def fit(self, X: Any, y: Any = None) -> DropFlagged:
        """Find the rows to keep.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : ignored

        Returns
        -------
        self : DropFlagged
        """
        validate_parameters(self)
        detector = QualityPipeline() if self.detector is None else clone(self.detector)
        if not isinstance(detector, QualityPipeline):
            detector = QualityPipeline([(detector.issue, detector)])
        self.pipeline_ = detector.fit(X)
        table = self.pipeline_.measurements_
        dropped = self.pipeline_._unreadable(table)
        groups = []
        for _, part in self.pipeline_.detectors_:
            if hasattr(part, "labels_"):
                groups.append(part.labels_)
            else:
                dropped |= part.predict(table) == 1
        for labels in groups:
            dropped |= _all_but_first(labels, dropped)
        self.sample_indices_ = np.flatnonzero(~dropped)
        return self

    def fit_resample(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        """Return the images that are kept, and their labels.

        Parameters
        ----------
        X : collection of images, or measurement table
        y : array-like of shape (n,), default=None

        Returns
        -------
        X_kept, y_kept : of the types of X and y

        Raises
        ------
        ValueError
            If X and y differ in length.
        """
        if y is not None:
            check_consistent_length(X, y)
        kept = self.fit(X, y).sample_indices_
        return safe_indexing(X, kept), None if y is None else safe_indexing(y, kept)

    def __sklearn_tags__(self) -> Any:
        return takes_images(super().__sklearn_tags__())


def _all_but_first(labels: NDArray[np.int64], dropped: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each group (label ≥ 0) mark all but the first member that is not dropped yet."""
    candidates = np.flatnonzero((labels >= 0) & ~dropped)
    first = np.unique(labels[candidates], return_index=True)[1]
    surplus = np.zeros(len(labels), dtype=bool)
    surplus[np.delete(candidates, first)] = True
    return surplus
