"""``imagequality demo``: plant flaws in images that come along, and find them."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

from ..datasets import make_flawed_images, save_images
from ._output import say
from ._scan import add_common_options, add_output_options
from ._scan import run as scan

ISSUES = (
    "dark",
    "light",
    "blurry",
    "low_information",
    "odd_size",
    "odd_aspect_ratio",
    "grayscale",
    "exact_duplicates",
    "near_duplicates",
)


def add_parser(commands: _SubParsersAction[Any]) -> None:
    """Describe the command and its options."""
    words = "plant flaws in images that come along, and find them"
    parser = commands.add_parser("demo", help=words, description=words.capitalize() + ".")
    parser.set_defaults(run=run, issues=None, drop=[], threshold=[], classes=False, cache=None)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("demo_images"), metavar="FOLDER",
        help="where to write them (default: demo_images)",
    )  # fmt: skip
    add_output_options(parser, table="demo_audit.csv")
    add_common_options(parser)


def run(options: Namespace) -> int:
    """Carry out the command."""
    write_demo_images(options.folder, aside=options.json == "-" or options.quiet)
    options.folders = [str(options.folder)]
    return scan(options)


def write_demo_images(folder: Path, *, aside: bool) -> None:
    """Write images with known flaws, unless the folder has something in it."""
    if folder.exists() and any(folder.iterdir()):
        say(f"{folder} holds images already; scanning them", aside=aside)
        return
    images, _ = make_flawed_images(300, issues=ISSUES, contamination=0.03, random_state=0)
    save_images(images, folder)
    (folder / "broken.jpg").write_bytes(b"this is no image")
