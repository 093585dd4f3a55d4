"""Exact duplicates: equal pixels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._base import DuplicateDetectorBase, Links
from ._contents import Contents
from ._keep import Keep


class ExactDuplicateDetector(DuplicateDetectorBase):
    """Find images whose decoded pixels are equal, in whatever files they are stored.

    The score of an image is 1 / the number of images in the fitted collection with its pixels
    and shape, itself included (CleanVision's definition): 1 for a unique image, 0.5 for each
    of a pair. For images that were not in ``fit``, the content is looked up among the fitted
    ones; unmatched is 1.

    Parameters
    ----------
    keep : {"best", "first"} or callable, default="best"
        Which image of a group stays, see :class:`NearDuplicateDetector`.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int
        Number of the group of each fitted image, −1 for images without a duplicate.
    pairs_ : DataFrame
        All pairs of duplicates: positions ``i`` < ``j``, ``distance`` 0, ``kind`` "exact".
    groups_ : DataFrame
        One row per group, see :class:`NearDuplicateDetector`.
    keep_ : ndarray of shape (n,), bool
        False for the images of each group that need not be kept.
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Images are compared as they are measured, in RGB with 8 bits a channel: a file and its
    losslessly converted or EXIF-rotated twin are equal, and so are two 16-bit images that
    differ only in their low bytes. ``predict`` on new images tells which of them repeat a
    *group* of the fitted collection; whether they repeat any fitted image is asked with
    ``find_matches``.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import ExactDuplicateDetector
    >>> images = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (1, 2, 1)])
    >>> detector = ExactDuplicateDetector().fit(images)
    >>> detector.predict(images), detector.labels_, detector.keep_
    (array([1, 0, 1]), array([ 0, -1,  0]), array([ True,  True, False]))
    >>> detector.find_matches(images[1:2])
       i  j  distance   kind
    0  0  1       0.0  exact
    """

    issue = "exact_duplicates"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DuplicateDetectorBase._parameter_constraints
    }

    def __init__(self, *, keep: Keep = "best") -> None:
        self.keep = keep

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        return [], np.arange(len(contents))

    def _match(self, table: pd.DataFrame) -> Links:
        return []
