"""The duplicate detectors that link images by their distance, in one or several graphs."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._base import Interval, StrOptions
from ._base import DuplicateDetectorBase, Links, joined, shortest
from ._clusters import (
    complete_linkage,
    density_clusters,
    linked_clusters,
    merge_forests,
)
from ._contents import MOST_PAIRS, Contents, warn_of_many
from ._graphs import Graph, GraphFit
from ._neighbours import Pairs


class LinkedDuplicateDetector(DuplicateDetectorBase):
    """Base of the detectors that compare images by a distance, chosen from the data or fixed.

    A subclass makes the graphs of a collection (``_make_graphs``) and the features of new
    images (``_new_features``).
    """

    method: str
    distance: float | str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DuplicateDetectorBase._parameter_constraints,
        "distance": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
    }

    def _make_graphs(self, table: pd.DataFrame, order: NDArray[np.int64]) -> list[Graph]:
        """Return the graphs of the items; the first is that of the images as they are.

        Parameters
        ----------
        table : DataFrame of n_items rows
        order : ndarray of shape (n_items,), int
            The items in an order that does not depend on that of the collection.
        """
        raise NotImplementedError

    def _new_features(self, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the rows of ``table`` that have features, and these."""
        raise NotImplementedError

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        n = len(contents)
        self._graphs = self._make_graphs(table, contents.by_digest)
        if self.method == "hdbscan":
            self._graphs = self._graphs[:1]
            self._set_fits({graph.kind: graph.fit_to_density() for graph in self._graphs})
            return self._density_links(contents)
        self._set_fits({graph.kind: graph.fit(self.distance) for graph in self._graphs})
        all_links = self.method == "complete_linkage"
        links = [
            (graph.kind, links_within(graph, self.distances_[graph.kind], n, thin=not all_links))
            for graph in self._graphs
        ]
        for graph in self._graphs:
            graph.features.forget_pairs()
        if self.method == "complete_linkage":
            return links, complete_linkage(self._relative(links), n, 1.0)
        return links, linked_clusters(*joined([pairs for _, pairs in links])[:2], n)

    def _set_fits(self, fits: dict[str, GraphFit]) -> None:
        self._fits = fits
        self.distances_ = {kind: fit.distance for kind, fit in fits.items()}
        self.distance_ = self.distances_[self._graphs[0].kind]
        self.reason_ = "; ".join(
            fit.reason if len(fits) == 1 else f"{kind}: {fit.reason}" for kind, fit in fits.items()
        )

    def _relative(self, links: Links) -> Pairs:
        """Unite links of several kinds, each distance as a share of what its kind allows."""
        parts = []
        for kind, pairs in links:
            allowed = self.distances_[kind] or 1.0  # within 0 all distances are 0
            parts.append(Pairs(pairs.i, pairs.j, pairs.distance / allowed))
        return shortest(joined(parts))

    def _density_links(self, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        graph, n = self._graphs[0], len(contents)
        labels = np.arange(n)
        if len(graph.items) > 1:
            features = graph.features.views[0]
            whole = features if features.ndim == 2 else features[:, 0]
            # In an order of the contents' own: among equal distances the first one wins.
            order = np.argsort(np.argsort(contents.by_digest)[graph.items])
            labels[graph.items[order]] = n + density_clusters(whole[order], graph.metric.name)
        # HDBSCAN knows no distance within which all are linked: link each to its cluster's first.
        first = np.unique(labels, return_index=True)[1][np.unique(labels, return_inverse=True)[1]]
        j = np.flatnonzero(first != np.arange(n))
        i = first[j]
        return [(graph.kind, Pairs(i, j, graph.distances(i, j)))], labels

    def _match(self, table: pd.DataFrame) -> Links:
        rows, features = self._new_features(table)
        links = []
        for graph in self._graphs:
            limit = self._fits[graph.kind].match_distance
            links.append((graph.kind, shortest(joined(list(graph.matches(rows, features, limit))))))
        return links

    def _distances(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.min([graph.distances(i, j) for graph in self._graphs], axis=0)


def links_within(graph: Graph, distance: float | None, n: int, *, thin: bool = True) -> Pairs:
    """Return the links within a distance, none if it is None.

    Of more than :data:`MOST_PAIRS` only those of a minimum spanning forest are kept, which
    link the same items; an error without ``thin``.
    """
    chunks: list[Pairs] = []
    total, thinned = 0, False
    for chunk in graph.chunks(distance) if distance is not None else ():
        chunks.append(chunk)
        total += len(chunk.i)
        if total > MOST_PAIRS and not thin:
            raise ValueError(
                f"method='complete_linkage' needs all links, and there are more than "
                f"{MOST_PAIRS:,}: use 'single_linkage' or a smaller distance"
            )
        if total > MOST_PAIRS:
            chunks = [merge_forests(chunks, n)]
            total, thinned = len(chunks[0].i), True
    if thinned:
        warn_of_many()
    return shortest(joined(chunks))
