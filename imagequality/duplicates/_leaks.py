"""Images that two sets share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from .._base import N_JOBS, validate_arguments, validate_parameters
from ..detectors._base import find_table
from ..measurements import measure
from ._base import DuplicateDetectorBase
from ._near import NearDuplicateDetector


def find_leaks(
    train: Any,
    test: Any,
    detector: DuplicateDetectorBase | None = None,
    *,
    n_jobs: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Find images of one set that are duplicates of images of another.

    Parameters
    ----------
    train, test : collections of images, or measurement tables
        See :meth:`IssueDetector.fit`.
    detector : duplicate detector, default=None
        Unfitted; it is cloned and fitted on both sets together. None:
        :class:`NearDuplicateDetector`.
    n_jobs : int, default=None
        Number of workers for measuring, see :func:`measure`.
    progress : bool, default=False
        Whether to show a progress bar on long work.

    Returns
    -------
    leaks : DataFrame
        One row per pair of linked images: ``train`` and ``test``, the images' labels (paths,
        or positions of images without a name); ``train_position`` and ``test_position``;
        ``distance``; ``kind``. Sorted by ``test_position``, then ``distance``.

    Raises
    ------
    ValueError, TypeError
        If an argument is bad or a set is empty.

    Examples
    --------
    >>> from imagequality import find_leaks
    >>> from imagequality.datasets import make_flawed_images
    >>> images, _ = make_flawed_images(40, contamination=0, random_state=0)
    >>> train, test = [*images[:30]], [*images[30:], images[3] // 2 + 40]
    >>> find_leaks(train, test)[["train", "test", "kind"]]
       train  test       kind
    0      3    10  phash_256
    """
    validate_arguments(
        {"detector": [None, DuplicateDetectorBase], "n_jobs": N_JOBS, "progress": ["boolean"]},
        {"detector": detector, "n_jobs": n_jobs, "progress": progress},
        "find_leaks",
    )
    fitted = NearDuplicateDetector() if detector is None else clone(detector)
    validate_parameters(fitted)  # before a bad one picks the columns
    columns = fitted._columns()
    tables = []
    for name, images in (("train", train), ("test", test)):
        table = find_table(images, columns)
        if table is None:
            table = measure(images, columns, n_jobs=n_jobs, progress=progress)
        if not len(table):
            raise ValueError(f"find_leaks: {name} holds no image")
        tables.append(table)
    fitted.fit(pd.concat(tables, ignore_index=True))
    n_train = len(tables[0])
    pairs = fitted.pairs_
    across = pairs[(pairs["i"] < n_train) & (pairs["j"] >= n_train)]
    i, j = across["i"].to_numpy(), across["j"].to_numpy() - n_train
    leaks = pd.DataFrame(
        {
            "train": _names(tables[0], i),
            "test": _names(tables[1], j),
            "train_position": i,
            "test_position": j,
            "distance": across["distance"].to_numpy(),
            "kind": across["kind"].astype(object).to_numpy(),
        }
    )
    order = np.lexsort((leaks["train_position"], leaks["distance"], leaks["test_position"]))
    return leaks.iloc[order].reset_index(drop=True)


def _names(table: pd.DataFrame, rows: Any) -> Any:
    names = table.index[rows]
    # Of a bare array pandas 3 makes text of its own, which not every file name can be.
    return pd.Series(names.to_numpy(), dtype=object) if names.dtype == object else names
