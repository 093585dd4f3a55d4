"""Rejections by class: counts, tests, findings."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import holm
from scipy.stats import binomtest, fisher_exact

import imagequality as iq
from imagequality.diagnosis import class_report
from imagequality.validation import validate_many


def table_of(**issues):
    return pd.DataFrame({f"is_{issue}_issue": flags for issue, flags in issues.items()})


def kinds(report):
    return list(report.findings[["finding", "class", "issue"]].itertuples(index=False, name=None))


LABELS = st.sampled_from(["cat", "dog", ("a", 1), 7, None])


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(LABELS, st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_counts_rates_and_p_values_are_those_of_plain_loops(rows):
    report = class_report(
        table_of(blurry=[r[1] for r in rows], dark=[r[2] for r in rows]), [r[0] for r in rows]
    )
    classes = list(report.table.index)
    assert set(classes) == {r[0] for r in rows} - {None}
    assert report.unlabelled == sum(r[0] is None for r in rows)
    assert report.rejected == sum(r[1] or r[2] for r in rows)

    raw = []
    for label in classes:
        own = [r[1] or r[2] for r in rows if r[0] == label]
        rest = [r[1] or r[2] for r in rows if r[0] not in (label, None)]
        row = report.table.iloc[classes.index(label)]
        assert (row["images"], row["rejected"]) == (len(own), sum(own))
        assert row["rate"] == pytest.approx(sum(own) / len(own))
        assert row["rest_rate"] == pytest.approx(np.mean(rest) if rest else np.nan, nan_ok=True)
        dark = [r[2] for r in rows if r[0] == label]
        assert row["dark_rate"] == pytest.approx(np.mean(dark))
        square = [[sum(own), len(own) - sum(own)], [sum(rest), len(rest) - sum(rest)]]
        raw.append(fisher_exact(square, alternative="greater").pvalue)
    np.testing.assert_allclose(report.table["p_value"], holm(raw), rtol=1e-6)


def test_a_class_that_is_rejected_more_often_is_named():
    y = ["cat"] * 50 + ["dog"] * 50 + ["cow"] * 50
    blurry = np.zeros(150, bool)
    blurry[:20] = True
    blurry[[60, 110]] = True
    report = class_report(table_of(blurry=blurry, dark=~np.ones(150, bool)), y)
    assert kinds(report)[0] == ("class_rejected", "cat", "blurry")
    found = report.findings.iloc[0]
    assert (found["rate"], found["rest_rate"]) == (0.4, 0.02)
    assert found["p_value"] == report.table.loc["cat", "p_value"] < 1e-6
    for part in ("'cat'", "40.0%", "20 of 50", "2.0%", "blurry"):
        assert part in found["sentence"]
    assert report.table.index.tolist()[0] == "cat"


def test_an_issue_of_a_class_shows_behind_another_issue():
    # Every class is dark half of the time, but only one is noisy.
    y = np.repeat(["cat", "dog"], 100)
    dark = np.tile([True, False], 100)
    noisy = np.zeros(200, bool)
    noisy[:16] = True
    report = class_report(table_of(dark=dark, noisy=noisy), y)
    assert ("class_issue", "cat", "noisy") in kinds(report)
    assert not [kind for kind in kinds(report) if kind[0] == "class_rejected"]


def test_a_difference_that_is_small_is_not_named_however_sure():
    y = np.repeat(["cat", "dog"], 20_000)
    dark = np.zeros(40_000, bool)
    dark[:1_000], dark[20_000:20_700] = True, True
    report = class_report(table_of(dark=dark), y)
    assert report.table["p_value"].min() < 1e-6
    assert [kind[0] for kind in kinds(report)] == ["dominant_issue"]


def test_chance_is_corrected_for_the_number_of_classes():
    rng = np.random.default_rng(0)
    named = 0
    for _ in range(60):
        dark = rng.random(600) < 0.05
        report = class_report(table_of(dark=dark), np.repeat(np.arange(60), 10))
        named += any(kind[1] is not None for kind in kinds(report))
    assert named <= 6  # at most 5 % are expected; without the correction, nearly all


def test_most_rejections_are_thumbnails():
    small = [True] * 6 + [False] * 94
    dark = [False] * 6 + [True] * 3 + [False] * 91
    report = class_report(table_of(low_resolution=small, dark=dark), ["a"] * 100)
    assert kinds(report) == [("dominant_issue", None, "low_resolution")]
    found = report.findings.iloc[0]
    assert found["rate"] == pytest.approx(6 / 9)
    assert found["p_value"] == pytest.approx(binomtest(6, 9, 0.5, alternative="greater").pvalue)
    assert "thumbnails" in found["sentence"]
    assert "may be chance" in found["sentence"]


def test_the_cause_dominates_and_not_what_follows_from_it():
    flags = [True] * 6 + [False] * 4
    report = class_report(table_of(blurry=flags, pixelated=flags), list(range(10)))
    assert [kind[2] for kind in kinds(report) if kind[0] == "dominant_issue"] == ["blurry"]


@pytest.mark.parametrize(("rejected", "found"), [(20, False), (21, True), (60, True)])
def test_more_than_a_fifth_rejected_is_a_fault_of_the_source(rejected, found):
    # Spread over issues and classes, so that nothing else stands out.
    issues = {f"flaw_{k}": [i < rejected and i % 5 == k for i in range(100)] for k in range(5)}
    report = class_report(table_of(**issues), list(range(100)))
    assert kinds(report) == ([("high_rejection_rate", None, None)] if found else [])
    if rejected == 60:
        assert "chance" not in report.findings["sentence"][0]
    assert not kinds(class_report(table_of(**issues), list(range(100)), max_rate=0.7))


def test_reports_and_validation_tables_are_taken(flawed):
    images, labels = flawed
    y = np.where(labels["dark"] == 1, "night", "day")
    validated = validate_many(images[:60], min_side=32, progress=False)
    report = class_report(validated, y[:60])
    assert report.rejected == (~validated["ok"]).sum()

    quality = iq.QualityPipeline(progress=False).fit([*images[:60], b"broken"]).report()
    of_report = class_report(quality, [*y[:60], "day"])
    assert of_report.rejected == quality.issues["is_any_issue"].sum()
    pd.testing.assert_frame_equal(
        of_report.table, class_report(quality.issues, [*y[:60], "day"]).table
    )
    assert "any_rate" not in of_report.table


def test_an_image_without_a_verdict_counts_as_the_report_counts_it():
    pipeline = iq.QualityPipeline([("dark", iq.DarkDetector())], progress=False)
    quality = pipeline.fit([np.full((9, 9, 3), 200, np.uint8), b"broken"]).report()
    assert class_report(quality, ["a", "b"]).rejected == 1
    assert class_report(quality, ["a", "b"], issues=["dark"]).rejected == 0


def test_only_the_issues_asked_for_reject():
    table = table_of(dark=[True, False, False], blurry=[False, True, False])
    report = class_report(table, ["a", "a", "b"], issues=["blurry"])
    assert report.rejected == 1
    assert "dark_rate" not in report.table


@pytest.mark.parametrize("values", [["True", "False"], [1, 0], [1.0, np.nan], [True, None]])
def test_flags_may_come_from_a_file(values):
    assert class_report(table_of(dark=values), ["a", "b"]).rejected == 1


def test_labels_of_any_type_go_by_position():
    day = datetime.date(2020, 1, 1)
    labels = ["a", 2, ("b", 1), day, None, np.nan, pd.NA, pd.NaT]
    table = table_of(dark=[True] * 8).set_axis(list("hgfedcba"))
    for y in (labels, pd.Series(labels, index=range(3, 11), dtype=object)):
        report = class_report(table, y)
        assert report.unlabelled == 4
        assert report.table.index.tolist() == ["a", 2, ("b", 1), day]
        assert "4 without a label" in str(report)
    categories = pd.Series(["x", "y"] * 4, dtype="category")
    assert class_report(table, categories).table["images"].tolist() == [4, 4]


@pytest.mark.parametrize("label", [0, 2**53 + 1, True, ("a", 1), "a"])
def test_labels_come_back_as_they_were_given(label):
    dark = [True] * 9 + [False] * 21
    findings = class_report(table_of(dark=dark), [label] * 9 + ["other"] * 21).findings
    assert findings["finding"].tolist()[0] == "class_rejected"
    assert findings["class"].iloc[0] == label
    assert type(findings["class"].iloc[0]) is type(label)
    assert len(findings) > 1
    assert all(own is None for own in findings["class"].iloc[1:])
    assert class_report(table_of(dark=[False]), ["a"]).findings["class"].dtype == object


@pytest.mark.parametrize("rejected", [True, False])
def test_a_class_of_one_image_is_never_named(rejected):
    dark = np.zeros(1_000, bool)
    dark[0] = rejected
    report = class_report(table_of(dark=dark), ["rare"] + ["usual"] * 999)
    assert [kind for kind in kinds(report) if kind[1] is not None] == []


@pytest.mark.parametrize(("n", "labels"), [(0, []), (1, ["a"]), (3, [None] * 3), (3, ["a"] * 3)])
def test_ends_of_the_range(n, labels):
    report = class_report(table_of(dark=np.zeros(n, bool)), labels)
    assert len(report.findings) == 0
    assert report.images == n
    assert "Nothing found" in str(report)
    assert "Nothing found" in report._repr_html_()
    full = class_report(table_of(dark=np.ones(n, bool)), labels)
    assert full.rejected == n
    assert [kind for kind in kinds(full) if kind[1] is not None] == []


def test_text_and_html_show_the_findings_and_escape_labels():
    y = ["<b>"] * 10 + ["dog"] * 90
    report = class_report(table_of(dark=[True] * 9 + [False] * 91, noisy=[False] * 100), y)
    text, page = repr(report), report._repr_html_()
    assert "100 images in 2 classes, 9 (9.0%) rejected" in text
    for sentence in report.findings["sentence"]:
        assert f"- {sentence}" in text
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "noisy" not in page  # nobody is


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": ["a"]}, ValueError, "2 images, 1 labels"),
        ({"y": np.zeros((2, 2))}, ValueError, "one-dimensional"),
        ({"y": "ab"}, TypeError, "one label for each image"),
        ({"y": None}, TypeError, "one label for each image.*None"),
        ({"y": 3}, TypeError, "one label for each image.*3"),
        ({"y": {"a": 1, "b": 2}}, TypeError, "one label for each image"),
        ({"issues": []}, ValueError, "at least one"),
        ({"y": [["a"], ["b"]]}, TypeError, "not hashable"),
        ({"report": [True, False]}, TypeError, "QualityReport or a DataFrame"),
        ({"report": pd.DataFrame({"dark": [1, 0]})}, ValueError, "is_<issue>_issue.*'dark'"),
        ({"report": table_of(dark=["yes", "no"])}, ValueError, "is_dark_issue"),
        ({"issues": ["blurry"]}, ValueError, "'blurry'"),
        ({"issues": "dark"}, TypeError, "list"),
        ({"alpha": 0}, ValueError, "alpha"),
        ({"alpha": "0.1"}, TypeError, "alpha"),
        ({"max_rate": 1.0}, ValueError, "max_rate"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    arguments = {"report": table_of(dark=[True, False]), "y": ["a", "b"], **change}
    with pytest.raises(error, match=message):
        class_report(arguments.pop("report"), arguments.pop("y"), **arguments)


def test_holm_is_never_below_the_plain_p_value():
    for p_values in itertools.product([0.001, 0.02, 0.5, 1.0], repeat=3):
        assert (np.array(holm(p_values)) >= p_values).all()
