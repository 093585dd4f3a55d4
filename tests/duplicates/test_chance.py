import math

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from imagequality.duplicates._chance import ChanceFit, chance_distance, match_distance

BITS = 256
GRID = np.arange(BITS + 1)
# Distances of unrelated images in bits. Real ones are a mixture: most pairs have nothing in
# common, some share their composition and come closer.
CHANCE = 0.9 * binom.pmf(GRID, BITS, 0.5) + 0.1 * binom.pmf(GRID, BITS, 0.45)
# Upside down, images are a little further apart than chance gives.
UPSIDE_DOWN = 0.9 * binom.pmf(GRID, BITS, 0.505) + 0.1 * binom.pmf(GRID, BITS, 0.46)
# Mirrored text is no text: its distances say nothing about those of texts.
MIRRORED_TEXT = binom.pmf(GRID, BITS, 0.7)
COPIES = binom.pmf(GRID, BITS, 0.05)


def n_pairs(n):
    return n * (n - 1) // 2


def draw(rng, n, shape=CHANCE, copies=0, at=COPIES):
    """Cumulative counts of the pairs of n images, and of some copies."""
    counts = rng.multinomial(n_pairs(n), shape / shape.sum())
    return np.cumsum(counts + rng.multinomial(copies, at / at.sum()))


def decoy_views(rng, n):
    return [draw(rng, n, UPSIDE_DOWN), draw(rng, n, UPSIDE_DOWN)]


def expected_pairs(n, shape=CHANCE):
    return n_pairs(n) * np.cumsum(shape)


def found(fit, targets):
    return 0 if fit.distance is None else int(targets[int(fit.distance)])


# --- nothing but chance -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 20, 40, 100, 1000, 10_000])
@pytest.mark.parametrize("with_alternatives", [False, True])
def test_a_collection_without_copies_reports_none(n, with_alternatives):
    rng = np.random.default_rng(n)
    reported = 0
    for _ in range(200):
        targets, decoys = draw(rng, n), draw(rng, n)
        alternatives = decoy_views(rng, n) if with_alternatives else []
        fit = chance_distance(targets, decoys, GRID, n, alternatives=alternatives)
        reported += fit.distance is not None
    assert reported <= 2


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_the_own_tail_reports_none_without_copies(n):
    rng = np.random.default_rng(n)
    fits = [chance_distance(draw(rng, n), draw(rng, n, MIRRORED_TEXT), GRID, n) for _ in range(100)]
    assert {fit.null for fit in fits} == {"tail"}
    assert sum(fit.distance is not None for fit in fits) <= 1


@pytest.mark.parametrize("n", [500, 5000])
def test_direct_copies_are_no_mirrored_copies(n):
    rng = np.random.default_rng(0)
    for _ in range(50):
        mirrored, direct = draw(rng, n), draw(rng, n, copies=n // 10)
        fit = chance_distance(mirrored, direct, GRID, n, alternatives=decoy_views(rng, n))
        assert fit.distance is None


def test_a_pair_that_chance_may_have_made_is_not_reported():
    rng = np.random.default_rng(0)
    n = 1000
    decoys = draw(rng, n)
    expected = chance_distance(decoys, decoys, GRID, n).expected
    doubtful = int(np.flatnonzero(expected <= 0.01)[-1])
    targets = decoys + (doubtful <= GRID)
    assert chance_distance(targets, decoys, GRID, n).distance is None
    assert chance_distance(targets, decoys, GRID, n, significance=0.02).distance == doubtful


# --- copies are found ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "copies"),
    [(100, 1), (100, 12), (1000, 1), (1000, 5), (5000, 10), (5000, 2000), (10**6, 1000)],
)
def test_planted_copies_are_found_and_little_else(n, copies):
    rng = np.random.default_rng(copies)
    for _ in range(20):
        targets, decoys = draw(rng, n, copies=copies), draw(rng, n)
        fit = chance_distance(targets, decoys, GRID, n, alternatives=decoy_views(rng, n))
        assert copies <= found(fit, targets) <= 1.06 * copies + 1


def test_mirrored_copies_in_the_decoys_do_not_hide_direct_ones():
    rng = np.random.default_rng(0)
    n, direct, mirrored = 5000, 300, 400
    for _ in range(20):
        targets = draw(rng, n, copies=direct)
        decoys = draw(rng, n, copies=mirrored)
        alternatives = decoy_views(rng, n)
        assert chance_distance(targets, decoys, GRID, n).distance is None
        fit = chance_distance(targets, decoys, GRID, n, alternatives=alternatives)
        assert fit.null == "alternatives"
        assert direct <= found(fit, targets) <= 1.06 * direct
        swapped = chance_distance(decoys, targets, GRID, n, alternatives=alternatives)
        assert mirrored <= found(swapped, decoys) <= 1.06 * mirrored


def test_a_single_mirrored_copy_does_not_hide_a_few_direct_ones():
    rng = np.random.default_rng(0)
    n = 2000
    targets, decoys = draw(rng, n, copies=5), draw(rng, n, copies=1, at=np.eye(BITS + 1)[0])
    assert chance_distance(targets, decoys, GRID, n).distance is None
    fit = chance_distance(targets, decoys, GRID, n, alternatives=decoy_views(rng, n))
    assert found(fit, targets) == 5


