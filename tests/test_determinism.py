"""The same images give the same tables and the same report, to the last bit, however they are run.

Other machines and versions of packages are compared by ``fingerprint.py``, run by hand on each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import fingerprint
import joblib
import numpy as np
import pandas as pd
import pytest
from fingerprint import pipeline

import imagequality as iq
from imagequality.measurements import ALL_COLUMNS, DEFAULT_COLUMNS


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return fingerprint.make_pictures(tmp_path_factory.mktemp("determinism") / "pictures")


@pytest.fixture(scope="module")
def table(paths):
    """All that can be measured, by one worker."""
    return iq.measure(paths, ALL_COLUMNS, progress=False)


@pytest.fixture(scope="module")
def usual(table):
    """Less, for what is measured often: two more than by default, as they are made otherwise."""
    return table[["valid", "reason", *DEFAULT_COLUMNS, "descriptor", "phash_views"]]


def measured_as(table: pd.DataFrame, **options) -> None:
    """Measure the images of a table anew, the same columns; the rows must be equal."""
    found = iq.measure(list(table.index), list(table.columns[2:]), progress=False, **options)
    pd.testing.assert_frame_equal(found, table, check_exact=True)


# ------------------------------------------------------------------ measurements


@pytest.mark.parametrize(("n_jobs", "batch_size"), [(1, 1), (2, 7), (4, "auto"), (2, 1000)])
def test_table_does_not_depend_on_workers_and_batches(usual, n_jobs, batch_size):
    measured_as(usual, n_jobs=n_jobs, batch_size=batch_size)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_table_does_not_depend_on_threads_or_processes(usual, backend):
    with joblib.parallel_config(backend, n_jobs=2):
        measured_as(usual, batch_size=5)


def test_table_does_not_depend_on_the_order_of_the_images(usual):
    order = np.random.default_rng(0).permutation(len(usual))
    measured_as(usual.iloc[order], batch_size=4)


def test_table_does_not_depend_on_what_else_is_measured(table):
    for columns in (["phash_256"], ["entropy", "noise_sigma"], ["descriptor"]):
        measured_as(table[["valid", "reason", *columns]])


def test_table_does_not_depend_on_the_store(usual, tmp_path):
    whole = usual
    for part in (whole.iloc[::2], whole, whole):  # written, read and written, read
        measured_as(part, cache=tmp_path / "store.db", n_jobs=2)


def test_table_does_not_depend_on_isolation(usual):
    measured_as(usual.iloc[::3], isolate=True, n_jobs=2)


def test_row_does_not_depend_on_the_form_of_the_input(table):
    names = [name for name in table.index if name.endswith(("00.png", "75.jpg", "dark.png"))]
    as_bytes = [Path(name).read_bytes() for name in names]
    found = iq.measure(as_bytes, list(DEFAULT_COLUMNS), progress=False)
    expected = table.loc[names, ["valid", "reason", *DEFAULT_COLUMNS]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


# ------------------------------------------------------------------ reports


def said_of(report: iq.QualityReport, content: dict[str, str]) -> dict[str, object]:
    """Return what a report says, whatever the order of the images: of groups, the sets.

    Of images with the same pixels the first one is kept. ``content`` tells which these are.
    """
    document = json.loads(report.to_json())
    images = {record["image"]: record for record in document["images"]}
    members: dict[tuple[str, int], set[str]] = {}
    for name, record in images.items():
        for kind, number in {**record["groups"], "plan": record["group"]}.items():
            if number is not None:
                members.setdefault((kind, number), set()).add(name)
    own = ("scores", "flags", "is_any_issue", "primary_issue", "quality_score", "reason")
    return {
        "images": {name: [record[field] for field in own] for name, record in images.items()},
        "groups": sorted((kind, sorted(names)) for (kind, _), names in members.items()),
        "summary": document["summary"],
        "plan": sorted(
            (content[name], record["action"], content.get(record["kept"]) or "")
            for name, record in images.items()
        ),
        "kept": sorted(
            (record["issue"], content[record["image"]], record["keep"], content[record["kept"]])
            for record in document["duplicates"]
        ),
    }


@pytest.fixture(scope="module")
def report(paths):
    return pipeline().fit(paths).report()


def test_pictures_have_something_to_find(report):
    """Or equal reports would show little."""
    assert (report.summary["count"] > 0).sum() >= 12
    assert len(report.duplicates)


def test_report_is_the_same_again_and_leaves_the_global_random_state_alone(paths, report):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert pipeline().fit(paths).report().to_json() == report.to_json()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_report_does_not_depend_on_workers_and_store(paths, report, tmp_path):
    options = {"n_jobs": 3, "cache": str(tmp_path / "store.db")}
    for _ in range(2):  # measured, then read
        assert pipeline(**options).fit(paths).report().to_json() == report.to_json()


def test_report_does_not_depend_on_the_order_of_the_images(paths, table, report):
    order = np.random.default_rng(3).permutation(len(paths))
    other = pipeline().fit([paths[position] for position in order]).report()
    content = dict(zip(paths, table["pixel_digest"].fillna("broken"), strict=True))
    assert said_of(other, content) == said_of(report, content)
    ours, theirs = (
        found.duplicates.set_index(["issue", "image"])["diameter"].sort_index()
        for found in (report, other)
    )
    # Matrices are multiplied in blocks, and what stands beside a row can move its last digit.
    pd.testing.assert_series_equal(ours, theirs, rtol=0, atol=2e-6)


# ------------------------------------------------------------------ processes

# One thread each is what the tests run with, or as many as there are cores.
SURROUNDINGS = {
    "PYTHONHASHSEED": "4242",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "2",
    "TZ": "Pacific/Kiritimati",
    "LC_ALL": "tr_TR.UTF-8",  # whose upper and lower cases differ; C where it is not there
    "PYTHONUTF8": "1",
    "PYTHONOPTIMIZE": "2",
}


def test_processes_agree_whatever_surrounds_them(paths, table, report, tmp_path):
    """The seed of hashes, threads of OpenBLAS, OpenMP and OpenCV, time zone, locale, -OO."""
    command = [sys.executable, fingerprint.__file__, "--images", str(Path(paths[0]).parent)]
    options = ["--out", str(tmp_path / "other.json"), "--threads", "2"]
    surroundings = {**os.environ, **SURROUNDINGS}
    subprocess.run(
        [*command, *options], env=surroundings, check=True, timeout=300, stdout=subprocess.DEVNULL
    )
    other = json.loads((tmp_path / "other.json").read_text())["tables"]
    own = json.loads(json.dumps(fingerprint.tables_of(paths, table, report)))
    assert fingerprint.differences(own, other) == []
    assert set(own) == {"pixels", "measurements", "issues", "summary", "duplicates", "plan"}


def test_differences_are_named_and_measured():
    one = {"t": {"a": [1.0, 2.0, None], "b": ["x", "y"], "c": [[1.0, 2.0]], "d": [1], "e": [1]}}
    two = {"t": {"a": [1.0, 2.5, None], "b": ["x", "z"], "c": [[1.0, 2.25]], "d": [1, 2]}}
    assert fingerprint.differences(one, one) == []
    assert fingerprint.differences(one, two) == [
        "t.a: 1 of 3 differ, by 0.5 at most, of values up to 2",
        "t.b: 1 of 2 differ: 'y' and 'z'",
        "t.c: 1 of 1 differ, by 0.25 at most, of values up to 2",
        "t.d: 1 rows and 2",
        "t.e: in one of them only",
    ]


def test_pictures_are_made_the_same_every_time(paths, tmp_path):
    again = fingerprint.make_pictures(tmp_path / "again")
    assert [Path(path).name for path in again] == [Path(path).name for path in paths]
    for one, two in zip(paths, again, strict=True):
        assert Path(one).read_bytes() == Path(two).read_bytes()
