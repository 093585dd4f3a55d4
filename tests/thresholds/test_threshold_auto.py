"""AutoThreshold: its parts against slow ones, clean data, planted groups, limits, odd input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import f as f_distribution

from imagequality.thresholds import AutoThreshold
from imagequality.thresholds._modes import (
    _basins,
    _density,
    bulk_scale,
    find_gap,
    lower_scale,
    median_and_scale,
)

few = settings(max_examples=80, deadline=None, derandomize=True)


def scores_of(seed):
    """Sorted scores of many shapes and sizes, some with a low group, ties and zeros."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 300))
    bulk = [rng.normal(0.8, 0.05, n), rng.beta(8, 2, n), rng.uniform(0.3, 0.9, n)][seed % 3]
    low = rng.normal(rng.uniform(0, 0.5), 0.03, int(rng.integers(0, n // 3)))
    scores = np.r_[bulk, low]
    return np.sort(np.round(scores, 2) if seed % 5 == 0 else scores)


# --- the parts, beside slow ones ----------------------------------------------------------------


@few
@given(seed=st.integers(0, 10**6))
def test_bulk_is_the_shortest_half(seed):
    ordered = scores_of(seed)
    half = len(ordered) // 2 + 1
    starts = range(len(ordered) - half + 1)
    shortest = min(ordered[i + half - 1] - ordered[i] for i in starts)
    centre, scale = bulk_scale(ordered)
    assert scale == pytest.approx(shortest / 1.349)
    medians = [
        np.median(ordered[i : i + half])
        for i in starts
        if ordered[i + half - 1] - ordered[i] <= shortest * (1 + 1e-9) + 1e-15
    ]
    assert min(medians) - 1e-12 <= centre <= max(medians) + 1e-12


@pytest.mark.parametrize("width", [0.0, 0.1])
def test_bulk_stays_where_it_is_with_nearly_half_of_the_scores_elsewhere(width):
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(0.8, 0.05, 5500), rng.normal(0.2, width, 4500)]
    centre, scale = bulk_scale(np.sort(scores))
    assert centre == pytest.approx(0.8, abs=0.02)
    assert 0.05 < scale < 0.13  # 0.125: half of all are ten elevenths of the bulk


def test_scales_are_standard_deviations_of_a_normal():
    values = np.random.default_rng(0).normal(0.7, 0.05, 200_001)
    for centre, scale in (
        median_and_scale(values),
        lower_scale(values),
        bulk_scale(np.sort(values)),
    ):
        assert centre == pytest.approx(0.7, abs=0.01)
        assert scale == pytest.approx(0.05, rel=0.02)


def test_lower_scale_looks_below_the_median_only():
    values = np.r_[np.linspace(0.5, 0.7, 101), np.linspace(0.7, 0.71, 101)]
    stretched = np.r_[np.linspace(0.5, 0.7, 101), np.linspace(0.7, 9.0, 101)]
    assert lower_scale(values) == pytest.approx(lower_scale(stretched))


@few
@given(seed=st.integers(0, 10**6), exponent=st.floats(-2.5, 0))
def test_density_is_the_sum_of_gaussians(seed, exponent):
    ordered = scores_of(seed)
    bandwidth = 10**exponent
    grid, density = _density(ordered, bandwidth)
    direct = np.array(
        [sum(math.exp(-0.5 * ((x - s) / bandwidth) ** 2) for s in ordered) for x in grid[::7]]
    )
    # Both scaled to the same mass; the histogram moves each score by half a cell at most.
    assert np.diff(grid).max() <= bandwidth / 4
    cell = grid[1] - grid[0]
    direct *= cell / (bandwidth * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(density[::7], direct, atol=0.08 * density.max())
    assert density.sum() == pytest.approx(len(ordered), rel=0.01)


def naive_gap(ordered, significance):
    """The gap rule, spacing by spacing, with SciPy's F distribution."""
    n = len(ordered)
    median = float(np.median(ordered))
    scale = 1.4826 * float(np.median([abs(s - median) for s in ordered]))
    scale = max(scale, 0.02 * abs(bulk_scale(ordered)[0]))
    compared = min(20, n // 4)
    tested = int(min(max(20, 0.02 * n), n // 4))
    found = None
    for rank in range(2, tested + 1):  # as many scores lie below the spacing
        width = ordered[rank] - ordered[rank - 1]
        following = [
            k * (ordered[k] - ordered[k - 1]) for k in range(rank + 1, rank + compared + 1)
        ]
        mean = max(sum(following) / compared, 0.05 * scale)
        p = f_distribution.sf(rank * width / mean, 2, 2 * compared)
        if (
            p <= significance / tested
            and width >= scale
            and median - ordered[rank - 1] >= 3 * scale
        ):
            found = (rank, (ordered[rank - 1] + ordered[rank]) / 2)
    return found


@few
@given(seed=st.integers(0, 10**6), n_low=st.integers(0, 6), significance=st.floats(1e-4, 0.2))
@example(seed=0, n_low=2, significance=0.01)
def test_gap_is_that_of_the_loop(seed, n_low, significance):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 400))
    low = rng.uniform(0.1, 0.6) + rng.exponential(0.01, n_low)
    ordered = np.sort(np.r_[low, 0.9 - rng.exponential(0.03, n)])
    gap, expected = find_gap(ordered, significance=significance), naive_gap(ordered, significance)
    if expected is None:
        assert gap is None
    else:
        assert (gap.size, gap.threshold) == (expected[0], pytest.approx(expected[1]))
        assert gap.kind == "gap"


# --- clean data ---------------------------------------------------------------------------------

CLEAN = {
    "normal": lambda rng, n: rng.normal(0.8, 0.05, n),
    "skewed": lambda rng, n: rng.beta(8, 2, n),
    "skewed, near 1": lambda rng, n: rng.beta(20, 3, n),
    "uniform": lambda rng, n: rng.uniform(0.2, 0.9, n),
    "exponential left tail": lambda rng, n: 1 - rng.exponential(0.06, n).clip(0, 1),
    "quantised": lambda rng, n: np.round(rng.normal(0.8, 0.05, n), 2),
    "laplace": lambda rng, n: rng.laplace(0.8, 0.04, n),
}
SIZES = {20: 100, 50: 100, 200: 60, 1000: 30, 5000: 6, 20_000: 3}  # n: seeds


@pytest.mark.parametrize("shape", CLEAN)
def test_clean_scores_are_left_alone(shape):
    flagged = dict.fromkeys(SIZES, 0)
    for n, seeds in SIZES.items():
        for seed in range(seeds):
            scores = CLEAN[shape](np.random.default_rng([seed, n]), n)
            selector = AutoThreshold().fit(scores)
            flagged[n] += int(selector.predict(scores).sum())
            assert selector.separated_ or selector.reason_ == "no separate low group"
            assert selector.separated_ or not selector.predict(scores).any()
    n_scores = sum(n * seeds for n, seeds in SIZES.items())
    assert sum(flagged.values()) <= 0.002 * n_scores, flagged
    assert sum(flagged[n] for n in (1000, 5000, 20_000)) <= 0.0005 * n_scores, flagged


# --- planted groups -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("distance", [0.4, 0.5, 0.7])  # 8, 10 and 14 standard deviations
@pytest.mark.parametrize(
    ("n", "n_bad"), [(100, 10), (100, 40), (1000, 10), (1000, 40), (1000, 400), (20_000, 8000)]
)
def test_a_planted_group_is_found(n, n_bad, distance, seed):
    rng = np.random.default_rng([seed, n, n_bad])
    good, bad = rng.normal(0.8, 0.05, n - n_bad), rng.normal(0.8 - distance, 0.05, n_bad)
    selector = AutoThreshold().fit(np.r_[good, bad])
    assert selector.separated_
    assert selector.reason_ == "valley below the bulk" or selector.reason_.startswith("gap below")
    assert selector.predict(bad).mean() >= 0.9
    assert selector.predict(good).sum() <= max(1, 0.005 * good.size)
    # The threshold is one of the candidates, or where a gap was found, that.
    assert selector.threshold_ in selector.candidates_


def test_fewer_nearer_groups_are_found_when_large():
    rng = np.random.default_rng(0)
    good, bad = rng.normal(0.8, 0.05, 900), rng.normal(0.55, 0.05, 100)
    selector = AutoThreshold().fit(np.r_[good, bad])
    assert selector.predict(bad).mean() >= 0.9
    assert selector.predict(good).mean() <= 0.02


def test_a_few_scores_far_below_are_found_by_their_gap():
    rng = np.random.default_rng(0)
    scores = np.r_[0.1, 0.12, 0.14, rng.normal(0.8, 0.05, 400)]
    selector = AutoThreshold().fit(scores)
    assert selector.separated_
    assert selector.reason_ == "gap below the lowest scores of the bulk"
    assert selector.predict(scores).nonzero()[0].tolist() == [0, 1, 2]
    assert selector.threshold_ == (0.14 + np.sort(scores)[3]) / 2
    np.testing.assert_array_equal(selector.candidates_, [selector.threshold_])


def test_the_larger_part_is_the_bulk_even_when_it_lies_below():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(0.3, 0.03, 700), rng.normal(0.8, 0.03, 300)]
    assert not AutoThreshold().fit(scores).predict(scores).any()


def test_never_more_than_half_of_the_scores_are_a_low_group():
    rng = np.random.default_rng(0)
    groups = [rng.normal(centre, 0.03, n) for centre, n in ((0.1, 300), (0.4, 250), (0.8, 450))]
    selector = AutoThreshold().fit(np.concatenate(groups))
    assert selector.separated_
    assert [selector.predict(group).mean() for group in groups] == [1, 0, 0]


TWO_GROUPS = np.r_[
    np.random.default_rng(1).normal(0.8, 0.05, 950), np.random.default_rng(2).normal(0.4, 0.04, 50)
]


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, True),
        ({"separation": 7.0}, True),
        ({"separation": 9.0}, False),
        ({"depth": 0.01}, True),
        ({"significance": 1e-300}, False),
    ],
    ids=str,
)
def test_what_the_tests_demand(parameters, found):
    # The group lies about eight scales below the bulk; the valley between them is empty.
    selector = AutoThreshold(**parameters).fit(TWO_GROUPS)
    assert (selector.reason_ == "valley below the bulk") == found


