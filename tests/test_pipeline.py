"""The pipeline: measured once, every issue flagged, one overall quality, a report."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import imagequality as iq
from imagequality.measurements import DEFAULT_COLUMNS

BROKEN = [b"no image", b""]


@pytest.fixture(scope="module")
def fitted(flawed):
    return iq.QualityPipeline(progress=False).fit([*flawed[0], *BROKEN])


def test_planted_flaws_are_found(fitted, flawed):
    images, y = flawed
    names = [name for name, _ in fitted.detectors_]
    flags = pd.DataFrame(fitted.predict_issues(images), columns=names)
    for issue in ("dark", "light", "low_information"):
        assert flags.loc[y[issue] == 1, issue].mean() >= 0.9
    untouched = y.to_numpy().sum(axis=1) == 0
    assert fitted.predict(images)[untouched].mean() <= 0.05


@pytest.mark.parametrize("side", [32, 64, 128])
def test_primary_issues_are_what_was_planted_at_any_size(side):
    images, y = iq.datasets.make_flawed_images(200, contamination=0.06, size=side, random_state=5)
    issues = iq.QualityPipeline(progress=False).fit(images).report().issues
    planted = y.idxmax(axis=1).where(y.any(axis=1), None)
    assert (issues["primary_issue"].fillna("") == planted.fillna("")).mean() >= 0.98
    assert issues.loc[~y.any(axis=1).to_numpy(), "is_any_issue"].mean() <= 0.01


def test_clean_images_stay_clean_and_the_report_says_why():
    images, _ = iq.datasets.make_flawed_images(400, issues=[], size=48, random_state=6)
    report = iq.QualityPipeline(progress=False).fit(images).report()
    assert report.issues["is_any_issue"].mean() <= 0.005
    method = report.summary.set_index("issue")["method"]
    assert method["blurry"].startswith("AutoThreshold: no separate low group")


def test_default_columns_are_those_the_default_pipeline_needs():
    needed = {
        column for _, detector in iq.default_detectors() for column in detector._columns()
    } - {"valid"}
    facts = {"format", "mode", "file_size", "width", "height", "size", "aspect_ratio"}
    percentiles = {column for column in DEFAULT_COLUMNS if column.startswith("brightness_perc_")}
    assert needed <= set(DEFAULT_COLUMNS)
    assert set(DEFAULT_COLUMNS) == needed | facts | percentiles


def test_detectors_in_the_pipeline_equal_detectors_alone(fitted, flawed):
    collection = [*flawed[0], *BROKEN]
    for name, detector in iq.default_detectors():
        alone = detector.fit(collection)
        inside = dict(fitted.detectors_)[name]
        np.testing.assert_array_equal(
            alone.score_samples(collection), inside.score_samples(collection)
        )
        assert alone.threshold_ == inside.threshold_


def test_images_are_read_once(flawed_paths, monkeypatch):
    read = []
    original = iq.measurements._scan.read_image
    monkeypatch.setattr(
        iq.measurements._scan, "read_image", lambda ref: read.append(ref) or original(ref)
    )
    pipeline = iq.QualityPipeline()
    pipeline.fit_predict(flawed_paths)
    pipeline.report()
    assert sorted(read) == sorted(flawed_paths)
    read.clear()
    pipeline.fit_transform(flawed_paths)
    assert sorted(read) == sorted(flawed_paths)
    read.clear()
    table = iq.measure(flawed_paths)
    iq.QualityPipeline().fit(table).predict(table)
    assert sorted(read) == sorted(flawed_paths)


def test_overall_quality_agrees_with_the_flags(fitted, flawed):
    collection = [*flawed[0], *BROKEN]
    quality = fitted.score_samples(collection)
    assert ((quality >= 0) & (quality <= 1)).all()
    flagged = fitted.predict_issues(collection).any(axis=1)
    flagged[-2:] = True
    np.testing.assert_array_equal(quality < 0.5, flagged)
    np.testing.assert_array_equal(fitted.predict(collection) == 1, flagged)
    np.testing.assert_array_equal(fitted.decision_function(collection) > 0, flagged)


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 0.3, 1.0, 7.0, -1.0])
def test_overall_quality_keeps_the_side_of_the_threshold(threshold):
    table = pd.DataFrame(
        {
            "valid": True,
            "reason": "",
            "aspect_ratio": np.r_[
                np.linspace(0, 1, 101), np.nextafter([0.3, 0.3, 1.0], [0, 1, 0]), 0.3, 1e-300
            ],
        }
    )
    detector = iq.OddAspectRatioDetector(threshold=threshold)
    pipeline = iq.QualityPipeline([("odd", detector)]).fit(table)
    quality = pipeline.score_samples(table)
    below = (table["aspect_ratio"] < threshold).to_numpy()
    np.testing.assert_array_equal(quality < 0.5, below)
    order = np.argsort(table["aspect_ratio"])
    assert (np.diff(quality[order]) >= 0).all()


def test_an_unreadable_image_is_flagged_with_or_without_its_detector(flawed):
    collection = [flawed[0][0], *BROKEN]
    without = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit(collection)
    assert without.predict(collection)[1:].tolist() == [1, 1]
    assert without.score_samples(collection)[1:].tolist() == [0, 0]
    assert np.isnan(without.transform(collection)[1:]).all()
    issues = without.report().issues
    assert issues["is_dark_issue"].isna().tolist() == [False, True, True]
    assert issues["is_any_issue"].tolist()[1:] == [True, True]


def test_nothing_readable_at_all():
    pipeline = iq.QualityPipeline().fit(BROKEN)
    assert pipeline.predict(BROKEN).tolist() == [1, 1]
    assert "invalid" in str(pipeline.report())


def test_multilabel(flawed):
    images, y = flawed
    detectors = [(name, d) for name, d in iq.default_detectors() if name in y.columns]
    y = y[[name for name, _ in detectors]]
    pipeline = iq.QualityPipeline(detectors, multilabel=True).fit(images)
    assert pipeline.predict(images).shape == y.shape
    assert [classes.tolist() for classes in pipeline.classes_] == [[0, 1]] * 4
    np.testing.assert_array_equal(
        pipeline.decision_function(images) > 0, pipeline.predict(images) == 1
    )
    assert pipeline.score(images, y) == pytest.approx(
        np.mean([d.fit(images).score(images, y[name]) for name, d in detectors])
    )


# ----------------------------------------------------------------------------- parameters


def test_parameters_nest_and_materialise_the_default_list():
    pipeline = iq.QualityPipeline()
    assert pipeline.get_params()["light__percentile"] == 60
    pipeline.set_params(light__percentile=75, blurry__threshold=iq.OtsuThreshold())
    pipeline.set_params(blurry__threshold__bins=64)
    params = clone(pipeline).get_params()
    assert params["light__percentile"] == 75
    assert params["blurry__threshold__bins"] == 64
    assert iq.QualityPipeline().get_params()["light__percentile"] == 60


def test_a_detector_can_be_replaced_or_dropped(flawed):
    pipeline = iq.QualityPipeline().set_params(
        grayscale="drop", blurry=iq.BlurDetector(method="fastdup")
    )
    pipeline.fit(flawed[0])
    names = [name for name, _ in pipeline.detectors_]
    assert "grayscale" not in names
    assert dict(pipeline.detectors_)["blurry"].method == "fastdup"
    assert list(pipeline.get_feature_names_out()) == [f"{name}_score" for name in names]


def test_set_params_corners():
    pipeline = iq.QualityPipeline([("dark", iq.DarkDetector())])
    pipeline.set_params(detectors=None, blurry__threshold=0.4)
    assert dict(pipeline.detectors)["blurry"].threshold == 0.4
    fresh = iq.QualityPipeline()
    with pytest.raises(ValueError, match="nope"):
        fresh.set_params(nope=2)
    assert fresh.detectors is None
    fresh.set_params(n_jobs=2)
    assert fresh.detectors is None
    fresh.set_params(blurry="drop")
    with pytest.raises(ValueError, match="'blurry' is dropped"):
        fresh.set_params(blurry__threshold=0.4)
    fresh.set_params(blurry=iq.BlurDetector(), blurry__threshold=0.4)
    assert dict(fresh.detectors)["blurry"].threshold == 0.4
    one = [("dark", iq.DarkDetector())]
    assert iq.QualityPipeline().set_params(detectors=one, dark__threshold=0.2).detectors is one
    same = iq.QualityPipeline().set_params(**iq.QualityPipeline().get_params())
    assert repr(same.get_params()["blurry"]) == repr(iq.BlurDetector())


def test_the_default_selector_can_be_set_by_name():
    pipeline = iq.QualityPipeline().set_params(blurry__threshold__max_flag_rate=0.02)
    assert dict(pipeline.detectors)["blurry"].threshold.max_flag_rate == 0.02
    untouched = iq.QualityPipeline()
    with pytest.raises(ValueError, match="bins"):
        untouched.set_params(blurry__threshold__bins=3)
    assert untouched.detectors is None
    assert iq.BlurDetector().set_params(threshold__floor=0.2).threshold.floor == 0.2


def test_a_detector_that_cannot_say_decides_nothing():
    class Sometimes(iq.IssueDetector):
        issue = "sometimes"
        columns = ("width",)

        def _score(self, table):
            return np.where(table["width"] == 8, np.nan, 0.0)

    images = [np.zeros((8, 8, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)]
    pipeline = iq.QualityPipeline([("sometimes", Sometimes(threshold=0.5))]).fit(images)
    assert pipeline.predict(images).tolist() == [0, 1]
    assert pipeline.score_samples(images).tolist() == [1.0, 0.0]
    issues = pipeline.report().issues
    assert issues["is_sometimes_issue"].isna().tolist() == [True, False]
    assert issues["is_any_issue"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("pipeline", "error", "words"),
    [
        (iq.QualityPipeline([("a", iq.OtsuThreshold())]), TypeError, "'a' must be an IssueDet"),
        (iq.QualityPipeline([iq.DarkDetector()]), ValueError, "pairs"),
        (iq.QualityPipeline([("dark", "drop")]), ValueError, "at least one"),
        (
            iq.QualityPipeline([("a", iq.DarkDetector()), ("a", iq.BlurDetector())]),
            ValueError,
            "unique",
        ),
        (iq.QualityPipeline([("a__b", iq.DarkDetector())]), ValueError, "__"),
        (iq.QualityPipeline([("any", iq.DarkDetector())]), ValueError, "'any' is taken"),
        (iq.QualityPipeline(n_jobs=0), ValueError, "'n_jobs'"),
        (iq.QualityPipeline(n_jobs="all"), ValueError, "'n_jobs'"),
        (iq.QualityPipeline(progress="yes"), ValueError, "'progress'"),
        (iq.QualityPipeline([("l", iq.LightDetector(percentile=3))]), ValueError, "'percentile'"),
    ],
    ids=range(10),
)
def test_bad_parameters_are_named_at_fit(pipeline, error, words):
    with pytest.raises(error, match=words):
        pipeline.fit([np.zeros((8, 8, 3), np.uint8)])


def test_fit_changes_no_parameter(flawed):
    pipeline = iq.QualityPipeline()
    given = iq.DarkDetector()
    iq.QualityPipeline([("dark", given)]).fit(flawed[0])
    pipeline.fit(flawed[0])
    assert pipeline.detectors is None
    assert not hasattr(given, "threshold_")


def test_unfitted():
    for method in ("predict", "score_samples", "transform", "report", "predict_issues"):
        arguments = [] if method == "report" else [["a.jpg"]]
        with pytest.raises(NotFittedError):
            getattr(iq.QualityPipeline(), method)(*arguments)


def test_table_that_lacks_columns_names_them(flawed):
    table = iq.measure(list(flawed[0][:3])).drop(columns=["entropy", "reason"])
    with pytest.raises(ValueError, match=r"lacks 'reason', 'entropy'|lacks 'entropy', 'reason'"):
        iq.QualityPipeline().fit(table)


def test_pickle_round_trip(fitted, flawed):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.transform(flawed[0]), fitted.transform(flawed[0]))
    assert str(loaded.report()) == str(fitted.report())


# --------------------------------------------------------------------------------- report


def test_issues_table_has_one_row_per_path_and_cleanvisions_names(flawed_paths):
    broken = "does/not/exist.jpg"
    report = iq.QualityPipeline().fit([*flawed_paths, broken]).report()
    issues = report.issues
    assert issues.index.tolist() == [*flawed_paths, broken]
    for name, _ in iq.default_detectors():
        assert f"{name}_score" in issues
        assert issues[f"is_{name}_issue"].dtype == "boolean"
    assert issues.loc[broken, "reason"] == "file not found"
    assert pd.isna(issues.loc[broken, "is_blurry_issue"])
    assert issues.loc[broken, "is_invalid_issue"]


def test_summary_adds_up(fitted):
    report = fitted.report()
    for row in report.summary.itertuples():
        flags = report.issues[f"is_{row.issue}_issue"]
        assert row[2] == int(flags.sum())
        assert row.share == pytest.approx(row[2] / len(report.issues))
        assert row.threshold == dict(fitted.detectors_)[row.issue].threshold_


def test_primary_issues_follow_the_order_of_causes_and_add_up(fitted, flawed):
    report = fitted.report(flawed[0])
    names = [name for name, _ in fitted.detectors_]
    flags = report.issues[[f"is_{name}_issue" for name in names]].fillna(False).to_numpy(bool)
    expected = [names[row.argmax()] if row.any() else None for row in flags]
    assert report.issues["primary_issue"].tolist() == expected
    counts = report.summary.set_index("issue")["primary_count"]
    assert counts.sum() == report.issues["is_any_issue"].sum()
    assert (counts <= report.summary.set_index("issue")["count"]).all()
    # A dark image is low in information too; what is wrong with it is that it is dark.
    dark = flawed[1]["dark"].to_numpy() == 1
    assert report.issues.loc[dark, "is_low_information_issue"].any()
    assert set(report.issues.loc[dark, "primary_issue"]) == {"dark"}


def test_report_on_other_images_keeps_the_thresholds(fitted, clean):
    report = fitted.report(clean)
    assert len(report.issues) == len(clean)
    assert report.summary["threshold"].tolist() == fitted.report().summary["threshold"].tolist()


def test_groups_of_duplicates_stand_in_the_table(clean):
    images = [clean[0], clean[1], clean[0], clean[2], clean[1], b"broken"]
    pipeline = iq.QualityPipeline().fit(images)
    issues = pipeline.report().issues
    assert issues["exact_duplicates_group"].fillna(-1).tolist() == [0, 1, 0, -1, 1, -1]
    assert "exact_duplicates_group" not in pipeline.report(images[:2]).issues
    assert pipeline.named_detectors_["exact_duplicates"].labels_.tolist() == [0, 1, 0, -1, 1, -1]


def test_text_form_says_why_images_cannot_be_read_and_what_covers_most(clean):
    grey = [np.repeat(image[..., :1], 3, axis=2) for image in clean[:8]]
    text = str(iq.QualityPipeline().fit([*grey, "a.jpg", "b.jpg", b""]).report())
    assert "grayscale: more than half of the images" in text
    assert "set_params(grayscale='drop')" in text
    assert "        2  file not found\n        1  empty file" in text


def test_csv_holds_every_row_and_odd_names(tmp_path, flawed):
    names = ["plain.png", 'comma, quote" and\nnewline.png', "emoji 🦊.png", "bytes \udcff.png"]
    table = iq.measure(list(flawed[0][:4]))
    table.index = pd.Index(names, name="path")
    report = iq.QualityPipeline().fit(table).report()
    report.to_csv(tmp_path / "audit.csv")
    read = pd.read_csv(tmp_path / "audit.csv")
    assert read["path"].tolist() == [*names[:3], "bytes \\udcff.png"]
    np.testing.assert_allclose(read["blurry_score"], report.issues["blurry_score"])


def test_text_and_html_forms_name_what_was_found_and_what_not(fitted):
    report = fitted.report()
    n_flagged = int(report.issues["is_any_issue"].sum())
    text = str(report)
    assert text.startswith(f"122 images, {n_flagged} ({n_flagged / 122:.1%}) with at least one")
    found = report.summary[report.summary["count"] > 0]
    for row in found.itertuples():
        assert f"{row.issue} " in text
    assert "not found: " in text
    assert "odd_aspect_ratio" in text.split("not found: ")[1]
    html = report._repr_html_()
    assert html.count("<tr") == 1 + len(report.summary)
    assert f"{found.share.max():.2%}" in html
