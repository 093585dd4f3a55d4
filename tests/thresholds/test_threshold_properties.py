"""What holds for every selector, whatever the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from imagequality.thresholds import (
    AutoThreshold,
    FixedThreshold,
    FunctionThreshold,
    GammaMixtureThreshold,
    GatedThreshold,
    GeneralizedHistogramThreshold,
    IQRThreshold,
    LiThreshold,
    MaxEntropyThreshold,
    MinimumErrorThreshold,
    ModifiedValleyEmphasisThreshold,
    OtsuThreshold,
    QuantileThreshold,
    SupervisedThreshold,
    ThresholdSelector,
)

SELECTORS = [
    OtsuThreshold(),
    OtsuThreshold(bins=2),
    LiThreshold(),
    LiThreshold("otsu"),
    LiThreshold("median"),
    MinimumErrorThreshold(),
    MaxEntropyThreshold(),
    GeneralizedHistogramThreshold(),
    GeneralizedHistogramThreshold(nu=0, kappa=0),
    ModifiedValleyEmphasisThreshold(),
    ModifiedValleyEmphasisThreshold(bins=3, smoothing=50),
    GammaMixtureThreshold(),
    GammaMixtureThreshold(cutoff="intersection"),
    IQRThreshold(),
    IQRThreshold(factor=0),
    QuantileThreshold(),
    QuantileThreshold(0.5),
    FixedThreshold(0.5),
]
each_selector = pytest.mark.parametrize("selector", SELECTORS, ids=repr)


def declared(name):
    return pytest.mark.parametrize("selector", [s for s in SELECTORS if getattr(s, name)], ids=repr)


few = settings(max_examples=40, deadline=None, derandomize=True)
any_scores = st.one_of(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    st.lists(st.integers(-3, 3).map(lambda k: k * 5e-324), min_size=1, max_size=30),
    st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=30),
)


def ordinary_scores(seed, n=200):
    """Scores in [0, 1] of one of four shapes; no two in adjacent floats."""
    generator = np.random.default_rng(seed)
    return [
        np.r_[generator.normal(0.3, 0.05, n // 4), generator.normal(0.8, 0.05, n - n // 4)],
        generator.beta(8, 2, n),
        generator.uniform(0, 1, n),
        np.r_[np.zeros(n // 8), generator.beta(6, 2, n - n // 8)],
    ][seed % 4]


@each_selector
@few
@given(scores=any_scores)
@example(scores=[0.0, 5e-324])
@example(scores=[-1.7e308, 1.7e308])
@example(scores=[1.0, 1 + 2**-52])
@example(scores=[0.0, 5e-324, 1.0])
@example(scores=[0.0] * 20 + [1.0])
@example(scores=[0.0] + [1.0] * 20)
def test_any_finite_scores_give_a_finite_threshold_that_spares_the_best(selector, scores):
    if isinstance(selector, GammaMixtureThreshold):
        scores = np.abs(scores)
    selector = clone(selector).fit(scores)
    assert isinstance(selector.threshold_, float)
    assert np.isfinite(selector.threshold_)
    assert selector.reason_
    flags = selector.predict(scores)
    np.testing.assert_array_equal(flags, np.asarray(scores) < selector.threshold_)
    if not isinstance(selector, FixedThreshold):
        assert flags[np.argmax(scores)] == 0


@each_selector
@few
@given(seed=st.integers(0, 10**6))
def test_order_and_repetition_of_the_fit_do_not_matter(selector, seed):
    scores = ordinary_scores(seed)
    before = scores.copy()
    shuffled = np.random.default_rng(seed).permutation(scores)
    fitted = clone(selector).fit(scores)
    threshold = fitted.threshold_
    assert clone(selector).fit(shuffled).threshold_ == threshold
    assert fitted.fit(shuffled).fit(scores).threshold_ == threshold
    np.testing.assert_array_equal(scores, before)  # and the caller's array is left alone


@declared("scale_equivariant")
@few
@given(seed=st.integers(0, 10**6), factor=st.floats(1e-3, 1e3), exponent=st.integers(-900, 900))
def test_declared_scale_equivariance(selector, seed, factor, exponent):
    scores = ordinary_scores(seed)
    threshold = clone(selector).fit(scores).threshold_
    scaled = clone(selector).fit(scores * factor).threshold_
    assert scaled == pytest.approx(threshold * factor, rel=1e-9)
    # A power of two rounds nothing; up to what is stored below the smallest normal float.
    by_power = clone(selector).fit(np.ldexp(scores, exponent)).threshold_
    assert by_power == pytest.approx(np.ldexp(threshold, exponent), rel=1e-9)


@declared("shift_equivariant")
@few
@given(seed=st.integers(0, 10**6), shift=st.floats(-10, 10))
def test_declared_shift_equivariance(selector, seed, shift):
    scores = ordinary_scores(seed)
    threshold = clone(selector).fit(scores).threshold_
    assert clone(selector).fit(scores + shift).threshold_ == pytest.approx(
        threshold + shift, abs=1e-7
    )


@declared("replication_invariant")
@few
@given(seed=st.integers(0, 10**6), copies=st.integers(2, 4))
def test_declared_replication_invariance(selector, seed, copies):
    scores = ordinary_scores(seed)
    threshold = clone(selector).fit(scores).threshold_
    replicated = clone(selector).fit(np.tile(scores, copies)).threshold_
    assert replicated == pytest.approx(threshold, rel=1e-9)


@pytest.mark.parametrize(
    ("selector_class", "properties"),
    [
        (AutoThreshold, ""),
        (FixedThreshold, "replication_invariant ignores_scores"),
        (FunctionThreshold, ""),
        (GammaMixtureThreshold, "scale_equivariant replication_invariant"),
        (GatedThreshold, ""),
        (GeneralizedHistogramThreshold, "scale_equivariant shift_equivariant"),
        (IQRThreshold, "scale_equivariant shift_equivariant"),
        (LiThreshold, "scale_equivariant shift_equivariant replication_invariant"),
        (MaxEntropyThreshold, "scale_equivariant shift_equivariant replication_invariant"),
        (MinimumErrorThreshold, "scale_equivariant shift_equivariant replication_invariant"),
        (
            ModifiedValleyEmphasisThreshold,
            "scale_equivariant shift_equivariant replication_invariant",
        ),
        (OtsuThreshold, "scale_equivariant shift_equivariant replication_invariant"),
        (QuantileThreshold, "scale_equivariant shift_equivariant replication_invariant"),
        (SupervisedThreshold, "uses_y"),
        (ThresholdSelector, ""),
    ],
)
def test_no_property_is_declared_by_mistake_or_lost(selector_class, properties):
    names = (
        "scale_equivariant",
        "shift_equivariant",
        "replication_invariant",
        "ignores_scores",
        "uses_y",
    )
    assert {name for name in names if getattr(selector_class, name)} == set(properties.split())


@each_selector
def test_parameters_survive_a_clone(selector):
    assert clone(selector).get_params() == selector.get_params()


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        (OtsuThreshold(bins=1), "bins"),
        (OtsuThreshold(bins=2.5), "bins"),
        (MinimumErrorThreshold(bins=0), "bins"),
        (MaxEntropyThreshold(bins="many"), "bins"),
        (GeneralizedHistogramThreshold(bins=1), "bins"),
        (GeneralizedHistogramThreshold(nu=-1), "nu"),
        (GeneralizedHistogramThreshold(tau=-1), "tau"),
        (GeneralizedHistogramThreshold(kappa=np.inf), "kappa"),
        (GeneralizedHistogramThreshold(omega=1.1), "omega"),
        (ModifiedValleyEmphasisThreshold(bins=1), "bins"),
        (ModifiedValleyEmphasisThreshold(smoothing=-1), "smoothing"),
        (LiThreshold(initial_guess="mode"), "initial_guess"),
        (LiThreshold(initial_guess=np.nan), "initial_guess"),
        (LiThreshold(tolerance=0), "tolerance"),
        (GammaMixtureThreshold(cutoff="user"), "cutoff"),
        (GammaMixtureThreshold(max_iter=0), "max_iter"),
        (GammaMixtureThreshold(tol=-1), "tol"),
        (GammaMixtureThreshold(max_shape=0.5), "max_shape"),
        (IQRThreshold(factor=-1), "factor"),
        (QuantileThreshold(quantile=1.0), "quantile"),
        (QuantileThreshold(quantile=-0.1), "quantile"),
        (FixedThreshold(value=np.inf), "value"),
        (FixedThreshold(value="0.5"), "value"),
    ],
    ids=repr,
)
def test_a_bad_parameter_is_refused_by_name(selector, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {type(selector).__name__}"):
        selector.fit([0.1, 0.5, 0.9])
