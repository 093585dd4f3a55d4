"""Any collection of images → references to them, unopened, and a name for each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ._archives import ArchiveMember
from ._datasets import images_of, is_dataset

_ENCODED = (bytes, bytearray, memoryview)


def as_references(X: Any) -> tuple[Sequence[Any], pd.Index]:
    """Bring a collection of images to a sequence of references and a name for each.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, Index, one-column DataFrame or datasets.Dataset
        References (str, Path, bytes, PIL image, array, …), an ``(n, h, w)`` or
        ``(n, h, w, c)`` numeric array, an ``(n, 1)`` object array of references, or a Hugging
        Face data set with one column of images.

    Returns
    -------
    references : sequence of length n
        The references, unopened.
    names : Index of length n
        A pandas input keeps its own index; a path, URL or member of an archive is named by
        itself, anything else by its position.

    Raises
    ------
    TypeError, ValueError
        If X is one image or no collection of images.

    Examples
    --------
    >>> references, names = as_references(["a.jpg", "b.jpg"])
    >>> names.tolist()
    ['a.jpg', 'b.jpg']
    """
    if isinstance(X, pd.DataFrame):
        if X.shape[1] != 1:
            raise ValueError(
                f"a DataFrame of images must have one column of references, got {X.shape[1]} "
                f"columns: {', '.join(map(str, X.columns[:8]))}"
            )
        return X.iloc[:, 0].tolist(), X.index
    if isinstance(X, pd.Series):
        return X.tolist(), X.index
    if is_dataset(X):
        X = images_of(X)
    if isinstance(X, pd.Index):
        X = X.to_numpy(dtype=object)
    references: Sequence[Any]
    if isinstance(X, np.ndarray):
        references = _references_of_array(X) if X.size else []
    elif isinstance(X, (str, bytes, bytearray, memoryview, os.PathLike, Image.Image)):
        raise TypeError(
            f"X must be a collection of images, got one {type(X).__name__}; pass [image] for a "
            "single image, or list_images(folder) for a folder"
        )
    elif isinstance(X, Sequence):
        references = X
    else:
        raise TypeError(
            f"X must be a list, array, Series or one-column DataFrame of images, "
            f"got {type(X).__name__}{_what_works(X)}"
        )
    return references, names_of([_name(*numbered) for numbered in enumerate(references)])


def as_stream(X: Any) -> Iterator[tuple[Any, Any]] | None:
    """Bring a stream of images to (name, reference) pairs, which come one at a time.

    Parameters
    ----------
    X : iterator or collection
        An iterator over references, or over pairs of a name (str or int) and a reference.

    Returns
    -------
    stream : iterator of (name, reference), or None
        None if X is no iterator. A reference without a name is named as by
        :func:`as_references`; :func:`names_of` makes an index of the names. It raises a
        TypeError at an item that is neither a reference nor such a pair.

    Examples
    --------
    >>> stream = as_stream(iter([("first", b"GIF89a"), "b.jpg", b"GIF89a"]))
    >>> [name for name, _ in stream]
    ['first', 'b.jpg', 2]
    >>> as_stream(["a.jpg"]) is None
    True
    """
    if not isinstance(X, Iterator) or hasattr(X, "read"):  # an open file iterates over its lines
        return None
    return (_named(position, item) for position, item in enumerate(X))


def names_of(names: Iterable[Any]) -> pd.Index:
    """Make the index of a table from the names of its images.

    Returns
    -------
    index : Index
        A RangeIndex if each name is the position; else of dtype object, named "path".
    """
    known = list(names)
    if all(type(name) is int and name == at for at, name in enumerate(known)):
        return pd.RangeIndex(len(known))
    return pd.Index(known, name="path", dtype=object)


def _name(position: int, reference: Any) -> str | int:
    if isinstance(reference, (str, os.PathLike)):
        try:
            return str(os.fsdecode(reference))
        except Exception:  # a path-like object that has no path: reading it will tell why
            return position
    return str(reference) if isinstance(reference, ArchiveMember) else position


def _named(position: int, item: Any) -> tuple[Any, Any]:
    if isinstance(item, tuple):
        if len(item) == 2 and isinstance(item[0], (str, int, np.integer)):
            name, item = item
            if _is_reference(item):
                return (name if isinstance(name, str) else int(name)), _unwrapped(item)
    elif _is_reference(item):
        return _name(position, item), _unwrapped(item)
    raise TypeError(
        f"item {position} of the stream must be an image (path, bytes, PIL image, array, …) or a "
        f"pair of its name (str or int) and the image, got {_described(item)}"
    )


def _is_reference(item: Any) -> bool:
    known = (str, os.PathLike, *_ENCODED, Image.Image, np.ndarray)
    methods = ("read", "read_bytes", "fetch")
    return (
        item is None  # a missing image: an invalid row, as in a list
        or isinstance(item, known)
        or _is_undecoded(item)
        or any(hasattr(item, method) for method in methods)
    )


def _is_undecoded(item: Any) -> bool:
    """Whether this is what ``datasets`` gives for an image that it does not decode."""
    return isinstance(item, Mapping) and set(item) == {"bytes", "path"}


def _unwrapped(item: Any) -> Any:
    if _is_undecoded(item):
        return item["path"] if item["bytes"] is None else item["bytes"]
    return item


def _described(item: Any) -> str:
    if isinstance(item, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in item)}"
    return type(item).__name__


def _what_works(X: Any) -> str:
    """Return a hint at what to pass instead, for what looks like images and is no collection."""
    if isinstance(X, Iterator):
        return "; a stream can be read only once: measure(stream) takes it and gives a table"
    if isinstance(X, Mapping):
        return "; pass one of its values"
    if hasattr(X, "__len__") and hasattr(X, "__getitem__"):
        return "; of a PyTorch data set pass imagequality.torch.images_of(dataset)"
    return ""


def _references_of_array(X: NDArray[Any]) -> Sequence[Any]:
    if X.dtype.kind in "OUST":
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(
                f"an array of references must have shape (n,) or (n, 1), got {X.shape}"
            )
        return list(X) if X.dtype.kind == "O" else X.tolist()
    if X.ndim not in (3, 4) or (X.ndim == 3 and 0 < X.shape[-1] <= 4):
        raise ValueError(
            f"an array of images must have shape (n, h, w) or (n, h, w, c), got {X.shape}; "
            "pass [image] for a single image"
        )
    return list(X)
