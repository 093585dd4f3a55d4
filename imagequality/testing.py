"""What a detector or a threshold selector of one's own must pass, and how good it is.

:func:`check_detector` and :func:`check_threshold_selector` run every class of the library too;
:func:`rank_selectors` compares threshold selectors on measured scores.
"""

from __future__ import annotations

import inspect
import io
import pickle
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone

from . import detectors, duplicates, thresholds
from .datasets import ThresholdCase, load_threshold_benchmark
from .detectors import IssueDetector
from .images import load_image
from .measurements import measure
from .thresholds import ThresholdSelector

__all__ = [
    "all_detectors",
    "all_selectors",
    "check_detector",
    "check_threshold_selector",
    "rank_selectors",
]


def all_detectors() -> list[type[IssueDetector]]:
    """Return every detector class of the library, found by itself.

    Returns
    -------
    classes : list of type
        Sorted by name; the base class is not among them.

    Examples
    --------
    >>> from imagequality.testing import all_detectors
    >>> all_detectors()[0].__name__
    'BlurDetector'
    """
    return _public_subclasses(IssueDetector, detectors, duplicates)


def all_selectors() -> list[type[ThresholdSelector]]:
    """Return every threshold selector class of the library, found by itself.

    Returns
    -------
    classes : list of type
        Sorted by name; the base class is not among them.

    Examples
    --------
    >>> from imagequality.testing import all_selectors
    >>> "OtsuThreshold" in [selector.__name__ for selector in all_selectors()]
    True
    """
    return _public_subclasses(ThresholdSelector, thresholds)


def _public_subclasses(base: type, *modules: Any) -> list[Any]:
    found = {
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base
        if not name.startswith("_")
    }
    return sorted(found, key=lambda value: value.__name__)


# ------------------------------------------------------------------ threshold selectors


def check_threshold_selector(selector: ThresholdSelector) -> None:
    """Check that a threshold selector keeps the contract.

    It must store its parameters and not change them; leave its input and the global random
    states alone; choose a finite threshold, the same for the same scores in any order; flag
    what is strictly below it; flag nothing in constant scores; ignore NaN; refuse infinite
    and empty input; and have the properties that it declares (``scale_equivariant``,
    ``shift_equivariant``, ``replication_invariant``).

    Parameters
    ----------
    selector : ThresholdSelector
        An instance; it is cloned, not fitted.

    Raises
    ------
    AssertionError
        Naming the check that failed and what was seen.

    Examples
    --------
    >>> from imagequality import LiThreshold
    >>> from imagequality.testing import check_threshold_selector
    >>> check_threshold_selector(LiThreshold())
    """
    for check in _SELECTOR_CHECKS:
        _run(check, selector)


def _score_sets() -> dict[str, NDArray[np.float64]]:
    """Typical and awkward scores in [0, 1], low = bad."""
    rng = np.random.default_rng(0)
    bulk = rng.normal(0.75, 0.07, 900).clip(0, 1)
    return {
        "two modes": np.r_[bulk, rng.normal(0.25, 0.05, 100).clip(0, 1)],
        "one mode": bulk,
        "uniform": rng.uniform(size=500),
        "two values": np.repeat([0.2, 0.9], [12, 88]),
        "many zeros": np.r_[np.zeros(300), bulk],
        "few levels": np.round(bulk, 1),
        "two scores": np.array([0.4, 0.6]),
        "small": rng.uniform(0.5, 0.9, 7),
    }


def _check_selector_parameters(selector: ThresholdSelector) -> None:
    _check_parameters_survive(selector, lambda s: s.fit(_score_sets()["two modes"]))


def _check_selector_fit_returns_self(selector: ThresholdSelector) -> None:
    _must(selector.fit(_score_sets()["two modes"]) is selector, "fit must return self")


def _check_selector_leaves_input_alone(selector: ThresholdSelector) -> None:
    scores = _score_sets()["two modes"]
    before = scores.copy()
    scores.setflags(write=False)
    with _untouched_random_states():
        selector.fit(scores).predict(scores)
    _must(np.array_equal(scores, before), "fit or predict changed the scores")


