"""A collection, or a stream, in batches over joblib's workers, past the store of measured rows."""

from __future__ import annotations

import functools
import math
import multiprocessing
import os
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL import Image

from ..images._identity import Identity, identity
from ..images._remote import is_url
from ._batch import measure_batch
from ._columns import Plan
from ._isolation import Isolation, resolve_isolation
from ._isolation_pool import IsolatedWorkers, WorkerError
from ._store import Store
from ._table import Cells, cells_of_values, stored_values, take

_SECONDS_BEFORE_BAR = 1.0
_MEASURE = 5  # frames from the warnings here to the caller of measure()
_REQUESTS = 32  # for the state of remote images, at a time

_SECONDS_BETWEEN_LOOKS = 1.0  # of a worker process at the one that scans

_LOOKED_AT = 8  # references, to choose the workers by
# What an image takes, roughly, decoded and measured: so much, and so much for each byte.
_SECONDS_PER_IMAGE, _SECONDS_PER_BYTE = 60e-6, 3e-8
_LONG_SCAN = 12.0  # seconds; for less, starting processes takes longer than they save
_LARGE_FILE = 1 << 20  # bytes: from here on threads keep two cores as busy as processes do
_BYTES_PER_BATCH = 2 << 20  # of files: some tenths of a second, well below 100 MB of pixels
_VALUES_PER_BATCH = 8 << 20  # of arrays
_BATCH = 64  # images, where nothing is known of their size
_LARGEST_BATCH = 512

Part = tuple[NDArray[np.intp], Cells]
"""Rows of a collection: their positions in it, and their cells."""


@dataclass(frozen=True)
class ScanOptions:
    """How to scan; the parameters of :func:`measure`."""

    n_jobs: int | None = None
    batch_size: int | str = "auto"
    cache: str | os.PathLike[str] | None = None
    progress: bool = True
    isolate: bool | Isolation = False


class _Task(NamedTuple):
    """What one worker measures at a time."""

    positions: NDArray[np.intp]
    references: Sequence[Any]


class _KnownBy(NamedTuple):
    """What an image was known by before it was read, and its file, if it is one."""

    identity: Identity | None
    file: Any

    def is_unchanged(self) -> bool:
        """Whether what was read is what the identity stands for, as far as a look can tell."""
        return self.file is None or _identity(self.file) == self.identity


class _LazyPart(Sequence[Any]):
    """Consecutive items of a sequence that makes them when asked: asked by the worker."""

    def __init__(self, items: Sequence[Any], start: int, stop: int) -> None:
        self._items = items
        self._positions = range(start, stop)

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: Any) -> Any:
        return self._items[self._positions[position]]


def scan_collection(references: Sequence[Any], plan: Plan, options: ScanOptions) -> list[Part]:
    """Measure a collection.

    Parameters
    ----------
    references : sequence of n references
    plan : Plan
    options : ScanOptions

    Returns
    -------
    parts : list of (positions, cells)
        Of each row once, in any order.
    """
    size, prefer = _choice(references, plan)
    if options.batch_size != "auto":
        size = int(options.batch_size)

    def chunks() -> Iterator[Sequence[Any]]:
        for start in range(0, len(references), size):
            stop = min(start + size, len(references))
            if isinstance(references, (list, tuple)):
                yield references[start:stop]
            else:
                yield _LazyPart(references, start, stop)

    return _Scan(plan, options, prefer).run(chunks(), size, len(references))


def scan_stream(
    items: Iterator[tuple[Any, Any]], plan: Plan, options: ScanOptions
) -> tuple[list[Any], list[Part]]:
    """Measure what an iterator gives, taking no more of it than the workers can hold.

    Parameters
    ----------
    items : iterator of (name, reference)
    plan : Plan
    options : ScanOptions

    Returns
    -------
    names : list of length n
    parts : list of (positions, cells)
        Of each row once, in any order.
    """
    size = _BATCH if options.batch_size == "auto" else int(options.batch_size)
    most_bytes = _BYTES_PER_BATCH if options.batch_size == "auto" else math.inf
    names: list[Any] = []

    def chunks() -> Iterator[Sequence[Any]]:
        chunk: list[Any] = []
        held = 0
        for name, reference in items:
            names.append(name)
            chunk.append(reference)
            held += _bytes_held(reference)
            if len(chunk) == size or held >= most_bytes:
                yield chunk
                chunk, held = [], 0
        if chunk:
            yield chunk

    parts = _Scan(plan, options, "threads").run(chunks(), size, None)
    return names, parts


def _bytes_held(reference: Any) -> int:
    """Return the memory that a reference keeps, as far as it is known."""
    if isinstance(reference, (bytes, bytearray)):
        return len(reference)
    if isinstance(reference, (np.ndarray, memoryview)):
        return int(reference.nbytes)
    if isinstance(reference, Image.Image):
        return 4 * reference.width * reference.height
    return 0


