"""A report as JSON, by the schema in ``report.schema.json`` beside this file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._text import image_label, image_labels, printable

if TYPE_CHECKING:
    from ._report import QualityReport

SCHEMA_VERSION = 1
"""Raised when a field is renamed, removed or changes its meaning; not when one is added."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) that what :meth:`QualityReport.to_json` writes meets.

    Returns
    -------
    schema : dict

    Examples
    --------
    >>> json_schema()["properties"]["schema_version"]
    {'const': 1}
    """
    path = Path(__file__).with_name("report.schema.json")
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def write_json(report: QualityReport, path: str | os.PathLike[str] | None) -> str | None:
    """Return a report as JSON, or write it to a file and return None."""
    text = json.dumps(report_document(report), allow_nan=False)
    if path is None:
        return text
    Path(path).write_text(text + "\n", encoding="utf-8")
    return None


def report_document(report: QualityReport) -> dict[str, Any]:
    """Return a report as dicts, lists, strings, numbers, booleans and None.

    Parameters
    ----------
    report : QualityReport

    Returns
    -------
    document : dict
        See the schema. What is missing or not a number is None.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "n_images": len(report.issues),
        "n_flagged": int(report.issues["is_any_issue"].sum()),
        "n_drop": int((report.plan["action"] == "drop").sum()),
        "summary": _records(report.summary),
        "images": _image_records(report),
        "duplicates": _records(report.duplicates),
    }


def _image_records(report: QualityReport) -> list[dict[str, Any]]:
    names = [str(issue) for issue in report.summary["issue"]]
    table, plan = report.issues, report.plan
    plain = {"image": image_labels(table.index)}
    for column in ("quality_score", "is_any_issue", "primary_issue", "reason"):
        plain[column] = _plain_values(table[column])
    for column in ("action", "why", "group", "kept"):
        plain[column] = _plain_values(plan[column])
    nested = {}
    for field, column in (("scores", "{}_score"), ("flags", "is_{}_issue"), ("groups", "{}_group")):
        present = [name for name in names if column.format(name) in table]
        columns = [_plain_values(table[column.format(name)]) for name in present]
        by_row = zip(*columns, strict=True) if columns else [()] * len(table)
        nested[field] = [dict(zip(present, values, strict=True)) for values in by_row]
    fields = {**plain, **nested}
    return [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): _plain_values(table[name]) for name in table}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain_values(column: pd.Series) -> list[Any]:
    return [_plain_value(value) for value in column.tolist()]


def _plain_value(value: Any) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, str):
        return printable(value)
    return image_label(value)
