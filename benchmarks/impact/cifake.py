"""CIFAKE's FAKE half in memory: pixels and classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

import imagequality as iq

_NUMBER_OF_CLASS = re.compile(r"\((\d+)\)$")


@dataclass(frozen=True)
class Split:
    """The images of one folder.

    Parameters
    ----------
    paths : list of str
        The files, sorted.
    images : ndarray of shape (n, 32, 32, 3), uint8
        RGB.
    labels : ndarray of shape (n,), int64
        Classes from 0 to 9.
    """

    paths: list[str]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def class_of(name: str) -> int:
    """Return the class of an image, which CIFAKE puts into the name of its file.

    Parameters
    ----------
    name : str
        Such as ``"17 (3).jpg"``: the number in brackets, from 2 to 10; the first class has none.

    Returns
    -------
    label : int
        From 0 to 9.

    Examples
    --------
    >>> class_of("17.jpg"), class_of("17 (2).jpg"), class_of("17 (10).jpg")
    (0, 1, 9)
    """
    found = _NUMBER_OF_CLASS.search(Path(name).stem)
    return int(found.group(1)) - 1 if found else 0


def load_split(folder: Path) -> Split:
    """Decode all images of a folder.

    Parameters
    ----------
    folder : Path
        Such as ``cifake_fake/train/FAKE``.

    Returns
    -------
    split : Split
    """
    paths = iq.list_images(folder)
    if not paths:
        raise FileNotFoundError(f"no images in {folder}")
    images = [iq.load_image(path) for path in tqdm(paths, desc=f"load {folder}", leave=False)]
    labels = [class_of(path) for path in paths]
    return Split(paths, np.stack(images), np.array(labels, dtype=np.int64))
