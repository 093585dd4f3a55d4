"""The documentation leads somewhere: every public symbol has a page, every link a target.

Nothing is built here; the build itself, with warnings as errors, is a step of its own.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

import imagequality

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PACKAGE = Path(imagequality.__file__).parent
MADE_BY_THE_BUILD = ("api/", "notebooks/")

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="the sources without their docs")


def markdown_pages() -> list[Path]:
    if not DOCS.is_dir():
        return []
    pages = [*DOCS.glob("*.md"), *(DOCS / "benchmarks").glob("*.md")]
    return sorted([*pages, ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def text_of(page: Path) -> str:
    """Return the Markdown of a page, or of the cells of a notebook."""
    text = page.read_text("utf-8")
    if page.suffix == ".md":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def text_outside_code(page: Path) -> str:
    text = re.sub(r"^```[^\n]*\n.*?^```$", "", text_of(page), flags=re.M | re.S)
    return re.sub(r"`[^`\n]*`", lambda match: match.group().replace("](", ""), text)


def slug(heading: str) -> str:
    """Return the anchor that GitHub and MyST give a heading."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(match) for match in re.findall(r"^#+ (.+)$", text_outside_code(page), re.M)}


def links(page: Path) -> list[str]:
    """Return the targets of links and pictures that are not addresses elsewhere."""
    text = text_of(page)
    found = re.findall(r"\]\(([^)\s]+)\)", text_outside_code(page))
    found += re.findall(r"^```\{(?:image|include|figure)\} (\S+)", text, re.M)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def listed_pages(page: Path) -> list[str]:
    """Return the pages that the tables of contents and the cards of a page lead to."""
    text = page.read_text("utf-8")
    found = re.findall(r"^:link: (\S+)$", text, re.M)
    for table in re.findall(r"^```\{toctree\}\n(.*?)^```$", text, re.M | re.S):
        entries = [line for line in table.splitlines() if line and not line.startswith(":")]
        found += [re.sub(r"^.*<(.+)>$", r"\1", entry) for entry in entries]
    return found


@pytest.mark.parametrize(
    "page", [*markdown_pages(), *notebooks()], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_have_targets(page):
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            broken.append(target)
            continue
        has_anchor = not anchor or file.suffix != ".md" or anchor in anchors(file)
        if not has_anchor:
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("page", markdown_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_listed_pages_exist(page):
    for name in listed_pages(page):
        if not name.startswith(MADE_BY_THE_BUILD):
            assert (page.parent / f"{name}.md").exists(), name


def test_every_page_can_be_reached_from_the_first():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.exists():
            continue
        reached.add(page)
        waiting += [(page.parent / f"{name}.md").resolve() for name in listed_pages(page)]
    pages = {page for page in markdown_pages() if page.is_relative_to(DOCS)}
    assert pages - reached == {DOCS / "README.md"}


def test_every_picture_is_shown():
    text = "".join(page.read_text("utf-8") for page in markdown_pages())
    pictures = [path for path in (DOCS / "images").rglob("*") if path.is_file()]
    unused = [path for path in pictures if str(path.relative_to(DOCS)) not in text]
    assert not unused


# ------------------------------------------------------------------------- reference


@pytest.fixture(scope="module")
def api_pages() -> ModuleType:
    """The module that makes the pages of the reference."""
    for package in ("torch", "dask"):  # some public modules need them
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location(
        "_api_pages_of_the_docs", DOCS / "_extension" / "api_pages.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def exported_names() -> dict[str, list[str]]:
    """Return the ``__all__`` of each public module, as it is written in its file."""
    found = {}
    files = [*PACKAGE.glob("*.py"), *PACKAGE.glob("*/__init__.py")]
    for file in files:
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(["imagequality", *(part for part in parts if part != "__init__")])
        for statement in ast.parse(file.read_text("utf-8")).body:
            if isinstance(statement, ast.Assign) and getattr(
                statement.targets[0], "id", ""
            ).startswith("__all__"):
                found[name] = ast.literal_eval(statement.value)
    return {name: names for name, names in found.items() if "._" not in name}


def value_at(full_name: str) -> object:
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def test_every_public_symbol_has_a_page_that_a_module_lists(api_pages):
    pages = api_pages.pages()
    lists = "".join(text for text in pages.values() if ".. toctree::" in text)
    for module, names in exported_names().items():
        assert f"{module}.rst" in pages
        for name in names:
            if name.startswith("__"):
                continue
            stem = api_pages.symbol(module, name).full_name
            assert value_at(stem) is value_at(f"{module}.{name}")
            assert f"{stem}.rst" in pages
            assert f"<{stem}>" in lists


def test_no_symbol_has_two_pages(api_pages):
    values: dict[int, str] = {}
    for module in api_pages.public_modules():
        for item in api_pages.listed_in(module):
            if item.kind != "data":
                assert values.setdefault(id(item.value), item.full_name) == item.full_name


def test_every_constant_of_the_reference_says_what_it_is(api_pages):
    """By a description, or where it is the name of a type, by what it stands for."""
    for module in api_pages.public_modules():
        for item in api_pages.listed_in(module):
            if item.kind == "data":
                value, text = api_pages.describe_constant(item)
                assert text or re.search(r"\[|\|", value), item.full_name


def test_pages_that_are_no_longer_made_are_removed(api_pages, tmp_path):
    (tmp_path / "imagequality.Forgotten.rst").write_text("old")
    api_pages.write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(api_pages.pages())
