"""URLs → the images below them and their bytes, by fsspec; nothing else opens a socket.

Any URL that `fsspec <https://filesystem-spec.readthedocs.io>`_ understands is taken, chained
ones as well (``zip://a.jpg::s3://bucket/photos.zip``). Credentials and options are fsspec's: its
configuration files and environment variables, or those of the store's own package.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ._errors import UnreadableImageError, words_of
from ._formats import extension_of, has_image_extension, is_hidden

_PROTOCOL = r"[A-Za-z][A-Za-z0-9+.-]+"  # two characters or more: C: is a drive
_URL = re.compile(rf"(?:{_PROTOCOL}::)*{_PROTOCOL}://")
# The link of a chain that holds the path of the image, and what stands before and after it.
_CHAIN = re.compile(rf"((?:{_PROTOCOL}::)*{_PROTOCOL}://)(.*?)((?:::.*)?)", re.DOTALL)
_WILDCARD = re.compile(r"[*?[]")

# The packages that fsspec needs for a protocol, where they are not its own.
_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "hf": "huggingface_hub",
    "sftp": "paramiko",
    "ssh": "paramiko",
}

# What the stores say of the state of a file. The size alone would not tell two states apart.
_STATE_FIELDS = (
    "ETag",
    "etag",
    "md5Hash",
    "md5",
    "content_md5",
    "checksum",
    "generation",
    "CRC",
    "LastModified",
    "last_modified",
    "updated",
    "modified",
    "mtime",
    "created",
)


def is_url(value: Any) -> bool:
    """Whether this names a remote file: ``protocol://…``, and nothing of that name is on disk.

    Examples
    --------
    >>> is_url("s3://bucket/a.jpg"), is_url("zip://a.jpg::photos.zip"), is_url("C://a.jpg")
    (True, True, False)
    """
    if not isinstance(value, str) or "://" not in value:
        return False
    return _URL.match(value) is not None and not os.path.lexists(value)


def read_url(url: str) -> bytes:
    """Fetch one file.

    Parameters
    ----------
    url : str

    Returns
    -------
    data : bytes

    Raises
    ------
    UnreadableImageError
        With the reason, whatever goes wrong; also if fsspec or the package of the store is not
        installed.
    """
    try:
        filesystem, path = _locate(url)
        return bytes(filesystem.cat_file(path))
    except Exception as error:  # each store has errors of its own
        raise _unreadable(error) from error


def read_many(urls: Sequence[str]) -> list[bytes | UnreadableImageError]:
    """Fetch files, those of one store all at once where its file system can.

    The time of a request is then waited for once and not for each image. All the files are
    held in memory together.

    Parameters
    ----------
    urls : sequence of str

    Returns
    -------
    contents : list of bytes or UnreadableImageError
        In the order of ``urls``; the error of a file that could not be fetched stands in its
        place.
    """
    contents: list[bytes | UnreadableImageError] = [UnreadableImageError("not fetched")] * len(urls)
    stores: dict[int, tuple[Any, list[int], list[str]]] = {}
    for position, url in enumerate(urls):
        try:
            filesystem, path = _locate(url)
        except Exception as error:
            contents[position] = _unreadable(error)
            continue
        _, positions, paths = stores.setdefault(id(filesystem), (filesystem, [], []))
        positions.append(position)
        paths.append(path)
    for filesystem, positions, paths in stores.values():
        for position, fetched in zip(positions, _fetch_all(filesystem, paths), strict=True):
            failed = isinstance(fetched, BaseException)
            contents[position] = _unreadable(fetched) if failed else bytes(fetched)
    return contents


def _fetch_all(filesystem: Any, paths: list[str]) -> list[Any]:
    try:
        # Not `cat`, which would take a [ or * in a name for a wildcard.
        fetched: list[Any] = filesystem.cat_ranges(paths, None, None, on_error="return")
        return fetched
    except Exception as error:
        return [error] * len(paths)


def cache_key_of_url(url: str) -> tuple[str, str] | None:
    """Tell what a remote file is known by from one scan to the next, without fetching it.

    Parameters
    ----------
    url : str

    Returns
    -------
    key_and_stamp : tuple of two str, or None
        The URL, and the state of the file: its checksum or entity tag, times and size, as far
        as the store tells. None if it tells no more than the size, or does not answer.
    """
    try:
        filesystem, path = _locate(url)
        facts = filesystem.info(path)
    except Exception:  # reading the file will tell why
        return None
    state = [f"{field}={facts[field]}" for field in _STATE_FIELDS if facts.get(field) is not None]
    return (url, ":".join([*state, f"size={facts.get('size')}"])) if state else None


def open_url(url: str) -> AbstractContextManager[Any]:
    """Open a remote file for reading, as a context manager.

    Raises
    ------
    ImportError, ValueError, OSError
        If a package is missing, there is no such protocol, or the store refuses.
    """
    filesystem, path = _locate(url)
    opened: AbstractContextManager[Any] = filesystem.open(path, "rb")
    return opened


def path_in(url: str) -> str:
    """Return the path within the outermost store of a URL.

    Examples
    --------
    >>> path_in("zip://cats/*.jpg::s3://bucket/photos.zip")
    'cats/*.jpg'
    """
    return _split(url)[1]


def find_urls(url: str, recursive: bool) -> tuple[list[str], Counter[str]]:
    """List the image files below a URL, by their extension.

    Parameters
    ----------
    url : str
        A folder, or a pattern with wildcards, which says by itself how deep it goes.
    recursive : bool
        Whether to descend into sub-folders.

    Returns
    -------
    urls : list of str
        Sorted. Each begins with the folder as given.
    passed_over : Counter of str
        What was passed over: kind → number of files.

    Raises
    ------
    ImportError, ValueError
        If a package is missing, or there is no such protocol.
    FileNotFoundError, NotADirectoryError
        If there is no such folder, or it is a file.
    """
    filesystem, path = _locate(url)
    filesystem.invalidate_cache()  # a listing of before would hide what has changed since
    before, inner, after = _split(url)
    if _WILDCARD.search(inner) and not filesystem.isdir(path):
        parts = inner.split("/")
        literal = next(i for i, part in enumerate(parts) if _WILDCARD.search(part))
        inner = "/".join(parts[:literal])
        found = filesystem.glob(path, detail=True)
        _, path = _locate(before + inner + after)
    else:
        found = filesystem.find(path, maxdepth=None if recursive else 1, detail=True)
        _check_folder(filesystem, path, url, found)
    start = before + inner + ("/" if inner and not inner.endswith("/") else "")
    urls, passed_over = [], Counter[str]()
    for name, facts in found.items():
        relative = name.removeprefix(path).lstrip("/")
        if facts.get("type") != "file" or not relative:
            continue
        if is_hidden(relative):
            passed_over["hidden"] += 1
        elif "::" in relative:  # which no URL can name: it would be taken for a chain
            passed_over["with '::' in the name"] += 1
        elif has_image_extension(relative):
            urls.append(start + relative + after)
        else:
            passed_over[f"not images ({extension_of(relative) or 'no extension'})"] += 1
    return sorted(urls), passed_over


def _check_folder(filesystem: Any, path: str, url: str, found: dict[str, Any]) -> None:
    if not found and not filesystem.exists(path):
        raise FileNotFoundError(f"no such folder: {url!r}")
    if list(found) == [path] or (not found and filesystem.isfile(path)):
        hint = f"; the images in it are 'zip://::{url}'" if extension_of(url) == ".zip" else ""
        raise NotADirectoryError(f"not a folder: {url!r}{hint}")


def _split(url: str) -> tuple[str, str, str]:
    """Return what stands before the path of the outermost store, the path, and what follows."""
    match = _CHAIN.fullmatch(url)
    if match is None:
        raise ValueError(f"not a URL: {url!r}")
    before, path, after = match.groups()
    return before, path, after


def _locate(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    try:
        import fsspec.core
    except ImportError as error:
        raise ImportError("URLs need the extra: pip install 'imagequality[remote]'") from error
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise ImportError(_what_to_install(url, error)) from error
    return filesystem, path.rstrip("/") if len(path) > 1 else path


def _what_to_install(url: str, error: ImportError) -> str:
    for protocol in re.findall(rf"(?:^|::)({_PROTOCOL})(?=:)", url):
        package = _PACKAGES.get(protocol.lower())
        if package is not None and importlib.util.find_spec(package) is None:
            return f"reading {protocol}:// needs: pip install {package}"
    return f"reading {url.split('://')[0]}:// needs a package: {error}"


def _unreadable(error: Any) -> UnreadableImageError:
    """Return the error of a store in words."""
    if isinstance(error, UnreadableImageError):
        return error
    if isinstance(error, (FileNotFoundError, KeyError)):  # an archive knows no such key
        return UnreadableImageError("file not found")
    if isinstance(error, PermissionError):
        return UnreadableImageError("no permission to read the file")
    if isinstance(error, IsADirectoryError):
        return UnreadableImageError("is a folder")
    if isinstance(error, ImportError):
        return UnreadableImageError(words_of(error))
    return UnreadableImageError(f"cannot be fetched: {words_of(error)}")
