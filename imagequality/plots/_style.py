"""What all displays share: matplotlib, colours, and text that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Okabe and Ito's colours, which the colour-blind can tell apart. All of them can be seen on
# white and on black.
FINE = "#56B4E9"  # sky blue
FLAGGED = "#D55E00"  # vermilion
FLAGGED_BY_LIMIT = "#E69F00"  # orange
SPARED = "#CC79A7"  # reddish purple
KEPT = "#009E73"  # bluish green

POINTS_PER_INCH = 72
LINE_HEIGHT = 1.3  # distance between two lines of text, in font sizes

_ELLIPSIS = "…"


def require_matplotlib(caller: str) -> None:
    """Say which extra is missing, before any work is done.

    Raises
    ------
    ImportError
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib: pip install 'imagequality[plot]'") from error


def new_figure(width: float, height: float) -> Any:
    """Open a figure of pyplot's, of a size in inches."""
    import matplotlib.pyplot as plt

    return plt.figure(figsize=(width, height))


def ink(ax: Any) -> str:
    """Return black or white, whichever is read better on the axes.

    The axes, not the settings, say whether the style is dark: they may have been made under
    another one.
    """
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb, to_rgba

    for colour in (ax.get_facecolor(), ax.figure.get_facecolor()):
        red, green, blue, opacity = to_rgba(colour)
        if opacity > 0.5:
            break
    else:  # transparent: all that is known is what the style writes with
        red, green, blue = (1 - channel for channel in to_rgb(rcParams["text.color"]))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def muted_ink(ax: Any) -> str:
    """Return a grey for what is less important, read well on the axes."""
    return "#595959" if ink(ax) == "black" else "#B3B3B3"


def one_line(text: Any) -> str:
    """Return text that can be drawn: in one line, with only characters that can be encoded."""
    printable = "".join(char if char.isprintable() else " " for char in str(text))
    return printable.encode("utf-8", "replace").decode("utf-8")


def shortened(text: str, length: int) -> str:
    """Take characters out of the middle of a text: the end of a file name tells files apart.

    Parameters
    ----------
    text : str
    length : int
        The most characters that are left, the ellipsis included; at least 1.

    Returns
    -------
    text : str

    Examples
    --------
    >>> shortened("photograph_0001.jpg", 11)
    'photo…1.jpg'
    >>> shortened("short.jpg", 11)
    'short.jpg'
    """
    if len(text) <= length:
        return text
    kept = max(length, 1) - 1
    end = kept // 2
    return text[: kept - end] + _ELLIPSIS + text[len(text) - end :]


def shorten_to_width(text: Any, width: float) -> None:
    """Shorten a drawn text, from its middle, until it is at most so wide.

    Parameters
    ----------
    text : Text
    width : float
        In pixels of the figure.
    """
    whole = text.get_text()
    if text_width(text) <= width:
        return
    fits, too_long = 1, len(whole)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        text.set_text(shortened(whole, middle))
        if text_width(text) <= width:
            fits = middle
        else:
            too_long = middle
    text.set_text(shortened(whole, fits))


def text_width(text: Any) -> float:
    """Return how wide a text is drawn, in pixels of the figure."""
    return float(text.get_window_extent().width) if text.get_text() else 0.0


def keep_arranged(ax: Any, arrange: Callable[[], None]) -> None:
    """Lay out the axes now, and whenever they are drawn with another size.

    Parameters
    ----------
    ax : Axes
    arrange : callable
        Gives the texts in the axes their sizes and places; it adds none and removes none.
    """
    from ._fit_on_draw import FitOnDraw

    arrange()
    ax.figure.add_artist(FitOnDraw(ax, arrange))


def size_in_inches(ax: Any) -> tuple[float, float]:
    """Return width and height of the axes, in inches."""
    dpi = ax.figure.dpi
    box = ax.get_window_extent()
    return box.width / dpi, box.height / dpi


def draw_sentence(ax: Any, sentence: str) -> Any:
    """Draw a sentence in the place of a picture that has nothing to show."""
    from textwrap import fill

    ax.set_axis_off()
    characters = max(12, int(size_in_inches(ax)[0] * 10))
    return ax.text(
        0.5,
        0.5,
        fill(one_line(sentence), characters),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=ink(ax),
        parse_math=False,
    )


def counted(number: int, noun: str = "image") -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1), counted(1200)
    ('1 image', '1,200 images')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def as_share(part: int, whole: int) -> str:
    """Return a share in per cent, never 0 % or 100 % where it is not.

    Examples
    --------
    >>> as_share(12, 200), as_share(1, 100_000), as_share(0, 5), as_share(9999, 10_000)
    ('6.0 %', '< 0.1 %', '0 %', '> 99.9 %')
    """
    if part in (0, whole) or not whole:
        return "100 %" if part else "0 %"
    share = part / whole
    if share < 0.001:
        return "< 0.1 %"
    return "> 99.9 %" if share > 0.999 else f"{share:.1%}".replace("%", " %")


def as_score(score: float) -> str:
    """Return a score with three decimals, so that scores below each other can be compared.

    Examples
    --------
    >>> as_score(0.3), as_score(0), as_score(0.0001), as_score(1234.5)
    ('0.300', '0', '0.0001', '1,234')
    """
    return f"{score:.3f}" if 0.001 <= abs(score) < 1 else as_number(score)


def as_number(value: float) -> str:
    """Return a number with three significant digits.

    Examples
    --------
    >>> as_number(0.41234), as_number(1), as_number(1234.5)
    ('0.412', '1', '1,234')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
