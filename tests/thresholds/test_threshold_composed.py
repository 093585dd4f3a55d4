"""Selectors made of others: behind a gate, from labels, from a function."""

from __future__ import annotations

import functools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import filters
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, f1_score, fbeta_score, matthews_corrcoef
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

import imagequality as iq
from imagequality.testing import check_detector, check_threshold_selector
from imagequality.thresholds import (
    AutoThreshold,
    FixedThreshold,
    FunctionThreshold,
    GatedThreshold,
    IQRThreshold,
    LiThreshold,
    OtsuThreshold,
    QuantileThreshold,
    SupervisedThreshold,
    ThresholdSelector,
)

few = settings(max_examples=60, deadline=None, derandomize=True)
RNG = np.random.default_rng(0)
CLEAN = RNG.normal(0.8, 0.05, 1000)
FLAWED = np.r_[CLEAN, RNG.normal(0.3, 0.05, 100)]
EVERY_FLOAT = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=40)


class Sound(iq.IssueDetector):
    """Its score is the column itself, NaN where unreadable, so that a table says it all."""

    issue = "sound"
    columns = ("value_perc_99",)

    def _score(self, table):
        return table["value_perc_99"].to_numpy()

    def _limits(self):
        return 0.2, 0.6


def table_of(scores):
    return pd.DataFrame({"value_perc_99": scores})


# --- behind a gate ------------------------------------------------------------------------------


class Gate(ThresholdSelector):
    """Answers as it is told."""

    def __init__(self, answer=True):
        self.answer = answer

    def _select(self, scores):
        self.separated_ = self.answer
        self.reason_ = "asked"
        return float(scores.min())


@pytest.mark.parametrize("selector", [OtsuThreshold(), LiThreshold(), QuantileThreshold(0.3)])
def test_the_gate_decides_whether_and_the_selector_where(selector):
    alone = clone(selector).fit(FLAWED)
    opened = GatedThreshold(selector, Gate(True)).fit(FLAWED)
    assert opened.separated_ is True
    assert opened.threshold_ == alone.threshold_ == opened.selector_.threshold_
    assert opened.reason_ == f"asked; {type(selector).__name__}: {alone.reason_}"
    closed = GatedThreshold(selector, Gate(False)).fit(FLAWED)
    assert closed.separated_ is False
    assert closed.threshold_ == FLAWED.min()
    assert closed.selector_ is None
    assert closed.reason_ == "asked"
    assert not hasattr(selector, "threshold_")  # clones are fitted


def test_a_refit_forgets_the_last_one():
    gated = GatedThreshold(OtsuThreshold()).fit(FLAWED)
    assert gated.selector_ is not None
    assert gated.fit(CLEAN).selector_ is None
    assert (gated.separated_, gated.threshold_) == (False, 0.0)


def test_default_gate_and_selector():
    gated = GatedThreshold().fit(FLAWED)
    assert gated.threshold_ == LiThreshold().fit(FLAWED).threshold_
    assert gated.gate_.reason_ == AutoThreshold().fit(FLAWED).reason_
    assert not GatedThreshold().fit(CLEAN).predict(CLEAN).any()


@pytest.mark.parametrize("scores", [CLEAN, np.full(50, 0.7), [0.3, 0.5]], ids=len)
def test_a_closed_gate_with_a_floor_gives_the_gates_threshold(scores):
    gate = AutoThreshold(floor=0.25)
    gated = GatedThreshold(OtsuThreshold(), gate).fit(scores)
    assert gated.threshold_ == clone(gate).fit(scores).threshold_ == 0.25


def test_a_gate_that_says_nothing_is_refused():
    with pytest.raises(TypeError, match=r"gate must say in separated_ .* IQRThreshold has no such"):
        GatedThreshold(gate=IQRThreshold()).fit(FLAWED)


