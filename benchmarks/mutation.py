"""Mutation testing: how many small changes of the code the tests notice.

    python benchmarks/mutation.py [--sample 20] [--only PATTERN] [--out FILE.md]
                                  [--children 2] [--results FILE.json]

One operator, comparison, number, word, argument's default or statement is changed at a time, in
imagequality/thresholds/ and imagequality/detectors/_base.py, constants of modules and classes
included, and the tests that concern the file are run until one fails. What none notices is a
survivor. Of each file ``--sample`` mutants are drawn (0: all), always the same ones for the same
code.

No file is written: everything is imported once; each mutant lives in a forked process, where the
mutated functions and constants take the place of the real ones (Linux and macOS only).

With ``--results``, what was killed in an earlier run is not run again.

Survivors that change nothing that could be seen are explained in ``mutation_equivalents.json``
beside this script, by file and by the line as it was and as it became.
"""

from __future__ import annotations

import argparse
import ast
import copy
import fnmatch
import importlib
import inspect
import json
import os
import platform
import random
import resource
import signal
import sys
import types
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from _markdown import markdown

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENTS = Path(__file__).with_name("mutation_equivalents.json")
NOTICED = ("killed", "timeout")
CPU_SECONDS = 60  # of one mutant; beyond it, it hangs
HISTOGRAM = ("tests/thresholds/test_threshold_histogram.py",)
RULES = ("tests/thresholds/test_threshold_rules.py",)
COMPOSED = ("tests/thresholds/test_threshold_composed.py",)
EVERY_SELECTOR = (
    "tests/test_common.py",
    "tests/test_fuzz_thresholds.py",
    "tests/thresholds/test_threshold_properties.py",
)
# Of each file: what its tests in EVERY_SELECTOR are called after, and the files of its own tests.
TESTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "thresholds/_auto.py": ("AutoThreshold", ("tests/thresholds/test_threshold_auto.py",)),
    "thresholds/_base.py": ("FixedThreshold", (*RULES, *COMPOSED)),
    "thresholds/_composed.py": ("GatedThreshold", (*RULES, *COMPOSED)),
    "thresholds/_entropy.py": ("MaxEntropyThreshold", HISTOGRAM),
    "thresholds/_function.py": ("FunctionThreshold", COMPOSED),
    "thresholds/_gamma.py": (
        "GammaMixtureThreshold",
        ("tests/thresholds/test_threshold_gamma.py",),
    ),
    "thresholds/_gated.py": ("GatedThreshold", COMPOSED),
    "thresholds/_ght.py": ("GeneralizedHistogramThreshold", HISTOGRAM),
    "thresholds/_histogram.py": ("OtsuThreshold", (*RULES, *HISTOGRAM)),
    "thresholds/_iqr.py": ("IQRThreshold", RULES),
    "thresholds/_li.py": ("LiThreshold", ("tests/thresholds/test_threshold_li.py",)),
    "thresholds/_met.py": ("MinimumErrorThreshold", HISTOGRAM),
    "thresholds/_modes.py": ("AutoThreshold", ("tests/thresholds/test_threshold_auto.py",)),
    "thresholds/_mve.py": ("ModifiedValleyEmphasisThreshold", HISTOGRAM),
    "thresholds/_otsu.py": ("OtsuThreshold", HISTOGRAM),
    "thresholds/_quantile.py": ("QuantileThreshold", RULES),
    "thresholds/_scaling.py": ("IQRThreshold", RULES),
    "thresholds/_supervised.py": ("SupervisedThreshold", COMPOSED),
    "detectors/_base.py": (
        "DarkDetector()",
        (
            "tests/detectors/test_detector_tables.py",
            *COMPOSED,
        ),
    ),
}


