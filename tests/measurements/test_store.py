"""The store gives back what was written, whatever happens to its writer or its file."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagequality.images._identity import Identity, identity
from imagequality.measurements import _store, _store_file, _store_rows
from imagequality.measurements._store import Store, StoreError, export_parquet, read_store


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "scan.sqlite")


def stored(path, versions, identities):
    """Of each identity its row, None where it is not found."""
    with Store(path, versions) as store:
        found, cells = store.lookup(identities)
    rows = iter(zip(*cells.values(), strict=True))
    return [dict(zip(cells, next(rows), strict=True)) if hit else None for hit in found]


def fill(path, n=40, versions=None):
    """Write n rows of a long text and a number, and return their identities."""
    versions = versions or {"number": "1", "text": "1"}
    identities = [Identity(f"/images/{position:06}.jpg", "5:7") for position in range(n)]
    with Store(path, versions) as store:
        numbers = [position / 7 for position in range(n)]
        texts = [f"{position:0100}" for position in range(n)]
        store.write(identities, {"number": numbers, "text": texts})
    return identities


# --------------------------------------------------------------------------------------- identity


def test_a_file_is_known_by_its_absolute_path_size_and_time(tmp_path, monkeypatch):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"abc")
    known = identity(file)
    status = file.stat()
    assert known == (str(file), f"3:{status.st_mtime_ns}")
    monkeypatch.chdir(tmp_path)
    assert identity("a.jpg") == identity(str(file)) == identity("./b/../a.jpg".replace("b/../", ""))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert identity(file) != known
    assert identity(file).key == known.key


def test_what_cannot_be_recognised_again_has_no_identity(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with open(__file__, "rb") as file:
        nothing = [tmp_path, tmp_path / "missing", "a\0b", "", tmp_path / "fifo", file, None, 3]
        assert [identity(reference) for reference in nothing] == [None] * len(nothing)
    assert identity(np.array(["a"], dtype=object)) is None
    assert identity(np.ma.zeros((2, 2))) is None


def test_bytes_are_known_by_their_content():
    assert identity(b"abc") == identity(bytearray(b"abc")) == identity(memoryview(b"abc"))
    assert identity(b"abc") != identity(b"abd")


def test_arrays_are_known_by_dtype_shape_and_content():
    array = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert identity(array) == identity(np.asfortranarray(array)) == identity(array.copy())
    others = [array.reshape(6, 4), array.view(np.int8), array.astype(np.uint16), array[:, ::-1]]
    assert len({identity(other) for other in [array, *others]}) == 5


def test_pil_images_are_known_by_all_that_the_decoder_looks_at(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 4
    image = Image.fromarray(pixels)
    variants = [image, image.convert("RGB"), image.resize((8, 7))]
    for colour in (0, 9):
        palette = Image.fromarray(pixels).convert("P")
        palette.putpalette([colour] * 768)
        variants.append(palette)
    transparent = variants[-1].copy()
    transparent.info["transparency"] = 1
    turned = image.copy()
    turned.getexif()[0x0112] = 6
    variants += [transparent, turned]
    assert len({identity(variant).key for variant in variants}) == len(variants)
    assert [identity(variant.copy()) for variant in variants[:6]] == [
        identity(variant) for variant in variants[:6]
    ]
    for quality in (50, 90):  # the tables of a JPEG file are a measurement
        Image.new("L", (8, 8)).save(tmp_path / f"{quality}.jpg", quality=quality)
    with Image.open(tmp_path / "50.jpg") as low, Image.open(tmp_path / "90.jpg") as high:
        assert identity(low) != identity(high)


def test_a_pil_image_that_cannot_be_loaded_has_no_identity(tmp_path):
    file = tmp_path / "truncated.png"
    Image.effect_noise((50, 50), 50).save(file)
    file.write_bytes(file.read_bytes()[:900])
    with Image.open(file) as image:
        assert identity(image) is None


def test_a_url_is_known_by_what_its_store_says():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/identity/a.jpg", b"abc")
    known = identity("memory://identity/a.jpg")
    assert known.key == "memory://identity/a.jpg"
    memory.pipe("/identity/a.jpg", b"abcd")
    assert identity("memory://identity/a.jpg") != known
    assert identity("memory://identity/missing.jpg") is None
    memory.rm("/identity", recursive=True)


def test_references_of_their_own_say_what_they_are_known_by():
    class Remote:
        def __init__(self, answer):
            self.answer = answer

        def cache_key(self):
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    assert identity(Remote(("s3://a/b.jpg", "etag"))) == Identity("s3://a/b.jpg", "etag")
    assert identity(Remote(None)) is None
    assert identity(Remote(OSError("no network"))) is None


# ------------------------------------------------------------------------------- values and names

CELLS = {
    "number": st.none() | st.floats(allow_nan=True),
    "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
    "text": st.none() | st.text(max_size=20),
    "vector": st.none()
    | st.lists(st.floats(width=32), max_size=5).map(lambda v: np.array(v, dtype=np.float32)),
}


def same(left, right):
    """Whether two cells are equal to the last bit; NaN is stored as None."""
    if isinstance(right, np.ndarray):
        return (
            left.dtype == np.float32
            and left.shape == right.shape
            and left.tobytes() == right.tobytes()
        )
    if isinstance(right, float) and math.isnan(right):
        return left is None
    if isinstance(right, float):
        return type(left) is float and (left, math.copysign(1, left)) == (
            right,
            math.copysign(1, right),
        )
    return type(left) is type(right) and left == right


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(*CELLS.values()), min_size=1, max_size=6))
def test_cells_come_back_bit_for_bit(rows):
    versions = dict.fromkeys(CELLS, "1")
    identities = [Identity(f"/{position}", "") for position in range(len(rows))]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s.sqlite")
        with Store(path, versions) as store:
            store.write(identities, dict(zip(CELLS, zip(*rows, strict=True), strict=True)))
        got = stored(path, versions, identities)
    for want, row in zip(rows, got, strict=True):
        assert all(same(cell, other) for cell, other in zip(row.values(), want, strict=True))


def test_numpy_and_pandas_cells_are_stored_as_what_they_are(path):
    cells = {
        "float": np.array([0.1, np.nan], np.float32),
        "integer": pd.array([3, None], dtype="Int64"),
        "bool": np.array([True, False]),
        "text": pd.Series(["a", None], dtype=object, index=[8, 9]),
        "vector": np.ones((2, 3), np.float32),
    }
    identities = [Identity("/a", ""), Identity("/b", "")]
    with Store(path, dict.fromkeys(cells, "1")) as store:
        store.write(identities, cells)
    first, second = stored(path, dict.fromkeys(cells, "1"), identities)
    assert first.pop("vector").tolist() == second.pop("vector").tolist() == [1, 1, 1]
    assert first == {"float": float(np.float32(0.1)), "integer": 3, "bool": 1, "text": "a"}
    assert second == {"float": None, "integer": None, "bool": 0, "text": None}


@pytest.mark.parametrize("cell", [object(), b"bytes", np.zeros(3), np.zeros((1, 2), np.float32)])
def test_other_cells_are_refused_and_nothing_is_stored(path, cell):
    cells = [cell, None]
    identities = [Identity("/a", ""), Identity("/b", "")]
    with Store(path, {"x": "1"}) as store:
        with pytest.raises(TypeError, match="'x'"):
            store.write(identities, {"x": cells})
        assert not store.lookup(identities)[0].any()


def test_cells_of_two_kinds_are_refused_but_a_new_version_may_have_another(path):
    some = [Identity("/a", "")]
    with Store(path, {"x": "1"}) as store:
        store.write(some, {"x": ["text"]})
        with pytest.raises(TypeError, match="'x' are of two kinds"):
            store.write(some, {"x": [1.5]})
    with Store(path, {"x": "2"}) as store:
        store.write(some, {"x": [1.5]})
    assert stored(path, {"x": "2"}, some) == [{"x": 1.5}]
    assert read_store(path)["x"].tolist() == [1.5]


def test_rows_of_a_former_version_can_still_be_looked_up_at_it(path):
    some = [Identity("/a", ""), Identity("/b", "")]
    cells = {"1": [np.ones(2, np.float32)] * 2, "2": ["text"], "3": [np.zeros(1, np.float32)]}
    for version, row in (("1", some), ("2", some[:1]), ("3", some[:1])):
        with Store(path, {"x": version}) as store:
            store.write(row, {"x": cells[version]})
        former = stored(path, {"x": "1"}, some)[1]
        assert former["x"].tolist() == [1, 1]


def test_an_int_of_more_than_64_bits_is_refused_and_nothing_is_stored(path):
    with Store(path, {"x": "1"}) as store:
        with pytest.raises(OverflowError):
            store.write([Identity("/a", ""), Identity("/b", "")], {"x": [1, 2**63]})
        assert not store.lookup([Identity("/a", "")])[0].any()


def test_cells_must_fit_the_columns_and_the_identities(path):
    some = [Identity("/a", "")]
    with Store(path, {"x": "1", "y": "1"}) as store:
        with pytest.raises(ValueError, match="must hold the columns 'x', 'y', got 'x'"):
            store.write(some, {"x": [1]})
        with pytest.raises(ValueError, match="'y' has 2 cells for 1 identities"):
            store.write(some, {"x": [1], "y": [1, 2]})


NAMES = [
    *("key", "KEY", "Stamp", "column_set", "path", "rowid", "oid", "_rowid_", "id", "order"),
    *("entropy", "Entropy", "ENTROPY", "entropy_2", "é", "É", "ß", "SS", "", " ", "a\0b", "ab"),
    *('say "hi"', "it's", "a; DROP TABLE images;--", "new\nline", "😀", "[x]", "`x`", "?", ":x"),
]


def test_columns_can_have_any_name_also_names_that_differ_in_case_only(path):
    versions = dict.fromkeys(NAMES, "1")
    some = [Identity("/a", ""), Identity("/b", "")]
    with Store(path, versions) as store:
        store.write(some, {name: [2 * i, 2 * i + 1] for i, name in enumerate(NAMES)})
    want = [{name: 2 * i + row for i, name in enumerate(NAMES)} for row in range(2)]
    assert stored(path, versions, some) == want
    assert read_store(path).to_dict("records") == want
    # Opened with one of the names only, in another order of arrival.
    assert stored(path, {"ENTROPY": "1"}, some[:1]) == [{"ENTROPY": want[0]["ENTROPY"]}]


def test_a_column_name_that_is_no_unicode_is_refused_before_a_file_is_made(path):
    with pytest.raises(ValueError, match="no valid Unicode"):
        Store(path, {"\udc80": "1"})
    assert not os.path.exists(path)


KEYS = [
    *(
        "it's.jpg",
        'say "hi".jpg',
        "new\nline.jpg",
        "😀.jpg",
        "é.jpg",
        "e\u0301.jpg",
        "a b%41?#.jpg",
    ),
    *(os.fsdecode(b"\xff.jpg"), os.fsdecode(b"\xfe.jpg"), os.fsdecode(b"\xc3.jpg"), "\ufffd.jpg"),
    *("A.jpg", "a.jpg", "a.jpg ", "1", "1.0"),
]


def test_files_can_have_any_name(path):
    identities = [Identity(f"/images/{name}", "1:2") for name in KEYS]
    with Store(path, {"x": "1"}) as store:
        store.write(identities, {"x": list(range(len(KEYS)))})
    assert [row["x"] for row in stored(path, {"x": "1"}, identities)] == list(range(len(KEYS)))
    table = read_store(path)
    assert table["x"].to_dict() == {item.key: i for i, item in enumerate(identities)}


def test_a_file_with_an_invalid_name_is_found_again(tmp_path, path):
    name = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.jpg")
    with contextlib.suppress(OSError), open(name, "wb") as file:  # some file systems refuse it
        file.write(b"abc")
    if not os.path.exists(name):
        pytest.skip("the file system has no such names")
    known = identity(os.fsdecode(name))
    with Store(path, {"x": "1"}) as store:
        store.write([known], {"x": [1]})
        assert store.lookup([known])[0].all()


@pytest.mark.parametrize("name", ["a b.sqlite", "what?mode=memory", "#x", "100%25.db", "é😀"])
def test_the_store_itself_can_have_any_name(tmp_path, name):
    fill(tmp_path / name)
    assert os.path.isfile(tmp_path / name)
    assert len(read_store(str(tmp_path / name))) == 40


# ---------------------------------------------------------------------------- what is found again

IDENTITIES = st.none() | st.builds(Identity, st.sampled_from("abc"), st.sampled_from("12"))
VERSIONS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"))
WRITES = st.lists(st.tuples(VERSIONS, st.lists(IDENTITIES, max_size=5)), max_size=6)


@settings(deadline=None, max_examples=80)
@given(writes=WRITES, asked=st.lists(IDENTITIES, max_size=8), wanted=VERSIONS)
def test_only_rows_of_the_wanted_state_and_versions_are_found(writes, asked, wanted):
    rows, counter = {}, iter(range(10**6))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "s.sqlite")
        for versions, identities in writes:
            cells = {name: [next(counter) for _ in identities] for name in versions}
            with Store(path, versions) as store:
                store.write(identities, cells)
            naive.write_rows(rows, identities, cells, versions)
        with Store(path, wanted) as store:
            found, cells = store.lookup(asked)
    want = naive.lookup_rows(rows, asked, wanted)
    assert found.tolist() == [row is not None for row in want]
    assert cells == {name: [row[name] for row in want if row is not None] for name in wanted}


def test_more_rows_than_one_query_takes_come_back_in_order(path):
    identities = fill(path, 2 * _store_rows.KEYS_PER_QUERY + 3)
    asked = [*identities[::-1], *identities[:700]]
    rows = stored(path, {"number": "1"}, asked)
    want = list(range(len(identities)))
    assert [round(row["number"] * 7) for row in rows] == [*want[::-1], *want[:700]]


def test_only_rows_with_an_identity_are_stored(path):
    with Store(path, {"x": "1"}) as store:
        store.write([None, Identity("/a", ""), None], {"x": [1, 2, 3]})
    assert read_store(path)["x"].to_dict() == {"/a": 2}


def test_a_closed_store_says_so(path):
    store = Store(path, {})
    store.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        store.lookup([])


# -------------------------------------------------------------------------------- whole tables


def test_the_table_has_what_is_stored_at_the_version_written_last(path):
    a, b, c = (Identity(f"/{name}", "1") for name in "abc")
    with Store(path, {"width": "1", "old": "1", "none": "1"}) as store:
        store.write([c, a], {"width": [3, 1], "old": [0.5, math.nan], "none": [None, None]})
    with Store(path, {"old": "2", "vector": "1", "text": "1"}) as store:
        vector = [np.ones(2, np.float32)] * 2
        store.write([a, b], {"old": [0.25, 0.75], "vector": vector, "text": ["t", None]})
    table = read_store(path)
    assert table.index.tolist() == ["/a", "/b", "/c"]
    assert table.index.name == "path"
    assert table["width"].tolist() == [1, pd.NA, 3]
    assert str(table["width"].dtype) == "Int64"
    np.testing.assert_array_equal(table["old"], [0.25, 0.75, math.nan])  # /c: another version
    assert table["none"].isna().all()
    assert table["text"].tolist() == ["t", None, None]
    assert table["vector"].iloc[0].dtype == np.float32
    assert table["vector"].iloc[2] is None
    assert read_store(path, ["old"]).equals(table[["old"]])
    with pytest.raises(ValueError, match=r"'entropy' is not stored.*stored are width, old"):
        read_store(path, ["entropy"])


def test_an_empty_store_is_an_empty_table(path):
    Store(path, {"x": "1"}).close()
    assert read_store(path).shape == (0, 0)


def test_the_images_can_be_queried_with_plain_sql(path):
    fill(path, 5, {"number": "1", "text": "1"})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        table = pd.read_sql("SELECT key, number FROM images WHERE number < 0.2", connection)
    assert table["key"].tolist() == ["/images/000000.jpg", "/images/000001.jpg"]


def test_parquet_files_hold_the_table(path, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(_store, "_ROWS_AT_ONCE", 7)  # so that files and pieces do not coincide
    versions = dict.fromkeys(["x", "n", "text", "vector", "none"], "1")
    identities = [Identity(f"/{position:02}", "1") for position in range(23)]
    cells = {
        "x": [position / 3 for position in range(23)],
        "n": [None, *range(22)],
        "text": [None] * 20 + ["t"] * 3,  # the first files have none
        "vector": [None, *(np.full(2, position, np.float32) for position in range(22))],
        "none": [None] * 23,
    }
    with Store(path, versions) as store:
        store.write(identities, cells)
    folder = tmp_path / "new" / "parquet"
    files = export_parquet(path, folder, rows_per_file=10)
    assert sorted(os.listdir(folder)) == [os.path.basename(file) for file in files]
    assert [parquet.read_metadata(file).num_rows for file in files] == [10, 10, 3]
    assert len({str(parquet.read_schema(file).remove_metadata()) for file in files}) == 1
    got = pd.concat([pd.read_parquet(file) for file in files])
    assert got["path"].tolist() == [item.key for item in identities]
    assert got["x"].tolist() == cells["x"]
    for name in ("n", "text", "none"):
        assert [None if pd.isna(cell) else cell for cell in got[name]] == cells[name]
    assert got["vector"].iloc[0] is None
    assert got["vector"].iloc[22].tolist() == [21, 21]
    with pytest.raises(ValueError, match="empty folder"):
        export_parquet(path, folder)
    (only,) = export_parquet(path, tmp_path / "one", columns=["n"])
    assert parquet.read_schema(only).names == ["path", "n"]


def test_an_empty_store_is_one_parquet_file_without_rows(path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    Store(path, {}).close()
    (file,) = export_parquet(path, tmp_path / "parquet")
    assert parquet.read_metadata(file).num_rows == 0


def test_parquet_takes_odd_paths_and_refuses_a_column_named_path(path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    with Store(path, {"path": "1"}) as store:
        store.write([Identity(os.fsdecode(b"/\xff.jpg"), "1")], {"path": [1]})
    with pytest.raises(ValueError, match="'path' cannot be exported"):
        export_parquet(path, tmp_path / "parquet")
    (file,) = export_parquet(path, tmp_path / "parquet", columns=[])
    assert parquet.read_table(file)["path"].to_pylist() == ["/\\udcff.jpg"]


# ------------------------------------------------------------------------ files that are no store


def contents(folder):
    return {file.name: file.read_bytes() for file in Path(folder).iterdir() if file.is_file()}


def make_foreign_database(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE images (key)")
        connection.commit()


def make_newer(path):
    make_of_format(path, 99)


def make_of_format(path, version):
    fill(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


OTHERS = {
    "text": lambda path: Path(path).write_text("path,score\na.jpg,0.5\n"),
    "few bytes": lambda path: Path(path).write_bytes(b"SQLite"),
    "other database": make_foreign_database,
    "newer": make_newer,
    "older": lambda path: make_of_format(path, 1),
    "a header only": lambda path: (fill(path), os.truncate(path, 100)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(path, tmp_path, kind):
    OTHERS[kind](path)
    before = contents(tmp_path)
    for use in (lambda: Store(path, {"x": "1"}), lambda: read_store(path)):
        with pytest.raises(StoreError, match="another path"):
            use()
    assert contents(tmp_path) == before


def test_an_empty_file_becomes_a_store(path):
    Path(path).touch()
    fill(path)
    assert len(read_store(path)) == 40


def test_folders_devices_and_missing_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for place in (tmp_path, tmp_path / "fifo", "/dev/null"):
        with pytest.raises(StoreError, match="folder or device"):
            Store(place, {})
    with pytest.raises(StoreError, match="missing' does not exist"):
        Store(tmp_path / "missing" / "scan.sqlite", {})
    with pytest.raises(StoreError, match="cannot be read"):
        Store(str(tmp_path / "a\0b"), {})
    with pytest.raises(StoreError, match="does not exist, or is empty"):
        read_store(tmp_path / "scan.sqlite")
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_truncated_store_is_refused(path, share):
    identities = fill(path, 2000)
    os.truncate(path, int(os.path.getsize(path) * share))
    with pytest.raises(StoreError, match="damaged"):
        stored(path, {"number": "1"}, identities)
    with pytest.raises(StoreError, match="damaged"):
        read_store(path)


@pytest.mark.parametrize("seed", range(12))
def test_damage_in_the_middle_ends_in_a_store_error_or_in_nothing(path, seed):
    """Where whole pages are overwritten nothing but the library's own error may come out."""
    identities = fill(path, 3000)
    generator = random.Random(seed)
    pages = os.path.getsize(path) // 4096
    with open(path, "r+b") as file:
        for page in generator.sample(range(1, pages), pages // 3):
            file.seek(page * 4096)
            file.write(generator.randbytes(4096))
    cells = {"number": [0.0] * 3000, "text": ["t"] * 3000}
    with pytest.raises(StoreError, match="delete it"):
        stored(path, {"number": "1", "text": "1"}, identities)
    with pytest.raises(StoreError, match="delete it"):
        read_store(path)
    with (
        pytest.raises(StoreError, match="delete it"),
        Store(path, {"number": "1", "text": "1"}) as store,
    ):
        store.write(identities, cells)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE column_sets SET versions = '[1'",
        "UPDATE column_sets SET versions = NULL",
        "UPDATE images SET vector = zeroblob(3)",
        "UPDATE images SET vector = 'text'",
        "UPDATE images SET text = CAST(x'ff' AS TEXT)",
        "DROP TABLE images",
        "DELETE FROM columns",
        "ALTER TABLE images DROP COLUMN vector",
    ],
)
def test_contents_that_no_store_has_written_end_in_a_store_error(path, damage):
    some, versions = [Identity("/a", "")], {"vector": "1", "text": "1"}
    with Store(path, versions) as store:
        store.write(some, {"vector": [np.ones(2, np.float32)], "text": ["t"]})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = 1")
        connection.execute("PRAGMA writable_schema = 1")
        if "NULL" in damage:
            connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'TEXT NOT NULL', '')")
            connection.execute("PRAGMA schema_version = 1000")
            connection.commit()
        connection.execute(damage)
        connection.commit()
    with pytest.raises(StoreError, match="delete it"):
        stored(path, versions, some)
    with pytest.raises(StoreError, match="delete it"):
        read_store(path)