@pytest.mark.parametrize("name", ["gate", "selector"])
def test_gated_refuses_what_is_no_selector(name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of GatedThreshold"):
        GatedThreshold(**{name: 0.5}).fit(FLAWED)


def test_nested_parameters_reach_the_defaults_too():
    gated = GatedThreshold()
    assert gated.get_params()["gate__floor"] is None
    assert gated.get_params(deep=False) == {"selector": None, "gate": None}
    gated.set_params(gate__floor=0.3, selector__initial_guess="otsu")
    assert gated.gate.floor == 0.3
    assert gated.selector.initial_guess == "otsu"
    gated.set_params(selector=OtsuThreshold(), selector__bins=7)
    assert gated.selector.bins == 7
    assert gated.gate.floor == 0.3  # what was set before stays
    gated.set_params(gate=None)
    assert gated.gate is None
    assert GatedThreshold().gate is None  # and no default is shared
    with pytest.raises(ValueError, match="bins"):
        GatedThreshold().set_params(gate__bins=3)


def test_nested_parameters_with_the_selector_replaced_by_none():
    gated = GatedThreshold(gate=AutoThreshold(0.4)).set_params(gate=None, gate__cap=0.5)
    assert (gated.gate.floor, gated.gate.cap) == (None, 0.5)


def test_a_detector_fills_the_limits_of_the_gate():
    threshold = GatedThreshold(OtsuThreshold())
    detector = Sound(threshold).fit(table_of(np.clip(CLEAN, 0, 1)))
    assert (detector.selector_.gate_.floor, detector.selector_.gate_.cap) == (0.2, 0.6)
    assert detector.threshold_ == 0.2
    assert threshold.gate is None  # the user's own stays as it was
    given = GatedThreshold(gate=AutoThreshold(floor=0.1))
    detector = Sound(given).fit(table_of(np.clip(CLEAN, 0, 1)))
    assert (detector.selector_.gate_.floor, detector.selector_.gate_.cap) == (0.1, 0.6)


def test_a_grid_over_a_gated_selector_inside_a_detector():
    X, y = table_of(np.clip(FLAWED, 0, 1)), np.r_[np.zeros(1000), np.ones(100)]
    grid = {"threshold__selector__bins": [2, 64], "threshold__gate__floor": [0.05]}
    search = GridSearchCV(
        Sound(GatedThreshold(OtsuThreshold())), grid, scoring="f1", cv=StratifiedKFold(2)
    ).fit(X, y)
    assert search.best_score_ == 1
    assert search.best_estimator_.selector_.gate_.floor == 0.05


@pytest.mark.parametrize("method", ["dark", "blurry"])
def test_a_gated_detector_keeps_the_contract(method):
    cls = {"dark": iq.DarkDetector, "blurry": iq.BlurDetector}[method]
    check_detector(cls(threshold=GatedThreshold(OtsuThreshold())))


# --- from labels --------------------------------------------------------------------------------


def naive_divisions(scores, y):
    """Every division of the scores but "all": flags, hits, number flagged; fewest first."""
    scores, y = np.asarray(scores), np.asarray(y)
    for value in np.unique(scores):
        flags = scores < value
        yield flags, int(y[flags].sum()), int(flags.sum())


def naive_value(metric, beta, hits, flagged, n_bad, n):
    if metric == "balanced_accuracy":
        n_good = n - n_bad
        return (Fraction(hits, n_bad) + Fraction(n_good - (flagged - hits), n_good)) / 2
    weight = Fraction(1) if metric == "f1" else Fraction(beta) ** 2
    return (1 + weight) * hits / (weight * n_bad + flagged)


labelled = st.lists(
    st.tuples(st.integers(-4, 12).map(lambda k: k / 8), st.booleans()), min_size=2, max_size=40
).filter(lambda rows: len({bad for _, bad in rows}) == 2)


@pytest.mark.parametrize(
    ("metric", "beta"),
    [("f1", 1.0), ("balanced_accuracy", 1.0), ("fbeta", 0.5), ("fbeta", 2.0), ("fbeta", 1.0)],
)
@few
@given(rows=labelled)
@example(rows=[(0.5, True), (0.5, False)])
@example(rows=[(0.9, True), (0.1, False)])
def test_supervised_is_the_best_of_all_divisions(metric, beta, rows):
    scores, y = np.array([s for s, _ in rows]), np.array([int(bad) for _, bad in rows])
    selector = SupervisedThreshold(metric, beta=beta).fit(scores, y)
    values = [
        (naive_value(metric, beta, hits, flagged, y.sum(), y.size), flags)
        for flags, hits, flagged in naive_divisions(scores, y)
    ]
    best = max(value for value, _ in values)
    assert selector.metric_value_ == pytest.approx(float(best), abs=1e-12)
    # Of equals the one that flags the fewest.
    expected = next(flags for value, flags in values if value == best)
    np.testing.assert_array_equal(selector.predict(scores), expected)
    # Midway between the neighbours.
    if expected.any():
        middle = (scores[expected].max() + scores[~expected].min()) / 2
        assert selector.threshold_ == middle
    else:
        assert selector.threshold_ == min(0.0, scores.min())


@pytest.mark.parametrize(
    ("metric", "beta", "reference"),
    [
        ("f1", 3.0, functools.partial(f1_score, zero_division=0)),
        ("fbeta", 0.3, functools.partial(fbeta_score, beta=0.3, zero_division=0)),
        ("balanced_accuracy", 1.0, balanced_accuracy_score),
    ],
)
def test_named_metrics_are_those_of_scikit_learn_and_of_a_callable(metric, beta, reference):
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(0.7 - 0.2 * y, 0.15), 2)
    selector = SupervisedThreshold(metric, beta=beta).fit(scores, y)
    assert selector.metric_value_ == pytest.approx(reference(y, selector.predict(scores)))
    called = SupervisedThreshold(reference).fit(scores, y)
    assert called.metric_value_ == pytest.approx(selector.metric_value_)
    assert called.threshold_ == selector.threshold_


