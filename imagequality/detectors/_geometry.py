"""Odd size, odd aspect ratio."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import Interval, StrOptions
from ..thresholds import ThresholdSelector
from ._base import IssueDetector


class OddSizeDetector(IssueDetector):
    """Find images much smaller or larger than the others.

    The size of an image is the geometric mean of its sides, z = √(width · height).

    ``method="median"``: the score is min(z/m, m/z), where m is the median size learnt in
    ``fit``: 1 for the usual size, 0.5 for half or double of it.

    ``method="cleanvision"``: the rule of the interquartile range. With the quartiles Q1 and Q3
    learnt in ``fit``, sizes between Q1 − f·IQR and Q3 + f·IQR are usual; the score is 1 − the
    distance from the middle of that interval over its length, so that its ends score 0.5.
    Where the IQR is zero (at least half of the images have one size) the rule would flag any
    other size, 64 × 65 among 64 × 64; the interval is then half to one and a half times the
    usual size.

    Parameters
    ----------
    method : {"median", "cleanvision"}, default="median"
        Which score.
    iqr_factor : float, default=3.0
        The factor f of ``method="cleanvision"``, above 0.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.25 (a fourth or four times
        the usual size) to 0.55; for ``"cleanvision"`` 0.5, the ends of the interval, to 0.75.

    Attributes
    ----------
    median_, quartiles_ : float, (float, float)
        Of the sizes in ``fit``, in pixels; NaN where no image could be read.
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A; CleanVision 0.3.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import OddSizeDetector
    >>> images = [np.zeros((side, side, 3), np.uint8) for side in (64, 65, 64, 64, 12)]
    >>> OddSizeDetector().fit_predict(images)
    array([0, 0, 0, 0, 1])
    """

    issue = "odd_size"
    columns = ("size",)

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"median", "cleanvision"})],
        "iqr_factor": [Interval(Real, 0, None, closed="neither")],
    }
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "median": (0.25, 0.55),
        "cleanvision": (0.5, 0.75),
    }

    def __init__(
        self,
        method: str = "median",
        *,
        iqr_factor: float = 3.0,
        threshold: ThresholdSelector | float | None = None,
    ) -> None:
        self.method = method
        self.iqr_factor = iqr_factor
        self.threshold = threshold

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _learn(self, table: pd.DataFrame) -> None:
        sizes = table["size"].to_numpy()
        sizes = sizes[~np.isnan(sizes)]
        lower, median, upper = (
            np.percentile(sizes, [25, 50, 75]) if sizes.size else np.full(3, np.nan)
        )
        self.median_ = float(median)
        self.quartiles_ = float(lower), float(upper)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        sizes = table["size"].to_numpy()
        if self.method == "median":
            return np.minimum(sizes / self.median_, self.median_ / sizes)
        lower, upper = self.quartiles_
        middle = (lower + upper) / 2
        length = (upper - lower) * (1 + 2 * self.iqr_factor)
        if length == 0:
            length = middle
        return 1 - np.clip(np.abs(sizes - middle) / length, 0, 1)


class OddAspectRatioDetector(IssueDetector):
    """Find images that are very wide or very tall.

    The score is the shorter side over the longer one: 1 for a square, 0.5 for 2 : 1.

    Parameters
    ----------
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` between 0.35, CleanVision's limit, and 0.45.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A; CleanVision 0.3.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import OddAspectRatioDetector
    >>> images = [np.zeros((64, 64, 3), np.uint8), np.zeros((10, 64, 3), np.uint8)]
    >>> OddAspectRatioDetector().fit_predict(images)
    array([0, 1])
    """

    issue = "odd_aspect_ratio"
    columns = ("aspect_ratio",)

    def _limits(self) -> tuple[float, float]:
        return 0.35, 0.45

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return table["aspect_ratio"].to_numpy()
