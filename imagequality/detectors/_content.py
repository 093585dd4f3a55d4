"""Little information, no colour."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import StrOptions
from ..measurements import Column
from ..thresholds import FixedThreshold, ThresholdSelector
from ._base import IssueDetector

_CLEANVISION_FACTOR = 0.1


class LowInformationDetector(IssueDetector):
    """Find images with little in them: empty, nearly flat, a thumbnail on a canvas.

    ``method="entropy"``: the score is the Shannon entropy of the pooled levels of the three
    channels (:func:`imagequality.measurements.entropy`) over the most that the image could
    reach, log2(min(768, 3 · pixels)).

    ``method="cleanvision"``: min(1, entropy / 10), at CleanVision's limit of 0.30. The pooled
    histogram adds log2 3 bits, so an image must be almost empty to fall below it.

    Parameters
    ----------
    method : {"entropy", "cleanvision"}, default="entropy"
        Which score.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.45 to 0.75 for
        ``"entropy"``, 0.30 (the published limit) to 0.72 for ``"cleanvision"``.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures: the entropy of levels knows nothing of where they stand, so noise counts as
    information and a drawing, a chart or a page of text as a lack of it. Strongly dark and
    light images use few levels and are low in information too.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A; CleanVision 0.3.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import LowInformationDetector
    >>> full = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> LowInformationDetector().fit_predict([full, np.full_like(full, 90)])
    array([0, 1])
    """

    issue = "low_information"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"entropy", "cleanvision"})],
    }
    # Floor and cap; of the published score the floor is the published limit.
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "entropy": (0.45, 0.75),
        "cleanvision": (0.30, 0.72),
    }

    def __init__(
        self, method: str = "entropy", *, threshold: ThresholdSelector | float | None = None
    ) -> None:
        self.method = method
        self.threshold = threshold

    def _columns(self) -> tuple[Column, ...]:
        return ("entropy",) if self.method == "cleanvision" else ("entropy", "width", "height")

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        entropy = table["entropy"].to_numpy()
        if self.method == "cleanvision":
            return np.minimum(_CLEANVISION_FACTOR * entropy, 1)
        values = 3 * table["width"].to_numpy() * table["height"].to_numpy()
        return np.minimum(entropy / np.log2(np.minimum(768, values)), 1)


class GrayscaleDetector(IssueDetector):
    """Find images without colour: their three channels are equal in every pixel.

    The score is 0 or 1. Other than CleanVision, which asks for the file's mode, this also
    finds gray images that are stored as RGB, with an alpha channel or with 16 bits (the
    paper's re-detection).

    Attributes
    ----------
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-C.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import GrayscaleDetector
    >>> gray = np.full((8, 8, 3), 100, np.uint8)
    >>> red = gray.copy()
    >>> red[..., 0] = 200
    >>> GrayscaleDetector().fit_predict([gray, red])
    array([1, 0])
    """

    issue = "grayscale"
    columns = ("channels_identical",)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        pass

    def _default_threshold(self) -> ThresholdSelector:
        return FixedThreshold(1.0)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return 1 - table["channels_identical"].to_numpy()
