"""Compressed too strongly; too few real pixels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .._base import StrOptions
from ..measurements import Column
from ..thresholds import ThresholdSelector
from ._base import IssueDetector

_REPEATS = 0.5  # share of real pixels below which blocks are repeated pixels, not JPEG's


class CompressionDetector(IssueDetector):
    """Find images that were compressed so strongly that the 8 × 8 blocks of JPEG show.

    ``method="blockiness"``: the score is the step inside the blocks as a share of the step
    across their borders, exp(−b) with b from :func:`imagequality.measurements.blockiness`: 1
    where no grid is seen, about 0.45 for JPEG of quality 60, 0.2 to 0.35 for 20, 0.1 for 5. It
    looks at pixels alone, so it also finds what was compressed once and saved as PNG later. An
    image of repeated pixels (:class:`PixelationDetector`) has a grid that is not JPEG's; its
    score is 1.

    ``method="jpeg_quality"``: the score is the quality setting over 100 that the file's own
    quantisation table stands for (:func:`imagequality.measurements.jpeg_quality`). It is NaN,
    not judged, for whatever is no JPEG file: this is the one score that the file decides and
    not its pixels. It does not see what happened before the file was last saved.

    Parameters
    ----------
    method : {"blockiness", "jpeg_quality"}, default="blockiness"
        Which score.
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` within the method's limits: 0.35 to 0.53 for
        ``"blockiness"``, 0.30 (a quality of 30) to 0.60 for ``"jpeg_quality"``.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Known failures of the blockiness: an image that was resized after compression has lost its
    grid; WebP, HEIC and AVIF smooth theirs; in 32-pixel images few blocks are there to see, so
    only qualities below about 20 stand out.

    References
    ----------
    Z. Wang, H. R. Sheikh and A. C. Bovik, "No-reference perceptual quality assessment of JPEG
    compressed images", ICIP 2002; ITU-T T.81, annex K.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import CompressionDetector
    >>> from imagequality.datasets import make_flawed_images
    >>> from imagequality.perturbations import compress_jpeg
    >>> image = make_flawed_images(1, contamination=0, size=96, random_state=0)[0][0]
    >>> CompressionDetector().fit_predict([image, compress_jpeg(image, 5)])
    array([0, 1])
    """

    issue = "compressed"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "method": [StrOptions({"blockiness", "jpeg_quality"})],
    }
    _limits_of: ClassVar[dict[str, tuple[float, float]]] = {
        "blockiness": (0.35, 0.53),
        "jpeg_quality": (0.30, 0.60),
    }
    validation_limit: ClassVar[float | None] = 0.42  # of one image, without a collection

    def __init__(
        self, method: str = "blockiness", *, threshold: ThresholdSelector | float | None = None
    ) -> None:
        self.method = method
        self.threshold = threshold

    def _columns(self) -> tuple[Column, ...]:
        if self.method == "jpeg_quality":
            return ("jpeg_quality",)
        return ("blockiness", "block_repetition")

    def _limits(self) -> tuple[float, float]:
        return self._limits_of[self.method]

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        if self.method == "jpeg_quality":
            return table["jpeg_quality"].to_numpy() / 100
        score = np.exp(-table["blockiness"].to_numpy())
        return np.where(table["block_repetition"].to_numpy() < _REPEATS, 1.0, score)


class PixelationDetector(IssueDetector):
    """Find images that were enlarged from a lower resolution.

    The score is min(r, e). r is the share of the pixels that do not repeat their neighbour
    (:func:`imagequality.measurements.block_repetition`): 1/f² after nearest-neighbour
    enlargement by f. e is the share of the frequency range that is used
    (:func:`imagequality.measurements.spectral_extent`): about 1/f after smooth enlargement by
    f. Repeated pixels show, missing detail is only soft: so a factor of 2 scores 0.25 by
    repetition and 0.5 by smooth interpolation.

    Parameters
    ----------
    threshold : ThresholdSelector, float or None, default=None
        None is :class:`AutoThreshold` between 0.30 (any repetition, or smooth enlargement by
        more than 3) and 0.45, below a factor of 2: of a whole collection at double size
        nothing is flagged.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Smooth enlargement is a blur, and the score finds both. It is a property of the pixels at
    hand: an image at double size scores half. A large photograph that is soft at its full
    resolution scores low, too, while :class:`BlurDetector`, which shrinks to 512 pixels first,
    lets it pass. Below 32 pixels only repetition is seen. Known failures: a gradient, fog, a
    chequered board. What was enlarged and then saved as JPEG is often missed, as the repeated
    pixels are no longer equal: of photographs enlarged 4 times without interpolation and saved
    at quality 90, about half score above 0.30.

    References
    ----------
    See :func:`imagequality.measurements.block_repetition` and
    :func:`imagequality.measurements.spectral_extent`.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import PixelationDetector
    >>> from imagequality.perturbations import pixelate
    >>> sharp = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> images = [sharp, pixelate(sharp, 4), pixelate(sharp, 4, "bicubic")]
    >>> PixelationDetector().fit_predict(images)
    array([0, 1, 1])
    """

    issue = "pixelated"
    columns = ("block_repetition", "spectral_extent")
    validation_limit: ClassVar[float | None] = 0.30  # of one image, without a collection

    def _limits(self) -> tuple[float, float]:
        return 0.30, 0.45

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        return np.minimum(table["block_repetition"].to_numpy(), table["spectral_extent"].to_numpy())
