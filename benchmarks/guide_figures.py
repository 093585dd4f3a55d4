"""The pictures of the user guide that need no data but the photographs of the library.

    python benchmarks/guide_figures.py [--out DIR]

``overview.png`` one photograph and its flaws, ``score_histograms.png`` the scores of collections
with planted flaws and the threshold that was chosen, ``scale_odd_aspect_ratio.png`` and
``scale_yes_or_no.png`` the scores that ``threshold_figures.py`` does not draw, and
``duplicate_kinds.png`` which detector finds which copy.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from threshold_figures import BLUE, GREEN, ORANGE, RED, save

import imagequality as iq
from imagequality import perturbations
from imagequality.datasets import make_flawed_images, plant_flaws

RGBArray = NDArray[np.uint8]
GREY = "#5b5b5b"
SIDE = 160  # pixels, of a photograph in a row of pictures


class Tile(NamedTuple):
    """One picture in a row: what is written above and below it, and in which colour."""

    image: RGBArray
    above: str
    below: str
    colour: str


def photographs(n: int, size: int, seed: int = 0) -> list[RGBArray]:
    """Return clean crops of the photographs that come with the library."""
    crops, _ = make_flawed_images(n, contamination=0, size=size, random_state=seed)
    return list(crops)


def draw_tiles(rows: list[list[Tile]], path: Path, width: float = 10.4) -> None:
    """Draw rows of pictures, each with a line above and one below."""
    columns = max(map(len, rows))
    height = width / columns * len(rows) * 1.36
    figure, axes = plt.subplots(len(rows), columns, figsize=(width, height), squeeze=False)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for row, tiles in zip(axes, rows, strict=True):
        for ax, tile in zip(row, tiles, strict=False):
            ax.imshow(tile.image, interpolation="nearest")
            ax.set_title(tile.above, color=tile.colour, fontsize=11.5, fontweight="bold", pad=4)
            ax.set_xlabel(tile.below, fontsize=9.5, labelpad=4, color=GREY)
    bottom = 0.15 / len(rows)
    figure.subplots_adjust(
        left=0.005, right=0.995, bottom=bottom, top=1 - bottom, wspace=0.06, hspace=0.36
    )
    save(figure, path)


# ------------------------------------------------------------------------- overview

FLAWS: dict[str, tuple[iq.IssueDetector, Callable[[RGBArray], RGBArray]]] = {
    "light": (iq.LightDetector(), lambda image: perturbations.adjust_brightness(image, 3.5)),
    "dark": (iq.DarkDetector(), lambda image: perturbations.adjust_brightness(image, 0.15)),
    "badly exposed": (iq.ExposureDetector(), lambda image: perturbations.adjust_exposure(image, 2)),
    "blurry": (iq.BlurDetector(), lambda image: perturbations.blur(image, "average", 9)),
    "noisy": (
        iq.NoiseDetector(),
        lambda image: perturbations.add_noise(image, 40, random_state=0),
    ),
    "compressed": (iq.CompressionDetector(), lambda image: perturbations.compress_jpeg(image, 8)),
    "pixelated": (iq.PixelationDetector(), lambda image: perturbations.pixelate(image, 5)),
    "low information": (iq.LowInformationDetector(), perturbations.low_information),
    "grayscale": (iq.GrayscaleDetector(), perturbations.to_grayscale),
    "odd aspect ratio": (iq.OddAspectRatioDetector(), perturbations.crop_to_strip),
    "low resolution": (
        iq.ResolutionDetector(min_side=32),
        lambda image: perturbations.downscale(image, 16, restore=False),
    ),
}


def draw_overview(path: Path) -> None:
    """One photograph as it is, and with each flaw the score of the flaw's detector."""
    photo = photographs(12, SIDE, seed=3)[4]
    tiles = [Tile(photo, "nothing found", "as it is", BLUE)]
    for issue, (detector, flaw) in FLAWS.items():
        image = flaw(photo)
        before, after = detector.fit([photo, image]).score_samples([photo, image])
        if issue == "odd aspect ratio":
            image = _strip(photo, after)  # the same part of it, so that the rows stay in line
        tiles.append(Tile(image, issue, f"score {after:.2f}, was {before:.2f}", RED))
    draw_tiles([tiles[:6], tiles[6:]], path)


