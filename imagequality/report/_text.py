"""Names and other text on their way out: to files, spreadsheets and pages."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# A spreadsheet takes a cell that begins so for a formula and runs it, or passes over the white
# space before one. The wide forms are what some put the plain ones in place of. The list is that
# of https://owasp.org/www-community/attacks/CSV_Injection.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def printable(text: str) -> str:
    r"""Write characters that are no Unicode, as file names may hold, as backslash escapes.

    Parameters
    ----------
    text : str

    Returns
    -------
    printable : str
        Can be encoded as UTF-8.

    Examples
    --------
    >>> printable("caf\udce9.jpg")
    'caf\\udce9.jpg'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def in_one_line(text: object) -> str:
    r"""Escape what would break a line, steer a terminal, turn text round or is no character.

    Parameters
    ----------
    text : object
        Such as a path: a name on disk may hold a line feed, the sequence that clears a screen,
        the sign that lets what follows run from right to left, or bytes that are no text.

    Returns
    -------
    line : str
        With backslash escapes; can be encoded as UTF-8.

    Examples
    --------
    >>> print(in_one_line("a\nb\x1b[2J\u202egpj\udce9.exe"))
    a\nb\x1b[2J\u202egpj\udce9.exe
    """
    whole = str(text)
    if whole.isprintable():
        return whole
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in whole
    )


def guarded_cell(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula.

    Parameters
    ----------
    text : str
        The content of one cell of a CSV file.

    Returns
    -------
    guarded : str
        :func:`unguarded_cell` gives the text back, whatever it was: text that looks guarded
        already gets another apostrophe.

    Examples
    --------
    >>> guarded_cell("=1+1"), guarded_cell("'=1+1"), guarded_cell("a.jpg")
    ("'=1+1", "''=1+1", 'a.jpg')
    """
    return f"'{text}" if text.lstrip("'").startswith(FORMULA_STARTS) else text


def unguarded_cell(text: str) -> str:
    """Take away the apostrophe that :func:`guarded_cell` put before a text.

    Parameters
    ----------
    text : str
        The content of one cell of a CSV file that this library wrote.

    Returns
    -------
    text : str

    Examples
    --------
    >>> unguarded_cell("'=1+1"), unguarded_cell("a.jpg"), unguarded_cell("'tis.jpg")
    ('=1+1', 'a.jpg', "'tis.jpg")
    """
    guarded = text.startswith("'") and text.lstrip("'").startswith(FORMULA_STARTS)
    return text[1:] if guarded else text


def image_label(name: Any) -> str | int | None:
    """Return what an image is called in a file: its position, or its name as printable text.

    Examples
    --------
    >>> image_label("a.jpg"), image_label(np.int64(3)), image_label(None)
    ('a.jpg', 3, None)
    """
    if isinstance(name, Integral):
        return int(name)
    if name is None or (pd.api.types.is_scalar(name) and pd.isna(name)):
        return None
    return printable(str(name))


def objects(values: list[Any]) -> NDArray[np.object_]:
    """Keep values as they are: pandas' own strings refuse file names that are no Unicode."""
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):  # a tuple must stay one value
        array[position] = value
    return array


def image_labels(index: pd.Index) -> list[str | int]:
    """Return what each image of a table is called, see :func:`image_label`."""
    labels = [image_label(name) for name in index]
    return ["" if label is None else label for label in labels]


def is_named(index: pd.Index) -> bool:
    """Tell whether images have names, paths say, rather than their positions."""
    return any(isinstance(name, str) for name in index)
