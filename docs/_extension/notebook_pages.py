"""The notebooks as pages of the site, and a gallery that leads to them.

The notebooks lie beside the docs, not in them; the build shows the outputs that were saved in
them and runs nothing.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

_FIRST_PICTURE = "image/png"


def _markdown(notebook: dict[str, Any]) -> str:
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def title_and_lead(notebook: dict[str, Any]) -> tuple[str, str]:
    """Return the first heading of a notebook and the first sentence below it, without links."""
    text = _markdown(notebook)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    if title is None:
        raise ValueError("a notebook of the gallery needs a heading of the first level")
    paragraphs = [part.strip() for part in text[title.end() :].split("\n\n") if part.strip()]
    lead = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraphs[0].split()))
    return title.group(1), re.split(r"(?<=[a-z0-9`)][.!?]) ", lead)[0].rstrip(":")


def first_picture(notebook: dict[str, Any]) -> bytes | None:
    """Return the first PNG among the saved outputs."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if _FIRST_PICTURE in output.get("data", {}):
                return base64.b64decode("".join(output["data"][_FIRST_PICTURE]))
    return None


def _with_links_of_the_site(notebook: dict[str, Any]) -> str:
    """Return the notebook with the links into ``docs/`` as they are from its place on the site."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = "".join(cell["source"]).replace("](../docs/", "](../")
    return json.dumps(notebook, ensure_ascii=False, indent=1)


def _card(stem: str, title: str, lead: str, picture: bool) -> str:
    image = f":img-top: {stem}.png\n:img-alt: A picture of this notebook\n" if picture else ""
    return f":::{{grid-item-card}} {title}\n:link: {stem}\n:link-type: doc\n{image}\n{lead}\n:::\n"


def write_pages(source: Path, folder: Path) -> None:
    """Copy the notebooks to the folder of the site and write their gallery.

    Parameters
    ----------
    source : Path
        The folder of the notebooks.
    folder : Path
        A folder below the documentation; made where it is missing.
    """
    folder.mkdir(exist_ok=True)
    made: dict[str, bytes] = {}
    cards, names = [], []
    for path in sorted(source.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        title, lead = title_and_lead(notebook)
        picture = first_picture(notebook)
        if picture:
            made[f"{path.stem}.png"] = picture
        made[path.name] = _with_links_of_the_site(notebook).encode()
        cards.append(_card(path.stem, title, lead, picture is not None))
        names.append(path.stem)
    made["index.md"] = (
        "# Notebooks\n\nRun from top to bottom by the tests; shown with their saved outputs.\n\n"
        "::::{grid} 1 2 2 3\n:gutter: 3\n\n" + "\n".join(cards) + "::::\n\n"
        "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"
    ).encode()
    for old in folder.iterdir():
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        target = folder / name
        if not target.exists() or target.read_bytes() != content:
            target.write_bytes(content)
