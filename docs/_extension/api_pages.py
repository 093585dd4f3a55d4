"""The pages of the API reference, made from the ``__all__`` of the library's modules.

Each module has a page that lists what it exports, and each exported symbol a page of its own.
What is exported by several modules has one page, under the shortest name that leads to it:
``imagequality.BlurDetector`` rather than ``imagequality.detectors.BlurDetector``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import imagequality

PACKAGE = "imagequality"

# In the order of the reference. The first group is what the package itself exports and no other
# module of the list does.
TITLES = {
    PACKAGE: "Pipeline, report, cleaning",
    "imagequality.detectors": "Detectors",
    "imagequality.thresholds": "Threshold selectors",
    "imagequality.duplicates": "Duplicates",
    "imagequality.measurements": "Measurements",
    "imagequality.images": "Images",
    "imagequality.validation": "Validation",
    "imagequality.diagnosis": "Diagnosis by class",
    "imagequality.impact": "Impact on a model",
    "imagequality.report": "Report",
    "imagequality.plots": "Plots",
    "imagequality.testing": "Checks of your own classes",
    "imagequality.datasets": "Data sets",
    "imagequality.perturbations": "Perturbations",
    "imagequality.embedders": "Embedders",
    "imagequality.torch": "PyTorch",
    "imagequality.huggingface": "Hugging Face",
    "imagequality.dask": "Dask",
    "imagequality.cli": "Command line",
}

# Public modules whose symbols users import from elsewhere, and which have no ``__all__``.
EXPORTS_OF_MODULES_WITHOUT_ALL = {"imagequality.diagnosis": ("ClassReport", "class_report")}

LONGEST_VALUE = 300  # characters of a constant that its page shows


class Symbol(NamedTuple):
    """A public object: the module that its page names, its name there, and itself."""

    module: str
    name: str
    value: Any

    @property
    def full_name(self) -> str:
        """The name to import it by."""
        return f"{self.module}.{self.name}"

    @property
    def kind(self) -> str:
        """What autodoc calls it: module, class, exception, function or data."""
        if inspect.ismodule(self.value):
            return "module"
        if inspect.isclass(self.value):
            return "exception" if issubclass(self.value, BaseException) else "class"
        return "function" if inspect.isroutine(self.value) else "data"


def public_modules() -> list[str]:
    """Return the modules that have a page: those of the package that export something.

    A module that is not in ``TITLES`` comes last, so that a new one is not forgotten.
    """
    found = [PACKAGE]
    for module in pkgutil.iter_modules(imagequality.__path__, f"{PACKAGE}."):
        if not module.name.removeprefix(f"{PACKAGE}.").startswith("_") and exports(module.name):
            found.append(module.name)
    order = list(TITLES)
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def exports(module: str) -> list[str]:
    """Return the names that a module exports, dunder names aside."""
    names = getattr(importlib.import_module(module), "__all__", None)
    if names is None:
        names = EXPORTS_OF_MODULES_WITHOUT_ALL.get(module, ())
    return [name for name in names if not name.startswith("__")]


def symbol(module: str, name: str) -> Symbol:
    """Return a public symbol under the name that its page has."""
    value = getattr(importlib.import_module(module), name)
    if inspect.ismodule(value):
        return Symbol(PACKAGE, name, value)
    if module != PACKAGE and getattr(imagequality, name, None) is value:
        return Symbol(PACKAGE, name, value)
    # The module where it is defined exports it before others that only pass it on.
    defined_in = getattr(value, "__module__", None) or ""
    for other in public_modules():
        here = name in exports(other) and getattr(importlib.import_module(other), name) is value
        if here and (defined_in == other or defined_in.startswith(f"{other}.")):
            return Symbol(other, name, value)
    return Symbol(module, name, value)


def listed_in(module: str) -> list[Symbol]:
    """Return the symbols that a module's page leads to: those no other module has listed."""
    mine = [symbol(module, name) for name in exports(module)]
    if module == PACKAGE:
        elsewhere = {
            symbol(other, name).full_name
            for other in public_modules()
            if other != PACKAGE
            for name in exports(other)
        }
        mine = [item for item in mine if item.full_name not in elsewhere]
    kinds = ("class", "exception", "function", "data")
    mine = [item for item in mine if item.kind in kinds]  # modules have pages of another kind
    return sorted(mine, key=lambda item: (kinds.index(item.kind), item.name.lower()))


# ------------------------------------------------------------------------ constants


def _assignments(module: ModuleType) -> Iterator[tuple[str, str, str]]:
    """Yield name, value as written and description of each constant of a module.

    The description is the string that stands below the assignment.
    """
    source = inspect.getsource(module)
    body = ast.parse(source).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        text = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            text = inspect.cleandoc(str(following.value.value))
        value = ast.get_source_segment(source, statement.value) or ""
        yield statement.targets[0].id, value, text


