"""Any collection of images → references to them, unopened, and a name for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image


def as_references(X: Any) -> tuple[Sequence[Any], pd.Index]:
    """Bring a collection of images to a sequence of references and a name for each.

    Parameters
    ----------
    X : list, tuple, ndarray, Series, Index or one-column DataFrame
        References (str, Path, bytes, PIL image, array), an ``(n, h, w)`` or
        ``(n, h, w, c)`` numeric array, or an ``(n, 1)`` object array of references.

    Returns
    -------
    references : sequence of length n
        The references, unopened.
    names : Index of length n
        A pandas input keeps its own index; a path is named by itself, anything else by its
        position.

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
            f"got {type(X).__name__}"
        )
    return references, _names(references)


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


def _names(references: Sequence[Any]) -> pd.Index:
    is_path = [isinstance(reference, (str, os.PathLike)) for reference in references]
    if not any(is_path):
        return pd.RangeIndex(len(references))
    return pd.Index(
        [
            str(os.fsdecode(reference)) if path else position
            for position, (reference, path) in enumerate(zip(references, is_path, strict=True))
        ],
        name="path",
        dtype=object,
    )
