"""A room imports only from rooms to its left; report/ imports nothing of ours."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import imagequality

PACKAGE = Path(imagequality.__file__).parent
FLOW = ["_base", "thresholds", "images", "measurements", "detectors", "duplicates", "pipeline"]
ALLOWED = {room: set(FLOW[: position + 1]) for position, room in enumerate(FLOW)}
ALLOWED["thresholds"] = {"_base", "thresholds"}
ALLOWED["images"] = {"images"}
ALLOWED["measurements"] = {"_base", "images", "measurements"}
ALLOWED["embedders"] = {"_base", "images", "embedders"}
ALLOWED["report"] = {"report"}
ALLOWED["_plan"] = {"duplicates", "_plan"}
ALLOWED["pipeline"] |= {"report", "_plan"}
ALLOWED["resample"] = ALLOWED["pipeline"] | {"resample"}
ALLOWED["perturbations"] = {"perturbations"}
ALLOWED["datasets"] = {"images", "perturbations", "datasets"}
ALLOWED["impact"] = ALLOWED["pipeline"] | {"perturbations", "impact"}
ALLOWED["testing"] = ALLOWED["pipeline"] | {"datasets", "testing"}
ALLOWED["cli"] = ALLOWED["pipeline"] | {
    *("datasets", "diagnosis", "validation"),
    *("cli", "__init__"),
}
ALLOWED["__main__"] = {"cli"}
ALLOWED["validation"] = ALLOWED["pipeline"] | {"validation"}
ALLOWED["torch"] = {"images", "validation", "torch"}
ALLOWED["huggingface"] = {"images", "validation", "huggingface"}
ALLOWED["plots"] = {"thresholds", "images", "detectors", "duplicates", "plots"}
ALLOWED["dask"] = ALLOWED["pipeline"] | {"dask"}
ALLOWED["diagnosis"] = {"report", "diagnosis"}


def rooms_imported(path: Path) -> set[str]:
    """Return the top-level rooms of the package that a module imports."""
    package = ("imagequality", *path.relative_to(PACKAGE).parent.parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            names = [f"{stem}.{alias.name}" for alias in node.names] if not node.module else [stem]
        for name in names:
            parts = name.split(".")
            if parts[0] == "imagequality":
                room = parts[1] if len(parts) > 1 else "__init__"
                known = (PACKAGE / room).exists() or (PACKAGE / f"{room}.py").exists()
                found.add(room if known else "__init__")
    return found


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_room_imports_only_from_the_left(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert rooms_imported(path) <= ALLOWED[room]


def test_scikit_learn_privates_are_imported_in_one_place():
    offenders = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if path.name != "_base.py" or path.parent != PACKAGE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn")
        if any(part.startswith("_") for part in (node.module or "").split("."))
        or any(alias.name.startswith("_") for alias in node.names)
    ]
    assert offenders == []


def test_import_is_light_and_silent():
    code = (
        "import sys, imagequality\n"
        "heavy = {'matplotlib', 'torch', 'onnxruntime', 'IPython', 'imblearn', 'datasets'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_submodules_are_there_after_importing_the_package():
    code = (
        "import imagequality as iq\n"
        "iq.testing.check_threshold_selector, iq.datasets.make_flawed_images, iq.perturbations.blur"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_exists_and_is_documented():
    for name in imagequality.__all__:
        thing = getattr(imagequality, name)
        if name != "__version__":
            assert thing.__doc__, name
