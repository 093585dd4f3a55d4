"""Links between numbered images → groups, piece by piece.

A set of links is kept as stars: each image that is linked to another, directly or through
others, beside the smallest number that it is linked to. So a set takes 16 bytes an image,
however many links it was made from, and the stars of a union are those of the joined stars.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..duplicates import linked_clusters

NO_STARS = pd.DataFrame({"member": np.empty(0, np.int64), "first": np.empty(0, np.int64)})

NO_MEMBERS = pd.DataFrame(
    {name: np.empty(0, np.int64) for name in ("number", "group", "size")}
    | {"first": np.empty(0, np.bool_)}
)


def stars_of_pairs(i: NDArray[np.int64], j: NDArray[np.int64]) -> pd.DataFrame:
    """Bring links to stars.

    Parameters
    ----------
    i, j : ndarray of shape (n_pairs,), int64
        The numbers of linked images, of any size.

    Returns
    -------
    stars : DataFrame
        One row for each linked image but the smallest of those that hang together: its number,
        ``member``, in increasing order, and the smallest, ``first``.

    Examples
    --------
    >>> stars_of_pairs(np.array([7, 9, 4]), np.array([9, 30, 5]))
       member  first
    0       5      4
    1       9      7
    2      30      7
    """
    if not len(i):
        return NO_STARS
    numbers, ends = np.unique(np.concatenate([i, j]), return_inverse=True)
    left, right = ends.reshape(2, -1)
    labels = linked_clusters(left, right, len(numbers))
    smallest = numbers[np.unique(labels, return_index=True)[1]]  # numbers are in order
    first = smallest[labels]
    others = numbers != first
    return pd.DataFrame({"member": numbers[others], "first": first[others]})


def merge_stars(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join the stars of several sets of links to those of their union.

    Examples
    --------
    >>> one, two = stars_of_pairs([1], [2]), stars_of_pairs([2], [3])
    >>> merge_stars([one, two])
       member  first
    0       2      1
    1       3      1
    """
    whole = pd.concat([NO_STARS, *parts], ignore_index=True)
    return stars_of_pairs(whole["member"].to_numpy(), whole["first"].to_numpy())


def number_groups(stars: pd.DataFrame) -> pd.DataFrame:
    """List the images of all groups.

    Parameters
    ----------
    stars : DataFrame
        Of all links.

    Returns
    -------
    members : DataFrame
        ``number`` of each image in a group, in increasing order; ``group``, numbered from 0 by
        the smallest number in it; ``size`` of the group; ``first``, whether it is the smallest.

    Examples
    --------
    >>> number_groups(stars_of_pairs([7, 9, 4], [9, 30, 5]))
       number  group  size  first
    0       4      0     2   True
    1       5      0     2  False
    2       7      1     3   True
    3       9      1     3  False
    4      30      1     3  False
    """
    smallest = np.unique(stars["first"].to_numpy())
    number = np.concatenate([smallest, stars["member"].to_numpy()])
    group = np.searchsorted(smallest, np.concatenate([smallest, stars["first"].to_numpy()]))
    size = np.bincount(group, minlength=len(smallest))
    order = np.argsort(number)
    number, group = number[order], group[order].astype(np.int64)
    return pd.DataFrame(
        {
            "number": number,
            "group": group,
            "size": size[group].astype(np.int64),
            "first": np.isin(number, smallest),
        }
    )
