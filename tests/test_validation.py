"""Fixed limits, one image at a time: profiles, verdicts, reasons, folders."""

from __future__ import annotations

import csv
import io
import pickle
import re
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from naive import validation_score
from PIL import Image

import imagequality as iq
from imagequality import perturbations as p
from imagequality.validation import (
    ISSUES,
    PROFILES,
    Profile,
    validate,
    validate_folder,
    validate_many,
)

PHOTO = skimage.data.astronaut()
PHOTOS = [PHOTO, skimage.data.coffee(), skimage.data.chelsea()]
FLAWED = {
    "low_resolution": cv2.resize(PHOTO, (40, 40), interpolation=cv2.INTER_AREA),
    "dark": p.adjust_exposure(PHOTO, -6),
    "light": np.full((80, 80, 3), 255, np.uint8),
    "noisy": p.add_noise(PHOTO, 40, random_state=0),
    "compressed": p.compress_jpeg(PHOTO, 5),
    "blurry": cv2.GaussianBlur(PHOTO, (0, 0), 4),
    "pixelated": p.pixelate(PHOTO, 4),
    "badly_exposed": p.adjust_exposure(PHOTO, -2.5),
}


def as_png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


# ------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("image", PHOTOS, ids=["astronaut", "coffee", "chelsea"])
def test_photographs_are_admitted_by_every_profile(profile, image):
    result = validate(image, profile)
    assert result
    assert (result.ok, result.issues, result.reason) == (True, [], "")
    assert 0.5 <= result.score <= 1


@pytest.mark.parametrize("issue", FLAWED)
def test_the_reason_names_the_flaw(issue):
    result = validate(FLAWED[issue])
    assert not result
    assert result.issues[0] == issue
    assert result.reason.startswith(issue.replace("_", " ") + ": ")
    assert result.score < 0.5
    assert result.scores[issue] < Profile.named("classification").limits[issue]


def test_the_reason_gives_the_figure_and_what_is_allowed():
    reason = validate(FLAWED["noisy"], thresholds={"noisy": 0.5}).reason
    sigma, allowed = map(float, re.findall(r"[\d.]+", reason))
    assert allowed == 10  # the noise whose score is 0.5
    np.testing.assert_allclose(sigma, 40, rtol=0.2)
    assert re.search(
        r"shorter side is 40 pixels, at least 64", validate(FLAWED["low_resolution"]).reason
    )
    assert "underexposed" in validate(FLAWED["badly_exposed"]).reason
    assert "darkest parts reach 100 %" in validate(FLAWED["light"]).reason
    clipped = np.where(np.arange(96)[:, None, None] < 86, np.uint8(255), PHOTO[:96, :96])
    share = 100 * (clipped.max(axis=2) == 255).mean()
    assert f"{share:.2g} % of the pixels are clipped" in validate(clipped).reason


@pytest.mark.parametrize("issue", ISSUES)
def test_every_issue_has_a_sentence_of_its_own(issue):
    grey_strip = np.tile(np.arange(60, dtype=np.uint8), (4, 1))
    result = validate(grey_strip, Profile({issue: 1.0}, min_side=4000))
    if result.issues:  # a score of 1 cannot be below the limit
        assert result.reason.startswith(issue.replace("_", " "))
        assert len(result.reason) > len(issue) + 12


def test_close_figures_are_told_apart():
    score = validate(PHOTO).scores["blurry"]
    reason = validate(PHOTO, {"limits": {"blurry": score + 1e-6}}).reason
    got, needed = re.findall(r"([\d.]+) %", reason)
    assert float(got) < float(needed)


def test_all_forms_of_an_image_are_judged_the_same(tmp_path):
    image = FLAWED["noisy"]
    (tmp_path / "a.png").write_bytes(as_png(image))
    forms = [
        image,
        Image.fromarray(image),
        as_png(image),
        io.BytesIO(as_png(image)),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
    ]
    results = [validate(form) for form in forms]
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    "image", [b"", b"text", "missing.png", np.zeros((0, 4)), np.full((4, 4), np.nan)], ids=repr
)
def test_what_cannot_be_read_is_not_ok_for_a_reason(image):
    result = validate(image)
    assert (result.ok, result.score, result.issues) == (False, 0.0, ["invalid"])
    assert result.reason.startswith("invalid: ")
    assert np.isnan(list(result.scores.values())).all()


