from __future__ import annotations

import pickle
import random
from dataclasses import FrozenInstanceError
from importlib.resources import files
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score

import imagequality as iq
from imagequality.datasets import ThresholdCase, load_threshold_benchmark
from imagequality.testing import rank_selectors
from imagequality.thresholds import (
    AutoThreshold,
    FixedThreshold,
    GatedThreshold,
    LiThreshold,
    OtsuThreshold,
    ThresholdSelector,
)

SIZES = {"cifake_fake": 2000, "photographs": 500, "photographs_half": 500}
N_PERTURBATIONS = {"light": 5, "dark": 5, "blurry": 12, "low_information": 4, "odd_size": 5}
SHARES = (0.0, 0.005, 0.01, 0.04, 0.12, 0.24, 0.4)


@pytest.fixture(scope="module")
def cases():
    return load_threshold_benchmark()


def case_of(scores, labels, *, contamination=0.5, name="case", floor=None, cap=None):
    scores, labels = np.asarray(scores, dtype=float), np.asarray(labels)
    return ThresholdCase(name, "own", "own", "own", contamination, scores, labels, floor, cap)


class Raises(ThresholdSelector):
    def _select(self, scores):
        if scores.min() < 0.2:
            raise RuntimeError("too low")
        return 0.5


class Remembers(ThresholdSelector):
    """Keeps what its clones were fitted with."""

    seen: ClassVar[list] = []

    def __init__(self, floor=None, cap=None, other=None):
        self.floor = floor
        self.cap = cap
        self.other = other

    def _select(self, scores):
        Remembers.seen.append((self.floor, self.cap, self.other))
        self.separated_ = False
        return 0.5


@pytest.fixture
def remembers():
    Remembers.seen.clear()
    yield Remembers
    Remembers.seen.clear()


# ------------------------------------------------------------------------------- the cases


def test_file_is_small():
    assert len((files("imagequality") / "_threshold_benchmark.npz").read_bytes()) <= 1_000_000


def test_every_case_is_well_formed(cases):
    assert len(cases) == 573
    assert len({case.name for case in cases}) == 573
    for case in cases:
        n = SIZES[case.data_set]
        assert case.scores.shape == case.labels.shape == (n,)
        assert case.scores.dtype == np.float64
        assert case.labels.dtype == np.int64
        assert ((case.scores >= 0) & (case.scores <= 1)).all()
        assert np.isin(case.labels, (0, 1)).all()
        assert case.labels.sum() == round(case.contamination * n)
        assert (case.contamination == 0) == (case.perturbation == "clean")
        assert case.name.startswith(f"{case.data_set} {case.issue} {case.perturbation}")
        assert case.contamination in SHARES


def test_there_is_one_case_for_every_combination(cases):
    table = pd.DataFrame([(c.contamination, c.data_set, c.issue) for c in cases])
    counts = table.value_counts()
    for share in SHARES:
        for data_set in SIZES:
            for issue, n in N_PERTURBATIONS.items():
                assert counts[share, data_set, issue] == (n if share else 1)


def test_cases_of_a_pair_differ_from_the_clean_one_only_where_labelled(cases):
    clean = {(c.data_set, c.issue): c.scores for c in cases if c.contamination == 0}
    for case in cases:
        untouched = case.labels == 0
        expected = clean[case.data_set, case.issue]
        if case.issue != "odd_size":  # it compares with the median of the whole collection
            np.testing.assert_array_equal(case.scores[untouched], expected[untouched])
        if case.contamination == 0.4:
            assert np.median(case.scores[~untouched]) < np.median(expected[~untouched])


def test_odd_sizes_are_scored_as_the_detector_scores_the_collection(cases):
    with np.load(files("imagequality") / "_threshold_benchmark.npz") as stored:
        sizes = {key: stored[key].astype(float) for key in stored.files if "odd_size" in key}
    chosen = [case for case in cases if case.issue == "odd_size"]
    assert len(chosen) == 3 * (1 + 5 * 6)
    for case in chosen:
        key = f"{case.data_set}/odd_size/{case.perturbation}"
        clean = sizes[f"{case.data_set}/odd_size/clean"]
        table = pd.DataFrame({"size": np.where(case.labels, sizes[key], clean)})
        expected = iq.OddSizeDetector().fit(table).score_samples(table)
        np.testing.assert_allclose(case.scores, expected, rtol=1e-12)


