"""The corpus of hostile files: one row each, of the right status, and nothing else happens."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torture
from PIL import Image, ImageFile

from imagequality import list_images, measure
from imagequality.images import (
    UnreadableImageError,
    _files,
    load_image,
    quiet_decoders,
    read_image,
    stream_images,
)
from imagequality.images._jpeg_damage import examine
from imagequality.measurements import Isolation

GUARD = 120  # seconds after which something hangs; the scan takes five
MEMORY = 2 << 30  # bytes that the scan may add to what it holds at its start
RESIDENT = 200 << 20  # of which so many really

SCAN = """
import json, os, resource, sys
from imagequality import measure

def peak():
    if os.path.exists("/proc/self/status"):  # getrusage begins with what the parent had
        with open("/proc/self/status") as file:
            return int(file.read().partition("VmHWM:")[2].split()[0]) << 10
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used << 10

folder, memory = sys.argv[1], int(sys.argv[2])
names = [os.fsdecode(bytes.fromhex(name)) for name in json.load(sys.stdin)]
paths = [os.path.join(folder, name) for name in names]
measure(paths[:20], progress=False)  # all is imported now
before = peak()
if os.path.exists("/proc/self/statm"):
    with open("/proc/self/statm") as file:
        virtual = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + memory, virtual + memory))
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
events = []

def watch(event, arguments):
    if event == "open":
        if isinstance(arguments[2], int) and arguments[2] & WRITES:
            events.append(f"{event} {arguments}")
    elif event.startswith(("os.", "subprocess.", "socket.", "shutil.", "tempfile.", "ctypes.")):
        # threadpoolctl looks functions of libraries up that are loaded already.
        if event not in ("os.listdir", "os.scandir", "os.putenv", "ctypes.dlsym"):
            events.append(f"{event} {arguments}")

sys.addaudithook(watch)
table = measure(paths, progress=False)
resident = peak() - before
seen = list(events)

# A process that is forked while another thread decodes has the settings of the user.
import warnings
from PIL import Image, ImageFile
from imagequality.images import quiet_decoders

Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = 1000, True
settings = (1000, True, list(warnings.filters))

def own():
    found = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    return found == settings

with quiet_decoders:
    changed = not own()
    child = os.fork()
    if not child:
        good = own()
        with quiet_decoders:
            good = good and not own()
        os._exit(not (good and own()))
    _, status = os.waitpid(child, 0)

