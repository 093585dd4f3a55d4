"""A report as HTML in a notebook: what was found, and where the thresholds lie."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._histogram import bars_path, score_histogram
from ._text import in_one_line

if TYPE_CHECKING:
    from ._report import QualityReport

_WIDTH, _HEIGHT, _BINS = 120, 22, 24
FLAGGED_COLOUR = "#d55e00"  # vermilion of Okabe and Ito: told from grey by the colour-blind, too
_MOST_REASONS = 5


def report_html(report: QualityReport) -> str:
    """Return the summary as HTML, with a sparkline for each score; light and dark.

    Parameters
    ----------
    report : QualityReport

    Returns
    -------
    html : str
        A fragment without scripts; all text in it is escaped.
    """
    parts = [f"<p>{_text(report._headline())}</p>"]
    ranked = report._by_count()
    rows = [_row(report, row) for row in ranked.to_dict("records")]
    head = (
        "issue",
        "images",
        "share",
        "primary",
        "distribution of the score",
        "threshold",
        "chosen by",
    )
    parts.append(_table(head, rows))
    reasons = unreadable_reasons(report.issues)
    if len(reasons):
        items = "".join(
            f"<li>{count:,}: {_text(reason)}</li>"
            for reason, count in reasons.head(_MOST_REASONS).items()
        )
        parts.append(f"<details><summary>{int(reasons.sum()):,} cannot be read</summary>")
        parts.append(f"<ul>{items}</ul>")
        if len(reasons) > _MOST_REASONS:
            parts.append(f"<p>and {len(reasons) - _MOST_REASONS} other reasons</p>")
        parts.append("</details>")
    drops = int((report.plan["action"] == "drop").sum())
    parts.append(
        f"<p>Plan: drop {drops:,}, keep {len(report.plan) - drops:,}. Bars: square roots of "
        "counts, below the threshold in colour.</p>"
    )
    return "".join(parts)


def unreadable_reasons(issues: pd.DataFrame) -> pd.Series:
    """Count the reasons why images could not be read, the most frequent first."""
    reasons = issues["reason"]
    return reasons[reasons != ""].value_counts()


def sparkline(scores: Any, threshold: float, name: str) -> str:
    """Draw the distribution of a score, with its threshold, as a small SVG.

    Parameters
    ----------
    scores : array-like of shape (n,)
        NaN is left out.
    threshold : float
    name : str
        What is drawn, for those who hear the page.

    Returns
    -------
    svg : str
        A few hundred bytes. Lines take the colour of the text around them.
    """
    finite = np.asarray(scores, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    histogram = score_histogram(finite, threshold, _BINS)
    tallest = int(histogram.counts.max())
    span = (histogram.low, histogram.high)
    flagged, others = (
        bars_path(np.histogram(part, _BINS, span)[0], max(tallest, 1), _WIDTH, _HEIGHT)
        for part in (finite[finite < threshold], finite[finite >= threshold])
    )
    cut = f"{_WIDTH * histogram.position(threshold):.4g}"
    label = _text(f"distribution of the {name} score, threshold {threshold:.4g}")
    return (
        f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<path d="{others}" fill="currentColor" opacity=".4"/>'
        f'<path d="{flagged}" fill="{FLAGGED_COLOUR}"/>'
        f'<path d="M{cut} 0V{_HEIGHT}" stroke="currentColor" stroke-dasharray="2"/></svg>'
    )


def _row(report: QualityReport, row: dict[Any, Any]) -> list[str]:
    issue = row["issue"]
    scores = report.issues.get(f"{issue}_score")
    drawn = "" if scores is None else sparkline(np.asarray(scores), row["threshold"], issue)
    return [
        _text(issue),
        f"{row['count']:,}",
        f"{row['share']:.2%}",
        f"{row['primary_count']:,}",
        drawn,
        f"{row['threshold']:.4g}",
        _text(row["method"]),
    ]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are HTML already."""
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    return escape(in_one_line(value))
