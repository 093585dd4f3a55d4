"""The report on a collection. It takes finished tables and imports nothing of the library."""

from ._report import QualityReport

__all__ = ["QualityReport"]
