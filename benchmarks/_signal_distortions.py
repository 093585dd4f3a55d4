"""The distortions of signals.py: how a photograph is spoilt, and what the right answer is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from imagequality.perturbations import (
    add_noise,
    adjust_brightness,
    adjust_exposure,
    compress_jpeg,
    low_information,
    pixelate,
)

Apply = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
UNTOUCHED = "untouched"


class Distortion(NamedTuple):
    """One way to spoil an image, its strengths from weak to strong, and who should notice."""

    name: str
    apply: Apply
    strengths: tuple[float, ...]
    unit: str
    issue: str
    same: tuple[str, ...] = ()  # other issues that are the same thing, so no mistake
    judged: bool = True  # by all tools; else planted for our cross table only


# The pairs that are the same thing, named before anything was measured: smooth enlargement is
# blur and the reverse; strong exposure is light or dark, and a change of brightness is one of
# exposure.
DISTORTIONS = (
    Distortion(
        "Gaussian noise",
        lambda image, sigma, rng: add_noise(image, sigma, random_state=rng),
        (5, 10, 15, 25, 40),
        "σ in grey levels",
        "noisy",
    ),
    Distortion(
        "shot noise",
        lambda image, sigma, rng: add_noise(image, sigma, "shot", random_state=rng),
        (5, 10, 15, 25, 40),
        "σ at mid-grey",
        "noisy",
    ),
    Distortion(
        "JPEG",
        lambda image, quality, _: compress_jpeg(image, int(quality)),
        (60, 40, 20, 10, 5),
        "quality",
        "compressed",
    ),
    Distortion(
        "JPEG saved as PNG",
        lambda image, quality, _: compress_jpeg(image, int(quality)),
        (60, 40, 20, 10, 5),
        "quality",
        "compressed",
    ),
    Distortion(
        "nearest upscaling",
        lambda image, factor, _: pixelate(image, factor),
        (2, 3, 4, 6, 8),
        "factor",
        "pixelated",
    ),
    Distortion(
        "bicubic upscaling",
        lambda image, factor, _: pixelate(image, factor, "bicubic"),
        (2, 3, 4, 6, 8),
        "factor",
        "pixelated",
        ("blurry",),
    ),
    Distortion(
        "underexposure",
        lambda image, ev, _: adjust_exposure(image, ev),
        (-2, -2.5, -3, -3.5, -4),
        "EV",
        "badly_exposed",
        ("dark",),
    ),
    Distortion(
        "overexposure",
        lambda image, ev, _: adjust_exposure(image, ev),
        (2, 2.5, 3, 3.5, 4),
        "EV",
        "badly_exposed",
        ("light",),
    ),
    Distortion(
        "Gaussian blur",
        lambda image, sigma, _: cv2.GaussianBlur(image, (0, 0), sigma),
        (1, 1.5, 2, 3, 4),
        "σ in pixels",
        "blurry",
        ("pixelated",),
        judged=False,
    ),
    Distortion(
        "less brightness",
        lambda image, factor, _: adjust_brightness(image, factor),
        (0.3, 0.2, 0.15, 0.1, 0.05),
        "factor",
        "dark",
        ("badly_exposed",),
        judged=False,
    ),
    Distortion(
        "more brightness",
        lambda image, factor, _: adjust_brightness(image, factor),
        (1.5, 2, 2.5, 3, 3.5),
        "factor",
        "light",
        ("badly_exposed",),
        judged=False,
    ),
    Distortion(
        "thumbnail on black",
        lambda image, _, __: low_information(image),
        (12,),
        "of 32",
        "low_information",
        judged=False,
    ),
)
JUDGED = tuple(distortion for distortion in DISTORTIONS if distortion.judged)
SIZES = {"native": 1.0, "half": 0.5, "double": 2.0}


def resized(image: np.ndarray, size: str) -> np.ndarray:
    """A photograph at one of ``SIZES``: shrunk by area, enlarged by cubic interpolation."""
    scale = SIZES[size]
    if scale == 1:
        return image
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=how))


def spoil(image: np.ndarray, distortion: Distortion, strength: float, seed: int) -> np.ndarray:
    return distortion.apply(image, strength, np.random.default_rng(seed))


def write_versions(image: np.ndarray, folder: Path, seed: int) -> Iterator[tuple[str, float, str]]:
    """Write the image and all that becomes of it; yield distortion, strength and path.

    Everything is a PNG except what ``JPEG`` stands for.
    """
    path = folder / "untouched.png"
    write_png(image, path)
    yield UNTOUCHED, 0.0, str(path)
    for number, distortion in enumerate(JUDGED):
        for strength in distortion.strengths:
            path = folder / f"{number}_{strength}.png"
            if distortion.name == "JPEG":
                path = path.with_suffix(".jpg")
                quality = int(strength)
                Image.fromarray(image).save(path, quality=quality, subsampling="4:2:0")
            else:
                write_png(spoil(image, distortion, strength, seed), path)
            yield distortion.name, strength, str(path)


def write_png(image: np.ndarray, path: Path) -> None:
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
