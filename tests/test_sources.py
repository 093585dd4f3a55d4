"""Archives, URLs, streams and data sets: each gives the same table as the plain files."""

import io
import itertools
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import threading
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from PIL import Image

from imagequality import measure
from imagequality.images import (
    UnreadableImageError,
    _archives,
    as_references,
    list_images,
    read_image,
)
from imagequality.images._archives import ArchiveMember
from imagequality.images._identity import identity
from imagequality.images._references import as_stream, names_of
from imagequality.images._remote import cache_key_of_url, is_url, read_many
from imagequality.images._streams import stream_images
from imagequality.images._unreadable import UnreadableItem

COLUMNS = ["width", "height", "format", "file_size", "entropy"]


def encoded(number, format_name="PNG"):
    pixels = np.random.default_rng(number).integers(0, 256, (12, 10 + number, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format_name)
    return buffer.getvalue()


FILES = {
    "a.png": encoded(0),
    "cats/b.jpg": encoded(1, "JPEG"),
    "cats/broken.png": encoded(2)[:60],
    "cats/deep/c.png": encoded(3),
    "noextension": encoded(4),
}
OTHERS = {
    "notes.txt": b"no image",
    ".hidden.png": encoded(5),
    "cats/.thumbs/x.png": encoded(6),
    "__MACOSX/cats/b.jpg": b"shadow",
}


def write_folder(path):
    for name, data in FILES.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return str(path)


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


def table(images, **options):
    return measure(images, COLUMNS, progress=False, **options)


def assert_same_rows(found, expected):
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )


@pytest.fixture
def plain(tmp_path):
    """The table of the plain files."""
    return table(list_images(write_folder(tmp_path / "plain")))


@pytest.fixture(autouse=True)
def close_archives():
    yield
    _archives._open_archives.close()


# ------------------------------------------------------------------------ archives


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("photos.zip", write_zip),
        ("photos.CBZ", write_zip),
        ("zip_untold", write_zip),
        ("photos.tar", write_tar),
        ("tar_untold", write_tar),
    ],
)
def test_an_archive_gives_the_rows_of_the_plain_files(tmp_path, plain, name, write):
    path = write(tmp_path / name, FILES)
    members = list_images(path)
    found = table(members)
    assert_same_rows(found, plain)
    assert plain["valid"].tolist() == [True, True, False, True, True]
    assert found.index.tolist() == [f"{path}!/{member}" for member in sorted(FILES)]
    assert found.index.name == "path"


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_what_is_no_image_in_an_archive_is_counted_in_one_warning(tmp_path, write):
    path = write(tmp_path / f"photos.{write.__name__[6:]}", {**FILES, **OTHERS})
    with pytest.warns(UserWarning, match="list_images") as caught:
        members = list_images(path)
    assert [member.name for member in members] == sorted(FILES)
    (message,) = [str(warning.message) for warning in caught]
    assert "passed over 4 entries" in message
    assert "3 hidden" in message
    assert "1 not images (.txt)" in message
    assert caught[0].filename == __file__


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_not_recursive_lists_the_top_of_an_archive(tmp_path, write):
    path = write(tmp_path / f"p.{write.__name__[6:]}", {"./x.png": encoded(0), **FILES})
    names = [member.name for member in list_images(path, recursive=False)]
    assert names == ["./x.png", "a.png", "noextension"]


@pytest.mark.parametrize("name", ["/etc/a.png", "../../a.png", "a b/ü.png", "[1].png"])
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_any_name_in_an_archive_is_only_a_name(tmp_path, write, name):
    path = write(tmp_path / f"p.{write.__name__[6:]}", {name: encoded(0)})
    (member,) = list_images(path)
    assert member.read_bytes() == encoded(0)


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_several_members_of_one_name_the_last_counts(tmp_path, kind):
    path = tmp_path / f"p.{kind}"
    if kind == "zip":
        write_zip(path, {"a.png": encoded(0)})
        with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", encoded(1))
    else:
        write_tar(path, {"a.png": encoded(0)})
        write_tar(path, {"a.png": encoded(1)}, "a")
    with pytest.warns(UserWarning, match="1 replaced by a later one of the same name"):
        (member,) = list_images(path)
    assert member.read_bytes() == encoded(1)


