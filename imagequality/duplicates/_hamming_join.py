"""Pairs of hashes within a Hamming distance without comparing all: a join on blocks of bits.

Cut the bits into disjoint blocks and give block k a radius r_k such that the sum of (r_k + 1)
is d + 1. Two hashes that differ in more than r_k bits of *every* block k differ in at least
Σ (r_k + 1) = d + 1 bits. So, by this pigeonhole argument, two hashes within distance d differ in
at most r_k bits of *some* block k: it is enough to compare hashes whose keys (the bits of one
block) are that close, and those are found by grouping equal keys, once for every flip of up to
r_k bits. The blocks need not cover all bits.

Few wide blocks have large radii and so many flips; many narrow blocks have many chance matches.
``plan_blocks`` weighs the two by the time each takes.

The idea is that of multi-index hashing: M. Norouzi, A. Punjani and D. J. Fleet, "Fast Exact
Search in Hamming Space with Multi-Index Hashing", IEEE TPAMI 36(6), 2014.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._pairs import CHUNK, Pairs, expand_ranges

_WIDEST_BLOCK = 22  # bits; a table of 2^width entries is kept for one block
_SAMPLE = 512  # rows whose distances tell how often keys agree
_UNPACKED_ROWS = 1 << 14  # rows whose bits lie as bytes at one time

# Seconds on one core, measured; only their proportions matter.
_COMPARISON = 0.5e-9  # one word of one pair, all against all
_CANDIDATE = 7e-9  # one pair of a join: fetch, compare
_LOOKUP = 8e-9  # one row's group under one flip
_PREPARATION = 120e-9  # one row's key, and its place in the sorted order
_TABLE = 3e-9  # one entry of a block's table


class Block(NamedTuple):
    """Bits that make a key, and in how many of them two keys may differ."""

    bits: NDArray[np.intp]
    radius: int


class _Workload(NamedTuple):
    """How much there is to search."""

    rows: int  # of both sides
    lookups: int  # rows that look for a partner, under each flip
    pairs: float


class _Side(NamedTuple):
    """A collection sorted by the keys of one block."""

    keys: NDArray[np.uint32]  # sorted
    order: NDArray[np.int64]  # row number of each sorted place
    pieces: list[NDArray[np.uint64]]  # the hashes in sorted order, cut into two words or one


def unpack_bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Spread words into bits, a byte each; bit b of word w is column 64 w + b."""
    octets = np.ascontiguousarray(hashes, dtype="<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little")


# --- the plan -----------------------------------------------------------------------------------


def plan_blocks(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None, max_distance: int
) -> tuple[float, list[Block]]:
    """Choose the blocks that promise the least time.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    others : ndarray of shape (m, n_words), uint64, or None
        None: pairs within ``hashes``.
    max_distance : int
        In bits.

    Returns
    -------
    seconds : float
        Expected on one core; infinite where no plan is possible.
    blocks : list of Block
    """
    work = _workload(hashes, others)
    sample = _sampled_bits(hashes, others)
    informative = _bits_by_balance(sample)
    plans = []
    for n_blocks in range(1, max_distance + 2):
        blocks = _deal_blocks(informative, n_blocks, max_distance, work.rows)
        plans.append((_expected_seconds(blocks, None, work), blocks))
    plans.sort(key=lambda plan: plan[0])
    best: tuple[float, list[Block]] = (math.inf, [])
    for least_seconds, blocks in plans:  # chance matches alone: no plan can be faster than that
        if least_seconds >= best[0]:
            break
        seconds = _expected_seconds(blocks, sample, work)
        if seconds < best[0]:
            best = seconds, blocks
    return best


def _workload(hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None) -> _Workload:
    n = len(hashes)
    if others is None:
        return _Workload(n, n, n**2 / 2)
    return _Workload(n + len(others), n, n * len(others))


def brute_force_seconds(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None = None
) -> float:
    """Estimate the time on one core of comparing all pairs."""
    return _workload(hashes, others).pairs * hashes.shape[1] * _COMPARISON


def _sampled_bits(
    hashes: NDArray[np.uint64], others: NDArray[np.uint64] | None
) -> NDArray[np.uint8]:
    """Bits of rows spread evenly over the collection, for the choice of a plan only."""
    sources = [hashes] if others is None else [hashes, others]
    return np.concatenate(
        [
            unpack_bits(rows[np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLE)).astype(int)])
            for rows in sources
        ]
    )


