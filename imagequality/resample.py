"""Dropping flagged images before training, as a sampler for imbalanced-learn's pipelines."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_consistent_length

from ._base import safe_indexing, takes_images, validate_parameters
from .detectors import IssueDetector
from .duplicates import NearDuplicateDetector
from .duplicates._base import DuplicateDetectorBase
from .pipeline import QualityPipeline


class DropFlagged(BaseEstimator):
    """Drop the images that a detector flags; a step for imbalanced-learn's Pipeline.

    It acts when a pipeline is fitted and does nothing when it predicts, so the model is
    trained on clean images and asked about all. Of a group of duplicates one image stays,
    the best of those that have no other issue, see ``keep`` of the duplicate
    detectors. Nothing is changed on disk.

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
            params = {**params, "detector": self._default()}
        super().set_params(**params)
        return self

    def _default(self) -> Any:
        return QualityPipeline()

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
        detector = self._default() if self.detector is None else clone(self.detector)
        if not isinstance(detector, QualityPipeline):
            detector = QualityPipeline([(detector.issue, detector)])
        self.pipeline_ = detector.fit(X)
        plan = self.pipeline_.report().plan
        self.sample_indices_ = np.flatnonzero(plan["action"] == "keep")
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


class DropDuplicates(DropFlagged):
    """Drop all but one image of each group of duplicates; otherwise as :class:`DropFlagged`.

    Parameters
    ----------
    detector : duplicate detector, default=None
        None means :class:`NearDuplicateDetector`, which finds exact copies too. An image that
        cannot be read is dropped in any case.

    Attributes
    ----------
    pipeline_ : QualityPipeline
        The fitted pipeline, of the one detector.
    sample_indices_ : ndarray of shape (n_kept,), int
        Positions of the rows kept.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import DropDuplicates
    >>> image = np.random.default_rng(0).integers(0, 200, (32, 32, 3), dtype=np.uint8)
    >>> images = [image[:16, :16], image, image + np.uint8(20)]
    >>> kept, labels = DropDuplicates().fit_resample(images, ["a", "b", "c"])
    >>> labels
    ['a', 'b']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "detector": [None, DuplicateDetectorBase]
    }

    def _default(self) -> Any:
        return NearDuplicateDetector()