@pytest.mark.parametrize("image", [None, 3, [PHOTO], {"image": PHOTO}], ids=type)
def test_what_is_no_image_is_a_type_error(image):
    with pytest.raises(TypeError, match="image must be"):
        validate(image)


def test_the_hint_for_several_images():
    with pytest.raises(TypeError, match="validate_many"):
        validate([PHOTO])


def test_a_small_sharp_image_lacks_nothing_but_resolution():
    small = [cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in PHOTOS]
    assert validate_many(small)["issues"].tolist() == [["low_resolution"]] * 3
    assert validate_many(small, min_side=32)["ok"].all()


SIDES = st.integers(1, 40)
IMAGES = npst.arrays(
    np.uint8,
    st.tuples(SIDES, SIDES) | st.tuples(SIDES, SIDES, st.sampled_from([1, 3, 4])),
)
ARRAYS = npst.arrays(
    npst.scalar_dtypes(), npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)
)


@settings(deadline=None, max_examples=60)
@given(array=ARRAYS)
def test_no_array_raises(array):
    result = validate(array, min_side=4)
    assert set(result.issues) <= {*ISSUES, "invalid"}
    assert result.ok == (result.score >= 0.5) == (not result.reason) == (not result.issues)
    assert ("invalid" in result.issues) == np.isnan(list(result.scores.values())).all()


@settings(deadline=None, max_examples=60)
@given(image=IMAGES, profile=st.sampled_from(list(PROFILES)), limit=st.floats(0, 1))
def test_any_array_gets_a_verdict_that_agrees_with_itself(image, profile, limit):
    thresholds = {"low_information": limit, "odd_aspect_ratio": limit}
    result = validate(image, profile, thresholds, min_side=8)
    assert 0 <= result.score <= 1
    assert result.ok == bool(result) == (result.score >= 0.5) == (not result.issues)
    assert (result.reason == "") == result.ok
    limits = {**PROFILES[profile].limits, **thresholds}
    assert set(result.scores) == set(limits)
    assert result.issues == [i for i in result.scores if result.scores[i] < limits[i]]
    np.testing.assert_allclose(result.score, validation_score(result.scores, limits))


# ------------------------------------------------------------------------------ many images


def test_one_row_for_each_image_in_order(tmp_path):
    names = [f"{name}.png" for name in ("b", "a", "d", "c")]
    for name, image in zip(names, (PHOTO, FLAWED["dark"], PHOTO, FLAWED["blurry"]), strict=True):
        (tmp_path / name).write_bytes(as_png(image))
    (tmp_path / "d.png").write_bytes(b"broken")
    paths = [str(tmp_path / name) for name in names]
    table = validate_many(paths, n_jobs=2, progress=False)
    assert table.index.tolist() == paths
    for path, row in table.iterrows():
        result = validate(path)
        assert (row["ok"], row["score"], row["issues"], row["reason"]) == (
            result.ok,
            result.score,
            result.issues,
            result.reason,
        )
        assert bool(row["is_invalid_issue"]) == (result.issues == ["invalid"])
        for issue, score in result.scores.items():
            np.testing.assert_equal(row[f"{issue}_score"], score)
            if result.issues == ["invalid"]:
                assert row[f"is_{issue}_issue"] is pd.NA
            else:
                assert row[f"is_{issue}_issue"] == (issue in result.issues)


def test_what_is_no_image_is_a_row_among_many():
    assert validate_many([PHOTO, None, 3])["ok"].tolist() == [True, False, False]


def test_a_measured_table_is_not_measured_again():
    table = iq.measure([PHOTO, b"broken", FLAWED["dark"]], progress=False)
    expected = validate_many([PHOTO, b"broken", FLAWED["dark"]])
    pd.testing.assert_frame_equal(validate_many(table), expected)
    # A row without a verdict, as an outer join makes them, has not been read.
    table["valid"] = table["valid"].astype("boolean")
    table.loc[0, ["valid", "reason"]] = pd.NA
    assert validate_many(table)["reason"][0] == "invalid: not measured"


def test_no_images_give_no_rows():
    table = validate_many([])
    assert len(table) == 0
    assert {"ok", "score", "issues", "reason", "is_blurry_issue"} <= set(table)


def test_one_image_instead_of_many_is_a_type_error():
    with pytest.raises(TypeError, match="collection"):
        validate_many("a.jpg")


# ------------------------------------------------------------------------------ profiles