def _choice(references: Sequence[Any], plan: Plan) -> tuple[int, str]:
    """Choose the size of a batch and the kind of workers, by a look at a few references."""
    if not isinstance(references, (list, tuple)) or not references:
        return _BATCH, "threads"
    every = max(1, len(references) // _LOOKED_AT)
    some = references[::every]
    if all(isinstance(reference, np.ndarray) for reference in some):
        size = _within(_VALUES_PER_BATCH / max(1.0, float(np.mean([a.size for a in some]))))
        return size, "threads"
    sizes = [size for size in map(_encoded_size, some) if size]
    if not sizes:
        return _BATCH, "threads"
    mean = float(np.mean(sizes))
    seconds = len(references) * (_SECONDS_PER_IMAGE + mean * _SECONDS_PER_BYTE)
    in_processes = (
        mean < _LARGE_FILE
        and seconds >= _LONG_SCAN
        # What is the user's own may not be sent to another process, or be large.
        and not (plan.own or plan.embeddings)
        # Bytes would have to be copied to the processes.
        and all(isinstance(item, (str, os.PathLike)) for item in references)
    )
    return _within(_BYTES_PER_BATCH / mean), "processes" if in_processes else "threads"


def _within(size: float) -> int:
    return int(min(max(size, 1), _LARGEST_BATCH))


def _encoded_size(reference: Any) -> int | None:
    if isinstance(reference, bytes):
        return len(reference)
    if not isinstance(reference, (str, os.PathLike)):
        return None
    try:
        return os.stat(reference).st_size
    except Exception:  # there is none, a name with a zero byte, a path-like that gives no path
        return None


class _Scan:
    """One pass over the chunks of a collection."""

    def __init__(self, plan: Plan, options: ScanOptions, prefer: str) -> None:
        self._plan = plan
        self._options = options
        self._prefer = prefer
        self._parts: list[Part] = []
        self._rows_done = 0
        self._known_by: dict[int, list[_KnownBy]] = {}  # of the tasks in flight
        self._lock = threading.Lock()  # joblib takes new tasks from a thread of its own

    def run(self, chunks: Iterable[Sequence[Any]], size: int, total: int | None) -> list[Part]:
        """Measure the chunks, of at most ``size`` references each."""
        bar = _bar_class()(
            total=total,
            desc="Measuring images",
            unit="image",
            delay=_SECONDS_BEFORE_BAR,
            disable=None if self._options.progress else True,
        )
        cache = self._options.cache
        opened = nullcontext() if cache is None else Store(cache, self._plan.versions())
        isolation = resolve_isolation(self._options.isolate)
        started = nullcontext() if isolation is None else IsolatedWorkers(self._plan, isolation)
        with bar, opened as store, started as isolated:
            if store is not None and not store.writable:
                warnings.warn(
                    f"{store.path!r} can only be read: what is measured now is not stored",
                    stacklevel=_MEASURE,
                )
            tasks = _tasks(chunks) if store is None else self._unstored(chunks, size, store)
            # As one argument: Dask would keep an array by itself on one worker, and lose it with
            # that worker.
            if isolated is None:
                parallel = self._parallel(n_jobs=self._options.n_jobs, prefer=self._prefer)
                scan = os.getpid()
                jobs = (delayed(_measured)(task, self._plan, scan) for task in tasks)
            else:  # a thread waits for each process
                parallel = self._parallel(n_jobs=self._number_of_workers(), backend="threading")
                jobs = (delayed(_measured_elsewhere)(task, isolated) for task in tasks)
            with _stopped_at_once(parallel(jobs)) as results:
                for positions, cells in self._with_clear_errors(results):
                    if store is not None:
                        self._remember(store, positions, cells)
                    self._add(positions, cells)
                    bar.update(self._rows_done - bar.n)
            bar.update(self._rows_done - bar.n)
        return self._parts

    def _with_clear_errors(self, results: Iterable[Part]) -> Iterator[Part]:
        try:
            yield from results
        except BrokenExecutor as error:
            cache = self._options.cache
            kept = (
                "give a cache to keep finished rows"
                if cache is None
                else f"what was finished is in {os.fspath(cache)!r} and is not measured again"
            )
            raise WorkerError(
                "a worker process has ended abruptly, as happens when a decoder crashes or memory "
                f"runs out; {kept}; with isolate=True the scan goes on without the image at fault"
            ) from error

    def _add(self, positions: NDArray[np.intp], cells: Cells) -> None:
        with self._lock:
            self._parts.append((positions, cells))
            self._rows_done += len(positions)

    def _number_of_workers(self) -> int:
        """Return the number asked for, here or in a ``parallel_config`` context."""
        return int(Parallel(n_jobs=self._options.n_jobs).n_jobs)

    def _parallel(self, **options: Any) -> Parallel:
        """Return workers that hand over each result when it is there, if their backend can."""
        for order in ("generator_unordered", "generator", "list"):
            try:
                # A task is a batch already: joblib's own would hold more of them in memory.
                return Parallel(return_as=order, batch_size=1, **options)
            except ValueError:  # not known to this backend
                continue
        raise AssertionError("joblib's backends all return lists")

    def _unstored(
        self, chunks: Iterable[Sequence[Any]], size: int, store: Store
    ) -> Iterator[_Task]:
        """Give the tasks that remain when what is stored is taken from the store."""
        start = 0
        waiting: list[tuple[int, Any, Identity | None]] = []
        for chunk in chunks:
            # Before the images are read: one that changes now is looked at again next time.
            identities = _identities(chunk)
            with self._lock:
                found, values = store.lookup(identities)
            stored = np.flatnonzero(found)
            if len(stored):
                cells = cells_of_values(self._plan, len(stored), values)
                self._add(stored + start, cells)
            waiting.extend(
                (start + position, chunk[position], identities[position])
                for position in np.flatnonzero(~found).tolist()
            )
            start += len(chunk)
            while len(waiting) >= size:
                yield self._task(waiting[:size])
                del waiting[:size]
        if waiting:
            yield self._task(waiting)

    def _task(self, waiting: list[tuple[int, Any, Identity | None]]) -> _Task:
        positions = np.array([position for position, _, _ in waiting], dtype=np.intp)
        self._known_by[int(positions[0])] = [
            _KnownBy(known, reference if _is_file(reference) else None)
            for _, reference, known in waiting
        ]
        return _Task(positions, [reference for _, reference, _ in waiting])

    def _remember(self, store: Store, positions: NDArray[np.intp], cells: Cells) -> None:
        known_by = self._known_by.pop(int(positions[0]))
        if not store.writable:
            return
        is_lasting = np.array([known.is_unchanged() for known in known_by])
        rows = np.flatnonzero(cells["valid"] & is_lasting)
        if not rows.size:
            return
        values = take({name: cells[name] for name in self._plan.columns}, rows)
        with self._lock:
            store.write(
                [known_by[row].identity for row in rows],
                {name: stored_values(name, column) for name, column in values.items()},
            )


@functools.lru_cache(maxsize=1)  # the filters of warnings belong to all threads: touched once
def _bar_class() -> Any:
    """Return the bar that fits where Python runs: a text where a notebook cannot draw."""
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # it warns when it is first imported there
        from tqdm.auto import tqdm
    return tqdm


def _tasks(chunks: Iterable[Sequence[Any]]) -> Iterator[_Task]:
    start = 0
    for chunk in chunks:
        yield _Task(np.arange(start, start + len(chunk)), chunk)
        start += len(chunk)


def _identities(references: Sequence[Any]) -> list[Identity | None]:
    """Tell what images are known by; of several URLs at once, since each is a request."""
    remote = any(isinstance(item, str) and is_url(item) for item in references)
    if not remote:
        return [_identity(reference) for reference in references]
    with ThreadPoolExecutor(min(_REQUESTS, len(references))) as pool:
        return list(pool.map(_identity, references))


def _identity(reference: Any) -> Identity | None:
    try:
        return identity(reference)
    except Exception:  # what cannot be known again is measured again
        return None


def _is_file(reference: Any) -> bool:
    """Whether this is a file on disk, at which another look costs next to nothing."""
    if not isinstance(reference, (str, os.PathLike)) or hasattr(reference, "cache_key"):
        return False
    return not is_url(reference)


@contextmanager
def _stopped_at_once(results: Iterable[Part]) -> Iterator[Iterable[Part]]:
    """Give results; when the taking of them fails, end the tasks before anything is closed."""
    try:
        yield results
    except BaseException:
        if isinstance(results, Generator):  # a list is what some backends give
            with warnings.catch_warnings():  # joblib wonders about what nobody takes
                warnings.simplefilter("ignore")
                results.close()
        raise


@functools.lru_cache(maxsize=1)  # once in each process
def _end_with(scan: int) -> None:
    """Have a worker process end when the one that scans was killed.

    joblib's would wait for work for five minutes, and hold their memory.

    Parameters
    ----------
    scan : int
        The process that scans. It is sent, for it may be gone when the worker gets its first task.
    """
    if os.name == "posix" and multiprocessing.current_process().name.startswith("Loky"):
        threading.Thread(target=_wait_for_the_end_of, args=(scan,), daemon=True).start()


def _wait_for_the_end_of(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os._exit(1)


def _measured(task: _Task, plan: Plan, scan: int) -> Part:
    _end_with(scan)
    return task.positions, measure_batch(task.references, plan)


def _measured_elsewhere(task: _Task, isolated: IsolatedWorkers) -> Part:
    return task.positions, isolated.measure(task.references)
