"""The study: which flaw costs a model how much, on images of the user's."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .._base import (
    N_JOBS,
    HasMethods,
    Interval,
    StrOptions,
    takes_images,
    validate_arguments,
    validate_parameters,
)
from ..detectors import IssueDetector
from ..duplicates._base import DuplicateDetectorBase
from ..images import RGBArray, UnreadableImageError, as_references, load_image
from ..measurements import measure
from ..measurements._workers import _bar_class
from ..perturbations import as_generator
from ..pipeline import default_detectors
from ._flaws import Condition, as_conditions
from ._inputs import as_collection, as_inputs
from ._limits import Step, limit_of
from ._model import DescriptorEmbedder, default_model
from ._splits import Split, make_splits
from ._summary import summarise, with_levels_as_given
from ._trials import Baseline, Outcome, Setting, try_condition, try_without_flaw

AS_GIVEN = "as given"  # the column of scores_ for images without a flaw
_SECONDS_BEFORE_BAR = 1.0
_NAMED_IN_ERRORS = 5
_DEFAULT_FOLDS = 5


class ImpactStudy(BaseEstimator):
    """Measure which flaw of the images costs a classifier how much of its score.

    The study of the paper's section IV-A on images of one's own. Of each fold of a
    cross-validation, the training images (or the test images, or both) get one flaw at one
    level; the classifier is trained from scratch and tested, and its score is compared with that
    of the same fold without the flaw.

    Parameters
    ----------
    estimator : classifier, default=None
        Any scikit-learn classifier or Pipeline. It is given images, RGB uint8: an array of shape
        ``(n, h, w, 3)`` if all are of one size, else a list of ``(h, w, 3)`` arrays; with an
        ``embedder`` it is given its features. Parameters ``random_state`` that are None are set,
        for each fold to the same for every flaw. None: logistic regression of feature
        vectors of unit norm.
    perturbations : list of str, or mapping of str to callable or str, default=None
        The flaws. Names of the library's are the keys of
        :data:`imagequality.impact.DEFAULT_LEVELS`; a function takes an RGB uint8 image of shape
        ``(h, w, 3)`` and a level, and returns another one. None: all of the library's but
        ``"pixelated"`` and ``"badly_exposed"``, and but the duplicates where only test images
        are spoilt.
    levels : mapping of str to list, default=None
        How strong, from mild to strong: numbers, or text. For the flaws that are not in it,
        the library's default; functions have none.
    contamination : float or list of float, default=1.0
        Share of the images that get the flaw, from 0 to 1. Smaller shares are parts of larger
        ones, and all flaws hit the same images. Of exact and near duplicates it is the share of
        training images that are in a pair: a copy takes the place of half as many others of the
        same class. With shares below 1 the study also tells what dropping the spoilt images
        gives back.
    where : {"train", "test", "both"}, default="train"
        Which images are spoilt. ``"train"``, as in the paper: what it costs to learn from them.
        ``"test"``: what it costs to meet them in production. Duplicates are a flaw of
        training images only.
    embedder : object with ``transform``, default=None
        What makes features of images, each by itself, and needs no fit (any more): an
        :class:`Embedder`, such as :class:`TorchEmbedder`, or :class:`Measurer`. It runs once for
        every image and level, however many folds and shares there are; the same transformer
        at the head of a Pipeline runs again for each. None: with an ``estimator``, the images
        themselves; without, :class:`imagequality.impact.DescriptorEmbedder`.
    detectors : mapping of str to IssueDetector, default=None
        By flaw, the detector whose threshold :meth:`thresholds` finds. For the flaws that are
        not in it: the library's default detector of that issue, if there is one.
    cv : int, splitter or iterable of (train, test), default=None
        As in scikit-learn's ``cross_validate``: a number of folds, stratified by
        class and not shuffled; None is 5. A repeated splitter narrows the spread.
    scoring : str or callable, default="accuracy"
        One of scikit-learn's scorers, the greater the better; None is the estimator's own.
    error_score : "raise" or float, default=nan
        The score where the estimator fails on spoilt images; there is a warning then. A failure
        on images without a flaw always raises an error.
    n_jobs : int, default=None
        Number of joblib workers. Each takes a flaw at a level, with all folds.
    random_state : int, Generator, RandomState or None, default=None
        Chooses the images that are spoilt, the noise, and the randomness of the estimator.
    progress : bool, default=True
        Whether to show a progress bar on long work.

    Attributes
    ----------
    results_ : DataFrame
        One row per perturbation, level, contamination and fold: ``step``, the number of the
        level, 1 for the mildest; ``score``; ``baseline``, the score without the flaw; ``loss``,
        baseline − score; ``cleaned``, the score when the spoilt training images are dropped (NaN
        where none are left, or where other images than those for training are spoilt);
        ``n_train``, ``n_test``.
    baseline_scores_ : ndarray of shape (n_folds,)
    scores_ : dict of str to DataFrame
        By perturbation that a detector looks for, its scores: one row per image, a column
        "as given" and one for each level.
    detectors_ : dict of str to IssueDetector
        By perturbation, fitted to the images as given.
    classes_ : ndarray of shape (n_classes,)
    n_splits_ : int
        Number of folds.

    See Also
    --------
    imagequality.plots.ImpactDisplay : The result as a picture.
    imagequality.perturbations : The flaws.

    Notes
    -----
    All images are held in memory, decoded. The time is that of folds · levels · shares trainings;
    with ``where="test"`` of one per fold. Near copies of one image in the training and the test
    part of a fold make flaws look harmless: give ``groups`` to ``fit`` and a splitter that keeps
    groups together to ``cv``.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section IV-A and appendix B.

    Examples
    --------
    A model that looks at colour alone: without colour it is lost, and blur it does not notice.

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from imagequality import ImpactStudy
    >>> y = np.repeat(["grass", "water"], 30)
    >>> images = np.random.default_rng(0).integers(0, 100, (60, 16, 16, 3), dtype=np.uint8)
    >>> images[y == "grass", ..., 1] += 50
    >>> images[y == "water", ..., 2] += 50
    >>> mean_colour = FunctionTransformer(lambda images: images.mean(axis=(1, 2)))
    >>> study = ImpactStudy(
    ...     LogisticRegression(), ["blurry", "grayscale"], {"blurry": [5]},
    ...     embedder=mean_colour, random_state=0,
    ... ).fit(images, y)
    >>> study.summary()[["perturbation", "level", "loss", "verdict"]].round(2)
      perturbation level  loss        verdict
    0    grayscale     1  0.57          costs
    1       blurry     5  0.00  no difference
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [None, HasMethods(["fit"])],
        "perturbations": [None, "array-like", Mapping],
        "levels": [None, Mapping],
        "contamination": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "where": [StrOptions({"train", "test", "both"})],
        "embedder": [None, HasMethods(["transform"])],
        "detectors": [None, Mapping],
        "cv": ["cv_object"],
        "scoring": [None, StrOptions(set(get_scorer_names())), callable],
        "error_score": [StrOptions({"raise"}), Real],
        "n_jobs": N_JOBS,
        "random_state": ["random_state", np.random.Generator],
        "progress": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any = None,
        perturbations: Any = None,
        levels: Mapping[str, Iterable[Any]] | None = None,
        *,
        contamination: float | Iterable[float] = 1.0,
        where: str = "train",
        embedder: Any = None,
        detectors: Mapping[str, IssueDetector] | None = None,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = "accuracy",
        error_score: float | str = np.nan,
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: bool = True,
    ) -> None:
        self.estimator = estimator
        self.perturbations = perturbations
        self.levels = levels
        self.contamination = contamination
        self.where = where
        self.embedder = embedder
        self.detectors = detectors
        self.cv = cv
        self.scoring = scoring
        self.error_score = error_score
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress

    # ----------------------------------------------------------------- public

    def fit(self, X: Any, y: Any, groups: Any = None) -> ImpactStudy:
        """Spoil, train and test.

        Parameters
        ----------
        X : collection of images
            Arrays, paths, or whatever :func:`imagequality.load_image` takes: good ones, or the
            flaws they have already are part of every score.
        y : array-like of shape (n,)
            The class of each image.
        groups : array-like of shape (n,), default=None
            For a ``cv`` that keeps groups together.

        Returns
        -------
        self : ImpactStudy

        Raises
        ------
        ValueError, TypeError
            If a parameter is bad, y is missing or holds less than two classes, a class has fewer
            images than there are folds, an image cannot be read (the message names it), or a
            perturbation fails or returns no RGB uint8 array.

        Warns
        -----
        FitFailedWarning
            Where the estimator fails on spoilt images, or its score is not finite.
        """
        validate_parameters(self)
        conditions = as_conditions(self.perturbations, self.levels, test_only=self.where == "test")
        shares = _as_shares(self.contamination)
        estimator, embedder = self._model()
        scorer = check_scoring(estimator, self.scoring)
        detectors = self._detectors_of(conditions)
        references, names = as_references(X)
        labels = _as_classes(y)
        check_consistent_length(references, labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least two classes, got {self.classes_.tolist()}")
        seed = int(as_generator(self.random_state).integers(2**31))
        splits = self._splits(labels, numbers, groups, seed)
        images = _load_all(references, names)

        setting = Setting(
            images=images,
            names=names.tolist(),
            y=labels,
            given=as_inputs(images, embedder),
            splits=splits,
            estimator=estimator,
            embedder=embedder,
            scorer=scorer,
            shares=shares,
            where=self.where,
            error_score=self.error_score,
            seed=seed,
        )
        self.n_splits_ = len(splits)
        self.detectors_, self.scores_ = self._judged(detectors, images, names)
        self._run(setting, conditions, names)
        return self

    def summary(self) -> pd.DataFrame:
        """Return what each flaw costs, the dearest first.

        Returns
        -------
        summary : DataFrame
            One row per perturbation, level and contamination:

            - ``step``: the number of the level, 1 for the mildest;
            - ``score``: the mean over the folds;
            - ``loss``: baseline − score, the mean over the folds;
            - ``std_error``: of the loss, for paired scores of overlapping training sets (Nadeau
              and Bengio); NaN for one fold;
            - ``folds``: how many of them have a score;
            - ``verdict``: "costs" or "helps" where the loss differs from 0 at a confidence of
              95 % (Student's t), else "unclear"; "no difference" where no fold has any;
              "failed" where no fold has a score;
            - ``cleaning_gain``, ``cleaning_std_error``, ``cleaning``: the same of the gain when
              the spoilt training images are dropped: "pays", "harms", "unclear", "no
              difference", or "" where none are left. Only if that was tried.

        Notes
        -----
        Of 20 harmless flaws, one is said to cost or to help by chance.
        """
        check_is_fitted(self, "results_")
        return summarise(self.results_)

    def thresholds(
        self, max_loss: float = 0.02, *, contamination: float | None = None
    ) -> pd.DataFrame:
        """Return the quality score of each flaw where the model begins to lose too much.

        Of each level, the loss is the mean over the folds, and the quality score the median of
        what the flaw's detector says of the images that have it. Between two levels, both are
        taken to change linearly.

        Parameters
        ----------
        max_loss : float, default=0.02
            Of the score, at least 0: 0.02 are two percentage points of accuracy.
        contamination : float, default=None
            At which share of spoilt images. None: the largest of the study.

        Returns
        -------
        thresholds : DataFrame
            One row per perturbation that a detector looks for:

            - ``issue``: of the detector;
            - ``threshold``: for the detector, as a number or as a
              :class:`FixedThreshold`; NaN where there is none;
            - ``bears``, ``exceeds``: the levels it lies between: the last that costs no more
              than ``max_loss``, None if the mildest costs more; and the first that does, None
              if none does;
            - ``flagged_as_given``: the share of the images as given whose scores lie below the
              threshold: what it would cost to use it on them;
            - ``note``: why there is no threshold, or why it is uncertain; else "".

        Raises
        ------
        ValueError
            If ``max_loss`` is negative, or the study has no such contamination.
        """
        check_is_fitted(self, "results_")
        constraints = {
            "max_loss": [Interval(Real, 0, None, closed="left")],
            "contamination": [None, Real],
        }
        validate_arguments(
            constraints,
            {"max_loss": max_loss, "contamination": contamination},
            "ImpactStudy.thresholds",
        )
        known = sorted(set(self.results_["contamination"]))
        share = known[-1] if contamination is None else contamination
        if share not in known:
            raise ValueError(f"contamination must be one of {known}, got {contamination!r}")
        at_share = self.results_[self.results_["contamination"] == share]
        rows = {
            name: self._threshold(name, at_share[at_share["perturbation"] == name], max_loss)
            for name in self.scores_
        }
        columns = ["issue", "threshold", "bears", "exceeds", "flagged_as_given", "note"]
        table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        for name in ("bears", "exceeds"):
            levels = [row[columns.index(name)] for row in rows.values()]
            table[name] = pd.Series(levels, index=table.index, dtype=object)
        return table.rename_axis("perturbation")

    # --------------------------------------------------------------- internal

    def _model(self) -> tuple[Any, Any]:
        """Return the estimator and the embedder, with the default for what is None."""
        if self.estimator is not None:
            return self.estimator, self.embedder
        embedder = DescriptorEmbedder() if self.embedder is None else self.embedder
        return default_model(), embedder

    def _detectors_of(self, conditions: list[Condition]) -> dict[str, IssueDetector]:
        """Return an unfitted detector for each perturbation that has one."""
        flaws = {condition.perturbation: condition.flaw for condition in conditions}
        by_issue = dict(default_detectors())
        found = {
            name: by_issue[flaw.issue]
            for name, flaw in flaws.items()
            if flaw.issue in by_issue and not flaw.copies
        }
        for name, detector in (self.detectors or {}).items():
            if name not in flaws:
                raise ValueError(
                    f"detectors names {name!r}, which is not among the perturbations "
                    f"{', '.join(map(repr, flaws))}"
                )
            if not isinstance(detector, IssueDetector):
                raise TypeError(f"detectors[{name!r}] must be an IssueDetector, got {detector!r}")
            found[name] = detector
        return {
            name: clone(detector)
            for name, detector in found.items()
            if not isinstance(detector, DuplicateDetectorBase)
        }

    def _splits(
        self, labels: NDArray[Any], numbers: NDArray[np.intp], groups: Any, seed: int
    ) -> list[Split]:
        cv = _DEFAULT_FOLDS if self.cv is None else self.cv
        if isinstance(cv, Integral):
            counts = np.bincount(numbers)
            rarest = int(counts.argmin())
            if counts[rarest] < cv:
                raise ValueError(
                    f"each class needs an image for each of the cv={cv} folds; class "
                    f"{self.classes_.tolist()[rarest]!r} has {counts[rarest]}"
                )
        splitter = check_cv(cv, labels, classifier=True)
        folds = splitter.split(np.zeros((len(labels), 1)), labels, groups)
        return make_splits(folds, numbers, seed)

    def _judged(
        self, detectors: dict[str, IssueDetector], images: Any, names: pd.Index
    ) -> tuple[dict[str, IssueDetector], dict[str, pd.DataFrame]]:
        """Fit the detectors to the images as given, measured once, and note their scores."""
        if not detectors:
            return {}, {}
        columns = [column for detector in detectors.values() for column in detector._columns()]
        table = measure(images, dict.fromkeys(columns), n_jobs=self.n_jobs, progress=False)
        fitted = {name: detector.fit(table) for name, detector in detectors.items()}
        scores = {
            name: pd.DataFrame({AS_GIVEN: detector.score_samples(table)}, index=names)
            for name, detector in fitted.items()
        }
        return fitted, scores

    def _run(self, setting: Setting, conditions: list[Condition], names: pd.Index) -> None:
        """Try all conditions, and put what comes out into tables."""
        folds = range(len(setting.splits))
        kinds = sorted({condition.flaw.copies for condition in conditions})
        bar = _bar_class()(
            total=len(folds) + len(conditions),
            desc="Studying flaws",
            unit="trial",
            delay=_SECONDS_BEFORE_BAR,
            disable=None if self.progress else True,
        )
        with bar:
            baselines: list[Baseline] = []
            jobs = (delayed(try_without_flaw)(setting, fold, kinds) for fold in folds)
            for baseline in self._in_parallel(jobs):
                baselines.append(baseline)
                bar.update()
            problems = _cleaning_problems_of(baselines)
            models = [baseline.model for baseline in baselines]
            jobs = (
                delayed(try_condition)(
                    setting, condition, models, self.detectors_.get(condition.perturbation)
                )
                for condition in conditions
            )
            rows: list[dict[str, Any]] = []
            results = self._in_parallel(jobs)
            for condition, (outcomes, quality) in zip(conditions, results, strict=True):
                rows += _rows_of(setting, condition, outcomes, baselines)
                problems += _problems_of(setting, condition, outcomes)
                if quality is not None:
                    self.scores_[condition.perturbation][condition.level] = quality
                bar.update()
        self.baseline_scores_ = np.array([baseline.score for baseline in baselines])
        self.results_ = with_levels_as_given(rows)
        _warn_of(problems)

    def _in_parallel(self, jobs: Iterable[Any]) -> Iterator[Any]:
        """Yield the results of jobs in their order."""
        try:
            workers = Parallel(n_jobs=self.n_jobs, return_as="generator")
        except ValueError:  # not known to this backend
            workers = Parallel(n_jobs=self.n_jobs)
        yield from workers(jobs)

    def _threshold(self, name: str, results: pd.DataFrame, max_loss: float) -> list[Any]:
        """Return one row of :meth:`thresholds`."""
        detector, scores = self.detectors_[name], self.scores_[name]
        medians = scores.median().tolist()
        steps = [
            Step(level, results["loss"][results["step"] == number].mean(), median)
            for number, (level, median) in enumerate(
                zip(scores.columns[1:], medians[1:], strict=True), start=1
            )
        ]
        limit = limit_of(medians[0], steps, max_loss)
        threshold, note = limit.score, limit.note
        if "threshold" not in detector.get_params() and not np.isnan(threshold):
            threshold, note = np.nan, f"{type(detector).__name__} has no threshold to set"
        flagged = np.nan
        if not np.isnan(threshold):
            flagged = float((scores[AS_GIVEN] < threshold).mean())
        return [detector.issue, threshold, limit.bears, limit.exceeds, flagged, note]

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.input_tags.allow_nan = False
        tags.target_tags.required = True
        return tags


# ------------------------------------------------------------------------------ input


def _as_shares(contamination: Any) -> list[float]:
    shares = np.atleast_1d(np.asarray(contamination, dtype=object)).tolist()
    for share in shares:
        if isinstance(share, (bool, np.bool_)) or not isinstance(share, Real):
            raise TypeError(f"contamination must hold numbers, got {share!r}")
        if not 0 <= float(share) <= 1:
            raise ValueError(f"contamination must lie between 0 and 1, got {share!r}")
    if not shares:
        raise ValueError("contamination must hold at least one share, got none")
    if len(set(shares)) != len(shares):
        raise ValueError(f"contamination must name each share once, got {shares!r}")
    return [float(share) for share in shares]


def _as_classes(y: Any) -> NDArray[Any]:
    if y is None:
        raise ValueError("ImpactStudy requires y to be passed, but the target y is None")
    labels = column_or_1d(y)
    if pd.isna(labels).any():
        raise ValueError("y must hold the class of each image; it has missing values")
    check_classification_targets(labels)
    return np.asarray(labels)


def _load_all(references: Any, names: pd.Index) -> Any:
    """Decode all images.

    Raises
    ------
    ValueError
        If some cannot be read; they are named.
    """
    images: list[RGBArray] = []
    unreadable: list[str] = []
    for name, reference in zip(names, references, strict=True):
        try:
            images.append(load_image(reference))
        except UnreadableImageError as error:
            unreadable.append(f"{name!r} ({error})")
    if unreadable:
        named = ", ".join(unreadable[:_NAMED_IN_ERRORS])
        more = len(unreadable) - _NAMED_IN_ERRORS
        raise ValueError(
            f"X holds {len(unreadable)} image(s) that cannot be read: {named}"
            + (f" and {more} more" if more > 0 else "")
            + "; leave them out, together with their y"
        )
    return as_collection(images)


# ------------------------------------------------------------------------------ tables


def _rows_of(
    setting: Setting,
    condition: Condition,
    outcomes: list[list[Outcome]],
    baselines: list[Baseline],
) -> list[dict[str, Any]]:
    """Return the rows of ``results_`` of one condition."""
    nothing = Outcome(np.nan)
    return [
        {
            "perturbation": condition.perturbation,
            "level": condition.level,
            "step": condition.step,
            "contamination": share,
            "fold": fold,
            "score": outcome.score,
            "baseline": baselines[fold].score,
            "loss": baselines[fold].score - outcome.score,
            "cleaned": baselines[fold].cleaned.get((share, condition.flaw.copies), nothing).score,
            "n_train": len(setting.splits[fold].train),
            "n_test": len(setting.splits[fold].test),
        }
        for share, of_share in zip(setting.shares, outcomes, strict=True)
        for fold, outcome in enumerate(of_share)
    ]


def _problems_of(
    setting: Setting, condition: Condition, outcomes: list[list[Outcome]]
) -> list[str]:
    return [
        f"{condition}, contamination {share:g}, fold {fold}: {outcome.problem}"
        for share, of_share in zip(setting.shares, outcomes, strict=True)
        for fold, outcome in enumerate(of_share)
        if outcome.problem
    ]


def _cleaning_problems_of(baselines: list[Baseline]) -> list[str]:
    return [
        f"spoilt images dropped, contamination {share:g}, fold {fold}: {outcome.problem}"
        for fold, baseline in enumerate(baselines)
        for (share, _), outcome in baseline.cleaned.items()
        if outcome.problem
    ]


def _warn_of(problems: list[str]) -> None:
    """Warn of trials without a score, here: warnings of workers are not seen."""

    if problems:
        shown = "\n".join(problems[:_NAMED_IN_ERRORS])
        warnings.warn(
            f"{len(problems)} trials have no score; error_score='raise' shows the whole error. "
            f"The first:\n{shown}",
            FitFailedWarning,
            stacklevel=4,
        )
