"""All threshold selectors on one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.metrics import f1_score

from .. import thresholds
from ..thresholds import AutoThreshold, ThresholdSelector
from ..thresholds._base import as_labels, as_scores
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
from ._sources import detector_of
from ._style import (
    FINE,
    FLAGGED,
    LINE_HEIGHT,
    POINTS_PER_INCH,
    as_score,
    as_share,
    counted,
    draw_sentence,
    ink,
    keep_arranged,
    muted_ink,
    new_figure,
    one_line,
    require_matplotlib,
    shorten_to_width,
    size_in_inches,
    text_width,
)

Selectors = Mapping[str, ThresholdSelector] | Sequence[ThresholdSelector]

FONT_SIZE = 9.5
ROW_HEIGHT = 1.5 * FONT_SIZE / POINTS_PER_INCH  # inches
BARS_HEIGHT = 2.1
LEAST_BARS_SHARE = 0.3  # of the height of the axes
WIDEST_NAME = 0.3  # share of the axes
LARGEST_TABLE = 0.62
_SUFFIX = "Threshold"


class ThresholdComparisonDisplay:
    """Where each threshold selector cuts one score, and how much it flags.

    Below, the histogram of the scores; from it a line rises at each threshold to its row: name,
    threshold, share of the images flagged and, if it is known which are bad, F1. Rows are
    sorted by threshold, so that no lines cross.

    Make it with :meth:`from_scores` or :meth:`from_estimator`.

    Parameters
    ----------
    scores : array-like of shape (n,)
        Low = bad; NaN is left out.
    table : DataFrame
        One row per selector: ``selector`` (its name), ``threshold``, ``flagged`` (number of
        images), and ``f1`` (missing where the bad ones are not known).
    y : array-like of shape (n,), default=None
        1 where the image is bad, else 0; the bars of the bad ones have a colour of their own.
    highlight : str, default=None
        Name of the selector in bold.

    Attributes
    ----------
    figure_ : Figure
    ax_ : Axes
    bars_ : dict of str to BarContainer
        ``"images"``, or ``"bad"`` and ``"good"``.
    lines_ : dict of str to Line2D
        By selector: up from its threshold, then right to its row.
    text_ : list of list of Text
        The rows, sorted by threshold: name, threshold, share flagged and, with y, F1.
        Where there is no score, the sentence that says so, alone.
    header_ : list of Text

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import numpy as np
    >>> from imagequality import AutoThreshold, OtsuThreshold
    >>> from imagequality.plots import ThresholdComparisonDisplay
    >>> rng = np.random.default_rng(0)
    >>> scores = np.concatenate([rng.normal(0.8, 0.04, 980), rng.normal(0.4, 0.03, 20)])
    >>> y = np.repeat([0, 1], [980, 20])
    >>> selectors = [AutoThreshold(), OtsuThreshold()]
    >>> display = ThresholdComparisonDisplay.from_scores(scores, selectors, y=y)
    >>> display.table[["selector", "flagged"]]
      selector  flagged
    0     Otsu       20
    1     Auto       20
    >>> plt.close(display.figure_)
    """

    def __init__(
        self,
        scores: ArrayLike,
        table: pd.DataFrame,
        *,
        y: Any = None,
        highlight: str | None = None,
    ) -> None:
        self.scores = scores
        self.table = table
        self.y = y
        self.highlight = highlight

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        selectors: Selectors | None = None,
        *,
        y: Any = None,
        bins: int = 60,
        log: Log = "auto",
        ax: Any = None,
    ) -> ThresholdComparisonDisplay:
        """Fit copies of the selectors and draw.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Low = bad; NaN is left out.
        selectors : mapping of str to ThresholdSelector, or sequence of them, default=None
            In a sequence they are named by their class. None: all of the library, with their
            defaults, but for those that must be given a number or a function; the one that
            learns from y only if there is one.
        y : array-like of shape (n,), default=None
            1 where the image is bad, else 0. Used for F1 and for the colours, and by a selector
            that learns from it.
        bins, log, ax
            See :meth:`plot`.

        Returns
        -------
        display : ThresholdComparisonDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        TypeError, ValueError
            If a selector is none, there are none at all, or scores or y are bad.
        """
        require_matplotlib(f"{cls.__name__}.from_scores")
        values = as_scores(scores)
        known = ~np.isnan(values)
        labels = None if y is None else as_labels(y, known)
        chosen = _named(selectors, with_labels=y is not None)
        table = comparison_table(values[known], chosen, labels)
        display = cls(values[known], table, y=labels, highlight=_outstanding(table, chosen))
        return display.plot(ax=ax, bins=bins, log=log)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        selectors: Selectors | None = None,
        *,
        issue: str | None = None,
        y: Any = None,
        bins: int = 60,
        log: Log = "auto",
        ax: Any = None,
    ) -> ThresholdComparisonDisplay:
        """Compare the selectors on the scores of a detector, with its limits.

        Parameters
        ----------
        estimator : IssueDetector or QualityPipeline
            Fitted.
        X : collection of images, or measurement table
        selectors, y
            See :meth:`from_scores`. ``floor`` and ``cap``, where unset, are the detector's.
        issue : str, default=None
            Which detector of a pipeline, by its name.
        bins, log, ax
            See :meth:`plot`.

        Returns
        -------
        display : ThresholdComparisonDisplay
        """
        require_matplotlib(f"{cls.__name__}.from_estimator")
        detector, _ = detector_of(estimator, issue)
        scores = detector.score_samples(X)
        chosen = {
            name: detector._with_limits(clone(selector))
            for name, selector in _named(selectors, with_labels=y is not None).items()
        }
        return cls.from_scores(scores, chosen, y=y, bins=bins, log=log, ax=ax)

    def plot(
        self, ax: Any = None, *, bins: int = 60, log: Log = "auto"
    ) -> ThresholdComparisonDisplay:
        """Draw the comparison.

        Parameters
        ----------
        ax : Axes, default=None
            None: those of a new figure. All is drawn within the axes.
        bins : int, default=60
            How many bars wide the range of the scores is.
        log : bool or "auto", default="auto"
            Whether the axis of counts is logarithmic. ``"auto"``: where the bad images are so
            few that they could not be seen otherwise.

        Returns
        -------
        self : ThresholdComparisonDisplay
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_positive("bins", bins)
        check_log(log)
        rows = self.table.sort_values(["threshold", "selector"], kind="stable")
        if ax is None:
            height = BARS_HEIGHT + (len(rows) + 2) * ROW_HEIGHT
            inches = height + 0.75
            ax = new_figure(8, inches).add_axes((0.1, 0.6 / inches, 0.88, height / inches))
        self.ax_, self.figure_ = ax, ax.figure
        self.bars_: dict[str, Any] = {}
        self.lines_: dict[str, Any] = {}
        self.header_: list[Any] = []
        scores = as_scores(self.scores)
        known = ~np.isnan(scores)
        labels = None if self.y is None else as_labels(self.y, known)
        if not known.any():
            self.text_ = [[draw_sentence(ax, "There is no score to compare selectors on.")]]
            return self
        low, high = score_range(scores[known], rows["threshold"].tolist())
        self._draw_bars(scores[known], labels, (low, high), bins, log)
        self._draw_rows(rows)
        keep_arranged(ax, lambda: self._arrange(rows["threshold"].tolist(), (low, high)))
        return self

    def _draw_bars(
        self,
        scores: NDArray[np.float64],
        labels: NDArray[np.int64] | None,
        limits: tuple[float, float],
        bins: int,
        log: Log,
    ) -> None:
        ax = self.ax_
        groups = [(scores, FINE, "images")]
        if labels is not None:
            bad = labels == 1
            groups = [(scores[bad], FLAGGED, "bad"), (scores[~bad], FINE, "good")]
        edges = edges_through(limits[0], *limits, bins)
        bars, heights = draw_bars(ax, groups, edges)
        self.bars_ = {what: drawn for (_, _, what), drawn in zip(groups, bars, strict=True)}
        # Where it is not known which images are bad, they may be few.
        self._log = wants_log(True if log == "auto" and labels is None else log, heights)
        self._highest = int(heights.sum(axis=0).max())
        plain_frame(ax)
        ax.set_xlabel("score (low = bad)")
        self._legend = ax.legend(
            self.bars_.values(),
            [
                f"{len(group):,} {what}" if labels is not None else counted(len(group))
                for group, _, what in groups
            ],
            loc="upper left",
            borderaxespad=0,
            borderpad=0,
            frameon=False,
            handlelength=1,
            handleheight=1,
            labelcolor=ink(ax),
        )

    def _draw_rows(self, rows: pd.DataFrame) -> None:
        """Write the rows and draw their lines, not yet in their places."""
        ax = self.ax_
        self.text_ = []
        for row in rows.to_dict("records"):
            chosen = row["selector"] == self.highlight
            self.text_.append([self._write(words, ink(ax), chosen) for words in self._cells(row)])
            (line,) = ax.plot([], transform=ax.get_xaxis_transform(), color=ink(ax))
            line.set_zorder(3 if chosen else 2)
            self.lines_[row["selector"]] = line
        header = ["", "threshold", "flagged", *(["F1"] if self.y is not None else [])]
        self.header_ = [self._write(words, muted_ink(ax)) for words in header]

    def _arrange(self, row_thresholds: Sequence[float], limits: tuple[float, float]) -> None:
        """Share out the axes between bars, rows and table, and place everything."""
        ax = self.ax_
        _, height = size_in_inches(ax)
        n_rows = len(row_thresholds)
        share = max(LEAST_BARS_SHARE, 1 - (n_rows + 1.6) * ROW_HEIGHT / height)
        step = (1 - share) / (n_rows + 1.6)
        font_size = min(FONT_SIZE, step * height * POINTS_PER_INCH / LINE_HEIGHT)
        middles = [1 - step * (row + 1.5) for row in range(n_rows)]
        for line, middle in zip([self.header_, *self.text_], [1 - step / 2, *middles], strict=True):
            for text in line:
                text.set(y=middle, fontsize=font_size)
        table_left = self._place_columns()
        self._limit_scores(limits, table_left)
        self._place_lines(row_thresholds, middles, table_left, font_size / FONT_SIZE)
        scale_counts(ax, self._highest, log=self._log, share=0.96 * share)
        ax.yaxis.set_label_coords(-0.6 / size_in_inches(ax)[0], share / 2)
        self._legend.set_bbox_to_anchor((table_left, share * 0.9), transform=ax.transAxes)
        for text in self._legend.get_texts():
            text.set_fontsize(font_size)

    def _cells(self, row: Mapping[Any, Any]) -> list[str]:
        n = int((~np.isnan(as_scores(self.scores))).sum())
        cells = [
            one_line(row["selector"]),
            as_score(row["threshold"]),
            as_share(int(row["flagged"]), n),
        ]
        return [*cells, f"{row['f1']:.2f}"] if self.y is not None else cells

    def _write(self, words: str, colour: str, bold: bool = False) -> Any:
        ax = self.ax_
        text = ax.text(0, 0, words, transform=ax.transAxes, color=colour, parse_math=False)
        text.set(va="center_baseline", fontweight="bold" if bold else "normal")
        return text

    def _place_columns(self) -> float:
        """Put the columns side by side, from the right; return where the first begins."""
        width = size_in_inches(self.ax_)[0] * self.figure_.dpi
        for line, name in zip(self.text_, self.lines_, strict=True):
            line[0].set_text(one_line(name))
            shorten_to_width(line[0], WIDEST_NAME * width)
        columns = list(zip(*self.text_, self.header_, strict=True))
        gap = 1.4 * self.header_[0].get_fontsize() * self.figure_.dpi / POINTS_PER_INCH / width
        right = 1.0
        for position in range(len(columns) - 1, -1, -1):
            widest = max(text_width(text) for text in columns[position]) / width
            for text in columns[position]:
                text.set_horizontalalignment("right" if position else "left")
                text.set_x(right if position else right - widest)
            right -= widest + gap
        return max(right + gap, 1 - LARGEST_TABLE)

    def _limit_scores(self, limits: tuple[float, float], table_left: float) -> None:
        """Leave the right part of the axes to the table."""
        from matplotlib.ticker import FixedLocator, MaxNLocator

        ax, (low, high) = self.ax_, limits
        end = low + (high - low) / max(table_left - 0.03, 0.1)
        ax.set_xlim(low, end)
        ticks = [
            tick
            for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
            if low <= tick <= high
        ]
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.spines["bottom"].set_bounds(low, high)
        ax.xaxis.set_label_coords((table_left - 0.03) / 2, -0.36 / size_in_inches(ax)[1])

    def _place_lines(
        self, row_thresholds: Sequence[float], middles: Sequence[float], end: float, scale: float
    ) -> None:
        low, high = self.ax_.get_xlim()
        right = low + (end - 0.008) * (high - low)
        lines = zip(self.lines_.items(), row_thresholds, middles, strict=True)
        for (name, line), threshold, middle in lines:
            line.set_data([threshold, threshold, right], [0, middle, middle])
            line.set_linewidth((1.8 if name == self.highlight else 0.8) * scale)


