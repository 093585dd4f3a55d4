"""Two reports side by side: before and after cleaning, or train and test."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._text import in_one_line, is_named, objects

if TYPE_CHECKING:
    from ._report import QualityReport


@dataclass(frozen=True, eq=False, repr=False)
class ReportComparison:
    """What differs between two reports. Made by :meth:`QualityReport.compare`.

    Parameters
    ----------
    table : DataFrame
        One row per issue of either report, and a first row "any issue": for each of the two
        ``count_<name>``, ``share_<name>`` and ``threshold_<name>`` (missing where a report does
        not know the issue; of "any issue" there is no threshold), ``difference`` of the shares,
        second minus first, and over the images in both ``fixed`` (had it in the first only),
        ``new`` (has it in the second only) and ``unchanged`` (has it in both).
    images : DataFrame
        One row per image of either report, by name: ``status``, one of "fixed", "new",
        "unchanged" (flagged in both), "fine" (in neither), "removed" (only in the first
        report) and "added" (only in the second), and ``issues_<name>``, the issues joined by
        ";". Empty where the images have no names.
    names : tuple of two str
        What the two reports are called.
    sizes : tuple of two int
        How many images each of them holds.
    """

    table: pd.DataFrame
    images: pd.DataFrame
    names: tuple[str, str]
    sizes: tuple[int, int]

    def __str__(self) -> str:
        shown = self._shown().to_string(
            index=False, na_rep="", formatters=self._formatters(), justify="right"
        )
        return f"{self._headline()}\n\n{shown}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = self._shown().to_html(index=False, na_rep="", formatters=self._formatters())
        return f"<p>{escape(in_one_line(self._headline()))}</p>{table}"

    def _headline(self) -> str:
        sizes = ", ".join(
            f"{name}: {size:,} images" for name, size in zip(self.names, self.sizes, strict=True)
        )
        if not len(self.images):
            return f"{sizes}; images are not compared one by one, they have no names"
        status = self.images["status"].value_counts()
        told = [f"{status[name]:,} {name}" for name in _STATUSES if name in status]
        return f"{sizes}; {', '.join(told)}"

    def _shown(self) -> pd.DataFrame:
        """Return the rows of issues that either has, and the columns that say something."""
        counts = self.table[[f"count_{name}" for name in self.names]].fillna(0)
        shown = self.table[(counts > 0).any(axis=1) | (self.table["issue"] == ANY_ISSUE)]
        if not len(self.images):
            shown = shown.drop(columns=["fixed", "new", "unchanged"])
        return shown

    def _formatters(self) -> dict[Any, Any]:
        first, second = self.names
        share = "{:.2%}".format
        number = "{:.4g}".format
        return {
            "issue": in_one_line,
            f"share_{first}": share,
            f"share_{second}": share,
            "difference": "{:+.2%}".format,
            f"threshold_{first}": number,
            f"threshold_{second}": number,
        }


ANY_ISSUE = "any issue"
_STATUSES = ("fixed", "new", "unchanged", "fine", "removed", "added")


def compare_reports(
    first: QualityReport, second: QualityReport, names: tuple[str, str]
) -> ReportComparison:
    """Compare two reports, see :meth:`QualityReport.compare`."""
    flags = (_flags_by_name(first), _flags_by_name(second))
    both = flags[0].index.intersection(flags[1].index)
    issues = list(dict.fromkeys([*flags[0].columns, *flags[1].columns]))
    rows = []
    for issue in issues:
        row: dict[str, Any] = {"issue": issue}
        for name, report in zip(names, (first, second), strict=True):
            row |= _numbers_of(report, issue, name)
        row["difference"] = row[f"share_{names[1]}"] - row[f"share_{names[0]}"]
        row |= _changes(flags, both, issue)
        rows.append(row)
    table = pd.DataFrame(rows)
    whole = [f"count_{name}" for name in names] + ["fixed", "new", "unchanged"]
    table[whole] = table[whole].astype("Int64")
    order = [f"{kind}_{name}" for kind in ("count", "share") for name in names]
    order = ["issue", *order, "difference", *(f"threshold_{name}" for name in names)]
    return ReportComparison(
        table=table[[*order, "fixed", "new", "unchanged"]],
        images=_statuses(flags, names),
        names=names,
        sizes=(len(first.issues), len(second.issues)),
    )


def _numbers_of(report: QualityReport, issue: str, name: str) -> dict[str, Any]:
    if issue == ANY_ISSUE:
        flagged = int(report.issues["is_any_issue"].sum())
        count, share, threshold = flagged, flagged / len(report.issues), np.nan
    else:
        found = report.summary[report.summary["issue"] == issue]
        if not len(found):
            return {f"count_{name}": pd.NA, f"share_{name}": np.nan, f"threshold_{name}": np.nan}
        count, share, threshold = found.iloc[0][["count", "share", "threshold"]]
    return {f"count_{name}": count, f"share_{name}": share, f"threshold_{name}": threshold}


def _flags_by_name(report: QualityReport) -> pd.DataFrame:
    """Return a boolean column per issue, by the names of images; no rows without names."""
    columns = {ANY_ISSUE: report.issues["is_any_issue"].to_numpy(dtype=bool)}
    for issue in report.summary["issue"]:
        own = report.issues[f"is_{issue}_issue"]
        columns[issue] = own.to_numpy(dtype=bool, na_value=False)
    names = pd.Index(report.issues.index.to_numpy(dtype=object), dtype=object)
    flags = pd.DataFrame(columns, index=names)
    if not is_named(names):  # the third of one collection is not the third of another
        return flags.head(0)
    if names.is_unique:
        return flags
    number, known = pd.factorize(names)
    repeated = flags.groupby(number, sort=False).any()
    return repeated.set_axis(pd.Index(objects(list(known)), dtype=object))


def _changes(
    flags: tuple[pd.DataFrame, pd.DataFrame], both: pd.Index, issue: str
) -> dict[str, Any]:
    if not len(both) or any(issue not in part for part in flags):
        return {"fixed": pd.NA, "new": pd.NA, "unchanged": pd.NA}
    had, has = (part.loc[both, issue].to_numpy() for part in flags)
    return {
        "fixed": int((had & ~has).sum()),
        "new": int((~had & has).sum()),
        "unchanged": int((had & has).sum()),
    }


def _statuses(flags: tuple[pd.DataFrame, pd.DataFrame], names: tuple[str, str]) -> pd.DataFrame:
    comparable = all(len(part) for part in flags)
    known = list(dict.fromkeys([*flags[0].index, *flags[1].index])) if comparable else []
    every = pd.Index(objects(known), name="image", dtype=object)
    there = [every.isin(part.index) for part in flags]
    flagged = [part[ANY_ISSUE].reindex(every, fill_value=False).to_numpy() for part in flags]
    status = np.select(
        [~there[1], ~there[0], *_combinations(flagged)],
        ["removed", "added", *_STATUSES[:3]],
        "fine",
    )
    table = pd.DataFrame({"status": status.astype(object)}, index=every)
    for name, part in zip(names, flags, strict=True):
        table[f"issues_{name}"] = _joined_issues(part).reindex(every).to_numpy(dtype=object)
    return table


def _combinations(flagged: list[Any]) -> list[Any]:
    had, has = flagged
    return [had & ~has, ~had & has, had & has]


def _joined_issues(flags: pd.DataFrame) -> pd.Series:
    issues = flags.drop(columns=ANY_ISSUE)
    names = np.array(issues.columns, dtype=object)
    joined = [";".join(names[row]) for row in issues.to_numpy(dtype=bool)]
    return pd.Series(joined, index=flags.index, dtype=object)