def _check_selector_finite_threshold(selector: ThresholdSelector) -> None:
    for name, scores in _score_sets().items():
        threshold = _fit(selector, scores)
        _must(
            isinstance(threshold, float) and np.isfinite(threshold),
            f"threshold_ must be a finite float, got {threshold!r} for {name}",
        )


def _check_selector_predict_is_strict(selector: ThresholdSelector) -> None:
    for name, scores in _score_sets().items():
        fitted = clone(selector).fit(scores)
        around = np.r_[scores, fitted.threshold_, np.nextafter(fitted.threshold_, -np.inf), np.nan]
        flags = np.asarray(fitted.predict(around))
        _must(
            flags.shape == around.shape and flags.dtype.kind == "i",
            f"predict must return one int per score, got {flags.dtype} of shape {flags.shape}",
        )
        _must(
            np.array_equal(flags == 1, around < fitted.threshold_),
            f"predict must flag exactly the scores strictly below threshold_ ({name})",
        )


def _check_selector_constant_scores(selector: ThresholdSelector) -> None:
    if selector.ignores_scores:
        return
    for value in (0.0, 0.3, 1.0):
        for n in (1, 2, 50):
            scores = np.full(n, value)
            flagged = int(clone(selector).fit(scores).predict(scores).sum())
            _must(
                flagged == 0, f"{n} equal scores of {value}: {flagged} were flagged, must be none"
            )


def _check_selector_refuses(selector: ThresholdSelector) -> None:
    bad: list[tuple[str, Any]] = [
        ("an infinite score", [0.1, np.inf]),
        ("a 2-D array", np.zeros((3, 2))),
    ]
    if not selector.ignores_scores:
        bad += [("no scores", []), ("only NaN", [np.nan, np.nan])]
    for name, scores in bad:
        try:
            clone(selector).fit(scores)
        except ValueError:
            continue
        raise AssertionError(f"fit must raise a ValueError for {name}")


def _check_selector_ignores_nan(selector: ThresholdSelector) -> None:
    scores = _score_sets()["two modes"]
    with_nan = np.insert(scores, [0, 500, 1000], np.nan)
    _must(
        _fit(selector, with_nan) == _fit(selector, scores),
        "NaN among the scores changed the threshold",
    )


def _check_selector_column(selector: ThresholdSelector) -> None:
    scores = _score_sets()["two modes"]
    _must(
        _fit(selector, scores[:, None]) == _fit(selector, scores),
        "scores of shape (n, 1) gave another threshold than (n,)",
    )


def _check_selector_order(selector: ThresholdSelector) -> None:
    rng = np.random.default_rng(1)
    for name, scores in _score_sets().items():
        first, second = _fit(selector, scores), _fit(selector, rng.permutation(scores))
        _must(
            np.isclose(first, second, rtol=1e-9, atol=1e-12),
            f"the order of the scores changed the threshold ({name}): {first} and {second}",
        )


def _check_selector_deterministic(selector: ThresholdSelector) -> None:
    scores = _score_sets()["two modes"]
    first, second = _fit(selector, scores), _fit(selector, scores)
    _must(first == second, f"two fits gave two thresholds: {first} and {second}")


def _check_selector_declared_properties(selector: ThresholdSelector) -> None:
    for name in ("two modes", "one mode", "uniform"):
        scores = _score_sets()[name]
        threshold = _fit(selector, scores)
        variants = (
            ("scale_equivariant", scores * 4, threshold * 4),
            ("shift_equivariant", scores + 0.5, threshold + 0.5),
            ("replication_invariant", np.tile(scores, 2), threshold),
        )
        for declared, changed, expected in variants:
            if getattr(selector, declared):
                got = _fit(selector, changed)
                _must(
                    np.isclose(got, expected, rtol=1e-6, atol=1e-9),
                    f"declares {declared}, but on {name} gives {got} where {expected} is due",
                )


