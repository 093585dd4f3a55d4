"""Thresholds, duplicates and the report on a table of a million rows: seconds and memory.

    python benchmarks/million_rows.py [--rows 1000000] [--scores 10000000] [--out FILE.md]

No data are needed: the measurement table is made up, always the same for one number of rows.

- Numbers: each column has a clean distribution and 1 % of bad images of its own; 0.5 % of the
  rows could not be read.
- Hashes of 64 and of 256 bits: 70 % of the images have bits of a fair coin, 30 % resemble the
  other 150 images of their scene (a quarter of the bits differ from the scene's). 3 % of the
  images are edited copies of others (up to 8 of 64 and 24 of 256 bits), 1 % are exact copies.
  The mirror image has the same hash but for a fixed half of the bits and 1.6 % of noise.

Every part runs in a process of its own. Memory is the largest resident set of the process, beside
what it held when the table was loaded and the library imported (read from /proc: Linux only).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _markdown import markdown
from numpy.typing import NDArray
from sklearn.base import clone

import imagequality as iq
from imagequality import thresholds

Words = NDArray[np.uint64]

SECONDS_LIMIT, GIGABYTES_LIMIT = 60.0, 2.0
UNREADABLE, BAD, EXACT, EDITED, IN_SCENES = 0.005, 0.01, 0.01, 0.03, 0.3
SCENE = 150  # images
MOST_EDITED_BITS = {64: 8, 256: 24}
SELECTORS = [name for name in thresholds.__all__ if name != "ThresholdSelector"]

# ------------------------------------------------------------------------------- the table


def random_words(rng: np.random.Generator, rows: int, n_words: int, ands: int = 1) -> Words:
    """Random bits; each is set with a probability of 2 to the power of −``ands``."""
    words = np.frombuffer(rng.bytes(8 * rows * n_words), dtype=np.uint64)
    for _ in range(ands - 1):
        words = words & np.frombuffer(rng.bytes(8 * rows * n_words), dtype=np.uint64)
    return words.reshape(rows, n_words).copy()


def make_hashes(rng: np.random.Generator, rows: int, n_bits: int) -> Words:
    """Hashes of unrelated images, and of scenes."""
    words = random_words(rng, rows, n_bits // 64)
    member = np.flatnonzero(rng.random(rows) < IN_SCENES)
    scenes = random_words(rng, max(len(member) // SCENE, 1), n_bits // 64)
    scene = rng.integers(len(scenes), size=len(member))
    words[member] = scenes[scene] ^ random_words(rng, len(member), n_bits // 64, ands=2)
    return words


def flip_some_bits(rng: np.random.Generator, words: Words, most: int) -> Words:
    """Flip up to ``most`` random bits of every row."""
    edited = words.copy()
    number = rng.integers(most + 1, size=len(words))
    for turn in range(most):
        row = np.flatnonzero(number > turn)
        place = rng.integers(64 * words.shape[1], size=len(row))
        edited[row, place // 64] ^= np.uint64(1) << (place % 64).astype(np.uint64)
    return edited


def as_text(words: Words) -> list[str]:
    text, digits = words.astype(">u8").tobytes().hex(), 16 * words.shape[1]
    return [text[start : start + digits] for start in range(0, len(text), digits)]


def make_numbers(rng: np.random.Generator, rows: int) -> dict[str, NDArray[np.float64]]:
    """Columns of the detectors that judge one image: clean values, and 1 % of bad ones each."""

    def mixed(clean: NDArray[np.float64], bad: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(rng.random(rows) < BAD, bad, clean)

    width = np.rint(mixed(rng.normal(500, 20, rows), rng.uniform(20, 100, rows)))
    height = np.rint(mixed(rng.normal(375, 15, rows), rng.uniform(20, 100, rows)))
    size = np.sqrt(width * height)
    return {
        "width": width,
        "height": height,
        "size": size,
        "aspect_ratio": np.minimum(width / height, height / width),
        "file_size": np.rint(size**2 * rng.uniform(0.1, 0.4, rows)),
        "value_perc_99": mixed(rng.beta(20, 2, rows), rng.beta(2, 20, rows)),
        "clipped_share": mixed(rng.beta(1, 60, rows), rng.beta(20, 5, rows)),
        "crushed_share": mixed(rng.beta(1, 60, rows), rng.beta(20, 5, rows)),
        "bright_share": mixed(rng.beta(2, 8, rows), rng.beta(20, 5, rows)),
        "brightness_perc_5": mixed(rng.beta(2, 14, rows), rng.beta(20, 2, rows)),
        "noise_sigma": mixed(rng.gamma(2, 0.7, rows), rng.uniform(15, 40, rows)),
        "entropy": mixed(rng.normal(8.6, 0.3, rows), rng.uniform(0, 4, rows)),
        "blockiness": mixed(rng.gamma(3, 0.1, rows), rng.uniform(3, 9, rows)),
        "block_repetition": mixed(rng.beta(60, 1, rows), rng.beta(2, 20, rows)),
        "spectral_extent": mixed(rng.beta(40, 6, rows), rng.beta(5, 20, rows)),
        "edge_frequency": mixed(rng.normal(0.6, 0.05, rows), rng.uniform(0.1, 0.3, rows)),
        "channels_identical": mixed(np.zeros(rows), np.ones(rows)),
        "hash_contrast": mixed(rng.normal(47, 8, rows).clip(4), rng.uniform(0, 2, rows)),
    }


def make_table(rows: int, n_bits: int, seed: int = 0) -> pd.DataFrame:
    """Make a measurement table with all columns that the default detectors ask for.

    Parameters
    ----------
    rows : int
    n_bits : {64, 256}
        Of 256, with the hashes of the mirror images.
    seed : int, default=0

    Returns
    -------
    table : DataFrame
    """
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(make_numbers(rng, rows))
    words, digests = make_hashes(rng, rows, n_bits), random_words(rng, rows, 2)
    others = rng.permutation(rows)  # who copies whom
    edited, exact = others[: int(EDITED * rows)], others[-int(EXACT * rows) :]
    source = others[rows // 3 : rows // 3 + len(edited)]
    words[edited] = flip_some_bits(rng, words[source], MOST_EDITED_BITS[n_bits])
    source = others[rows // 2 : rows // 2 + len(exact)]
    words[exact], digests[exact] = words[source], digests[source]
    table.loc[exact, "hash_contrast"] = table["hash_contrast"].to_numpy()[source]

    name = {64: "phash", 256: "phash_256"}[n_bits]
    text = {name: as_text(words), "pixel_digest": as_text(digests)}
    if n_bits == 256:
        flips = []
        for _ in range(3):
            mask = random_words(rng, 1, n_bits // 64)
            noise = random_words(rng, rows, n_bits // 64, ands=6)
            noise[exact] = noise[source]  # of equal pixels the mirror images are equal, too
            flips.append(words ^ mask ^ noise)
        text[f"{name}_flips"] = as_text(np.hstack(flips))
    readable = rng.random(rows) >= UNREADABLE
    table[~readable] = np.nan
    for column, values in text.items():
        table[column] = pd.Series(values, dtype=object).where(readable, None)
    table["valid"] = readable
    table["reason"] = pd.Series(np.where(readable, "", "the file is truncated"), dtype=object)
    table.index = pd.Index([f"images/{row:08d}.jpg" for row in range(rows)], name="path")
    return table


# -------------------------------------------------------------------------- what is timed


class Watch:
    """Time steps and note the memory that the process ever held after each."""

    def __init__(self) -> None:
        forget_largest_resident()
        self.start = resident()
        self.steps: list[tuple[str, float, float, str]] = []

    def time(self, name: str, step: Callable[[], Any], note: Callable[[Any], str] = str) -> Any:
        begin = time.perf_counter()
        result = step()
        seconds = time.perf_counter() - begin
        self.steps.append((name, seconds, largest_resident() - self.start, note(result)))
        return result

    def result(self) -> dict[str, Any]:
        return {"steps": self.steps, "start": self.start, "peak": largest_resident()}


def resident() -> float:
    """Memory held now, in gigabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def largest_resident() -> float:
    """Largest memory held since :func:`forget_largest_resident`, in gigabytes."""
    # Not getrusage's: that of a child process begins with what its parent held.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM"))


