"""What throughput.py times: one contender, in a process of its own that runs whenever asked.

    python _throughput_contenders.py CONTENDER JOBS FILES.json

imports the contender and says so in a line of JSON, then answers each line of its input by
running the contender once over the files and printing the seconds. It needs no more than the
standard library and the contender, so that any Python environment can run it.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

Files = list[str]
Run = Callable[[], int]
"""Goes over the files once and returns how many images it has dealt with."""

FEW = 8  # files of the first run, which is not timed
PART = 5_000  # files: of "parts into a store"

# ------------------------------------------------------------------------ only decoding


def decode_files(files: Sequence[str]) -> int:
    """Read and decode files one by one; return how many are images."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    decoded = 0
    for path in files:
        with open(path, "rb") as file:
            data = np.frombuffer(file.read(), np.uint8)
        decoded += cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) is not None
    return decoded


def _dealt(files: Files, jobs: int) -> list[Files]:
    """Deal the files in turn, so that all parts hold as many large ones."""
    return [files[first::jobs] for first in range(jobs)]


def decode(files: Files, jobs: int) -> Run:
    """Decoding in one thread."""
    decode_files(files[:1])  # imports
    return lambda: decode_files(files)


def decode_in_threads(files: Files, jobs: int) -> Run:
    decode_files(files[:1])
    pool = ThreadPoolExecutor(jobs)
    return lambda: sum(pool.map(decode_files, _dealt(files, jobs)))


def decode_in_processes(files: Files, jobs: int) -> Run:
    """Decoding in processes that have been started before."""
    pool = ProcessPoolExecutor(jobs)
    list(pool.map(decode_files, [files[:1]] * (4 * jobs)))
    return lambda: sum(pool.map(decode_files, _dealt(files, jobs)))


# --------------------------------------------------------------------------------- ours


def measure(files: Files, jobs: int) -> Run:
    """All columns of the default pipeline."""
    import imagequality as iq

    return lambda: int(iq.measure(files, n_jobs=jobs, progress=False)["valid"].sum())


def _measure_by(backend: str, files: Files, jobs: int) -> Run:
    import joblib

    import imagequality as iq

    def run() -> int:
        with joblib.parallel_config(backend=backend, n_jobs=jobs):
            return int(iq.measure(files, progress=False)["valid"].sum())

    return run


def measure_in_threads(files: Files, jobs: int) -> Run:
    """The same by threads, whatever the files are."""
    return _measure_by("threading", files, jobs)


def measure_in_processes(files: Files, jobs: int) -> Run:
    """The same by processes, whatever the files are; they have been started before."""
    run = _measure_by("loky", files, jobs)
    run()
    return run


def measure_same_issues(files: Files, jobs: int) -> Run:
    """Only the columns that CleanVision's issues need."""
    import imagequality as iq

    detectors = (
        iq.LightDetector(),
        iq.DarkDetector(),
        iq.BlurDetector(),
        iq.LowInformationDetector(),
        iq.OddSizeDetector(),
        iq.OddAspectRatioDetector(),
        iq.GrayscaleDetector(),
        iq.ExactDuplicateDetector(),
        iq.NearDuplicateDetector(),
    )
    columns = list(dict.fromkeys(c for detector in detectors for c in detector._columns()))
    return lambda: int(iq.measure(files, columns, n_jobs=jobs, progress=False)["valid"].sum())


def report(files: Files, jobs: int) -> Run:
    """The default pipeline, thresholds, duplicates and report included."""
    import imagequality as iq

    def run() -> int:
        pipeline = iq.QualityPipeline(n_jobs=jobs, progress=False).fit(files)
        pipeline.report()
        return int(pipeline.measurements_["valid"].sum())

    return run


def measure_array(files: Files, jobs: int) -> Run:
    """The images as one array in memory."""
    import numpy as np

    import imagequality as iq

    array = np.stack([iq.load_image(file) for file in files])
    return lambda: int(iq.measure(array, n_jobs=jobs, progress=False)["valid"].sum())


