"""Rows of a table ↔ distinct contents: exact copies are one item for all that follows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._neighbours import Pairs

MOST_PAIRS = 10_000_000  # rows of `pairs_`; a burst of 10,000 equal images alone has 50 million


class Contents:
    """The distinct pixel contents of a collection, numbered by first appearance.

    Parameters
    ----------
    digests : ndarray of shape (n,), object
        Equal for equal pixels, None where the image could not be read.

    Attributes
    ----------
    item_of_row : ndarray of shape (n,), int
        −1 where the image could not be read.
    digests : ndarray of shape (n_items,), object
    first_row : ndarray of shape (n_items,), int
    copies : ndarray of shape (n_items,), int
        Number of rows of each item, at least 1.
    """

    def __init__(self, digests: NDArray[np.object_]) -> None:
        self.item_of_row, self.digests = pd.factorize(digests)
        readable = np.flatnonzero(self.item_of_row >= 0)
        items = self.item_of_row[readable]
        self.first_row = readable[np.unique(items, return_index=True)[1]]
        self.copies = np.bincount(items, minlength=len(self.digests))
        self._rows = readable[np.argsort(items, kind="stable")]
        self._start = np.concatenate([[0], np.cumsum(self.copies)])

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def by_digest(self) -> NDArray[np.int64]:
        """The items in the order of their digests: random, yet independent of the row order."""
        try:
            texts = self.digests.astype(np.bytes_)  # a quarter of the memory and of the time
        except UnicodeEncodeError:  # a digest of someone's own
            texts = self.digests.astype(np.str_)
        return np.argsort(texts, kind="stable")

    def rows(self, item: Any) -> NDArray[np.int64]:
        """Return the rows that hold an item."""
        return self._rows[self._start[item] : self._start[item + 1]]

    def row_labels(
        self, item_labels: NDArray[np.int64], *, exact: bool = True
    ) -> NDArray[np.int64]:
        """Return the group of each row, numbered by first appearance; −1 for rows in none.

        Parameters
        ----------
        item_labels : ndarray of shape (n_items,), int
            Equal for items of one cluster.
        exact : bool, default=True
            Whether several rows of a single item are a group.
        """
        labels = np.full(len(self.item_of_row), -1)
        readable = np.flatnonzero(self.item_of_row >= 0)
        clusters = item_labels[self.item_of_row[readable]]
        sizes = np.bincount(clusters if exact else item_labels, minlength=1)
        grouped = sizes[clusters] > 1
        labels[readable[grouped]] = pd.factorize(clusters[grouped])[0]
        return labels

    def exact_pairs(self) -> Pairs:
        """Return all pairs of rows with equal pixels, at distance 0."""
        items = np.flatnonzero(self.copies > 1)
        number = self.copies[items] * (self.copies[items] - 1) // 2
        if number.sum() > MOST_PAIRS:
            warn_of_many()
            others = items.repeat(self.copies[items] - 1)
            j = np.concatenate([self.rows(item)[1:] for item in items])
            return _ordered(self.first_row[others], j, np.zeros(len(j)))
        # Rows of one item stand side by side: each is paired with those behind it.
        end = np.repeat(self._start[1:], self.copies)
        behind = np.arange(1, len(end) + 1)
        n_behind = end - behind
        place = np.repeat(np.arange(len(end)), n_behind)
        within = np.arange(len(place)) - np.repeat(np.cumsum(n_behind) - n_behind, n_behind)
        i, j = self._rows[place], self._rows[behind[place] + within]
        return _ordered(i, j, np.zeros(len(i)))

    def row_pairs(self, pairs: Pairs) -> Pairs:
        """Turn pairs of items into pairs of rows: each copy of one with each of the other."""
        return _ordered(*cross_row_pairs(pairs, self, self))


def cross_row_pairs(pairs: Pairs, left: Contents, right: Contents) -> Pairs:
    """Turn pairs of items of two collections into pairs of rows: each copy with each copy.

    Of more than :data:`MOST_PAIRS` only the first copies are paired, with a warning.
    """
    copies = right.copies[pairs.j]
    number = left.copies[pairs.i] * copies
    if number.sum() > MOST_PAIRS:
        warn_of_many()
        return Pairs(left.first_row[pairs.i], right.first_row[pairs.j], pairs.distance)
    pair = np.repeat(np.arange(len(number)), number)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(number) - number, number)
    i = left._rows[left._start[pairs.i][pair] + within // copies[pair]]
    j = right._rows[right._start[pairs.j][pair] + within % copies[pair]]
    return Pairs(i, j, pairs.distance[pair])


def _ordered(i: NDArray[np.int64], j: NDArray[np.int64], distance: NDArray[np.float64]) -> Pairs:
    low, high = np.minimum(i, j), np.maximum(i, j)
    order = np.lexsort((high, low))
    return Pairs(low[order], high[order], np.asarray(distance)[order])


def warn_of_many() -> None:
    """Say that not every pair is listed."""
    warnings.warn(
        f"more than {MOST_PAIRS:,} pairs of duplicates: pairs_ links each copy to the first of "
        "its content only; labels_ and groups_ are complete",
        stacklevel=2,
    )
