"""A fingerprint of all that the library computes, to be compared between machines and versions.

Run it with one interpreter, and again with another on the same files::

    python tests/fingerprint.py --images pictures --out one.json
    python3.13 tests/fingerprint.py --images pictures --out two.json --against one.json

It prints the versions and a digest of each table, then which columns differ, in how many images
and by how much. It ends with 1 if anything differs. The pictures are made where there are none:
from random integers with arithmetic on integers, so that they are the same everywhere; only the
bytes of the JPEG files are those of the first interpreter's encoder.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

import imagequality as iq
from imagequality.measurements import ALL_COLUMNS

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "opencv-python-headless")
PACKAGES += ("pillow", "imagehash", "joblib")

Pixels = NDArray[np.uint8]
Tables = dict[str, dict[str, list[Any]]]

# ------------------------------------------------------------------ pictures


def scene(seed: int, height: int = 96, width: int = 96) -> Pixels:
    """Return a picture with structure at every scale, made of integers only."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.int64)
    for cell, strength in ((48, 100), (16, 60), (6, 40), (2, 16), (1, 6)):
        rows, columns = -(-height // cell), -(-width // cell)
        coarse = rng.integers(0, strength, (rows, columns, 1)) + rng.integers(
            0, strength // 3 + 1, (rows, columns, 3)
        )
        total += coarse.repeat(cell, 0).repeat(cell, 1)[:height, :width]
    return np.clip(total, 0, 255).astype(np.uint8)


def box_blurred(pixels: Pixels, side: int) -> Pixels:
    """Return the means of squares, rounded down."""
    sums = np.pad(pixels.astype(np.int64), ((side, 0), (side, 0), (0, 0)), "reflect")
    for axis in (0, 1):
        whole = sums.cumsum(axis)
        sums = whole - np.roll(whole, side, axis)
    return (sums[side:, side:] // side**2).astype(np.uint8)


def noisy(pixels: Pixels, seed: int) -> Pixels:
    noise = np.random.default_rng(seed).integers(-60, 61, pixels.shape)
    return np.clip(pixels.astype(np.int64) + noise, 0, 255).astype(np.uint8)


FLAWS: dict[str, Callable[[Pixels], Pixels]] = {
    "dark": lambda pixels: pixels // 9,
    "light": lambda pixels: 255 - (255 - pixels) // 9,
    "blurred": lambda pixels: box_blurred(pixels, 9),
    "grey": lambda pixels: pixels[..., :1].repeat(3, 2),
    "pixelated": lambda pixels: pixels[::6, ::6].repeat(6, 0).repeat(6, 1),
    "noisy": lambda pixels: noisy(pixels, 7),
    "even": lambda pixels: np.full_like(pixels, 120),
    "copy": lambda pixels: pixels,
    "brighter": lambda pixels: np.minimum(pixels.astype(np.int64) + 3, 255).astype(np.uint8),
    "mirrored": lambda pixels: np.ascontiguousarray(pixels[:, ::-1]),
    "strip": lambda pixels: pixels[:12],
    "small": lambda pixels: pixels[:24, :24],
}


def make_pictures(folder: Path, n_clean: int = 16) -> list[str]:
    """Write the pictures, unless they are there; return their paths in order."""
    if not folder.exists():
        folder.mkdir(parents=True)
        for number in range(n_clean):
            Image.fromarray(scene(number)).save(folder / f"clean_{number:02}.png")
        for number, (name, flaw) in enumerate(FLAWS.items()):
            Image.fromarray(flaw(scene(number))).save(folder / f"flaw_{name}.png")
        for quality in (20, 75, 95):
            image = Image.fromarray(scene(100 + quality))
            image.save(folder / f"jpeg_{quality}.jpg", quality=quality)
        Image.fromarray(scene(201)).convert("CMYK").save(folder / "cmyk.jpg")
        Image.fromarray(scene(202)).quantize(64).save(folder / "palette.gif")
        Image.fromarray(scene(203)[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
        Image.fromarray(scene(204, 1040, 1030)).save(folder / "large.png")
        (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 is no image")
    return sorted(map(str, folder.iterdir()))


# ------------------------------------------------------------------ tables


def pipeline(**options: Any) -> iq.QualityPipeline:
    """Return a pipeline that looks for more than by default."""
    detectors = [
        *iq.default_detectors(),
        ("outlier", iq.OutlierDetector()),
        ("semantic_duplicates", iq.SemanticDuplicateDetector()),
    ]
    return iq.QualityPipeline(detectors, progress=False, **options)


def fingerprint(paths: Sequence[str]) -> Tables:
    """Return all that is measured and said of images, by table and column, as plain values."""
    measured = iq.measure(paths, ALL_COLUMNS, progress=False)
    return tables_of(paths, measured, pipeline().fit(paths).report())


def tables_of(paths: Sequence[str], measured: pd.DataFrame, report: iq.QualityReport) -> Tables:
    tables = {
        "pixels": decoded(paths),
        "measurements": measured,
        "issues": report.issues,
        "summary": report.summary.drop(columns="method"),
        "duplicates": report.duplicates,
        "plan": report.plan.drop(columns="why"),
    }
    return {name: as_plain(table) for name, table in tables.items()}


def decoded(paths: Sequence[str]) -> pd.DataFrame:
    """Return a digest of what each picture is decoded to: where decoders differ, all may."""
    digests = []
    for path in paths:
        try:
            digests.append(hashlib.sha256(iq.load_image(path).tobytes()).hexdigest()[:16])
        except iq.UnreadableImageError as error:
            digests.append(str(error))
    return pd.DataFrame({"digest": digests})


def as_plain(table: pd.DataFrame) -> dict[str, list[Any]]:
    """Return columns of numbers, text, None and lists of numbers, as JSON keeps them."""
    return {str(name): [plain(value) for value in table[name]] for name in table}


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [float(number) for number in value]
    if value is None or (np.isscalar(value) and pd.isna(value)) or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    return Path(value).name if "/" in str(value) else str(value)


def digest(columns: dict[str, list[Any]]) -> str:
    text = json.dumps(columns, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ------------------------------------------------------------------ comparison


def differences(first: Tables, second: Tables) -> list[str]:
    """Say which columns differ, in how many rows, and by how much at most."""
    told = []
    for table in dict.fromkeys([*first, *second]):
        one, two = first.get(table, {}), second.get(table, {})
        for name in dict.fromkeys([*one, *two]):
            if name not in one or name not in two:
                told.append(f"{table}.{name}: in one of them only")
            elif len(one[name]) != len(two[name]):
                told.append(f"{table}.{name}: {len(one[name])} rows and {len(two[name])}")
            elif one[name] != two[name]:
                told.append(f"{table}.{name}: {difference(one[name], two[name])}")
    return told


def difference(one: list[Any], two: list[Any]) -> str:
    """Say how two columns differ."""
    pairs = [pair for pair in zip(one, two, strict=True) if pair[0] != pair[1]]
    words = f"{len(pairs)} of {len(one)} differ"
    if all(isinstance(value, (int, float, list)) for pair in pairs for value in pair):
        gaps = [largest_gap(*pair) for pair in pairs]
        sizes = [largest_gap(pair[0], 0) for pair in pairs]
        size = max(sizes) or 1.0
        return f"{words}, by {max(gaps):.3g} at most, of values up to {size:.3g}"
    return f"{words}: {pairs[0][0]!r} and {pairs[0][1]!r}"


def largest_gap(one: Any, two: Any) -> float:
    if isinstance(one, list):
        others = two if isinstance(two, list) else [two] * len(one)
        if len(one) != len(others):
            return math.inf
        return max((abs(a - b) for a, b in zip(one, others, strict=True)), default=0.0)
    return math.inf if isinstance(two, list) else abs(one - two)


# ------------------------------------------------------------------ command line


def versions() -> list[str]:
    """Say what computes: what a difference may be put down to."""
    found = [f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{package} of another name")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Print a fingerprint of what is computed.")
    parser.add_argument("--images", type=Path, required=True, help="folder; made if need be")
    parser.add_argument("--out", type=Path, help="where to write the values as JSON")
    parser.add_argument("--against", type=Path, help="what another run wrote")
    parser.add_argument("--threads", type=int, help="of OpenCV")
    options = parser.parse_args(arguments)
    if options.threads is not None:
        cv2.setNumThreads(options.threads)
    other = None if options.against is None else json.loads(options.against.read_text())
    tables = fingerprint(make_pictures(options.images))
    print("\n".join(versions()))
    for name, columns in tables.items():
        print(f"{name:14} {digest(columns)}")
    if options.out is not None:
        options.out.write_text(json.dumps({"versions": versions(), "tables": tables}))
    if other is None:
        return 0
    print("\nagainst", *other["versions"], sep="\n")
    told = differences(other["tables"], json.loads(json.dumps(tables)))
    print("\n".join(["", *(told or ["nothing differs"])]))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