def _check_selector_pickles(selector: ThresholdSelector) -> None:
    if not _is_importable(type(selector)):
        return
    scores = _score_sets()["two modes"]
    fitted = clone(selector).fit(scores)
    loaded = pickle.loads(pickle.dumps(fitted))
    _must(loaded.threshold_ == fitted.threshold_, "a pickled selector lost its threshold")


_SELECTOR_CHECKS: tuple[Callable[[ThresholdSelector], None], ...] = (
    _check_selector_parameters,
    _check_selector_fit_returns_self,
    _check_selector_deterministic,
    _check_selector_leaves_input_alone,
    _check_selector_finite_threshold,
    _check_selector_predict_is_strict,
    _check_selector_constant_scores,
    _check_selector_refuses,
    _check_selector_ignores_nan,
    _check_selector_column,
    _check_selector_order,
    _check_selector_declared_properties,
    _check_selector_pickles,
)


def _fit(selector: ThresholdSelector, scores: Any) -> float:
    return clone(selector).fit(scores).threshold_


# ---------------------------------------------------------------------------- detectors


def check_detector(detector: IssueDetector) -> None:
    """Check that a detector keeps the contract.

    It must store its parameters and not change them; give one score in [0, 1] per image and
    NaN for what cannot be read, whatever else is broken; flag what is strictly below its
    threshold; give a score that does not depend on the batch, the order or the form of the
    input; learn nothing when it scores; leave its input and the global random states alone;
    name its feature; survive pickling (where pickle can find its class); and refuse empty
    input and incomplete tables.

    Parameters
    ----------
    detector : IssueDetector
        An instance; it is cloned, not fitted.

    Raises
    ------
    AssertionError
        Naming the check that failed and what was seen.

    Examples
    --------
    >>> from imagequality import BlurDetector
    >>> from imagequality.testing import check_detector
    >>> check_detector(BlurDetector(threshold=0.4))
    """
    for check in _DETECTOR_CHECKS:
        _run(check, detector)


def _images() -> list[Any]:
    """Small images of many kinds; the last but one is broken, the last repeats the first."""
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8)[:, None], (36, 1, 3))
    images: list[Any] = [
        texture,
        ramp,
        texture // 16,
        np.uint8(255) - texture // 16,
        texture[:12, :12],
        texture[:4],
        np.full((40, 40, 3), 128, np.uint8),
        np.repeat(texture[..., :1], 3, axis=2),
        b"this is no image",
        texture.copy(),
    ]
    return images


def _check_detector_declares(detector: IssueDetector) -> None:
    _must(
        isinstance(detector.issue, str) and detector.issue.isidentifier(),
        f"issue must be a name such as 'blurry', got {detector.issue!r}",
    )
    names = [str(name) for name in clone(detector).get_feature_names_out()]
    _must(
        names == [f"{detector.issue}_score"],
        f"get_feature_names_out must give ['{detector.issue}_score'], got {names}",
    )


def _check_detector_parameters(detector: IssueDetector) -> None:
    _check_parameters_survive(detector, lambda d: d.fit(_images()).predict(_images()))


def _check_detector_fit_returns_self(detector: IssueDetector) -> None:
    _must(detector.fit(_images()) is detector, "fit must return self")
    _must(np.isfinite(detector.threshold_), f"threshold_ is {detector.threshold_}, must be finite")
    _must(np.array_equal(detector.classes_, [0, 1]), "classes_ must be [0, 1]")


