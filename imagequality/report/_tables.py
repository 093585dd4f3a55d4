"""One table of all that is said of each image, for CSV and Parquet files."""

from __future__ import annotations

import csv
import os
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._overwriting import refuse_to_overwrite_images
from ._text import guarded_cell, image_label, image_labels, objects, printable

if TYPE_CHECKING:
    from ._report import QualityReport

PLAN_COLUMNS = ("action", "why", "group", "kept")


def audit_table(report: QualityReport) -> pd.DataFrame:
    """Join the issues and the plan.

    Parameters
    ----------
    report : QualityReport

    Returns
    -------
    table : DataFrame
        One row per image, in their order: the columns of ``report.issues``, then those of
        ``report.plan``. The index is named as that of ``report.issues``, else "image". All text
        can be encoded as UTF-8.
    """
    table = report.issues.copy()
    # By position, since names may come twice; pandas would make strings of its own of objects,
    # and those refuse what is no Unicode.
    for column in ("action", "group"):
        table[column] = report.plan[column].array
    for column, values in (("reason", table["reason"]), ("why", report.plan["why"])):
        table[column] = _text_column(values)
    table["primary_issue"] = _text_column(table["primary_issue"])
    labels = image_labels(table.index)
    if any(isinstance(label, str) for label in labels):
        # A column of a file is of one type: positions between names become text.
        table.index = pd.Index(objects([str(label) for label in labels]), dtype=object)
        table["kept"] = _text_column(report.plan["kept"])
    else:
        table.index = pd.Index(labels, dtype="int64")
        kept = [image_label(value) for value in report.plan["kept"]]
        table["kept"] = pd.Series(kept, index=table.index, dtype="Int64").array
    table.index.name = str(report.issues.index.name or "image")
    return table[[*report.issues.columns, *PLAN_COLUMNS]]


def guarded_table(table: pd.DataFrame) -> pd.DataFrame:
    """Guard the text of a table, its index and its head, against being run as formulas.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    guarded : DataFrame
        A new one, see :func:`guarded_cell`.
    """
    guarded = table.copy()
    for column in guarded:
        if not pd.api.types.is_numeric_dtype(guarded[column].dtype):  # bool is one to pandas
            guarded[column] = objects([_guarded(value) for value in guarded[column]])
    names = objects([_guarded(name) for name in guarded.index])
    guarded.index = pd.Index(names, name=_guarded(guarded.index.name), dtype=object)
    guarded.columns = pd.Index(objects([_guarded(name) for name in guarded.columns]), dtype=object)
    return guarded


def write_guarded(table: pd.DataFrame, path: str | os.PathLike[str], *, index: bool = True) -> None:
    """Write a table as a CSV file in UTF-8 that a spreadsheet can open without harm.

    Parameters
    ----------
    table : DataFrame
    path : str or path-like
    index : bool, default=True
        Whether the index is the first column.

    Raises
    ------
    FileExistsError
        If the file is an image, or a zip or tar archive.
    """
    refuse_to_overwrite_images(path)
    guarded_table(table).to_csv(
        path,
        index=index,
        encoding="utf-8",
        quoting=csv.QUOTE_NONNUMERIC,  # or a carriage return in a file name would end the row
    )


def _text_column(values: pd.Series) -> NDArray[np.object_]:
    return objects([_text_or_none(value) for value in values])


def _guarded(value: Any) -> Any:
    """Guard what is written as text: a number keeps its sign, what is missing stays missing.

    The text can be encoded as UTF-8; pandas' own strings refuse what cannot.
    """
    if isinstance(value, Number) or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return value
    return guarded_cell(printable(str(value)))


def _text_or_none(value: Any) -> str | None:
    return None if value is None or value is pd.NA or value != value else printable(str(value))
