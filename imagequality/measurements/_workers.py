"""A collection, or a stream, in batches over joblib's workers, past the store of measured rows."""

from __future__ import annotations

import functools
import math
import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
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
from ._store import Store
from ._table import Cells, cells_of_values, stored_values, take

_SECONDS_BEFORE_BAR = 1.0
_MEASURE = 5  # frames from the warnings here to the caller of measure()
_REQUESTS = 32  # for the state of remote images, at a time

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


class _Task(NamedTuple):
    """What one worker measures at a time."""

    positions: NDArray[np.intp]
    references: Sequence[Any]


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
    except (OSError, ValueError):  # there is none, or a name with a zero byte
        return None


class _Scan:
    """One pass over the chunks of a collection."""

    def __init__(self, plan: Plan, options: ScanOptions, prefer: str) -> None:
        self._plan = plan
        self._options = options
        self._prefer = prefer
        self._parts: list[Part] = []
        self._rows_done = 0
        self._identities: dict[int, list[Identity | None]] = {}  # of the tasks in flight
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
        with bar, opened as store:
            if store is not None and not store.writable:
                warnings.warn(
                    f"{store.path!r} can only be read: what is measured now is not stored",
                    stacklevel=_MEASURE,
                )
            tasks = _tasks(chunks) if store is None else self._unstored(chunks, size, store)
            # As one argument: Dask would keep an array by itself on one worker, and lose it with
            # that worker.
            jobs = (delayed(_measured)(task, self._plan) for task in tasks)
            for positions, cells in self._parallel()(jobs):
                if store is not None:
                    self._remember(store, positions, cells)
                self._add(positions, cells)
                bar.update(self._rows_done - bar.n)
            bar.update(self._rows_done - bar.n)
        return self._parts

    def _add(self, positions: NDArray[np.intp], cells: Cells) -> None:
        with self._lock:
            self._parts.append((positions, cells))
            self._rows_done += len(positions)

    def _parallel(self) -> Parallel:
        """Return workers that hand over each result when it is there, if their backend can."""
        # A task is a batch already: joblib's own batches would hold more of them in memory.
        options = {"n_jobs": self._options.n_jobs, "prefer": self._prefer, "batch_size": 1}
        for order in ("generator_unordered", "generator", "list"):
            try:
                return Parallel(return_as=order, **options)
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
        self._identities[int(positions[0])] = [known for _, _, known in waiting]
        return _Task(positions, [reference for _, reference, _ in waiting])

    def _remember(self, store: Store, positions: NDArray[np.intp], cells: Cells) -> None:
        identities = self._identities.pop(int(positions[0]))
        rows = np.flatnonzero(cells["valid"])
        if not (rows.size and store.writable):
            return
        values = take({name: cells[name] for name in self._plan.columns}, rows)
        with self._lock:
            store.write(
                [identities[row] for row in rows],
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


def _measured(task: _Task, plan: Plan) -> Part:
    return task.positions, measure_batch(task.references, plan)
