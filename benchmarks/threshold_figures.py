"""The pictures of docs/scores.md and docs/thresholds.md, and F1 against the strength of a flaw.

    python benchmarks/threshold_figures.py [--data DIR] [--out DIR] [--tables DIR]

Without ``--data``: ``scale_<issue>.png``, images along the scale of each default score (cut from
the photographs that come with the library), and ``selector_<name>.png``, each selector on four
typical distributions.

With ``--data`` also ``f1_by_strength.png`` and ``thresholds.md`` with its ``thresholds.csv``:
our default threshold, Li's, the detector's fixed limit and the oracle (the threshold with the
best F1, chosen with the labels) on the same scores, over the flaws listed in ``PAIRS``. ``DIR``
must hold ``cifake_fake/test`` (CIFAKE, FAKE half, test split) and ``photos_flowers``
(photographs); a folder that is missing is left out and said so.

Each flaw is applied to every image and measured once; mixtures are made of the measurements.
"""

from __future__ import annotations

import argparse
import platform
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib
import numpy as np
import pandas as pd
from _markdown import markdown
from PIL import Image
from scipy.stats import gamma
from skimage.filters import threshold_triangle
from sklearn.base import clone
from sklearn.metrics import f1_score

import imagequality as iq
from imagequality.datasets import make_flawed_images
from imagequality.perturbations import adjust_brightness, blur, downscale

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDERS = {"CIFAKE-FAKE test": "cifake_fake/test", "photographs": "photos_flowers"}
SHARES = [0.005, 0.01, 0.04, 0.12, 0.24, 0.40]
SEEDS = 3
SAMPLES = 10  # of 500 images
BATCH = 100  # images that are held in memory at once when a flaw enlarges them

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, RED = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
)

DETECTORS = {
    "light": iq.LightDetector(),
    "dark": iq.DarkDetector(),
    "blurry": iq.BlurDetector(),
    "low_information": iq.LowInformationDetector(),
    "odd_size": iq.OddSizeDetector(),
}

# ---------------------------------------------------------------------------- flaws


class Flaw(NamedTuple):
    """One way to spoil an image: whose issue it is, what it is called, and how it is done."""

    issue: str
    name: str
    apply: Callable[[np.ndarray], np.ndarray]


def brightness(issue: str, factor: float) -> Flaw:
    return Flaw(issue, f"× {factor:g}", lambda image: adjust_brightness(image, factor))


def smooth(kernel: str, size: int) -> Flaw:
    return Flaw("blurry", f"{kernel} {size}", lambda image: blur(image, kernel, size))


def motion(size: int) -> Flaw:
    """Average along a horizontal line."""
    line = np.full((1, size), 1 / size)
    return Flaw("blurry", f"motion {size}", lambda image: cv2.filter2D(image, -1, line))


