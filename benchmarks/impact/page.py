"""Print the study's page, tables and figures from the file of results.

    python benchmarks/impact/page.py [--runs FILE] [--docs DIR]

Reads what ``run.py`` has written so far (default: ``docs/benchmarks/impact_runs.csv``) and
writes ``benchmarks/impact.md``, ``benchmarks/impact_tables.csv``,
``benchmarks/impact_cleaning.csv`` and ``images/impact_*.png`` under DIR (default: ``docs``).
What was not run is left empty.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from _markdown import markdown  # noqa: E402
from figures import draw_cleaning, draw_levels, draw_shares  # noqa: E402
from paper import ACCURACY, BASELINE, TABLES, Condition, Table, percent  # noqa: E402
from study import FOUND, Budget, Results, read_configuration  # noqa: E402
from summary import (  # noqa: E402
    CONFIRMED,
    CONTRADICTED,
    METHODS,
    NOT_SHOWN,
    Accuracies,
    Estimate,
    Verdict,
    claims_of_cleaning,
    claims_of_interpolations,
    claims_of_levels,
    claims_of_shares,
    gain,
    last_quarter,
    mean_and_deviation,
    name_of,
    oddities,
    paper_drop,
    table_rows,
)

import imagequality as iq  # noqa: E402

DOCS = HERE.parent.parent / "docs"
CONFIGURATIONS = HERE / "configurations"
NUMBERS = ["level", "share", "accuracy", "removed", "removal_precision", "removal_recall"]
NUMBERS += ["removal_f1", "wall_seconds", "cpu_seconds", "trained_on", "steps", "batch_size"]
NUMBERS += [f"found_{flaw}" for flaw in FOUND]
METHOD_NAMES = {
    "nothing": "nothing",
    "random": "random removal of as many as were planted",
    "cleanvision": "CleanVision, its fixed thresholds",
    "imagequality": "imagequality, `QualityPipeline()`",
    "oracle": "oracle: exactly the planted",
}
SHORT_NAMES = {
    "random": "random removal",
    "cleanvision": "CleanVision",
    "imagequality": "imagequality",
    "oracle": "oracle",
}
VERDICTS = (CONFIRMED, CONTRADICTED, NOT_SHOWN)
FLAW_NAMES = {
    "light": "light",
    "dark": "dark",
    "blurry": "blurry",
    "low_information": "low information",
    "odd_size": "odd size",
    "near_duplicates": "near duplicates",
}


def read_runs(path: Path) -> pd.DataFrame:
    """Return the results with numbers as numbers, and of repeated runs the first."""
    runs = pd.DataFrame(Results(path).lines())
    if not len(runs):
        raise SystemExit(f"no runs in {path}")
    runs[NUMBERS] = runs[NUMBERS].apply(pd.to_numeric)
    return runs.drop_duplicates(["key", "flaw", "level", "share", "cleaning", "seed"])


def of_budget(runs: pd.DataFrame, budget: Budget) -> pd.DataFrame:
    """Return the runs with a budget."""
    return runs[runs["key"] == budget.key]


def accuracy_cell(estimate: Estimate | None) -> str:
    """Return ``0.757 ± 0.004 (3)``: mean, deviation, seeds; a dash if it was not run."""
    if estimate is None:
        return "–"
    spread = "" if math.isnan(estimate.deviation) else f" ± {estimate.deviation:.3f}"
    return f"{estimate.mean:.3f}{spread} ({estimate.seeds})"


def drop_cell(points: float | None) -> str:
    """Return a drop as a signed number of points."""
    return "–" if points is None else f"{-points:+.1f}"


def print_table(table: Table, accuracies: Accuracies) -> str:
    """Return one of the paper's tables with ours beside it."""
    header = [table.row_title]
    for column in table.columns:
        title = "" if len(table.columns) == 1 else f"{column.title}: "
        header += [f"{title}ours", "change", f"{title}paper", "change"]
    first = ["untouched"]
    for _ in table.columns:
        untouched = accuracies.of(BASELINE)
        first += [accuracy_cell(untouched), "", f"{ACCURACY[BASELINE]:.4f}", ""]
    rows = [first]
    for position, label in enumerate(table.rows):
        row = [label]
        for column in table.columns:
            condition = column.conditions[position]
            drop = accuracies.drop(condition)
            row += [
                accuracy_cell(accuracies.of(condition)),
                drop_cell(drop.mean if drop else None),
                f"{ACCURACY[condition]:.4f}",
                drop_cell(paper_drop(condition)),
            ]
        rows.append(row)
    command = command_of(table.configuration)
    heading = f"## Table {table.name}: {table.title}"
    return f"{heading}\n\n    {command}\n\n{markdown(header, rows)}"


