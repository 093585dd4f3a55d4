"""Ways to clean a collection, and how well each finds the planted images."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from conditions import Mixture
from numpy.typing import NDArray

import imagequality as iq

Flags = NDArray[np.bool_]


def clean_nothing(mixture: Mixture, seed: int) -> Flags:
    """Remove nothing."""
    return np.zeros(len(mixture.paths), dtype=bool)


def clean_at_random(mixture: Mixture, seed: int) -> Flags:
    """Remove as many images as were planted, at random."""
    flags = clean_nothing(mixture, seed)
    generator = np.random.default_rng([seed, 3])
    flags[generator.permutation(len(flags))[: mixture.planted.sum()]] = True
    return flags


def clean_oracle(mixture: Mixture, seed: int) -> Flags:
    """Remove exactly the planted images."""
    return mixture.planted


def clean_cleanvision(mixture: Mixture, seed: int) -> Flags:
    """Remove what CleanVision flags with its defaults; of its duplicates the first stays."""
    from cleanvision import Imagelab

    quiet = io.StringIO()
    with (
        contextlib.redirect_stdout(quiet),
        contextlib.redirect_stderr(quiet),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        lab = Imagelab(filepaths=mixture.paths)
        lab.find_issues(n_jobs=1, verbose=False)
    issues = lab.issues.loc[mixture.paths].filter(regex="^is_")
    flags = issues.loc[:, ~issues.columns.str.contains("duplicates")].any(axis=1)
    for kind in ("exact_duplicates", "near_duplicates"):
        for group in lab.info.get(kind, {}).get("sets", []):
            unflagged = [path for path in group if not flags[path]]
            flags[unflagged[1:]] = True
    return flags.to_numpy(dtype=bool)


def clean_imagequality(mixture: Mixture, seed: int) -> Flags:
    """Remove what the plan of ``QualityPipeline()`` drops."""
    report = iq.QualityPipeline(progress=False, n_jobs=1).fit(mixture.paths).report()
    return np.asarray((report.plan["action"] == "drop").to_numpy(), dtype=bool)


METHODS: dict[str, Callable[[Mixture, int], Flags]] = {
    "nothing": clean_nothing,
    "random": clean_at_random,
    "cleanvision": clean_cleanvision,
    "imagequality": clean_imagequality,
    "oracle": clean_oracle,
}


@dataclass(frozen=True)
class Removal:
    """How well a removal found the planted images: all in [0, 1], NaN where undefined."""

    removal_precision: float
    removal_recall: float
    removal_f1: float


def credited(removed: Flags, mixture: Mixture) -> Flags:
    """Count a source that was removed instead of its near duplicate as the duplicate.

    Of the two either may go, so that one removal of the pair is one hit and no false alarm.

    Parameters
    ----------
    removed : ndarray of shape (n,), bool
        What a method removed; not modified.
    mixture : Mixture
        What was planted.

    Returns
    -------
    removed : ndarray of shape (n,), bool
    """
    removed = removed.copy()
    copies = np.flatnonzero(mixture.source_of >= 0)
    swapped = copies[~removed[copies] & removed[mixture.source_of[copies]]]
    removed[mixture.source_of[swapped]] = False
    removed[swapped] = True
    return removed


def judge(removed: Flags, mixture: Mixture) -> Removal:
    """Compare what was removed, as :func:`credited` counts it, with what was planted.

    Parameters
    ----------
    removed : ndarray of shape (n,), bool
        What a method removed.
    mixture : Mixture
        What was planted.

    Returns
    -------
    removal : Removal
    """
    removed, planted = credited(removed, mixture), mixture.planted
    hits = int((removed & planted).sum())
    precision = hits / removed.sum() if removed.any() else float("nan")
    recall = hits / planted.sum() if planted.any() else float("nan")
    return Removal(precision, recall, 2 * hits / max(1, int(removed.sum() + planted.sum())))
