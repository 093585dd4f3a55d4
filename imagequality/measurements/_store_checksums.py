"""A checksum of each row of a store: SQLite sees damage to its pages, not a changed digit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DOUBLE, _BITS = struct.Struct("<d"), struct.Struct("<Q")
_WORD = (1 << 64) - 1
_NO_VALUE = 0x7FF8000000000000  # the bits of NaN, which is stored as NULL
_OF_TEXT, _OF_BYTES = 1 << 62, 1 << 63  # text and bytes of the same content differ
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no two sums become one
_HALF = np.uint64(32)


def checksums(
    number: int,
    versions: Mapping[str, str],
    keys: Sequence[str | bytes],
    stamps: Sequence[str],
    columns: Mapping[str, Sequence[Any]],
) -> list[int]:
    """Return the checksum of each of some rows that hold the same columns.

    Parameters
    ----------
    number : int
        Of the column set.
    versions : mapping of str to str
        The column set.
    keys, stamps : sequences of length n
    columns : mapping of str to sequence of length n
        The cells as SQLite has them, of each column of the set: int, float, str, bytes or None.

    Returns
    -------
    checksums : list of n int
        Of 64 bits, signed; the same whatever the order of the columns and on any machine.

    Examples
    --------
    >>> one = checksums(1, {"width": "1"}, ["a", "b"], ["", ""], {"width": [640, 800]})
    >>> other = checksums(1, {"width": "1"}, ["a", "b"], ["", ""], {"width": [641, 800]})
    >>> one[0] == other[0], one[1] == other[1]
    (False, True)
    """
    start = zlib.crc32(repr((number, sorted(versions.items()))).encode("utf-8", "backslashreplace"))
    sums = np.full(len(keys), start, dtype=np.uint64)
    for name, cells in (("", keys), ("", stamps), *sorted(columns.items())):
        sums += np.uint64(zlib.crc32(name.encode("utf-8", "surrogatepass")))
        sums = (sums ^ _hashes(cells)) * _MULTIPLIER
        sums ^= sums >> _HALF
    return list(sums.view(np.int64).tolist())


def _hashes(cells: Sequence[Any]) -> NDArray[np.uint64]:
    if set(map(type, cells)) <= {float, type(None)}:  # most columns, all at once
        numbers = np.array(cells, dtype=np.float64) + 0.0  # no negative zero, as below
        hashes: NDArray[np.uint64] = numbers.view(np.uint64)
        hashes[np.isnan(numbers)] = _NO_VALUE
        return hashes
    return np.fromiter(map(_hash, cells), dtype=np.uint64, count=len(cells))


def _hash(cell: Any) -> int:
    if cell is None or cell != cell:
        return _NO_VALUE
    if isinstance(cell, int):
        return cell & _WORD
    if isinstance(cell, float):
        # SQLite does not tell a negative zero from zero.
        (bits,) = _BITS.unpack(_DOUBLE.pack(cell + 0.0))
        return int(bits)
    if isinstance(cell, str):
        return _OF_TEXT ^ _of_bytes(cell.encode("utf-8", "surrogatepass"))
    return _OF_BYTES ^ _of_bytes(cell)


def _of_bytes(content: bytes) -> int:
    return zlib.crc32(content) | (len(content) & 0xFFFFFF) << 32