def test_the_profiles_keep_the_order_of_the_published_table():
    names = ["classification", "object_detection", "segmentation", "fine_grained"]
    blur, noise, side = (
        [PROFILES[name].limits["blurry"] for name in names],
        [PROFILES[name].limits["noisy"] for name in names],
        [PROFILES[name].min_side for name in names],
    )
    assert blur == sorted(set(blur))
    assert noise[0] < noise[1] < noise[2] == noise[3]
    assert side[0] < side[1] == side[2] < side[3]


def test_issues_stand_in_the_order_of_causes():
    causes = [name for name, _ in iq.default_detectors()]
    assert [issue for issue in ISSUES if issue in causes] == [
        name for name in causes if name in ISSUES
    ]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_of_ones_own_may_be_built_on_ours(name):
    own = Profile.from_dict({"base": name, "limits": {"blurry": 0.11}, "min_side": 7})
    expected = {**PROFILES[name].limits, "blurry": 0.11}
    assert (own.limits, own.min_side, own.name) == (expected, 7, "")


def test_a_profile_looks_only_at_what_it_lists():
    assert list(validate(FLAWED["dark"], {"limits": {"noisy": 0.5}}).scores) == ["noisy"]
    assert validate(FLAWED["dark"], Profile({"noisy": 0})).ok
    assert not validate(b"broken", Profile({"noisy": 0})).ok
    assert validate(FLAWED["low_resolution"], {"min_side": 41}).issues == ["low_resolution"]


def test_changing_a_named_profile_changes_no_other():
    Profile.named("classification").limits["blurry"] = 1.0
    limits = {"dark": 0.2}
    profile = Profile(limits)
    limits["dark"] = 1.0
    assert Profile.named("classification").limits["blurry"] < 1
    assert profile.limits["dark"] == 0.2


def test_profiles_can_be_pickled():
    profile = Profile.named("segmentation")
    assert pickle.loads(pickle.dumps(profile)) == profile


@pytest.mark.parametrize("limit", [0, 1])
def test_limits_at_the_ends(limit):
    result = validate(FLAWED["dark"], {"limits": {"dark": limit}})
    assert result.ok == (limit == 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"thresholds": {"blury": 0.3}}, ValueError, "'blury'.*did you mean 'blurry'"),
        ({"thresholds": {"dark": 1.2}}, ValueError, "'dark'.*1.2"),
        ({"thresholds": {"dark": float("nan")}}, ValueError, "'dark'.*nan"),
        ({"thresholds": {"dark": "0.3"}}, TypeError, "'dark'.*'0.3'"),
        ({"thresholds": {"dark": True}}, TypeError, "'dark'.*True"),
        ({"thresholds": [0.3]}, TypeError, "list"),
        ({"min_side": 0}, ValueError, "min_side.*0"),
        ({"min_side": 3.5}, TypeError, "min_side.*3.5"),
        ({"profile": "clasification"}, ValueError, "did you mean 'classification'"),
        ({"profile": 3}, TypeError, "profile must be.*int"),
        ({"profile": {"blurry": 0.3}}, ValueError, "'blurry' under 'limits'"),
        ({"profile": {"minside": 3}}, ValueError, "'minside'.*did you mean 'min_side'"),
        ({"profile": {"base": ["classification"]}}, ValueError, "unknown profile"),
        ({"profile": {"name": 3}}, TypeError, "name"),
        ({"profile": {"limits": 3}}, TypeError, "mapping"),
        ({"profile": {}}, ValueError, "no limits"),
        ({"profile": {"limits": None, "name": "empty"}}, ValueError, "'empty'.*no limits"),
        ({"profile": Profile({})}, ValueError, "no limits"),
    ],
)
def test_bad_settings_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        validate(PHOTO, **arguments)
    with pytest.raises(error, match=message):
        validate_many([PHOTO], **arguments)


TOML = 'name = "tiles"\nbase = "classification"\nmin_side = 32\n[limits]\nblurry = 0.2\n'


def test_a_profile_from_a_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(TOML, encoding="utf-8")
    profile = Profile.from_toml(path)
    assert profile == Profile.from_dict(
        {"name": "tiles", "base": "classification", "min_side": 32, "limits": {"blurry": 0.2}}
    )
    results = [validate(PHOTO, form) for form in (path, str(path), profile)]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("text", [b"limits = ", b"\xff", b"[limits]\nblury = 1\n"])
