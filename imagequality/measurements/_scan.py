"""The scan: references in batches → one row each, in order, whatever happens to an image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from .._base import (
    N_JOBS,
    Interval,
    StrOptions,
    takes_images,
    validate_arguments,
    validate_parameters,
)
from ..images import as_references, as_stream, names_of
from ._columns import STATUS_COLUMNS, Column, Plan
from ._isolation import Isolation
from ._table import as_table, joined
from ._workers import ScanOptions, scan_collection, scan_stream

_ARGUMENTS: dict[str, list[Any]] = {
    "n_jobs": N_JOBS,
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "cache": [None, str, os.PathLike],
    "progress": ["boolean"],
    "isolate": ["boolean", Isolation],
}


def measure(
    X: Any,
    columns: Iterable[Column] | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
    *,
    batch_size: int | str = "auto",
    cache: str | os.PathLike[str] | None = None,
    isolate: bool | Isolation = False,
) -> pd.DataFrame:
    """Decode every image once and measure it.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, one-column DataFrame or iterator
        References (str, Path, bytes, PIL image, array; URLs, members of archives), an
        ``(n, h, w[, c])`` array, or an iterator of references or of (key, reference) pairs,
        which is consumed batch by batch.
    columns : iterable of str, Measurement or Embedding, default=None
        What to measure, see :data:`imagequality.measurements.ALL_COLUMNS`; None means what the
        default pipeline needs, the facts of the file, and what the other percentiles of
        :class:`LightDetector` need. Other ``method`` parameters need further columns.
    n_jobs : int, default=None
        Number of joblib workers; None means 1 unless in a ``joblib.parallel_config`` context,
        -1 means all cores. The workers are processes for files of less than a megabyte, which
        spend much of their time in Python, if there are so many that starting processes pays
        (six thousand photographs of 0.2 megapixels, 200,000 thumbnails); else
        threads. A ``parallel_config`` context overrides that.
    progress : bool, default=True
        Whether to show a progress bar when the scan takes longer than a second. There is
        never one where the output is not a terminal or notebook.
    batch_size : int or "auto", default="auto"
        Images per task. "auto" goes by their size: many thumbnails, few large photographs.
    cache : str or path-like, default=None
        A store of measurements (an SQLite file, made if it is not there). What it holds of
        unchanged images is not measured again, and every batch is added as soon as it is
        measured, so that a scan that was killed goes on where it was. See
        :class:`imagequality.measurements.Store`.
    isolate : bool or Isolation, default=False
        Whether to read and measure images in processes that may be lost: an image whose decoder
        crashes, takes longer than 30 seconds, or needs more memory than an
        :class:`imagequality.measurements.Isolation` allows, becomes an invalid row, and all others
        are the same as without. ``n_jobs`` is the number of processes, always on this machine.

    Returns
    -------
    table : DataFrame of shape (n, n_columns + 2)
        One row per image, in order; its index is that of a pandas input, else the path, else
        the position. ``valid`` says whether the image could be measured; if not, ``reason``
        says why and the other cells are missing. Vectors are float32 arrays, one in each cell.
        A table that was written as CSV must be read
        back with ``dtype=dict.fromkeys(imagequality.measurements.TEXT_COLUMNS, str)``, or
        pandas takes some hashes for numbers.

    Raises
    ------
    TypeError, ValueError
        If X is no collection of images, a column is unknown, the transformer of an
        :class:`Embedding` returns not one vector per image or vectors of different lengths, or
        ``cache`` is no store of measurements. A broken image raises nothing.
    WorkerError
        If a process that measures has ended without ``isolate``, or cannot be started with it.

    Notes
    -----
    Images of at most 4096 pixels are measured in stacks of one shape, larger ones one by one;
    a row is the same whatever images surround it. Of images above 1,048,576 pixels some
    quantities are taken from a sample: brightness, value, intensity, the shares of clipped,
    bright and crushed pixels, and entropy from some rows (see
    :func:`imagequality.measurements.sampled_rows`), noise, compression and pixelation from
    tiles; ``hash_contrast`` and, above 2048 pixels a side, ``edge_frequency`` are seen in an
    image that was halved first (0.01 off on photographs, 0.055 at most on scanned pages). What
    identifies an image (digest and hashes) is always taken from all of it.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import measure
    >>> images = [np.zeros((4, 6, 3), np.uint8), b"no image"]
    >>> table = measure(images, columns=["width", "height", "entropy"])
    >>> table.round(3)
       valid                                       reason  width  height  entropy
    0   True                                                   6       4    1.585
    1  False  not an image in a format that can be read   <NA>    <NA>      NaN
    """
    arguments = {
        "n_jobs": n_jobs,
        "progress": progress,
        "batch_size": batch_size,
        "cache": cache,
        "isolate": isolate,
    }
    validate_arguments(_ARGUMENTS, arguments, "imagequality.measure")
    plan = Plan(columns)
    options = ScanOptions(n_jobs, batch_size, cache, progress, isolate)
    stream = as_stream(X)
    if stream is None:
        references, index = as_references(X)
        parts = scan_collection(references, plan, options)
    else:
        names, parts = scan_stream(stream, plan, options)
        index = names_of(names)
    return as_table(joined(parts, plan), plan, index)


class Measurer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Transformer from images to their measurement table.

    Parameters
    ----------
    columns : sequence of str, Measurement or Embedding, default=None
        What to measure; None means what the default pipeline needs.
    n_jobs : int, default=None
        Number of joblib workers, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar on long work.
    batch_size : int or "auto", default="auto"
        Images per task, see :func:`measure`.
    cache : str or path-like, default=None
        A store of measurements, see :func:`measure`.
    isolate : bool or Isolation, default=False
        Whether to measure in processes that may be lost, see :func:`measure`.

    Examples
    --------
    Measure once at the head of a scikit-learn pipeline:

    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from imagequality import DarkDetector, Measurer
    >>> images = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (9, 150, 250)])
    >>> make_pipeline(Measurer(), DarkDetector()).fit(images).predict(images)
    array([1, 0, 0])
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "columns": [None, "array-like"],
        **_ARGUMENTS,
    }

    def __init__(
        self,
        columns: Sequence[Column] | None = None,
        *,
        n_jobs: int | None = None,
        progress: bool = True,
        batch_size: int | str = "auto",
        cache: str | os.PathLike[str] | None = None,
        isolate: bool | Isolation = False,
    ) -> None:
        self.columns = columns
        self.n_jobs = n_jobs
        self.progress = progress
        self.batch_size = batch_size
        self.cache = cache
        self.isolate = isolate

    def fit(self, X: Any, y: Any = None) -> Measurer:
        """Check the parameters; there is nothing to learn.

        Parameters
        ----------
        X : collection of images
            Not opened.
        y : ignored

        Returns
        -------
        self : Measurer
        """
        validate_parameters(self)
        Plan(self.columns)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Measure the images.

        Parameters
        ----------
        X : collection of images

        Returns
        -------
        table : DataFrame
            See :func:`measure`. It is a DataFrame whatever ``set_output`` says.
        """
        return measure(
            X,
            self.columns,
            n_jobs=self.n_jobs,
            progress=self.progress,
            batch_size=self.batch_size,
            cache=self.cache,
            isolate=self.isolate,
        )

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the table's columns."""
        return np.array([*STATUS_COLUMNS, *Plan(self.columns).columns], dtype=object)

    def set_output(self, *, transform: Any = None) -> Measurer:
        """Do nothing: the result is always a DataFrame.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self : Measurer
        """
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.requires_fit = False
        return tags
