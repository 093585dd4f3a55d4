"""Which image of a group stays."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from duplicate_tables import hash_table, random_collection
from hypothesis import given
from hypothesis import strategies as st

import imagequality as iq
from imagequality.duplicates._keep import kept_of_groups

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "label": st.integers(-1, 3),
            "size": st.sampled_from([1.0, 2.0]),
            "file_size": st.sampled_from([1.0, 2.0]),
            "quality_score": st.sampled_from([0.2, 0.5, 0.9]),
        }
    ),
    max_size=25,
)


def numbered(labels):
    """Number groups from 0 without gaps."""
    labels = np.array(labels, dtype=np.int64)
    numbers = np.full(len(labels), -1)
    numbers[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)[1]
    return numbers


@given(ROWS, st.booleans())
def test_the_best_is_without_a_flaw_then_large_then_least_flawed(rows, with_quality):
    labels = numbered([row.pop("label") for row in rows])
    if not with_quality:
        for row in rows:
            del row["quality_score"]
    names = ["size", "file_size", "quality_score"][: 3 if with_quality else 2]
    kept = kept_of_groups(labels, pd.DataFrame(rows, columns=names), "best")
    for group in range(labels.max(initial=-1) + 1):
        members = np.flatnonzero(labels == group)
        best = naive.best_of_group([rows[member] for member in members])
        assert kept[group] == members[best]
    assert len(kept) == labels.max(initial=-1) + 1


@pytest.mark.parametrize("keep", ["first", "best"])
def test_without_any_column_the_first_stays(keep):
    labels = np.array([1, -1, 0, 1, 0])
    table = pd.DataFrame(index=range(5))
    assert kept_of_groups(labels, table, keep).tolist() == [2, 0]


def test_first_ignores_the_columns():
    table = pd.DataFrame({"size": [1.0, 9.0, 9.0], "quality_score": [0.0, 1.0, 1.0]})
    assert kept_of_groups(np.zeros(3, np.int64), table, "first").tolist() == [0]


def test_what_is_missing_is_the_worst():
    table = pd.DataFrame({"size": pd.array([None, 1, None], dtype="Float64")})
    assert kept_of_groups(np.zeros(3, np.int64), table, "best").tolist() == [1]


@pytest.mark.parametrize("position", [3, -1, 1.0, True, None, "0", np.array([0])])
def test_a_callable_must_return_a_position_of_the_group(position):
    table = hash_table(np.zeros((3, 64), bool), ["a"] * 3)
    detector = iq.ExactDuplicateDetector(keep=lambda rows: position)
    with pytest.raises(ValueError, match=r"keep must return a position in the group, 0 … 2; got"):
        detector.fit(table)


def test_a_callable_chooses_among_the_rows_of_each_group():
    table, _ = random_collection(3, 30)

    def last(rows):
        assert len(set(rows["pixel_digest"])) == 1
        return np.int64(len(rows) - 1)

    detector = iq.ExactDuplicateDetector(keep=last).fit(table)
    for group, kept in enumerate(detector.groups_["kept"]):
        assert kept == np.flatnonzero(detector.labels_ == group)[-1]


def test_a_callable_sees_all_columns_of_the_measurement_table():
    table = hash_table(np.zeros((4, 64), bool), [*"abab"], vote=[0, 1, 2, 0])
    for detector in (
        iq.ExactDuplicateDetector(),
        iq.NearDuplicateDetector(hash="phash", distance=0),
        iq.DuplicateDetector([("exact", iq.ExactDuplicateDetector())]),
    ):
        detector.set_params(keep=lambda rows: int(rows["vote"].to_numpy().argmax()))
        kept = set(detector.fit(table).groups_["kept"])
        assert kept in ({2, 1}, {2})
        assert (
            detector.score_samples(table).tolist()
            == (1 / table.groupby(detector.labels_)["vote"].transform("size")).tolist()
        )


def test_quality_comes_before_size_only_where_there_is_a_flaw():
    table = hash_table(
        np.zeros((3, 64), bool), ["a"] * 3, size=[9.0, 5.0, 4.0], quality_score=[0.4, 0.6, 0.9]
    )
    assert iq.ExactDuplicateDetector().fit(table).groups_["kept"].tolist() == [1]


def test_quality_comes_before_the_size_of_the_file():
    table = hash_table(
        np.zeros((2, 64), bool), ["a"] * 2, file_size=[9.0, 1.0], quality_score=[0.6, 0.9]
    )
    assert iq.ExactDuplicateDetector().fit(table).groups_["kept"].tolist() == [1]
