"""All pairs of hashes within a Hamming distance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ROWS, _COLUMNS = 64, 8192  # one block of the distance matrix: it stays in the processor's cache


class Pairs(NamedTuple):
    """Neighbouring items i < j and their distances, three arrays of equal length."""

    i: NDArray[np.int64]
    j: NDArray[np.int64]
    distance: NDArray[np.int64]


def unpack_hashes(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Bring hexadecimal hashes to words of 64 bits.

    Parameters
    ----------
    hashes : sequence of str
        All of one length, a multiple of 16 hexadecimal digits.

    Returns
    -------
    words : ndarray of shape (n, n_words), uint64

    Examples
    --------
    >>> unpack_hashes(["00000000000000ff"])
    array([[255]], dtype=uint64)
    """
    if not len(hashes):
        return np.empty((0, 1), dtype=np.uint64)
    digits = len(hashes[0])
    try:
        raw = bytes.fromhex("".join(hashes))
    except ValueError as error:
        raise ValueError(f"hashes must be hexadecimal text: {error}") from error
    if digits % 16 or len(raw) * 2 != digits * len(hashes):
        raise ValueError(
            f"hashes must all have one length, a multiple of 16 hexadecimal digits; got {digits}"
        )
    return np.frombuffer(raw, dtype=">u8").reshape(len(hashes), -1).astype(np.uint64)


def hamming_pairs(hashes: NDArray[np.uint64], max_distance: int) -> Pairs:
    """Find all pairs of rows that differ in at most ``max_distance`` bits.

    Exact: every pair is compared, in blocks, so that memory stays bounded by the result. The
    cost grows with n².

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    max_distance : int
        In bits.

    Returns
    -------
    pairs : Pairs
        Sorted by i, then j.

    Examples
    --------
    >>> import numpy as np
    >>> hamming_pairs(np.array([[0b111], [0b110], [0b000]], np.uint64), 1)
    Pairs(i=array([0]), j=array([1]), distance=array([1]))
    """
    n = len(hashes)
    words = [np.ascontiguousarray(word) for word in hashes.T]
    found: list[tuple[NDArray[np.int64], ...]] = []
    for top in range(0, n, _ROWS):
        bottom = min(top + _ROWS, n)
        for left in range(top, n, _COLUMNS):
            right = min(left + _COLUMNS, n)
            distance = np.zeros((bottom - top, right - left), dtype=np.uint16)
            for word in words:
                distance += np.bitwise_count(word[top:bottom, None] ^ word[None, left:right])
            row, column = np.nonzero(distance <= max_distance)
            i, j = row + top, column + left
            upper = i < j
            if upper.any():
                i, j = i[upper], j[upper]
                found.append((i, j, distance[i - top, j - left].astype(np.int64)))
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return Pairs(empty, empty, empty)
    i, j, d = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((j, i))
    return Pairs(i[order], j[order], d[order])
