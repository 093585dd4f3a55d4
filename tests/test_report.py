"""The report: its files, its face in a notebook, and two of them compared."""

from __future__ import annotations

import csv
import html
import inspect
import json
import re
from xml.etree import ElementTree

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

import imagequality as iq
from imagequality.report import QualityReport, guarded_cell, json_schema, printable
from imagequality.report._histogram import score_histogram
from imagequality.report._notebook import sparkline

NASTY = [
    "=HYPERLINK(1).jpg",
    "+a.jpg",
    "-b.jpg",
    "@c.jpg",
    "\td.jpg",
    "\re.jpg",
    "caf\udce9.jpg",
    "line\nbreak\r.jpg",
    'quote",comma.jpg',
    "</script><img src=x onerror=alert(1)>.jpg",
    "\u2028\u2029\U0001f600.jpg",
]


def small_report(names, dark=None, threshold=0.5, reason=None):
    """A report of one issue, written by hand."""
    n = len(names)
    scores = np.linspace(0, 1, n) if dark is None else np.asarray(dark, dtype=float)
    flags = scores < threshold
    index = pd.Index(np.array(names, dtype=object), name="path", dtype=object)
    reasons = np.full(n, "", dtype=object) if reason is None else np.array(reason, dtype=object)
    issues = pd.DataFrame(
        {
            "quality_score": scores,
            "is_any_issue": flags,
            "primary_issue": np.where(flags, "dark", None).astype(object),
            "dark_score": scores,
            "is_dark_issue": pd.array(flags, dtype="boolean"),
            "reason": pd.Series(reasons, dtype=object, index=index),
        },
        index=index,
    )
    row = {"issue": "dark", "count": int(flags.sum()), "share": float(flags.mean())}
    row |= {"primary_count": int(flags.sum()), "threshold": threshold, "score": "", "method": "m"}
    columns = ["image", "issue", "group", "size", "keep", "kept", "distance"]
    plan = pd.DataFrame(
        {
            "action": np.where(flags, "drop", "keep").astype(object),
            "why": np.where(flags, "dark", "").astype(object),
            "group": pd.array([pd.NA] * n, dtype="Int64"),
            "kept": np.full(n, None, dtype=object),
        },
        index=index,
    )
    duplicates = pd.DataFrame(columns=[*columns, "diameter", "weakest_link"])
    return QualityReport(issues, pd.DataFrame([row]), duplicates, plan)


@pytest.fixture(scope="module")
def report(flawed, clean):
    """Of flawed images, copies and broken ones."""
    images = [*flawed[0], *clean[:20], clean[0], clean[0], clean[1], b"broken", b""]
    return iq.QualityPipeline(progress=False).fit(images).report()


@pytest.fixture(scope="module")
def nasty(flawed):
    """Of flawed images with bad names, two of them copies."""
    named = [*zip(NASTY, flawed[0], strict=False), ("=copy", flawed[0][0]), ("<b>", b"broken")]
    table = iq.measure(iter(named), progress=False)
    return iq.QualityPipeline(progress=False).fit(table).report()


# ------------------------------------------------------------------ files


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_csv_has_a_row_for_each_image_and_the_plan(report, tmp_path):
    report.to_csv(tmp_path / "audit.csv")
    read = pd.read_csv(tmp_path / "audit.csv", index_col=0, keep_default_na=False)
    assert read.index.tolist() == report.issues.index.tolist()
    assert read["action"].tolist() == report.plan["action"].tolist()
    assert read["why"].tolist() == report.plan["why"].tolist()
    assert [c for c in read if c not in ("action", "why", "group", "kept")] == [*report.issues]
    kept = [int(value) for value in read["kept"] if value]
    assert kept == report.plan["kept"].dropna().tolist()