# --- floor and cap ------------------------------------------------------------------------------

BULK = np.random.default_rng(3).normal(0.8, 0.05, 1000)


def test_the_floor_is_the_threshold_where_nothing_is_found():
    selector = AutoThreshold(floor=0.3).fit(BULK)
    assert (selector.threshold_, selector.separated_) == (0.3, False)
    assert selector.reason_ == "no separate low group; fixed limit"
    one_bad = AutoThreshold(floor=0.3).fit(np.r_[BULK, 0.2])
    assert one_bad.predict([0.2, 0.31]).tolist() == [1, 0]


def test_a_floor_inside_the_bulk_is_lowered():
    selector = AutoThreshold(floor=0.78).fit(BULK)
    median = np.median(BULK)
    scale = 1.4826 * np.median(median - BULK[BULK <= median])
    assert selector.threshold_ == pytest.approx(median - 3 * scale)
    assert selector.reason_ == "no separate low group; fixed limit, lowered"
    assert selector.predict(BULK).mean() <= 0.005


def test_a_valley_below_the_floor_is_raised_to_it():
    scores = np.r_[BULK, np.random.default_rng(4).normal(0.05, 0.01, 50)]
    assert AutoThreshold().fit(scores).threshold_ < 0.55
    selector = AutoThreshold(floor=0.6).fit(scores)
    assert (selector.threshold_, selector.separated_) == (0.6, True)
    assert selector.reason_ == "valley below the bulk, raised to the fixed limit"