def command_of(configuration: str) -> str:
    path = f"benchmarks/impact/configurations/{configuration}.json"
    return f"python benchmarks/impact/run.py {path} --data DIR"


def print_verdicts(verdicts: Sequence[Verdict]) -> str:
    """Return one sentence for each claim."""
    return "\n".join(f"- **{v.verdict}**: {v.claim}. Here {v.because}." for v in verdicts) + "\n"


# -------------------------------------------------------------------------- cleaning


def cleaning_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return accuracy and removal by share and method, with the spread over the seeds."""
    mixed = runs[runs["flaw"] == "mixture"]
    lines = []
    for share in sorted(mixed["share"].unique()):
        for method in METHODS:
            here = mixed[(mixed["share"] == share) & (mixed["cleaning"] == method)]
            if not len(here):
                continue
            columns = ["accuracy", "removed", "trained_on", "removal_precision", "removal_recall"]
            columns += ["removal_f1", *(f"found_{flaw}" for flaw in FOUND)]
            line = {"share": share, "cleaning": method, "seeds": len(here)}
            for column in columns:
                line[column] = here[column].mean()
                line[f"{column}_deviation"] = here[column].std()
            lines.append(line)
    return pd.DataFrame(lines)


def print_cleaning(runs: pd.DataFrame, accuracies: Accuracies) -> str:
    """Return the tables of the comparison of cleaning."""
    mixed = runs[runs["flaw"] == "mixture"]
    parts = []
    for share in sorted(mixed["share"].unique()):
        rows, found = [], []
        for method in METHODS:
            here = mixed[(mixed["share"] == share) & (mixed["cleaning"] == method)]
            if not len(here):
                continue
            drop = accuracies.drop(Condition("mixture", 0.0, share), method)
            rows.append(
                [
                    METHOD_NAMES[method],
                    accuracy_cell(accuracies.of(Condition("mixture", 0.0, share), method)),
                    drop_cell(drop.mean if drop else None),
                    f"{here['removed'].mean():,.0f}",
                    f"{here['trained_on'].mean():,.0f}",
                    *(
                        mean_and_deviation(here[f"removal_{name}"])
                        for name in ("precision", "recall", "f1")
                    ),
                ]
            )
            found.append(
                [
                    METHOD_NAMES[method],
                    *(f"{100 * here[f'found_{flaw}'].mean():.1f} %" for flaw in FOUND),
                ]
            )
        header = ["cleaned by", "test accuracy", "change", "removed", "left"]
        parts += [
            f"### {percent(share)} of the training images flawed\n",
            markdown([*header, "precision", "recall", "F1"], rows),
            "Share of each flaw's images that were removed:\n",
            markdown(["cleaned by", *FLAW_NAMES.values()], found),
        ]
    return "\n".join(parts)


# ------------------------------------------------------------------------------ page


def describe_versions() -> str:
    names = ("torch", "numpy", "opencv-python-headless", "pillow", "cleanvision")
    return ", ".join(f"{name} {version(name)}" for name in names)


def describe_budget(budget: Budget) -> str:
    epochs = budget.steps * budget.batch_size / budget.images
    return (
        f"{budget.images:,} training images drawn anew for each seed, {budget.steps:,} steps of "
        f"{budget.batch_size} images ({epochs:.1f} epochs, "
        f"{budget.steps * budget.batch_size:,} images in all), Adam with a one-cycle schedule up "
        f"to {budget.learning_rate:g}, {budget.precision}"
    )


def print_anchor(runs: pd.DataFrame, small: Accuracies) -> str:
    """Return what a larger budget and full precision change."""
    anchor = read_configuration(CONFIGURATIONS / "anchor_larger_budget.json")
    full = read_configuration(CONFIGURATIONS / "precision_float32.json")
    large = Accuracies(of_budget(runs, anchor.budget))
    exact = Accuracies(of_budget(runs, full.budget))
    rows = []
    for run in dict.fromkeys((r.flaw, r.level, r.share) for r in anchor.runs):
        condition = Condition(*run)
        drops = [small.drop(condition), large.drop(condition)]
        cells = [drop_cell(drop.mean if drop else None) for drop in drops]
        rows.append(
            [
                name_of(condition),
                accuracy_cell(small.of(condition)),
                "" if condition == BASELINE else cells[0],
                accuracy_cell(large.of(condition)),
                "" if condition == BASELINE else cells[1],
                f"{ACCURACY[condition]:.4f}",
                "" if condition == BASELINE else drop_cell(paper_drop(condition)),
            ]
        )
    table = markdown(
        ["", "this study", "change", "larger budget", "change", "paper", "change"], rows
    )
    return (
        f"Larger budget: {describe_budget(anchor.budget)}.\n\n{table}\n"
        f"In float32 the untouched images give {accuracy_cell(exact.of(BASELINE))}, in bfloat16 "
        f"{accuracy_cell(small.of(BASELINE))}.\n"
    )


def print_interpolations(accuracies: Accuracies) -> str:
    """Return what other ways to shrink and enlarge cost."""
    ways = {
        "size": "areas averaged, enlarged linearly (this study)",
        "size_linear": "OpenCV's default, linear both ways",
        "size_nearest": "areas averaged, enlarged to squares",
    }
    sides = (17.0, 12.0, 7.0, 4.0)
    rows = []
    for flaw, name in ways.items():
        drops = [accuracies.drop(Condition(flaw, side)) for side in sides]
        rows.append(
            [name, *(f"{-drop.mean:+.1f} ({drop.seeds})" if drop else "–" for drop in drops)]
        )
    rows.append(["paper", *(drop_cell(paper_drop(Condition("size", side))) for side in sides)])
    return markdown(["change by", *(f"{side:.0f}×{side:.0f}" for side in sides)], rows)


def in_short(verdicts: Sequence[Verdict], accuracies: Accuracies, shares: Sequence[float]) -> str:
    """Return the study in a few sentences."""
    counts = {name: sum(v.verdict == name for v in verdicts) for name in VERDICTS}
    lines = [
        f"- Of {len(verdicts)} claims of section IV-A {counts[CONFIRMED]} are confirmed, "
        f"{counts[CONTRADICTED]} contradicted, {counts[NOT_SHOWN]} not shown."
    ]
    for verdict in (CONTRADICTED, NOT_SHOWN):
        names = [v.claim.split(" (")[0] for v in verdicts if v.verdict == verdict]
        if names:
            lines.append(f"- {verdict.capitalize()}: {'; '.join(names)}.")
    for share in shares:
        gains = [gain(accuracies, share, method, "nothing") for method in METHODS[1:]]
        names = [
            f"{SHORT_NAMES[m]} {g[0]:+.1f}" for m, g in zip(METHODS[1:], gains, strict=True) if g
        ]
        lines.append(
            f"- Cleaning where {percent(share)} of the images are flawed changes test accuracy by "
            f"(points against no cleaning): {', '.join(names)}."
        )
    return "\n".join(lines) + "\n"


def write_page(runs: pd.DataFrame, docs: Path) -> None:
    budget = read_configuration(CONFIGURATIONS / "cleaning.json").budget
    ours = of_budget(runs, budget)
    accuracies = Accuracies(ours)
    draw_levels(accuracies, docs / "images" / "impact_levels.png")
    draw_shares(accuracies, docs / "images" / "impact_shares.png")
    draw_cleaning(accuracies, ours, docs / "images" / "impact_cleaning.png")
    pages = docs / "benchmarks"
    _write_csv(table_rows(accuracies), pages / "impact_tables.csv")
    _write_csv(cleaning_table(ours), pages / "impact_cleaning.csv")
    shares = sorted(ours.loc[ours["flaw"] == "mixture", "share"].unique())
    cpu_hours, wall_hours = runs["cpu_seconds"].sum() / 3600, runs["wall_seconds"].sum() / 3600
    devices = "; ".join(sorted(runs["device"].unique()))
    of_levels, of_shares = claims_of_levels(accuracies), claims_of_shares(accuracies)
    text = TEXT.format(
        versions=describe_versions(),
        imagequality=iq.__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        devices=devices,
        runs=len(runs),
        cpu_hours=f"{cpu_hours:.1f}",
        wall_hours=f"{wall_hours:.1f}",
        budget=describe_budget(budget),
        untouched=accuracy_cell(accuracies.of(BASELINE)),
        deviation=f"{100 * accuracies.common_deviation[False]:.1f}",
        deviation_flawed=f"{100 * accuracies.common_deviation[True]:.1f}",
        in_short=in_short([*of_levels, *of_shares], accuracies, shares),
        levels=print_verdicts(of_levels),
        shares=print_verdicts(of_shares),
        last_quarter=last_quarter(accuracies),
        interpolations=print_interpolations(accuracies),
        interpolation_claims=print_verdicts(claims_of_interpolations(accuracies)),
        interpolation_command=command_of("size_interpolation"),
        cleaning_claims=print_verdicts(claims_of_cleaning(accuracies, shares)),
        oddities=print_verdicts(oddities(accuracies)),
        cleaning=print_cleaning(ours, accuracies),
        cleaning_command=command_of("cleaning"),
        anchor_command=command_of("anchor_larger_budget"),
        precision_command=command_of("precision_float32"),
        tables="\n".join(print_table(table, accuracies) for table in TABLES),
        anchor=print_anchor(runs, accuracies),
    )
    (pages / "impact.md").write_text(text, "utf-8")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, float_format="%.5g", index=False, lineterminator="\n")


TEXT = """\
# What bad images do to a network

