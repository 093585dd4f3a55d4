"""The one-sided rules: quantile and interquartile range; and the base they all stand on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagequality.thresholds import (
    FixedThreshold,
    IQRThreshold,
    OtsuThreshold,
    QuantileThreshold,
    ThresholdSelector,
)
from imagequality.thresholds._composed import ComposedThreshold
from imagequality.thresholds._histogram import HistogramThreshold

# --- quantile -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 100, 101, 999])
@pytest.mark.parametrize("percent", [0, 1, 5, 7, 29, 50, 58, 99])
def test_quantile_flags_exactly_the_share_of_distinct_scores(n, percent):
    scores = np.random.default_rng(0).permutation(n) / n
    flags = QuantileThreshold(percent / 100).fit(scores).predict(scores)
    # In whole numbers: 0.29 · 100 is 28.999… as a float.
    assert flags.sum() == percent * n // 100


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    scores=st.lists(st.integers(0, 9).map(float), min_size=2, max_size=50),
    quantile=st.floats(0, 1, exclude_max=True),
)
def test_quantile_flags_no_more_than_the_share_and_all_that_ties_allow(scores, quantile):
    selector = QuantileThreshold(quantile).fit(scores)
    allowed = quantile * len(scores) * (1 + 1e-9)
    assert selector.predict(scores).sum() <= allowed
    if len(set(scores)) > 1:
        # The tied scores at the threshold would have been too many.
        assert sum(score <= selector.threshold_ for score in scores) > quantile * len(scores) - 1e-9


# --- interquartile range ------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0, 1.5, 3.0])
def test_iqr_is_the_fence_below_the_lower_quartile(factor):
    scores = np.r_[np.random.default_rng(0).normal(0.7, 0.05, 101), 0.1]
    q1, q3 = np.percentile(scores, [25, 75])
    assert IQRThreshold(factor).fit(scores).threshold_ == pytest.approx(q1 - factor * (q3 - q1))


@pytest.mark.parametrize(
    "scores",
    [
        [0.98] + [1.0] * 9,
        [0.1, 0.2] + [0.9] * 20 + [0.95],
        # three tenths, reached in two ways: a range of one rounding error
        [0.1] + [0.3] * 10 + [0.1 + 0.2] * 10,
    ],
)
def test_iqr_of_zero_flags_nothing(scores):
    selector = IQRThreshold().fit(scores)
    assert not selector.predict(scores).any()
    assert selector.reason_ == "the interquartile range is zero"


def test_iqr_of_one_quantum_is_no_zero():
    scores = np.array([0.5] + [0.9] * 30 + [0.95] * 30)
    assert IQRThreshold().fit(scores).predict(scores).tolist() == [1] + [0] * 60


def test_iqr_survives_overflow():
    scores = np.array([-1.7e308, -1e308, 1e308, 1.7e308])
    assert IQRThreshold().fit(scores).threshold_ == -np.finfo(float).max
    assert IQRThreshold(0).fit(scores).threshold_ == pytest.approx(-1.175e308)


# --- the base -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scores", [[], [np.nan, np.nan]])
def test_no_score_at_all_is_refused(scores):
    with pytest.raises(ValueError, match="OtsuThreshold needs at least one score"):
        OtsuThreshold().fit(scores)


@pytest.mark.parametrize("scores", [[0.1, np.inf], [-np.inf, 0.1]])
def test_infinite_scores_are_refused(scores):
    with pytest.raises(ValueError, match="infinite"):
        OtsuThreshold().fit(scores)
    with pytest.raises(ValueError, match="infinite"):
        OtsuThreshold().fit([0.1, 0.9]).predict(scores)


@pytest.mark.parametrize("scores", [[[0.1, 0.2], [0.3, 0.4]], 0.5, [[[0.1]]]])
def test_other_shapes_are_refused(scores):
    with pytest.raises(ValueError, match=r"shape \(n,\) or \(n, 1\)"):
        OtsuThreshold().fit(scores)


def test_a_column_and_nan_are_taken():
    scores = np.array([0.1, np.nan, 0.2, 0.8, np.nan, 0.9])
    flat = OtsuThreshold().fit(scores[~np.isnan(scores)])
    column = OtsuThreshold().fit(scores[:, None])
    assert column.threshold_ == flat.threshold_
    assert column.n_samples_ == 4
    assert column.predict(scores[:, None]).tolist() == [1, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(("value", "threshold"), [(0.0, 0), (0.7, 0), (1.0, 0), (-3.0, -3)])
def test_equal_scores_are_never_flagged(value, threshold):
    selector = OtsuThreshold().fit([value] * 5)
    assert selector.threshold_ == threshold
    assert selector.reason_ == "all scores are equal"
    assert not selector.predict([value] * 5).any()


def test_a_selector_that_chooses_no_finite_threshold_is_told_so():
    class Broken(ThresholdSelector):
        def _select(self, scores):
            return np.nan

    with pytest.raises(ValueError, match="Broken chose nan; a threshold must be finite"):
        Broken().fit([0.1, 0.2])


def test_fixed_threshold_holds_for_any_scores():
    for scores in ([], [np.nan], [0.7, 0.7], [0.1, 0.9]):
        assert FixedThreshold(0.3).fit(scores).threshold_ == 0.3


def test_a_selector_without_its_hook_says_what_to_implement():
    class NoSelect(ThresholdSelector):
        pass

    class NoCriterion(HistogramThreshold):
        bins = 4

    class NoLabels(ThresholdSelector):
        uses_y = True

    class NoDefaults(ComposedThreshold):
        pass

    with pytest.raises(NotImplementedError, match=r"NoSelect must implement _select\(scores\)"):
        NoSelect().fit([0.1, 0.2])
    with pytest.raises(NotImplementedError, match="NoCriterion must implement _criterion"):
        NoCriterion().fit([0.1, 0.2])
    with pytest.raises(NotImplementedError, match="NoLabels must implement _threshold_for_labels"):
        NoLabels().fit([0.1, 0.2], [1, 0])
    with pytest.raises(NotImplementedError):
        NoDefaults().get_params()
