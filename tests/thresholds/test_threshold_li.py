"""Li's threshold: a fixed point, scikit-image's, and sane where the iteration has no footing."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_li

from imagequality.thresholds import LiThreshold, OtsuThreshold

rng = np.random.default_rng(7)
TWO_GROUPS = np.r_[rng.normal(0.3, 0.04, 60), rng.normal(0.8, 0.06, 300)]
THREE_GROUPS = np.r_[
    rng.normal(0.1, 0.01, 40), rng.normal(0.5, 0.01, 400), rng.normal(0.95, 0.01, 100)
]
SAMPLES = {
    "two groups": TWO_GROUPS,
    "three groups": THREE_GROUPS,
    "one group": rng.normal(0.8, 0.05, 300),
    "skewed": rng.beta(8, 1.5, 300),
    "negative": rng.uniform(-5, 3, 200),
    "quantised": np.round(rng.beta(5, 2, 300) * 12) / 12,
    "zero-inflated": np.r_[np.zeros(20), rng.beta(2, 2, 200)],
}


@pytest.mark.parametrize("guess", [None, "otsu", "median"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_threshold_is_a_fixed_point_and_the_best_split_for_its_means(sample, guess):
    scores = SAMPLES[sample]
    threshold = LiThreshold(guess, tolerance=1e-12).fit(scores).threshold_
    below = np.nextafter(threshold, -np.inf)
    assert naive.li_update(scores, below) == pytest.approx(threshold, abs=1e-9)

    heights = scores - scores.min()
    low, high = heights[scores < threshold], heights[scores >= threshold]
    for height in low:
        assert naive.li_loss(height, low.mean()) <= naive.li_loss(height, high.mean())
    for height in high:
        assert naive.li_loss(height, high.mean()) <= naive.li_loss(height, low.mean())


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_iteration_makes_the_cross_entropy_worse(sample):
    scores = SAMPLES[sample]
    threshold = LiThreshold().fit(scores).threshold_
    losses = [naive.cross_entropy(scores, scores.mean())]
    step = scores.mean()
    for _ in range(100):
        step = naive.li_update(scores, step)
        losses.append(naive.cross_entropy(scores, step))
    assert (np.diff(losses) <= 1e-9).all()
    assert naive.cross_entropy(scores, threshold) == pytest.approx(losses[-1])


def test_two_groups_reach_the_global_minimum():
    threshold = LiThreshold().fit(TWO_GROUPS).threshold_
    best = min(np.unique(TWO_GROUPS)[:-1], key=lambda t: naive.cross_entropy(TWO_GROUPS, t))
    assert np.count_nonzero(TWO_GROUPS < threshold) == 60
    assert np.count_nonzero(TWO_GROUPS <= best) == 60


@pytest.mark.parametrize("share_of_range", [None, 0.1, 0.9])
@pytest.mark.parametrize("sample", SAMPLES)
def test_equals_scikit_image(sample, share_of_range):
    scores = SAMPLES[sample]
    guess = None
    if share_of_range is not None:
        guess = scores.min() + share_of_range * np.ptp(scores)
    selector = LiThreshold(guess).fit(scores)
    expected = threshold_li(scores, initial_guess=guess)
    assert selector.threshold_ == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(selector.predict(scores), scores <= expected)


def test_the_threshold_is_the_next_float_above_the_fixed_point():
    # With only the lowest score in the low class the iteration ends where it starts.
    scores = np.array([0.0, 0.0, 0.25, 1.0])
    assert LiThreshold(0.2).fit(scores).threshold_ == np.nextafter(0.2, 1)
    just_below_a_score = LiThreshold(np.nextafter(0.25, 0)).fit(scores)
    assert just_below_a_score.threshold_ == 0.25
    assert just_below_a_score.predict(scores).tolist() == [1, 1, 0, 0]


def test_the_start_decides_between_local_minima():
    low = LiThreshold(0.2).fit(THREE_GROUPS).predict(THREE_GROUPS).sum()
    high = LiThreshold(0.9).fit(THREE_GROUPS).predict(THREE_GROUPS).sum()
    assert (low, high) == (40, 440)


def test_a_callable_gets_the_scores_and_gives_their_unit():
    seen = []

    def guess(scores):
        seen.append(np.sort(scores))
        return 0.9

    by_callable = LiThreshold(guess).fit(THREE_GROUPS)
    np.testing.assert_array_equal(seen[0], np.sort(THREE_GROUPS))
    assert by_callable.threshold_ == LiThreshold(0.9).fit(THREE_GROUPS).threshold_


@pytest.mark.parametrize("guess", [0.0, 1.0, -1, 5.0, lambda scores: scores.max()])
def test_a_guess_outside_the_scores_is_refused_by_name(guess):
    with pytest.raises(ValueError, match=r"initial_guess must lie strictly between.* 0 and 1; got"):
        LiThreshold(guess).fit([0.0, 0.4, 0.6, 1.0])


@pytest.mark.parametrize(
    ("scores", "n_flagged"),
    [
        ([0.0, 5e-324], 1),
        ([1.0, 1 + 2**-52], 1),
        ([1.0] + [1 + 2**-52] * 9, 1),  # the mean of all rounds to the upper score
        ([-1.7e308, 1.7e308], 1),
        ([0.0] * 90 + [1.0] * 10, 90),
        ([0.0] * 10 + [1.0] * 90, 10),
    ],
)
@pytest.mark.parametrize("guess", [None, "otsu", "median"])
def test_two_distinct_scores_are_told_apart(scores, n_flagged, guess):
    scores = np.array(scores)
    selector = LiThreshold(guess).fit(scores)
    assert selector.predict(scores).sum() == n_flagged
    assert not selector.predict(scores)[scores == scores.max()].any()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    ranks=st.lists(st.integers(0, 40), min_size=2, max_size=40).filter(lambda r: len(set(r)) > 1),
    exponent=st.sampled_from([-1074, -1022, -300, 0, 300, 1018]),
    shift=st.sampled_from([0, 0, -20, 2**52]),
)
def test_scores_at_the_limits_of_floats_are_split_as_ordinary_ones(ranks, exponent, shift):
    ordinary = LiThreshold().fit(ranks).predict(ranks)
    if shift == 2**52 and exponent > 900:
        exponent = 0
    scores = np.ldexp(np.array(ranks, dtype=float) + shift, exponent)
    np.testing.assert_array_equal(LiThreshold().fit(scores).predict(scores), ordinary)


def test_a_larger_tolerance_ends_earlier():
    scores = SAMPLES["skewed"]
    exact = LiThreshold().fit(scores).threshold_
    start = 0.1 * scores.max() + 0.9 * scores.min()
    rough = LiThreshold(start, tolerance=1e6).fit(scores)
    assert rough.threshold_ != pytest.approx(exact, abs=1e-3)
    assert rough.threshold_ == pytest.approx(naive.li_update(scores, start), rel=1e-12)


def test_a_start_by_name_is_the_same_as_by_number():
    rng = np.random.default_rng(1)
    scores = np.r_[rng.lognormal(0, 1.5, 60), rng.normal(40, 3, 30), rng.normal(100, 1, 50)]
    starts = {"otsu": OtsuThreshold().fit(scores).threshold_, "median": np.sort(scores)[69]}
    found = {name: LiThreshold(name).fit(scores).threshold_ for name in starts}
    assert found == {
        name: LiThreshold(float(s)).fit(scores).threshold_ for name, s in starts.items()
    }
    assert found["otsu"] != found["median"]
