"""One thread for each call while a scan runs: the workers share the cores, not each call."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

import cv2
import numpy as np
from threadpoolctl import ThreadpoolController

_LARGEST_KEPT = 31 << 20  # bytes


@functools.lru_cache(maxsize=1)  # looking for the libraries takes longer than measuring an image
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def _keep_freed_memory() -> None:
    """Let glibc keep the memory of temporaries, which costs a fault per page to get anew.

    It begins to do so for blocks of up to the size of the largest that was ever freed, at most
    32 MiB; other allocators take no notice. With it the measurements of thumbnails take
    two thirds of the time.
    """
    np.empty(_LARGEST_KEPT, dtype=np.uint8)


class _SingleThreaded:
    """Keep OpenCV and the matrix products to one thread for as long as any thread is inside.

    The numbers belong to the process: the first to enter puts them aside, the last to leave
    brings them back. A product on one thread also gives the same bits every time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._opencv_threads = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._opencv_threads = cv2.getNumThreads()
                cv2.setNumThreads(1)
                self._limit = _controller().limit(limits=1, user_api="blas")
                _keep_freed_memory()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                cv2.setNumThreads(self._opencv_threads)
                self._limit.restore_original_limits()

    def after_fork(self) -> None:
        """Begin anew in a child process, in which no other thread will leave."""
        if self._inside:
            cv2.setNumThreads(self._opencv_threads)
            self._limit.restore_original_limits()
        self.__init__()  # type: ignore[misc]


single_threaded = _SingleThreaded()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded.after_fork)
