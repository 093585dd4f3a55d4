"""Noisy, compressed, pixelated, badly exposed, low resolution: scores, limits, right reasons."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage.data
from PIL import Image

import imagequality as iq
from imagequality import perturbations as p

PHOTOS = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]
DETECTORS = {
    "noisy": iq.NoiseDetector(),
    "compressed": iq.CompressionDetector(),
    "pixelated": iq.PixelationDetector(),
    "badly_exposed": iq.ExposureDetector(),
}
STRONGEST = {
    "gaussian noise": ("noisy", lambda x: p.add_noise(x, 40, random_state=0)),
    "shot noise": ("noisy", lambda x: p.add_noise(x, 40, "shot", random_state=0)),
    "jpeg": ("compressed", lambda x: p.compress_jpeg(x, 5)),
    "nearest": ("pixelated", lambda x: p.pixelate(x, 8)),
    "bicubic": ("pixelated", lambda x: p.pixelate(x, 8, "bicubic")),
    "under": ("badly_exposed", lambda x: p.adjust_exposure(x, -4)),
}


def score(detector, images):
    return detector.fit(images).score_samples(images)


@pytest.fixture(scope="module")
def sizes():
    """The photographs at their own size, half of it and double."""
    return {
        factor: [
            x
            if factor == 1
            else cv2.resize(
                x,
                None,
                fx=factor,
                fy=factor,
                interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC,
            )
            for x in PHOTOS
        ]
        for factor in (0.5, 1, 2)
    }


@pytest.mark.parametrize("factor", [0.5, 1, 2])
@pytest.mark.parametrize("issue", DETECTORS)
def test_untouched_photographs_pass(issue, factor, sizes):
    detector = DETECTORS[issue]
    assert (score(detector, sizes[factor]) > detector.validation_limit).all()


@pytest.mark.parametrize("factor", [0.5, 1, 2])
@pytest.mark.parametrize("flaw", STRONGEST)
def test_the_strongest_flaw_is_found_by_its_own_detector_alone(flaw, factor, sizes):
    own, plant = STRONGEST[flaw]
    flawed = [plant(x) for x in sizes[factor]]
    found = {
        issue for issue, d in DETECTORS.items() if (score(d, flawed) < d.validation_limit).any()
    }
    assert own in found
    # What was smoothly enlarged before is soft, and softer when darkened to a few levels.
    same = {"pixelated"} if factor == 2 else set()
    assert found - {own} <= same


@pytest.mark.parametrize("factor", [0.5, 2])
@pytest.mark.parametrize("issue", ["noisy", "compressed", "badly_exposed"])
def test_scores_of_a_flaw_do_not_depend_on_the_size(issue, factor, sizes):
    plants = {
        "noisy": lambda x: p.add_noise(x, 15, random_state=0),
        "compressed": lambda x: p.compress_jpeg(x, 20),
        "badly_exposed": lambda x: p.adjust_exposure(x, -3),
    }
    one = score(DETECTORS[issue], [plants[issue](x) for x in sizes[1]])
    other = score(DETECTORS[issue], [plants[issue](x) for x in sizes[factor]])
    np.testing.assert_allclose(one, other, atol=0.11)


@pytest.mark.parametrize("issue", DETECTORS)
def test_scores_fall_with_the_strength(issue, sizes):
    plants = {
        "noisy": [lambda x, s=s: p.add_noise(x, s, random_state=0) for s in (5, 10, 20, 40)],
        "compressed": [lambda x, q=q: p.compress_jpeg(x, q) for q in (60, 40, 20, 10)],
        "pixelated": [lambda x, f=f: p.pixelate(x, f) for f in (2, 3, 4, 8)],
        "badly_exposed": [lambda x, e=e: p.adjust_exposure(x, e) for e in (-1, -2, -3, -4)],
    }[issue]
    scores = [score(DETECTORS[issue], [plant(x) for x in sizes[1]]) for plant in plants]
    assert (np.diff(scores, axis=0) < 0).all()


# ------------------------------------------------------------------------------ formulas


def test_ten_grey_levels_of_noise_halve_the_score():
    table = pd.DataFrame({"noise_sigma": [0.0, 10.0, 30.0, np.nan]})
    np.testing.assert_allclose(score(iq.NoiseDetector(), table), [1, 0.5, 0.25, np.nan])


def test_blockiness_becomes_a_ratio_unless_pixels_repeat():
    table = pd.DataFrame(
        {
            "blockiness": [0.0, np.log(2), np.log(2), np.nan],
            "block_repetition": [1.0, 0.9, 0.25, np.nan],
        }
    )
    np.testing.assert_allclose(score(iq.CompressionDetector(), table), [1, 0.5, 1, np.nan])


def test_the_quality_of_a_file_is_judged_where_there_is_one():
    files = []
    for quality in (10, 90):
        file = io.BytesIO()
        Image.fromarray(PHOTOS[0]).save(file, "JPEG", quality=quality)
        files.append(file.getvalue())
    detector = iq.CompressionDetector(method="jpeg_quality")
    scores = score(detector, [*files, PHOTOS[0], b"no image"])
    np.testing.assert_allclose(scores, [0.1, 0.9, np.nan, np.nan], atol=0.01)
    assert detector.predict([*files, PHOTOS[0]]).tolist() == [1, 0, 0]


def test_compression_is_found_in_pixels_saved_losslessly():
    file = io.BytesIO()
    Image.fromarray(p.compress_jpeg(PHOTOS[0], 8)).save(file, "PNG")
    assert iq.CompressionDetector().fit_predict([file.getvalue()]) == [1]


def test_pixelation_is_the_worse_of_two():
    table = pd.DataFrame(
        {"block_repetition": [1.0, 0.25, np.nan], "spectral_extent": [0.5, 0.9, np.nan]}
    )
    np.testing.assert_allclose(score(iq.PixelationDetector(), table), [0.5, 0.25, np.nan])


def exposure_table(**changes):
    fine = {
        "clipped_share": 0.0,
        "bright_share": 0.1,
        "brightness_perc_5": 0.1,
        "crushed_share": 0.0,
        "value_perc_99": 1.0,
    }
    return pd.DataFrame([{**fine, **changes}])


@pytest.mark.parametrize(
    ("changes", "expected", "side"),
    [
        ({}, 1.0, None),
        ({"clipped_share": 0.64, "bright_share": 0.8}, 1 - 0.8 * 0.8, "over"),
        ({"brightness_perc_5": 0.9}, 1 - 0.8, "over"),
        ({"value_perc_99": 0.3}, 0.3, "under"),
        ({"value_perc_99": 0.3, "crushed_share": 0.5}, 0.3 * (1 - 0.5 * 0.7), "under"),
        ({"crushed_share": 0.9}, 1.0, None),  # a black background
        ({"bright_share": 0.0}, 1.0, None),
        ({"value_perc_99": np.nan}, np.nan, None),
    ],
)
def test_exposure_follows_its_formula_and_names_the_side(changes, expected, side):
    table = exposure_table(**changes)
    detector = iq.ExposureDetector(threshold=0.6).fit(table)
    np.testing.assert_allclose(detector.score_samples(table), [expected])
    assert detector.sides(table).tolist() == [side]


def test_sides_of_images_that_cannot_be_read_are_none():
    white = np.full((8, 8, 3), 255, np.uint8)
    detector = iq.ExposureDetector().fit([white, b"no image"])
    assert detector.sides([white, b"no image"]).tolist() == ["over", None]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [1, 1, 0.5]),
        ({"min_side": 64}, [1, 0.5, 0.25]),
        ({"min_side": None}, [1, 1, 1]),
        ({"min_side": None, "min_pixels": 64 * 96}, [1, (32 / 96) ** 0.5, (16 / 96) ** 0.5]),
        ({"min_side": 64, "min_pixels": 256 * 96}, [0.5, 0.5 * (32 / 96) ** 0.5, 0.25 * 6**-0.5]),
    ],
)
def test_resolution_against_the_need(parameters, expected):
    sides = [(64, 96), (64, 32), (64, 16)]
    if parameters.get("min_pixels") == 256 * 96:
        expected = [min(1, h / 64, w / 64, (h * w / (256 * 96)) ** 0.5) for h, w in sides]
    images = [np.zeros((*side, 3), np.uint8) for side in sides]
    detector = iq.ResolutionDetector(**parameters).fit(images)
    np.testing.assert_allclose(detector.score_samples(images), expected)
    assert detector.predict(images).tolist() == [int(value < 1) for value in expected]


@pytest.mark.parametrize(
    "detector",
    [
        iq.CompressionDetector(method="png"),
        iq.ResolutionDetector(min_side=0),
        iq.ResolutionDetector(min_pixels=1.5),
    ],
    ids=repr,
)
def test_bad_parameters_are_named(detector):
    with pytest.raises(ValueError, match=r"The '(method|min_side|min_pixels)' parameter"):
        detector.fit(PHOTOS)


# -------------------------------------------------------------------------- the pipeline


@pytest.mark.parametrize("flaw", STRONGEST)
def test_the_pipeline_names_the_right_reason(flaw):
    issue, plant = STRONGEST[flaw]
    same = {issue, {"badly_exposed": "dark", "pixelated": "blurry"}.get(issue, issue)}
    issues = iq.QualityPipeline(progress=False).fit([plant(x) for x in PHOTOS]).report().issues
    assert set(issues["primary_issue"]) <= same


def test_resolution_is_no_default_since_the_need_is_the_users():
    assert "low_resolution" not in dict(iq.default_detectors())
    assert set(DETECTORS) <= set(dict(iq.default_detectors()))