def test_csv_is_no_program_for_a_spreadsheet(nasty, tmp_path):
    nasty.to_csv(tmp_path / "audit.csv")
    head, *rows = rows_of(tmp_path / "audit.csv")
    assert [row[0] for row in rows] == [guarded_cell(printable(n)) for n in nasty.issues.index]
    for row in rows:
        # A number may be negative; text may not begin as a formula does.
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)
        assert not row[0].startswith("-")
    kept = {row[head.index("kept")] for row in rows} - {""}
    assert kept == {guarded_cell(name) for name in nasty.plan["kept"].dropna()} != set()


names = st.text(
    st.characters(exclude_characters="\0", categories=("L", "N", "P", "S", "Z", "Cs", "Cc")),
    min_size=1,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(names, min_size=1, max_size=5))
def test_any_name_survives_every_file(tmp_path_factory, listed):
    report = small_report(listed, reason=listed)
    folder = tmp_path_factory.mktemp("files")
    written = [printable(name) for name in listed]
    report.to_csv(folder / "audit.csv")
    assert [row[0] for row in rows_of(folder / "audit.csv")[1:]] == list(map(guarded_cell, written))
    document = json.loads(report.to_json())
    assert [image["image"] for image in document["images"]] == written
    assert [image["reason"] for image in document["images"]] == written
    report._repr_html_().encode("utf-8")


def test_parquet_holds_what_the_csv_file_does(report, nasty, tmp_path):
    pytest.importorskip("pyarrow")
    for given_report in (report, nasty):
        given_report.to_parquet(tmp_path / "audit.parquet")
        read = pd.read_parquet(tmp_path / "audit.parquet")
        expected = [printable(x) if isinstance(x, str) else x for x in given_report.issues.index]
        assert read.index.tolist() == expected
        assert read["action"].tolist() == given_report.plan["action"].tolist()
        scores = given_report.issues["dark_score"].to_numpy()
        np.testing.assert_array_equal(read["dark_score"].to_numpy(dtype=float), scores)
        flags = given_report.issues["is_dark_issue"]
        assert read["is_dark_issue"].isna().tolist() == flags.isna().tolist()


def test_names_and_positions_beside_each_other_can_be_written(flawed, tmp_path):
    pytest.importorskip("pyarrow")
    table = iq.measure(iter([("a.jpg", flawed[0][0]), flawed[0][0]]), progress=False)
    mixed = iq.QualityPipeline(progress=False).fit(table).report()
    mixed.to_parquet(tmp_path / "audit.parquet")
    mixed.to_csv(tmp_path / "audit.csv")
    read = pd.read_parquet(tmp_path / "audit.parquet")
    assert read.index.tolist() == ["a.jpg", "1"]
    assert [row[0] for row in rows_of(tmp_path / "audit.csv")[1:]] == ["a.jpg", "1"]


def test_json_meets_its_schema(report, nasty):
    validator = pytest.importorskip("jsonschema").Draft202012Validator(json_schema())
    for document in map(json.loads, (report.to_json(), nasty.to_json())):
        validator.validate(document)


def test_json_schema_names_every_field_that_is_written(report):
    """So that a field cannot be added or renamed without a word."""
    document, schema = json.loads(report.to_json()), json_schema()
    assert set(document) == set(schema["required"]) == set(schema["properties"])
    for part in ("summary", "images", "duplicates"):
        fields = schema["properties"][part]["items"]
        assert set(fields["properties"]) == set(fields["required"])
        assert document[part]
        for record in document[part]:
            assert set(record) == set(fields["required"])


def test_json_says_what_the_tables_say(report, tmp_path):
    document = json.loads(report.to_json())
    assert report.to_json(tmp_path / "report.json") is None
    assert json.loads((tmp_path / "report.json").read_text()) == document
    assert document["n_flagged"] == report.issues["is_any_issue"].sum()
    assert document["n_drop"] == (report.plan["action"] == "drop").sum()
    for position, image in enumerate(document["images"]):
        row = report.issues.iloc[position]
        assert image["image"] == position
        for issue, score in image["scores"].items():
            own = row[f"{issue}_score"]
            assert score == own if score is not None else np.isnan(own)
            flag = row[f"is_{issue}_issue"]
            assert image["flags"][issue] is (None if flag is pd.NA else bool(flag))
        plan = report.plan.iloc[position]
        assert (image["action"], image["why"]) == (plan["action"], plan["why"])
        assert image["kept"] == plan["kept"]
    assert {entry["image"] for entry in document["duplicates"]} == set(report.duplicates["image"])


