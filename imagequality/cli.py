"""The command line: scan a folder, or see what the library does on its own images."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .images import list_images
from .pipeline import QualityPipeline


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, default=None
        None means those of the process.

    Returns
    -------
    exit_code : int
        0, or 2 when the folder cannot be scanned or the table cannot be written.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.csv is not None and not options.csv.absolute().parent.is_dir():
            raise NotADirectoryError(f"no such folder: {options.csv.parent}")
        if options.command == "demo":
            options.folder = _write_demo_images(options.folder)
        with warnings.catch_warnings():
            warnings.showwarning = _print_warning
            _scan(options.folder, options.csv, options.n_jobs)
    except (OSError, ValueError) as error:
        print(f"imagequality: {error}", file=sys.stderr)
        return 2
    return 0


def _print_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    print(f"imagequality: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imagequality", description="Find low-quality and duplicate images in a folder."
    )
    parser.add_argument("--version", action="version", version=f"imagequality {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    scan = commands.add_parser("scan", help="audit a folder of images")
    scan.add_argument("folder", type=Path, help="folder of images, with its sub-folders")
    demo = commands.add_parser("demo", help="plant flaws in images that come along, and find them")
    demo.add_argument(
        "folder", type=Path, nargs="?", default=Path("demo_images"), help="where to write them"
    )
    for command, table in ((scan, None), (demo, Path("demo_audit.csv"))):
        command.add_argument("--csv", type=Path, default=table, help="write the issues table here")
        command.add_argument("--n-jobs", type=int, default=-1, help="workers (default: all cores)")
    return parser


def _write_demo_images(folder: Path) -> Path:
    from .datasets import make_flawed_images, save_images

    if folder.exists() and any(folder.iterdir()):
        print(f"{folder} holds images already; scanning them")
        return folder
    issues = [
        "dark",
        "light",
        "blurry",
        "low_information",
        "odd_size",
        "odd_aspect_ratio",
        "grayscale",
        "exact_duplicates",
        "near_duplicates",
    ]
    images, _ = make_flawed_images(300, issues=issues, contamination=0.03, random_state=0)
    save_images(images, folder)
    (folder / "broken.jpg").write_bytes(b"this is no image")
    return folder


def _scan(folder: Path, table: Path | None, n_jobs: int) -> None:
    paths = list_images(folder)
    if not paths:
        raise FileNotFoundError(f"no images in {folder}")
    report = QualityPipeline(n_jobs=n_jobs).fit(paths).report()
    print(report)
    if table is not None:
        report.to_csv(table)
        print(f"\nOne row per image: {table}")
