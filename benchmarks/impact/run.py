"""Train the paper's network on flawed images and write down the test accuracy.

    python benchmarks/impact/run.py CONFIGURATION... --data DIR [--out FILE] [--threads N]

``CONFIGURATION`` is a file of ``benchmarks/impact/configurations/``, one for each table. ``DIR``
must hold ``cifake_fake/train/FAKE`` and ``cifake_fake/test/FAKE``. Needs ``imagequality[torch]``;
the comparison of cleaning also CleanVision. A GPU is used where there is one.

Each finished run is a line of FILE (default: ``docs/benchmarks/impact_runs.csv``); what is there
already, with the same budget, is not run again. So a command that was killed goes on when given
again and loses only the run it was at. Several processes can share the work with ``--part 1/2``
and ``--part 2/2``. ``benchmarks/impact/page.py`` makes tables and figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from cifake import load_split
from network import best_device, device_name
from paper import percent
from study import Results, Run, perform, read_configuration
from tqdm import tqdm

HERE = Path(__file__).parent
OUT = HERE.parent.parent / "docs" / "benchmarks" / "impact_runs.csv"


def describe(run: Run) -> str:
    """Return a run in words, for the progress bar."""
    level = f" {run.level:g}" if run.level else ""
    cleaning = f", cleaned by {run.cleaning}" if run.cleaning else ""
    return f"{run.flaw}{level} in {percent(run.share)}{cleaning}, seed {run.seed}"


def part_of(text: str) -> slice:
    """Return which runs ``"2/3"`` means: every third, from the second."""
    number, of = (int(part) for part in text.split("/"))
    if not 1 <= number <= of:
        raise ValueError(text)
    return slice(number - 1, None, of)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("configurations", type=Path, nargs="+", metavar="CONFIGURATION")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=OUT, help="file of the results")
    parser.add_argument("--threads", type=int, default=1, help="of the processor, default 1")
    parser.add_argument("--part", type=part_of, default="1/1", help="which of several processes")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    results = Results(options.out)
    configurations = [read_configuration(path) for path in options.configurations]
    for configuration in configurations:
        print(f"{configuration.title}: {len(configuration.runs)} runs")
    wanted = [
        (run, configuration.budget)
        for configuration in configurations
        for run in configuration.runs
    ]
    wanted.sort(key=lambda item: item[0].seed)
    wanted = wanted[options.part]
    missing = [item for item in wanted if not results.has(*item)]
    print(f"{len(wanted)} runs, {len(wanted) - len(missing)} of them done")
    if not missing:
        return
    device = best_device()
    print(f"on {device_name(device)}")
    folder = options.data / "cifake_fake"
    training_split = load_split(folder / "train" / "FAKE")
    test_split = load_split(folder / "test" / "FAKE")
    progress = tqdm(missing, unit="run")
    for run, budget in progress:
        progress.set_description(describe(run))
        if results.has(run, budget):  # by another process, in the meantime
            continue

        def show(step: int, steps: int = budget.steps) -> None:
            if step % 50 == 0:
                progress.set_postfix_str(f"step {step}/{steps}")

        result = perform(run, budget, training_split, test_split, device, show)
        results.add(run, budget, result)
        progress.write(f"{result['accuracy']:.4f}  {describe(run)}")


if __name__ == "__main__":
    main()
