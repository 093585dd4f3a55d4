"""Detectors on measurement tables that hold anything: extreme numbers, gaps, other dtypes."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import imagequality as iq
from imagequality.detectors import __all__ as detector_names
from imagequality.detectors._base import plain_columns, rescaled
from imagequality.measurements import column_name

N_EXAMPLES = os.environ.get("IMAGEQUALITY_FUZZ")  # of each test; not set: a few, always the same
fuzz = settings(
    max_examples=int(N_EXAMPLES or 30),
    deadline=None,
    derandomize=N_EXAMPLES is None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
DETECTORS = [getattr(iq, name)() for name in detector_names if name != "IssueDetector"] + [
    iq.LightDetector(method="percentile"),
    iq.LightDetector(method="cleanvision"),
    iq.LightDetector(method="fastdup"),
    iq.DarkDetector(method="cleanvision"),
    iq.DarkDetector(method="fastdup"),
    iq.BlurDetector(method="cleanvision"),
    iq.BlurDetector(method="fastdup"),
    iq.LowInformationDetector(method="cleanvision"),
    iq.CompressionDetector(method="jpeg_quality"),
    iq.ResolutionDetector(min_side=None, min_pixels=10**6),
    iq.OddSizeDetector(method="cleanvision"),
    iq.OddSizeDetector(method="cleanvision", iqr_factor=1e308),
]
each_detector = pytest.mark.parametrize("detector", DETECTORS, ids=repr)

# ------------------------------------------------------------------------------------- cells

usual = st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0, 32.0, 640.0, 1e4])
numbers = st.one_of(usual, usual, st.just(np.nan), st.floats(0, 1), st.floats())
anything = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.sampled_from(
        [pd.NA, pd.NaT, "", "0.5", "dark", b"x", 1 + 2j, [1.0], pd.Timestamp("2020-01-01")]
    ),
)
DTYPES = ["float64", "float32", "object", "Float64", "nullable from object"]


def as_column(values, dtype):
    if dtype == "nullable from object":
        return pd.Series(values, dtype=object).convert_dtypes()
    return pd.Series(values, dtype=dtype)


@st.composite
def tables(draw, detector, cells, dtypes):
    n = draw(st.integers(1, 30))
    columns = {}
    for column in detector._columns():
        # Of a few different cells, so that ties and groups occur.
        few = draw(st.lists(cells, min_size=1, max_size=6))
        values = [few[draw(st.integers(0, len(few) - 1))] for _ in range(n)]
        columns[column_name(column)] = as_column(values, draw(st.sampled_from(dtypes)))
    return pd.DataFrame(columns)


def keeps_the_contract(detector, table):
    """Fit and judge a table; return whether it was accepted, the answers then being right."""
    before = table.copy(deep=True)
    try:
        fitted = clone(detector).fit(table)
    except ValueError as error:
        named = any(repr(column) in str(error) for column in table.columns)
        if not (named or "must return scores in [0, 1]" in str(error)):
            raise
        pd.testing.assert_frame_equal(table, before)
        return False
    scores, flags = fitted.score_samples(table), fitted.predict(table)
    pd.testing.assert_frame_equal(table, before)
    assert scores.shape == flags.shape == (len(table),)
    judged = scores[~np.isnan(scores)]
    assert ((judged >= 0) & (judged <= 1)).all()
    assert np.isfinite(fitted.threshold_)
    np.testing.assert_array_equal(flags == 1, scores < fitted.threshold_)
    assert np.isfinite(fitted.decision_function(table)).all()
    order = np.random.default_rng(len(table)).permutation(len(table))
    shuffled = clone(detector).fit(table.iloc[order])
    assert shuffled.threshold_ == fitted.threshold_
    np.testing.assert_array_equal(shuffled.score_samples(table), scores)
    return True


@each_detector
@fuzz
@given(data=st.data())
def test_any_numbers_give_scores_or_an_error_that_names_the_column(detector, data):
    keeps_the_contract(detector, data.draw(tables(detector, numbers, ["float64", "Float64"])))


@each_detector
@fuzz
@given(data=st.data())
def test_any_cells_give_scores_or_an_error_that_names_the_column(detector, data):
    n = data.draw(st.integers(1, 12))
    cells = st.lists(anything, min_size=n, max_size=n)
    names = [column_name(column) for column in detector._columns()]
    table = pd.DataFrame({name: pd.Series(data.draw(cells), dtype=object) for name in names})
    keeps_the_contract(detector, table)


# ------------------------------------------------------------------------------------- plain


def test_an_infinite_size_is_odd_and_does_not_spoil_the_usual_one():
    table = pd.DataFrame({"size": [100.0, 100.0, 100.0, np.inf, 0.0, np.nan]})
    detector = iq.OddSizeDetector(threshold=0.5).fit(table)
    assert detector.median_ == 100
    np.testing.assert_array_equal(detector.score_samples(table), [1, 1, 1, 0, 0, np.nan])


def test_what_is_infinite_over_infinite_is_not_judged():
    table = pd.DataFrame({"laplacian_variance": [np.inf, 150.0, 1e308]})
    scores = iq.BlurDetector(method="fastdup").fit(table).score_samples(table)
    np.testing.assert_array_equal(scores, [np.nan, 0.5, 1.0])


def test_the_side_of_what_cannot_be_judged_is_none():
    columns = iq.ExposureDetector.columns
    table = pd.DataFrame({column: [0.5, np.inf, -np.inf, np.nan] for column in columns})
    table.loc[0, "value_perc_99"] = 0.1
    detector = iq.ExposureDetector(threshold=0.5).fit(table)
    assert np.isnan(detector.score_samples(table)[1:]).all()
    assert detector.sides(table).tolist() == ["under", None, None, None]


@pytest.mark.parametrize("cell", [10**400, "dark", b"x", 1j, [1.0]], ids=repr)
def test_a_cell_that_is_no_number_is_refused_by_its_column(cell):
    table = pd.DataFrame({"value_perc_99": pd.Series([0.5, cell], dtype=object)})
    with pytest.raises(ValueError, match="column 'value_perc_99' must hold numbers"):
        iq.DarkDetector().fit(table)


class TooMany(iq.IssueDetector):
    issue = "too_many"
    columns = ("value_perc_99",)

    def _score(self, table):
        return np.append(table["value_perc_99"].to_numpy(), 1.0)


class Rounded(TooMany):
    stray = 1e-10

    def _score(self, table):
        values = table["value_perc_99"].to_numpy()
        return np.where(values > 0.5, 1 + self.stray, -self.stray)


class Outside(Rounded):
    stray = 1e-8


def test_scores_of_the_wrong_number_or_range_are_refused_and_rounding_is_not():
    table = pd.DataFrame({"value_perc_99": [0.2, 0.8]})
    with pytest.raises(ValueError, match=r"one score per row: expected shape \(2,\), got \(3,\)"):
        TooMany().fit(table)
    assert Rounded().fit(table).score_samples(table).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"scores in \[0, 1\], got -1e-08"):
        Outside().fit(table)


def test_a_detector_without_a_score_says_what_to_implement():
    class Nothing(iq.IssueDetector):
        issue = "nothing"
        columns = ("value_perc_99",)

    with pytest.raises(NotImplementedError, match=r"Nothing must implement _score\(table\)"):
        Nothing().fit(pd.DataFrame({"value_perc_99": [0.2, 0.8]}))


# Of "descriptor", a column of vectors, and "phash", one of text.


@pytest.mark.parametrize("as_stored", [np.array, list, lambda v: np.array(v, dtype=np.float64)])
def test_vectors_become_arrays_of_float32_and_what_is_missing_none(as_stored):
    cells = [as_stored([1, 0]), None, as_stored([0, 2]), np.nan]
    table = pd.DataFrame({"descriptor": pd.Series(cells, dtype=object, index=[4, 3, 2, 1])})
    plain = plain_columns(table, ["descriptor"])["descriptor"]
    assert plain.index.tolist() == [4, 3, 2, 1]
    assert [value is None for value in plain] == [False, True, False, True]
    for value, expected in ((plain[4], [1, 0]), (plain[2], [0, 2])):
        assert value.dtype == np.float32
        assert value.tolist() == expected


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        (["[1.0, 0.0]"], r"must hold arrays, got '\[1.0, 0.0\]'; a CSV file cannot"),
        ([[1.0, "a"]], "must hold arrays, got"),
        ([3.0], "must hold arrays, got 3.0"),
        ([np.eye(2)], "must hold arrays, got"),
        ([[1.0], [1.0, 2.0]], "arrays of one length, got 1 and 2"),
        ([[1.0], [np.inf]], "finite vectors; that of row 1 holds NaN or infinity"),
    ],
)
def test_what_is_no_vector_is_refused(cells, complaint):
    table = pd.DataFrame({"descriptor": pd.Series(cells, dtype=object)})
    with pytest.raises(ValueError, match=f"column 'descriptor' {complaint}|{complaint}"):
        plain_columns(table, ["descriptor"])


def test_hashes_stay_text_and_numbers_in_their_place_are_refused():
    table = pd.DataFrame({"phash": pd.Series(["00ff", None, pd.NA], dtype=object)})
    assert plain_columns(table, ["phash"])["phash"].tolist() == ["00ff", None, None]
    with pytest.raises(ValueError, match=r"column 'phash' must hold text, got 255; read it with"):
        plain_columns(pd.DataFrame({"phash": ["00ff", 255]}), ["phash"])


def test_the_decision_of_what_cannot_be_judged_is_that_of_a_perfect_score():
    table = pd.DataFrame({"value_perc_99": [0.2, 1.0, np.nan]})
    decision = iq.DarkDetector(threshold=0.25).fit(table).decision_function(table)
    np.testing.assert_allclose(decision, [0.05, -0.75, -0.75])


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.5, 0.9])
def test_rescaled_scores_are_piecewise_linear_with_the_threshold_at_one_half(threshold):
    knots = [0, threshold / 2, np.nextafter(threshold, 0), threshold, (threshold + 1) / 2, 1]
    np.testing.assert_allclose(
        rescaled(np.array(knots), threshold), [0, 0.25, 0.5, 0.5, 0.75, 1], rtol=1e-12
    )
    below, at = rescaled(np.array([np.nextafter(threshold, 0), threshold]), threshold)
    assert below < 0.5 <= at


def test_rescaled_scores_where_the_threshold_is_an_end_of_the_range():
    scores = np.array([0.0, 0.4, 1.0])
    np.testing.assert_allclose(rescaled(scores, 0.0), [0.5, 0.7, 1.0])
    np.testing.assert_allclose(rescaled(scores, -1.0), [0.5, 0.7, 1.0])
    np.testing.assert_allclose(rescaled(scores, 1.0), [0.0, 0.2, 1.0])
    np.testing.assert_allclose(rescaled(scores, 2.0), [0.0, 0.1, 0.25])
    np.testing.assert_allclose(rescaled(scores, 5e-324), [0.0, 0.7, 1.0])
