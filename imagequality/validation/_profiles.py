"""How good an image must be, by what it is needed for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

from ..detectors import (
    BlurDetector,
    CompressionDetector,
    DarkDetector,
    ExposureDetector,
    GrayscaleDetector,
    IssueDetector,
    LightDetector,
    LowInformationDetector,
    NoiseDetector,
    OddAspectRatioDetector,
    PixelationDetector,
    ResolutionDetector,
)

_DETECTORS: dict[str, type[IssueDetector]] = {
    detector.issue: detector
    for detector in (
        # Causes first, as in default_detectors(): the first issue of an image names what is wrong.
        ResolutionDetector,
        DarkDetector,
        LightDetector,
        NoiseDetector,
        LowInformationDetector,
        CompressionDetector,
        BlurDetector,
        PixelationDetector,
        ExposureDetector,
        OddAspectRatioDetector,
        GrayscaleDetector,
    )
}

ISSUES = tuple(_DETECTORS)
"""What an image can be judged by on its own, causes first. ("invalid" is always judged.)"""


@dataclass(frozen=True)
class Profile:
    """What an image must reach: the lowest score that is admitted, by issue.

    Parameters
    ----------
    limits : mapping of str to float
        Issue → limit in [0, 1]; a score below it is a flaw. An issue that is not listed is not
        looked at. See :data:`ISSUES`. Judging by a profile without a limit is an error.
    min_side : int, default=64
        What the score of ``low_resolution`` refers to: the shorter side that is needed, in
        pixels.
    name : str, default=""

    Raises
    ------
    TypeError, ValueError
        If a limit is no number in [0, 1], an issue is unknown, or ``min_side`` is no integer
        of at least 1. The message names it.

    Examples
    --------
    >>> profile = Profile({"blurry": 0.4, "low_resolution": 1.0}, min_side=224)
    >>> profile.with_limits({"noisy": 0.5}).limits
    {'blurry': 0.4, 'low_resolution': 1.0, 'noisy': 0.5}
    """

    limits: Mapping[str, float]
    min_side: int = 64
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a string, got {self.name!r}")
        # The dataclass is frozen for its users; here it is still being made.
        object.__setattr__(self, "limits", _checked_limits(self.limits))
        object.__setattr__(self, "min_side", _checked_side(self.min_side))

    def with_limits(
        self, limits: Mapping[str, float] | None = None, min_side: int | None = None
    ) -> Profile:
        """Return the profile with some limits replaced or added.

        Parameters
        ----------
        limits : mapping of str to float, default=None
            Issue → limit. A limit of 0 admits everything.
        min_side : int, default=None
            In pixels; it also asks for the resolution where the profile did not.

        Returns
        -------
        profile : Profile
        """
        changed = {**self.limits, **_checked_limits({} if limits is None else limits)}
        if min_side is None:
            return replace(self, limits=changed)
        changed.setdefault(ResolutionDetector.issue, 1.0)
        return replace(self, limits=changed, min_side=min_side)

    @classmethod
    def named(cls, name: str) -> Profile:
        """Return one of the library's profiles.

        Parameters
        ----------
        name : {"classification", "fine_grained", "object_detection", "segmentation"}

        Returns
        -------
        profile : Profile

        Examples
        --------
        >>> Profile.named("fine_grained").min_side
        192
        """
        if not isinstance(name, str) or name not in PROFILES:
            raise ValueError(f"unknown profile {name!r}{_hint(name, PROFILES)}")
        return replace(PROFILES[name])  # a copy, whose limits are its own

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Profile:
        """Make a profile from plain data.

        Parameters
        ----------
        settings : mapping
            ``limits`` (issue → limit), ``min_side`` (pixels), ``name``, and ``base``: the name
            of a profile whose limits hold where no other is given. Each may be left out.

        Returns
        -------
        profile : Profile

        Raises
        ------
        TypeError, ValueError
            For an unknown key, or a bad value; it is named.

        Examples
        --------
        >>> settings = {"base": "classification", "min_side": 32, "limits": {"blurry": 0.2}}
        >>> profile = Profile.from_dict(settings)
        >>> profile.min_side, profile.limits["blurry"]
        (32, 0.2)
        """
        if not isinstance(settings, Mapping):
            raise TypeError(f"a profile must be a mapping, got {type(settings).__name__}")
        known = ("base", "limits", "min_side", "name")
        for key in settings:
            if key in ISSUES:
                raise ValueError(f"profile: put {key!r} under 'limits'")
            if key not in known:
                raise ValueError(f"profile: unknown key {key!r}{_hint(key, known)}")
        if "base" in settings:
            base = cls.named(settings["base"])
        else:
            base = cls({})
        profile = base.with_limits(settings.get("limits"), settings.get("min_side"))
        return replace(profile, name=settings.get("name", ""))

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Profile:
        r"""Read a profile from a TOML file, with the keys of :meth:`from_dict`.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        profile : Profile

        Raises
        ------
        OSError, TypeError, ValueError
            If the file cannot be read, is no TOML, or has an unknown key or bad value.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "thumbnails.toml"
        >>> text = "base = 'classification'\nmin_side = 32\n[limits]\nblurry = 0.2\n"
        >>> _ = path.write_text(text)
        >>> Profile.from_toml(path).min_side
        32
        """
        with open(path, "rb") as file:
            try:
                settings = tomllib.load(file)
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise ValueError(f"{os.fspath(path)!r} is no TOML file: {error}") from error
        try:
            return cls.from_dict(settings)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{os.fspath(path)!r}: {error}") from error

    def detectors(self) -> list[IssueDetector]:
        """Return the detectors that the limits refer to, unfitted, causes first.

        Returns
        -------
        detectors : list of IssueDetector
        """
        return [
            ResolutionDetector(min_side=self.min_side) if issue == "low_resolution" else make()
            for issue, make in _DETECTORS.items()
            if issue in self.limits
        ]


ProfileLike = str | os.PathLike[str] | Mapping[str, Any] | Profile
"""A profile, its name, its settings, or the path of a TOML file that holds them."""


def resolve_profile(
    profile: ProfileLike,
    thresholds: Mapping[str, float] | None = None,
    min_side: int | None = None,
) -> Profile:
    """Return the profile that the arguments of :func:`validate` stand for.

    Raises
    ------
    TypeError, ValueError
        If there is no such profile, a value is bad, or there is no limit at all.

    Examples
    --------
    >>> resolve_profile("classification", min_side=32).min_side
    32
    """
    if isinstance(profile, Profile):
        chosen = profile
    elif isinstance(profile, Mapping):
        chosen = Profile.from_dict(profile)
    elif isinstance(profile, os.PathLike) or (
        isinstance(profile, str) and profile.lower().endswith(".toml")
    ):
        chosen = Profile.from_toml(profile)
    elif isinstance(profile, str):
        chosen = Profile.named(profile)
    else:
        raise TypeError(
            "profile must be a Profile, a name, a mapping or the path of a TOML file, "
            f"got {type(profile).__name__}"
        )
    if thresholds is not None or min_side is not None:
        chosen = chosen.with_limits(thresholds, min_side)
    if not chosen.limits:
        raise ValueError(f"profile: {profile!r} has no limits, so every image would be admitted")
    return chosen


def _checked_limits(limits: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(limits, Mapping):
        raise TypeError(
            f"limits must be a mapping of issues to numbers, got {type(limits).__name__}"
        )
    for issue, limit in limits.items():
        if issue not in ISSUES:
            raise ValueError(f"limits: unknown issue {issue!r}{_hint(issue, ISSUES)}")
        if isinstance(limit, bool) or not isinstance(limit, Real):
            raise TypeError(f"limits: that of {issue!r} must be a number, got {limit!r}")
        if not 0 <= float(limit) <= 1:  # also true of NaN
            raise ValueError(f"limits: that of {issue!r} must lie in [0, 1], got {limit!r}")
    return {issue: float(limit) for issue, limit in limits.items()}


def _checked_side(min_side: Any) -> int:
    if isinstance(min_side, bool) or not isinstance(min_side, Integral):
        raise TypeError(f"min_side must be an integer, got {min_side!r}")
    if min_side < 1:
        raise ValueError(f"min_side must be at least 1 pixel, got {min_side!r}")
    return int(min_side)


def _hint(name: object, known: Any) -> str:
    close = get_close_matches(str(name), known, n=1)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return f"{guess}; known are {', '.join(known)}"


def _fixed_limit(issue: str) -> float:
    """Return the limit that a detector was calibrated for, for an image judged by itself."""
    detector = _DETECTORS[issue]()
    limit = detector.validation_limit
    if limit is None:
        limit, _ = detector._limits()
    if limit is None:
        raise ValueError(f"{type(detector).__name__} has no fixed limit")
    return float(limit)


# The same for every use: what is lost to the light, to compression or to enlargement is lost.
_COMMON = {
    issue: _fixed_limit(issue)
    for issue in (
        "low_resolution",
        "dark",
        "light",
        "low_information",
        "compressed",
        "pixelated",
        "badly_exposed",
    )
}

_BLUR, _NOISE = _fixed_limit("blurry"), _fixed_limit("noisy")


def _use(name: str, *, blur: float, noise: float, min_side: int) -> Profile:
    """Make a profile whose limits of blur and noise are multiples of the detectors' own."""
    limits = {**_COMMON, "blurry": round(_BLUR * blur, 2), "noisy": round(_NOISE * noise, 2)}
    return Profile({issue: limits[issue] for issue in ISSUES if issue in limits}, min_side, name)


# The published guide's table has 40, 60, 50, 55 for blur, 30, 40, 35, 40 for noise, and 60, 75,
# 70, 70 for resolution. The first two are kept as ratios to classification; the sides are
# whole multiples of 32, the stride of the usual networks, near 2 to the power of a tenth of its
# figures.
PROFILES = {
    profile.name: profile
    for profile in (
        _use("classification", blur=1, noise=1, min_side=64),
        _use("fine_grained", blur=60 / 40, noise=40 / 30, min_side=192),
        _use("object_detection", blur=50 / 40, noise=35 / 30, min_side=128),
        _use("segmentation", blur=55 / 40, noise=40 / 30, min_side=128),
    )
}
"""The profiles that come with the library, by name."""