def _bits_by_balance(sample: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Order the bits, those nearest to one half first: they tell hashes apart best.

    Bits that never vary are left out.
    """
    share = sample.mean(axis=0)
    ordered = np.argsort(np.abs(share - 0.5), kind="stable")
    return ordered[(share[ordered] > 0) & (share[ordered] < 1)]


def _deal_blocks(
    bits: NDArray[np.intp], n_blocks: int, max_distance: int, n_rows: int
) -> list[Block]:
    """Deal the bits like cards, the best first, so that each block gets as good ones.

    Dealing also parts neighbouring bits, which often agree. The blocks that get a larger radius
    come first, and they get the bits that are left over.
    """
    widest = min(_WIDEST_BLOCK, max(n_rows.bit_length() + 2, 8))
    used = bits[: n_blocks * widest]
    share, rest = divmod(max_distance + 1, n_blocks)
    return [Block(used[block::n_blocks], share - 1 + (block < rest)) for block in range(n_blocks)]


def _expected_seconds(
    blocks: list[Block], sample: NDArray[np.uint8] | None, work: _Workload
) -> float:
    """Estimate the time of a plan on one core; without a sample, as if all bits were fair coins.

    Blocks of one radius are taken to be alike (they were dealt like cards), so the first of
    each stands for all.
    """
    seconds = 0.0
    radii = [block.radius for block in blocks]
    for radius in set(radii):
        block = blocks[radii.index(radius)]
        width = len(block.bits)
        if radius >= width:
            return math.inf  # every pair would be a candidate
        flips = sum(math.comb(width, flipped) for flipped in range(radius + 1))
        share = flips / 2**width
        if sample is not None:
            share = max(share, _share_within(sample[:, block.bits], radius))
        seconds += radii.count(radius) * (
            work.rows * _PREPARATION
            + work.lookups * flips * _LOOKUP
            + 2**width * _TABLE
            + work.pairs * share * _CANDIDATE
        )
    return seconds


def _share_within(bits: NDArray[np.uint8], radius: int) -> float:
    """Share of all pairs of sampled rows that differ in at most ``radius`` of these bits."""
    signs = bits.astype(np.float32) * 2 - 1
    differing = (bits.shape[1] - signs @ signs.T) / 2
    n = len(bits)
    return (np.count_nonzero(differing <= radius + 0.5) - n) / max(n * (n - 1), 1)


# --- keys ---------------------------------------------------------------------------------------


def block_keys(hashes: NDArray[np.uint64], bits: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Gather some bits of every hash into a number.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    bits : ndarray of shape (width,), int
        Positions, 0 … 64 · n_words − 1; at most 32.

    Returns
    -------
    keys : ndarray of shape (n,), uint32
        Bit k of a key is bit ``bits[k]`` of the hash.
    """
    keys = np.empty(len(hashes), dtype=np.uint32)
    for top in range(0, len(hashes), _UNPACKED_ROWS):
        taken = np.take(unpack_bits(hashes[top : top + _UNPACKED_ROWS]), bits, axis=1)
        padded = np.zeros((len(taken), 32), dtype=np.uint8)
        padded[:, : len(bits)] = taken
        packed = np.packbits(padded, axis=1, bitorder="little")
        keys[top : top + len(taken)] = packed.view("<u4")[:, 0]
    return keys


def _sort_by_key(hashes: NDArray[np.uint64], bits: NDArray[np.intp]) -> _Side:
    """Bring hashes of equal keys together."""
    # Key and row number in one word: sorting words is several times faster than argsort.
    marked = block_keys(hashes, bits).astype(np.uint64) << np.uint64(32)
    marked |= np.arange(len(hashes), dtype=np.uint64)
    marked.sort()
    order = (marked & np.uint64(0xFFFFFFFF)).astype(np.int64)
    keys = (marked >> np.uint64(32)).astype(np.uint32)
    pieces = [
        np.take(hashes[:, word : word + 2], order, axis=0) for word in range(0, hashes.shape[1], 2)
    ]
    return _Side(keys, order, pieces)


def _group_starts(keys: NDArray[np.uint32], width: int) -> NDArray[np.int64]:
    """Place where each key's group begins among sorted keys; one more entry for the end."""
    starts = np.zeros(2**width + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys, minlength=2**width), out=starts[1:])
    return starts


def _flips(width: int, radius: int) -> Iterator[int]:
    """All numbers of ``width`` bits with at most ``radius`` ones."""
    for ones in range(radius + 1):
        for places in combinations(range(width), ones):
            yield sum(1 << place for place in places)


# --- candidates ---------------------------------------------------------------------------------


