"""The flaws of a study: those of the library by name, and the user's own, at their levels."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..images import RGBArray
from ..perturbations import (
    add_noise,
    adjust_brightness,
    adjust_exposure,
    blur,
    compress_jpeg,
    downscale,
    low_information,
    near_duplicate,
    pixelate,
    to_grayscale,
)

Change = Callable[[RGBArray, Any, np.random.Generator], RGBArray]
"""An image, a level and a source of randomness → the image with the flaw."""


@dataclass(frozen=True)
class Flaw:
    """One way to spoil images.

    Attributes
    ----------
    change : callable
    levels : tuple
        From mild to strong.
    issue : str
        Key of the detector whose score should fall; "" where there is none.
    copies : bool
        Whether the image takes the place of another one: a flaw of training sets only.
    """

    change: Change
    levels: tuple[Any, ...]
    issue: str = ""
    copies: bool = False


@dataclass(frozen=True)
class Condition:
    """A flaw at a level, under the name that the user knows it by; ``step`` 1 is the mildest."""

    perturbation: str
    level: Any
    step: int
    flaw: Flaw

    def __str__(self) -> str:
        return f"{self.perturbation!r} at level {self.level!r}"


# ---------------------------------------------------------------------- the library's


def _brightness(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return adjust_brightness(image, level)


def _average_blur(image: RGBArray, level: int, generator: np.random.Generator) -> RGBArray:
    # As plant_flaws does: on large images the window grows, so that the blur remains visible.
    size = round(level * max(1.0, max(image.shape[:2]) / 512))
    return blur(image, "average", size + 1 - size % 2)


def _low_resolution(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return downscale(image, max(1, round(level * min(image.shape[:2]))))


def _pixelated(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return pixelate(image, level)


def _noise(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return add_noise(image, level, random_state=generator)


def _jpeg(image: RGBArray, level: int, generator: np.random.Generator) -> RGBArray:
    return compress_jpeg(image, level)


def _exposure(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return adjust_exposure(image, level)


def _grayscale(image: RGBArray, level: Any, generator: np.random.Generator) -> RGBArray:
    return to_grayscale(image)


def _thumbnail(image: RGBArray, level: Any, generator: np.random.Generator) -> RGBArray:
    return low_information(image)


def _copy(image: RGBArray, level: Any, generator: np.random.Generator) -> RGBArray:
    return image


def _near_copy(image: RGBArray, level: float, generator: np.random.Generator) -> RGBArray:
    return near_duplicate(image, strength=level, random_state=generator)


FLAWS: dict[str, Flaw] = {
    "dark": Flaw(_brightness, (0.75, 0.5, 0.25, 0.05), "dark"),
    "light": Flaw(_brightness, (1.5, 2.0, 2.5, 3.5), "light"),
    "blurry": Flaw(_average_blur, (3, 5, 7, 11), "blurry"),
    "low_resolution": Flaw(_low_resolution, (0.5, 0.375, 0.22, 0.125), "pixelated"),
    "low_information": Flaw(_thumbnail, (1,), "low_information"),
    "noisy": Flaw(_noise, (5, 10, 20, 40), "noisy"),
    "compressed": Flaw(_jpeg, (50, 25, 10, 5), "compressed"),
    "grayscale": Flaw(_grayscale, (1,), "grayscale"),
    "exact_duplicates": Flaw(_copy, (1,), copies=True),
    "near_duplicates": Flaw(_near_copy, (0.2, 0.5), copies=True),
    "pixelated": Flaw(_pixelated, (1.5, 2, 4, 8), "pixelated"),
    "badly_exposed": Flaw(_exposure, (1, 2, 3), "badly_exposed"),
}

DEFAULT_LEVELS = {name: flaw.levels for name, flaw in FLAWS.items()}
"""The perturbations that an impact study knows by name, and their levels, from mild to strong.

