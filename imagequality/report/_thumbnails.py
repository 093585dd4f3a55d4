"""Images → small JPEG files as text, for a page that holds them."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

Loader = Callable[[Any], NDArray[np.uint8]]

SIDE = 128
_SMALL = 64  # an image not larger is stored at a higher quality: its few pixels are all it has


def thumbnail(pixels: NDArray[np.uint8], side: int = SIDE) -> str:
    """Shrink an image and encode it.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3), uint8
        RGB.
    side : int, default=128
        The longer side of the thumbnail in pixels, at most; nothing is enlarged.

    Returns
    -------
    text : str
        A JPEG file in base64.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((side, side), reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90 if max(image.size) <= _SMALL else 75)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def thumbnails(
    references: Sequence[Any], rows: Sequence[int], loader: Loader, n_threads: int | None = None
) -> dict[int, str]:
    """Load images and make their thumbnails.

    Parameters
    ----------
    references : sequence
    rows : sequence of int
        Which of them.
    loader : callable
        reference → ndarray of shape (h, w, 3), uint8.
    n_threads : int, default=None
        None means one per core, at most eight.

    Returns
    -------
    thumbnails : dict of int to str
        By row. An image that cannot be loaded any more has none.
    """

    def made(row: int) -> str | None:
        try:
            return thumbnail(loader(references[row]))
        except Exception:  # a report is written about broken files, too
            return None

    with ThreadPoolExecutor(n_threads or min(os.cpu_count() or 1, 8)) as pool:
        found = zip(rows, pool.map(made, rows), strict=True)
        return {row: text for row, text in found if text is not None}


def references_by_row(index: pd.Index, images: Any) -> Sequence[Any] | None:
    """Return a reference to each image.

    Parameters
    ----------
    index : Index of length n
        What the images are called.
    images : collection of images of length n, or None
        None means that they are called by what they are, their paths.

    Returns
    -------
    references : sequence of length n, or None
        None if there is nothing to load them by.

    Raises
    ------
    ValueError
        If there is not one reference for each image.
    """
    if images is None:
        named = len(index) > 0 and all(isinstance(name, str) for name in index)
        return list(index) if named else None
    if isinstance(images, pd.DataFrame):
        images = images.iloc[:, 0]
    if isinstance(images, (pd.Series, pd.Index)):
        images = images.to_numpy(dtype=object)
    if isinstance(images, np.ndarray) and images.dtype == object and images.ndim == 2:
        images = images[:, 0]
    if len(images) != len(index):
        raise ValueError(
            f"images must be those of the report: {len(index)} images, got {len(images)}"
        )
    references: Sequence[Any] = images
    return references