def _candidate_ranges(
    left: _Side, starts: NDArray[np.int64], flip: int, same: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """For the sorted rows of the left side, the group on the right whose key differs by ``flip``.

    Within one collection (``same``) each pair is met once: rows of equal keys look at the
    rows behind them only, and of two groups that differ by a flip, the one of the smaller key
    looks at the other.

    Returns
    -------
    place, start, size : ndarray of shape (n_ranges,), int64
        The left row's place in the sorted order, and the range of places on the right.
    """
    partner = left.keys ^ np.uint32(flip)
    if same and flip:
        place = np.flatnonzero(left.keys < partner)
        partner = partner[place]
    else:
        place = np.arange(len(partner))
    end = starts[partner + np.uint32(1)]
    start = place + 1 if same and not flip else starts[partner]
    some = np.flatnonzero(end > start)
    return place[some], start[some], (end - start)[some]


# --- verification -------------------------------------------------------------------------------


def _verify(
    left: list[NDArray[np.uint64]],
    right: list[NDArray[np.uint64]],
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    max_distance: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Keep the pairs of rows within the distance, piece by piece: most fail at the first."""
    distance: NDArray[np.unsignedinteger] | None = None
    for left_piece, right_piece in zip(left, right, strict=True):
        # All rows exist; "clip" spares the check, which takes longer than fetching them.
        differing = np.take(left_piece, a, axis=0, mode="clip")
        differing ^= np.take(right_piece, b, axis=0, mode="clip")
        count = np.bitwise_count(differing)
        here = count[:, 0] if count.shape[1] == 1 else count[:, 0] + count[:, 1]
        distance = here if distance is None else distance + here
        near = np.flatnonzero(distance <= max_distance)
        a, b, distance = a[near], b[near], distance[near].astype(np.uint16)
    assert distance is not None
    return a, b, distance.astype(np.int64)


def _first_found_here(
    hashes: NDArray[np.uint64],
    others: NDArray[np.uint64],
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    earlier: list[Block],
) -> NDArray[np.bool_]:
    """Whether no earlier block finds the pair too, so that each pair is reported once."""
    unseen = np.ones(len(i), dtype=bool)
    differing = hashes[i] ^ others[j]
    for block in earlier:
        mask = _word_mask(block.bits, hashes.shape[1])
        unseen &= np.bitwise_count(differing & mask).sum(axis=1) > block.radius
    return unseen


def _word_mask(bits: NDArray[np.intp], n_words: int) -> NDArray[np.uint64]:
    chosen = np.zeros((1, 64 * n_words), dtype=np.uint8)
    chosen[0, bits] = 1
    return np.packbits(chosen, axis=1, bitorder="little").view("<u8")[0].astype(np.uint64)


# --- the join -----------------------------------------------------------------------------------


def join_tasks(
    hashes: NDArray[np.uint64],
    others: NDArray[np.uint64] | None,
    max_distance: int,
    blocks: list[Block],
    chunk: int = CHUNK,
) -> Iterator[Callable[[], Iterator[Pairs]]]:
    """Cut the search into independent tasks, one for each block and flip.

    Parameters
    ----------
    hashes : ndarray of shape (n, n_words), uint64
    others : ndarray of shape (m, n_words), uint64, or None
        None: pairs within ``hashes``, each once, in either order.
    max_distance : int
        In bits.
    blocks : list of Block
        Disjoint; the sum of (radius + 1) is ``max_distance`` + 1.
    chunk : int
        Candidates looked at together.

    Yields
    ------
    task : callable
        Returns an iterator of pairs. Over all tasks, each pair comes once.
    """
    for number, block in enumerate(blocks):
        left = _sort_by_key(hashes, block.bits)
        right = left if others is None else _sort_by_key(others, block.bits)
        starts = _group_starts(right.keys, len(block.bits))

        def search(
            flip: int,
            left: _Side = left,
            right: _Side = right,
            starts: NDArray[np.int64] = starts,
            earlier: list[Block] = blocks[:number],
        ) -> Iterator[Pairs]:
            place, start, size = _candidate_ranges(left, starts, flip, others is None)
            for owner, b in expand_ranges(start, size, chunk):
                a, b, distance = _verify(left.pieces, right.pieces, place[owner], b, max_distance)
                i, j = left.order[a], right.order[b]
                new = _first_found_here(hashes, hashes if others is None else others, i, j, earlier)
                if new.any():
                    yield Pairs(i[new], j[new], distance[new])

        for flip in _flips(len(block.bits), block.radius):
            yield partial(search, flip)