class Mutant(NamedTuple):
    """One change of the code, and what became of it."""

    file: str
    line: int
    before: str
    after: str
    verdict: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=20, help="mutants of each file; 0: all")
    parser.add_argument("--only", default="*", help="files whose path matches this pattern")
    parser.add_argument("--children", type=int, default=1, help="mutants tested at a time")
    parser.add_argument("--results", type=Path, help="JSON file that keeps the verdicts")
    parser.add_argument("--out", type=Path, help="file to write to, beside the terminal")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    os.environ.pop("IMAGEQUALITY_FUZZ", None)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    totals: dict[str, int] = {}
    mutants: list[Mutant] = []
    known: dict[str, str] = {}
    if arguments.results and arguments.results.exists():
        known = json.loads(arguments.results.read_text())
    files = [file for file in TESTS if fnmatch.fnmatch(file, arguments.only)]
    for file in files:
        warm_up(file)
        changes = list(changes_of((ROOT / "imagequality" / file).read_text()))
        totals[file] = len(changes)
        chosen = sampled(changes, arguments.sample)
        # What was noticed once is not tested again; what survived may meet better tests.
        open_ones = [change for change in chosen if known.get(key_of(file, change)) not in NOTICED]
        if open_ones and verdict_of(start(file, None)) != "survived":
            raise SystemExit(f"the tests of {file} fail without any change")
        for change, verdict in zip(
            open_ones, verdicts(file, open_ones, arguments.children), strict=True
        ):
            known[key_of(file, change)] = verdict
            print(file, *change[1:], verdict, sep=" | ", file=sys.stderr, flush=True)
        if arguments.results:
            arguments.results.write_text(json.dumps(known, indent=1))
        mutants += [Mutant(file, *change[1:], known[key_of(file, change)]) for change in chosen]
    text = page(totals, mutants, arguments.sample)
    print(text)
    if arguments.out:
        arguments.out.write_text(text)


# ----------------------------------------------------------------------------------- changes


class Change(NamedTuple):
    """A mutated module, and the line changed."""

    tree: ast.Module
    line: int
    before: str
    after: str


COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    "min": "max",
    "minimum": "maximum",
    "argmin": "argmax",
    "any": "all",
    "floor": "ceil",
    "zeros_like": "ones_like",
}
NAMES |= {new: old for old, new in NAMES.items()}


def changes_of(source: str) -> Iterator[Change]:
    """Yield every change of a module, in the order of its lines."""
    tree = ast.parse(source)
    for position, node in enumerate(mutable_nodes(tree)):
        for number, _ in enumerate(variants(node)):
            mutated = copy.deepcopy(tree)
            target = list(mutable_nodes(mutated))[position]
            new = variants(target)[number]
            if isinstance(node, ast.stmt):
                before, after = ast.unparse(node), ast.unparse(new)
                replace(mutated, target, new)
            else:
                before = statement_of(tree, node)
                replace(mutated, target, new)
                after = statement_of(mutated, new)
            ast.fix_missing_locations(mutated)
            yield Change(mutated, node.lineno, shown(before), shown(after))


def mutable_nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield what can be changed: no annotation, no decorator, no text of a message."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue  # a docstring
            if isinstance(child, (ast.expr, ast.stmt)) and variants(child):
                yield child
            yield from mutable_nodes(child)


def variants(node: ast.expr | ast.stmt) -> list[Any]:
    """Return what can take the place of a node."""
    if isinstance(node, ast.Compare):
        return [with_operator(node, k) for k in range(len(node.ops))]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return [ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)]
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [ast.BoolOp(other, node.values)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.Invert)):
        return [node.operand]
    if isinstance(node, ast.Constant):
        return [ast.Constant(value) for value in other_values(node.value)]
    if isinstance(node, ast.Name) and node.id in NAMES:
        return [ast.Name(NAMES[node.id], node.ctx)]
    if isinstance(node, ast.Attribute) and node.attr in NAMES and not is_self(node.value):
        return [ast.Attribute(node.value, NAMES[node.attr], node.ctx)]
    if isinstance(node, (ast.Raise, ast.Break, ast.Continue, ast.Delete)):
        return [ast.Pass()]
    if isinstance(node, ast.AugAssign):
        return [ast.Pass()]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript)):
        return [ast.Pass()]
    return []


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def with_operator(node: ast.Compare, k: int) -> ast.Compare:
    operators = list(node.ops)
    operators[k] = COMPARISONS[type(operators[k])]()
    return ast.Compare(node.left, operators, node.comparators)