def test_a_valley_above_the_cap_is_lowered_to_it():
    uncapped = AutoThreshold().fit(TWO_GROUPS).threshold_
    assert uncapped > 0.45
    selector = AutoThreshold(cap=0.45).fit(TWO_GROUPS)
    assert (selector.threshold_, selector.separated_) == (0.45, True)
    assert selector.reason_ == "valley below the bulk, lowered to the cap"
    assert AutoThreshold(cap=0.9).fit(TWO_GROUPS).threshold_ == uncapped


def test_a_second_population_above_the_cap_is_not_flagged():
    selector = AutoThreshold(cap=0.2).fit(TWO_GROUPS)
    assert not selector.predict(TWO_GROUPS).any()


def test_floor_and_cap_bound_the_threshold():
    rng = np.random.default_rng(5)
    for seed in range(60):
        scores = scores_of(seed)
        floor, cap = np.sort(rng.uniform(0.1, 0.7, 2))
        selector = AutoThreshold(floor, cap).fit(scores)
        assert selector.threshold_ <= max(floor, cap)
        if "lowered" not in selector.reason_ and not selector.separated_:
            assert selector.threshold_ >= floor


def overlapping(share, n=2000):
    rng = np.random.default_rng(0)
    n_bad = round(share * n)
    return np.r_[rng.normal(0.85, 0.04, n - n_bad), rng.uniform(0.5, 0.78, n_bad)]


