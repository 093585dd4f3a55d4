"""The exact Hamming join in pieces that fit a worker: which hashes must meet where.

As in ``duplicates/_hamming_join.py``, the bits are cut into blocks of radii r with
Σ (r + 1) = distance + 1, so that two near hashes differ in at most r bits of some block. The
bits of a block are cut again: its first few, the *address*, name a task, in which all hashes of
one address meet; a hash also visits the addresses that differ from its own in up to r bits.
Of two addresses, the hashes of only one visit the other, so that a pair meets once a block: those
of the smaller or of the larger one, in turns from flip to flip, so that all have as many
visitors. Within a task the rest of the block's bits are searched with what the visit left of the
radius. So each block's keys and flipped keys are looked up once, as on one machine, but a hash is
sent for each flip of its address only, not for each flip of its key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..duplicates import Pairs, spanning_forest_of_chunks
from ..duplicates._hamming import _iter_pairs
from ..duplicates._hamming_join import (
    Block,
    _bits_by_balance,
    _expected_seconds,
    _flips,
    _Workload,
    block_keys,
    join_tasks,
    unpack_bits,
)
from ._links import NO_STARS, stars_of_pairs

_WIDEST_ADDRESS = 20  # bits: a million tasks for each block
_WIDEST_REST = 22  # bits; a table of 2^width entries is kept in each task
_BLOCK_SHIFT = 32  # of a task's number: the block, then the address
_SENT = 1e-6  # seconds of a core for each row that is sent: cut, written, read; measured


class Route(NamedTuple):
    """One block: where its hashes meet, and what is searched there."""

    address: NDArray[np.intp]  # bits that name the task
    rest: NDArray[np.intp]  # the other bits of the block
    radius: int

    @property
    def copies(self) -> float:
        """How often a hash is sent: home, and to half of the addresses near by."""
        return 1 + (_number_of_flips(len(self.address), self.radius) - 1) / 2


def _number_of_flips(width: int, radius: int) -> int:
    return sum(math.comb(width, flipped) for flipped in range(radius + 1))


# --- the plan -----------------------------------------------------------------------------------


def plan_routes(
    sample: NDArray[np.uint64], n_rows: int, max_distance: int, rows_per_task: int
) -> list[Route]:
    """Choose the blocks that promise the least time, and addresses that make tasks small.

    Parameters
    ----------
    sample : ndarray of shape (n_sampled, n_words), uint64
        Some hashes of the collection, which tell how its bits vary.
    n_rows : int
        Size of the collection.
    max_distance : int
        In bits.
    rows_per_task : int
        How many hashes, visitors included, may meet in one task if the bits of the addresses
        are fair coins.

    Returns
    -------
    routes : list of Route
        Empty if a single task is to compare all hashes: they are few, or no plan is possible.
    """
    if n_rows <= rows_per_task:
        return []
    bits = unpack_bits(np.unique(sample, axis=0))
    informative = _bits_by_balance(bits)
    best: tuple[float, list[Route]] = (math.inf, [])
    for n_blocks in range(1, max_distance + 2):
        routes = _deal_routes(informative, n_blocks, max_distance, n_rows, rows_per_task)
        if n_rows * copies_of(routes) * _SENT < best[0]:
            seconds = sum(expected_seconds(routes, bits, n_rows))
            if seconds < best[0]:
                best = seconds, routes
    return best[1]


def expected_seconds(
    routes: list[Route], bits: NDArray[np.uint8], n_rows: int
) -> tuple[float, float]:
    """Estimate the time of a plan, in seconds of one core.

    Parameters
    ----------
    routes : list of Route
    bits : ndarray of shape (n_sampled, n_bits), uint8
        Of some distinct hashes.
    n_rows : int

    Returns
    -------
    sending, searching : float
    """
    blocks = [Block(np.concatenate([own.address, own.rest]), own.radius) for own in routes]
    work = _Workload(n_rows, n_rows, n_rows**2 / 2)
    return n_rows * copies_of(routes) * _SENT, _expected_seconds(blocks, bits, work)


def copies_of(routes: list[Route]) -> float:
    """Return how often each hash is sent, on average."""
    return sum(route.copies for route in routes) if routes else 1.0


def _deal_routes(
    bits: NDArray[np.intp], n_blocks: int, max_distance: int, n_rows: int, rows_per_task: int
) -> list[Route]:
    """Deal the bits like cards, the best first, and the first of each block to its address."""
    share, more = divmod(max_distance + 1, n_blocks)
    radii = [share - 1 + (block < more) for block in range(n_blocks)]
    width = _address_width(n_rows, radii[0], rows_per_task)
    # Wider blocks than these would find fewer than one chance match a row.
    widest = min(width + _WIDEST_REST, max(n_rows.bit_length() + 2, 8), 63)
    used = bits[: n_blocks * widest]
    dealt = [used[block::n_blocks] for block in range(n_blocks)]
    return [
        Route(own[:width], own[width:], radius) for own, radius in zip(dealt, radii, strict=True)
    ]


def _address_width(n_rows: int, radius: int, rows_per_task: int) -> int:
    """Return the fewest bits of an address that leave no more rows to a task."""
    for width in range(_WIDEST_ADDRESS):
        copies = 1 + (_number_of_flips(width, radius) - 1) / 2
        if n_rows / 2**width * copies <= rows_per_task:
            return width
    return _WIDEST_ADDRESS


# --- sending ------------------------------------------------------------------------------------


def send(hashes: pd.DataFrame, routes: list[Route]) -> pd.DataFrame:
    """Copy each hash to the tasks where it may meet a near one.

    Parameters
    ----------
    hashes : DataFrame
        ``number`` and the columns of words, distinct hashes.
    routes : list of Route

    Returns
    -------
    sent : DataFrame
        ``task`` (int64: block and address), ``flipped`` (uint8: in how many bits the address
        differs from the hash's own; 0 at home), ``number`` and the words.
    """
    words = words_of(hashes)
    parts = [
        _sent_to(hashes, block, address, flip, turn)
        for block, route in enumerate(routes)
        for address in [block_keys(words, route.address)]
        for turn, flip in enumerate(_flips(len(route.address), route.radius))
    ]
    return pd.concat(parts, ignore_index=True)


def _sent_to(
    hashes: pd.DataFrame, block: int, address: NDArray[np.uint32], flip: int, turn: int
) -> pd.DataFrame:
    visited = address ^ np.uint32(flip)
    upwards = bool(turn % 2)
    goes = np.flatnonzero((visited > address) == upwards) if flip else np.arange(len(address))
    sent = hashes.iloc[goes].reset_index(drop=True)
    sent.insert(0, "task", (block << _BLOCK_SHIFT) + visited[goes].astype(np.int64))
    sent.insert(1, "flipped", np.full(len(goes), flip.bit_count(), dtype=np.uint8))
    return sent


def words_of(hashes: pd.DataFrame) -> NDArray[np.uint64]:
    """Return the hashes as an array of shape (n, n_words), uint64."""
    words = [name for name in hashes.columns if name.startswith("word")]
    return np.ascontiguousarray(hashes[words].to_numpy(dtype=np.uint64))


# --- meeting ------------------------------------------------------------------------------------


def links_of_tasks(sent: pd.DataFrame, routes: list[Route], max_distance: int) -> pd.DataFrame:
    """Find the near hashes among those that were sent to the tasks of one partition.

    Returns
    -------
    stars : DataFrame
        See :func:`stars_of_pairs`.
    """
    stars = [NO_STARS]
    for _, met in sent.groupby("task", sort=False):
        route = routes[int(met["task"].iloc[0]) >> _BLOCK_SHIFT]
        number, flipped, words = met["number"].to_numpy(), met["flipped"].to_numpy(), words_of(met)
        chunks = _pairs_at_address(words, flipped, route, max_distance)
        stars.append(_stars_of_chunks(chunks, number))
    return stars_of_pairs(*pd.concat(stars).to_numpy().T)


def links_of_all(hashes: pd.DataFrame, max_distance: int) -> pd.DataFrame:
    """Find the near hashes among all of a collection that is small enough."""
    pairs = _iter_pairs(words_of(hashes), max_distance, None, n_threads=1)
    return _stars_of_chunks(pairs, hashes["number"].to_numpy())


def _pairs_at_address(
    words: NDArray[np.uint64], flipped: NDArray[np.uint8], route: Route, max_distance: int
) -> Iterator[Pairs]:
    """Yield the pairs of one task, as places in ``words``: of those at home, and with visitors."""
    home = np.flatnonzero(flipped == 0)
    if not len(home):
        return
    for spent in range(route.radius + 1):
        block = Block(route.rest, route.radius - spent)
        visitors = np.flatnonzero(flipped == spent) if spent else home
        others = words[visitors] if spent else None
        if not len(visitors):
            continue
        tasks = join_tasks(words[home], others, max_distance, [block])
        for i, j, distance in chain.from_iterable(task() for task in tasks):
            yield Pairs(home[i], visitors[j], distance)


def _stars_of_chunks(chunks: Iterator[Pairs], number: NDArray[np.int64]) -> pd.DataFrame:
    forest = spanning_forest_of_chunks(chunks, len(number))
    return stars_of_pairs(number[forest.i], number[forest.j])