def _check_detector_scores(detector: IssueDetector) -> None:
    images = _images()
    scores = detector.fit(images).score_samples(images)
    _must(
        isinstance(scores, np.ndarray) and scores.shape == (len(images),),
        f"score_samples must return an array of shape ({len(images)},)",
    )
    judged = scores[~np.isnan(scores)]
    _must(
        bool((judged >= 0).all() and (judged <= 1).all()),
        f"scores must lie in [0, 1], got {scores}",
    )
    broken = scores[-2]
    _must(
        bool(np.isnan(broken)) or (detector.issue == "invalid" and broken == 0),
        f"the score of an unreadable image must be NaN, got {broken}",
    )
    flags = detector.predict(images)
    _must(
        flags.dtype.kind == "i" and np.array_equal(flags == 1, scores < detector.threshold_),
        "predict must be 1 exactly where the score is strictly below threshold_",
    )
    decision = detector.decision_function(images)
    _must(np.isfinite(decision).all(), "decision_function must be finite")
    _must(
        np.array_equal(decision > 0, flags == 1),
        "decision_function must be positive exactly where predict is 1",
    )
    features = detector.transform(images)
    _must(
        np.array_equal(np.asarray(features), scores[:, None], equal_nan=True),
        "transform must return the scores as one column",
    )


def _check_detector_is_strict(detector: IssueDetector) -> None:
    if "threshold" not in detector.get_params(deep=False):
        return
    images = _images()
    scores = clone(detector).fit(images).score_samples(images)
    for value in np.unique(scores[~np.isnan(scores)]):
        flags = clone(detector).set_params(threshold=float(value)).fit_predict(images)
        _must(
            np.array_equal(flags == 1, scores < value),
            f"with a threshold of {value}, exactly the scores strictly below it are due; the "
            f"scores are {scores}, the flags {flags}",
        )


def _check_detector_fit_and_go(detector: IssueDetector) -> None:
    images = _images()
    fitted = clone(detector).fit(images)
    _must(
        np.array_equal(clone(detector).fit_predict(images), fitted.predict(images)),
        "fit_predict differs from fit and predict",
    )
    _must(
        np.array_equal(
            clone(detector).fit_transform(images), fitted.transform(images), equal_nan=True
        ),
        "fit_transform differs from fit and transform",
    )


def _check_detector_batch(detector: IssueDetector) -> None:
    images = _images()
    detector.fit(images)
    together = detector.score_samples(images)
    alone = np.concatenate([detector.score_samples([image]) for image in images])
    _must(
        np.array_equal(together, alone, equal_nan=True),
        f"the score depends on the batch: {together} together, {alone} one by one",
    )
    backwards = detector.score_samples(images[::-1])[::-1]
    _must(np.array_equal(together, backwards, equal_nan=True), "the score depends on the order")


def _check_detector_input_forms(detector: IssueDetector) -> None:
    images = _images()
    encoded = [image if isinstance(image, bytes) else _png(image) for image in images]
    expected = detector.fit(images).score_samples(images)
    forms: dict[str, Any] = {
        "PNG bytes": encoded,
        "PIL images": [
            image if isinstance(image, bytes) else Image.fromarray(load_image(image))
            for image in images
        ],
        "a Series": pd.Series(encoded, dtype=object),
        "a one-column frame": pd.DataFrame({"image": pd.Series(encoded, dtype=object)}),
        "an (n, 1) object array": _object_column(images),
        "a measurement table": measure(images, detector._columns(), progress=False),
    }
    for name, form in forms.items():
        scores = detector.score_samples(form)
        _must(
            np.array_equal(scores, expected, equal_nan=True),
            f"{name} of the same pixels gave other scores than arrays: {scores}, {expected}",
        )


def _check_detector_scoring_learns_nothing(detector: IssueDetector) -> None:
    images = _images()
    before = detector.fit(images).score_samples(images)
    threshold = detector.threshold_
    detector.score_samples(images[2:5])
    detector.predict(images[6:])
    after = detector.score_samples(images)
    _must(
        detector.threshold_ == threshold and np.array_equal(before, after, equal_nan=True),
        "scoring other images changed the threshold or the scores",
    )