def test_excess_flags_more_low_scores_than_clean_images_have():
    # 0.6 % of the good ones lie below 0.75: the limits are calibrated, as they must be.
    scores = overlapping(0.3)
    assert not AutoThreshold().fit(scores).separated_
    selector = AutoThreshold(floor=0.5, cap=0.75).fit(scores)
    assert selector.reason_ == "more low scores than clean images have, no valley"
    assert not selector.separated_
    assert 0.5 < selector.threshold_ <= 0.75
    flags = selector.predict(scores)
    assert flags[1400:].mean() > 0.5
    assert flags[:1400].mean() < 0.05
    # A linear space of limits; the next higher one would have held too many clean scores.
    step = (0.75 - 0.5) / 40
    assert (selector.threshold_ - 0.5) / step == pytest.approx(
        round((selector.threshold_ - 0.5) / step)
    )


@pytest.mark.parametrize("limits", [(0.5, None), (None, 0.75), (0.75, 0.5), (0.5, 0.5)])
def test_no_excess_without_two_limits_in_order(limits):
    selector = AutoThreshold(*limits).fit(overlapping(0.3))
    assert "more low scores" not in selector.reason_


@pytest.mark.parametrize("share", [0, 0.005, 0.015])
def test_no_excess_for_a_few_low_scores(share):
    selector = AutoThreshold(floor=0.5, cap=0.75).fit(overlapping(share))
    assert "more low scores" not in selector.reason_
    assert selector.threshold_ <= 0.5


@pytest.mark.parametrize(("share", "flagged"), [(0.018, False), (0.022, True)])
def test_excess_needs_two_percent(share, flagged):
    rng = np.random.default_rng(0)
    n_bad = int(share * 10_000)
    scores = np.r_[rng.normal(0.85, 0.04, 10_000 - n_bad), rng.uniform(0.5, 0.55, n_bad)]
    # At this level of significance no valley and no gap is found.
    selector = AutoThreshold(0.5, 0.75, significance=1e-300).fit(scores)
    assert ("more low scores" in selector.reason_) == flagged
    assert (selector.threshold_ > 0.5) == flagged


# --- max_flag_rate and expected_false_flags_ ----------------------------------------------------


@pytest.mark.parametrize("rate", [0.001, 0.0123, 0.03, 0.0499])
def test_max_flag_rate_keeps_the_lowest(rate):
    selector = AutoThreshold(max_flag_rate=rate).fit(TWO_GROUPS)
    allowed = int(rate * 1000)
    flags = selector.predict(TWO_GROUPS)
    assert flags.sum() == allowed
    assert set(np.argsort(TWO_GROUPS)[:allowed]) == set(flags.nonzero()[0])
    assert selector.reason_ == f"valley below the bulk, lowered to flag at most {rate:.3g}"


@pytest.mark.parametrize("rate", [0.06, 1.0])
def test_max_flag_rate_changes_nothing_where_it_is_kept(rate):
    unlimited = AutoThreshold().fit(TWO_GROUPS)
    limited = AutoThreshold(max_flag_rate=rate).fit(TWO_GROUPS)
    assert (limited.threshold_, limited.reason_) == (unlimited.threshold_, unlimited.reason_)


def test_max_flag_rate_with_ties_flags_fewer_rather_than_more():
    scores = np.r_[np.full(60, 0.2), np.random.default_rng(0).normal(0.8, 0.05, 940)]
    assert AutoThreshold().fit(scores).predict(scores).sum() == 60
    assert AutoThreshold(max_flag_rate=0.05).fit(scores).predict(scores).sum() == 0


