"""The pictures of the study: what each flaw costs, and what cleaning gives back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from paper import ACCURACY, BASELINE, BY_SHARE, OTHERS, Condition, Table, percent
from summary import METHODS, Accuracies, name_of, paper_drop, table_of

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, RED = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
)
GREY = "#888888"
METHOD_LABELS = {
    "nothing": "nothing",
    "random": "random\nremoval",
    "cleanvision": "CleanVision",
    "imagequality": "imagequality\ndefault",
    "oracle": "oracle",
}
METHOD_COLORS = [GREY, SKY, ORANGE, BLUE, GREEN]


def _curve(
    axes: Any,
    accuracies: Accuracies,
    conditions: list[Condition],
    positions: list[float],
    color: str = BLUE,
    paper_color: str = ORANGE,
    label: str = "",
) -> None:
    """Draw what conditions cost: ours solid with the spread, the paper's dashed."""
    axes.plot(
        positions,
        [-paper_drop(condition) for condition in conditions],
        "--",
        color=paper_color,
        linewidth=1.6,
        label=f"{label}paper",
    )
    found = [
        (position, drop)
        for position, condition in zip(positions, conditions, strict=True)
        if (drop := accuracies.drop(condition)) is not None
    ]
    if found:
        axes.errorbar(
            [position for position, _ in found],
            [-drop.mean for _, drop in found],
            yerr=[0 if np.isnan(drop.deviation) else drop.deviation for _, drop in found],
            fmt="o-",
            color=color,
            markersize=4,
            linewidth=2,
            capsize=3,
            label=f"{label}ours",
        )


def _finish(axes: Any, title: str, xlabel: str) -> None:
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.set_title(title)
    axes.set_xlabel(xlabel)
    axes.grid(alpha=0.3)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_levels(accuracies: Accuracies, path: Path) -> None:
    """Draw Tables B-I to B-IV: accuracy against the strength of each flaw."""
    figure, panels = plt.subplots(2, 2, figsize=(10, 7.5), sharey=True, layout="constrained")
    (light, blurred), (small, others) = panels

    levels = sorted(c.level for c in ACCURACY if c.flaw == "brightness" and c.share == 1)
    conditions = [Condition("brightness", level) for level in levels]
    at_one = levels.index(1.25)
    levels.insert(at_one, 1.0)
    conditions.insert(at_one, BASELINE)
    _curve(light, accuracies, conditions, levels)
    _finish(light, "Brightness (B-I)", "every pixel multiplied by")

    for column, color in zip(table_of("B-II").columns, (RED, BLUE, GREEN), strict=True):
        sizes = [condition.level for condition in column.conditions]
        _curve(
            blurred,
            accuracies,
            [BASELINE, *column.conditions],
            [1.0, *sizes],
            color,
            color,
            f"{column.title}, ",
        )
    blurred.set_xticks([1, 3, 5, 7, 9, 11])
    _finish(blurred, "Blur (B-II)", "side of the kernel, pixels (1: no blur)")

    sides = [c.level for c in table_of("B-III").columns[0].conditions]
    conditions = [BASELINE, *table_of("B-III").columns[0].conditions]
    _curve(small, accuracies, conditions, [32.0, *sides])
    small.invert_xaxis()
    small.set_xticks([32, 27, 22, 17, 12, 7, 4])
    _finish(small, "Size (B-III)", "shrunk to this side and back, pixels")

    _bars_of_others(others, accuracies)
    for panel in (light, blurred, small):
        panel.legend(fontsize=8, loc="lower left" if panel is not light else "lower center")
    for panel in (light, small):
        panel.set_ylabel("accuracy against untouched images,\npercentage points")
    _save(figure, path)


def _bars_of_others(axes: Any, accuracies: Accuracies) -> None:
    conditions = [condition for condition, _ in OTHERS.values()]
    at = np.arange(len(conditions))
    axes.bar(
        at - 0.2,
        [-paper_drop(condition) for condition in conditions],
        0.38,
        color="white",
        edgecolor=ORANGE,
        linewidth=1.6,
        linestyle="--",
        label="paper",
    )
    drops = [accuracies.drop(condition) for condition in conditions]
    axes.bar(
        at + 0.2,
        [-drop.mean if drop else 0 for drop in drops],
        0.38,
        yerr=[drop.deviation if drop and drop.seeds > 1 else 0 for drop in drops],
        capsize=3,
        color=BLUE,
        label="ours",
    )
    labels = ["grayscale", "low\ninformation", "exact\nduplicates", "near dup.\n0.8–1.2"]
    axes.set_xticks(at, [*labels, "near dup.\n0.5–1.5"], fontsize=8)
    axes.legend(fontsize=8, loc="lower right")
    _finish(axes, "Others (B-IV)", "")
    axes.grid(False, axis="x")