def comparison_table(
    scores: NDArray[np.float64],
    selectors: Mapping[str, ThresholdSelector],
    y: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Fit copies of selectors to the same scores.

    Parameters
    ----------
    scores : ndarray of shape (n,), finite
    selectors : mapping of str to ThresholdSelector
    y : ndarray of shape (n,), default=None
        1 where the image is bad, else 0.

    Returns
    -------
    table : DataFrame
        One row per selector, sorted by threshold: ``selector``, ``threshold``, ``flagged``,
        ``share``, ``f1`` (NaN without y) and ``reason``.
    """
    rows = []
    for name, selector in selectors.items() if scores.size else ():
        fitted = clone(selector).fit(scores, y)
        flags = fitted.predict(scores)
        rows.append(
            {
                "selector": name,
                "threshold": fitted.threshold_,
                "flagged": int(flags.sum()),
                "share": float(flags.mean()),
                "f1": np.nan if y is None else float(f1_score(y, flags, zero_division=0.0)),
                "reason": getattr(fitted, "reason_", ""),
            }
        )
    columns = ["selector", "threshold", "flagged", "share", "f1", "reason"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["threshold", "selector"], kind="stable", ignore_index=True)


def _outstanding(table: pd.DataFrame, selectors: Mapping[str, ThresholdSelector]) -> str | None:
    """Return the name of the selector with the best F1; where that is not known, the default."""
    automatic = [name for name, one in selectors.items() if isinstance(one, AutoThreshold)]
    best = table["f1"].max()
    if best > 0:
        first = table["selector"][table["f1"] == best].tolist()
        return next((name for name in automatic if name in first), first[0])
    return automatic[0] if automatic else None


def default_selectors(*, with_labels: bool) -> dict[str, ThresholdSelector]:
    """Return every selector of the library that chooses by itself, by its short name."""
    given_beforehand = {"FixedThreshold", "FunctionThreshold", "ThresholdSelector"}
    found: dict[str, ThresholdSelector] = {}
    for name in thresholds.__all__:
        if name in given_beforehand:
            continue
        selector = getattr(thresholds, name)()
        if with_labels or not selector.uses_y:
            found[_short(name)] = selector
    return found


def _named(selectors: Selectors | None, *, with_labels: bool) -> dict[str, ThresholdSelector]:
    if selectors is None:
        return default_selectors(with_labels=with_labels)
    if isinstance(selectors, Mapping):
        named = {str(name): selector for name, selector in selectors.items()}
    elif isinstance(selectors, Sequence) and not isinstance(selectors, str):
        named = {}
        for selector in selectors:
            name = _short(type(selector).__name__)
            same = sum(taken.partition(" (")[0] == name for taken in named)
            named[f"{name} ({same + 1})" if same else name] = selector
    else:
        raise TypeError(f"selectors must be a mapping or a sequence, got {selectors!r}")
    for name, selector in named.items():
        if not isinstance(selector, ThresholdSelector):
            raise TypeError(f"selectors: {name!r} must be a ThresholdSelector, got {selector!r}")
    if not named:
        raise ValueError("selectors: at least one is needed, got none")
    return named


def _short(name: str) -> str:
    """Return the name of a selector's class without what all have in common."""
    return name.removesuffix(_SUFFIX) or name
