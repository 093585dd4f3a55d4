"""Detectors and the pipeline inside scikit-learn: grids, pipelines, unions, frames, samplers."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline as SamplingPipeline
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, get_scorer, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

import imagequality as iq

SIX = [
    iq.FixedThreshold(0.3),
    iq.OtsuThreshold(),
    iq.LiThreshold(),
    iq.MinimumErrorThreshold(),
    iq.MaxEntropyThreshold(),
    iq.IQRThreshold(),
]
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def blurry(flawed):
    return flawed[1]["blurry"].to_numpy()


@pytest.fixture(name="X", params=["paths", "arrays", "stack", "frame", "column", "table"])
def every_form(request, flawed, flawed_paths):
    """The same images in every form that a collection may have."""
    images = list(flawed[0])
    column = np.empty((len(images), 1), dtype=object)
    column[:, 0] = flawed_paths
    return {
        "paths": flawed_paths,
        "arrays": images,
        "stack": np.stack(images),
        "frame": pd.DataFrame({"path": flawed_paths}),
        "column": column,
        "table": iq.measure(flawed_paths),
    }[request.param]


@pytest.mark.parametrize(
    ("estimator", "parameter"),
    [
        (iq.BlurDetector(), "threshold"),
        (iq.QualityPipeline([("blurry", iq.BlurDetector())]), "blurry__threshold"),
    ],
    ids=["detector", "pipeline"],
)
def test_grid_search_over_selectors(estimator, parameter, X, blurry):
    search = GridSearchCV(
        estimator,
        {parameter: SIX},
        scoring=["f1", "roc_auc", "average_precision"],
        refit="f1",
        cv=FOLDS,
        error_score="raise",
    ).fit(X, blurry)
    results = pd.DataFrame(search.cv_results_)
    # The ranking metrics do not see the threshold; F1 does.
    assert np.ptp(results["mean_test_roc_auc"]) < 1e-12
    assert results["mean_test_roc_auc"].iloc[0] > 0.95
    assert results["mean_test_average_precision"].iloc[0] > 0.7
    assert np.ptp(results["mean_test_f1"]) > 0
    assert search.best_score_ == results["mean_test_f1"].max()
    assert search.predict(X).shape == (len(blurry),)


def test_forms_of_input_give_one_result(flawed, flawed_paths, blurry):
    def best(X):
        return (
            GridSearchCV(
                iq.BlurDetector(), {"threshold": SIX}, scoring="f1", cv=FOLDS, error_score="raise"
            )
            .fit(X, blurry)
            .cv_results_["mean_test_score"]
        )

    np.testing.assert_array_equal(best(flawed_paths), best(np.stack(list(flawed[0]))))
    np.testing.assert_array_equal(best(flawed_paths), best(iq.measure(flawed_paths)))


def test_grid_search_over_a_selectors_own_parameter(X, blurry):
    search = GridSearchCV(
        iq.QualityPipeline([("blurry", iq.BlurDetector(threshold=iq.QuantileThreshold()))]),
        {"blurry__threshold__quantile": [0.01, 0.1, 0.5]},
        scoring=["f1", "roc_auc", "average_precision"],
        refit="f1",
        cv=FOLDS,
        error_score="raise",
    ).fit(X, blurry)
    assert search.best_params_ == {"blurry__threshold__quantile": 0.1}
    assert search.cv_results_["mean_test_roc_auc"].min() > 0.95
    assert search.cv_results_["mean_test_average_precision"].min() > 0.7


def test_grid_search_on_the_default_pipeline(flawed_paths, flawed):
    table = iq.measure(flawed_paths)
    any_issue = flawed[1].any(axis=1).astype(int)
    search = GridSearchCV(
        iq.QualityPipeline(progress=False),
        {"blurry__threshold": [None, *SIX], "grayscale": ["drop", iq.GrayscaleDetector()]},
        scoring=["f1", "roc_auc", "average_precision"],
        refit="f1",
        cv=FOLDS,
        error_score="raise",
    ).fit(table, any_issue)
    assert len(search.cv_results_["params"]) == 14
    assert 0.5 < search.best_score_ <= 1


def test_with_a_table_images_are_decoded_once(flawed_paths, blurry, monkeypatch):
    read = []
    original = iq.measurements._batch.read_quietened_image
    monkeypatch.setattr(
        iq.measurements._batch,
        "read_quietened_image",
        lambda ref: read.append(ref) or original(ref),
    )
    table = iq.measure(flawed_paths)
    GridSearchCV(iq.BlurDetector(), {"threshold": SIX}, cv=FOLDS, scoring="f1").fit(table, blurry)
    assert sorted(read) == sorted(flawed_paths)


def test_scorers_agree_with_the_metrics(flawed, blurry):
    detector = iq.BlurDetector().fit(flawed[0])
    scores = detector.score_samples(flawed[0])
    for name, expected in (
        ("f1", f1_score(blurry, detector.predict(flawed[0]))),
        ("roc_auc", roc_auc_score(blurry, -scores)),
        ("average_precision", average_precision_score(blurry, -scores)),
    ):
        assert get_scorer(name)(detector, flawed[0], blurry) == pytest.approx(expected)
    assert detector.score(flawed[0], blurry) == pytest.approx(
        f1_score(blurry, detector.predict(flawed[0]))
    )


def test_scores_as_features_of_a_classifier(X, blurry):
    model = make_pipeline(
        iq.QualityPipeline(progress=False), SimpleImputer(), LogisticRegression(max_iter=1000)
    )
    assert cross_val_score(model, X, blurry, cv=FOLDS, scoring="roc_auc").mean() > 0.8


def test_measurer_at_the_head_of_a_pipeline(flawed_paths, blurry):
    model = Pipeline([("measure", iq.Measurer(progress=False)), ("blur", iq.BlurDetector())])
    search = GridSearchCV(model, {"blur__threshold": SIX}, scoring="f1", cv=FOLDS)
    search.fit(flawed_paths, blurry)
    assert search.best_score_ > 0.5


def test_feature_union_and_set_output(flawed_paths):
    union = FeatureUnion([("dark", iq.DarkDetector()), ("blurry", iq.BlurDetector())])
    scores = union.fit_transform(flawed_paths)
    assert scores.shape == (len(flawed_paths), 2)
    frame = union.set_output(transform="pandas").fit_transform(flawed_paths)
    assert frame.columns.tolist() == ["dark__dark_score", "blurry__blurry_score"]
    np.testing.assert_array_equal(frame.to_numpy(), scores)


def test_column_transformer(flawed_paths):
    frame = pd.DataFrame(
        {"path": flawed_paths, "price": np.arange(len(flawed_paths))},
    )
    transformer = ColumnTransformer(
        [
            ("as a frame", iq.DarkDetector(), ["path"]),
            ("as a series", iq.BlurDetector(), "path"),  # scikit-learn 1.6 loses its index
            ("rest", "passthrough", ["price"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    result = transformer.fit_transform(frame)
    assert result.columns.tolist() == ["dark_score", "blurry_score", "price"]
    assert result.index.tolist() == frame.index.tolist()


def test_set_output_pandas(flawed_paths):
    frame = iq.QualityPipeline().set_output(transform="pandas").fit_transform(flawed_paths)
    assert frame.columns[:2].tolist() == ["invalid_score", "odd_size_score"]
    paths = pd.DataFrame({"path": flawed_paths}, index=range(100, 100 + len(flawed_paths)))
    frame = iq.BlurDetector().set_output(transform="pandas").fit_transform(paths)
    assert frame.index.tolist() == paths.index.tolist()


def test_threshold_tuning_and_calibration(flawed, blurry):
    tuned = TunedThresholdClassifierCV(iq.BlurDetector(), scoring="f1", cv=FOLDS)
    tuned.fit(list(flawed[0]), blurry)
    assert tuned.score(list(flawed[0]), blurry) > 0.8
    calibrated = CalibratedClassifierCV(iq.BlurDetector(), cv=FOLDS)
    probability = calibrated.fit(list(flawed[0]), blurry).predict_proba(list(flawed[0]))
    assert roc_auc_score(blurry, probability[:, 1]) > 0.95


def test_clone_and_pickle(flawed):
    detector = iq.BlurDetector(threshold=iq.LiThreshold()).fit(flawed[0])
    loaded = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(loaded.predict(flawed[0]), detector.predict(flawed[0]))
    copy = clone(detector)
    assert not hasattr(copy, "threshold_")
    assert copy.get_params()["threshold__tolerance"] is None


# ------------------------------------------------------------------------------- samplers


@pytest.mark.parametrize("form", ["list", "object column", "frame", "table"])
def test_drop_flagged_inside_imbalanced_learn(form, flawed, flawed_paths):
    y = np.arange(len(flawed_paths)) % 2
    X = {
        "list": flawed_paths,
        "object column": np.array(flawed_paths, dtype=object)[:, None],
        "frame": pd.DataFrame({"path": flawed_paths}),
        "table": iq.measure(flawed_paths),
    }[form]
    trained_on = []

    class Spy(SelectKBest):
        def fit(self, X, y=None):
            trained_on.append(len(X))
            return super().fit(X, y)

    model = SamplingPipeline(
        [
            ("clean", iq.DropFlagged(iq.QualityPipeline(progress=False))),
            ("scores", iq.QualityPipeline(progress=False)),
            ("select", Spy(k=2)),
            ("classify", LogisticRegression()),
        ]
    )
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="Features"):
        model.fit(X, y)
    kept = len(y) - int(model["clean"].pipeline_.predict(X).sum())
    assert trained_on == [kept]
    assert 0 < kept < len(y)
    assert model.predict(X).shape == y.shape


def test_drop_flagged_keeps_one_of_each_group_and_the_labels_in_step(clean):
    images = [*clean[:3], clean[1], b"broken", clean[1] // np.uint8(30), clean[2]]
    sampler = iq.DropFlagged()
    kept, y = sampler.fit_resample(images, np.array(list("abcdefg")))
    assert y.tolist() == ["a", "b", "c"]
    assert sampler.sample_indices_.tolist() == [0, 1, 2]
    assert all(np.array_equal(image, images[k]) for image, k in zip(kept, (0, 1, 2), strict=True))


def test_drop_flagged_prefers_the_copy_without_another_issue(clean):
    bad_first = [clean[0] // np.uint8(30), clean[1], clean[1]]
    table = iq.measure(bad_first)
    table["phash_256"] = table["phash_256"].iloc[1]  # all three look alike
    table["hash_contrast"] = 50.0
    assert iq.NearDuplicateDetector().fit(table).labels_.tolist() == [0, 0, 0]
    assert iq.DropFlagged().fit(table).sample_indices_.tolist() == [1]


def test_drop_flagged_refuses_labels_of_another_length():
    images = [np.zeros((8, 8, 3), np.uint8)] * 3
    for y in ([1, 2], [1, 2, 3, 4]):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            iq.DropFlagged().fit_resample(images, y)


def test_drop_flagged_can_be_tuned_as_it_comes(clean):
    sampler = iq.DropFlagged().set_params(detector__dark__threshold=1.0)
    assert sampler.fit(list(clean[:4])).sample_indices_.size < 4
    assert iq.DropFlagged().fit(list(clean[:4])).sample_indices_.size == 4


def test_drop_flagged_takes_one_detector_or_refuses():
    images = [np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 200, np.uint8)]
    assert iq.DropFlagged(iq.DarkDetector()).fit(images).sample_indices_.tolist() == [1]
    with pytest.raises(ValueError, match="'detector'"):
        iq.DropFlagged(detector=0.5).fit(images)


@pytest.mark.parametrize("form", ["list", "frame", "table"])
def test_drop_duplicates_leaves_one_of_each_group(form, clean):
    images = [clean[0], b"broken", clean[1], clean[0], clean[1], clean[2]]
    column = np.empty(len(images), dtype=object)
    column[:] = images
    X = {
        "list": images,
        "frame": pd.DataFrame({"image": column}),
        "table": iq.measure(images),
    }[form]
    sampler = iq.DropDuplicates()
    kept, y = sampler.fit_resample(X, [*"abcdef"])
    assert y == ["a", "c", "f"]
    assert sampler.sample_indices_.tolist() == [0, 2, 5]
    assert len(kept) == 3
    assert type(kept) is type(X)
    assert iq.DropDuplicates().fit_resample(images)[1] is None


def test_drop_duplicates_says_nothing_of_other_issues(clean):
    images = [clean[0] // np.uint8(40), clean[1]]
    assert iq.DropDuplicates().fit(images).sample_indices_.tolist() == [0, 1]
    assert iq.DropFlagged().fit(images).sample_indices_.tolist() == [1]


def test_drop_duplicates_can_be_tuned_as_it_comes(clean):
    images = [clean[0], clean[1], clean[0]]
    last = iq.DropDuplicates().set_params(detector__keep=lambda rows: len(rows) - 1)
    assert last.fit(images).sample_indices_.tolist() == [1, 2]
    wide = iq.DropDuplicates().set_params(detector__distance=256)
    assert wide.fit(images).sample_indices_.tolist() == [0]
    united = iq.DropDuplicates(iq.DuplicateDetector()).set_params(detector__near__distance=256)
    assert united.fit(images).sample_indices_.tolist() == [0]
    assert iq.DropDuplicates(iq.ExactDuplicateDetector()).fit(images).sample_indices_.size == 2
    with pytest.raises(ValueError, match="'detector'"):
        iq.DropDuplicates(detector=0.5).fit(images)


def test_drop_duplicates_inside_imbalanced_learn(clean):
    images = [*clean[:20], *clean[:5]]
    y = np.arange(25) % 2
    model = SamplingPipeline(
        [
            ("copies", iq.DropDuplicates()),
            ("scores", iq.QualityPipeline(progress=False)),
            ("fill", SimpleImputer()),
            ("classify", LogisticRegression()),
        ]
    ).fit(images, y)
    assert model["copies"].sample_indices_.tolist() == list(range(20))
    assert model["scores"].measurements_.shape[0] == 20
    assert model.predict(images).shape == y.shape


def test_grid_search_over_the_distance_of_duplicates(clean):
    images = [*clean[:20], *(image // 4 * 3 + 30 for image in clean[:20])]
    labels = np.repeat(1, 40)
    search = GridSearchCV(
        iq.DuplicateDetector([("near", iq.NearDuplicateDetector())]),
        {"near__distance": [0, 30]},
        cv=[(np.arange(40), np.arange(40))],
        scoring="f1",
        error_score="raise",
    ).fit(images, labels)
    assert search.best_params_ == {"near__distance": 30}
