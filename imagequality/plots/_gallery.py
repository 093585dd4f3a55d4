"""The worst images of each issue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..detectors import IssueDetector
from ._bars import check_positive
from ._panels import Block, Drawn, Panel, draw_blocks, sheet_axes, sheet_size
from ._sources import ImageSource, Picture, issue_of_report
from ._style import (
    FLAGGED,
    as_number,
    as_score,
    as_share,
    counted,
    draw_sentence,
    new_figure,
    one_line,
    require_matplotlib,
)

COLUMNS = 6


class ScoredPicture(NamedTuple):
    """An image with its score for one issue."""

    picture: Picture
    name: str
    score: float
    flagged: bool


class IssueRow(NamedTuple):
    """The worst images of one issue, the lowest score first."""

    issue: str
    n_flagged: int
    n_images: int
    threshold: float
    worst: Sequence[ScoredPicture]


class IssueGalleryDisplay:
    """The worst images of each issue with their scores, the worst first.

    Below each image stand its score, its size in pixels and its file name.

    Make it with :meth:`from_report` or :meth:`from_estimator`.

    Parameters
    ----------
    rows : sequence of IssueRow
        One per issue: ``issue``, ``n_flagged``, ``n_images`` (how many were audited),
        ``threshold`` and the ``worst`` images, each a ScoredPicture (``picture``, ``name``,
        ``score``, ``flagged``).

    Attributes
    ----------
    figure_ : Figure
    ax_ : Axes
        All pictures are drawn in this one.
    images_ : list of list of AxesImage or None
        By issue; None where the image cannot be read, and the reason stands in its place.
    headings_ : list of Text
        One per issue.
    captions_, names_ : list of list of Text
        The scores and the file names, by issue.
    text_ : list of Text
        All that is written. Where there is nothing to show, the sentence that says so.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from imagequality import QualityPipeline
    >>> from imagequality.datasets import make_flawed_images
    >>> from imagequality.plots import IssueGalleryDisplay
    >>> images, y = make_flawed_images(100, issues=["dark"], random_state=0)
    >>> report = QualityPipeline(progress=False).fit(images).report()
    >>> display = IssueGalleryDisplay.from_report(report, ["dark"], images=images)
    >>> display.headings_[0].get_text()
    'dark: 5 of 100 images (5.0 %), threshold 0.4'
    >>> len(display.images_[0])
    5
    >>> plt.close(display.figure_)
    """

    def __init__(self, rows: Sequence[IssueRow]) -> None:
        self.rows = rows

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        issues: str | Sequence[str] | None = None,
        *,
        images: Any = None,
        n: int = COLUMNS,
        only_flagged: bool = True,
        columns: int = COLUMNS,
        ax: Any = None,
    ) -> IssueGalleryDisplay:
        """Score the images and draw the worst.

        Parameters
        ----------
        estimator : IssueDetector or QualityPipeline
            Fitted.
        X : collection of images, or measurement table, default=None
            None: those that a pipeline was fitted on.
        issues, n, only_flagged, columns, ax
            See :meth:`from_report`.
        images : collection of images, default=None
            Where X is a table without paths (or None): the images that were measured.

        Returns
        -------
        display : IssueGalleryDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            If the estimator is not fitted, is none, or the images are not known.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        if images is None and X is not None and not isinstance(X, pd.DataFrame):
            images = X
        options: dict[str, Any] = {"n": n, "only_flagged": only_flagged, "columns": columns}
        if not isinstance(estimator, IssueDetector):
            fitted_report = _report_of(estimator, X)
            return cls.from_report(fitted_report, issues, images=images, ax=ax, **options)
        if issues not in (None, estimator.issue, [estimator.issue]):
            raise ValueError(
                f"issues={issues!r}, but {type(estimator).__name__} finds {estimator.issue!r}"
            )
        if X is None:
            raise TypeError(f"X must be given: {type(estimator).__name__} keeps no images")
        check_positive("n", n)
        scores = estimator.score_samples(X)
        if isinstance(X, pd.DataFrame):
            names = X.index
        else:
            names = pd.RangeIndex(len(scores)) if images is None else _names_of(images)
        source = ImageSource(names, images)
        row = _issue_row(
            estimator.issue, scores, estimator.threshold_, source, n, only_flagged=only_flagged
        )
        return cls([row]).plot(ax=ax, columns=columns)

    @classmethod
    def from_report(
        cls,
        report: Any,
        issues: str | Sequence[str] | None = None,
        *,
        images: Any = None,
        n: int = COLUMNS,
        only_flagged: bool = True,
        columns: int = COLUMNS,
        ax: Any = None,
    ) -> IssueGalleryDisplay:
        """Draw the worst images of a report.

        Parameters
        ----------
        report : QualityReport
        issues : str or sequence of str, default=None
            Which, in this order. None: all that were found, that with the most images first,
            without duplicates, which :class:`DuplicateGroupsDisplay` shows.
        images : collection of images, default=None
            Those that were audited, in their order. None: they are read from the paths in the
            report.
        n : int, default=6
            How many images of an issue, at most.
        only_flagged : bool, default=True
            Whether to leave out those that are not flagged. Else the flagged ones have a frame.
        columns, ax
            See :meth:`plot`.

        Returns
        -------
        display : IssueGalleryDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the report has no such issue, ``images`` is missing where the report has no
            paths, or is not as long as the report.
        """
        require_matplotlib(f"{cls.__name__}.from_report")
        check_positive("n", n)
        names = report.issues.index
        source = ImageSource(names, images, getattr(report, "loader", None))
        rows = [
            _issue_row(
                issue,
                report.issues[f"{issue}_score"].to_numpy(dtype=np.float64, na_value=np.nan),
                float(issue_of_report(report, issue)["threshold"]),
                source,
                n,
                only_flagged=only_flagged,
            )
            for issue in _chosen_issues(report, issues)
        ]
        return cls(rows).plot(ax=ax, columns=columns)

    def plot(self, ax: Any = None, *, columns: int = COLUMNS) -> IssueGalleryDisplay:
        """Draw the gallery.

        Parameters
        ----------
        ax : Axes, default=None
            None: those of a new figure, as large as needed. In smaller axes all is drawn
            smaller.
        columns : int, default=6
            How many images stand side by side.

        Returns
        -------
        self : IssueGalleryDisplay
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_positive("columns", columns)
        blocks = [_block(row) for row in self.rows]
        widest = max((len(block.panels) for block in blocks), default=0)
        columns = min(columns, max(widest, 4))  # room for the headings
        if ax is None:
            size = sheet_size(blocks, columns) if blocks else (6.0, 1.5)
            ax = sheet_axes(*size) if blocks else new_figure(*size).add_axes((0, 0, 1, 1))
        self.ax_, self.figure_ = ax, ax.figure
        drawn = draw_blocks(ax, blocks, columns) if blocks else Drawn()
        self.images_, self.headings_ = drawn.images, drawn.headings
        self.captions_, self.names_ = drawn.captions, drawn.names
        self.text_ = drawn.texts
        if not blocks:
            self.text_ = [draw_sentence(ax, "No image has an issue.")]
        return self


def _report_of(estimator: Any, X: Any) -> Any:
    from ._sources import fitted_detectors

    fitted_detectors(estimator)
    return estimator.report(X)


def _names_of(images: Any) -> pd.Index:
    from ..images import as_references

    return as_references(images)[1]


def _chosen_issues(report: Any, issues: str | Sequence[str] | None) -> list[str]:
    if issues is not None:
        chosen = [issues] if isinstance(issues, str) else list(issues)
        for issue in chosen:
            issue_of_report(report, issue)
        return chosen
    summary = report.summary
    found = summary[summary["count"] > 0].sort_values("count", ascending=False, kind="stable")
    return [issue for issue in found["issue"] if not is_grouped(report, issue)]


def is_grouped(report: Any, issue: str) -> bool:
    """Return whether an issue of a report is one of groups: duplicates."""
    return f"{issue}_group" in report.issues.columns or issue in set(report.duplicates["issue"])


def _issue_row(
    issue: str,
    scores: NDArray[np.float64],
    threshold: float,
    source: ImageSource,
    n: int,
    *,
    only_flagged: bool,
) -> IssueRow:
    count = int((scores < threshold).sum())
    shown = min(n, count if only_flagged else int((~np.isnan(scores)).sum()))
    worst = [
        ScoredPicture(
            source.picture(position),
            source.name(position),
            float(scores[position]),
            bool(scores[position] < threshold),
        )
        for position in np.argsort(scores, kind="stable")[:shown]  # NaN comes last
    ]
    return IssueRow(issue, count, len(scores), threshold, worst)


def _block(row: IssueRow) -> Block:
    heading = f"{one_line(row.issue)}: {row.n_flagged:,} of {counted(row.n_images)}"
    heading += f" ({as_share(row.n_flagged, row.n_images)}), threshold {as_number(row.threshold)}"
    marks = any(not scored.flagged for scored in row.worst)
    panels = [
        Panel(
            scored.picture,
            as_score(scored.score),
            scored.name,
            FLAGGED if marks and scored.flagged else None,
        )
        for scored in row.worst
    ]
    return Block(heading, panels)
