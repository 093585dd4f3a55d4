"""One image in, a verdict out; many images in, a table out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from ..detectors._base import find_table, plain_columns, rescaled
from ..measurements import Isolation, measure
from ._profiles import Profile, ProfileLike, resolve_profile
from ._reasons import reason_for

INVALID = "invalid"


@dataclass(frozen=True)
class ValidationResult:
    """What is wrong with one image, if anything. Its truth value is ``ok``.

    Parameters
    ----------
    ok : bool
        Whether the image is admitted: ``score`` is at least 0.5.
    score : float
        Overall quality in [0, 1]: each score is mapped piecewise linearly so that its limit
        becomes 0.5, and the lowest counts. 0 where the image cannot be read.
    issues : list of str
        The issues whose scores lie below their limits, causes first; ``["invalid"]`` where the
        image cannot be read.
    reason : str
        One sentence on the first issue: the figure, and what is allowed. Empty if ``ok``.
    scores : dict of str to float
        The score of each issue of the profile in [0, 1], low = bad; NaN where the image cannot
        be read.
    """

    ok: bool
    score: float
    issues: list[str]
    reason: str
    scores: dict[str, float]

    def __bool__(self) -> bool:
        return self.ok


def validate(
    image: Any,
    profile: ProfileLike = "classification",
    thresholds: Mapping[str, float] | None = None,
    *,
    min_side: int | None = None,
) -> ValidationResult:
    """Judge one image against fixed limits.

    Nothing is fitted, so the verdict does not depend on other images.

    Parameters
    ----------
    image : str, Path, bytes, PIL image, ndarray or binary file object
        See :func:`load_image` for what becomes of it.
    profile : str, Profile, dict or path, default="classification"
        What the image is needed for: ``"classification"``, ``"fine_grained"``,
        ``"object_detection"``, ``"segmentation"``, or limits of one's own (see
        :class:`Profile`): as such, as a dict, or as the path of a TOML file.
    thresholds : dict of str to float, default=None
        Limits in [0, 1], by issue, that replace the profile's. 0 admits everything.
    min_side : int, default=None
        Shorter side that is needed, in pixels; None means the profile's.

    Returns
    -------
    result : ValidationResult

    Raises
    ------
    TypeError
        If ``image`` is of a type that is no reference to one image.
    TypeError, ValueError
        If the profile or a limit is bad, or the issue unknown; it is named. An image that
        cannot be read raises nothing: it is not ok, for the reason given.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> image = rng.integers(0, 256, (48, 96, 3), dtype=np.uint8)
    >>> validate(image, {"min_side": 64}).reason
    'low resolution: the shorter side is 48 pixels, at least 64 are needed'
    >>> result = validate(b"no image")
    >>> bool(result), result.issues, result.reason
    (False, ['invalid'], 'invalid: not an image in a format that can be read')
    """
    _check_is_one_image(image)
    chosen = resolve_profile(profile, thresholds, min_side)
    verdicts, scores = _judge([image], chosen, n_jobs=1, progress=False, isolate=False)
    row = verdicts.iloc[0]
    return ValidationResult(
        ok=bool(row["ok"]),
        score=float(row["score"]),
        issues=row["issues"],
        reason=row["reason"],
        scores={str(issue): float(own[0]) for issue, own in scores.items()},
    )


def validate_many(
    X: Any,
    profile: ProfileLike = "classification",
    thresholds: Mapping[str, float] | None = None,
    *,
    min_side: int | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
    isolate: bool | Isolation = False,
) -> pd.DataFrame:
    """Judge many images against fixed limits, each by itself.

    Parameters
    ----------
    X : collection of images, or measurement table
        See :func:`measure`. A table of measurements is not measured again.
    profile, thresholds, min_side
        See :func:`validate`.
    n_jobs : int, default=None
        Number of workers, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar when it takes longer than a second.
    isolate : bool or Isolation, default=False
        Whether to read images in processes that may be lost, see :func:`measure`.

    Returns
    -------
    table : DataFrame
        One row per image, in order; its index is that of a pandas input, else the path, else
        the position. ``ok``, ``score``, ``issues`` and ``reason`` as in
        :class:`ValidationResult`; ``is_invalid_issue``; and ``<issue>_score`` and
        ``is_<issue>_issue`` for each issue of the profile, missing where the image cannot be
        read.

    Raises
    ------
    TypeError, ValueError
        If X is no collection of images, or as for :func:`validate`.

    Examples
    --------
    >>> import numpy as np
    >>> images = [np.zeros((64, 64, 3), np.uint8), b"no image"]
    >>> validate_many(images, {"limits": {"dark": 0.3}})[["ok", "score", "issues"]]
          ok  score     issues
    0  False    0.0     [dark]
    1  False    0.0  [invalid]
    """
    chosen = resolve_profile(profile, thresholds, min_side)
    verdicts, scores = _judge(X, chosen, n_jobs=n_jobs, progress=progress, isolate=isolate)
    is_invalid = np.array([issues == [INVALID] for issues in verdicts["issues"]], dtype=bool)
    columns: dict[str, Any] = {f"is_{INVALID}_issue": is_invalid}
    for issue, own in scores.items():
        flags = pd.array(own < chosen.limits[issue], dtype="boolean")
        flags[np.isnan(own)] = pd.NA
        columns[f"{issue}_score"] = own
        columns[f"is_{issue}_issue"] = flags
    return verdicts.assign(**columns)


def admitted(table: pd.DataFrame, min_score: float) -> NDArray[np.bool_]:
    """Return which rows of :func:`validate_many` could be read and reach a score.

    Raises
    ------
    TypeError, ValueError
        If ``min_score`` is no number in [0, 1].

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"score": [0.9, 0.4], "is_invalid_issue": [False, False]})
    >>> admitted(table, 0.5).tolist()
    [True, False]
    """
    check_score(min_score)
    reached = table["score"].to_numpy() >= min_score
    return np.array(reached & ~table["is_invalid_issue"].to_numpy(dtype=bool))


def check_score(min_score: Any) -> None:
    """Raise a TypeError or ValueError unless this is a number in [0, 1]."""
    if isinstance(min_score, bool) or not isinstance(min_score, Real):
        raise TypeError(f"min_score must be a number, got {min_score!r}")
    if not 0 <= float(min_score) <= 1:
        raise ValueError(f"min_score must lie in [0, 1], got {min_score!r}")


def _check_is_one_image(image: Any) -> None:
    one = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image, np.ndarray)
    if isinstance(image, one) or any(
        hasattr(image, way) for way in ("read", "read_bytes", "fetch")
    ):
        return
    hint = "; validate_many takes several" if isinstance(image, (list, tuple)) else ""
    raise TypeError(
        "image must be a path, bytes, a PIL image, an array or a binary file object, "
        f"got {type(image).__name__}{hint}"
    )


def _judge(
    X: Any, profile: Profile, *, n_jobs: int | None, progress: bool, isolate: bool | Isolation
) -> tuple[pd.DataFrame, dict[str, NDArray[np.float64]]]:
    """Return the verdicts, and the scores by issue."""
    detectors = profile.detectors()
    columns = list(
        dict.fromkeys(("valid", *(name for detector in detectors for name in detector._columns())))
    )
    table = find_table(X, [*columns, "reason"])
    if table is None:
        table = measure(X, columns, n_jobs=n_jobs, progress=progress, isolate=isolate)
    plain = plain_columns(table, columns)  # once for all detectors: half the time of one image

    # What says neither yes nor no has not been read either.
    unreadable = plain["valid"].to_numpy() != 1
    scores = {}
    quality = np.ones(len(table))
    for detector in detectors:
        own = np.array(detector._score(plain), dtype=np.float64).clip(0.0, 1.0)
        own[unreadable] = np.nan
        scores[detector.issue] = own
        # fmin passes over NaN: what was not judged says nothing.
        quality = np.fmin(quality, rescaled(own, profile.limits[detector.issue]))
    quality[unreadable] = 0.0

    issues: list[list[str]] = [[] for _ in range(len(table))]
    reasons = [""] * len(table)
    for row in np.flatnonzero(quality < 0.5):
        if unreadable[row]:
            issues[row], reasons[row] = [INVALID], f"{INVALID}: {_why(table, row)}"
            continue
        issues[row] = [issue for issue, own in scores.items() if own[row] < profile.limits[issue]]
        first = issues[row][0]
        measurements = {str(column): value for column, value in table.iloc[row].items()}
        reasons[row] = reason_for(first, measurements, float(scores[first][row]), profile)
    verdicts = pd.DataFrame(
        {
            "ok": quality >= 0.5,
            "score": quality,
            "issues": pd.Series(issues, index=table.index, dtype=object),
            "reason": pd.Series(reasons, index=table.index, dtype=object),
        },
        index=table.index,
    )
    return verdicts, scores


def _why(table: pd.DataFrame, row: Any) -> str:
    reason = table["reason"].iloc[row]
    return str(reason) if isinstance(reason, str) and reason else "not measured"
