"""Images one after the other, in constant memory: archives, folders and stores as streams."""

from __future__ import annotations

import functools
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ._archives import (
    DAMAGED_REST,
    StrictTarInfo,
    ZipArchive,
    archive_kind,
    check_member_size,
    damaged,
    image_names,
    is_tar_file,
    kind_passed_over,
    member_label,
)
from ._errors import UnreadableImageError, words_of
from ._files import read_file
from ._folders import list_images, warn_of_passed_over
from ._formats import HEAD_LENGTH
from ._remote import is_url, open_url, path_in, read_many
from ._unreadable import UnreadableItem

_FETCHED_AT_ONCE = 16  # files of a store that are held in memory together

Item = tuple[str, bytes | UnreadableItem]


def stream_images(source: Any) -> Iterator[Item]:
    r"""Read the images of a source one after the other.

    What :func:`measure` does with a stream is the same as with a list, but only a few batches
    of it are in memory at a time, and it can be read once.

    Parameters
    ----------
    source : str, path-like or binary file object
        A tar archive, compressed or not (a WebDataset shard, for example), a zip archive, a
        folder, or a URL of one of these. A file object is read as a tar archive; it is never
        rewound, so a pipe or the body of a response will do.

    Yields
    ------
    key : str
        What :func:`list_images` calls the image: a path, a URL, or ``"shard.tar!/a.jpg"``; of a
        file object, the name in the archive.
    data : bytes or UnreadableItem
        The encoded image. One that cannot be read gives an invalid row in its place.

    Raises
    ------
    TypeError, FileNotFoundError, NotADirectoryError, ImportError
        If there is no such source, or a package for it is not installed.
    ValueError
        If it is no archive.

    Warns
    -----
    UserWarning
        At the end, if anything was passed over or the archive is damaged.

    Examples
    --------
    >>> import io, tarfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> from imagequality.images import stream_images
    >>> encoded, shard = io.BytesIO(), io.BytesIO()
    >>> Image.fromarray(np.zeros((8, 8), np.uint8)).save(encoded, "PNG")
    >>> with tarfile.open(fileobj=shard, mode="w:gz") as archive:
    ...     member = tarfile.TarInfo("000.png")
    ...     member.size = encoded.tell()
    ...     archive.addfile(member, io.BytesIO(encoded.getvalue()))
    >>> with io.BytesIO(shard.getvalue()) as file:
    ...     [(key, data[:4]) for key, data in stream_images(file)]
    [('000.png', b'\x89PNG')]
    """
    if hasattr(source, "read"):
        return _of_tar(lambda: nullcontext(source), "")
    path = os.fspath(source)
    remote = is_url(path)
    if not remote and not os.path.exists(path):
        raise FileNotFoundError(f"no such folder or archive: {path!r}")
    if not remote and os.path.isdir(path):
        return ((key, file_content(key)) for key in list_images(path))
    kind = archive_kind(path_in(path) if remote else path)
    if kind == "zip":
        return _of_zip(path) if remote else _of_zip_on_disk(path)
    if kind is not None:
        return _of_tar(lambda: open_url(path) if remote else open(path, "rb"), path)
    urls = list_images(path)  # of a file that is no archive it says so
    return _of_urls(urls)


def file_content(path: str) -> bytes | UnreadableItem:
    try:
        return read_file(path)
    except UnreadableImageError as error:
        return UnreadableItem(str(error))
    except OSError as error:
        return UnreadableItem(f"cannot be read: {(error.strerror or words_of(error)).lower()}")
    except ValueError as error:  # a name that no file can have
        return UnreadableItem(f"cannot be read: {words_of(error)}")


def _of_zip_on_disk(path: str) -> Iterator[Item]:
    for member in list_images(path):
        try:
            yield str(member), member.read_bytes()
        except UnreadableImageError as error:
            yield str(member), UnreadableItem(str(error))


def _of_zip(url: str) -> Iterator[Item]:
    with open_url(url) as file:
        archive = ZipArchive(file)
        names, passed_over = image_names(archive)
        for name in names:
            try:
                yield member_label(url, name), archive.read(name)
            except UnreadableImageError as error:
                yield member_label(url, name), UnreadableItem(str(error))
        archive.close()
    warn_of_passed_over("stream_images", url, passed_over)


def _of_urls(urls: list[str]) -> Iterator[Item]:
    for start in range(0, len(urls), _FETCHED_AT_ONCE):
        some = urls[start : start + _FETCHED_AT_ONCE]
        for url, content in zip(some, read_many(some), strict=True):
            yield url, content if isinstance(content, bytes) else UnreadableItem(str(content))


def _of_tar(opener: Callable[[], AbstractContextManager[Any]], path: str) -> Iterator[Item]:
    passed_over: Counter[str] = Counter()
    with opener() as file:
        try:
            archive = tarfile.open(  # noqa: SIM115
                fileobj=file, mode="r|*", tarinfo=StrictTarInfo
            )
        except (tarfile.TarError, EOFError) as error:
            raise ValueError(
                f"{path or file!r} cannot be read as a tar archive: {words_of(error)}"
            ) from error
        with archive:
            yield from _tar_items(archive, path, passed_over)
    warn_of_passed_over("stream_images", path or str(file), passed_over)


def _tar_items(archive: tarfile.TarFile, path: str, passed_over: Counter[str]) -> Iterator[Item]:
    while True:
        try:
            info = archive.next()
        except Exception:  # TarError, zlib.error, EOFError, OSError: nothing more to be had
            passed_over[DAMAGED_REST] += 1
            return
        if info is None:
            return
        archive.members = []  # type: ignore[attr-defined]  # else all are remembered
        if not is_tar_file(info):
            continue
        head, data = _read_tar_file(archive, info)
        kind = kind_passed_over(info.name, functools.partial(bytes, head))
        if kind is None:
            yield (member_label(path, info.name) if path else info.name), data
        else:
            passed_over[kind] += 1


def _read_tar_file(
    archive: tarfile.TarFile, info: tarfile.TarInfo
) -> tuple[bytes, bytes | UnreadableItem]:
    """Return the first bytes of a file, and all of them."""
    if not info.isreg():
        return b"", UnreadableItem("a link within an archive cannot be followed in a stream")
    try:
        check_member_size(info.size)
        file = archive.extractfile(info)
        data = b"" if file is None else file.read()
    except UnreadableImageError as error:
        return b"", UnreadableItem(str(error))
    except Exception as error:  # as above
        return b"", UnreadableItem(str(damaged(error)))
    return data[:HEAD_LENGTH], data
