"""From one machine to a cluster: what measuring and the near-duplicate join cost, by rows.

    python benchmarks/scaling.py --data DIR [--out docs/benchmarks/scaling.md]

``DIR`` must hold ``photos_flowers`` (photographs) and ``cifake_fake/test`` (32×32 JPEG files).
The hashes are made here: random ones of 64 bits, a tenth of the rows copies of others with up to
six bits flipped. Each run is a process of its own, with its workers; its memory is the largest sum
of their resident sets, looked at twenty times a second.
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
import warnings
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import psutil
from _markdown import markdown
from distributed import Client, LocalCluster

import imagequality as iq
from imagequality.dask import measure_to_parquet, near_duplicate_groups
from imagequality.dask._routes import copies_of, expected_seconds, plan_routes
from imagequality.duplicates._hamming_join import unpack_bits

DISTANCE, BITS = 8, 64
ROWS_PER_FILE = 125_000
ROWS_PER_PARTITION = 2_000_000
MEASURED = {"photographs": ("photos_flowers", 1_000), "32×32 files": ("cifake_fake/test", 5_000)}
FAR = {100_000_000: 20_000_000, 1_000_000_000: 80_000_000}  # rows: rows in a partition
FOREST = 180  # bytes for each image in a group, while the forest is merged
GROUPED = 0.2  # share of images in groups, for the memory of the forest
COLUMNS = ["phash", "hash_contrast", "pixel_digest", "size", "file_size"]


# --- the runs, each in a process of its own -----------------------------------------------------


def make_table(folder: Path, n_rows: int) -> None:
    """Write hashes with planted copies, and the columns that the detector reads beside them."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, n_rows, dtype=np.uint64)
    copies = np.arange(n_rows // 10)
    hashes[copies] = hashes[rng.integers(len(copies), n_rows, len(copies))]
    for _ in range(6):
        flipped = rng.integers(0, 64, len(copies)).astype(np.uint64)
        hashes[copies] ^= np.uint64(1) << flipped
    hashes = rng.permutation(hashes)
    for start in range(0, n_rows, ROWS_PER_FILE):
        part = hashes[start : start + ROWS_PER_FILE]
        digests = rng.integers(0, 2**63, (len(part), 2))
        table = pd.DataFrame(
            {
                "phash": [f"{word:016x}" for word in part.tolist()],
                "hash_contrast": 50.0,
                "pixel_digest": [f"{one:016x}{two:016x}" for one, two in digests.tolist()],
                "size": 500.0,
                "file_size": 50_000,
            },
            index=pd.Index([f"{row:012}.jpg" for row in range(start, start + len(part))]),
        )
        table.to_parquet(folder / f"part.{start // ROWS_PER_FILE:06}.parquet")


def cluster() -> LocalCluster:
    return LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")


def run_local(folder: Path) -> dict[str, float]:
    table = pd.read_parquet(folder, columns=COLUMNS)
    start = time.perf_counter()
    detector = iq.NearDuplicateDetector(hash="phash", distance=DISTANCE).fit(table)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "grouped": int((detector.labels_ >= 0).sum())}


def run_dask(folder: Path) -> dict[str, float]:
    with cluster() as workers, Client(workers):
        start = time.perf_counter()
        groups = near_duplicate_groups(
            dd.read_parquet(folder),
            hash="phash",
            distance=DISTANCE,
            rows_per_partition=ROWS_PER_PARTITION,
        ).compute()
        return {"seconds": time.perf_counter() - start, "grouped": len(groups)}