def test_stronger_perturbations_score_lower(cases):
    medians = {
        (c.data_set, c.perturbation): np.median(c.scores[c.labels == 1])
        for c in cases
        if c.contamination == 0.4
    }
    orders = [
        [f"brightness x{factor}" for factor in (1.75, 2, 2.5, 3, 3.5)],
        [f"brightness x{factor}" for factor in (0.3, 0.25, 0.2, 0.1, 0.05)],
        [f"gaussian {size}" for size in (5, 7, 9, 11)],
        [f"thumbnail {size} of 32" for size in (20, 16, 12, 8)],
    ]
    for data_set in SIZES:
        for order in orders:
            values = [medians[data_set, perturbation] for perturbation in order]
            assert values == sorted(values, reverse=True)


def test_limits_are_those_of_the_detectors(cases):
    # Fails where a detector's limits were changed: run benchmarks/make_threshold_benchmark.py.
    limits = {issue: detector._limits() for issue, detector in iq.default_detectors()}
    assert all((case.floor, case.cap) == limits[case.issue] for case in cases)


def test_a_smaller_share_is_a_part_of_a_larger_one_whatever_else_is_asked_for(cases):
    alone = load_threshold_benchmark(contaminations=[0.04])
    among = [case for case in cases if case.contamination == 0.04]
    larger = [case for case in cases if case.contamination == 0.12]
    for one, other, more in zip(alone, among, larger, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.scores, other.scores)
        assert (more.labels >= one.labels).all()


def test_pairs_get_different_images(cases):
    chosen = {tuple(np.flatnonzero(c.labels)) for c in cases if c.contamination == 0.04}
    assert len(chosen) == 93


