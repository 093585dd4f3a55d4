"""Images in zip and tar archives, read where they lie: nothing is ever unpacked to disk."""

from __future__ import annotations

import atexit
import functools
import os
import tarfile
import threading
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from ._errors import UnreadableImageError, words_of
from ._formats import (
    HEAD_LENGTH,
    extension_of,
    has_image_extension,
    is_hidden,
    is_image_head,
)

MAX_MEMBER_BYTES = 2**30
"""Largest member that is read, in bytes when unpacked: a guard against zip bombs.

An uncompressed image of ``MAX_PIXELS`` pixels in 16-bit grey or 8-bit RGB fits.
"""

DAMAGED_REST = "damaged rest of the archive"

_MOST_OPEN = 16  # archives per process; the index of 10,000 members takes some megabytes
_ENCRYPTED = 0x1

_COMPRESSED_TARS = (
    ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.zst", ".tzst",
)  # fmt: skip

Kind = Literal["zip", "tar", "compressed tar"]
Result = TypeVar("Result")


@dataclass(frozen=True, order=True, slots=True)
class ArchiveMember:
    """A reference to an image in an archive. :func:`list_images` makes them.

    Parameters
    ----------
    archive : str
        Path of a zip archive, or of a tar archive that is not compressed.
    name : str
        Name of the file in it, exactly as the archive has it.

    Notes
    -----
    An archive is opened, and its index read, once per process: 16 stay open, and the one used
    longest ago is closed first. Threads share them. One that has changed on disk is opened
    anew. Of several files of one name the last counts, as it would when unpacking.

    Examples
    --------
    >>> str(ArchiveMember("photos.zip", "cats/1.jpg"))
    'photos.zip!/cats/1.jpg'
    """

    archive: str
    name: str

    def __str__(self) -> str:
        return member_label(self.archive, self.name)

    def read_bytes(self) -> bytes:
        """Return the unpacked file.

        Returns
        -------
        data : bytes

        Raises
        ------
        UnreadableImageError
            If the archive or the file is missing, damaged, encrypted or larger than 1 GiB.
        """
        try:
            return _with_archive(self.archive, lambda archive: archive.read(self.name))
        except FileNotFoundError as error:
            raise UnreadableImageError("archive not found") from error
        except PermissionError as error:
            raise UnreadableImageError("no permission to read the archive") from error

    def cache_key(self) -> tuple[str, str]:
        """Tell what the image is known by from one scan to the next.

        Returns
        -------
        key : str
            The absolute path of the archive, and the name in it.
        stamp : str
            The time at which the archive was changed, in nanoseconds, and the size and checksum
            (of a tar: the time) of the member.

        Raises
        ------
        OSError, UnreadableImageError
            If the archive cannot be opened, or has no such member.
        """
        changed = os.stat(self.archive).st_mtime_ns
        stamp = _with_archive(self.archive, lambda archive: archive.stamp(self.name))
        return member_label(os.path.abspath(self.archive), self.name), f"{changed}:{stamp}"


def member_label(archive: str, name: str) -> str:
    """Return how a member is called in a table."""
    return f"{archive}!/{name.removeprefix('./')}"


def archive_kind(path: str) -> Kind | None:
    """Tell by the extension, or else by the first bytes, what kind of archive a file is.

    Examples
    --------
    >>> archive_kind("shard.tar.gz"), archive_kind("photos.ZIP"), archive_kind("a.jpg")
    ('compressed tar', 'zip', None)
    """
    name = path.lower()
    if name.endswith((".zip", ".cbz")):
        return "zip"
    if name.endswith(".tar"):
        return "tar"
    if name.endswith(_COMPRESSED_TARS):
        return "compressed tar"
    if has_image_extension(name) or not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    return "tar" if head[257:262] == b"ustar" else None


def list_members(path: str, recursive: bool) -> tuple[list[ArchiveMember], Counter[str]]:
    """List the images in an archive.

    Parameters
    ----------
    path : str
    recursive : bool
        Whether to list what lies in folders of the archive.

    Returns
    -------
    members : list of ArchiveMember
        Sorted by name.
    passed_over : Counter of str
        What was passed over: kind → number of members.

    Raises
    ------
    ValueError
        If it is no archive that can be read at random.
    OSError
        If it cannot be opened.
    """
    if archive_kind(path) == "compressed tar":
        raise ValueError(
            f"{path!r} is compressed as a whole, so no image in it can be read by itself; "
            f"measure(stream_images({path!r})) reads it from beginning to end, or unpack it"
        )
    names, passed_over = _with_archive(path, image_names)
    members = [ArchiveMember(path, name) for name in names]
    if not recursive:
        members = [member for member in members if "/" not in member.name.removeprefix("./")]
    return sorted(members), passed_over


