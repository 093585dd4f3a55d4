"""Images that two sets share."""

from __future__ import annotations

import numpy as np
import pytest
from duplicate_tables import Embedder, hash_table, random_collection
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imagequality as iq

COLUMNS = ["train", "test", "train_position", "test_position", "distance", "kind"]


def near(**parameters):
    return iq.NearDuplicateDetector(hash="phash", distance=6, **parameters)


@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 25))
@settings(max_examples=25, deadline=None)
def test_leaks_are_the_near_pairs_across(seed, n_train, n_test):
    table, matrix = random_collection(seed, n_train + n_test)
    leaks = iq.find_leaks(table.iloc[:n_train], table.iloc[n_train:], near())
    readable = table["pixel_digest"].notna().to_numpy()
    expected = [
        (i, j, matrix[i, n_train + j])
        for i in range(n_train)
        for j in range(n_test)
        if matrix[i, n_train + j] <= 6 and readable[i] and readable[n_train + j]
    ]
    expected.sort(key=lambda leak: (leak[1], leak[2], leak[0]))
    assert leaks.columns.tolist() == COLUMNS
    columns = (leaks["train_position"], leaks["test_position"], leaks["distance"])
    assert [*zip(*columns, strict=True)] == expected
    assert leaks["train"].tolist() == [f"{i}.png" for i, _, _ in expected]
    assert leaks["test"].tolist() == [f"{n_train + j}.png" for _, j, _ in expected]


def test_arrays_paths_and_tables_give_one_answer(clean, tmp_path):
    train, test = list(clean[:20]), [clean[25], clean[3], clean[4] // 2 + 30, b"broken"]
    leaks = iq.find_leaks(train, test)
    assert leaks[["train", "test"]].to_numpy().tolist() == [[3, 1], [4, 2]]
    assert leaks["kind"].tolist() == ["exact", "phash_256"]
    paths = []
    for number, image in enumerate([*train, *test[:3]]):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(paths[-1])
    of_paths = iq.find_leaks(paths[:20], paths[20:])
    assert of_paths["train"].tolist() == [paths[3], paths[4]]
    assert of_paths["test"].tolist() == [paths[21], paths[22]]
    assert of_paths[COLUMNS[2:]].equals(leaks[COLUMNS[2:]])
    tables = (
        iq.measure(paths[:20], iq.measurements.ALL_COLUMNS),
        iq.measure(test, iq.measurements.ALL_COLUMNS),
    )
    assert iq.find_leaks(*tables)[COLUMNS[1:]].equals(leaks[COLUMNS[1:]])


@pytest.mark.parametrize(
    "detector",
    [
        None,
        iq.ExactDuplicateDetector(),
        iq.SemanticDuplicateDetector(),
        iq.SemanticDuplicateDetector(Embedder(), distance=1e-6),
        iq.DuplicateDetector(),
        iq.NearDuplicateDetector("complete_linkage"),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_any_duplicate_detector_will_do(detector, clean):
    leaks = iq.find_leaks(list(clean[:30]), list(clean[28:]), detector)
    assert set(zip(leaks["train"], leaks["test"], strict=True)) == {(28, 0), (29, 1)}
    assert not hasattr(detector, "labels_")


def test_without_a_leak_the_table_is_empty_and_of_the_same_form(clean):
    none = iq.find_leaks(list(clean[:10]), list(clean[10:20]))
    some = iq.find_leaks(list(clean[:10]), list(clean[9:20]))
    assert len(none) == 0
    assert len(some) == 1
    assert none.columns.equals(some.columns)
    assert none.dtypes[COLUMNS[2:5]].equals(some.dtypes[COLUMNS[2:5]])
    unreadable = iq.find_leaks(list(clean[:10]), [b"broken"])
    assert len(unreadable) == 0
    assert unreadable.columns.equals(some.columns)


def test_copies_within_one_set_are_no_leaks(clean):
    assert len(iq.find_leaks([clean[0], clean[0]], [clean[1], clean[1]])) == 0


def test_bad_arguments_are_named(clean):
    images = list(clean[:3])
    with pytest.raises(ValueError, match="find_leaks: train holds no image"):
        iq.find_leaks([], images)
    with pytest.raises(ValueError, match="find_leaks: test holds no image"):
        iq.find_leaks(
            hash_table(np.zeros((1, 64), bool)), hash_table(np.zeros((0, 64), bool)), near()
        )
    with pytest.raises(ValueError, match="'detector'"):
        iq.find_leaks(images, images, iq.BlurDetector())
    with pytest.raises(ValueError, match="The 'hash' parameter of NearDuplicateDetector"):
        iq.find_leaks(images, images, iq.NearDuplicateDetector(hash="md5"))
    with pytest.raises(ValueError, match="'n_jobs'"):
        iq.find_leaks(images, images, n_jobs=0)
    with pytest.raises(ValueError, match="lacks 'phash'"):
        iq.find_leaks(hash_table(np.zeros((1, 64), bool)).drop(columns="phash"), images, near())
