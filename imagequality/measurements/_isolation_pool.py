"""The processes in which images are measured in isolation, seen from the one that scans."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO, cast

import numpy as np

from ._columns import Plan
from ._isolation import Isolation
from ._isolation_references import (
    pickled,
    pickled_references,
    read_in_this_process,
    sendable,
)
from ._isolation_worker import (
    BEATS_PER_LIMIT,
    GREETING,
    OUT_OF_MEMORY,
    read_frame,
    write_frame,
)
from ._table import Cells, empty_cells, refuse

_SECONDS_TO_START = 300.0  # a busy machine may read the packages from a slow disk
_SECONDS_TO_END = 5.0  # after which a killed process is left to the system
# The path first, so that nothing in the current folder is taken for one of Python's own modules.
_PROGRAM = (
    "import sys; sys.path[:] = {path!r}; "
    "from imagequality.measurements._isolation_worker import main; main()"
)
_SENT_FROM_OUTSIDE = {"SIGKILL", "SIGTERM"}
_MEMORY_WORDS = ("memory", "unable to allocate", "bad_alloc")


class WorkerError(RuntimeError):
    """A process that measures images has ended or could not be started, and the scan with it."""


class _LostError(Exception):
    """A process ended or was given up over a batch; the text is why an image would be to blame."""

    def __init__(self, reason: str, *, perhaps_innocent: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_innocent = perhaps_innocent


class _NotLoadedError(Exception):
    """What was sent could not be brought back to life in the other process."""


class _ClosedError(Exception):
    """The scan is over."""


class IsolatedWorkers:
    """Processes that measure batches; one is started when there is none to take a batch.

    Parameters
    ----------
    plan : Plan
    isolation : Isolation

    Raises
    ------
    ValueError
        If the columns cannot be sent to another process.
    WorkerError
        If there is no Python to start processes with.
    """

    def __init__(self, plan: Plan, isolation: Isolation) -> None:
        self._plan = plan
        self._isolation = isolation
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkerError(
                f"isolate starts Python processes, and sys.executable is {sys.executable!r}: "
                "measure without it, or set sys.executable to a Python that has this package"
            )
        setting = (plan, isolation.time_limit, isolation.memory_limit)
        try:
            self._setting = pickled(setting)
        except Exception as error:
            raise ValueError(
                "isolate: the columns cannot be sent to another process: "
                f"{type(error).__name__}: {error}"
            ) from error
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._closed = False

    def __enter__(self) -> IsolatedWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        with self._lock:
            self._closed = True
            workers = list(self._all)
            self._all.clear()
            self._idle.clear()
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait()

    def measure(self, references: Sequence[Any]) -> Cells:
        """Measure a batch; an image that ends its process, or takes too long, becomes invalid.

        Parameters
        ----------
        references : sequence of n references

        Returns
        -------
        cells : dict of str to ndarray of shape (n,)
            Those of :func:`measure_batch`.

        Raises
        ------
        WorkerError
            If a process cannot be started.
        Exception
            What :func:`measure_batch` raises.
        """
        items = [sendable(references, position) for position in range(len(references))]
        if len(items) == 1:
            return self._alone(items[0])
        try:
            cells = self._ask(items)
        except (_LostError, _NotLoadedError):
            rows = [self._alone(item) for item in items]
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        if self._isolation.memory_limit is not None:
            # The images before it may have left too little of the memory.
            for position in np.flatnonzero(~cells["valid"]):
                row = self._alone(items[position])
                for name, column in cells.items():
                    column[position] = row[name][0]
        return cells

    def _alone(self, item: Any) -> Cells:
        """Measure one image; what happens now is due to it.

        Unless the process was killed from outside, or the images before it have left too little of
        the memory: then it is tried in a fresh one.
        """
        reason = ""
        fresh = False
        for _ in range(2):
            try:
                cells = self._ask([item], fresh=fresh)
            except _NotLoadedError as error:
                reason = f"cannot be sent to another process: {error}"
                item = read_in_this_process(item)
            except _LostError as error:
                reason = str(error)
                if not error.perhaps_innocent:
                    break
                fresh = True
            else:
                if cells["valid"][0] or not self._is_short_of_memory(cells["reason"][0]):
                    return cells
                reason = self._too_much_memory()
                fresh = True
        cells = empty_cells(self._plan, 1)
        refuse(cells, 0, reason)
        return cells

    def _is_short_of_memory(self, reason: str) -> bool:
        limited = self._isolation.memory_limit is not None
        return limited and any(words in reason.lower() for words in _MEMORY_WORDS)

    def _too_long(self) -> str:
        return f"took longer than {self._isolation.time_limit:g} seconds"

    def _too_much_memory(self) -> str:
        return f"needs more memory than the limit of {self._isolation.memory_limit:,} bytes"

    def _ask(self, items: list[Any], *, fresh: bool = False) -> Cells:
        request = pickled_references(items)
        if fresh:
            self._end_an_idle_one()
        worker = self._take(fresh)
        try:
            answer = worker.ask(request, self._seconds())
        except queue.Empty:
            self._end(worker)
            raise _LostError(self._too_long()) from None
        except EOFError:
            raise self._why_lost(self._end(worker)) from None
        except BaseException:  # Ctrl-C
            self._end(worker)
            raise
        with self._lock:
            if not self._closed:
                self._idle.append(worker)
        kind, content, *story = pickle.loads(answer)
        if kind == "not loaded":
            raise _NotLoadedError(content)
        if kind == "raised":
            raise content from WorkerError(f"in the process of its own:\n{story[0]}")
        return cast("Cells", content)

    def _seconds(self) -> float | None:
        """Return how long to wait for a sign of life: an image's time, and the beat's."""
        limit = self._isolation.time_limit
        return None if limit is None else min(limit * (1 + 1 / BEATS_PER_LIMIT), 1e9)

    def _why_lost(self, exit_code: int | None) -> _LostError:
        with self._lock:
            if self._closed:
                raise _ClosedError
        limit = self._isolation.memory_limit
        at_limit = "" if limit is None else f", with a memory limit of {limit:,} bytes"
        if exit_code == OUT_OF_MEMORY:
            return _LostError(self._too_much_memory(), perhaps_innocent=True)
        if exit_code is None or exit_code >= 0:
            return _LostError(f"the decoder ended its process (exit code {exit_code}){at_limit}")
        name = _name_of_signal(-exit_code)
        if name == "SIGALRM":  # it ended itself, since this process was stopped for a while
            return _LostError(self._too_long())
        if name in _SENT_FROM_OUTSIDE:
            reason = f"its process was killed ({name}), as happens when memory runs out"
            return _LostError(reason, perhaps_innocent=True)
        reason = f"the decoder crashed ({name}){at_limit}"
        # Some crash where there is no memory for them.
        return _LostError(reason, perhaps_innocent=limit is not None)

    def _take(self, fresh: bool) -> _Worker:
        with self._lock:
            if self._closed:
                raise _ClosedError
            if self._idle and not fresh:
                return self._idle.pop()
            worker = _Worker()
            self._all.add(worker)
        try:
            worker.start(self._setting)
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _end(self, worker: _Worker) -> int | None:
        """Kill a process and forget it; return how it ended."""
        with self._lock:
            self._all.discard(worker)
        worker.kill()
        return worker.wait()

    def _end_an_idle_one(self) -> None:
        with self._lock:
            workers, self._idle = self._idle[-1:], self._idle[:-1]
        for worker in workers:
            self._end(worker)


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # of the real-time signals only two have names
        return f"signal {number}"


class _Worker:
    """One process, and the thread that speaks with it so that one can stop waiting for it."""

    def __init__(self) -> None:
        program = _PROGRAM.format(path=[entry for entry in sys.path if type(entry) is str])
        try:
            self._process = subprocess.Popen(
                # In the other mode some paths would have other names.
                [sys.executable, f"-Xutf8={sys.flags.utf8_mode}", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Ctrl-C in the terminal goes to this process only, which ends the others.
                start_new_session=os.name == "posix",
            )
        except OSError as error:
            raise WorkerError(f"isolate: {sys.executable!r} cannot be started: {error}") from error
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._speak, daemon=True).start()

    def start(self, setting: bytes) -> None:
        """Wait until the process is ready.

        Raises
        ------
        WorkerError
        """
        try:
            self.ask(setting, _SECONDS_TO_START)
        except queue.Empty:
            raise WorkerError(
                f"isolate: {sys.executable!r} did not start a process within "
                f"{_SECONDS_TO_START:g} seconds"
            ) from None
        except EOFError:
            self.kill()
            raise WorkerError(
                f"isolate: the process that {sys.executable!r} started ended before it was ready "
                f"(exit code {self.wait()}); the standard error output may say why"
            ) from None

    def ask(self, request: bytes, seconds: float | None) -> bytes:
        """Send a request, and wait for the answer.

        Parameters
        ----------
        request : bytes
        seconds : float or None
            The longest time without a sign of life.

        Raises
        ------
        queue.Empty
            If that was too short.
        EOFError
            If the process has ended.
        """
        self._requests.put(request)
        answer: bytes | None = b""
        while not answer:
            answer = self._answers.get(timeout=seconds)
            if answer is None:
                raise EOFError
        return answer

    def kill(self) -> None:
        self._requests.put(None)
        with contextlib.suppress(OSError):
            self._process.kill()

    def wait(self) -> int | None:
        """Return the exit code: of a process that lives on in a system call, None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_SECONDS_TO_END)
        return None

    def _speak(self) -> None:
        to_process = cast("BinaryIO", self._process.stdin)
        from_process = cast("BinaryIO", self._process.stdout)
        try:
            with contextlib.suppress(OSError, EOFError), from_process, to_process:
                self._converse(to_process, from_process)
        finally:
            self._answers.put(None)

    def _converse(self, to_process: BinaryIO, from_process: BinaryIO) -> None:
        while not (line := from_process.readline()).endswith(GREETING):
            if not line:  # what else comes is printed by Python's start-up files
                raise EOFError
        while (request := self._requests.get()) is not None:
            write_frame(to_process, request)
            answer = b""
            while not answer:
                answer = read_frame(from_process)
                self._answers.put(answer)
