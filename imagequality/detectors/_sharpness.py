"""Blurry."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import StrOptions
from ..measurements import Column
from ..thresholds import ThresholdSelector
from ._base import IssueDetector

_FASTDUP_LIMIT = 150.0  # fastdup's limit for the variance of the Laplacian

# CleanVision's parameters: the exponent's factor, and where the histogram's part is ignored.
_CLEANVISION_FACTOR = 0.01
_CLEANVISION_COLOR_THRESHOLD = 0.18


class BlurDetector(IssueDetector):
    """Find images that are blurry: out of focus, shaken, enlarged.

    ``method="edge_frequency"``: the score is the root-mean-square frequency of the edges along
    the blurriest of four directions, as a share of the highest frequency that the pixels can
    hold (:func:`imagequality.measurements.edge_frequency`). It does not depend on contrast.
    Images whose longer side exceeds 512 pixels are shrunk to 512 first.

    ``method="fastdup"``: v / (v + 150), where v is the variance of the Laplacian and 150 is
    fastdup's limit, which so becomes a score of 0.5.

    ``method="cleanvision"``: min(1, (1 − exp(−e/100)) + s), where e is the standard deviation
    of Pillow's edge image at 64 pixels and s = 1 − exp(−h/100), set to 0 when s ≤ 0.18, with h
    the standard deviation of the grey histogram's counts; at CleanVision's limit of 0.29.

    Parameters
    ----------
    method : {"edge_frequency", "cleanvision", "fastdup"}, default="edge_frequency"
        Which score.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.30 to 0.47 for
        ``"edge_frequency"``; the published limit to 0.40 and 0.60 for the others.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures: a picture that is meant to be smooth reads as blurry, noise hides blur, and
    a sharp subject before an out-of-focus background lies in between.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", sections III-A and III-B; CleanVision 0.3.

    Examples
    --------
    >>> import cv2, numpy as np
    >>> from imagequality import BlurDetector
    >>> sharp = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> BlurDetector().fit_predict([sharp, cv2.GaussianBlur(sharp, (0, 0), 4)])
    array([0, 1])
    """

    issue = "blurry"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"edge_frequency", "cleanvision", "fastdup"})],
    }
    # Floor and cap; of the published scores the floor is the published limit.
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "edge_frequency": (0.30, 0.47),
        "cleanvision": (0.29, 0.40),
        "fastdup": (0.5, 0.60),
    }
    _columns_of: ClassVar[dict[str, tuple[str, ...]]] = {
        "edge_frequency": ("edge_frequency",),
        "cleanvision": ("blurriness", "blurriness_grayscale_std"),
        "fastdup": ("laplacian_variance",),
    }

    def __init__(
        self,
        method: str = "edge_frequency",
        *,
        threshold: ThresholdSelector | float | None = None,
    ) -> None:
        self.method = method
        self.threshold = threshold

    def _columns(self) -> tuple[Column, ...]:
        return self._columns_of[self.method]

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        if self.method == "edge_frequency":
            return table["edge_frequency"].to_numpy()
        if self.method == "fastdup":
            variance = table["laplacian_variance"].to_numpy()
            return variance / (variance + _FASTDUP_LIMIT)
        edges = 1 - np.exp(-_CLEANVISION_FACTOR * table["blurriness"].to_numpy())
        texture = 1 - np.exp(-_CLEANVISION_FACTOR * table["blurriness_grayscale_std"].to_numpy())
        texture[texture <= _CLEANVISION_COLOR_THRESHOLD] = 0
        return np.minimum(edges + texture, 1)
