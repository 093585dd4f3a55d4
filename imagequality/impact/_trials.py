"""Training and testing: one trial for each fold, flaw, level and share of spoilt images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..detectors import IssueDetector
from ..images import RGBArray
from ._flaws import Condition, spoilt
from ._inputs import as_inputs, joined, take
from ._splits import Rows, Split


class Outcome(NamedTuple):
    """A score; where it could not be had, what stands for it, and why."""

    score: float
    problem: str = ""


@dataclass(frozen=True)
class Setting:
    """What all trials of a study have in common.

    Attributes
    ----------
    images : sequence of n ndarray of shape (h, w, 3), uint8
    names : sequence of n
    y : ndarray of shape (n,)
    given : list or features
        What the estimator gets of the images as given.
    splits : list of Split
    estimator : classifier
        Unfitted.
    embedder : object with ``transform``, or None
    scorer : callable
        ``scorer(estimator, X, y)`` → float, the greater the better.
    shares : list of float
        Of the images that are spoilt.
    where : {"train", "test", "both"}
    error_score : float or "raise"
    seed : int
    """

    images: Sequence[RGBArray]
    names: Sequence[Any]
    y: NDArray[Any]
    given: Any
    splits: list[Split]
    estimator: Any
    embedder: Any
    scorer: Callable[[Any, Any, Any], float]
    shares: list[float]
    where: str
    error_score: float | str
    seed: int

    def trained(self, inputs: Any, rows: Rows, seed: int) -> Any:
        """Return a clone of the estimator, fitted to some rows of the inputs."""
        estimator = with_seed(clone(self.estimator), seed)
        return estimator.fit(take(inputs, rows), self.y[rows % len(self.y)])

    def tested(self, model: Any, inputs: Any, rows: Rows) -> float:
        """Return the score of a model on some rows of the inputs."""
        return float(self.scorer(model, take(inputs, rows), self.y[rows % len(self.y)]))

    def tried(self, trial: Callable[..., float], *arguments: Any) -> Outcome:
        """Return what a trial gives; if it fails, what the user wants instead."""
        try:
            score = trial(self, *arguments)
        except Exception as error:
            if self.error_score == "raise":
                raise
            return Outcome(float(self.error_score), f"{type(error).__name__}: {error}")
        return Outcome(score, "" if np.isfinite(score) else f"the score is {score}")


class Baseline(NamedTuple):
    """One fold without any flaw.

    Attributes
    ----------
    score : float
    model : fitted estimator, or None where it is not needed any more
    cleaned : dict of (float, bool) to Outcome
        The score without the images that would be spoilt, by their share and by whether they
        would be copies.
    """

    score: float
    model: Any
    cleaned: dict[tuple[float, bool], Outcome]


def with_seed(estimator: Any, seed: int) -> Any:
    """Fix every ``random_state`` that is None, nested or not.

    Else two trainings on the same images would differ, and the difference would be taken for the
    flaw's.
    """
    generator = np.random.default_rng(seed)
    states = {
        name: int(generator.integers(2**31))
        for name, value in sorted(estimator.get_params(deep=True).items(), key=lambda pair: pair[0])
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    }
    return estimator.set_params(**states) if states else estimator


def try_without_flaw(setting: Setting, fold: int, kinds: Sequence[bool]) -> Baseline:
    """Train and test on a fold of the images as given.

    Parameters
    ----------
    setting : Setting
    fold : int
    kinds : sequence of bool
        Of the flaws that are studied: whether they are copies.

    Returns
    -------
    baseline : Baseline

    Raises
    ------
    ValueError
        If the estimator fails, or its score is not finite: there is nothing to compare with.
    """
    split = setting.splits[fold]
    try:
        model = setting.trained(setting.given, split.train, split.seed)
        score = setting.tested(model, setting.given, split.test)
    except Exception as error:
        raise ValueError(
            f"the estimator fails on the images as they are given, in fold {fold}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not np.isfinite(score):
        raise ValueError(
            f"the score on the images as they are given is {score}, in fold {fold}: there is "
            "nothing to compare with"
        )
    cleaned: dict[tuple[float, bool], Outcome] = {}
    if setting.where == "train":
        for share in setting.shares:
            for copies in kinds:
                rows = split.cleaned_rows(share, copies=copies)
                if 0 < len(rows) < len(split.train):
                    cleaned[share, copies] = setting.tried(_score_of_rows, split, rows)
    return Baseline(score, model if setting.where == "test" else None, cleaned)


def try_condition(
    setting: Setting,
    condition: Condition,
    models: Sequence[Any],
    detector: IssueDetector | None,
) -> tuple[list[list[Outcome]], NDArray[np.float64] | None]:
    """Spoil all images in one way, then train and test on every fold and share.

    Parameters
    ----------
    setting : Setting
    condition : Condition
    models : sequence
        Of each fold the model trained on the images as given, where only test images are spoilt.
    detector : IssueDetector or None
        Fitted.

    Returns
    -------
    outcomes : list of list of Outcome
        By share, then by fold.
    scores : ndarray of shape (n,), or None
        What the detector says of the spoilt images.
    """
    images = spoilt(condition, setting.images, setting.names, setting.seed)
    inputs = joined(setting.given, as_inputs(images, setting.embedder))
    outcomes = [
        [
            setting.tried(_score_of_condition, condition, inputs, share, split, model)
            for split, model in zip(setting.splits, models, strict=True)
        ]
        for share in setting.shares
    ]
    return outcomes, None if detector is None else detector.score_samples(images)


def _score_of_rows(setting: Setting, split: Split, rows: Rows) -> float:
    """Train on some of the images as given."""
    model = setting.trained(setting.given, rows, split.seed)
    return setting.tested(model, setting.given, split.test)


def _score_of_condition(
    setting: Setting, condition: Condition, inputs: Any, share: float, split: Split, model: Any
) -> float:
    """Train and test with a share of the images spoilt."""
    n, copies = len(setting.y), condition.flaw.copies
    if setting.where != "test":
        rows = split.training_rows(share, n, copies=copies)
        model = setting.trained(inputs, rows, split.seed)
    spoils_tests = setting.where != "train" and not copies
    tested = split.testing_rows(share, n) if spoils_tests else split.test
    return setting.tested(model, inputs, tested)