# ----------------------------------------------------------------- score histograms

PLANTED: dict[str, tuple[iq.IssueDetector, Callable[[RGBArray], RGBArray]]] = {
    "light": (iq.LightDetector(), lambda image: perturbations.adjust_brightness(image, 3)),
    "dark": (iq.DarkDetector(), lambda image: perturbations.adjust_brightness(image, 0.25)),
    "badly exposed": (iq.ExposureDetector(), lambda image: perturbations.adjust_exposure(image, 2)),
    "low information": (iq.LowInformationDetector(), perturbations.low_information),
    "blurry": (iq.BlurDetector(), lambda image: perturbations.blur(image, "average", 5)),
    "noisy": (
        iq.NoiseDetector(),
        lambda image: perturbations.add_noise(image, 25, random_state=0),
    ),
    "compressed": (iq.CompressionDetector(), lambda image: perturbations.compress_jpeg(image, 12)),
    "pixelated": (iq.PixelationDetector(), lambda image: perturbations.pixelate(image, 2)),
    "odd size": (
        iq.OddSizeDetector(),
        lambda image: perturbations.downscale(image, 20, restore=False),
    ),
    "odd aspect ratio": (iq.OddAspectRatioDetector(), perturbations.crop_to_strip),
}


def draw_score_histograms(path: Path, n: int = 600) -> None:
    """Of each score the good and the planted images, the threshold, its limits and its reason."""
    photos = photographs(n, 64)
    figure, axes = plt.subplots(5, 2, figsize=(10.4, 11.6))
    bins = np.linspace(0, 1, 61)
    for ax, (issue, (detector, flaw)) in zip(axes.ravel(), PLANTED.items(), strict=True):
        images, y = plant_flaws(
            photos, [issue], contamination=0.08, flaws={issue: flaw}, random_state=0
        )
        truth = y[issue].to_numpy(bool)
        scores = detector.fit(list(images)).score_samples(list(images))
        groups = [scores[~truth], scores[truth]]
        ax.hist(groups, bins, stacked=True, color=[BLUE, ORANGE], log=True, zorder=2)
        ax.axvspan(*detector._limits(), color=GREEN, alpha=0.15, lw=0, zorder=0)
        ax.axvline(detector.threshold_, color=RED, lw=2, ls="--")
        missed = int((scores[truth] >= detector.threshold_).sum())
        wrong = int((scores[~truth] < detector.threshold_).sum())
        ax.set(xlim=(0, 1), ylim=(0.7, 900), yticks=[1, 10, 100], yticklabels=["1", "10", "100"])
        ax.minorticks_off()
        ax.set_title(issue, loc="left", fontsize=12, fontweight="bold", pad=17)
        outcome = f"{missed} of {truth.sum()} missed, {wrong} of {(~truth).sum()} wrong"
        ax.set_title(outcome, loc="right", fontsize=10, pad=17)
        reason = ax.text(0, 1.025, detector.selector_.reason_, fontsize=9.5, color=GREY)
        reason.set(transform=ax.transAxes, in_layout=False)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("score (low = bad)")
    for ax in axes[:, 0]:
        ax.set_ylabel("images")
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=BLUE),
        plt.Rectangle((0, 0), 1, 1, color=ORANGE),
        plt.Line2D([], [], color=RED, lw=2, ls="--"),
        plt.Rectangle((0, 0), 1, 1, color=GREEN, alpha=0.15),
    ]
    labels = ["as they are", "flaw planted", "threshold", "between floor and cap"]
    figure.legend(handles, labels, loc="upper center", ncols=4, frameon=False, fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.97), h_pad=1.2, w_pad=2)
    save(figure, path)


