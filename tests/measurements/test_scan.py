"""The scan: one row per image, in order, whatever happens; and its transformer."""

import io
import os
import pickle
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tqdm import tqdm

from imagequality.images import load_image
from imagequality.measurements import (
    ALL_COLUMNS,
    DEFAULT_COLUMNS,
    Measurement,
    Measurer,
    _columns,
    _workers,
    channels_identical,
    entropy,
    measure,
    phash,
    pixel_digest,
    to_grey,
)

TEXT = {
    *("reason", "format", "mode", "pixel_digest", "colorhash", "colorhash_256"),
    *(
        kind + size + views
        for kind in ("phash", "dhash", "ahash", "whash")
        for size in ("", "_256")
        for views in ("", "_flips", "_views")
    ),
}
WHOLE = {"file_size", "width", "height"}


def rgb_array(height=12, width=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def mixed(tmp_path):
    """References of every kind, with broken ones among them; and which of them are sound."""
    sound = tmp_path / "sound.png"
    sound.write_bytes(png(rgb_array(seed=1)))
    broken = tmp_path / "broken.jpg"
    broken.write_text("this is no image")
    references = [
        str(sound),
        str(broken),
        sound,
        png(rgb_array(seed=2)),
        str(tmp_path / "missing.png"),
        rgb_array(seed=3),
        b"",
        None,
        Image.fromarray(rgb_array(seed=4)),
        png(rgb_array(seed=5))[:-40],
        rgb_array(20, 30, seed=6),
    ]
    valid = [True, False, True, True, False, True, False, False, True, False, True]
    return references, valid


def mean_red(rgb):
    return rgb[..., 0].mean()


def fails_on_wide(rgb):
    if rgb.shape[1] > 16:
        raise RuntimeError("too wide for me")
    return 1.0


RED = Measurement("red", mean_red)


# ------------------------------------------------------------------------------ rows


def test_one_row_per_input_in_order(mixed):
    references, valid = mixed
    table = measure(references, columns=ALL_COLUMNS)
    assert table["valid"].tolist() == valid
    assert list(table.columns) == ["valid", "reason", *ALL_COLUMNS]
    assert table.index.tolist() == [
        str(reference) if isinstance(reference, type(references[2]) | str) else position
        for position, reference in enumerate(references)
    ]
    for reference, (_, row) in zip(references, table.iterrows(), strict=True):
        if row["valid"]:
            assert row["reason"] == ""
            assert row["pixel_digest"] == pixel_digest(load_image(reference))
            assert row["phash"] == phash(to_grey(load_image(reference)))
            assert row.drop(["format", "file_size", "jpeg_quality"]).notna().all()
        else:
            assert row["reason"]
            assert row.drop(["valid", "reason"]).isna().all()


def test_the_reasons(mixed):
    references, _ = mixed
    reasons = measure(references, columns=[])["reason"].tolist()
    assert reasons[1] == "not an image in a format that can be read"
    assert reasons[4] == "file not found"
    assert reasons[6] == "empty file"
    assert reasons[7] == "not a reference to an image: NoneType"
    assert reasons[9] == "truncated PNG"


@pytest.mark.parametrize("which", ["all broken", "mixed", "empty"])
def test_dtypes_do_not_depend_on_what_is_broken(mixed, which):
    references, valid = mixed
    if which == "all broken":
        references = [one for one, ok in zip(references, valid, strict=True) if not ok]
    elif which == "empty":
        references = []
    table = measure(references, columns=[*ALL_COLUMNS, RED])
    assert len(table) == len(references)
    for name, dtype in table.dtypes.items():
        if name == "valid":
            assert dtype == np.dtype(bool)
        elif name in {*TEXT, "descriptor", "descriptor_crops"}:
            assert dtype == np.dtype(object), name
        elif name in WHOLE:
            assert dtype == "Int64"
        else:
            assert dtype == np.float64, name


def test_more_images_than_a_batch():
    images = np.arange(150, dtype=np.uint8).reshape(150, 1, 1, 1) * np.ones((5, 5, 3), np.uint8)
    for n_jobs in (1, 2):
        table = measure(images, columns=["brightness"], n_jobs=n_jobs)
        np.testing.assert_allclose(table["brightness"], np.arange(150) / 255, atol=1e-6)


def test_rows_do_not_depend_on_their_neighbours(mixed):
    references, _ = mixed
    together = measure(references, columns=ALL_COLUMNS)
    alone = pd.concat([measure([one], columns=ALL_COLUMNS) for one in references])
    pd.testing.assert_frame_equal(together.reset_index(drop=True), alone.reset_index(drop=True))
    backwards = measure(references[::-1], columns=ALL_COLUMNS).iloc[::-1]
    pd.testing.assert_frame_equal(together.reset_index(drop=True), backwards.reset_index(drop=True))


def test_the_facts_of_the_source(tmp_path):
    path = tmp_path / "a.gif"
    Image.fromarray(rgb_array(5, 7)).quantize(8).save(path)
    (row,) = measure([path], ["format", "mode", "file_size", "width", "height"]).to_dict("records")
    assert row == {
        "valid": True,
        "reason": "",
        "format": "GIF",
        "mode": "P",
        "file_size": path.stat().st_size,
        "width": 7,
        "height": 5,
    }
    (row,) = measure([rgb_array(5, 7)], ["format", "mode", "file_size"]).to_dict("records")
    assert row["format"] is None
    assert row["mode"] == "uint8"
    assert pd.isna(row["file_size"])


def test_equal_pixels_give_equal_rows_through_every_door(tmp_path):
    pixels = rgb_array(40, 50)
    path = tmp_path / "a.png"
    path.write_bytes(png(pixels))
    references = [path, png(pixels), Image.fromarray(pixels), pixels, pixels.astype(int)]
    table = measure(references, columns=ALL_COLUMNS).reset_index(drop=True)
    same = table.drop(columns=["format", "mode", "file_size"])
    for row in range(1, len(references)):
        pd.testing.assert_series_equal(same.iloc[row], same.iloc[0], check_names=False)


# ----------------------------------------------------------------------------- index


def test_index_of_pandas_input_is_kept():
    index = pd.Index([9, 9, "x"], name="mine")
    series = pd.Series([png(rgb_array()), b"broken", png(rgb_array())], index=index)
    for X in (series, series.to_frame("image")):
        table = measure(X, columns=["width"])
        pd.testing.assert_index_equal(table.index, index)
        assert table["valid"].tolist() == [True, False, True]


def test_index_of_paths_and_of_positions(tmp_path):
    path = str(tmp_path / "a.png")
    Image.fromarray(rgb_array()).save(path)
    table = measure([path, path], columns=["width"])  # the same file twice is two rows
    assert table.index.tolist() == [path, path]
    assert table["width"].tolist() == [16, 16]
    table = measure(np.stack([rgb_array(), rgb_array()]), columns=["width"])
    pd.testing.assert_index_equal(table.index, pd.RangeIndex(2))


def test_imbalanced_learns_column_of_references():
    X = np.empty((2, 1), dtype=object)
    X[:, 0] = [rgb_array(), "missing.png"]
    assert measure(X, columns=["width"])["valid"].tolist() == [True, False]


@pytest.mark.parametrize("X", [[], (), pd.Series([], dtype=object), np.empty(0, dtype=object)])
def test_no_images(X):
    table = measure(X)
    assert table.shape == (0, len(DEFAULT_COLUMNS) + 2)


def test_what_is_no_collection_raises():
    with pytest.raises(TypeError, match="list_images"):
        measure("folder")
    with pytest.raises(ValueError, match="got 2 columns"):
        measure(pd.DataFrame({"a": ["x"], "b": ["y"]}))


# --------------------------------------------------------------------------- columns


def test_default_columns_are_known():
    assert len(set(ALL_COLUMNS)) == len(ALL_COLUMNS)
    assert len(set(DEFAULT_COLUMNS)) == len(DEFAULT_COLUMNS)
    assert set(DEFAULT_COLUMNS) < set(ALL_COLUMNS)
    table = measure([rgb_array()])
    assert tuple(table.columns) == ("valid", "reason", *DEFAULT_COLUMNS)


@pytest.mark.parametrize("column", ALL_COLUMNS)
def test_a_column_alone_is_as_among_all(column):
    images = [rgb_array(30, 40), b"broken"]
    table = measure(images, columns=[column])
    assert list(table.columns) == ["valid", "reason", column]
    pd.testing.assert_series_equal(table[column], measure(images, columns=ALL_COLUMNS)[column])


def test_columns_come_in_the_order_asked_for_and_once():
    table = measure([rgb_array()], columns=["height", RED, "valid", "width", "height", "reason"])
    assert list(table.columns) == ["valid", "reason", "height", "red", "width"]
    assert list(measure([rgb_array()], columns=iter(["width"])).columns)[2:] == ["width"]


def test_only_what_is_asked_for_is_computed(monkeypatch):
    called = []
    groups = tuple(
        _columns._Group(
            group.columns,
            lambda image, pixels, g=group: called.append(g.columns) or g.of_image(image, pixels),
        )
        for group in _columns._GROUPS
    )
    monkeypatch.setattr(_columns, "_GROUPS", groups)
    measure([rgb_array()], columns=["height", "entropy", "size"])
    assert called == [("width", "height", "size", "aspect_ratio"), ("entropy",)]
    called.clear()
    measure([rgb_array()], columns=[])
    assert called == []


@pytest.mark.parametrize("unknown", ["sharpness", "", 5, None, len])
def test_unknown_columns_are_named(unknown):
    with pytest.raises(ValueError, match=r"columns: unknown .*known are format, mode, .*phash"):
        measure([rgb_array()], columns=["width", unknown])


# ------------------------------------------------------------------- own measurements


def test_an_own_measurement():
    images = [rgb_array(seed=1), b"broken", rgb_array(seed=2)]
    table = measure(images, columns=["width", RED])
    assert table["red"].tolist()[::2] == [mean_red(images[0]), mean_red(images[2])]
    assert np.isnan(table["red"].iloc[1])


@pytest.mark.parametrize("value", [True, 3, np.float32(2.5), np.int8(4), np.array(1.5), np.nan])
def test_an_own_measurement_may_return_any_number(value):
    table = measure([rgb_array()], columns=[Measurement("own", lambda rgb: value)])
    assert table["valid"].tolist() == [True]
    np.testing.assert_equal(table["own"].iloc[0], float(value))


def test_an_error_in_an_own_measurement_is_that_rows_reason():
    images = [rgb_array(), rgb_array(12, 17), rgb_array()]
    table = measure(images, columns=["width", Measurement("own", fails_on_wide)])
    assert table["valid"].tolist() == [True, False, True]
    assert table["reason"].tolist() == ["", "cannot be measured: too wide for me", ""]
    assert table["width"].isna().tolist() == [False, True, False]


def test_an_error_without_words_is_named_by_its_type():
    def fails(rgb):
        raise KeyError

    table = measure([rgb_array()], columns=[Measurement("own", fails)])
    assert table["reason"].tolist() == ["cannot be measured: KeyError"]


@pytest.mark.parametrize("value", [None, "text", [1, 2], 1j])
def test_an_own_measurement_that_returns_no_number(value):
    table = measure([rgb_array()], columns=[Measurement("own", lambda rgb: value)])
    assert table["valid"].tolist() == [False]
    assert table["reason"].iloc[0].startswith("cannot be measured: ")


def test_an_own_measurement_cannot_reach_the_callers_array():
    def blackens(rgb):
        rgb[...] = 0
        return 0.0

    image = rgb_array()
    before = image.copy()
    measure([image], columns=[Measurement("own", blackens)])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("name", ["width", "phash", "valid", "reason"])
def test_an_own_measurement_cannot_take_a_known_name(name):
    with pytest.raises(ValueError, match=f"the name '{name}' is taken"):
        measure([], columns=[Measurement(name, mean_red)])


def test_two_own_measurements_of_one_name():
    with pytest.raises(ValueError, match="the name 'own' is taken"):
        measure([], columns=[Measurement("own", mean_red), Measurement("own", fails_on_wide)])


# --------------------------------------------------------------------------- workers


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_workers_change_nothing(mixed, n_jobs):
    references = mixed[0] * 20
    expected = measure(references, columns=[*ALL_COLUMNS, RED])
    found = measure(references, columns=[*ALL_COLUMNS, RED], n_jobs=n_jobs)
    pd.testing.assert_frame_equal(found, expected)


def test_processes_change_nothing(mixed):
    references = mixed[0] * 12
    expected = measure(references, columns=ALL_COLUMNS)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = measure(references, columns=ALL_COLUMNS)
    pd.testing.assert_frame_equal(found, expected)


def test_processes_are_used_where_the_context_says_so():
    own = Measurement("process", lambda rgb: os.getpid())
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = measure([rgb_array()], columns=[own])
    assert found["process"].iloc[0] != os.getpid()
    assert measure([rgb_array()], columns=[own], n_jobs=2)["process"].iloc[0] == os.getpid()


def test_measuring_from_a_thread(mixed):
    references, _ = mixed
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(measure, references, ALL_COLUMNS).result()
    pd.testing.assert_frame_equal(found, measure(references, columns=ALL_COLUMNS))


def test_n_jobs_follows_the_context(monkeypatch):
    seen = []

    class Spy(joblib.Parallel):
        def __call__(self, tasks):
            seen.append((self.n_jobs, type(self._backend).__name__))
            return super().__call__(tasks)

    monkeypatch.setattr(_workers, "Parallel", Spy)
    measure([rgb_array()], columns=["width"])
    measure([rgb_array()], columns=["width"], n_jobs=2)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        measure([rgb_array()], columns=["width"])
    assert [n_jobs for n_jobs, _ in seen] == [1, 2, 2]
    assert seen[1][1] == "ThreadingBackend"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nothing_is_warned(n_jobs):
    transparent = Image.new("P", (4, 4))
    transparent.info["transparency"] = bytes([0] * 256)
    exif = Image.Exif()
    exif[0x0112] = 6
    damaged = io.BytesIO()
    Image.fromarray(rgb_array()).save(damaged, "JPEG", exif=exif.tobytes()[:-9])
    references = [transparent, damaged, np.array([[np.nan]]), rgb_array(1, 1), b"II*\0" + bytes(9)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        table = measure(references * 3, columns=ALL_COLUMNS, n_jobs=n_jobs)
        assert warnings.filters == before
    assert [str(warning.message) for warning in caught] == []
    assert table["valid"].tolist() == [True, True, False, True, False] * 3


def test_measuring_changes_no_input(mixed):
    references, _ = mixed
    arrays = [one for one in references if isinstance(one, np.ndarray)]
    before = [one.copy() for one in arrays]
    first = measure(references, columns=ALL_COLUMNS)
    for array, expected in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, expected)
    pd.testing.assert_frame_equal(measure(references, columns=ALL_COLUMNS), first)


# -------------------------------------------------------------------------- progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("progress", "stream", "expected"),
    [
        (True, Terminal(), True),
        (False, Terminal(), False),
        (True, io.StringIO(), False),
        (False, io.StringIO(), False),
    ],
)
def test_a_bar_only_on_a_terminal(monkeypatch, progress, stream, expected):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm)
    monkeypatch.setattr(_workers, "_SECONDS_BEFORE_BAR", 0)
    measure([rgb_array()] * 3, columns=["width"], progress=progress)
    assert ("Measuring images" in stream.getvalue()) is expected