def test_one_contaminated_alternative_of_two_is_safe():
    rng = np.random.default_rng(0)
    n = 2000
    alternatives = [draw(rng, n, UPSIDE_DOWN, copies=50), draw(rng, n, UPSIDE_DOWN)]
    targets = draw(rng, n, copies=100)
    fit = chance_distance(targets, draw(rng, n), GRID, n, alternatives=alternatives)
    assert fit.null == "decoys"
    assert found(fit, targets) >= 100


def test_copies_of_text_are_found_by_the_own_tail():
    rng = np.random.default_rng(0)
    n = 3000
    targets = draw(rng, n, copies=200)
    fit = chance_distance(targets, draw(rng, n, MIRRORED_TEXT), GRID, n)
    assert fit.null == "tail"
    assert 200 <= found(fit, targets) <= 206


def test_alternatives_stand_in_for_decoys_that_do_not_compare():
    rng = np.random.default_rng(0)
    n = 3000
    targets, decoys = draw(rng, n, copies=200), draw(rng, n, MIRRORED_TEXT)
    fit = chance_distance(targets, decoys, GRID, n, alternatives=decoy_views(rng, n))
    assert fit.null == "alternatives"
    assert found(fit, targets) >= 200


def test_a_large_group_of_copies_does_not_bend_the_expectation():
    rng = np.random.default_rng(0)
    n, group = 2000, 400  # of the group's pairs, each image has more than in the bulk
    targets, decoys = draw(rng, n, copies=n_pairs(group)), draw(rng, n)
    fit = chance_distance(targets, decoys, GRID, n)
    assert fit.null == "decoys"
    assert n_pairs(group) <= found(fit, targets) <= 1.001 * n_pairs(group)


def test_close_copies_do_not_pay_for_false_pairs():
    rng = np.random.default_rng(0)
    n = 2000
    closest = np.eye(BITS + 1)[0]
    targets, decoys = draw(rng, n, copies=5000, at=closest), draw(rng, n)
    fit = chance_distance(targets, decoys, GRID, n, max_local_share=0.1)
    assert found(fit, targets) <= 5002
    lavish = chance_distance(targets, decoys, GRID, n, max_local_share=1.0)
    assert found(lavish, targets) > 5010


# --- what is expected ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [CHANCE, UPSIDE_DOWN], ids=["mirrored", "upside down"])
def test_expected_is_near_the_truth_where_counts_are_few(shape):
    rng = np.random.default_rng(0)
    n = 5000
    truth = expected_pairs(n)
    few = (truth > 5) & (truth < n)
    for _ in range(10):
        fit = chance_distance(draw(rng, n), draw(rng, n, shape), GRID, n)
        ratio = fit.expected[few] / truth[few]
        assert ratio.min() > 0.4
        assert ratio.max() < 4  # an exponential tail errs upwards


def test_expected_is_never_less_than_the_decoys_show():
    decoys = expected_pairs(1000).round()
    decoys[10:] += 3
    fit = chance_distance(decoys, decoys, GRID, 1000)
    assert np.all(fit.expected >= 0.999 * decoys)


@pytest.mark.parametrize("copies", [0, 2000])
def test_far_counts_may_come_from_a_sample(copies):
    rng = np.random.default_rng(0)
    n, sample, exact_to = 200_000, 4000, 60
    resolution = np.where(GRID <= exact_to, 1.0, (n / sample) ** 2)

    def partly_sampled(copies=0):
        whole = draw(rng, n, copies=copies)
        part = rng.binomial(np.diff(whole, prepend=0), (sample / n) ** 2).cumsum()
        return np.where(GRID <= exact_to, whole, part * (n / sample) ** 2)

    for _ in range(20):
        targets, decoys = partly_sampled(copies), partly_sampled()
        views = [partly_sampled(), partly_sampled()]
        fit = chance_distance(targets, decoys, GRID, n, alternatives=views, resolution=resolution)
        assert (fit.distance is not None) == (copies > 0)
        if copies:
            assert copies <= found(fit, targets) <= 1.03 * copies


# --- the choice ---------------------------------------------------------------------------------

cumulative = st.lists(st.integers(0, 40), min_size=12, max_size=12).map(np.cumsum)


@given(cumulative, cumulative, st.integers(2, 200))
def test_the_choice_agrees_with_its_definition(targets, decoys, n):
    grid = np.arange(len(targets)) / 7
    fit = chance_distance(targets, decoys, grid, n)
    assert fit.distance == naive.duplicate_distance(targets, fit.expected, grid, 0.03, 0.1, 0.001)