# ------------------------------------------------------------------ the other scores


def _strip(image: RGBArray, ratio: float) -> RGBArray:
    """Return the middle strip with the given ratio, on white, so that it is drawn to scale."""
    canvas = np.full_like(image, 255)
    height = round(image.shape[0] * ratio)
    top = (image.shape[0] - height) // 2
    canvas[top : top + height] = image[top : top + height]
    return canvas


def draw_aspect_ratios(path: Path) -> None:
    """Strips of a photograph along the scale of the score."""
    photo = photographs(12, SIDE, seed=3)[1]
    floor, cap = iq.OddAspectRatioDetector()._limits()
    tiles = []
    for ratio in (0.1, 0.2, 0.3, 0.4, 0.5625, 0.75, 1.0):
        colour, mark = (RED, " ▼") if ratio < floor else ("#9A6A00", " ?")
        if ratio >= cap:
            colour, mark = BLUE, ""
        name = {0.5625: "16 : 9", 0.75: "4 : 3", 1.0: "1 : 1"}.get(ratio, f"{1 / ratio:.3g} : 1")
        tiles.append(Tile(_strip(photo, ratio), f"{ratio:.2f}{mark}", name, colour))
    draw_tiles([tiles], path)


def _sepia(image: RGBArray) -> RGBArray:
    grey = image @ np.array([0.299, 0.587, 0.114])
    return np.clip(grey[..., None] * [1.07, 0.95, 0.75], 0, 255).astype(np.uint8)


