"""Texts that are laid out again when the axes have got another size.

Imports matplotlib, so it is itself only imported where something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.artist import Artist

from ._style import size_in_inches

LEAST_CHANGE = 0.01  # inches


class FitOnDraw(Artist):
    """An artist that draws nothing, but is drawn before all axes.

    Layout engines and windows give the axes their size after the plot was made; whether a text
    fits is known only then.

    Parameters
    ----------
    ax : Axes
    arrange : callable
        Lays out what is in the axes, without an artist more or less.
    """

    def __init__(self, ax: Any, arrange: Callable[[], None]) -> None:
        super().__init__()
        self._fitted_axes, self._arrange = ax, arrange
        self._children = list(ax.texts)
        self._size = size_in_inches(ax)
        self.set_zorder(float("-inf"))
        self.set_in_layout(False)

    def draw(self, renderer: Any) -> None:
        """Lay out anew if the size has changed, and the axes still show what they did."""
        size = size_in_inches(self._fitted_axes)
        changed = max(abs(new - old) for new, old in zip(size, self._size, strict=True))
        still_there = self._fitted_axes.figure is self.figure and set(self._children) <= set(
            self._fitted_axes.texts
        )
        if changed > LEAST_CHANGE and min(size) > 0 and still_there:
            self._size = size
            self._arrange()