``dark``, ``light``: the factor of every pixel value. ``blurry``: side of the averaging window in
pixels; where the longer side of an image exceeds 512, it grows in proportion. ``low_resolution``:
the share of its sides that the image is shrunk to, before it is enlarged again. ``noisy``: the
standard deviation in grey levels. ``compressed``: the quality of a JPEG. ``pixelated``: the factor
of the squares. ``badly_exposed``: stops. ``near_duplicates``: the strength. The rest has no levels
but is there, or not: 1."""

_ASKED_FOR_ONLY = frozenset({"pixelated", "badly_exposed"})  # too similar to others


# ------------------------------------------------------------------------- parameters


def as_conditions(perturbations: Any, levels: Any, *, test_only: bool) -> list[Condition]:
    """Return the flaws that a study asks for, each at each of its levels.

    Parameters
    ----------
    perturbations : None, sequence of str, or mapping of str to callable or str
    levels : None, or mapping of str to sequence
    test_only : bool
        Whether only test images are spoilt: then there are no copies.

    Returns
    -------
    conditions : list of Condition

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, and what is known.
    """
    flaws = _as_flaws(perturbations, test_only=test_only)
    if levels is not None and not isinstance(levels, Mapping):
        raise TypeError(f"levels must map names to lists of levels, got {type(levels).__name__}")
    own_levels = dict(levels or {})
    unknown = [name for name in own_levels if name not in flaws]
    if unknown:
        raise ValueError(
            f"levels names {', '.join(map(repr, unknown))}, which are not among the "
            f"perturbations {', '.join(map(repr, flaws))}"
        )
    return [
        Condition(name, level, step, flaw)
        for name, flaw in flaws.items()
        for step, level in enumerate(_as_levels(name, own_levels.get(name), flaw), start=1)
    ]


def _as_flaws(perturbations: Any, *, test_only: bool) -> dict[str, Flaw]:
    if perturbations is None:
        named: dict[Any, Any] = {
            name: name
            for name, flaw in FLAWS.items()
            if name not in _ASKED_FOR_ONLY and not (flaw.copies and test_only)
        }
    elif isinstance(perturbations, Mapping):
        named = dict(perturbations)
    elif isinstance(perturbations, Iterable) and not isinstance(perturbations, (str, bytes)):
        listed = list(perturbations)
        named = {name: name for name in listed if isinstance(name, str)}
        if len(named) != len(listed):
            raise ValueError(f"perturbations must name each flaw once, by a str, got {listed!r}")
    else:
        raise TypeError(
            "perturbations must be a list of names, or map names to functions, got "
            f"{perturbations!r}"
        )
    if not named:
        raise ValueError("perturbations must hold at least one flaw, got none")
    flaws = {name: _as_flaw(name, what) for name, what in named.items()}
    copies = [name for name, flaw in flaws.items() if flaw.copies]
    if test_only and copies:
        raise ValueError(
            f"perturbations holds {', '.join(map(repr, copies))}: copies are a flaw of training "
            "sets, so they cannot be studied with where='test'"
        )
    return flaws


def _as_flaw(name: Any, what: Any) -> Flaw:
    if not isinstance(name, str):
        raise TypeError(f"perturbations must have names of type str, got {name!r}")
    if isinstance(what, str):
        if what not in FLAWS:
            raise ValueError(f"perturbations holds {what!r}; known are {', '.join(FLAWS)}")
        return FLAWS[what]
    if not callable(what):
        raise TypeError(
            f"perturbations[{name!r}] must be a function of an image and a level, or one of the "
            f"known names, got {what!r}"
        )
    return Flaw(_Own(what), (), name)


class _Own:
    """A function of the user's, which brings its own randomness, if any."""

    def __init__(self, function: Callable[[RGBArray, Any], RGBArray]) -> None:
        self._function = function

    def __call__(self, image: RGBArray, level: Any, generator: np.random.Generator) -> RGBArray:
        return self._function(image, level)


def _as_levels(name: str, levels: Any, flaw: Flaw) -> list[Any]:
    if levels is None:
        if not flaw.levels:
            raise ValueError(
                f"levels must have a list for {name!r}, which is none of the library's "
                f"perturbations: levels={{{name!r}: [1, 2, 3]}}, say"
            )
        return list(flaw.levels)
    if isinstance(levels, (str, bytes)) or not isinstance(levels, Iterable):
        raise TypeError(f"levels[{name!r}] must be a list of levels, got {levels!r}")
    listed = list(levels)
    if not listed:
        raise ValueError(f"levels[{name!r}] must hold at least one level, got none")
    if any(pd.api.types.is_scalar(level) and pd.isna(level) for level in listed):
        raise ValueError(f"levels[{name!r}] must not hold None or NaN, got {listed!r}")
    try:
        distinct = len(set(listed)) == len(listed)
    except TypeError as error:
        raise TypeError(f"levels[{name!r}] must be numbers or text, got {listed!r}") from error
    if not distinct:
        raise ValueError(f"levels[{name!r}] must name each level once, got {listed!r}")
    return listed


# --------------------------------------------------------------------------- spoiling


def spoilt(
    condition: Condition, images: Sequence[RGBArray], names: Sequence[Any], seed: int
) -> list[RGBArray]:
    """Give every image a flaw.

    The randomness of an image follows from the seed, the name of the flaw and its place only: it
    does not depend on what else is studied, and at every level it is the same.

    Parameters
    ----------
    condition : Condition
    images : sequence of n ndarray of shape (h, w, 3), uint8
        Not modified.
    names : sequence of n
        For error messages.
    seed : int

    Returns
    -------
    spoilt : list of n ndarray of shape (h, w, 3), uint8

    Raises
    ------
    ValueError
        If the perturbation fails or returns no image; the image is named.
    """
    key = zlib.crc32(condition.perturbation.encode())
    made = []
    for position, image in enumerate(images):
        generator = np.random.default_rng([seed, key, position])
        try:
            result = condition.flaw.change(image.copy(), condition.level, generator)
        except Exception as error:
            raise ValueError(
                f"the perturbation {condition} fails on image {names[position]!r}: {error}"
            ) from error
        made.append(_checked(result, condition, names[position]))
    return made


def _checked(made: Any, condition: Condition, name: Any) -> RGBArray:
    is_image = isinstance(made, np.ndarray) and made.dtype == np.uint8 and made.ndim == 3
    if not (is_image and made.shape[2] == 3 and made.size):
        got = (
            f"{made.dtype} of shape {made.shape}"
            if isinstance(made, np.ndarray)
            else type(made).__name__
        )
        raise ValueError(
            f"the perturbation {condition} must return an RGB uint8 array of shape (h, w, 3), got "
            f"{got} for image {name!r}"
        )
    return made
