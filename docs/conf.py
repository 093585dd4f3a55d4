"""How the documentation site is built.

sphinx-build -W --keep-going docs docs/_build

Nothing is downloaded at build, and the built pages load nothing from elsewhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extension"))

import api_pages  # noqa: E402
import notebook_pages  # noqa: E402

import imagequality  # noqa: E402

# ------------------------------------------------------------------------- the site

project = "imagequality"
author = "The imagequality developers"
project_copyright = author
version = release = imagequality.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "README.md", "_extension"]
suppress_warnings = [
    # The notebooks are shown in the style of Python, whatever lexer their kernel names.
    "misc.highlighting_failure",
]

html_theme = "pydata_sphinx_theme"
html_title = "imagequality"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "imagequality"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": True,
    "show_toc_level": 2,
    "collapse_navigation": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages without pages below them need no navigation on the left.
html_sidebars = {
    page: []
    for page in ("index", "quickstart", "migrating", "how_it_works", "changes", "contributing")
}

# --------------------------------------------------------------------- Markdown pages

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebooks are run by the tests
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# ----------------------------------------------------------------------- the reference

# A link to nothing is an error, in the text of a docstring too. Types of parameters are prose.
nitpicky = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autosummary_generate = False  # the pages are made by api_pages
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


def _write_generated_pages(app: Any) -> None:
    api_pages.write_pages(DOCS / "api")
    notebook_pages.write_pages(DOCS.parent / "notebooks", DOCS / "notebooks")


def _rewrite_links_out_of_the_docs(app: Any, page: str, source: list[str]) -> None:
    """Point links that leave ``docs/`` at the copies that the site has."""
    up = "../" * page.count("/")
    source[0] = re.sub(r"\]\((?:\.\./)+notebooks/", f"]({up}notebooks/", source[0])


def _trim_code(app: Any, doctree: Any) -> None:
    """Take the empty last line off examples, which only their doctests need."""
    from docutils import nodes  # here, so that this file can be imported without Sphinx

    for block in doctree.findall(nodes.literal_block):
        text = block.astext().rstrip("\n")
        block.rawsource = text
        block.children = [nodes.Text(text)]
        block.children[0].parent = block


def _is_inherited_from_elsewhere(
    app: Any, what: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out what scikit-learn, tuples and sequences bring along: get_params, count."""
    function = getattr(member, "fget", None) or getattr(member, "__func__", member)
    owner = getattr(member, "__objclass__", function)
    module = getattr(owner, "__module__", None)
    return True if module and module.split(".")[0] != "imagequality" else None


def _link_by_last_name(app: Any, env: Any, node: Any, content: Any) -> Any:
    """Resolve a name in a docstring to the page of the one public symbol that is called so.

    Docstrings say ``:func:`measure```, in whatever module they stand.
    """
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].split(".")[-1]
    python = env.get_domain("py")
    found = {
        entry.docname: full_name
        for full_name, entry in python.objects.items()
        if full_name.split(".")[-1] == name and full_name.count(".") <= 2
    }
    # Of several, the one at the top: ``measure`` is not that of the Dask module.
    ranked = sorted(found.values(), key=lambda full_name: full_name.count("."))
    if not ranked or [name.count(".") for name in ranked[:2]] == [ranked[0].count(".")] * 2:
        return None
    full_name = ranked[0]
    return python.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], full_name, node, content
    )


def setup(app: Any) -> None:
    """Connect the functions above to the steps of the build."""
    app.connect("builder-inited", _write_generated_pages, priority=100)
    app.connect("source-read", _rewrite_links_out_of_the_docs)
    app.connect("doctree-read", _trim_code)
    app.connect("autodoc-skip-member", _is_inherited_from_elsewhere)
    app.connect("missing-reference", _link_by_last_name)
