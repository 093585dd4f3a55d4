"""``imagequality scan``: audit folders of images."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from collections.abc import Sequence
from typing import Any

from ..diagnosis import class_report
from ..pipeline import QualityPipeline
from ..report import QualityReport
from ._arguments import (
    assignment,
    number_of_workers,
    output_file,
    output_file_or_standard_output,
    page_file,
    words,
)
from ._issues import SELECTORS, all_detectors, choose_detectors
from ._output import STANDARD_OUTPUT, printable, say
from ._scan_isolation import add_isolation_options, isolation_of
from ._sources import class_of, images_in

EXAMPLES = """\
examples:
  imagequality scan photos/ --html audit.html --csv audit.csv
  imagequality scan train/ test.zip s3://bucket/more/ --cache measured.db
  imagequality scan photos/ --drop grayscale,odd_size --threshold blurry=0.4 --threshold dark=li
  imagequality scan photos/ --json - | jq '.summary'
"""


def add_parser(commands: _SubParsersAction[Any]) -> None:
    """Describe the command and its options."""
    parser = commands.add_parser(
        "scan", help="audit folders of images", description="Audit folders of images.",
        epilog=EXAMPLES,
    )  # fmt: skip
    parser.set_defaults(run=run)
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="FOLDER",
        help="a folder with its sub-folders, a zip or tar archive, or a URL such as s3://bucket/photos",
    )
    parser.add_argument(
        "--issues",
        type=words,
        action="extend",
        metavar="A,B,...",
        help="look for these only; 'default' stands for all the default ones. Known are "
        + ", ".join(name for name, _ in all_detectors()),
    )
    parser.add_argument(
        "--drop", type=words, action="extend", default=[], metavar="A,B,...",
        help="do not look for these",
    )  # fmt: skip
    parser.add_argument(
        "--threshold",
        type=assignment,
        action="append",
        default=[],
        metavar="ISSUE=VALUE",
        help="flag scores below a number in [0, 1], or below what a method chooses: "
        f"{', '.join(SELECTORS)}; of near_duplicates it is the largest distance. May be repeated",
    )
    parser.add_argument(
        "--classes",
        action="store_true",
        help="take the name of an image's folder for its class, and tell which classes stand out",
    )
    add_output_options(parser)
    add_measuring_options(parser)
    add_isolation_options(parser)


def add_output_options(parser: Any, table: str | None = None) -> None:
    """Describe what can be written of a report.

    Parameters
    ----------
    parser : ArgumentParser
    table : str, default=None
        The CSV file that is written where none is asked for.
    """
    parser.add_argument(
        "--html", type=page_file, metavar="FILE", help="write a page to look at, in one file"
    )
    parser.add_argument(
        "--csv",
        type=output_file,
        default=table,
        metavar="FILE",
        help="write a table with one row per image" + (f" (default: {table})" if table else ""),
    )
    parser.add_argument(
        "--json",
        type=output_file_or_standard_output,
        metavar="FILE",
        help="write all results as JSON; '-' prints them, and nothing else, to standard output",
    )


def add_measuring_options(parser: Any) -> None:
    """Describe how images are measured."""
    parser.add_argument(
        "--cache",
        type=output_file,
        metavar="FILE",
        help="keep what was measured in this file: nothing unchanged is measured twice, and a "
        "scan that was stopped goes on where it was",
    )
    add_common_options(parser)


def add_common_options(
    parser: Any, quiet: str = "print errors and what was asked for, nothing else"
) -> None:
    """Describe what every command has that measures images.

    Parameters
    ----------
    parser : ArgumentParser
    quiet : str
        What is left to be printed with ``--quiet``.
    """
    parser.add_argument(
        "--n-jobs", type=number_of_workers, default=-1, metavar="N",
        help="number of workers (default: all cores)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help=quiet)


def run(options: Namespace) -> int:
    """Carry out the command."""
    detectors = choose_detectors(options.issues, options.drop, options.threshold)
    isolate = isolation_of(options)
    images = images_in(options.folders)
    pipeline = QualityPipeline(
        detectors,
        n_jobs=options.n_jobs,
        progress=not options.quiet,
        cache=options.cache,
        isolate=isolate,
    )
    report = pipeline.fit(images).report()
    labels = [class_of(reference) for reference in images] if options.classes else None
    written: list[str] = []
    try:
        write_report(report, images, labels, options, written)
    finally:  # the scan may have taken hours: its result is shown if a file cannot be written
        if not options.quiet:
            lines = [
                str(report),
                *class_lines(report, labels),
                *([""] if written else []),
                *written,
            ]
            say("\n".join(lines), aside=options.json == STANDARD_OUTPUT)
    return 0


def write_report(
    report: QualityReport,
    images: Sequence[Any],
    labels: Sequence[str] | None,
    options: Namespace,
    written: list[str],
) -> None:
    """Write the files that were asked for, the page last: it takes longest.

    Parameters
    ----------
    report : QualityReport
    images : sequence of n references
    labels : sequence of n str, or None
        The class of each.
    options : Namespace
    written : list of str
        A line is added for each file as soon as it is written.
    """
    if options.csv is not None:
        report.to_csv(options.csv)
        written.append(f"One row per image: {printable(options.csv)}")
    if options.json == STANDARD_OUTPUT:
        say(report.to_json() or "")
    elif options.json is not None:
        report.to_json(options.json)
        written.append(f"All results: {printable(options.json)}")
    if options.html is not None:
        report.to_html(options.html, images=images, labels=labels)
        written.append(f"A page to look at: {printable(options.html)}")


def class_lines(report: QualityReport, labels: Sequence[str] | None) -> list[str]:
    """Return what stands out by class, in words; nothing where there are no classes."""
    if labels is None:
        return []
    sentences = class_report(report, labels).findings["sentence"].tolist()
    return ["", "by class:", *(map(printable, sentences) if sentences else ["nothing stands out"])]