def test_links_in_a_tar_are_followed(tmp_path):
    path = Path(write_tar(tmp_path / "p.tar", {"a.png": encoded(0)}))
    with tarfile.open(path, "a") as archive:
        for name, kind, target in [
            ("hard.png", tarfile.LNKTYPE, "a.png"),
            ("soft.png", tarfile.SYMTYPE, "a.png"),
            ("astray.png", tarfile.SYMTYPE, "nowhere.png"),
        ]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    found = table(list_images(path))
    assert found["valid"].tolist() == [True, False, True, True]
    assert "nowhere.png" in found["reason"].iloc[1]


def test_an_encrypted_member_is_invalid_and_says_so(tmp_path):
    path = Path(write_zip(tmp_path / "p.zip", {"a.png": encoded(0), "b.png": encoded(1)}))
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the local header of the first member …
    data[data.index(b"PK\x01\x02") + 8] |= 1  # … and in the central directory
    path.write_bytes(data)
    found = table(list_images(path))
    assert found["valid"].tolist() == [False, True]
    assert found["reason"].iloc[0] == "encrypted in the archive"


def test_a_damaged_member_is_invalid_beside_sane_ones(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encoded(0))
        archive.writestr("b.png", encoded(1))
    data = bytearray(path.read_bytes())
    data[data.index(encoded(0)) + 50] ^= 0xFF
    path.write_bytes(data)
    found = table(list_images(path))
    assert found["valid"].tolist() == [False, True]
    assert "Bad CRC-32" in found["reason"].iloc[0]


def test_a_bomb_is_refused_by_its_declared_size(tmp_path, monkeypatch):
    monkeypatch.setattr(_archives, "MAX_MEMBER_BYTES", 1000)
    for write in (write_zip, write_tar):
        files = {"a.png": b"\0" * 1001, "b.png": encoded(0)[:900]}
        found = table(list_images(write(tmp_path / f"p.{write.__name__[6:]}", files)))
        assert "too large to unpack: 1,001 bytes" in found["reason"].iloc[0]
        assert "too large" not in found["reason"].iloc[1]


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path):
    path = Path(write_zip(tmp_path / "p.zip", {"a.png": b"\0" * 50_000_000}))
    data = bytearray(path.read_bytes())
    declared = (100).to_bytes(4, "little")
    data[22:26] = declared
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = declared
    path.write_bytes(data)
    (member,) = list_images(path)
    with pytest.raises(UnreadableImageError, match="CRC"):
        member.read_bytes()


@pytest.mark.parametrize("name", ["p.zip", "p.tar"])
@pytest.mark.parametrize("content", [b"", b"this is no archive at all" * 50])
def test_a_file_that_is_no_archive_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.* cannot be read as a"):
        list_images(tmp_path / name)


def test_a_truncated_zip_has_no_index_and_is_refused(tmp_path):
    path = Path(write_zip(tmp_path / "p.zip", FILES))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=r"p\.zip.* cannot be read as a zip archive"):
        list_images(path)


@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
@pytest.mark.parametrize("stream", [False, True])
def test_of_a_damaged_tar_what_lies_before_the_damage_is_read(tmp_path, damage, stream):
    files = {f"{number}.png": encoded(number) for number in range(4)}
    path = Path(write_tar(tmp_path / "p.tar", files))
    data = bytearray(path.read_bytes())
    third = data.index(b"2.png")
    if damage == "truncated":
        data = data[: third + 700]
    else:
        data[third : third + 512] = b"\xff" * 512
    path.write_bytes(data)
    with pytest.warns(UserWarning, match="damaged rest of the archive"):
        found = table(stream_images(path) if stream else list_images(path))
    assert found["valid"].tolist() == [True, True] + [False] * (damage == "truncated")


def test_a_compressed_tar_cannot_be_listed_and_says_what_can_be_done(tmp_path):
    path = write_tar(tmp_path / "p.tar.gz", FILES, "w:gz")
    with pytest.raises(ValueError, match="stream_images"):
        list_images(path)