def test_a_bad_file_is_named(text, tmp_path):
    path = tmp_path / "own.toml"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"own\.toml"):
        Profile.from_toml(path)


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "own.TOML"
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.TOML.*no limits"):
        validate(PHOTO, str(path))
    assert validate(PHOTO, str(path), {"dark": 0.3}) == validate(PHOTO, {"limits": {"dark": 0.3}})


# ------------------------------------------------------------------------------ folders


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    (folder / "good.png").write_bytes(as_png(PHOTO))
    (folder / "deep" / "dark.png").write_bytes(as_png(FLAWED["dark"]))
    (folder / "broken.jpg").write_bytes(b"broken")
    return folder


def test_a_folder_is_divided_and_left_as_it_is(folder, tmp_path):
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    audit = tmp_path / "rejections.csv"
    accepted, rejected = validate_folder(folder, audit=audit, n_jobs=1, progress=False)
    assert [Path(path).name for path in accepted.index] == ["good.png"]
    assert [Path(path).name for path in rejected.index] == ["broken.jpg", "dark.png"]
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before

    written = pd.read_csv(audit, keep_default_na=False).set_index("path")
    both = pd.concat([accepted, rejected])
    assert sorted(written.index) == sorted(both.index)
    for path, row in both.iterrows():
        assert written.loc[path, "issues"].split(";") == (row["issues"] or [""])
        assert written.loc[path, "reason"] == row["reason"]
        assert written.loc[path, "score"] == pytest.approx(row["score"])
    assert set(written) >= {f"{issue}_score" for issue in PROFILES["classification"].limits}


def test_names_that_a_spreadsheet_would_run_or_that_are_no_unicode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("=1+1", "+x", "-x", "@x", "plain"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(as_png(PHOTO))
        validate_folder(name, audit="audit.csv", progress=False)
        (path,) = pd.read_csv("audit.csv")["path"]
        assert path == ("" if name == "plain" else "'") + str(Path(name, "a.png"))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_surrogate_names_are_escaped(tmp_path):
    (tmp_path / "images").mkdir()
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    (tmp_path / "images" / name).write_bytes(as_png(PHOTO))
    accepted, _ = validate_folder(tmp_path / "images", audit=tmp_path / "a.csv", progress=False)
    assert accepted.index[0].endswith(name)
    assert "\\udcff.png" in (tmp_path / "a.csv").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="such names do not exist there")
def test_any_name_is_one_row_of_the_audit(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a\rb.png", "a\nb.png", "a\r\nb.png", 'a,"b.png', "a;b.png"):
        (tmp_path / "images" / name).write_bytes(as_png(PHOTO))
    audit = tmp_path / "a.csv"
    accepted, _ = validate_folder(tmp_path / "images", audit=audit, progress=False)
    assert len(accepted) == 5
    with open(audit, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1
    assert [row[0] for row in rows[1:]] == accepted.index.tolist()
    assert pd.read_csv(audit)["path"].tolist() == accepted.index.tolist()


def test_the_class_report_takes_what_is_written_and_what_is_returned(folder, tmp_path):
    audit = tmp_path / "a.csv"
    accepted, rejected = validate_folder(folder, audit=audit, progress=False)
    both = pd.concat([accepted, rejected])
    written = pd.read_csv(audit, index_col="path")
    for table in (both, written, written.loc[both.index]):
        labels = [Path(path).suffix for path in table.index]
        report = iq.class_report(table, labels)
        assert report.rejected == 2
        assert report.table["rejected"].to_dict() == {".jpg": 1, ".png": 1}
        assert report.table.loc[".jpg", "invalid_rate"] == 1
        assert report.table.loc[".png", "dark_rate"] == 0.5


def test_an_empty_folder_gives_empty_tables(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accepted, rejected = validate_folder(tmp_path, audit=tmp_path / "a.csv")
    assert (len(accepted), len(rejected)) == (0, 0)
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith('"path","ok","score",')


def test_nothing_is_judged_for_an_audit_that_cannot_be_written(folder, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="audit"):
        validate_folder(folder, audit=tmp_path / "missing" / "audit.csv")
    monkeypatch.setattr("imagequality.validation._folder.validate_many", None)
    with pytest.raises(IsADirectoryError, match="audit"):
        validate_folder(folder, audit=tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        validate_folder(tmp_path / "missing")