def test_max_flag_rate_bounds_the_fixed_limit_too():
    scores = np.random.default_rng(0).uniform(0, 1, 10)
    selector = AutoThreshold(floor=0.9, max_flag_rate=0.3).fit(scores)
    assert selector.predict(scores).sum() == 3


def test_expected_false_flags_are_those_of_a_normal_bulk():
    n = 50_000
    scores = np.random.default_rng(0).normal(0.8, 0.05, n)
    selector = AutoThreshold(floor=0.7).fit(scores)  # lowered to three scales
    assert selector.expected_false_flags_ == pytest.approx(0.00135 * n, rel=0.1)
    assert selector.expected_false_flags_ == pytest.approx(selector.predict(scores).sum(), rel=0.3)


def test_expected_false_flags_are_none_where_the_group_lies_far_away():
    selector = AutoThreshold().fit(np.r_[BULK, np.full(50, 0.1)])
    assert selector.separated_
    assert selector.expected_false_flags_ < 0.01
    assert AutoThreshold().fit(np.full(30, 0.5)).expected_false_flags_ == 0


# --- few scores, equal scores, odd scores -------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 26))
def test_from_one_score_on(n):
    rng = np.random.default_rng(n)
    for scores in (rng.uniform(size=n), np.r_[np.zeros(n // 2), np.ones(n - n // 2)]):
        without = AutoThreshold().fit(scores)
        limited = AutoThreshold(floor=0.4, cap=0.6).fit(scores)
        if n < 20:
            assert not without.predict(scores).any()
            assert limited.threshold_ == 0.4
        if 1 < n < 20:
            assert without.reason_ == "fewer than 20 scores"
            assert limited.reason_ == "fewer than 20 scores; fixed limit"


@pytest.mark.parametrize("n", [1, 5, 19, 20, 500])
def test_equal_scores(n):
    for value in (-2.0, 0.0, 0.3, 1.0):
        selector = AutoThreshold().fit(np.full(n, value))
        assert not selector.predict([value]).any()
        assert selector.reason_ == "all scores are equal"
    above = AutoThreshold(floor=0.3).fit(np.full(n, 0.3))
    assert (above.threshold_, above.reason_) == (0.3, "all scores are equal; fixed limit")
    below = AutoThreshold(floor=0.3).fit(np.full(n, 0.2))
    # A handful of equally bad images is bad; in a large collection nothing stands out.
    assert below.predict([0.2]).tolist() == [int(n < 20)]


def test_two_values():
    scores = np.repeat([0.2, 0.9], [12, 88])
    selector = AutoThreshold().fit(scores)
    assert selector.separated_
    assert selector.predict(scores).sum() == 12
    mostly_low = np.repeat([0.2, 0.9], [88, 12])
    assert not AutoThreshold().fit(mostly_low).predict(mostly_low).any()


def test_zero_inflated_scores():
    scores = np.r_[np.zeros(300), np.random.default_rng(0).normal(0.75, 0.07, 900)]
    selector = AutoThreshold().fit(scores)
    assert selector.predict(scores).nonzero()[0].tolist() == list(range(300))


def test_a_single_level_apart_from_quantised_scores():
    bulk = np.round(np.random.default_rng(0).normal(0.8, 0.05, 500), 2)
    selector = AutoThreshold().fit(np.r_[bulk, np.full(30, 0.2)])
    assert selector.predict([0.2]).tolist() == [1]
    assert not selector.predict(bulk).any()


ODD = {
    "denormals": np.arange(40) * 5e-324,
    "denormals and more": np.r_[np.arange(40) * 5e-324, 1e-300],
    "adjacent floats": np.r_[np.full(30, 1.0), np.full(5, 1 - 2**-53)],
    "huge": np.random.default_rng(0).normal(0, 1e300, 100),
    "one huge": np.r_[1e300, BULK],
    "one hugely negative": np.r_[-1e300, BULK],
    "negative": -BULK,
    "one zero": np.r_[0, np.ones(50)],
    "two zeros": np.r_[0, 0, np.ones(50)],
    "constant": np.full(40, 0.3),
}


@pytest.mark.parametrize("rate", [None, 0.1])
@pytest.mark.parametrize(
    "limits", [(None, None), (0.2, None), (None, 0.5), (0.2, 0.5), (0.5, 0.2), (0.0, 0.0)]
)
@pytest.mark.parametrize("name", ODD)
def test_odd_scores_give_a_finite_threshold(name, limits, rate):
    selector = AutoThreshold(*limits, max_flag_rate=rate).fit(ODD[name])
    assert np.isfinite(selector.threshold_)
    assert np.isfinite(selector.expected_false_flags_)
    assert selector.reason_
    # The fixed limit may bound other scores than these; beyond it the best is never flagged.
    if limits[0] is None:
        assert not selector.predict([ODD[name].max()]).any()


@few
@given(
    scores=st.one_of(
        st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=60),
        st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=80),
        st.lists(st.integers(-3, 3).map(lambda k: k * 5e-324), min_size=20, max_size=40),
        st.lists(st.sampled_from([0.1, 0.1 + 2**-55, 0.9, 0.9 + 2**-53]), min_size=20),
    ),
    floor=st.none() | st.floats(0, 1),
    cap=st.none() | st.floats(0, 1),
    separation=st.sampled_from([1e-9, 2.0, 100.0]),
)
def test_any_scores_give_a_finite_threshold_whatever_their_order(scores, floor, cap, separation):
    selector = AutoThreshold(floor, cap, separation=separation).fit(scores)
    assert np.isfinite(selector.threshold_)
    assert 0 <= selector.expected_false_flags_ <= max(1, 10 * len(scores))
    other = AutoThreshold(floor, cap, separation=separation).fit(scores[::-1])
    assert (other.threshold_, other.reason_) == (selector.threshold_, selector.reason_)


@few
@given(seed=st.integers(0, 10**6))
def test_order_nan_and_a_refit_do_not_matter(seed):
    scores = scores_of(seed)
    first = AutoThreshold(0.2, 0.6).fit(scores)
    shuffled = np.random.default_rng(seed).permutation(np.r_[scores, np.nan])
    second = AutoThreshold(0.2, 0.6).fit(BULK).fit(shuffled)
    for name in ("threshold_", "separated_", "reason_", "expected_false_flags_", "n_samples_"):
        assert getattr(first, name) == getattr(second, name)
    np.testing.assert_array_equal(first.candidates_, second.candidates_)


# --- parameters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("floor", np.nan),
        ("floor", "low"),
        ("cap", np.inf),
        ("separation", 0),
        ("depth", 0),
        ("depth", 1.0),
        ("significance", 0),
        ("significance", 1),
        ("max_flag_rate", 0),
        ("max_flag_rate", 1.1),
    ],
)
def test_a_bad_parameter_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of AutoThreshold"):
        AutoThreshold(**{name: value}).fit(BULK)


