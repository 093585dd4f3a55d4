"""Our CleanVision methods give CleanVision's own scores and flags, on files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import imagequality as iq

cleanvision = pytest.importorskip("cleanvision")

# Percentiles of brightness come from a histogram; everything else is the same arithmetic.
TOLERANCE = {"light": 1.3e-4, "dark": 1.3e-4}
DETECTORS = [
    iq.LightDetector(method="cleanvision", threshold=0.05),
    iq.DarkDetector(method="cleanvision", threshold=0.32),
    iq.BlurDetector(method="cleanvision", threshold=0.29),
    iq.LowInformationDetector(method="cleanvision", threshold=0.3),
    iq.OddSizeDetector(method="cleanvision", threshold=0.5),
    iq.OddAspectRatioDetector(threshold=0.35),
    iq.ExactDuplicateDetector(),
    iq.NearDuplicateDetector(method="identical", hash="phash"),
]


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    issues = ["dark", "light", "blurry", "low_information", "odd_size", "odd_aspect_ratio"]
    issues += ["exact_duplicates", "near_duplicates"]
    images, _ = iq.datasets.make_flawed_images(
        150, issues=issues, contamination=0.06, size=96, random_state=0
    )
    # Sizes that vary a little, or CleanVision's rule for odd sizes has nothing to measure.
    images = [image[: len(image) - number % 5] for number, image in enumerate(images)]
    folder = tmp_path_factory.mktemp("jpegs")
    paths = []
    for number, image in enumerate(images):
        paths.append(str(folder / f"{number:03}.jpg"))
        Image.fromarray(image).save(paths[-1], quality=95)
    return paths


@pytest.fixture(scope="module")
def theirs(jpegs):
    lab = cleanvision.Imagelab(filepaths=jpegs)
    lab.find_issues(n_jobs=1, verbose=False)
    return lab.issues.loc[jpegs]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("detector", DETECTORS, ids=repr)
def test_scores_and_flags_are_cleanvisions(detector, jpegs, theirs):
    scores = detector.fit(jpegs).score_samples(jpegs)
    expected = theirs[f"{detector.issue}_score"].to_numpy()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=TOLERANCE.get(detector.issue, 1e-12))
    flags = theirs[f"is_{detector.issue}_issue"].to_numpy()
    np.testing.assert_array_equal(detector.predict(jpegs) == 1, flags)
    assert flags.any() or detector.issue in ("light", "low_information", "blurry")