def other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, float):
        return [value * 2 if value else 1.0]
    if isinstance(value, str) and value.isidentifier():
        return [f"{value}_"]
    return []  # other text is words of a message


def replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list):
                for k, item in enumerate(value):
                    if item is old:
                        value[k] = new


def statement_of(tree: ast.AST, node: ast.AST) -> str:
    """Return the innermost statement (of a compound one, its head) that holds a node."""
    found = ""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and any(inner is node for inner in ast.walk(statement)):
            found = ast.unparse(statement)
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.If, ast.For, ast.While)):
                found = next(
                    line for line in found.splitlines() if not line.strip().startswith("@")
                )
    return found


def shown(text: str) -> str:
    return " ".join(text.split())


def key_of(file: str, change: Change) -> str:
    return f"{file}:{change.line}: {change.before} -> {change.after}"


def sampled(changes: list[Change], size: int) -> list[Change]:
    """Draw some changes, always the same; 0 draws all."""
    if not size or len(changes) <= size:
        return changes
    drawn = random.Random(0).sample(range(len(changes)), size)
    return [changes[k] for k in sorted(drawn)]


# ------------------------------------------------------------------------------------- tests


class Selection:
    """Keeps the tests of one file: its own, and those called after its class."""

    def __init__(self, file: str) -> None:
        self.name, self.own = TESTS[file]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if item.nodeid.startswith(self.own)
            or self.name in item.nodeid.partition("[")[2]
            or f"[{self.name}" in item.nodeid
        ]


def run_tests(file: str, *options: str) -> int:
    """Run the file's own tests, and if none fails those of every selector that concern it."""
    for tests in (TESTS[file][1], EVERY_SELECTOR):
        arguments = [*tests, "-q", "-x", "-p", "no:cacheprovider", *options]
        if failed := int(pytest.main(arguments, plugins=[Selection(file)])):
            return failed
    return 0


def warm_up(file: str) -> None:
    """Import what the tests import, so that no forked process has to."""
    importlib.import_module(module_name(file))
    with Silence():
        run_tests(file, "--collect-only")


class Silence:
    """Send what is printed nowhere, by children too."""

    def __enter__(self) -> None:
        sys.stdout.flush()
        self.saved = os.dup(1), os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)

    def __exit__(self, *_: Any) -> None:
        sys.stdout.flush()
        os.dup2(self.saved[0], 1)
        os.dup2(self.saved[1], 2)


def module_name(file: str) -> str:
    return "imagequality." + file.removesuffix(".py").replace("/", ".")


def verdicts(file: str, changes: Sequence[Change], children: int) -> Iterator[str]:
    """Yield what becomes of each change, some tested at a time."""
    running: deque[int] = deque()
    for change in changes:
        if len(running) == children:
            yield verdict_of(running.popleft())
        running.append(start(file, change.tree))
    for child in running:
        yield verdict_of(child)


