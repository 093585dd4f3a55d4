"""The scan's workings: stacks, batches, workers, streams and the store, none of which may show."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import cv2
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imagequality as iq
from imagequality.images import read_image
from imagequality.measurements import (
    ALL_COLUMNS,
    Embedding,
    Measurement,
    StoreError,
    _batch,
    _workers,
    measure,
    read_store,
)
from imagequality.measurements._columns import Plan
from imagequality.measurements._stack import LARGEST_STACKED_AREA, is_stacked


def texture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Thirty image files of several shapes; the last one is broken."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(29):
        height, width = ((8, 8), (32, 32), (70, 66))[number % 3]
        Image.fromarray(texture(height, width, number)).save(images / f"{number:02}.png")
    (images / "29.png").write_bytes(b"broken")
    return images


def paths_of(folder):
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def read(monkeypatch):
    """What is read from now on."""
    seen = []
    original = _batch.read_quietened_image
    monkeypatch.setattr(
        _batch, "read_quietened_image", lambda item: seen.append(item) or original(item)
    )
    return seen


# ----------------------------------------------------------------------------- stacks


@settings(deadline=None, max_examples=25)
@given(
    shapes=st.lists(
        st.sampled_from([(1, 1), (2, 9), (8, 8), (31, 32), (32, 32), (64, 64), (65, 64)]),
        min_size=1,
        max_size=12,
    ),
    seed=st.integers(0, 99),
)
def test_a_row_does_not_depend_on_the_images_around_it(shapes, seed):
    images = [texture(*shape, seed + number) for number, shape in enumerate(shapes)]
    images.append(np.full((32, 32, 3), 7, np.uint8))
    together = measure(images)
    for number, image in enumerate(images):
        alone = measure([image]).set_axis([number])
        pd.testing.assert_frame_equal(together.loc[[number]], alone, check_exact=True)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (5, 60), (24, 23), (32, 32), (64, 64)])
def test_a_stack_measures_what_an_image_by_itself_does(shape):
    smooth = cv2.GaussianBlur(texture(*shape, 3), (0, 0), 1.5).reshape(*shape, 3)
    images = [texture(*shape), smooth, np.full((*shape, 3), 255, np.uint8)]
    plan = Plan([name for name in ALL_COLUMNS if name != "file_size"])
    stacked = plan.measure_stack([read_image(image) for image in images])
    for number, image in enumerate(images):
        for column, value in plan.measure(read_image(image)).items():
            found = stacked[column][number]
            if isinstance(value, (str, type(None))):
                assert found == value, column
            else:
                np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-7, err_msg=column)


def test_what_is_measured_in_stacks():
    side = round(LARGEST_STACKED_AREA**0.5)
    assert is_stacked((side, side, 3))
    assert is_stacked((1, LARGEST_STACKED_AREA, 3))
    assert not is_stacked((side, side + 1, 3))


def test_an_own_measurement_that_fails_for_one_image_of_a_stack():
    def reciprocal(rgb):
        return 1 / int(rgb.max())

    images = np.zeros((5, 8, 8, 3), np.uint8)
    images[[0, 1, 3, 4]] = 4
    table = measure(images, ["width", Measurement("own", reciprocal)])
    assert table["valid"].tolist() == [True, True, False, True, True]
    assert "division by zero" in table["reason"][2]
    assert table["own"].tolist()[:2] == [0.25, 0.25]
    assert table["width"].isna().tolist() == [False, False, True, False, False]


# -------------------------------------------------------------------- batches, workers


@pytest.mark.parametrize("batch_size", [1, 7, 1000, "auto"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_neither_batches_nor_workers_show(folder, batch_size, n_jobs):
    paths = paths_of(folder)
    expected = measure(paths, n_jobs=1, batch_size=30)
    found = measure(paths, n_jobs=n_jobs, batch_size=batch_size)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, "all"])
def test_a_bad_batch_size_is_named(batch_size):
    with pytest.raises(ValueError, match="batch_size"):
        measure([texture(4, 4)], batch_size=batch_size)


def test_long_scans_of_files_go_to_processes(folder, monkeypatch):
    paths = paths_of(folder)
    plan = Plan(None)
    assert _workers._choice(paths, plan)[1] == "threads"
    monkeypatch.setattr(_workers, "_LONG_SCAN", 1e-4)
    assert _workers._choice(paths, plan)[1] == "processes"
    own = Plan([Measurement("own", lambda rgb: 0.0)])
    assert _workers._choice(paths, own)[1] == "threads"
    assert _workers._choice([texture(4, 4)] * 40, plan)[1] == "threads"
    assert _workers._choice([bytes(2 << 20)] * 40, plan)[1] == "threads"
    expected = measure(paths)
    pd.testing.assert_frame_equal(measure(paths, n_jobs=2), expected, check_exact=True)


def test_the_size_of_a_batch_follows_that_of_the_images(tmp_path):
    large = tmp_path / "large.bmp"
    large.write_bytes(bytes(4 << 20))
    plan = Plan(None)
    size_of_thumbnails, _ = _workers._choice([b"x" * 900] * 9, plan)
    size_of_photographs, _ = _workers._choice([b"x" * 90_000] * 9, plan)
    assert _workers._choice([str(large)] * 9, plan)[0] == 1
    assert 1 < size_of_photographs < size_of_thumbnails
    assert _workers._choice([np.zeros((3000, 4000, 3), np.uint8)], plan)[0] == 1
    assert _workers._choice(["missing.png"], plan)[0] > 1
    assert _workers._choice([], plan)[0] > 1


def test_the_users_number_of_threads_is_left_as_it_was():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        inside = []
        measure(
            [texture(9, 9)], [Measurement("n", lambda rgb: inside.append(cv2.getNumThreads()) or 0)]
        )
        assert inside == [1]
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_rows_of_a_backend_that_only_returns_lists(folder):
    paths = paths_of(folder)
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        found = measure(paths, ["width", "entropy"], batch_size=4)
    pd.testing.assert_frame_equal(found, measure(paths, ["width", "entropy"]), check_exact=True)


# ---------------------------------------------------------------------------- streams


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_stream_is_taken_a_few_batches_ahead_and_no_further(n_jobs):
    taken = 0
    ahead = []

    class Item:
        def __init__(self, number):
            self.number = number

        def fetch(self):
            ahead.append(taken - self.number)
            return np.full((4, 4), self.number % 256, np.uint8)

    def items():
        nonlocal taken
        for number in range(500):
            taken += 1
            yield Item(number)

    found = measure(items(), ["width"], n_jobs=n_jobs, batch_size=10)
    assert len(found) == 500
    assert max(ahead) <= 10 * (4 * n_jobs + 2)


def test_a_stream_of_pairs_gives_the_table_of_the_files(folder):
    paths = paths_of(folder)
    stream = ((path, Path(path).read_bytes()) for path in paths)
    pd.testing.assert_frame_equal(measure(stream, batch_size=4), measure(paths), check_exact=True)


def test_an_item_that_cannot_be_fetched_is_a_row():
    class Items(list):
        """Behaves as a data set that makes its items when asked for them."""

        def __getitem__(self, position):
            if position == 1:
                raise RuntimeError("the disk is gone")
            return super().__getitem__(position)

    table = iq.measurements._batch.measure_batch(Items([texture(4, 4)] * 3), Plan(["width"]))
    assert table["valid"].tolist() == [True, False, True]
    assert table["reason"][1] == "cannot be fetched: the disk is gone"


# -------------------------------------------------------------------------- the store


def test_what_is_stored_is_not_read_again(folder, tmp_path, read):
    paths, cache = paths_of(folder), tmp_path / "scan.sqlite"
    expected = measure(paths)
    read.clear()
    pd.testing.assert_frame_equal(measure(paths, cache=cache), expected, check_exact=True)
    assert sorted(read) == paths
    read.clear()
    pd.testing.assert_frame_equal(measure(paths, cache=cache), expected, check_exact=True)
    assert read == [paths[-1]]  # the broken one is looked at again
    read.clear()
    backwards = measure(paths[::-1], cache=str(cache), n_jobs=2, batch_size=3)
    pd.testing.assert_frame_equal(backwards, expected[::-1], check_exact=True)
    assert read == [paths[-1]]


def test_only_what_changed_is_measured(folder, tmp_path, read):
    paths, cache = paths_of(folder), tmp_path / "scan.sqlite"
    measure(paths, cache=cache)
    Image.fromarray(texture(20, 20)).save(paths[3])
    new = folder / "30.png"
    Image.fromarray(texture(9, 9)).save(new)
    os.remove(paths[4])
    Image.fromarray(texture(9, 9)).save(paths[-1])  # was broken
    now = [*paths, str(new)]
    read.clear()
    found = measure(now, cache=cache)
    assert sorted(read) == sorted([paths[3], paths[4], paths[-1], str(new)])
    pd.testing.assert_frame_equal(found, measure(now), check_exact=True)
    assert found["reason"].iloc[4] == "file not found"


def test_further_columns_are_added(folder, tmp_path, read):
    paths, cache = paths_of(folder)[:-1], tmp_path / "scan.sqlite"
    measure(paths, ["width"], cache=cache)
    first = measure(paths, ["entropy", "format", "descriptor"], cache=cache)
    read.clear()
    both = measure(paths, ["descriptor", "width", "entropy"], cache=cache)
    assert read == []
    expected = measure(paths, ["descriptor", "width", "entropy"])
    pd.testing.assert_frame_equal(both, expected, check_exact=True)
    pd.testing.assert_series_equal(first["entropy"], expected["entropy"])
    assert set(read_store(cache)) == {"width", "entropy", "format", "descriptor"}


def test_images_in_memory_are_known_by_their_content(tmp_path, read):
    images = np.stack([texture(8, 8, seed) for seed in range(5)])
    cache = tmp_path / "scan.sqlite"
    expected = measure(images, cache=cache)
    read.clear()
    pd.testing.assert_frame_equal(
        measure(images[::-1].copy(), cache=cache), expected[::-1].reset_index(drop=True)
    )
    assert read == []


def test_columns_of_ones_own_are_stored_by_version(tmp_path, read):
    images, cache = [texture(8, 8)], tmp_path / "scan.sqlite"
    with pytest.raises(ValueError, match=r"cache: the column 'own' needs a version"):
        measure(images, [Measurement("own", lambda rgb: 1.0)], cache=cache)
    for version, expected in (("1", 1.0), ("1", 1.0), ("2", 2.0)):
        own = Measurement("own", lambda rgb, value=float(version): value, version=version)
        assert measure(images, [own], cache=cache)["own"].tolist() == [expected]
    assert len(read) == 2

    class Model:
        def transform(self, images):
            return [image[0, 0] for image in images]

    embedding = Embedding(Model(), version="a")
    for _ in range(2):
        vectors = measure(images, [embedding], cache=cache)["embedding"]
        np.testing.assert_array_equal(vectors[0], images[0][0, 0])
    assert len(read) == 3


def test_a_changed_formula_is_measured_again(tmp_path, read, monkeypatch):
    images, cache = [texture(8, 8)], tmp_path / "scan.sqlite"
    measure(images, cache=cache)
    monkeypatch.setattr("imagequality.measurements._columns._FORMULA_VERSION", "another")
    measure(images, cache=cache)
    assert len(read) == 2


def test_hashes_of_another_pillow_are_measured_again(tmp_path, read, monkeypatch):
    images, cache = [texture(8, 8)], tmp_path / "scan.sqlite"
    measure(images, ["width"], cache=cache)
    measure(images, ["phash"], cache=cache)
    read.clear()
    monkeypatch.setattr("PIL.__version__", "99")
    measure(images, ["width"], cache=cache)
    assert read == []
    measure(images, ["phash"], cache=cache)
    assert len(read) == 1


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(StoreError, match=r"letter\.txt"):
        measure([texture(4, 4)], cache=letter)
    assert letter.read_text() == "Dear Sir or Madam, " * 100


def test_the_pipeline_and_the_transformer_use_the_store(folder, tmp_path, read):
    paths, cache = paths_of(folder), tmp_path / "scan.sqlite"
    pipeline = iq.QualityPipeline(cache=cache).fit(paths)
    expected = iq.QualityPipeline().fit(paths).report().issues
    pd.testing.assert_frame_equal(pipeline.report().issues, expected)
    read.clear()
    pipeline.predict(paths)
    iq.Measurer(cache=cache).fit_transform(paths)
    measure(paths, cache=cache)
    assert set(read) == {paths[-1]}


SCAN = textwrap.dedent(
    """
    import sys
    from imagequality import list_images, measure
    print("ready", flush=True)
    measure(list_images(sys.argv[1]), cache=sys.argv[2], batch_size=4, progress=False)
    """
)


def test_a_killed_scan_goes_on_where_it_was(tmp_path, read):
    images, cache = tmp_path / "images", tmp_path / "scan.sqlite"
    images.mkdir()
    for number in range(150):
        Image.fromarray(texture(130, 130, number)).save(images / f"{number:03}.png")
    paths = paths_of(images)
    expected = measure(paths)
    waits = np.random.default_rng(0).uniform(0.02, 0.15, 3)
    for wait in waits:
        scan = subprocess.Popen(
            [sys.executable, "-c", SCAN, str(images), str(cache)], stdout=subprocess.PIPE
        )
        assert scan.stdout.readline() == b"ready\n"
        time.sleep(wait)
        scan.send_signal(signal.SIGKILL)
        scan.wait()
        scan.stdout.close()
    stored = len(read_store(cache)) if cache.exists() else 0
    read.clear()
    pd.testing.assert_frame_equal(measure(paths, cache=cache), expected, check_exact=True)
    assert len(read) == len(paths) - stored


def test_a_store_that_can_only_be_read(folder, tmp_path, monkeypatch, read):
    paths, cache = paths_of(folder), tmp_path / "scan.sqlite"
    measure(paths[:20], cache=cache)
    expected = measure(paths)
    read.clear()

    class ReadOnly(_workers.Store):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.writable = False

    monkeypatch.setattr(_workers, "Store", ReadOnly)
    with pytest.warns(UserWarning, match="can only be read: what is measured now is not stored"):
        found = measure(paths, cache=cache)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert sorted(read) == paths[20:]
    assert len(read_store(cache)) == 20


def test_whole_numbers_are_stored_as_such(folder, tmp_path):
    paths, cache = paths_of(folder)[:-1], tmp_path / "scan.sqlite"
    columns = ["file_size", "width", "jpeg_quality"]
    expected = measure(paths, columns, cache=cache)
    stored = read_store(cache).loc[[os.path.abspath(path) for path in paths]]
    assert stored["width"].dtype == stored["file_size"].dtype == "Int64"
    assert stored["width"].tolist() == expected["width"].tolist()


def test_what_cannot_be_known_again_is_measured_each_time(tmp_path, read):
    encoded = cv2.imencode(".png", texture(9, 9))[1].tobytes()
    every_second = memoryview(bytes(byte for byte in encoded for _ in range(2)))[::2]

    class Forgetful:
        def read_bytes(self):
            return encoded

        def cache_key(self):
            raise OSError("the server is gone")

    cache = tmp_path / "scan.sqlite"
    for _ in range(2):
        table = measure([every_second, Forgetful()], ["width"], cache=cache)
        assert table["width"].tolist() == [9, 9]
    assert len(read) == 3  # the content of the view is known, that of the other is not


def test_batches_of_a_stream_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(_workers, "_BYTES_PER_BATCH", 3 * 16 * 16 * 3)
    sizes = []
    original = _workers.measure_batch
    monkeypatch.setattr(
        _workers,
        "measure_batch",
        lambda items, plan: sizes.append(len(items)) or original(items, plan),
    )
    images = [texture(16, 16, seed) for seed in range(10)]
    measure(iter(images), ["width"])
    measure((Image.fromarray(image) for image in images[:4]), ["width"])
    measure(iter(images), ["width"], batch_size=10)
    assert sizes == [3, 3, 3, 1, 3, 1, 10]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_is_forked_in_the_middle_begins_anew():
    before = cv2.getNumThreads()

    def fork(rgb):
        child = os.fork()
        if not child:  # nothing of pytest may run in it
            os._exit(0 if cv2.getNumThreads() == before else 1)
        return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert measure([texture(9, 9)], [Measurement("exit", fork)])["exit"].tolist() == [0.0]
