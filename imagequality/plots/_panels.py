"""Blocks of pictures with captions, drawn in one axes whose unit is the inch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, NamedTuple

from ._sources import Picture
from ._style import (
    LINE_HEIGHT,
    POINTS_PER_INCH,
    ink,
    keep_arranged,
    muted_ink,
    new_figure,
    shorten_to_width,
    size_in_inches,
    text_width,
)

SIDE = 1.3  # inches of the square that a picture fits in
GAP = 0.14
MARGIN = 0.12
HEADING_SIZE, CAPTION_SIZE, NAME_SIZE = 11, 9, 8  # points


class Panel(NamedTuple):
    """One picture and what stands below it."""

    picture: Picture
    caption: str
    name: str
    frame: str | None = None  # its colour


@dataclass(frozen=True)
class Block:
    """A heading and the pictures below it, in rows."""

    heading: str
    panels: Sequence[Panel]


@dataclass
class Drawn:
    """What was drawn: by block, then by panel."""

    headings: list[Any] = field(default_factory=list)
    images: list[list[Any]] = field(default_factory=list)  # None where it cannot be read
    frames: list[list[Any]] = field(default_factory=list)
    captions: list[list[Any]] = field(default_factory=list)
    sizes: list[list[Any]] = field(default_factory=list)
    names: list[list[Any]] = field(default_factory=list)
    texts: list[Any] = field(default_factory=list)  # all of them


def _line(font_size: float) -> float:
    return LINE_HEIGHT * font_size / POINTS_PER_INCH


HEADING_HEIGHT = _line(HEADING_SIZE) + 0.06
ROW_HEIGHT = SIDE + 0.05 + _line(CAPTION_SIZE) + _line(NAME_SIZE) + 0.1
BLOCK_GAP = 0.12
_THICK = "marked"  # the gid of frames that mean something


def sheet_size(blocks: Sequence[Block], columns: int) -> tuple[float, float]:
    """Return width and height of all blocks, in inches."""
    width = 2 * MARGIN + columns * SIDE + (columns - 1) * GAP
    rows = sum(-(-len(block.panels) // columns) for block in blocks)
    gaps = BLOCK_GAP * (len(blocks) - 1)
    return width, 2 * MARGIN + len(blocks) * HEADING_HEIGHT + rows * ROW_HEIGHT + gaps


def sheet_axes(width: float, height: float) -> Any:
    """Return axes that fill a new figure of a size in inches."""
    return new_figure(width, height).add_axes((0, 0, 1, 1))


def draw_blocks(ax: Any, blocks: Sequence[Block], columns: int) -> Drawn:
    """Draw blocks of pictures from the top down.

    All is shrunk alike, fonts too, where the axes are smaller than the sheet.

    Parameters
    ----------
    ax : Axes
    blocks : sequence of Block
    columns : int
        Pictures in a row.

    Returns
    -------
    drawn : Drawn
    """
    width, height = sheet_size(blocks, columns)
    sheet = _Sheet(ax, width, height)
    top = MARGIN
    for block in blocks:
        sheet.draw_heading(block.heading, top)
        top += HEADING_HEIGHT
        for start in range(0, len(block.panels), columns):
            for column, panel in enumerate(block.panels[start : start + columns]):
                sheet.draw_panel(panel, MARGIN + column * (SIDE + GAP), top)
            top += ROW_HEIGHT
        top += BLOCK_GAP
    ax.set_axis_off()
    # Last, since images set the limits to their own.
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal", anchor="NW")
    keep_arranged(ax, sheet.arrange)
    return sheet.drawn


class _Words(NamedTuple):
    """A text, in full, and the room it has."""

    text: Any
    words: str
    font_size: float  # points, where the sheet is not shrunk
    width: float  # inches
    whole: bool  # is made smaller rather than shortened


class _Sheet:
    """Draws headings and panels at places in inches."""

    def __init__(self, ax: Any, width: float, height: float) -> None:
        self._ax, self._width, self._height = ax, width, height
        self._ink, self._muted = ink(ax), muted_ink(ax)
        self._words: list[_Words] = []
        self.drawn = Drawn()

    def arrange(self) -> None:
        """Bring fonts and lines to the size of the axes, and texts into their room."""
        room = size_in_inches(self._ax)
        scale = min(room[0] / self._width, room[1] / self._height)
        dots = scale * float(self._ax.figure.dpi)  # per inch of the sheet
        for text, words, font_size, width, whole in self._words:
            text.set(text=words, fontsize=font_size * min(scale, 1.0))
            if whole:
                text.set_fontsize(text.get_fontsize() * min(1, width * dots / text_width(text)))
            else:
                shorten_to_width(text, width * dots)
        for captions, sizes in zip(self.drawn.captions, self.drawn.sizes, strict=True):
            for caption, size in zip(captions, sizes, strict=True):
                if text_width(caption) + text_width(size) > 0.94 * SIDE * dots:
                    size.set_text("")
        for frame in (frame for frames in self.drawn.frames for frame in frames):
            thick = frame.get_gid() == _THICK
            frame.set_linewidth((3.5 if thick else 0.5) * min(scale, 1.0))

    def draw_heading(self, heading: str, top: float) -> None:
        place = MARGIN, top + HEADING_HEIGHT - 0.06
        width = self._width - 2 * MARGIN
        text = self._write(heading, place, HEADING_SIZE, width, fontweight="bold")
        drawn = self.drawn
        drawn.headings.append(text)
        for panels in (drawn.images, drawn.frames, drawn.captions, drawn.sizes, drawn.names):
            panels.append([])

    def draw_panel(self, panel: Panel, left: float, top: float) -> None:
        floor = top + SIDE
        if panel.picture.pixels is None:
            image, box = None, (left, floor, SIDE, SIDE)
            self._draw_reason(panel.picture.reason, left, top)
        else:
            image, box = self._draw_image(panel.picture.pixels, left, floor)
        self.drawn.images[-1].append(image)
        self.drawn.frames[-1].append(self._draw_frame(box, panel.frame))
        self._draw_captions(panel, left, floor)

    def _draw_image(
        self, pixels: Any, left: float, floor: float
    ) -> tuple[Any, tuple[float, float, float, float]]:
        """Draw an image as large as fits, from the lower left corner of its square."""
        height, width = pixels.shape[:2]
        inches = SIDE / max(height, width)
        box = (left, floor, width * inches, height * inches)
        extent = (left, left + box[2], floor, floor - box[3])
        return self._ax.imshow(pixels, extent=extent, zorder=1), box

    def _draw_frame(self, box: tuple[float, float, float, float], colour: str | None) -> Any:
        """Draw a line around an image; a thin one, too, else black on black is not seen."""
        from matplotlib.patches import Rectangle

        left, floor, width, height = box
        frame = Rectangle((left, floor - height), width, height, fill=False, zorder=2)
        frame.set(edgecolor=self._muted if colour is None else colour)
        frame.set_gid(None if colour is None else _THICK)
        return self._ax.add_patch(frame)

    def _draw_reason(self, reason: str, left: float, top: float) -> None:
        lines = wrap(reason, 20) or ["cannot be read"]
        lines = [*lines[:5], "…"] if len(lines) > 6 else lines
        self._write(
            "\n".join(lines),
            (left + SIDE / 2, top + SIDE / 2),
            NAME_SIZE,
            SIDE - 0.1,
            whole=True,
            ha="center",
            va="center",
            color=self._muted,
        )

    def _draw_captions(self, panel: Panel, left: float, floor: float) -> None:
        first = floor + 0.05 + _line(CAPTION_SIZE)
        second = first + _line(NAME_SIZE)
        right, grey = left + SIDE, self._muted
        caption = self._write(panel.caption, (left, first), CAPTION_SIZE, SIDE, fontweight="bold")
        size = self._write(
            panel.picture.size, (right, first), NAME_SIZE, SIDE, ha="right", color=grey
        )
        name = self._write(panel.name, (left, second), NAME_SIZE, SIDE, color=grey)
        self.drawn.captions[-1].append(caption)
        self.drawn.sizes[-1].append(size)
        self.drawn.names[-1].append(name)

    def _write(
        self,
        words: str,
        place: tuple[float, float],
        font_size: float,
        width: float,
        *,
        whole: bool = False,
        **style: Any,
    ) -> Any:
        style = {"ha": "left", "va": "bottom", "color": self._ink, **style}
        text = self._ax.text(*place, words, parse_math=False, **style)
        self._words.append(_Words(text, words, font_size, width, whole))
        self.drawn.texts.append(text)
        return text
