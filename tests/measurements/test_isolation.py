"""Scans in processes of their own: the same rows, whatever an image does to its process."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone

import imagequality as iq
from imagequality import cli
from imagequality.images import UnreadableItem, list_images
from imagequality.measurements import Embedding, Isolation, Measurement, WorkerError, measure

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
PATIENCE = 240  # seconds: only guards against a hang


def texture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def fault(what, data=b""):
    """Return a reference that does something terrible when it is read, in another process only."""

    class Faulty:  # local, so that it is pickled by value
        home = os.getpid()

        def read_bytes(self):
            if os.getpid() == self.home:
                raise RuntimeError("read in the process that scans")
            what()
            return data

    return Faulty()


def workers_of(process=None):
    """Return the ids of the processes that a process started to measure in, also dead ones."""
    parent = os.getpid() if process is None else process
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            status = Path(f"/proc/{int(entry)}/status").read_text()
            command = Path(f"/proc/{int(entry)}/cmdline").read_bytes()
            is_child = f"\nPPid:\t{parent}\n" in status
            if is_child and (b"_isolation_worker" in command or "State:\tZ" in status):
                found.append(int(entry))
    return found


def is_running(process):
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False


def wait_until(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


# ------------------------------------------------------------------------ same rows


def every_kind_of_reference(folder):
    """Return images given in every way there is, some of them broken."""
    photo = texture(40, 60, 1)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    jpeg = encoded(photo, "JPEG", quality=40, exif=exif)
    path = folder / "ü\udce9.jpg" if sys.platform == "linux" else folder / "ü.jpg"
    path.write_bytes(jpeg)
    archive = folder / "images.tar"
    subprocess.run(["tar", "-cf", archive, "-C", folder, path.name], check=True)

    class Item:  # of a data set, say
        def __init__(self, image):
            self.image = image

        def fetch(self):
            if self.image is None:
                raise LookupError("no such item")
            return self.image

    class Locked:
        """Cannot be pickled."""

        def __init__(self):
            self.file = open(path, "rb")  # noqa: SIM115

        def read_bytes(self):
            with self.file:
                return jpeg

    opened = Image.open(io.BytesIO(jpeg))
    return [
        str(path),
        path,
        jpeg,
        bytearray(jpeg),
        memoryview(jpeg),
        photo,
        photo[::2, ::2, :1],
        (photo / 255.0).astype(np.float32),
        opened,
        opened.convert("P"),
        Image.fromarray(photo),
        Image.new("RGBA", (8, 9), (10, 20, 30, 40)),
        *list_images(archive),
        io.BytesIO(jpeg),
        io.StringIO("text"),
        Item(photo),
        Item(jpeg),
        Item(Image.open(io.BytesIO(jpeg))),
        Item(None),
        Locked(),
        UnreadableItem("the archive ends here"),
        "missing.jpg",
        str(folder),
        b"",
        jpeg[: len(jpeg) // 2],
        np.zeros((4, 5, 7)),
        None,
        17,
        lambda: None,
        np.full((3, 3), "a", object),
    ]


def test_all_rows_are_those_without_isolation(tmp_path):
    own = Measurement("own", lambda rgb: float(rgb[0, 0, 0]))

    class Corner:
        def transform(self, images):
            return [image[-1, -1] for image in images]

    columns = [*iq.measurements.ALL_COLUMNS, own, Embedding(Corner())]
    expected = measure(every_kind_of_reference(tmp_path), columns, batch_size=7)
    found = measure(every_kind_of_reference(tmp_path), columns, batch_size=7, isolate=True)
    assert 15 < expected["valid"].sum() < len(expected) - 8
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_streams_lazy_sequences_and_the_store(tmp_path):
    images = [texture(20, 30, seed) for seed in range(12)]

    class Failing(Sequence):
        """Makes its items when it is asked for them; one can be had only once."""

        def __init__(self):
            self.asked = 0

        def __len__(self):
            return len(images)

        def __getitem__(self, position):
            if position >= len(images):
                raise IndexError
            self.asked += position == 5
            if position == 5 and self.asked > 1:
                raise RuntimeError("the disk is gone")
            return images[position]

    expected = measure(images)
    cache = tmp_path / "scan.sqlite"
    stored = measure(iter(images), cache=cache, batch_size=5, isolate=True)
    pd.testing.assert_frame_equal(stored, expected, check_exact=True)
    # What is stored needs no process.
    again = measure(images, cache=cache, isolate=Isolation(time_limit=1e-9))
    pd.testing.assert_frame_equal(again, expected, check_exact=True)
    failed = measure(Failing(), isolate=True)
    assert failed["reason"][5] == "cannot be fetched: the disk is gone"
    pd.testing.assert_frame_equal(failed, measure(Failing()), check_exact=True)


def test_urls_are_read_where_their_file_system_lives():
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe("/isolated/a.png", encoded(texture(9, 9)))
    urls = ["memory://isolated/a.png", "memory://isolated/missing.png"]
    expected = measure(urls)
    assert expected["valid"].tolist() == [True, False]
    pd.testing.assert_frame_equal(measure(urls, isolate=True), expected, check_exact=True)


def test_the_number_of_processes_may_come_from_the_context(tmp_path):
    note = str(tmp_path / "processes")

    class Noted:
        def read_bytes(self):
            time.sleep(0.05)
            with open(note, "a") as file:
                file.write(f"{os.getpid()}\n")
            return b""

    images = [Noted() for _ in range(40)]
    with joblib.parallel_config(backend="loky", n_jobs=2):
        measure(images, ["width"], batch_size=1, isolate=True)
    processes = set(Path(note).read_text().split())
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


# --------------------------------------------------------------------- images at fault


def hold_the_interpreter():
    ctypes.PyDLL(None).sleep(3600)  # as a decoder does that does not let go of the GIL


@posix
def test_an_image_that_ends_or_holds_its_process_is_an_invalid_row():
    images = [texture(30, 30, seed) for seed in range(16)]
    expected = measure(images)
    faults = {
        5: (lambda: os.kill(os.getpid(), signal.SIGSEGV), "the decoder crashed (SIGSEGV)"),
        6: (hold_the_interpreter, "took longer than 2 seconds"),
        7: (lambda: sys.exit(3), "the decoder ended its process (exit code 3)"),
        15: (lambda: time.sleep(3600), "took longer than 2 seconds"),
    }
    given = [fault(faults[at][0]) if at in faults else image for at, image in enumerate(images)]
    found = measure(given, batch_size=5, n_jobs=2, isolate=Isolation(time_limit=2))
    bad = list(faults)
    assert found["reason"].iloc[bad].tolist() == [reason for _, reason in faults.values()]
    assert found.index[~found["valid"]].tolist() == bad
    pd.testing.assert_frame_equal(found.drop(bad), expected.drop(bad), check_exact=True)
    if sys.platform == "linux":
        wait_until(lambda: not workers_of())


def test_a_batch_may_take_longer_than_an_image_may_and_what_is_printed_is_no_answer(
    tmp_path, capfd
):
    note = tmp_path / "read"
    data = encoded(texture(9, 9))

    def linger():
        os.write(1, b"\x00" * 64)
        print("decoding", flush=True)
        assert sys.stdin.read() == ""
        time.sleep(0.6)
        with open(note, "a") as file:
            file.write(".")

    table = measure([fault(linger, data) for _ in range(7)], ["width"], isolate=Isolation(2.5))
    assert table["width"].tolist() == [9] * 7
    assert len(note.read_text()) == 7  # none was tried again
    printed, chattered = capfd.readouterr()
    assert printed == ""
    assert chattered.count("decoding") == 7


@linux
def test_an_image_that_needs_too_much_memory(tmp_path):
    side = 6000
    Image.new("RGB", (side, side)).save(tmp_path / "b.png")
    for name in ("a.png", "c.png", "d.png"):
        Image.fromarray(texture(70, 70, ord(name[0]))).save(tmp_path / name)
    (tmp_path / "e.png").write_bytes(b"broken")
    paths = sorted(map(str, tmp_path.iterdir()))
    columns = ["width", "entropy", "phash"]
    limit = side * side * 3  # its pixels alone
    found = measure(paths, columns, batch_size=9, isolate=Isolation(memory_limit=limit))
    expected = measure(paths, columns).drop(paths[1])
    assert found["reason"].iloc[1] == "needs more memory than the limit of 108,000,000 bytes"
    pd.testing.assert_frame_equal(found.drop(paths[1]), expected, check_exact=True)
    ample = Isolation(memory_limit=12 * limit)
    assert measure(paths[1:2], columns, isolate=ample)["width"].tolist() == [side]


def test_an_error_that_is_no_images_fault_is_raised():
    class Forgetful:
        def transform(self, images):
            return [[0.0]] * (len(images) + 1)

    images = [texture(9, 9)] * 2
    with pytest.raises(ValueError, match="one vector per image") as isolated:
        measure(images, [Embedding(Forgetful())], isolate=Isolation(None))
    with pytest.raises(ValueError, match="one vector per image") as here:
        measure(images, [Embedding(Forgetful())])
    assert str(isolated.value) == str(here.value)
    assert "in _add_embeddings" in str(isolated.value.__cause__)


# ---------------------------------------------------------------- starting and ending


def test_columns_that_cannot_be_sent():
    lock = threading.Lock()
    locked = Measurement("locked", lambda rgb: float(lock.locked()))
    with pytest.raises(ValueError, match="isolate: the columns cannot be sent to another process"):
        measure([texture(4, 4)], [locked], isolate=True)


@posix
@pytest.mark.parametrize(
    ("executable", "message"),
    [
        ("", "isolate starts Python processes"),
        ("/no/such/python", "cannot be started"),
        ("/bin/false", r"ended before it was ready \(exit code 1\)"),
    ],
)
def test_a_python_that_cannot_be_started(monkeypatch, executable, message):
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(WorkerError, match=message):
        measure([texture(4, 4)], isolate=True)


def run_script(folder, text, *arguments, **options):
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    package = str(Path(iq.__file__).parent.parent)
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": path},
        **options,
    )


def test_a_script_needs_no_guard_and_its_modules_are_found(tmp_path):
    """No ``if __name__ == "__main__"``, and nothing in the current folder is run by mistake."""
    elsewhere, scripts = tmp_path / "elsewhere", tmp_path / "scripts"
    elsewhere.mkdir()
    scripts.mkdir()
    for module in ("pickle", "json", "numpy", "queue"):
        (elsewhere / f"{module}.py").write_text("raise SystemExit('the wrong module')")
    (scripts / "sources.py").write_text(
        "class Source:\n    def read_bytes(self):\n        return open('a.png', 'rb').read()\n"
    )
    (elsewhere / "a.png").write_bytes(encoded(texture(9, 7)))
    done = run_script(
        scripts,
        """
        import sys
        import sources
        from imagequality import Measurement, measure

        class Here:
            def read_bytes(self):
                return open("a.png", "rb").read()

        images = ["a.png", Here(), sources.Source()]
        one = Measurement("one", lambda rgb: 1)
        print(measure(images, ["width", one], isolate=True).to_numpy().tolist())
        """,
        cwd=elsewhere,
    )
    assert (done.stdout, done.stderr) == (f"{[[True, '', 7, 1.0]] * 3}\n", "")


@linux
def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Killed, it can no longer end them: neither one that sleeps nor one that holds its GIL."""
    script = tmp_path / "scan.py"
    script.write_text(
        textwrap.dedent(
            """
            import ctypes, os, time
            from imagequality.measurements import Isolation, measure

            class Hang:
                def __init__(self, hang):
                    self.hang = hang
                def read_bytes(self):
                    open(f"{os.getpid()}.started", "w").close()
                    self.hang()

            hangs = [Hang(lambda: time.sleep(3600)), Hang(lambda: ctypes.PyDLL(None).sleep(3600))]
            measure(hangs, ["width"], n_jobs=2, batch_size=1, isolate=Isolation(time_limit=3))
            """
        )
    )
    package = str(Path(iq.__file__).parent.parent)
    scan = subprocess.Popen(
        [sys.executable, script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": package}
    )
    try:
        wait_until(lambda: len(list(tmp_path.glob("*.started"))) == 2)
        workers = workers_of(scan.pid)
    finally:
        scan.kill()
        scan.wait()
    assert len(workers) == 2
    wait_until(lambda: not any(map(is_running, workers)))


@linux
def test_no_process_is_left_when_a_scan_ends_early():
    def broken_stream():
        yield from (texture(9, 9, seed) for seed in range(30))
        raise OSError("the connection is gone")

    with pytest.raises(OSError, match="the connection is gone"):
        measure(broken_stream(), ["width"], n_jobs=2, batch_size=2, isolate=True)
    wait_until(lambda: not workers_of())


# -------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ({"time_limit": 0}, ValueError, "time_limit must be a number of seconds above 0"),
        ({"time_limit": float("nan")}, ValueError, "time_limit"),
        ({"time_limit": float("inf")}, ValueError, "time_limit"),
        ({"time_limit": "30"}, TypeError, "time_limit must be a number of seconds"),
        ({"time_limit": True}, TypeError, "time_limit"),
        ({"memory_limit": -1}, ValueError, "memory_limit"),
        ({"memory_limit": 1.5}, TypeError, "memory_limit must be a whole number of bytes"),
    ],
)
def test_bad_limits_are_named(limits, error, message):
    with pytest.raises(error, match=message):
        Isolation(**limits)


