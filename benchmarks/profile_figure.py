"""What each profile of ``imagequality.validate`` just admits: blur, noise, resolution.

    python benchmarks/profile_figure.py [--data DIR] [--out DIR] [--tables DIR]

Draws ``profiles.png`` from photographs that come with scikit-image, without any download: blurred
(Gaussian of standard deviation σ in pixels), made noisy (Gaussian, σ in grey levels) and shrunk,
to where the score lies just above the profile's limit.

With ``--data`` also ``profiles.md``: the same strengths over 40 photographs, and the share of
images that each profile admits. ``DIR`` must hold ``photos_flowers`` (photographs) and
``cifake_fake/test`` (CIFAKE, FAKE half, test split).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import skimage.data
from _markdown import markdown
from PIL import Image

import imagequality as iq
from imagequality.perturbations import add_noise
from imagequality.validation import PROFILES, Profile, validate, validate_many

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CROP = 110  # pixels of a photograph that the picture shows
STEPS = 12  # of the bisection: a 4000th of the strongest flaw
PHOTOS = 40  # for the table
THUMBNAILS = 3000
FOLDERS = {"photographs": "photos_flowers", "CIFAKE-FAKE test (min_side=32)": "cifake_fake/test"}

Flaw = Callable[[np.ndarray, float], np.ndarray]


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0 else image


def noise(image: np.ndarray, sigma: float) -> np.ndarray:
    return add_noise(image, sigma, random_state=0)


# Issue → the flaw, and its largest strength.
FLAWS: dict[str, tuple[Flaw, float]] = {"blurry": (blur, 4.0), "noisy": (noise, 60.0)}


def admitted_strength(image: np.ndarray, issue: str, profile: Profile) -> float:
    """Return the strongest flaw that is admitted, by bisection; NaN where none is."""
    flaw, high = FLAWS[issue]
    only = Profile({issue: profile.limits[issue]})
    if not validate(image, only):
        return float("nan")
    low = 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if validate(flaw(image, middle), only) else (low, middle)
    return low


def to_shorter_side(image: np.ndarray, side: int) -> np.ndarray:
    ratio = side / min(image.shape[:2])
    size = round(image.shape[1] * ratio), round(image.shape[0] * ratio)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


# ---------------------------------------------------------------------------- picture


def draw(path: Path) -> None:
    cat, astronaut = skimage.data.chelsea(), skimage.data.astronaut()
    rows = [("as it is", [(crop(cat), ""), (crop(cat), ""), (astronaut, "")])]
    for name, profile in PROFILES.items():
        sigmas = {issue: admitted_strength(cat, issue, profile) for issue in FLAWS}
        panels = [
            (crop(blur(cat, sigmas["blurry"])), f"blur of σ = {sigmas['blurry']:.2f} pixels"),
            (crop(noise(cat, sigmas["noisy"])), f"noise of σ = {sigmas['noisy']:.0f} grey levels"),
            (to_shorter_side(astronaut, profile.min_side), f"shorter side {profile.min_side}"),
        ]
        rows.append((name, panels))
    figure, axes = plt.subplots(len(rows), 3, figsize=(7.2, 12))
    for row, (name, panels) in zip(axes, rows, strict=True):
        for ax, (image, title) in zip(row, panels, strict=True):
            ax.imshow(image, interpolation="nearest")
            ax.set_title(title, fontsize=10)
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
        row[0].set_ylabel(name, fontweight="bold", fontsize=11)
    figure.suptitle(
        "The worst that each profile admits", x=0.01, ha="left", fontweight="bold", fontsize=14
    )
    figure.tight_layout()
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)
    with Image.open(path) as picture:  # 256 colours keep photographs small
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(path, optimize=True)


def crop(image: np.ndarray) -> np.ndarray:
    top, left = 75, 130  # the cat's eye
    return image[top : top + CROP, left : left + CROP]


# ------------------------------------------------------------------------------ table


def table(data: Path) -> str:
    folders = {name: data / folder for name, folder in FOLDERS.items()}
    photographs = iq.list_images(folders["photographs"])
    chosen = np.random.default_rng(0).choice(photographs, PHOTOS, replace=False)
    images = [iq.load_image(path) for path in chosen]
    strengths = [
        [name]
        + [
            spread([admitted_strength(image, issue, profile) for image in images])
            for issue in FLAWS
        ]
        + [str(profile.min_side)]
        for name, profile in PROFILES.items()
    ]
    shares = []
    for name, folder in folders.items():
        paths = iq.list_images(folder)[:THUMBNAILS]
        measured = iq.measure(paths, n_jobs=-1)
        side = 32 if "min_side" in name else None
        passed = [
            validate_many(measured, profile, min_side=side)["ok"].mean() for profile in PROFILES
        ]
        shares.append([name, f"{len(paths):,}", *(f"{share:.1%}" for share in passed)])
    return (
        "# What the profiles admit\n\nPrinted by `benchmarks/profile_figure.py`.\n\n"
        f"Strongest flaw that is admitted, over {PHOTOS} photographs of {FOLDERS['photographs']} "
        "(longer side 240 to 500 pixels): median, and 5th to 95th percentile.\n\n"
        + markdown(
            ["profile", "blur σ, pixels", "noise σ, grey levels", "shorter side, pixels"], strengths
        )
        + "\nShare of untouched images that each profile admits.\n\n"
        + markdown(["images", "number", *PROFILES], shares)
    )


def spread(values: list[float]) -> str:
    low, median, high = np.nanpercentile(values, [5, 50, 95])
    return f"{median:.2g} ({low:.2g} to {high:.2g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="for the picture")
    parser.add_argument(
        "--tables", type=Path, default=Path("docs/benchmarks"), help="for profiles.md"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    draw(options.out / "profiles.png")
    if options.data is not None:
        text = table(options.data)
        print(text)
        options.tables.mkdir(parents=True, exist_ok=True)
        (options.tables / "profiles.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
