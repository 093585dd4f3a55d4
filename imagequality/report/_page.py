"""A report as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._page_data import (
    HISTOGRAM_HEIGHT,
    HISTOGRAM_WIDTH,
    chosen_rows,
    class_table,
    headline_numbers,
    issue_cards,
    page_data,
    rows_with_thumbnail,
    script_json,
)
from ._text import in_one_line, printable
from ._thumbnails import references_by_row, thumbnails

if TYPE_CHECKING:
    from ._report import QualityReport

MAX_IMAGES = 50_000


def write_page(
    report: QualityReport,
    path: str | os.PathLike[str],
    *,
    images: Any = None,
    title: str | None = None,
    labels: Any = None,
    max_thumbnails: int = 200,
    max_images: int = MAX_IMAGES,
) -> None:
    """Write the page, see :meth:`QualityReport.to_html`."""
    templates = _templates()  # what is missing should be said before anything is decoded
    for name, number in (("max_thumbnails", max_thumbnails), ("max_images", max_images)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"{name} must be an integer of at least 0, got {number!r}")
    classes = _checked_labels(labels, len(report.issues))
    references = references_by_row(report.issues.index, images)
    small = {}
    if references is not None and report.loader is not None:
        small = thumbnails(references, rows_with_thumbnail(report, max_thumbnails), report.loader)
    rows = chosen_rows(report.issues, max_images)
    data = page_data(report, rows, classes, small)
    data["id"] = hashlib.sha256(script_json(data).encode("ascii")).hexdigest()[:16]
    style, script = (_source(name) for name in ("page.css", "page.js"))
    page = templates.get_template("page.html.j2").render(
        title=printable(title or "Image quality report"),
        style=style,
        script=script,
        style_hash=_content_hash(style),
        script_hash=_content_hash(script),
        numbers=headline_numbers(report),
        cards=issue_cards(report),
        width=HISTOGRAM_WIDTH,
        height=HISTOGRAM_HEIGHT,
        classes=class_table(report, classes) if classes is not None else None,
        folder=data["prefix"],
        data=script_json(data),
        images=len(report.issues),
        held=len(rows),
        pictures=len(data["thumbnails"]),
        max_thumbnails=max_thumbnails,
    )
    Path(path).write_text(page, encoding="utf-8")


def _templates() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError(
            "the HTML page needs Jinja2: pip install 'imagequality[report]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_one_line"] = in_one_line
    return environment


def _source(name: str) -> str:
    return (Path(__file__).with_name("templates") / name).read_text(encoding="utf-8")


def _content_hash(source: str) -> str:
    """Return by what the page's Content-Security-Policy knows its own style or script."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _checked_labels(labels: Any, n_images: int) -> Sequence[Any] | None:
    if labels is None:
        return None
    listed = list(labels.tolist() if hasattr(labels, "tolist") else labels)
    if len(listed) != n_images:
        raise ValueError(
            f"labels must have one class for each image: {n_images} images, {len(listed)} labels"
        )
    return listed
