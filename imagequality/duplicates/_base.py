"""What all duplicate detectors share: contents → graphs → clusters → groups, and what to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._base import StrOptions
from ..detectors import IssueDetector
from ..measurements import Column
from ..thresholds import FixedThreshold, ThresholdSelector
from ._clusters import describe_clusters, minimum_spanning_forest
from ._contents import Contents, cross_row_pairs
from ._keep import Keep, kept_of_groups
from ._neighbours import Pairs

KEEP = [StrOptions({"best", "first"}), callable]

Links = list[tuple[str, Pairs]]
"""Neighbouring items by kind of evidence."""


class DuplicateDetectorBase(IssueDetector):
    """Base of the duplicate detectors: exact copies are one item, items are linked in graphs.

    A subclass says what links the items of a collection (``_link``) and, for new images, what
    links them to the fitted ones (``_match``). The score of an image is 1 / the size of its
    group in the fitted collection.
    """

    keep: Keep
    _extra_columns: ClassVar[tuple[Column, ...]] = ("pixel_digest", "size", "file_size")
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"keep": KEEP}

    # ------------------------------------------------------------------ hooks

    def _evidence_columns(self) -> tuple[Column, ...]:
        """Return the columns that the links are made from."""
        return ()

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        """Return the links between items, and the cluster label of each item.

        Parameters
        ----------
        table : DataFrame of n_items rows
            The first row of each item.
        contents : Contents
        """
        raise NotImplementedError

    def _match(self, table: pd.DataFrame) -> Links:
        """Return links of new items (i, rows of ``table``) to fitted ones (j)."""
        raise NotImplementedError

    def _distances(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the distances of pairs of fitted items, in the unit of ``groups_``."""
        return np.zeros(len(i))

    def _in_unit(self, kind: str, distance: NDArray[Any]) -> NDArray[np.float64]:
        """Bring the distances of one kind of links to the unit of ``groups_``."""
        return np.asarray(distance, dtype=np.float64)

    def _groups_exact_copies(self) -> bool:
        """Return whether copies of one content are a group by themselves."""
        return True

    # ----------------------------------------------------------------- public

    def find_matches(self, X: Any) -> pd.DataFrame:
        """Find which images of the fitted collection new images repeat.

        Parameters
        ----------
        X : collection of images, or measurement table
            The new images.

        Returns
        -------
        matches : DataFrame
            One row per match: ``i``, position in X; ``j``, position in the fitted collection;
            ``distance``; ``kind``, "exact" or the evidence. Sorted by i, then distance. An
            image that cannot be read has no match.
        """
        check_is_fitted(self, "threshold_")
        table = self._plain(self._table(X))
        new = Contents(table["pixel_digest"].to_numpy())
        fitted = pd.Index(self._contents.digests).get_indexer(pd.Index(new.digests))
        known = np.flatnonzero(fitted >= 0)
        links: Links = [("exact", Pairs(known, fitted[known], np.zeros(len(known))))]
        if len(new) and len(self._contents):
            for kind, found in self._match(table.iloc[new.first_row]):
                pairs = shortest(found)
                other = fitted[pairs.i] != pairs.j
                links.append((kind, select(pairs, other)))
        frames = [_expanded(kind, pairs, new, self._contents) for kind, pairs in links]
        matches = pd.concat(frames, ignore_index=True)
        return matches.sort_values(["i", "distance", "j"], kind="stable", ignore_index=True)

    # --------------------------------------------------------------- internal

    def _columns(self) -> tuple[Column, ...]:
        return tuple(dict.fromkeys((*self._evidence_columns(), *self._extra_columns)))

    def _plain(self, table: pd.DataFrame) -> pd.DataFrame:
        plain = super()._plain(table)
        if callable(self.keep):  # it may ask for any column
            others = table.columns.difference(plain.columns, sort=False)
            plain = pd.concat([plain, table[others]], axis=1)
        if "quality_score" in table.columns:  # a pipeline's, for keep="best"
            plain["quality_score"] = table["quality_score"].to_numpy(dtype=np.float64)
        return plain

    def _default_threshold(self) -> ThresholdSelector:
        return FixedThreshold(1.0)

    def _learn(self, table: pd.DataFrame) -> None:
        contents = Contents(table["pixel_digest"].to_numpy())
        links, item_labels = self._link(table.iloc[contents.first_row], contents)
        self._contents = contents
        self.labels_ = contents.row_labels(item_labels, exact=self._groups_exact_copies())
        self.pairs_ = self._within_groups(_pairs_table(contents, links))
        kept = kept_of_groups(self.labels_, table, self.keep)
        self.keep_ = self.labels_ < 0
        self.keep_[kept] = True
        self.groups_ = self._groups(contents, links, item_labels, kept)
        label = self.labels_[contents.first_row]
        self._grouped_digests = contents.digests[label >= 0]
        self._grouped_sizes = self.groups_["size"].to_numpy()[label[label >= 0]]

    def _within_groups(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Leave out links that join no group: of complete linkage, or copies left to others."""
        label = self.labels_[pairs["i"]]
        inside = (label >= 0) & (label == self.labels_[pairs["j"]])
        return pairs[inside].reset_index(drop=True)

    def _groups(
        self,
        contents: Contents,
        links: Links,
        item_labels: NDArray[np.int64],
        kept: NDArray[np.int64],
    ) -> pd.DataFrame:
        labels = self.labels_[contents.first_row]  # of the items
        groups = pd.DataFrame({"group": np.arange(len(kept))})
        groups["size"] = np.bincount(self.labels_[self.labels_ >= 0], minlength=len(kept))
        groups["contents"] = np.bincount(labels[labels >= 0], minlength=len(kept))
        groups["kept"] = kept
        i, j, distance = joined(
            [Pairs(i, j, self._in_unit(kind, distance)) for kind, (i, j, distance) in links]
        )
        inside = labels[i] == labels[j]
        within = shortest(select(Pairs(i, j, distance), inside))
        forest = minimum_spanning_forest(within, len(contents))
        unique = np.where(labels >= 0, labels, len(kept) + np.arange(len(labels)))
        found = describe_clusters(unique, forest, self._distances).set_index("cluster")
        for name, default in (("diameter", 0.0), ("weakest_link", 0.0), ("diameter_exact", True)):
            values = np.full(len(groups), default)
            values[found.index.to_numpy()] = found[name].to_numpy()
            groups[name] = values
        # The two are computed on different ways, and may differ in their last digits.
        groups["diameter"] = np.fmax(groups["diameter"], groups["weakest_link"])
        return groups

    def _members(self) -> pd.DataFrame:
        """Return a row for each image in a group: what the report shows of it."""
        rows = np.flatnonzero(self.labels_ >= 0)
        groups = self.groups_.iloc[self.labels_[rows]]
        item, kept = (self._contents.item_of_row[of] for of in (rows, groups["kept"].to_numpy()))
        return pd.DataFrame(
            {
                "row": rows,
                "group": self.labels_[rows],
                "size": groups["size"].to_numpy(),
                "keep": self.keep_[rows],
                "kept": groups["kept"].to_numpy(),
                "distance": np.where(item == kept, 0.0, self._distances(item, kept)),
                "diameter": groups["diameter"].to_numpy(),
                "weakest_link": groups["weakest_link"].to_numpy(),
            }
        ).sort_values(["group", "row"], kind="stable", ignore_index=True)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        digests = pd.Index(table["pixel_digest"], dtype=object)
        place = pd.Index(self._grouped_digests, dtype=object).get_indexer(digests)
        size = np.append(self._grouped_sizes, 1)[place]  # −1, in no group, is the last place
        return np.where(digests.isna(), np.nan, 1 / size)


def select(pairs: Pairs, chosen: NDArray[np.bool_]) -> Pairs:
    """Keep some of the pairs."""
    return Pairs(pairs.i[chosen], pairs.j[chosen], pairs.distance[chosen])


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Put pairs from several searches one behind the other."""
    whole = (Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)), *parts)
    return Pairs(*(np.concatenate(columns) for columns in zip(*whole, strict=True)))


