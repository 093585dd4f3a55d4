"""Groups of duplicates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ..duplicates._base import DuplicateDetectorBase
from ..images import as_references
from ._bars import check_positive
from ._panels import Block, Drawn, Panel, draw_blocks, sheet_axes, sheet_size
from ._sources import ImageSource, Picture, fitted_detectors, issue_of_report
from ._style import (
    KEPT,
    as_number,
    counted,
    draw_sentence,
    new_figure,
    one_line,
    require_matplotlib,
)

COLUMNS = 6
_FACTS = ["group", "size", "keep", "distance"]


class Member(NamedTuple):
    """One image of a group."""

    picture: Picture
    name: str
    keep: bool
    distance: float


class DuplicateGroup(NamedTuple):
    """A group of duplicates: its number, its size, and the images that are shown."""

    group: int
    size: int
    members: Sequence[Member]


class DuplicateGroupsDisplay:
    """Groups of duplicates side by side: the copy to keep in a frame, the others by distance.

    The largest groups come first. Below each image stand its distance to the kept copy, in the
    detector's unit, its size in pixels and its file name.

    Make it with :meth:`from_estimator` or :meth:`from_report`.

    Parameters
    ----------
    groups : sequence of DuplicateGroup
        Those shown: ``group`` (its number), ``size`` and ``members``, each a Member
        (``picture``, ``name``, ``keep``, ``distance``).
    n_groups : int
        How many groups there are in all.
    n_surplus : int
        How many images of all groups need not be kept.
    issue : str, default="duplicates"
        For the sentence where there is no group.

    Attributes
    ----------
    figure_ : Figure
    ax_ : Axes
        All pictures are drawn in this one.
    images_ : list of list of AxesImage or None
        By group, the kept copy first; None where the image cannot be read.
    frames_ : list of list of Rectangle
        Around the images; that of the kept copy is thick and green.
    title_ : Text or None
        How many groups there are.
    headings_ : list of Text
        One per group.
    captions_, names_ : list of list of Text
        The distances and the file names, by group.
    text_ : list of Text
        All that is written. Where there is nothing to show, the sentence that says so.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from imagequality import NearDuplicateDetector
    >>> from imagequality.datasets import make_flawed_images
    >>> from imagequality.plots import DuplicateGroupsDisplay
    >>> images, y = make_flawed_images(
    ...     100, issues=["near_duplicates"], contamination=0.03, random_state=0
    ... )
    >>> detector = NearDuplicateDetector().fit(images)
    >>> display = DuplicateGroupsDisplay.from_estimator(detector, images)
    >>> display.title_.get_text()
    'near_duplicates: 3 groups, 3 images to drop'
    >>> display.headings_[0].get_text()
    'group 0: 2 images'
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        groups: Sequence[DuplicateGroup],
        *,
        n_groups: int,
        n_surplus: int,
        issue: str = "duplicates",
    ) -> None:
        self.groups = groups
        self.n_groups = n_groups
        self.n_surplus = n_surplus
        self.issue = issue

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        issue: str | None = None,
        n_groups: int = 5,
        n_images: int = COLUMNS,
        columns: int = COLUMNS,
        ax: Any = None,
    ) -> DuplicateGroupsDisplay:
        """Draw the groups that a detector found among the images that it was fitted on.

        Parameters
        ----------
        estimator : duplicate detector or QualityPipeline
            Fitted.
        X : collection of images
            Those that it was fitted on, in their order. A pipeline that was fitted on paths
            knows them, and needs none; of a measurement table with paths the index counts.
        issue : str, default=None
            Which detector of a pipeline, see :meth:`from_report`.
        n_groups, n_images, columns, ax
            See :meth:`from_report`.

        Returns
        -------
        display : DuplicateGroupsDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            If the estimator is not fitted, finds no duplicates, or was fitted on another number
            of images.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        limits = {"n_groups": n_groups, "n_images": n_images}
        if isinstance(X, pd.DataFrame) and X.shape[1] > 1:  # measurements
            X = X.index.to_numpy(dtype=object)
        if not isinstance(estimator, DuplicateDetectorBase):
            fitted_detectors(estimator)
            return cls.from_report(
                estimator.report(), issue, images=X, columns=columns, ax=ax, **limits
            )
        check_is_fitted(estimator, "labels_")
        if issue not in (None, estimator.issue):
            raise ValueError(
                f"issue={issue!r}, but {type(estimator).__name__} finds {estimator.issue!r}"
            )
        if X is None:
            raise TypeError(f"X must be given: {type(estimator).__name__} keeps no images")
        names = as_references(X)[1]
        if len(names) != len(estimator.labels_):
            raise ValueError(
                f"X must be the images that {type(estimator).__name__} was fitted on: "
                f"expected {len(estimator.labels_)}, got {len(names)}"
            )
        members = estimator._members()
        source = ImageSource(names, X)
        display = cls._of_members(members, source, estimator.issue, **limits)
        return display.plot(ax=ax, columns=columns)

    @classmethod
    def from_report(
        cls,
        report: Any,
        issue: str | None = None,
        *,
        images: Any = None,
        n_groups: int = 5,
        n_images: int = COLUMNS,
        columns: int = COLUMNS,
        ax: Any = None,
    ) -> DuplicateGroupsDisplay:
        """Draw the groups of a report.

        Parameters
        ----------
        report : QualityReport
            On the images that the pipeline was fitted on.
        issue : str, default=None
            Which kind of duplicates. None: that of the last detector with a group, the widest
            kind.
        images : collection of images, default=None
            Those that were audited, in their order. None: they are read from the paths in the
            report.
        n_groups : int, default=5
            How many groups, at most; the largest come first.
        n_images : int, default=6
            How many images of a group, at most: the kept one, and those closest to it.
        columns, ax
            See :meth:`plot`.

        Returns
        -------
        display : DuplicateGroupsDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the report has no such issue, ``images`` is missing where the report has no
            paths, or is not as long as the report.
        """
        require_matplotlib(f"{cls.__name__}.from_report")
        if issue is not None:
            issue_of_report(report, issue)
        duplicates = report.duplicates
        if issue is None:
            found = duplicates["issue"].tolist()
            issue = found[-1] if found else "duplicates"
        names = report.issues.index
        members = duplicates.loc[duplicates["issue"] == issue, ["image", *_FACTS]]
        # A name may occur twice; the groups' column of the issues table knows the rows.
        members = members.assign(row=_rows_of(report.issues, issue, members))
        source = ImageSource(names, images, getattr(report, "loader", None))
        display = cls._of_members(members, source, issue, n_groups=n_groups, n_images=n_images)
        return display.plot(ax=ax, columns=columns)

    @classmethod
    def _of_members(
        cls, members: pd.DataFrame, source: ImageSource, issue: str, *, n_groups: int, n_images: int
    ) -> DuplicateGroupsDisplay:
        """Choose what is shown, and load it; ``members`` has a column ``row``."""
        check_positive("n_groups", n_groups)
        check_positive("n_images", n_images)
        sizes = members.groupby("group")["size"].first()
        largest = sizes.sort_values(ascending=False, kind="stable").index[:n_groups]
        shown = members[members["group"].isin(largest)]
        ordered = shown.assign(surplus=~shown["keep"].astype(bool)).sort_values(
            ["group", "surplus", "distance", "row"], kind="stable"
        )
        by_group = {number: rows.head(n_images) for number, rows in ordered.groupby("group")}
        groups = [
            DuplicateGroup(
                int(number),
                int(sizes[number]),
                [
                    Member(
                        source.picture(int(row)), source.name(int(row)), bool(keep), float(distance)
                    )
                    for row, keep, distance in zip(
                        rows["row"], rows["keep"], rows["distance"], strict=True
                    )
                ],
            )
            for number, rows in ((number, by_group[number]) for number in largest)
        ]
        surplus = int((~members["keep"].astype(bool)).sum())
        return cls(groups, n_groups=len(sizes), n_surplus=surplus, issue=issue)

    def plot(self, ax: Any = None, *, columns: int = COLUMNS) -> DuplicateGroupsDisplay:
        """Draw the groups.

        Parameters
        ----------
        ax : Axes, default=None
            None: those of a new figure, as large as needed. In smaller axes all is drawn
            smaller.
        columns : int, default=6
            How many images stand side by side.

        Returns
        -------
        self : DuplicateGroupsDisplay
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_positive("columns", columns)
        blocks = [_block(group) for group in self.groups]
        if blocks:
            blocks.insert(0, Block(self._title(), []))
        widest = max((len(block.panels) for block in blocks), default=0)
        columns = min(columns, max(widest, 4))  # room for the title
        if ax is None:
            ax = (
                sheet_axes(*sheet_size(blocks, columns))
                if blocks
                else new_figure(6.0, 1.5).add_axes((0, 0, 1, 1))
            )
        self.ax_, self.figure_ = ax, ax.figure
        drawn = draw_blocks(ax, blocks, columns) if blocks else Drawn()
        self.title_ = drawn.headings[0] if blocks else None
        self.images_, self.frames_ = drawn.images[1:], drawn.frames[1:]
        self.headings_, self.captions_ = drawn.headings[1:], drawn.captions[1:]
        self.names_, self.text_ = drawn.names[1:], drawn.texts
        if not blocks:
            self.text_ = [draw_sentence(ax, f"No group of {self.issue.replace('_', ' ')}.")]
        return self

    def _title(self) -> str:
        shown = len(self.groups)
        hidden = f"{shown:,} of " if self.n_groups > shown else ""
        groups = f"{hidden}{counted(self.n_groups, 'group')}"
        return f"{one_line(self.issue)}: {groups}, {counted(self.n_surplus)} to drop"


def _rows_of(issues: pd.DataFrame, issue: str, members: pd.DataFrame) -> Any:
    """Return the row of the issues table of each member: both list a group in their order."""
    if members.empty:
        return np.empty(0, dtype=np.int64)
    groups = issues[f"{issue}_group"]
    rows = np.flatnonzero(groups.notna().to_numpy())
    by_group = np.argsort(groups.iloc[rows].to_numpy(dtype=np.int64), kind="stable")
    rows = rows[by_group]
    same = issues.index.to_numpy(dtype=object)[rows] == members["image"].to_numpy(dtype=object)
    if len(rows) != len(members) or not np.all(same):
        raise ValueError(f"report.duplicates and report.issues disagree about {issue!r}")
    return rows


def _block(group: DuplicateGroup) -> Block:
    heading = f"group {group.group}: {counted(group.size)}"
    hidden = group.size - len(group.members)
    heading += f" ({hidden:,} not shown)" if hidden else ""
    panels = [
        Panel(
            member.picture,
            "keep" if member.keep else f"distance {as_number(member.distance)}",
            one_line(member.name),
            KEPT if member.keep else None,
        )
        for member in group.members
    ]
    return Block(heading, panels)
