"""Groups of duplicates in a measurement table of any size.

Each image has a number that orders the table: its partition's, then its place in it. Equal
keys (digests, hashes) are linked to the smallest number that has them, first within partitions,
then after a shuffle; only one of each goes on. Near hashes are linked where :mod:`._routes` makes
them meet. The links, as stars, are merged in a tree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask import delayed
from dask.delayed import Delayed
from numpy.typing import NDArray

from .._base import Interval, StrOptions, validate_arguments
from ..duplicates import unpack_hashes
from ..duplicates._graphs import LEAST_CONTRAST
from ..duplicates._near import _BITS, _BITS_WITHOUT_VIEWS
from ._links import NO_MEMBERS, merge_stars, number_groups
from ._measuring import ROWS
from ._routes import Route, copies_of, links_of_all, links_of_tasks, plan_routes, send

_HASH_BITS = {**_BITS, **_BITS_WITHOUT_VIEWS}
_SAMPLE = 2048  # hashes that tell how the bits vary
_TASKS_PER_PARTITION = 4  # several small ones, so that chance fills partitions evenly
_MERGED_TOGETHER = 8
_NUMBER_BITS = 32  # of a place within a partition

_ARGUMENTS: dict[str, list[Any]] = {
    "table": [dd.DataFrame],
    "hash": [StrOptions(set(_HASH_BITS))],
    "distance": [Interval(Integral, 0, None, closed="left")],
    "rows_per_partition": ROWS,
}


def exact_duplicate_groups(
    table: dd.DataFrame, *, rows_per_partition: int = 2_000_000
) -> dd.DataFrame:
    """Group the images whose decoded pixels are equal.

    Parameters
    ----------
    table : dask.dataframe.DataFrame
        Measurement table with the column ``pixel_digest``.
    rows_per_partition : int, default=2_000_000
        Digests that a thread of a worker holds at a time, on average: some 100 bytes each.

    Returns
    -------
    groups : dask.dataframe.DataFrame
        One row for each image that is in a group, see :func:`near_duplicate_groups`.

    Examples
    --------
    >>> import dask
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> from imagequality.dask import exact_duplicate_groups
    >>> measured = pd.DataFrame({"pixel_digest": ["0e", "7a", "0e"]}, index=["a", "b", "c"])
    >>> with dask.config.set(scheduler="synchronous"):
    ...     exact_duplicate_groups(dd.from_pandas(measured, npartitions=2)).compute()
       group  size  first
    a      0     2   True
    c      0     2  False
    """
    arguments = {"table": table, "rows_per_partition": rows_per_partition}
    validate_arguments(_ARGUMENTS, arguments, "exact_duplicate_groups")
    _check_columns(table, ["pixel_digest"])
    parts = table[["pixel_digest"]].to_delayed()
    n_rows = sum(dask.compute(*[delayed(len)(part) for part in parts]))
    links = _links_of_copies(parts, math.ceil(n_rows / rows_per_partition))
    return _groups(table, links)


def near_duplicate_groups(
    table: dd.DataFrame,
    *,
    distance: int,
    hash: str = "phash_256",
    rows_per_partition: int = 2_000_000,
) -> dd.DataFrame:
    """Group the images whose hashes are linked within a distance, directly or through others.

    The groups are those of ``NearDuplicateDetector(hash=hash, distance=distance)``.

    Parameters
    ----------
    table : dask.dataframe.DataFrame
        Measurement table with the columns ``pixel_digest``, ``hash_contrast`` and that of the
        hash. It is read several times: give stored files, or ``table.persist()``.
    distance : int
        Largest Hamming distance between two linked images, in bits. The time grows steeply
        with it; up to 1/8 of the bits is meant.
    hash : str, default="phash_256"
        As in :class:`imagequality.NearDuplicateDetector`.
    rows_per_partition : int, default=2_000_000
        Hashes that a thread of a worker holds at a time: on average; the fullest partition has
        about twice as many. Each takes 17 bytes and the hash itself, and half as much again
        while they are compared. The more they are, the fewer copies are sent, see the notes.

    Returns
    -------
    groups : dask.dataframe.DataFrame
        One row for each image that is in a group, in the order of the table, with its index:

        - ``group``: number of the group, by first appearance, as in the detector's
          ``labels_``;
        - ``size``: number of images in it;
        - ``first``: whether the image is the first of its group.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of these, or the table lacks a column.

    Notes
    -----
    A first look at the table is taken at once (number of rows, a sample of hashes); all else is
    lazy. It is exact: the join is that of the detector (blocks of bits whose radii make it
    impossible for two near hashes to differ too much in all of them), cut into tasks by some
    bits of each block. Each distinct hash is sent to some tens of tasks, shuffled by Dask; each
    partition gives a spanning forest of its links. Equal hashes are joined before, so that a
    million flat images are one.

    What must fit one worker is the forest of all links: 16 bytes for each image *in a group*, 180
    bytes while the last parts of it are merged. There may be up to 2³¹ such images.

    Examples
    --------
    >>> import dask
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> from imagequality.dask import near_duplicate_groups
    >>> hashes = [16 * "0", 16 * "f", 15 * "0" + "3"]
    >>> measured = pd.DataFrame(
    ...     {"phash": hashes, "hash_contrast": 9.0, "pixel_digest": ["0e", "7a", "11"]}
    ... )
    >>> with dask.config.set(scheduler="synchronous"):
    ...     table = dd.from_pandas(measured, npartitions=2)
    ...     near_duplicate_groups(table, hash="phash", distance=2).compute()
       group  size  first
    0      0     2   True
    2      0     2  False
    """
    arguments = {
        "table": table,
        "distance": distance,
        "hash": hash,
        "rows_per_partition": rows_per_partition,
    }
    validate_arguments(_ARGUMENTS, arguments, "near_duplicate_groups")
    columns = [hash, "hash_contrast", "pixel_digest"]
    _check_columns(table, columns)
    parts = table[columns].to_delayed()
    n_sampled = math.ceil(_SAMPLE / len(parts))
    n_hashes, samples = zip(
        *dask.compute(*[delayed(_look)(part, hash, n_sampled) for part in parts]), strict=True
    )
    routes = plan_routes(
        np.concatenate(samples),
        sum(n_hashes),
        int(distance),
        math.ceil(rows_per_partition / _TASKS_PER_PARTITION),
    )
    n_partitions = max(1, math.ceil(sum(n_hashes) * copies_of(routes) / rows_per_partition))
    links = _links_of_copies(parts, n_partitions)
    links += _links_of_hashes(parts, hash, int(distance), routes, n_partitions)
    return _groups(table, links)


def _check_columns(table: dd.DataFrame, columns: list[str]) -> None:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(
            f"the measurement table lacks {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table.columns[:12]))}"
        )


# --- keys of images -----------------------------------------------------------------------------


def _numbers(partition: int, n_rows: int) -> NDArray[np.int64]:
    """Return a number for each image of a partition; all numbers are in the table's order."""
    return (np.int64(partition) << np.int64(_NUMBER_BITS)) + np.arange(n_rows)


