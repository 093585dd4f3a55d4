"""``imagequality duplicates``: groups within folders, or what one folder shares with another."""

from __future__ import annotations

from argparse import Namespace, _SubParsersAction
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ..duplicates import (
    DuplicateDetector,
    ExactDuplicateDetector,
    NearDuplicateDetector,
    SemanticDuplicateDetector,
    find_leaks,
)
from ..duplicates._base import DuplicateDetectorBase
from ..measurements import measure
from ..pipeline import QualityPipeline
from ..report._tables import write_guarded
from ._arguments import distance, output_file, output_file_or_standard_output
from ._output import (
    STANDARD_OUTPUT,
    number_or_none,
    printable,
    say,
    say_json,
    write_json,
)
from ._scan import add_measuring_options
from ._sources import images_in, others_than

METHODS: dict[str, Callable[[], Any]] = {
    "exact": ExactDuplicateDetector,
    "near": NearDuplicateDetector,
    "semantic": SemanticDuplicateDetector,
    "all": DuplicateDetector,
}

SCHEMA = "imagequality.duplicates"
LEAKS_SCHEMA = "imagequality.leaks"
SCHEMA_VERSION = 1

EXAMPLES = """\
methods:
  exact     equal pixels, in whatever files
  near      recompressed, resized, edited copies, by perceptual hashes; distance in bits of 256
  semantic  crops, small rotations, overlays, by a descriptor; cosine distance
  all       near, mirrored and semantic together; always with automatic distances

examples:
  imagequality duplicates photos/
  imagequality duplicates test/ --against train/ --csv leaks.csv
  imagequality duplicates photos/ --method near --distance 16 --json - | jq '.groups | length'
"""


def add_parser(commands: _SubParsersAction[Any]) -> None:
    """Describe the command and its options."""
    parser = commands.add_parser(
        "duplicates",
        help="find duplicates in a folder, or images that two folders share",
        description="Find duplicates in folders, or images that they share with another folder. "
        "Nothing is deleted.",
        epilog=EXAMPLES,
    )
    parser.set_defaults(run=run)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="a folder, archive or URL")
    parser.add_argument(
        "--against",
        action="append",
        metavar="FOLDER",
        help="list the images that are in this folder, too; may be repeated",
    )
    parser.add_argument(
        "--method", choices=list(METHODS), default="near", help="what counts (default: near)"
    )
    parser.add_argument(
        "--distance",
        type=distance,
        default="auto",
        metavar="NUMBER",
        help="largest distance between duplicates (default: chosen from the images)",
    )
    parser.add_argument("--csv", type=output_file, metavar="FILE", help="write what was found")
    parser.add_argument(
        "--json",
        type=output_file_or_standard_output,
        metavar="FILE",
        help="the same as JSON; '-' prints it, and nothing else, to standard output",
    )
    add_measuring_options(parser)


def run(options: Namespace) -> int:
    """Carry out the command."""
    detector = _detector(options.method, options.distance)
    images = images_in(options.folders)
    if options.against is None:
        found = groups_in(_measured(images, detector, options), detector)
    else:
        against = images_in(options.against)
        own = others_than(images, against)
        found = shared_with(
            _measured(own, detector, options), _measured(against, detector, options), detector
        )
    if options.csv is not None:
        write_guarded(found.table, options.csv, index=False)
    if options.json == STANDARD_OUTPUT:
        say_json(found.content)
    elif options.json is not None:
        write_json(found.content, options.json)
    if not options.quiet:
        say(found.text, aside=options.json == STANDARD_OUTPUT)
    return 0


class Found(NamedTuple):
    """What was found, in the three forms in which it can be asked for."""

    table: pd.DataFrame
    content: dict[str, Any]
    text: str


