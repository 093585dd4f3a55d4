"""The pictures of docs/plots.md: every plot, drawn from images that come with the library.

    python benchmarks/plot_gallery.py [--out DIR]

Nothing is downloaded: photographs of scikit-image and scikit-learn are cut, and some of them
spoilt.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import matplotlib
from PIL import Image

import imagequality as iq
from imagequality.datasets import make_flawed_images
from imagequality.plots import (
    DuplicateGroupsDisplay,
    IssueGalleryDisplay,
    ScoreHistogramDisplay,
    ThresholdComparisonDisplay,
)

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ISSUES = ["dark", "light", "blurry", "low_information", "odd_size"]
SHOWN = ["blurry", "odd_size", "dark", "invalid"]
DPI = 80


def draw_scores() -> dict[str, Callable[[], object]]:
    """Return the pictures of scores, by the name of the file."""
    images, y = make_flawed_images(
        600, issues=["blurry"], contamination=0.06, size=64, random_state=0
    )
    clean, _ = make_flawed_images(600, issues=[], contamination=0, size=64, random_state=1)
    flawed = iq.BlurDetector().fit(images)
    fine = iq.BlurDetector().fit(clean)
    return {
        "histogram_cut": lambda: ScoreHistogramDisplay.from_estimator(flawed, images),
        "histogram_abstained": lambda: ScoreHistogramDisplay.from_estimator(fine, clean),
        "threshold_comparison": lambda: ThresholdComparisonDisplay.from_estimator(
            flawed, images, y=y["blurry"]
        ),
    }


def draw_images() -> dict[str, Callable[[], object]]:
    """Return the pictures of images, by the name of the file."""
    issues = [*ISSUES, "near_duplicates"]
    images, _ = make_flawed_images(200, issues=issues, contamination=0.03, size=96, random_state=0)
    images = [*images, *(images[0] for _ in range(2)), b"not an image"]
    report = iq.QualityPipeline(progress=False).fit(images).report()
    return {
        "issue_gallery": lambda: IssueGalleryDisplay.from_report(report, SHOWN, images=images),
        "duplicate_groups": lambda: DuplicateGroupsDisplay.from_report(
            report, images=images, n_groups=4, columns=4
        ),
    }


def save(path: Path, draw: Callable[[], object]) -> None:
    figure = draw().figure_  # type: ignore[attr-defined]
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    with Image.open(path) as picture:  # 256 colours keep pictures small
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images/plots"))
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {**draw_scores(), **draw_images()}
    for name, draw in pictures.items():
        save(folder / f"{name}.png", draw)
    with plt.style.context("dark_background"):
        save(folder / "histogram_dark.png", pictures["histogram_cut"])


if __name__ == "__main__":
    main()
