"""Options of the command line that limit what one image may cost."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError, Namespace
from typing import Any

from ..measurements import Isolation

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_isolation_options(parser: Any) -> None:
    """Describe the options that :func:`isolation_of` reads."""
    parser.add_argument(
        "--isolate",
        action="store_true",
        help="read images in processes of their own: one that crashes its decoder or hangs "
        "becomes an unreadable image, and the scan goes on",
    )
    parser.add_argument(
        "--time-limit",
        type=seconds,
        metavar="SECONDS",
        help=f"with --isolate, for each image (default: {Isolation().time_limit:g})",
    )
    parser.add_argument(
        "--memory-limit",
        type=number_of_bytes,
        metavar="BYTES",
        help="with --isolate, for each process, beyond what it has when it starts; such as 2G "
        "(default: none; Linux only)",
    )


def isolation_of(options: Namespace) -> bool | Isolation:
    """Return what ``isolate`` of the pipeline is to be.

    Raises
    ------
    ValueError
        If a limit is given without ``--isolate``, or there is none of its kind here.

    Examples
    --------
    >>> isolation_of(Namespace(isolate=True, time_limit=5.0, memory_limit=None))
    Isolation(time_limit=5.0, memory_limit=None)
    """
    limits = {
        name: value
        for name in ("time_limit", "memory_limit")
        if (value := getattr(options, name, None)) is not None
    }
    if not getattr(options, "isolate", False):  # some commands that scan do not have the options
        if limits:
            raise ValueError(f"--{next(iter(limits)).replace('_', '-')} works with --isolate only")
        return False
    return Isolation(**limits)


def seconds(text: str) -> float:
    """Read a time.

    Examples
    --------
    >>> seconds("2.5")
    2.5
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return value


def number_of_bytes(text: str) -> int:
    """Read a size; K, M and G are powers of 1024.

    Examples
    --------
    >>> number_of_bytes("1000000"), number_of_bytes("2G")
    (1000000, 2147483648)
    """
    digits = text.rstrip("KMG")
    unit = _UNITS.get(text[len(digits) :])
    if unit is None or not digits.isdecimal() or int(digits) < 1:
        raise ArgumentTypeError(
            f"expected a number of bytes, such as 500000000, 500M or 2G, got {text!r}"
        )
    return int(digits) * unit