def _modules_below(package: str) -> Iterator[ModuleType]:
    module = importlib.import_module(package)
    yield module
    for inner in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{package}."):
        yield importlib.import_module(inner.name)


def describe_constant(constant: Symbol) -> tuple[str, str]:
    """Return the value of a constant and its description, from where it is defined."""
    room = constant.module
    if room == PACKAGE:
        room = next(name for name in public_modules()[1:] if constant.name in exports(name))
    for module in _modules_below(room):
        for name, value, text in _assignments(module):
            if name == constant.name:
                if not text and type(constant.value).__module__.startswith(PACKAGE):
                    text = inspect.getdoc(constant.value) or ""
                shown = repr(constant.value)
                is_alias = not isinstance(constant.value, (str, int, float, tuple, frozenset, dict))
                return (value if is_alias or len(shown) > LONGEST_VALUE else shown), text
    raise LookupError(f"{constant.full_name} is assigned nowhere in {room}")


# ---------------------------------------------------------------------------- pages


def _heading(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" if line else "" for line in text.splitlines())


def symbol_page(item: Symbol) -> str:
    """Return the page of one symbol."""
    lines = [_heading(item.full_name), f".. currentmodule:: {item.module}\n"]
    if item.kind == "data":
        value, text = describe_constant(item)
        short = "\n" not in value and len(value) <= LONGEST_VALUE
        lines.append(f".. py:data:: {item.name}")
        lines.append(f"   :value: {value}\n" if short else "")
        lines.append(f"{_indented(text)}\n")
    elif item.kind in ("class", "exception"):
        lines.append(f".. auto{item.kind}:: {item.name}")
        lines.append("   :members:\n   :inherited-members: BaseException, tuple\n")
    else:
        lines.append(f".. autofunction:: {item.name}\n")
    return "\n".join(lines)


def _table(names: list[str]) -> str:
    return ".. autosummary::\n\n" + "".join(f"   ~{name}\n" for name in names)


def _summary_table(items: list[Symbol]) -> str:
    """List symbols with the first sentence of each.

    Constants are listed by a table of links: autosummary does not find what describes them.
    """
    constants = [item for item in items if item.kind == "data"]
    parts = []
    for title, kinds in (("Classes", ("class", "exception")), ("Functions", ("function",))):
        names = [item.full_name for item in items if item.kind in kinds]
        if names:
            parts.append(f".. rubric:: {title}\n\n{_table(names)}")
    if constants:
        lines = [".. rubric:: Constants and types\n"]
        for item in constants:
            first = " ".join(describe_constant(item)[1].split("\n\n")[0].split())
            sentence = first.split(". ")[0].rstrip(".") + "." if first else ""
            lines.append(f"- :py:data:`~{item.full_name}`" + (f": {sentence}" if sentence else ""))
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def module_page(module: str) -> str:
    """Return the page of a module: its docstring, its symbols, and links to their pages."""
    items = listed_in(module)
    description = inspect.getdoc(importlib.import_module(module)) or ""
    toctree = ".. toctree::\n   :hidden:\n\n" + "".join(
        f"   {item.name} <{item.full_name}>\n" for item in items
    )
    title = TITLES.get(module, module)
    declared = f".. module:: {module}\n\n.. currentmodule:: {module}\n"
    imported = f"``import {module}``\n"
    parts = [_heading(title), imported, declared, description + "\n"]
    # The tables name their symbols in full, which autosummary wants outside of any module.
    return "\n".join([*parts, ".. currentmodule:: None\n", _summary_table(items), toctree])


def index_page() -> str:
    """Return the first page of the reference."""
    parts = [
        _heading("API reference"),
        "Every public symbol has a page. What the package itself exports, such as\n"
        "``imagequality.BlurDetector``, is listed under the room of the library that it belongs "
        "to.\n",
        ".. toctree::\n   :hidden:\n\n"
        + "".join(f"   {TITLES.get(module, module)} <{module}>\n" for module in public_modules()),
    ]
    for module in public_modules():
        parts.append(_heading(TITLES.get(module, module), "-"))
        parts.append(f"From :doc:`{module} <{module}>`:\n")
        parts.append(_summary_table(listed_in(module)))
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Return the text of every page of the reference by its file name."""
    made = {"index.rst": index_page()}
    for module in public_modules():
        made[f"{module}.rst"] = module_page(module)
        for item in listed_in(module):
            made[f"{item.full_name}.rst"] = symbol_page(item)
    return made


def write_pages(folder: Path) -> None:
    """Write the pages, leave those alone that have not changed, and remove those of the past."""
    folder.mkdir(exist_ok=True)
    made = pages()
    for old in folder.glob("*.rst"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
