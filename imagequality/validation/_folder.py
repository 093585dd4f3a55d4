"""Judge the images of a folder, and write down why."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..images import list_images
from ..report import guarded_cell
from ._profiles import ProfileLike, resolve_profile
from ._validate import validate_many


def validate_folder(
    folder: str | os.PathLike[str],
    profile: ProfileLike = "classification",
    thresholds: Mapping[str, float] | None = None,
    *,
    min_side: int | None = None,
    audit: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judge the images of a folder and its sub-folders. No image is moved or changed.

    Parameters
    ----------
    folder : str or path-like
        See :func:`list_images`.
    profile, thresholds, min_side
        See :func:`validate`.
    audit : str or path-like, default=None
        A CSV file to write, UTF-8: one row for each image, with ``path``, ``ok``, ``score``,
        ``issues`` (joined by ";"), ``reason``, ``is_invalid_issue``, and ``<issue>_score`` and
        ``is_<issue>_issue`` for each issue, so that :func:`class_report` takes it, read by
        pandas. An existing file is overwritten. Characters of file names that are no Unicode are
        written as backslash escapes; an apostrophe is put before text that a spreadsheet would
        run as a formula.
    n_jobs : int, default=None
        Number of workers, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar when it takes longer than a second.

    Returns
    -------
    accepted, rejected : DataFrame
        The rows of :func:`validate_many`, those that are ok and the others.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the folder does not exist or is none, or that of ``audit`` does not exist.
    IsADirectoryError
        If ``audit`` is a folder.
    TypeError, ValueError
        As for :func:`validate`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (80, 80)).save(folder / "black.png")
    >>> accepted, rejected = validate_folder(folder, audit=folder / "audit.csv")
    >>> len(accepted), rejected["reason"].tolist()
    (0, ['dark: the brightest parts reach 0 % of full brightness, at least 30 % are needed'])
    """
    chosen = resolve_profile(profile, thresholds, min_side)
    if audit is not None:
        _check_can_be_written(Path(audit))
    table = validate_many(list_images(folder), chosen, n_jobs=n_jobs, progress=progress)
    if audit is not None:
        _write_audit(table, audit)
    return table[table["ok"]], table[~table["ok"]]


def _check_can_be_written(audit: Path) -> None:
    if audit.is_dir():
        raise IsADirectoryError(f"audit must be a file, got the folder {str(audit)!r}")
    if not audit.absolute().parent.is_dir():
        raise FileNotFoundError(f"audit: no such folder: {str(audit.parent)!r}")


def _write_audit(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    written = table.copy()
    written["issues"] = _texts([";".join(issues) for issues in table["issues"]])
    written["reason"] = _texts([guarded_cell(reason) for reason in table["reason"]])
    written.index = pd.Index(
        _texts([guarded_cell(str(name)) for name in table.index]), name="path", dtype=object
    )
    # Quoted, or a carriage return in a file name would end the row.
    written.to_csv(path, encoding="utf-8", errors="backslashreplace", quoting=csv.QUOTE_NONNUMERIC)


def _texts(values: list[str]) -> NDArray[np.object_]:
    """Keep text as it is: pandas' own strings refuse file names that are no Unicode."""
    return np.array(values, dtype=object)
