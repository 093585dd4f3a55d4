"""Means, spreads and the verdicts on the paper's claims, from the file of results."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from paper import ACCURACY, BASELINE, BY_SHARE, TABLES, Condition, Table, percent

CONFIRMED, CONTRADICTED, NOT_SHOWN = "confirmed", "contradicted", "not shown"
SURE = 2.0  # standard errors
METHODS = ["nothing", "random", "cleanvision", "imagequality", "oracle"]


@dataclass(frozen=True)
class Estimate:
    """A mean with what is known of its spread.

    Parameters
    ----------
    mean : float
        Of the seeds.
    deviation : float
        Standard deviation between seeds (n − 1); NaN for one seed.
    seeds : int
        How many.
    error : float
        Standard error of the mean, from the deviation that all conditions of its kind have in
        common, see :class:`Accuracies`.
    """

    mean: float
    deviation: float
    seeds: int
    error: float


class Accuracies:
    """Test accuracies by condition, of one budget.

    Where no training image is left untouched, accuracy varies far more from seed to seed. So
    the conditions are of two kinds, and those with several seeds give each kind its common
    standard deviation.

    Parameters
    ----------
    runs : DataFrame
        The lines of the results file with one budget.

    Attributes
    ----------
    common_deviation : dict of bool to float
        Of the conditions where all images are flawed (True), and of the others (False); NaN
        where no condition has several seeds.
    """

    def __init__(self, runs: pd.DataFrame) -> None:
        runs = runs.drop_duplicates(["flaw", "level", "share", "cleaning", "seed"])
        self._groups: dict[tuple[Condition, str], NDArray[np.float64]] = {}
        for key, group in runs.groupby(["flaw", "level", "share", "cleaning"]):
            flaw, level, share, cleaning = cast(tuple[str, float, float, str], key)
            values = group["accuracy"].to_numpy(dtype=np.float64)
            self._groups[Condition(flaw, level, share), cleaning] = values
        self.common_deviation = {
            kind: _pooled_deviation(
                [values for (c, _), values in self._groups.items() if all_flawed(c) == kind]
            )
            for kind in (True, False)
        }

    def of(self, condition: Condition, cleaning: str = "") -> Estimate | None:
        """Return the accuracy in a condition, None where it was not run."""
        values = self._groups.get((condition, cleaning))
        if values is None:
            return None
        deviation = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        error = self.common_deviation[all_flawed(condition)] / math.sqrt(len(values))
        return Estimate(float(values.mean()), deviation, len(values), error)

    def drop(self, condition: Condition, cleaning: str = "") -> Estimate | None:
        """Return what a condition costs against the untouched images, in percentage points."""
        found, untouched = self.of(condition, cleaning), self.of(BASELINE)
        if found is None or untouched is None:
            return None
        return Estimate(
            100 * (untouched.mean - found.mean),
            100 * found.deviation,
            found.seeds,
            100 * math.hypot(found.error, untouched.error),
        )


def all_flawed(condition: Condition) -> bool:
    """Say whether a condition leaves no training image untouched."""
    return condition.share == 1


def _pooled_deviation(groups: Iterable[NDArray[np.float64]]) -> float:
    several = [values for values in groups if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    squares = sum(((values - values.mean()) ** 2).sum() for values in several)
    return math.sqrt(squares / freedom) if freedom else math.nan


def paper_drop(condition: Condition) -> float:
    """Return what a condition costs in the paper, in percentage points."""
    if condition.flaw in ("size_linear", "size_nearest"):  # the paper does not say which it is
        condition = condition._replace(flaw="size")
    return 100 * (ACCURACY[BASELINE] - ACCURACY[condition])


def table_rows(accuracies: Accuracies) -> pd.DataFrame:
    """Return every cell of the paper's tables, with ours where it was run.

    Returns
    -------
    cells : DataFrame
        ``table``, ``row``, ``column``, ``paper``, ``paper_drop``, ``ours``, ``deviation``,
        ``seeds`` and ``ours_drop``; accuracies in [0, 1], drops in percentage points.
    """
    lines = []
    for table in TABLES:
        for column in table.columns:
            for row, condition in zip(table.rows, column.conditions, strict=True):
                ours, drop = accuracies.of(condition), accuracies.drop(condition)
                lines.append(
                    {
                        "table": table.name,
                        "row": row,
                        "column": column.title,
                        "paper": ACCURACY[condition],
                        "paper_drop": paper_drop(condition),
                        "ours": ours.mean if ours else math.nan,
                        "deviation": ours.deviation if ours else math.nan,
                        "seeds": ours.seeds if ours else 0,
                        "ours_drop": drop.mean if drop else math.nan,
                    }
                )
    return pd.DataFrame(lines)


def table_of(name: str) -> Table:
    """Return one of the paper's tables by its name."""
    return next(table for table in TABLES if table.name == name)