# ------------------------------------------------------------------------------ who may only read


@contextlib.contextmanager
def without_privileges():
    """Be a user whom permissions hold back, which they do not root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder():
    """A folder that any user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder
        os.chmod(folder, 0o755)


@pytest.mark.parametrize("folder_mode", [0o555, 0o777])
def test_a_store_that_may_only_be_read_can_be_looked_up(shared_folder, folder_mode):
    path = os.path.join(shared_folder, "scan.sqlite")
    identities = fill(path)
    os.chmod(path, 0o444)
    os.chmod(shared_folder, folder_mode)
    before = contents(shared_folder)["scan.sqlite"]
    with without_privileges():
        with Store(path, {"number": "1"}) as store:
            assert not store.writable
            assert store.lookup(identities)[0].all()
            with pytest.raises(StoreError, match="cannot be written"):
                store.write(identities, {"number": [0.0] * len(identities)})
        assert len(read_store(path)) == 40
    assert contents(shared_folder)["scan.sqlite"] == before


def test_a_place_without_permission_is_refused(shared_folder):
    path = os.path.join(shared_folder, "scan.sqlite")
    os.chmod(shared_folder, 0o555)
    with without_privileges(), pytest.raises(StoreError, match="cannot be opened"):
        Store(path, {})
    os.chmod(shared_folder, 0o755)
    fill(path)
    os.chmod(path, 0o000)
    with without_privileges(), pytest.raises(StoreError, match="check the permissions"):
        Store(path, {})


