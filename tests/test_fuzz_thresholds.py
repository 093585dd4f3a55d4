"""Any selector with any parameters, given any finite scores in any form.

The number of examples of each test is ``IMAGEQUALITY_FUZZ``, a small one if it is not set; with
it set, each run draws other examples::

    IMAGEQUALITY_FUZZ=20000 pytest tests/test_fuzz_thresholds.py
"""

from __future__ import annotations

import os
import tracemalloc
from numbers import Integral

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from imagequality._base import Interval, StrOptions
from imagequality.testing import all_selectors
from imagequality.thresholds import (
    AutoThreshold,
    GammaMixtureThreshold,
    GatedThreshold,
    LiThreshold,
    SupervisedThreshold,
    ThresholdSelector,
)

N_EXAMPLES = os.environ.get("IMAGEQUALITY_FUZZ")
fuzz = settings(
    max_examples=int(N_EXAMPLES or 30),
    deadline=None,
    derandomize=N_EXAMPLES is None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
each_selector = pytest.mark.parametrize(
    "selector_class", all_selectors(), ids=lambda selector_class: selector_class.__name__
)
LARGEST = np.finfo(np.float64).max

# ------------------------------------------------------------------------------------ scores

any_float = st.floats(allow_nan=False, allow_infinity=False)


def shaped(seed, n, shape, exponent, offset):
    """Return scores such as a detector gives, at any scale: a bulk, a low group, a tail, ties."""
    generator = np.random.default_rng(seed)
    n_low = n // 10
    scores = [
        generator.normal(0.75, 0.05, n),
        np.r_[generator.normal(0.25, 0.05, n_low), generator.normal(0.75, 0.05, n - n_low)],
        generator.beta(8, 2, n),
        generator.uniform(0, 1, n),
        np.r_[np.zeros(n_low), generator.beta(6, 2, n - n_low)],
        np.round(generator.beta(4, 2, n), 1),
        generator.standard_cauchy(n),
        generator.lognormal(0, 30, n),
    ][shape]
    with np.errstate(over="ignore"):
        scores = np.ldexp(scores + offset, exponent)
    return np.clip(scores, -LARGEST, LARGEST)


@st.composite
def adjacent_floats(draw):
    base = draw(st.floats(-LARGEST / 2, LARGEST / 2))
    steps = draw(st.lists(st.integers(0, 4), min_size=1, max_size=50))
    return base + np.array(steps) * np.spacing(base)


@st.composite
def few_values(draw):
    values = draw(st.lists(any_float, min_size=1, max_size=4))
    counts = [draw(st.integers(1, 60)) for _ in values]
    return np.repeat(np.array(values), counts)


shaped_scores = st.builds(
    shaped,
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 300),
    shape=st.integers(0, 7),
    exponent=st.one_of(st.just(0), st.integers(-1080, 1030)),
    offset=st.sampled_from([0.0, -0.5, -10.0, 1e3, -1e9]),
)
plain_scores = st.one_of(
    shaped_scores,
    st.lists(any_float, min_size=1, max_size=40).map(np.array),
    st.lists(st.integers(-3, 3).map(lambda k: k * 5e-324), min_size=1, max_size=30).map(np.array),
    st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=60).map(np.array),
    st.lists(st.sampled_from([-0.0, 0.0, 1.0]), min_size=1, max_size=40).map(np.array),
    adjacent_floats(),
    few_values(),
    # A few wild scores among ordinary ones.
    st.builds(
        lambda scores, others: np.r_[scores, others],
        shaped_scores,
        st.lists(any_float, min_size=1, max_size=5),
    ),
)


def as_integers(scores):
    return np.clip(np.rint(scores), -(2**62), 2**62).astype(np.int64)


def read_only(scores):
    scores = scores.copy()
    scores.setflags(write=False)
    return scores


def with_gaps(scores):
    """Return the scores as every third element of a larger array, backwards."""
    wide = np.full(3 * scores.size, np.nan)
    wide[::3] = scores
    return wide[::3][::-1]