def draw_shares(accuracies: Accuracies, path: Path) -> None:
    """Draw Tables B-V to B-VII: accuracy against the share of flawed images."""
    figure, panels = plt.subplots(
        3, 3, figsize=(10.5, 9), sharex=True, sharey=True, layout="constrained"
    )
    for panel, (flaw, level) in zip(panels.flat, BY_SHARE, strict=True):
        table, conditions = _conditions_by_share(flaw, level)
        _curve(
            panel,
            accuracies,
            [BASELINE, *conditions],
            [0.0, *(100 * condition.share for condition in conditions)],
        )
        panel.axvline(25, color=GREY, linewidth=0.8, linestyle=":")
        title = name_of(Condition(flaw, level))
        _finish(panel, f"{title[0].upper()}{title[1:]} ({table.name})", "")
    panels[0, 0].legend(loc="lower left")
    for panel in panels[-1]:
        panel.set_xlabel("share of flawed training images, %")
    panels[1, 0].set_ylabel("accuracy against untouched images, percentage points")
    _save(figure, path)


def _conditions_by_share(flaw: str, level: float) -> tuple[Table, list[Condition]]:
    for name in ("B-V", "B-VI", "B-VII"):
        for column in table_of(name).columns:
            if column.conditions[0][:2] == (flaw, level):
                return table_of(name), column.conditions
    raise KeyError((flaw, level))


def draw_cleaning(accuracies: Accuracies, runs: pd.DataFrame, path: Path) -> None:
    """Draw the test accuracy after each way to clean, with every seed as a dot."""
    mixed = runs[runs["flaw"] == "mixture"]
    shares = sorted(mixed["share"].unique())
    figure, panels = plt.subplots(
        1,
        len(shares),
        figsize=(5.2 * len(shares), 4.6),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    untouched = accuracies.of(BASELINE)
    for panel, share in zip(panels[0], shares, strict=True):
        for position, (method, color) in enumerate(zip(METHODS, METHOD_COLORS, strict=True)):
            found = accuracies.of(Condition("mixture", 0.0, share), method)
            if found is None:
                continue
            spread = 0 if np.isnan(found.deviation) else found.deviation
            panel.bar(position, found.mean, 0.7, color=color, yerr=spread or None, capsize=5)
            here = mixed[(mixed["share"] == share) & (mixed["cleaning"] == method)]
            panel.plot(
                np.full(len(here), position) + 0.2, here["accuracy"], ".", color=BLACK, markersize=5
            )
            panel.text(
                position,
                0.04,
                f"{found.mean:.3f}",
                transform=panel.get_xaxis_transform(),
                ha="center",
                color="white" if color == BLUE else BLACK,
                fontsize=10,
                weight="bold",
            )
        if untouched:
            panel.axhline(untouched.mean, color=BLACK, linestyle="--", linewidth=1)
            panel.annotate(
                "untouched images",
                (-0.5, untouched.mean),
                (0, 4),
                textcoords="offset points",
                fontsize=9,
            )
        panel.set_xticks(range(len(METHODS)), [METHOD_LABELS[method] for method in METHODS])
        panel.tick_params(axis="x", labelsize=8.5)
        panel.set_title(f"{percent(share)} of the training images flawed")
        panel.grid(alpha=0.3, axis="y")
    lowest = min([*mixed["accuracy"], *([untouched.mean] if untouched else [])], default=0.0)
    highest = max([*mixed["accuracy"], *([untouched.mean] if untouched else [])], default=1.0)
    panels[0, 0].set_ylim(max(0.0, lowest - 0.04), highest + 0.02)
    panels[0, 0].set_ylabel("test accuracy (the axis does not begin at 0)")
    _save(figure, path)
