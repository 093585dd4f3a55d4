"""What each detector's score is, and that it finds the flaw planted."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter, ImageStat

import imagequality as iq
from imagequality import perturbations as p


def solid(level, side=16):
    return np.full((side, side, 3), level, np.uint8)


# ---------------------------------------------------------------------------- light, dark


@pytest.mark.parametrize("percentile", [1, 60, 99])
def test_light_score_is_one_minus_the_percentile(percentile):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    r, g, b = image.astype(float).transpose(2, 0, 1)
    brightness = np.sqrt(0.241 * r**2 + 0.691 * g**2 + 0.068 * b**2) / 255
    score = (
        iq.LightDetector("percentile", percentile=percentile).fit([image]).score_samples([image])
    )
    assert score == pytest.approx(1 - np.percentile(brightness, percentile), abs=1.3e-4)


def test_light_with_some_dark_pixels_is_found_by_the_default_and_missed_by_cleanvision():
    washed_out = solid(255)
    washed_out[:3] = 0  # 19 % black
    assert iq.LightDetector().fit_predict([washed_out]) == [1]
    assert iq.LightDetector(method="cleanvision").fit_predict([washed_out]) == [0]


def test_fastdup_means_are_those_of_all_channels():
    image = solid(0)
    image[..., 2] = 255
    assert iq.LightDetector(method="fastdup").fit([image]).score_samples([image]) == [
        pytest.approx(2 / 3)
    ]
    assert iq.DarkDetector(method="fastdup").fit([image]).score_samples([image]) == [
        pytest.approx(1 / 3)
    ]


def test_saturated_blue_is_not_dark_by_value_but_by_brightness():
    blue = solid(0)
    blue[..., 2] = 255
    assert iq.DarkDetector().fit_predict([blue]) == [0]
    assert iq.DarkDetector(method="cleanvision").fit_predict([blue]) == [1]


def test_clipping_score_follows_its_formula():
    image = np.full((10, 10, 3), 100, np.uint8)
    image[:3] = 200  # bright
    image[3] = (255, 90, 90)  # clipped, hence bright too
    detector = iq.LightDetector().fit([image])
    assert detector.score_samples([image]) == [pytest.approx(1 - np.sqrt(0.1) * 0.1 / 0.4)]
    assert detector.score_samples([solid(191)]) == [pytest.approx(2 * (1 - 191 / 255), abs=1e-3)]
    assert detector.score_samples([solid(0)]) == [1]
    assert detector.score_samples([solid(255)]) == [0]


@pytest.mark.parametrize("factor", [0.5, 2])
def test_light_means_the_same_at_half_and_double_size(factor, clean):
    images = [p.adjust_brightness(cv2.resize(x, (192, 192)), 2.5) for x in clean[:20]]
    other = [
        cv2.resize(x, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for x in images
    ]
    detector = iq.LightDetector().fit(images)
    difference = detector.score_samples(images) - detector.score_samples(other)
    assert np.abs(difference).max() < 0.1


# --------------------------------------------------------------------------------- blurry


def test_cleanvision_blur_score_follows_its_formula():
    image = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    small = Image.fromarray(image).resize((64, 51)).convert("L")
    edges = np.sqrt(ImageStat.Stat(small.filter(ImageFilter.FIND_EDGES)).var[0])
    texture = 1 - np.exp(-0.01 * np.std(small.histogram()))
    expected = min(1, 1 - np.exp(-0.01 * edges) + (texture if texture > 0.18 else 0))
    score = iq.BlurDetector(method="cleanvision").fit([image]).score_samples([image])
    assert score == pytest.approx(expected, abs=1e-12)


def test_fastdup_blur_score_is_one_half_at_its_limit():
    table = pd.DataFrame({"laplacian_variance": [0.0, 150.0, 1e9, np.nan]})
    detector = iq.BlurDetector(method="fastdup").fit(table)
    np.testing.assert_allclose(detector.score_samples(table), [0, 0.5, 1, np.nan], atol=1e-6)
    assert detector.predict(table).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("method", ["edge_frequency", "cleanvision", "fastdup"])
def test_blur_lowers_the_score(method, clean):
    sharp = list(clean[:20])
    blurred = [cv2.GaussianBlur(image, (0, 0), 2) for image in sharp]
    detector = iq.BlurDetector(method=method).fit(sharp)
    assert (detector.score_samples(blurred) < detector.score_samples(sharp)).all()


# ------------------------------------------------------------------ information, grayscale


def test_low_information_is_entropy_over_what_the_pixels_could_reach():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)  # 12 values, all different
    detector = iq.LowInformationDetector().fit([image])
    assert detector.score_samples([image]) == [pytest.approx(1.0)]
    flat = detector.score_samples([solid(7)])
    assert flat == [pytest.approx(np.log2(3) / np.log2(768))]
    published = iq.LowInformationDetector(method="cleanvision").fit([image])
    assert published.score_samples([solid(7)]) == [pytest.approx(np.log2(3) / 10)]


def test_grayscale_is_told_from_pixels_not_from_the_mode(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    colour = np.stack([grey, grey, grey], axis=2)
    colour[5, 5, 0] ^= 1
    forms = [
        Image.fromarray(grey),
        Image.fromarray(grey).convert("RGB"),
        Image.fromarray(grey).convert("LA"),
        Image.fromarray(grey).convert("P"),
        Image.fromarray(grey.astype(np.uint16) * 257),
        Image.fromarray(colour),
    ]
    assert iq.GrayscaleDetector().fit_predict(forms).tolist() == [1, 1, 1, 1, 1, 0]


# ------------------------------------------------------------------------ size and aspect


def sizes(*values):
    return pd.DataFrame({"size": np.array(values, dtype=float)})


def test_odd_size_learns_the_median_in_fit_only():
    detector = iq.OddSizeDetector().fit(sizes(100, 100, 100, 400))
    assert detector.median_ == 100
    assert detector.score_samples(sizes(50, 200, 100, np.nan)).tolist()[:3] == [0.5, 0.5, 1.0]
    assert detector.median_ == 100


def test_cleanvision_odd_size_follows_the_iqr_rule():
    values = np.r_[np.linspace(80, 120, 41), 300.0]
    detector = iq.OddSizeDetector(method="cleanvision").fit(sizes(*values))
    q1, q3 = np.percentile(values, [25, 75])
    low, high = q1 - 3 * (q3 - q1), q3 + 3 * (q3 - q1)
    expected = 1 - np.clip(np.abs(values - (low + high) / 2) / (high - low), 0, 1)
    np.testing.assert_allclose(detector.score_samples(sizes(*values)), expected)
    assert detector.predict(sizes(*values)).tolist() == (
        ((values < low) | (values > high)).astype(int).tolist()
    )


@pytest.mark.parametrize("method", ["median", "cleanvision"])
def test_odd_size_is_sane_when_the_iqr_is_zero(method):
    flags = iq.OddSizeDetector(method=method).fit_predict(sizes(*[64] * 20, 65, 60, 12, 640))
    assert flags[:22].sum() == 0
    assert flags[22:].tolist() == [1, 1]


def test_odd_aspect_ratio_is_the_same_for_wide_and_tall():
    wide, tall = np.zeros((10, 100, 3), np.uint8), np.zeros((100, 10, 3), np.uint8)
    scores = iq.OddAspectRatioDetector().fit([wide]).score_samples([wide, tall, solid(0)])
    assert scores.tolist() == [0.1, 0.1, 1.0]


# -------------------------------------------------------------------------------- invalid


def test_invalid_detector_judges_every_row():
    detector = iq.InvalidImageDetector().fit([solid(1)])
    assert detector.score_samples([solid(1), b"", None]).tolist() == [1, 0, 0]


# ---------------------------------------------------------------- found in images, at size


@pytest.mark.parametrize("side", [32, 64, 256])
@pytest.mark.parametrize(
    ("detector", "damage"),
    [
        (iq.LightDetector(), lambda x: p.adjust_brightness(x, 5)),
        (iq.DarkDetector(), lambda x: p.adjust_brightness(x, 0.05)),
        (iq.LowInformationDetector(), p.low_information),
    ],
    ids=["light", "dark", "low_information"],
)
def test_fixed_limit_separates_the_flaw_at_any_size(detector, damage, side):
    images, _ = iq.datasets.make_flawed_images(30, issues=[], size=side, random_state=3)
    images = list(images)
    damaged = [damage(image) for image in images]
    assert detector.fit_predict(images).mean() <= 0.1
    assert detector.predict(damaged).mean() >= 0.8


@pytest.mark.parametrize(
    ("detector", "limit"),
    [
        (iq.LightDetector(), 0.35),
        (iq.LightDetector(method="percentile"), 0.05),
        (iq.LightDetector(method="cleanvision"), 0.05),
        (iq.LightDetector(method="fastdup"), 1 - 253 / 255),
        (iq.DarkDetector(), 0.3),
        (iq.DarkDetector(method="cleanvision"), 0.32),
        (iq.DarkDetector(method="fastdup"), 4 / 255),
        (iq.BlurDetector(), 0.3),
        (iq.BlurDetector(method="cleanvision"), 0.29),
        (iq.BlurDetector(method="fastdup"), 0.5),
        (iq.LowInformationDetector(), 0.45),
        (iq.LowInformationDetector(method="cleanvision"), 0.3),
        (iq.OddSizeDetector(), 0.25),
        (iq.OddSizeDetector(method="cleanvision"), 0.5),
        (iq.OddAspectRatioDetector(), 0.35),
        (iq.GrayscaleDetector(), 1.0),
        (iq.InvalidImageDetector(), 1.0),
        (iq.ExactDuplicateDetector(), 1.0),
        (iq.NearDuplicateDetector(), 1.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("readable", [True, False], ids=["readable", "nothing readable"])
def test_default_limits_are_the_documented_ones(detector, limit, readable):
    images = [solid(90), solid(91)] if readable else [b"broken"]
    assert detector.fit(images).threshold_ == pytest.approx(limit)


@pytest.mark.parametrize("side", [32, 64, 256])
def test_blur_is_found_and_sharp_images_are_not(side):
    sharp, _ = iq.datasets.make_flawed_images(40, issues=[], size=side, random_state=4)
    blurred = [p.blur(image, "average", 11) for image in sharp]
    detector = iq.BlurDetector().fit(list(sharp))
    assert detector.predict(list(sharp)).mean() <= 0.05
    assert detector.predict(blurred).mean() >= 0.95


def test_ordinary_formats_are_no_odd_aspect_ratio():
    ratios = [1, 3 / 4, 2 / 3, 9 / 16, 1 / 2, 0.34, 0.2]
    table = pd.DataFrame({"aspect_ratio": ratios})
    assert iq.OddAspectRatioDetector().fit_predict(table).tolist() == [0, 0, 0, 0, 0, 1, 1]


# ---------------------------------------------------------------------- thresholds, errors


def test_a_given_threshold_holds_where_nothing_could_be_read():
    detector = iq.DarkDetector(threshold=0.4).fit([b"broken"])
    assert detector.predict([solid(10)]) == [1]
    by_the_data = iq.DarkDetector(threshold=iq.OtsuThreshold()).fit([b"broken"])
    assert by_the_data.threshold_ == 0.3  # the detector's own fixed limit


@pytest.mark.parametrize(
    "threshold", [float("nan"), float("inf"), iq.OtsuThreshold, "otsu"], ids=repr
)
def test_what_is_no_threshold_is_refused_by_name(threshold):
    with pytest.raises(ValueError, match="'threshold'"):
        iq.DarkDetector(threshold=threshold).fit([solid(1)])


def test_a_score_gets_plain_columns_however_the_table_was_stored(tmp_path):
    images = [solid(10), b"broken", np.zeros((4, 40, 3), np.uint8)]
    table = iq.measure(images)
    table.to_csv(tmp_path / "table.csv")
    stored = {
        "as measured": table,
        "nullable": table.convert_dtypes(),
        "objects": table.astype(object),
        "from CSV": pd.read_csv(
            tmp_path / "table.csv",
            index_col=0,
            dtype=dict.fromkeys(iq.measurements.TEXT_COLUMNS, str),
        ),
    }

    class Narrow(iq.IssueDetector):
        issue = "narrow"
        columns = ("width", "height", "pixel_digest")

        def _score(self, table):
            assert table["width"].dtype == table["height"].dtype == np.float64
            assert table["pixel_digest"].tolist()[1] is None
            return np.where(table["width"] > 5 * table["height"], 0.0, 1.0)

    for name, form in stored.items():
        assert Narrow(threshold=0.5).fit_predict(form).tolist() == [0, 0, 1], name
        assert iq.QualityPipeline().fit(form).predict(form).tolist() == [1, 1, 1], name


def test_a_column_that_holds_no_numbers_is_named():
    with pytest.raises(ValueError, match="'aspect_ratio' must hold numbers"):
        iq.OddAspectRatioDetector().fit(pd.DataFrame({"aspect_ratio": ["wide"], "x": [1]}))


def test_hashes_that_a_csv_reader_took_for_numbers_are_refused():
    table = iq.measure([solid(1)] * 2)
    table["phash_256"] = [12, 12]
    with pytest.raises(ValueError, match="'phash_256' must hold text, got 12"):
        iq.NearDuplicateDetector().fit(table)


def test_a_frame_of_paths_and_labels_says_what_to_pass():
    with pytest.raises(ValueError, match=r"one column of references.*'path', 'label'.*X\['path'\]"):
        iq.QualityPipeline().fit(pd.DataFrame({"path": ["a.jpg"], "label": [1]}))


def test_a_table_of_one_foreign_measurement_is_no_collection_of_paths():
    table = iq.measure([solid(1)], columns=["phash"])[["phash"]]
    with pytest.raises(ValueError, match="lacks 'edge_frequency'"):
        iq.BlurDetector().fit(table)


def test_a_detector_must_name_its_issue():
    class Nameless(iq.IssueDetector):
        columns = ("entropy",)

        def _score(self, table):
            return table["entropy"] / 10

    with pytest.raises(ValueError, match="Nameless must name its issue"):
        Nameless().fit([solid(1)])


def test_threshold_may_be_a_selector_or_a_number():
    table = pd.DataFrame({"aspect_ratio": np.r_[np.full(90, 0.9), np.full(10, 0.2)]})
    chosen = iq.OddAspectRatioDetector(threshold=iq.OtsuThreshold()).fit(table)
    assert 0.2 < chosen.threshold_ <= 0.9
    assert isinstance(chosen.selector_, iq.OtsuThreshold)
    fixed = iq.OddAspectRatioDetector(threshold=1).fit(table)
    assert fixed.threshold_ == 1.0
    assert fixed.predict(table).all()


def test_the_selector_given_is_not_fitted_itself():
    selector = iq.OtsuThreshold()
    iq.BlurDetector(threshold=selector).fit([solid(3), solid(200)])
    assert not hasattr(selector, "threshold_")


@pytest.mark.parametrize(
    ("detector", "name"),
    [
        (iq.LightDetector(method="median"), "method"),
        (iq.LightDetector(percentile=61), "percentile"),
        (iq.BlurDetector(threshold="otsu"), "threshold"),
        (iq.OddSizeDetector(iqr_factor=0), "iqr_factor"),
        (iq.NearDuplicateDetector(distance=-1), "distance"),
        (iq.NearDuplicateDetector(hash="md5"), "hash"),
        (iq.BlurDetector(threshold=iq.OtsuThreshold(bins=0)), "bins"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("method", ["fit", "fit_predict", "fit_transform"])
def test_bad_parameter_is_named_at_fit(detector, name, method):
    with pytest.raises(ValueError, match=f"'{name}'"):
        getattr(detector, method)([solid(1)])


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        ("photos/", TypeError, "list_images"),
        (solid(1), ValueError, r"\[image\]"),
        (pd.DataFrame({"a": [1.0]}), ValueError, "lacks 'edge_frequency'"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, "lacks 'edge_frequency'"),
        ([], ValueError, "at least one image"),
        ({"a.jpg"}, TypeError, "set"),
    ],
    ids=["folder", "one image", "numbers", "two columns", "empty", "set"],
)
def test_what_is_no_collection_of_images_is_refused(X, error, words):
    with pytest.raises(error, match=words):
        iq.BlurDetector().fit(X)


def test_own_detector_with_own_measurement():
    class Redless(iq.IssueDetector):
        issue = "redless"
        columns = (iq.Measurement("red", lambda rgb: rgb[..., 0].mean() / 255),)

        def _score(self, table):
            return table["red"]

    red = solid(0)
    red[..., 0] = 255
    assert Redless(threshold=0.5).fit_predict([red, solid(0)]).tolist() == [0, 1]
    both = iq.QualityPipeline([("redless", Redless(threshold=0.5)), ("dark", iq.DarkDetector())])
    assert both.fit([red, solid(0)]).predict_issues([red, solid(0)]).tolist() == [[0, 0], [1, 1]]
