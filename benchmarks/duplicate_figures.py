"""Picture of how the duplicate distance is chosen, for docs/duplicates.md.

    python benchmarks/duplicate_figures.py --data DIR

``DIR`` must hold ``photos_flowers`` (photographs) and ``cifake_fake/test`` (CIFAKE, FAKE half).
Of each, 12 % of the images are replaced by copies of others in another brightness, contrast and
saturation (factors 0.5 … 1.5).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import imagequality as iq
from imagequality.perturbations import near_duplicate

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "duplicate_distance.png"
SHARE, MOST = 0.12, 2_000


def with_copies(folder: Path, most: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    paths = iq.list_images(folder)
    paths = [paths[k] for k in rng.permutation(len(paths))[:most]]
    images = [iq.load_image(path) for path in paths]
    copies = int(SHARE * len(images))
    for place in range(copies):
        source = images[rng.integers(copies, len(images))]
        images[place] = near_duplicate(source, strength=0.5, random_state=rng)
    return images


def draw(axes: plt.Axes, title: str, images: list[np.ndarray]) -> None:
    detector = iq.NearDuplicateDetector().fit(images)
    features = detector._graphs[0].features
    bins = np.arange(0, 134, 4)
    for number, label, colour in ((0, "each other", "#0072b2"), (1, "mirror images", "#e69f00")):
        pairs = np.diff(features.counts(number)[bins])
        axes.stairs(pairs, bins, label=label, color=colour, fill=number == 0, alpha=0.8, lw=2)
    if detector.distance_ is not None:
        axes.axvline(detector.distance_, color="black", ls="--", lw=1)
        axes.text(
            detector.distance_ - 2,
            0.97,
            f"{detector.distance_:g} bits",
            ha="right",
            va="top",
            transform=axes.get_xaxis_transform(),
        )
    axes.set(yscale="log", ylim=(0.8, None), xlabel="bits that differ, of 256", title=title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    draw(panels[0], "500 photographs", with_copies(data / "photos_flowers", MOST))
    draw(panels[1], "2,000 images of 32×32", with_copies(data / "cifake_fake" / "test", MOST))
    panels[0].set_ylabel("pairs of images")
    panels[0].legend(title="distance to", loc="upper left", frameon=False)
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