def test_empty_tables_can_be_written(clean, tmp_path):
    pipeline = iq.QualityPipeline([("dark", iq.DarkDetector())], progress=False)
    small = pipeline.fit(list(clean[:3])).report()
    assert json.loads(small.to_json())["duplicates"] == []
    small.to_csv(tmp_path / "audit.csv")
    assert len(rows_of(tmp_path / "audit.csv")) == 4


# ------------------------------------------------------------------ notebook


def test_notebook_shows_each_issue_with_its_share_and_threshold(report):
    shown = report._repr_html_()
    for row in report.summary.to_dict("records"):
        cells = f"<td>{row['issue']}</td><td>{row['count']:,}</td><td>{row['share']:.2%}</td>"
        assert cells in shown
        assert f"<td>{row['threshold']:.4g}</td>" in shown
    assert shown.count("<svg") == shown.count("</svg>") == len(report.summary)
    assert "not an image in a format that can be read" in shown


def test_notebook_page_is_well_formed_and_escaped():
    hostile = "<script>alert(1)</script>&\"'"
    report = small_report(["a", "b"], dark=[0.1, 0.9], reason=[hostile, ""])
    report.summary.loc[0, "method"] = hostile
    shown = report._repr_html_()
    ElementTree.fromstring(f"<div>{shown}</div>")
    assert "<script" not in shown
    assert shown.count(html.escape(hostile)) == 2


def bars_of(svg, colour):
    path = next(p for p in ElementTree.fromstring(svg) if p.get("fill") == colour)
    return re.findall(r"M", path.get("d"))


def test_sparkline_is_small_and_colours_what_is_flagged():
    scores = np.random.default_rng(0).beta(5, 2, size=1000)
    svg = sparkline(scores, 0.4, "dark")
    assert len(svg) < 1000
    assert "currentColor" in svg
    assert bars_of(svg, "#d55e00")
    # None below: a score of 1 is not below 1, though it lies in the last bin.
    assert not bars_of(sparkline([1.0, 1.0, np.nan], 1.0, "dark"), "#d55e00")
    assert not bars_of(sparkline([np.nan], 0.0, "dark"), "#d55e00")


@given(
    st.lists(st.one_of(st.floats(0, 1), st.just(np.nan)), max_size=30),
    st.floats(0, 1),
    st.integers(1, 60),
)
def test_histogram_counts_every_score_and_shows_the_threshold(scores, threshold, bins):
    histogram = score_histogram(scores, threshold, bins)
    assert histogram.counts.sum() == np.isfinite(scores).sum()
    assert histogram.low < histogram.high
    assert 0 <= histogram.position(threshold) <= 1
    if threshold > 0:
        assert histogram.low <= threshold <= histogram.high


# ------------------------------------------------------------------ comparison


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd\udce9"), st.floats(0, 1), min_size=1),
    st.dictionaries(st.sampled_from("abcd\udce9"), st.floats(0, 1), min_size=1),
)
def test_comparison_agrees_with_counting(first, second):
    reports = [small_report(list(part), dark=list(part.values())) for part in (first, second)]
    comparison = reports[0].compare(reports[1])
    flags = [{name: score < 0.5 for name, score in part.items()} for part in (first, second)]
    status = naive.changes_between(*flags)
    assert comparison.images["status"].to_dict() == status
    counts = [list(status.values()).count(kind) for kind in ("fixed", "new", "unchanged")]
    for _, row in comparison.table.iterrows():
        both = set(first) & set(second)
        assert row[["fixed", "new", "unchanged"]].tolist() == (counts if both else [pd.NA] * 3)
        for name, own in zip(("before", "after"), flags, strict=True):
            assert row[f"count_{name}"] == sum(own.values())
            assert row[f"share_{name}"] == pytest.approx(sum(own.values()) / len(own))
        assert row["difference"] == pytest.approx(row["share_after"] - row["share_before"])
    assert str(comparison)
    ElementTree.fromstring(f"<div>{comparison._repr_html_()}</div>")


