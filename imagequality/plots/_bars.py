"""Histograms whose bars end at the threshold, on a linear or a logarithmic axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Log = bool | Literal["auto"]

# On a linear axis a bar of less than this share of the tallest one cannot be seen.
LEAST_VISIBLE = 0.02
LOG_BOTTOM = 0.5  # so that a bar of one image has a height


def check_log(log: Any) -> None:
    """Refuse what is no choice of an axis.

    Raises
    ------
    ValueError
    """
    if not (isinstance(log, (bool, np.bool_)) or log == "auto"):
        raise ValueError(f"log must be True, False or 'auto', got {log!r}")


def check_positive(name: str, number: Any) -> None:
    """Refuse what is no positive integer.

    Raises
    ------
    ValueError
    """
    is_integer = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
    if not is_integer or number < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {number!r}")


def score_range(scores: NDArray[np.float64], marks: Sequence[float]) -> tuple[float, float]:
    """Return the range of scores to show: all of them and the thresholds, with a margin.

    Parameters
    ----------
    scores : ndarray of shape (n,), finite
    marks : sequence of float
        What must be seen too.

    Returns
    -------
    low, high : float
        The margin does not leave [0, 1] if all are in it.
    """
    low = float(min([scores.min(), *marks]))
    high = float(max([scores.max(), *marks]))
    margin = 0.03 * (high - low) or 0.05 * max(abs(low), 1.0)
    within = low >= 0 and high <= 1
    low, high = low - margin, high + margin
    return (max(low, -0.01), min(high, 1.01)) if within else (low, high)


def edges_through(mark: float, low: float, high: float, bins: int) -> NDArray[np.float64]:
    """Return the edges of equally wide bins that cover a range, one of them at a mark.

    So no bar is half flagged.

    Parameters
    ----------
    mark : float
        Within the range.
    low, high : float
    bins : int
        How many bins the range is wide; one more covers it.

    Returns
    -------
    edges : ndarray, ascending

    Examples
    --------
    >>> edges_through(0.5, 0.0, 1.0, 4).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    width = (high - low) / bins
    before = int(np.ceil((mark - low) / width - 1e-9))
    after = int(np.ceil((high - mark) / width - 1e-9))
    return np.asarray(mark + width * np.arange(-before, after + 1), dtype=np.float64)


def draw_bars(
    ax: Any, groups: Sequence[tuple[NDArray[np.float64], str, str]], edges: NDArray[np.float64]
) -> tuple[list[Any], NDArray[np.int64]]:
    """Draw the histograms of groups of scores on top of each other.

    Parameters
    ----------
    ax : Axes
    groups : sequence of (scores, colour, label)
    edges : ndarray
        Bins that hold all scores.

    Returns
    -------
    bars : list of BarContainer
        One per group; empty bins have no bar.
    heights : ndarray of shape (n_groups, n_bins)
        The counts.
    """
    heights = np.array([np.histogram(scores, edges)[0] for scores, _, _ in groups], dtype=np.int64)
    bottoms = np.cumsum(heights, axis=0) - heights
    bars = []
    for (_, colour, label), height, bottom in zip(groups, heights, bottoms, strict=True):
        filled = np.flatnonzero(height)
        bars.append(
            ax.bar(
                edges[filled],
                height[filled],
                np.diff(edges)[filled],
                bottom[filled],
                align="edge",
                color=colour,
                label=label,
                linewidth=0,
            )
        )
    return bars, heights


def wants_log(log: Log, heights: NDArray[np.int64]) -> bool:
    """Say whether the axis of counts is logarithmic.

    ``"auto"``: where the tallest bar of one of the groups could hardly be seen otherwise.
    """
    if log != "auto":
        return bool(log)
    tallest = heights.max(axis=1)
    tallest = tallest[tallest > 0]
    return bool(tallest.size and tallest.min() < LEAST_VISIBLE * heights.sum(axis=0).max())


def scale_counts(ax: Any, highest: int, *, log: bool, share: float) -> None:
    """Give the bars the lower part of the axes, and ticks only there.

    Parameters
    ----------
    ax : Axes
    highest : int
        Height of the tallest bar, at least 1.
    log : bool
    share : float in (0, 1]
        Of the height of the axes, for the tallest bar.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter

    if log:
        ax.set_yscale("log")
        ax.set_ylim(LOG_BOTTOM, LOG_BOTTOM * (highest / LOG_BOTTOM) ** (1 / share))
        powers = [10.0**exponent for exponent in range(len(str(highest)))]
        ticks = powers[:: -(-len(powers) // 6)]
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        ax.set_ylim(0, highest / share)
        whole = MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]).tick_values(0, highest)
        ticks = [tick for tick in whole if 0 <= tick <= highest]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.spines["left"].set_bounds(ax.get_ylim()[0], highest)
    ax.set_ylabel("images (log scale)" if log else "images")


def plain_frame(ax: Any) -> None:
    """Take away the lines around the axes that carry no numbers."""
    ax.spines[["top", "right"]].set_visible(False)
