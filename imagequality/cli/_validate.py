"""``imagequality validate``: whether each image passes."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError, Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

import pandas as pd

from ..validation import ISSUES, PROFILES, validate_many
from ._arguments import assignment, check_known, limit
from ._output import number_or_none, printable, say, say_json
from ._scan import add_common_options
from ._sources import files_or_folders

PASSED, FAILED = 0, 1

SCHEMA = "imagequality.validation"
SCHEMA_VERSION = 1

EXAMPLES = """\
exit code:
  0 if all images pass, 1 if one does not, 2 if nothing could be judged

examples:
  imagequality validate upload.jpg && cp upload.jpg accepted/
  imagequality validate incoming/ --profile object_detection
  imagequality validate *.jpg --profile mine.toml --threshold blurry=0.3 --json
"""


def add_parser(commands: _SubParsersAction[Any]) -> None:
    """Describe the command and its options."""
    parser = commands.add_parser(
        "validate",
        help="judge images one by one against fixed limits",
        description="Judge images one by one against fixed limits: one line for each.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="an image, a folder, an archive or a URL"
    )
    parser.add_argument(
        "--profile",
        default="classification",
        metavar="NAME|FILE",
        help=f"{', '.join(PROFILES)}, or a TOML file of your own (default: classification)",
    )
    parser.add_argument(
        "--threshold",
        type=assignment,
        action="append",
        default=[],
        metavar="ISSUE=LIMIT",
        help=f"another limit, in [0, 1], than the profile's. Known are {', '.join(ISSUES)}",
    )
    parser.add_argument(
        "--min-side", type=_pixels, metavar="PIXELS", help="how long the shorter side must be"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    add_common_options(parser, quiet="print images that do not pass, and errors, only")


def run(options: Namespace) -> int:
    """Carry out the command."""
    limits = dict(_checked_limit(issue, value) for issue, value in options.threshold)
    verdicts = validate_many(
        files_or_folders(options.files),
        _profile(options.profile),
        limits,
        min_side=options.min_side,
        n_jobs=options.n_jobs,
        progress=not options.quiet,
    )
    if options.json:
        say_json(as_json(verdicts))
    else:
        for name, verdict in zip(verdicts.index, verdicts.to_dict("records"), strict=True):
            if not (options.quiet and verdict["ok"]):
                say(verdict_line(name, verdict))
    return PASSED if verdicts["ok"].all() else FAILED


def verdict_line(name: object, verdict: dict[Any, Any]) -> str:
    """Return the line of one image.

    Parameters
    ----------
    name : str or int
    verdict : dict
        Its row of :func:`imagequality.validate_many`.

    Returns
    -------
    line : str

    Examples
    --------
    >>> verdict_line("a.jpg", {"ok": True})
    'ok      a.jpg'
    >>> verdict = {"ok": False, "reason": "dark: too dark", "issues": ["dark", "blurry"]}
    >>> verdict_line("b.jpg", verdict)
    'failed  b.jpg: dark: too dark (also blurry)'
    """
    if verdict["ok"]:
        return f"ok      {printable(name)}"
    others = verdict["issues"][1:]
    also = f" (also {', '.join(others)})" if others else ""
    return f"failed  {printable(name)}: {printable(verdict['reason'])}{also}"


def as_json(verdicts: pd.DataFrame) -> dict[str, Any]:
    """Return the verdicts as plain data.

    Parameters
    ----------
    verdicts : DataFrame
        See :func:`imagequality.validate_many`.

    Returns
    -------
    content : dict
        ``schema``, ``schema_version``, ``passed`` and ``failed`` (numbers of
        images), and ``images``:
        of each ``path``, ``ok``, ``score``, ``issues``, ``reason`` and ``scores`` by issue, null
        where the image could not be read.
    """
    scores = [name for name in verdicts if str(name).endswith("_score")]
    images = [
        {
            "path": name if isinstance(name, str) else int(name),
            "ok": bool(row["ok"]),
            "score": float(row["score"]),
            "issues": list(row["issues"]),
            "reason": row["reason"],
            "scores": {
                str(column).removesuffix("_score"): number_or_none(row[column]) for column in scores
            },
        }
        for name, row in zip(verdicts.index, verdicts.to_dict("records"), strict=True)
    ]
    passed = int(verdicts["ok"].sum())
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "passed": passed,
        "failed": len(verdicts) - passed,
        "images": images,
    }


def _profile(text: str) -> str | Path:
    """Return a name, or a path, which then cannot be taken for a name."""
    if text in PROFILES:
        return text
    if text.lower().endswith(".toml") or os.path.exists(text):
        return Path(text)
    check_known("profile", text, PROFILES)
    return text


def _checked_limit(issue: str, text: str) -> tuple[str, float]:
    check_known("issue", issue, ISSUES)
    number = limit(issue, text)
    if number is None:
        raise ValueError(f"the threshold of {issue!r} must be a number, got {text!r}")
    return issue, number


def _pixels(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a number of pixels, got {text!r}")
    return int(text)
