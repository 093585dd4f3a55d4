"""The page that throughput.py prints: goals, then ratios, then what they are made of."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import psutil
from _markdown import markdown
from _throughput_goals import Results, by_wall, fastest_decoder, goals, per_cpu
from _throughput_rounds import Timings
from _throughput_scale import JOBS, NO_TABLE, Cold, Kills, Scale

MB = 1e6
OURS = {
    "measure": "`measure()`",
    "measure, processes": "`measure()`, in processes that run already",
    "measure, same issues": "`measure()`, columns of CleanVision's issues",
    "report": "`QualityPipeline().fit().report()`",
}
PEERS = {
    "CleanVision": "CleanVision `find_issues()`",
    "fastdup": "fastdup `run()`",
    "imageguard": "imageguard `validate()`",
}
NAMES = {
    "decode": "decode only",
    "decode, threads": "decode only, threads",
    "decode, processes": "decode only, processes",
    "measure, array": "`measure()`",
    **OURS,
    **PEERS,
}
RUNS = {
    "no store": "from cold to report, no store",
    "new store": "from cold to report, into a new store",
    "rescan": "again, from the store, to report",
}

# ------------------------------------------------------------------------------- tables


def times(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}×"


def percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.0%}"


def ratio_table(timings: Timings) -> str:
    """Our rows by what they are compared with."""
    decoder = fastest_decoder(timings)
    header = ["", "decode only, CPU", "decode only, wall"]
    for peer in PEERS:
        header += [f"{peer}, CPU", f"{peer}, wall"]
    rows = []
    for name, title in OURS.items():
        if (name, JOBS) not in timings:
            continue
        row = [title, percent(per_cpu(timings, name, "decode"))]
        row.append(percent(by_wall(timings, name, decoder)))
        for peer in PEERS:
            row += [times(per_cpu(timings, name, peer)), times(by_wall(timings, name, peer))]
        rows.append(row)
    return markdown(header, rows)


def rate_table(timings: Timings) -> str:
    """Each contender's figures, a row for each number of jobs."""
    rows = []
    for (name, jobs), timing in timings.items():
        title = [NAMES[name], str(jobs)]
        if timing.failure:
            rows.append([*title, timing.failure, *[""] * 6])
            continue
        rows.append(
            [
                *title,
                f"{timing.images:,}",
                f"{timing.rate:,.0f}" if timing.rate >= 100 else f"{timing.rate:.1f}",
                f"{timing.cpu_rate:,.0f}" if timing.cpu_rate >= 100 else f"{timing.cpu_rate:.1f}",
                f"{timing.spread:.2f}",
                f"{timing.peak / MB:,.0f}",
                f"{timing.prepared / MB:,.0f}",
                f"{timing.preparation:.1f}",
            ]
        )
    header = [
        "",
        "jobs",
        "images",
        "images/s",
        "images/CPU-s",
        "slowest / fastest round",
        "peak MB",
        "of it before the first image",
        "s to import",
    ]
    return markdown(header, rows)


def scale_tables(scale: Scale) -> str:
    """Speed and memory by number of files; then the memory of other ways."""
    rows = []
    for count, timing in scale.timings.items():
        if timing.failure:
            rows.append([f"{count:,}", timing.failure, *[""] * 4])
            continue
        first, later = timing.walls[0], min(timing.walls[1:])
        table = scale.row_bytes * count
        figures = [count / first, count / later, timing.peak / MB, table / MB]
        figures.append((timing.peak - table) / MB)
        rows.append([f"{count:,}", *(f"{value:,.0f}" for value in figures)])
    header = ["files", "images/s, first scan", "images/s, second or third scan", "peak MB"]
    header += ["MB of the table", "peak less the table"]
    other = []
    for (way, count), timing in scale.memory.items():
        table = 0.0 if way == NO_TABLE else scale.row_bytes * count
        cells = [timing.peak / MB, (timing.peak - table) / MB]
        other.append([way, f"{count:,}", timing.failure or f"{cells[0]:,.0f}", f"{cells[1]:,.0f}"])
    memory = markdown(["workers, table", "files", "peak MB", "peak less the table"], other)
    return f"{markdown(header, rows)}\n{memory}"


def cold_table(cold: Cold) -> str:
    """Seconds by step."""
    rows = []
    for run, title in RUNS.items():
        steps = cold.seconds[run]
        cells = [steps["together"], *(steps[step] for step in ("import", "list", "fit", "report"))]
        rows.append([title, *(f"{value:.2f}" for value in cells)])
    steps = cold.seconds["measure"]
    title = "`measure()` from the store, in another new process"
    rows.append([title, f"{steps['wall']:.2f}", f"({steps['import']:.2f})", "", "", ""])
    header = ["seconds", "together", "import", "list the folder", "measure and fit", "report"]
    return markdown(header, rows)


