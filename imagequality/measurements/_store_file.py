"""The file of a store: opened or refused, and what its faults mean to a user."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

TIMEOUT = 60.0  # seconds to wait for another writer, whose transactions take milliseconds
_APPLICATION_ID = int.from_bytes(b"iqms", "big")  # in the header: tells our files from others
_FORMAT_VERSION = 2
_CACHE = 8 * 1024  # KiB of pages, so that memory does not grow with the store

_SCHEMA = """
CREATE TABLE images (
    key TEXT PRIMARY KEY NOT NULL,
    stamp TEXT NOT NULL,
    column_set INTEGER NOT NULL REFERENCES column_sets (id),
    checksum INTEGER NOT NULL
);
CREATE TABLE columns (
    name TEXT PRIMARY KEY NOT NULL, sql_name TEXT NOT NULL, version TEXT NOT NULL, kind TEXT
);
CREATE TABLE column_sets (id INTEGER PRIMARY KEY, versions TEXT NOT NULL UNIQUE);
"""

_TABLES = ("images", "columns", "column_sets")

_DAMAGED = (
    "is a damaged measurement store: delete it (and the files of its name that end in -wal and "
    "-shm), or give another path; the images will be measured again"
)
_FOREIGN = (
    "is no measurement store of imagequality, or a damaged one, and is left as it is: give another "
    "path, or delete the file if nobody needs it"
)
_EXPLANATIONS = {
    "locked": "is being written by another process for too long: wait for that process",
    "readonly": "cannot be written: give a path that can be",
    "unable to open": "cannot be opened: check the permissions of the file and its folder",
    "full": "cannot be written: no space is left on the disk",
}


class StoreError(ValueError):
    """A file that cannot be used as a store of measurements; the message says what to do."""


class DamagedError(Exception):
    """What was read cannot have been written by a store."""


def open_store(path: str, timeout: float) -> tuple[bool, sqlite3.Connection]:
    """Open or make a store: whether it can be written, and the connection."""
    exists = _refuse_foreign(path)
    writable = not exists or _may_write(path)
    with faults(path):
        connection = _connect(path, timeout, make=not exists)
        try:
            if not exists:
                make_tables(connection)
            if writable:
                prepare_for_writing(connection)
            _refuse_foreign_schema(connection, path)
            connection.execute("SELECT count(*) FROM column_sets").fetchone()  # shows damage
        except BaseException:
            connection.close()
            raise
    return writable, connection


@contextlib.contextmanager
def open_to_read(path: str) -> Iterator[sqlite3.Connection]:
    """One state of an existing store, whatever others write meanwhile."""
    if not _refuse_foreign(path):
        raise StoreError(f"{path!r} does not exist, or is empty: no image was measured into it")
    with (
        faults(path),
        contextlib.closing(_connect(path, TIMEOUT)) as connection,
        transaction(connection, "DEFERRED"),
    ):
        _refuse_foreign_schema(connection, path)
        yield connection


def _refuse_foreign(path: str) -> bool:
    """Refuse what is no store, before SQLite touches it; tell whether there is one already.

    Of an empty file nothing can be lost: it is what remains of a store whose process was killed
    before the tables were made.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        parent = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(parent):
            raise StoreError(
                f"{path!r} cannot be made: the folder {parent!r} does not exist"
            ) from None
        return False
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise StoreError(f"{path!r} cannot be read: {error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"{path!r} is a folder or device: give the path of a file")
    if not status.st_size:
        return False
    application_id, format_version = _numbers_in_header(path)
    if application_id != _APPLICATION_ID:
        raise StoreError(f"{path!r} {_FOREIGN}")
    if format_version < _FORMAT_VERSION:
        raise StoreError(
            f"{path!r} is a measurement store in format {format_version}, of an earlier version of "
            "imagequality: delete it, or give another path; the images will be measured again"
        )
    if format_version > _FORMAT_VERSION:
        raise StoreError(
            f"{path!r} is a measurement store in format {format_version}, this version of "
            f"imagequality knows format {_FORMAT_VERSION}: install a newer imagequality, or give "
            "another path"
        )
    return True


def _numbers_in_header(path: str) -> tuple[int, int]:
    """Return whose file it is, and the version of its format.

    By SQLite, not by reading the file: when a process closes a file of its own accord, it loses
    the locks of every connection that it has to it (https://www.sqlite.org/howtocorrupt.html).
    """
    try:
        with contextlib.closing(_connect(path, TIMEOUT)) as connection:
            (application_id,) = connection.execute("PRAGMA application_id").fetchone()
            (format_version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path!r} {_explained(error)}") from error
    # Python cannot decode every message of SQLite's that quotes a damaged file.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise StoreError(f"{path!r} {_FOREIGN} ({error})") from error
    return application_id, format_version


def _refuse_foreign_schema(connection: sqlite3.Connection, path: str) -> None:
    """Refuse views, triggers and virtual tables before any row is read.

    A store may come from others, and a view in the place of a table can run for ever: SQLite is
    not to be interrupted meanwhile, not even by Ctrl-C.
    """
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master"):
        own_table = kind == "table" and name in _TABLES and sql.startswith("CREATE TABLE ")
        own_index = kind == "index" and sql is None  # of a primary key or a unique column
        if not (own_table or own_index):
            raise StoreError(f"{path!r} {_FOREIGN} (it has the {kind} {name!r})")


def _may_write(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _connect(path: str, timeout: float, make: bool = False) -> sqlite3.Connection:
    # Also for reading a connection that may write: it puts right what a killed process left, and
    # the last one to close removes the files of the write-ahead log.
    mode = "rwc" if make else "rw" if _may_write(path) else "ro"
    address = f"{Path(path).absolute().as_uri()}?mode={mode}"
    folder = os.path.dirname(os.path.abspath(path))
    if mode == "ro" and not _may_write(folder) and not os.path.exists(f"{path}-wal"):
        # SQLite reads a store with a write-ahead log only where it may make files beside it,
        # unless it knows that nobody can write. On read-only media nobody can.
        address += "&immutable=1"
    # The scan looks rows up in the thread that hands out its tasks; it sees to it that no two
    # threads use a store at once.
    connection = sqlite3.connect(
        address, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    except BaseException:
        connection.close()
        raise
    return connection


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another process has done so meanwhile."""
    with transaction(connection, "IMMEDIATE"):
        if connection.execute("PRAGMA application_id").fetchone() != (0,):
            return
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_FORMAT_VERSION}")


def prepare_for_writing(connection: sqlite3.Connection) -> None:
    """Choose the write-ahead log, with which readers go on while one process writes.

    Some file systems, of networks mostly, cannot share its index: there the rollback journal
    stays, which makes readers and writers wait for each other.
    """
    try:
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.OperationalError:
        journal = "delete"
    # With the log a loss of power may cost the last transactions, never the file; with the
    # journal only the full setting is as safe. A killed process costs neither anything.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """All or nothing: for reading "DEFERRED", one state; for writing "IMMEDIATE", one writer."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # an error of the work or of the commit itself
            with contextlib.suppress(sqlite3.Error):  # must not hide that error
                connection.execute("ROLLBACK")


@contextlib.contextmanager
def faults(path: str) -> Iterator[None]:
    """Turn SQLite's errors into one that says what to do."""
    try:
        yield
    except sqlite3.ProgrammingError:  # the use of a closed store is no fault of the file
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path!r} {_explained(error)}") from error
    # Damage can also show in what was read: a row or table of which parts are missing.
    except (DamagedError, UnicodeDecodeError) as error:
        raise StoreError(f"{path!r} {_DAMAGED} ({error})") from error


def _explained(error: sqlite3.DatabaseError) -> str:
    # Python 3.10 gives no error codes; SQLite's messages have been the same for many years.
    if type(error) is sqlite3.OperationalError:
        for words, explanation in _EXPLANATIONS.items():
            if words in str(error):
                return f"{explanation} ({error})"
        if "I/O" in str(error) or "too many" in str(error):
            return f"cannot be used: {error}"
    return f"{_DAMAGED} ({error})"
