"""What the library must not do: open sockets, write or delete unasked, run what it reads.

How it is built is read from its source; what it does is watched by an audit hook in processes of
its own, the workers of joblib among them.
"""

from __future__ import annotations

import ast
import contextlib
import csv
import functools
import html.parser
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import textwrap
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import imagequality as iq
from imagequality.cli import main
from imagequality.report import guarded_cell, printable, unguarded_cell
from imagequality.report._text import FORMULA_STARTS, in_one_line

PACKAGE = Path(iq.__file__).parent

SCRIPT = "<script>window.hacked=1</script>"
HOSTILE = [
    "</script>" + SCRIPT + ".jpg",
    '"><img src=x onerror=window.hacked=1>.jpg',
    "' onmouseover='window.hacked=1.jpg",
    "javascript:window.hacked=1",
    "data:text/html," + SCRIPT,
    "--><svg onload=window.hacked=1>.jpg",
    "]]><iframe src=javascript:window.hacked=1>",
    "{{ 7 * 7 }}{% raw %}.jpg",
    "\u2028\u2029\x00\x1b[2J\r\n\t.jpg",
    "photo\u202egpj.exe",
    "caf\udce9\udcff.jpg",
    "a$\\frac{$.jpg",
    "é" * 250,
    "=cmd|' /C calc'!A0",
    "+1+1.jpg",
    "-2+3.jpg",
    "@SUM(1+1).jpg",
    "\tTAB.jpg",
    "\rCR.jpg",
    "＝1+1.jpg",
    "'=1+1.jpg",
]
ON_DISK = [name.replace("/", "∕").replace("\0", "")[:120] for name in HOSTILE]


# ------------------------------------------------------------------ what the source may hold


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Return the syntax of every module of the library."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {p.relative_to(PACKAGE).as_posix(): ast.parse(p.read_text("utf-8")) for p in paths}


class Use(NamedTuple):
    """Where a function is called: the module, the function around it, and what is called."""

    module: str
    inside: str
    called: str
    call: ast.Call


@functools.cache
def calls() -> list[Use]:
    """Return every call in the library, doctests not among them."""
    found = []

    def walk(node: ast.AST, module: str, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            here = child.name if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else inside
            if isinstance(child, ast.Call):
                found.append(Use(module, inside, ast.unparse(child.func), child))
            walk(child, module, here)

    for name, tree in modules().items():
        walk(tree, name, "")
    assert len(found) > 1000
    return found


def test_modules_that_can_do_harm_keep_their_names():
    """Or the tests below would not see what is called."""
    watched = {"os", "shutil", "pickle", "marshal", "joblib", "subprocess", "tempfile", "socket"}
    offenders = []
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                offenders += [a.name for a in node.names if a.name in watched and a.asname]
            elif isinstance(node, ast.ImportFrom) and node.module in watched - {"joblib"}:
                offenders += [f"{node.module}.{alias.name}" for alias in node.names]
    assert offenders == []


TAKES_AWAY = {
    *(f"os.{name}" for name in ("remove", "unlink", "rmdir", "removedirs", "rename", "renames")),
    *(f"os.{name}" for name in ("replace", "truncate", "utime", "chmod", "chown", "link")),
    *(f"os.{name}" for name in ("symlink", "lchown", "ftruncate", "setxattr", "removexattr")),
}
TAKES_AWAY_BY_METHOD = {"unlink", "rmdir", "rmtree", "touch", "chmod", "symlink_to", "hardlink_to"}

MAY_TAKE_AWAY = {
    # Files that this library made a moment before, under names with a UUID that no other has:
    # the finished one is put in its place in one step, the unfinished one is removed.
    ("dask/_files.py", "_check_manifest", "os.replace"),
    ("dask/_files.py", "_write", "os.replace"),
    ("dask/_files.py", "_write", "unfinished.unlink"),
    ("dask/_files.py", "measure_to_parquet", "leftover.unlink"),
}


def takes_away(use: Use) -> bool:
    owner, _, name = use.called.rpartition(".")
    if use.called in TAKES_AWAY or owner == "shutil" or name in TAKES_AWAY_BY_METHOD:
        return True
    # Path.rename and Path.replace take one argument, those of str and pandas two or a keyword.
    lone = len(use.call.args) == 1 and not use.call.keywords
    return bool(owner) and name in ("rename", "replace") and lone


def test_nothing_is_deleted_moved_or_renamed():
    found = {use[:3] for use in calls() if takes_away(use)}
    assert found == MAY_TAKE_AWAY


WRITES = {
    "datasets.py",  # save_images: new files only
    "cli/_demo.py",  # an image that is none, in the folder of the demo
    "dask/_files.py",  # measure_to_parquet
    "measurements/_store.py",  # export_parquet; the store itself is SQLite's
    *("report/_json.py", "report/_page.py", "report/_report.py", "report/_tables.py"),
}


def writes(use: Use) -> bool:
    name = use.called.rpartition(".")[2]
    modes = [*use.call.args[1:2], *(word.value for word in use.call.keywords if word.arg == "mode")]
    opened_to_write = use.called == "open" and any(
        isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+") for mode in modes
    )
    return opened_to_write or name in {
        *("write_text", "write_bytes", "mkdir", "makedirs", "to_csv", "to_parquet", "to_pickle"),
        *("to_json", "to_excel", "imwrite", "savefig", "savez", "tofile", "NamedTemporaryFile"),
        *("mkdtemp", "mkstemp", "TemporaryDirectory", "TemporaryFile", "write_table", "copyfile"),
    }


def test_few_modules_write_files_and_each_is_known():
    found = {use.module for use in calls() if writes(use)}
    command_line = {"cli/_scan.py", "cli/_output.py"}  # what the options ask for
    assert found == WRITES | command_line


RUNS = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.startfile"),
    *("pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.load", "marshal.loads"),
    *("joblib.load", "shelve.open", "pd.read_pickle", "pd.eval", "torch.load", "yaml.load"),
    *("tempfile.mktemp", "code.interact", "torch.hub.load"),
}
RUNS_BY_METHOD = {
    *("eval", "query", "enable_load_extension", "load_extension", "extract", "extractall"),
    *("from_pretrained", "load_state_dict_from_url", "from_string"),
}
MAY_RUN = {
    # What they have dumped themselves a moment before, in memory.
    ("testing.py", "_check_selector_pickles", "pickle.loads"),
    ("testing.py", "_check_detector_pickles", "pickle.loads"),
    # PyTorch's switch to evaluation, no expression.
    ("embedders.py", "_evaluation_mode", "module.eval"),
}


