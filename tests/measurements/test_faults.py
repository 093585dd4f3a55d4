"""What ends a scan half-way, done for real: the state it leaves, and what comes of a next scan.

After each fault the same scan is run again with the same store: it gives the table of a scan that
nothing disturbed. An image that runs out of memory, or hangs, is in ``test_isolation.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import imagequality as iq
from imagequality.measurements import Measurement, StoreError, measure, read_store

PATIENCE = 120  # seconds: only guards against a hang
PACKAGE = str(Path(iq.__file__).parent.parent)
COLUMNS = ["width", "entropy", "phash", "pixel_digest"]
NUMBER = 24

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals, limits and /proc")

SOURCE = """
import os, signal, time

class Source:
    '''An image that takes its time, notes who read it, and may do worse.'''

    def __init__(self, path, notes, fault=None, seconds=0.0):
        self.path, self.notes, self.fault, self.seconds = path, notes, fault, seconds

    def read_bytes(self):
        with open(self.notes, "a") as file:
            file.write(f"{os.getpid()}\\n")
        time.sleep(self.seconds)
        if self.fault is not None:
            os.kill(os.getpid(), self.fault)
        with open(self.path, "rb") as file:
            return file.read()

    def cache_key(self):
        status = os.stat(self.path)
        return self.path, f"{status.st_size}:{status.st_mtime_ns}"
"""

SCAN = """
import json, os, signal, sys
import joblib
from imagequality.measurements import WorkerError, measure
from source import Source

# Where the tests run in the background, Ctrl-C is ignored, and that is handed down.
signal.signal(signal.SIGINT, signal.default_int_handler)
setting = json.loads(sys.argv[1])
images = [Source(*arguments) for arguments in setting["images"]]
backend = {"processes": "loky"}.get(setting["mode"], "threading")
with joblib.parallel_config(backend=backend):
    try:
        table = measure(
            images, setting["columns"], n_jobs=setting["n_jobs"], batch_size=1,
            cache=setting["cache"], isolate=setting["mode"] == "isolate", progress=False,
        )
    except WorkerError as error:
        sys.exit(f"WorkerError: {error}")
