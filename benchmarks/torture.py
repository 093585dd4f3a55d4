"""Broken and hostile files: what becomes of each, the memory it takes, and what isolation costs.

    python benchmarks/torture.py --data DIR [--out docs/benchmarks/torture.md]

``DIR`` must hold ``odd_files`` (the test images of Pillow and of image-rs), ``photos_flowers``
(photographs) and ``cifake_fake/test`` (32×32 JPEG files). The corpus is that of the tests
(``tests/torture.py``), made here. Each kind is scanned in a process of its own, with a limit of
its memory and of its time; so are the other packages, which the interpreter must have.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _markdown import markdown
from PIL import Image

import imagequality as iq
from imagequality.images import read_image
from imagequality.images._jpeg_damage import examine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import torture

MEMORY = 2 << 30  # bytes that a scan may add to what it holds when all is imported
TIMEOUT = 300  # seconds, after which a scan counts as hung; each takes some seconds
PEERS = ("imagequality", "CleanVision", "fastdup", "imagededup")
PEER_TIMEOUT, PEER_MEMORY = 120, 12 << 30
PHOTOGRAPHS = 40  # that are cut and flipped
DAMAGED, TIMES = 60, 5  # photographs, and how often each is damaged in a new place
ROUNDS = 3
SPEED = {"32×32 files": ("cifake_fake/test", 10_000), "photographs": ("photos_flowers", 500)}
LARGEST = 13_377  # a side: the square of it is just allowed


# ------------------------------------------------------------------------ in the child


def run_scan(paths: list[str], memory: int) -> dict[str, Any]:
    small = [np.zeros((40, 40, 3), np.uint8), *torture.seeds().values()]
    iq.measure(small, progress=False)  # all is imported now
    before = peak_memory()
    limit_memory(virtual_memory() + memory)
    start = time.perf_counter()
    table = iq.measure(paths, progress=False)
    return {
        "valid": table["valid"].tolist(),
        "reasons": sorted(set(table["reason"])),
        "seconds": time.perf_counter() - start,
        "added": peak_memory() - before,
    }


def run_peer(package: str, paths: list[str]) -> dict[str, Any]:
    limit_memory(PEER_MEMORY)
    start = time.perf_counter()
    try:
        rows = {
            "imagequality": rows_of_imagequality,
            "CleanVision": rows_of_cleanvision,
            "fastdup": rows_of_fastdup,
            "imagededup": rows_of_imagededup,
        }[package](paths)
    except Exception as error:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return {"rows": 0, "ended": f"raised {words[:90]}"}
    return {"rows": rows, "ended": "finished", "seconds": time.perf_counter() - start}


def rows_of_imagequality(paths: list[str]) -> int:
    return len(iq.measure(paths, progress=False))


def rows_of_cleanvision(paths: list[str]) -> int:
    from cleanvision import Imagelab

    lab = Imagelab(filepaths=paths)
    lab.find_issues(n_jobs=1, verbose=False)
    return len(lab.issues)


def rows_of_fastdup(paths: list[str]) -> int:
    os.environ["SENTRY_OPT_OUT"] = "1"  # it reports home otherwise
    import fastdup

    with tempfile.TemporaryDirectory() as work:
        session = fastdup.create(work_dir=work, input_dir=paths)
        session.run(num_threads=2, overwrite=True, verbose=False)
        return len(session.annotations(valid_only=False))


def rows_of_imagededup(paths: list[str]) -> int:
    from _duplicate_peers import _without_networks

    _without_networks()
    from imagededup.methods import PHash

    folder = str(Path(paths[0]).parent)
    return len(PHash(verbose=False).encode_images(image_dir=folder, num_enc_workers=0))


def run_speed(paths: list[str], jobs: int, isolate: bool) -> dict[str, Any]:
    scan = {"n_jobs": jobs, "isolate": isolate, "progress": False}
    iq.measure(paths[:50], **scan)
    seconds, cpu = [], []
    for _ in range(ROUNDS):
        start, cpu_before = time.perf_counter(), cpu_seconds()
        iq.measure(paths, **scan)
        seconds.append(time.perf_counter() - start)
        cpu.append(cpu_seconds() - cpu_before)
    return {"images": len(paths), "seconds": min(seconds), "cpu": min(cpu)}


def cpu_seconds() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def peak_memory() -> int:
    """Return the peak of the resident memory; that of getrusage begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def virtual_memory() -> int:
    return psutil.Process().memory_info().vms