def _digests(table: pd.DataFrame, partition: int) -> pd.DataFrame:
    """Return number and digest of the images that could be read."""
    keys = pd.DataFrame(
        {
            "number": _numbers(partition, len(table)),
            "digest": table["pixel_digest"].astype("string[pyarrow]").to_numpy(),
        }
    ).astype({"digest": "string[pyarrow]"})
    return keys[keys["digest"].notna()]


def _hashed(table: pd.DataFrame, hash: str) -> NDArray[np.bool_]:
    """Return which images have a hash that says something."""
    contrast = table["hash_contrast"].to_numpy(dtype=np.float64, na_value=np.nan)
    readable = table[hash].notna() & table["pixel_digest"].notna()
    return (contrast >= LEAST_CONTRAST) & readable.to_numpy(dtype=bool)


def _unpacked(texts: pd.Series, hash: str) -> NDArray[np.uint64]:
    words = unpack_hashes(texts.tolist())
    expected = math.ceil(_HASH_BITS[hash] / 64)
    if len(texts) and words.shape[1] != expected:
        raise ValueError(f"{hash} must have {expected} words of 64 bits, got {words.shape[1]}")
    return words if len(texts) else np.empty((0, expected), dtype=np.uint64)


def _look(table: pd.DataFrame, hash: str, n_sampled: int) -> tuple[int, NDArray[np.uint64]]:
    """Count the hashes of a partition, and take some of them, evenly spread."""
    hashed = np.flatnonzero(_hashed(table, hash))
    chosen = hashed[np.linspace(0, len(hashed) - 1, min(len(hashed), n_sampled)).astype(np.int64)]
    return len(hashed), _unpacked(table[hash].iloc[chosen], hash)


