"""Collections of images with known duplicates, written as files, and how a tool is graded on them.

A case is a folder of files ``00000.png``, ``00001.jpg``, …: links to originals that were left
alone, and copies. All tools read the same files.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import imagequality as iq
from imagequality.perturbations import near_duplicate

RGBArray = NDArray[np.uint8]
Indices = NDArray[np.int64]
Maker = Callable[[RGBArray, np.random.Generator], RGBArray | bytes]

NATURAL_BITS = 40  # of 256, where unrelated images differ in about 128: no hash is excused errors
NATURAL_CORRELATION = 0.95  # of 8×8 colour thumbnails
SHARE = 0.12


# ------------------------------------------------------------------------ copies


def _as_jpeg(image: RGBArray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _resize(image: RGBArray, scale: float) -> RGBArray:
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=how)


def _crop(image: RGBArray, share: float, generator: np.random.Generator) -> RGBArray:
    """Cut a share of each side away, at a random position; the rest is not enlarged."""
    height, width = image.shape[:2]
    to_height, to_width = round(height * (1 - share)), round(width * (1 - share))
    top = generator.integers(height - to_height + 1)
    left = generator.integers(width - to_width + 1)
    return image[top : top + to_height, left : left + to_width].copy()


def _rotate(image: RGBArray, degrees: float, border: int) -> RGBArray:
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)


def _overlay(image: RGBArray, generator: np.random.Generator) -> RGBArray:
    """Put a text banner (7 % of the area) and a disc (3 %) on an image."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    width, height = picture.size
    colours = [tuple(int(part) for part in generator.integers(256, size=3)) for _ in range(2)]
    banner = round(0.1 * height)
    top = int(generator.integers(height - banner + 1))
    draw.rectangle((0, top, round(0.7 * width), top + banner), fill=colours[0])
    draw.text((1, top), "SAMPLE 2024", fill=(255, 255, 255), font_size=max(6, banner))
    diameter = round(np.sqrt(0.03 * width * height * 4 / np.pi))
    x = int(generator.integers(max(1, width - diameter)))
    y = int(generator.integers(max(1, height - diameter)))
    draw.ellipse((x, y, x + diameter, y + diameter), fill=colours[1])
    return np.asarray(picture)


def _combination(image: RGBArray, generator: np.random.Generator) -> bytes:
    changed = near_duplicate(image, strength=0.2, random_state=generator)
    return _as_jpeg(_resize(_crop(changed, 0.03, generator), 0.75), 50)


FAMILIES: dict[str, tuple[str, Maker]] = {
    "±.2": (
        "brightness, contrast and saturation times factors in 0.8–1.2",
        lambda image, generator: near_duplicate(image, strength=0.2, random_state=generator),
    ),
    "±.5": (
        "the same, factors in 0.5–1.5",
        lambda image, generator: near_duplicate(image, strength=0.5, random_state=generator),
    ),
    "JPEG 30": ("JPEG, quality 30", lambda image, generator: _as_jpeg(image, 30)),
    "half": ("sides halved", lambda image, generator: _resize(image, 0.5)),
    "double": ("sides doubled", lambda image, generator: _resize(image, 2)),
    "crop 5": (
        "5 % of each side cut away, at a random position",
        lambda image, generator: _crop(image, 0.05, generator),
    ),
    "crop 10": ("10 % of each side", lambda image, generator: _crop(image, 0.1, generator)),
    "crop 20": ("20 % of each side", lambda image, generator: _crop(image, 0.2, generator)),
    "flip": ("left and right swapped", lambda image, generator: image[:, ::-1].copy()),
    "rot 5 r": (
        "turned by 5°, corners filled by reflection",
        lambda image, generator: _rotate(image, 5, cv2.BORDER_REFLECT),
    ),
    "rot 5 b": (
        "turned by 5°, corners black",
        lambda image, generator: _rotate(image, 5, cv2.BORDER_CONSTANT),
    ),
    "overlay": ("a text banner and a disc over 10 % of the area", _overlay),
    "combined": ("±.2, then 3 % cropped, sides times 0.75, JPEG quality 50", _combination),
}


# ---------------------------------------------------------------- natural duplicates


def _signature(image: RGBArray) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Return the 256 bits of imagehash's pHash and a standardised 8×8 colour thumbnail."""
    picture = Image.fromarray(image)
    bits = np.packbits(imagehash.phash(picture, hash_size=16).hash.ravel()).view(np.uint64)
    thumbnail = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=np.float32)
    centred = (thumbnail - thumbnail.mean(axis=(0, 1))).ravel()
    return bits, centred / max(float(np.linalg.norm(centred)), 1e-6)


def natural_pairs(images: Iterable[RGBArray]) -> Indices:
    """Find the near pairs that a collection has by itself, by a rule of no tool's own.

    A pair is natural if the pHashes of 256 bits differ in at most ``NATURAL_BITS``, or the 8×8
    colour thumbnails correlate by at least ``NATURAL_CORRELATION``, as they are or with one
    image mirrored.

    Returns
    -------
    pairs : ndarray of shape (n_pairs, 2)
        i < j.
    """
    signatures = []
    for image in images:
        mirrored = np.ascontiguousarray(image[:, ::-1])
        signatures.append((*_signature(image), *_signature(mirrored)))
    hashes, thumbnails, mirrored_hashes, mirrored_thumbnails = (
        np.array(part) for part in zip(*signatures, strict=True)
    )
    found = []
    for top in range(0, len(hashes), 256):
        rows = slice(top, top + 256)
        near = np.zeros((len(hashes[rows]), len(hashes) - top), dtype=bool)
        for others, small in ((hashes, thumbnails), (mirrored_hashes, mirrored_thumbnails)):
            distance = np.zeros(near.shape, dtype=np.uint16)
            for word in range(hashes.shape[1]):
                distance += np.bitwise_count(hashes[rows, None, word] ^ others[None, top:, word])
            near |= distance <= NATURAL_BITS
            near |= thumbnails[rows] @ small[top:].T >= NATURAL_CORRELATION
        i, j = np.nonzero(near)
        found.append(np.column_stack([i, j])[i < j] + top)
    return np.concatenate(found)


