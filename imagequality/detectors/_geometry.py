"""Odd size, odd aspect ratio, low resolution."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import Interval, StrOptions
from ..thresholds import FixedThreshold, ThresholdSelector
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
        sizes = sizes[np.isfinite(sizes)]
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


class ResolutionDetector(IssueDetector):
    """Find images with fewer pixels than are needed.

    The score is min(1, shorter side / ``min_side``, √(pixels / ``min_pixels``)): 1 where the
    need is met, 0.5 where the sides are half of what is needed. It does not depend on
    the collection; :class:`OddSizeDetector` compares images with each other.

    Parameters
    ----------
    min_side : int or None, default=32
        Shorter side that is needed, in pixels: the input size of the network, say. None: no
        need. Below 32 pixels little that this library measures can be trusted.
    min_pixels : int or None, default=None
        Number of pixels that is needed. None: no need.
    threshold : ThresholdSelector, float or None, default=None
        None is 1.0: what falls short of the need is flagged. 0.5 allows half of it.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    It counts pixels, real or not: for a small image that was enlarged, see
    :class:`PixelationDetector`. It is no default detector, since the need is the user's.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import ResolutionDetector
    >>> images = [np.zeros((224, 300, 3), np.uint8), np.zeros((112, 300, 3), np.uint8)]
    >>> detector = ResolutionDetector(min_side=224).fit(images)
    >>> detector.score_samples(images), detector.predict(images)
    (array([1. , 0.5]), array([0, 1]))
    """

    issue = "low_resolution"
    columns = ("width", "height")

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "min_side": [None, Interval(Integral, 1, None, closed="left")],
        "min_pixels": [None, Interval(Integral, 1, None, closed="left")],
    }
    validation_limit: ClassVar[float | None] = 1.0  # of one image, without a collection

    def __init__(
        self,
        min_side: int | None = 32,
        *,
        min_pixels: int | None = None,
        threshold: ThresholdSelector | float | None = None,
    ) -> None:
        self.min_side = min_side
        self.min_pixels = min_pixels
        self.threshold = threshold

    def _default_threshold(self) -> ThresholdSelector:
        return FixedThreshold(1.0)

    def _limits(self) -> tuple[float, float]:
        return 1.0, 1.0

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        width, height = table["width"].to_numpy(), table["height"].to_numpy()
        score = np.where(np.isnan(width), np.nan, 1.0)
        if self.min_side is not None:
            score = np.minimum(score, np.minimum(width, height) / self.min_side)
        if self.min_pixels is not None:
            score = np.minimum(score, np.sqrt(width * height / self.min_pixels))
        return score
