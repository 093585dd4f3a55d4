"""The selectors that split a histogram, against the definitions in ``naive``."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import filters

from imagequality.thresholds import (
    GeneralizedHistogramThreshold,
    MaxEntropyThreshold,
    MinimumErrorThreshold,
    ModifiedValleyEmphasisThreshold,
    OtsuThreshold,
)
from imagequality.thresholds._histogram import histogram_of

# Data sets of 200 to 400 scores: what the methods are for, and what upsets them.
rng = np.random.default_rng(20240)
SAMPLES = {
    "two groups": np.r_[rng.normal(0.3, 0.04, 60), rng.normal(0.8, 0.06, 300)],
    "overlapping groups": np.r_[rng.normal(0.5, 0.1, 100), rng.normal(0.8, 0.08, 200)],
    "one group": rng.normal(0.8, 0.05, 300),
    "skewed": rng.beta(8, 1.5, 300),
    "uniform": rng.uniform(-5, 3, 200),
    "zero-inflated": np.r_[np.zeros(60), rng.beta(6, 2, 200)],
    "quantised": np.round(rng.beta(5, 2, 300) * 12) / 12,
    "few bad": np.r_[0.05, 0.11, rng.normal(0.7, 0.05, 200)],
}
# selector, its definition; all criteria but MET's are maximised
GHT_PARAMETERS = [
    {},
    {"nu": 50.0, "tau": 4.0, "kappa": 30.0, "omega": 0.1},
    {"nu": 2.0, "tau": 0.5, "kappa": 0.0, "omega": 0.5},
    {"nu": 0.0, "tau": 3.0, "kappa": 7.0, "omega": 0.9},
]
CASES = [
    pytest.param(OtsuThreshold(), naive.otsu, id="otsu"),
    pytest.param(MinimumErrorThreshold(), naive.minimum_error, id="met"),
    pytest.param(MaxEntropyThreshold(), naive.max_entropy, id="entropy"),
    *(
        pytest.param(
            ModifiedValleyEmphasisThreshold(smoothing=smoothing),
            lambda counts, smoothing=smoothing: naive.modified_valley_emphasis(counts, smoothing),
            id=f"mve-{smoothing}",
        )
        for smoothing in (0, 2, 5, 40)
    ),
    *(
        pytest.param(
            GeneralizedHistogramThreshold(**parameters),
            lambda counts, parameters=parameters: naive.generalized_histogram(
                counts,
                **{
                    name: GeneralizedHistogramThreshold(**parameters).get_params()[name]
                    for name in ("nu", "tau", "kappa", "omega")
                },
            ),
            id=f"ght-{number}",
        )
        for number, parameters in enumerate(GHT_PARAMETERS)
    ),
]
SELECTORS = [case.values[0] for case in CASES]


def assert_best_of_definition(selector, definition, scores):
    """criterion_ is the definition, and the threshold an edge at which it is best."""
    selector.fit(scores)
    counts = naive.bin_counts(scores, selector.bins)
    expected = np.array(definition(counts))
    np.testing.assert_array_equal(np.isnan(selector.criterion_), np.isnan(expected))
    if np.isnan(expected).all():
        assert not selector.predict(scores).any()
        assert "no split" in selector.reason_
        return
    size = np.nanmax(np.abs([expected, selector.criterion_]))
    offset = 0.0
    if isinstance(selector, GeneralizedHistogramThreshold):  # defined up to a constant
        offset = np.nanmean(selector.criterion_ - expected)
    np.testing.assert_allclose(
        selector.criterion_, expected + offset, rtol=0, atol=1e-11 * size + 1e-12
    )

    edges = np.linspace(min(scores), max(scores), selector.bins + 1)
    np.testing.assert_array_equal(selector.candidates_, edges[1:-1])
    chosen = np.flatnonzero(edges[1:-1] == selector.threshold_)
    assert chosen.size == 1
    direction = -1 if isinstance(selector, MinimumErrorThreshold) else 1
    # scikit-image's Otsu multiplies in single precision.
    slack = 1e-6 if isinstance(selector, OtsuThreshold) else 1e-11
    assert direction * expected[chosen[0]] >= np.nanmax(direction * expected) - slack * size


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("selector", "definition"), CASES)
def test_best_split_of_the_definition(selector, definition, sample):
    assert_best_of_definition(selector.set_params(bins=40), definition, SAMPLES[sample])


@pytest.mark.parametrize(("selector", "definition"), CASES)
def test_best_split_of_the_definition_with_256_bins(selector, definition):
    assert_best_of_definition(selector.set_params(bins=256), definition, SAMPLES["two groups"])


@pytest.mark.parametrize(("selector", "definition"), CASES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    ranks=st.lists(st.integers(0, 30), min_size=2, max_size=60).filter(lambda r: len(set(r)) > 1),
    bins=st.integers(2, 24),
)
def test_best_split_of_the_definition_on_tied_scores(selector, definition, ranks, bins):
    scores = np.array(ranks) / 30
    assert_best_of_definition(selector.set_params(bins=bins), definition, scores)


@pytest.mark.parametrize("sample", SAMPLES)
def test_otsu_splits_after_the_bin_that_scikit_image_names(sample):
    scores = SAMPLES[sample]
    bin_centre = filters.threshold_otsu(scores)
    half_a_bin = np.ptp(scores) / 512
    assert OtsuThreshold().fit(scores).threshold_ == pytest.approx(bin_centre + half_a_bin)


# --- the split convention -----------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    scores=st.one_of(
        st.lists(finite, min_size=2, max_size=40),
        # multiples of a step that is no binary fraction: they lie on edges, up to rounding
        st.lists(st.integers(-40, 40).map(lambda k: k * 0.1), min_size=2, max_size=40),
        # neighbouring floats, fewer than bins
        st.lists(st.integers(0, 40).map(lambda k: 1 + k * 2.0**-52), min_size=2, max_size=40),
    ),
    bins=st.integers(2, 300),
)
@example(scores=[0.0, 5e-324], bins=256)
@example(scores=[-1.7e308, 0.0, 1.7e308], bins=256)
@example(scores=[0.1 * k for k in range(11)], bins=10)
def test_a_score_lies_below_an_edge_exactly_if_counted_in_a_bin_below(scores, bins):
    scores = np.array(scores)
    if scores.min() == scores.max():
        scores[0] = scores[0] / 2 if scores[0] else 1.0
    histogram = histogram_of(scores, bins)
    assert histogram.counts.size == histogram.edges.size - 1 == bins
    assert histogram.counts.sum() == scores.size
    assert histogram.counts[0] > 0
    assert histogram.counts[-1] > 0
    below = (scores[:, None] < histogram.edges[1:-1]).sum(axis=0)
    np.testing.assert_array_equal(below, np.cumsum(histogram.counts)[:-1])


def test_bins_keep_their_proportions_where_floats_run_out():
    # 1 + k·2⁻⁵²: NumPy refuses 256 bins between 101 floats.
    ranks = np.r_[0:10, 60:101]
    histogram = histogram_of(1 + ranks * 2.0**-52, 256)
    np.testing.assert_array_equal(histogram.counts, histogram_of(ranks.astype(float), 256).counts)


@pytest.mark.parametrize(
    "selector",
    [
        OtsuThreshold(),
        MinimumErrorThreshold(),
        MaxEntropyThreshold(),
        GeneralizedHistogramThreshold(nu=2, tau=0.5, kappa=0, omega=0.5),
    ],
    ids=repr,
)
def test_lowest_of_tied_splits_wins(selector):
    # Every split inside the gap has the same classes; and the histogram is its own mirror image.
    scores = np.r_[np.linspace(0, 0.1, 50), np.linspace(0.9, 1, 50)]
    selector.fit(scores)
    assert selector.predict(scores).sum() == 50
    assert selector.threshold_ == selector.candidates_[25]


@pytest.mark.parametrize(
    "selector",
    [
        MinimumErrorThreshold(),
        MaxEntropyThreshold(),
        GeneralizedHistogramThreshold(nu=2, tau=0.5, kappa=1, omega=0.5),
    ],
    ids=repr,
)
def test_rounding_does_not_break_ties(selector):
    # In a histogram that is its own mirror image every split but the middle one has a twin.
    for seed in range(30):
        ranks = np.random.default_rng(seed).integers(0, 100, 60)
        scores = np.r_[0, ranks, 99 - ranks, 99].astype(float)
        assert selector.fit(scores).predict(scores).mean() <= 0.5


# --- the limits of GHT --------------------------------------------------------------------------

continuous = st.integers(0, 2**32 - 1).map(
    lambda seed: (
        np.random.default_rng(seed).normal(0.5, 0.1, 150)
        + 0.4 * (np.random.default_rng(seed + 1).random(150) < 0.8)
    )
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(scores=continuous, bins=st.sampled_from([8, 40, 256]))
def test_ght_is_otsu_for_sure_and_small_variance(scores, bins):
    ght = GeneralizedHistogramThreshold(nu=1e30, tau=1e-3, kappa=0, bins=bins).fit(scores)
    assert ght.threshold_ == OtsuThreshold(bins=bins).fit(scores).threshold_


@settings(max_examples=30, deadline=None, derandomize=True)
@given(scores=continuous, bins=st.sampled_from([8, 40, 256]))
def test_ght_is_met_without_priors(scores, bins):
    ght = GeneralizedHistogramThreshold(nu=0, kappa=0, bins=bins).fit(scores)
    met = MinimumErrorThreshold(bins=bins).fit(scores)
    assert ght.threshold_ == met.threshold_
    # Barron's log-likelihood is −n · J, exactly.
    np.testing.assert_allclose(ght.criterion_, -scores.size * met.criterion_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("omega", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("sample", ["one group", "skewed", "uniform"])
def test_ght_is_a_percentile_for_a_sure_share(sample, omega):
    scores = SAMPLES[sample]
    ght = GeneralizedHistogramThreshold(kappa=1e15, omega=omega).fit(scores)
    shares = [np.mean(scores < candidate) for candidate in ght.candidates_]
    flagged = ght.predict(scores).mean()
    # The nearest share below or above ω that an edge can give.
    nearest = {
        max((share for share in shares if share <= omega), default=None),
        min((share for share in shares if share >= omega), default=None),
    }
    assert flagged in nearest


def test_published_ght_is_hardly_more_than_a_percentile():
    for sample in ("two groups", "one group", "skewed", "overlapping groups"):
        scores = SAMPLES[sample]
        flagged = GeneralizedHistogramThreshold().fit(scores).predict(scores).mean()
        assert flagged == pytest.approx(2**-3.25, abs=0.03)


# --- what cannot be split -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "scores", [[0.1, 0.9], [0.1] * 50 + [0.9] * 3, [0.1, 0.4, 0.9]], ids=["two", "tied", "three"]
)
def test_met_flags_nothing_where_no_split_is_admissible(scores):
    selector = MinimumErrorThreshold().fit(scores)
    assert selector.threshold_ == 0
    assert selector.reason_ == "no split leaves both classes a variance above zero"
    assert np.isnan(selector.criterion_).all()


def test_met_never_isolates_a_class_without_variance():
    # A class in a single bin would have J = −∞.
    scores = np.r_[np.full(30, 0.1), rng.normal(0.5, 0.05, 100), rng.normal(0.9, 0.03, 100)]
    selector = MinimumErrorThreshold().fit(scores)
    flagged = scores[selector.predict(scores) == 1]
    assert np.unique(flagged).size > 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"nu": 1e308, "tau": 1e300},
        {"kappa": 1e308},
        {"nu": 1e308, "tau": 1e-300, "kappa": 0},
        {"nu": 0, "tau": 0},
    ],
)
def test_ght_survives_extreme_parameters(parameters):
    scores = SAMPLES["two groups"]
    selector = GeneralizedHistogramThreshold(**parameters).fit(scores)
    assert selector.predict(scores).mean() < 1
    if not np.isfinite(selector.criterion_).any():
        assert selector.threshold_ == 0
        assert "parameters" in selector.reason_


def test_separated_groups_are_split_between_them():
    scores = SAMPLES["two groups"]
    for selector in (OtsuThreshold(), MinimumErrorThreshold()):
        assert selector.fit(scores).predict(scores).sum() == pytest.approx(60, abs=1)


@pytest.mark.parametrize("selector", SELECTORS)
def test_refit_on_equal_scores_forgets_the_old_criterion(selector):
    selector.fit(SAMPLES["two groups"]).fit([0.5, 0.5])
    assert selector.candidates_.size == selector.criterion_.size == 0


@pytest.mark.parametrize(
    "selector_class", [OtsuThreshold, MaxEntropyThreshold, MinimumErrorThreshold]
)
def test_a_million_bins_are_the_most(selector_class):
    scores = SAMPLES["two groups"]
    assert selector_class(bins=2**20).fit(scores).candidates_.size == 2**20 - 1
    with pytest.raises(ValueError, match="The 'bins' parameter"):
        selector_class(bins=2**20 + 1).fit(scores)


def test_a_million_bins_are_the_most_that_are_averaged():
    scores = SAMPLES["two groups"]
    assert np.isfinite(ModifiedValleyEmphasisThreshold(smoothing=2**20).fit(scores).threshold_)
    with pytest.raises(ValueError, match="The 'smoothing' parameter"):
        ModifiedValleyEmphasisThreshold(smoothing=2**20 + 1).fit(scores)
