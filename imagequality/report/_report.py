"""What was found in a collection: tables, and their ways out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._compare import ReportComparison, compare_reports
from ._json import write_json
from ._notebook import report_html
from ._overwriting import refuse_to_overwrite_images
from ._page import write_page
from ._tables import audit_table, write_guarded
from ._text import in_one_line


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
    loader : callable, default=None
        Reference to an image → ndarray of shape (h, w, 3), uint8, RGB: what thumbnails are made
        with. None means that there are none.

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
    loader: Callable[[Any], NDArray[np.uint8]] | None = field(default=None)

    def __str__(self) -> str:
        lines = [self._headline()]
        ranked = self._by_count()
        found = ranked[ranked["count"] > 0]
        found = found.assign(issue=[in_one_line(issue) for issue in found["issue"]])
        if len(found):
            width = max(len("issue"), *found["issue"].str.len())
            head = f"{'images':>9}  {'share':>7}  {'primary':>9}  threshold  chosen by"
            lines += ["", f"{'issue':{width}}  {head}"]
            for row in found.to_dict("records"):
                lines.append(
                    f"{row['issue']:{width}}  {row['count']:>9,}  {row['share']:>7.2%}"
                    f"  {row['primary_count']:>9,}  {row['threshold']:>9.4g}"
                    f"  {in_one_line(row['method'])}"
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
            lines += [
                f"{count:>9,}  {in_one_line(reason)}" for reason, count in reasons.head(3).items()
            ]
            if len(reasons) > 3:
                lines += [f"{reasons.iloc[3:].sum():>9,}  for {len(reasons) - 3} other reasons"]
        clean = self.summary.loc[self.summary["count"] == 0, "issue"]
        if len(clean):
            lines += ["", f"not found: {', '.join(map(in_one_line, clean))}"]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return report_html(self)

    def _headline(self) -> str:
        images, flagged = len(self.issues), int(self.issues["is_any_issue"].sum())
        return f"{images:,} images, {flagged:,} ({flagged / images:.1%}) with at least one issue"

    def _by_count(self) -> pd.DataFrame:
        return self.summary.sort_values("count", ascending=False, kind="stable")

    # ----------------------------------------------------------------- files

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write one line per image: its issues, and what the plan does with it.

        Parameters
        ----------
        path : str or path-like
            The file, in UTF-8; an existing one is overwritten, unless it is an image. The
            columns are those of ``issues`` and of ``plan``. Characters of file names that are
            no Unicode are written as backslash escapes, and an apostrophe is put before text
            that a spreadsheet would run as a formula:
            :func:`imagequality.report.unguarded_cell` takes it away.

        Raises
        ------
        FileExistsError
            If the file is an image, or a zip or tar archive; it is left as it is.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from imagequality import QualityPipeline
        >>> report = QualityPipeline().fit([np.zeros((16, 16, 3), np.uint8)]).report()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report.to_csv(f"{folder}/audit.csv")
        ...     pd.read_csv(f"{folder}/audit.csv", index_col=0)[["is_dark_issue", "action"]]
               is_dark_issue action
        image
        0               True   drop
        """
        write_guarded(audit_table(self), path)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str | None:
        """Write the report as JSON, by a schema that has a version.

        Parameters
        ----------
        path : str or path-like, default=None
            The file; an existing one is overwritten, unless it is an image (see
            :meth:`to_csv`). None means to return the text.

        Returns
        -------
        text : str or None
            ASCII. ``schema_version`` says which schema; the documentation describes its
            fields, and ``imagequality/report/report.schema.json`` is the schema itself.
            What is missing is null. Characters of file names that are no Unicode are written as
            backslash escapes.

        Examples
        --------
        >>> import json
        >>> import numpy as np
        >>> from imagequality import QualityPipeline
        >>> report = QualityPipeline().fit([np.zeros((16, 16, 3), np.uint8)]).report()
        >>> document = json.loads(report.to_json())
        >>> document["schema_version"], document["images"][0]["flags"]["dark"]
        (1, True)
        """
        if path is not None:
            refuse_to_overwrite_images(path)
        return write_json(self, path)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the table of :meth:`to_csv` as a Parquet file, with types.

        Parameters
        ----------
        path : str or path-like
            The file; an existing one is overwritten, unless it is an image (see
            :meth:`to_csv`). Text is not guarded against spreadsheets, which do not read such
            files.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise ImportError(
                "a Parquet file needs pyarrow: pip install 'imagequality[parquet]'"
            ) from error
        refuse_to_overwrite_images(path)
        audit_table(self).to_parquet(path, engine="pyarrow", index=True)

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        images: Any = None,
        title: str | None = None,
        labels: Any = None,
        max_thumbnails: int = 200,
        max_images: int = 50_000,
    ) -> None:
        """Write one HTML page to look at what was found, and to decide what to drop.

        The page needs no network and holds all that it shows: scores with thresholds that can be
        moved, a gallery of the images, groups of duplicates, files that cannot be read. Images
        can be marked to be kept or dropped, and the list be downloaded as CSV.

        Parameters
        ----------
        path : str or path-like
            The file; an existing one is overwritten, unless it is an image (see
            :meth:`to_csv`).
        images : collection of n_images images, default=None
            The images that were audited, for their thumbnails. None means that they are loaded
            by their paths, if the report knows these.
        title : str, default=None
            None means "Image quality report".
        labels : sequence of length n_images, default=None
            The class of each image, for a table by class and a filter. None and NaN are no class.
        max_thumbnails : int, default=200
            For each issue the worst so many flagged images have a thumbnail, at most 128 pixels
            large, and 24 just above its threshold; so have as many members of the largest groups
            of duplicates. All others have a placeholder.
        max_images : int, default=50_000
            The page holds at most so many images one by one, those of the lowest overall
            quality; the others are counted only. It says how many are left out.

        Raises
        ------
        ImportError
            If Jinja2 is not installed.
        ValueError
            If there is not one image or label for each image of the report, or a number is
            negative.

        Examples
        --------
        >>> import tempfile
        >>> from imagequality import QualityPipeline
        >>> from imagequality.datasets import make_flawed_images
        >>> images, _ = make_flawed_images(50, random_state=0)
        >>> report = QualityPipeline(progress=False).fit(images).report()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report.to_html(f"{folder}/audit.html", images=images)
        """
        refuse_to_overwrite_images(path)
        write_page(
            self,
            path,
            images=images,
            title=title,
            labels=labels,
            max_thumbnails=max_thumbnails,
            max_images=max_images,
        )

    # ----------------------------------------------------------------- comparison

    def compare(
        self, other: QualityReport, *, names: tuple[str, str] = ("before", "after")
    ) -> ReportComparison:
        """Compare with another report: after cleaning, say, or on the test images.

        Parameters
        ----------
        other : QualityReport
        names : tuple of two str, default=("before", "after")
            What this report and the other are called in the columns and in text.

        Returns
        -------
        comparison : ReportComparison

        Raises
        ------
        TypeError, ValueError
            If ``other`` is no report, or ``names`` are not two different names.

        Notes
        -----
        Images are compared one by one where they have names, paths say; positions in two
        collections say nothing. Each report has its own thresholds: to judge both by the same,
        make them with one fitted pipeline, ``pipeline.report(other_images)``.

        Examples
        --------
        >>> import numpy as np
        >>> from imagequality import DarkDetector, QualityPipeline
        >>> pipeline = QualityPipeline([("dark", DarkDetector())], progress=False)
        >>> train = [np.full((16, 16, 3), level, np.uint8) for level in (0, 150, 200, 250)]
        >>> before, after = pipeline.fit(train).report(), pipeline.report(train[1:])
        >>> comparison = before.compare(after, names=("all", "bright"))
        >>> comparison.table[["issue", "share_all", "share_bright", "difference"]]
               issue  share_all  share_bright  difference
        0  any issue       0.25           0.0       -0.25
        1       dark       0.25           0.0       -0.25
        """
        if not isinstance(other, QualityReport):
            raise TypeError(f"other must be a QualityReport, got {type(other).__name__}")
        if len(names) != 2 or names[0] == names[1] or isinstance(names, str):
            raise ValueError(f"names must be two different names, got {names!r}")
        return compare_reports(self, other, (str(names[0]), str(names[1])))