# -------------------------------------------------------------------------- verdicts


@dataclass(frozen=True)
class Verdict:
    """A claim of the paper and what our runs say about it."""

    claim: str
    verdict: str
    because: str


def decide(value: float, bound: float, error: float) -> str:
    """Say whether a value is above a bound, by two standard errors; below is a contradiction."""
    if value - bound > SURE * error:
        return CONFIRMED
    if bound - value > SURE * error:
        return CONTRADICTED
    return NOT_SHOWN


def _worst(
    accuracies: Accuracies, conditions: Iterable[Condition]
) -> tuple[Condition, Estimate] | None:
    found = [(condition, accuracies.drop(condition)) for condition in conditions]
    known = [(condition, drop) for condition, drop in found if drop is not None]
    return max(known, key=lambda item: item[1].mean, default=None)


def name_of(condition: Condition) -> str:
    """Return a condition in words."""
    words = {
        "brightness": f"brightness × {condition.level:g}",
        "blur_average": f"average blur {condition.level:g}×{condition.level:g}",
        "blur_gaussian": f"Gaussian blur {condition.level:g}×{condition.level:g}",
        "blur_median": f"median blur {condition.level:g}×{condition.level:g}",
        "size": f"size {condition.level:g}×{condition.level:g}",
        "grayscale": "grayscale",
        "low_information": "low information",
        "exact_duplicates": "exact duplicates",
        "near_duplicates": f"near duplicates ({1 - condition.level:g}–{1 + condition.level:g})",
        "none": "untouched",
    }[condition.flaw]
    copies = condition.flaw.endswith("duplicates")
    return (
        words
        if condition.share in (0.0, 1.0) or copies
        else f"{words} in {percent(condition.share)}"
    )


def _stays_above(
    accuracies: Accuracies, claim: str, conditions: list[Condition], allowed: float
) -> Verdict:
    """Judge that no condition costs more than so many points."""
    worst = _worst(accuracies, conditions)
    if worst is None:
        return Verdict(claim, NOT_SHOWN, "not run")
    condition, drop = worst
    measured = [condition for condition in conditions if accuracies.drop(condition)]
    papers = max(paper_drop(condition) for condition in measured)
    which = (
        f"the worst of {len(measured)} is {name_of(condition)}:" if len(measured) > 1 else "it is"
    )
    return Verdict(
        claim,
        decide(allowed, drop.mean, drop.error),
        f"{which} {drop.mean:.1f} points below the untouched images, where the paper's sentence "
        f"allows {allowed:.1f} (the paper's own: {papers:.1f})",
    )


def _costs_more(
    accuracies: Accuracies, claim: str, more: list[Condition], less: list[Condition]
) -> Verdict:
    """Judge that the worst of some conditions costs more than the worst of others."""
    first, second = _worst(accuracies, more), _worst(accuracies, less)
    if first is None or second is None:
        return Verdict(claim, NOT_SHOWN, "not run")
    error = math.hypot(first[1].error, second[1].error)
    return Verdict(
        claim,
        decide(first[1].mean, second[1].mean, error),
        f"{name_of(first[0])} costs {first[1].mean:.1f} points (paper: "
        f"{paper_drop(first[0]):.1f}), {name_of(second[0])} {second[1].mean:.1f} (paper: "
        f"{paper_drop(second[0]):.1f})",
    )


def _conditions(flaw: str, levels: Iterable[float]) -> list[Condition]:
    return [Condition(flaw, level) for level in levels]


def _worst_kernel(accuracies: Accuracies, kernel: str) -> Verdict:
    """Judge that one kernel costs more than the others, on the mean over its sizes."""
    claim = f"The {kernel} kernel is the worst of the three, on the mean over the sizes"
    means: dict[str, tuple[float, float, float]] = {}
    for column in table_of("B-II").columns:
        drops = [accuracies.drop(condition) for condition in column.conditions]
        known = [drop for drop in drops if drop is not None]
        if len(known) < len(drops):
            return Verdict(claim, NOT_SHOWN, "not all sizes were run")
        means[column.title] = (
            float(np.mean([drop.mean for drop in known])),
            math.hypot(*(drop.error for drop in known)) / len(known),
            float(np.mean([paper_drop(condition) for condition in column.conditions])),
        )
    mean, error, _ = means[kernel]
    runner_up = max((values for name, values in means.items() if name != kernel))
    parts = [
        f"{name} {ours:.1f} (paper: {papers:.1f})" for name, (ours, _, papers) in means.items()
    ]
    return Verdict(
        claim,
        decide(mean, runner_up[0], math.hypot(error, runner_up[1])),
        f"points lost: {', '.join(parts)}",
    )


