"""The scores of one issue, where they are cut, and why."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ..thresholds import ThresholdSelector
from ._bars import (
    Log,
    check_log,
    check_positive,
    draw_bars,
    edges_through,
    plain_frame,
    scale_counts,
    score_range,
    wants_log,
)
from ._sources import as_finite_scores, detector_of, issue_of_report
from ._style import (
    FINE,
    FLAGGED,
    FLAGGED_BY_LIMIT,
    LINE_HEIGHT,
    POINTS_PER_INCH,
    SPARED,
    as_number,
    as_share,
    counted,
    draw_sentence,
    ink,
    keep_arranged,
    muted_ink,
    new_figure,
    one_line,
    require_matplotlib,
    shortened,
    size_in_inches,
    text_width,
)

BARS_SHARE = 0.88  # of the height of the axes; above it stands the number of the threshold
MOST_LINES = 3  # of the reason
LONGEST_NAME = 40  # letters of the issue's name
FONT_SIZE, TITLE_SIZE = 10, 12  # points
LETTER_WIDTH = 0.56  # font sizes, on average
LEGEND_GAP = 12.0  # points between the bars and the legend, and above it, together


class ScoreHistogramDisplay:
    """The histogram of one issue's scores, its threshold, what is flagged, and why.

    Bars left of the line are flagged. Colours tell apart the separate group of low scores that
    the selector found, what else is flagged, and what of the group is not, since the threshold
    was lowered to the cap.

    Make it with :meth:`from_estimator` or :meth:`from_report`.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Low = bad; NaN where an image was not judged.
    threshold : float
        Scores strictly below it are flagged.
    issue : str, default=""
        For the title.
    reason : str, default=""
        In words, what chose the threshold and why.
    group_below : float, default=None
        Scores below it are the separate low group; None: there is none, or it is not known.

    Attributes
    ----------
    figure_ : Figure
    ax_ : Axes
    bars_ : dict of str to BarContainer
        The bars by what they show: "separate low group, flagged", "flagged",
        "separate low group, not flagged", "not flagged"; only those with an image in them.
    line_ : Line2D or None
        The threshold; None where no image was judged.
    text_ : Text
        The reason; where no image was judged, the sentence that says so.
    threshold_text_ : Text or None

    See Also
    --------
    ThresholdComparisonDisplay : All selectors on one score.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from imagequality import BlurDetector
    >>> from imagequality.datasets import make_flawed_images
    >>> from imagequality.plots import ScoreHistogramDisplay
    >>> images, y = make_flawed_images(100, issues=["blurry"], contamination=0.1, random_state=0)
    >>> detector = BlurDetector().fit(images)
    >>> display = ScoreHistogramDisplay.from_estimator(detector, images)
    >>> display.text_.get_text()
    'AutoThreshold cut: valley below the bulk'
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        scores: ArrayLike,
        threshold: float,
        *,
        issue: str = "",
        reason: str = "",
        group_below: float | None = None,
    ) -> None:
        self.scores = scores
        self.threshold = threshold
        self.issue = issue
        self.reason = reason
        self.group_below = group_below

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        *,
        issue: str | None = None,
        bins: int = 60,
        log: Log = "auto",
        ax: Any = None,
    ) -> ScoreHistogramDisplay:
        """Score the images and draw.

        Parameters
        ----------
        estimator : IssueDetector or QualityPipeline
            Fitted.
        X : collection of images, or measurement table, default=None
            None: the images that a pipeline was fitted on.
        issue : str, default=None
            Which detector of a pipeline, by its name.
        bins, log, ax
            See :meth:`plot`.

        Returns
        -------
        display : ScoreHistogramDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        NotFittedError, TypeError, ValueError
            If the estimator is not fitted, is none, or has no such issue.
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        detector, name = detector_of(estimator, issue)
        check_is_fitted(detector, "threshold_")
        if X is None:
            X = getattr(estimator, "measurements_", None)
        if X is None:
            raise TypeError(f"X must be given: {type(estimator).__name__} keeps no images")
        scores = detector.score_samples(X)
        selector = detector.selector_
        flags_any = bool((scores < detector.threshold_).any())
        own_reason = getattr(detector, "reason_", "")  # duplicates have a distance, too
        display = cls(
            scores,
            detector.threshold_,
            issue=name,
            reason=own_reason or reason_in_words(selector, flags_any=flags_any),
            group_below=low_group_limit(selector),
        )
        return display.plot(ax=ax, bins=bins, log=log)

    @classmethod
    def from_report(
        cls, report: Any, issue: str, *, bins: int = 60, log: Log = "auto", ax: Any = None
    ) -> ScoreHistogramDisplay:
        """Draw the scores of a report.

        A report knows the threshold and the reason, but not where the separate group ends: what
        is flagged has one colour.

        Parameters
        ----------
        report : QualityReport
        issue : str
            One of ``report.summary["issue"]``.
        bins, log, ax
            See :meth:`plot`.

        Returns
        -------
        display : ScoreHistogramDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If the report has no such issue.
        """
        require_matplotlib(f"{cls.__name__}.from_report")
        row = issue_of_report(report, issue)
        scores = report.issues[f"{issue}_score"].to_numpy(dtype=np.float64, na_value=np.nan)
        display = cls(scores, float(row["threshold"]), issue=issue, reason=str(row["method"]))
        return display.plot(ax=ax, bins=bins, log=log)

    def plot(self, ax: Any = None, *, bins: int = 60, log: Log = "auto") -> ScoreHistogramDisplay:
        """Draw the histogram.

        Parameters
        ----------
        ax : Axes, default=None
            None: those of a new figure. The title and the legend stand above the axes.
        bins : int, default=60
            How many bars wide the range of the scores is.
        log : bool or "auto", default="auto"
            Whether the axis of counts is logarithmic. ``"auto"``: where the flagged images are
            so few that they could not be seen otherwise.

        Returns
        -------
        self : ScoreHistogramDisplay
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_positive("bins", bins)
        check_log(log)
        scores, unjudged = as_finite_scores(self.scores)
        if ax is None:
            ax = new_figure(7.2, 4.2).add_axes((0.12, 0.12, 0.85, 0.65))
        self.ax_, self.figure_ = ax, ax.figure
        self.bars_: dict[str, Any] = {}
        self.line_: Any = None
        self.threshold_text_: Any = None
        if not scores.size:
            about = f"{self.issue}: no" if self.issue else "No"
            self.text_ = draw_sentence(ax, f"{about} image has a score; {unjudged:,} not judged")
            return self
        self._draw_bars(scores, bins, log)
        self._draw_threshold()
        self.text_ = ax.annotate(
            "",
            (0, 1),
            (0, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            color=muted_ink(ax),
            fontsize=FONT_SIZE,
            linespacing=LINE_HEIGHT,
            parse_math=False,
        )
        found = self._found(scores, unjudged)
        keep_arranged(ax, lambda: self._arrange(found))
        return self

    def _draw_bars(self, scores: NDArray[np.float64], bins: int, log: Log) -> None:
        ax = self.ax_
        low, high = score_range(scores, [self.threshold])
        edges = edges_through(self.threshold, low, high, bins)
        groups = [group for group in self._groups(scores) if group[0].size]
        bars, heights = draw_bars(ax, groups, edges)
        self.bars_ = {what: drawn for (_, _, what), drawn in zip(groups, bars, strict=True)}
        ax.set_xlim(low, high)
        ax.set_xlabel("score (low = bad)")
        highest = int(heights.sum(axis=0).max())
        scale_counts(ax, highest, log=wants_log(log, heights), share=BARS_SHARE)
        plain_frame(ax)

    def _groups(self, scores: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], str, str]]:
        """Return the scores of each colour, and what it means; the lowest in the stack first."""
        flagged = scores < self.threshold
        if self.group_below is None:
            grouped = np.zeros(scores.shape, dtype=bool)
        else:
            grouped = scores < self.group_below
        outside = FLAGGED if self.group_below is None else FLAGGED_BY_LIMIT
        return [
            (scores[flagged & grouped], FLAGGED, "separate low group, flagged"),
            (scores[flagged & ~grouped], outside, "flagged"),
            (scores[~flagged & grouped], SPARED, "separate low group, not flagged"),
            (scores[~flagged & ~grouped], FINE, "not flagged"),
        ]

    def _draw_threshold(self) -> None:
        ax = self.ax_
        colour = ink(ax)
        self.line_ = ax.axvline(self.threshold, color=colour, linewidth=1.5)
        low, high = ax.get_xlim()
        ax.axvspan(
            low,
            self.threshold,
            color=FLAGGED,
            alpha=0.1 if colour == "black" else 0.25,
            linewidth=0,
            zorder=0,
        )
        ax.set_xlim(low, high)
        text = ax.annotate(
            f"threshold {as_number(self.threshold)}",
            (self.threshold, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(4, -2),
            textcoords="offset points",
            va="top",
            color=colour,
            fontsize=FONT_SIZE,
            annotation_clip=False,
        )
        self.threshold_text_ = text

    def _found(self, scores: NDArray[np.float64], unjudged: int) -> str:
        """Say how many images are flagged."""
        n_flagged = int((scores < self.threshold).sum())
        if n_flagged:
            found = f"{n_flagged:,} of {counted(scores.size)} flagged"
            found += f" ({as_share(n_flagged, scores.size)})"
        else:
            found = f"none of {counted(scores.size)} flagged"
        found += f", {unjudged:,} not judged" if unjudged else ""
        name = shortened(one_line(self.issue), LONGEST_NAME)
        return f"{name}: {found}" if name else found

    def _arrange(self, found: str) -> None:
        """Place, from the bars up, what the colours mean, the reason and what was found."""
        ax = self.ax_
        width, _ = size_in_inches(ax)
        self._place_threshold_text()
        height = self._draw_legend(width) + LEGEND_GAP
        lines = _wrapped(one_line(self.reason), width, FONT_SIZE)
        self.text_.set_text("\n".join(lines))
        self.text_.xyann = (0, height)
        height += FONT_SIZE * LINE_HEIGHT * len(lines) + 3
        ax.set_title(
            "\n".join(_wrapped(found, width, 1.2 * TITLE_SIZE)),  # bold letters are wider
            loc="left",
            pad=height,
            fontsize=TITLE_SIZE,
            fontweight="bold",
            color=ink(ax),
            parse_math=False,
        )

    def _place_threshold_text(self) -> None:
        """Write right of the line, or left of it where there is more room."""
        text, ax = self.threshold_text_, self.ax_
        low, high = ax.get_xlim()
        place = (self.threshold - low) / (high - low)
        room = (1 - place) * ax.get_window_extent().width
        on_left = text_width(text) + 6 > room and place > 0.5
        text.set_horizontalalignment("right" if on_left else "left")
        text.xyann = (-4 if on_left else 4, -2)

    def _draw_legend(self, width: float) -> float:
        """Draw the legend above the axes; return how high it is, in points."""
        ax = self.ax_
        for columns in range(len(self.bars_), 0, -1):
            legend = ax.legend(
                self.bars_.values(),
                [f"{what} ({int(sum(bars.datavalues)):,})" for what, bars in self.bars_.items()],
                loc="lower left",
                bbox_to_anchor=(0, 1),
                ncols=columns,
                frameon=False,
                borderaxespad=0.4,
                borderpad=0,
                handlelength=1,
                handleheight=1,
                columnspacing=1.5,
                labelcolor=ink(ax),
                fontsize=FONT_SIZE,
            )
            box = legend.get_window_extent()
            if box.width <= width * ax.figure.dpi:
                break
        return float(box.height) * POINTS_PER_INCH / float(ax.figure.dpi)


def _wrapped(words: str, width: float, font_size: float) -> list[str]:
    """Break a text into at most ``MOST_LINES`` lines of so many inches."""
    characters = max(12, int(width * POINTS_PER_INCH / (LETTER_WIDTH * font_size)))
    lines = wrap(words, characters)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], lines[MOST_LINES - 1][: characters - 1] + "…"]
    return lines