def measure_parts(files: Files, jobs: int) -> Run:
    """Part after part into a store; the tables are not kept."""
    import imagequality as iq

    def run() -> int:
        measured = 0
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "scan.sqlite")
            for start in range(0, len(files), PART):
                part = files[start : start + PART]
                table = iq.measure(part, n_jobs=jobs, progress=False, cache=store)
                measured += int(table["valid"].sum())
        return measured

    return run


# -------------------------------------------------------------------------------- peers


def cleanvision(files: Files, jobs: int) -> Run:
    """All its issues. Its processes are started anew by each call, which is timed."""
    from cleanvision import Imagelab

    def run() -> int:
        lab = Imagelab(filepaths=files)
        lab.find_issues(n_jobs=jobs, verbose=False)
        return int(lab.issues["dark_score"].notna().sum())

    return run


def fastdup(files: Files, jobs: int) -> Run:
    """What its ``run`` does by default: statistics, features, neighbours, components."""
    os.environ["SENTRY_OPT_OUT"] = "1"  # it reports home otherwise
    import fastdup as package

    def run() -> int:
        with tempfile.TemporaryDirectory() as work:
            session = package.create(work_dir=work, input_dir=files)
            session.run(num_threads=jobs, overwrite=True, verbose=False)
            with open(os.path.join(work, "atrain_features.dat.csv"), "rb") as listed:
                return sum(1 for _ in listed) - 1  # the header

    return run


def imageguard(files: Files, jobs: int) -> Run:
    """One image after the other; it has no other way."""
    import cv2
    from imageguard import validate

    cv2.setNumThreads(1)

    def run() -> int:
        for file in files:
            validate(file)
        return len(files)

    return run


CONTENDERS: dict[str, tuple[Callable[[Files, int], Run], str]] = {
    "decode": (decode, "opencv-python-headless"),
    "decode, threads": (decode_in_threads, "opencv-python-headless"),
    "decode, processes": (decode_in_processes, "opencv-python-headless"),
    "measure": (measure, "imagequality"),
    "measure, threads": (measure_in_threads, "imagequality"),
    "measure, processes": (measure_in_processes, "imagequality"),
    "measure, same issues": (measure_same_issues, "imagequality"),
    "measure, array": (measure_array, "imagequality"),
    "measure, parts": (measure_parts, "imagequality"),
    "report": (report, "imagequality"),
    "CleanVision": (cleanvision, "cleanvision"),
    "fastdup": (fastdup, "fastdup"),
    "imageguard": (imageguard, "imageguard"),
}
"""Of each contender what prepares it, and the package that it is."""

# ------------------------------------------------------------------------- the process


def cpu_seconds() -> float:
    """CPU time of this process and of all that it has started, living or not."""
    mine = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = mine.ru_utime + mine.ru_stime + ended.ru_utime + ended.ru_stime
    try:
        import psutil
    except ImportError:  # then no living child is counted: no contender there has any
        return total
    for child in psutil.Process().children(recursive=True):
        try:
            total += sum(child.cpu_times()[:4])  # its own and its ended children's
        except psutil.NoSuchProcess:
            continue
    return total


def timed(run: Run) -> dict[str, Any]:
    """Run once; return the seconds and the number of images."""
    gc.collect()
    cpu, wall = cpu_seconds(), time.perf_counter()
    images = run()
    wall = time.perf_counter() - wall
    return {"wall": wall, "cpu": cpu_seconds() - cpu, "images": images}


def _version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return package


def serve(name: str, jobs: int, files: Files, answers: TextIO) -> None:
    """Prepare a contender, then run it for each line of the input."""

    def answer(**content: Any) -> None:
        print(json.dumps(content), file=answers, flush=True)

    prepare, package = CONTENDERS[name]
    begin = time.perf_counter()
    try:
        run = prepare(files, jobs)
    except ModuleNotFoundError as error:
        answer(error="not installed" if error.name == package.lower() else str(error))
        return
    answer(seconds=time.perf_counter() - begin, version=_version(package))
    for line in sys.stdin:
        # What is loaded at the first use must not count as the work on the files.
        answer(**(timed(prepare(files[:FEW], jobs)) if line.strip() == "few" else timed(run)))


def main() -> None:
    name, jobs, files = sys.argv[1], int(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    # What the contenders print goes to the log, down to their C++.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(name, jobs, files, answers)


if __name__ == "__main__":
    main()
