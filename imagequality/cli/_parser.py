"""The commands and their options, put together."""

from __future__ import annotations

import os
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Any, NoReturn

from . import _demo, _duplicates, _scan, _validate, _version
from ._output import printable

COMMANDS = {
    "scan": _scan,
    "validate": _validate,
    "duplicates": _duplicates,
    "demo": _demo,
    "version": _version,
}


class Parser(ArgumentParser):
    """A parser that takes no abbreviated options: these would break with the next new option."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=RawDescriptionHelpFormatter, **settings
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end: an argument may be the name of a file, so of any text."""
        super().error(printable(message))


def make_parser() -> ArgumentParser:
    """Return the parser of the command line.

    Returns
    -------
    parser : ArgumentParser
        What it parses has the attribute ``run``, the function that carries out the command and
        returns the exit code, and ``quiet``.
    """
    parser = Parser(
        prog="imagequality",
        description="Find low-quality and duplicate images. No image is changed or deleted.",
        epilog="imagequality COMMAND --help describes a command.",
    )
    parser.add_argument("--version", action="version", version=_version.program_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS.values():
        module.add_parser(commands)
    return parser


def scan_is_meant(arguments: Sequence[str]) -> bool:
    """Whether a folder stands where the command should.

    Parameters
    ----------
    arguments : sequence of str

    Examples
    --------
    >>> scan_is_meant(["scan", "photos"]), scan_is_meant(["."])
    (False, True)
    """
    return bool(arguments) and arguments[0] not in COMMANDS and os.path.exists(arguments[0])
