"""What the default pipeline flags, on clean images and on planted flaws, beside CleanVision.

    python benchmarks/audit.py --data DIR [--out FILE.md]

Part 1, clean data: every image of the folders below is audited by ``QualityPipeline()`` and by
CleanVision with its defaults: rows, warnings, share flagged by issue, and the ratio of the two
times (this process, n_jobs=1 for both).

Part 2, planted flaws: the paper's protocol. 12 % of the images get one flaw at the strength
that hurt the paper's network most; F1 of our detectors with their default limits, of the same
scores with each of the paper's selectors, and of CleanVision, on the same files.

Part 3, parity: the largest difference between our ``method="cleanvision"`` scores and
CleanVision's own on the same files, and how many flags differ.

``DIR`` must hold ``cifake_fake/test`` (CIFAKE, FAKE half, test split) and ``photos_flowers``
(photographs); a folder that is missing is left out and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import platform
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
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
    table = iq.measure(paths, iq.measurements.ALL_COLUMNS, progress=False)
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


def planted(name: str, folder: Path) -> str:
    """Plant each flaw in 12 % of a sample, and compare F1."""
    paths = iq.list_images(folder)
    rng = np.random.default_rng(0)
    sample = [paths[k] for k in rng.permutation(len(paths))[:N_PLANTED]]
    clean = [iq.load_image(path) for path in sample]
    detectors = dict(iq.default_detectors())
    scores = {row: [] for row in (*SELECTORS, "CleanVision")}
    for issue in PLANTED:
        images, y = plant_flaws(clean, [issue], contamination=0.12, random_state=0)
        truth = y[issue].to_numpy()
        with tempfile.TemporaryDirectory() as temporary:
            files = []
            for number, image in enumerate(images):
                files.append(f"{temporary}/{number:05}.png")
                Image.fromarray(image).save(files[-1])
            theirs = cleanvision(files)[0][f"is_{issue}_issue"].to_numpy()
        table = iq.measure(images, progress=False)
        for row, selector in SELECTORS.items():
            detector = clone(detectors[issue]).set_params(threshold=selector)
            scores[row].append(f1_score(truth, detector.fit_predict(table), zero_division=0))
        scores["CleanVision"].append(f1_score(truth, theirs, zero_division=0))
    rows = [
        [row, *(f"{value:.3f}" for value in values), f"{np.mean(values):.3f}"]
        for row, values in scores.items()
    ]
    return f"### {name}, n = {len(sample):,}\n\n{markdown(['', *PLANTED, 'mean'], rows)}\n"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


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
        "## 2. Planted flaws: F1 at 12 % contamination\n",
        "`default` is our detectors as they come; the rows below it are the same scores with "
        "each of the paper's selectors; CleanVision with its own scores and limits.\n",
    ]
    parts += [planted(name, folder) for name, folder in present.items()]
    parts += ["## 3. Parity with CleanVision\n"]
    parts += [parity(name, folder) for name, folder in present.items()]
    text = "\n".join(parts)
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
