"""What is printed, where, and so that any name of a file can be printed."""

from __future__ import annotations

import json
import math
import os
import sys
from typing import Any

from ..report._text import in_one_line as printable

STANDARD_OUTPUT = "-"
"""What stands for the standard output where a file is asked for."""


def say(text: str, *, aside: bool = False) -> None:
    r"""Print lines, whatever characters they have and the terminal lacks.

    Parameters
    ----------
    text : str
        What would steer the terminal is escaped; of a name that stands in a line, see to it with
        :func:`printable`, that it does not end the line.
    aside : bool, default=False
        Whether it goes to the standard error output, since it is no result.

    Examples
    --------
    >>> say("7 images\x1b[2J")
    7 images\x1b[2J
    """
    text = "\n".join(map(printable, text.split("\n")))
    stream = sys.stderr if aside else sys.stdout
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def complain(message: object) -> None:
    """Print a line about what went wrong, after the name of the program."""
    say(f"imagequality: {printable(message)}", aside=True)


def print_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    """Print a warning as one line, without the place in the code; for ``warnings.showwarning``."""
    complain(message)


def say_json(content: Any) -> None:
    """Print plain data as JSON, in ASCII: any parser reads it, whatever the terminal's encoding.

    Parameters
    ----------
    content : dict, list, str, float, …
        A NaN is an error: JSON has none.
    """
    say(_as_json(content))


def write_json(content: Any, path: str) -> None:
    """Write plain data to a file, as :func:`say_json` prints it."""
    with open(path, "w", encoding="ascii") as file:
        file.write(_as_json(content) + "\n")


def number_or_none(value: float) -> float | None:
    """Return a number that JSON has: None stands for NaN and infinity.

    Examples
    --------
    >>> number_or_none(0.5), number_or_none(float("nan"))
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


def _as_json(content: Any) -> str:
    return json.dumps(content, indent=2, allow_nan=False)


def flush_output() -> None:
    """Write out what was printed.

    Raises
    ------
    OSError
        If it cannot be written: the disk is full, or nobody reads it. What is left is given
        up, or Python would complain of it a second time at its end.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise
