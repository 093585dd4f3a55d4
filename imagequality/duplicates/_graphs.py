"""Distances between images by one kind of evidence, and the distance that chance explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .._base import StrOptions
from ..measurements import VIEWS
from ._chance import chance_distance, match_distance, without_copies
from ._neighbours import (
    Pairs,
    hamming_distances,
    hamming_histogram,
    iter_cosine_pairs,
    iter_hamming_pairs,
)
from ._vectors import count_crop_pairs, crop_distances, iter_crop_pairs

Array = NDArray[Any]

LEAST_CONTRAST = 2.0  # grey levels; below it hashes and gradients are rounding noise

VIEWS_OPTIONS = [StrOptions({"identity", "mirror", "all"})]

# The largest distance that is chosen for so many hashes, as a share of their bits.
_REACH = ((20_000, 5 / 16), (200_000, 5 / 32), (np.inf, 1 / 8))
# A sample of rows is compared with all others: so many comparisons, but not fewer rows than this.
_COMPARISONS, _FEWEST_SAMPLED = 400_000_000, 1_000
_CAUTION = 12  # the fallback is divided by it where images resemble each other by nature
_KEPT_PAIRS = 1_000_000  # of one search, until the links are made from them
_MOST_DECOYS = 0.03  # decoys as a share of the pairs found, where nothing else is known

_CLOCKWISE, _COUNTERCLOCKWISE = 5, 6  # in VIEWS
_SEARCHED = {
    "identity": [0],
    "mirror": [0, 1],
    # A clockwise turn of one image is a counterclockwise turn of the other: one of them will do.
    "all": [number for number in range(len(VIEWS)) if number != _COUNTERCLOCKWISE],
}


class Metric(Protocol):
    """How two rows of features are compared."""

    name: str
    unit: str
    grid: NDArray[np.float64]
    """The distances that may be chosen, and beyond them as far as chance is to be seen."""
    tail: Literal["exponential", "power"]
    """See :func:`chance_distance`."""
    fallback: float
    """The distance for a collection that does not tell what chance gives."""
    n_sampled: int
    """The number of items whose neighbours are counted in order to see what chance gives."""

    def reach(self, n: int) -> float | None:
        """Return the largest distance that may be chosen for ``n`` items, if there is one."""

    def iter_pairs(
        self, features: Array, max_distance: float, others: Array | None = None
    ) -> Iterator[Pairs]:
        """Yield all pairs within a distance, in chunks; some pairs more than once."""

    def distances(
        self,
        features: Array,
        i: NDArray[np.int64],
        j: NDArray[np.int64],
        others: Array | None = None,
    ) -> NDArray[Any]:
        """Return the distances of the rows i and j."""

    def counts(
        self, features: Array, rows: NDArray[np.int64], others: Array | None = None
    ) -> NDArray[np.int64]:
        """Return how many pairs of some rows with all others lie at each distance of the grid."""


class HammingMetric:
    """Compare hashes, rows of 64-bit words, by the number of bits that differ."""

    name, unit = "hamming", "bits"
    tail: Literal["exponential", "power"] = "exponential"
    n_sampled = 8_000

    def __init__(self, n_bits: int) -> None:
        self.grid = np.arange(n_bits + 1, dtype=np.float64)
        self.n_bits = n_bits
        self.fallback = float(n_bits * 3 // 32)

    def reach(self, n: int) -> float | None:
        """Return the largest distance that may be chosen for ``n`` items.

        Two thirds of the way to unrelated hashes is far enough, and so far out a large collection
        cannot be searched in good time.
        """
        share = next(share for most, share in _REACH if n <= most)
        return float(round(share * self.n_bits))

    def iter_pairs(
        self, features: Array, max_distance: float, others: Array | None = None
    ) -> Iterator[Pairs]:
        """Yield all pairs within a distance, in chunks."""
        return iter_hamming_pairs(features, int(max_distance), others)

    def distances(
        self,
        features: Array,
        i: NDArray[np.int64],
        j: NDArray[np.int64],
        others: Array | None = None,
    ) -> NDArray[Any]:
        """Return the distances of the rows i and j."""
        return hamming_distances(features, i, j, others)

    def counts(
        self, features: Array, rows: NDArray[np.int64], others: Array | None = None
    ) -> NDArray[np.int64]:
        """Return how many pairs of some rows with all others lie at each distance of the grid."""
        n, against = len(self.grid), features if others is None else others
        if len(rows) == len(features):  # the histogram leaves pairs i = j out by itself
            return hamming_histogram(features, against)[:n]
        itself = np.bincount(hamming_distances(features, rows, rows, against), minlength=n)
        return hamming_histogram(features[rows], against)[:n] - itself[:n]


class CosineMetric:
    """Compare images of one or several vectors by 1 − cosine.

    Parameters
    ----------
    fallback : float
        See :class:`Metric`.
    index : {"exact", "faiss"}, default="exact"
        See :func:`cosine_pairs`.
    """

    name, unit = "cosine", "cosine distance"
    tail: Literal["exponential", "power"] = "power"

    def __init__(self, fallback: float, index: str = "exact", n_sampled: int = 4_000) -> None:
        self.fallback, self.index, self.n_sampled = fallback, index, n_sampled
        self.grid = np.arange(1251) / 1000

    def reach(self, n: int) -> float | None:
        """Return None: any distance may be chosen, all are searched in the same time."""
        return None

    def iter_pairs(
        self, features: Array, max_distance: float, others: Array | None = None
    ) -> Iterator[Pairs]:
        """Yield all pairs within a distance, in chunks."""
        if self.index == "faiss":
            against = None if others is None else others[:, 0]
            return iter_cosine_pairs(features[:, 0], max_distance, against, index="faiss")
        return iter_crop_pairs(features, max_distance, others)

    def distances(
        self,
        features: Array,
        i: NDArray[np.int64],
        j: NDArray[np.int64],
        others: Array | None = None,
    ) -> NDArray[Any]:
        """Return the distances of the rows i and j."""
        return crop_distances(features, i, j, others)

    def counts(
        self, features: Array, rows: NDArray[np.int64], others: Array | None = None
    ) -> NDArray[np.int64]:
        """Return how many pairs of some rows with all others lie at each distance of the grid."""
        return count_crop_pairs(features, rows, self.grid[1], len(self.grid), others)


@dataclass(frozen=True)
class GraphFit:
    """The distances that were chosen for a graph.

    Parameters
    ----------
    distance : float or None
        Items of one collection are linked up to it; None: none are.
    match_distance : float or None
        New images are matched up to it.
    reason : str
    """

    distance: float | None
    match_distance: float | None
    reason: str


class Features:
    """The features of the items of a collection, in one or several of the eight views.

    Parameters
    ----------
    kind : str
        The name of the evidence, as in ``pairs_``.
    metric : Metric
    items : ndarray of shape (n_usable,), int, increasing
        The items that have features; the others have no neighbours.
    views : dict of int to ndarray of shape (n_usable, d)
        By number in :data:`VIEWS`; 0, the images as they are, is always there.
    order : ndarray of shape (n_items,), int
        All items in an order that does not depend on that of the collection.
    """

    def __init__(
        self,
        kind: str,
        metric: Metric,
        items: NDArray[np.int64],
        views: Mapping[int, Array],
        order: NDArray[np.int64],
    ) -> None:
        self.kind, self.metric, self.items, self.views = kind, metric, items, dict(views)
        rows = np.full(len(order), -1)
        rows[items] = np.arange(len(items))
        ordered = rows[order]
        affordable = max(_FEWEST_SAMPLED, _COMPARISONS // max(len(items), 1))
        self._sample = np.sort(ordered[ordered >= 0][: min(metric.n_sampled, affordable)])
        self._counts: dict[int, NDArray[np.float64]] = {}
        self._found: dict[int, tuple[float, list[Pairs]]] = {}  # by view: how far, and what

    def __len__(self) -> int:
        return len(self.items)

    @property
    def resolution(self) -> float:
        """How many pairs one counted pair stands for."""
        return max(1.0, len(self) / (2 * len(self._sample)))

    def counts(self, number: int) -> NDArray[np.float64]:
        """Return how many pairs of items lie within each distance of the grid, in a view.

        Parameters
        ----------
        number : int
            The view of the second image of each pair.

        Returns
        -------
        counts : ndarray of shape (n_grid,), float
            Each pair is measured in both directions and counts half for each. Of a large
            collection, estimated from the pairs of a sample of images with all others; of
            another view, without the images that look the same in it, which would show copies.
        """
        if number not in self._counts:
            own, others, sample = self.views[0], None, self._sample
            if number:
                others = self.views[number]
                changed = self._changed(number)
                if 2 * np.count_nonzero(changed) > len(self):  # else there is no judging by it
                    sample = (np.cumsum(changed) - 1)[sample[changed[sample]]]
                    own, others = own[changed], others[changed]
            counts = self.metric.counts(own, sample, others)
            share = len(sample) * len(own) / len(self) ** 2
            self._counts[number] = np.cumsum(counts, dtype=np.float64) / (2 * share)
        return self._counts[number]

    def _changed(self, number: int) -> NDArray[np.bool_]:
        """Return which items look different in a view: not the symmetric ones."""
        everyone = np.arange(len(self))
        distance = self.metric.distances(self.views[0], everyone, everyone, self.views[number])
        return np.asarray(distance > self.metric.fallback)

    def found(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the counts for a view, exact where that is quick, and their resolution.

        Parameters
        ----------
        number : int
            The view of the second image of each pair.

        Returns
        -------
        counts, resolution : ndarray of shape (n_grid,), float
        """
        counts, grid = self.counts(number), self.metric.grid
        resolution = np.full(len(grid), self.resolution)
        reach = self.metric.reach(len(self))
        if reach is None or len(self) <= len(self._sample):
            return counts, resolution
        near = grid <= reach
        resolution[near] = 1.0
        exact = np.zeros(len(grid))
        for i, j, distance in self._search(number, reach):
            place = np.searchsorted(grid, distance[i != j])
            exact += np.bincount(place, minlength=len(grid))[: len(grid)]
        exact = np.cumsum(exact) / (2 if number else 1)
        return np.maximum.accumulate(np.where(near, exact, counts)), resolution

    def iter_pairs(self, number: int, max_distance: float) -> Iterator[Pairs]:
        """Yield all pairs of rows within a distance, in chunks.

        Parameters
        ----------
        number : int
            The view of the second image of each pair; of another one than 0, some pairs come
            twice.
        max_distance : float
        """
        reach, kept = self._found.get(number, (-np.inf, []))
        if max_distance > reach:
            yield from self.metric.iter_pairs(self.views[0], max_distance, self._others(number))
            return
        for i, j, distance in kept:
            near = distance <= max_distance
            yield Pairs(i[near], j[near], distance[near])

    def _search(self, number: int, max_distance: float) -> Iterator[Pairs]:
        """Yield what ``iter_pairs`` does; if they are few, keep them for the next who asks."""
        kept: list[Pairs] = []
        total = 0
        for pairs in self.metric.iter_pairs(self.views[0], max_distance, self._others(number)):
            total += len(pairs.i)
            if total <= _KEPT_PAIRS:
                kept.append(pairs)
            else:
                kept.clear()
            yield pairs
        if total <= _KEPT_PAIRS:
            self._found[number] = max_distance, kept

    def _others(self, number: int) -> Array | None:
        return self.views[number] if number else None

    def forget_pairs(self) -> None:
        """Let go of the pairs that were kept, once the links are made."""
        self._found.clear()


