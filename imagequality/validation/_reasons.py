"""One plain sentence that says what is wrong with an image: a figure, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..detectors import ExposureDetector
from ._profiles import Profile

Row = Mapping[str, Any]

_ROUNDING = 1e-9


def reason_for(issue: str, row: Row, score: float, profile: Profile) -> str:
    """Say why an image was rejected.

    Parameters
    ----------
    issue : str
        The issue that its score fails.
    row : mapping
        The image's measurements.
    score : float
        In [0, 1], below the profile's limit.
    profile : Profile

    Returns
    -------
    reason : str
        ``"<issue>: <figure>, <limit>"``.

    Examples
    --------
    >>> profile = Profile({"noisy": 0.5})
    >>> reason_for("noisy", {"noise_sigma": 23.0}, 1 / 3.3, profile)
    'noisy: noise of 23 grey levels, at most 10 are allowed'
    """
    limit = profile.limits[issue]
    if issue == "low_resolution":
        side = int(min(row["width"], row["height"]))
        needed = math.ceil(limit * profile.min_side)
        unit = "pixel" if side == 1 else "pixels"
        detail = f"the shorter side is {side} {unit}, at least {needed} are needed"
    elif issue in _DETAILS:
        detail = _DETAILS[issue](row, score, limit)
    else:
        got, needed_score = _pair(score, limit)
        detail = f"score {got} is below the limit of {needed_score}"
    return f"{issue.replace('_', ' ')}: {detail}"


def _dark(row: Row, score: float, limit: float) -> str:
    got, needed = _pair(100 * score, 100 * limit)
    return f"the brightest parts reach {got} % of full brightness, at least {needed} % are needed"


def _light(row: Row, score: float, limit: float) -> str:
    darkest = row["brightness_perc_5"]
    if 2 * darkest - 1 >= 1 - score - _ROUNDING:  # the term of the score that decided
        got, most = _pair(100 * darkest, 100 * (1 - limit / 2))
        return f"the darkest parts reach {got} % of full brightness, at most {most} % are allowed"
    got, needed = _pair(score, limit)
    share = _written(100 * row["clipped_share"], 2)
    return f"{share} % of the pixels are clipped, score {got} is below the limit of {needed}"


def _noisy(row: Row, score: float, limit: float) -> str:
    sigma = row["noise_sigma"]
    # The noise goes with 1/score - 1, so the limit's noise follows without its constants.
    allowed = sigma * (1 / limit - 1) / (1 / score - 1)
    got, most = _pair(sigma, allowed)
    return f"noise of {got} grey levels, at most {most} are allowed"


def _low_information(row: Row, score: float, limit: float) -> str:
    got, needed = _pair(100 * score, 100 * limit)
    return f"{got} % of the possible entropy, at least {needed} % are needed"


def _compressed(row: Row, score: float, limit: float) -> str:
    got, most = _pair(1 / score, 1 / limit)
    return (
        f"steps across the borders of 8 × 8 blocks are {got} times those inside, "
        f"at most {most} times are allowed"
    )


def _blurry(row: Row, score: float, limit: float) -> str:
    got, needed = _pair(100 * score, 100 * limit)
    return f"edges at {got} % of the sharpest possible, at least {needed} % are needed"


def _pixelated(row: Row, score: float, limit: float) -> str:
    got, needed = _pair(100 * score, 100 * limit)
    if row["block_repetition"] <= row["spectral_extent"]:
        return f"{got} % of the pixels are no copies of others, at least {needed} % are needed"
    return f"detail fills {got} % of the frequency range, at least {needed} % are needed"


def _badly_exposed(row: Row, score: float, limit: float) -> str:
    detector = ExposureDetector(threshold=limit)
    table = pd.DataFrame([{column: row[column] for column in detector.columns}])
    (side,) = detector.fit(table).sides(table)
    got, needed = _pair(score, limit)
    return f"{side}exposed, score {got} is below the limit of {needed}"


def _odd_aspect_ratio(row: Row, score: float, limit: float) -> str:
    got, needed = _pair(100 * score, 100 * limit)
    return f"the shorter side is {got} % of the longer one, at least {needed} % are needed"


def _grayscale(row: Row, score: float, limit: float) -> str:
    return "the three channels are equal in every pixel"


_DETAILS: dict[str, Callable[[Row, float, float], str]] = {
    "dark": _dark,
    "light": _light,
    "noisy": _noisy,
    "low_information": _low_information,
    "compressed": _compressed,
    "blurry": _blurry,
    "pixelated": _pixelated,
    "badly_exposed": _badly_exposed,
    "odd_aspect_ratio": _odd_aspect_ratio,
    "grayscale": _grayscale,
}


def _pair(value: float, limit: float) -> tuple[str, str]:
    """Write two numbers with as many digits as tell them apart, two at least."""
    texts = "", ""
    for digits in range(2, 17):
        texts = _written(value, digits), _written(limit, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _written(value: float, digits: int) -> str:
    """Write a number with so many significant digits, and never with an exponent."""
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-")