def test_an_archive_is_opened_once_and_again_when_it_changes(tmp_path, monkeypatch):
    path = Path(write_zip(tmp_path / "p.zip", FILES))
    opened = []

    class CountedZip(zipfile.ZipFile):
        def __init__(self, file, *arguments):
            opened.append(file)
            super().__init__(file, *arguments)

    monkeypatch.setattr(zipfile, "ZipFile", CountedZip)
    members = list_images(path)
    for _ in range(5):
        for member in members:
            member.read_bytes()
    assert len(opened) == 1
    before = members[0].cache_key()
    monkeypatch.undo()
    write_zip(path, {**FILES, "a.png": encoded(9)})
    os.utime(path, ns=(1, 10**18))
    assert members[0].read_bytes() == encoded(9)
    after = members[0].cache_key()
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_more_archives_than_are_kept_open(tmp_path, monkeypatch):
    monkeypatch.setattr(_archives, "_MOST_OPEN", 2)
    members = [
        ArchiveMember(write_zip(tmp_path / f"{number}.zip", {"a.png": encoded(number)}), "a.png")
        for number in range(5)
    ]
    # Threads that close one another's archives
    with ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(ArchiveMember.read_bytes, members * 40))
    assert contents == [encoded(number) for number in range(5)] * 40
    assert len(_archives._open_archives._archives) == 2


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_threads_and_processes_read_one_archive_at_once(tmp_path, write):
    files = {f"{number:03}.png": encoded(number % 50) for number in range(150)}
    members = list_images(write(tmp_path / f"p.{write.__name__[6:]}", files))
    alone = table(members)
    assert alone["valid"].all()
    pd.testing.assert_frame_equal(table(members, n_jobs=4), alone)
    with parallel_config(backend="loky", n_jobs=2):
        pd.testing.assert_frame_equal(table(members), alone)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_opens_archives_of_its_own(tmp_path):
    path = write_tar(tmp_path / "p.tar", FILES)
    code = (
        "import os, sys\n"
        "from imagequality.images import list_images\n"
        f"members = list_images({path!r})\n"
        "expected = [member.read_bytes() for member in members]\n"
        "child = os.fork()\n"
        "same = all([m.read_bytes() for m in members] == expected for _ in range(300))\n"
        "if not child: os._exit(0 if same else 1)\n"
        "_, status = os.waitpid(child, 0)\n"
        "sys.exit(not (same and status == 0))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_member_is_small_hashable_and_travels(tmp_path):
    path = write_zip(tmp_path / "p.zip", FILES)
    members = list_images(path)
    assert pickle.loads(pickle.dumps(members)) == members
    assert len(pickle.dumps(members[0])) < 300
    assert len(set(members)) == len(members)
    assert np.array(members, dtype=object).shape == (len(members),)


def test_a_missing_archive_or_member_is_an_invalid_row(tmp_path):
    path = write_zip(tmp_path / "p.zip", FILES)
    found = table([ArchiveMember(path, "none.png"), ArchiveMember("nowhere.zip", "a.png")])
    assert found["reason"].tolist() == ["not in the archive", "archive not found"]
    assert identity(ArchiveMember("nowhere.zip", "a.png")) is None


names_in_archives = st.text("ab/é []*:", max_size=12).map(lambda name: f"x{name}x.png")


@given(st.dictionaries(names_in_archives, st.binary(max_size=200), max_size=6))
def test_every_member_is_read_back_byte_for_byte(files):
    with tempfile.TemporaryDirectory() as folder:
        for write, name in [(write_zip, "p.zip"), (write_tar, "p.tar")]:
            path = write(Path(folder) / name, files)
            members = list_images(path)
            assert {member.name: member.read_bytes() for member in members} == files
            found = {key.split("!/")[1]: data for key, data in stream_images(path)}
            assert found == files
        _archives._open_archives.close()


# ---------------------------------------------------------------------------- URLs


@pytest.fixture
def memory():
    """A store in memory with the files of the plain folder below /sources."""
    fsspec = pytest.importorskip("fsspec")
    filesystem = fsspec.filesystem("memory")
    for name, data in {**FILES, **OTHERS}.items():
        filesystem.pipe(f"/sources/{name}", data)
    yield filesystem
    filesystem.rm("/sources", recursive=True)


def listed_urls(url, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list_images(url, *arguments)


def test_urls_give_the_rows_of_the_plain_files(memory, plain):
    with pytest.warns(UserWarning, match="list_images passed over 5 entries") as caught:
        urls = list_images("memory://sources/")
    assert "1 not images (no extension)" in str(caught[0].message)
    assert urls == [f"memory://sources/{name}" for name in sorted(FILES) if "." in name]
    found = table(urls)
    assert_same_rows(found, plain[: len(urls)])
    assert found.index.tolist() == urls
    assert_same_rows(table(urls, n_jobs=4), found)


@pytest.mark.parametrize(
    ("url", "recursive", "names"),
    [
        ("memory://sources", False, ["memory://sources/a.png"]),
        ("memory:///sources/cats/*.jpg", True, ["memory:///sources/cats/b.jpg"]),
        ("memory://sources/**/c.png", True, ["memory://sources/cats/deep/c.png"]),
        ("memory://sources/none*.png", True, []),
    ],
)
def test_folders_and_patterns_of_urls(memory, url, recursive, names):
    assert listed_urls(url, recursive) == names


def test_an_archive_as_a_store(memory, tmp_path, plain):
    path = write_zip(tmp_path / "p.zip", {n: d for n, d in FILES.items() if "." in n})
    urls = list_images(f"zip://::{path}")
    assert urls[0] == f"zip://a.png::{path}"
    assert_same_rows(table(urls), plain[:4])
    assert list_images(f"zip://cats/*.jpg::{path}") == [f"zip://cats/b.jpg::{path}"]


def test_names_with_wildcards_in_them(memory):
    memory.pipe("/sources/odd[1]/x*.png", encoded(0))
    urls = listed_urls("memory://sources/odd[1]")
    assert urls == ["memory://sources/odd[1]/x*.png"]
    assert read_many(urls) == [encoded(0)]


def test_a_store_that_has_changed_is_listed_anew(memory):
    assert listed_urls("memory://sources/cats/deep") == ["memory://sources/cats/deep/c.png"]
    memory.pipe("/sources/cats/deep/d.png", encoded(0))
    assert len(listed_urls("memory://sources/cats/deep")) == 2


def test_what_is_no_folder_of_a_store(memory):
    with pytest.raises(FileNotFoundError, match="memory://nowhere"):
        list_images("memory://nowhere")
    with pytest.raises(NotADirectoryError, match=r"a\.png"):
        list_images("memory://sources/a.png")
    memory.pipe("/sources/p.zip", b"")
    with pytest.raises(NotADirectoryError, match=r"zip://::memory://sources/p\.zip"):
        list_images("memory://sources/p.zip")
    with pytest.raises(ValueError, match="nosuchprotocol"):
        list_images("nosuchprotocol://a")


def test_faults_of_urls_are_invalid_rows(memory, tmp_path):
    path = write_zip(tmp_path / "p.zip", FILES)
    urls = [
        "memory://sources/none.png",
        "nosuchprotocol://a.png",
        f"zip://none.png::{path}",
        "memory://sources/a.png",
    ]
    found = table(urls)
    assert found["valid"].tolist() == [False, False, False, True]
    assert found["reason"].tolist()[0::2] == ["file not found", "file not found"]
    assert "nosuchprotocol" in found["reason"].iloc[1]
    together = read_many(urls)
    assert [str(content) for content in together[:3]] == found["reason"].tolist()[:3]
    assert together[3] == FILES["a.png"]


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_missing_package_is_named():
    pytest.importorskip("fsspec")
    with pytest.raises(ImportError, match="s3:// needs: pip install s3fs"):
        list_images("s3://bucket/sources")
    assert table(["s3://bucket/a.png"])["reason"].iloc[0].endswith("pip install s3fs")


def test_without_fsspec_the_extra_is_named():
    code = (
        "import sys\n"
        "sys.modules['fsspec'] = sys.modules['fsspec.core'] = None\n"
        "from imagequality.images import list_images, read_image\n"
        "for function in (list_images, read_image):\n"
        "    try:\n"
        "        function('memory://sources/a.png')\n"
        "    except (ImportError, ValueError) as error:\n"
        "        print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text = "URLs need the extra: pip install 'imagequality[remote]'"
    assert done.stdout.splitlines() == [f"ImportError {text}", f"UnreadableImageError {text}"]


def test_fsspec_is_not_imported_without_a_url():
    code = (
        "import sys, imagequality as iq\n"
        "iq.measure(['nowhere.png', b''], ['width'])\n"
        "print('fsspec' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("s3://bucket/a.jpg", True),
        ("simplecache::s3://bucket/a.jpg", True),
        ("zip://*.jpg::file.zip", True),
        ("C://sources/a.jpg", False),
        ("C:\\photos\\a.jpg", False),
        ("photos/s3://a.jpg", False),
        ("a.jpg", False),
        ("::s3://a", False),
        (Path("s3://bucket/a.jpg"), False),
        (None, False),
    ],
)
def test_what_is_a_url(value, expected):
    assert is_url(value) is expected


@pytest.mark.skipif(os.name == "nt", reason="no colons in names there")
def test_a_file_on_disk_whose_name_looks_like_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket").mkdir(parents=True)
    Path("s3:/bucket/a.png").write_bytes(FILES["a.png"])
    assert list_images("s3://bucket") == ["s3://bucket/a.png"]
    assert table(["s3://bucket/a.png"])["valid"].all()


def test_the_state_of_a_url_changes_with_its_content(memory):
    url = "memory://sources/a.png"
    before = cache_key_of_url(url)
    assert before == cache_key_of_url(url)
    memory.pipe("/sources/a.png", encoded(7))
    after = cache_key_of_url(url)
    assert before[0] == after[0] == url
    assert before[1] != after[1]
    assert cache_key_of_url("memory://sources/none.png") is None


# ------------------------------------------------------------------------- streams


def sources(tmp_path):
    yield write_folder(tmp_path / "files")
    yield write_zip(tmp_path / "p.zip", FILES)
    for extension, mode in [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.xz", "w:xz")]:
        yield write_tar(tmp_path / f"p.{extension}", FILES, mode)


def test_every_stream_gives_the_rows_of_the_plain_files(tmp_path, plain):
    for source in sources(tmp_path):
        found = table(stream_images(source))
        assert_same_rows(found.sort_index(), plain)
        assert found.index.name == "path"
        if not source.endswith(("gz", "xz")):
            assert sorted(found.index) == [str(image) for image in list_images(source)]


@pytest.mark.parametrize("name", ["p.tar", "p.tar.gz", "p.zip"])
def test_an_archive_in_a_store_as_a_stream(memory, tmp_path, plain, name):
    write = write_zip if name == "p.zip" else write_tar
    options = ["w:gz"] if name == "p.tar.gz" else []
    memory.pipe(f"/sources/{name}", Path(write(tmp_path / name, FILES, *options)).read_bytes())
    found = table(stream_images(f"memory://sources/{name}"))
    assert_same_rows(found.sort_index(), plain)
    assert f"memory://sources/{name}!/a.png" in found.index


def test_a_store_as_a_stream(memory, plain):
    with pytest.warns(UserWarning, match="list_images"):
        stream = stream_images("memory://sources")
    assert_same_rows(table(stream), plain[:4])


def test_a_pipe_as_a_stream(tmp_path):
    data = Path(write_tar(tmp_path / "p.tgz", FILES, "w:gz")).read_bytes()
    reading, writing = os.pipe()

    def write():
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reading, "rb") as pipe:
        found = dict(stream_images(pipe))
    thread.join()
    assert found == FILES


def test_a_stream_counts_what_it_passes_over(tmp_path):
    path = write_tar(tmp_path / "p.tgz", {**FILES, **OTHERS}, "w:gz")
    with pytest.warns(UserWarning, match=r"stream_images passed over 4 .*3 hidden"):
        keys = [key for key, _ in stream_images(path)]
    assert keys == [f"{path}!/{name}" for name in FILES]


def test_a_truncated_gzip_gives_what_it_holds(tmp_path):
    files = {f"{number}.png": encoded(number) for number in range(20)}
    path = Path(write_tar(tmp_path / "p.tar.gz", files, "w:gz"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match="damaged rest of the archive"):
        found = table(stream_images(path))
    assert 0 < found["valid"].sum() < 20
    assert found["valid"].iloc[:-1].all()


def test_what_cannot_be_streamed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tar"):
        stream_images("nowhere.tar")
    (tmp_path / "a.png").write_bytes(FILES["a.png"])
    with pytest.raises(NotADirectoryError, match=r"a\.png"):
        stream_images(tmp_path / "a.png")
    (tmp_path / "bad.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"bad\.tar\.gz.*cannot be read as a tar archive"):
        list(stream_images(tmp_path / "bad.tar.gz"))
    with pytest.raises(TypeError):
        stream_images(3)


def test_a_tar_stream_keeps_nothing_of_what_it_has_passed(tmp_path):
    path = write_tar(tmp_path / "p.tar", {f"{number}.png": b"x" for number in range(50)})
    stream = stream_images(path)
    next(itertools.islice(stream, 40, None))
    (archive,) = [
        value for value in stream.gi_yieldfrom.gi_frame.f_locals.values()
        if isinstance(value, tarfile.TarFile)
    ]  # fmt: skip
    assert len(archive.members) <= 1
    stream.close()


@pytest.mark.parametrize("collection", [[], ["a.png"], np.zeros((2, 4, 4)), io.BytesIO(b"x"), None])
def test_a_collection_is_no_stream(collection):
    assert as_stream(collection) is None


def test_names_of_the_items_of_a_stream():
    pixels = np.zeros((4, 4), np.uint8)
    undecoded = {"bytes": b"x", "path": "p.png"}
    items = ["a.png", pixels, ("key", pixels), (np.int64(7), b"x"), None, undecoded]
    names, references = zip(*as_stream(iter(items)), strict=True)
    assert names == ("a.png", 1, "key", 7, 4, 5)
    assert references[5] == b"x"
    assert names_of(names).name == "path"
    assert isinstance(names_of([0, 1, 2]), pd.RangeIndex)
    assert names_of([0, 2]).tolist() == [0, 2]


@given(st.lists(st.one_of(st.text(), st.binary(), st.none()), max_size=8))
def test_a_stream_names_images_as_a_list_does(references):
    listed, names = as_references(references)
    pairs = list(as_stream(iter(references)))
    assert [reference for _, reference in pairs] == list(listed)
    pd.testing.assert_index_equal(names_of([name for name, _ in pairs]), names)


@pytest.mark.parametrize(
    "item", [3, ["a.png"], {"image": b""}, (b"x", 3), ("a", "b", "c"), ("key", {}), (b"x", "a.png")]
)
def test_a_bad_item_of_a_stream_is_named_by_its_position(item):
    stream = as_stream(iter(["a.png", item]))
    next(stream)
    with pytest.raises(TypeError, match="item 1 of the stream"):
        next(stream)


def test_where_a_stream_is_refused_it_is_said_what_works():
    with pytest.raises(TypeError, match=r"must be a list.*measure\(stream\)"):
        as_references(iter(["a.png"]))


def test_an_unreadable_item_is_an_invalid_row():
    found = table([UnreadableItem("for this reason"), FILES["a.png"]])
    assert found["reason"].tolist() == ["for this reason", ""]


# --------------------------------------------------------------- Hugging Face's data sets


def huggingface_dataset(files):
    datasets = pytest.importorskip("datasets")
    cells = [None if data is None else {"bytes": data, "path": None} for data in files]
    dataset = datasets.Dataset.from_dict({"image": cells, "label": list(range(len(cells)))})
    return dataset.cast_column("image", datasets.Image())


def images_of_huggingface(*arguments):
    from imagequality.huggingface import images_of

    return images_of(*arguments)


@pytest.fixture(params=["memory", "disk"])
def dataset(request, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    made = huggingface_dataset([FILES[name] for name in sorted(FILES)])
    if request.param == "memory":
        return made
    made.save_to_disk(str(tmp_path / "stored"))
    return datasets.load_from_disk(str(tmp_path / "stored"))


def test_a_dataset_gives_the_rows_of_the_plain_files(dataset, plain):
    found = table(dataset)
    assert_same_rows(found, plain)
    assert isinstance(found.index, pd.RangeIndex)
    assert_same_rows(table(images_of_huggingface(dataset, "image"), n_jobs=4), plain)
    with parallel_config(backend="loky", n_jobs=2):
        assert_same_rows(table(dataset), plain)


def test_rows_are_those_of_the_view(dataset, plain):
    chosen = dataset.select([3, 0, 1, 4, 2])
    assert_same_rows(table(chosen), plain.iloc[[3, 0, 1, 4, 2]])
    assert_same_rows(table(chosen.with_format("numpy")), plain.iloc[[3, 0, 1, 4, 2]])


def test_images_of_a_dataset_are_a_sequence(dataset):
    images = images_of_huggingface(dataset)
    contents = [FILES[name] for name in sorted(FILES)]
    assert len(images) == 5
    assert [image.read_bytes() for image in images] == contents
    assert [image.read_bytes() for image in images[1:4]] == contents[1:4]
    assert images[-1].read_bytes() == images[np.int64(4)].read_bytes() == contents[4]
    with pytest.raises(IndexError):
        images[5]
    again = pickle.loads(pickle.dumps(images[2:4]))
    assert [read_image(r).pixels.shape for r in again[1:]] == [read_image(contents[3]).pixels.shape]
    assert images[0].cache_key() == identity(contents[0])


def test_in_memory_only_the_images_asked_for_travel():
    images = images_of_huggingface(huggingface_dataset([encoded(n) for n in range(40)]))
    sizes = [len(encoded(n)) for n in range(2)]
    assert len(pickle.dumps(images[:2])) < sum(sizes) + 500


def test_cells_without_bytes(tmp_path):
    datasets = pytest.importorskip("datasets")
    path = tmp_path / "a.png"
    path.write_bytes(FILES["a.png"])
    cells = [str(path), None, str(tmp_path / "none.png")]
    made = datasets.Dataset.from_dict({"image": cells}).cast_column("image", datasets.Image())
    found = table(made)
    assert found["valid"].tolist() == [True, False, False]
    assert found["reason"].tolist()[1:] == [
        "there is no image in the data set here",
        "cannot be read: no such file or directory",
    ]
    images = images_of_huggingface(made)
    assert images[0].cache_key() == identity(str(path))
    with parallel_config(backend="loky", n_jobs=2):
        assert table(made)["valid"].tolist() == [True, False, False]


def test_the_column_of_images_is_found_or_asked_for():
    datasets = pytest.importorskip("datasets")
    made = huggingface_dataset([FILES["a.png"]])
    two = made.add_column("mask", made.with_format("arrow")["image"][:]).cast_column(
        "mask", datasets.Image()
    )
    with pytest.raises(ValueError, match="'image', 'mask'"):
        table(two)
    assert len(images_of_huggingface(two, "mask")) == 1
    with pytest.raises(ValueError, match="no column of images 'label'"):
        images_of_huggingface(two, "label")
    with pytest.raises(ValueError, match="none"):
        images_of_huggingface(made.remove_columns("image"))
    with pytest.raises(TypeError, match="one split"):
        images_of_huggingface(datasets.DatasetDict(train=made))
    with pytest.raises(TypeError, match="one of its values"):
        table(datasets.DatasetDict(train=made))


def test_a_streaming_dataset_is_measured_in_the_way_that_the_error_says(plain):
    datasets = pytest.importorskip("datasets")
    dataset = huggingface_dataset([FILES[name] for name in sorted(FILES)]).to_iterable_dataset()
    with pytest.raises(TypeError, match="streaming") as caught:
        table(dataset)
    expression = str(caught.value).split("order: ")[1]
    found = eval(expression, {"measure": table, "dataset": dataset, "datasets": datasets})
    assert_same_rows(found, plain)


# -------------------------------------------------------------------- PyTorch's data sets


def images_of_torch(*arguments, **options):
    pytest.importorskip("torch")
    from imagequality.torch import images_of

    return images_of(*arguments, **options)


class Decoded:
    """A map-style data set whose items are pairs; it raises at a broken file."""

    def __init__(self, files):
        self.files = files

    def __len__(self):
        return len(self.files)

    def __getitem__(self, position):
        return Image.open(io.BytesIO(self.files[position])), position


def test_a_torch_dataset_gives_the_rows_of_the_plain_files(plain):
    files = [FILES[name] for name in sorted(FILES)]
    columns = ["width", "height", "entropy", "valid"]
    images = images_of_torch(Decoded(files))
    for n_jobs in (1, 4):
        assert_same_rows(table(images, n_jobs=n_jobs)[columns], plain[columns])
    assert not plain["valid"].all()


def test_tensors_of_a_torch_dataset_are_images():
    torch = pytest.importorskip("torch")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    tensors = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    expected = measure(pixels, ["width", "entropy"])
    labels = torch.arange(3)
    for dataset in (
        torch.utils.data.TensorDataset(tensors, labels),
        list(tensors),
        [{"pixels": tensor, "label": 0} for tensor in tensors],
    ):
        assert_same_rows(measure(images_of_torch(dataset), ["width", "entropy"]), expected)
    swapped = torch.utils.data.TensorDataset(labels, tensors)
    assert_same_rows(measure(images_of_torch(swapped, item=1), ["width", "entropy"]), expected)
    named = [{"label": 0, "pixels": tensor} for tensor in tensors]
    found = measure(images_of_torch(named, item="pixels"), ["width", "entropy"])
    assert_same_rows(found, expected)


def test_a_torch_dataset_is_fetched_when_it_is_measured():
    fetched = []

    class Counted(Decoded):
        def __getitem__(self, position):
            fetched.append(position)
            return super().__getitem__(position)

    images = images_of_torch(Counted([FILES["a.png"]] * 4))
    part = images[1:3]
    assert (len(images), fetched) == (4, [])
    table(part)
    assert fetched == [1, 2]


def test_a_torch_dataset_that_raises_gives_an_invalid_row():
    images = images_of_torch(Decoded([b"broken", FILES["a.png"]]))
    found = table(images)
    assert found["valid"].tolist() == [False, True]
    assert found["reason"].iloc[0].startswith("UnidentifiedImageError")


def test_what_is_no_map_style_dataset():
    with pytest.raises(TypeError, match="map-style"):
        images_of_torch(iter([]))
    with pytest.raises(TypeError, match=r"torch\.images_of"):
        as_references(Decoded([b""]))


def test_the_files_of_an_image_folder_are_taken_themselves(tmp_path):
    folder = pytest.importorskip("torchvision.datasets")
    write_folder(tmp_path / "root")
    paths = images_of_torch(folder.ImageFolder(str(tmp_path / "root"), allow_empty=True))
    assert paths == list_images(tmp_path / "root" / "cats")
    changed = folder.ImageFolder(
        str(tmp_path / "root"), transform=lambda image: image.resize((7, 5)), allow_empty=True
    )
    assert set(table(images_of_torch(changed))["width"].dropna()) == {7}


# --------------------------------------------------------------- what holds for any source


def test_scikit_learn_splits_every_kind_of_sequence(tmp_path):
    from sklearn.model_selection import train_test_split

    collections = [
        list_images(write_zip(tmp_path / "p.zip", FILES)),
        images_of_huggingface(huggingface_dataset(list(FILES.values()))),
        images_of_torch(Decoded(list(FILES.values()))),
    ]
    for images in collections:
        train, test = train_test_split(images, random_state=0)
        assert (len(train), len(test)) == (3, 2)
        assert len(table(train)) == 3


def test_checksums_of_the_members_agree_with_zlib(tmp_path):
    path = write_zip(tmp_path / "p.zip", FILES)
    for member in list_images(path):
        key, stamp = member.cache_key()
        assert key == f"{path}!/{member.name}"
        assert stamp.endswith(f":{zlib.crc32(FILES[member.name]):08x}")
