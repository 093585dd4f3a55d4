"""Cost against the number of files, from cold to report, and scans that are killed."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _throughput_rounds import HERE, Child, Course, Entry, FailedError, Timing, say

SCANS = str(HERE / "_throughput_scans.py")
JOBS = 2
NO_TABLE = "parts of 5,000 into a store, their tables not kept"
WAYS = {
    "as it comes": "measure",
    "workers are threads": "measure, threads",
    NO_TABLE: "measure, parts",
}
TRIES = 5  # to hit a scan before it ends


def start_scan(files: Sequence[str], folder: Path) -> Child:
    """Start a process that has the library imported and waits for what to do."""
    listed = folder / "scan.json"
    listed.write_text(json.dumps(list(files)))
    return Child([sys.executable, SCANS, "scan", str(listed)], folder)


def scan(files: Sequence[str], folder: Path, **question: str) -> dict[str, Any]:
    """Scan in a new process."""
    child = start_scan(files, folder)
    try:
        return child.ready | child.ask(json.dumps(question))
    finally:
        child.end()


# ------------------------------------------------------------------- cost against number


class Scale(NamedTuple):
    """Cost against the number of files."""

    timings: dict[int, Timing]  # by the number of files
    memory: dict[tuple[str, int], Timing]  # by the key of WAYS and the number of files
    row_bytes: float  # of the table


def measure_scale(
    files: Sequence[str], counts: Sequence[int], few_and_many: tuple[int, int], folder: Path
) -> Scale:
    """Time scans of the first ``n`` files for each count; and the memory in other ways.

    The first round of each timing starts the workers, if they are processes.
    """
    course = Course(files, {}, folder)
    timings, memory = {}, {}
    for count in counts:
        say(f"  {count:,} files")
        timings |= {count: course.run([Entry("measure", JOBS, count)], rounds=3)["measure", JOBS]}
    for way, name in WAYS.items():
        for count in few_and_many:
            if name == "measure" and count in timings:
                memory[way, count] = timings[count]
                continue
            say(f"  {count:,} files, {way}")
            memory[way, count] = course.run([Entry(name, JOBS, count)], rounds=0)[name, JOBS]
    table = scan(files[: few_and_many[0]], folder)
    return Scale(timings, memory, table["table_bytes"] / table["images"])


# ---------------------------------------------------------------------- cold to report


class Cold(NamedTuple):
    """Seconds of the median of some rounds, in new processes."""

    images: int
    seconds: dict[str, dict[str, float]]  # by run and step; "together" is all, of the median round


def _report(images: Path, store: Path | None, folder: Path) -> dict[str, float]:
    begin = time.perf_counter()
    command = [sys.executable, SCANS, "report", str(images), str(store or "")]
    child = Child(command, folder)
    wall = time.perf_counter() - begin
    child.end()
    return {**child.ready, "together": wall}


def _median_round(rounds: Sequence[dict[str, float]], key: str) -> dict[str, float]:
    return sorted(rounds, key=lambda steps: steps[key])[len(rounds) // 2]


def measure_cold(images: Path, files: Sequence[str], rounds: int, folder: Path) -> Cold:
    """From a new process to the report: without a store, with a new one, with a full one."""
    found: dict[str, list[dict[str, float]]] = {
        "no store": [],
        "new store": [],
        "rescan": [],
        "measure": [],
    }
    for number in range(rounds):
        say(f"  from cold to report, round {number + 1}")
        store = folder / f"cold_{number}.sqlite"
        found["no store"].append(_report(images, None, folder))
        found["new store"].append(_report(images, store, folder))
        found["rescan"].append(_report(images, store, folder))
        found["measure"].append(scan(files, folder, cache=str(store)))
    seconds = {
        run: _median_round(steps, "wall" if run == "measure" else "together")
        for run, steps in found.items()
    }
    return Cold(int(seconds["no store"]["images"]), seconds)


# ----------------------------------------------------------------------------- kill -9


class Kill(NamedTuple):
    """One scan that was killed."""

    after: float  # seconds
    killed: bool  # False if it had ended before
    stored: int  # rows in the store then
    resumed: float  # seconds of the scan that followed
    equal: bool  # its table to the undisturbed one


class Kills(NamedTuple):
    """Scans that were killed, and the undisturbed one."""

    images: int
    undisturbed: float  # seconds, into a new store
    kills: list[Kill]


def stored_rows(store: Path) -> int:
    """Count the rows of a store."""
    if not store.exists():
        return 0
    with contextlib.closing(sqlite3.connect(store)) as connection:
        try:
            return int(connection.execute("SELECT COUNT(*) FROM images").fetchone()[0])
        except sqlite3.OperationalError:  # killed before it had its tables
            return 0


def kill_once(files: Sequence[str], after: float, expected: Path, folder: Path) -> Kill:
    """Scan into a new store, kill the process, resume, and compare the tables."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        store = Path(own) / "scan.sqlite"
        child = start_scan(files, folder)
        try:
            child.tell(json.dumps({"cache": str(store)}))
            time.sleep(after)
            killed = child.kill()
            # Its workers may live on for a moment, as they would for a user.
            stored = stored_rows(store)
            try:
                resumed = scan(files, folder, cache=str(store), compare=str(expected))
            except FailedError as error:
                say(f"  the resumed scan failed: {error}")
                resumed = {"wall": float("nan"), "equal": False}
        finally:
            child.end()
    return Kill(after, killed, stored, resumed["wall"], resumed["equal"])


def kill_scans(files: Sequence[str], times: int, folder: Path, seed: int = 0) -> Kills:
    """Kill scans at random moments, one in each of ``times`` parts of their duration."""
    expected = folder / "undisturbed.pkl"
    scan(files, folder, save=str(expected))
    walls = [
        scan(files, folder, cache=str(folder / f"undisturbed_{number}.sqlite"))["wall"]
        for number in range(2)
    ]
    wall = statistics.mean(walls)
    chance = random.Random(seed)
    moments = [(number + chance.random()) / times * wall for number in range(times)]
    return Kills(len(files), wall, [kill(files, after, expected, folder) for after in moments])


def kill(files: Sequence[str], after: float, expected: Path, folder: Path) -> Kill:
    """Kill a scan; if it has ended by then, kill another one earlier."""
    for _ in range(TRIES):
        result = kill_once(files, after, expected, folder)
        say(f"  {result}")
        if result.killed:
            break
        after *= 0.8
    return result
