"""What the page is filled with: compact columns for its script, and numbers for its template."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ._histogram import ScoreHistogram, bars_path, score_histogram
from ._text import image_label, image_labels, is_named, printable

if TYPE_CHECKING:
    from ._report import QualityReport

Rows = NDArray[np.int64]

# Of folders. Not the backslash of an escape, which stands for a byte that is no text.
_SEPARATOR = re.compile(r"/|\\(?!ud[89a-f][0-9a-f]{2})")

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 300, 64
_REST_BINS = 256
_MOST_MEMBERS_WITH_THUMBNAIL = 12
# Images just above a threshold get thumbnails, too: what a slider would flag next.
_MARGIN = 24


# ------------------------------------------------------------------------- which images


def chosen_rows(issues: pd.DataFrame, max_images: int) -> Rows:
    """Return the rows that the page holds one by one: the worst, in their order.

    Parameters
    ----------
    issues : DataFrame
        Of a report.
    max_images : int

    Returns
    -------
    rows : ndarray of int64
        All, if they are not too many; else those of the lowest overall quality, so that what
        is flagged comes first, then what is nearest to a threshold.
    """
    if len(issues) <= max_images:
        return np.arange(len(issues))
    quality = issues["quality_score"].to_numpy(dtype=np.float64)
    return np.sort(np.argsort(quality, kind="stable")[:max_images])


def rows_with_thumbnail(report: QualityReport, max_thumbnails: int) -> list[int]:
    """Return the rows whose thumbnails the page holds.

    Parameters
    ----------
    report : QualityReport
    max_thumbnails : int
        For each issue, and for the groups of duplicates together.

    Returns
    -------
    rows : list of int
        For each issue the flagged images with the lowest scores, then a few just above the
        threshold; of the largest groups the first members. Sorted.
    """
    readable = (report.issues["reason"] == "").to_numpy(dtype=bool)
    rows: set[int] = set()
    for row in report.summary.to_dict("records"):
        if is_about_duplicates(report, row["issue"]):
            continue
        scores = report.issues[f"{row['issue']}_score"].to_numpy(dtype=np.float64)
        judged = np.flatnonzero(np.isfinite(scores) & readable)
        worst = judged[np.argsort(scores[judged], kind="stable")]
        flagged = int((scores[judged] < row["threshold"]).sum())
        varied = has_slider(scores) and max_thumbnails
        rows.update(worst[: min(flagged, max_thumbnails) + (_MARGIN if varied else 0)].tolist())
    left = max_thumbnails
    for members in plan_groups(report.plan):
        first = members[readable[members]][: min(_MOST_MEMBERS_WITH_THUMBNAIL, left)]
        rows.update(first.tolist())
        left -= len(first)
        if left <= 0:
            break
    return sorted(rows)


def plan_groups(plan: pd.DataFrame) -> list[Rows]:
    """Return the rows of each group of duplicates, the largest group first."""
    group = plan["group"].to_numpy(dtype=np.float64, na_value=np.nan)
    rows = np.flatnonzero(np.isfinite(group))
    order = rows[np.argsort(group[rows], kind="stable")]
    bounds = np.flatnonzero(np.diff(group[order])) + 1
    groups = np.split(order, bounds) if len(order) else []
    return sorted(groups, key=len, reverse=True)


def is_about_duplicates(report: QualityReport, issue: str) -> bool:
    """Tell whether an issue has groups, which say more than its score."""
    return f"{issue}_group" in report.issues or bool((report.duplicates["issue"] == issue).any())


def is_dropped_for(report: QualityReport, issue: str) -> bool:
    """Tell whether the plan drops what has an issue; of duplicates it keeps one."""
    flagged = report.issues[f"is_{issue}_issue"].to_numpy(dtype=bool, na_value=False)
    dropped = (report.plan["action"] == "drop").to_numpy(dtype=bool)
    return not is_about_duplicates(report, issue) and bool(dropped[flagged].all())


def has_slider(scores: ArrayLike) -> bool:
    """Tell whether a threshold can be moved: a score of two values has but one."""
    finite = np.asarray(scores, dtype=np.float64)
    return len(np.unique(finite[np.isfinite(finite)])) > 2


# ------------------------------------------------------------------------- for the script


def page_data(
    report: QualityReport, rows: Rows, labels: Sequence[Any] | None, thumbnails: dict[int, str]
) -> dict[str, Any]:
    """Return what the page's script works on.

    Parameters
    ----------
    report : QualityReport
    rows : ndarray of int64
        The images that the page holds.
    labels : sequence of length n_images, or None
        Their classes.
    thumbnails : dict of int to str
        By row of the report.

    Returns
    -------
    data : dict
        To be written as JSON. Images are numbered as in ``rows``; scores are float32 in base64.
    """
    issues, plan = report.issues.iloc[rows], report.plan.iloc[rows]
    place = np.full(len(report.issues), -1)
    place[rows] = np.arange(len(rows))
    unscored = _flagged_without_score(report)
    names = [str(label) for label in image_labels(issues.index)]
    prefix = common_folder(names) if is_named(issues.index) else ""
    classes, codes = class_codes(labels)
    left_out = np.setdiff1d(np.arange(len(report.issues)), rows)
    return {
        "named": is_named(issues.index),
        "prefix": prefix,
        "names": [name[len(prefix) :] for name in names],
        "images": len(report.issues),
        "quality": packed(issues["quality_score"].to_numpy(dtype=np.float64), 0.5),
        "issues": [
            _issue_data(report, row, rows, left_out) for row in report.summary.to_dict("records")
        ],
        "unscored": place[rows[unscored[rows]]].tolist(),
        "restFlagged": int(report.issues["is_any_issue"].to_numpy()[left_out].sum()),
        "restDrop": int((report.plan["action"] == "drop").to_numpy()[left_out].sum()),
        "reasons": {
            str(position): printable(str(reason))
            for position, reason in enumerate(issues["reason"])
            if reason
        },
        "plan": "".join("d" if action == "drop" else "k" for action in plan["action"]),
        "groups": _groups_data(report, place),
        "classes": [printable(str(label)) for label in classes],
        "codes": [] if labels is None else codes[rows].tolist(),
        "thumbnails": {
            str(place[row]): text for row, text in thumbnails.items() if place[row] >= 0
        },
    }


def _issue_data(
    report: QualityReport, row: dict[Any, Any], rows: Rows, left_out: Rows
) -> dict[str, Any]:
    scores = report.issues[f"{row['issue']}_score"].to_numpy(dtype=np.float64)
    threshold = float(row["threshold"])
    histogram = score_histogram(scores, threshold)
    return {
        "name": printable(str(row["issue"])),
        "threshold": threshold,
        "low": histogram.low,
        "high": histogram.high,
        "duplicates": is_about_duplicates(report, row["issue"]),
        "drops": is_dropped_for(report, row["issue"]),
        "slider": has_slider(scores) and is_dropped_for(report, row["issue"]),
        "scores": packed(scores[rows], threshold),
        "rest": _cumulative(scores[left_out]),
    }


def packed(scores: NDArray[np.float64], threshold: float) -> str:
    """Return scores as little-endian float32 in base64, on the side of the threshold they are.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
    threshold : float

    Returns
    -------
    text : str
    """
    small = scores.astype("<f4")
    crossed = (small.astype(np.float64) < threshold) != (scores < threshold)
    towards = np.where(scores < threshold, np.float32(-np.inf), np.float32(np.inf))
    small = np.where(crossed, np.nextafter(small, towards.astype("<f4")), small).astype("<f4")
    return base64.b64encode(small.tobytes()).decode("ascii")


def _cumulative(scores: NDArray[np.float64]) -> dict[str, Any] | None:
    """Return how many scores of images that are left out lie below each edge of a grid."""
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    edges = np.linspace(low, high, _REST_BINS + 1)
    below = np.searchsorted(np.sort(finite), edges, side="left")
    return {"low": low, "high": high, "below": below.tolist(), "total": len(finite)}


def _flagged_without_score(report: QualityReport) -> NDArray[np.bool_]:
    """Return which images are flagged though no score says so: those that cannot be read."""
    flagged = report.issues["is_any_issue"].to_numpy(dtype=bool)
    for issue in report.summary["issue"]:
        own = report.issues[f"is_{issue}_issue"].to_numpy(dtype=bool, na_value=False)
        flagged = flagged & ~own
    return flagged


def _groups_data(report: QualityReport, place: Rows) -> list[dict[str, Any]]:
    """Return the groups of the plan: members, the kept one, and what links each to it."""
    links = _links_by_row(report)
    kept_names = report.plan["kept"].tolist()
    labels = report.issues.index.tolist()
    groups = []
    for members in plan_groups(report.plan):
        kept = kept_names[members[0]]
        kept_row = next((row for row in members if labels[row] == kept), None)
        held = [row for row in members if place[row] >= 0]
        if held:
            groups.append(
                {
                    "size": len(members),
                    "kept": -1 if kept is None or kept_row is None else int(place[kept_row]),
                    "rows": [int(place[row]) for row in held],
                    "links": [links.get(int(row), "") for row in held],
                }
            )
    return groups


def _links_by_row(report: QualityReport) -> dict[int, str]:
    """Say of each image in a group by which kind of duplicates it goes with the kept one."""
    row_of = {name: row for row, name in enumerate(report.issues.index.tolist())}
    stays = report.plan["kept"].tolist()
    links: dict[int, str] = {}
    told_directly = set()
    table = report.duplicates
    for image, issue, kept, distance in zip(
        table["image"], table["issue"], table["kept"], table["distance"], strict=True
    ):
        row = row_of.get(image, -1)
        if row < 0 or row in told_directly:
            continue
        kind = printable(str(issue)).replace("_", " ")
        if image == stays[row]:
            links[row] = "kept by the plan"
        elif kept == stays[row]:
            far = "" if pd.isna(distance) or not distance else f", distance {float(distance):.3g}"
            links[row] = f"{kind}{far}"
            told_directly.add(row)
        else:  # of another image, which goes with the kept one by another kind
            links.setdefault(row, f"{kind} of {image_label(kept)}")
    return links


def common_folder(names: Sequence[str]) -> str:
    r"""Return the folders that all names begin with, with the separator at their end.

    Examples
    --------
    >>> common_folder(["a/b/c.jpg", "a/b/d/e.jpg"])
    'a/b/'
    """
    first, last = min(names, default=""), max(names, default="")  # differ first, if any do
    pairs = zip(first, last, strict=False)
    length = next((at for at, (one, other) in enumerate(pairs) if one != other), len(first))
    ends = [match.end() for match in _SEPARATOR.finditer(first) if match.end() <= length]
    return first[: max(ends, default=0)]


def script_json(data: Any) -> str:
    r"""Return JSON that can stand in a script element: nothing in it can end that.

    Examples
    --------
    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII, U+2028 escaped, too
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