@few
@given(rows=labelled)
def test_a_callable_is_asked_only_where_it_can_be_best(rows):
    scores, y = np.array([s for s, _ in rows]), np.array([int(bad) for _, bad in rows])
    selector = SupervisedThreshold(matthews_corrcoef).fit(scores, y)
    best = max(matthews_corrcoef(y, flags) for flags, _, _ in naive_divisions(scores, y))
    assert selector.metric_value_ == pytest.approx(best)


@pytest.mark.parametrize("value", [np.nan, np.inf, None, "0.5"])
def test_a_metric_must_return_a_finite_number(value):
    with pytest.raises(ValueError, match="metric must return a finite number"):
        SupervisedThreshold(lambda y, flags: value).fit([0.1, 0.5], [1, 0])


@pytest.mark.parametrize("beta", [1e-320, 1e-200, 1e200, 1.7e308])
def test_any_beta_works(beta):
    scores, y = [0.1, 0.2, 0.3, 0.4], [1, 0, 1, 0]
    flags = SupervisedThreshold("fbeta", beta=beta).fit(scores, y).predict(scores)
    assert flags.tolist() == ([1, 0, 0, 0] if beta < 1 else [1, 1, 1, 0])


@few
@given(
    scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20),
    seed=st.integers(0, 99),
)
@example(scores=[0.0, 5e-324], seed=0)
@example(scores=[1.0, 1 + 2**-52], seed=1)
@example(scores=[-1.7e308, 1.7e308], seed=2)
def test_any_finite_scores_are_divided_where_the_labels_say(scores, seed):
    scores = np.sort(scores)
    y = np.arange(scores.size) < 1 + seed % (scores.size - 1)
    selector = SupervisedThreshold().fit(scores, y)
    assert np.isfinite(selector.threshold_)
    if scores[y].max() < scores[~y].min():
        np.testing.assert_array_equal(selector.predict(scores), y)
        assert selector.metric_value_ == 1
    shuffled = np.random.default_rng(seed).permutation(scores.size)
    assert SupervisedThreshold().fit(scores[shuffled], y[shuffled]).threshold_ == (
        selector.threshold_
    )


Y_FORMS = {
    "list": list,
    "bool": lambda y: np.array(y, bool),
    "float": lambda y: np.array(y, float),
    "uint8": lambda y: np.array(y, np.uint8),
    "objects": lambda y: np.array([bool(label) for label in y], object),
    "column": lambda y: np.array(y)[:, None],
    "series": lambda y: pd.Series(y, index=range(100, 100 + len(y))),
    "nullable": lambda y: pd.Series(y, dtype="boolean"),
}


