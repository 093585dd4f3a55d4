"""The pictures of docs/scores.md for the signals: images along the scale of each score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib.pyplot as plt
import numpy as np
from threshold_figures import BLUE, CROP, RED, SKY, save

import imagequality as iq
from imagequality.datasets import make_flawed_images
from imagequality.perturbations import add_noise, adjust_exposure, compress_jpeg, pixelate

OCHRE = "#9A6A00"


class Step(NamedTuple):
    """One picture along a scale: what is written below it, and how it is made."""

    text: str
    apply: Callable[[np.ndarray], np.ndarray]


def noise(sigma: int) -> Step:
    return Step(f"noise {sigma}", lambda image: add_noise(image, sigma, random_state=0))


def jpeg(quality: int) -> Step:
    return Step(f"JPEG {quality}", lambda image: compress_jpeg(image, quality))


def squares(factor: int) -> Step:
    return Step(f"squares × {factor}", lambda image: pixelate(image, factor))


def smooth(factor: int) -> Step:
    return Step(f"smooth × {factor}", lambda image: pixelate(image, factor, "bicubic"))


def exposure(ev: float) -> Step:
    return Step(f"{ev:+g} EV".replace("-", "−"), lambda image: adjust_exposure(image, ev))


def side(pixels: int) -> Step:
    return Step(
        f"{pixels} pixels",
        lambda image: cv2.resize(image, (pixels, pixels), interpolation=cv2.INTER_AREA),
    )


AS_IT_IS = Step("as it is", lambda image: image)
NEED = 64  # pixels, in the picture of the resolution
SCALES: dict[str, tuple[iq.IssueDetector, list[Step]]] = {
    "noisy": (iq.NoiseDetector(), [*map(noise, (40, 25, 20, 15, 10, 5, 2)), AS_IT_IS]),
    "compressed": (
        iq.CompressionDetector(),
        [*map(jpeg, (5, 10, 20, 30, 40, 60, 80)), AS_IT_IS],
    ),
    "pixelated": (
        iq.PixelationDetector(),
        [*map(squares, (6, 4, 2)), *map(smooth, (6, 4, 3, 2)), AS_IT_IS],
    ),
    "badly_exposed": (
        iq.ExposureDetector(),
        [*map(exposure, (-4, -3, -2, -1, 1, 2, 3)), AS_IT_IS],
    ),
    "low_resolution": (
        iq.ResolutionDetector(min_side=NEED),
        [*map(side, (8, 16, 24, 32, 48, 60, 64)), Step("112 pixels", lambda image: image)],
    ),
}


def draw_scales(folder: Path) -> None:
    """Write ``scale_<issue>.png`` for each score."""
    folder.mkdir(parents=True, exist_ok=True)
    for issue in SCALES:
        draw_scale(issue, folder / f"scale_{issue}.png")


def draw_scale(issue: str, path: Path) -> None:
    """Two photographs along the scale of a default score, from worst to best."""
    crops, _ = make_flawed_images(12, contamination=0, size=CROP, random_state=3)
    detector, steps = SCALES[issue]
    floor, cap = detector._limits()
    detector = detector.fit(list(crops))
    figure, axes = plt.subplots(2, len(steps), figsize=(10.4, 3.75))
    for row, crop in zip(axes, crops[[1, 4]], strict=True):
        images = [step.apply(crop) for step in steps]
        scores = detector.score_samples(images)
        for ax, position in zip(row, np.argsort(scores, kind="stable"), strict=True):
            draw_image(ax, images[position], issue)
            colour, mark = BLUE, ""
            if scores[position] < floor:
                colour, mark = RED, " ▼"
            elif scores[position] < cap:
                colour, mark = OCHRE, " ?"
            title = f"{scores[position]:.2f}{mark}"
            ax.set_title(title, color=colour, fontsize=13, fontweight="bold", pad=3)
            ax.set_xlabel(steps[position].text, fontsize=9, labelpad=3)
    legend = [
        (0.02, RED, f"▼ below {floor:.2f}: bad in any collection"),
        (0.36, OCHRE, f"? {floor:.2f} to {cap:.2f}: the collection decides"),
        (0.70, BLUE, f"from {cap:.2f}: never flagged"),
    ]
    if floor == cap:
        legend = [
            (0.02, RED, f"▼ below {floor:.2f}: fewer than the {NEED} pixels that are needed"),
            (0.60, BLUE, f"{floor:.2f}: enough"),
        ]
    for x, colour, text in legend:
        figure.text(x, 0.955, text, color=colour, fontsize=11, fontweight="bold", va="center")
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.065, top=0.85, wspace=0.05, hspace=0.4)
    save(figure, path)


def draw_image(ax: plt.Axes, image: np.ndarray, issue: str) -> None:
    ax.imshow(image, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    if issue == "low_resolution":  # to scale, in the middle, with the need around it
        middle = image.shape[0] / 2 - 0.5
        reach = CROP / 2
        ax.set(xlim=(middle - reach, middle + reach), ylim=(middle + reach, middle - reach))
        corner = (middle - NEED / 2, middle - NEED / 2)
        ax.add_patch(plt.Rectangle(corner, NEED, NEED, fill=False, ls=":", lw=1.5, color=SKY))