FORMS = {
    "float64": np.copy,
    "float32": lambda scores: np.clip(scores, -3e38, 3e38).astype(np.float32),
    "float16": lambda scores: np.clip(scores, -6e4, 6e4).astype(np.float16),
    "integers": as_integers,
    "bool": lambda scores: scores > np.median(scores / 2) * 2,
    "list": lambda scores: scores.tolist(),
    "column": lambda scores: scores[:, np.newaxis],
    "read-only": read_only,
    "strided": with_gaps,
    "series": lambda scores: pd.Series(scores, index=scores.size - np.arange(scores.size)),
    "objects": lambda scores: scores.astype(object),
    "much NaN": lambda scores: np.insert(scores, np.arange(scores.size).repeat(3), np.nan),
    "big-endian": lambda scores: scores.astype(">f8"),
}
forms = st.sampled_from(sorted(FORMS))


def flat(scores):
    return np.array(scores, dtype=np.float64).reshape(-1)


# --------------------------------------------------------------------------------- selectors

CALLABLES = {
    "initial_guess": [lambda scores: scores[0] / 2 + scores[-1] / 2, max],
    "function": [np.min, np.max, lambda scores: scores[len(scores) // 3]],
    "metric": [lambda y, flags: float((y == flags).mean())],
}


def values_of(constraint, parameter):
    """Return a strategy for what one of scikit-learn's parameter constraints allows."""
    if constraint is None:
        return st.none()
    if constraint == "boolean":
        return st.booleans()
    if constraint is callable:
        return st.sampled_from(CALLABLES[parameter])
    if isinstance(constraint, StrOptions):
        return st.sampled_from(sorted(constraint.options))
    if isinstance(constraint, Interval):
        return numbers_in(constraint)
    assert constraint is ThresholdSelector, constraint
    if parameter == "gate":
        return selectors_of(AutoThreshold)
    return st.sampled_from(all_selectors()).flatmap(
        lambda cls: st.just(cls()) if issubclass(cls, GatedThreshold) else selectors_of(cls)
    )


def numbers_in(interval):
    if interval.type is Integral:
        right = interval.right
        return st.integers(interval.left, min(interval.left + 400, right or LARGEST))
    bounds = {
        "min_value": interval.left,
        "max_value": interval.right,
        "exclude_min": interval.left is not None and interval.closed in ("right", "neither"),
        "exclude_max": interval.right is not None and interval.closed in ("left", "neither"),
    }
    usual = [value for value in (0.01, 0.3, 0.5, 2.0, 100.0) if value in interval]
    return st.one_of(
        st.sampled_from(usual), st.floats(**bounds, allow_nan=False, allow_infinity=False)
    )


def selectors_of(selector_class):
    """Return a strategy for selectors of a class with any parameters, each often the default."""
    return st.fixed_dictionaries(
        {},
        optional={
            parameter: st.one_of([values_of(constraint, parameter) for constraint in constraints])
            for parameter, constraints in selector_class._parameter_constraints.items()
        },
    ).map(lambda parameters: selector_class(**parameters))


def parts_of(selector):
    """Return the selector and those inside it."""
    inside = [
        value for value in selector.get_params().values() if isinstance(value, ThresholdSelector)
    ]
    return [selector, *inside]


def suited(selector, scores):
    """Return scores that the selector's documentation allows."""
    if any(isinstance(part, GammaMixtureThreshold) for part in parts_of(selector)):
        return np.abs(scores)
    return scores


def is_documented(error, selector, scores):
    """Whether an error is the one for a start outside the scores, and they are such scores."""
    if "initial_guess must lie strictly between" not in str(error):
        return False
    guesses = [part.initial_guess for part in parts_of(selector) if isinstance(part, LiThreshold)]
    lowest, highest = scores.min(), scores.max()
    return any(
        callable(guess) or (isinstance(guess, float) and not lowest < guess < highest)
        for guess in guesses
    )


# ------------------------------------------------------------------------------------- tests


@each_selector
@fuzz
@given(data=st.data())
def test_any_selector_keeps_the_contract_on_any_scores(selector_class, data):
    selector = data.draw(selectors_of(selector_class), label="selector")
    form = data.draw(forms, label="form")
    scores = FORMS[form](suited(selector, data.draw(plain_scores, label="scores")))
    plain = flat(scores)
    before, known = plain.copy(), plain[~np.isnan(plain)]

    try:
        fitted = clone(selector).fit(scores)
    except ValueError as error:
        if not is_documented(error, selector, known):
            raise
        return
    threshold = fitted.threshold_
    assert isinstance(threshold, float)
    assert np.isfinite(threshold)
    assert fitted.reason_
    assert fitted.n_samples_ == known.size
    flags = fitted.predict(scores)
    assert flags.shape == plain.shape
    assert flags.dtype == np.int64
    np.testing.assert_array_equal(flags, plain < threshold)  # NaN is not
    if abs(threshold) < LARGEST:
        around = [np.nextafter(threshold, -np.inf), threshold]
        assert fitted.predict(around).tolist() == [1, 0]

    np.testing.assert_array_equal(flat(scores), before)
    shuffled = np.random.default_rng(known.size).permutation(known)
    assert clone(selector).fit(known).threshold_ == threshold
    assert clone(selector).fit(shuffled).threshold_ == threshold
    assert fitted.fit(shuffled[:1]).fit(scores).threshold_ == threshold  # nothing is left over
    if known.min() == known.max() and not any(
        part.ignores_scores or getattr(part, "floor", None) is not None
        for part in parts_of(selector)
    ):
        assert not flags.any()


@each_selector
@fuzz
@given(data=st.data())
def test_declared_properties_hold_for_any_parameters(selector_class, data):
    selector = data.draw(selectors_of(selector_class), label="selector")
    seed, n = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(2, 200))
    shape = data.draw(st.sampled_from([0, 1, 2, 3, 4]))
    scores = suited(selector, shaped(seed, n, shape, 0, 0.0))
    try:
        threshold = clone(selector).fit(scores).threshold_
    except ValueError as error:
        if not is_documented(error, selector, scores):
            raise
        return
    given_in_the_unit_of_the_scores = isinstance(selector, LiThreshold) and (
        selector.tolerance is not None or isinstance(selector.initial_guess, float)
    )
    if given_in_the_unit_of_the_scores:
        return
    if selector.scale_equivariant:
        exponent = data.draw(st.integers(-900, 900), label="exponent")
        scaled = clone(selector).fit(np.ldexp(scores, exponent)).threshold_
        with np.errstate(over="ignore"):
            due = np.clip(np.ldexp(threshold, exponent), -LARGEST, LARGEST)
        assert scaled == pytest.approx(due, rel=1e-9)
    if selector.shift_equivariant:
        shift = data.draw(st.floats(-10, 10), label="shift")
        shifted = clone(selector).fit(scores + shift)
        if threshold <= scores.min():  # what flags nothing need not move along
            assert not shifted.predict(scores + shift).any()
        else:
            assert shifted.threshold_ == pytest.approx(threshold + shift, rel=1e-9, abs=1e-7)
    if selector.replication_invariant:
        copies = data.draw(st.integers(2, 4), label="copies")
        replicated = clone(selector).fit(np.tile(scores, copies)).threshold_
        assert replicated == pytest.approx(threshold, rel=1e-9)


@fuzz
@given(data=st.data())
def test_labels_and_any_scores(data):
    selector = data.draw(selectors_of(SupervisedThreshold), label="selector")
    scores = suited(selector, data.draw(plain_scores, label="scores"))
    n = scores.size
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n), label="labels"))
    try:
        fitted = clone(selector).fit(scores, labels)
    except ValueError as error:
        if not is_documented(error, selector, scores):
            raise
        return
    assert np.isfinite(fitted.threshold_)
    np.testing.assert_array_equal(fitted.predict(scores), scores < fitted.threshold_)
    order = np.random.default_rng(n).permutation(n)
    shuffled = clone(selector).fit(scores[order], labels[order])
    assert shuffled.threshold_ == fitted.threshold_
    if labels.any() and not labels.all():
        assert np.isfinite(fitted.metric_value_)
        assert not fitted.predict([scores.max()]).any()  # never all


@each_selector
@settings(fuzz, max_examples=max(5, fuzz.max_examples // 10))
@given(data=st.data())
def test_no_parameter_and_no_score_makes_a_fit_large(selector_class, data):
    selector = data.draw(selectors_of(selector_class), label="selector")
    scores = suited(selector, data.draw(plain_scores, label="scores"))
    tracemalloc.start()
    try:
        selector.fit(scores)
    except ValueError as error:
        if not is_documented(error, selector, scores):
            raise
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 300e6
