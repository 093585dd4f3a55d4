"""Hashes as words of 64 bits, and all pairs of them within a Hamming distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ._hamming_join import Block, brute_force_seconds, join_tasks, plan_blocks
from ._pairs import CHUNK, Pairs, expand_ranges, index_chunks, run_in_threads, sorted_pairs

_ROWS, _COLUMNS = 64, 8192  # one block of the distance matrix: it stays in the processor's cache


def unpack_hashes(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Bring hexadecimal hashes to words of 64 bits.

    Parameters
    ----------
    hashes : sequence of str
        Hexadecimal digits, all of one length. Lengths that fill no whole word (imagehash's
        colorhash has 11 digits) are filled up with zeros from the left.

    Returns
    -------
    words : ndarray of shape (n, n_words), uint64
        16 digits a word, the leading ones first.

    Raises
    ------
    ValueError
        For hashes of several lengths, empty ones, or what is not hexadecimal.

    Examples
    --------
    >>> unpack_hashes(["00000000000000ff"])
    array([[255]], dtype=uint64)
    >>> unpack_hashes(["00000000101"])
    array([[257]], dtype=uint64)
    """
    if not len(hashes):
        return np.empty((0, 1), dtype=np.uint64)
    lengths = {len(text) for text in hashes}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(f"hashes must all have one length, at least 1; got {sorted(lengths)[:5]}")
    digits = lengths.pop()
    filling = "0" * (-digits % 16)
    try:
        raw = bytes.fromhex("".join([filling + text for text in hashes] if filling else hashes))
    except ValueError as error:
        raise ValueError(f"hashes must be hexadecimal text: {error}") from error
    if len(raw) * 2 != (digits + len(filling)) * len(hashes):  # fromhex passes over white space
        raise ValueError("hashes must be hexadecimal text, without white space")
    return np.frombuffer(raw, dtype=">u8").reshape(len(hashes), -1).astype(np.uint64)


# --- all pairs within a distance ----------------------------------------------------------------


def hamming_pairs(
    hashes: NDArray[np.uint64],
    max_distance: int,
    others: NDArray[np.uint64] | None = None,
) -> Pairs:
    """Find all pairs of rows that differ in at most ``max_distance`` bits.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
        As ``unpack_hashes`` gives them. Rows may repeat.
    max_distance : int
        In bits, at least 0.
    others : ndarray of shape (m, n_words), uint64, default=None
        None: pairs i < j of ``hashes``. Else pairs of row i of ``hashes`` with row j of
        ``others``, for any i and j.

    Returns
    -------
    pairs : Pairs
        Sorted by i, then j; the distances are int64, in bits.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional or of different widths, or the distance is
        negative.

    See Also
    --------
    iter_hamming_pairs : The same pairs in pieces, where all of them are too many.

    Notes
    -----
    Exact. Small collections and large distances are compared all against all; otherwise only
    hashes that nearly agree in some block of bits are compared (multi-index hashing), whichever
    promises to be faster. Beside the result, memory grows with n only. It runs in as many
    threads as there are cores; the result does not depend on their number.

    Examples
    --------
    >>> import numpy as np
    >>> hashes = np.array([[0b111], [0b110], [0b000]], np.uint64)
    >>> hamming_pairs(hashes, 1)
    Pairs(i=array([0]), j=array([1]), distance=array([1]))
    >>> hamming_pairs(hashes, 1, others=np.array([[0b001]], np.uint64))
    Pairs(i=array([2]), j=array([0]), distance=array([1]))
    """
    return sorted_pairs(iter_hamming_pairs(hashes, max_distance, others), dtype=np.int64)


def iter_hamming_pairs(
    hashes: NDArray[np.uint64],
    max_distance: int,
    others: NDArray[np.uint64] | None = None,
) -> Iterator[Pairs]:
    """Find the pairs of ``hamming_pairs`` piece by piece, in bounded memory.

    Parameters
    ----------
    hashes, max_distance, others
        As in ``hamming_pairs``.

    Returns
    -------
    chunks : iterator of Pairs
        Each pair once, in no fixed order; a chunk holds at most some hundred thousand.

    Examples
    --------
    Only the number of neighbours of each row is kept:

    >>> import numpy as np
    >>> hashes = np.zeros((1000, 1), np.uint64)
    >>> degree = np.zeros(1000, int)
    >>> for chunk in iter_hamming_pairs(hashes, 0):
    ...     degree += np.bincount(chunk.i, minlength=1000) + np.bincount(chunk.j, minlength=1000)
    >>> int(degree.min()), int(degree.max())
    (999, 999)
    """
    hashes, others = _check_hashes(hashes, others)
    if not isinstance(max_distance, (int, np.integer)) or max_distance < 0:
        raise ValueError(f"max_distance must be an integer of at least 0, got {max_distance!r}")
    return _iter_pairs(hashes, int(max_distance), others)