def run_measure(folder: Path, images: Path, most: int) -> dict[str, float]:
    paths = iq.list_images(images)[:most]
    with cluster() as workers, Client(workers):
        measure_to_parquet(paths[:20], folder / "warm")
        cpu, start = workers_cpu(workers), time.perf_counter()
        table = measure_to_parquet(paths, folder / "table", rows_per_file=len(paths) // 8)
        seconds = time.perf_counter() - start
        cpu = workers_cpu(workers) - cpu
        whole = table.compute()
    stored = sum(file.stat().st_size for file in (folder / "table").glob("*.parquet"))
    return {
        "images": len(whole),
        "seconds": seconds,
        "cpu": cpu,
        "stored": stored / len(whole),
        "pandas": float(whole.memory_usage(deep=True).sum()) / len(whole),
    }


def workers_cpu(workers: LocalCluster) -> float:
    return sum(cpu_seconds(psutil.Process(nanny.pid)) for nanny in workers.workers.values())


def cpu_seconds(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system


def in_own_process(*arguments: str) -> dict[str, float]:
    """Run this script for one figure; add its peak memory and its CPU time."""
    command = [sys.executable, __file__, "--run", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        peak, cpu = 0, {}
        while process.poll() is None:
            resident = 0
            try:
                root = psutil.Process(process.pid)
                for each in (root, *root.children(recursive=True)):
                    resident += each.memory_info().rss
                    cpu[each.pid] = cpu_seconds(each)
            except psutil.Error:  # it ended while it was looked at
                continue
            peak = max(peak, resident)
            time.sleep(0.05)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed")
    found = json.loads(output.splitlines()[-1])
    return {"cpu": sum(cpu.values()), **found, "peak": peak}


# --- the page -----------------------------------------------------------------------------------


def row_bytes(copies: float) -> float:
    """Return the bytes that one image sends through all shuffles of the near-duplicate join."""
    digests = 8 + 32
    hashes = 8 + BITS // 8
    tasks = 8 + 1 + 8 + BITS // 8
    return digests + hashes + copies * tasks


def plan(n_rows: int, rows_per_partition: int) -> dict[str, float]:
    sample = np.random.default_rng(1).integers(0, 2**64, (2048, BITS // 64), dtype=np.uint64)
    routes = plan_routes(sample, n_rows, DISTANCE, rows_per_partition // 4)
    copies = copies_of(routes)
    sending, searching = expected_seconds(routes, unpack_bits(sample), n_rows)
    return {
        "blocks": len(routes),
        "copies": copies if routes else 0,
        "partitions": max(1, round(n_rows * copies / rows_per_partition)),
        "sent": n_rows * row_bytes(copies if routes else 0),
        "sending": sending,
        "searching": searching,
    }


def size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} EB"


def hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds < 36_000 else f"{seconds / 3600:,.0f} h"


def join_points(all_rows: list[int]) -> tuple[str, float]:
    """Measure the join at each number of rows.

    Returns the table, and the CPU time of Dask's last run beyond that of its first: without
    what it takes to start the processes.
    """
    lines, spent = [], []
    for n_rows in all_rows:
        with tempfile.TemporaryDirectory() as folder:
            make_table(Path(folder), n_rows)
            local = in_own_process("local", folder)
            spread = in_own_process("dask", folder)
        spent.append(spread["cpu"])
        if local["grouped"] != spread["grouped"]:
            raise AssertionError(f"{n_rows} rows: not the same groups, here and on Dask")
        planned = plan(n_rows, ROWS_PER_PARTITION)
        lines.append(
            [
                f"{n_rows:,}",
                f"{local['grouped']:,}",
                *(
                    cell
                    for run in (local, spread)
                    for cell in (f"{run['seconds']:.1f}", f"{run['cpu']:.1f}", size(run["peak"]))
                ),
                f"{planned['copies']:g}",
                size(planned["sent"]),
            ]
        )
    header = ["rows", "in groups", "local: s", "CPU s", "memory"]
    header += ["Dask: s", "CPU s", "memory", "copies", "shuffled"]
    return markdown(header, lines), spent[-1] - spent[0]


def measure_points(data: Path) -> tuple[str, dict[str, dict[str, float]]]:
    found = {}
    for kind, (place, most) in MEASURED.items():
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = in_own_process("measure", folder, str(data / place), str(most))
    lines = [
        [
            kind,
            f"{run['images']:,.0f}",
            f"{run['images'] / run['seconds']:,.0f}",
            f"{run['images'] / run['cpu']:,.0f}",
            f"{run['stored']:,.0f}",
            f"{run['pandas']:,.0f}",
            size(run["peak"]),
        ]
        for kind, run in found.items()
    ]
    header = ["images", "number", "images/s", "images/CPU s", "Parquet: bytes a row"]
    return markdown([*header, "Dask table in memory: bytes a row", "memory"], lines), found


def far_points(
    measured: dict[str, dict[str, float]], n_rows: int, join_cpu: float
) -> tuple[str, float]:
    """Extrapolate; also return by how much the join took longer than its model says."""
    near = plan(n_rows, ROWS_PER_PARTITION)
    factor = join_cpu / (near["sending"] + near["searching"])
    plans = {rows: plan(rows, held) for rows, held in FAR.items()}
    stored = max(run["stored"] for run in measured.values())
    lines = [
        ["measurement table in Parquet", *(size(rows * stored) for rows in plans)],
        *(
            [
                f"CPU time of measuring: {kind}",
                *(hours(rows * run["cpu"] / run["images"]) for rows in plans),
            ]
            for kind, run in measured.items()
        ),
        ["rows in a partition of the join", *(f"{held:,}" for held in FAR.values())],
        ["… memory of it", *(size(4 * held * 25) for held in FAR.values())],
        ["partitions", *(f"{own['partitions']:,}" for own in plans.values())],
        ["copies of each hash", *(f"{own['copies']:g}" for own in plans.values())],
        ["shuffled in the join", *(size(own["sent"]) for own in plans.values())],
        ["CPU time of sending", *(hours(own["sending"] * factor) for own in plans.values())],
        ["CPU time of searching", *(hours(own["searching"] * factor) for own in plans.values())],
        [
            f"forest in one worker, {GROUPED:.0%} of the images in groups",
            *(size(FOREST * GROUPED * rows) for rows in plans),
        ],
    ]
    return markdown(["", *(f"{rows:,} images" for rows in plans)], lines), factor


def page(data: Path, all_rows: list[int]) -> str:
    measuring, measured = measure_points(data)
    joining, join_cpu = join_points(all_rows)
    far, factor = far_points(measured, all_rows[-1], join_cpu)
    return f"""# Scaling: measured points, and what they mean for 100M and 1B images

Printed by `benchmarks/scaling.py` on {os.cpu_count()} cores of {platform.machine()}, \
imagequality {iq.__version__}, Dask {dask.__version__}, pandas {pd.__version__}.

## Measuring

`imagequality.dask.measure_to_parquet`, default columns, two worker processes of one thread.

{measuring}
## Near duplicates: 64 bits, distance ≤ {DISTANCE}, single linkage

Random hashes; a tenth of the rows are copies with up to six bits flipped. Local:
`NearDuplicateDetector(hash="phash", distance={DISTANCE}).fit(table)`, with all that it reports
(pairs, groups, widths). Dask: `near_duplicate_groups` from Parquet, two worker processes of one
thread, {ROWS_PER_PARTITION:,} rows a partition; memory and CPU time are those of client, scheduler
and workers together. Both find the same groups. Copies: how often a hash is sent in the join (0:
all hashes meet in one task). Shuffled: rows times their bytes, before any compression.

{joining}
## Extrapolation, not measured

Measuring: CPU time and bytes of the points above, in proportion. The join: the cost model that
chooses its plan, times {factor:.2f}: the ratio to it of the CPU time of {all_rows[-1]:,} rows
beyond that of {all_rows[0]:,}, which is that of starting. The model takes the bits of the hashes
for fair coins. Those of photographs are not quite: the plan is then made from a sample of them,
and chance matches may be several times as many.

{far}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--rows",
        type=int,
        nargs="+",
        default=[10_000, 100_000, 1_000_000],
        help="two numbers or more, in increasing order",
    )
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        kind, folder, *more = arguments.run
        found: dict[str, Any]
        if kind == "measure":
            found = run_measure(Path(folder), Path(more[0]), int(more[1]))
        else:
            found = {"local": run_local, "dask": run_dask}[kind](Path(folder))
        print(json.dumps(found))
        return
    if arguments.data is None:
        parser.error("--data is needed")
    text = page(arguments.data, arguments.rows)
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=".*The inplace keyword")  # Dask with pandas 3.1
    main()