@pytest.mark.parametrize("form", Y_FORMS)
def test_forms_of_y_and_nan_scores_leave_with_their_label(form):
    scores = [0.1, np.nan, 0.3, 0.5, np.nan, 0.9]
    selector = SupervisedThreshold().fit(scores, Y_FORMS[form]([1, 0, 1, 0, 1, 0]))
    assert selector.threshold_ == 0.4
    assert selector.n_samples_ == 4
    assert selector.fallback_ is None
    assert selector.reason_ == "highest f1 for the labels: 1"


def test_the_label_of_a_nan_score_may_be_missing():
    assert SupervisedThreshold().fit([0.1, np.nan, 0.3], [1, np.nan, 0]).threshold_ == 0.2


@pytest.mark.parametrize(
    ("y", "complaint"),
    [
        ([1, 0], r"expected shape \(3,\), got \(2,\)"),
        (np.zeros((3, 2)), r"got \(3, 2\)"),
        ([1, 0, 2], "y must hold 0 .good. and 1 .bad. or bool, got 0, 1, 2"),
        ([1, 0, -1], "got -1, 0, 1"),
        ([1, 0, np.nan], "got .*nan"),
        (["bad", "good", "good"], "got 'bad', 'good'"),
        (["1", "0", "0"], "got '0', '1'"),
        (np.array(["1", 0, 0], object), "got '1', 0"),
        ([1, 0, None], "got 0, 1, None"),
        (pd.Series([True, False, None], dtype="boolean"), "<NA>"),
    ],
    ids=str,
)
def test_bad_labels_are_refused(y, complaint):
    with pytest.raises(ValueError, match=complaint):
        SupervisedThreshold().fit([0.1, 0.2, 0.3], y)


@pytest.mark.parametrize(
    ("y", "why"),
    [
        (None, "no labels"),
        (np.zeros(1100, int), "labels of one class only"),
        (np.ones(1100, bool), "labels of one class only"),
    ],
    ids=["none", "good", "bad"],
)
def test_where_labels_cannot_choose_the_fallback_does(y, why):
    for fallback in (None, OtsuThreshold()):
        alone = (AutoThreshold() if fallback is None else clone(fallback)).fit(FLAWED)
        selector = SupervisedThreshold(fallback=fallback).fit(FLAWED, y)
        assert selector.threshold_ == alone.threshold_
        assert selector.reason_ == f"{why}; {type(alone).__name__}: {alone.reason_}"
        assert np.isnan(selector.metric_value_)
        assert type(selector.fallback_) is type(alone)


def test_no_known_score_is_refused_with_labels_too():
    for scores, y in (([], []), ([np.nan, np.nan], [0, 1])):
        with pytest.raises(ValueError, match="needs at least one score"):
            SupervisedThreshold().fit(scores, y)


def test_equal_scores_flag_nothing_whatever_the_labels():
    selector = SupervisedThreshold().fit([0.7] * 4, [1, 1, 1, 0])
    assert not selector.predict([0.7]).any()


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"metric": "roc_auc"}, "metric"),
        ({"beta": 0}, "beta"),
        ({"beta": np.inf}, "beta"),
        ({"fallback": 0.5}, "fallback"),
    ],
)
def test_supervised_names_a_bad_parameter(parameters, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of SupervisedThreshold"):
        SupervisedThreshold(**parameters).fit([0.1, 0.2], [1, 0])


@pytest.mark.parametrize("selector", [OtsuThreshold(), FixedThreshold(), GatedThreshold()])
def test_other_selectors_do_not_even_read_y(selector):
    fitted = clone(selector).fit(FLAWED, ["anything"])
    assert fitted.threshold_ == clone(selector).fit(FLAWED).threshold_


# --- from labels, in a detector -----------------------------------------------------------------

# Of these, unsupervised selectors would flag the two lowest at most.
SCORES = np.array([0.05, 0.1, np.nan, 0.5, 0.52, 0.56, np.nan, 0.6, 0.8])
LABELS = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])