def _check_hashes(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint64] | None]:
    for name, words in (("hashes", hashes), ("others", others)):
        if words is None:
            continue
        if words.ndim != 2 or words.shape[1] == 0 or words.dtype != np.uint64:
            raise ValueError(
                f"{name} must be uint64 of shape (n, n_words), got {words.dtype} of {words.shape}"
            )
    if others is not None and others.shape[1] != hashes.shape[1]:
        # An empty list of hashes unpacks to one word, whatever the length of its neighbours.
        if len(others) and len(hashes):
            raise ValueError(
                f"hashes and others must have one number of words, got {hashes.shape[1]} "
                f"and {others.shape[1]}"
            )
        width = max(hashes.shape[1], others.shape[1])
        hashes, others = (
            words if len(words) else np.empty((0, width), dtype=np.uint64)
            for words in (hashes, others)
        )
    return hashes, others


def _iter_pairs(
    hashes: NDArray[np.uint64],
    max_distance: int,
    others: NDArray[np.uint64] | None,
    *,
    blocks: list[Block] | None = None,
    chunk: int = CHUNK,
    n_threads: int | None = None,
) -> Iterator[Pairs]:
    """Search among the distinct rows, then bring back the repeated ones.

    ``blocks`` forces the join by these blocks, or all against all if empty; None chooses.
    """
    if not len(hashes) or (others is not None and not len(others)):
        return
    left = _group_rows(hashes)
    right = left if others is None else _group_rows(others)
    distinct = None if others is None else right.rows
    if blocks is None:
        blocks = _choose_blocks(left.rows, distinct, max_distance)
    if blocks:
        tasks = join_tasks(left.rows, distinct, max_distance, blocks, chunk)
    else:
        tasks = _brute_force_tasks(left.rows, distinct, max_distance)
    if others is None:
        yield from _pairs_within_groups(left, chunk)
    for pairs in run_in_threads(tasks, n_threads):
        for expanded in _repeat_members(pairs, left, right, chunk):
            yield _orient(expanded) if others is None else expanded


def _choose_blocks(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, max_distance: int
) -> list[Block]:
    """Return the blocks to join by, none where comparing all pairs is faster."""
    all_pairs = brute_force_seconds(hashes, others)
    if all_pairs < 0.05 or max_distance >= 64 * hashes.shape[1]:  # planning takes as long
        return []
    seconds, blocks = plan_blocks(hashes, others, max_distance)
    return blocks if seconds < all_pairs else []


def _orient(pairs: Pairs) -> Pairs:
    return Pairs(np.minimum(pairs.i, pairs.j), np.maximum(pairs.i, pairs.j), pairs.distance)


# --- repeated rows ------------------------------------------------------------------------------


class _Groups(NamedTuple):
    """Distinct rows; the k-th is rows ``members[starts[k] : starts[k] + sizes[k]]``."""

    rows: NDArray[np.uint64]
    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]


def _group_rows(hashes: NDArray[np.uint64]) -> _Groups:
    """Bring equal rows together."""
    members = np.lexsort(hashes.T[::-1]) if hashes.shape[1] > 1 else np.argsort(hashes[:, 0])
    ordered = hashes[members]
    new = np.ones(len(hashes), dtype=bool)
    np.any(ordered[1:] != ordered[:-1], axis=1, out=new[1:])
    starts = np.flatnonzero(new)
    return _Groups(ordered[starts], members, starts, np.diff(starts, append=len(hashes)))


def _pairs_within_groups(groups: _Groups, chunk: int) -> Iterator[Pairs]:
    """All pairs of equal rows, i < j."""
    ends = np.repeat(groups.starts + groups.sizes, groups.sizes)
    behind = np.arange(1, len(ends) + 1)
    for place, other in expand_ranges(behind, ends - behind, chunk):
        i, j = groups.members[place], groups.members[other]
        yield _orient(Pairs(i, j, np.zeros(len(i), dtype=np.int64)))


def _repeat_members(pairs: Pairs, left: _Groups, right: _Groups, chunk: int) -> Iterator[Pairs]:
    """From pairs of distinct rows to pairs of the rows that they stand for."""
    for pair, place in expand_ranges(left.starts[pairs.i], left.sizes[pairs.i], chunk):
        j = pairs.j[pair]
        for inner, other in expand_ranges(right.starts[j], right.sizes[j], chunk):
            yield Pairs(
                left.members[place[inner]], right.members[other], pairs.distance[pair[inner]]
            )


# --- all against all ----------------------------------------------------------------------------


def _brute_force_tasks(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, max_distance: int
) -> Iterator[Callable[[], Iterator[Pairs]]]:
    """Cut the comparison of all pairs into tasks, one for each strip of rows."""
    for top in range(0, len(hashes), _ROWS):
        yield partial(_search_strip, hashes, others, max_distance, top)