def test_quick_work_shows_no_bar(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    measure([rgb_array()] * 3, columns=["width"])
    assert stream.getvalue() == ""


def test_nothing_is_printed(capsys, mixed):
    measure(mixed[0], columns=ALL_COLUMNS)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


# -------------------------------------------------------------------------- Measurer


def test_measurer_is_measure(mixed):
    references, _ = mixed
    columns = ["width", RED, "entropy"]
    measurer = Measurer(columns, n_jobs=2, progress=False)
    assert measurer.fit(references) is measurer
    expected = measure(references, columns)
    pd.testing.assert_frame_equal(measurer.transform(references), expected)
    pd.testing.assert_frame_equal(measurer.fit_transform(references), expected)
    pd.testing.assert_frame_equal(Measurer(columns).transform(references), expected)


def test_fit_opens_nothing():
    Measurer().fit(["nowhere/missing.png"], [1])


@pytest.mark.parametrize("columns", [None, ["height", "width"], (RED, "phash"), []])
def test_feature_names_are_the_tables_columns(columns):
    measurer = Measurer(columns)
    names = measurer.get_feature_names_out()
    assert isinstance(names, np.ndarray)
    assert names.tolist() == measurer.fit_transform([rgb_array()]).columns.tolist()


def test_measurer_in_a_pipeline():
    images = [rgb_array(seed=seed) for seed in range(3)]
    pick = FunctionTransformer(lambda table: table[["entropy"]].to_numpy())
    pipeline = make_pipeline(Measurer(["width", "entropy"]), pick)
    found = pipeline.fit_transform(images).ravel()
    expected = [entropy(np.array(Image.fromarray(i).histogram()).reshape(3, 256)) for i in images]
    np.testing.assert_allclose(found, expected)
    pipeline.set_params(measurer__columns=["entropy"]).fit(images)
    names = make_pipeline(Measurer(["width"])).fit(images).get_feature_names_out()
    assert names.tolist() == ["valid", "reason", "width"]


def test_measurer_in_a_feature_union():
    union = FeatureUnion([("one", Measurer(["width"])), ("two", Measurer(["height"]))])
    union.set_output(transform="pandas")
    table = union.fit_transform([rgb_array(), b"broken"])
    assert table["one__width"].tolist()[0] == 16
    assert table["two__height"].tolist()[0] == 12


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
def test_the_output_is_a_data_frame_whatever_is_set(output):
    images = pd.Series([rgb_array(), b"broken"], index=["a", "b"])
    expected = measure(images, columns=["width"])
    measurer = Measurer(["width"])
    assert measurer.set_output(transform=output) is measurer
    pd.testing.assert_frame_equal(measurer.fit_transform(images), expected)
    with config_context(transform_output=output):
        pd.testing.assert_frame_equal(Measurer(["width"]).fit_transform(images), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"columns": "width"}, "'columns' parameter"),
        ({"columns": 3}, "'columns' parameter"),
        ({"n_jobs": "all"}, "'n_jobs' parameter"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
        ({"progress": "yes"}, "'progress' parameter"),
        ({"columns": ["sharpness"]}, "unknown 'sharpness'"),
        ({"columns": [Measurement("width", mean_red)]}, "'width' is taken"),
    ],
)
def test_bad_parameters_are_found_in_fit(parameters, message):
    measurer = Measurer(**parameters)  # nothing is checked yet
    with pytest.raises(ValueError, match=message):
        measurer.fit([rgb_array()])