def test_a_detector_hands_on_the_labels_of_what_it_can_read():
    X = table_of(SCORES)
    detector = Sound(SupervisedThreshold())
    assert detector.fit(X, LABELS).threshold_ == pytest.approx(0.54)
    assert detector.selector_.n_samples_ == 7
    assert detector.predict(X).tolist() == [1, 1, 0, 1, 1, 0, 0, 0, 0]
    assert clone(detector).fit_predict(X, LABELS).tolist() == detector.predict(X).tolist()
    fresh = clone(detector)
    np.testing.assert_array_equal(fresh.fit_transform(X, LABELS), SCORES[:, None])
    assert fresh.threshold_ == detector.threshold_
    with pytest.raises(ValueError, match="one label per score"):
        detector.fit(X, LABELS[:-1])


def test_a_detector_without_labels_falls_back_with_its_limits():
    detector = Sound(SupervisedThreshold()).fit(table_of(SCORES))
    assert (detector.selector_.fallback_.floor, detector.selector_.fallback_.cap) == (0.2, 0.6)
    assert detector.threshold_ == 0.2
    assert detector.threshold is not detector.selector_
    assert detector.threshold.fallback is None


def test_a_detector_with_labels_but_nothing_to_read():
    detector = Sound(SupervisedThreshold()).fit(table_of([np.nan, np.nan]), [0, 1])
    assert detector.threshold_ == 0.2
    assert detector.predict(table_of([np.nan, 0.1])).tolist() == [0, 1]


def test_a_supervised_detector_on_images_and_in_a_grid(flawed):
    images, truth = flawed
    y = truth["blurry"].to_numpy()
    table = iq.measure(images)
    detector = iq.BlurDetector(threshold=SupervisedThreshold())
    assert detector.fit(images, y).threshold_ == detector.fit(table, y).threshold_
    scores = detector.score_samples(table)
    best = max(f1_score(y, flags, zero_division=0) for flags, _, _ in naive_divisions(scores, y))
    assert detector.score(table, y) == best
    grid = {"threshold": [SupervisedThreshold(), SupervisedThreshold("balanced_accuracy"), 0.0]}
    search = GridSearchCV(
        iq.BlurDetector(), grid, cv=StratifiedKFold(2, shuffle=True, random_state=0)
    ).fit(table, y)
    assert isinstance(search.best_params_["threshold"], SupervisedThreshold)
    assert search.best_estimator_.selector_.fallback_ is None


def test_y_for_another_purpose_reaches_no_selector(flawed):
    images = flawed[0][:24]
    names = ["cat", "dog", "bird"] * 8
    pipeline = iq.QualityPipeline([("blurry", iq.BlurDetector(threshold=SupervisedThreshold()))])
    fitted = pipeline.fit(images, names)
    assert fitted.named_detectors_["blurry"].selector_.reason_.startswith("no labels")
    assert iq.BlurDetector().fit(images, names).threshold_ == (
        iq.BlurDetector().fit(images).threshold_
    )
    make_pipeline(iq.DarkDetector(threshold=0.3)).fit(images, names)


def test_supervised_detectors_keep_the_contract():
    check_detector(iq.DarkDetector(threshold=SupervisedThreshold()))


# --- from a function ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["otsu", "isodata", "triangle", "yen", "mean", "minimum", "li"])
def test_functions_of_scikit_image(name):
    function = getattr(filters, f"threshold_{name}")
    selector = FunctionThreshold(function, inclusive=True).fit(FLAWED)
    returned = function(np.sort(FLAWED))
    assert selector.threshold_ == np.nextafter(returned, np.inf)
    np.testing.assert_array_equal(selector.predict(FLAWED), FLAWED <= returned)
    assert selector.reason_ == f"chosen by threshold_{name}"


def test_inclusive_decides_about_the_value_itself():
    scores = [0.1, 0.2, 0.3]
    assert FunctionThreshold(np.median).fit(scores).predict(scores).tolist() == [1, 0, 0]
    inclusive = FunctionThreshold(np.median, inclusive=True).fit(scores)
    assert inclusive.predict(scores).tolist() == [1, 1, 0]


