"""The paper's network and the runner of the study in benchmarks/impact."""

from __future__ import annotations

import doctest
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

FOLDER = Path(__file__).parent.parent / "benchmarks" / "impact"
MODULES = ("cifake", "cleaning", "conditions", "network", "paper", "run", "study", "summary")

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the sources without benchmarks")


@pytest.fixture(scope="module")
def impact():
    """The modules of the study, which are scripts beside one another and no package."""
    former = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(FOLDER))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    finally:
        torch.set_num_threads(threads)
        sys.path.remove(str(FOLDER))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(former)


def random_images(n, seed=0, side=32):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


# --------------------------------------------------------------------- the network

# Table A-I of the paper: the shape behind each layer that it names, without the batch.
TABLE_A_I = [
    ("Conv2d", (32, 32, 32)),
    ("MaxPool2d", (16, 16, 32)),
    ("Conv2d", (16, 16, 64)),
    ("Conv2d", (16, 16, 64)),
    ("MaxPool2d", (8, 8, 64)),
    ("Flatten", (4096,)),
    ("Linear", (64,)),
    ("Dropout", (64,)),
    ("Linear", (32,)),
    ("Dropout", (32,)),
    ("Linear", (10,)),
]


def test_layers_and_shapes_are_those_of_the_paper(impact):
    values, found = torch.zeros(2, 3, 32, 32), []
    for layer in impact.network.paper_network():
        values = layer(values)
        if type(layer).__name__ != "ELU":
            shape = tuple(values.shape[1:])
            channels_last = (*shape[1:], shape[0]) if len(shape) == 3 else shape
            found.append((type(layer).__name__, channels_last))
    assert found == TABLE_A_I


def test_parameters_and_kernels_are_those_of_the_paper(impact):
    network = impact.network.paper_network()
    kernels = [layer.kernel_size for layer in network if isinstance(layer, torch.nn.Conv2d)]
    assert kernels == [(7, 7), (3, 3), (3, 3)]
    assert [layer.p for layer in network if isinstance(layer, torch.nn.Dropout)] == [0.5, 0.5]
    sizes = [(7 * 7 * 3, 32), (3 * 3 * 32, 64), (3 * 3 * 64, 64), (4096, 64), (64, 32), (32, 10)]
    expected = sum(inputs * outputs + outputs for inputs, outputs in sizes)
    assert sum(values.numel() for values in network.parameters()) == expected


def test_elu_behind_the_pooling_is_the_papers_elu_before_it(impact):
    torch.manual_seed(0)
    network = impact.network.paper_network().eval()
    weighted = [layer for layer in network if hasattr(layer, "weight")]
    functional = torch.nn.functional

    def as_in_the_paper(values):
        first, second, third, *dense = weighted
        values = functional.max_pool2d(functional.elu(first(values)), 2)
        values = functional.elu(second(values))
        values = functional.max_pool2d(functional.elu(third(values)), 2).flatten(1)
        for layer in dense[:-1]:
            values = functional.elu(layer(values))
        return dense[-1](values)

    images = torch.rand(3, 3, 32, 32)
    gradients = []
    for forward in (network, as_in_the_paper):
        network.zero_grad()
        logits = forward(images)
        logits.pow(2).sum().backward()
        gradients.append([logits, *(values.grad.clone() for values in network.parameters())])
    torch.testing.assert_close(*gradients)


def test_hidden_weights_begin_he_normal(impact):
    torch.manual_seed(0)
    layers = [layer for layer in impact.network.paper_network() if hasattr(layer, "weight")]
    for layer in layers[:-1]:
        deviation = np.sqrt(2 / layer.weight[0].numel())
        weights = layer.weight.detach()
        assert float(weights.std()) == pytest.approx(deviation, rel=0.1)
        assert float(weights.abs().max()) <= 2 * deviation / 0.8796 + 1e-6
    limit = np.sqrt(6 / (32 + 10))
    assert float(layers[-1].weight.detach().abs().max()) <= limit
    assert not any(layer.bias.any() for layer in layers)