def reason_in_words(selector: ThresholdSelector, *, flags_any: bool) -> str:
    """Say what chose the threshold, whether it cut or abstained, and why.

    Parameters
    ----------
    selector : ThresholdSelector
        Fitted.
    flags_any : bool
        Whether any score lies below its threshold.

    Returns
    -------
    words : str
    """
    name, reason = type(selector).__name__, getattr(selector, "reason_", "")
    separated = getattr(selector, "separated_", None)
    if separated:
        name += " cut"
    elif separated is not None and not flags_any:
        name += " abstained"
    return f"{name}: {reason}" if reason and reason != "fixed" else name


def low_group_limit(selector: ThresholdSelector) -> float | None:
    """Return below which score the separate low group lies that a selector found.

    It is the threshold, unless that was raised to a limit or lowered to one.

    Parameters
    ----------
    selector : ThresholdSelector
        Fitted.

    Returns
    -------
    limit : float or None
        None where no group was found, or the selector does not look for one.
    """
    finder: Any = getattr(selector, "gate_", selector)
    candidates = getattr(finder, "candidates_", None)
    if not getattr(finder, "separated_", False) or candidates is None or not len(candidates):
        return None
    valleys = np.asarray(candidates, dtype=np.float64)
    return float(valleys[np.abs(valleys - finder.threshold_).argmin()])
