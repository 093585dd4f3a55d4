"""Measure the scores that ``imagequality.datasets.load_threshold_benchmark`` mixes cases from.

    python benchmarks/make_threshold_benchmark.py --data DIR [--out FILE.npz]

2,000 images of CIFAKE-FAKE's test part (32×32), and 500 photographs at native and at half size,
all thought clean. Of each image, the default score of five detectors is taken: once as it is,
and once after each of the perturbations below. The vectors are aligned image by image, so a
collection of any contamination is the clean vector with a random subset replaced.

In the file:

    <data set>/<issue>/clean            uint16, the score × 65535, one per image
    <data set>/<issue>/<perturbation>   the same of the perturbed images
    limits/<issue>                      float64, the detector's calibrated floor and cap

The odd-size score compares with the median size of the collection, which other sizes in it
move. So for that issue the sizes √(width · height) are stored instead, float32, and the scores
are left to whoever mixes them.

``DIR`` must hold ``cifake_fake/test`` (CIFAKE, FAKE half, test split) and ``photos_flowers``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import imagequality as iq
from imagequality.perturbations import adjust_brightness, blur, downscale

RGBArray = NDArray[np.uint8]
Perturbation = Callable[[RGBArray], RGBArray]

OUT = Path(iq.__file__).with_name("_threshold_benchmark.npz")
N_CIFAKE = 2000
CHUNK = 50  # images in memory at once, as some perturbations make them 16 times as large
LARGEST_FILE = 1_000_000


def half_size(image: RGBArray) -> RGBArray:
    height, width = image.shape[:2]
    return downscale(image, (round(width / 2), round(height / 2)), restore=False)


def motion_blur(image: RGBArray, size: int) -> RGBArray:
    """Average along a horizontal line of that many pixels: the camera or the subject moved."""
    return cv2.filter2D(image, -1, np.full((1, size), 1 / size, dtype=np.float32))


def down_and_up(image: RGBArray, factor: int) -> RGBArray:
    height, width = image.shape[:2]
    return downscale(image, (round(width / factor), round(height / factor)))


def thumbnail(image: RGBArray, size: int) -> RGBArray:
    """Shrink to size/32 of the sides, in the middle of a black canvas."""
    height, width = image.shape[:2]
    small = downscale(image, (round(width * size / 32), round(height * size / 32)), restore=False)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas = np.zeros_like(image)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def resize(image: RGBArray, factor: float) -> RGBArray:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)


PERTURBATIONS: dict[str, dict[str, Perturbation]] = {
    "light": {
        f"brightness x{factor:g}": partial(adjust_brightness, factor=factor)
        for factor in (1.75, 2, 2.5, 3, 3.5)
    },
    "dark": {
        f"brightness x{factor:g}": partial(adjust_brightness, factor=factor)
        for factor in (0.3, 0.25, 0.2, 0.1, 0.05)
    },
    "blurry": {
        **{f"average {k}": partial(blur, kernel="average", size=k) for k in (3, 5, 7, 11)},
        **{f"gaussian {k}": partial(blur, kernel="gaussian", size=k) for k in (5, 7, 9, 11)},
        "median 11": partial(blur, kernel="median", size=11),
        "motion 9": partial(motion_blur, size=9),
        **{f"down and up {k}": partial(down_and_up, factor=k) for k in (2, 4)},
    },
    "low_information": {
        f"thumbnail {k} of 32": partial(thumbnail, size=k) for k in (8, 12, 16, 20)
    },
    "odd_size": {
        f"resized x{factor:.3g}": partial(resize, factor=factor)
        for factor in (7 / 32, 12 / 32, 1 / 2, 2, 4)
    },
}


def data_sets(folder: Path) -> Iterator[tuple[str, list[RGBArray]]]:
    """Load the clean images of each data set."""
    paths = iq.list_images(folder / "cifake_fake" / "test")
    chosen = np.random.default_rng(0).permutation(len(paths))[:N_CIFAKE]
    yield "cifake_fake", [iq.load_image(paths[k]) for k in sorted(chosen)]
    photographs = [iq.load_image(path) for path in iq.list_images(folder / "photos_flowers")]
    yield "photographs", photographs
    yield "photographs_half", [half_size(image) for image in photographs]


def measured(
    images: list[RGBArray], detector: iq.IssueDetector, perturb: Perturbation | None = None
) -> pd.DataFrame:
    """Measure what a detector needs of the images, perturbed first."""
    tables = []
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        if perturb is not None:
            chunk = [perturb(image) for image in chunk]
        tables.append(iq.measure(chunk, detector._columns(), progress=False))
    return pd.concat(tables, ignore_index=True)


def stored(table: pd.DataFrame, detector: iq.IssueDetector) -> NDArray:
    """Return what is stored of a measurement table: sizes, or quantised scores."""
    if detector.issue == "odd_size":
        return table["size"].to_numpy(dtype=np.float32)
    scores = detector.fit(table).score_samples(table)  # these learn nothing from the collection
    if np.isnan(scores).any():
        raise ValueError("an image could not be judged")
    return np.rint(scores * np.iinfo(np.uint16).max).astype(np.uint16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write")
    options = parser.parse_args()
    detectors = dict(iq.default_detectors())
    arrays: dict[str, NDArray] = {
        f"limits/{issue}": np.array(detectors[issue]._limits()) for issue in PERTURBATIONS
    }
    for name, images in data_sets(options.data):
        started = time.perf_counter()
        for issue, perturbations in PERTURBATIONS.items():
            for perturbation, perturb in {"clean": None, **perturbations}.items():
                table = measured(images, detectors[issue], perturb)
                arrays[f"{name}/{issue}/{perturbation}"] = stored(table, detectors[issue])
        seconds = time.perf_counter() - started
        print(f"{name}: {len(images):,} images, {seconds:.0f} s", flush=True)
    np.savez_compressed(options.out, **arrays)
    size = options.out.stat().st_size
    print(f"{options.out.name}: {len(arrays)} arrays, {size:,} bytes")
    if size > LARGEST_FILE:
        raise SystemExit(f"larger than {LARGEST_FILE:,} bytes")


if __name__ == "__main__":
    main()
