"""Noisy."""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
from numpy.typing import ArrayLike

from ._base import IssueDetector

_HALF = 10.0  # grey levels of noise that halve the score


class NoiseDetector(IssueDetector):
    """Find images that are noisy: high sensitivity, bad light, analogue transmission.

    The score is 1 / (1 + σ / 10), where σ is the standard deviation of the noise in the
    flattest parts of the image, in grey levels
    (:func:`imagequality.measurements.noise_sigma`): 1 without noise, 0.67 at σ = 5, 0.5 at
    10, 0.29 at 25. Contrast and texture elsewhere in the image do not count.

    Parameters
    ----------
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` between 0.33 (σ = 20) and 0.50 (σ = 10).

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    The score is that of the pixels at hand: shrinking an image removes noise, and so does
    compressing it. Known failures: fine texture over the whole image (a field of flowers)
    reads as noise of up to σ = 20; coarse grain reads as weaker than it is.

    References
    ----------
    J. Immerkær, "Fast noise variance estimation", Computer Vision and Image Understanding 64,
    1996.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import NoiseDetector
    >>> from imagequality.perturbations import add_noise
    >>> smooth = np.tile(np.arange(64, 192, dtype=np.uint8), (128, 1))[..., None].repeat(3, 2)
    >>> NoiseDetector().fit_predict([smooth, add_noise(smooth, 25, random_state=0)])
    array([0, 1])
    """

    issue = "noisy"
    columns = ("noise_sigma",)
    validation_limit: ClassVar[float | None] = 0.36  # of one image, without a collection

    def _limits(self) -> tuple[float, float]:
        return 0.33, 0.50

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return 1 / (1 + table["noise_sigma"].to_numpy() / _HALF)
