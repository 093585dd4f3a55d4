"""What each flaw costs a model: one small panel for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import t as students_t
from sklearn.utils.validation import check_is_fitted

from ._bars import check_positive, plain_frame
from ._style import (
    FINE,
    FLAGGED,
    as_number,
    draw_sentence,
    ink,
    muted_ink,
    new_figure,
    one_line,
    require_matplotlib,
    shortened,
    size_in_inches,
)

Against = Literal["level", "contamination"]

COLUMNS = [
    *("perturbation", "level", "step", "contamination"),
    *("loss", "std_error", "folds", "verdict"),
]
CONFIDENCE = 0.95
PANEL_WIDTH, PANEL_HEIGHT = 2.3, 1.5  # inches, of the axes themselves
GAP_WIDTH, GAP_HEIGHT = 0.25, 0.7
LEFT, RIGHT, TOP = 0.75, 0.2, 0.35  # margins
BOTTOM = 0.55  # below the panels, for their numbers and label
LEGEND_ENTRY, LEGEND_ROW = 1.3, 0.19  # inches
MOST_BANDS = 2  # in a panel; more hide each other
FONT_SIZE = 9.0  # points
LONGEST_TITLE, LONGEST_LABEL = 26, 7  # characters
MOST_LABELS = 6  # below a panel
HEADROOM = 1.3  # how far above the highest point bands are shown


class ImpactDisplay:
    """The score that each flaw costs a model, by its level or by the share of spoilt images.

    A panel for each flaw, the dearest first, all with one scale. The line starts at 0, where no
    image is spoilt. The band is the 95 % confidence interval (there is none where more than two
    lines share a panel); a filled point says that the interval leaves 0 out, so that the loss can
    hardly be chance.

    Make it with :meth:`from_study` or :meth:`from_summary`.

    Parameters
    ----------
    summary : DataFrame
        See :meth:`imagequality.ImpactStudy.summary`.
    score_name : str, default="score"
        For the axis.

    Attributes
    ----------
    figure_ : Figure
    ax_ : Axes
        What the panels stand in.
    axes_ : dict of str to Axes
        By perturbation, the dearest first.
    lines_ : dict of str to list of Line2D
        By perturbation: one for each contamination (or level, ``against="contamination"``).
    bands_ : dict of str to list of PolyCollection
    legend_ : Legend

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from imagequality.plots import ImpactDisplay
    >>> summary = pd.DataFrame({
    ...     "perturbation": ["blurry", "blurry", "dark"], "level": [3, 5, 0.5],
    ...     "step": [1, 2, 1], "contamination": 1.0, "loss": [0.02, 0.2, 0.01],
    ...     "std_error": [0.02, 0.03, 0.01], "folds": 5, "verdict": ["unclear", "costs", "unclear"],
    ... })
    >>> display = ImpactDisplay.from_summary(summary, score_name="accuracy")
    >>> list(display.axes_), display.lines_["blurry"][0].get_ydata().tolist()
    (['blurry', 'dark'], [0.0, 0.02, 0.2])
    >>> plt.close(display.figure_)
    """

    def __init__(self, summary: pd.DataFrame, *, score_name: str = "score") -> None:
        self.summary = summary
        self.score_name = score_name

    @classmethod
    def from_study(
        cls,
        study: Any,
        *,
        against: Against | None = None,
        max_loss: float | None = None,
        n_columns: int = 4,
        ax: Any = None,
    ) -> ImpactDisplay:
        """Draw what a study has found.

        Parameters
        ----------
        study : ImpactStudy
            Fitted.
        against, max_loss, n_columns, ax
            See :meth:`plot`.

        Returns
        -------
        display : ImpactDisplay
        """
        require_matplotlib(f"{cls.__name__}.from_study")
        check_is_fitted(study, "results_")
        name = study.scoring if isinstance(study.scoring, str) else "score"
        display = cls(study.summary(), score_name=name)
        return display.plot(ax=ax, against=against, max_loss=max_loss, n_columns=n_columns)

    @classmethod
    def from_summary(
        cls,
        summary: pd.DataFrame,
        *,
        score_name: str = "score",
        against: Against | None = None,
        max_loss: float | None = None,
        n_columns: int = 4,
        ax: Any = None,
    ) -> ImpactDisplay:
        """Draw the summary of a study, of a file, say.

        Parameters
        ----------
        summary : DataFrame
            With the columns ``perturbation``, ``level``, ``step``, ``contamination``, ``loss``,
            ``std_error``, ``folds`` and ``verdict``.
        score_name : str, default="score"
        against, max_loss, n_columns, ax
            See :meth:`plot`.

        Returns
        -------
        display : ImpactDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If a column is missing.
        """
        require_matplotlib(f"{cls.__name__}.from_summary")
        display = cls(summary, score_name=score_name)
        return display.plot(ax=ax, against=against, max_loss=max_loss, n_columns=n_columns)

    def plot(
        self,
        ax: Any = None,
        *,
        against: Against | None = None,
        max_loss: float | None = None,
        n_columns: int = 4,
    ) -> ImpactDisplay:
        """Draw the panels.

        Parameters
        ----------
        ax : Axes, default=None
            None: those of a new figure. Else the panels share its room.
        against : {"level", "contamination"}, default=None
            What stands below the panels; the other one makes lines of their own. None: the
            level, unless there is but one for each flaw and several shares.
        max_loss : float, default=None
            A loss to mark by a dashed line: what can be borne.
        n_columns : int, default=4
            Panels in a row.

        Returns
        -------
        self : ImpactDisplay

        Raises
        ------
        ImportError
            Without matplotlib.
        ValueError
            If a parameter is bad, or the summary has no rows or lacks a column.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        check_positive("n_columns", n_columns)
        missing = [name for name in COLUMNS if name not in self.summary.columns]
        if missing or not len(self.summary):
            raise ValueError(
                "summary must be that of an ImpactStudy; it "
                + (f"lacks {', '.join(map(repr, missing))}" if missing else "has no rows")
            )
        below, lines = _axes_of(self.summary, against)
        dearest = self.summary.groupby("perturbation", sort=False)["loss"].max()
        flaws = dearest.sort_values(ascending=False, kind="stable", na_position="last").index
        shape = -(-len(flaws) // n_columns), min(n_columns, len(flaws))
        colours = _colours(_values(self.summary, lines))
        n_entries = 2 + (len(colours) if len(colours) > 1 else 0)
        n_entries += (len(colours) <= MOST_BANDS) + (max_loss is not None)
        if ax is None:
            width = LEFT + shape[1] * (PANEL_WIDTH + GAP_WIDTH) - GAP_WIDTH + RIGHT
            height = TOP + shape[0] * (PANEL_HEIGHT + GAP_HEIGHT) - GAP_HEIGHT
            height += _bottom(width, n_entries)
            ax = new_figure(width, height).add_axes((0, 0, 1, 1))
        ax.set_axis_off()
        self.ax_, self.figure_ = ax, ax.figure
        self.axes_, self.lines_, self.bands_ = {}, {}, {}  # type: ignore[var-annotated]
        limits = self._limits(max_loss, with_bands=len(colours) <= MOST_BANDS)
        for position, flaw in enumerate(flaws):
            row, column = divmod(position, shape[1])
            panel = ax.inset_axes(_place(size_in_inches(ax), shape, row, column, n_entries))
            self.axes_[flaw] = panel
            rows = self.summary[self.summary["perturbation"] == flaw]
            self._draw_panel(panel, flaw, rows, below, lines, colours)
            self._frame(panel, limits, max_loss, with_numbers=column == 0)
            if position + shape[1] >= len(flaws):  # nothing below it
                label = "level" if below == "step" else "images spoilt"
                panel.set_xlabel(label, fontsize=FONT_SIZE, color=ink(panel))
        self._draw_legend(lines, colours, max_loss)
        return self

    def _limits(self, max_loss: float | None, *, with_bands: bool) -> tuple[float, float]:
        """Return the range of losses to show: all of them, and as much of the bands as fits."""
        loss = self.summary["loss"].to_numpy(dtype=np.float64)
        half = _half_widths(self.summary) if with_bands else 0 * loss
        marks = [0.0, *loss[~np.isnan(loss)], *([] if max_loss is None else [max_loss])]
        low, high = min(marks), max(marks)
        height = max(high - low, 0.01)
        bottom = np.nanmin([low, *(loss - half)])
        top = np.nanmax([high, *(loss + half)])
        spare = (HEADROOM - 1) * height
        return (
            max(bottom, low - spare) - 0.05 * height,
            min(top, high + spare) + 0.05 * height,
        )

    def _draw_panel(
        self,
        panel: Any,
        flaw: str,
        rows: pd.DataFrame,
        below: str,
        lines: str,
        colours: dict[Any, Any],
    ) -> None:
        panel.set_title(
            shortened(one_line(flaw), LONGEST_TITLE),
            loc="left",
            fontsize=FONT_SIZE + 1,
            fontweight="bold",
            color=ink(panel),
            parse_math=False,
        )
        self.lines_[flaw], self.bands_[flaw] = [], []
        places = _values(rows, below)
        for value in _values(rows, lines):
            of_line = rows[rows[lines] == value]
            self._draw_line(
                panel, flaw, of_line, places, below, colours[value], len(colours) <= MOST_BANDS
            )
        if below == "contamination":
            words = ["0", *map(_share, places)]
        else:
            levels = dict(zip(rows["step"], rows["level"], strict=True))
            words = ["none", *(_level(levels[place]) for place in places)]
            if list(levels.values()) == [1]:  # there is no more and no less of it
                words[1] = "yes"
        step = -(-len(words) // MOST_LABELS)
        shown = range(0, len(words), step)
        panel.set_xlim(-0.25, len(words) - 0.75)
        panel.set_xticks(list(shown), [words[place] for place in shown], fontsize=FONT_SIZE - 1)
        if rows["loss"].isna().all():
            draw_sentence(panel, "no score")

    def _draw_line(
        self,
        panel: Any,
        flaw: str,
        rows: pd.DataFrame,
        places: list[Any],
        below: str,
        colour: Any,
        with_band: bool,
    ) -> None:
        """Draw one line, from nothing over all places, and its band."""
        by_place = {place: rows[rows[below] == place] for place in places}
        known = [(at, found) for at, (_, found) in enumerate(by_place.items(), 1) if len(found)]
        x = np.array([0, *(at for at, _ in known)])
        loss = np.array([0.0, *(float(found["loss"].iloc[0]) for _, found in known)])
        half = np.array([0.0, *(float(_half_widths(found)[0]) for _, found in known)])
        verdicts = [str(found["verdict"].iloc[0]) for _, found in known]
        (line,) = panel.plot(x, loss, color=colour, linewidth=1.8, zorder=3)
        for place, height, verdict in zip(x[1:], loss[1:], verdicts, strict=True):
            told_from_chance = verdict in ("costs", "helps")
            panel.plot(
                [place],
                [height],
                marker="o",
                markersize=6,
                markeredgewidth=1.5,
                markeredgecolor=colour,
                markerfacecolor=colour if told_from_chance else _background(panel),
                linestyle="none",
                zorder=4,
            )
        self.lines_[flaw].append(line)
        if with_band:
            band = panel.fill_between(x, loss - half, loss + half, color=colour, alpha=0.25)
            band.set_linewidth(0)
            self.bands_[flaw].append(band)

    def _frame(
        self,
        panel: Any,
        limits: tuple[float, float],
        max_loss: float | None,
        *,
        with_numbers: bool,
    ) -> None:
        from matplotlib.ticker import MaxNLocator

        plain_frame(panel)
        panel.set_ylim(*limits)
        panel.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        panel.tick_params(labelleft=with_numbers, labelsize=FONT_SIZE - 1, colors=ink(panel))
        panel.spines[["left", "bottom"]].set_color(muted_ink(panel))
        panel.axhline(0, color=muted_ink(panel), linewidth=1, zorder=1)
        if max_loss is not None:
            panel.axhline(max_loss, color=ink(panel), linewidth=1, linestyle=(0, (4, 3)), zorder=2)
        if with_numbers:
            panel.set_ylabel(
                f"{shortened(one_line(self.score_name), 18)} lost",
                fontsize=FONT_SIZE,
                color=ink(panel),
                parse_math=False,
            )

    def _draw_legend(self, lines: str, colours: dict[Any, Any], max_loss: float | None) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        ax = self.ax_
        several = len(colours) > 1
        colour = muted_ink(ax) if several else next(iter(colours.values()))
        circle: dict[str, Any] = {
            "marker": "o",
            "linestyle": "none",
            "color": colour,
            "markeredgewidth": 1.5,
        }
        handles: list[Any] = [
            Line2D([], [], **circle, label="differs from 0"),
            Line2D([], [], **circle, markerfacecolor=_background(ax), label="may be chance"),
        ]
        if len(colours) <= MOST_BANDS:
            label = f"{100 * CONFIDENCE:g} % interval"
            handles.append(Patch(color=colour, alpha=0.25, linewidth=0, label=label))
        if max_loss is not None:
            label = f"loss of {as_number(max_loss)}"
            handles.append(Line2D([], [], color=ink(ax), linestyle=(0, (4, 3)), label=label))
        if several:

            def words(value: Any) -> str:
                return f"level {value}" if lines == "step" else f"{_share(value)} spoilt"

            handles += [
                Line2D([], [], color=colours[value], linewidth=1.8, label=words(value))
                for value in colours
            ]
        width, height = size_in_inches(ax)
        self.legend_ = ax.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(LEFT / width, 0.08 / height),
            ncols=_legend_columns(width),
            fontsize=FONT_SIZE - 0.5,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            handlelength=1.6,
            columnspacing=1.4,
            labelcolor=ink(ax),
        )


# ------------------------------------------------------------------------------ layout


def _legend_columns(width: float) -> int:
    return max(1, int((width - LEFT) / LEGEND_ENTRY))


def _bottom(width: float, n_entries: int) -> float:
    """Return the margin for what stands below the panels, the legend included, in inches."""
    return BOTTOM + LEGEND_ROW * -(-n_entries // _legend_columns(width))


def _place(
    room: tuple[float, float], shape: tuple[int, int], row: int, column: int, n_entries: int
) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of a panel, as shares of the axes.

    The margins, which hold words, keep their size in inches if the axes are of another size than
    the sheet, and the panels share what is left.
    """
    (width, height), (rows, columns) = room, shape
    panel_width = max(0.2, (width - LEFT - RIGHT - (columns - 1) * GAP_WIDTH) / columns)
    below = _bottom(width, n_entries)
    panel_height = max(0.2, (height - TOP - below - (rows - 1) * GAP_HEIGHT) / rows)
    left = LEFT + column * (panel_width + GAP_WIDTH)
    top = TOP + row * (panel_height + GAP_HEIGHT)
    return (
        left / width,
        (height - top - panel_height) / height,
        panel_width / width,
        panel_height / height,
    )


# ------------------------------------------------------------------------------- values


def _axes_of(summary: pd.DataFrame, against: Any) -> tuple[str, str]:
    """Return the columns of what stands below the panels, and of what makes lines of their own."""
    if against not in (None, "level", "contamination"):
        raise ValueError(f"against must be 'level', 'contamination' or None, got {against!r}")
    if against is None:
        one_level = len(set(summary["step"])) == 1
        several_shares = len(set(summary["contamination"])) > 1
        against = "contamination" if one_level and several_shares else "level"
    return ("step", "contamination") if against == "level" else ("contamination", "step")


def _values(summary: pd.DataFrame, column: str) -> list[Any]:
    return sorted(set(summary[column]))


def _half_widths(rows: pd.DataFrame) -> Any:
    """Return half the confidence interval of each loss; 0 where there is none."""
    folds = rows["folds"].to_numpy(dtype=np.float64)
    error = rows["std_error"].to_numpy(dtype=np.float64)
    factor = students_t.ppf((1 + CONFIDENCE) / 2, np.maximum(folds - 1, 1))
    return np.nan_to_num(factor * error)


def _share(value: float) -> str:
    return f"{100 * value:.3g} %"


def _level(value: Any) -> str:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return shortened(one_line(as_number(value) if is_number else value), LONGEST_LABEL)


def _colours(values: Sequence[Any]) -> dict[Any, Any]:
    """Return a colour for each line: one in vermilion, several from blue to vermilion."""
    from matplotlib.colors import LinearSegmentedColormap

    if len(values) == 1:
        return {values[0]: FLAGGED}
    scale = LinearSegmentedColormap.from_list("impact", [FINE, "#CC79A7", FLAGGED])
    return dict(zip(values, scale(np.linspace(0, 1, len(values))), strict=True))


def _background(ax: Any) -> str:
    return "white" if ink(ax) == "black" else "black"