def _check_detector_leaves_input_alone(detector: IssueDetector) -> None:
    images = _images()
    before = [image if isinstance(image, bytes) else image.copy() for image in images]
    table = measure(images, detector._columns(), progress=False)
    table_before = table.copy(deep=True)
    with _untouched_random_states():
        detector.fit(images).predict(images)
        detector.fit(table).predict(table)
    _must(
        all(np.array_equal(a, b) for a, b in zip(images, before, strict=True)),
        "the images were changed",
    )
    _must(table.equals(table_before), "the measurement table was changed")


def _check_detector_nothing_readable(detector: IssueDetector) -> None:
    broken = [b"", b"no image"]
    flags = detector.fit(broken).predict(broken)
    expected = [1, 1] if detector.issue == "invalid" else [0, 0]
    _must(flags.tolist() == expected, f"two broken images: flags {flags}, expected {expected}")


def _check_detector_refuses(detector: IssueDetector) -> None:
    incomplete = pd.DataFrame({"one": [1.0], "two": [2.0]})
    for name, bad in (("no images", []), ("a table without its columns", incomplete)):
        try:
            clone(detector).fit(bad)
        except ValueError:
            continue
        raise AssertionError(f"fit must raise a ValueError for {name}")


def _check_detector_pickles(detector: IssueDetector) -> None:
    if not _is_importable(type(detector)):
        return
    images = _images()
    detector.fit(images)
    loaded = pickle.loads(pickle.dumps(detector))
    _must(
        np.array_equal(loaded.predict(images), detector.predict(images)),
        "a pickled detector predicts something else",
    )


_DETECTOR_CHECKS: tuple[Callable[[IssueDetector], None], ...] = (
    _check_detector_declares,
    _check_detector_parameters,
    _check_detector_fit_returns_self,
    _check_detector_scores,
    _check_detector_is_strict,
    _check_detector_fit_and_go,
    _check_detector_batch,
    _check_detector_input_forms,
    _check_detector_scoring_learns_nothing,
    _check_detector_leaves_input_alone,
    _check_detector_nothing_readable,
    _check_detector_refuses,
    _check_detector_pickles,
)


# ------------------------------------------------------------------------ ranking selectors


def rank_selectors(
    selectors: Iterable[ThresholdSelector | tuple[str, ThresholdSelector]],
    *,
    cases: Iterable[ThresholdCase] | None = None,
    limits: bool = True,
    oracle: bool = False,
    verbose: bool = True,
) -> pd.DataFrame:
    """Compare threshold selectors: how well they find the bad, and what they flag in the clean.

    Each selector is cloned, fitted to the scores of every case without their labels, and judged
    by its flags.

    Parameters
    ----------
    selectors : iterable of ThresholdSelector, or of (name, ThresholdSelector) pairs
        None of them is fitted or changed. Without a name, a selector is named as it prints.
    cases : iterable of ThresholdCase, default=None
        None: :func:`imagequality.datasets.load_threshold_benchmark` with its defaults.
    limits : bool, default=True
        Whether ``floor`` and ``cap`` of a selector, or of one inside it, that are None are
        filled from the case, as a detector fills them. False: a selector sees nothing but
        scores.
    oracle : bool, default=False
        Whether to add a row named ``oracle``: the best F1 of any threshold, chosen by the
        labels. What it lacks to 1 is lost to the score, not to the threshold.
    verbose : bool, default=True
        Whether to print the table, rounded.

    Returns
    -------
    table : DataFrame
        One row per selector, the highest ``f1_mean`` first:

        - ``f1_<contamination>``, such as ``f1_0.04``: mean F1 of the cases of that contamination
          that hold something bad; where nothing is flagged F1 is 0;
        - ``f1_mean``: mean F1 of all of these cases;
        - ``clean_flagged``: mean share flagged in the cases that hold nothing bad;
        - ``seconds``: for fitting and predicting all cases;
        - ``error``: empty, or where a selector raised an error, the case and the error; then its
          figures are NaN.

    Raises
    ------
    TypeError
        If ``selectors`` holds something else.
    ValueError
        If two selectors have one name, or there is no selector or no case.

    Examples
    --------
    >>> from imagequality import AutoThreshold, LiThreshold
    >>> from imagequality.datasets import load_threshold_benchmark
    >>> cases = load_threshold_benchmark(contaminations=(0, 0.04))
    >>> cases = [case for case in cases if case.issue == "dark"]
    >>> table = rank_selectors([LiThreshold(), AutoThreshold()], cases=cases, verbose=False)
    >>> table.index.tolist(), table.columns.tolist()
    (['AutoThreshold', 'LiThreshold'],
     ['f1_0.04', 'f1_mean', 'clean_flagged', 'seconds', 'error'])
    >>> table["clean_flagged"].round(2).tolist()
    [0.0, 0.19]
    """
    named = _named_selectors(selectors, reserved=("oracle",) if oracle else ())
    tasks = load_threshold_benchmark() if cases is None else list(cases)
    if not tasks:
        raise ValueError("cases must hold at least one case")
    bad = np.array([bool(np.any(case.labels)) for case in tasks])
    contaminations = np.array([case.contamination for case in tasks])
    rows: dict[str, dict[str, Any]] = {}
    for name, selector in named.items():
        rows[name] = _judge(selector, tasks, bad, contaminations, limits)
    if oracle:
        best = np.array(
            [_best_f1(case) if any_bad else 0.0 for case, any_bad in zip(tasks, bad, strict=True)]
        )
        rows["oracle"] = _summarise(best, bad, contaminations, seconds=np.nan)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("selector")
    table = table.sort_values("f1_mean", ascending=False, kind="stable", na_position="last")
    if verbose:
        print(_as_text(table))
    return table


