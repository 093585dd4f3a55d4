"""Files on disk, and file objects, as bytes: never a wait, never more than is asked for."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

from ._errors import UnreadableImageError

MAX_FILE_BYTES = 2**30
"""Largest file that is read, in bytes: a guard of the memory, as the one for archives.

An uncompressed image of ``MAX_PIXELS`` pixels in 16-bit grey or 8-bit RGB fits.
"""

# O_NONBLOCK: a file that was replaced by a FIFO after it was looked at is opened at once.
_OPEN_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK"):
    _OPEN_FLAGS |= getattr(os, _flag, 0)


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read a regular file as large as it is now, whatever is written to it meanwhile.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    data : bytes

    Raises
    ------
    UnreadableImageError
        If it is a folder, a FIFO, a socket or a device, or larger than ``MAX_FILE_BYTES``.
    OSError, ValueError
        If it is not there or cannot be opened.
    """
    # Before it is opened, for to open a device may start something.
    _check(os.stat(path))
    # Without the layers of open(), which cost more than decoding a thumbnail does.
    descriptor = os.open(path, _OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
        _check(status)
        size = status.st_size
        if size == 0:  # files of /proc say so, and to read one may wait for ever
            return b""
        data = os.read(descriptor, size)
        while len(data) < size and (more := os.read(descriptor, size - len(data))):
            data += more
        return data
    finally:
        os.close(descriptor)


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableImageError("is a folder")
    if not stat.S_ISREG(status.st_mode):  # a FIFO or device could block for ever
        raise UnreadableImageError("not a regular file")
    _check_size(status.st_size)


def _check_size(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise UnreadableImageError(
            f"too large to read: {size:,} bytes, the limit is {MAX_FILE_BYTES:,}"
        )


def read_file_object(file: Any) -> bytes:
    """Read a file object from its start, if it can be rewound.

    Parameters
    ----------
    file : object with a method ``read()``
        Where it has a file descriptor, devices and files that are too large are refused.

    Returns
    -------
    data : bytes

    Raises
    ------
    UnreadableImageError
        If it is refused, or gives something else than bytes.
    """
    _refuse_endless(file)
    with contextlib.suppress(AttributeError, OSError):  # a pipe cannot be rewound
        file.seek(0)
    data = file.read()
    if not isinstance(data, bytes):
        raise UnreadableImageError("the file object must be opened in binary mode")
    return data


def _refuse_endless(file: Any) -> None:
    try:
        status = os.fstat(file.fileno())
    except (AttributeError, OSError, TypeError, ValueError):  # it has none
        return
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise UnreadableImageError("not a regular file")
    _check_size(status.st_size)