@given(cumulative, cumulative, st.integers(2, 200), st.floats(1e-3, 1e3))
def test_the_unit_of_the_distance_does_not_matter(targets, decoys, n, unit):
    grid = np.arange(len(targets)) + 1.0
    plain = chance_distance(targets, decoys, grid, n)
    scaled = chance_distance(targets, decoys, grid * unit, n)
    np.testing.assert_allclose(scaled.expected, plain.expected, rtol=1e-6)
    if plain.distance is None:
        assert scaled.distance is None
    else:
        assert scaled.distance == pytest.approx(plain.distance * unit)


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 90), st.integers(1, 500), st.integers(0, 300))
def test_no_distance_is_chosen_at_which_decoys_are_many(seed, at, more, copies):
    rng = np.random.default_rng(seed)
    n = 1000
    targets, decoys = draw(rng, n, copies=copies), draw(rng, n) + more * (at <= GRID)
    fit = chance_distance(targets, decoys, GRID, n)
    if fit.distance is not None:
        chosen = int(np.searchsorted(GRID, fit.distance))
        # At most a tenth may be set aside as copies among the decoys.
        assert decoys[chosen] <= 0.11 * targets[chosen]


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1])
def test_a_smaller_share_never_gives_a_larger_distance(share):
    rng = np.random.default_rng(0)
    targets, decoys = draw(rng, 1000, copies=60, at=binom.pmf(GRID, BITS, 0.3)), draw(rng, 1000)
    wide = chance_distance(targets, decoys, GRID, 1000, max_false_share=0.1)
    narrow = chance_distance(targets, decoys, GRID, 1000, max_false_share=share)
    assert narrow.distance is not None
    assert wide.distance is not None
    assert narrow.distance <= wide.distance


def test_the_reason_states_the_figures():
    rng = np.random.default_rng(0)
    targets, decoys = draw(rng, 1000, copies=60), draw(rng, 1000)
    fit = chance_distance(targets, decoys, GRID, 1000)
    assert f"{found(fit, targets)} pairs" in fit.reason
    assert f"distance of {fit.distance:.4g}" in fit.reason
    clean = chance_distance(decoys, decoys, GRID, 1000)
    assert f"closest {decoys[decoys > 0][0]} lie" in clean.reason


# --- degenerate counts --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000])
def test_no_pairs_at_all(n):
    fit = chance_distance(np.zeros(257), np.zeros(257), GRID, n)
    assert fit.distance is None
    assert fit.null == "none"
    assert np.all(np.isinf(fit.expected))


def test_targets_without_decoys_are_no_evidence():
    # Within the grid nobody is near by chance, but the grid ends before chance begins.
    targets = np.cumsum(np.eye(20)[3] * 30)
    fit = chance_distance(targets, np.zeros(20), np.arange(20), 1000)
    assert (fit.distance, fit.null) == (None, "none")


def test_no_targets_among_decoys():
    fit = chance_distance(np.zeros(257), expected_pairs(1000), GRID, 1000)
    assert fit.distance is None
    assert isinstance(fit, ChanceFit)


@given(cumulative, cumulative, cumulative, st.integers(0, 300), st.floats(1, 100))
def test_any_counts_give_a_result(targets, decoys, alternative, n, resolution):
    grid = np.arange(len(targets))
    fit = chance_distance(
        targets, decoys, grid, n, alternatives=[alternative], resolution=resolution
    )
    assert fit.distance is None or fit.distance in grid
    assert not np.isnan(fit.expected).any()
    assert np.all(fit.expected >= 0)
    assert fit.reason.endswith(".")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"grid": np.zeros(257)}, "increasing"),
        ({"grid": np.arange(256)}, "shape"),
        ({"decoys": np.full(257, -1.0)}, "at least 0"),
        ({"targets": np.full(257, np.nan)}, "finite"),
        ({"alternatives": [np.zeros(3)]}, "shape"),
        ({"resolution": 0.5}, "resolution"),
        ({"max_false_share": 0.0}, "max_false_share"),
        ({"max_false_share": 0.2, "max_local_share": 0.1}, "max_local_share"),
        ({"max_local_share": 1.5}, "max_local_share"),
        ({"significance": 1.0}, "significance"),
    ],
)
def test_wrong_arguments_are_named(changed, message):
    counts = expected_pairs(100)
    arguments = {"targets": counts, "decoys": counts, "grid": GRID, "n": 100} | changed
    with pytest.raises(ValueError, match=message):
        chance_distance(**arguments)


# --- new images ---------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=20).map(np.cumsum),
    st.integers(1, 10_000),
    st.floats(1e-4, 1),
)
def test_match_distance_agrees_with_its_definition(expected, n, limit):
    grid = np.arange(len(expected)) * 0.5
    best = None
    for distance, pairs in zip(grid, expected, strict=True):
        if 2 * pairs / n > limit:
            break
        best = distance
    assert match_distance(expected, grid, n, limit) == best


def test_no_match_distance_where_nothing_is_known():
    assert match_distance(np.full(4, math.inf), np.arange(4), 10) is None


def test_strangers_have_as_few_matches_as_promised():
    rng = np.random.default_rng(0)
    n = 2000
    fit = chance_distance(draw(rng, n), draw(rng, n), GRID, n)
    distance = match_distance(fit.expected, GRID, n, max_false_matches=0.05)
    assert distance is not None
    matches_of_one = n * np.cumsum(CHANCE)[int(distance)]
    assert 0.005 <= matches_of_one <= 0.06