class _CaseDetector(IssueDetector):
    """Gives a selector the limits of a case in the way that detectors give theirs."""

    issue = "case"

    def __init__(self, case: ThresholdCase) -> None:
        self.case = case

    def _limits(self) -> tuple[float | None, float | None]:
        return self.case.floor, self.case.cap


def _named_selectors(selectors: Any, reserved: tuple[str, ...]) -> dict[str, ThresholdSelector]:
    if isinstance(selectors, ThresholdSelector) or not isinstance(selectors, Iterable):
        raise TypeError(f"selectors must be a list of threshold selectors, got {selectors!r}")
    named: dict[str, ThresholdSelector] = {}
    for entry in selectors:
        name, selector = entry if isinstance(entry, tuple) and len(entry) == 2 else (None, entry)
        if not isinstance(selector, ThresholdSelector) or not isinstance(name, (str, type(None))):
            raise TypeError(
                f"selectors must hold threshold selectors or (name, selector) pairs, got {entry!r}"
            )
        if name is None:
            name = " ".join(repr(selector).split()).removesuffix("()")
        if name in named or name in reserved:
            raise ValueError(f"selectors must have different names, got {name!r} twice")
        named[name] = selector
    if not named:
        raise ValueError("selectors must hold at least one selector")
    return named


def _judge(
    selector: ThresholdSelector,
    cases: list[ThresholdCase],
    bad: NDArray[np.bool_],
    contaminations: NDArray[np.float64],
    limits: bool,
) -> dict[str, Any]:
    """Return a selector's row: it is run on every case, until it raises an error."""
    results = np.empty(len(cases))
    seconds = 0.0
    for position, case in enumerate(cases):
        started = time.perf_counter()
        try:
            ready = clone(selector)
            if limits:
                ready = _CaseDetector(case)._with_limits(ready)
            flags = np.asarray(ready.fit(case.scores).predict(case.scores))
            seconds += time.perf_counter() - started
            results[position] = _f1(case.labels, flags) if bad[position] else np.mean(flags == 1)
        except Exception as error:
            message = f"{case.name}: {type(error).__name__}: {error}"
            nothing = np.full(len(cases), np.nan)
            return _summarise(nothing, bad, contaminations, seconds=np.nan, error=message)
    return _summarise(results, bad, contaminations, seconds=seconds)