def _cut_short(image: RGBArray) -> tuple[bytes, RGBArray]:
    """Return a JPEG file without its second half, and what a lenient decoder shows of it."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=90)
    half = buffer.getvalue()[: buffer.tell() // 2]
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        shown = np.asarray(Image.open(io.BytesIO(half)).convert("RGB"))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    return half, shown


def _text_tile(text: str) -> RGBArray:
    tile = np.full((SIDE, SIDE, 3), 238, np.uint8)
    for line, words in enumerate(text.split("\n")):
        cv2.putText(tile, words, (10, 40 + 26 * line), cv2.FONT_HERSHEY_PLAIN, 1.1, (70, 70, 70), 1)
    return tile


def draw_yes_or_no(path: Path) -> None:
    """Grayscale and invalid: scores that are 0 or 1."""
    photo = photographs(12, SIDE, seed=3)[4]
    half, shown = _cut_short(photo)
    cases: list[tuple[str, iq.IssueDetector, object, RGBArray, str]] = []
    for image, text in (
        (photo, "colour"),
        (_sepia(photo), "sepia"),
        (perturbations.to_grayscale(photo), "R = G = B"),
    ):
        cases.append(("grayscale", iq.GrayscaleDetector(), image, image, text))
    page = b"<html><body>404 not found</body></html>"
    for reference, image, text in (
        (photo, photo, "whole file"),
        (half, shown, "file cut short"),
        (page, _text_tile("<html>\n404\nnot found"), "a web page as .jpg"),
    ):
        cases.append(("invalid", iq.InvalidImageDetector(), reference, image, text))
    tiles = []
    for issue, detector, reference, image, text in cases:
        score = detector.fit([reference, photo]).score_samples([reference, photo])[0]
        fine = score == 1
        above = f"{score:.0f}" + ("" if fine else f"  {issue}")
        tiles.append(Tile(image, above, text, BLUE if fine else RED))
    draw_tiles([tiles], path)


# ----------------------------------------------------------------------- duplicates


def _cropped(image: RGBArray, share: float) -> RGBArray:
    edge = round(image.shape[0] * share / 2)
    return image[edge:-edge, edge:-edge].copy()


def _turned(image: RGBArray, degrees: float) -> RGBArray:
    centre = (image.shape[1] / 2, image.shape[0] / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT)


COPIES: dict[str, Callable[[RGBArray], RGBArray]] = {
    "the same pixels": np.copy,
    "JPEG, quality 30": lambda image: perturbations.compress_jpeg(image, 30),
    "half the size": lambda image: perturbations.downscale(image, SIDE // 2, restore=False),
    "brighter": lambda image: perturbations.adjust_brightness(image, 1.3),
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "15 % cut off": lambda image: _cropped(image, 0.15),
    "turned by 4°": lambda image: _turned(image, 4),
}
FINDERS: dict[str, Callable[[], iq.IssueDetector]] = {
    "exact": iq.ExactDuplicateDetector,
    "near": iq.NearDuplicateDetector,
    "near, views": lambda: iq.NearDuplicateDetector(views="mirror"),
    "semantic": iq.SemanticDuplicateDetector,
}


def copies_found(n: int = 150, n_copies: int = 10) -> tuple[list[RGBArray], NDArray[np.int64]]:
    """Search for the copies of ten photographs among 150, one kind of copy at a time.

    Returns
    -------
    examples : list of ndarray
        One photograph and its copies.
    found : ndarray of shape (n_finders, n_kinds)
        How many copies each detector puts into a group with their originals.
    """
    photos = photographs(n, SIDE, seed=3)
    examples, found = [photos[4]], np.zeros((len(FINDERS), len(COPIES)), dtype=np.int64)
    for column, copy in enumerate(COPIES.values()):
        copies = [copy(photo) for photo in photos[:n_copies]]
        examples.append(copies[4])
        for row, make in enumerate(FINDERS.values()):
            labels = make().fit([*photos, *copies]).labels_
            originals = labels[:n_copies]
            found[row, column] = np.sum((originals >= 0) & (originals == labels[n:]))
    return examples, found


def draw_duplicate_kinds(path: Path) -> None:
    """Copies of one photograph, and below them which detector finds how many of their kind."""
    examples, found = copies_found()
    names = ["the original", *COPIES]
    figure = plt.figure(figsize=(10.4, 2.9))
    grid = figure.add_gridspec(2, len(names), height_ratios=(1.45, 1))
    for column, (image, name) in enumerate(zip(examples, names, strict=True)):
        ax = figure.add_subplot(grid[0, column])
        ax.imshow(image, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_title(name, fontsize=9.5, fontweight="bold" if column else "normal", pad=5)
    for column in range(len(COPIES)):
        ax = figure.add_subplot(grid[1, column + 1])
        ax.set(xlim=(0, 1), ylim=(len(FINDERS) - 0.5, -0.5))
        ax.axis("off")
        for row, hits in enumerate(found[:, column]):
            colour = BLUE if hits > 5 else "#9a9a9a"
            text = f"{hits} of 10" if hits else "–"
            weight = "bold" if hits else "normal"
            ax.text(0.5, row, text, ha="center", va="center", color=colour, fontweight=weight)
    ax = figure.add_subplot(grid[1, 0])
    ax.set(xlim=(0, 1), ylim=(len(FINDERS) - 0.5, -0.5))
    ax.axis("off")
    for row, finder in enumerate(FINDERS):
        ax.text(0.02, row, finder, va="center", fontsize=10.5)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.02, top=0.93, wspace=0.06, hspace=0.04)
    save(figure, path)


# ---------------------------------------------------------------------------- main

FIGURES: dict[str, Callable[[Path], None]] = {
    "overview": draw_overview,
    "score_histograms": draw_score_histograms,
    "scale_odd_aspect_ratio": draw_aspect_ratios,
    "scale_yes_or_no": draw_yes_or_no,
    "duplicate_kinds": draw_duplicate_kinds,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--only", choices=FIGURES, help="draw this one")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        if options.only in (None, name):
            draw(options.out / f"{name}.png")


if __name__ == "__main__":
    main()
