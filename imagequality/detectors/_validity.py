"""Unreadable."""

from __future__ import annotations

from typing import Any, ClassVar

import pandas as pd
from numpy.typing import ArrayLike

from ..thresholds import FixedThreshold, ThresholdSelector
from ._base import IssueDetector


class InvalidImageDetector(IssueDetector):
    """Find images that cannot be read: missing, empty, truncated, corrupt, refused.

    The score is 1 where the image could be read and 0 where not; this is the one detector
    whose score is never NaN. The reason stands in the measurement table.

    Attributes
    ----------
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import InvalidImageDetector
    >>> InvalidImageDetector().fit_predict([np.zeros((8, 8, 3), np.uint8), b"", "missing.png"])
    array([0, 1, 1])
    """

    issue = "invalid"
    columns = ("valid",)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        pass

    def _default_threshold(self) -> ThresholdSelector:
        return FixedThreshold(1.0)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return table["valid"].to_numpy()