def forget_largest_resident() -> None:
    """Let the largest memory held begin with what is held now: see proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5")


def named(name: str, detector: iq.IssueDetector) -> iq.IssueDetector:
    """The default detectors but for near duplicates, which are found with 64 bits."""
    if name == "near_duplicates":
        return detector.set_params(hash="phash", distance=8)
    return detector


def time_detectors(table: pd.DataFrame) -> dict[str, Any]:
    """Each detector of the goal by itself."""
    watch = Watch()
    for name, default in iq.default_detectors():
        detector = clone(named(name, default))
        watch.time(name, lambda detector=detector: detector.fit(table), describe)
    return watch.result()


def describe(detector: iq.IssueDetector) -> str:
    reason = getattr(detector, "reason_", "") or detector.selector_.reason_
    if hasattr(detector, "groups_"):
        reason += f"; {len(detector.groups_):,} groups, {len(detector.pairs_):,} pairs"
    return f"threshold {detector.threshold_:.3g}: {reason}"


def time_pipeline(pipeline: iq.QualityPipeline, table: pd.DataFrame) -> dict[str, Any]:
    """All detectors, the report and the flags."""
    watch = Watch()
    watch.time("fit", lambda: pipeline.fit(table), lambda _: describe(fitted(pipeline)))
    report = watch.time("report", pipeline.report, lambda report: sizes_of(report))
    watch.time("predict", lambda: pipeline.predict(table), lambda flags: f"{flags.sum():,} flagged")
    watch.time("repr", lambda: repr(report), lambda text: f"{len(text):,} characters")
    watch.time("_repr_html_", report._repr_html_, lambda text: f"{len(text):,} characters")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "issues.csv"
        watch.time(
            "to_csv",
            lambda: report.to_csv(path),
            lambda _: f"{path.stat().st_size / 1e6:,.0f} MB on disk",
        )
    return watch.result()


def fitted(pipeline: iq.QualityPipeline) -> iq.IssueDetector:
    return pipeline.named_detectors_["near_duplicates"]


def sizes_of(report: Any) -> str:
    megabytes = report.issues.memory_usage(deep=True).sum() / 1e6
    return (
        f"`issues` {len(report.issues):,} rows, {megabytes:,.0f} MB; `plan` {len(report.plan):,}, "
        f"`duplicates` {len(report.duplicates):,}, `summary` {len(report.summary):,} rows"
    )


def time_selector(name: str, n: int) -> dict[str, Any]:
    """One selector on n scores, 2 % of them bad."""
    rng = np.random.default_rng(0)
    n_bad = n // 50
    scores = np.concatenate([rng.beta(20, 5, n - n_bad), rng.beta(5, 20, n_bad)])
    rng.shuffle(scores)
    y = (rng.random(n) < 1 - scores).astype(np.int64) if name == "SupervisedThreshold" else None
    selector = getattr(thresholds, name)().fit(scores[:1000], None if y is None else y[:1000])
    watch = Watch()
    watch.time(name, lambda: selector.fit(scores, y), lambda done: f"{done.threshold_:.4f}")
    return watch.result()


def run_part(part: str, argument: str) -> dict[str, Any]:
    """What a child process does."""
    if part == "selector":
        name, n = argument.split(":")
        return time_selector(name, int(n))
    table = pd.read_pickle(argument)
    if part == "detectors":
        return time_detectors(table)
    detectors = iq.default_detectors()
    if part == "pipeline64":
        detectors = [(name, named(name, detector)) for name, detector in detectors]
    return time_pipeline(iq.QualityPipeline(detectors, progress=False), table)


def in_child(part: str, argument: str) -> dict[str, Any]:
    print(f"{time.strftime('%H:%M:%S')} {part} {argument}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--part", part, argument]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# --------------------------------------------------------------------------------- the page


def steps_table(result: dict[str, Any], what: str) -> str:
    steps = result["steps"]
    rows = [[name, f"{seconds:.2f}", f"{peak:.2f}", note] for name, seconds, peak, note in steps]
    rows.append(["together", f"{sum(step[1] for step in steps):.2f}", "", ""])
    header = [what, "seconds", "most GB above the table so far", "what came out"]
    return markdown(header, rows) + "\n" + memory_line(result)


def memory_line(result: dict[str, Any]) -> str:
    above = result["peak"] - result["start"]
    return (
        f"Memory: {result['start']:.2f} GB with the table before, at most {result['peak']:.2f} GB, "
        f"so {above:.2f} GB above it.\n"
    )


def selectors_table(results: dict[tuple[str, int], dict[str, Any]], sizes: list[int]) -> str:
    header = ["selector"]
    for n in sizes:
        header += [f"seconds, {n:,} scores", "MB above them"]
    rows = []
    for name in SELECTORS:
        row = [name]
        for n in sizes:
            result = results[name, n]
            above = (result["peak"] - result["start"]) * 1e3
            row += [f"{result['steps'][0][1]:.2f}", f"{above:,.0f}"]
        rows.append(row)
    return markdown(header, rows)


def goals_table(goal: dict[str, Any], selectors: dict[tuple[str, int], dict[str, Any]]) -> str:
    seconds = goal["steps"][0][1]
    worst = max(result["steps"][0][1] for result in selectors.values())
    most = max(result["peak"] for result in selectors.values())
    lines = [
        (
            "all default thresholds and near-duplicate clusters (64 bits, distance ≤ 8)",
            seconds,
            SECONDS_LIMIT,
            "s",
        ),
        ("memory of that, table and libraries included", goal["peak"], GIGABYTES_LIMIT, "GB"),
        ("slowest selector", worst, SECONDS_LIMIT, "s"),
        ("memory of the largest, scores and libraries included", most, GIGABYTES_LIMIT, "GB"),
    ]
    return markdown(
        ["goal", "measured", "limit", "kept"],
        [
            [what, f"{value:.2f} {unit}", f"{limit:g} {unit}", "yes" if value <= limit else "no"]
            for what, value, limit, unit in lines
        ],
    )


def make_page(rows: int, n_scores: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        paths = {n_bits: Path(folder) / f"table{n_bits}.pkl" for n_bits in (64, 256)}
        for n_bits, path in paths.items():
            make_table(rows, n_bits).to_pickle(path)
        detectors = in_child("detectors", str(paths[64]))
        goal = in_child("pipeline64", str(paths[64]))
        automatic = in_child("pipeline256", str(paths[256]))
    sizes = [n_scores // 10, n_scores]
    selectors = {
        (name, n): in_child("selector", f"{name}:{n}") for name in SELECTORS for n in sizes
    }
    return "\n".join(
        [
            f"# {rows:,} rows: thresholds, duplicates, report\n",
            f"imagequality {iq.__version__}, NumPy {np.__version__}, pandas {pd.__version__}, "
            f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores. "
            "Printed by `benchmarks/million_rows.py`, whose first lines say how the table is made "
            "up. Nothing is measured from images here.\n",
            "## The limits\n",
            goals_table(goal, selectors),
            "## The pipeline of the limits: 64-bit pHash, distance ≤ 8\n",
            steps_table(goal, "step"),
            "Each of its detectors by itself:\n",
            steps_table(detectors, "detector"),
            "## The default pipeline: 256-bit pHash, automatic distance by decoys\n",
            steps_table(automatic, "step"),
            "## Selectors\n",
            "Scores of which 2 % are bad; SupervisedThreshold gets labels.\n",
            selectors_table(selectors, sizes),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scores", type=int, default=10_000_000, help="for the selectors")
    parser.add_argument("--out", type=Path, help="write the page to this file")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)  # what a child process does
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(run_part(*arguments.part)))
        return
    page = make_page(arguments.rows, arguments.scores)
    print(page)
    if arguments.out:
        arguments.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