def groups_in(measured: pd.DataFrame, detector: DuplicateDetectorBase) -> Found:
    """Find the groups of duplicates in a collection.

    Parameters
    ----------
    measured : DataFrame
        With the columns of the detector, ``valid`` and ``reason``.
    detector : duplicate detector

    Returns
    -------
    found : Found
        Its table has a row for each image in a group: ``image``, ``group``, ``size``, ``keep``,
        ``kept``, ``distance`` (to the one kept), ``diameter``, ``weakest_link``.
    """
    report = QualityPipeline([(detector.issue, detector)]).fit(measured).report()
    table = report.duplicates.drop(columns="issue")
    groups = [
        {
            "size": len(members),
            "kept": members["kept"].iloc[0],
            "images": [
                {"path": str(image), "keep": bool(keep), "distance": number_or_none(distance)}
                for image, keep, distance in zip(
                    members["image"], members["keep"], members["distance"], strict=True
                )
            ],
        }
        for _, members in table.groupby("group", sort=True)
    ]
    reason = str(report.summary["method"].iloc[0]) if hasattr(detector, "distance") else ""
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "images": len(measured),
        "unreadable": _unreadable(measured),
        "how": reason,
        "groups": groups,
    }
    surplus = len(table) - len(groups)
    lines = [
        f"{len(measured):,} images, {len(table):,} in {len(groups):,} groups of duplicates; "
        f"with one of each kept, {len(measured) - surplus:,} are left",
        *_notes(measured, reason),
    ]
    for number, group in enumerate(groups):
        lines += ["", f"group {number}: {group['size']} images"]
        for image in sorted(group["images"], key=lambda image: not image["keep"]):
            what = "keep" if image["keep"] else "drop"
            apart = "" if image["keep"] else f"  (distance {_short(image['distance'])})"
            lines.append(f"  {what}  {printable(image['path'])}{apart}")
    return Found(table, content, "\n".join(lines))


def shared_with(
    measured: pd.DataFrame, against: pd.DataFrame, detector: DuplicateDetectorBase
) -> Found:
    """Find the images of one collection that are in another one, too.

    Parameters
    ----------
    measured, against : DataFrame
        See :func:`groups_in`.
    detector : duplicate detector

    Returns
    -------
    found : Found
        Its table has a row for each pair: ``image``, ``match`` (in ``against``), ``distance``,
        ``kind`` of evidence; the nearest match of an image first.
    """
    leaks = find_leaks(against, measured, detector)
    table = leaks.rename(columns={"test": "image", "train": "match"})
    table = table[["image", "match", "distance", "kind"]]
    shared = table["image"].nunique()
    pairs = [
        {**pair, "distance": number_or_none(pair["distance"])} for pair in table.to_dict("records")
    ]
    content = {
        "schema": LEAKS_SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "images": len(measured),
        "against": len(against),
        "unreadable": _unreadable(measured) + _unreadable(against),
        "shared": int(shared),
        "pairs": pairs,
    }
    lines = [
        f"{shared:,} of {len(measured):,} images are among the {len(against):,} others, too",
        *_notes(pd.concat([measured[["valid"]], against[["valid"]]]), ""),
    ]
    lines += [""] if pairs else []
    for pair in pairs:
        how = f"{pair['kind']}, distance {_short(pair['distance'])}"
        lines.append(f"  {printable(pair['image'])}  =  {printable(pair['match'])}  ({how})")
    return Found(table, content, "\n".join(lines))


def _detector(method: str, distance: float | str) -> DuplicateDetectorBase:
    detector = METHODS[method]()
    if distance != "auto":
        if method not in ("near", "semantic"):
            raise ValueError(f"--distance is not for --method {method}: use near or semantic")
        detector.set_params(distance=distance)
    return detector


def _measured(
    images: Sequence[Any], detector: DuplicateDetectorBase, options: Namespace
) -> pd.DataFrame:
    return measure(
        images,
        detector._columns(),
        n_jobs=options.n_jobs,
        progress=not options.quiet,
        cache=options.cache,
    )


def _unreadable(measured: pd.DataFrame) -> int:
    return int((~measured["valid"].astype(bool)).sum())


def _notes(measured: pd.DataFrame, reason: str) -> list[str]:
    """Return what must be said besides the result."""
    unreadable = _unreadable(measured)
    notes = [f"{unreadable:,} of the images cannot be read"] if unreadable else []
    return [reason, *notes] if reason else notes


def _short(distance: float | None) -> str:
    return "unknown" if distance is None else f"{distance:.3g}"
