"""Scores of folds → what each flaw costs, and whether that can be told from chance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as students_t

CONFIDENCE = 0.95
KEYS = ["perturbation", "step", "contamination"]


class Effect(NamedTuple):
    """A mean difference of paired scores, its standard error, and from how many pairs."""

    mean: float
    std_error: float
    n: int

    @property
    def sign(self) -> int | None:
        """Return 1 or −1 where it can be told from chance, None where it cannot; 0: no effect."""
        if not self.n or (self.n < 2 and self.mean != 0):
            return None
        if self.mean == 0 and not self.std_error > 0:
            return 0
        limit = float(students_t.ppf((1 + CONFIDENCE) / 2, self.n - 1))
        return int(np.sign(self.mean)) if abs(self.mean) > limit * self.std_error else None


def paired_effect(differences: NDArray[np.float64], test_to_train: float) -> Effect:
    """Return mean and standard error of the differences of two scores, fold by fold.

    The training sets of folds overlap, so their scores are not independent, and the usual
    standard error is too small. Nadeau and Bengio's is
    √(variance · (1 / n + n_test / n_train)).

    Parameters
    ----------
    differences : ndarray of shape (n,)
        NaN is left out.
    test_to_train : float
        Number of test images over that of training images.

    Returns
    -------
    effect : Effect
        The standard error of less than two differences is NaN.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52,
    2003.

    Examples
    --------
    >>> effect = paired_effect(np.array([0.1, 0.2, 0.3]), test_to_train=0.5)
    >>> round(effect.mean, 3), round(effect.std_error, 3), effect.n, effect.sign
    (0.2, 0.091, 3, None)
    """
    known = differences[~np.isnan(differences)]
    n = len(known)
    if not n:
        return Effect(np.nan, np.nan, 0)
    error = np.sqrt(known.var(ddof=1) * (1 / n + test_to_train)) if n > 1 else np.nan
    return Effect(float(known.mean()), float(error), n)


_LOSS_WORDS = {1: "costs", -1: "helps", 0: "no difference", None: "unclear"}
_CLEANING_WORDS = {1: "pays", -1: "harms", 0: "no difference", None: "unclear"}


def with_levels_as_given(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a table whose column of levels holds objects: pandas makes 3.0 of 3 beside 0.5."""
    table = pd.DataFrame(rows)
    table["level"] = pd.Series([row["level"] for row in rows], dtype=object)
    return table


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per flaw, level and share, what costs most first.

    Parameters
    ----------
    results : DataFrame
        See ``ImpactStudy.results_``.

    Returns
    -------
    summary : DataFrame
        See :meth:`ImpactStudy.summary`.
    """
    rows = []
    with_cleaning = results["cleaned"].notna().any()
    for key, trials in results.groupby(KEYS, sort=False):
        ratio = float((trials["n_test"] / trials["n_train"]).mean())
        loss = paired_effect(trials["loss"].to_numpy(dtype=np.float64), ratio)
        row: dict[str, Any] = {
            "perturbation": key[0],
            "level": trials["level"].iloc[0],
            "step": key[1],
            "contamination": key[2],
            "score": trials["score"].mean(),
            "loss": loss.mean,
            "std_error": loss.std_error,
            "folds": loss.n,
            "verdict": _LOSS_WORDS[loss.sign] if loss.n else "failed",
        }
        if with_cleaning:
            gains = trials["cleaned"] - trials["score"]
            gain = paired_effect(gains.to_numpy(dtype=np.float64), ratio)
            row |= {
                "cleaning_gain": gain.mean,
                "cleaning_std_error": gain.std_error,
                "cleaning": _CLEANING_WORDS[gain.sign] if gain.n else "",
            }
        rows.append(row)
    table = with_levels_as_given(rows)
    return table.sort_values("loss", ascending=False, kind="stable", ignore_index=True)
