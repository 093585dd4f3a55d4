"""Which images to keep and which to drop, and why: a table, nothing is deleted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .duplicates import linked_clusters
from .duplicates._keep import Keep, kept_of_groups

Grouping = tuple[str, NDArray[np.int64]]
"""A kind of duplicates, and the group of each image by it (negative: none)."""


def removal_plan(
    table: pd.DataFrame,
    flaws: NDArray[np.object_],
    groupings: Sequence[Grouping],
    keep: Keep = "best",
) -> pd.DataFrame:
    """Decide about each image.

    Flawed images are dropped. Of each group of duplicates one of the others is kept; groups of
    several kinds that share an image count as one.

    Parameters
    ----------
    table : DataFrame of n rows
        The measurements, and ``quality_score``.
    flaws : ndarray of shape (n,), object
        Why an image is dropped for its own sake, else None.
    groupings : sequence of (str, ndarray of shape (n,))
        The duplicates by issue.
    keep : {"best", "first"} or callable, default="best"
        Which image of a group stays, see :class:`NearDuplicateDetector`.

    Returns
    -------
    plan : DataFrame of n rows
        ``action`` ("keep" or "drop"), ``why`` (empty for an image that is kept and in no
        group), ``group`` (its number, or missing) and ``kept`` (the label of the image that
        is kept of the group, or None), with the index of ``table``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> table = pd.DataFrame({"size": [10.0, 20.0, 30.0]}, index=["a", "b", "c"])
    >>> groups = [("near_duplicates", np.array([0, 0, -1]))]
    >>> removal_plan(table, np.array([None, None, "dark"]), groups)[["action", "why"]]
      action                   why
    a   drop  near_duplicates of b
    b   keep  best of 2 duplicates
    c   drop                  dark
    """
    flawed = np.array([flaw is not None for flaw in flaws], dtype=bool)
    labels = _united(groupings, len(table))
    kept_rows = kept_of_groups(np.where(flawed, -1, labels), table, keep)
    kept = np.full(labels.max(initial=-1) + 1, -1)
    kept[labels[kept_rows]] = kept_rows

    grouped = labels >= 0
    stays = ~flawed
    stays[grouped] &= kept[labels[grouped]] == np.flatnonzero(grouped)
    why = np.where(flawed, flaws, "")
    size = np.bincount(labels[grouped], minlength=1)
    how = keep if isinstance(keep, str) else "chosen"
    kept_name = np.full(len(table), None, dtype=object)
    has_kept = grouped.copy()
    has_kept[grouped] = kept[labels[grouped]] >= 0
    kept_name[has_kept] = table.index[kept[labels[has_kept]]].to_numpy(dtype=object)
    best = np.flatnonzero(has_kept & stays)
    why[best] = [f"{how} of {number} duplicates" for number in size[labels[best]]]
    repeated = np.flatnonzero(has_kept & ~flawed & ~stays)
    kinds = _kinds(groupings, repeated, kept[labels[repeated]])
    why[repeated] = [
        f"{kind} of {name}" for kind, name in zip(kinds, kept_name[repeated], strict=True)
    ]
    group = pd.array(labels, dtype="Int64")
    group[~grouped] = pd.NA
    return pd.DataFrame(
        {
            "action": np.where(stays, "keep", "drop").astype(object),
            "why": pd.Series(why, index=table.index, dtype=object),
            "group": group,
            "kept": pd.Series(kept_name, index=table.index, dtype=object),
        },
        index=table.index,
    )


def _united(groupings: Sequence[Grouping], n: int) -> NDArray[np.int64]:
    """Join groups that share an image, and number the groups that remain."""
    i, j = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for _, labels in groupings:
        rows = np.flatnonzero(labels >= 0)
        first = np.unique(labels[rows], return_index=True)[1]
        i.append(rows[first][np.unique(labels[rows], return_inverse=True)[1]])
        j.append(rows)
    linked, members = np.concatenate(i), np.concatenate(j)
    clusters = linked_clusters(linked, members, n)
    united = np.full(n, -1)
    in_group = np.unique(members)
    united[in_group] = pd.factorize(clusters[in_group])[0]
    return united


def _kinds(
    groupings: Sequence[Grouping], rows: NDArray[np.int64], kept: NDArray[np.int64]
) -> NDArray[np.object_]:
    """Return by which issue each row is a duplicate of the one that is kept: the first of them."""
    kinds = np.full(len(rows), "duplicate, through other images,", dtype=object)
    for issue, labels in reversed(groupings):
        kinds[(labels[rows] >= 0) & (labels[rows] == labels[kept])] = issue
    return kinds