def shortest(pairs: Pairs) -> Pairs:
    """Keep the shortest of several pairs of the same two items; sorted by i, then j."""
    order = np.lexsort((pairs.distance, pairs.j, pairs.i))
    i, j, distance = (part[order] for part in pairs)
    first = np.ones(len(i), dtype=bool)
    first[1:] = (i[1:] != i[:-1]) | (j[1:] != j[:-1])
    return Pairs(i[first], j[first], distance[first])


def _pairs_table(contents: Contents, links: Links) -> pd.DataFrame:
    parts = [("exact", contents.exact_pairs())]
    parts += [(kind, contents.row_pairs(pairs)) for kind, pairs in links]
    kinds = list(dict.fromkeys(kind for kind, _ in parts))
    frames = [
        pd.DataFrame(
            {
                "i": pairs.i,
                "j": pairs.j,
                "distance": pairs.distance.astype(np.float64),
                "kind": pd.Categorical([kind], categories=kinds).repeat(len(pairs.i)),
            }
        )
        for kind, pairs in parts
    ]
    table = pd.concat(frames, ignore_index=True)
    return table.sort_values(["i", "j", "distance"], kind="stable", ignore_index=True)


def _expanded(kind: str, pairs: Pairs, new: Contents, fitted: Contents) -> pd.DataFrame:
    """Turn links of new items to fitted ones into links of rows."""
    i, j, distance = cross_row_pairs(pairs, new, fitted)
    return pd.DataFrame(
        {
            "i": i,
            "j": j,
            "distance": distance.astype(np.float64),
            "kind": pd.Series([kind] * len(i), dtype=object),  # pandas 3 makes str of an array
        }
    )
