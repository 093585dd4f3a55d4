"""Too light, too dark."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import Options, StrOptions
from ..measurements import Column
from ..measurements._exposure import PERCENTILES
from ..thresholds import ThresholdSelector
from ._base import IssueDetector


class LightDetector(IssueDetector):
    """Find images that are too light: overexposed, washed out.

    ``method="clipping"``: the score is min(1 − √c · c/b, 2 · (1 − p)), where c is the share of
    clipped pixels (max(R, G, B) = 255), b the share of bright ones (≥ 192), and p the 5th
    percentile of perceived brightness. Overexposure piles highlights up at the end of the
    scale: much is clipped, and most of what is bright is clipped. A white background, a sky or
    a white page is bright too, but mostly a little below the end. The second term finds what
    is washed out without clipping: an image whose darkest twentieth lies above mid-grey.

    ``method="percentile"`` (the paper's improvement): the score is 1 − b, where b is the given
    percentile of the pixels' perceived brightness, sqrt(0.241 R² + 0.691 G² + 0.068 B²) / 255.
    At the 5th percentile (CleanVision's) an overexposed image with a few dark pixels passes;
    the paper finds the 60th and the 75th to separate best.

    ``method="cleanvision"``: the same at the 5th percentile, at CleanVision's limit of 0.05.

    ``method="fastdup"``: 1 − the mean of all values of all channels over 255, at fastdup's
    limit for bright images (a mean above 253).

    Parameters
    ----------
    method : {"clipping", "percentile", "cleanvision", "fastdup"}, default="clipping"
        Which score.
    percentile : {1, 5, 10, 15, 25, 30, 40, 50, 60, 75, 90, 95, 99}, default=60
        For ``method="percentile"``.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.35 to 0.75 for
        ``"clipping"``, 0.05 to 0.20 for ``"percentile"``; the published limit to 0.60 and 0.35
        for the others.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures: an object cut out on pure white (255) is clipped as far as the background
    reaches; an overexposed image that was darkened afterwards has no clipped pixel left. By
    percentile, a white background is light when it fills more than 1 − percentile/100 of the
    picture; pages of text and charts are. Scores by percentile differ from CleanVision's by at
    most 1.3e-4.

    References
    ----------
    The clipping score is this library's own. For the others: P.-H. Chen and S.-C. Chung, "A
    Data-Centric Perspective on the Influence of Image Data Quality in Machine Learning Models",
    sections III-A, III-B and III-C.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import LightDetector
    >>> images = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (9, 150, 254)])
    >>> LightDetector().fit_predict(images)
    array([0, 0, 1])
    """

    issue = "light"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"clipping", "percentile", "cleanvision", "fastdup"})],
        "percentile": [Options(int, set(PERCENTILES))],
    }
    # Floor and cap; of the published scores the floor is the published limit.
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "clipping": (0.35, 0.75),
        "percentile": (0.05, 0.20),
        "cleanvision": (0.05, 0.60),
        "fastdup": (1 - 253 / 255, 0.35),
    }

    def __init__(
        self,
        method: str = "clipping",
        *,
        percentile: int = 60,
        threshold: ThresholdSelector | float | None = None,
    ) -> None:
        self.method = method
        self.percentile = percentile
        self.threshold = threshold

    def _columns(self) -> tuple[Column, ...]:
        if self.method == "clipping":
            return ("clipped_share", "bright_share", "brightness_perc_5")
        if self.method == "fastdup":
            return ("intensity",)
        percentile = 5 if self.method == "cleanvision" else self.percentile
        return (f"brightness_perc_{percentile}",)

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        if self.method != "clipping":
            (column,) = self._columns()
            return 1 - table[column].to_numpy()
        clipped, bright, dark_end = (table[column].to_numpy() for column in self._columns())
        # A clipped pixel is bright, so where nothing is bright the quotient is 0 over 1.
        piled_up = np.sqrt(clipped) * clipped / np.where(bright == 0, 1, bright)
        return np.minimum(1 - piled_up, 2 * (1 - dark_end)).clip(0, 1)


class DarkDetector(IssueDetector):
    """Find images that are too dark: underexposed, black.

    ``method="value"``: the score is the 99th percentile of the pixels' value max(R, G, B) / 255
    (the V of HSV): an image is dark when even its brightest parts are. A saturated blue counts
    as bright, which perceived brightness calls dark.

    ``method="cleanvision"``: the 99th percentile of perceived brightness, at CleanVision's
    limit of 0.32.

    ``method="fastdup"``: the mean of all values of all channels over 255, at fastdup's limit
    for dark images (a mean below 4).

    Parameters
    ----------
    method : {"value", "cleanvision", "fastdup"}, default="value"
        Which score.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.30 to 0.70 for
        ``"value"``; the published limit to 0.65 and 0.20 for the others.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures: a dark image with a lamp, a moon or a caption that covers more than 1 % of
    it passes; a genuine night photograph is dark.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", sections III-A and III-B.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import DarkDetector
    >>> images = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (9, 150, 254)])
    >>> DarkDetector().fit_predict(images)
    array([1, 0, 0])
    """

    issue = "dark"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"value", "cleanvision", "fastdup"})],
    }
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "value": (0.30, 0.70),
        "cleanvision": (0.32, 0.65),
        "fastdup": (4 / 255, 0.20),
    }
    _column_of: ClassVar[dict[str, str]] = {
        "value": "value_perc_99",
        "cleanvision": "brightness_perc_99",
        "fastdup": "intensity",
    }

    def __init__(
        self, method: str = "value", *, threshold: ThresholdSelector | float | None = None
    ) -> None:
        self.method = method
        self.threshold = threshold

    def _columns(self) -> tuple[Column, ...]:
        return (self._column_of[self.method],)

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return table[self._column_of[self.method]].to_numpy()
