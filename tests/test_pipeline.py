"""The pipeline: measured once, every issue flagged, one overall quality, a report."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from duplicate_tables import hash_table
from hypothesis import given, settings
from hypothesis import strategies as st
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
    facts.add("jpeg_quality")
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
    original = iq.measurements._batch.read_quietened_image
    monkeypatch.setattr(
        iq.measurements._batch,
        "read_quietened_image",
        lambda ref: read.append(ref) or original(ref),
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
    table.index = pd.Index(names, name="path", dtype=object)
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


# --------------------------------------------------------------------- duplicates and the plan


DUPLICATE_COLUMNS = [
    "image", "issue", "group", "size", "keep", "kept", "distance", "diameter", "weakest_link"
]  # fmt: skip


@pytest.fixture(scope="module")
def copied(clean):
    """An image, its half-size copy, its exact copy, two dark copies, one broken, one alone."""
    small = np.ascontiguousarray(clean[0][::2, ::2])
    dark = clean[3] // np.uint8(40)
    images = [small, clean[0], clean[0], dark, dark, b"broken", clean[5]]
    table = iq.measure(images)
    table.index = pd.Index([f"{name}.png" for name in "abcdefg"], name="path")
    table["phash_256"] = table["phash_256"].where(
        table.index != "a.png", table["phash_256"].iloc[1]
    )
    return iq.QualityPipeline(progress=False).fit(table)


def test_the_table_of_duplicates_shows_every_member_of_every_group(copied):
    duplicates = copied.report().duplicates
    assert duplicates.columns.tolist() == DUPLICATE_COLUMNS
    exact, near = (copied.named_detectors_[f"{kind}_duplicates"] for kind in ("exact", "near"))
    names = copied.measurements_.index
    assert list(dict.fromkeys(duplicates["issue"])) == ["exact_duplicates", "near_duplicates"]
    for issue, detector in (("exact_duplicates", exact), ("near_duplicates", near)):
        rows = duplicates[duplicates["issue"] == issue]
        assert rows["image"].tolist() == [
            names[row]
            for group in range(len(detector.groups_))
            for row in np.flatnonzero(detector.labels_ == group)
        ]
        for row in rows.to_dict("records"):
            position = names.get_loc(row["image"])
            group = detector.groups_.iloc[row["group"]]
            assert detector.labels_[position] == row["group"]
            assert row["keep"] == detector.keep_[position]
            assert row["kept"] == names[group["kept"]]
            assert row["size"] == group["size"]
            assert row["diameter"] == group["diameter"]
            assert row["weakest_link"] == group["weakest_link"]
    assert (duplicates["distance"] == 0).all()


def test_the_distance_is_that_to_the_image_that_stays():
    rng = np.random.default_rng(0)
    bits = np.repeat(rng.random((1, 64)) < 0.5, 4, axis=0)
    bits[1, :3] ^= True
    bits[2, :5] ^= True
    bits[3] ^= True
    table = hash_table(bits, size=[1.0, 2.0, 3.0, 4.0], valid=True, reason="")
    detectors = [("near", iq.NearDuplicateDetector(hash="phash", distance=4))]
    report = iq.QualityPipeline(detectors).fit(table).report()
    assert report.duplicates["image"].tolist() == ["0.png", "1.png", "2.png"]
    assert report.duplicates["kept"].tolist() == ["2.png"] * 3
    assert report.duplicates["distance"].tolist() == [5, 2, 0]
    assert report.duplicates["diameter"].tolist() == [5] * 3
    assert report.duplicates["weakest_link"].tolist() == [3] * 3
    assert report.plan["why"].tolist() == [
        "near of 2.png",
        "near of 2.png",
        "best of 3 duplicates",
        "",
    ]


def test_the_plan_says_what_to_do_with_each_image_and_why(copied):
    plan = copied.report().plan
    assert plan.index.equals(copied.measurements_.index)
    assert plan["action"].tolist() == ["drop", "keep", "drop", "drop", "drop", "drop", "keep"]
    why = plan["why"].tolist()
    assert why[:3] == [
        "near_duplicates of b.png",
        "best of 3 duplicates",
        "exact_duplicates of b.png",
    ]
    assert all(reason.startswith("dark: score ") for reason in why[3:5])
    assert why[5].startswith("cannot be read: not an image")
    assert why[6] == ""
    assert plan["group"].fillna(-1).tolist() == [0, 0, 0, 1, 1, -1, -1]
    assert plan["kept"].tolist() == ["b.png"] * 3 + [None] * 4


def test_what_is_kept_has_no_issue_but_copies_and_is_one_of_each_group(copied):
    report = copied.report()
    kept = report.plan["action"] == "keep"
    flaws = [name for name, _ in copied.detectors_ if not name.endswith("duplicates")]
    flags = report.issues[[f"is_{name}_issue" for name in flaws]].fillna(True)
    assert not flags[kept].any(axis=None)
    assert (report.plan[kept].groupby("group").size() == 1).all()
    dropped = report.plan[~kept]
    assert (dropped["why"] != "").all()
    assert set(dropped["kept"].dropna()) <= set(report.plan.index[kept])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([True, True, True, False]),
            *[st.sampled_from([np.nan, 0.1, 0.3, 0.4, 0.8])] * 3,
        ),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=50, deadline=None)
def test_the_plan_names_the_first_flaw_that_is_found(rows):
    names = ["valid", "value_perc_99", "aspect_ratio", "edge_frequency"]
    table = pd.DataFrame(rows, columns=names)
    table["reason"] = np.where(table["valid"], "", "truncated")
    detectors = [
        ("dark", iq.DarkDetector(threshold=0.3)),
        ("odd_aspect_ratio", iq.OddAspectRatioDetector(threshold=0.4)),
        ("blurry", iq.BlurDetector(threshold=0.4)),
    ]
    pipeline = iq.QualityPipeline(detectors, progress=False).fit(table)
    plan = pipeline.report().plan
    scores = pipeline.transform(table)
    for row in range(len(table)):
        expected = ""
        for (name, detector), score in reversed(list(zip(detectors, scores[row], strict=True))):
            if score < detector.threshold:
                expected = f"{name}: score {score:.3g} < {detector.threshold:.3g}"
        if not table["valid"][row]:
            expected = "cannot be read: truncated"
        assert plan["why"][row] == expected
        assert plan["action"][row] == ("drop" if expected else "keep")


def test_new_images_have_a_plan_but_no_groups(copied, clean):
    report = copied.report([clean[5], clean[3] // np.uint8(40), b"broken", clean[0]])
    assert report.duplicates.columns.tolist() == DUPLICATE_COLUMNS
    assert len(report.duplicates) == 0
    assert report.plan["action"].tolist() == ["keep", "drop", "drop", "keep"]
    assert report.plan["group"].isna().all()
    assert report.plan["kept"].isna().all()
    # The last repeats a fitted image; which of the copies stays is for the plan of those to say.
    assert report.plan["why"].iloc[3] == ""


def test_without_duplicates_the_table_is_empty_and_of_the_same_form(copied, clean):
    filled = copied.report().duplicates
    without = iq.QualityPipeline([("dark", iq.DarkDetector())]).fit(list(clean[:3])).report()
    none = iq.QualityPipeline(progress=False).fit(list(clean[:3])).report()
    for empty in (without.duplicates, none.duplicates):
        assert len(empty) == 0
        assert empty.columns.equals(filled.columns)
    numbers = ["group", "size", "keep", "distance", "diameter", "weakest_link"]
    assert none.duplicates.dtypes[numbers].equals(filled.dtypes[numbers])
    assert without.plan["action"].tolist() == ["keep"] * 3
    assert without.plan.columns.equals(none.plan.columns)


def test_the_csv_holds_the_issues_and_the_plan(copied, tmp_path):
    report = copied.report()
    report.to_csv(tmp_path / "audit.csv")
    read = pd.read_csv(tmp_path / "audit.csv")
    of_the_plan = ["action", "why", "group", "kept"]
    assert read.columns.tolist() == ["path", *report.issues.columns, *of_the_plan]
    assert len(read) == len(report.issues)


def test_the_image_that_stays_depends_on_its_other_issues(clean):
    table = iq.measure([clean[0] // np.uint8(40), clean[0][:40, :40]])
    table["phash_256"] = table["phash_256"].iloc[1]
    table["hash_contrast"] = 50.0
    alone = iq.NearDuplicateDetector().fit(table)
    assert alone.keep_.tolist() == [True, False]  # the larger, for all it knows
    inside = iq.QualityPipeline(progress=False).fit(table)
    assert inside.named_detectors_["near_duplicates"].keep_.tolist() == [False, True]
    assert inside.report().plan["action"].tolist() == ["drop", "keep"]


def test_a_callable_sees_the_quality_and_every_measurement(clean):
    seen = []

    def keep(rows):
        seen.append(set(rows.columns))
        return len(rows) - 1

    images = [clean[0], clean[1], clean[0]]
    pipeline = iq.QualityPipeline(progress=False).set_params(
        exact_duplicates__keep=keep, near_duplicates__keep=keep
    )
    plan = pipeline.fit(images).report().plan
    assert plan["action"].tolist() == ["drop", "keep", "keep"]
    assert all({"quality_score", "aspect_ratio", "size"} <= columns for columns in seen)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_only_copies_of_one_image(clean, n):
    report = iq.QualityPipeline(progress=False).fit([clean[0]] * n).report()
    assert report.plan["action"].tolist() == ["keep"] + ["drop"] * (n - 1)
    assert len(report.duplicates) == (2 * n if n > 1 else 0)


def test_a_plan_where_nothing_can_be_read():
    report = iq.QualityPipeline(progress=False).fit(BROKEN).report()
    assert report.plan["action"].tolist() == ["drop", "drop"]
    assert report.plan["group"].isna().all()
    assert len(report.duplicates) == 0


def test_of_equally_large_images_the_least_flawed_stays(clean):
    table = iq.measure([clean[0] // 2, clean[0]])
    table["phash_256"] = table["phash_256"].iloc[1]
    table["file_size"] = [2.0, 1.0]
    pipeline = iq.QualityPipeline(progress=False).fit(table)
    darkness = pipeline.named_detectors_["dark"].decision_function(table)
    assert darkness[1] < darkness[0] < 0
    assert pipeline.named_detectors_["near_duplicates"].keep_.tolist() == [False, True]
    assert pipeline.report().plan["action"].tolist() == ["drop", "keep"]


def test_the_tiniest_threshold_keeps_the_side_of_each_score():
    from imagequality.detectors._base import rescaled

    tiny = 2.2250738585e-313
    scores = np.array([0.0, tiny / 2, tiny, 0.5, 1.0])
    assert (rescaled(scores, tiny) < 0.5).tolist() == [True, True, False, False, False]