def test_clone_parameters_and_pickle():
    columns = ["width", RED]
    measurer = Measurer(columns, n_jobs=2, progress=False)
    assert measurer.columns is columns
    assert measurer.get_params() == {
        "columns": columns,
        "n_jobs": 2,
        "progress": False,
        "batch_size": "auto",
        "cache": None,
        "isolate": False,
    }
    for copy in (clone(measurer), pickle.loads(pickle.dumps(measurer))):
        assert copy.get_params() == measurer.get_params()
    assert "Measurer" in repr(measurer)


def test_tags():
    tags = Measurer().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert tags.input_tags.string
    assert not tags.requires_fit


def test_channels_identical_is_0_or_1():
    grey = np.full((4, 4, 3), 9, np.uint8)
    table = measure([grey, rgb_array()], columns=["channels_identical"])
    assert table["channels_identical"].tolist() == [1.0, 0.0]
    assert channels_identical(grey)


def test_columns_given_as_one_word_are_refused():
    with pytest.raises(TypeError, match="'width'"):
        measure([], columns="width")


def test_index_of_a_table_is_a_collection_of_paths():
    table = measure(["a.jpg", "b.jpg"], columns=["width"])
    again = measure(table.index, columns=["width"])
    assert again.index.tolist() == ["a.jpg", "b.jpg"]
    assert again["reason"].tolist() == ["file not found"] * 2


def test_empty_array_is_an_empty_collection():
    assert measure(np.array([]), columns=["width"]).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [({"n_jobs": 0}, "n_jobs"), ({"n_jobs": "all"}, "n_jobs"), ({"progress": "x"}, "progress")],
    ids=str,
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"'{name}'"):
        measure([], **arguments)


def test_every_joblib_backend_gives_the_same_table(mixed):
    expected = measure(mixed)
    for backend in ("threading", "loky", "multiprocessing"):
        with joblib.parallel_config(backend, n_jobs=2):
            pd.testing.assert_frame_equal(measure(mixed), expected)


def test_a_warning_of_pillow_stays_inside_in_any_thread():
    header = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(header, "PNG")  # Pillow warns above 89 million pixels
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with ThreadPoolExecutor(3) as threads:
            tables = list(
                threads.map(lambda _: measure([header.getvalue()], columns=["width"]), range(3))
            )
        assert warnings.filters == before
    assert all(table["valid"].all() for table in tables)
