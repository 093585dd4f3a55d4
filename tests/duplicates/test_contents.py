"""Exact copies are one item: rows and items, and their pairs, against brute force."""

from __future__ import annotations

import warnings

import naive
import numpy as np
import pytest
from duplicate_tables import groups_of, hash_table
from hypothesis import given
from hypothesis import strategies as st

import imagequality as iq
from imagequality.duplicates import Pairs, _contents
from imagequality.duplicates._contents import Contents

DIGESTS = st.lists(st.sampled_from([*"abcdef", None]), max_size=25)


def contents_of(digests):
    return Contents(np.array(digests, dtype=object))


@given(DIGESTS)
def test_items_are_the_distinct_contents_by_first_appearance(digests):
    contents = contents_of(digests)
    distinct = list(dict.fromkeys(digest for digest in digests if digest is not None))
    assert contents.digests.tolist() == distinct
    assert len(contents) == len(distinct)
    assert [digests[row] for row in contents.first_row] == distinct
    assert contents.first_row.tolist() == [digests.index(digest) for digest in distinct]
    assert contents.copies.tolist() == [digests.count(digest) for digest in distinct]
    for item, digest in enumerate(distinct):
        rows = [row for row, own in enumerate(digests) if own == digest]
        assert contents.rows(item).tolist() == rows
    assert [distinct[item] for item in contents.by_digest] == sorted(distinct)
    expected = [-1 if digest is None else distinct.index(digest) for digest in digests]
    assert contents.item_of_row.tolist() == expected


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), unique=True))
def test_digests_of_any_text_are_ordered(digests):
    contents = contents_of(digests)
    assert [digests[item] for item in contents.by_digest] == sorted(digests)


@given(DIGESTS)
def test_exact_pairs_are_all_pairs_of_equal_contents(digests):
    pairs = contents_of(digests).exact_pairs()
    found = list(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True))
    assert found == naive.pairs_of_copies(digests)
    assert not pairs.distance.any()


@given(DIGESTS, st.randoms(use_true_random=False))
def test_pairs_of_items_become_pairs_of_rows(digests, random):
    contents = contents_of(digests)
    n = len(contents)
    chosen = [(i, j) for i in range(n) for j in range(i + 1, n) if random.random() < 0.5]
    item_pairs = [(i, j, 1 + i + n * j) for i, j in chosen]
    columns = np.array(item_pairs, dtype=np.int64).reshape(-1, 3).T
    rows = contents.row_pairs(Pairs(*columns))
    expected = naive.pairs_of_rows(
        digests, [(contents.digests[i], contents.digests[j], d) for i, j, d in item_pairs]
    )
    assert list(zip(*(part.tolist() for part in rows), strict=True)) == expected


@given(DIGESTS, st.randoms(use_true_random=False), st.booleans())
def test_labels_of_rows(digests, random, exact):
    contents = contents_of(digests)
    item_labels = np.array([random.randrange(4) for _ in range(len(contents))], dtype=np.int64)
    labels = contents.row_labels(item_labels, exact=exact)
    cluster = [-1 if item < 0 else item_labels[item] for item in contents.item_of_row]
    for row, label in enumerate(labels):
        members = [other for other in range(len(digests)) if cluster[other] == cluster[row]]
        distinct = {digests[other] for other in members}
        is_group = cluster[row] >= 0 and (len(distinct) > 1 or (exact and len(members) > 1))
        assert (label >= 0) == is_group
        if is_group:
            assert np.flatnonzero(labels == label).tolist() == members
    grouped = labels[labels >= 0].tolist()
    assert list(dict.fromkeys(grouped)) == list(range(len(set(grouped))))


@pytest.mark.parametrize("digests", [[], [None], [None] * 3])
def test_nothing_readable_has_no_items(digests):
    contents = contents_of(digests)
    assert len(contents) == 0
    assert contents.row_labels(np.empty(0, np.int64)).tolist() == [-1] * len(digests)
    assert len(contents.exact_pairs().i) == 0


# ----------------------------------------------------------------------- too many pairs to list


def complete_and_capped(monkeypatch, make, table, most_pairs):
    complete = make().fit(table)
    monkeypatch.setattr(_contents, "MOST_PAIRS", most_pairs)
    monkeypatch.setattr("imagequality.duplicates._linked.MOST_PAIRS", most_pairs)
    with pytest.warns(UserWarning, match=rf"more than {most_pairs} pairs"):
        capped = make().fit(table)
    return complete, capped


def same_groups(complete, capped):
    assert capped.labels_.tolist() == complete.labels_.tolist()
    assert capped.keep_.tolist() == complete.keep_.tolist()
    assert capped.groups_.equals(complete.groups_)
    links = capped.pairs_[["i", "j"]].to_numpy().tolist()
    together = naive.joined_labels(len(capped.labels_), links)
    assert {group for group in groups_of(together) if len(group) > 1} == groups_of(capped.labels_)


def test_many_exact_copies_are_linked_to_their_first(monkeypatch):
    table = hash_table(np.zeros((15, 64), bool), [*"aabcbcaaabdaeab"])
    complete, capped = complete_and_capped(monkeypatch, iq.ExactDuplicateDetector, table, 10)
    same_groups(complete, capped)
    assert len(capped.pairs_) == 6 + 3 + 1
    assert set(capped.pairs_.loc[capped.pairs_["j"] < 12, "i"]) == {0, 2, 3}


def test_many_pairs_of_a_few_contents_are_linked_by_the_first_of_each(monkeypatch):
    bits = np.zeros((16, 64), bool)
    bits[8:, 0] = True
    table = hash_table(bits, ["a"] * 8 + ["b"] * 8)

    def make():
        return iq.NearDuplicateDetector(hash="phash", distance=1)

    complete, capped = complete_and_capped(monkeypatch, make, table, 60)
    assert len(complete.pairs_) == 16 * 15 // 2
    same_groups(complete, capped)
    assert capped.pairs_.query("kind == 'phash'")[["i", "j"]].to_numpy().tolist() == [[0, 8]]


def test_of_too_many_near_pairs_a_spanning_forest_remains(monkeypatch):
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.random((3, 64)) < 0.5, [30, 20, 10], axis=0) ^ (
        rng.random((60, 64)) < 0.02
    )

    def make():
        return iq.NearDuplicateDetector(hash="phash", distance=12)

    complete, capped = complete_and_capped(monkeypatch, make, hash_table(bits), 100)
    same_groups(complete, capped)
    assert len(capped.pairs_) < len(complete.pairs_)


def test_a_number_of_pairs_at_the_limit_gives_no_warning(monkeypatch):
    monkeypatch.setattr(_contents, "MOST_PAIRS", 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detector = iq.ExactDuplicateDetector().fit(hash_table(np.zeros((4, 64), bool), ["a"] * 4))
    assert len(detector.pairs_) == 6