@pytest.mark.parametrize("step", [(0.0, 5e-324), (1.0, 1 + 2**-52), (-1e308, 1e308)], ids=repr)
@pytest.mark.parametrize("n_high", [1, 100])
def test_isodata_divides_two_values_that_numpy_has_no_histogram_for(step, n_high):
    scores = np.repeat(step, [3, n_high])
    selector = FunctionThreshold(inclusive=True).fit(scores)
    assert selector.predict(scores).sum() == 3
    assert selector.reason_ == "chosen by threshold_isodata"


def test_isodata_of_scores_whose_sum_overflows():
    usual = FunctionThreshold().fit(FLAWED).threshold_
    assert FunctionThreshold().fit(np.ldexp(FLAWED, 1023)).threshold_ == np.ldexp(usual, 1023)


def test_no_function_is_isodata():
    assert FunctionThreshold().fit(FLAWED).threshold_ == filters.threshold_isodata(np.sort(FLAWED))


def test_a_function_sees_a_sorted_copy_without_nan():
    scores = np.array([0.3, np.nan, 0.1, 0.2])
    seen = []

    def function(values):
        seen.append(values.copy())
        values[:] = 9
        return 0.15

    FunctionThreshold(function).fit(scores)
    np.testing.assert_array_equal(seen, [[0.1, 0.2, 0.3]])
    np.testing.assert_array_equal(scores, [0.3, np.nan, 0.1, 0.2])


@pytest.mark.parametrize("returned", [1, np.float32(0.25), np.array(0.25), np.int8(0)], ids=repr)
def test_any_kind_of_number_will_do(returned):
    threshold = FunctionThreshold(lambda scores: returned).fit([0.1, 0.2]).threshold_
    assert type(threshold) is float
    assert threshold == float(returned)


@pytest.mark.parametrize(
    "returned", [None, np.nan, np.inf, "0.5", [0.5], np.array([0.1, 0.2]), True, 1j], ids=repr
)
def test_what_is_no_finite_number_is_refused(returned):
    with pytest.raises(ValueError, match="function must return one finite number, but <lambda>"):
        FunctionThreshold(lambda scores: returned).fit([0.1, 0.2])


def test_a_callable_without_a_name():
    selector = FunctionThreshold(functools.partial(np.quantile, q=0.1)).fit(FLAWED)
    assert selector.reason_ == "chosen by partial"
    assert selector.threshold_ == np.quantile(FLAWED, 0.1)


def test_the_largest_float_inclusive_stays_finite():
    largest = np.finfo(float).max
    assert FunctionThreshold(lambda _: largest, inclusive=True).fit([0, 1]).threshold_ == largest


@pytest.mark.parametrize("parameters", [{"function": 0.5}, {"inclusive": "yes"}], ids=str)
def test_function_threshold_names_a_bad_parameter(parameters):
    name = next(iter(parameters))
    with pytest.raises(ValueError, match=f"The '{name}' parameter of FunctionThreshold"):
        FunctionThreshold(**parameters).fit([0.1, 0.2])


@pytest.mark.parametrize("inclusive", [False, True])
def test_function_thresholds_keep_the_contract(inclusive):
    check_threshold_selector(FunctionThreshold(filters.threshold_triangle, inclusive=inclusive))
    check_threshold_selector(FunctionThreshold(np.median, inclusive=inclusive))


# --- all three ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "selector",
    [
        GatedThreshold(),
        GatedThreshold(OtsuThreshold(), AutoThreshold(0.3, 0.5)),
        SupervisedThreshold(),
        FunctionThreshold(np.median),
    ],
    ids=["gated", "gated with limits", "supervised", "function"],
)
@few
@given(scores=EVERY_FLOAT)
def test_any_scores_give_a_finite_threshold(selector, scores):
    selector = clone(selector).fit(scores)
    assert np.isfinite(selector.threshold_)
    assert selector.reason_
    reversed_ = clone(selector).fit(scores[::-1])
    assert reversed_.threshold_ == selector.threshold_