table.to_pickle(setting["table"])
"""


class Scene:
    """Images, a store, and scans of the one into the other that run in a process of their own."""

    def __init__(self, folder):
        self.folder = folder
        self.cache = folder / "scan.sqlite"
        self.notes = folder / "notes"
        self.table = folder / "table.pickle"
        self.mark = uuid.uuid4().hex
        images = folder / "images"
        images.mkdir()
        rng = np.random.default_rng(0)
        for number in range(NUMBER):
            image = rng.integers(0, 256, (70 + number, 70, 3), dtype=np.uint8)
            Image.fromarray(image).save(images / f"{number:02}.png")
        self.paths = sorted(map(str, images.iterdir()))
        (folder / "source.py").write_text(SOURCE)
        (folder / "scan.py").write_text(SCAN)
        self.undisturbed = measure(self.paths, COLUMNS).reset_index(drop=True)

    def start(self, mode, *, n_jobs=2, fault_at=None, fault=None, seconds=0.05):
        images = [
            (path, str(self.notes), int(fault) if at == fault_at else None, seconds)
            for at, path in enumerate(self.paths)
        ]
        setting = {
            "images": images,
            "columns": COLUMNS,
            "mode": mode,
            "n_jobs": n_jobs,
            "cache": str(self.cache),
            "table": str(self.table),
        }
        return subprocess.Popen(
            [sys.executable, "scan.py", json.dumps(setting)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": PACKAGE, "OF_TEST": self.mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def readers(self):
        """Return the processes that have begun to read an image, one entry for each image."""
        return list(map(int, self.notes.read_text().split())) if self.notes.exists() else []

    def wait_for_readers(self, number, scan, processes=1):
        """Wait until so many images were begun, by so many processes at least."""
        end = time.monotonic() + PATIENCE
        while len(self.readers()) < number or len(set(self.readers())) < processes:
            assert scan.poll() is None, scan.communicate()
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.01)

    def assert_nobody_is_left(self):
        """Wait until no process that descends from the scan is running."""
        end = time.monotonic() + PATIENCE
        while descendants := running_with(f"OF_TEST={self.mark}".encode()):
            assert time.monotonic() < end, [
                Path(f"/proc/{left}/cmdline").read_bytes() for left in descendants
            ]
            time.sleep(0.02)

    def assert_resumes(self, at_least=1):
        """Assert that the scan goes on from what is stored, and ends as an undisturbed one."""
        stored = len(read_store(self.cache))
        assert stored >= at_least
        self.notes.write_text("")
        images = [made_source()(path, str(self.notes)) for path in self.paths]
        again = measure(images, COLUMNS, cache=self.cache)
        pd.testing.assert_frame_equal(again, self.undisturbed, check_exact=True)
        assert len(self.readers()) == NUMBER - stored


def made_source():
    namespace = {}
    exec(SOURCE, namespace)
    return namespace["Source"]


def running_with(variable):
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            is_marked = variable in Path(f"/proc/{int(entry)}/environ").read_bytes().split(b"\0")
            if is_marked and "State:\tZ" not in Path(f"/proc/{entry}/status").read_text():
                found.append(int(entry))
    return found


@pytest.fixture
def scene(tmp_path):
    return Scene(tmp_path)


# ------------------------------------------------------------------------- stopped


@pytest.mark.parametrize("mode", ["threads", "processes", "isolate"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_scan_that_is_stopped_goes_on(scene, mode, stop):
    scan = scene.start(mode, seconds=0.2)
    scene.wait_for_readers(12, scan, processes=1 if mode == "threads" else 2)
    if mode == "isolate" and stop == signal.SIGINT:  # in a terminal it goes to all processes
        for process in running_with(f"OF_TEST={scene.mark}".encode()):
            os.kill(process, stop)
    else:
        scan.send_signal(stop)
    _, complaint = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == -stop
    assert complaint.count("KeyboardInterrupt") == (stop == signal.SIGINT)
    assert "Exception ignored" not in complaint
    scene.assert_nobody_is_left()
    scene.assert_resumes(at_least=4)


def test_one_worker_in_the_scanning_process_is_stopped_at_once(scene):
    scan = scene.start("isolate", n_jobs=1, seconds=3600)
    scene.wait_for_readers(1, scan)
    scan.send_signal(signal.SIGINT)
    scan.communicate(timeout=PATIENCE)
    assert scan.returncode == -signal.SIGINT
    scene.assert_nobody_is_left()


# ------------------------------------------------------------------ a worker is lost


def test_a_worker_that_is_killed_is_replaced(scene):
    scan = scene.start("isolate", n_jobs=1, seconds=0.1)
    scene.wait_for_readers(10, scan)
    os.kill(scene.readers()[-1], signal.SIGKILL)
    _, complaint = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 0, complaint
    table = pd.read_pickle(scene.table)
    pd.testing.assert_frame_equal(table, scene.undisturbed, check_exact=True)
    scene.assert_nobody_is_left()
    scene.assert_resumes(at_least=NUMBER)


def test_a_worker_that_is_killed_without_isolation_ends_the_scan_in_words(scene):
    scan = scene.start("processes", seconds=0.1)
    scene.wait_for_readers(12, scan)
    os.kill(scene.readers()[-1], signal.SIGKILL)
    _, complaint = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 1
    assert "WorkerError: a worker process has ended abruptly" in complaint
    assert f"what was finished is in {str(scene.cache)!r}" in complaint
    assert "with isolate=True the scan goes on" in complaint
    scene.assert_nobody_is_left()
    scene.assert_resumes(at_least=4)


def test_a_decoder_that_crashes_the_scan_itself(scene):
    """In threads there is nothing left to say anything: but the rows before are stored."""
    scan = scene.start("threads", fault_at=15, fault=signal.SIGSEGV)
    scan.communicate(timeout=PATIENCE)
    assert scan.returncode == -signal.SIGSEGV
    scene.assert_resumes(at_least=8)


def test_a_decoder_that_crashes_in_isolation(scene):
    scan = scene.start("isolate", n_jobs=1, fault_at=15, fault=signal.SIGSEGV, seconds=0)
    _, complaint = scan.communicate(timeout=PATIENCE)
    assert scan.returncode == 0, complaint
    table = pd.read_pickle(scene.table)
    assert table["reason"][15] == "the decoder crashed (SIGSEGV)"
    pd.testing.assert_frame_equal(table.drop(15), scene.undisturbed.drop(15), check_exact=True)
    scene.assert_resumes(at_least=NUMBER - 1)


# ---------------------------------------------------------------------- the store

FULL_DISK = """
import os, resource, sys
import pandas as pd
from imagequality import list_images
from imagequality.measurements import StoreError, measure, read_store