# ------------------------------------------------------------------------- for the template


def headline_numbers(report: QualityReport) -> list[tuple[str, str, str]]:
    """Return (identifier, what, number) of what is said first."""
    unreadable = int((report.issues["reason"] != "").sum())
    numbers = [
        ("images", "images", len(report.issues)),
        ("flagged", "with an issue", int(report.issues["is_any_issue"].sum())),
        ("groups", "groups of duplicates", len(plan_groups(report.plan))),
        ("unreadable", "cannot be read", unreadable),
        ("drop", "to drop", int((report.plan["action"] == "drop").sum())),
    ]
    return [(identifier, what, f"{number:,}") for identifier, what, number in numbers]


def issue_cards(report: QualityReport) -> list[dict[str, Any]]:
    """Return what is drawn of each issue, the most frequent first.

    Parameters
    ----------
    report : QualityReport

    Returns
    -------
    cards : list of dict
        ``number`` (the issue's place in the summary), ``name``, ``count``, ``share``,
        ``threshold``, ``method``, ``slider`` (whether the threshold can be moved), ``bars``
        (the data of an SVG path), ``low``, ``high``, ``cut`` (where the threshold is drawn).
    """
    cards = []
    for number, row in enumerate(report.summary.to_dict("records")):
        scores = report.issues[f"{row['issue']}_score"].to_numpy(dtype=np.float64)
        threshold = float(row["threshold"])
        histogram = score_histogram(scores, threshold)
        cards.append(
            {
                "number": number,
                "name": printable(str(row["issue"])).replace("_", " "),
                "count": int(row["count"]),
                "share": float(row["share"]),
                "threshold": threshold,
                "method": printable(str(row["method"])),
                "slider": has_slider(scores) and is_dropped_for(report, row["issue"]),
                "bars": _bars(histogram),
                "low": histogram.low,
                "high": histogram.high,
                "cut": f"{HISTOGRAM_WIDTH * histogram.position(threshold):.4g}",
            }
        )
    return sorted(cards, key=lambda card: -card["count"])


