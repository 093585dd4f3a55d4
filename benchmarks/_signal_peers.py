"""The tools that signals.py compares, each given paths and returning a row of figures for each.

A tool that cannot be imported, or that raises, returns rows with the one column
``<tool>_error``.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import pandas as pd

import imagequality as iq

LIMITS = iq.Profile.named("classification").limits  # validate's default; causes first
DETECTORS: dict[str, iq.IssueDetector] = {
    detector.issue: detector
    for detector in (
        iq.DarkDetector(),
        iq.LightDetector(),
        iq.NoiseDetector(),
        iq.LowInformationDetector(),
        iq.CompressionDetector(),
        iq.BlurDetector(),
        iq.PixelationDetector(),
        iq.ExposureDetector(),
    )
}
_NEEDED = {column for detector in DETECTORS.values() for column in detector._columns()}
COLUMNS = sorted(_NEEDED | {"valid", "reason", "width", "height"})

Table = pd.DataFrame


def judge(table: Table) -> Table:
    """``<issue>_score``, ``is_<issue>_issue`` and ``primary_issue`` of measured images."""
    verdicts = iq.validate_many(table, progress=False)
    first = [issues[0] if issues else None for issues in verdicts["issues"]]
    return verdicts.assign(primary_issue=pd.Series(first, verdicts.index, dtype=object))


def ours(paths: Sequence[str]) -> Table:
    return iq.measure(paths, COLUMNS, progress=False).reset_index(drop=True)


def imageguard(paths: Sequence[str]) -> Table:
    """Its scores of the signals (0 to 100), and its verdict: the issues, whether it is ok."""
    from imageguard.core import detect_image_quality
    from imageguard.io import load_image
    from imageguard.rules import apply_rules

    rows = []
    for path in paths:
        metrics = detect_image_quality(load_image(path))
        verdict = apply_rules(metrics)
        row = {f"imageguard_{name}": metrics[name] for name in metrics if name.endswith("_score")}
        rows.append({**row, "imageguard_issues": verdict.issues, "imageguard_ok": verdict.ok})
    return pd.DataFrame(rows)


def cleanvision(paths: Sequence[str]) -> Table:
    """Its scores and flags of one image."""
    from cleanvision import Imagelab

    issues = {"dark": {}, "light": {}, "blurry": {}, "low_information": {}}
    quiet = io.StringIO()
    with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        lab = Imagelab(filepaths=list(paths))
        lab.find_issues(issues, n_jobs=1, verbose=False)
    return lab.issues.loc[list(paths)].reset_index(drop=True).add_prefix("cleanvision_")


def brisque(paths: Sequence[str]) -> Table:
    """Minus BRISQUE's score, so that low is bad."""
    from brisque import BRISQUE

    class Mended(BRISQUE):
        """brisque 0.2.0 gives float() arrays of one element, which NumPy 2.4 refuses."""

        def scale_features(self, features: Any) -> np.ndarray:
            return super().scale_features([np.asarray(value).item() for value in features])

    model = Mended(url=False)
    return pd.DataFrame({"brisque_score": [-float(model.score(rgb(path))) for path in paths]})


def piqe(paths: Sequence[str]) -> Table:
    """Minus PIQE's score, so that low is bad."""
    from pypiqe import piqe as score

    # It turns BGR into grey.
    bgr = (np.ascontiguousarray(rgb(path)[..., ::-1]) for path in paths)
    return pd.DataFrame({"piqe_score": [-float(score(image)[0]) for image in bgr]})


def rgb(path: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


PEERS: dict[str, Callable[[Sequence[str]], Table]] = {
    "imageguard": imageguard,
    "CleanVision": cleanvision,
    "BRISQUE": brisque,
    "PIQE": piqe,
}
SLOW = ("BRISQUE", "PIQE")  # measured on fewer photographs
PACKAGES = ("imageguard", "cleanvision", "brisque", "pypiqe")

# Which score of a peer is meant for which distortion, and how its own verdict says so.
# CleanVision has none for noise, compression and pixels; BRISQUE and PIQE have one for all.
GUARD_EXPOSURE = ("underexposed", "overexposed", "clipped", "bad_exposure")
GUARD = {
    "noisy": ("imageguard_noise_score", ("noisy",)),
    "compressed": ("imageguard_compression_score", ("compressed",)),
    "pixelated": ("imageguard_pixelation_score", ("pixelated",)),
    "blurry": ("imageguard_blur_score", ("blurry",)),
    "badly_exposed": ("imageguard_exposure_score", GUARD_EXPOSURE),
}
CLEANVISION = {
    "bicubic upscaling": "blurry",
    "underexposure": "dark",
    "overexposure": "light",
}


def attempt(peer: str, paths: Sequence[str]) -> Table:
    """A peer's rows, or its error, one row for each path."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return PEERS[peer](paths)
        except Exception as error:
            if len(paths) > 1:  # one bad image must not cost the others
                return pd.concat([attempt(peer, [path]) for path in paths], ignore_index=True)
            text = f"{type(error).__name__}: {error}"[:200]
            return pd.DataFrame({f"{peer.lower()}_error": [text]})
