"""What every search for neighbours shares: the pairs, their chunks, and threads."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import DTypeLike, NDArray

CHUNK = 1 << 18  # pairs looked at together: the arrays of one chunk stay in the processor's cache


Result = TypeVar("Result")


class Pairs(NamedTuple):
    """Neighbouring items and their distances, three arrays of equal length.

    Within one collection ``i < j``; between two, ``i`` counts the first and ``j`` the second.
    ``distance`` is int64 (Hamming, in bits) or float64 (cosine).
    """

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    distance: NDArray[Any]


def sorted_pairs(chunks: Iterable[Pairs], dtype: DTypeLike) -> Pairs:
    """Join chunks of pairs, sorted by i, then j."""
    parts = list(chunks)
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return Pairs(empty, empty, np.empty(0, dtype=dtype))
    i, j, distance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((j, i))
    return Pairs(i[order], j[order], distance[order])


def index_chunks(
    i: NDArray[np.int64], j: NDArray[np.int64], chunk: int
) -> Iterator[tuple[slice, NDArray[np.int64], NDArray[np.int64]]]:
    """Cut two index arrays of equal length into pieces of at most ``chunk`` entries."""
    i, j = np.asarray(i, dtype=np.int64), np.asarray(j, dtype=np.int64)
    if i.ndim != 1 or i.shape != j.shape:
        raise ValueError(
            f"i and j must be one-dimensional and of one length, got {i.shape} and {j.shape}"
        )
    for begin in range(0, len(i), chunk):
        part = slice(begin, begin + chunk)
        yield part, i[part], j[part]


def expand_ranges(
    starts: NDArray[np.int64], sizes: NDArray[np.int64], chunk: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """List the elements of many ranges, at most ``chunk`` at a time.

    Parameters
    ----------
    starts, sizes : ndarray of shape (n_ranges,), int64
        Range k is ``starts[k] … starts[k] + sizes[k] − 1``.
    chunk : int
        Elements yielded together; a longer range is cut.

    Yields
    ------
    owner, element : ndarray of shape (at most ``chunk``,), int64
        The range's number k and one of its elements.

    Examples
    --------
    >>> import numpy as np
    >>> for owner, element in expand_ranges(np.array([10, 50]), np.array([3, 1]), chunk=2):
    ...     print(owner, element)
    [0 0] [10 11]
    [0 1] [12 50]
    """
    ends = np.cumsum(sizes)  # on the line where all ranges lie end to end
    total = int(ends[-1]) if len(ends) else 0
    for low in range(0, total, chunk):
        high = min(low + chunk, total)
        first = int(np.searchsorted(ends, low, side="right"))
        last = int(np.searchsorted(ends, high, side="left")) + 1
        end, begin = ends[first:last], ends[first:last] - sizes[first:last]
        inside = np.minimum(end, high) - np.maximum(begin, low)
        owner = np.repeat(np.arange(first, last), inside)
        element = np.repeat(starts[first:last] - begin, inside)
        element += np.arange(low, high)
        yield owner, element


def run_in_threads(
    tasks: Iterable[Callable[[], Iterator[Result]]], n_threads: int | None = None
) -> Iterator[Result]:
    """Run tasks in threads and yield what they yield, in no fixed order.

    Only a few results wait at any time: a thread pauses while the consumer is busy. It ends
    when the consumer stops asking, and a task's exception reaches the consumer.

    Parameters
    ----------
    tasks : iterable of callables that return an iterator
        Taken one at a time, as threads become free.
    n_threads : int, default=None
        None: as many as joblib allows here.
    """
    n_threads = effective_n_jobs(-1) if n_threads is None else n_threads
    if n_threads == 1:
        for task in tasks:
            yield from task()
        return
    results: queue.Queue[Result | BaseException | None] = queue.Queue(maxsize=2 * n_threads)
    waiting = iter(tasks)
    one_at_a_time = threading.Lock()
    stopped = threading.Event()

    def next_task() -> Callable[[], Iterator[Result]] | None:
        with one_at_a_time:
            return None if stopped.is_set() else next(waiting, None)

    def work() -> None:
        try:
            while (task := next_task()) is not None:
                for result in task():
                    results.put(result)
                    if stopped.is_set():
                        break
        except BaseException as error:
            results.put(error)
        finally:
            results.put(None)  # this thread is done

    threads = [threading.Thread(target=work, daemon=True) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    running = n_threads
    try:
        while running:
            result = results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        stopped.set()
        while running:  # make room, so that every thread sees the end
            running -= results.get() is None
        for thread in threads:
            thread.join()
