"""``imagequality version``: what an error report should name."""

from __future__ import annotations

import platform
from argparse import Namespace, _SubParsersAction
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .. import __version__
from ._output import say

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "scikit-image",
    "opencv-python-headless",
    "pillow",
    "imagehash",
    "joblib",
    "Jinja2",
    "matplotlib",
    "pyarrow",
    "fsspec",
    "onnxruntime",
    "torch",
    "faiss-cpu",
    "pillow-heif",
)
"""What it computes with, the optional ones last."""


def add_parser(commands: _SubParsersAction[Any]) -> None:
    """Describe the command."""
    words = "print the version, and those of the packages that it works with"
    parser = commands.add_parser("version", help=words, description=words.capitalize() + ".")
    parser.set_defaults(run=run, quiet=False)


def run(options: Namespace) -> int:
    """Carry out the command."""
    say(program_version())
    say(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for package in PACKAGES:
        say(f"{package} {_version_of(package)}")
    return 0


def program_version() -> str:
    """Return the name and version of this program.

    Examples
    --------
    >>> program_version().split()[0]
    'imagequality'
    """
    return f"imagequality {__version__}"


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
