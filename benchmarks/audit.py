"""What the default pipeline flags, on clean images and on planted flaws, beside CleanVision.

    python benchmarks/audit.py --data DIR [--out FILE.md]

Part 1, clean data: every image of the folders below is audited by ``QualityPipeline()`` and by
CleanVision with its defaults: rows, warnings, share flagged by issue, and the ratio of the two
times (this process, n_jobs=1 for both).

Part 2, planted flaws: the paper's protocol. 12 % of the images get one flaw at the strength
that hurt the paper's network most, or 6 % each of two flaws (all ten pairs; the union of both
detectors' flags against the union of the truth); photographs also at half size. F1 of our
detectors as they come, of the same scores with each of the paper's selectors, and of
CleanVision on the same pixels.

Part 3, parity: the largest difference between our ``method="cleanvision"`` scores and
CleanVision's own on the same files, and how many flags differ.

``DIR`` must hold ``cifake_fake/test`` (CIFAKE, FAKE half, test split) and ``photos_flowers``
(photographs); a folder that is missing is left out and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import platform
import tempfile
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from _markdown import markdown
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import f1_score

import imagequality as iq
from imagequality.datasets import plant_flaws

FOLDERS = {"CIFAKE-FAKE test": "cifake_fake/test", "photographs": "photos_flowers"}
PLANTED = ["light", "dark", "blurry", "low_information", "odd_size"]
SELECTORS = {
    "default": None,
    "Otsu": iq.OtsuThreshold(),
    "MET": iq.MinimumErrorThreshold(),
    "Li": iq.LiThreshold(),
    "Max entropy": iq.MaxEntropyThreshold(),
    "GHT": iq.GeneralizedHistogramThreshold(),
    "MVE": iq.ModifiedValleyEmphasisThreshold(),
    "GMM": iq.GammaMixtureThreshold(),
}
PARITY = [
    iq.LightDetector(method="cleanvision", threshold=0.05),
    iq.DarkDetector(method="cleanvision", threshold=0.32),
    iq.BlurDetector(method="cleanvision", threshold=0.29),
    iq.LowInformationDetector(method="cleanvision", threshold=0.3),
    iq.OddSizeDetector(method="cleanvision", threshold=0.5),
    iq.OddAspectRatioDetector(threshold=0.35),
    iq.ExactDuplicateDetector(),
    iq.NearDuplicateDetector(method="identical", hash="phash"),
]
N_PLANTED = 2000
N_SEEDS = 3
PEER = "CleanVision"


def cleanvision(paths: list[str]) -> tuple[pd.DataFrame, float]:
    """Return CleanVision's issues table, in the order of the paths, and the seconds it took."""
    from cleanvision import Imagelab

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.perf_counter()
        lab = Imagelab(filepaths=paths)
        lab.find_issues(n_jobs=1, verbose=False)
        seconds = time.perf_counter() - started
    return lab.issues.loc[paths], seconds


def audit(name: str, folder: Path) -> str:
    """Audit one folder of clean images, and say what both flag."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        paths = iq.list_images(folder)
        started = time.perf_counter()
        report = iq.QualityPipeline(progress=False).fit(paths).report()
        seconds = time.perf_counter() - started
    theirs, their_seconds = cleanvision(paths)
    issues = report.issues
    rows = []
    for issue in report.summary["issue"]:
        column = f"is_{issue}_issue"
        share = issues[column].mean()
        peer = f"{theirs[column].mean():.2%}" if column in theirs else "–"
        rows.append([issue, f"{share:.2%}", peer])
    peer_any = theirs.filter(regex="^is_").any(axis=1)
    rows.append(["**any**", f"{issues['is_any_issue'].mean():.2%}", f"{peer_any.mean():.2%}"])
    table = markdown(["issue", "imagequality", "CleanVision"], rows)
    return (
        f"### {name}\n\n{len(paths):,} files, {len(issues):,} rows, {len(caught)} warnings; "
        f"{their_seconds / seconds:.1f} × as fast as CleanVision (n_jobs=1 each).\n\n{table}\n"
        f"```\n{report}\n```\n"
    )


def parity(name: str, folder: Path) -> str:
    """Compare our ``method="cleanvision"`` scores with CleanVision's own, on RGB files."""
    paths = iq.list_images(folder)
    columns = [column for detector in PARITY for column in detector._columns()]
    table = iq.measure(paths, [*columns, "mode", "format"], progress=False)
    table = table[(table["mode"] == "RGB") & (table["format"] == "JPEG")]
    theirs, _ = cleanvision(table.index.tolist())
    rows = []
    for detector in PARITY:
        scores = detector.fit(table).score_samples(table)
        difference = np.abs(scores - theirs[f"{detector.issue}_score"]).max()
        flags = (detector.predict(table) == 1) != theirs[f"is_{detector.issue}_issue"]
        rows.append([detector.issue, f"{difference:.1e}", str(int(flags.sum()))])
    header = ["score", "largest difference", "flags that differ"]
    return f"### {name}, {len(table):,} RGB JPEGs\n\n{markdown(header, rows)}\n"


