"""The process in which images are measured in isolation: what runs in it, and how it is spoken to.

Messages are frames on the pipes of its standard input and output: eight bytes for the length, then
a pickle. An empty frame says that the process is at work. Nothing of it touches the disk.

================  =================================================================================
to the process    the setting: (plan, time limit, memory limit); then lists of references
from the process  a line (``GREETING``) that ends whatever was printed while Python started; then
                  ``None`` for the setting, and for each list ("cells", cells), ("not loaded", why)
                  or ("raised", error, traceback)
================  =================================================================================
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import re
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from ..images import DecodedImage, quiet_decoders
from ._batch import measure_batch
from ._columns import Plan
from ._threads import single_threaded

GREETING = b"imagequality isolated worker\n"
OUT_OF_MEMORY = 121  # exit code
ENDED = 120  # exit code: the process that asked is gone
BEATS_PER_LIMIT = 10  # signs of life while a batch is measured
_ORPHAN_LIVES_AT_MOST = 2  # times the limit

_LENGTH = struct.Struct(">Q")

Setting = tuple[Plan, float | None, int | None]


def write_frame(stream: BinaryIO, content: bytes) -> None:
    """Write one message, and see to it that it leaves."""
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes:
    """Read one message.

    Raises
    ------
    EOFError
        If the other side has closed the stream.
    """
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    return _read_exactly(stream, length)


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def main() -> None:
    """Serve until the standard input is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: it is for the other process to decide
    _write_no_core_dumps()
    requests_stream, answers_stream = _take_pipes()
    answers_stream.write(GREETING)
    answers_stream.flush()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # A thread of its own sees the end of the pipe also while a decoder hangs.
    threading.Thread(target=_receive, args=(requests_stream, requests), daemon=True).start()
    with quiet_decoders, single_threaded:
        try:
            _serve(requests, answers_stream)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        except BrokenPipeError:
            os._exit(ENDED)
        except SystemExit as end:
            _complain(end.code)
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)  # Python's own end would wait for the thread that reads


def _complain(message: object) -> None:
    if isinstance(message, str):
        print(message, file=sys.stderr, flush=True)


def _serve(requests: queue.SimpleQueue[bytes], answers: BinaryIO) -> None:
    setting: Setting = pickle.loads(requests.get())
    plan, time_limit, memory_limit = setting
    if memory_limit is not None:
        _limit_memory(plan, memory_limit)
    write_frame(answers, pickle.dumps(None))
    while True:
        request = requests.get()
        pulse = _Pulse(answers, time_limit)
        answer = _answer(request, plan, pulse)
        pulse.stop()
        write_frame(answers, answer)
        del request, answer  # they would be held while the next ones are made


def _answer(request: bytes, plan: Plan, pulse: Callable[[], None]) -> bytes:
    try:
        references = pickle.loads(request)
    except MemoryError:
        raise
    except Exception as error:  # a class that cannot be imported here, say
        return pickle.dumps(("not loaded", f"{type(error).__name__}: {error}"))
    try:
        return pickle.dumps(("cells", measure_batch(references, plan, pulse)))
    except (MemoryError, BrokenPipeError):
        raise
    except Exception as error:
        return _pickled_error(error)


def _pickled_error(error: Exception) -> bytes:
    story = "".join(traceback.format_exception(error))
    with contextlib.suppress(Exception):
        answer = pickle.dumps(("raised", error, story))
        pickle.loads(answer)  # some errors can be pickled, but not brought back
        return answer
    return pickle.dumps(("raised", RuntimeError(f"{type(error).__name__}: {error}"), story))


class _Pulse:
    """Tells the other process now and then that images are being finished.

    A batch may so take as long as it needs, while one image may not.
    """

    def __init__(self, answers: BinaryIO, time_limit: float | None) -> None:
        self._answers = answers
        self._limit = time_limit
        self._last = time.monotonic()
        self._live_on()

    def __call__(self) -> None:
        if self._limit is None:
            return
        now = time.monotonic()
        if now - self._last >= self._limit / BEATS_PER_LIMIT:
            self._last = now
            write_frame(self._answers, b"")
            self._live_on()

    def _live_on(self) -> None:
        """Have the system end this process if it hangs and nobody is left to end it.

        A decoder that does not let go of the interpreter keeps the thread that watches the pipe
        from running as well.
        """
        if self._limit is not None and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, _ORPHAN_LIVES_AT_MOST * self._limit + 1)

    def stop(self) -> None:
        if self._limit is not None and hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def _receive(stream: BinaryIO, requests: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            requests.put(read_frame(stream))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException:
        os._exit(ENDED)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes from the standard streams: what a decoder prints is no answer."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no standard error output
        os.dup2(nothing, 1)
    os.close(nothing)
    return requests, answers


def _write_no_core_dumps() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory(plan: Plan, memory_limit: int) -> None:
    """Let this process allocate so much more than it holds when it has measured an image."""
    import resource

    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    for some in (pixels, pixels[:64, :64].copy()):  # what is loaded when first used, now
        image = DecodedImage(some, None, "RGB", None)
        plan.measure(image)
        plan.measure_stack([image])
    most = _data_bytes() + memory_limit
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _data_bytes() -> int:
    """Return what this process has allocated, as the limit counts it."""
    with open("/proc/self/status", encoding="ascii") as file:
        found = re.search(r"^VmData:\s*(\d+) kB$", file.read(), re.MULTILINE)
    if found is None:
        sys.exit("/proc/self/status does not tell how much memory this process has")
    return int(found.group(1)) * 1024