def _hashes(table: pd.DataFrame, partition: int, hash: str) -> pd.DataFrame:
    """Return number and words of the images whose hash says something."""
    hashed = _hashed(table, hash)
    words = _unpacked(table[hash][hashed], hash)
    numbers = _numbers(partition, len(table))[hashed]
    return pd.DataFrame({"number": numbers, **_word_columns(words)})


def _word_columns(words: NDArray[np.uint64]) -> dict[str, NDArray[np.uint64]]:
    return {f"word{place}": words[:, place] for place in range(words.shape[1])}


# --- links --------------------------------------------------------------------------------------


def _links_of_copies(parts: Sequence[Delayed], n_partitions: int) -> list[Delayed]:
    frames = [delayed(_digests)(part, number) for number, part in enumerate(parts)]
    return _link_equal(frames, _digests(pd.DataFrame({"pixel_digest": []}), 0), n_partitions)[0]


def _links_of_hashes(
    parts: Sequence[Delayed], hash: str, distance: int, routes: list[Route], n_partitions: int
) -> list[Delayed]:
    frames = [delayed(_hashes)(part, number, hash) for number, part in enumerate(parts)]
    none = np.empty((0, math.ceil(_HASH_BITS[hash] / 64)), dtype=np.uint64)
    empty = pd.DataFrame({"number": _numbers(0, 0), **_word_columns(none)})
    links, distinct = _link_equal(frames, empty, n_partitions)
    if not routes:
        return [*links, delayed(_compare_all)(distinct, distance)]
    sent = [delayed(send)(frame, routes) for frame in distinct]
    met = _shuffled(sent, send(empty, routes), ["task"], n_partitions)
    return [*links, *(delayed(links_of_tasks)(frame, routes, distance) for frame in met)]


def _compare_all(frames: list[pd.DataFrame], distance: int) -> pd.DataFrame:
    return links_of_all(pd.concat(frames, ignore_index=True), distance)


def _link_equal(
    frames: list[Delayed], empty: pd.DataFrame, n_partitions: int
) -> tuple[list[Delayed], list[Delayed]]:
    """Link the images of equal keys, within each partition and then in all.

    Returns
    -------
    links : list of Delayed
        Stars.
    distinct : list of Delayed
        One row for each key, with the smallest number that has it.
    """
    link = delayed(_link_equal_rows, nout=2)
    keys = [name for name in empty.columns if name != "number"]
    near = [link(frame) for frame in frames]
    met = _shuffled([distinct for _, distinct in near], empty, keys, n_partitions)
    far = [link(frame) for frame in met]
    return [links for links, _ in (*near, *far)], [distinct for _, distinct in far]


def _link_equal_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [name for name in frame.columns if name != "number"]
    first = frame.groupby(keys, sort=False)["number"].transform("min")
    repeated = frame["number"] != first
    links = pd.DataFrame({"member": frame["number"][repeated], "first": first[repeated]})
    return links, frame[~repeated]


def _shuffled(
    frames: list[Delayed], empty: pd.DataFrame, on: list[str], n_partitions: int
) -> Sequence[Delayed]:
    whole = dd.from_delayed(frames, meta=empty, verify_meta=False)
    return whole.shuffle(on, npartitions=max(1, n_partitions), ignore_index=True).to_delayed()


# --- groups -------------------------------------------------------------------------------------


def _groups(table: dd.DataFrame, links: list[Delayed]) -> dd.DataFrame:
    """Merge all links, and bring the numbers of images back to the rows of the table."""
    while len(links) > 1:
        links = [
            delayed(merge_stars)(links[start : start + _MERGED_TOGETHER])
            for start in range(0, len(links), _MERGED_TOGETHER)
        ]
    members = delayed(number_groups)(links[0])
    rows = [
        delayed(_rows)(part, delayed(_members_of)(members, number))
        for number, part in enumerate(table[[]].to_delayed())
    ]
    meta = _rows(table[[]]._meta, NO_MEMBERS)
    return dd.from_delayed(rows, meta=meta, verify_meta=False)


def _members_of(members: pd.DataFrame, partition: int) -> pd.DataFrame:
    bounds = _numbers(partition, 1)[0], _numbers(partition + 1, 1)[0]
    start, stop = np.searchsorted(members["number"].to_numpy(), bounds)
    return members.iloc[start:stop]


def _rows(names: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    place = members["number"].to_numpy() & np.int64(2**_NUMBER_BITS - 1)
    return members[["group", "size", "first"]].set_axis(names.index[place])
