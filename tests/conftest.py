"""Images that many tests share."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from imagequality.datasets import make_flawed_images

ISSUES = ["dark", "light", "blurry", "low_information"]


@pytest.fixture(scope="session")
def flawed():
    """120 images of 48 pixels, 10 each dark, light, blurry and low in information; and y."""
    return make_flawed_images(120, issues=ISSUES, contamination=1 / 12, size=48, random_state=0)


@pytest.fixture(scope="session")
def clean():
    """60 clean images of 48 pixels."""
    return make_flawed_images(60, issues=[], contamination=0, size=48, random_state=1)[0]


@pytest.fixture(scope="session")
def flawed_paths(flawed, tmp_path_factory):
    """The flawed images as PNG files."""
    folder = tmp_path_factory.mktemp("flawed")
    paths = []
    for number, image in enumerate(flawed[0]):
        path = folder / f"{number:03}.png"
        Image.fromarray(np.asarray(image)).save(path)
        paths.append(str(path))
    return paths
