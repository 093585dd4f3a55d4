"""The impact study: what it trains and tests on, the losses, the thresholds, the picture."""

from __future__ import annotations

import math
from itertools import pairwise

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    train_test_split,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks

import imagequality as iq
from imagequality import ImpactStudy, perturbations
from imagequality.impact import DEFAULT_LEVELS, DescriptorEmbedder
from imagequality.impact._flaws import FLAWS
from imagequality.impact._limits import Step, limit_of
from imagequality.impact._splits import copy_pairs, make_splits, stratified_order
from imagequality.impact._summary import paired_effect
from imagequality.impact._trials import with_seed


def mean_colours(images):
    return np.array([image.mean(axis=(0, 1)) for image in images])


def flat_pixels(images):
    return np.asarray(images).reshape(len(images), -1) / 255.0


COLOURS = FunctionTransformer(mean_colours)
PIXELS = FunctionTransformer(flat_pixels)


def unchanged(image, level):
    return image


def dimmed(image, level):
    return perturbations.adjust_brightness(image, level)


@pytest.fixture(scope="module")
def coloured():
    """60 noisy images of 12 pixels, in two classes that differ by a little colour; and y."""
    y = np.repeat(["grass", "water"], 30)
    images = np.random.default_rng(0).integers(0, 200, (60, 12, 12, 3), dtype=np.uint8)
    images[y == "grass", ..., 1] += 25
    images[y == "water", ..., 2] += 25
    return images, y