def claims_of_levels(accuracies: Accuracies) -> list[Verdict]:
    """Judge what section IV-A says about Tables B-I to B-IV."""
    above_82 = 100 * (ACCURACY[BASELINE] - 0.82)
    brightness = [condition for condition in ACCURACY if condition.flaw == "brightness"]
    brightness = [condition for condition in brightness if condition.share == 1]
    moderate = [condition for condition in brightness if 0.5 <= condition.level <= 2]
    sizes = [c for c in ACCURACY if c.flaw == "size" and c.share == 1]
    mild = [condition for condition in sizes if condition.level >= 17]
    blurs = [c for c in ACCURACY if c.flaw.startswith("blur") and c.share == 1]
    duplicates = [condition for condition in ACCURACY if condition.flaw.endswith("duplicates")]
    verdicts = [
        _stays_above(
            accuracies,
            "Robust to moderate brightness: above 82 % from × 0.5 to × 2.0 "
            "(at most 6.5 points below the untouched images)",
            moderate,
            above_82,
        ),
        _stays_above(
            accuracies,
            "Robust to moderate loss of resolution: above 82 % down to 17×17",
            mild,
            above_82,
        ),
        _stays_above(
            accuracies,
            "Duplicates cost little (the paper's all stay above 82 %)",
            duplicates,
            above_82,
        ),
        _stays_above(
            accuracies,
            "Grayscale costs little (the paper's stays above 82 %)",
            [Condition("grayscale")],
            above_82,
        ),
        _costs_more(
            accuracies,
            "Blur hurts more than any brightness and any loss of resolution",
            blurs,
            [*brightness, *sizes],
        ),
        _worst_kernel(accuracies, "average"),
    ]
    average_5 = Condition("blur_average", 5.0)
    drop = accuracies.drop(average_5)
    if drop:
        half = paper_drop(average_5) / 2
        verdicts.append(
            Verdict(
                "An average blur of only 5×5 makes accuracy plummet (taken as: at least half of "
                "the paper's fall)",
                decide(drop.mean, half, drop.error),
                f"it falls by {drop.mean:.1f} points, the paper's by {2 * half:.1f}",
            )
        )
    low = accuracies.of(Condition("low_information"))
    untouched = accuracies.of(BASELINE)
    if low and untouched:
        ratio = low.mean / untouched.mean
        verdicts.append(
            Verdict(
                "Catastrophic failure on images with low information (taken as: less than half "
                "of the untouched images' accuracy)",
                decide(untouched.mean / 2, low.mean, math.hypot(low.error, untouched.error / 2)),
                f"{low.mean:.3f}, {percent(ratio)} of the untouched images' accuracy (paper: "
                f"{ACCURACY[Condition('low_information')]:.3f}, "
                f"{percent(ACCURACY[Condition('low_information')] / ACCURACY[BASELINE])})",
            )
        )
    return verdicts


def claims_of_interpolations(accuracies: Accuracies) -> list[Verdict]:
    """Judge the claim about sizes for other ways to shrink and enlarge."""
    allowed = 100 * (ACCURACY[BASELINE] - 0.82)
    ways = {"size_linear": "OpenCV's default", "size_nearest": "squares"}
    return [
        _stays_above(
            accuracies,
            f"Robust to moderate loss of resolution down to 17×17, by {way}",
            [Condition(flaw, 17.0)],
            allowed,
        )
        for flaw, way in ways.items()
    ]


def claims_of_shares(accuracies: Accuracies) -> list[Verdict]:
    """Judge what section IV-A says about Tables B-V to B-VII."""
    allowed = 100 * (ACCURACY[BASELINE] - 0.80)
    at_24 = [Condition(flaw, level, 0.24) for flaw, level in BY_SHARE]
    verdicts = [
        _stays_above(
            accuracies,
            "Above 80 % (at most 8.5 points lost) while fewer than 25 % of the images are flawed",
            at_24,
            allowed,
        )
    ]
    steeper, measured, parts = 0, 0, []
    for flaw, level in BY_SHARE:
        quarter = accuracies.drop(Condition(flaw, level, 0.24))
        most = accuracies.drop(Condition(flaw, level, 0.75))
        if quarter is None or most is None:
            continue
        measured += 1
        before, after = quarter.mean / 24, (most.mean - quarter.mean) / 51
        steeper += after > before
        title = name_of(Condition(flaw, level))
        parts.append(f"{title} {before:.2f} → {after:.2f}")
    if measured:
        papers = sum(
            (values[8] - values[5]) / 51 < (values[5] - ACCURACY[BASELINE]) / 24
            for values in BY_SHARE.values()
        )
        verdict = NOT_SHOWN
        if steeper >= 0.75 * measured:
            verdict = CONFIRMED
        elif steeper <= 0.25 * measured:
            verdict = CONTRADICTED
        verdicts.append(
            Verdict(
                "Beyond 25 % accuracy declines rapidly (taken as: more points are lost per "
                "per cent of flawed images from 24 to 75 % than up to 24 %)",
                verdict,
                f"so in {steeper} of {measured} columns (in the paper's own figures in {papers} "
                f"of {len(BY_SHARE)}); points lost per per cent: {'; '.join(parts)}",
            )
        )
    return verdicts