def test_it_learns(impact):
    labels = np.arange(32) % 2
    images = random_images(32) // 4
    images[labels == 1] += 150
    training = impact.network.Training(12, 16, 0.003, "float32")
    cpu = torch.device("cpu")
    network = impact.network.train(images, labels, training, 0, cpu)
    assert (impact.network.predict(network, images, training, cpu) == labels).mean() > 0.9


def test_the_seed_decides(impact):
    training = impact.network.Training(1, 8, 0.003, "float32")
    data = (random_images(8), np.arange(8) % 2, training)
    first, again, other = (
        impact.network.train(*data, seed, torch.device("cpu"))[0].weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_too_few_images_for_a_batch_are_an_error(impact):
    training = impact.network.Training(1, 8, 0.001, "float32")
    with pytest.raises(ValueError, match="batch of 8"):
        impact.network.train(
            random_images(7), np.zeros(7, dtype=np.int64), training, 0, torch.device("cpu")
        )


# ------------------------------------------------------------- what is done to images


def test_class_is_in_the_name(impact):
    assert doctest.testmod(impact.cifake).failed == 0
    assert [impact.cifake.class_of(f"a/b (c)/3 ({k}).jpg") for k in range(2, 11)] == [*range(1, 10)]


@pytest.mark.parametrize(
    ("flaw", "level"),
    [("brightness", 0.5), ("blur_median", 5.0), ("size", 7.0), ("low_information", 0.0)],
)
def test_a_share_is_spoilt_and_a_larger_one_holds_it(impact, flaw, level):
    images, labels = random_images(40), np.arange(40)
    before = images.copy()
    changed = []
    for share in (0.1, 0.5, 1.0):
        spoilt, same = impact.conditions.spoil(images, labels, flaw, level, share, seed=3)
        changed.append({*np.flatnonzero((spoilt != images).any(axis=(1, 2, 3)))})
        assert len(changed[-1]) == round(share * 40)
        np.testing.assert_array_equal(same, labels)
    assert changed[0] < changed[1] < changed[2]
    np.testing.assert_array_equal(images, before)


def test_copies_bring_their_class_and_come_from_the_untouched(impact):
    images, labels = random_images(40), np.arange(40)
    copied, classes = impact.conditions.spoil(images, labels, "exact_duplicates", 0.0, 0.5, 0)
    np.testing.assert_array_equal(copied, images[classes])
    assert len(set(classes)) <= 20
    assert (classes == labels).sum() == 20
    near, near_classes = impact.conditions.spoil(images, labels, "near_duplicates", 0.5, 0.5, 0)
    np.testing.assert_array_equal(near_classes, classes)
    touched = near_classes != labels
    assert (near[touched] != copied[touched]).any(axis=(1, 2, 3)).all()


def test_mixture_is_what_its_files_hold(impact, tmp_path):
    images, labels = random_images(60), np.arange(60)
    paths = [f"original {k}" for k in range(60)]
    mixture = impact.conditions.mix(paths, images, labels, 0.5, 0, str(tmp_path))
    names, counts = np.unique(mixture.flaw_of[mixture.planted].astype(str), return_counts=True)
    assert sorted(names) == sorted(impact.study.FOUND)
    assert (counts == 5).all()
    for row in range(60):
        if not mixture.planted[row]:
            assert mixture.paths[row] == paths[row]
            np.testing.assert_array_equal(mixture.images[row], images[row])
            continue
        with Image.open(mixture.paths[row]) as file:
            if mixture.flaw_of[row] == "odd_size":
                assert file.size == (7, 7)
            else:
                np.testing.assert_array_equal(mixture.images[row], np.array(file))
    copies = np.flatnonzero(mixture.flaw_of == "near_duplicates")
    sources = mixture.source_of[copies]
    np.testing.assert_array_equal(mixture.labels[copies], labels[sources])
    assert not mixture.planted[sources].any()


@pytest.mark.parametrize("seed", range(5))
def test_removal_is_judged_as_by_hand(impact, tmp_path, seed):
    mixture = impact.conditions.mix(
        ["original"] * 60, random_images(60), np.arange(60), 0.4, seed, str(tmp_path)
    )
    removed = np.random.default_rng(seed).random(60) < 0.4
    hits, false_alarms, missed = 0, 0, 0
    for row in range(60):
        source = mixture.source_of[row]
        found = removed[row] or (source >= 0 and removed[source])
        instead_of_copy = [
            copy for copy in range(60) if mixture.source_of[copy] == row and not removed[copy]
        ]
        hits += bool(mixture.planted[row] and found)
        missed += bool(mixture.planted[row] and not found)
        false_alarms += bool(removed[row] and not mixture.planted[row] and not instead_of_copy)
    judged = impact.cleaning.judge(removed, mixture)
    assert judged.removal_precision == pytest.approx(hits / (hits + false_alarms))
    assert judged.removal_recall == pytest.approx(hits / (hits + missed))
    assert judged.removal_f1 == pytest.approx(2 * hits / (2 * hits + false_alarms + missed))


def test_oracle_and_random_remove_as_many_as_were_planted(impact, tmp_path):
    mixture = impact.conditions.mix(
        ["original"] * 60, random_images(60), np.arange(60), 0.4, 0, str(tmp_path)
    )
    oracle, chance, nothing = (
        impact.cleaning.METHODS[name](mixture, 0) for name in ("oracle", "random", "nothing")
    )
    assert impact.cleaning.judge(oracle, mixture).removal_f1 == 1
    assert chance.sum() == oracle.sum() == 24
    assert not nothing.any()


# ------------------------------------------------------------------------ the runner


@pytest.fixture
def study(tmp_path):
    """A data set, a configuration of four runs, and the arguments that run it."""
    for split, n in (("train", 40), ("test", 10)):
        folder = tmp_path / "cifake_fake" / split / "FAKE"
        folder.mkdir(parents=True)
        for k, image in enumerate(random_images(n)):
            name = f"{k}.png" if k % 10 == 0 else f"{k} ({k % 10 + 1}).png"
            Image.fromarray(image).save(folder / name)
    content = {
        "title": "tiny",
        "budget": {
            **{"images": 32, "steps": 2, "batch_size": 8},
            **{"learning_rate": 0.001, "precision": "float32"},
        },
        "grid": [
            {"flaw": "none", "shares": [0], "seeds": 1},
            {"flaw": "size", "levels": [4], "shares": [0.5], "seeds": 1},
            {"flaw": "size", "levels": [4], "shares": [0.5], "seeds": 2},
            {"flaw": "mixture", "shares": [0.4], "cleanings": ["oracle"], "seeds": 1},
        ],
    }
    path, out = tmp_path / "tiny.json", tmp_path / "runs.csv"
    path.write_text(json.dumps(content))
    arguments = [str(path), "--data", str(tmp_path), "--out", str(out)]
    return SimpleNamespace(path=path, out=out, arguments=arguments, content=content)


def test_configuration_holds_each_run_once_by_seed(impact, study):
    runs = impact.study.read_configuration(study.path).runs
    found = [(run.flaw, run.level, run.share, run.cleaning, run.seed) for run in runs]
    assert found == [
        ("none", 0.0, 0.0, "", 0),
        ("size", 4.0, 0.5, "", 0),
        ("mixture", 0.0, 0.4, "oracle", 0),
        ("size", 4.0, 0.5, "", 1),
    ]


def test_every_configuration_that_comes_with_the_study_can_be_read(impact):
    names = {table.configuration for table in impact.paper.TABLES} | {"cleaning"}
    files = sorted((FOLDER / "configurations").glob("*.json"))
    assert names <= {path.stem for path in files}
    configurations = [impact.study.read_configuration(path) for path in files]
    known = {*impact.conditions.FLAWS, *impact.conditions.COPIES, "none", "mixture"}
    assert {run.flaw for configuration in configurations for run in configuration.runs} <= known
    # What the tables of the page compare must be of one budget, and hold the untouched images.
    same = [configuration for configuration in configurations if configuration.name in names]
    assert len({configuration.budget for configuration in same}) == 1
    assert all("none" in {run.flaw for run in configuration.runs} for configuration in same)


def test_a_killed_study_goes_on_and_loses_only_the_run_it_was_at(impact, study, monkeypatch):
    perform, done = impact.run.perform, []

    def killed_at_the_third(run, *rest):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(run)
        return perform(run, *rest)

    monkeypatch.setattr(impact.run, "perform", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        impact.run.main(study.arguments)
    first = study.out.read_bytes()
    assert len(impact.study.Results(study.out).lines()) == 2

    again = []
    monkeypatch.setattr(
        impact.run, "perform", lambda run, *rest: again.append(run) or perform(run, *rest)
    )
    impact.run.main(study.arguments)
    wanted = impact.study.read_configuration(study.path).runs
    assert [*done, *again] == wanted
    assert study.out.read_bytes().startswith(first)

    finished = study.out.read_bytes()
    impact.run.main(study.arguments)
    assert len(again) == 2
    assert study.out.read_bytes() == finished

    lines = impact.study.Results(study.out).lines()
    oracle = next(line for line in lines if line["cleaning"] == "oracle")
    assert (oracle["removal_f1"], oracle["removed"], oracle["trained_on"]) == ("1", "13", "19")
    assert all(0 <= float(line["accuracy"]) <= 1 for line in lines)


def test_another_budget_is_another_run(impact, study):
    impact.run.main(study.arguments)
    study.content["budget"]["steps"] = 3
    study.path.write_text(json.dumps(study.content))
    impact.run.main(study.arguments)
    lines = impact.study.Results(study.out).lines()
    assert sorted(line["steps"] for line in lines) == ["2"] * 4 + ["3"] * 4


def test_a_line_that_was_cut_off_is_run_again(impact, study):
    impact.run.main(study.arguments)
    whole = study.out.read_text()
    study.out.write_text(whole[:-40])
    assert len(impact.study.Results(study.out).lines()) == 3
    impact.run.main(study.arguments)
    lines = impact.study.Results(study.out).lines()
    assert len(lines) == 4
    assert lines[-1]["accuracy"] == whole.splitlines()[-1].split(",")[11]


# ---------------------------------------------------------------------- the verdicts


def test_a_verdict_needs_two_standard_errors(impact):
    decide = impact.summary.decide
    found = [decide(value, 1.0, 0.5) for value in (2.1, 1.9, 1.0, 0.1, -0.1)]
    assert found == ["confirmed", "not shown", "not shown", "not shown", "contradicted"]


def test_the_papers_own_figures_bear_out_its_claims(impact):
    """As a check of the claims' wording: fed with the paper's tables, none is contradicted."""
    import pandas as pd

    runs = pd.DataFrame(
        [
            {**condition._asdict(), "cleaning": "", "seed": seed, "accuracy": value + shift}
            for condition, value in impact.paper.ACCURACY.items()
            for seed, shift in ((0, -1e-6), (1, 1e-6))
        ]
    )
    accuracies = impact.summary.Accuracies(runs)
    verdicts = [
        *impact.summary.claims_of_levels(accuracies),
        *impact.summary.claims_of_shares(accuracies),
        *impact.summary.oddities(accuracies),
    ]
    assert [v.claim for v in verdicts if v.verdict != "confirmed"] == []
    cells = impact.summary.table_rows(accuracies)
    np.testing.assert_allclose(cells["ours_drop"], cells["paper_drop"], atol=1e-9)