def test_deterministic_and_apart_from_the_global_random_state(cases):
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    before = pickle.dumps((np.random.get_state(), random.getstate()))  # noqa: NPY002
    again = load_threshold_benchmark()
    assert pickle.dumps((np.random.get_state(), random.getstate())) == before  # noqa: NPY002
    for one, other in zip(cases, again, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_random_state_chooses_other_images():
    first, second = (
        load_threshold_benchmark(contaminations=[0.12], random_state=seed)[0] for seed in (0, 1)
    )
    assert first.labels.sum() == second.labels.sum() == 240
    assert (first.labels != second.labels).any()


def test_at_least_one_image_is_perturbed_and_all_of_them_at_one():
    for case in load_threshold_benchmark(contaminations=[1e-6, 1]):
        assert case.labels.sum() == (1 if case.contamination < 1 else len(case.labels))


def test_the_number_of_perturbed_images_is_rounded():
    counts = {c.data_set: c.labels.sum() for c in load_threshold_benchmark(contaminations=[0.0037])}
    assert counts == {"cifake_fake": 7, "photographs": 2, "photographs_half": 2}


def test_cases_cannot_be_changed_and_print_short(cases):
    case = cases[0]
    with pytest.raises(FrozenInstanceError):
        case.name = "other"
    for array in (case.scores, case.labels, cases[-1].scores, cases[-1].labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert "array" not in repr(case)
    assert len(repr(case)) < 200


@pytest.mark.parametrize(
    ("contaminations", "error"),
    [
        (0.1, TypeError),
        ("0.1", TypeError),
        ([True], TypeError),
        (["0.1"], TypeError),
        ([-0.1], ValueError),
        ([1.1], ValueError),
        ([float("nan")], ValueError),
        ([0.1, 0.1], ValueError),
    ],
)
def test_bad_contaminations_are_refused(contaminations, error):
    with pytest.raises(error, match="contaminations"):
        load_threshold_benchmark(contaminations=contaminations)


def test_no_contamination_no_case():
    assert load_threshold_benchmark(contaminations=[]) == []


# -------------------------------------------------------------------------- rank_selectors


def test_figures_of_small_cases_by_hand():
    own = [
        # Below 0.5: two of three bad ones and one good one: F1 = 4 / 6; below 0.25: 2 / 5.
        case_of([0.1, 0.2, 0.3, 0.6, 0.7, 0.9], [1, 0, 1, 1, 0, 0], contamination=0.5),
        case_of([0.1, 0.6, 0.7, 0.9], [1, 0, 0, 0], contamination=0.25),  # both: F1 = 1
        case_of([0.6, 0.7, 0.8, 0.9], [1, 0, 0, 0], contamination=0.25),  # nothing flagged: 0
        case_of(
            [0.1, 0.3, 0.4, 0.8], [0, 0, 0, 0], contamination=0
        ),  # 3 of 4 flagged below 0.5, 1 below 0.25
        case_of([0.6, 0.7, 0.8, 0.9], [0, 0, 0, 0], contamination=0),  # 0 of 4
    ]
    selectors = [("low", FixedThreshold(0.25)), ("half", FixedThreshold(0.5))]
    table = rank_selectors(selectors, cases=own, oracle=True, verbose=False)
    assert table.columns.tolist() == [
        "f1_0.25",
        "f1_0.5",
        "f1_mean",
        "clean_flagged",
        "seconds",
        "error",
    ]
    assert table.index.tolist() == ["oracle", "half", "low"]  # the best first
    figures = table.drop(columns=["seconds", "error"])
    expected = [
        # Best of case 1: the lowest four, 6 / 7; of cases 2 and 3: the lowest one.
        [1, 6 / 7, (1 + 1 + 6 / 7) / 3, 0],
        [0.5, 4 / 6, (1 + 0 + 4 / 6) / 3, 3 / 8],
        [0.5, 2 / 5, (1 + 0 + 2 / 5) / 3, 1 / 8],
    ]
    np.testing.assert_allclose(figures.to_numpy(dtype=float), expected)
    assert (table["error"] == "").all()


def test_f1_is_that_of_scikit_learn(cases):
    chosen = cases[20::97]
    for case in chosen:
        selector = OtsuThreshold().fit(case.scores)
        expected = f1_score(case.labels, selector.predict(case.scores), zero_division=0)
        table = rank_selectors([OtsuThreshold()], cases=[case], verbose=False)
        assert table.loc["OtsuThreshold", "f1_mean"] == pytest.approx(expected)


def test_oracle_is_the_best_of_all_thresholds():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = np.round(rng.uniform(size=30), 1)  # with ties
        scores[:2] = np.nan
        labels = rng.integers(0, 2, 30)
        own = [case_of(scores, labels)]
        cuts = [FixedThreshold(value) for value in np.linspace(0.05, 1.05, 11)]
        named = [(f"{cut.value:.2f}", cut) for cut in cuts]
        table = rank_selectors(named, cases=own, oracle=True, verbose=False)["f1_mean"]
        assert table["oracle"] == table.drop("oracle").max()


def test_without_good_or_without_bad_cases():
    flawed = case_of([0.1, 0.9], [1, 0])
    spotless = case_of([0.8, 0.9], [0, 0], contamination=0)
    table = rank_selectors([FixedThreshold()], cases=[flawed], oracle=True, verbose=False)
    assert table["clean_flagged"].isna().all()
    table = rank_selectors([FixedThreshold()], cases=[spotless], oracle=True, verbose=False)
    assert table["f1_mean"].isna().all()
    assert table["clean_flagged"].tolist() == [0, 0]


def test_a_selector_that_raises_does_not_end_the_run():
    own = [
        case_of([0.3, 0.9], [1, 0], name="fine"),
        case_of([0.1, 0.9], [1, 0], name="the bad one"),
        case_of([0.8, 0.9], [0, 0], contamination=0),
    ]
    table = rank_selectors([Raises(), FixedThreshold()], cases=own, verbose=False)
    assert table.index.tolist() == ["FixedThreshold", "Raises"]
    assert table.loc["Raises", "error"] == "the bad one: RuntimeError: too low"
    assert table.loc["Raises"].drop("error").isna().all()
    assert table.loc["FixedThreshold", "error"] == ""
    assert table.loc["FixedThreshold", "f1_mean"] == 1


def test_limits_are_filled_where_unset_as_a_detector_fills_them(remembers):
    own = [case_of([0.1, 0.9], [1, 0], floor=0.2, cap=0.7)]
    rank_selectors([Remembers()], cases=own, verbose=False)
    rank_selectors([Remembers(floor=0.4)], cases=own, verbose=False)
    rank_selectors([GatedThreshold(OtsuThreshold(), gate=Remembers())], cases=own, verbose=False)
    rank_selectors([Remembers()], cases=own, limits=False, verbose=False)
    assert remembers.seen == [
        (0.2, 0.7, None),
        (0.4, 0.7, None),
        (0.2, 0.7, None),
        (None, None, None),
    ]


def test_limits_decide_what_auto_threshold_flags():
    rng = np.random.default_rng(0)
    scores = rng.normal(0.8, 0.05, 500).clip(0, 1)
    scores[0] = 0.28
    own = [case_of(scores, np.arange(500) == 0, floor=0.3, cap=0.5)]
    assert rank_selectors([AutoThreshold()], cases=own, verbose=False)["f1_mean"].item() == 1


def test_selectors_are_neither_fitted_nor_changed(cases):
    given = [AutoThreshold(), GatedThreshold(LiThreshold(), gate=AutoThreshold()), LiThreshold()]
    before = [clone(selector) for selector in given]
    rank_selectors(given, cases=cases[:20], verbose=False)
    for selector, untouched in zip(given, before, strict=True):
        assert not hasattr(selector, "threshold_")
        assert repr(selector) == repr(untouched)
    assert given[1].gate.floor is None


def test_names():
    own = [case_of([0.1, 0.9], [1, 0])]
    selectors = [LiThreshold(), ("mine", LiThreshold()), FixedThreshold(0.3), FixedThreshold(0.4)]
    table = rank_selectors(selectors, cases=own, verbose=False)
    names = {"LiThreshold", "mine", "FixedThreshold(value=0.3)", "FixedThreshold(value=0.4)"}
    assert set(table.index) == names


@pytest.mark.parametrize(
    ("selectors", "error"),
    [
        (LiThreshold(), TypeError),
        (3, TypeError),
        (["li"], TypeError),
        ([LiThreshold], TypeError),
        ([(LiThreshold(), "li")], TypeError),
        ([LiThreshold(), LiThreshold()], ValueError),
        ([("oracle", LiThreshold())], ValueError),
        ([], ValueError),
    ],
)
def test_bad_selectors_are_refused(selectors, error):
    with pytest.raises(error, match="selectors"):
        rank_selectors(selectors, cases=[case_of([0.1, 0.9], [1, 0])], oracle=True)


def test_no_case_is_refused():
    with pytest.raises(ValueError, match="cases"):
        rank_selectors([LiThreshold()], cases=[])


def test_prints_the_table_unless_told_otherwise(capsys):
    own = [case_of([0.1, 0.9], [1, 0]), case_of([0.8, 0.9], [0, 0], contamination=0)]
    rank_selectors([FixedThreshold()], cases=own, oracle=True)
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["f1_0.5", "f1_mean", "clean_flagged", "seconds"]
    assert rows[0].split() == ["FixedThreshold", "1.000", "1.000", "0.00%", "0.0"]
    assert rows[1].split() == ["oracle", "1.000", "1.000", "0.00%", "-"]
    rank_selectors([Raises()], cases=own)
    assert "RuntimeError: too low" in capsys.readouterr().out
    rank_selectors([FixedThreshold()], cases=own, verbose=False)
    assert capsys.readouterr().out == ""


def test_the_default_selector_flags_less_of_the_clean_and_finds_more_of_the_few(cases):
    table = rank_selectors([LiThreshold(), AutoThreshold()], oracle=True, verbose=False)
    assert [float(name[3:]) for name in table.columns if name[3:4].isdigit()] == list(SHARES[1:])
    auto, li = table.loc["AutoThreshold"], table.loc["LiThreshold"]
    assert auto["clean_flagged"] < li["clean_flagged"]
    assert auto["f1_0.005"] > li["f1_0.005"]
    figures = table.filter(like="f1_")
    assert (figures <= figures.loc["oracle"] + 1e-12).all(axis=None)
