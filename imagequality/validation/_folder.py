"""Judge the images of a folder, and write down why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..images import list_images
from ..measurements import Isolation
from ..report._overwriting import refuse_to_overwrite_images
from ..report._tables import write_guarded
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
    isolate: bool | Isolation = False,
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
        pandas. An existing file is overwritten, unless it is an image. Characters of file names
        that are no Unicode are written as backslash escapes; an apostrophe is put before text
        that a spreadsheet would run as a formula.
    n_jobs : int, default=None
        Number of workers, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar when it takes longer than a second.
    isolate : bool or Isolation, default=False
        Whether to read images in processes that may be lost, see :func:`measure`.

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
    FileExistsError
        If ``audit`` is an image, or a zip or tar archive; it is left as it is.
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
    table = validate_many(
        list_images(folder), chosen, n_jobs=n_jobs, progress=progress, isolate=isolate
    )
    if audit is not None:
        _write_audit(table, audit)
    return table[table["ok"]], table[~table["ok"]]


def _check_can_be_written(audit: Path) -> None:
    if audit.is_dir():
        raise IsADirectoryError(f"audit must be a file, got the folder {str(audit)!r}")
    if not audit.absolute().parent.is_dir():
        raise FileNotFoundError(f"audit: no such folder: {str(audit.parent)!r}")
    refuse_to_overwrite_images(audit)


def _write_audit(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    written = table.copy()
    issues = [";".join(issues) for issues in table["issues"]]
    written["issues"] = np.array(issues, dtype=object)
    write_guarded(written.rename_axis(index="path"), path)