def _search_strip(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, max_distance: int, top: int
) -> Iterator[Pairs]:
    """Pairs of the strip of rows that begins at ``top``; within one collection, i < j."""
    for left, distance in _distance_blocks(hashes, others, top):
        # flat: on two axes, nonzero is slow even where there is nothing
        row, column = np.divmod(np.flatnonzero(distance <= max_distance), distance.shape[1])
        i, j = row + top, column + left
        if others is None:
            upper = i < j
            row, column, i, j = row[upper], column[upper], i[upper], j[upper]
        if len(i):
            yield Pairs(i, j, distance[row, column].astype(np.int64))


def _distance_blocks(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, top: int
) -> Iterator[tuple[int, NDArray[np.unsignedinteger]]]:
    """Distances of the strip of rows from ``top`` on, in blocks: first column, distances.

    Within one collection the columns begin at ``top``: those before were met by other strips.
    The distances are overwritten when the next block is asked for.
    """
    strip = hashes[top : top + _ROWS]
    columns = hashes if others is None else others
    shape = len(strip), min(_COLUMNS, len(columns))
    differing_buffer = np.empty(shape, dtype=np.uint64)  # memory is asked for once a strip
    count_buffer = np.empty(shape, dtype=np.uint8)
    for left in range(top if others is None else 0, len(columns), _COLUMNS):
        right = np.ascontiguousarray(columns[left : left + _COLUMNS].T)  # a row a word
        differing = differing_buffer[:, : right.shape[1]]
        count = count_buffer[:, : right.shape[1]]
        total: NDArray[np.unsignedinteger] = count
        for word in range(len(right)):
            np.bitwise_xor(strip[:, word, None], right[word], out=differing)
            np.bitwise_count(differing, out=count)
            if word:
                total += count
            elif len(right) > 1:
                total = count.astype(np.uint16)
        yield left, total


# --- distances of given pairs, and how all distances are spread ---------------------------------


def hamming_distances(
    hashes: NDArray[np.uint64],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    others: NDArray[np.uint64] | None = None,
) -> NDArray[np.int64]:
    """Count the bits in which given pairs of rows differ.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    i, j : ndarray of shape (n_pairs,), int
        Row of ``hashes``; row of ``others``.
    others : ndarray of shape (m, n_words), uint64, default=None
        None: ``hashes``.

    Returns
    -------
    distances : ndarray of shape (n_pairs,), int64
        In bits.

    Examples
    --------
    >>> import numpy as np
    >>> hamming_distances(np.array([[0b111], [0b000]], np.uint64), [0, 0], [0, 1])
    array([0, 3])
    """
    hashes, others = _check_hashes(hashes, others)
    right = hashes if others is None else others
    distances = np.empty(len(i), dtype=np.int64)
    for part, a, b in index_chunks(i, j, CHUNK):
        np.bitwise_count(hashes[a] ^ right[b]).sum(axis=1, dtype=np.int64, out=distances[part])
    return distances


def hamming_histogram(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None = None
) -> NDArray[np.int64]:
    """Count the pairs at each Hamming distance.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    others : ndarray of shape (m, n_words), uint64, default=None
        None: all pairs i < j of ``hashes``. Else all pairs of row i of ``hashes`` with row j
        of ``others``; if both have the same number of rows, without the pairs i = j (the two
        are then taken for two versions of one collection).

    Returns
    -------
    counts : ndarray of shape (64 · n_words + 1,), int64
        ``counts[d]`` pairs differ in d bits.

    Notes
    -----
    All pairs are compared: some tenths of a second for ten thousand rows; take a sample of more.
    It runs in as many threads as there are cores.

    Examples
    --------
    >>> import numpy as np
    >>> hamming_histogram(np.array([[0b111], [0b110], [0b000]], np.uint64))[:4]
    array([0, 1, 1, 1])
    """
    hashes, others = _check_hashes(hashes, others)
    n_distances = 64 * hashes.shape[1] + 1
    counts = np.zeros(n_distances, dtype=np.int64)
    strips = (
        partial(_count_strip, hashes, others, n_distances, top)
        for top in range(0, len(hashes), _ROWS)
    )
    for counts_of_strip in run_in_threads(strips):
        counts += counts_of_strip
    if others is not None and len(others) == len(hashes):
        rows = np.arange(len(hashes))
        counts -= np.bincount(hamming_distances(hashes, rows, rows, others), minlength=n_distances)
    return counts


def _count_strip(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, n_distances: int, top: int
) -> Iterator[NDArray[np.int64]]:
    """Count the distances of the strip of rows from ``top`` on; within one collection, i < j."""
    counts = np.zeros(n_distances, dtype=np.int64)
    for left, distance in _distance_blocks(hashes, others, top):
        if others is None and left == top:
            values = distance[np.triu_indices(len(distance), 1, distance.shape[1])]
            counts += np.bincount(values, minlength=n_distances)
        else:
            # OpenCV counts small integers several times faster than NumPy. Its counts are
            # float32, which holds those of a block exactly.
            found = cv2.calcHist([distance], [0], None, [n_distances], [0, n_distances])
            counts += found.ravel().astype(np.int64)  # (n, 1) in OpenCV 4
    yield counts
