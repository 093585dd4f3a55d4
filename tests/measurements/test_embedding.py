"""Vectors from a transformer of one's own; and vectors that a detector asks for."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import imagequality as iq
from imagequality.measurements import (
    VECTOR_COLUMNS,
    VIEWS,
    Embedding,
    Measurement,
    Measurer,
    _batch,
    descriptor,
    descriptor_crops,
    measure,
)


def image(level, height=6, width=8):
    return np.full((height, width, 3), level, np.uint8)


class Means:
    """Level and size of each image; fails on black ones; notes what it is given at once."""

    def __init__(self):
        self.calls = []

    def transform(self, images):
        self.calls.append([rgb.shape for rgb in images])
        assert all(rgb.dtype == np.uint8 and rgb.ndim == 3 for rgb in images)
        for rgb in images:
            if not rgb.any():
                raise RuntimeError("too black for me")
        return [[rgb.mean(), rgb.size] for rgb in images]


class Returns:
    """Whatever a function of the images returns."""

    def __init__(self, function):
        self.function = function

    def transform(self, images):
        return self.function(images)


def test_one_vector_per_readable_image():
    images = [image(3), b"broken", image(9, 2, 2), None]
    table = measure(images, columns=["width", Embedding(Means(), "means"), "height"])
    assert list(table.columns) == ["valid", "reason", "width", "means", "height"]
    assert table["valid"].tolist() == [True, False, True, False]
    assert table["means"].dtype == object
    vectors = table["means"].tolist()
    assert vectors[1] is vectors[3] is None
    for found, expected in ((vectors[0], [3, 144]), (vectors[2], [9, 12])):
        assert found.dtype == np.float32
        assert found.tolist() == expected


@pytest.mark.parametrize("images", [[], [b"broken", None]])
def test_no_readable_image(images):
    table = measure(images, columns=[Embedding(Means())])
    assert table["embedding"].dtype == object
    assert table["embedding"].tolist() == [None] * len(images)


def test_images_are_given_in_batches_that_fit_in_memory(monkeypatch):
    monkeypatch.setattr(_batch, "_PIXELS_HELD", 100)
    small, large = image(1), image(2, 30, 30)  # 48 and 900 pixels
    means = Means()
    table = measure([small, small, small, large, small, b"x", small], [Embedding(means)])
    assert sorted(len(call) for call in means.calls) == [1, 1, 2, 2]
    assert all(len(call) == 1 or sum(h * w for h, w, _ in call) <= 100 for call in means.calls)
    assert [v[0] for v in table["embedding"].dropna()] == [1, 1, 1, 2, 1, 1]


def test_one_call_for_a_batch():
    means = Means()
    measure([image(1)] * 20, [Embedding(means)])
    measure([image(1)] * 20, [Embedding(means)], batch_size=8)
    assert [len(call) for call in means.calls] == [20, 8, 8, 4]


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_rows_do_not_depend_on_batch_or_workers(batch, n_jobs):
    images = [image(level % 7, 4, 4 + level % 3) for level in range(1, 40)]
    images[5] = b"broken"
    columns = ["width", Embedding(Means()), "descriptor"]
    expected = measure(images, columns)
    options = {"n_jobs": n_jobs, "batch_size": batch}
    pd.testing.assert_frame_equal(measure(images, columns, **options), expected)
    backwards = measure(images[::-1], columns, **options).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(backwards, expected)
    found = Measurer(columns, **options).fit_transform(images)
    pd.testing.assert_frame_equal(found, expected)
    # 0, 7, 14, … are black: the first of the two columns that says so is the embedding.
    assert expected["valid"].tolist() == [n % 7 != 0 and n != 6 for n in range(1, 40)]


def test_processes_change_nothing():
    class Brightest:
        def transform(self, images):
            return [rgb.max(axis=(0, 1)) for rgb in images]

    images = [image(level) for level in range(130)]
    columns = [Embedding(Brightest())]
    expected = measure(images, columns)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        pd.testing.assert_frame_equal(measure(images, columns), expected)


def test_an_error_is_the_reason_of_the_row_that_causes_it():
    def fails(rgb):
        raise RuntimeError("too black for me")

    means = Means()
    table = measure([image(1), image(0), image(2)], columns=["width", Embedding(means)])
    assert table["valid"].tolist() == [True, False, True]
    own = measure([image(0)], columns=[Measurement("own", fails)])
    assert table["reason"].tolist() == ["", own["reason"].iloc[0], ""]
    assert table["width"].isna().tolist() == [False, True, False]
    assert table["embedding"].isna().tolist() == [False, True, False]
    assert [len(call) for call in means.calls] == [3, 1, 1, 1]


def test_an_error_without_words_is_named_by_its_type():
    def fails(images):
        raise KeyError

    table = measure([image(0)] * 2, columns=[Embedding(Returns(fails))])
    assert table["reason"].tolist() == ["cannot be measured: KeyError"] * 2


def test_what_another_measurement_made_invalid_is_not_embedded():
    def fails_on_dark(rgb):
        return 1 / int(rgb.max() // 5)

    first, second = Means(), Means()
    columns = [
        Embedding(first, "first"),
        Measurement("own", fails_on_dark),
        Embedding(second, "second"),
    ]
    reasons = measure([image(1), image(9), image(200)], columns)["reason"].tolist()
    assert reasons == ["cannot be measured: division by zero", "", ""]
    assert [len(call) for call in first.calls] == [2]

    def one_fails(images):
        if any(rgb.max() == 9 for rgb in images):
            raise ValueError("nine")
        return np.ones((len(images), 1))

    columns = [Embedding(Returns(one_fails), "first"), Embedding(second, "second")]
    second.calls.clear()
    reasons = measure([image(1), image(9), image(200)], columns)["reason"].tolist()
    assert reasons == ["", "cannot be measured: nine", ""]
    assert [len(call) for call in second.calls] == [2]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda k: np.zeros(k), "shape (k, d) for k images, got 1 dimension(s)"),
        (lambda k: np.zeros((k, 2, 2)), "shape (k, d) for k images, got 3 dimension(s)"),
        (lambda k: 5.0, "shape (k, d) for k images, got 0 dimension(s)"),
        (lambda k: np.zeros((k, 0)), "the vector of 'mine' is empty"),
        (lambda k: None, "must return an array of shape"),
        (lambda k: [["words"]] * k, "could not convert string to float"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_no_vector_is_each_rows_reason(wrong, reason, count):
    columns = ["width", Embedding(Returns(lambda images: wrong(len(images))), "mine")]
    table = measure([image(5)] * count, columns)
    assert not table["valid"].any()
    assert table["reason"].str.startswith("cannot be measured: ").all()
    assert table["reason"].str.contains(reason, regex=False).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, None])
def test_a_vector_that_is_not_finite_is_that_rows_reason(value):
    def some(images):
        return [[1.0, value if rgb.max() == 9 else 2.0] for rgb in images]

    table = measure([image(1), image(9), image(3)], [Embedding(Returns(some), "mine")])
    assert table["valid"].tolist() == [True, False, True]
    assert table["reason"].iloc[1] == "cannot be measured: the vector of 'mine' is not finite"


@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_wrong_number_of_vectors_names_the_transformer(count):
    embedding = Embedding(Returns(lambda images: np.zeros((count, 2))), "mine")
    with pytest.raises(ValueError, match=f"'mine' must return one vector per image, got {count} f"):
        measure([image(1)] * 3, columns=[embedding])


def test_vectors_of_different_lengths_name_the_transformer():
    embedding = Embedding(Returns(lambda images: [rgb.ravel() for rgb in images]), "mine")
    with pytest.raises(ValueError, match="'mine' must all have one length, got 3 and 12"):
        measure([image(1, 1, 1), image(2, 2, 2)], columns=[embedding])


def test_a_transformer_may_use_its_result_again():
    buffer = np.zeros((1, 1), np.float32)

    def fill(images):
        buffer[0, 0] = images[0].max()
        return buffer

    embedding = Embedding(Returns(fill))
    vectors = pd.concat([measure([image(level)], [embedding]) for level in (3, 4)])["embedding"]
    assert [vector.item() for vector in vectors] == [3, 4]


@pytest.mark.parametrize("name", ["width", "descriptor", "phash_views", "valid", "reason"])
def test_an_embedding_cannot_take_a_known_name(name):
    with pytest.raises(ValueError, match=f"the name '{name}' is taken"):
        measure([], columns=[Embedding(Means(), name)])


def test_two_columns_of_one_name():
    for other in (Embedding(Means(), "own"), Measurement("own", np.mean)):
        with pytest.raises(ValueError, match="the name 'own' is taken"):
            measure([], columns=[Embedding(Means(), "own"), other])


def test_one_transformer_sees_each_image_in_every_view_asked_for():
    def first_row(images):
        assert all(rgb.flags.c_contiguous for rgb in images)
        if any(rgb.max() == 77 for rgb in images):
            raise RuntimeError("no 77")  # so that the others are shown once more, one by one
        return [rgb[0, :, 0] for rgb in images]

    rng = np.random.default_rng(0)
    images = [rng.integers(0, 70, (5, 5, 3), dtype=np.uint8) for _ in range(3)]
    images[1][2, 2, 0] = 77
    transformer = Returns(first_row)
    columns = [Embedding(transformer, view.name, view) for view in VIEWS]
    assert len(set(columns)) == len(VIEWS)
    table = measure(images, [*columns, Embedding(transformer, "plain")])
    assert table["valid"].tolist() == [True, False, True]
    for position in (0, 2):
        for view in VIEWS:
            expected = view.of(images[position])[0, :, 0]
            assert table[view.name][position].tolist() == expected.tolist()
        assert table["plain"][position].tolist() == images[position][0, :, 0].tolist()


def test_two_views_under_one_name():
    means = Means()
    with pytest.raises(ValueError, match="the name 'embedding' is taken"):
        measure([], columns=[Embedding(means), Embedding(means, view=VIEWS[3])])


@pytest.mark.parametrize("view", [None, 3, "mirror"])
def test_what_is_no_view_is_refused(view):
    with pytest.raises(TypeError, match="view must be one of VIEWS"):
        Embedding(Means(), view=view)


@pytest.mark.parametrize("transformer", [np.mean, "resnet"])
def test_what_is_no_transformer_is_refused(transformer):
    with pytest.raises(TypeError, match="must have a method transform"):
        Embedding(transformer)


def test_clones_share_the_transformer():
    embedding = Embedding(Means(), "means")
    measurer = Measurer(["width", embedding])
    assert clone(measurer).columns[1].transformer is embedding.transformer
    copy = pickle.loads(pickle.dumps(measurer))
    assert copy.columns[1].name == "means"
    assert measurer.get_feature_names_out().tolist() == ["valid", "reason", "width", "means"]


# -------------------------------------------------------------------------- detectors


class Unhashable(Means):
    __hash__ = None


EMBEDDING = Embedding(Unhashable(), "means")


class FarDetector(iq.IssueDetector):
    """Low where an image is brighter than 100; looks at what its columns are."""

    issue = "far"
    columns = ("width", EMBEDDING, "descriptor")

    def _score(self, table):
        for name, length in (("means", 2), ("descriptor", 320)):
            assert table[name].dtype == object
            for cell in table[name]:
                assert cell is None or (cell.dtype == np.float32 and cell.shape == (length,))
        return [np.nan if v is None else float(v[0] <= 100) for v in table["means"]]


IMAGES = [image(1), b"broken", image(200), image(2)]


def test_a_detector_gets_vectors_however_the_table_was_stored():
    table = measure(IMAGES, FarDetector.columns)
    as_lists = table.copy()
    for name in ("means", "descriptor"):
        cells = [np.nan if cell is None else cell.tolist() for cell in table[name]]
        as_lists[name] = pd.Series(cells, index=table.index, dtype=object)
    forms = {
        "as measured": table,
        "lists": as_lists,
        "objects": table.astype(object),
        "nullable": table.convert_dtypes(),
        "pickle": pickle.loads(pickle.dumps(table)),
        "images": IMAGES,
    }
    for name, form in forms.items():
        assert FarDetector(threshold=0.5).fit_predict(form).tolist() == [0, 0, 1, 0], name
        pipeline = iq.QualityPipeline([("far", FarDetector(threshold=0.5))]).fit(form)
        assert pipeline.predict(form).tolist() == [0, 1, 1, 0], name


def test_vectors_do_not_come_back_from_csv(tmp_path):
    measure(IMAGES, FarDetector.columns).to_csv(tmp_path / "table.csv")
    read = pd.read_csv(tmp_path / "table.csv", index_col=0)
    with pytest.raises(ValueError, match=r"'means' must hold arrays, got '\[.*CSV"):
        FarDetector().fit(read)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("0.5", "must hold arrays, got '0.5'"),
        (3.0, "must hold arrays, got 3.0"),
        (np.zeros((2, 2)), "must hold arrays, got array"),
        (["a", "b"], "must hold arrays, got"),
        (np.zeros(3), "arrays of one length, got 2 and 3"),
    ],
)
def test_a_column_that_holds_no_vectors_is_named(cell, message):
    table = measure(IMAGES, FarDetector.columns)
    cells = table["means"].tolist()
    cells[-1] = cell
    table["means"] = pd.Series(cells, index=table.index, dtype=object)
    with pytest.raises(ValueError, match=f"'means' must hold {message.removeprefix('must hold ')}"):
        FarDetector().fit(table)


def test_the_librarys_columns_of_vectors():
    assert frozenset({"descriptor", "descriptor_crops"}) == VECTOR_COLUMNS
    table = measure([IMAGES[0]], columns=VECTOR_COLUMNS)
    np.testing.assert_array_equal(table["descriptor"][0], descriptor(IMAGES[0]))
    np.testing.assert_array_equal(table["descriptor_crops"][0], descriptor_crops(IMAGES[0]).ravel())


def test_vectors_made_elsewhere_are_not_measured():
    with pytest.raises(ValueError, match="'clip' holds vectors that are not measured"):
        measure([np.zeros((4, 4, 3), np.uint8)], columns=[Embedding(None, "clip")])