def may_run(use: Use) -> bool:
    # A process of our own answers over its own pipe; nothing of it is ever on disk.
    own_pipe = use.module.startswith("measurements/_isolation")
    return use[:3] in MAY_RUN or (own_pipe and use.called in ("pickle.load", "pickle.loads"))


def keyword(call: ast.Call, name: str) -> object:
    values = [word.value for word in call.keywords if word.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def test_nothing_that_is_read_is_run():
    found = [
        use[:3]
        for use in calls()
        if use.called in RUNS or use.called.rpartition(".")[2] in RUNS_BY_METHOD
        if not may_run(use)
    ]
    assert found == []
    for use in calls():
        if use.called == "np.load":
            assert keyword(use.call, "allow_pickle") is False, use[:3]
        assert keyword(use.call, "shell") is None, use[:3]
        assert keyword(use.call, "trust_remote_code") is None, use[:3]
        if use.called.endswith("Environment"):
            assert keyword(use.call, "autoescape") is True, use[:3]


def test_modules_are_not_imported_by_names_from_outside():
    named = [use for use in calls() if use.called.endswith("import_module")]
    places = {use[:2] for use in named}
    assert places == {("duplicates/_faiss.py", "import_faiss"), ("embedders.py", "_import_extra")}


def test_only_the_page_s_own_sources_are_taken_as_they_are():
    """Every other value is escaped."""
    template = (PACKAGE / "report" / "templates" / "page.html.j2").read_text("utf-8")
    assert sorted(set(_safe_names(template))) == ["data", "script", "style"]
    assert "autoescape" not in template
    script = (PACKAGE / "report" / "templates" / "page.js").read_text("utf-8")
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert way not in script.replace("never through innerHTML", "")


def _safe_names(template: str) -> list[str]:
    parts = [part.split("|safe")[0] for part in template.split("{{") if "|safe" in part]
    return [part.strip() for part in parts]


def test_nothing_in_the_library_speaks_to_a_network():
    """Except fsspec, for a URL that the user named, and a Dask cluster that the user started."""
    barred = {"socket", "ssl", "urllib", "http", "ftplib", "requests", "httpx", "aiohttp", "boto3"}
    barred |= {"huggingface_hub", "torchvision", "timm", "transformers", "xmlrpc", "smtplib"}
    for module, tree in modules().items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & barred, module


# ------------------------------------------------------------------ what it does, watched

# Every Python process below runs this first: also the workers that joblib starts. A hook cannot
# be taken away again, and sees what C code of Python does; whatever else opens files or sockets
# is found by comparing folders and, by hand, with strace.
WATCHER = """
import json, os, sys

_log = os.open(os.environ["WATCHED_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_FAMILIES = (2, 10, 30)  # AF_INET and AF_INET6, on Linux and macOS
_NET = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.connect",
        "socket.bind", "socket.sendto", "socket.getnameinfo", "urllib.Request", "http.client",
        "ftplib", "smtplib")
_FILES = ("os.remove", "os.rename", "os.rmdir", "os.truncate", "os.chmod", "os.utime", "os.link",
          "os.symlink", "os.mkdir", "shutil", "os.setxattr", "sqlite3.connect/handle")


def _tell(event, *arguments):
    line = json.dumps([event, [os.fsdecode(a) if isinstance(a, (str, bytes)) else repr(a)
                               for a in arguments], os.getpid()])
    os.write(_log, line.encode() + b"\\n")


def _watch(event, arguments):
    if event == "socket.__new__" and arguments[1] in _FAMILIES:
        _tell(event, *arguments[1:])
        raise PermissionError("a socket")
    if event.startswith(_NET):
        address = arguments[1] if event in ("socket.connect", "socket.bind") else None
        if isinstance(address, (str, bytes)):  # within this machine
            return
        _tell(event, *arguments[1:])
        raise PermissionError(event)
    if event.startswith(_FILES):
        _tell(event, *arguments)
    elif event == "open":
        path, mode, flags = arguments
        if isinstance(path, int) or path == os.devnull:
            return
        wanted = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if (mode and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & wanted):
            _tell("open", path, mode)
    elif event in ("os.system", "pickle.find_class") and event == "os.system":
        _tell(event, *arguments)


sys.addaudithook(_watch)
_tell("started")
"""

WORK = """
import sys
import warnings

import joblib
import numpy as np
import PIL.Image
import PIL.ImageFile

import imagequality as iq
from imagequality.cli import main
from imagequality.measurements import export_parquet

warnings.simplefilter("ignore")


def check(code):
    assert code in (0, 1), code


if __name__ == "__main__":
    limits = PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES
    photos, shard = sys.argv[1:]
    paths = iq.list_images(photos)
    columns = ["entropy", "pixel_digest"]
    with joblib.parallel_config("loky", n_jobs=2):
        iq.measure(paths, columns, progress=False, batch_size=4)
        large = np.zeros((12, 300, 300, 3), np.uint8)  # enough for joblib to map it in memory
        iq.measure(large, columns, progress=False, batch_size=2)
    iq.measure(paths, columns, n_jobs=2, progress=False, cache="store.db")
    iq.measure(paths[:6], columns, progress=False, isolate=True)
    iq.read_store("store.db")
    pipeline = iq.QualityPipeline(progress=False, n_jobs=2).fit(paths)
    report = pipeline.report()
    pipeline.predict(paths[:3])
    report.to_csv("report.csv")
    report.to_json("report.json")
    try:
        import jinja2
        report.to_html("report.html", labels=["class"] * len(paths))
    except ImportError:
        pass
    try:
        import pyarrow
        report.to_parquet("report.parquet")
        export_parquet("store.db", "exported")
    except ImportError:
        pass
    report.compare(report)._repr_html_()
    report._repr_html_()
    iq.SemanticDuplicateDetector().fit(paths)
    iq.OutlierDetector().fit(paths)
    iq.find_leaks(paths[:5], paths[5:])
    iq.class_report(report, ["class"] * len(paths))
    iq.validate(paths[0])
    iq.validate_folder(photos, audit="audit.csv", progress=False)
    dict(iq.stream_images(shard))
    list(iq.list_images(shard))
    iq.measure(iq.list_images(shard), columns, progress=False)
    iq.testing.rank_selectors([iq.LiThreshold()])
    check(main(["scan", photos, "--csv", "scan.csv", "--json", "scan.json", "--cache", "scan.db",
                "--classes", "--quiet", "--n-jobs", "1", "--drop", "near_duplicates"]))
    check(main(["duplicates", photos, "--csv", "groups.csv", "--json", "groups.json", "--quiet"]))
    check(main(["validate", photos, "--quiet"]))
    check(main(["demo", "--quiet", "--n-jobs", "1"]))
    check(main(["version"]))
    # Other code in the process may rely on them.
    assert limits == (PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.LOAD_TRUNCATED_IMAGES)
    assert limits[0] and not limits[1]
"""

ASKED_FOR = {
    *("store.db", "report.csv", "report.json", "report.html", "report.parquet"),
    *("exported", "exported/part-00000.parquet", "audit.csv", "scan.csv", "scan.json", "scan.db"),
    *("groups.csv", "groups.json", "demo_audit.csv", "demo_images", "demo_images/broken.jpg"),
}


def is_asked_for(path: str) -> bool:
    return path in ASKED_FOR or re.fullmatch(r"demo_images/image_\d+\.png", path) is not None


class Watched(NamedTuple):
    """What a process was seen to do."""

    events: list[tuple[str, list[str], int]]
    work: Path
    others: list[Path]
    photos: Path
    before: dict[str, tuple[object, ...]]


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return the content, times and rights of all that lies in a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if os.path.isfile(path) else b""
            known = (status.st_mode, status.st_mtime_ns, status.st_ino, content)
            found[os.path.relpath(path, folder)] = known
    return found


def watched_environment(root: Path, log: Path) -> tuple[dict[str, str], list[Path]]:
    """Return an environment in which every Python process is watched, and its folders."""
    places = [root / name for name in ("home", "temporary", "cache", "config", "data", "state")]
    for place in (*places, root / "watcher"):
        place.mkdir()
    home, temporary, cache, config, data, state = map(str, places)
    (root / "watcher" / "sitecustomize.py").write_text(WATCHER)
    own = {
        "HOME": home, "TMPDIR": temporary, "XDG_CACHE_HOME": cache, "XDG_CONFIG_HOME": config,
        "XDG_DATA_HOME": data, "XDG_STATE_HOME": state, "WATCHED_LOG": str(log),
        "PYTHONPATH": os.pathsep.join([str(root / "watcher"), str(PACKAGE.parent)]),
        "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, **own}, places


def events_of(log: Path) -> list[tuple[str, list[str], int]]:
    return [tuple(json.loads(line)) for line in log.read_text().splitlines()]


def make_photos(folder: Path) -> None:
    """Write images and other files, of hostile names and contents, links among them."""
    images, _ = iq.datasets.make_flawed_images(
        len(ON_DISK) + 4, issues=["dark"], contamination=0.1, size=48, random_state=0
    )
    (folder / "cl<i>ass\x1b[2J").mkdir(parents=True)
    for number, image in enumerate(images):
        within = folder / "cl<i>ass\x1b[2J" if number % 2 else folder
        name = ON_DISK[number] if number < len(ON_DISK) else f"{number}.png"
        Image.fromarray(image).save(os.fsencode(within / name), "PNG")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff" + SCRIPT.encode())
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    os.symlink(folder / "4.png", folder / "link.png")
    os.symlink("/nowhere", folder / "dangling.png")
    os.symlink(folder, folder / "loop")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """All of the library at work on hostile files, in a process that is watched."""
    root = tmp_path_factory.mktemp("watched")
    photos, work, log = root / "photos", root / "work", root / "log"
    make_photos(photos)
    work.mkdir()
    environment, others = watched_environment(root, log)
    shard = root / "shard.tar"
    with tarfile.open(shard, "w") as archive:
        archive.add(photos / "broken.jpg", "../../escaped.jpg")
        archive.add(next(photos.glob("2*.png")), "/absolute.png")
    script = root / "work.py"
    script.write_text(WORK)
    before = state_of(photos)
    command = [sys.executable, str(script), str(photos), str(shard)]
    done = subprocess.run(
        command, cwd=work, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Watched(events_of(log), work, others, photos, before)


def test_watcher_sees_sockets_files_and_workers(tmp_path):
    """Or the tests below would show nothing."""
    code = """
        import socket, joblib, os
        def act(number):
            try:
                socket.socket().connect(("192.0.2.1", 9))
            except PermissionError:
                open(os.environ["HOME"] + f"/{number}", "w").close()
                os.remove(os.environ["HOME"] + f"/{number}")
        if __name__ == "__main__":
            act(0)
            try:
                socket.getaddrinfo("example.invalid", 80)
            except PermissionError:
                pass
            joblib.Parallel(2, backend="loky")(joblib.delayed(act)(n) for n in (1, 2))
    """
    (tmp_path / "code.py").write_text(textwrap.dedent(code))
    environment, _ = watched_environment(tmp_path, tmp_path / "log")
    subprocess.run([sys.executable, "code.py"], cwd=tmp_path, env=environment, check=True)
    events = events_of(tmp_path / "log")
    kinds = [event for event, _, _ in events]
    assert "socket.getaddrinfo" in kinds
    for number, arguments in enumerate([os.fspath(tmp_path / "home" / str(n)) for n in range(3)]):
        written = {event for event, told, _ in events if arguments in told}
        assert written == {"open", "os.remove"}, number
    assert kinds.count("socket.__new__") == 3
    assert len({process for event, _, process in events if event == "socket.__new__"}) >= 2


def test_no_socket_is_opened(watched):
    assert [event for event in watched.events if event[0].startswith(("socket", "urllib"))] == []
    assert len({process for _, _, process in watched.events}) >= 3  # the workers were watched, too


def in_memory_maps(path: str) -> bool:
    """Arrays that joblib hands to its workers; it removes them itself."""
    return "joblib_memmapping_folder" in path


def test_only_what_was_asked_for_is_written(watched):
    there = {
        os.path.relpath(os.path.join(parent, name), watched.work)
        for parent, folders, files in os.walk(watched.work)
        for name in (*folders, *files)
    }
    assert [path for path in there if not is_asked_for(path)] == []
    assert there >= {name for name in ASKED_FOR if name.endswith((".csv", ".json", ".db"))}
    opened = {arguments[0] for event, arguments, _ in watched.events if event == "open"}
    resolved = {os.path.relpath(watched.work / path, watched.work) for path in opened}
    strange = [path for path in resolved if not is_asked_for(path)]
    assert [path for path in strange if not in_memory_maps(path)] == []


def test_home_and_temporary_folders_stay_as_they_were(watched):
    for _ in range(50):  # joblib's own process removes its maps a moment later
        left = [path.name for place in watched.others for path in place.rglob("*")]
        if not left:
            break
        time.sleep(0.1)
    assert [name for name in left if "joblib" not in name] == []


def test_nothing_is_deleted_renamed_or_changed_in_rights(watched):
    taken = [
        (event, arguments)
        for event, arguments, _ in watched.events
        if event.startswith(("os.", "shutil"))
        if not any(map(in_memory_maps, arguments))
        if not (event == "os.mkdir" and arguments[0] in ("exported", "demo_images"))
    ]
    assert taken == []


def test_images_are_left_as_they_are(watched):
    assert len(watched.before) > len(ON_DISK)
    assert state_of(watched.photos) == watched.before


def test_import_does_nothing(tmp_path):
    environment, others = watched_environment(tmp_path, tmp_path / "log")
    code = "import imagequality, imagequality.cli, imagequality.embedders, imagequality.validation"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert [event for event, _, _ in events_of(tmp_path / "log")] == ["started"]
    assert [path for place in others for path in place.rglob("*")] == []


# ------------------------------------------------------------------ spreadsheets


def rows_of(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@given(st.text(alphabet=[*"=+-@\t\r\n＝'a1,;\"\\", *map(chr, range(32))], max_size=8))
def test_guarded_text_is_no_formula_and_can_be_had_back(text):
    guarded = guarded_cell(text)
    assert not guarded.startswith(FORMULA_STARTS)
    assert unguarded_cell(guarded) == text


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "photos"
    make_photos(folder)
    return folder


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    """Two folders, each with a copy of one image, under names that are formulas."""
    root = tmp_path_factory.mktemp("twins")
    image = iq.datasets.make_flawed_images(1, issues=[], contamination=0, random_state=0)[0][0]
    for name in ("=1+1", "@one\r=2+2"):
        (root / name).mkdir()
        Image.fromarray(image).save(root / name / "-a.png")
        Image.fromarray(image).save(root / name / "+b\n.png")
    return root


@pytest.mark.parametrize(
    "command",
    [
        ["scan", "=1+1", "@one\r=2+2", "--issues", "exact_duplicates"],
        ["duplicates", "=1+1", "@one\r=2+2", "--method", "exact"],
        ["duplicates", "=1+1", "--against", "@one\r=2+2", "--method", "exact"],
    ],
)
def test_tables_of_the_command_line_hold_no_formula(command, twins, monkeypatch, tmp_path):
    monkeypatch.chdir(twins)
    assert main([*command, "--quiet", "--csv", str(tmp_path / "found.csv")]) == 0
    head, *rows = rows_of(tmp_path / "found.csv")
    names = {str(path) for name in ("=1+1", "@one\r=2+2") for path in Path(name).iterdir()}
    cells = [cell for row in rows for cell in row]
    assert {unguarded_cell(cell) for cell in cells} & names
    for cell in [*head, *cells]:
        if cell.startswith(FORMULA_STARTS):
            float(cell)  # a number keeps its sign
    if command[0] != "scan":
        where = head.index("image")
        assert {unguarded_cell(row[where]) for row in rows} <= names
        assert len(pd.read_csv(tmp_path / "found.csv")) == len(rows)


def test_audit_file_holds_no_formula(hostile_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(hostile_folder)
    with pytest.warns(UserWarning, match="passed over"):
        accepted, rejected = iq.validate_folder(".", audit=tmp_path / "a.csv", progress=False)
    rows = rows_of(tmp_path / "a.csv")[1:]
    assert len(rows) == len(accepted) + len(rejected)
    names = {unguarded_cell(row[0]) for row in rows}
    assert names == {printable(name) for name in (*accepted.index, *rejected.index)}
    assert not [row[0] for row in rows if row[0].startswith(FORMULA_STARTS)]


def test_report_holds_no_formula_in_any_text(tmp_path):
    class Hostile(iq.DarkDetector):
        issue = "=2+2"

    image = np.zeros((16, 16, 3), np.uint8)
    table = iq.measure(iter([(name, image) for name in HOSTILE]), progress=False)
    table.index.name = "@index"
    report = iq.QualityPipeline([("=2+2", Hostile())], progress=False).fit(table).report()
    report.issues["number"] = -1.5
    report.issues.loc[HOSTILE[0], "reason"] = "-reason"
    report.to_csv(tmp_path / "a.csv")
    head, *rows = rows_of(tmp_path / "a.csv")
    assert "'@index" in head
    assert [unguarded_cell(row[0]) for row in rows] == [printable(name) for name in HOSTILE]
    numbers = {row[head.index("number")] for row in rows}
    assert numbers == {"-1.5"}
    for cell in [*head, *(cell for row in rows for cell in row)]:
        assert cell == "-1.5" or not cell.startswith(FORMULA_STARTS)


# ------------------------------------------------------------------ terminals


def steers(text: str) -> list[str]:
    """Return what in a text could steer a terminal, or turn it round."""
    return [character for character in text if character != "\n" and not character.isprintable()]


@given(st.text())
def test_a_line_is_one_line_that_steers_nothing(text):
    line = in_one_line(text)
    assert line.isprintable()
    line.encode("utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ["scan", ".", "--classes", "--n-jobs", "1"],
        ["validate", "."],
        ["validate", "\x1b[2J\udce9.jpg", "\nok      safe.jpg"],
        ["validate", "--\x1b[2J"],
        ["duplicates", ".", "--method", "exact"],
        ["scan", "no\x1b[2Jwhere"],
        ["\x1b]0;title\x07"],
        ["scan", ".", "--issues", "\x1b[2J"],
        ["scan", ".", "--csv", "\x1b[2J/a.csv"],
        ["validate", ".", "--profile", "\x1b[2J"],
    ],
)
def test_names_do_not_steer_the_terminal(command, hostile_folder, monkeypatch, capfd):
    monkeypatch.chdir(hostile_folder)
    if "." in command:  # a pair with hostile names, and a class that stands out
        assert in_one_line("\x1b[2J") == "\\x1b[2J"
    main(command)
    out, err = capfd.readouterr()
    assert out + err
    assert steers(out + err) == []


def test_classes_that_stand_out_do_not_steer_the_terminal(tmp_path, capfd):
    """The name of a folder is the name of a class, which is told in a sentence."""
    rng = np.random.default_rng(0)
    for number in range(60):
        folder = tmp_path / ("bad\x1b[2J\ngood" if number < 20 else "good")
        folder.mkdir(exist_ok=True)
        bright = 3 if number < 20 else 200
        pixels = rng.integers(0, bright, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    assert main(["scan", str(tmp_path), "--classes", "--issues", "dark", "--n-jobs", "1"]) == 0
    out = capfd.readouterr().out
    assert "bad\\x1b[2J\\ngood" in out
    assert steers(out) == []


def test_printed_report_does_not_steer_the_terminal():
    images = [np.zeros((16, 16, 3), np.uint8), b""]
    report = iq.QualityPipeline([("dark", iq.DarkDetector())], progress=False).fit(images).report()
    report.issues.loc[1, "reason"] = "\x1b[2J\nfine"
    report.summary["method"] = "\x9b2J"
    for text in (str(report), repr(report), str(report.compare(report))):
        assert steers(text) == []
    assert "\\x1b[2J\\nfine" in str(report)


# ------------------------------------------------------------------ pages and notebooks


class Elements(html.parser.HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def grey_images() -> list[np.ndarray]:
    return [np.full((16, 16, 3), 4 * number, np.uint8) for number in range(len(HOSTILE) + 1)]


@functools.cache
def hostile_report():
    """A report whose every text from outside is hostile."""

    class Hostile(iq.DarkDetector):
        issue = SCRIPT

    names = [*HOSTILE, "copy" + SCRIPT]
    table = iq.measure(iter(zip(names, grey_images(), strict=False)), progress=False)
    hostile = Hostile(threshold=0.9)
    detectors = [(SCRIPT, hostile), ("near_duplicates", iq.NearDuplicateDetector())]
    report = iq.QualityPipeline(detectors, progress=False).fit(table).report()
    for name in HOSTILE[:4]:
        report.issues.loc[name, "reason"] = "cannot be read: </td>" + name
    report.summary["method"] = '"><img src=x onerror=window.hacked=1>'
    return report


def fragments():
    """Return what notebooks show: HTML without a policy that would hold scripts back."""
    report = hostile_report()
    yield "report", report._repr_html_()
    yield "comparison", report.compare(report, names=(SCRIPT, HOSTILE[1]))._repr_html_()
    labels = [SCRIPT if number % 2 else HOSTILE[1] for number in range(len(report.issues))]
    yield "classes", iq.class_report(report, labels, max_rate=0.01)._repr_html_()
    pipeline = iq.QualityPipeline([(SCRIPT, iq.DarkDetector(threshold=0.1))], cache=HOSTILE[1])
    yield "diagram", pipeline._repr_html_()


@pytest.mark.parametrize("number", range(3))
def test_what_notebooks_show_holds_no_element_of_a_name(number):
    name, text = list(fragments())[number]
    elements = Elements(text)
    assert not set(elements.tags) & {"script", "img", "iframe", "object", "embed", "a"}, name
    assert not {attribute for attribute in elements.attributes if attribute.startswith("on")}
    text.encode("utf-8")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("jinja2")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as engine:
        try:
            started = engine.chromium.launch(executable_path=program, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {error}")
        yield started
        started.close()


@pytest.fixture
def visit(browser):
    """Open pages; they may neither talk, nor ask for anything, nor open windows."""
    told: list[str] = []
    context = browser.new_context()

    def open_page(path: Path):
        page = context.new_page()
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        page.on("popup", lambda popup: told.append(popup.url))
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        own = (path.as_uri(), "data:image/", "data:,")
        page.on("request", lambda r: None if r.url.startswith(own) else told.append(r.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    context.close()
    assert told == []


def shown(name: str) -> str:
    """Return a name as the page shows it: literally, what cannot be seen as an escape."""
    escaped = {*range(32), *range(127, 160), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F)}
    escaped |= set(range(0x2066, 0x206A))
    plain = printable(name)
    return "".join(f"\\u{ord(c):04x}" if ord(c) in escaped else c for c in plain)


def test_hostile_page_runs_nothing_and_shows_names_literally(visit, tmp_path):
    report = hostile_report()
    labels = [HOSTILE[number % 3] for number in range(len(report.issues))]
    report.to_html(
        tmp_path / "audit.html",
        images=grey_images(),
        title="</title>" + SCRIPT,
        labels=labels,
    )
    page = visit(tmp_path / "audit.html")
    page.locator("#shown:not(:empty)").wait_for()
    page.select_option("#filter-issue", "-2")
    for tile in page.locator("#tiles .tile").all()[:3]:
        tile.hover()
        tile.click()
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("document.scripts.length") == 2
    assert (
        page.evaluate("document.querySelectorAll('iframe, object, embed, svg script').length") == 0
    )
    events = "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
    assert [name for name in page.evaluate(events) if name.startswith("on")] == []
    assert (
        page.evaluate(
            "[...document.links].filter(a => !a.getAttribute('href').startsWith('#')).length"
        )
        == 0
    )
    titles = "all => all.map(one => one.title)"
    names = page.locator("#tiles .tile .name:not(.folder)")
    assert sorted(names.evaluate_all(titles)) == sorted(map(printable, report.issues.index))
    parts = ("folder", "name")
    text = "+".join(f"t.querySelector('.{part}').textContent" for part in parts)
    texts = page.locator("#tiles .tile").evaluate_all(f"all => all.map(t => {text})")
    assert sorted(texts) == sorted(map(shown, report.issues.index))
    assert page.locator("h1").inner_text() == "</title>" + SCRIPT
    assert page.locator(".card h3").first.inner_text() == SCRIPT.replace("_", " ")
    alternatives = page.locator("#tiles img").evaluate_all("all => all.map(one => one.alt)")
    assert set(alternatives) == {""}
    cells = page.locator("#unreadable-rows td").all_inner_texts()
    assert [cell for cell in cells if cell.startswith("cannot be read")]


def test_policy_holds_back_a_script_that_came_in(visit, browser, tmp_path):
    """The second line, should a name ever get through: the policy knows the page's own script."""
    hostile_report().to_html(tmp_path / "audit.html")
    text = (tmp_path / "audit.html").read_text("utf-8")
    text = text.replace("</main>", SCRIPT + "<img src=x onerror=window.hacked=2></main>")
    (tmp_path / "audit.html").write_text(text, encoding="utf-8")
    page = browser.new_page()
    refused = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto((tmp_path / "audit.html").as_uri())
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert any("Content Security Policy" in text for text in refused)
    page.close()


def test_hostile_notebook_runs_nothing(visit, tmp_path):
    (tmp_path / "n.html").write_text(
        "<!DOCTYPE html><meta charset=utf-8><link rel=icon href='data:,'>"
        + "".join(f"<section id={name}>{text}</section>" for name, text in fragments()),
        encoding="utf-8",
    )
    page = visit(tmp_path / "n.html")
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.locator("#report").inner_text().count(SCRIPT) >= 1


def test_names_with_dollar_signs_are_no_formulas_in_plots(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    from imagequality import plots

    class Hostile(iq.DarkDetector):
        issue = "a$\\frac{$"

    names = ["a$\\frac{$.jpg", "$x^", "b\x00\u202e\udce9$_{", "é" * 250]
    levels = [0, 3, 90, 200]
    pairs = [(n, np.full((16, 16, 3), v, np.uint8)) for n, v in zip(names, levels, strict=True)]
    twins = [(name + "2", image) for name, image in pairs]
    table = iq.measure(iter([*pairs, *twins]), progress=False)
    images = [image for _, image in (*pairs, *twins)]
    detectors = [("a$\\frac{$", Hostile()), ("exact_duplicates", iq.ExactDuplicateDetector())]
    pipeline = iq.QualityPipeline(detectors, progress=False).fit(table)
    report = pipeline.report()
    scores = report.issues["a$\\frac{$_score"]
    figures = [
        plots.IssueGalleryDisplay.from_report(report, images=images, only_flagged=False).figure_,
        plots.DuplicateGroupsDisplay.from_report(
            report, issue="exact_duplicates", images=images
        ).figure_,
        plots.ScoreHistogramDisplay.from_estimator(pipeline, table, issue="a$\\frac{$").figure_,
        plots.ThresholdComparisonDisplay.from_scores(
            scores, {"$\\frac{$": iq.FixedThreshold(0.5), "li": iq.LiThreshold()}
        ).figure_,
    ]
    for figure in figures:
        figure.savefig(tmp_path / "figure.png")
        assert "parse_math=True" not in repr(figure)
        pyplot.close(figure)


# ------------------------------------------------------------------ what is never overwritten


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (8, 8), (9, 9, 9)).save(path)
    return path


@pytest.mark.parametrize("method", ["to_csv", "to_json", "to_html", "to_parquet"])
def test_report_is_not_written_over_an_image(method, photo):
    report = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit([str(photo)]).report()
    before = photo.read_bytes()
    with pytest.raises((FileExistsError, ImportError), match=r"is an image|pip install"):
        getattr(report, method)(photo)
    assert photo.read_bytes() == before


@pytest.mark.parametrize(
    "format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "JPEG2000"]
)
def test_every_format_of_images_is_protected(format, tmp_path):
    report = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit([b""]).report()
    Image.new("RGB", (32, 32)).save(tmp_path / "a.csv", format)
    with pytest.raises(FileExistsError, match="image"):
        report.to_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_are_protected(kind, photo, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "photos"), kind, tmp_path, photo.name)
    before = Path(archive).read_bytes()
    report = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit([b""]).report()
    with pytest.raises(FileExistsError, match="archive"):
        report.to_json(archive)
    assert Path(archive).read_bytes() == before


@pytest.mark.parametrize("option", ["--csv", "--json", "--html", "--cache"])
def test_command_line_refuses_to_write_over_an_image_before_it_scans(option, photo, capsys):
    before = photo.read_bytes()
    assert main(["scan", str(photo.parent), option, str(photo)]) == 2
    assert main(["duplicates", str(photo.parent), "--csv", str(photo)]) == 2
    assert capsys.readouterr().out == ""
    assert photo.read_bytes() == before


def test_audit_is_not_written_over_an_image(photo):
    before = photo.read_bytes()
    with pytest.raises(FileExistsError):
        iq.validate_folder(photo.parent, audit=photo)
    assert photo.read_bytes() == before


def test_report_is_written_over_a_report(photo):
    report = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit([str(photo)]).report()
    for _ in range(2):
        report.to_csv(photo.parent / "a.csv")
        report.to_json(photo.parent / "a.json")
    assert len(rows_of(photo.parent / "a.csv")) == 2


def test_unfinished_files_of_others_are_left_in_a_folder_of_parquet_files(tmp_path):
    dask = pytest.importorskip("dask")
    pytest.importorskip("pyarrow")
    from imagequality.dask import measure_to_parquet
    from imagequality.dask._files import _unfinished_name

    left_over = _unfinished_name(tmp_path / "part.000001.parquet")
    theirs = [".mine.tmp", ".part.000001.parquet.tmp", "part.tmp", ".part.x.parquet.0.tmp"]
    for name in (*theirs, left_over.name):
        (tmp_path / name).write_text("kept")
    with dask.config.set(scheduler="synchronous"):
        measure_to_parquet(["a.png"], tmp_path, ["width"])
    assert not left_over.exists()
    assert {name for name in theirs if (tmp_path / name).read_text() == "kept"} == set(theirs)


# ------------------------------------------------------------------ what is read


def test_links_to_files_are_followed_and_links_to_folders_are_not(photo, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(photo, outside / "photo.jpg")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "link.jpg").symlink_to(outside / "photo.jpg")
    (folder / "folder").symlink_to(outside)
    (folder / "self").symlink_to(folder)
    assert iq.list_images(folder) == [str(folder / "link.jpg")]


@pytest.mark.parametrize("name", ["../../escaped.png", "/escaped.png", "a/../../escaped.png"])
def test_members_of_archives_are_never_written_to_disk(name, photo, tmp_path):
    archive_folder = tmp_path / "one" / "two"
    archive_folder.mkdir(parents=True)
    with zipfile.ZipFile(archive_folder / "a.zip", "w") as file:
        file.writestr(name, photo.read_bytes())
    with tarfile.open(archive_folder / "a.tar", "w") as file:
        file.add(photo, name)
    before = sorted(tmp_path.rglob("*"))
    for archive in ("a.zip", "a.tar"):
        source = archive_folder / archive
        table = iq.measure(iq.list_images(source), ["width"], progress=False)
        assert table["width"].tolist() == [8]
        assert len(dict(iq.stream_images(source))) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/escaped.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_in_archives_lead_nowhere_outside(kind, photo, tmp_path):
    link = tarfile.TarInfo("a.jpg")
    link.type, link.linkname = kind, str(photo)
    fifo = tarfile.TarInfo("b.jpg")
    fifo.type = tarfile.FIFOTYPE
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.addfile(link)
        file.addfile(fifo)
    table = iq.measure(iq.list_images(tmp_path / "a.tar"), ["width"], progress=False)
    assert table["valid"].tolist() == [False]
    assert "link" in table["reason"].iloc[0]
    (content,) = dict(iq.stream_images(tmp_path / "a.tar")).values()
    assert not isinstance(content, bytes)


def test_links_in_zip_archives_are_the_text_that_they_hold(photo, tmp_path):
    link = zipfile.ZipInfo("a.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, str(photo))
    table = iq.measure(iq.list_images(tmp_path / "a.zip"), ["width"], progress=False)
    assert table["valid"].tolist() == [False]


def test_bombs_in_archives_are_not_unpacked(monkeypatch, tmp_path):
    """The limit is lowered: what counts is that it holds, whatever the archive declares."""
    from imagequality.images import _archives

    monkeypatch.setattr(_archives, "MAX_MEMBER_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.png", b"\x89PNG\r\n\x1a\n" + bytes(1_000_000))
    bomb = tarfile.TarInfo("bomb.png")
    bomb.size = 1_000_000
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as file:
        file.addfile(bomb, io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(1_000_000)))
    for source in ("a.zip", "a.tar.gz"):
        table = iq.measure(iq.stream_images(tmp_path / source), ["width"], progress=False)
        assert table["valid"].tolist() == [False]
        assert "too large to unpack" in table["reason"].iloc[0]


def test_zip_that_declares_less_than_it_holds_gives_no_more(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb.png", bytes(1_000_000))
    data = bytearray(path.read_bytes())
    real = (1_000_000).to_bytes(4, "little")
    assert data.count(real) == 2
    path.write_bytes(bytes(data).replace(real, (100).to_bytes(4, "little")))
    (member,) = iq.list_images(path)
    with pytest.raises(iq.UnreadableImageError):
        assert len(member.read_bytes()) <= 100


@pytest.mark.parametrize("address", ["http://192.0.2.1/a.jpg", "https://[::1]:1/a.jpg"])
def test_address_that_is_no_file_is_named_as_such_where_it_cannot_be_reached(address, monkeypatch):
    """A URL among the references is fetched, by fsspec; a list of names is therefore trusted."""
    pytest.importorskip("fsspec")
    import fsspec.core

    asked = []

    def refuse(url, **options):
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    table = iq.measure([address, "a/http://b.jpg", "//192.0.2.1/a.jpg"], ["width"], progress=False)
    assert table["valid"].tolist() == [False] * 3
    assert asked == [address]


def test_long_names_are_told_from_urls_at_once():
    """The patterns that tell URLs do not stumble over long names."""
    from imagequality.images._remote import is_url, path_in

    for hostile in ("a" * 200_000, "zip::" * 50_000, "://" * 50_000):
        assert not is_url(hostile)
    assert path_in("zip::" * 10_000 + "file://" + ":" * 100_000) == ""


# ------------------------------------------------------------------ stores of others


def change_store(path: Path, script: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()


@pytest.fixture
def store(photo, tmp_path):
    path = tmp_path / "store.db"
    iq.measure([str(photo)], ["width", "entropy"], progress=False, cache=str(path))
    return path


HOSTILE_STORES = {
    "text for a number": "UPDATE images SET entropy = 'bright'",
    "bytes for a number": "UPDATE images SET entropy = x'00010203'",
    "bad versions": "UPDATE column_sets SET versions = '[[]]'",
    "no column": "UPDATE columns SET sql_name = 'elsewhere'",
    "injected name": "UPDATE columns SET sql_name = 'key\" FROM images; DROP TABLE images; --'",
    "foreign table": "DROP TABLE columns; CREATE TABLE columns (a, b)",
    # It has no end, and SQLite would not let itself be interrupted.
    "view": "ALTER TABLE images RENAME TO kept; CREATE VIEW images AS WITH RECURSIVE "
    "c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT kept.* FROM kept, c",
}


@pytest.mark.parametrize("kind", HOSTILE_STORES)
def test_hostile_store_is_refused_or_passed_over(kind, store, photo):
    """It never gives another table than without it, and never another error than a ValueError."""
    change_store(store, HOSTILE_STORES[kind])
    references, columns = [str(photo)], ["width", "entropy"]
    plain = iq.measure(references, columns, progress=False)
    with contextlib.suppress(ValueError):
        found = iq.measure(references, columns, progress=False, cache=str(store))
        pd.testing.assert_frame_equal(found, plain)
    with contextlib.suppress(ValueError):
        iq.read_store(store)
    with sqlite3.connect(store) as connection:
        table = "kept" if kind == "view" else "images"
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    connection.close()


def test_trigger_of_a_store_reaches_no_other_file(store, photo, tmp_path):
    victim = tmp_path / "victim.db"
    change_store(victim, "CREATE TABLE kept (a); INSERT INTO kept VALUES (1)")
    before = victim.read_bytes()
    with pytest.raises(sqlite3.Error):
        change_store(
            store,
            f"CREATE TRIGGER evil AFTER INSERT ON images BEGIN ATTACH '{victim}' AS v; END",
        )
    change_store(store, "CREATE TRIGGER evil AFTER UPDATE ON images BEGIN DELETE FROM images; END")
    with contextlib.suppress(ValueError):
        iq.measure([str(photo)], ["height"], progress=False, cache=str(store))
    assert victim.read_bytes() == before
