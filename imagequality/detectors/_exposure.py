"""Too light, too dark, badly exposed."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

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
        return 1 - _overexposure(table)


def _overexposure(table: pd.DataFrame) -> NDArray[np.float64]:
    """Highlights piled up at the end of the scale, or shadows far from its beginning; 0 to 1."""
    clipped, bright, dark_end = (
        table[column].to_numpy()
        for column in ("clipped_share", "bright_share", "brightness_perc_5")
    )
    # A clipped pixel is bright, so where nothing is bright the quotient is 0 over 1.
    piled_up = np.sqrt(clipped) * clipped / np.where(bright == 0, 1, bright)
    return np.maximum(piled_up, 2 * dark_end - 1).clip(0, 1)


def _underexposure(table: pd.DataFrame) -> NDArray[np.float64]:
    """Highlights far from the end of the scale, and more so with crushed shadows; 0 to 1."""
    crushed, light_end = (table[column].to_numpy() for column in ("crushed_share", "value_perc_99"))
    return 1 - light_end * (1 - crushed * (1 - light_end))


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


class ExposureDetector(IssueDetector):
    """Find images exposed too long or too short: clipped at one end, empty at the other.

    The score is 1 − max(o, u), of overexposure and underexposure.

    o = max(√c · c/b, 2p − 1): c is the share of clipped pixels (max(R, G, B) = 255), b that
    of bright ones (≥ 192), p the 5th percentile of perceived brightness. It grows as the
    highlights pile up at the end of the scale, or as its lower half stays empty.

    u = 1 − t · (1 − s · (1 − t)): t is the 99th percentile of max(R, G, B) / 255, s the share
    of crushed pixels (max(R, G, B) ≤ 4). It grows as the top of the scale stays empty; crushed
    shadows add to it so far as it does, so that a black background behind a lit subject counts
    for nothing.

    It asks whether range was lost, at milder limits than :class:`DarkDetector` and
    :class:`LightDetector`, which ask whether anything can be seen; a dark or light image is
    badly exposed too.

    Parameters
    ----------
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` between 0.38 (three stops too few) and 0.70.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures: night and fog are dull by nature; an object cut out on pure white (255)
    is clipped as far as the background reaches; an image of dark things overexposed by two
    stops may clip nothing.

    References
    ----------
    This library's own; the quantities are those of a camera's histogram display (clipped
    shadows and highlights, unused range).

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import ExposureDetector
    >>> from imagequality.perturbations import adjust_exposure
    >>> ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))[..., None].repeat(3, 2)
    >>> images = [ramp, adjust_exposure(ramp, -4), adjust_exposure(ramp, 4)]
    >>> detector = ExposureDetector().fit(images)
    >>> detector.predict(images)
    array([0, 1, 1])
    >>> detector.sides(images).tolist()
    [None, 'under', 'over']
    """

    issue = "badly_exposed"
    columns = (
        "clipped_share",
        "bright_share",
        "brightness_perc_5",
        "crushed_share",
        "value_perc_99",
    )
    validation_limit: ClassVar[float | None] = 0.64  # of one image, without a collection

    def sides(self, X: Any) -> NDArray[np.object_]:
        """Say on which side the flagged images are badly exposed.

        Parameters
        ----------
        X : collection of images, or measurement table

        Returns
        -------
        sides : ndarray of shape (n,), object
            ``"over"``, ``"under"``, or None where the image is not flagged.
        """
        check_is_fitted(self, "threshold_")
        table = self._table(X)
        plain = self._plain(table)
        flagged = self._flags(self._scores(table)) == 1
        with np.errstate(all="ignore"):  # of impossible numbers, which are not flagged
            is_over = _overexposure(plain) > _underexposure(plain)
        sides = np.where(is_over, "over", "under").astype(object)
        sides[~flagged] = None
        return sides

    def _limits(self) -> tuple[float, float]:
        return 0.38, 0.70

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return 1 - np.maximum(_overexposure(table), _underexposure(table))