class Graph:
    """Which items lie how far apart: as they are, or one against a view of the other.

    Parameters
    ----------
    features : Features
    number : int, default=0
        The view in :data:`VIEWS`.
    """

    def __init__(self, features: Features, number: int = 0) -> None:
        self.features, self.number = features, number
        self.metric, self.items = features.metric, features.items
        self.kind = f"{features.kind} {VIEWS[number].name}" if number else features.kind
        self._own = features.views[0]
        self._view = features.views[number] if number else None

    def chunks(self, max_distance: float) -> Iterator[Pairs]:
        """Yield all pairs of items within a distance, i < j; against a view, some twice."""
        if len(self.items) < 2:
            return
        for i, j, distance in self.features.iter_pairs(self.number, max_distance):
            other = i != j
            left, right = self.items[i[other]], self.items[j[other]]
            yield Pairs(np.minimum(left, right), np.maximum(left, right), distance[other])

    def matches(
        self, rows: NDArray[np.int64], new: Array, max_distance: float | None
    ) -> Iterator[Pairs]:
        """Yield the pairs of new rows (i) and items (j) within a distance."""
        if max_distance is None or not (len(rows) and len(self.items)):
            return
        for number in self._seen_by_new():
            against = self.features.views[number]
            for i, j, distance in self.metric.iter_pairs(new, max_distance, against):
                yield Pairs(rows[i], self.items[j], distance)

    def _seen_by_new(self) -> list[int]:
        """Return the views of the items that new images are compared with."""
        # Two items are compared both ways. A new image is only turned against the fitted ones,
        # so it may be the clockwise turn of one or have one for its own clockwise turn.
        return [self.number, _COUNTERCLOCKWISE] if self.number == _CLOCKWISE else [self.number]

    def distances(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distance of each pair of items; infinite where one has no features."""
        left, right = self._rows(i), self._rows(j)
        known = (left >= 0) & (right >= 0)
        left, right = left[known], right[known]
        distance = self.metric.distances(self._own, left, right, self._view)
        if self._view is not None:
            other_way = self.metric.distances(self._own, right, left, self._view)
            distance = np.minimum(distance, other_way)
        found = np.full(len(i), np.inf)
        found[known] = distance
        return found

    def _rows(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of features of each item, −1 where it has none."""
        if not len(self.items):
            return np.full(len(items), -1)
        place = np.searchsorted(self.items, items).clip(max=len(self.items) - 1)
        return np.where(self.items[place] == items, place, -1)

    def fit(self, distance: float | str) -> GraphFit:
        """Choose the distance within which two items are linked.

        Parameters
        ----------
        distance : "auto" or float
        """
        unit, n = self.metric.unit, len(self.items)
        if not isinstance(distance, str):
            return GraphFit(distance, distance, f"{distance:g} {unit}, fixed")
        if n < 2:
            return GraphFit(None, self.metric.fallback, "fewer than two images to compare")
        grid = self.metric.grid
        targets, found_resolution = self.features.found(self.number)
        twin, *others = (self._counts_of(self.number ^ flip) for flip in (1, 2, 3))
        known = [counts for counts in (twin, *others) if counts is not None]
        chance = chance_distance(
            targets,
            np.zeros(len(grid)) if twin is None else twin,
            grid,
            n,
            alternatives=[counts for counts in others if counts is not None],
            resolution=self.features.resolution,
            found_resolution=found_resolution,
            tail=self.metric.tail,
        )
        if chance.null == "none":
            return self._cautious(targets, known, self.metric.fallback)
        if chance.null == "tail" and chance.distance is None and known:
            return self._cautious(targets, known, self.metric.fallback / _CAUTION)
        allowed, reason = chance.distance, chance.reason
        reach = self.metric.reach(n)
        if allowed is not None and reach is not None and allowed > reach:
            allowed = reach
            reason += f" Images are linked up to a distance of {allowed:g} at most."
        return GraphFit(allowed, match_distance(chance.expected, grid, n), reason)

    def fit_to_density(self) -> GraphFit:
        """Choose no distance: HDBSCAN finds groups without; new images are matched as ever."""
        return GraphFit(None, self.metric.fallback, "HDBSCAN: dense groups, whatever the distance")

    def _counts_of(self, number: int) -> NDArray[np.float64] | None:
        return self.features.counts(number) if number in self.features.views else None

    def _cautious(
        self, targets: NDArray[np.float64], decoys: list[NDArray[np.float64]], fallback: float
    ) -> GraphFit:
        """Take the fallback, or the largest smaller distance at which decoys are next to none."""
        grid = self.metric.grid
        lowered = [without_copies(counts, targets, grid) for counts in decoys]
        most = np.max([np.zeros(len(grid)), *lowered], axis=0)
        safe = (most <= _MOST_DECOYS * targets) & (grid <= fallback)
        safe &= np.cumsum(most > _MOST_DECOYS * targets) == 0
        what = "the collection does not tell what chance gives"
        if not safe.any():
            return GraphFit(None, None, f"No distance is safe: {what}, and decoys are as near.")
        distance = float(grid[safe][-1])
        return GraphFit(distance, distance, f"{distance:g} {self.metric.unit}, fixed: {what}.")


def graphs_of_views(features: Features, searched: str) -> list[Graph]:
    """Return a graph for each view that is searched.

    Each odd view is the mirror image of the view before it: what lies near the one by chance
    lies as near the other, so that they are decoys for each other.

    Parameters
    ----------
    features : Features
    searched : {"identity", "mirror", "all"}
    """
    return [Graph(features, number) for number in _SEARCHED[searched]]