def start(file: str, tree: ast.Module | None) -> int:
    """Run the tests of a file on a mutant, in a forked process, whose number is returned."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        code = 1  # a mutant that cannot even be imported is noticed
        with Silence():
            try:
                if tree is not None:
                    install(sys.modules[module_name(file)], tree)
                code = run_tests(file)
            finally:
                os._exit(code)
    return child


def verdict_of(child: int) -> str:
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL) else "killed"
    return "killed" if os.WEXITSTATUS(status) else "survived"


def install(module: types.ModuleType, tree: ast.Module) -> None:
    """Put the functions and constants of a mutated module in the place of the real ones."""
    scratch = types.ModuleType(module.__name__)
    scratch.__package__ = module.__package__
    exec(compile(tree, module.__file__ or "", "exec"), vars(scratch))
    for name, new in vars(scratch).items():
        old = vars(module).get(name)
        if name.startswith("__"):
            continue
        if isinstance(new, types.FunctionType) and new.__module__ == module.__name__:
            install_function(old, new)
        elif isinstance(new, type) and new.__module__ == module.__name__:
            install_class(old, new)
        elif not isinstance(new, (type, types.ModuleType)) and not callable(new):
            for other in list(sys.modules.values()):
                if other.__name__.startswith("imagequality") and vars(other).get(name) is old:
                    setattr(other, name, new)


def install_function(old: Any, new: Any) -> None:
    old.__code__ = new.__code__
    old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__


def install_class(old: Any, new: type) -> None:
    for name, value in vars(new).items():
        present = vars(old).get(name)
        if isinstance(value, types.FunctionType) and isinstance(present, types.FunctionType):
            install_function(present, value)
        elif isinstance(value, property) and value.fget:
            install_function(present.fget, value.fget)  # type: ignore[union-attr]
        elif isinstance(value, (staticmethod, classmethod)):
            install_function(present.__func__, value.__func__)  # type: ignore[union-attr]
        elif not (name.startswith("__") or callable(value) or inspect.isdatadescriptor(value)):
            setattr(old, name, value)


# -------------------------------------------------------------------------------------- page


def explanation(mutant: Mutant, known: Sequence[dict[str, str]]) -> str:
    """Say why a survivor changes nothing that matters; empty if nobody knows."""
    for entry in known:
        if mutant[:1] + mutant[2:4] == (entry["file"], entry["before"], entry["after"]):
            return entry["why"]
    return ""


def page(totals: dict[str, int], mutants: Sequence[Mutant], sample: int) -> str:
    known = json.loads(EQUIVALENTS.read_text())
    columns = ("killed", "timeout", "survived")
    rows, explained, open_ones = [], [], []
    overall: Counter[str] = Counter()
    for file, total in sorted(totals.items()):
        verdicts = Counter(mutant.verdict for mutant in mutants if mutant.file == file)
        overall += verdicts
        counts = [str(verdicts[column]) for column in columns]
        rows.append([f"`{file}`", str(total), str(verdicts.total()), *counts])
    counts = [str(overall[column]) for column in columns]
    rows.append(["all", str(sum(totals.values())), str(overall.total()), *counts])
    for mutant in mutants:
        if mutant.verdict != "survived":
            continue
        why = explanation(mutant, known)
        line = [
            f"`{mutant.file}`, line {mutant.line}",
            f"`{escaped(mutant.before)}`",
            f"`{escaped(mutant.after)}`",
        ]
        if why:
            explained.append([*line, why])
        else:
            open_ones.append(line)
    drawn = f"{sample} of each file, drawn at random" if sample else "all"
    biased = (
        " Where mutants drawn here survived at first, tests were added, so the share killed among "
        "those not drawn is lower."
        if sample
        else ""
    )
    parts = [
        "# Mutation testing\n",
        f"Printed by `benchmarks/mutation.py`, Python {platform.python_version()}. Mutants run: "
        f"{drawn}.{biased} A mutant is the code with one operator, comparison, "
        "number, default, word or statement changed; it is killed if a test of the file's own "
        f"fails, and timed out after {CPU_SECONDS} s of CPU time, which is noticed too.\n",
        markdown(["file", "mutants", "run", *columns], rows),
        "## Survivors that change nothing\n",
        markdown(["where", "was", "became", "why no test can tell"], explained)
        if explained
        else "None.\n",
        "## Survivors that a better test would kill\n",
        markdown(["where", "was", "became"], open_ones) if open_ones else "None.\n",
    ]
    return "\n".join(parts)


def escaped(line: str) -> str:
    return line.replace("|", "\\|").replace("`", "'")


if __name__ == "__main__":
    main()