def test_without_shared_memory_the_rollback_journal_stays(path):
    """SQLite's own locking by lock files, which has no shared memory, as on some networks."""
    address = f"{Path(path).as_uri()}?vfs=unix-dotfile"
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        _store_file.make_tables(connection)
        _store_file.prepare_for_writing(connection)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with Store(path, {}), contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# -------------------------------------------------------------------------- many, killed processes

# Batch b has eight rows; each cell follows from the number of its row.
WRITER = """
import itertools, sys
from imagequality.images._identity import Identity
from imagequality.measurements._store import Store

path, who, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Store(path, {"n": "1", "text": "1"}) as store:
    for batch in range(batches) if batches else itertools.count():
        numbers = range(8 * batch, 8 * batch + 8)
        identities = [Identity(f"/{who}/{n}", "1") for n in numbers]
        store.write(identities, {"n": list(numbers), "text": [f"{n:0200}" for n in numbers]})
        print(batch, flush=True)
"""


def start_writer(path, who, batches=0):
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, path, who, str(batches)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows_of(path, who):
    """The numbers of the rows that a writer has stored, each checked."""
    table = read_store(path)
    mine = table[table.index.str.startswith(f"/{who}/")]
    numbers = [int(name.rsplit("/", 1)[1]) for name in mine.index]
    assert mine["n"].tolist() == numbers
    assert mine["text"].tolist() == [f"{n:0200}" for n in numbers]
    return sorted(numbers)