def last_quarter(accuracies: Accuracies) -> str:
    """Say how much is lost at 75 % flawed images, and how much with the last quarter of them."""
    parts, late, late_in_paper = [], 0, 0
    for flaw, level in BY_SHARE:
        most, every = Condition(flaw, level, 0.75), Condition(flaw, level)
        first, second = accuracies.drop(most), accuracies.drop(every)
        if first is None or second is None:
            continue
        late += second.mean > 2 * first.mean
        late_in_paper += paper_drop(every) > 2 * paper_drop(most)
        parts.append(f"{name_of(every)} {first.mean:.1f} and {second.mean:.1f}")
    return (
        f"In {late} of {len(parts)} columns the last quarter, when no untouched image is left, "
        f"costs more than the first three (in the paper's figures in {late_in_paper}). Points lost "
        f"with 75 % and with all images flawed: {'; '.join(parts)}.\n"
    )


def oddities(accuracies: Accuracies) -> list[Verdict]:
    """Say which oddities of the paper's tables ours show too."""
    pairs = [
        (Condition("brightness", 1.5), Condition("brightness", 1.75)),
        *(
            (Condition("brightness", level, 0.75), Condition("brightness", level))
            for level in (3.0, 2.0, 0.25)
        ),
    ]
    found = []
    for worse, better in pairs:
        claim = (
            f"{name_of(worse)} is worse than {name_of(better)}"
            f"{' in all' if worse.share < 1 else ''}"
        )
        first, second = accuracies.of(worse), accuracies.of(better)
        if first is None or second is None:
            found.append(Verdict(claim, NOT_SHOWN, "not run"))
            continue
        error = math.hypot(first.error, second.error)
        found.append(
            Verdict(
                claim,
                decide(second.mean, first.mean, error),
                f"{first.mean:.3f} and {second.mean:.3f} (paper: {ACCURACY[worse]:.4f} and "
                f"{ACCURACY[better]:.4f})",
            )
        )
    return found


def gain(
    accuracies: Accuracies, share: float, better: str, worse: str
) -> tuple[float, float] | None:
    """Return how many points one way to clean gains over another, and the standard error."""
    condition = Condition("mixture", 0.0, share)
    first, second = accuracies.of(condition, better), accuracies.of(condition, worse)
    if first is None or second is None:
        return None
    return 100 * (first.mean - second.mean), 100 * math.hypot(first.error, second.error)


def claims_of_cleaning(accuracies: Accuracies, shares: Iterable[float]) -> list[Verdict]:
    """Judge what cleaning gives back."""
    ours_is_better = "The library's default serves the network better than CleanVision"
    questions = [
        ("Cleaning pays if it is perfect", "oracle", "nothing"),
        ("Cleaning by the library's default pays", "imagequality", "nothing"),
        ("Cleaning by CleanVision's fixed thresholds pays", "cleanvision", "nothing"),
        (ours_is_better, "imagequality", "cleanvision"),
    ]
    verdicts = []
    for share in shares:
        for claim, better, worse in questions:
            difference = gain(accuracies, share, better, worse)
            if difference is None:
                continue
            verdicts.append(
                Verdict(
                    f"{claim}, {percent(share)} flawed",
                    decide(difference[0], 0.0, difference[1]),
                    f"{difference[0]:+.1f} ± {difference[1]:.1f} points (standard error)",
                )
            )
    return verdicts


def mean_and_deviation(values: pd.Series) -> str:
    """Return ``mean ± deviation`` in three decimals, or a dash."""
    known = values.dropna().to_numpy(dtype=float)
    if not len(known):
        return "–"
    spread = f" ± {np.std(known, ddof=1):.3f}" if len(known) > 1 else ""
    return f"{known.mean():.3f}{spread}"