def image_names(archive: ZipArchive | TarArchive) -> tuple[list[str], Counter[str]]:
    """Return the names of the images in an open archive, and what was passed over."""
    names, passed_over = [], Counter(archive.passed_over)
    for name in archive.names():
        kind = kind_passed_over(name, functools.partial(archive.head, name))
        if kind is None:
            names.append(name)
        else:
            passed_over[kind] += 1
    return names, passed_over


def kind_passed_over(name: str, head: Callable[[], bytes]) -> str | None:
    """Tell why a member is passed over; None if it is an image.

    Parameters
    ----------
    name : str
    head : callable
        Gives the first bytes of the member; called only where its name does not tell.
    """
    if is_hidden(name):
        return "hidden"
    if has_image_extension(name) or is_image_head(head()):
        return None
    return f"not images ({extension_of(name) or 'no extension'})"


# ------------------------------------------------------------------- one open archive


class _ClosedError(Exception):
    """The archive was closed by another thread, to make room for others."""


class ZipArchive:
    """An open zip archive. Threads may read from it at the same time.

    Parameters
    ----------
    source : str or binary file object
        A file object must be seekable; it is not closed.
    """

    def __init__(self, source: Any) -> None:
        self.lock = threading.Lock()
        self.closed = False
        self._zip = zipfile.ZipFile(source)
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        self._members = {info.filename: info for info in files}
        self.passed_over = _repeated(len(files) - len(self._members))

    def names(self) -> list[str]:
        """Return the names of the files in the order in which these lie in the archive."""
        files = sorted(self._members.values(), key=lambda info: info.header_offset)
        return [info.filename for info in files]

    def read(self, name: str) -> bytes:
        """Return one file.

        Raises
        ------
        UnreadableImageError
            With the reason.
        """
        info = _known(self._members, name)
        check_member_size(info.file_size)
        return self._read(info, info.file_size)

    def head(self, name: str) -> bytes:
        """Return the first bytes of a file; none if it cannot be read."""
        try:
            return self._read(self._members[name], HEAD_LENGTH)
        except UnreadableImageError:
            return b""

    def stamp(self, name: str) -> str:
        """Return size and checksum of a file."""
        info = _known(self._members, name)
        return f"{info.file_size}:{info.CRC:08x}"

    def _read(self, info: zipfile.ZipInfo, length: int) -> bytes:
        if info.flag_bits & _ENCRYPTED:
            raise UnreadableImageError("encrypted in the archive")
        try:
            # zipfile counts the files open in it, and that count is not safe between threads.
            with self.lock:
                if self.closed:
                    raise _ClosedError
                file = self._zip.open(info)
            try:
                # Not more than declared: a bomb may hold more than it says.
                return file.read(length)
            finally:
                with self.lock:
                    file.close()
        except _ClosedError:
            raise
        except Exception as error:  # zlib.error, EOFError, BadZipFile, NotImplementedError, …
            raise damaged(error) from error

    def close(self) -> None:
        """Close it; files being read from it are read to their end."""
        with self.lock:
            self.closed = True
            self._zip.close()