images, cache, way, limit = sys.argv[1:]
paths = list_images(images)
undisturbed = measure(paths)
if way == "full":  # of the small disk that the store is on, little is left
    with open(f"{cache}.ballast", "wb") as ballast:
        ballast.write(bytes(int(limit)))
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
try:
    measure(paths, cache=cache, batch_size=2)
except StoreError as error:
    print(f"StoreError: {error}")
if way == "full":
    os.remove(f"{cache}.ballast")
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("rows:", len(read_store(cache)))
pd.testing.assert_frame_equal(measure(paths, cache=cache), undisturbed, check_exact=True)
print("rows:", len(read_store(cache)))
"""


def run(folder, text, *arguments, before=()):
    (folder / "script.py").write_text(textwrap.dedent(text))
    return subprocess.run(
        [*before, sys.executable, "script.py", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PACKAGE},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def rows_after_a_full_disk(done):
    assert done.returncode == 0, done.stderr
    error, before, after = done.stdout.splitlines()
    assert error.startswith("StoreError: ")
    assert after == f"rows: {NUMBER}"
    return error, int(before.removeprefix("rows: "))


def test_a_disk_that_is_full(scene, tmp_path):
    """A small disk of its own, where one may be mounted."""
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=160k none {small} && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"]).returncode:
        pytest.skip("no disk can be mounted here")
    cache = small / "scan.sqlite"
    done = run(tmp_path, FULL_DISK, tmp_path / "images", cache, "full", 70_000, before=before)
    error, rows = rows_after_a_full_disk(done)
    assert "no space is left on the disk" in error
    assert rows < NUMBER


def test_a_file_that_may_not_grow(scene, tmp_path):
    done = run(tmp_path, FULL_DISK, tmp_path / "images", scene.cache, "limit", 60_000)
    error, rows = rows_after_a_full_disk(done)
    assert str(scene.cache) in error
    assert rows < NUMBER


READ_ONLY = """
import os, shutil, sys, tempfile, warnings
import pandas as pd
from imagequality import list_images
from imagequality.measurements import StoreError, measure, read_store

folder = tempfile.mkdtemp()  # not below a folder that only its owner may enter
try:
    images, kept = os.path.join(folder, "images"), os.path.join(folder, "kept")
    shutil.copytree(sys.argv[1], images)
    os.mkdir(kept)
    cache = os.path.join(kept, "scan.sqlite")
    paths = list_images(images)
    undisturbed = measure(paths)
    measure(paths[:10], cache=cache)
    os.chmod(cache, 0o444)
    os.chmod(kept, 0o555)
    os.chmod(images, 0o755)
    os.chmod(folder, 0o755)
    if not os.getuid():
        os.seteuid(65534)  # to the superuser nothing is read-only
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = measure(paths, cache=cache)
    pd.testing.assert_frame_equal(table, undisturbed, check_exact=True)
    print([str(warning.message) for warning in caught])
    print(len(read_store(cache)), os.listdir(kept))
    try:
        measure(paths, cache=os.path.join(kept, "new.sqlite"))
    except StoreError as error:
        print(error)
finally:
    os.seteuid(os.getuid())
    os.chmod(kept, 0o755)
    shutil.rmtree(folder)