The study of the paper's section IV and appendices A and B again: the network of its Table A-I is
trained on flawed images of CIFAKE's FAKE half and tested on all 10,000 untouched test images.

{in_short}
Printed by `benchmarks/impact/page.py` from [every run](impact_runs.csv); also as CSV:
[the tables](impact_tables.csv), [cleaning](impact_cleaning.csv). {runs} runs, {cpu_hours} CPU
hours ({wall_hours} hours on the clock, beside other work). Trained on {devices}; {system},
Python {python}, imagequality {imagequality}, {versions}.

**Budget.** {budget}. The paper trains on 45,000 images and does not say for how long; it reaches
0.8852 on untouched images, this budget {untouched}. So compare the **change**: percentage points
against the untouched images of the same budget. Every training has the same number of steps,
also where cleaning or duplicates leave fewer different images.

`0.700 ± 0.005 (3)` is mean, standard deviation (also the figures' error bars) and number of
seeds; a seed draws the training images, the flawed ones, the weights and the order. The
conditions with several seeds have in common a standard deviation of {deviation} points where
untouched images are left, and of {deviation_flawed} points where all are flawed: a difference
between two single runs says nothing below 2.8 times that. The paper gives one run for each
figure. A dash: not run; this is a subset of the paper's grid, wide enough for each trend it names.

**Verdicts** are computed: *confirmed* or *contradicted* if the figure lies on one side of the
bound by two standard errors, otherwise *not shown*. Bounds are the paper's sentences, as points
below its untouched images.

## What each flaw costs

![Accuracy against the strength of each flaw, ours and the paper's](../images/impact_levels.png)

{levels}
What a smaller size costs depends on how images are shrunk and enlarged, see
[below](#other-ways-to-shrink).

## How many flawed images a network bears

![Accuracy against the share of flawed images, ours and the paper's](../images/impact_shares.png)

{shares}
{last_quarter}
## Does cleaning pay?

The comparison that the paper's section IV-B announces (it reports only F1). Equal parts of 24 %,
and of 50 %, of the training images get one of six flaws, at the strongest levels of the paper's
tables (size: of those with shares): × 3.5, × 0.05, average blur 11×11, low information, 7×7
pixels, a near duplicate of another image. Flawed images are stored as JPEG, as files that both
tools read; the network gets them at 32×32.

Of duplicates each tool keeps one image. Of a near duplicate and its source either may go: one
removal of the two is a hit. What CIFAKE has of its own (gray images, duplicates) counts as a
false alarm if it is removed. The number of steps is always the same, so that removing images
costs variety and not training.

    {cleaning_command}

![Test accuracy after each way to clean](../images/impact_cleaning.png)

{cleaning}
{cleaning_claims}
## Oddities of the paper's tables

Does a second study find them too?

{oddities}
{tables}
## A larger budget, and full precision

Does a finding hang on the small budget?

{anchor}
    {anchor_command}
    {precision_command}

## Other ways to shrink

The paper does not say how it shrinks and enlarges. In brackets: seeds.

{interpolations}
{interpolation_claims}
    {interpolation_command}

## What differs from the paper

- The budget, as said above; the optimiser, its rate and the number of epochs are ours, the
  paper does not give theirs. No validation set is set aside: nothing is chosen with it.
- A brightness factor multiplies and clips; the thumbnail of low information lies in the
  middle. The paper leaves this open.
- Duplicates: half of the images are replaced by copies of the other half.
- Tables B-V to B-VIII of the paper's text are B-V to B-VII of its appendix.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=DOCS / "benchmarks" / "impact_runs.csv")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the documentation")
    options = parser.parse_args()
    write_page(read_runs(options.runs), options.docs)


if __name__ == "__main__":
    main()