class TarArchive:
    """An open tar archive without compression. Threads read from it one after the other.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        self.lock = threading.Lock()
        self.closed = False
        self._tar = tarfile.open(path, "r:", tarinfo=StrictTarInfo)  # noqa: SIM115
        self._members: dict[str, tarfile.TarInfo] = {}
        files = 0
        damages: Counter[str] = Counter()
        try:
            for info in self._tar:
                if is_tar_file(info):
                    files += 1
                    self._members[info.name] = info
        except (tarfile.TarError, OSError):  # what lies before the damage can be read
            damages[DAMAGED_REST] += 1
        self.passed_over = _repeated(files - len(self._members)) + damages

    def names(self) -> list[str]:
        """Return the names of the files in the order in which these lie in the archive."""
        return sorted(self._members, key=lambda name: self._members[name].offset)

    def read(self, name: str) -> bytes:
        """Return one file.

        Raises
        ------
        UnreadableImageError
            With the reason.
        """
        info = _known(self._members, name)
        check_member_size(info.size)
        return self._read(info, -1)

    def head(self, name: str) -> bytes:
        """Return the first bytes of a file; none if it cannot be read."""
        try:
            return self._read(self._members[name], HEAD_LENGTH)
        except UnreadableImageError:
            return b""

    def stamp(self, name: str) -> str:
        """Return size and time of a file; a tar has no checksums of what it holds."""
        info = _known(self._members, name)
        return f"{info.size}:{info.mtime}"

    def _read(self, info: tarfile.TarInfo, length: int) -> bytes:
        with self.lock:  # one position in the file for all
            if self.closed:
                raise _ClosedError
            try:
                file = self._tar.extractfile(info)
                return b"" if file is None else file.read(length)
            except KeyError as error:
                raise UnreadableImageError(
                    f"a link to what is not in the archive: {info.linkname!r}"
                ) from error
            except Exception as error:
                raise damaged(error) from error

    def close(self) -> None:
        """Close it."""
        with self.lock:
            self.closed = True
            self._tar.close()


class StrictTarInfo(tarfile.TarInfo):
    """Takes a damaged header for the error that it is, where tarfile takes it for the end."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        """Read the next header."""
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


def is_tar_file(info: tarfile.TarInfo) -> bool:
    """Whether this is a file, or a link: of files with two names tar stores one as a link."""
    return info.isreg() or info.islnk() or info.issym()


def check_member_size(size: int) -> None:
    """Refuse what is too large to unpack.

    Raises
    ------
    UnreadableImageError
        If ``size`` is above ``MAX_MEMBER_BYTES``.
    """
    if size > MAX_MEMBER_BYTES:
        raise UnreadableImageError(
            f"too large to unpack: {size:,} bytes, the limit is {MAX_MEMBER_BYTES:,}"
        )


def damaged(error: Exception) -> UnreadableImageError:
    """Return the error of a damaged member in words."""
    return UnreadableImageError(f"cannot be read from the archive: {words_of(error)}")


def _repeated(count: int) -> Counter[str]:
    return Counter({"replaced by a later one of the same name": count} if count else {})


def _known(members: dict[str, Any], name: str) -> Any:
    if name not in members:
        raise UnreadableImageError("not in the archive")
    return members[name]


def _open(path: str) -> ZipArchive | TarArchive:
    kind = archive_kind(path)
    if not os.path.isfile(path):  # a FIFO would be waited for
        raise UnreadableImageError(f"{path!r} is not a regular file")
    try:
        return ZipArchive(path) if kind == "zip" else TarArchive(path)
    except OSError:
        raise
    except Exception as error:  # BadZipFile, ReadError, struct.error, …
        raise UnreadableImageError(
            f"{path!r} cannot be read as a {kind or 'tar'} archive: {words_of(error)}"
        ) from error


# ------------------------------------------------- the open archives of this process


class _OpenArchives:
    """The archives that are open, the one used last at the end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._archives: OrderedDict[str, tuple[Any, ZipArchive | TarArchive]] = OrderedDict()

    def get(self, path: str) -> ZipArchive | TarArchive:
        status = os.stat(path)
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self._lock:  # held while an index is read, so that no two threads read it
            known_state, archive = self._archives.get(path, (None, None))
            if archive is None or known_state != state:
                if archive is not None:
                    archive.close()
                archive = _open(path)
                self._archives[path] = (state, archive)
            self._archives.move_to_end(path)
            if len(self._archives) > _MOST_OPEN:
                _, (_, oldest) = self._archives.popitem(last=False)
                oldest.close()
        return archive

    def close(self) -> None:
        with self._lock:
            for _, archive in self._archives.values():
                archive.close()
            self._archives.clear()


_open_archives = _OpenArchives()
atexit.register(lambda: _open_archives.close())


def _open_none() -> None:
    """In a process just forked: its parent's files share their position with it."""
    global _open_archives
    _open_archives = _OpenArchives()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_none)


def _with_archive(path: str, action: Callable[[ZipArchive | TarArchive], Result]) -> Result:
    """Do something with an open archive."""
    while True:
        try:
            return action(_open_archives.get(path))
        except _ClosedError:  # between the two: ask for it again
            continue
