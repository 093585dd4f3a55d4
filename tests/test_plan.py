"""What to keep and what to drop, and why."""

from __future__ import annotations

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagequality._plan import removal_plan

ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, None, None, "dark: score 0.1 < 0.3"]),
        st.integers(-1, 3),
        st.integers(-1, 3),
        st.sampled_from([1.0, 2.0]),
    ),
    max_size=25,
)


def plan_of(flaws, groupings, keep="best", **columns):
    n = len(flaws)
    table = pd.DataFrame(columns, index=[f"{row}.png" for row in range(n)])
    groupings = [(issue, np.array(labels, dtype=np.int64)) for issue, labels in groupings]
    return removal_plan(table, np.array(flaws, dtype=object), groupings, keep)


@given(ROWS)
def test_of_each_united_group_one_image_without_a_flaw_stays(rows):
    flaws, exact, near, size = ([row[k] for row in rows] for k in range(4))
    n = len(rows)
    plan = plan_of(flaws, [("exact", exact), ("near", near)], size=size)
    links = [
        (i, j)
        for labels in (exact, near)
        for i in range(n)
        for j in range(i)
        if labels[i] == labels[j] >= 0
    ]
    together = naive.joined_labels(n, links)
    numbers = {}
    for row in range(n):
        is_grouped = exact[row] >= 0 or near[row] >= 0
        assert plan["group"].isna().iloc[row] == (not is_grouped)
        fine = [k for k in range(n) if together[k] == together[row] and flaws[k] is None]
        best = (
            fine[naive.best_of_group([{"size": size[k], "file_size": 0} for k in fine])]
            if (fine)
            else None
        )
        expected_kept = f"{best}.png" if is_grouped and fine else None
        assert plan["kept"].iloc[row] == expected_kept
        stays = flaws[row] is None and (not is_grouped or row == best)
        assert plan["action"].iloc[row] == ("keep" if stays else "drop")
        if is_grouped:
            number = numbers.setdefault(together[row], len(numbers))
            assert plan["group"].iloc[row] == number
        why = plan["why"].iloc[row]
        if flaws[row] is not None:
            assert why == flaws[row]
        elif not is_grouped:
            assert why == ""
        elif row == best:
            assert why == f"best of {together.count(together[row])} duplicates"
        elif exact[row] == exact[best] >= 0:
            assert why == f"exact of {best}.png"
        elif near[row] == near[best] >= 0:
            assert why == f"near of {best}.png"
        else:
            assert why == f"duplicate, through other images, of {best}.png"


def test_groups_of_several_kinds_unite_through_a_flawed_image_too():
    plan = plan_of(
        [None, "dark", None], [("exact", [0, 0, -1]), ("near", [-1, 0, 0])], size=[2.0, 9.0, 1.0]
    )
    assert plan["action"].tolist() == ["keep", "drop", "drop"]
    assert plan["group"].tolist() == [0, 0, 0]
    assert plan["why"].tolist() == [
        "best of 3 duplicates",
        "dark",
        "duplicate, through other images, of 0.png",
    ]


def test_where_all_are_flawed_none_stays():
    plan = plan_of(["dark", "light"], [("exact", [0, 0])], size=[1.0, 1.0])
    assert plan["action"].tolist() == ["drop", "drop"]
    assert plan["why"].tolist() == ["dark", "light"]
    assert plan["group"].tolist() == [0, 0]
    assert plan["kept"].tolist() == [None, None]


@pytest.mark.parametrize(
    ("keep", "kept", "why"),
    [
        ("best", 2, "best of 3 duplicates"),
        ("first", 1, "first of 3 duplicates"),
        (lambda rows: len(rows) - 1, 3, "chosen of 3 duplicates"),
    ],
)
def test_keep_chooses_among_those_without_a_flaw(keep, kept, why):
    labels = [-1, 0, 0, 0]
    plan = plan_of([None] * 4, [("exact", labels)], keep, size=[9.0, 1.0, 2.0, 1.0])
    assert np.flatnonzero(plan["action"] == "keep").tolist() == [0, kept]
    assert plan["why"].iloc[kept] == why


@pytest.mark.parametrize("n", [0, 1, 3])
def test_without_groups_all_but_the_flawed_stay(n):
    plan = plan_of([None] * n, [])
    assert plan["action"].tolist() == ["keep"] * n
    assert plan["why"].tolist() == [""] * n
    filled = plan_of([None, None], [("exact", [0, 0])], size=[1.0, 1.0])
    assert plan.columns.equals(filled.columns)
    assert plan["group"].dtype == filled["group"].dtype


def test_images_of_one_name_are_told_apart():
    table = pd.DataFrame({"size": [1.0, 2.0, 3.0]}, index=["a.png", "a.png", "a.png"])
    labels = np.array([0, 0, -1])
    plan = removal_plan(table, np.array([None] * 3), [("exact", labels)])
    assert plan["action"].tolist() == ["drop", "keep", "keep"]
