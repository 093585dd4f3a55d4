"""Images per second and memory: our scan beside its peers and beside decoding alone.

    python benchmarks/throughput.py --data DIR [--quick] [--out FILE.md]
        [--fastdup-python PATH] [--imageguard-python PATH]

``DIR`` must hold ``cifake_fake`` (CIFAKE, FAKE half, with ``test`` and ``train``) and
``photos_flowers`` (photographs); what is missing is left out and said so. The 12-megapixel files
are made of the photographs. fastdup and imageguard may live in environments of their own: give
their interpreters. CleanVision is looked for in this one.

Every contender runs in a process of its own (see ``_throughput_contenders.py``), one thread for
each numerical library. First each runs once, alone, while its memory is watched; then all are
started again and timed in turns: A B C A B C …. Imports and the first eight files are not in
the times; they are given by themselves.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from _throughput_goals import Results
from _throughput_inputs import as_many, files_below, large_files
from _throughput_page import make_page
from _throughput_rounds import Course, Entry, FailedError, Timings, say
from _throughput_scale import JOBS, Cold, Kills, Scale, kill_scans, measure_cold, measure_scale

COMPARED: tuple[tuple[str, int], ...] = (
    ("decode", 1),
    ("decode, threads", JOBS),
    ("decode, processes", JOBS),
    ("measure", 1),
    ("measure", JOBS),
    ("measure, same issues", 1),
    ("measure, same issues", JOBS),
    ("report", 1),
    ("report", JOBS),
    ("CleanVision", 1),
    ("CleanVision", JOBS),
    ("fastdup", 1),
    ("fastdup", JOBS),
    ("imageguard", 1),  # it has no jobs
)


class Amount(NamedTuple):
    """How many files of an input; the peers get the first of them."""

    files: int
    cleanvision: int
    fastdup: int
    imageguard: int

    def of(self, contender: str) -> int:
        peers = {
            "CleanVision": self.cleanvision,
            "fastdup": self.fastdup,
            "imageguard": self.imageguard,
        }
        return peers.get(contender, self.files)


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    small: Amount  # of 32×32 pixels
    photos: Amount
    large: Amount  # of 12 megapixels
    array: int
    counts: tuple[int, ...]
    few_and_many: tuple[int, int]  # for the memory
    cold: str  # the folder of "from cold to report"
    killed: int  # files of a scan that is killed
    kills: int


FULL = Sizes(
    rounds=3,
    small=Amount(10_000, 2_000, 1_000, 2_000),
    photos=Amount(500, 500, 500, 125),
    large=Amount(20, 4, 20, 3),
    array=20_000,
    counts=(1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 100_000),
    few_and_many=(10_000, 100_000),
    cold="cifake_fake",
    killed=20_000,
    kills=10,
)
QUICK = Sizes(
    rounds=2,
    small=Amount(200, 50, 50, 50),
    photos=Amount(24, 24, 24, 12),
    large=Amount(3, 2, 2, 2),
    array=500,
    counts=(100, 300),
    few_and_many=(100, 300),
    cold="cifake_fake/test",
    killed=2_000,
    kills=2,
)


# ---------------------------------------------------------------------------- measuring


def compare(
    files: Sequence[str],
    amount: Amount,
    rounds: int,
    pythons: Mapping[str, str],
    folder: Path,
    more: Sequence[tuple[str, int]] = (),
) -> Timings:
    """Time all contenders on some files."""
    entries = [
        Entry(name, jobs, min(amount.of(name), len(files))) for name, jobs in (*COMPARED, *more)
    ]
    return Course(files, pythons, folder).run(entries, rounds)


def measure_small(data: Path, sizes: Sizes, pythons: Mapping[str, str], folder: Path) -> Timings:
    files = files_below(data / "cifake_fake" / "test")[: sizes.small.files]
    more = [("measure, processes", JOBS)]
    return compare(files, sizes.small, sizes.rounds, pythons, folder, more)


def measure_photos(data: Path, sizes: Sizes, pythons: Mapping[str, str], folder: Path) -> Timings:
    files = files_below(data / "photos_flowers")
    every = max(1, len(files) // sizes.photos.files)
    files = files[::every][: sizes.photos.files]
    return compare(files, sizes.photos, sizes.rounds, pythons, folder)


def measure_large(data: Path, sizes: Sizes, pythons: Mapping[str, str], folder: Path) -> Timings:
    photos = files_below(data / "photos_flowers")
    files = large_files(photos, sizes.large.files, folder / "large")
    return compare(files, sizes.large, sizes.rounds, pythons, folder)


def measure_arrays(data: Path, sizes: Sizes, folder: Path) -> Timings:
    files = files_below(data / "cifake_fake")[: sizes.array]
    entries = [Entry("measure, array", jobs, len(files)) for jobs in (1, JOBS)]
    return Course(files, {}, folder).run(entries, sizes.rounds)


def measure_number(data: Path, sizes: Sizes, folder: Path) -> Scale:
    files = files_below(data / "cifake_fake")
    many = as_many(files, max(*sizes.counts, *sizes.few_and_many), folder / "more")
    return measure_scale(many, sizes.counts, sizes.few_and_many, folder)


def measure_reports(data: Path, sizes: Sizes, folder: Path) -> Cold:
    images = data / sizes.cold
    return measure_cold(images, files_below(images), sizes.rounds, folder)


def measure_kills(data: Path, sizes: Sizes, folder: Path) -> Kills:
    files = files_below(data / "cifake_fake")[: sizes.killed]
    return kill_scans(files, sizes.kills, folder)


def measure_all(
    data: Path, sizes: Sizes, pythons: Mapping[str, str], folder: Path
) -> Iterator[tuple[str, Any]]:
    """Measure what there are data for: give each field of the results and its value."""
    small = (data / "cifake_fake").is_dir()
    photos = (data / "photos_flowers").is_dir()
    parts: dict[str, tuple[bool, Callable[[], Any]]] = {
        "small": (small, lambda: measure_small(data, sizes, pythons, folder)),
        "array": (small, lambda: measure_arrays(data, sizes, folder)),
        "photos": (photos, lambda: measure_photos(data, sizes, pythons, folder)),
        "large": (photos, lambda: measure_large(data, sizes, pythons, folder)),
        "scale": (small, lambda: measure_number(data, sizes, folder)),
        "cold": (small, lambda: measure_reports(data, sizes, folder)),
        "kills": (small, lambda: measure_kills(data, sizes, folder)),
    }
    for name, (has_data, measure) in parts.items():
        say(name if has_data else f"{name}: no data")
        if has_data:
            try:
                yield name, measure()
            except FailedError as error:  # the other parts still tell something
                say(f"  failed: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, help="write the page here too")
    parser.add_argument("--quick", action="store_true", help="few files: does it run?")
    parser.add_argument("--fastdup-python", default="", help="interpreter that has fastdup")
    parser.add_argument("--imageguard-python", default="", help="interpreter that has imageguard")
    options = parser.parse_args()
    pythons = {"fastdup": options.fastdup_python, "imageguard": options.imageguard_python}
    sizes = QUICK if options.quick else FULL
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        parts = measure_all(options.data.resolve(), sizes, pythons, Path(folder))
        results = Results(**dict(parts))
    page = make_page(results, sizes.rounds, time.perf_counter() - begin)
    print(page)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