def test_a_memory_limit_where_there_is_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ValueError, match="memory_limit works on Linux only, this is darwin"):
        Isolation(memory_limit=1 << 30)


@pytest.mark.parametrize("estimator", [iq.Measurer, iq.QualityPipeline])
def test_a_parameter_like_any_other(estimator):
    limits = Isolation(time_limit=9, memory_limit=None)
    made = clone(estimator(isolate=limits, progress=False))
    assert made.get_params()["isolate"] == limits
    assert not estimator().isolate
    with pytest.raises(ValueError, match="isolate"):
        estimator(isolate="yes").fit([texture(4, 4)])
    with pytest.raises(ValueError, match="isolate"):
        measure([texture(4, 4)], isolate=30)


@posix
def test_all_that_measures_can_isolate(tmp_path):
    crash = [fault(lambda: os.kill(os.getpid(), signal.SIGSEGV))]
    reason = "the decoder crashed (SIGSEGV)"
    measured = iq.Measurer(["width"], isolate=True).fit_transform(crash)
    assert measured["reason"].tolist() == [reason]
    detectors = [("invalid", iq.InvalidImageDetector())]
    pipeline = iq.QualityPipeline(detectors, isolate=True, progress=False)
    assert pipeline.fit(crash).measurements_["reason"].tolist() == [reason]
    (tmp_path / "a.png").write_bytes(encoded(texture(70, 70)))
    accepted, rejected = iq.validation.validate_folder(tmp_path, isolate=Isolation(1e-6))
    assert len(accepted) == 0
    assert rejected["reason"].tolist() == ["invalid: took longer than 1e-06 seconds"]


