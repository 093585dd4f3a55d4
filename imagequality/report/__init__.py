"""The report on a collection. It takes finished tables and imports nothing of the library."""

from ._compare import ReportComparison
from ._json import json_schema
from ._report import QualityReport
from ._text import guarded_cell, printable, unguarded_cell

__all__ = [
    "QualityReport",
    "ReportComparison",
    "guarded_cell",
    "json_schema",
    "printable",
    "unguarded_cell",
]
