"""The commands, run as a user runs them."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd


def run(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "imagequality", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


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


def test_scan_writes_the_table_that_was_asked_for(flawed_paths, tmp_path):
    folder = flawed_paths[0].rsplit("/", 1)[0]
    done = run("scan", folder, "--csv", "table.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("120 images")
    assert pd.read_csv(tmp_path / "table.csv")["path"].tolist() == flawed_paths
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_missing_and_empty_folder_end_with_two_and_a_reason(tmp_path):
    for folder, words in (("nowhere", "no such folder"), (".", "no images")):
        done = run("scan", folder, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_bad_options_end_with_two_before_the_scan(flawed_paths, tmp_path):
    folder = flawed_paths[0].rsplit("/", 1)[0]
    for options, words in (
        (["--csv", "no/where.csv"], "no such folder"),
        (["--n-jobs", "0"], "n_"),
    ):
        done = run("scan", folder, *options, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_what_is_passed_over_is_said_in_one_line(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "empty.jpg").write_bytes(b"")
    done = run("scan", ".", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "imagequality: list_images passed over 1 entries of '.': 1 not images (.txt)\n"
    )
    assert "        1  empty file" in done.stdout