def test_the_command_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded(texture(70, 70)))
    command = ["scan", str(tmp_path), "--issues", "invalid"]
    assert cli.main([*command, "--isolate", "--time-limit", "0.000001"]) == 0
    assert "took longer than 1e-06 seconds" in capsys.readouterr().out
    for wrong, message in (
        (["--time-limit", "5"], "--time-limit works with --isolate only"),
        (["--isolate", "--time-limit", "no"], "expected a number of seconds above 0"),
        (["--isolate", "--memory-limit", "2X"], "expected a number of bytes, such as"),
    ):
        assert cli.main([*command, *wrong]) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setattr(sys, "executable", "")
    assert cli.main([*command, "--isolate"]) == 2
    assert "isolate starts Python processes" in capsys.readouterr().err


class AttributesRaise:
    def __getattr__(self, name):
        raise RuntimeError("no attribute can be had")


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class FailsWithoutWords:
    def read_bytes(self):
        raise WordlessError


@pytest.mark.parametrize("kind", [AttributesRaise, FailsWithoutWords])
def test_an_object_that_fails_at_everything_is_a_row(kind):
    references = [kind(), np.zeros((4, 4, 3), np.uint8)]
    for isolate in (False, True):
        table = measure(references, ["width"], isolate=isolate)
        assert table["valid"].tolist() == [False, True]
        assert table["reason"].tolist()[0]
