"""Texts on the command line → values; a bad one is refused before any work is done.

Each function here serves as the ``type`` of an argument: argparse prints the error with the name
of the argument, and the program ends with 2.
"""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from ..report._overwriting import refuse_to_overwrite_images
from ._output import STANDARD_OUTPUT


def words(text: str) -> list[str]:
    """Split a comma-separated list.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : list of str
        At least one, none of them empty.

    Raises
    ------
    ArgumentTypeError

    Examples
    --------
    >>> words("dark, blurry")
    ['dark', 'blurry']
    """
    found = [word.strip() for word in text.split(",")]
    if not all(found):
        raise ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return found


def assignment(text: str) -> tuple[str, str]:
    """Split ``name=value``.

    Examples
    --------
    >>> assignment("blurry=0.4")
    ('blurry', '0.4')
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise ArgumentTypeError(f"expected ISSUE=VALUE, got {text!r}")
    return name, value


def number_of_workers(text: str) -> int:
    """Read a number of workers: at least 1, or −1 for all cores.

    Examples
    --------
    >>> number_of_workers("4")
    4
    """
    try:
        workers = int(text)
    except ValueError:
        workers = 0
    if workers == 0:
        raise ArgumentTypeError(f"expected at least 1 worker, or -1 for all cores, got {text!r}")
    return workers


def distance(text: str) -> float | str:
    """Read a largest distance: a number that is not negative, or "auto".

    Examples
    --------
    >>> distance("16"), distance("auto")
    (16.0, 'auto')
    """
    if text == "auto":
        return text
    number = _number(text)
    if number is None or number < 0:
        raise ArgumentTypeError(f"expected 'auto' or a number of at least 0, got {text!r}")
    return number


def output_file(text: str) -> str:
    """Check that a file can be written, so that no long scan ends at a folder that is missing.

    Raises
    ------
    ArgumentTypeError
        If it is a folder, an image or an archive, its folder does not exist, or one of them
        cannot be written.
    """
    folder = os.path.dirname(os.path.abspath(text))
    if os.path.isdir(text):
        raise ArgumentTypeError(f"{text!r} is a folder")
    if not os.path.isdir(folder):
        raise ArgumentTypeError(f"no such folder: {folder!r}")
    if not os.access(text if os.path.exists(text) else folder, os.W_OK):
        raise ArgumentTypeError(f"no permission to write {text!r}")
    try:
        refuse_to_overwrite_images(text)
    except FileExistsError as error:
        raise ArgumentTypeError(str(error)) from error
    return text


def page_file(text: str) -> str:
    """Check that an HTML page can be written: the file, and the package that writes it."""
    if find_spec("jinja2") is None:
        raise ArgumentTypeError("the page needs Jinja2: pip install 'imagequality[report]'")
    return output_file(text)


def output_file_or_standard_output(text: str) -> str:
    """Check a file as :func:`output_file` does; "-" is the standard output."""
    return text if text == STANDARD_OUTPUT else output_file(text)


def check_known(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that is unknown, and say which are known.

    Parameters
    ----------
    kind : str
        What it is a name of.
    name : str
    known : iterable of str

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_known("issue", "blury", ["dark", "blurry"])
    Traceback (most recent call last):
    ...
    ValueError: unknown issue 'blury', did you mean 'blurry'? Known are dark, blurry
    """
    known = list(known)
    if name not in known:
        close = get_close_matches(name, known, n=1)
        guess = f", did you mean {close[0]!r}?" if close else "."
        raise ValueError(f"unknown {kind} {name!r}{guess} Known are {', '.join(known)}")


def limit(issue: str, text: str) -> float | None:
    """Read a fixed limit of an issue's score.

    Parameters
    ----------
    issue : str
    text : str

    Returns
    -------
    limit : float in [0, 1], or None
        None if it is no number.

    Raises
    ------
    ValueError
        If it is a number out of range.

    Examples
    --------
    >>> limit("dark", "0.3"), limit("dark", "li")
    (0.3, None)
    """
    number = _number(text)
    if number is not None and not 0 <= number <= 1:  # also true of NaN
        raise ValueError(f"the threshold of {issue!r} must lie between 0 and 1, got {text}")
    return number


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
