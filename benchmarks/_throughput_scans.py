"""Whole scans for throughput.py, in a process of their own.

    python _throughput_scans.py report FOLDER STORE

lists a folder, fits the default pipeline on it, reports, and prints the seconds of each step.

    python _throughput_scans.py scan FILES.json

measures the files for each line of its input, {"cache": …, "save": …, "compare": …}: through a
store, into a file, against such a file.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

JOBS = 2

BEGIN = time.perf_counter()
import pandas as pd  # noqa: E402

import imagequality as iq  # noqa: E402

IMPORTED = time.perf_counter()


def fitted(paths: list[str], store: str | None) -> iq.QualityPipeline:
    """Fit the default pipeline, its measurements going through a store."""
    if "cache" in inspect.signature(iq.QualityPipeline).parameters:
        more: dict[str, Any] = {"cache": store}
        return iq.QualityPipeline(n_jobs=JOBS, progress=False, **more).fit(paths)
    table = iq.measure(paths, n_jobs=JOBS, progress=False, cache=store)
    return iq.QualityPipeline(progress=False).fit(table)


def report(folder: str, store: str | None) -> dict[str, Any]:
    """Seconds from the first import to the report, step by step."""
    started = time.perf_counter()
    paths = iq.list_images(folder)
    listed = time.perf_counter()
    pipeline = fitted(paths, store)
    fit = time.perf_counter()
    text = str(pipeline.report())
    reported = time.perf_counter()
    return {
        "import": IMPORTED - BEGIN,
        "list": listed - started,
        "fit": fit - listed,
        "report": reported - fit,
        "images": len(paths),
        "characters": len(text),
    }


def scan(files: list[str], question: dict[str, str | None]) -> dict[str, Any]:
    """Measure, and save or compare the table."""
    begin = time.perf_counter()
    table = iq.measure(files, n_jobs=JOBS, progress=False, cache=question.get("cache"))
    wall = time.perf_counter() - begin
    if save := question.get("save"):
        table.to_pickle(save)
    answer = {
        "wall": wall,
        "images": len(table),
        "table_bytes": int(table.memory_usage(deep=True).sum()),
    }
    if other := question.get("compare"):
        answer["equal"] = is_same(table, pd.read_pickle(other))
    return answer


def is_same(table: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two tables have the same rows, in the same order, to the last bit."""
    try:
        pd.testing.assert_frame_equal(table, other, check_exact=True)
    except AssertionError as difference:
        print(difference, file=sys.stderr)
        return False
    return True


def main() -> None:
    # What is printed by others goes to the log.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    what, source = sys.argv[1:3]
    if what == "report":
        answer(report(source, sys.argv[3] or None))
        return
    files = json.loads(Path(source).read_text())
    answer({"import": IMPORTED - BEGIN})
    for line in sys.stdin:
        answer(scan(files, json.loads(line)))


if __name__ == "__main__":
    main()