def test_positions_are_not_taken_for_names(report, clean):
    comparison = report.compare(iq.QualityPipeline(progress=False).fit(list(clean[:9])).report())
    assert not len(comparison.images)
    assert comparison.table["fixed"].isna().all()
    assert "they have no names" in str(comparison)


def test_an_issue_that_one_report_does_not_know_is_missing_there(report, clean):
    dark = iq.QualityPipeline([("dark", iq.DarkDetector())], progress=False)
    other = dark.fit(list(clean[:9])).report()
    table = report.compare(other, names=("train", "test")).table.set_index("issue")
    assert pd.isna(table.loc["blurry", "count_test"])
    assert np.isnan(table.loc["blurry", "difference"])
    assert table.loc["dark", "count_test"] == 0


def test_comparison_of_repeated_and_nasty_names(nasty):
    comparison = nasty.compare(nasty, names=("<i>one</i>", "two"))
    assert set(comparison.images["status"]) <= {"unchanged", "fine"}
    assert "<i>" not in comparison._repr_html_()
    for name in ("a", "\udce9"):
        twice = small_report([name, name], dark=[0.1, 0.9])
        comparison = twice.compare(small_report([name], dark=[0.9]))
        assert comparison.images["status"].to_dict() == {name: "fixed"}


@pytest.mark.parametrize(
    ("other", "names", "error"),
    [
        (None, ("a", "b"), TypeError),
        ("itself", ("a", "a"), ValueError),
        ("itself", ("a",), ValueError),
        ("itself", "ab", ValueError),
    ],
)
def test_bad_comparisons_are_refused(other, names, error):
    report = small_report(["a"])
    with pytest.raises(error):
        report.compare(report if other else other, names=names)


# ------------------------------------------------------------------ scikit-learn's diagram


def test_diagram_shows_the_detectors_and_thresholds():
    images = [np.full((16, 16, 3), level, np.uint8) for level in (0, 100, 200)]
    pipeline = iq.QualityPipeline(
        [("dark", iq.DarkDetector(threshold=0.25)), ("light", "drop")], progress=False
    )
    unfitted = estimator_html_repr(pipeline)
    assert "DarkDetector" in unfitted
    assert "drop" in unfitted
    assert "score &lt; 0.25" not in unfitted
    assert "score &lt; 0.25" in estimator_html_repr(pipeline.fit(images))


@pytest.mark.parametrize("detector", [detector for _, detector in iq.default_detectors()])
def test_every_detector_has_a_diagram(detector, clean):
    assert type(detector).__name__ in estimator_html_repr(detector)
    assert type(detector).__name__ in estimator_html_repr(detector.fit(list(clean[:5])))
    assert type(detector).__name__ in estimator_html_repr(iq.QualityPipeline())


def test_display_computes_nothing():
    """scikit-learn asks for every attribute that ends in _ when it draws a fitted estimator."""
    own = [getattr(iq, name) for name in iq.__all__]
    estimators = [x for x in own if inspect.isclass(x) and issubclass(x, BaseEstimator)]
    assert len(estimators) > 20
    computed = [
        f"{estimator.__name__}.{name}"
        for estimator in estimators
        for base in estimator.__mro__
        for name, value in vars(base).items()
        if isinstance(value, property) and name.endswith("_") and not name.startswith("_")
    ]
    assert computed == []


def test_display_measures_and_scores_nothing(clean):
    class Pipeline(iq.QualityPipeline):
        def _measure(self, X, detectors):
            assert not hasattr(self, "detectors_"), "measured again"
            return super()._measure(X, detectors)

    pipeline = Pipeline(progress=False).fit(list(clean[:5]))
    assert "blurry: score" in pipeline._repr_mimebundle_()["text/html"]