print(json.dumps({
    "fork": changed and status == 0 and own(),
    "valid": table["valid"].tolist(),
    "reason": table["reason"].tolist(),
    "digest": table["pixel_digest"].fillna("").tolist(),
    "resident": resident,
    "events": seen,
}))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The folder of the corpus, and its cases."""
    folder = tmp_path_factory.mktemp("corpus")
    return folder, torture.make_corpus(folder)


@pytest.fixture(scope="module")
def paths(corpus):
    folder, cases = corpus
    return [os.path.join(folder, case.name) for case in cases]


@pytest.fixture(scope="module")
def scan(corpus):
    """What a process of its own finds, with a limit of its memory, watched from within."""
    pytest.importorskip("resource")
    folder, cases = corpus
    names = json.dumps([os.fsencode(case.name).hex() for case in cases])
    done = subprocess.run(
        # -B: bytecode of what is first imported now would be a write.
        [sys.executable, "-B", "-c", SCAN, str(folder), str(MEMORY)],
        input=names,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=GUARD,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # What libraries in C say about broken files cannot be kept back; Python says nothing.
    assert "Traceback" not in done.stderr
    assert ".py:" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def table(scan, paths):
    """The scan in this process, now that it is known to end."""
    return measure(paths, progress=False)


# --------------------------------------------------------------------------- the corpus


def test_the_corpus_is_whole_and_the_same_every_time(corpus, tmp_path):
    folder, cases = corpus
    names = [case.name for case in torture.corpus()]
    assert len(set(names)) == len(names)
    assert {case.kind for case in cases} == {case.kind for case in torture.corpus()}
    assert all(case.expected in (torture.OK, torture.INVALID, torture.EITHER) for case in cases)
    contents = {case.name: case.content for case in cases if isinstance(case.content, bytes)}
    for case in torture.make_corpus(tmp_path):
        if case.name in contents:
            assert contents[case.name] == case.content
            assert (folder / case.name).stat().st_size == len(case.content)


def test_one_row_each_of_the_right_status(corpus, scan):
    _, cases = corpus
    assert len(scan["valid"]) == len(cases)
    wrong = [
        f"{case.kind}: {case.name!r} is to be {case.expected}, since {case.why}: {reason!r}"
        for case, valid, reason in zip(cases, scan["valid"], scan["reason"], strict=True)
        if case.expected != torture.EITHER and valid != (case.expected == torture.OK)
    ]
    assert wrong == []


def test_a_reason_where_and_only_where_a_row_is_invalid(scan):
    for valid, reason in zip(scan["valid"], scan["reason"], strict=True):
        assert bool(reason.strip()) != valid
        assert "\n" not in reason
        assert len(reason) < 400
        reason.encode("utf-8")


def test_nothing_is_started_written_or_asked_of_others(scan):
    assert scan["events"] == []


def test_the_memory_is_bounded(scan):
    assert scan["resident"] < RESIDENT


def test_this_process_finds_the_same(scan, table):
    assert table["valid"].tolist() == scan["valid"]
    assert table["reason"].tolist() == scan["reason"]
    assert table["pixel_digest"].fillna("").tolist() == scan["digest"]


def test_what_lies_beside_changes_no_sane_row(corpus, paths, table):
    _, cases = corpus
    sane = [path for path, case in zip(paths, cases, strict=True) if case.kind == "sane"]
    assert len(sane) >= 20
    alone = pd.concat([measure([path], progress=False) for path in sane])
    assert alone.index.tolist() == sane
    pd.testing.assert_frame_equal(
        table.loc[sane].reset_index(), alone.reset_index(), check_exact=True, check_dtype=False
    )


@pytest.mark.parametrize(
    "options", [{"n_jobs": 2, "batch_size": 7}, {"n_jobs": 2, "isolate": True}], ids=str
)
def test_every_kind_of_worker_finds_the_same(paths, table, options):
    if options.get("isolate") and sys.platform == "linux":
        options = {**options, "isolate": Isolation(time_limit=GUARD, memory_limit=MEMORY)}
    found = measure(paths, progress=False, **options)
    pd.testing.assert_frame_equal(found, table, check_exact=True)


def test_a_store_of_the_corpus_gives_it_again(paths, table, tmp_path):
    for _ in range(2):
        found = measure(paths[::4], cache=tmp_path / "store.db", progress=False)
        pd.testing.assert_frame_equal(found, table.iloc[::4], check_exact=True)


def test_the_corpus_as_a_folder_and_as_a_stream(corpus, table):
    folder, _ = corpus
    listed = list_images(folder)  # all have the extension of an image, or its first bytes
    assert set(listed) <= set(table.index)
    sane = {path for path in table.index if os.path.basename(path).startswith("sane_")}
    assert sane <= set(listed)
    streamed = measure(stream_images(folder), progress=False)
    # Not by a list of names: pandas would make strings of them, and one of them is no UTF-8.
    expected = table.iloc[table.index.get_indexer(pd.Index(listed, dtype=object))]
    assert streamed.index.tolist() == listed
    assert streamed["valid"].tolist() == expected["valid"].tolist()
    numbers = expected.columns.drop(["reason"])
    pd.testing.assert_frame_equal(streamed[numbers], expected[numbers], check_exact=True)


# ------------------------------------------------------------- while other things happen


def test_a_file_that_grows_while_it_is_read(tmp_path):
    path = tmp_path / "growing.bmp"
    whole = torture.encode(torture.picture(200, 300), "BMP")
    path.write_bytes(whole)
    stop = threading.Event()

    def grow():
        with open(path, "ab") as file:
            while not stop.is_set() and file.tell() < 10**8:
                file.write(bytes(10_000))
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        tables = [measure([path], ["width", "pixel_digest"], progress=False) for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    digest = measure([whole], ["pixel_digest"])["pixel_digest"][0]
    assert all((table["pixel_digest"] == digest).all() for table in tables)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_file_that_becomes_a_fifo_before_it_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(torture.seeds()["plain.png"])
    looked_at = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(_files.os, "stat", lambda path: looked_at)
    with pytest.raises(UnreadableImageError, match="not a regular file"):
        _files.read_file(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="no devices here")
def test_a_file_object_without_an_end_is_refused():
    refused = pytest.raises(UnreadableImageError, match="not a regular file")
    with open("/dev/zero", "rb") as file, refused:
        read_image(file)


def test_a_file_object_that_is_too_large_is_refused(tmp_path):
    with open(tmp_path / "holes.png", "w+b") as file:
        file.truncate(2**30 + 1)
        with pytest.raises(UnreadableImageError, match="too large to read"):
            read_image(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_a_fifo_is_no_archive(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match="not a regular file"):
        list_images(tmp_path / name)


def test_what_a_user_has_set_for_pillow_changes_no_row(paths, table, monkeypatch):
    some = [path for path in paths if "cut_9" in path or "60000" in path or "sane" in path]
    for truncated, largest in ((True, None), (False, 1000), (True, 10**12)):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", truncated)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", largest)
        found = measure(some, progress=False)
        pd.testing.assert_frame_equal(found, table.loc[some], check_exact=True)
        assert ImageFile.LOAD_TRUNCATED_IMAGES is truncated
        assert Image.MAX_IMAGE_PIXELS == largest


def test_a_forked_process_has_the_users_settings(scan):
    assert scan["fork"]


def test_threads_share_the_settings_of_pillow():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    with quiet_decoders:
        thread = threading.Thread(target=read_image, args=(torture.seeds()["plain.png"],))
        thread.start()
        thread.join()
        assert Image.MAX_IMAGE_PIXELS is not None
        assert list(warnings.filters) != before[2]
    assert before == (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(warnings.filters),
    )


# ------------------------------------------------------------------- memory of wide types


@pytest.mark.parametrize(
    "wide",
    [
        lambda: np.full((1500, 2000), 0.5),
        lambda: np.full((1500, 2000), 30_000, np.uint16),
        lambda: np.full((2000, 1500), 30_000, np.uint16)[:, ::2],
        lambda: Image.fromarray(np.full((1500, 2000), 0.5, np.float32)),
        lambda: b"P7\nWIDTH 2000\nHEIGHT 1500\nDEPTH 1\nMAXVAL 9\nENDHDR\n" + b"\5" * 3_000_000,
    ],
)
def test_wide_values_are_scaled_without_copies_of_all(wide):
    image = wide()
    load_image(np.zeros((2, 2)))
    tracemalloc.start()
    load_image(image)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Three bytes a pixel go out; with 8-byte numbers of all pixels it was more than 16.
    assert peak < 3_000_000 * 13 + 20_000_000


def test_scaling_in_parts_gives_what_scaling_at_once_does():
    values = np.random.default_rng(0).random((1100, 1000))
    np.testing.assert_array_equal(load_image(values)[..., 1], np.rint(values * 255))
    wide = np.random.default_rng(0).integers(0, 65536, (3, 700_000), dtype=np.uint16)
    np.testing.assert_array_equal(load_image(wide)[..., 1], np.rint(wide / 257))


# --------------------------------------------------------------- reasons that can be acted on


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xef\xbb\xbf\n<!DOCTYPE HTML><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        (b"%PDF-1.4\n", "a PDF document"),
        (b"PK\x03\x04" + bytes(50), "a zip archive"),
        (b"\0\x05\x16\x07" + bytes(50), "what macOS keeps"),
        (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    ],
)
def test_what_stands_in_the_place_of_an_image_is_named(data, words):
    with pytest.raises(UnreadableImageError, match=f"^not an image in a .*: .*{words}"):
        read_image(data)


def test_colours_in_floats_are_named(corpus):
    folder, _ = corpus
    words = "a TIFF of 3 floating-point numbers of 32 bits a pixel"
    with pytest.raises(UnreadableImageError, match=words):
        read_image(folder / "float_colour.tif")


def test_matrices_are_images_and_masked_values_are_not():
    values = np.arange(20, dtype=np.uint8).reshape(4, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix(values)
    np.testing.assert_array_equal(load_image(matrix), load_image(values))
    masked = np.ma.masked_array(values)
    np.testing.assert_array_equal(load_image(masked), load_image(values))
    masked[2, 2] = np.ma.masked
    with pytest.raises(UnreadableImageError, match="masked array"):
        load_image(masked)


@pytest.mark.parametrize(("orientation", "turned"), [(1, False), (3, True), (6, True), (8, True)])
def test_an_orientation_in_an_otherwise_broken_block_is_applied(orientation, turned):
    entries = [(0x0112, 3, 1, orientation), (0x9003, 2, 2**31, 2**31), (0x8769, 4, 1, 2**32 - 1)]
    directory = b"".join(
        np.array([tag, kind], "<u2").tobytes() + np.array([count, value], "<u4").tobytes()
        for tag, kind, count, value in entries
    )
    block = b"Exif\0\0II*\0\x08\0\0\0\x03\0" + directory + bytes(4)
    plain = torture.seeds()["baseline.jpg"]
    pixels = load_image(torture.with_segment(plain, 0xE1, block))
    assert (pixels.shape == load_image(plain).shape) == (orientation in (1, 3))
    assert np.array_equal(pixels, load_image(plain)) != turned


# ------------------------------------------------------------------------- JPEG damage


def test_files_that_say_nothing_about_damage():
    for data in (b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", b"GIF89a", b"\xff\xd8\xff\xe0\0\x04ab"):
        assert examine(data)[0] is None
    whole = torture.seeds()["baseline.jpg"]
    for length in range(len(whole)):
        assert examine(whole[:length])[0] is None


def test_fill_bytes_before_markers_are_no_damage():
    whole = torture.seeds()["restarts.jpg"]
    first = whole.rindex(b"\xff\xd0")
    filled = whole[:first] + b"\xff\xff" + whole[first:-2] + b"\xff" + whole[-2:]
    assert examine(filled) == (None, len(filled))
    np.testing.assert_array_equal(load_image(filled), load_image(whole))


@pytest.mark.parametrize("optimize", [False, True])
def test_zeros_are_damage_only_where_they_are_codes_of_no_picture(optimize):
    data = torture.encode(torture.picture(96, 128), "JPEG", optimize=optimize, subsampling=0)
    start, _ = torture.coded_data(data)
    assert examine(torture.overwrite(data, start + 100, bytes(40)))[0] is None  # too few
    damage, _ = examine(torture.overwrite(data, start + 100, bytes(90)))
    assert damage == "a part of the coded data is zeros"
    black = torture.encode(np.zeros((400, 400, 3), np.uint8), "JPEG", optimize=optimize)
    longer = torture.encode(np.zeros((800, 800), np.uint8), "JPEG", optimize=True)
    assert bytes(64) in longer
    assert examine(longer) == (None, len(longer))
    assert examine(black) == (None, len(black))


# ----------------------------------------------------------------------------- archives


def test_an_archive_of_the_corpus(corpus, table, tmp_path):
    folder, cases = corpus
    path = tmp_path / "corpus.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for case in cases:
            if isinstance(case.content, bytes) and case.name.isprintable():
                archive.writestr(case.name, case.content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        members = list_images(path)
    found = measure(members, progress=False)
    beside = table.loc[[os.path.join(folder, member.name) for member in members]]
    assert beside.index.is_unique
    assert len(found) > 500
    assert found["valid"].tolist() == beside["valid"].tolist()
    assert found["pixel_digest"].tolist() == beside["pixel_digest"].tolist()


def test_a_name_that_no_url_can_hold_is_passed_over():
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.pipe("/torture/a::b.png", torture.seeds()["plain.png"])
    store.pipe("/torture/c.png", torture.seeds()["plain.png"])
    try:
        with pytest.warns(UserWarning, match="1 with '::' in the name"):
            assert list_images("memory://torture") == ["memory://torture/c.png"]
    finally:
        store.rm("/torture", recursive=True)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no such users")
def test_a_folder_that_cannot_be_read_is_counted():
    with tempfile.TemporaryDirectory() as name:
        folder, closed = Path(name), Path(name, "closed")
        closed.mkdir()
        (folder / "a.png").write_bytes(torture.seeds()["plain.png"])
        folder.chmod(0o755)
        closed.chmod(0)
        is_root = os.geteuid() == 0  # who reads everything: be nobody for a moment
        if is_root:
            os.seteuid(65534)
        try:
            with pytest.warns(UserWarning, match="1 folders that cannot be read"):
                listed = list_images(folder)
        finally:
            if is_root:
                os.seteuid(0)
            closed.chmod(0o700)
        assert listed == [str(folder / "a.png")]


def test_an_open_file_is_read_whole_and_stays_open(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(torture.seeds()["plain.png"])
    expected = load_image(path)
    with path.open("rb") as file, open(path, "rb", buffering=0) as raw:
        for opened in (file, raw, io.BufferedReader(raw)):
            np.testing.assert_array_equal(load_image(opened), expected)
        assert not file.closed
