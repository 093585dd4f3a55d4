"""The scan: references in batches → one row each, in order, whatever happens to an image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin

from .._base import N_JOBS, takes_images, validate_arguments, validate_parameters
from ..images import RGBArray, UnreadableImageError, as_references, quiet_decoders, read_image
from ._columns import INTEGER_COLUMNS, STATUS_COLUMNS, TEXT_COLUMNS, Column, Plan
from ._embedding import embed

_BATCH = 64  # images per task: enough to hide the cost of a task, few enough to keep memory low
_PIXELS_HELD = 32_000_000  # that wait for an embedding: 96 MB per worker
_SECONDS_BEFORE_BAR = 1.0

Row = dict[str, Any]

_ARGUMENTS: dict[str, list[Any]] = {"n_jobs": N_JOBS, "progress": ["boolean"]}


def measure(
    X: Any,
    columns: Iterable[Column] | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Decode every image once and measure it.

    Parameters
    ----------
    X : list, tuple, ndarray, Series or one-column DataFrame
        References (str, Path, bytes, PIL image, array) or an ``(n, h, w[, c])`` array.
    columns : iterable of str, Measurement or Embedding, default=None
        What to measure, see :data:`imagequality.measurements.ALL_COLUMNS`; None means what the
        default pipeline needs, the facts of the file, and what the other percentiles of
        :class:`LightDetector` need. Other ``method`` parameters need further columns.
    n_jobs : int, default=None
        Number of joblib workers; None means 1 unless in a ``joblib.parallel_config`` context,
        -1 means all cores. The decoders release the interpreter's lock, so workers are threads
        unless such a context says otherwise.
    progress : bool, default=True
        Whether to show a progress bar when the scan takes longer than a second. There is
        never one where the output is not a terminal or notebook.

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
        If X is no collection of images, a column is unknown, or the transformer of an
        :class:`Embedding` returns not one vector per image or vectors of different lengths. A
        broken image raises nothing.

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
    validate_arguments(_ARGUMENTS, {"n_jobs": n_jobs, "progress": progress}, "imagequality.measure")
    plan = Plan(columns)
    references, names = as_references(X)
    batches = [references[start : start + _BATCH] for start in range(0, len(references), _BATCH)]
    try:
        parallel = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
    except ValueError:  # joblib's multiprocessing backend gives all its results at once
        parallel = Parallel(n_jobs=n_jobs, prefer="threads")
    with quiet_decoders:
        rows = list(
            _with_bar(
                chain.from_iterable(parallel(delayed(_measure_batch)(b, plan) for b in batches)),
                total=len(references),
                progress=progress,
            )
        )
    return _as_table(rows, plan, names)


def _with_bar(rows: Iterable[Row], total: int, progress: bool) -> Iterator[Row]:
    # Imported here since it warns at once in a notebook that cannot draw its bar.
    from tqdm.auto import tqdm

    yield from tqdm(
        rows,
        total=total,
        desc="Measuring images",
        unit="image",
        delay=_SECONDS_BEFORE_BAR,
        disable=None if progress else True,
    )


def _measure_batch(references: Sequence[Any], plan: Plan) -> list[Row]:
    rows: list[Row] = []
    held: list[tuple[Row, RGBArray]] = []  # what waits for the embeddings
    pixels_held = 0
    with quiet_decoders:
        for reference in references:
            row, rgb = _measure_one(reference, plan)
            rows.append(row)
            if not (plan.embeddings and row["valid"]):
                continue
            pixels = rgb.shape[0] * rgb.shape[1]
            if pixels_held + pixels > _PIXELS_HELD:
                _add_embeddings(held, plan)
                held, pixels_held = [], 0
            held.append((row, rgb))
            pixels_held += pixels
        _add_embeddings(held, plan)
    return rows


def _measure_one(reference: Any, plan: Plan) -> tuple[Row, RGBArray]:
    """Return the row of one image, and its pixels: none where it could not be read."""
    try:
        image = read_image(reference)
    except UnreadableImageError as error:
        return _invalid(str(error)), np.empty((0, 0, 3), dtype=np.uint8)
    try:
        return {"valid": True, "reason": "", **plan.measure(image)}, image.pixels
    except Exception as error:  # one image must not end the scan of a million
        return _unmeasured(str(error) or type(error).__name__), image.pixels


def _add_embeddings(held: list[tuple[Row, RGBArray]], plan: Plan) -> None:
    """Put the vectors into the rows; a row without one becomes invalid."""
    for embedding in plan.embeddings:
        if not held:
            return
        outcomes = embed(embedding, [rgb for _, rgb in held])
        for (row, _), outcome in zip(held, outcomes, strict=True):
            if isinstance(outcome, str):
                row.clear()
                row.update(_unmeasured(outcome))
            else:
                row[embedding.name] = outcome
        held = [(row, rgb) for row, rgb in held if row["valid"]]


def _unmeasured(why: str) -> Row:
    return _invalid(f"cannot be measured: {why}")


def _invalid(reason: str) -> Row:
    return {"valid": False, "reason": reason}


def _as_table(rows: list[Row], plan: Plan, names: pd.Index) -> pd.DataFrame:
    data = {
        name: _as_column(name, [row.get(name) for row in rows], names, plan)
        for name in (*STATUS_COLUMNS, *plan.columns)
    }
    return pd.DataFrame(data, index=names)


def _as_column(name: str, values: list[Any], names: pd.Index, plan: Plan) -> Any:
    if name == "valid":
        return np.array(values, dtype=bool)
    if name in plan.vector_columns:
        lengths = sorted({len(value) for value in values if value is not None})
        if len(lengths) > 1:
            raise ValueError(
                f"the vectors of {name!r} must all have one length, got {lengths[0]} and "
                f"{lengths[-1]}"
            )
    if name in TEXT_COLUMNS or name in plan.vector_columns:
        # A Series keeps its dtype; a bare array of text becomes another one in pandas 3.
        return pd.Series(values, dtype=object, index=names)
    if name in INTEGER_COLUMNS:
        return pd.array(values, dtype="Int64")
    return np.array(values, dtype=np.float64)


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
    ) -> None:
        self.columns = columns
        self.n_jobs = n_jobs
        self.progress = progress

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
        return measure(X, self.columns, n_jobs=self.n_jobs, progress=self.progress)

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