@pytest.mark.parametrize("floor", [None, 0.3])
@pytest.mark.parametrize("scores", [[], [np.nan]])
def test_no_score_at_all_is_refused(scores, floor):
    with pytest.raises(ValueError, match="AutoThreshold needs at least one score"):
        AutoThreshold(floor).fit(scores)


def test_bad_scores_do_not_hide_others_from_the_fixed_limit():
    bulk = np.random.default_rng(0).uniform(0.32, 0.9, 950)
    far, near = np.random.default_rng(1).normal(0.02, 0.005, 47), np.array([0.2, 0.25, 0.28])
    without = AutoThreshold(0.3, 0.47).fit(np.r_[bulk, near])
    with_far = AutoThreshold(0.3, 0.47).fit(np.r_[bulk, near, far])
    assert without.predict(near).tolist() == [1, 1, 1]
    assert with_far.predict(near).tolist() == [1, 1, 1]
    assert with_far.predict(bulk).sum() == 0


def test_a_gap_above_the_cap_is_no_reason_to_flag_what_lies_below_it():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(0.97, 0.005, 97), 0.74, 0.75, 0.76]
    assert AutoThreshold().fit(scores).separated_
    selector = AutoThreshold(0.35, 0.755).fit(scores)
    assert not selector.separated_
    assert selector.predict(scores).sum() == 0


def test_max_flag_rate_is_exact():
    scores = np.r_[np.linspace(0, 0.1, 29), np.linspace(0.8, 0.9, 71)]
    assert AutoThreshold(max_flag_rate=0.29).fit(scores).predict(scores).sum() == 29
    assert AutoThreshold(max_flag_rate=0.28).fit(scores).predict(scores).sum() == 28