def planted(name: str, clean: list[np.ndarray]) -> str:
    """Plant one flaw in 12 % of the images, or two in 6 % each, and compare F1."""
    combinations = [(issue,) for issue in PLANTED] + list(itertools.combinations(PLANTED, 2))
    detectors = dict(iq.default_detectors())
    scores = {row: np.full((N_SEEDS, len(combinations)), np.nan) for row in (*SELECTORS, PEER)}
    for seed, (column, issues) in itertools.product(range(N_SEEDS), enumerate(combinations)):
        images, y = plant_flaws(clean, issues, contamination=0.12 / len(issues), random_state=seed)
        truth = y.any(axis=1).to_numpy()
        table = iq.measure(images, n_jobs=2, progress=False)
        for row, selector in SELECTORS.items():
            flags = np.zeros(len(truth), dtype=bool)
            for issue in issues:
                detector = clone(detectors[issue]).set_params(threshold=selector)
                flags |= detector.fit_predict(table) == 1
            scores[row][seed, column] = f1_score(truth, flags, zero_division=0)
        if seed == 0:
            theirs = cleanvision_on(images)[[f"is_{issue}_issue" for issue in issues]]
            scores[PEER][seed, column] = f1_score(truth, theirs.any(axis=1), zero_division=0)
    rows = []
    for row, values in scores.items():
        mean = np.nanmean(values, axis=0)
        one, two = mean[: len(PLANTED)], mean[len(PLANTED) :]
        rows.append([row, *(f"{value:.3f}" for value in (*one, one.mean(), two.mean()))])
    header = ["", *PLANTED, "one flaw, mean", "two flaws, mean"]
    return f"### {name}, n = {len(clean):,}\n\n{markdown(header, rows)}\n"


def cleanvision_on(images: list[np.ndarray]) -> pd.DataFrame:
    """Return CleanVision's issues table of images, written to files for it."""
    with tempfile.TemporaryDirectory() as temporary:
        files = []
        for number, image in enumerate(images):
            files.append(f"{temporary}/{number:05}.png")
            Image.fromarray(image).save(files[-1])
        return cleanvision(files)[0].reset_index(drop=True)


def sample(folder: Path, scale: float) -> list[np.ndarray]:
    """Load at most N_PLANTED images of a folder, drawn at random, shrunk by a factor."""
    paths = iq.list_images(folder)
    order = np.random.default_rng(0).permutation(len(paths))[:N_PLANTED]
    images = [iq.load_image(paths[k]) for k in order]
    if scale == 1:
        return images
    return [
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for image in images
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, help="write the tables here too")
    options = parser.parse_args()
    found = {name: options.data / part for name, part in FOLDERS.items()}
    present = {name: folder for name, folder in found.items() if folder.is_dir()}
    parts = [
        "# Audit of clean images and of planted flaws\n",
        f"imagequality {iq.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}. Printed by `benchmarks/audit.py`.\n",
        *(f"Left out, not found: {name}.\n" for name in found if name not in present),
        "## 1. Clean images: share flagged\n",
    ]
    parts += [audit(name, folder) for name, folder in present.items()]
    parts += [
        f"## 2. Planted flaws: F1 at 12 % contamination, {N_SEEDS} seeds\n",
        "`default` is our detectors as they come; the rows below it are the same scores with "
        "each of the paper's selectors; CleanVision with its own scores and limits, one seed.\n",
    ]
    parts += [planted(name, sample(folder, 1)) for name, folder in present.items()]
    if "photographs" in present:
        parts += [planted("photographs at half size", sample(present["photographs"], 0.5))]
    parts += ["## 3. Parity with CleanVision\n"]
    parts += [parity(name, folder) for name, folder in present.items()]
    text = "\n".join(parts)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