def _bars(histogram: ScoreHistogram) -> str:
    tallest = max(int(histogram.counts.max()), 1)
    return bars_path(histogram.counts, tallest, HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT)


def class_codes(labels: Sequence[Any] | None) -> tuple[list[Any], Rows]:
    """Return the classes, in order of their first image, and each image's class (−1: none)."""
    codes, classes = pd.factorize(np.array([], object) if labels is None else _objects(labels))
    return list(classes), np.asarray(codes, dtype=np.int64)


def class_table(report: QualityReport, labels: Sequence[Any]) -> dict[str, Any]:
    """Return how many images of each class are flagged, the worst class first.

    Parameters
    ----------
    report : QualityReport
    labels : sequence of length n_images
        None and NaN are no label.

    Returns
    -------
    table : dict
        ``issues`` that any image has, and ``rows`` of ``name``, ``images``, ``flagged``,
        ``rate``, and ``rates`` by issue.
    """
    classes, codes = class_codes(labels)
    found = [row["issue"] for row in report.summary.to_dict("records") if row["count"]]
    flags = {"any": report.issues["is_any_issue"].to_numpy(dtype=bool)}
    for issue in found:
        column = report.issues[f"is_{issue}_issue"]
        flags[issue] = column.to_numpy(dtype=bool, na_value=False)
    images = np.bincount(codes[codes >= 0], minlength=len(classes))
    hits = {
        name: np.bincount(codes[(codes >= 0) & own], minlength=len(classes))
        for name, own in flags.items()
    }
    rows = [
        {
            "name": printable(str(label)),
            "images": int(images[code]),
            "flagged": int(hits["any"][code]),
            "rate": hits["any"][code] / images[code],
            "rates": [hits[issue][code] / images[code] for issue in found],
        }
        for code, label in enumerate(classes)
    ]
    rows.sort(key=lambda row: -row["rate"])
    return {"issues": [printable(str(issue)).replace("_", " ") for issue in found], "rows": rows}


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = [image_label(value) if not isinstance(value, str) else value for value in values]
    return array