def kill_table(kills: Kills) -> str:
    rows = [
        [
            f"{kill.after:.2f}" if kill.killed else f"{kill.after:.2f}: had ended",
            f"{kill.stored:,} of {kills.images:,}",
            f"{kill.resumed:.2f}",
            "yes" if kill.equal else "no",
        ]
        for kill in kills.kills
    ]
    header = ["killed after s", "rows in the store", "s to resume", "equal, row for row"]
    return markdown(header, rows)


# --------------------------------------------------------------------------------- page


def processor() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(results: Results) -> str:
    """Name the machine and what is compared."""
    sections = (results.small, results.photos, results.large)
    every = [timing for section in sections for timing in (section or {}).values()]
    versions = sorted({timing.version for timing in every} - {""}, key=str.lower)
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()}, Python "
        f"{platform.python_version()}; {', '.join(versions)}."
    )


def how(rounds: int, seconds: float) -> str:
    """Say what the figures are."""
    return (
        f"Printed by `benchmarks/throughput.py` in {seconds / 60:.0f} minutes. All contenders "
        f"of an input run in turns, {rounds} rounds of A B C …, each in a process of its own "
        "with one thread for each numerical library. Rates are of the median round.\n\n"
        "**Not in the times**: start of the process, imports (a column of their own) and a "
        "first run on eight files. **In the times**: reading the files (from the page cache), "
        "and the start of workers where a call starts them (CleanVision's processes; ours are "
        "threads here).\n\n"
        "*CPU*: images per CPU-second of the process and all it starts, with one job. *Wall*: "
        f"images per second with {JOBS} jobs; decode-only is then the faster of threads and "
        "processes. *Peak MB*: the most held at once by the process and all it has started, "
        "shared pages counted once (PSS; the resident set where the system does not tell), "
        "looked at fifty times a second in a run of its own.\n\n"
        "Decode only: read the file, `cv2.imdecode` to RGB. `measure()` makes all columns of the "
        "default pipeline, 256-bit pHash included. fastdup's `run()` also embeds the images and "
        "searches neighbours. imageguard has no jobs.\n"
    )


def section(title: str, timings: Timings | None) -> str:
    if timings is None:
        return f"## {title}\n\nNot measured.\n"
    return f"## {title}\n\n{ratio_table(timings)}\n{rate_table(timings)}"


def scan_sections(results: Results) -> Sequence[str]:
    """The sections on whole scans."""
    parts = []
    if results.scale:
        parts.append(
            f"## Cost against the number of files\n\n32×32 files, `measure(n_jobs={JOBS})`. The "
            "first scan of a process starts its workers, if they are processes. Files beyond "
            "those of the data are links to them.\n\n" + scale_tables(results.scale)
        )
    if results.cold:
        parts.append(
            f"## From cold to report\n\n{results.cold.images:,} files, "
            f"`QualityPipeline(n_jobs={JOBS})`, a new process each time, whose start is in "
            "“together”; the files are in the page cache. The median round.\n\n"
            + cold_table(results.cold)
        )
    if results.kills:
        parts.append(
            f"## Killed scans\n\n{results.kills.images:,} files; a scan into a new store takes "
            f"{results.kills.undisturbed:.2f} s undisturbed. It is killed by SIGKILL at a random "
            "moment of each part of that time; a new process resumes it, and its table is "
            "compared with that of a scan without a store.\n\n" + kill_table(results.kills)
        )
    return parts


def make_page(results: Results, rounds: int, seconds: float) -> str:
    """Put the page together.

    Parameters
    ----------
    results : Results
    rounds : int
    seconds : float
        Of the whole run.

    Returns
    -------
    page : str
        Markdown.
    """
    limits = markdown(
        ["goal", "limit", "measured", "kept"], [goal.row() for goal in goals(results)]
    )
    arrays = "Not measured.\n"
    if results.array is not None:
        arrays = (
            "Only ours: CleanVision and fastdup read files; imageguard takes one array at a time."
            "\n\n"
        )
        arrays += rate_table(results.array)
    parts = [
        f"# Throughput\n\n{machine(results)}\n",
        how(rounds, seconds),
        f"## Goals\n\n{limits}",
        section("Photographs of 0.2 megapixels", results.photos),
        section("32×32 files", results.small),
        section("12-megapixel files", results.large),
        f"## (n, 32, 32, 3) array\n\n{arrays}",
        *scan_sections(results),
    ]
    return "\n".join(parts)
