"""Estimators and reports → scores, and references to images → pixels that can be shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..detectors import IssueDetector
from ..images import UnreadableImageError, as_references, load_image
from ..thresholds._base import as_scores
from ._style import one_line

LARGEST_SIDE = 320  # pixels of a thumbnail; more are not seen


class Picture(NamedTuple):
    """An image to be shown, or the reason why it cannot be."""

    pixels: NDArray[np.uint8] | None
    size: str
    reason: str


def as_finite_scores(scores: ArrayLike) -> tuple[NDArray[np.float64], int]:
    """Return the scores that are there, and how many are not.

    Raises
    ------
    ValueError
        If the scores are not one-dimensional or hold an infinite value.
    """
    values = as_scores(scores)
    known = ~np.isnan(values)
    return values[known], int((~known).sum())


def detector_of(estimator: Any, issue: str | None) -> tuple[IssueDetector, str]:
    """Return one detector, and its name.

    Parameters
    ----------
    estimator : IssueDetector, or fitted QualityPipeline
    issue : str or None
        The detector's name in the pipeline.

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(estimator, IssueDetector):
        if issue not in (None, estimator.issue):
            raise ValueError(
                f"issue={issue!r}, but {type(estimator).__name__} finds {estimator.issue!r}"
            )
        return estimator, estimator.issue
    named = fitted_detectors(estimator)
    if issue not in named:
        raise ValueError(f"issue must be one of {', '.join(map(repr, named))}, got {issue!r}")
    return named[issue], issue


def fitted_detectors(pipeline: Any) -> dict[str, IssueDetector]:
    """Return the fitted detectors of a pipeline by name.

    Raises
    ------
    NotFittedError
    TypeError
        If it is no pipeline of detectors.
    """
    from sklearn.utils.validation import check_is_fitted

    if not hasattr(pipeline, "report"):
        raise TypeError(
            "estimator must be an IssueDetector or a QualityPipeline, "
            f"got {type(pipeline).__name__}"
        )
    check_is_fitted(pipeline)
    named: dict[str, IssueDetector] = pipeline.named_detectors_
    return named


def issue_of_report(report: Any, issue: str) -> pd.Series:
    """Return the row of a report's summary.

    Raises
    ------
    ValueError
        If there is none; the issues that there are are named.
    """
    summary: pd.DataFrame = report.summary
    rows = summary[summary["issue"] == issue]
    if rows.empty:
        known = ", ".join(map(repr, summary["issue"]))
        raise ValueError(f"issue must be one of {known}, got {issue!r}")
    return rows.iloc[0]


class ImageSource:
    """Where the images of a table are, and what they are called.

    Parameters
    ----------
    names : Index
        Of the table's rows: paths, or anything else if ``images`` is given.
    images : collection of images or None
        In the order of the rows.
    loader : callable or None
        A reference → an RGB uint8 array. None: :func:`imagequality.load_image`.

    Raises
    ------
    ValueError
        If there are more or fewer images than rows.
    """

    def __init__(
        self, names: pd.Index, images: Any = None, loader: Callable[[Any], Any] | None = None
    ) -> None:
        self._names = names
        self._load = load_image if loader is None else loader
        self._references: Sequence[Any] | None = None
        if images is not None:
            self._references, _ = as_references(images)
            if len(self._references) != len(names):
                raise ValueError(
                    f"images must be those that were audited: expected {len(names)}, "
                    f"got {len(self._references)}"
                )

    def name(self, position: int) -> str:
        """Return the file name of the image at a position, else its number."""
        name = self._names[position]
        if isinstance(name, (str, os.PathLike)):
            whole = os.fsdecode(name).replace("\\", "/").rstrip("/")
            return one_line(whole.rpartition("/")[2])
        return f"image {one_line(name)}"

    def picture(self, position: int) -> Picture:
        """Load the image at a position, and make it small.

        Raises
        ------
        ValueError
            If nothing says where the image is.
        """
        try:
            pixels = np.asarray(self._load(self._reference(position)))
        except (UnreadableImageError, OSError) as error:
            return Picture(None, "", one_line(error))
        height, width = pixels.shape[:2]
        return Picture(thumbnail(pixels), f"{width}×{height}", "")

    def _reference(self, position: int) -> Any:
        if self._references is not None:
            return self._references[position]
        name = self._names[position]
        if not isinstance(name, (str, os.PathLike)):
            raise ValueError(
                f"the table knows image {name!r} by its number only: pass the collection that was "
                "audited as images="
            )
        return name


def thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink an image to ``LARGEST_SIDE``, by averaging areas; smaller ones stay as they are."""
    height, width = pixels.shape[:2]
    ratio = LARGEST_SIDE / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
