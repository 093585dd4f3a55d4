"""Which references another process reads by itself, and what is sent in place of the others."""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Sequence
from typing import Any

from joblib import wrap_non_picklable_objects
from PIL import Image

from ..images import UnreadableImageError, UnreadableItem, read_image
from ..images._errors import words_of
from ..images._remote import is_url, read_url
from ._batch import AlreadyDecoded


class AlreadyRead:
    """Stands for a reference whose bytes were read here, or could not be.

    Parameters
    ----------
    content : object
        What reading it gave.
    error : Exception, default=None
        What it raised.
    """

    def __init__(self, content: Any, error: Exception | None = None) -> None:
        self._content = content
        self._error = error

    def read_bytes(self) -> Any:
        """Give the content, or raise the error, so that it becomes the row's reason."""
        if self._error is not None:
            raise self._error
        return self._content


def sendable(references: Sequence[Any], position: int) -> Any:
    """Return a reference that another process can read as it would be read here.

    Paths, encoded and decoded images in memory and members of archives go as they are. What
    lives in this process only is read here: what a data set makes when it is asked, URLs (their
    file systems hold connections and credentials), open files, and PIL images, which are decoded
    here.

    Parameters
    ----------
    references : sequence
        May make its items when asked for them.
    position : int

    Returns
    -------
    reference : object
        Reading it gives the same, or raises the same.
    """
    try:
        reference = references[position]
    except Exception as error:  # in the words of a scan without isolation
        return UnreadableItem(f"cannot be fetched: {words_of(error)}")
    return _sendable(reference)


def _sendable(reference: Any) -> Any:
    if isinstance(reference, Image.Image):
        return _decoded_here(reference)
    if isinstance(reference, str) and is_url(reference):
        return _read_here(lambda: read_url(reference))
    if isinstance(reference, (str, os.PathLike)) or _has(reference, "read_bytes"):
        return reference
    if _has(reference, "fetch"):
        try:
            return _sendable(reference.fetch())
        except Exception as error:
            return AlreadyRead(None, _sendable_error(error))
    if _has(reference, "read"):
        return _read_here(lambda: _content_of_file(reference))
    return reference


def _has(reference: Any, name: str) -> bool:
    try:
        return hasattr(reference, name)
    except Exception:  # of an object's own __getattr__, any
        return False


def read_in_this_process(reference: Any) -> Any:
    """Return what stands for a reference that cannot be sent to another process.

    Its bytes, if it has any; else its pixels.

    Parameters
    ----------
    reference : object
        One that :func:`sendable` left as it is.
    """
    if _has(reference, "read_bytes"):
        return _read_here(reference.read_bytes)
    return _decoded_here(reference)


def pickled(value: Any) -> bytes:
    """Pickle by joblib's cloudpickle, so that what a script or notebook defines goes by value."""
    return pickle.dumps(wrap_non_picklable_objects(value, keep_wrapper=False))


def pickled_references(references: Sequence[Any]) -> bytes:
    """Pickle references; one of them that cannot be pickled is read here."""
    try:
        return pickled(list(references))
    except Exception:  # of an object's own __reduce__, any
        return pickled([_picklable(reference) for reference in references])


def _picklable(reference: Any) -> Any:
    try:
        pickled(reference)
    except Exception:
        return read_in_this_process(reference)
    return reference


def _decoded_here(reference: Any) -> Any:
    try:
        return AlreadyDecoded(read_image(reference))
    except UnreadableImageError as error:
        return UnreadableItem(str(error))


def _read_here(read: Any) -> AlreadyRead:
    try:
        return AlreadyRead(read())
    except Exception as error:
        return AlreadyRead(None, _sendable_error(error))


def _content_of_file(file: Any) -> Any:
    with contextlib.suppress(AttributeError, OSError):  # a pipe cannot be rewound
        file.seek(0)
    content = file.read()
    if not isinstance(content, bytes):
        raise UnreadableImageError("the file object must be opened in binary mode")
    return content


def _sendable_error(error: Exception) -> Exception:
    """Return the error, or one with its words where it would not arrive whole."""
    try:
        arrived = pickle.loads(pickled(error))
    except Exception:
        arrived = None
    if type(arrived) is type(error) and words_of(arrived) == words_of(error):
        return error
    return UnreadableImageError(f"cannot be decoded: {words_of(error)}")
