"""The commands, run as a user runs them."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import groups_of_equal_files
from PIL import Image

import imagequality as iq
from imagequality.cli import main
from imagequality.cli._issues import SELECTORS, all_detectors, choose_detectors
from imagequality.cli._output import printable

COMMAND = [sys.executable, "-m", "imagequality"]


def run(*arguments, cwd, **settings):
    return subprocess.run(
        [*COMMAND, *map(os.fsencode, arguments)],
        cwd=cwd,
        capture_output=True,
        text=settings.pop("text", True),
        check=False,
        **settings,
    )


@pytest.fixture(scope="module")
def folder(flawed_paths):
    return os.path.dirname(flawed_paths[0])


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """A folder of 30 images, three of them twice, and one brightened."""
    root = tmp_path_factory.mktemp("copies")
    images, _ = iq.datasets.make_flawed_images(30, contamination=0, size=64, random_state=2)
    paths = [Path(path) for path in iq.datasets.save_images(images, root)]
    for path in paths[:3]:
        shutil.copy(path, root / f"copy_of_{path.name}")
    Image.fromarray(images[5] // 2 + 60).save(root / "brighter.png")
    return root


# ------------------------------------------------------------------------------- demo


def test_demo_finds_what_it_planted_and_can_be_repeated(tmp_path):
    first = run("demo", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    table = pd.read_csv(tmp_path / "demo_audit.csv")
    assert len(table) == 301
    assert table["is_invalid_issue"].sum() == 1
    for issue in ("dark", "light", "blurry", "low_information", "grayscale", "odd_size"):
        assert table[f"is_{issue}_issue"].sum() >= 5, issue
    second = run("demo", cwd=tmp_path)
    assert second.stdout.split("\n", 1)[1] == first.stdout


# ------------------------------------------------------------------------------- scan


def test_scan_writes_the_table_that_was_asked_for(folder, flawed_paths, tmp_path):
    done = run("scan", folder, "--csv", "table.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("120 images")
    assert pd.read_csv(tmp_path / "table.csv")["path"].tolist() == flawed_paths
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_scan_says_what_the_library_says(folder, flawed_paths, capsys):
    assert main(["scan", folder]) == 0
    report = iq.QualityPipeline(progress=False).fit(flawed_paths).report()
    assert capsys.readouterr().out == f"{report}\n"


def test_scan_puts_several_sources_together_and_takes_no_image_twice(folder, tmp_path, capsys):
    names = sorted(os.listdir(folder))
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        for name in names[:10]:
            archive.write(os.path.join(folder, name), name)
    csv = tmp_path / "table.csv"
    sources = [folder, f"{folder}/.", str(tmp_path / "more.zip")]
    assert main(["scan", *sources, "--csv", str(csv), "--issues", "dark"]) == 0
    table = pd.read_csv(csv)
    assert table["path"].is_unique
    assert len(table) == len(names) + 10
    assert f"{len(names)} images lie in more than one" in capsys.readouterr().err


def test_json_on_standard_output_is_alone_there(folder, tmp_path):
    done = run("scan", folder, "--issues", "dark,blurry", "--json", "-", cwd=tmp_path)
    assert done.returncode == 0
    content = json.loads(done.stdout)
    assert {row["issue"] for row in content["summary"]} == {"dark", "blurry"}
    assert done.stderr.startswith("120 images")


def test_json_in_a_file_and_on_standard_output_is_the_same(folder, tmp_path, capsys):
    arguments = ["scan", folder, "--issues", "dark", "--json"]
    assert main([*arguments, str(tmp_path / "report.json")]) == 0
    capsys.readouterr()
    assert main([*arguments, "-"]) == 0
    printed = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "report.json").read_text())
    for content in (printed, written):
        content.pop("created", None)
    assert printed == written


def test_html_page_is_written(folder, tmp_path, capsys):
    pytest.importorskip("jinja2")
    page = tmp_path / "page.html"
    arguments = ["scan", folder, "--issues", "dark", "--classes", "--html", str(page)]
    assert main(arguments) == 0
    assert "<html" in page.read_text()[:1000]
    assert f"A page to look at: {page}" in capsys.readouterr().out


def test_classes_that_stand_out_are_named(tmp_path, capsys):
    images, _ = iq.datasets.make_flawed_images(60, contamination=0, size=32, random_state=0)
    iq.datasets.save_images(images[:40], tmp_path / "day")
    iq.datasets.save_images(images[40:] // 20, tmp_path / "night")
    assert main(["scan", str(tmp_path), "--issues", "dark", "--classes"]) == 0
    assert "night" in capsys.readouterr().out.split("by class:")[1]


def test_quiet_says_nothing_and_warns_of_nothing(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    done = run("scan", folder, ".", "--quiet", "--csv", "table.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "table.csv").exists()


def test_what_is_measured_is_kept_in_the_cache(folder, tmp_path, capsys):
    arguments = ["scan", folder, "--cache", str(tmp_path / "store.db")]
    assert main(arguments) == 0
    first = capsys.readouterr().out
    assert main(arguments) == 0
    assert capsys.readouterr().out == first
    assert len(iq.read_store(tmp_path / "store.db")) == 120


def test_what_is_passed_over_is_said_in_one_line(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    done = run("scan", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "imagequality: list_images passed over 1 entries of '.': 1 not images (.txt)\n"
    )
    assert "        1  empty file" in done.stdout


def test_file_names_that_are_no_text_are_no_problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9.png")
    try:
        Image.new("RGB", (70, 70)).save(tmp_path / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for other in ("line\nbreak.png", "image.png"):
        shutil.copy(tmp_path / name, tmp_path / other)
    for arguments in (
        ("scan", ".", "--csv", "../table.csv"),
        ("scan", ".", "--json", "-"),
        ("validate", name),
        ("validate", ".", "--json"),
        ("duplicates", ".", "--method", "exact", "--csv", "../table.csv"),
        ("duplicates", ".", "--method", "exact", "--json", "-"),
    ):
        with io.TextIOWrapper(io.BytesIO(), encoding="ascii") as stream:
            monkeypatch.setattr("sys.stdout", stream)
            assert main(arguments) in (0, 1), arguments
    monkeypatch.undo()
    printed = run("validate", ".", cwd=tmp_path).stdout
    assert "caf\\udce9.png" in printed
    assert len(printed.splitlines()) == 3


# ------------------------------------------------------------------ issues and thresholds


def test_issues_drop_and_default_choose_the_detectors():
    defaults = [name for name, _ in iq.default_detectors()]
    names = [name for name, _ in choose_detectors(None, ["grayscale"], [])]
    assert names == [name for name in defaults if name != "grayscale"]
    names = [name for name, _ in choose_detectors(["outlier", "default"], [], [])]
    assert names == [*defaults, "outlier"]


def test_every_detector_but_torchs_is_known_by_the_name_of_its_issue():
    known = {type(detector) for _, detector in all_detectors()}
    assert known == set(iq.testing.all_detectors())
    assert all(name == detector.issue for name, detector in all_detectors())


def test_thresholds_reach_their_detectors():
    chosen = dict(
        choose_detectors(None, [], [("blurry", "0.4"), ("dark", "li"), ("near_duplicates", "16")])
    )
    assert chosen["blurry"].threshold == 0.4
    assert isinstance(chosen["dark"].threshold, iq.LiThreshold)
    assert chosen["near_duplicates"].distance == 16


@pytest.mark.parametrize("method", SELECTORS)
def test_every_method_can_be_chosen(method, folder, capsys):
    assert main(["scan", folder, "--issues", "dark", "--threshold", f"dark={method}"]) == 0
    selector = type(SELECTORS[method]()).__name__
    # A report names the methods of what it found.
    printed = capsys.readouterr().out
    assert selector in printed or "not found: dark" in printed


@given(st.text())
def test_printable_text_is_one_line_of_characters(text):
    assert printable(text).isprintable()
    if text.isprintable():
        assert printable(text) == text


# --------------------------------------------------------------------------- bad usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["scan"], "FOLDER"),
        (["scan", "nowhere"], "no such folder: 'nowhere'"),
        (["scan", "."], "no images in ."),
        (["."], "imagequality scan ."),
        (["scna", "FOLDER"], "scan"),
        (["scan", "FOLDER", "--issues", "blury"], "did you mean 'blurry'? Known are invalid, "),
        (["scan", "FOLDER", "--drop", "dark,drak"], "did you mean 'dark'?"),
        (["scan", "FOLDER", "--issues", "dark", "--drop", "dark"], "no issue is left"),
        (["scan", "FOLDER", "--issues", "dark,,light"], "--issues"),
        (["scan", "FOLDER", "--threshold", "blurry"], "ISSUE=VALUE"),
        (["scan", "FOLDER", "--threshold", "blury=1"], "did you mean 'blurry'?"),
        (["scan", "FOLDER", "--threshold", "blurry=30"], "between 0 and 1"),
        (["scan", "FOLDER", "--threshold", "blurry=nan"], "between 0 and 1"),
        (["scan", "FOLDER", "--threshold", "blurry=ostu"], "did you mean 'otsu'?"),
        (["scan", "FOLDER", "--threshold", "invalid=0.3"], "no threshold"),
        (["scan", "FOLDER", "--threshold", "near_duplicates=-1"], "'auto' or a number"),
        (["scan", "FOLDER", "--drop", "dark", "--threshold", "dark=li"], "not looked for"),
        (["scan", "FOLDER", "--csv", "no/where.csv"], "no such folder"),
        (["scan", "FOLDER", "--csv", "."], "is a folder"),
        (["scan", "FOLDER", "--html", "no/where.html"], "--html"),
        (["scan", "FOLDER", "--json", "no/where.json"], "no such folder"),
        (["scan", "FOLDER", "--n-jobs", "0"], "--n-jobs"),
        (["scan", "FOLDER", "--cache", "text.txt"], "text.txt"),
        (["scan", "text.txt"], "not a folder: 'text.txt'"),
        (["validate"], "FILE"),
        (["validate", "x.png", "--profile", "segmentatoin"], "did you mean 'segmentation'?"),
        (["validate", "x.png", "--profile", "missing.toml"], "missing.toml"),
        (["validate", "x.png", "--threshold", "dark=li"], "must be a number"),
        (["validate", "x.png", "--threshold", "drak=1"], "did you mean 'dark'?"),
        (["validate", "x.png", "--min-side", "0"], "pixels"),
        (["duplicates", "FOLDER", "--method", "same"], "--method"),
        (["duplicates", "FOLDER", "--distance", "near"], "--distance"),
        (["duplicates", "FOLDER", "--distance", "3", "--method", "exact"], "near or semantic"),
        (["duplicates", "FOLDER", "--against", "FOLDER"], "lie in the folder"),
        (["version", "--loud"], "--loud"),
    ],
)  # fmt: skip
def test_bad_usage_ends_with_two_and_says_why(
    arguments, words, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if "text.txt" in arguments:
        Path("text.txt").write_text("no store and no archive")
    assert main([folder if text == "FOLDER" else text for text in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert words in printed.err
    assert "Traceback" not in printed.err


def test_a_missing_extra_is_named_before_the_scan(folder, tmp_path):
    code = (
        "import sys; sys.modules['jinja2'] = None\n"
        "from imagequality.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["scan", folder, "--html", str(tmp_path / "page.html")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'imagequality[report]'" in done.stderr


# ---------------------------------------------------------------------------- validate


@pytest.fixture
def uploads(tmp_path):
    images, _ = iq.datasets.make_flawed_images(1, contamination=0, size=96, random_state=0)
    Image.fromarray(images[0]).save(tmp_path / "good.png")
    Image.fromarray(images[0] // 20).save(tmp_path / "dark.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    return tmp_path


def test_validate_exits_with_zero_if_all_pass(uploads):
    done = run("validate", "good.png", cwd=uploads)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok      good.png\n", "")


def test_validate_exits_with_one_if_one_fails_and_prints_a_line_for_each(uploads):
    done = run("validate", "good.png", "dark.png", "broken.jpg", "lost.png", cwd=uploads)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "ok      good.png"
    assert lines[1].startswith("failed  dark.png: dark: ")
    assert lines[2] == "failed  broken.jpg: invalid: not an image in a format that can be read"
    assert lines[3] == "failed  lost.png: invalid: file not found"
    quiet = run("validate", "good.png", "dark.png", "--quiet", cwd=uploads)
    assert quiet.stdout.splitlines() == [lines[1]]


def test_validate_json_says_what_the_library_says(uploads, monkeypatch, capsys):
    monkeypatch.chdir(uploads)
    assert main(["validate", ".", "--json", "--profile", "segmentation"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert (content["schema"], content["schema_version"]) == ("imagequality.validation", 1)
    paths = iq.list_images(".")
    assert [entry["path"] for entry in content["images"]] == paths
    for entry in content["images"]:
        result = iq.validate(entry["path"], profile="segmentation")
        assert entry["ok"] == result.ok
        assert entry["reason"] == result.reason
        assert entry["issues"] == result.issues
        assert entry["score"] == pytest.approx(result.score)
        for issue, score in result.scores.items():
            expected = None if np.isnan(score) else pytest.approx(score)
            assert entry["scores"][issue] == expected
    assert content["failed"] == sum(not entry["ok"] for entry in content["images"])


def test_validate_takes_a_profile_of_ones_own(uploads, monkeypatch):
    monkeypatch.chdir(uploads)
    for name in ("mine.toml", "profile_without_extension"):
        Path(name).write_text("[limits]\ndark = 0.3\n")
        assert main(["validate", "good.png", "--profile", name]) == 0
        assert main(["validate", "dark.png", "--profile", name]) == 1
        assert main(["validate", "dark.png", "--profile", name, "--threshold", "dark=0"]) == 0
        assert main(["validate", "good.png", "--profile", name, "--min-side", "200"]) == 1


# -------------------------------------------------------------------------- duplicates


def test_exact_duplicates_are_the_groups_of_equal_files(copies, capsys):
    assert main(["duplicates", str(copies), "--method", "exact", "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)
    groups = [{entry["path"] for entry in group["images"]} for group in content["groups"]]
    expected = groups_of_equal_files(copies)
    assert len(expected) == 3
    assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))
    for group in content["groups"]:
        assert [entry["path"] for entry in group["images"] if entry["keep"]] == [group["kept"]]


def test_near_duplicates_are_printed_and_written_alike(copies, tmp_path, capsys):
    csv = tmp_path / "groups.csv"
    assert main(["duplicates", str(copies), "--csv", str(csv)]) == 0
    printed = capsys.readouterr().out
    table = pd.read_csv(csv)
    assert printed.startswith("34 images, 8 in 4 groups of duplicates; with one of each kept, 30")
    assert table["group"].nunique() == 4
    for image, keep in zip(table["image"], table["keep"], strict=True):
        assert f"  {'keep' if keep else 'drop'}  {image}" in printed


def test_a_distance_of_zero_finds_less(copies, capsys):
    assert main(["duplicates", str(copies), "--distance", "0", "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert all(entry["distance"] == 0 for group in content["groups"] for entry in group["images"])


@pytest.mark.parametrize("method", ["exact", "near", "semantic", "all"])
def test_what_two_folders_share_is_listed(method, copies, tmp_path, capsys):
    new, _ = iq.datasets.make_flawed_images(10, contamination=0, size=64, random_state=77)
    iq.datasets.save_images(new, tmp_path)
    shutil.copy(copies / "image_0007.png", tmp_path / "seen.png")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    arguments = ["duplicates", str(tmp_path), "--against", str(copies), "--method", method]
    csv = tmp_path / "shared.csv"
    assert main([*arguments, "--csv", str(csv)]) == 0
    printed = capsys.readouterr().out
    assert "of 12 images are among the 34 others" in printed
    assert "1 of the images cannot be read" in printed
    assert f"  {tmp_path / 'seen.png'}  =  {copies / 'image_0007.png'}  (" in printed
    table = pd.read_csv(csv)
    seen = table[table["image"] == str(tmp_path / "seen.png")]
    assert str(copies / "image_0007.png") in set(seen["match"])
    assert main([*arguments, "--json", "-"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [pair["image"] for pair in content["pairs"]] == table["image"].tolist()
    assert content["unreadable"] == 1


def test_an_image_is_not_compared_with_itself(copies, capsys):
    copy = copies / "copy_of_image_0000.png"
    assert main(["duplicates", str(copies), "--against", str(copies), "--method", "exact"]) == 2
    with zipfile.ZipFile(copies.parent / "half.zip", "w") as archive:
        archive.write(copy, copy.name)
    sources = [str(copies), str(copies.parent / "half.zip")]
    capsys.readouterr()
    against = ["--against", str(copies), "--method", "exact", "--json", "-"]
    assert main(["duplicates", *sources, *against]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images"] == 1
    assert "34 images lie in both folders" in printed.err


# ----------------------------------------------------------------------- the surroundings


def test_version_is_printed_both_ways(tmp_path, capsys):
    short = run("--version", cwd=tmp_path)
    assert (short.returncode, short.stdout) == (0, f"imagequality {iq.__version__}\n")
    assert main(["version"]) == 0
    long = capsys.readouterr().out
    assert long.startswith(short.stdout)
    assert f"\nnumpy {np.__version__}\n" in long


@pytest.mark.parametrize("command", ["scan", "validate", "duplicates", "demo", "version"])
def test_help_is_plain_and_exits_with_zero(command, capsys):
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.isascii()  # some terminals have nothing else


def test_ctrl_c_exits_with_130_and_no_traceback(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(tmp_path / "profile.toml")
    process = subprocess.Popen(
        [*COMMAND, "validate", "a.png", "--profile", "profile.toml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, Ctrl-C is ignored, and that is handed down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # Opening it waits until the command reads it; then the command waits for what is written.
    with open(tmp_path / "profile.toml", "w"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "imagequality: stopped\n")


def test_a_reader_that_goes_away_is_no_error(folder, tmp_path):
    for arguments in (("validate", folder, "--json"), ("version",)):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_is_said_and_ends_with_two(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "version"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("imagequality: ")
    assert len(done.stderr.splitlines()) == 1


def test_there_is_a_bar_on_a_terminal_and_none_in_a_pipe(folder, tmp_path):
    # Otherwise a bar comes after a second of work only.
    code = (
        "import sys, imagequality.measurements._workers as workers\n"
        "from imagequality.cli import main\n"
        "workers._SECONDS_BEFORE_BAR = 0\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "scan", folder]
    screen = _terminal_output(command)
    assert "Measuring images" in screen
    assert "120 images" in screen
    assert "Measuring" not in _terminal_output([*command, "--quiet"])
    piped = subprocess.run(command, capture_output=True, text=True, check=True)
    assert piped.stderr == ""


def _terminal_output(command):
    """Run a command on a terminal of its own, and return what it shows there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = []

    def read():
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # on Linux the end of a terminal is an error
                return
            if not part:
                return
            shown.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    process.wait()
    thread.join()
    os.close(ours)
    return b"".join(shown).decode()