def limit_memory(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


# ----------------------------------------------------------------------- in the parent


def in_own_process(
    kind: str, paths: Sequence[str], *options: object, timeout: float = TIMEOUT
) -> dict[str, Any]:
    """Run this script for one task; tell how it ended, and the peak of its memory."""
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.json"), Path(folder, "result.json")
        encoded = [os.fsencode(path).hex() for path in paths]
        task.write_text(json.dumps([kind, encoded, *options]))
        command = [sys.executable, __file__, "--run", str(task), str(result)]
        # A session of its own, so that what it has started can be ended with it.
        with subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            hung, peak = watch(process, timeout)
        found: dict[str, Any] = {"hung": hung, "crashed": False, "peak": peak}
        if hung:
            return {**found, "rows": 0, "ended": f"no end after {timeout:g} s"}
        if not result.exists():
            number = process.returncode
            name = signal.Signals(-number).name if number < 0 else f"exit code {number}"
            return {**found, "rows": 0, "crashed": True, "ended": f"died: {name}"}
        return {**found, **json.loads(result.read_text())}


def watch(process: subprocess.Popen[bytes], timeout: float) -> tuple[bool, int]:
    """Wait for a process, ending it when its time is over; return whether it was, and its peak."""
    end, peak = time.monotonic() + timeout, 0
    while process.poll() is None:
        try:
            root = psutil.Process(process.pid)
            every = (root, *root.children(recursive=True))
            peak = max(peak, sum(each.memory_info().rss for each in every))
        except psutil.Error:
            pass
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True, peak
        time.sleep(0.05)
    return False, peak


def megabytes(number: float) -> str:
    return f"{max(number, 0) / 1e6:,.0f} MB"


HEADER = ["kind", "files", "ok", "invalid", "crashed", "hung", "memory added", "s"]


def scan_row(kind: str, paths: list[str], memory: int = MEMORY) -> tuple[list[str], list[bool]]:
    found = in_own_process("scan", paths, memory)
    valid = found.get("valid", [])
    return [
        kind,
        f"{len(paths):,}",
        f"{sum(valid):,}",
        f"{len(valid) - sum(valid):,}",
        f"{len(paths) - len(valid) if found['crashed'] else 0}",
        f"{len(paths) - len(valid) if found['hung'] else 0}",
        megabytes(found.get("added", found["peak"])),
        f"{found.get('seconds', TIMEOUT):.1f}",
    ], valid


def total(lines: list[list[str]]) -> list[str]:
    sums = [
        f"{sum(int(line[column].replace(',', '')) for line in lines):,}" for column in range(1, 6)
    ]
    most = max(float(line[6].split()[0].replace(",", "")) for line in lines)
    return ["all", *sums, f"at most {most:,.0f} MB", f"{sum(float(line[7]) for line in lines):.1f}"]


def generated(folder: Path) -> tuple[str, list[str]]:
    """Scan the corpus kind by kind; return the table, and the paths of the whole."""
    cases = torture.make_corpus(folder)
    lines, paths = [], []
    for kind in dict.fromkeys(case.kind for case in cases):
        some = [case for case in cases if case.kind == kind]
        some_paths = [os.path.join(folder, case.name) for case in some]
        row, valid = scan_row(kind, some_paths)
        wrong = sum(
            case.expected != torture.EITHER and one != (case.expected == torture.OK)
            for case, one in zip(some, valid, strict=True)
        )
        lines.append([*row, f"{wrong}"])
        paths += some_paths
    last = [*total(lines), f"{sum(int(line[-1]) for line in lines)}"]
    return markdown([*HEADER, "of another status than expected"], [*lines, last]), paths


def others(data: Path, folder: Path) -> str:
    """Scan the odd files, and photographs that are cut and changed."""
    lines = []
    for source in sorted((data / "odd_files").iterdir()):
        paths = sorted(str(path) for path in source.rglob("*") if path.is_file())
        lines.append(scan_row(f"odd files: {source.name}", paths)[0])
    photos = photographs(data, PHOTOGRAPHS)
    kinds: dict[str, list[str]] = {"photographs cut": [], "bytes of photographs flipped": []}
    rng = np.random.default_rng(0)
    for number, photo in enumerate(photos):
        whole = photo.read_bytes()
        for tenth in range(1, 10):
            cut = folder / f"cut_{number}_{tenth}.jpg"
            cut.write_bytes(whole[: len(whole) * tenth // 10])
            kinds["photographs cut"].append(str(cut))
            flipped = bytearray(whole)
            span = (0, 700) if tenth < 5 else (700, len(whole))
            flipped[int(rng.integers(*span))] ^= int(rng.integers(1, 256))
            path = folder / f"flipped_{number}_{tenth}.jpg"
            path.write_bytes(flipped)
            kinds["bytes of photographs flipped"].append(str(path))
    lines += [scan_row(kind, paths)[0] for kind, paths in kinds.items()]
    return markdown(HEADER, [*lines, total(lines)])


def photographs(data: Path, count: int) -> list[Path]:
    every = sorted((data / "photos_flowers").rglob("*.jpg"))
    chosen = np.random.default_rng(0).choice(len(every), count, replace=False)
    return [every[number] for number in chosen]


def largest(folder: Path) -> str:
    """Scan images that are as large as is allowed, with and without memory enough."""
    paths = {}
    for name, mode in (("RGB PNG", "RGB"), ("grey 16-bit PNG", "I;16"), ("RGB JPEG", "RGB")):
        paths[name] = str(folder / f"largest.{name.replace(' ', '_')}")
        Image.new(mode, (LARGEST, LARGEST)).save(paths[name], name.split()[-1], compress_level=1)
    lines = []
    for name, path in paths.items():
        for memory in (8 << 30, 1 << 30):
            found = in_own_process("scan", [path], memory)
            reason = [words for words in found.get("reasons", []) if words]
            lines.append(
                [
                    name,
                    f"{os.path.getsize(path) / 1e6:.1f} MB",
                    f"{memory >> 30} GiB",
                    found.get("ended") or (f"invalid: {reason[0]}" if reason else "ok"),
                    megabytes(found.get("added", found["peak"])),
                    f"{found.get('seconds', TIMEOUT):.1f}",
                ]
            )
    return markdown(["image", "file", "memory allowed", "row", "memory added", "s"], lines)


# ------------------------------------------------------------------------ JPEG damage


def coded_parts(data: bytes) -> tuple[int, int]:
    """Return where the coded data of a JPEG begins, by its segments, and where the file ends."""
    position = 2
    while data[position + 1] != 0xDA:
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return position + 2 + int.from_bytes(data[position + 2 : position + 4], "big"), len(data) - 2


def damage(data: bytes, kind: str, rng: np.random.Generator) -> bytes:
    start, end = coded_parts(data)
    what, _, number = kind.partition(": ")
    length = int(number.split()[0]) if number else 1
    at = int(rng.integers(start, max(start + 1, end - length)))
    if what == "a bit flipped":
        return torture.overwrite(data, at, bytes([data[at] ^ 1 << int(rng.integers(8))]))
    if what == "a byte changed":
        return torture.overwrite(data, at, bytes([data[at] ^ int(rng.integers(1, 256))]))
    length = min(length, end - at)
    if what == "removed":
        return data[:at] + data[at + length :]
    return torture.overwrite(data, at, bytes(length) if what == "zeros" else rng.bytes(length))


DAMAGES = [
    "a bit flipped",
    "a byte changed",
    "noise: 16 bytes",
    "noise: 512 bytes",
    "noise: 4096 bytes",
    "zeros: 512 bytes",
    "zeros: 4096 bytes",
    "removed: 512 bytes",
]


def jpeg_damage(data: Path) -> str:
    """Tell how much of the damage within coded data is found, and how much of it can be seen."""
    rng = np.random.default_rng(0)
    photos = [path.read_bytes() for path in photographs(data, DAMAGED)]
    sound = [read_image(photo).pixels.astype(int) for photo in photos]
    lines = []
    for kind in DAMAGES:
        visible = refused = both = 0
        for photo, pixels in zip(photos, sound, strict=True):
            for _ in range(TIMES):
                damaged = damage(photo, kind, rng)
                seen = changed_visibly(damaged, pixels)
                found = examine(damaged)[0] is not None
                visible, refused, both = visible + seen, refused + found, both + (seen and found)
        share = f"{both / visible:.0%}" if visible else ""
        lines.append([kind, f"{DAMAGED * TIMES}", f"{visible}", f"{refused}", share])
    header = ["damage", "files", "changed visibly", "refused", "refused of those changed visibly"]
    return markdown(header, lines)


def changed_visibly(data: bytes, pixels: np.ndarray) -> bool:
    """Whether more than a thousandth of the pixels differ by more than 16 levels."""
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if decoded is None or decoded.shape != pixels.shape:
        return True
    return bool((np.abs(decoded - pixels).max(axis=2) > 16).mean() > 0.001)


def false_alarms(data: Path) -> tuple[int, int]:
    """Return how many sound JPEG files there are under DIR, and how many are refused."""
    files = refused = 0
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.suffix.lower() in (".jpg", ".jpeg"):
            content = path.read_bytes()
            if content.startswith(b"\xff\xd8\xff"):
                files += 1
                refused += examine(content)[0] is not None
    return files, refused


# ------------------------------------------------------------------- peers and isolation


def peers(paths: list[str], folder: Path) -> str:
    """Run every package on the corpus, and on the part of it that is easier to go through."""
    regular = folder / "regular"
    regular.mkdir()
    kept = []
    for path in paths:
        is_file = os.path.isfile(path) and not os.path.islink(path)
        name = os.path.basename(path)
        if is_file and os.path.getsize(path) < 10**8 and name.isascii() and name.isprintable():
            copy = regular / name
            copy.write_bytes(Path(path).read_bytes())
            kept.append(str(copy))
    lines = []
    for what, files in (("whole", paths), ("small regular files, plain names", kept)):
        for package in PEERS:
            found = in_own_process("peer", files, package, timeout=PEER_TIMEOUT)
            lines.append(
                [
                    what,
                    package,
                    f"{len(files):,}",
                    f"{found['rows']:,}",
                    found["ended"],
                    f"{found['seconds']:.0f}" if "seconds" in found else "",
                    megabytes(found["peak"]),
                ]
            )
    return markdown(["corpus", "package", "files", "rows", "end", "s", "memory"], lines)


def isolation(data: Path) -> str:
    lines = []
    for kind, (place, most) in SPEED.items():
        paths = iq.list_images(data / place)[:most]
        for jobs in (1, 2):
            runs = {
                isolate: in_own_process("speed", paths, jobs, isolate, timeout=900)
                for isolate in (False, True)
            }
            plain, isolated = runs[False], runs[True]
            lines.append(
                [
                    kind,
                    f"{len(paths):,}",
                    f"{jobs}",
                    *(f"{run['images'] / run['seconds']:,.0f}" for run in (plain, isolated)),
                    *(f"{1e6 * run['cpu'] / run['images']:,.0f}" for run in (plain, isolated)),
                    *(megabytes(run["peak"]) for run in (plain, isolated)),
                ]
            )
    header = ["images", "number", "n_jobs", "images/s", "isolated"]
    header += ["CPU µs an image", "isolated", "memory", "isolated"]
    return markdown(header, lines)


# --------------------------------------------------------------------------- the page


def versions() -> str:
    found = []
    for package in ("pillow", "opencv-python-headless", "cleanvision", "fastdup", "imagededup"):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def page(data: Path) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("corpus", "changed", "large", "copies"):
            (folder / part).mkdir()
        corpus, paths = generated(folder / "corpus")
        odd = others(data, folder / "changed")
        large = largest(folder / "large")
        compared = peers(paths, folder / "copies")
    found = jpeg_damage(data)
    files, alarms = false_alarms(data)
    isolated = isolation(data)
    return f"""# Torture: broken and hostile files

Printed by `benchmarks/torture.py` on {os.cpu_count()} cores of {platform.machine()}, \
imagequality {iq.__version__}, Python {platform.python_version()}; {versions()}.

Each line of the first two tables is a scan, `measure(paths)`, in a process of its own that may
add {MEMORY >> 30} GiB to the memory it holds when all is imported, and is ended after {TIMEOUT} s.
Crashed and hung: files without a row, since the process died or did not end. Memory added: the
peak of the resident memory above that before the scan.

## The corpus of the tests

`tests/torture.py` makes it, and says of each file what to expect, and why. Of the others (bytes
flipped where there is no checksum, for example) either will do.

{corpus}
## Files of others, and photographs that were changed

{odd}
## As large as is allowed

{LARGEST:,} × {LARGEST:,} pixels; one more column or row is refused by the header.

{large}
## Other packages

On the same corpus, each in a process of its own that may have {PEER_MEMORY >> 30} GiB and is
ended after {PEER_TIMEOUT} s, with its defaults: CleanVision's `Imagelab(filepaths=…).find_issues`,
fastdup's `run`, imagededup's `PHash().encode_images`, which takes the folder; a row is an image in
its table, or a hash. The whole corpus holds FIFOs, links to devices and to nothing, and files of
100 GB of holes.

{compared}
## Damage within the coded data of a JPEG

libjpeg decodes on past it and tells only the standard error output. A marker that does not belong,
restart markers out of order, and zeros where zeros are codes of no picture are refused all the
same. {DAMAGED} photographs, each damaged in {TIMES} places; changed visibly: more than a thousandth
of the pixels by more than 16 of 255 levels, or not decoded.

{found}
Of {files:,} JPEG files as they are, {alarms:,} are refused.

## What isolation costs

`measure(paths, isolate=True)` decodes and measures in processes that can be ended when an image
takes too long or kills them. Best of {ROUNDS}, the start of the processes included; memory: of all
processes together.

{isolated}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        kind, encoded, *options = json.loads(Path(arguments.run[0]).read_text())
        paths = [os.fsdecode(bytes.fromhex(path)) for path in encoded]
        if kind == "peer":
            found = run_peer(options[0], paths)
        else:
            found = {"scan": run_scan, "speed": run_speed}[kind](paths, *options)
        Path(arguments.run[1]).write_text(json.dumps(found))
        return
    if arguments.data is None:
        parser.error("--data is needed")
    text = page(arguments.data)
    print(text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