def down_and_up(factor: int) -> Flaw:
    def apply(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        return downscale(image, (width // factor, height // factor))

    return Flaw("blurry", f"down and up by {factor}", apply)


def thumbnail(of_32: int) -> Flaw:
    """A thumbnail on a black canvas; its sides are ``of_32``/32 of the image's."""

    def apply(image: np.ndarray) -> np.ndarray:
        small = resize(image, of_32 / 32)
        top, left = ((image.shape[k] - small.shape[k]) // 2 for k in (0, 1))
        canvas = np.zeros_like(image)
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
        return canvas

    return Flaw("low_information", f"{of_32}/32", apply)


def sized(name: str, factor: float) -> Flaw:
    return Flaw("odd_size", name, lambda image: resize(image, factor))


def resize(image: np.ndarray, factor: float) -> np.ndarray:
    height, width = (max(1, round(side * factor)) for side in image.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=how)


# The published list: 25 pairs of a score and a flaw. Windows are in pixels, whatever the image.
PAIRS = [
    *(brightness("light", factor) for factor in (2.5, 3, 3.5)),
    *(brightness("dark", factor) for factor in (0.25, 0.15, 0.05)),
    *(smooth("average", size) for size in (5, 7, 11)),
    *(smooth("gaussian", size) for size in (5, 7, 9, 11)),
    smooth("median", 11),
    motion(9),
    down_and_up(4),
    *(thumbnail(size) for size in (20, 16, 12, 8)),
    *(sized(*size) for size in (("1/2", 0.5), ("12/32", 12 / 32), ("7/32", 7 / 32))),
    *(sized(*size) for size in (("2", 2), ("4", 4))),
]

# Five strengths of each issue, the weakest first.
STRENGTHS = {
    "light": [brightness("light", factor) for factor in (1.5, 2, 2.5, 3, 3.5)],
    "dark": [brightness("dark", factor) for factor in (0.5, 0.25, 0.15, 0.1, 0.05)],
    "blurry": [smooth("average", size) for size in (3, 5, 7, 9, 11)],
    "low_information": [thumbnail(size) for size in (24, 20, 16, 12, 8)],
    "odd_size": [
        sized("3/4", 0.75),
        sized("1/2", 0.5),
        sized("12/32", 12 / 32),
        sized("7/32", 7 / 32),
        sized("1/8", 1 / 8),
    ],
}

# ------------------------------------------------------------------- measuring, mixing


def measured(images: list[np.ndarray], flaw: Flaw | None, issue: str) -> pd.DataFrame:
    """Measure what the issue's detector needs, with the flaw or without, as plain numbers."""
    columns = DETECTORS[issue]._columns()
    parts = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        if flaw is not None:
            batch = [flaw.apply(image) for image in batch]
        parts.append(iq.measure(batch, columns, n_jobs=2, progress=False))
    return pd.concat(parts, ignore_index=True)[list(columns)].astype(np.float64)


def measure_set(
    images: list[np.ndarray], flaws: list[Flaw]
) -> tuple[dict[str, pd.DataFrame], dict[tuple[str, str], pd.DataFrame]]:
    """Measure the clean images for each issue, and all images with each flaw."""
    clean = {issue: measured(images, None, issue) for issue in DETECTORS}
    flawed = {}
    for flaw in flaws:
        if flaw[:2] not in flawed:
            flawed[flaw[:2]] = measured(images, flaw, flaw.issue)
    return clean, flawed


def mixture(
    clean: pd.DataFrame, flawed: pd.DataFrame, share: float, seed: int, size: int | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Give a share of the images (of a sample of ``size``) the flaw; at least one."""
    drawn = np.random.default_rng(seed).permutation(len(clean))[:size]
    truth = np.zeros(len(drawn), dtype=bool)
    truth[: max(1, round(share * len(drawn)))] = True
    table = pd.DataFrame(
        {
            column: np.where(
                truth, flawed[column].to_numpy()[drawn], clean[column].to_numpy()[drawn]
            )
            for column in clean
        }
    )
    return table, truth


def methods(issue: str) -> dict[str, iq.IssueDetector]:
    """The issue's detector with our default selector, Li's, and the fixed limit alone."""
    detector = DETECTORS[issue]
    fixed = iq.FixedThreshold(detector._limits()[0])
    return {
        "default": clone(detector),
        "Li": clone(detector).set_params(threshold=iq.LiThreshold()),
        "fixed": clone(detector).set_params(threshold=fixed),
    }


def best_f1(scores: np.ndarray, truth: np.ndarray) -> float:
    """F1 of the oracle: the best that any threshold reaches on these scores."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    hits = np.cumsum(truth[order])
    flagged = np.arange(1, len(scores) + 1)
    f1 = 2 * hits / (flagged + truth.sum())
    possible = np.r_[ordered[1:] > ordered[:-1], True]  # equal scores go together
    return float(f1[possible].max())


def f1_of_all(table: pd.DataFrame, truth: np.ndarray, issue: str) -> dict[str, float]:
    """F1 of each method on one mixture."""
    result = {}
    for name, detector in methods(issue).items():
        result[name] = float(f1_score(truth, detector.fit_predict(table), zero_division=0))
        if name == "default":
            result["oracle"] = best_f1(detector.score_samples(table), truth)
    return result


def evaluate(name: str, images: list[np.ndarray]) -> Iterator[dict]:
    """Yield one row for each part of the benchmark, data set, flaw, share, seed and method."""
    strengths = [flaw for flaws in STRENGTHS.values() for flaw in flaws]
    clean, flawed = measure_set(images, [*PAIRS, *strengths])
    sizes = {name: (None, SEEDS)}
    if len(images) > 2000:
        sizes[f"{name}, samples of 500"] = (500, SAMPLES)
    for data, (size, n_seeds) in sizes.items():
        for seed in range(n_seeds):
            for flaw in PAIRS:
                for share in SHARES:
                    mixed = mixture(clean[flaw.issue], flawed[flaw[:2]], share, seed, size)
                    values = f1_of_all(*mixed, flaw.issue)
                    yield from rows("pairs", data, flaw[:2], share, seed, values)
            if size is None:
                for flaw in strengths:
                    mixed = mixture(clean[flaw.issue], flawed[flaw[:2]], 0.12, seed)
                    values = f1_of_all(*mixed, flaw.issue)
                    yield from rows("strengths", data, flaw[:2], 0.12, seed, values)
            for issue in DETECTORS:
                table = clean[issue]
                if size is not None:
                    drawn = np.random.default_rng(seed).permutation(len(table))[:size]
                    table = table.iloc[drawn]
                values = {
                    method: float(detector.fit_predict(table).mean())
                    for method, detector in methods(issue).items()
                }
                yield from rows("clean", data, (issue, "none"), 0.0, seed, values)


def rows(
    part: str, data: str, flaw: tuple[str, str], share: float, seed: int, values: dict[str, float]
) -> Iterator[dict]:
    for method, value in values.items():
        keys = {"part": part, "data": data, "issue": flaw[0], "flaw": flaw[1], "share": share}
        yield {**keys, "seed": seed, "method": method, "value": value}


def load_sets(folder: Path) -> tuple[dict[str, list[np.ndarray]], list[str]]:
    """Return the images of each data set, and the names of those that were not found."""
    images, missing = {}, []
    for name, part in FOLDERS.items():
        if not (folder / part).is_dir():
            missing.append(name)
            continue
        loaded = [iq.load_image(path) for path in iq.list_images(folder / part)]
        if name == "photographs":
            images[f"{name}, native size"] = loaded
            images[f"{name}, half size"] = [resize(image, 0.5) for image in loaded]
        else:
            images[name] = loaded
    return images, missing


# ----------------------------------------------------------------------------- tables


def provenance(script: str) -> str:
    """Say what printed a results file, with which versions, on which machine."""
    versions = f"imagequality {iq.__version__}, NumPy {np.__version__}, OpenCV {cv2.__version__}"
    python = f"Python {platform.python_version()}, {platform.machine()}"
    return f"{versions}, {python}. Printed by `benchmarks/{script}`.\n"


def report(results: pd.DataFrame, counts: dict[str, int], missing: list[str]) -> str:
    """Return the text of thresholds.md."""
    return "\n".join(
        [
            "# Thresholds: F1 and clean flag rate\n",
            provenance("threshold_figures.py"),
            *(f"Left out, not found: {name}.\n" for name in missing),
            "Default scores throughout. *default* is the detector as it comes "
            "(`AutoThreshold` within the detector's limits), *Li* the same scores with "
            "`LiThreshold` (the paper's best method), *fixed* the detector's fixed limit alone, "
            "*oracle* the best F1 that any threshold reaches on these scores. Windows of blurs "
            "are in pixels, whatever the image's size.\n",
            "Images: " + "; ".join(f"{name} {n:,}" for name, n in counts.items()) + ". "
            f"Means over {SEEDS} seeds ({SAMPLES} for the samples of 500), which choose the "
            "images that are spoilt; 0.5 % of 500 are two. All values: `thresholds.csv`.\n",
            f"## 1. Mean F1 over {len(PAIRS)} pairs of score and flaw, by contamination\n",
            pairs_table(results),
            "The pairs: " + "; ".join(list_of_pairs()) + ".\n",
            "The photographs have sizes of their own (longer sides of 240, 320 and 500 pixels), "
            "so that half or double the size of one is the usual size of another. The same "
            "without odd size:\n",
            pairs_table(results, without="odd_size"),
            "## 2. Share of clean images flagged\n",
            clean_table(results),
            "## 3. F1 by flaw: default / oracle\n",
            *flaw_tables(results),
            "## 4. F1 by strength, at 12 % contamination\n",
            "![F1 by strength](../images/f1_by_strength.png)\n",
            strength_table(results),
        ]
    )


def list_of_pairs() -> list[str]:
    names: dict[str, list[str]] = {}
    for flaw in PAIRS:
        names.setdefault(flaw.issue, []).append(flaw.name)
    return [f"{issue}: {', '.join(flaws)}" for issue, flaws in names.items()]


def pairs_table(results: pd.DataFrame, without: str | None = None) -> str:
    pairs = results[(results["part"] == "pairs") & (results["issue"] != without)]
    body = []
    for data in pairs["data"].unique():
        for method in ("default", "Li", "fixed", "oracle"):
            chosen = pairs[(pairs["data"] == data) & (pairs["method"] == method)]
            means = chosen.groupby("share")["value"].mean()
            body.append([data, method, *(f"{means[share]:.3f}" for share in SHARES)])
    return markdown(["data", "threshold", *(f"{share:.1%}" for share in SHARES)], body)


def clean_table(results: pd.DataFrame) -> str:
    clean = results[results["part"] == "clean"]
    body = []
    for data in clean["data"].unique():
        for method in ("default", "Li", "fixed"):
            chosen = clean[(clean["data"] == data) & (clean["method"] == method)]
            means = chosen.groupby("issue")["value"].mean()
            body.append([data, method, *(f"{means[issue]:.2%}" for issue in DETECTORS)])
    return markdown(["data", "threshold", *DETECTORS], body)


def flaw_tables(results: pd.DataFrame) -> Iterator[str]:
    """Yield one table a data set: every pair at every contamination."""
    pairs = results[results["part"] == "pairs"]
    for data in pairs["data"].unique():
        means = (
            pairs[pairs["data"] == data]
            .groupby(["issue", "flaw", "share", "method"])["value"]
            .mean()
        )
        body = [
            [
                flaw.issue,
                flaw.name,
                *(
                    f"{means[(*flaw[:2], share, 'default')]:.2f} / "
                    f"{means[(*flaw[:2], share, 'oracle')]:.2f}"
                    for share in SHARES
                ),
            ]
            for flaw in PAIRS
        ]
        header = ["score", "flaw", *(f"{share:.1%}" for share in SHARES)]
        yield f"### {data}\n\n{markdown(header, body)}"


def strength_table(results: pd.DataFrame) -> str:
    strengths = results[results["part"] == "strengths"]
    means = strengths.groupby(["data", "issue", "flaw", "method"])["value"].mean()
    header = ["data", "score", "threshold", *("weakest", "2", "3", "4", "strongest")]
    body = []
    for data in strengths["data"].unique():
        for issue, flaws in STRENGTHS.items():
            names = [f"*{flaw.name}*" for flaw in flaws]
            body.append([data, issue, "", *names])
            for method in ("default", "Li", "oracle"):
                values = [means[(data, issue, flaw.name, method)] for flaw in flaws]
                body.append(["", "", method, *(f"{value:.3f}" for value in values)])
    return markdown(header, body)


# --------------------------------------------------------------------------- pictures


def save(figure: plt.Figure, path: Path) -> None:
    """Write a picture with 256 colours, which keeps photographs small."""
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def draw_strengths(results: pd.DataFrame, path: Path) -> None:
    """Small multiples: a row a data set, a column an issue."""
    strengths = results[results["part"] == "strengths"]
    names = list(strengths["data"].unique())
    styles = {
        "oracle": {"color": BLACK, "ls": ":", "lw": 2, "marker": "o", "ms": 4},
        "Li": {"color": ORANGE, "ls": "--", "lw": 2, "marker": "s", "ms": 5},
        "default": {"color": BLUE, "ls": "-", "lw": 2.5, "marker": "o", "ms": 5},
    }
    figure, axes = plt.subplots(
        len(names), 5, figsize=(11, 2.3 * len(names) + 0.7), sharey=True, squeeze=False
    )
    for row, data in zip(axes, names, strict=True):
        for ax, (issue, flaws) in zip(row, STRENGTHS.items(), strict=True):
            labels = [flaw.name.removeprefix("average ").removeprefix("× ") for flaw in flaws]
            if issue == "low_information":
                labels = [label.removesuffix("/32") for label in labels]
            chosen = strengths[(strengths["data"] == data) & (strengths["issue"] == issue)]
            for method, style in styles.items():
                values = chosen[chosen["method"] == method].groupby("flaw")["value"]
                order = [flaw.name for flaw in flaws]
                low, mean, high = (
                    values.agg(what).loc[order].to_numpy() for what in ("min", "mean", "max")
                )
                label = {"default": "default (AutoThreshold)", "oracle": "oracle threshold"}
                ax.plot(labels, mean, label=label.get(method, method), clip_on=False, **style)
                ax.fill_between(labels, low, high, color=style["color"], alpha=0.2, lw=0)
            ax.set_ylim(0, 1)
            ax.grid(axis="y", color="0.9")
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=9)
        row[0].set_ylabel(f"{data.replace(', ', chr(10))}\n\nF1", fontsize=10)
    units = ["brightness ×", "brightness ×", "average blur, pixels", "thumbnail, of 32", "size ×"]
    for ax, issue in zip(axes[0], STRENGTHS, strict=True):
        ax.set_title(issue.replace("_", " "), fontsize=12, fontweight="bold")
    for ax, unit in zip(axes[-1], units, strict=True):
        ax.set_xlabel(f"{unit}\nweaker → stronger", fontsize=9)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="upper center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.95))
    save(figure, path)


CROP = 112  # pixels, of the images along a scale
SCALES = {
    "light": [brightness("light", factor) for factor in (5, 3.5, 3, 2.5, 2, 1.5, 1.2, 1)],
    "dark": [brightness("dark", factor) for factor in (0.02, 0.05, 0.15, 0.25, 0.4, 0.6, 0.8, 1)],
    "blurry": [smooth("average", size) for size in (21, 15, 11, 9, 7, 5, 3, 1)],
    "low_information": [thumbnail(size) for size in (4, 8, 12, 16, 20, 24, 28, 32)],
    "odd_size": [
        sized("1/8", 1 / 8),
        sized("7/32", 7 / 32),
        sized("3/8", 3 / 8),
        sized("2", 2),
        sized("1/2", 0.5),
        sized("3/4", 0.75),
        sized("1.2", 1.2),
        sized("1", 1),
    ],
}
UNITS = {
    "light": "brightness",
    "dark": "brightness",
    "blurry": "",
    "low_information": "thumbnail",
    "odd_size": "size ×",
}


def draw_scale(issue: str, path: Path) -> None:
    """Two photographs along the scale of a default score, from worst to best."""
    crops, _ = make_flawed_images(12, contamination=0, size=CROP, random_state=3)
    detector = clone(DETECTORS[issue]).fit(list(crops))  # the usual size is that of the crops
    floor, cap = detector._limits()
    flaws = SCALES[issue]
    figure, axes = plt.subplots(2, len(flaws), figsize=(10.4, 3.75))
    for row, crop in zip(axes, crops[[1, 4]], strict=True):
        images = [flaw.apply(crop) for flaw in flaws]
        scores = detector.score_samples(images)
        order = np.argsort(scores, kind="stable")
        for ax, position in zip(row, order, strict=True):
            image, score = images[position], scores[position]
            ax.imshow(image, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if issue == "odd_size":  # to scale, in the middle of a field twice the usual size
                middle, reach = image.shape[0] / 2, CROP * 1.02
                ax.set(xlim=(middle - reach, middle + reach), ylim=(middle + reach, middle - reach))
                corner = (middle - CROP / 2, middle - CROP / 2)
                usual = plt.Rectangle(corner, CROP, CROP, fill=False, ls=":", lw=1.5, color=SKY)
                ax.add_patch(usual)
            colour, mark = BLUE, ""
            if score < floor:
                colour, mark = RED, " ▼"
            elif score < cap:
                colour, mark = "#9A6A00", " ?"
            ax.set_title(f"{score:.2f}{mark}", color=colour, fontsize=13, fontweight="bold", pad=3)
            flaw = flaws[position].name
            unspoilt = flaw in ("× 1", "average 1", "32/32", "1")
            text = "as it is" if unspoilt else f"{UNITS[issue]} {flaw}".strip()
            ax.set_xlabel(text, fontsize=9, labelpad=3)
    legend = (
        (0.02, RED, f"▼ below {floor:.2f}: bad in any collection"),
        (0.36, "#9A6A00", f"? {floor:.2f} to {cap:.2f}: the collection decides"),
        (0.70, BLUE, f"from {cap:.2f}: never flagged"),
    )
    for x, colour, text in legend:
        figure.text(x, 0.955, text, color=colour, fontsize=11, fontweight="bold", va="center")
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.065, top=0.85, wspace=0.05, hspace=0.4)
    save(figure, path)


FLOOR, CAP = 0.35, 0.60  # of the distributions below, what a detector would fill in


def distributions() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Four typical sets of 2,000 scores with their truth."""
    rng = np.random.default_rng(0)
    n = 2000

    def mixed(n_bad: int, centre: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
        good, bad = rng.normal(0.76, 0.07, n - n_bad), rng.normal(centre, spread, n_bad)
        return np.r_[bad, good].clip(0, 1), np.arange(n) < n_bad

    return {
        "clean": mixed(0, 0, 1),
        "12 % bad, apart": mixed(240, 0.3, 0.05),
        "12 % bad, overlapping": mixed(240, 0.5, 0.08),
        "0.5 % bad": mixed(10, 0.3, 0.05),
    }


SELECTORS = {
    "auto": iq.AutoThreshold(FLOOR, CAP),
    "li": iq.LiThreshold(),
    "otsu": iq.OtsuThreshold(),
    "met": iq.MinimumErrorThreshold(),
    "ght": iq.GeneralizedHistogramThreshold(),
    "max_entropy": iq.MaxEntropyThreshold(),
    "mve": iq.ModifiedValleyEmphasisThreshold(),
    "gamma_mixture": iq.GammaMixtureThreshold(),
    "iqr": iq.IQRThreshold(),
    "quantile": iq.QuantileThreshold(),
    "fixed": iq.FixedThreshold(FLOOR),
    "gated": iq.GatedThreshold(iq.LiThreshold(), gate=iq.AutoThreshold(FLOOR, CAP)),
    "supervised": iq.SupervisedThreshold(fallback=iq.AutoThreshold(FLOOR, CAP)),
    "function": iq.FunctionThreshold(threshold_triangle, inclusive=True),
}
DETAILS = {
    "gated": " around LiThreshold",
    "supervised": ", given the labels",
    "function": ": scikit-image's threshold_triangle",
}
WITH_REASON = (iq.AutoThreshold, iq.GatedThreshold, iq.SupervisedThreshold)


def draw_selector(selector: iq.ThresholdSelector, details: str, path: Path) -> None:
    """One selector on the four distributions: histogram, threshold, criterion if it has one."""
    sets = distributions()
    has_criterion = hasattr(clone(selector).fit([0.0, 0.5, 1.0]), "criterion_")
    figure, axes = plt.subplots(
        2 if has_criterion else 1,
        len(sets),
        figsize=(10.4, 4.2 if has_criterion else 3.2),
        sharex=True,
        squeeze=False,
        gridspec_kw={"height_ratios": [3, 1.3]} if has_criterion else None,
    )
    for column, (name, (scores, truth)) in enumerate(sets.items()):
        ax = axes[0][column]
        fitted = clone(selector).fit(scores, truth.astype(int))
        draw_histogram(ax, fitted, scores, truth)
        write_outcome(ax, name, fitted.predict(scores) == 1, truth)
        if has_criterion:
            below = axes[1][column]
            below.plot(fitted.candidates_, fitted.criterion_, color=GREEN, lw=2)
            below.axvline(fitted.threshold_, color=BLACK, lw=2.5)
            below.set(yticks=[])
            below.margins(y=0.1)
            below.spines[["top", "right"]].set_visible(False)
        axes[-1][column].set_xlabel("score")
        if isinstance(fitted, WITH_REASON):
            reason = textwrap.fill(fitted.reason_, 34)
            axes[-1][column].set_xlabel(f"score\n{reason}", fontsize=9, va="top")
    axes[0][0].set_ylabel("images (log scale)")
    if has_criterion:
        how = "lowest" if selector._minimised else "highest"
        axes[1][0].set_ylabel(f"criterion,\n{how} wins", color=GREEN)
    handles, labels = axes[0][1].get_legend_handles_labels()
    title = type(selector).__name__ + details
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=14)
    figure.legend(handles, labels, loc="upper right", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    save(figure, path)


def draw_histogram(
    ax: plt.Axes, fitted: iq.ThresholdSelector, scores: np.ndarray, truth: np.ndarray
) -> None:
    """Good and bad scores, the threshold, and what only one selector has."""
    edges = np.linspace(0, 1, 51)
    ax.hist(scores[truth], edges, color=RED, alpha=0.85, label="bad", zorder=2)
    ax.hist(scores[~truth], edges, color=SKY, label="good", zorder=1)
    ax.set_yscale("symlog", linthresh=10)
    ax.set(ylim=(0, 420), xlim=(0, 1), yticks=[0, 10, 100], yticklabels=["0", "10", "100"])
    ax.set(xticks=[0, 0.5, 1])
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    if isinstance(fitted, iq.AutoThreshold):
        ax.axvspan(FLOOR, CAP, color=GREEN, alpha=0.15, lw=0, label="floor to cap", zorder=0)
        height = np.full(fitted.candidates_.shape, 330)
        style = {"color": GREEN, "ms": 9, "mec": BLACK, "ls": "", "zorder": 5}
        ax.plot(fitted.candidates_, height, "v", label="candidates", **style)
    if isinstance(fitted, iq.GammaMixtureThreshold):
        where = np.linspace(0.002, 1, 300)
        for number in (0, 1):
            density = gamma.pdf(where, fitted.shapes_[number], scale=fitted.scales_[number])
            expected = fitted.weights_[number] * density * fitted.n_samples_ * edges[1]
            label = "components" if number == 0 else None
            ax.plot(where, expected, color=BLACK, ls=":", lw=2, label=label, zorder=3)
    ax.axvline(fitted.threshold_, color=BLACK, lw=2.5, label="threshold", zorder=4)


def write_outcome(ax: plt.Axes, name: str, flags: np.ndarray, truth: np.ndarray) -> None:
    """Say above a histogram what the threshold finds, and what it flags wrongly."""
    n_bad, found, wrong = int(truth.sum()), int(flags[truth].sum()), int(flags[~truth].sum())
    lines = [
        (name, "bold", 12, BLACK),
        (f"finds {found} of {n_bad} bad" if n_bad else "nothing to find", None, 10, BLACK),
        (f"flags {wrong:,} good ones" if wrong else "flags no good one", None, 10, BLACK),
    ]
    if n_bad and found < 0.75 * n_bad:
        lines[1] = (lines[1][0], "bold", 10, RED)
    if wrong > max(2, 0.1 * n_bad):
        lines[2] = (lines[2][0], "bold", 10, RED)
    for number, (text, weight, size, colour) in enumerate(lines[::-1]):
        place = (0, 5 + 14 * number + (2 if number == 2 else 0))
        ax.annotate(
            text,
            (0.5, 1),
            place,
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            color=colour,
            weight=weight or "normal",
            fontsize=size,
        )


# ------------------------------------------------------------------------------- main


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="for the pictures")
    parser.add_argument(
        "--tables", type=Path, default=Path("docs/benchmarks"), help="for thresholds.md and .csv"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for issue in DETECTORS:
        draw_scale(issue, options.out / f"scale_{issue}.png")
    for name, selector in SELECTORS.items():
        draw_selector(selector, DETAILS.get(name, ""), options.out / f"selector_{name}.png")
    if options.data is None:
        return
    sets, missing = load_sets(options.data)
    results = pd.DataFrame([row for name, images in sets.items() for row in evaluate(name, images)])
    draw_strengths(results, options.out / "f1_by_strength.png")
    counts = {name: len(images) for name, images in sets.items()}
    text = report(results, counts, missing)
    print(text)
    options.tables.mkdir(parents=True, exist_ok=True)
    (options.tables / "thresholds.md").write_text(text)
    keys = ["part", "data", "issue", "flaw", "share", "method"]
    summary = results.groupby(keys, sort=False)["value"].agg(["mean", "min", "max"])
    summary.round(4).reset_index().to_csv(options.tables / "thresholds.csv", index=False)


if __name__ == "__main__":
    main()