def test_a_killed_writer_loses_at_most_the_batch_in_flight(path):
    generator = random.Random(0)
    for attempt in range(5):
        who = f"writer{attempt}"
        with start_writer(path, who) as process:
            process.stdout.readline()  # from here on it writes
            time.sleep(generator.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            reported = [0, *map(int, process.stdout.read().split("\n")[:-1])][-1] + 1
        stored_rows = rows_of(path, who)
        assert stored_rows == list(range(len(stored_rows)))
        assert len(stored_rows) in (8 * reported, 8 * reported + 8)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_writers_and_readers_at_once(path):
    """Two writers, each through to the end, while this process reads whole batches."""
    with start_writer(path, "a", 60) as first, start_writer(path, "b", 60) as second:
        first.stdout.readline()
        second.stdout.readline()
        with Store(path, {"n": "1", "text": "1"}) as store:
            while first.poll() is None or second.poll() is None:
                asked = [Identity(f"/{who}/{n}", "1") for who in "ab" for n in range(480)]
                found, cells = store.lookup(asked)
                numbers = [n for who in "ab" for n in range(480)]
                assert cells["n"] == [n for n, hit in zip(numbers, found, strict=True) if hit]
                assert not found.sum() % 8
                assert not len(rows_of(path, "a")) % 8
        assert (first.returncode, second.returncode) == (0, 0), second.stderr.read()
    assert rows_of(path, "a") == rows_of(path, "b") == list(range(480))


def test_a_writer_that_must_wait_too_long_says_so(path):
    some = fill(path)
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
        Store(path, {"number": "1"}, timeout=0.05) as store,
    ):
        other.execute("BEGIN IMMEDIATE")
        assert store.lookup(some)[0].all()
        with pytest.raises(StoreError, match="written by another process"):
            store.write(some, {"number": [1.0] * 40})
        other.execute("ROLLBACK")
        store.write(some, {"number": [1.0] * 40})
    assert (read_store(path)["number"] == 1).all()
