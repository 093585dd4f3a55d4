"""The gamma mixture: its likelihood, its cut, and what happens when it degenerates."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import digamma

from imagequality.thresholds import GammaMixtureThreshold, _gamma
from imagequality.thresholds._gamma import FLOOR, _falling_zero, _most_likely, _points

rng = np.random.default_rng(3)
SEPARATED = np.r_[rng.gamma(20, 0.01, 60), rng.gamma(200, 0.004, 240)]
SAMPLES = {
    "separated": SEPARATED,
    "overlapping": np.r_[rng.gamma(30, 0.018, 80), rng.gamma(100, 0.008, 160)],
    "unequal spread": np.r_[rng.gamma(4, 0.1, 60), rng.gamma(300, 0.003, 200)],
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_log_likelihood_is_that_of_the_definition_and_no_worse_than_an_optimiser_s(sample):
    scores = SAMPLES[sample]
    selector = GammaMixtureThreshold().fit(scores)
    of_definition = naive.gamma_mixture_log_likelihood(
        scores, selector.weights_, selector.shapes_, selector.scales_
    )
    assert selector.log_likelihood_ == pytest.approx(of_definition, abs=1e-6)
    assert selector.log_likelihood_ >= naive.best_gamma_mixture(scores) - 1e-3
    assert selector.weights_.sum() == pytest.approx(1)
    assert np.diff(selector.shapes_ * selector.scales_) > 0


def test_true_parameters_are_found():
    many = np.random.default_rng(0)
    scores = np.r_[many.gamma(20, 0.01, 4000), many.gamma(200, 0.004, 16000)]
    selector = GammaMixtureThreshold().fit(scores)
    np.testing.assert_allclose(selector.weights_, [0.2, 0.8], atol=0.01)
    np.testing.assert_allclose(selector.shapes_, [20, 200], rtol=0.1)
    np.testing.assert_allclose(selector.scales_, [0.01, 0.004], rtol=0.1)


@pytest.mark.parametrize("sample", SAMPLES)
def test_optimal_cut_maximises_sensitivity_plus_specificity(sample):
    selector = GammaMixtureThreshold().fit(SAMPLES[sample])

    def gain(t):
        low, high = (
            stats.gamma(shape, scale=scale)
            for shape, scale in zip(selector.shapes_, selector.scales_, strict=True)
        )
        return low.cdf(t) + high.sf(t)

    grid = np.linspace(1e-6, 1.5, 20001)
    assert gain(selector.threshold_) >= gain(grid).max() - 1e-9


@pytest.mark.parametrize("sample", SAMPLES)
def test_intersection_minimises_the_share_of_wrong_decisions(sample):
    selector = GammaMixtureThreshold(cutoff="intersection").fit(SAMPLES[sample])

    def errors(t):
        low, high = (
            stats.gamma(shape, scale=scale)
            for shape, scale in zip(selector.shapes_, selector.scales_, strict=True)
        )
        return selector.weights_[0] * low.sf(t) + selector.weights_[1] * high.cdf(t)

    grid = np.linspace(1e-6, 1.5, 20001)
    assert errors(selector.threshold_) <= errors(grid).min() + 1e-9


def test_a_component_s_shape_solves_the_likelihood_equation():
    shapes = np.geomspace(0.02, 1e5, 30)
    # log mean − mean log of a gamma distribution, here with mean 2
    gaps = np.log(shapes) - digamma(shapes)
    sums = np.stack([np.full(30, 0.5), np.full(30, 1.0), 0.5 * (np.log(2) - gaps)])
    found = _most_likely(sums, max_shape=1e6)
    np.testing.assert_allclose(found.shapes, shapes, rtol=1e-6)
    np.testing.assert_allclose(found.means, 2)


@pytest.mark.parametrize("constant", [-6.0, -2.8, -2.0, 0.0, 0.5, 4.0])
@pytest.mark.parametrize("log_slope", [-2.0, 0.0, 2.0])
@pytest.mark.parametrize("slope", [-3.0, 0.0, 3.0])
def test_the_falling_zero_is_found_whichever_way_the_ratio_turns(constant, log_slope, slope):
    grid = np.geomspace(1e-3, 5, 200_001)
    positive = constant + log_slope * np.log(grid) - slope * grid > 0
    falls = np.flatnonzero(positive[:-1] & ~positive[1:])
    found = _falling_zero(constant, log_slope, slope, 1e-3, 5.0)
    if falls.size == 0:
        assert found is None
    else:
        assert found == pytest.approx(grid[falls[0]], rel=1e-4)


def test_an_iteration_more_never_lowers_the_likelihood():
    scores = SAMPLES["overlapping"]
    likelihoods = [
        GammaMixtureThreshold(max_iter=n, tol=0).fit(scores).log_likelihood_ for n in range(1, 30)
    ]
    assert (np.diff(likelihoods) >= -1e-9).all()
    assert likelihoods[-1] > likelihoods[0]


def test_an_unfinished_fit_says_so():
    scores = SAMPLES["overlapping"]
    unfinished = GammaMixtureThreshold(max_iter=2).fit(scores)
    assert unfinished.n_iter_ == 2
    assert "not converged after 2 iterations" in unfinished.reason_
    finished = GammaMixtureThreshold().fit(scores)
    assert f", converged after {finished.n_iter_} iterations" in finished.reason_


def test_zeros_are_raised_to_the_floor_and_flagged_where_they_stand_apart():
    scores = np.r_[np.zeros(40), rng.gamma(200, 0.004, 300)]
    selector = GammaMixtureThreshold().fit(scores)
    np.testing.assert_array_equal(selector.predict(scores), scores == 0)
    raised = np.maximum(scores, 1e-4 * scores.mean())
    assert selector.log_likelihood_ == pytest.approx(
        naive.gamma_mixture_log_likelihood(
            raised, selector.weights_, selector.shapes_, selector.scales_
        ),
        rel=1e-6,
    )


@pytest.mark.parametrize("scores", [[-0.1, 0.5, 0.9], [-1.0, -1.0]])
def test_negative_scores_are_refused(scores):
    with pytest.raises(ValueError, match="scores of at least 0, got -"):
        GammaMixtureThreshold().fit(scores)


def test_two_distinct_scores_do_not_collapse():
    scores = np.array([0.5] * 10 + [1.0] * 90)
    selector = GammaMixtureThreshold(max_shape=1e4).fit(scores)
    assert selector.predict(scores).sum() == 10
    np.testing.assert_allclose(selector.shapes_, 1e4)
    assert np.isfinite(selector.log_likelihood_)


def test_an_empty_component_flags_nothing():
    # One score among two million: a component of less than a millionth.
    scores = np.r_[0.5, np.full(2_000_000, 0.9)]
    selector = GammaMixtureThreshold().fit(scores)
    assert selector.threshold_ == 0
    assert selector.reason_ == "the mixture degenerated: one component holds no scores"
    assert np.isnan(selector.log_likelihood_)


def test_components_that_do_not_cross_flag_nothing():
    # The few scores of the lower component lie in the midst of the upper one's: at no score
    # is it, weighted, the likelier one.
    found = None
    for seed in range(40):
        scores = np.random.default_rng(seed).gamma(6, 0.1, 60)
        selector = GammaMixtureThreshold(cutoff="intersection").fit(scores)
        if "do not cross" in selector.reason_:
            found = selector
            break
    assert found is not None
    assert found.threshold_ == 0
    low, high = (
        weight * stats.gamma(shape, scale=scale).pdf(np.linspace(1e-9, 0.6, 500))
        for weight, shape, scale in zip(found.weights_, found.shapes_, found.scales_, strict=True)
    )
    assert not ((low[:-1] > high[:-1]) & (low[1:] < high[1:])).any()


def test_constant_scores_forget_the_old_fit():
    selector = GammaMixtureThreshold().fit(SEPARATED).fit([0.5, 0.5])
    assert np.isnan([*selector.weights_, *selector.shapes_, *selector.scales_]).all()
    assert selector.n_iter_ == 0


# ------------------------------------------------------------------------------- many scores


@pytest.mark.parametrize("share", [0.02, 0.3])
@pytest.mark.parametrize("cutoff", ["optimal", "intersection"])
def test_cells_give_the_fit_of_the_scores_themselves(share, cutoff, monkeypatch):
    rng = np.random.default_rng(0)
    n_low = int(5000 * share)
    scores = np.r_[0.0, rng.gamma(20, 0.01, n_low), rng.gamma(200, 0.004, 5000 - n_low)]
    exact = GammaMixtureThreshold(cutoff).fit(scores)
    monkeypatch.setattr(_gamma, "MOST_DISTINCT", 100)
    cells = GammaMixtureThreshold(cutoff).fit(scores)
    np.testing.assert_allclose(cells.threshold_, exact.threshold_, rtol=1e-5)
    np.testing.assert_allclose(cells.weights_, exact.weights_, rtol=1e-4)
    np.testing.assert_allclose(cells.shapes_, exact.shapes_, rtol=1e-4)
    np.testing.assert_allclose(cells.scales_, exact.scales_, rtol=1e-4)
    np.testing.assert_allclose(cells.log_likelihood_, exact.log_likelihood_, rtol=1e-6)


@given(
    st.lists(st.floats(FLOOR, 1e3), min_size=2, max_size=200, unique=True),
    st.integers(1, 50),
    st.integers(0, 2**32 - 1),
)
def test_cells_keep_the_sums_that_the_likelihood_is_made_of(values, n_cells, seed):
    ordered = np.sort(values)
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(values)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_gamma, "MOST_DISTINCT", 1)
        patch.setattr(_gamma, "CELLS", n_cells)
        points = _points(ordered, shares)
    assert len(points.shares) <= min(n_cells, len(values))
    np.testing.assert_allclose(points.shares.sum(), 1)
    np.testing.assert_allclose(points.shares @ points.values, shares @ ordered)
    np.testing.assert_allclose(
        points.shares @ points.log_values, shares @ np.log(ordered), atol=1e-12
    )
    assert (np.diff(points.values) >= 0).all()
    width = np.log(ordered[-1] / ordered[0]) / n_cells
    nearest = np.abs(np.log(ordered)[:, np.newaxis] - points.log_values).min(axis=1)
    assert (nearest <= width * (1 + 1e-9)).all()


def test_components_many_powers_of_ten_apart_still_have_a_crossing():
    rng = np.random.default_rng(19)
    number, exponents = int(rng.integers(2, 60)), rng.uniform(8, 17, 2)
    scores = np.r_[np.round(rng.random(number) * 0.5, 2), 10**exponents]
    selector = GammaMixtureThreshold(max_iter=1, max_shape=5e12, tol=0.01).fit(scores)
    assert scores[number - 1] < selector.threshold_ < scores.max()
