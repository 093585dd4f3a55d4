"""What is done to the training images: one flaw in a share of them, or several."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagequality.perturbations import (
    adjust_brightness,
    blur,
    downscale,
    low_information,
    near_duplicate,
    pixelate,
    to_grayscale,
)

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Rows = NDArray[np.intp]
Flaw = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def _shrink_linearly(image: Images, side: int) -> Images:
    """Shrink by OpenCV's default, which skips pixels instead of averaging them, and enlarge."""
    height, width = image.shape[:2]
    return np.asarray(cv2.resize(cv2.resize(image, (side, side)), (width, height)), dtype=np.uint8)


# Flaws of single images, by name and level. ``size`` averages areas and enlarges linearly;
# the other two are other readings of the paper's "resizing".
FLAWS: dict[str, Callable[[float], Flaw]] = {
    "brightness": lambda factor: lambda image: adjust_brightness(image, factor),
    "blur_average": lambda size: lambda image: blur(image, "average", int(size)),
    "blur_gaussian": lambda size: lambda image: blur(image, "gaussian", int(size)),
    "blur_median": lambda size: lambda image: blur(image, "median", int(size)),
    "size": lambda side: lambda image: downscale(image, int(side)),
    "size_linear": lambda side: lambda image: _shrink_linearly(image, int(side)),
    "size_nearest": lambda side: lambda image: pixelate(image, image.shape[0] / side),
    "grayscale": lambda _: to_grayscale,
    "low_information": lambda _: low_information,
}
COPIES = ("exact_duplicates", "near_duplicates")

# The mixture of the comparison of cleaning: the strongest levels of the paper's tables.
MIXTURE: dict[str, Flaw] = {
    "light": FLAWS["brightness"](3.5),
    "dark": FLAWS["brightness"](0.05),
    "blurry": FLAWS["blur_average"](11),
    "low_information": low_information,
    "odd_size": lambda image: downscale(image, 7, restore=False),
}
NEAR_DUPLICATES = "near_duplicates"


def spoil(
    images: Images, labels: Labels, flaw: str, level: float, share: float, seed: int
) -> tuple[Images, Labels]:
    """Give a random share of the images one flaw.

    Rows are chosen so that those of a smaller share are among those of a larger one.

    Parameters
    ----------
    images : ndarray of shape (n, 32, 32, 3), uint8
        RGB; not modified.
    labels : ndarray of shape (n,), int64
        Their classes; a copy of another image brings its class with it.
    flaw : str
        ``"none"``, a key of :data:`FLAWS`, ``"exact_duplicates"`` (replaced by a copy of one of
        the untouched images) or ``"near_duplicates"`` (and changed: brightness, contrast,
        saturation and hue).
    level : float
        Its strength: the factor, the kernel's size, the side in pixels, the strength of
        :func:`imagequality.perturbations.near_duplicate`; ignored by the others.
    share : float
        From 0 to 1.
    seed : int
        Of the choice of rows and of the copies.

    Returns
    -------
    images : ndarray of shape (n, 32, 32, 3), uint8
    labels : ndarray of shape (n,), int64
    """
    generator = np.random.default_rng([seed, 1])
    order = generator.permutation(len(images))
    end = round(share * len(images))
    rows, others = order[:end], order[end:]
    images, labels = images.copy(), labels.copy()
    if flaw == "none":
        return images, labels
    if flaw in COPIES:
        sources = generator.choice(others, size=len(rows))
        images[rows], labels[rows] = images[sources], labels[sources]
        if flaw == NEAR_DUPLICATES:
            for row in rows:
                images[row] = near_duplicate(
                    images[row], strength=level, hue=True, random_state=generator
                )
        return images, labels
    apply = FLAWS[flaw](level)
    for row in rows:
        images[row] = apply(images[row])
    return images, labels


@dataclass(frozen=True)
class Mixture:
    """A collection with several flaws, as files and as the network's input.

    Parameters
    ----------
    paths : list of str
        The n files: the original ones, and those written for the flawed images.
    images : ndarray of shape (n, 32, 32, 3), uint8
        What a loader makes of them: decoded, and brought to the network's size.
    labels : ndarray of shape (n,), int64
        The classes.
    flaw_of : ndarray of shape (n,), object
        The flaw of each image, None where it has none.
    source_of : ndarray of shape (n,), intp
        For planted near duplicates the row they were made from, −1 for all others.
    """

    paths: list[str]
    images: Images
    labels: Labels
    flaw_of: NDArray[np.object_]
    source_of: NDArray[np.intp]

    @property
    def planted(self) -> NDArray[np.bool_]:
        """Which images have a flaw."""
        return np.array([flaw is not None for flaw in self.flaw_of], dtype=bool)


def mix(
    paths: list[str], images: Images, labels: Labels, share: float, seed: int, folder: str
) -> Mixture:
    """Give equal parts of a share of the images one of six flaws, and store them as files.

    The flaws are those of :data:`MIXTURE` and near duplicates (strength 0.2, without hue: the
    paper's section IV-B), each of another image that is left as it is. Flawed images are
    stored as JPEG files of quality 75, and the network gets what these decode to.

    Parameters
    ----------
    paths, images, labels
        The clean images.
    share : float
        Of flawed images, at most 0.85, so that there are sources for the copies.
    seed : int
        Of the choice of rows and of the copies.
    folder : str
        Where the files of flawed images are written to.

    Returns
    -------
    mixture : Mixture
    """
    generator = np.random.default_rng([seed, 2])
    order = generator.permutation(len(images))
    names = [*MIXTURE, NEAR_DUPLICATES]
    ends = np.linspace(0, round(share * len(images)), len(names) + 1).round().astype(int)
    parts = {name: order[a:b] for name, a, b in zip(names, ends, ends[1:], strict=False)}
    clean = order[ends[-1] :]

    paths, images, labels = list(paths), images.copy(), labels.copy()
    flaw_of = np.full(len(images), None, dtype=object)
    source_of = np.full(len(images), -1)
    copies = parts[NEAR_DUPLICATES]
    source_of[copies] = generator.choice(clean, size=len(copies), replace=False)
    for name, rows in parts.items():
        for row in rows:
            if name == NEAR_DUPLICATES:
                source = source_of[row]
                labels[row] = labels[source]
                flawed = near_duplicate(images[source], random_state=generator)
            else:
                flawed = MIXTURE[name](images[row])
            paths[row] = f"{folder}/{row:05}.jpg"
            images[row] = _stored(flawed, paths[row], images.shape[1:3])
            flaw_of[row] = name
    return Mixture(paths, images, labels, flaw_of, source_of)


def _stored(image: Images, path: str, size: tuple[int, ...]) -> Images:
    """Write a JPEG file, and return what a loader makes of it at the network's size."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=75)
    with open(path, "wb") as file:
        file.write(buffer.getvalue())
    with Image.open(buffer) as decoded:
        return np.array(decoded.resize((size[1], size[0]), Image.Resampling.BILINEAR))