"""


def test_a_store_and_a_folder_that_may_only_be_read(scene, tmp_path):
    done = run(tmp_path, READ_ONLY, tmp_path / "images")
    assert done.returncode == 0, done.stderr
    warned, kept, refused = done.stdout.splitlines()
    assert warned.count("can only be read: what is measured now is not stored") == 1
    assert kept == "10 ['scan.sqlite']"
    assert "cannot be opened: check the permissions of the file and its folder" in refused


def complaint_of(scene, cache):
    """Scan with a store that was tampered with; what it gives must be right, or an error.

    Returns
    -------
    complaint : str
        Empty if the store was used.
    """
    before = [Path(path).read_bytes() for path in scene.paths]
    complaint = ""
    try:
        table = measure(scene.paths, COLUMNS, cache=cache)
    except StoreError as error:
        complaint = str(error)
    else:
        found = table.reset_index(drop=True)
        pd.testing.assert_frame_equal(found, scene.undisturbed, check_exact=True)
    assert [Path(path).read_bytes() for path in scene.paths] == before
    return complaint


def is_clear(complaint, cache):
    return str(cache) in complaint and "delete" in complaint


def test_a_store_of_random_bytes_is_refused(scene):
    content = np.random.default_rng(0).bytes(50_000)
    scene.cache.write_bytes(content)
    assert is_clear(complaint_of(scene, scene.cache), scene.cache)
    assert scene.cache.read_bytes() == content


def test_a_store_that_was_cut_off_is_refused(scene):
    measure(scene.paths, COLUMNS, cache=scene.cache)
    content = scene.cache.read_bytes()
    for tenth in range(1, 10):
        scene.cache.write_bytes(content[: len(content) * tenth // 10])
        assert is_clear(complaint_of(scene, scene.cache), scene.cache)


def test_an_empty_file_is_a_store_without_rows(scene):
    """As a full disk or a killed process leaves it."""
    scene.cache.write_bytes(b"")
    assert not complaint_of(scene, scene.cache)
    assert len(read_store(scene.cache)) == NUMBER


@pytest.mark.parametrize("columns", [COLUMNS, [*COLUMNS, "descriptor"]])
def test_no_byte_of_a_store_can_change_a_row_unseen(scene, columns):
    """It is refused, or the row is not used: wherever it is overwritten, by little or much."""
    expected = measure(scene.paths, columns, cache=scene.cache)
    content = scene.cache.read_bytes()
    rng = np.random.default_rng(0)
    complaints = []
    for length in (1, 2, 16, 200, 4096):
        for _ in range(25):
            damaged = bytearray(content)
            start = int(rng.integers(0, len(content) - length))
            damaged[start : start + length] = rng.bytes(length)
            scene.cache.write_bytes(damaged)
            try:
                found = measure(scene.paths, columns, cache=scene.cache)
            except StoreError as error:
                complaints.append(str(error))
            else:
                pd.testing.assert_frame_equal(found, expected, check_exact=True)
            with contextlib.suppress(StoreError):
                read_store(scene.cache)
    assert len(complaints) > 20
    assert all(is_clear(complaint, scene.cache) for complaint in complaints)


def test_the_log_of_a_killed_scan_belongs_to_its_store(scene):
    """Beside its own store it is taken up; beside another one it does no harm."""
    scan = scene.start("threads", seconds=0.1)
    scene.wait_for_readers(12, scan)
    scan.kill()  # SIGKILL
    scan.communicate()
    log = Path(f"{scene.cache}-wal")
    assert log.stat().st_size > 0
    rows = log.read_bytes()
    other = scene.folder / "other.sqlite"
    measure(scene.paths, COLUMNS, cache=other)
    Path(f"{other}-wal").write_bytes(rows)
    assert not complaint_of(scene, other)
    log.write_bytes(rows[: len(rows) // 2])
    assert not complaint_of(scene, scene.cache)


# -------------------------------------------------------------------- the images


def state(path):
    status = os.stat(path)
    return path.read_bytes(), (status.st_atime_ns, status.st_mtime_ns)


def restore(path, content, times):
    path.write_bytes(content)
    os.utime(path, ns=times)


@pytest.mark.parametrize("isolate", [False, True])
def test_files_that_change_while_they_are_scanned(scene, isolate):
    """A row is of what was read; it is not stored as that of what was there before or after."""
    paths = [Path(path) for path in scene.paths]
    before = [state(path) for path in paths]
    changed, deleted = paths[5], paths[6]
    other = np.full((90, 70, 3), 9, np.uint8)

    def disturb(rgb):
        if rgb.shape[0] == 70 and deleted.exists():  # at the first: the others are not read yet
            Image.fromarray(other).save(changed)
            deleted.unlink()
        return 0.0

    columns = [*COLUMNS, Measurement("disturb", disturb, version="1")]
    table = measure(paths, columns, cache=scene.cache, batch_size=NUMBER, isolate=isolate)
    assert table["pixel_digest"].iloc[5] == measure([other], ["pixel_digest"])["pixel_digest"][0]
    assert table["reason"].iloc[6] == "file not found"
    assert len(read_store(scene.cache)) == NUMBER - 2  # what was known before is not what was read
    pd.testing.assert_frame_equal(
        measure(paths, COLUMNS, cache=scene.cache), measure(paths, COLUMNS), check_exact=True
    )

    for path, (content, times) in zip(paths, before, strict=True):
        restore(path, content, times)
    again = measure(paths, COLUMNS, cache=scene.cache).reset_index(drop=True)
    pd.testing.assert_frame_equal(again, scene.undisturbed, check_exact=True)
