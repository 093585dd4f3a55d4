"""Contenders in processes of their own, timed in turns: A B C A B C …; and their memory."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import psutil

HERE = Path(__file__).parent
LIMIT = 240.0  # seconds for one answer
BETWEEN_LOOKS = 0.02  # seconds between two looks at the memory
# One thread for each library, so that a job is a core.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class FailedError(Exception):
    """A contender that is not there, crashed or did not answer in time."""


class Entry(NamedTuple):
    """A contender, with how many jobs and on how many files it runs."""

    name: str
    jobs: int
    n_files: int


@dataclass
class Timing:
    """What was measured of one contender; empty lists and NaN where it failed."""

    images: int = 0  # of each run
    walls: list[float] = field(default_factory=list)  # seconds of each round
    cpus: list[float] = field(default_factory=list)  # CPU seconds of each round
    preparation: float = float("nan")  # seconds: imports
    prepared: float = float("nan")  # bytes held by the process when it is imported
    peak: float = float("nan")  # bytes held at most by the process and its children
    version: str = ""
    failure: str = ""

    @property
    def rate(self) -> float:
        """Images per second, by the median round; NaN where there is none."""
        return self.images / statistics.median(self.walls) if self.walls else float("nan")

    @property
    def cpu_rate(self) -> float:
        """Images per CPU-second, by the median round; NaN where there is none."""
        return self.images / statistics.median(self.cpus) if self.cpus else float("nan")

    @property
    def spread(self) -> float:
        """Slowest by fastest round."""
        return max(self.walls) / min(self.walls) if self.walls else float("nan")


Timings = Mapping[tuple[str, int], Timing]
"""By the name of the contender and its jobs."""


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------- memory


def held(process: psutil.Process) -> int:
    """Bytes held by a process and those that it has started.

    Of pages that k processes share each counts 1/k of the bytes (PSS), as far as the system can
    tell; the resident set elsewhere.
    """
    total = 0
    for one in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            memory = one.memory_full_info()
            total += getattr(memory, "pss", memory.rss)
    return total


@contextlib.contextmanager
def watched(process: psutil.Process) -> Iterator[list[int]]:
    """Look at the memory again and again; the list's one number is the most that was seen."""
    most = [0]
    done = threading.Event()

    def look() -> None:
        while not done.wait(BETWEEN_LOOKS):
            with contextlib.suppress(psutil.Error):
                most[0] = max(most[0], held(process))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


# ---------------------------------------------------------------------------- processes


class Child:
    """A process group that answers lines with lines of JSON.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        For the log.

    Attributes
    ----------
    ready : dict
        Its first answer.
    process : psutil.Process

    Raises
    ------
    FailedError
        If it cannot be started. So does ``ask``.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        handle, name = tempfile.mkstemp(suffix=".log", dir=folder)
        self._log = Path(name)
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=handle,
                env=os.environ | ONE_THREAD,
                cwd=folder,  # fastdup leaves files where it runs
                start_new_session=True,
            )
        except OSError as error:
            raise FailedError(str(error)) from error
        finally:
            os.close(handle)
        self.process = psutil.Process(self._child.pid)
        try:
            self.ready = self._answer(LIMIT)
        except FailedError:
            self.end()
            raise

    def ask(self, question: str = "", limit: float = LIMIT) -> dict[str, Any]:
        """Send a line and wait for the answer."""
        self.tell(question)
        return self._answer(limit)

    def tell(self, question: str) -> None:
        """Send a line."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            self._child.stdin.write(question.encode() + b"\n")
            self._child.stdin.flush()

    def _answer(self, limit: float) -> dict[str, Any]:
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], limit)[0]:
            raise FailedError(f"not done after {limit:.0f} s")
        line = self._child.stdout.readline()
        if not line:
            tail = self._log.read_text(errors="replace").strip().splitlines()[-3:]
            say("\n  ".join(["  crashed:", *tail]))
            raise FailedError(f"crashed: {tail[-1] if tail else 'no message'}"[:120])
        content: dict[str, Any] = json.loads(line)
        if "error" in content:
            raise FailedError(content["error"])
        return content

    def kill(self) -> bool:
        """Kill the process as ``kill -9`` does; return whether it had not answered yet."""
        answered = bool(select.select([self._child.stdout], [], [], 0)[0])
        self._child.send_signal(signal.SIGKILL)
        self._child.wait()
        return not answered

    def end(self) -> None:
        """End it and all that it has started."""
        # They have a session of their own, so nobody else's process is in the group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.communicate()


# ------------------------------------------------------------------------------- rounds


class Course:
    """Contenders over one list of files.

    Parameters
    ----------
    files : list of str
    pythons : mapping of str to str
        The interpreters of contenders that have one of their own.
    folder : Path
        For what is written.
    """

    def __init__(self, files: Sequence[str], pythons: Mapping[str, str], folder: Path) -> None:
        self._files = list(files)
        self._pythons = pythons
        self._folder = folder

    def start(self, entry: Entry) -> Child:
        """Start a contender; it has its imports done when it is returned."""
        listed = self._folder / f"files_{entry.n_files}.json"
        listed.write_text(json.dumps(self._files[: entry.n_files]))
        python = self._pythons.get(entry.name) or sys.executable
        script = str(HERE / "_throughput_contenders.py")
        return Child([python, script, entry.name, str(entry.jobs), str(listed)], self._folder)

    def measure_memory(self, entry: Entry, timing: Timing) -> None:
        """Run a contender once in a new process, with no other contender's alive."""
        child = self.start(entry)
        try:
            timing.version, timing.preparation = child.ready["version"], child.ready["seconds"]
            timing.prepared = held(child.process)
            with watched(child.process) as most:
                timing.images = child.ask()["images"]
            timing.peak = max(most[0], timing.prepared)
        finally:
            child.end()
        if timing.images != entry.n_files:
            raise FailedError(f"{timing.images} of {entry.n_files} images")

    def run(self, entries: Sequence[Entry], rounds: int) -> dict[tuple[str, int], Timing]:
        """Measure the memory of each contender, then time them in turns.

        Parameters
        ----------
        entries : sequence of Entry
        rounds : int
            0 means the memory only.

        Returns
        -------
        timings : dict of (name, jobs) to Timing
        """
        timings = {(entry.name, entry.jobs): Timing() for entry in entries}
        with contextlib.ExitStack() as stack:
            children = {}
            for entry in entries:
                timing = timings[entry.name, entry.jobs]
                with failing(entry, timing):
                    self.measure_memory(entry, timing)
            for entry in entries:
                timing = timings[entry.name, entry.jobs]
                if timing.failure or not rounds:
                    continue
                with failing(entry, timing):
                    children[entry] = child = self.start(entry)
                    stack.callback(child.end)
                    child.ask("few")
            for _ in range(rounds):
                for entry, child in children.items():
                    timing = timings[entry.name, entry.jobs]
                    if not timing.failure:
                        with failing(entry, timing):
                            note(timing, child.ask())
        return timings


def note(timing: Timing, answer: Mapping[str, Any]) -> None:
    timing.images = answer["images"]
    timing.walls.append(answer["wall"])
    timing.cpus.append(answer["cpu"])


@contextlib.contextmanager
def failing(entry: Entry, timing: Timing) -> Iterator[None]:
    """Note a failure instead of raising it."""
    try:
        yield
    except FailedError as error:
        say(f"  {entry.name}, {entry.jobs} jobs: {error}")
        timing.failure = str(error)
