"""Summary and issues table, as text, HTML and CSV."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class QualityReport:
    """What was found in a collection of images.

    Parameters
    ----------
    issues : DataFrame
        One row per image: ``quality_score`` (the overall quality), ``is_any_issue``,
        ``primary_issue`` (the first of its issues in the order of causes, or None), for each
        issue ``<issue>_score`` in [0, 1] (low = bad) and ``is_<issue>_issue`` (missing where
        the image could not be read), for duplicates ``<issue>_group`` (the number of the
        group), and ``reason`` (why the image could not be read).
    summary : DataFrame
        One row per issue: ``issue``, ``count`` and ``share`` of the images that have it,
        ``primary_count`` (those that have it as their primary issue; these add up),
        ``threshold``, ``score`` (which score of the detector) and ``method`` (what chose the
        threshold, or the distance between duplicates).
    duplicates : DataFrame
        One row per image and issue for the images in a group of duplicates: ``image``,
        ``issue``, ``group``, ``size`` of the group, ``keep`` (whether this detector keeps it),
        ``kept`` (which one it keeps), ``distance`` to that one, and ``diameter`` and
        ``weakest_link`` of the group.
    plan : DataFrame
        What to do with each image: ``action`` ("keep" or "drop"), ``why``, ``group`` (number
        of the group of duplicates of any kind, or missing) and ``kept`` (the image of the group
        that stays, by the ``keep`` of the last duplicate detector among those without another
        flaw). Of images that were not fitted nothing is dropped as a duplicate; ask the
        detector's ``find_matches``. Nothing is deleted.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import QualityPipeline
    >>> images = [np.zeros((16, 16, 3), np.uint8), b"broken"]
    >>> report = QualityPipeline().fit(images).report()
    >>> report.issues[["is_dark_issue", "is_invalid_issue", "reason"]]
       is_dark_issue  is_invalid_issue                                       reason
    0           True             False
    1           <NA>              True  not an image in a format that can be read
    """

    issues: pd.DataFrame
    summary: pd.DataFrame
    duplicates: pd.DataFrame
    plan: pd.DataFrame

    def __str__(self) -> str:
        lines = [self._headline()]
        ranked = self._by_count()
        found = ranked[ranked["count"] > 0]
        if len(found):
            width = max(len("issue"), *found["issue"].str.len())
            head = f"{'images':>9}  {'share':>7}  {'primary':>9}  threshold  chosen by"
            lines += ["", f"{'issue':{width}}  {head}"]
            for row in found.to_dict("records"):
                lines.append(
                    f"{row['issue']:{width}}  {row['count']:>9,}  {row['share']:>7.2%}"
                    f"  {row['primary_count']:>9,}  {row['threshold']:>9.4g}  {row['method']}"
                )
        for issue in found.loc[found["share"] > 0.5, "issue"]:
            if issue != "invalid":
                lines += [
                    "",
                    f"{issue}: more than half of the images, so rather a property of this",
                ]
                lines += [f"set than a flaw? set_params({issue}='drop') leaves it out"]
        reasons = self.issues.loc[self.issues["reason"] != "", "reason"].value_counts()
        if len(reasons):
            lines += ["", "cannot be read:"]
            lines += [f"{count:>9,}  {reason}" for reason, count in reasons.head(3).items()]
            if len(reasons) > 3:
                lines += [f"{reasons.iloc[3:].sum():>9,}  for {len(reasons) - 3} other reasons"]
        clean = self.summary.loc[self.summary["count"] == 0, "issue"]
        if len(clean):
            lines += ["", f"not found: {', '.join(clean)}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        table = self._by_count().to_html(
            index=False,
            formatters={"share": "{:.2%}".format, "threshold": "{:.4g}".format},
        )
        return f"<p>{self._headline()}</p>{table}"

    def _headline(self) -> str:
        images, flagged = len(self.issues), int(self.issues["is_any_issue"].sum())
        return f"{images:,} images, {flagged:,} ({flagged / images:.1%}) with at least one issue"

    def _by_count(self) -> pd.DataFrame:
        return self.summary.sort_values("count", ascending=False, kind="stable")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the issues table, one line per image.

        Parameters
        ----------
        path : str or path-like
            The file, in UTF-8; an existing one is overwritten. Characters of file names that
            are no Unicode are written as backslash escapes.
        """
        label = str(self.issues.index.name or "image")
        self.issues.to_csv(path, index_label=label, errors="backslashreplace")
