"""The goals that throughput.py checks, and the ratios that they are made of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from _throughput_rounds import Timing, Timings
from _throughput_scale import JOBS, NO_TABLE, WAYS, Cold, Kills, Scale

FAILED = Timing(failure="not run")


@dataclass
class Results:
    """All that was measured; None where the data are missing or the library failed."""

    small: Timings | None = None
    photos: Timings | None = None
    large: Timings | None = None
    array: Timings | None = None
    scale: Scale | None = None
    cold: Cold | None = None
    kills: Kills | None = None


# ------------------------------------------------------------------------------- ratios


def ratio(one: float, other: float) -> float:
    return one / other if other else math.nan


def per_cpu(timings: Timings, ours: str, other: str) -> float:
    """How many times as many images per CPU-second, with one job."""
    return ratio(timings.get((ours, 1), FAILED).cpu_rate, timings.get((other, 1), FAILED).cpu_rate)


def by_wall(timings: Timings, ours: str, other: str) -> float:
    """How many times as many images per second, with ``JOBS`` jobs."""
    return ratio(timings.get((ours, JOBS), FAILED).rate, timings.get((other, JOBS), FAILED).rate)


def fastest_decoder(timings: Timings) -> str:
    """Decoding in threads or in processes, which is faster with ``JOBS`` jobs."""
    rates = {
        name: timings.get((name, JOBS), FAILED).rate
        for name in ("decode, threads", "decode, processes")
    }
    return max(rates, key=lambda name: 0.0 if math.isnan(rates[name]) else rates[name])


# -------------------------------------------------------------------------------- goals


class Goal(NamedTuple):
    """A limit, and what was measured; NaN where it was not."""

    what: str
    value: float
    limit: float
    at_least: bool
    form: str  # how a value is written

    def row(self) -> list[str]:
        sign = "≥" if self.at_least else "≤"
        limit = f"{sign} {self.form.format(self.limit)}"
        if math.isnan(self.value):
            return [self.what, limit, "not measured", "–"]
        kept = self.value >= self.limit if self.at_least else self.value <= self.limit
        return [self.what, limit, self.form.format(self.value), "yes" if kept else "no"]


SHARE, TIMES, RATE, SECONDS, MORE = "{:.1%}", "{:.1f}×", "{:,.0f}", "{:.2f} s", "{:+.1%}"


def decoding_goals(name: str, timings: Timings, limit: float) -> Iterator[Goal]:
    share = per_cpu(timings, "measure", "decode")
    yield Goal(f"{name}: of decode-only, per CPU-second", share, limit, True, SHARE)
    share = by_wall(timings, "measure", fastest_decoder(timings))
    yield Goal(f"{name}: of decode-only, wall, {JOBS} jobs", share, limit, True, SHARE)


def goals(results: Results) -> Iterator[Goal]:
    """Everything that the library has set itself."""
    photos, small = results.photos or {}, results.small or {}
    yield from decoding_goals("photographs", photos, 0.45)
    value = by_wall(photos, "measure", "CleanVision")
    yield Goal(f"photographs: CleanVision, wall, {JOBS} jobs", value, 5, True, TIMES)
    value = by_wall(photos, "measure", "fastdup")
    yield Goal(f"photographs: fastdup, wall, {JOBS} jobs", value, 3.5, True, TIMES)
    yield from decoding_goals("32×32 files", small, 0.45)
    value = by_wall(small, "measure", "CleanVision")
    yield Goal(f"32×32 files: CleanVision, wall, {JOBS} jobs", value, 45, True, TIMES)
    value = per_cpu(small, "measure", "CleanVision")
    yield Goal("32×32 files: CleanVision, per CPU-second, 1 job", value, 28, True, TIMES)
    value = (results.array or {}).get(("measure, array", 1), FAILED).cpu_rate
    yield Goal("(n, 32, 32, 3) array: images per CPU-second", value, 50_000, True, RATE)
    yield from decoding_goals("12-megapixel files", results.large or {}, 0.55)
    yield from cold_goals(results.cold)
    yield from memory_goals(results.scale)
    yield kill_goal(results.kills)


def cold_goals(cold: Cold | None) -> Iterator[Goal]:
    def seconds(run: str, step: str = "together") -> float:
        return cold.seconds[run][step] if cold else math.nan

    files = f"{cold.images:,} files" if cold else "60,000 files"
    value = seconds("new store")
    yield Goal(f"{files}: from cold to report, into a store", value, 10, False, SECONDS)
    value = seconds("measure", "wall")
    yield Goal(f"{files}: rescan from the store, the table", value, 2, False, SECONDS)
    value = seconds("rescan")
    yield Goal(f"{files}: the same in a new process, to report", value, 2, False, SECONDS)


def memory_goals(scale: Scale | None) -> Iterator[Goal]:
    few, many = sorted({count for _, count in scale.memory}) if scale else (10_000, 100_000)
    for way in WAYS:
        name = f"peak memory, {few:,} → {many:,} files, {way}"
        yield Goal(name, growth(scale, way, few, many), 0.15, False, MORE)
        if way != NO_TABLE:
            value = growth(scale, way, few, many, with_table=False)
            yield Goal(f"{name}, less the table", value, 0.15, False, MORE)


def growth(scale: Scale | None, way: str, few: int, many: int, with_table: bool = True) -> float:
    """How much more memory many files take than few, as a share."""
    if scale is None:
        return math.nan
    row = 0.0 if with_table else scale.row_bytes
    peaks = [scale.memory[way, count].peak - row * count for count in (few, many)]
    return ratio(peaks[1], peaks[0]) - 1


def kill_goal(kills: Kills | None) -> Goal:
    if kills is None:
        return Goal("kill -9: resumed tables that equal the undisturbed", math.nan, 1, True, SHARE)
    killed = [kill for kill in kills.kills if kill.killed]
    share = ratio(sum(kill.equal for kill in killed), len(killed))
    what = f"kill -9, {len(killed)} times: resumed tables that equal the undisturbed"
    return Goal(what, share, 1, True, SHARE)