@pytest.fixture(scope="module")
def photographs():
    """90 crops of photographs, with fine lines that lie, stand or are missing; and which."""
    images, _ = iq.datasets.make_flawed_images(90, contamination=0, size=32, random_state=0)
    y = np.arange(90) % 3
    line = 60 * (np.arange(32) // 2 % 2)
    lying = np.broadcast_to(line[:, np.newaxis, np.newaxis], (32, 32, 3))
    lines = [0 * lying, lying, lying.swapaxes(0, 1)]
    made = [np.minimum(image // 2 + lines[label], 255) for image, label in zip(images, y)]  # noqa: B905
    return np.stack(made).astype(np.uint8), y


def study_of(*arguments, **parameters):
    return ImpactStudy(*arguments, **{"progress": False, "random_state": 0, **parameters})


# ------------------------------------------------------------------- what is trained on

FLAW_MARK = 255


def numbered(n):
    """Images that say which one they are, and have no flaw."""
    images = np.zeros((n, 2, 2, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(n)
    return images


def mark(image, level):
    image[0, 0, 1] = FLAW_MARK
    return image


class Diary(ClassifierMixin, BaseEstimator):
    """Notes what it is trained on and asked about; it predicts nothing sensible."""

    entries: list = []  # noqa: RUF012

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Diary.entries.append(("fit", X[:, 0, 0, 0], X[:, 0, 0, 1] == FLAW_MARK, y))
        return self

    def predict(self, X):
        Diary.entries.append(("predict", X[:, 0, 0, 0], X[:, 0, 0, 1] == FLAW_MARK, None))
        return np.full(len(X), self.classes_[0])


@pytest.fixture(autouse=True)
def _new_diary():
    Diary.entries = []


def trials_of(n, y, **parameters):
    """Return (trained, spoilt, labels, tested, spoilt) of each training in the diary."""
    study = study_of(Diary(), {"mark": mark}, {"mark": [1]}, detectors={}, **parameters)
    study.fit(numbered(n), y)
    fits = [entry for entry in Diary.entries if entry[0] == "fit"]
    asked = [entry for entry in Diary.entries if entry[0] == "predict"]
    return study, fits, asked


FORTY = np.repeat(["a", "b", "c"], [20, 12, 8])
SHARES = [0.1, 0.25, 0.5, 1.0]


def test_shares_of_training_images_are_spoilt_nested_and_stratified():
    n = len(FORTY)
    study, fits, asked = trials_of(n, FORTY, contamination=SHARES, cv=4)
    results = study.results_
    assert len(results) == 4 * len(SHARES)
    # Per fold: as given, then without the spoilt ones (three shares leave some); then spoilt.
    as_given, conditions = fits[: 4 * 4], fits[4 * 4 :]
    for fold, (train, test) in enumerate(StratifiedKFold(4).split(FORTY, FORTY)):
        of_fold = as_given[4 * fold : 4 * fold + 4]
        assert of_fold[0][1].tolist() == train.tolist()
        before: set = set()
        for number, share in enumerate(SHARES):
            _, rows, spoilt, labels = conditions[4 * number + fold]
            assert rows.tolist() == train.tolist()
            assert labels.tolist() == FORTY[train].tolist()
            assert spoilt.sum() == round(share * len(train))
            now = set(rows[spoilt].tolist())
            assert before <= now
            before = now
            for label in "abc":
                expected = share * (FORTY[train] == label).sum()
                assert abs((FORTY[sorted(now)] == label).sum() - expected) < 2
            if share < 1:  # the same without them
                kept = of_fold[1 + number][1]
                assert sorted(kept.tolist()) == sorted(set(train.tolist()) - now)
        tested = [entry for entry in asked if set(entry[1].tolist()) == set(test.tolist())]
        assert len(tested) == 4 + len(SHARES)
        assert not any(entry[2].any() for entry in tested)


def test_where_test_trains_once_and_spoils_test_images_only():
    _, fits, asked = trials_of(40, FORTY, contamination=SHARES, cv=4, where="test")
    assert len(fits) == 4
    assert not any(spoilt.any() for _, _, spoilt, _ in fits)
    before: set = set()
    for number, share in enumerate(SHARES):
        _, rows, spoilt, _ = asked[4 + 4 * number]
        assert spoilt.sum() == round(share * 10)
        assert before <= set(rows[spoilt].tolist())
        before = set(rows[spoilt].tolist())


def test_where_both_spoils_both():
    study, fits, asked = trials_of(40, FORTY, contamination=0.5, cv=4, where="both")
    assert [spoilt.sum() for _, _, spoilt, _ in fits[4:]] == [15] * 4
    assert [spoilt.sum() for _, _, spoilt, _ in asked[4:]] == [5] * 4
    assert study.results_["cleaned"].isna().all()
    assert "cleaning" not in study.summary()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_copies_take_the_place_of_others_of_their_class(share):
    study = study_of(Diary(), ["exact_duplicates"], contamination=share, cv=4)
    study.fit(numbered(40), FORTY)
    fits = [entry for entry in Diary.entries if entry[0] == "fit"][-4:]
    for (train, _), (_, rows, _, labels) in zip(
        StratifiedKFold(4).split(FORTY, FORTY), fits, strict=True
    ):
        assert labels.tolist() == FORTY[train].tolist() == FORTY[rows].tolist()
        pairs = sum((FORTY[train] == label).sum() // 2 for label in "abc")
        copied = rows[rows != train]
        assert len(copied) == round(share * pairs)
        # Each copy is of another image that is still there.
        assert len(set(copied.tolist())) == len(copied)
        assert set(rows.tolist()) == set(train.tolist()) - set(train[rows != train].tolist())


def test_near_duplicates_are_not_identical(photographs):
    images, y = photographs
    seen = []

    def note(images):
        seen.append([image.tobytes() for image in images])
        return mean_colours(images)

    model = make_pipeline(FunctionTransformer(note), KNeighborsClassifier(1))
    study_of(model, ["exact_duplicates", "near_duplicates"], {"near_duplicates": [0.3]}, cv=3).fit(
        images, y
    )
    known = {image.tobytes() for image in images}
    trained = [batch for batch in seen if len(batch) == 60]
    exact, near = trained[3:6], trained[6:9]
    for batch in exact:
        assert set(batch) <= known
        assert len(set(batch)) == 30
    for batch in near:
        assert len(set(batch)) == 60
        assert len(set(batch) - known) == 30


@given(
    y=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_stratified_order(y, seed):
    y = np.array(y)
    order = stratified_order(y, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(y)))
    n_classes = len(set(y.tolist()))
    for k in range(len(y) + 1):
        for label in set(y.tolist()):
            expected = k * (y == label).mean()
            assert abs((y[order[:k]] == label).sum() - expected) < 1 + n_classes


@given(
    y=st.lists(st.integers(0, 3), min_size=2, max_size=60),
    seed=st.integers(0, 2**32 - 1),
)
def test_copy_pairs(y, seed):
    y = np.array(y)
    sources, copies = copy_pairs(y, np.random.default_rng(seed))
    assert (y[sources] == y[copies]).all()
    assert len(set(sources) | set(copies)) == 2 * len(sources)
    assert len(sources) == sum((y == label).sum() // 2 for label in set(y.tolist()))


# ------------------------------------------------------------------------- brute force


def losses_by_brute_force(model, images, y, flaw, level, cv, where):
    """Plain loops: of each fold, the accuracy as given minus that with all images spoilt."""
    losses = []
    for train, test in cv.split(images, y):
        scores = []
        for spoils_train, spoils_test in (
            (False, False),
            (where in ("train", "both"), where in ("test", "both")),
        ):
            X_train, X_test = [], []
            for i in train:
                X_train.append(flaw(images[i], level) if spoils_train else images[i])
            for i in test:
                X_test.append(flaw(images[i], level) if spoils_test else images[i])
            fitted = clone(model).fit(np.stack(X_train), y[train])
            predicted = fitted.predict(np.stack(X_test))
            hits = 0
            for i, label in zip(test, predicted, strict=True):
                hits += y[i] == label
            scores.append(hits / len(test))
        losses.append(scores[0] - scores[1])
    return losses


@pytest.mark.parametrize("apart", [False, True], ids=["pipeline", "embedder"])
@pytest.mark.parametrize("where", ["train", "test", "both"])
def test_losses_are_those_of_plain_loops(coloured, where, apart):
    images, y = coloured
    classifier = LogisticRegression()
    model = make_pipeline(PIXELS, classifier)
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    study = study_of(
        classifier if apart else model,
        {"dimmed": dimmed, "grayscale": "grayscale"},
        {"dimmed": [0.5, 0.1]},
        embedder=PIXELS if apart else None,
        where=where,
        cv=cv,
    ).fit(images, y)
    results = study.results_
    for name, flaw, level in [
        ("dimmed", dimmed, 0.5),
        ("dimmed", dimmed, 0.1),
        ("grayscale", lambda image, level: perturbations.to_grayscale(image), 1),
    ]:
        found = results[(results["perturbation"] == name) & (results["level"] == level)]
        expected = losses_by_brute_force(model, images, y, flaw, level, cv, where)
        assert found["loss"].tolist() == expected
        assert found["fold"].tolist() == [0, 1, 2]
    assert (results["baseline"] - results["score"] == results["loss"]).all()


@pytest.mark.parametrize("where", ["train", "test"])
def test_a_classifier_of_colour_needs_colour_and_no_edges(coloured, where):
    images, y = coloured
    study = study_of(
        LogisticRegression(), ["grayscale", "blurry"], embedder=COLOURS, where=where
    ).fit(images, y)
    assert study.baseline_scores_.mean() > 0.9
    summary = study.summary()
    grey = summary[summary["perturbation"] == "grayscale"].iloc[0]
    blurred = summary[summary["perturbation"] == "blurry"]
    assert grey["loss"] > 0.25
    assert grey["verdict"] == "costs"
    assert (blurred["loss"].abs() < 0.1).all()
    assert summary["perturbation"].iloc[0] == "grayscale"


# --------------------------------------------------------------------------- invariants

# Trees that choose features at random: two of them differ unless they have one seed.
FICKLE = DecisionTreeClassifier(splitter="random", max_features=1)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    where=st.sampled_from(["train", "test", "both"]),
)
def test_no_flaw_costs_nothing(coloured, seed, share, where):
    images, y = coloured
    study = study_of(
        FICKLE,
        {"nothing": unchanged},
        {"nothing": ["once", "twice"]},
        embedder=PIXELS,
        contamination=share,
        where=where,
        cv=3,
        random_state=seed,
    ).fit(images, y)
    assert (study.results_["loss"] == 0).all()
    assert (study.summary()["verdict"] == "no difference").all()


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_no_share_costs_nothing(coloured, seed):
    images, y = coloured
    study = study_of(
        FICKLE, ["grayscale"], embedder=PIXELS, contamination=0, cv=3, random_state=seed
    ).fit(images, y)
    assert (study.results_["loss"] == 0).all()
    assert study.results_["cleaned"].isna().all()


def by_condition(study):
    return study.results_.set_index(["perturbation", "step", "contamination", "fold"]).sort_index()


def test_results_do_not_depend_on_what_else_is_studied_nor_on_workers(coloured):
    images, y = coloured
    names = ["noisy", "dark", "near_duplicates"]
    levels = {"noisy": [30, 60], "dark": [0.1]}
    common = {"levels": levels, "embedder": PIXELS, "contamination": [0.5, 1], "cv": 3}
    whole = by_condition(study_of(FICKLE, names, **common).fit(images, y))
    turned = by_condition(study_of(FICKLE, names[::-1], **common).fit(images, y))
    with parallel_config("threading", n_jobs=2):
        parallel = by_condition(study_of(FICKLE, names, **common).fit(images, y))
    pd.testing.assert_frame_equal(whole, turned)
    pd.testing.assert_frame_equal(whole, parallel)
    alone = study_of(FICKLE, ["noisy"], **{**common, "levels": {"noisy": [30, 60]}})
    pd.testing.assert_frame_equal(whole.loc[["noisy"]], by_condition(alone.fit(images, y)))


def test_random_state(coloured):
    images, y = coloured
    study = study_of(FICKLE, ["noisy"], {"noisy": [60]}, embedder=PIXELS, contamination=0.5, cv=3)
    once, again = (clone(study).fit(images, y).results_ for _ in range(2))
    other = clone(study).set_params(random_state=1).fit(images, y).results_
    generator = np.random.default_rng(0)
    study.set_params(random_state=generator).fit(images, y)
    pd.testing.assert_frame_equal(once, again)
    assert not once["score"].equals(other["score"])


def test_only_missing_random_states_are_set():
    model = make_pipeline(DecisionTreeClassifier(random_state=5))
    assert with_seed(clone(model), 0).get_params()["decisiontreeclassifier__random_state"] == 5
    model = with_seed(make_pipeline(DecisionTreeClassifier()), 0)
    assert isinstance(model.get_params()["decisiontreeclassifier__random_state"], int)


def test_input_is_left_alone_and_any_form_gives_the_same(coloured, tmp_path):
    images, y = coloured
    before = images.copy()
    paths = iq.datasets.save_images(images, tmp_path)
    study = study_of(LogisticRegression(), ["dark", "noisy"], embedder=COLOURS, cv=3)
    from_array = clone(study).fit(images, y)
    from_list = clone(study).fit(list(images), y.tolist())
    from_paths = clone(study).fit(pd.Series(paths), pd.Series(y))
    assert (images == before).all()
    pd.testing.assert_frame_equal(from_array.results_, from_list.results_)
    pd.testing.assert_frame_equal(from_array.results_, from_paths.results_)
    assert from_paths.classes_.tolist() == ["grass", "water"]


def test_images_of_several_sizes_come_as_a_list():
    images = [np.full((8 + i, 9, 3), 20 * i, dtype=np.uint8) for i in range(10)]
    y = np.arange(10) % 2
    kinds = set()

    def note(images):
        kinds.add(type(images))
        return mean_colours(images)

    model = make_pipeline(FunctionTransformer(note), KNeighborsClassifier(1))
    study_of(model, ["dark"], cv=2, detectors={}).fit(images, y)
    assert kinds == {list}
    kinds.clear()
    strip = {"strip": lambda image, level: perturbations.crop_to_strip(image, level)}
    study_of(model, strip, {"strip": [0.3]}, cv=2, contamination=0.5).fit(images[:1] * 10, y)
    assert kinds == {list, np.ndarray}  # spoilt images of another size among the others


def test_embedders_may_give_frames_and_sparse_matrices(coloured):
    images, y = coloured
    plain = study_of(KNeighborsClassifier(3), ["dark"], embedder=COLOURS, cv=3).fit(images, y)
    made = FunctionTransformer(lambda images: sparse.coo_matrix(mean_colours(images)))
    thin = study_of(KNeighborsClassifier(3), ["dark"], embedder=made, cv=3).fit(images, y)
    assert plain.results_["score"].tolist() == thin.results_["score"].tolist()
    measurer = iq.Measurer(["intensity", "entropy"], progress=False)
    columns = FunctionTransformer(lambda table: table[["intensity", "entropy"]])
    model = make_pipeline(columns, LogisticRegression())
    study = study_of(model, ["dark"], embedder=measurer, cv=3).fit(images, y)
    assert study.results_["score"].notna().all()


def test_embedder_runs_once_for_each_image_and_level(coloured):
    images, y = coloured
    seen = []

    def note(images):
        seen.append(len(images))
        return mean_colours(images)

    study_of(
        LogisticRegression(),
        ["dark"],
        embedder=FunctionTransformer(note),
        contamination=[0.2, 0.5, 1.0],
        cv=4,
    ).fit(images, y)
    assert seen == [60] * (1 + len(DEFAULT_LEVELS["dark"]))


def test_default_model_and_default_flaws(photographs):
    images, y = photographs
    study = study_of(levels={"dark": [0.5]}, cv=3, where="test").fit(images, y)
    studied = list(dict.fromkeys(study.results_["perturbation"]))
    assert studied == [
        *("dark", "light", "blurry", "low_resolution", "low_information"),
        *("noisy", "compressed", "grayscale"),
    ]
    assert study.baseline_scores_.mean() > 0.5
    assert set(study.scores_) == set(studied)


def test_levels_stay_as_they_were_given(coloured):
    images, y = coloured
    study = study_of(
        LogisticRegression(), ["dark", "noisy"], {"noisy": [3, 9]}, embedder=COLOURS, cv=2
    ).fit(images, y)
    for table in (study.results_, study.summary()):
        found = table.loc[table["perturbation"] == "noisy", "level"]
        assert sorted(set(found)) == [3, 9]
        assert {type(level) for level in found} == {int}
        assert (table.loc[table["perturbation"] == "noisy", "step"] == found / 3).sum() > 0


@pytest.mark.parametrize("name", [name for name, flaw in FLAWS.items() if flaw.issue])
def test_the_detector_of_a_flaw_sees_it(clean, name):
    y = np.arange(len(clean)) % 2
    model = KNeighborsClassifier(1)
    study = study_of(model, [name], embedder=COLOURS, cv=2, where="test").fit(clean, y)
    medians = study.scores_[name].median().tolist()
    assert all(mild >= strong for mild, strong in pairwise(medians))
    assert medians[-1] < 0.5 * medians[0]


# ------------------------------------------------------------------------------ summary


def test_summary_is_that_of_the_folds(coloured):
    images, y = coloured
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    study = study_of(
        LogisticRegression(),
        ["dark", "noisy"],
        {"dark": [0.9, 0.05]},
        embedder=COLOURS,
        contamination=[0.3, 0.6],
        cv=cv,
    ).fit(images, y)
    summary = study.summary()
    assert study.n_splits_ == 6
    assert len(summary) == 2 * (2 + len(DEFAULT_LEVELS["noisy"]))
    assert (summary["folds"] == 6).all()
    assert all(one >= other for one, other in pairwise(summary["loss"]))
    results = study.results_
    for row in summary.to_dict("records"):
        own = results[
            (results["perturbation"] == row["perturbation"])
            & (results["level"] == row["level"])
            & (results["contamination"] == row["contamination"])
        ]
        losses = own["loss"].tolist()
        mean = math.fsum(losses) / 6
        variance = math.fsum((loss - mean) ** 2 for loss in losses) / 5
        error = math.sqrt(variance * (1 / 6 + 20 / 40))
        assert row["loss"] == pytest.approx(mean)
        assert row["std_error"] == pytest.approx(error)
        gains = (own["cleaned"] - own["score"]).tolist()
        assert row["cleaning_gain"] == pytest.approx(math.fsum(gains) / 6)
        # 2.5706 is Student's t of 5 degrees of freedom at 97.5 %, from a printed table.
        if mean == error == 0:
            assert row["verdict"] == "no difference"
        else:
            told = abs(mean) > 2.5706 * error
            assert row["verdict"] == (("costs" if mean > 0 else "helps") if told else "unclear")


def test_cleaning_pays_where_spoilt_images_mislead(coloured):
    images, y = coloured

    def swapped(image, level):
        return image[:, :, [0, 2, 1]]

    study = study_of(
        KNeighborsClassifier(1),
        {"swapped": swapped},
        {"swapped": [1]},
        embedder=COLOURS,
        contamination=[0.4, 1.0],
    ).fit(images, y)
    summary = study.summary().set_index("contamination")
    assert summary.loc[0.4, "cleaning"] == "pays"
    assert summary.loc[1.0, "cleaning"] == ""
    assert np.isnan(summary.loc[1.0, "cleaning_gain"])


@given(st.lists(st.floats(-1, 1) | st.just(math.nan), max_size=8), st.floats(0.1, 1))
def test_paired_effect(differences, ratio):
    effect = paired_effect(np.array(differences), ratio)
    known = [value for value in differences if not math.isnan(value)]
    assert effect.n == len(known)
    if not known:
        assert math.isnan(effect.mean)
        assert effect.sign is None
        return
    assert effect.mean == pytest.approx(math.fsum(known) / len(known), abs=1e-12)
    if len(known) == 1:
        assert math.isnan(effect.std_error)
        assert effect.sign in (None, 0)
    opposite = paired_effect(-np.array(differences), ratio)
    assert opposite.sign == (None if effect.sign is None else -effect.sign)


# --------------------------------------------------------------------------- thresholds

levels_of_a_flaw = st.lists(
    st.tuples(st.floats(-0.2, 1), st.floats(0, 0.99)), min_size=1, max_size=6
)


@given(levels_of_a_flaw, st.floats(0, 0.5))
def test_limit_lies_where_the_loss_passes(pairs, max_loss):
    steps = [Step(number, loss, score) for number, (loss, score) in enumerate(pairs)]
    limit = limit_of(1.0, steps, max_loss)
    dear = [step for step in steps if step.loss > max_loss]
    if not dear:
        assert math.isnan(limit.score)
        assert limit.exceeds is None
        assert limit.note == "no level costs that much"
        return
    first = dear[0]
    before = Step(None, 0.0, 1.0) if first.level == 0 else steps[first.level - 1]
    assert (limit.bears, limit.exceeds) == (before.level, first.level)
    low, high = sorted([before.score, first.score])
    assert low - 1e-12 <= limit.score <= high + 1e-12
    # The loss at that score, on the line from one level to the next, is what is allowed.
    if first.score != before.score:
        part = (limit.score - before.score) / (first.score - before.score)
        loss = before.loss + part * (first.loss - before.loss)
        gap = abs(first.loss - before.loss) / abs(first.score - before.score)
        assert loss == pytest.approx(max_loss, abs=1e-9 * max(1, gap))


@given(levels_of_a_flaw, st.floats(0, 0.5), st.floats(0, 0.5))
def test_who_bears_more_flags_less_where_levels_get_worse(pairs, one, other):
    losses = sorted(loss for loss, _ in pairs)
    scores = sorted((score for _, score in pairs), reverse=True)
    steps = [
        Step(number, loss, score)
        for number, (loss, score) in enumerate(zip(losses, scores, strict=True))
    ]
    strict, lenient = (limit_of(1.0, steps, loss).score for loss in sorted([one, other]))
    assert math.isnan(lenient) or lenient <= strict + 1e-12


def test_limits_without_losses_or_scores_or_sight():
    nothing = math.nan
    steps = [Step(1, nothing, 0.5), Step(2, 0.5, nothing), Step(3, 0.0, 0.8), Step(4, 0.1, 0.4)]
    limit = limit_of(1.0, steps, 0.05)
    assert limit.score == pytest.approx(0.6)
    assert (limit.bears, limit.exceeds) == (3, 4)
    blind = limit_of(0.5, [Step(1, 0.5, 0.5)], 0.05)
    assert math.isnan(blind.score)
    assert blind.exceeds == 1
    assert "does not see" in blind.note


def test_thresholds_go_into_detectors_and_the_pipeline(photographs):
    images, y = photographs
    study = study_of(levels={"blurry": [3, 5, 9]}, perturbations=["blurry", "grayscale", "dark"],
                     where="test", cv=3).fit(images, y)  # fmt: skip
    table = study.thresholds(max_loss=0.1)
    assert table.index.tolist() == ["blurry", "grayscale", "dark"]
    threshold = table.loc["blurry", "threshold"]
    scores = study.scores_["blurry"]
    worst = scores[table.loc["blurry", "exceeds"]].median()
    assert worst <= threshold <= scores["as given"].median()
    assert table.loc["blurry", "flagged_as_given"] == (scores["as given"] < threshold).mean()
    # It is the detector's own score: what it flags of spoilt images is what lies below.
    detector = iq.BlurDetector(threshold=threshold).fit(images)
    spoilt = [perturbations.blur(image, "average", 9) for image in images]
    assert detector.predict(images).mean() == table.loc["blurry", "flagged_as_given"]
    assert detector.predict(spoilt).mean() >= 0.5
    fixed = iq.BlurDetector(threshold=iq.FixedThreshold(threshold)).fit(images)
    assert fixed.threshold_ == detector.threshold_ == threshold
    found = table["threshold"].dropna()
    pipeline = iq.QualityPipeline(progress=False).set_params(
        **{f"{table.loc[name, 'issue']}__threshold": value for name, value in found.items()}
    )
    report = pipeline.fit(images).report()
    of_pipeline = report.summary.set_index("issue").loc["blurry", "threshold"]
    assert of_pipeline == threshold
    assert "no threshold" in table.loc["grayscale", "note"] or (
        table.loc["grayscale", "note"] == "no level costs that much"
    )
    nothing = study.thresholds(max_loss=1.0)
    assert nothing["threshold"].isna().all()
    assert (nothing["note"] == "no level costs that much").all()
    assert nothing["flagged_as_given"].isna().all()


def test_thresholds_of_a_share_and_of_own_detectors(coloured):
    images, y = coloured
    study = study_of(
        LogisticRegression(),
        {"dim": "dark", "fog": dimmed, "blurry": dimmed},
        {"dim": [0.5, 0.05], "fog": [0.05], "blurry": [0.5]},
        embedder=PIXELS,
        detectors={"fog": iq.DarkDetector(method="fastdup")},
        contamination=[0.2, 1.0],
        cv=3,
    ).fit(images, y)
    assert list(study.scores_) == ["dim", "blurry", "fog"]
    assert isinstance(study.detectors_["blurry"], iq.BlurDetector)  # by its name
    assert study.detectors_["fog"].method == "fastdup"
    for share in (0.2, 1.0):
        own = study.results_[study.results_["contamination"] == share]
        loss = own[own["perturbation"] == "fog"]["loss"].mean()
        row = study.thresholds(0.0, contamination=share).loc["fog"]
        assert (row["exceeds"] == 0.05) == (loss > 0)
    largest = study.thresholds(0.1)
    pd.testing.assert_frame_equal(largest, study.thresholds(0.1, contamination=1.0))
    with pytest.raises(ValueError, match=r"contamination must be one of \[0.2, 1.0\]"):
        study.thresholds(contamination=0.5)
    with pytest.raises(ValueError, match="max_loss"):
        study.thresholds(-0.1)


# ------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"perturbations": ["fog"]}, ValueError, "'fog'; known are dark, light"),
        ({"perturbations": []}, ValueError, "at least one flaw"),
        ({"perturbations": ["dark", "dark"]}, ValueError, "each flaw once"),
        ({"perturbations": [3]}, ValueError, "by a str"),
        ({"perturbations": {"fog": 3}}, TypeError, "'fog'"),
        ({"perturbations": {3: "dark"}}, TypeError, "names of type str"),
        ({"perturbations": "dark"}, (TypeError, ValueError), "perturbations"),
        ({"perturbations": {"fog": dimmed}}, ValueError, "levels must have a list for 'fog'"),
        ({"levels": {"fog": [1]}}, ValueError, "'fog', which are not among"),
        ({"levels": {"dark": []}}, ValueError, "at least one level"),
        ({"levels": {"dark": 0.5}}, TypeError, r"levels\['dark'\] must be a list"),
        ({"levels": {"dark": [0.5, 0.5]}}, ValueError, "each level once"),
        ({"levels": {"dark": [None]}}, ValueError, "None or NaN"),
        ({"levels": {"dark": [[1], [2]]}}, TypeError, "numbers or text"),
        ({"levels": ["dark"]}, ValueError, "levels"),
        ({"levels": {"dark": [-1]}}, ValueError, "'dark' at level -1 fails on image 0"),
        ({"contamination": 1.5}, ValueError, "contamination"),
        ({"contamination": []}, ValueError, "at least one share"),
        ({"contamination": [0.5, 0.5]}, ValueError, "each share once"),
        ({"contamination": [0.5, 2]}, ValueError, "between 0 and 1"),
        ({"contamination": ["all"]}, TypeError, "numbers"),
        ({"where": "production"}, ValueError, "where"),
        ({"scoring": "accuracies"}, ValueError, "scoring"),
        ({"estimator": 3}, ValueError, "estimator"),
        ({"embedder": 3}, ValueError, "embedder"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"detectors": {"fog": iq.DarkDetector()}}, ValueError, "'fog', which is not among"),
        ({"detectors": {"dark": 0.5}}, TypeError, "must be an IssueDetector"),
        ({"cv": 31}, ValueError, "class 'grass' has 30"),
        ({"cv": [(np.arange(30), np.arange(30, 60))]}, ValueError, "images of one class only"),
        ({"cv": [(np.arange(60), [])]}, ValueError, "is empty"),
        ({"cv": []}, ValueError, "no fold"),
        (
            {"perturbations": ["dark", "exact_duplicates"], "where": "test"},
            ValueError,
            "flaw of training sets",
        ),
        (
            {"perturbations": {"fog": lambda image, level: image / 255}, "levels": {"fog": [1]}},
            ValueError,
            "'fog' at level 1 must return an RGB uint8 array .* got float64 .* for image 0",
        ),
        (
            {"perturbations": {"fog": lambda image, level: None}, "levels": {"fog": [1]}},
            ValueError,
            "got NoneType",
        ),
        ({"embedder": FunctionTransformer(lambda images: np.zeros(3))}, ValueError, "got 3 for 60"),
        (
            {"embedder": FunctionTransformer(lambda X: np.ones((60, 1 + (X.mean() < 50))))},
            ValueError,
            "rows of one length",
        ),
        (
            {"embedder": make_pipeline(PIXELS, KNeighborsClassifier())},
            ValueError,
            "embedder",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, (dict, str)) else "",
)
def test_bad_parameters_are_named(coloured, parameters, error, message):
    defaults = {
        "estimator": LogisticRegression(),
        "perturbations": ["dark"],
        "embedder": COLOURS,
        "cv": 2,
    }
    with pytest.raises(error, match=message):
        study_of(**{**defaults, **parameters}).fit(*coloured)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["grass"] * 60, "at least two classes"),
        (["grass", "water"], "inconsistent numbers of samples"),
        ([None] + ["water"] * 59, "missing values"),
        (np.linspace(0, 1, 60), "Unknown label type"),
        (np.zeros((60, 2)), "1d array"),
        (["grass"] * 58 + ["water"] * 2, "class 'water' has 2"),
    ],
    ids=["none", "one class", "length", "missing", "continuous", "2-D", "rare"],
)
def test_bad_y(coloured, y, message):
    with pytest.raises(ValueError, match=message):
        study_of(LogisticRegression(), ["dark"], embedder=COLOURS).fit(coloured[0], y)


def test_unreadable_images_are_named(coloured):
    images = [*coloured[0][:8], b"no image", "missing.jpg"]
    with pytest.raises(ValueError, match=r"2 image\(s\) that cannot be read: .*missing.jpg"):
        study_of(perturbations=["dark"], cv=2).fit(images, [0, 1] * 5)
    many = [b"no image"] * 9
    with pytest.raises(ValueError, match="and 4 more"):
        study_of(perturbations=["dark"], cv=2).fit(many, [0, 1, 0] * 3)


def test_unfitted():
    with pytest.raises(NotFittedError):
        ImpactStudy().summary()
    with pytest.raises(NotFittedError):
        ImpactStudy().thresholds()


class NeedsVariety(ClassifierMixin, BaseEstimator):
    """Fails on constant features, as some estimators do."""

    def fit(self, X, y):
        if np.ptp(X) == 0:
            raise ValueError("all features are constant")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_failures_on_spoilt_images(coloured):
    images, y = coloured
    study = study_of(
        NeedsVariety(), ["dark"], {"dark": [0.5, 0.0]}, embedder=COLOURS, cv=3, n_jobs=None
    )
    with pytest.warns(FitFailedWarning, match=r"3 trials have no score.*\n.*features are constant"):
        study.fit(images, y)
    summary = study.summary().set_index("level")
    assert summary.loc[0.0, "verdict"] == "failed"
    assert summary.loc[0.0, "folds"] == 0
    assert np.isnan(summary.loc[0.0, "loss"])
    assert summary.index.tolist() == [0.5, 0.0]  # what has no score comes last
    assert summary.loc[0.5, "folds"] == 3
    with pytest.warns(FitFailedWarning):
        clone(study).set_params(error_score=0.0).fit(images, y)
    with pytest.raises(ValueError, match="features are constant"):
        clone(study).set_params(error_score="raise").fit(images, y)


def test_failures_on_images_as_given_are_errors(coloured):
    images, y = coloured
    black = np.zeros_like(images)
    with pytest.raises(ValueError, match=r"as they are given, in fold 0: ValueError: all features"):
        study_of(NeedsVariety(), ["light"], embedder=COLOURS, cv=3).fit(black, y)
    with pytest.raises(ValueError, match="score on the images as they are given is nan"):
        study_of(
            LogisticRegression(), ["light"], embedder=COLOURS, scoring=lambda *_: math.nan
        ).fit(images, y)


def test_scores_that_are_not_finite_are_told(coloured):
    images, y = coloured

    def scorer(model, X, y):
        return math.nan if X.mean() < 20 else 1.0

    study = study_of(
        LogisticRegression(), ["dark"], {"dark": [0.05]}, embedder=COLOURS, where="test",
        scoring=scorer,
    )  # fmt: skip
    with pytest.warns(FitFailedWarning, match="the score is nan"):
        study.fit(images, y)
    assert study.results_["loss"].isna().all()


def test_groups_stay_together(coloured):
    images, y = coloured
    groups = np.arange(60) // 2
    study = study_of(LogisticRegression(), ["dark"], embedder=COLOURS, cv=GroupKFold(3))
    study.fit(images, y, groups)
    expected = [len(test) for _, test in GroupKFold(3).split(images, y, groups)]
    assert study.results_["n_test"].tolist()[:3] == expected
    with pytest.raises(ValueError, match="groups"):
        study.fit(images, y)


# -------------------------------------------------------------------------- scikit-learn

IMAGE_FREE = [
    name
    for name in (
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
    )
    if hasattr(estimator_checks, name)
]


@pytest.mark.parametrize("check", IMAGE_FREE)
@pytest.mark.parametrize("estimator", [ImpactStudy(), DescriptorEmbedder()], ids=repr)
def test_scikit_learn_check(estimator, check):
    getattr(estimator_checks, check)(type(estimator).__name__, estimator)


def test_fit_stores_parameters_as_they_are(coloured):
    model = make_pipeline(PIXELS, LogisticRegression())
    study = study_of(model, ["dark"], {"dark": [0.5]}, cv=2).set_params(
        estimator__logisticregression__C=0.5
    )
    before = study.get_params()
    assert study.fit(*coloured) is study
    assert study.get_params() == before
    assert not hasattr(model, "classes_")


def test_descriptor_embedder(photographs):
    images = photographs[0][:5]
    vectors = DescriptorEmbedder().fit(images).transform(images)
    expected = [iq.measurements.descriptor(image) for image in images]
    assert (vectors == np.stack(expected)).all()
    assert DescriptorEmbedder().transform([]).shape == (0, vectors.shape[1])
    with pytest.raises(iq.UnreadableImageError, match="position 1"):
        DescriptorEmbedder().transform([images[0], b"no image"])


def test_splits_do_not_depend_on_each_other():
    y = np.arange(20) % 2
    halves = [train_test_split(np.arange(20), random_state=seed) for seed in (0, 1)]
    both = make_splits(halves, y, 0)
    alone = make_splits(halves[:1], y, 0)
    assert both[0].train_order.tolist() == alone[0].train_order.tolist()
    assert both[0].seed == alone[0].seed


# --------------------------------------------------------------------------- the picture


@pytest.fixture(scope="module")
def swept(coloured):
    """A study of three flaws, of one, two and four levels, at two shares."""
    return study_of(
        LogisticRegression(),
        ["dark", "grayscale", "noisy"],
        {"dark": [0.5, 0.05]},
        embedder=COLOURS,
        contamination=[0.5, 1.0],
        cv=3,
    ).fit(*coloured)


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot

    yield pyplot
    pyplot.close("all")


def test_display_shows_the_summary(swept, plt):
    from imagequality.plots import ImpactDisplay

    display = ImpactDisplay.from_study(swept, max_loss=0.1)
    summary = swept.summary()
    dearest = summary.groupby("perturbation")["loss"].max().sort_values(ascending=False)
    assert list(display.axes_) == dearest.index.tolist()
    for name, lines in display.lines_.items():
        own = summary[summary["perturbation"] == name]
        for line, share in zip(lines, [0.5, 1.0], strict=True):
            expected = own[own["contamination"] == share].sort_values("step")["loss"].tolist()
            assert line.get_ydata().tolist() == [0.0, *expected]
    labels = [text.get_text() for text in display.axes_["dark"].get_xticklabels()]
    assert labels == ["none", "0.5", "0.05"]
    assert [text.get_text() for text in display.axes_["grayscale"].get_xticklabels()][1] == "yes"
    assert "accuracy" in next(iter(display.axes_.values())).get_ylabel()
    assert "loss of 0.1" in [text.get_text() for text in display.legend_.get_texts()]
    limits = {panel.get_ylim() for panel in display.axes_.values()}
    assert len(limits) == 1  # one scale
    (low, high) = limits.pop()
    assert low < min(0, summary["loss"].min())
    assert high > max(0.1, summary["loss"].max())


def test_display_against_shares(swept, plt):
    from imagequality.plots import ImpactDisplay

    display = ImpactDisplay.from_summary(swept.summary(), against="contamination")
    labels = [text.get_text() for text in display.axes_["noisy"].get_xticklabels()]
    assert labels == ["0", "50 %", "100 %"]
    assert len(display.lines_["noisy"]) == 4
    assert len(display.lines_["grayscale"]) == 1
    one_level = swept.summary().query("step == 1")
    chosen = ImpactDisplay.from_summary(one_level)  # by itself, where there is one level
    assert chosen.lines_["dark"][0].get_xdata().tolist() == [0, 1, 2]


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("size", [(14, 6), (6, 8)])
def test_words_are_apart(swept, plt, style, size):
    from imagequality.plots import ImpactDisplay

    with plt.style.context(style):
        figure, axes = plt.subplots(figsize=size)
        display = ImpactDisplay.from_study(swept, ax=axes, n_columns=2, max_loss=0.1)
        figure.draw_without_rendering()
        own = ImpactDisplay.from_study(swept)
        own.figure_.draw_without_rendering()
    for one in (display, own):
        words = list(one.legend_.get_texts())
        for panel in one.axes_.values():
            words += [panel._left_title, panel.xaxis.label, panel.yaxis.label]
            words += panel.get_xticklabels()
        boxes = {
            text: text.get_window_extent().extents for text in words if text.get_text().strip()
        }
        clashes = [
            (first.get_text(), second.get_text())
            for first in boxes
            for second in boxes
            if first is not second and naive.overlap(boxes[first], boxes[second])
        ]
        assert clashes == []
        bounds = one.figure_.bbox.extents
        for box in boxes.values():
            assert box[0] >= bounds[0]
            assert box[1] >= bounds[1]
            assert box[2] <= bounds[2]
            assert box[3] <= bounds[3]


def test_display_of_what_failed_and_of_one_fold(plt):
    from imagequality.plots import ImpactDisplay

    summary = pd.DataFrame(
        {
            "perturbation": ["fog", "very_long_name_of_a_perturbation_that_someone_made"],
            "level": ["thin$", 1],
            "step": 1,
            "contamination": 1.0,
            "loss": [math.nan, 0.2],
            "std_error": math.nan,
            "folds": [0, 1],
            "verdict": ["failed", "unclear"],
        }
    )
    display = ImpactDisplay.from_summary(summary)
    display.figure_.draw_without_rendering()
    assert list(display.axes_)[-1] == "fog"
    assert [text.get_text() for text in display.axes_["fog"].texts] == ["no score"]


def test_display_refuses(swept, plt):
    from imagequality.plots import ImpactDisplay

    summary = swept.summary()
    with pytest.raises(ValueError, match="lacks 'std_error'"):
        ImpactDisplay.from_summary(summary.drop(columns="std_error"))
    with pytest.raises(ValueError, match="no rows"):
        ImpactDisplay.from_summary(summary[:0])
    with pytest.raises(ValueError, match="against"):
        ImpactDisplay.from_summary(summary, against="fold")
    with pytest.raises(ValueError, match="n_columns"):
        ImpactDisplay.from_summary(summary, n_columns=0)
    with pytest.raises(NotFittedError):
        ImpactDisplay.from_study(ImpactStudy())
    assert plt.get_fignums() == []