# --- what a fuzz found ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_low", [0, 5, 60])
@pytest.mark.parametrize(("floor", "cap"), [(None, None), (0.2, 0.6), (0.7, None)])
def test_scores_near_the_largest_float_are_divided_as_smaller_ones(n_low, floor, cap):
    rng = np.random.default_rng(n_low)
    scores = np.r_[rng.normal(0.1, 0.02, n_low), rng.normal(0.75, 0.05, 300)]

    def selector(exponent):
        limits = [None if limit is None else math.ldexp(limit, exponent) for limit in (floor, cap)]
        return AutoThreshold(*limits, max_flag_rate=0.15).fit(np.ldexp(scores, exponent))

    usual = selector(0)
    assert usual.separated_ == (n_low > 0)
    for exponent in (20, 800, 1023):
        large = selector(exponent)
        assert large.threshold_ == math.ldexp(usual.threshold_, exponent)
        assert large.candidates_.tolist() == np.ldexp(usual.candidates_, exponent).tolist()
        assert (large.reason_, large.separated_) == (usual.reason_, usual.separated_)
        assert large.expected_false_flags_ == usual.expected_false_flags_


def test_limits_whose_difference_overflows():
    scores = np.random.default_rng(0).normal(0.75, 0.05, 300)
    selector = AutoThreshold(-1.7e308, 1.7e308).fit(scores)
    assert not selector.predict(scores).any()


def test_a_level_of_almost_nothing_finds_almost_nothing():
    gap = np.r_[0.1, 0.11, 0.12, np.random.default_rng(0).normal(0.75, 0.02, 300)]
    assert AutoThreshold(significance=0.05).fit(gap).separated_
    assert not AutoThreshold(significance=5e-324).fit(gap).separated_


# --- what no other test noticed when it was changed -----------------------------------------------


def test_the_reason_says_what_became_of_the_valley():
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(0.1, 0.02, 30), rng.normal(0.75, 0.05, 300)]
    valley = AutoThreshold().fit(scores).threshold_
    at_the_cap = AutoThreshold(cap=valley).fit(scores)
    assert (at_the_cap.threshold_, at_the_cap.reason_) == (valley, "valley below the bulk")
    raised = AutoThreshold(floor=0.5).fit(scores)
    assert raised.reason_ == "valley below the bulk, raised to the fixed limit"
    into_the_bulk = AutoThreshold(floor=0.72).fit(scores)
    assert into_the_bulk.reason_ == (
        "valley below the bulk, raised to the fixed limit, itself lowered"
    )
    assert valley < into_the_bulk.threshold_ < 0.72


def test_an_excess_must_be_more_than_chance():
    """Two in a hundred may be; forty in two thousand are not."""
    scores = np.r_[0.28, 0.29, np.linspace(0.75, 0.85, 98)]
    selector = AutoThreshold(0.3, 0.7, significance=1e-300)  # no valley, no gap
    assert selector.fit(scores).reason_ == "no separate low group; fixed limit"
    assert selector.fit(np.tile(scores, 20)).reason_ == (
        "more low scores than clean images have, no valley"
    )


@pytest.mark.parametrize("beside", [-2.0, 2.0])
def test_a_valley_is_counted_within_one_and_a_half_bandwidths(beside):
    grid = np.arange(21.0)
    density = np.interp(grid, [0, 5, 10, 15, 20], [0, 1, 0.1, 1.5, 0])
    ordered = np.sort(np.repeat([5.0, 15.0, 10.0 + beside], 12))
    peaks, valleys = _basins(grid, density, ordered, 1.0, depth=0.5, significance=0.01)
    assert (peaks, valleys) == ([5, 15], [10])
    peaks, valleys = _basins(grid, density, ordered, 1.5, depth=0.5, significance=0.01)
    assert (peaks, valleys) == ([15], [])  # now as many lie in the valley as at the peak


def test_a_bulk_of_equal_scores_has_the_least_scale_for_a_gap():
    ordered = np.r_[0.1, 0.11, 0.12, np.full(100, 0.9)]
    gap = find_gap(ordered, significance=0.01)
    assert (gap.size, gap.threshold) == (3, pytest.approx(0.51))
