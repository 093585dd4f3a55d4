"""The command line: ``imagequality scan``, ``validate``, ``duplicates``, ``demo``, ``version``.

Results go to the standard output, everything else (warnings, errors, the progress bar) to the
standard error output, so that a pipe carries results only. Exit codes: 0 done; 1 an image did not
pass ``validate``; 2 the command could not be carried out, and why; 130 stopped by Ctrl-C; 141 the
reader of the output went away.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from ..measurements import WorkerError
from ._output import complain, flush_output, print_warning
from ._parser import make_parser, scan_is_meant

__all__ = ["main"]

CANNOT = 2
STOPPED = 130  # 128 + SIGINT, as a shell has it
NOBODY_READS = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None means those of the process.

    Returns
    -------
    exit_code : int
        See the top of this module.

    Examples
    --------
    >>> main(["version"])  # doctest: +ELLIPSIS
    imagequality ...
    0
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        goes_on = "; the same command will go on from there" if "--cache" in arguments else ""
        complain(f"stopped{goes_on}")
        return STOPPED
    except BrokenPipeError:
        return NOBODY_READS


def _run(arguments: Sequence[str]) -> int:
    """Parse and carry out; what a user can mend ends in one line and not in a traceback."""
    try:
        parser = make_parser()
        if not arguments:
            parser.print_help(sys.stderr)
            return CANNOT
        if scan_is_meant(arguments):
            parser.error(f"the command is missing, did you mean: imagequality scan {arguments[0]}")
        options = parser.parse_args(arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if options.quiet else "default", UserWarning)
            warnings.showwarning = print_warning
            exit_code = int(options.run(options))
        flush_output()
        return exit_code
    except SystemExit as stop:  # argparse: of --help, --version and bad usage
        flush_output()
        return int(stop.code or 0)
    except BrokenPipeError:
        raise
    except (OSError, ValueError, ImportError, WorkerError) as error:
        complain(error)
        return CANNOT
