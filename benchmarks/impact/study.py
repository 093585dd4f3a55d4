"""Which runs a configuration asks for, one run, and the file that keeps the results."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from cifake import Split
from cleaning import METHODS, credited, judge
from conditions import mix, spoil
from network import Training, device_name, predict, train

NOT_CLEANED = ""
MIXED = "mixture"


@dataclass(frozen=True)
class Budget:
    """What one run may cost.

    Parameters
    ----------
    images : int
        Training images, drawn by the run's seed.
    steps, batch_size, learning_rate, precision
        See :class:`network.Training`.
    """

    images: int
    steps: int
    batch_size: int
    learning_rate: float
    precision: str

    @property
    def training(self) -> Training:
        """The part that concerns the training."""
        return Training(self.steps, self.batch_size, self.learning_rate, self.precision)

    @property
    def key(self) -> str:
        """Ten hexadecimal digits that change with any part of the budget."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Run:
    """One training: a condition and a seed.

    Parameters
    ----------
    flaw : str
        As :func:`conditions.spoil` takes it, or ``"mixture"``.
    level : float
        Its strength; 0 where it has none.
    share : float
        Of the training images that have it.
    cleaning : str
        A key of :data:`cleaning.METHODS` for a mixture; empty elsewhere.
    seed : int
        Of the images drawn, the flaws planted, the weights and the training.
    """

    flaw: str
    level: float
    share: float
    cleaning: str
    seed: int


@dataclass(frozen=True)
class Configuration:
    """A file of the folder ``configurations``.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    title : str
        For people.
    budget : Budget
        Of each run.
    runs : list of Run
        Without repetitions, by seed: all conditions once before any of them a second time.
    """

    name: str
    title: str
    budget: Budget
    runs: list[Run]


def read_configuration(path: Path) -> Configuration:
    """Read what a JSON file asks for.

    ``budget`` holds the fields of :class:`Budget`. ``grid`` is a list of blocks, each of one
    ``flaw``; its ``levels`` (default: one, 0), ``shares`` (default: 1.0), ``cleanings``
    (default: none) and seeds 0 to ``seeds`` − 1 are combined in every way.

    Parameters
    ----------
    path : Path

    Returns
    -------
    configuration : Configuration
    """
    content = json.loads(path.read_text("utf-8"))
    runs = [run for block in content["grid"] for run in _runs_of(**block)]
    unique = sorted(dict.fromkeys(runs), key=lambda run: run.seed)
    return Configuration(path.stem, content["title"], Budget(**content["budget"]), unique)


def _runs_of(
    flaw: str,
    seeds: int,
    levels: Iterable[float] = (0.0,),
    shares: Iterable[float] = (1.0,),
    cleanings: Iterable[str] = (NOT_CLEANED,),
) -> list[Run]:
    return [
        Run(flaw, float(level), float(share), cleaning, seed)
        for seed in range(seeds)
        for cleaning in cleanings
        for share in shares
        for level in levels
    ]


# --------------------------------------------------------------------------- one run


def perform(
    run: Run,
    budget: Budget,
    training_split: Split,
    test_split: Split,
    device: torch.device,
    on_step: Callable[[int], None] = lambda step: None,
) -> dict[str, Any]:
    """Spoil, clean, train and test once.

    Parameters
    ----------
    run : Run
        What to do.
    budget : Budget
        What it may cost.
    training_split, test_split : Split
        All images; those of the test are left untouched.
    device : torch.device
        Where to train.
    on_step : callable, optional
        Called with the number of steps done.

    Returns
    -------
    result : dict
        The measured columns of the results file.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    rows = np.random.default_rng([run.seed, 0]).permutation(len(training_split.images))
    rows = np.sort(rows[: budget.images])
    images, labels = training_split.images[rows], training_split.labels[rows]
    found: dict[str, Any] = {}
    if run.flaw == MIXED:
        with tempfile.TemporaryDirectory() as folder:
            paths = [training_split.paths[row] for row in rows]
            mixture = mix(paths, images, labels, run.share, run.seed, folder)
            removed = METHODS[run.cleaning](mixture, run.seed)
        images, labels = mixture.images[~removed], mixture.labels[~removed]
        found = {"removed": int(removed.sum()), **dataclasses.asdict(judge(removed, mixture))}
        for flaw in sorted(set(mixture.flaw_of[mixture.planted])):
            rows_of_flaw = mixture.flaw_of == flaw
            found[f"found_{flaw}"] = float(credited(removed, mixture)[rows_of_flaw].mean())
    else:
        images, labels = spoil(images, labels, run.flaw, run.level, run.share, run.seed)
    network = train(images, labels, budget.training, run.seed, device, on_step)
    classes = predict(network, test_split.images, budget.training, device)
    return {
        "accuracy": float((classes == test_split.labels).mean()),
        "trained_on": len(images),
        **found,
        "wall_seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "device": device_name(device),
    }


# ------------------------------------------------------------------------ the results

FOUND = ["light", "dark", "blurry", "low_information", "odd_size", "near_duplicates"]
COLUMNS = [
    "key",
    *(field.name for field in dataclasses.fields(Budget)),
    *(field.name for field in dataclasses.fields(Run)),
    "accuracy",
    "trained_on",
    *("removed", "removal_precision", "removal_recall", "removal_f1"),
    *(f"found_{flaw}" for flaw in FOUND),
    "wall_seconds",
    "cpu_seconds",
    "device",
]


class Results:
    """A CSV file with one line per finished run, to which several processes may add.

    Parameters
    ----------
    path : Path
        Made with the first run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, run: Run, budget: Budget) -> bool:
        """Say whether a run with this budget is in the file by now."""
        wanted = _identity(run, budget)
        return any(all(line[name] == wanted[name] for name in wanted) for line in self.lines())

    def add(self, run: Run, budget: Budget, result: dict[str, Any]) -> None:
        """Append one line, in one write, so that no half of it is ever in the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        values = {**dataclasses.asdict(budget), **_identity(run, budget), **result}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        with open(self.path, "a+b") as file:
            end = file.seek(0, os.SEEK_END)
            if end == 0:
                writer.writerow(COLUMNS)
            elif not _ends_a_line(file, end):  # a process was killed while it wrote
                text.write("\n")
            writer.writerow([_as_text(values.get(name, "")) for name in COLUMNS])
            file.write(text.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> list[dict[str, str]]:
        """Return the lines as texts by column; a line that was cut off is left out."""
        if not self.path.exists():
            return []
        text = self.path.read_text("utf-8")
        whole = text[: text.rfind("\n") + 1]
        lines = csv.DictReader(io.StringIO(whole))
        return [line for line in lines if None not in line.values() and None not in line]


def _ends_a_line(file: BinaryIO, end: int) -> bool:
    file.seek(end - 1)
    return file.read(1) == b"\n"


def _identity(run: Run, budget: Budget) -> dict[str, str]:
    fields = {"key": budget.key, **dataclasses.asdict(run)}
    return {name: _as_text(value) for name, value in fields.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)