def _summarise(
    results: NDArray[np.float64],
    bad: NDArray[np.bool_],
    contaminations: NDArray[np.float64],
    *,
    seconds: float,
    error: str = "",
) -> dict[str, Any]:
    """Average F1 where something is bad, and the share flagged where nothing is."""
    row: dict[str, Any] = {}
    for share in np.unique(contaminations[bad]):
        row[f"f1_{share:g}"] = results[bad & (contaminations == share)].mean()
    row["f1_mean"] = results[bad].mean() if bad.any() else np.nan
    row["clean_flagged"] = results[~bad].mean() if not bad.all() else np.nan
    return {**row, "seconds": seconds, "error": error}


def _f1(labels: NDArray[np.int64], flags: NDArray[np.int64]) -> float:
    hits = np.count_nonzero((flags == 1) & (labels == 1))
    return float(2 * hits / (np.count_nonzero(flags == 1) + np.count_nonzero(labels == 1)))


def _best_f1(case: ThresholdCase) -> float:
    """Return the highest F1 of any threshold: equal scores are flagged together, NaN never."""
    known = ~np.isnan(case.scores)
    order = np.argsort(case.scores[known])
    scores, labels = case.scores[known][order], case.labels[known][order]
    f1 = 2 * np.cumsum(labels) / (np.arange(1, len(scores) + 1) + case.labels.sum())
    is_last_of_equals = np.append(scores[1:] > scores[:-1], True)[: len(scores)]
    return float(f1[is_last_of_equals].max(initial=0.0))


def _as_text(table: pd.DataFrame) -> str:
    """Return a table of selectors, rounded; of errors only that there was one."""
    columns = table.drop(columns="error") if not table["error"].any() else table
    styles = {"clean_flagged": "{:.2%}".format, "seconds": "{:.1f}".format}
    text: str = columns.rename_axis(None).to_string(
        float_format="{:.3f}".format, formatters=styles, na_rep="-"
    )
    return text


# ------------------------------------------------------------------------------- shared


def _run(check: Callable[[Any], None], estimator: Any) -> None:
    try:
        check(clone(estimator))
    except Exception as error:
        name = check.__name__.removeprefix("_check_")
        raise AssertionError(f"{type(estimator).__name__} fails {name}: {error}") from error


def _must(condition: bool | np.bool_, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _is_importable(cls: type) -> bool:
    """Whether pickle could find the class; it never finds one that a function defines."""
    return getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls


def _check_parameters_survive(estimator: Any, use: Callable[[Any], Any]) -> None:
    before = estimator.get_params()
    own = estimator.get_params(deep=False)
    described = {name: repr(value) for name, value in before.items()}
    use(estimator)
    after = estimator.get_params()
    for name, value in before.items():
        # The parts of a default that stands for None are made anew each time.
        same = after.get(name) is value or name not in own
        _must(
            name in after and same and repr(after[name]) == repr(value) == described[name],
            f"fit changed the parameter {name!r} from {described[name]} to {after.get(name)!r}",
        )


@contextmanager
def _untouched_random_states() -> Iterator[None]:
    """Fail if the block moves a global random state; leave the states as they were."""
    numpy_before, python_before = np.random.get_state(), random.getstate()  # noqa: NPY002
    # A state that nobody seeds by habit, or an estimator that seeds with 0 twice would pass.
    np.random.seed(982_451_653)  # noqa: NPY002
    random.seed(982_451_653)
    numpy_marked, python_marked = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
        _must(
            pickle.dumps(np.random.get_state()) == pickle.dumps(numpy_marked),  # noqa: NPY002
            "the global random state of numpy was changed",
        )
        _must(random.getstate() == python_marked, "the global random state was changed")
    finally:
        np.random.set_state(numpy_before)  # noqa: NPY002
        random.setstate(python_before)


def _png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _object_column(items: list[Any]) -> NDArray[np.object_]:
    column = np.empty((len(items), 1), dtype=object)
    for row, item in enumerate(items):
        column[row, 0] = item
    return column