# ------------------------------------------------------------------------ cases


@dataclass
class Case:
    """A folder of images and what is known of its duplicates."""

    folder: Path
    n: int
    copies: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    sources: Indices = field(default_factory=lambda: np.empty(0, np.int64))
    natural: Indices = field(default_factory=lambda: np.empty((0, 2), np.int64))


def write_images(images: Iterable[RGBArray], folder: Path) -> list[Path]:
    """Write images as PNG files, numbered."""
    folder.mkdir(parents=True)
    paths = []
    for number, image in enumerate(images):
        paths.append(folder / f"{number:06}.png")
        Image.fromarray(image).save(paths[-1], compress_level=1)
    return paths


def link_files(paths: Sequence[Path], folder: Path) -> None:
    """Give files numbered names in a folder of their own."""
    folder.mkdir(parents=True)
    for number, path in enumerate(paths):
        (folder / f"{number:06}{path.suffix.lower()}").symlink_to(path.resolve())


def plant_copies(
    paths: Sequence[Path], natural: Indices, make: Maker, folder: Path, seed: int
) -> Case:
    """Replace SHARE of the images by copies of others, one copy a source.

    Images of natural pairs are neither replaced nor copied.
    """
    generator = np.random.default_rng(seed)
    n_copies = round(SHARE * len(paths))
    eligible = generator.permutation(np.setdiff1d(np.arange(len(paths)), natural))
    if len(eligible) < 2 * n_copies:
        raise ValueError(f"{len(eligible)} images without a natural pair are too few")
    copies, sources = eligible[:n_copies], eligible[n_copies : 2 * n_copies]
    source_of = dict(zip(copies.tolist(), sources.tolist(), strict=True))
    link_files(paths, folder)
    for number, file in enumerate(sorted(folder.iterdir())):
        if number not in source_of:
            continue
        file.unlink()
        copy = make(iq.load_image(paths[source_of[number]]), generator)
        if isinstance(copy, bytes):
            file.with_suffix(".jpg").write_bytes(copy)
        else:
            Image.fromarray(copy).save(file.with_suffix(".png"), compress_level=1)
    return Case(folder, len(paths), copies, sources, natural)


# ------------------------------------------------------------------------ grades


@dataclass
class Grade:
    """Precision, recall and F1."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def _grade(true: int, false: int, wanted: int) -> Grade:
    return Grade(true / (true + false) if true + false else 0.0, true / wanted)


def _codes(pairs: Indices, n: int) -> Indices:
    """Number unordered pairs, each once."""
    return np.unique(pairs.min(axis=1) * n + pairs.max(axis=1))


def grade(case: Case, reported: Indices) -> tuple[Grade, Grade]:
    """Grade the pairs that a tool reports: by image and by pair.

    By image, positive are the copies and their sources, and flagged is what is in a reported
    pair. By pair, positive are (copy, source). Natural pairs count neither way: a reported one
    is ignored, and so is an image that is flagged through natural pairs only.

    Parameters
    ----------
    case : Case
    reported : ndarray of shape (n_pairs, 2)

    Returns
    -------
    by_image, by_pair : Grade
    """
    planted = _codes(np.column_stack([case.copies, case.sources]), case.n)
    reported_codes = _codes(reported, case.n)
    judged = np.setdiff1d(reported_codes, _codes(case.natural, case.n))
    positive = np.union1d(case.copies, case.sources)
    flagged = np.union1d(judged // case.n, judged % case.n)
    true = len(np.intersect1d(flagged, positive))
    by_image = _grade(true, len(flagged) - true, len(positive))
    true = len(np.intersect1d(judged, planted))
    return by_image, _grade(true, len(judged) - true, len(planted))


def grade_groups(groups: Indices, reported: Indices) -> tuple[Grade, Grade]:
    """Grade reported pairs where the truth is groups of any size.

    What is reported is closed first: images that are joined through others are a pair too, so
    that tools that list only the nearest neighbours are not at a loss.

    Parameters
    ----------
    groups : ndarray of shape (n,)
        Number of the group of each image.
    reported : ndarray of shape (n_pairs, 2)

    Returns
    -------
    by_image, by_pair : Grade
        By image, positive are the images of groups of two or more.
    """
    n = len(groups)
    parts = np.arange(n)
    for i, j in reported:
        parts[parts == parts[j]] = parts[i]
    upper = np.triu(np.ones((n, n), dtype=bool), 1)
    wanted = (groups[:, None] == groups[None, :]) & upper
    found = (parts[:, None] == parts[None, :]) & upper
    positive, flagged = (pairs.any(axis=0) | pairs.any(axis=1) for pairs in (wanted, found))
    by_image, by_pair = (
        _grade(int((got & want).sum()), int((got & ~want).sum()), int(want.sum()))
        for got, want in ((flagged, positive), (found, wanted))
    )
    return by_image, by_pair
