from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from imagequality import datasets
from imagequality.datasets import (
    cifake_label,
    load_image_folder,
    make_flawed_images,
    plant_flaws,
    save_images,
)
from imagequality.perturbations import (
    adjust_brightness,
    blur,
    downscale,
    low_information,
    to_grayscale,
)

IMAGE_ISSUES = [
    "light",
    "dark",
    "blurry",
    "low_information",
    "odd_size",
    "odd_aspect_ratio",
    "grayscale",
]
DUPLICATES = ["exact_duplicates", "near_duplicates"]


def noise(n, height=8, width=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def flagged(y, issue):
    return np.flatnonzero(y[issue])


# ------------------------------------------------------------------------------ plant_flaws


@settings(max_examples=40)
@given(
    n=st.integers(0, 60),
    issues=st.lists(st.sampled_from(IMAGE_ISSUES + DUPLICATES), unique=True),
    contamination=st.floats(0, 0.09),
    seed=st.integers(0, 2**32 - 1),
)
def test_counts_are_exact_subsets_disjoint_and_the_rest_untouched(n, issues, contamination, seed):
    changed = round(contamination * n) * (len(issues) + len(set(issues) & set(DUPLICATES)))
    assume(changed <= n)
    images = noise(n)
    before = images.copy()
    flawed, y = plant_flaws(images, issues, contamination=contamination, random_state=seed)
    np.testing.assert_array_equal(images, before)
    assert len(flawed) == n
    assert y.shape == (n, len(issues))
    assert list(y.columns) == issues
    assert (y.dtypes == np.int64).all()
    assert set(np.unique(y)) <= {0, 1}
    assert (y.sum(axis=1) <= 1).all()
    for issue in issues:
        expected = round(contamination * n) * (2 if issue in DUPLICATES else 1)
        assert y[issue].sum() == expected
    for position in np.flatnonzero(y.sum(axis=1) == 0):
        np.testing.assert_array_equal(flawed[position], images[position])


def test_each_issue_gets_the_documented_flaw():
    images = noise(100, 64, 64)
    flawed, y = plant_flaws(images, IMAGE_ISSUES, contamination=0.1, random_state=0)
    expected = {
        "light": lambda image: adjust_brightness(image, 3.5),
        "dark": lambda image: adjust_brightness(image, 0.05),
        "blurry": lambda image: blur(image, "average", 11),
        "low_information": low_information,
        "odd_size": lambda image: downscale(image, 14, restore=False),
        "grayscale": to_grayscale,
    }
    for issue, flaw in expected.items():
        assert len(flagged(y, issue)) == 10
        for position in flagged(y, issue):
            np.testing.assert_array_equal(flawed[position], flaw(images[position]))
    strips = [flawed[position].shape[:2] for position in flagged(y, "odd_aspect_ratio")]
    assert set(strips) == {(19, 64), (64, 19)}


def test_strips_follow_the_longer_side():
    for shape, strip in (((20, 60), (18, 60, 3)), ((60, 20), (60, 18, 3))):
        flawed, _ = plant_flaws(
            noise(4, *shape), ["odd_aspect_ratio"], contamination=1, random_state=0
        )
        assert {image.shape for image in flawed} == {strip}


def test_blur_grows_with_images_above_512_pixels():
    for width, size in ((512, 11), (600, 13), (1024, 23)):
        image = noise(1, 30, width)
        flawed, _ = plant_flaws(image, ["blurry"], contamination=1, random_state=0)
        np.testing.assert_array_equal(flawed[0], blur(image[0], "average", size))


def test_exact_duplicates_are_pairs_of_a_copy_and_an_untouched_source():
    images = noise(50)
    flawed, y = plant_flaws(images, ["dark", "exact_duplicates"], random_state=1)
    members = flagged(y, "exact_duplicates")
    groups = {}
    for position in members:
        groups.setdefault(flawed[position].tobytes(), []).append(position)
    assert len(groups) == 6
    for group in groups.values():
        assert len(group) == 2
        assert sum((flawed[i] == images[i]).all() for i in group) == 1
    everything = [image.tobytes() for image in flawed]
    assert len(set(everything)) == 50 - 6


def test_near_duplicates_are_close_to_their_sources_and_not_equal():
    images = make_flawed_images(40, contamination=0, size=32, random_state=0)[0]
    flawed, y = plant_flaws(images, ["near_duplicates"], contamination=0.2, random_state=0)
    members = flagged(y, "near_duplicates")
    copies = [i for i in members if (flawed[i] != images[i]).any()]
    sources = [i for i in members if (flawed[i] == images[i]).all()]
    assert len(copies) == len(sources) == 8
    found = set()
    for copy in copies:
        correlations = [
            np.corrcoef(flawed[copy].ravel(), images[other].ravel())[0, 1] for other in range(40)
        ]
        source = int(np.argmax(correlations))
        assert correlations[source] > 0.9
        assert source in sources
        assert (flawed[copy] != flawed[source]).any()
        found.add(source)
    assert found == set(sources)


def test_shares_can_differ_between_issues():
    shares = {"dark": 0.1, "blurry": 0.3, "exact_duplicates": 0.2}
    _, y = plant_flaws(noise(20), list(shares), contamination=shares, random_state=0)
    assert y.sum().to_dict() == {"dark": 2, "blurry": 6, "exact_duplicates": 8}


def test_every_image_can_be_used():
    _, y = plant_flaws(
        noise(10),
        ["dark", "exact_duplicates"],
        contamination={"dark": 0.4, "exact_duplicates": 0.3},
    )
    assert (y.sum(axis=1) == 1).all()


@pytest.mark.parametrize("make", [int, np.random.default_rng, np.random.RandomState])
def test_the_random_state_decides_everything(make):
    images = noise(60)
    issues = IMAGE_ISSUES + DUPLICATES
    runs = [plant_flaws(images, issues, contamination=0.05, random_state=make(7)) for _ in "ab"]
    pd.testing.assert_frame_equal(runs[0][1], runs[1][1])
    for one, other in zip(runs[0][0], runs[1][0], strict=True):
        np.testing.assert_array_equal(one, other)
    _, y = plant_flaws(images, issues, contamination=0.05, random_state=make(8))
    assert not y.equals(runs[0][1])


def test_an_array_comes_back_as_an_array_unless_sizes_differ():
    images = noise(10)
    flawed, _ = plant_flaws(images, ["dark"], random_state=0)
    assert isinstance(flawed, np.ndarray)
    assert flawed.shape == images.shape
    assert not np.shares_memory(flawed, images)
    flawed, _ = plant_flaws(images, ["odd_size"], random_state=0)
    assert isinstance(flawed, list)
    flawed, _ = plant_flaws(list(images), ["dark"], random_state=0)
    assert isinstance(flawed, list)
    assert not any(np.shares_memory(image, images) for image in flawed)


def test_no_issue_and_no_image():
    images = noise(5)
    flawed, y = plant_flaws(images, [])
    np.testing.assert_array_equal(flawed, images)
    assert y.shape == (5, 0)
    assert plant_flaws([], ["dark"])[0] == []
    assert plant_flaws([], ["dark"])[1].shape == (0, 1)


def test_paths_and_series_name_the_rows(tmp_path):
    images = noise(10)
    paths = save_images(images, tmp_path)
    flawed, y = plant_flaws(paths, ["dark"], contamination=0.2, random_state=0)
    assert list(y.index) == paths
    for image, original, dark in zip(flawed, images, y["dark"], strict=True):
        np.testing.assert_array_equal(
            image, adjust_brightness(original, 0.05) if dark else original
        )
    _, y = plant_flaws(pd.Series(list(images), index=list("abcdefghij")), ["dark"])
    assert list(y.index) == list("abcdefghij")


def test_a_flaw_of_ones_own():
    images = noise(20)
    before = images.copy()

    def invert_in_place(image):
        image[:] = 255 - image
        return image

    flawed, y = plant_flaws(
        images,
        ["negative", "dark"],
        contamination=0.2,
        flaws={"negative": invert_in_place, "dark": lambda image: image // 2},
        random_state=0,
    )
    np.testing.assert_array_equal(images, before)
    assert y.sum().to_dict() == {"negative": 4, "dark": 4}
    for position in flagged(y, "negative"):
        np.testing.assert_array_equal(flawed[position], 255 - images[position])
    for position in flagged(y, "dark"):
        np.testing.assert_array_equal(flawed[position], images[position] // 2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"issues": "dark"}, TypeError, "issues must be a sequence"),
        ({"issues": None}, TypeError, "issues must be a sequence"),
        ({"issues": ["dusk"]}, ValueError, "issues holds 'dusk'; known are light, dark"),
        ({"issues": [["dark"]]}, ValueError, "issues holds"),
        ({"issues": ["dark", "light", "dark"]}, ValueError, "got twice: dark"),
        ({"contamination": -0.1}, ValueError, "contamination must lie between 0 and 1"),
        ({"contamination": 1.1}, ValueError, "contamination must lie between 0 and 1"),
        ({"contamination": float("nan")}, ValueError, "contamination"),
        ({"contamination": "half"}, TypeError, "contamination must be a number"),
        ({"contamination": True}, TypeError, "contamination must be a number"),
        ({"contamination": None, "issues": []}, TypeError, "contamination"),
        ({"contamination": {"dark": 0.1}}, ValueError, "contamination must have a share"),
        ({"contamination": {"dark": 0.1, "blurry": 2}}, ValueError, "contamination must lie"),
        ({"contamination": 0.6}, ValueError, "contamination 0.6 asks for 12 of 10 images"),
        (
            {"issues": DUPLICATES, "contamination": 0.3},
            ValueError,
            "asks for 12 of 10 images .*exact_duplicates 3 copies and as many sources",
        ),
        ({"random_state": "a"}, ValueError, "random_state"),
        ({"images": 3}, TypeError, "images: "),
        ({"images": noise(1)[0]}, ValueError, "images: "),
        ({"images": [noise(1)[0], "no/such.png"]}, ValueError, "images holds, at position 1"),
        ({"flaws": [1]}, TypeError, "flaws must map"),
        ({"flaws": {"dark": 3}}, TypeError, "flaws must map"),
        ({"flaws": {"near_duplicates": np.copy}}, ValueError, "flaws cannot replace"),
        ({"flaws": {"dark": lambda image: image / 2}}, ValueError, r"flaws\['dark'\] must return"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    arguments = {"images": noise(10), "issues": ["dark", "blurry"], **arguments}
    with pytest.raises(error, match=message):
        plant_flaws(**arguments)


# ----------------------------------------------------------------------- make_flawed_images


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_the_default_set_has_the_papers_five_issues(no_network):
    images, y = make_flawed_images(random_state=0)
    assert isinstance(images, list)
    assert len(images) == 200
    assert y.sum().to_dict() == dict.fromkeys(
        ["light", "dark", "blurry", "low_information", "odd_size"], 10
    )
    sizes = np.array([image.shape for image in images])
    odd = y["odd_size"].to_numpy() == 1
    assert (sizes[~odd] == (64, 64, 3)).all()
    assert (sizes[odd] == (14, 14, 3)).all()


@pytest.mark.parametrize("size", [16, 32, 64, 200, 512])
def test_any_size(size):
    images, y = make_flawed_images(12, size=size, contamination=0, random_state=0)
    assert images.shape == (12, size, size, 3)
    assert images.dtype == np.uint8
    assert y.shape == (12, 5)
    assert not y.to_numpy().any()


def test_clean_crops_are_clean_and_flawed_ones_are_not():
    images, y = make_flawed_images(
        150, size=64, issues=["light", "dark", "blurry", "grayscale"], random_state=0
    )
    grey = images.astype(float) @ [0.299, 0.587, 0.114]
    peak = images.max(axis=3)
    burnt = (peak >= 254).mean(axis=(1, 2))
    brightest = np.percentile(peak, 99, axis=(1, 2))
    colour = np.ptp(images.astype(int), axis=3).mean(axis=(1, 2))
    steps = np.square(np.diff(grey, axis=2)).mean(axis=(1, 2))
    bends = np.square(np.diff(grey, n=2, axis=2)).mean(axis=(1, 2))
    clean = y.sum(axis=1).to_numpy() == 0
    assert clean.sum() == 150 - 4 * 8
    assert ((grey.mean(axis=(1, 2)) > 49) & (grey.mean(axis=(1, 2)) < 181))[clean].all()
    assert (grey.std(axis=(1, 2)) > 24.5)[clean].all()
    assert (burnt <= 0.05)[clean].all()
    assert (brightest >= 170)[clean].all()
    assert (colour >= 15)[clean].all()
    assert (bends > 0.95 * steps)[clean].all()
    assert (burnt > 0.05)[flagged(y, "light")].all()
    assert (brightest <= 13)[flagged(y, "dark")].all()
    assert (bends < 0.5 * steps)[flagged(y, "blurry")].all()
    assert (colour == 0)[flagged(y, "grayscale")].all()


def test_clean_crops_are_no_near_duplicates_of_each_other():
    import imagehash

    images, _ = make_flawed_images(200, contamination=0, random_state=0)
    hashes = np.array(
        [imagehash.phash(Image.fromarray(x), hash_size=16).hash.ravel() for x in images]
    )
    distances = (hashes[:, np.newaxis] != hashes).sum(axis=2)
    np.fill_diagonal(distances, 256)
    assert distances.min() > 40


def test_crops_overlap_little(monkeypatch):
    windows = []
    original = datasets._next_crop

    def record(*args):
        crop, window = original(*args)
        if crop is not None:
            windows.append(window.tolist())
        return crop, window

    monkeypatch.setattr(datasets, "_next_crop", record)
    make_flawed_images(60, contamination=0, random_state=0)
    assert len(windows) == 60
    for i, (which, top, left, side) in enumerate(windows):
        mask = np.zeros((2, 1000, 1000), dtype=bool)
        mask[0, top : top + side, left : left + side] = True
        for other, top2, left2, side2 in windows[:i]:
            if other == which:
                mask[1] = False
                mask[1, top2 : top2 + side2, left2 : left2 + side2] = True
                assert mask.all(axis=0).sum() <= 0.4 * mask.any(axis=0).sum()


def test_crops_are_parts_of_the_photographs():
    photographs = datasets._photographs()
    assert len(photographs) == 7
    assert all(photo.ndim == 3 and min(photo.shape[:2]) >= 300 for photo in photographs)
    astronaut = photographs[2]
    window = np.array([2, 0, 0, 512])
    np.testing.assert_array_equal(datasets._clean_crop(photographs, window, 512), astronaut)
    half = datasets._clean_crop(photographs, window, 256)
    means = astronaut.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - means).max() <= 0.5
    sky = np.array([0, 0, 400, 64])
    assert datasets._clean_crop(photographs, sky, 32) is None


def test_a_set_is_reproducible():
    one, y = make_flawed_images(30, size=32, random_state=5)
    other, y2 = make_flawed_images(30, size=32, random_state=5)
    pd.testing.assert_frame_equal(y, y2)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    different, _ = make_flawed_images(30, size=32, random_state=6)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(one, different, strict=True))


def test_many_small_images_take_seconds():
    start = time.process_time()
    images, y = make_flawed_images(2000, size=32, issues=["dark"], random_state=0)
    assert images.shape == (2000, 32, 32, 3)
    assert y["dark"].sum() == 100
    assert len({image.tobytes() for image in images[flagged(1 - y, "dark")]}) == 1900
    assert time.process_time() - start < 20


def test_missing_photographs_are_named(monkeypatch):
    monkeypatch.setattr(datasets, "_PHOTOGRAPHS", (("skimage", "data/no_such_photo.png"),))
    with pytest.raises(FileNotFoundError, match=r"skimage/data/no_such_photo\.png"):
        make_flawed_images(2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "n_samples must be at least 1"),
        ({"n_samples": 2.0}, TypeError, "n_samples must be an integer"),
        ({"size": 15}, ValueError, "size must be at least 16"),
        ({"size": "64"}, TypeError, "size must be an integer"),
        ({"issues": ["invalid"]}, ValueError, "issues holds 'invalid'"),
        ({"contamination": 0.3}, ValueError, "contamination 0.3 asks for"),
        ({"random_state": "a"}, ValueError, "random_state"),
    ],
)
def test_bad_arguments_of_a_set_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        make_flawed_images(**{"n_samples": 20, **arguments})


def test_importing_datasets_is_light():
    # What the rest of the package imports is not this module's doing.
    code = (
        "import sys, imagequality; "
        "before = set(sys.modules); import imagequality.datasets; "
        "print(sorted(m for m in set(sys.modules) - before "
        "if m.split('.')[0] in ('skimage', 'matplotlib', 'pooch') or m == 'sklearn.datasets'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(datasets.__file__).parents[1],
    )
    assert result.stdout.strip() == "[]"


# -------------------------------------------------------------------------------- folders


def test_labels_are_the_names_of_the_folders(tmp_path):
    save_images(noise(2), tmp_path / "b" / "cat")
    save_images(noise(1), tmp_path / "a" / "dog", format="jpg")
    save_images(noise(1), tmp_path)
    paths, y = load_image_folder(tmp_path)
    assert paths == sorted(paths)
    assert sorted(y) == sorted([tmp_path.name, "cat", "cat", "dog"])
    for path, label in zip(paths, y, strict=True):
        assert Path(path).parent.name == label
    paths, y = load_image_folder(str(tmp_path), recursive=False)
    assert [Path(path).name for path in paths] == ["image_0000.png"]
    assert list(y) == [tmp_path.name]


def test_the_working_folder_has_a_name(tmp_path, monkeypatch):
    save_images(noise(1), tmp_path / "cat")
    monkeypatch.chdir(tmp_path / "cat")
    assert list(load_image_folder(".")[1]) == ["cat"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cat_001.png", "cat"),
        ("cat.12.png", "cat"),
        ("cat (3).png", "cat"),
        ("cat-7.png", "cat"),
        ("cat7.png", "cat"),
        ("grey cat 7.png", "grey cat"),
        ("n01440764_10026.png", "n01440764"),
        ("cat.png", "cat"),
    ],
)
def test_labels_from_names_leave_the_number_out(tmp_path, name, label):
    (path,) = save_images(noise(1), tmp_path)
    os.rename(path, tmp_path / name)
    paths, y = load_image_folder(tmp_path, label="name")
    assert paths == [str(tmp_path / name)]
    assert list(y) == [label]


def test_a_name_of_digits_is_no_label(tmp_path):
    (path,) = save_images(noise(1), tmp_path)
    os.rename(path, tmp_path / "0001.png")
    with pytest.raises(ValueError, match=r"label='name' finds nothing but a number in .*0001"):
        load_image_folder(tmp_path, label="name")


def test_other_labels(tmp_path):
    save_images(noise(3), tmp_path)
    paths, y = load_image_folder(tmp_path, label=None)
    assert len(paths) == 3
    assert y is None
    _, y = load_image_folder(tmp_path, label=lambda path: int(Path(path).stem[-1]) % 2)
    assert y.tolist() == [0, 1, 0]
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    paths, y = load_image_folder(tmp_path)
    assert paths == []
    assert y.shape == (0,)


@pytest.mark.parametrize("label", ["class", 3, ("folder",)])
def test_an_unknown_label_is_refused(tmp_path, label):
    with pytest.raises(ValueError, match="label must be 'folder', 'name'"):
        load_image_folder(tmp_path, label=label)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_image_folder(tmp_path / "nowhere")


def test_cifake_classes_in_cifar_order(tmp_path):
    names = ["128.jpg"] + [f"128 ({number}).jpg" for number in range(2, 11)]
    expected = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    assert [cifake_label(f"test/FAKE/{name}") for name in names] == expected
    assert cifake_label(Path("0 (10).png")) == "truck"
    for path, name in zip(save_images(noise(10), tmp_path, format="jpg"), names, strict=True):
        os.rename(path, tmp_path / name)
    _, y = load_image_folder(tmp_path, label=cifake_label)
    assert sorted(y) == sorted(expected)


@pytest.mark.parametrize(
    "name", ["cat.jpg", "1 (1).jpg", "1 (11).jpg", "1(2).jpg", "1 (2) (3).jpg"]
)
def test_other_names_are_not_cifake(name):
    with pytest.raises(ValueError, match="path is no CIFAKE file"):
        cifake_label(name)


@pytest.mark.parametrize("format", ["png", "bmp", "tiff", "jpg", "jpeg"])
def test_saved_images_can_be_read_again(tmp_path, format):
    images = [noise(1, 20, 30)[0], noise(1, 8, 8)[0]]
    paths = save_images(images, tmp_path / "new" / "folder", format=format, prefix="demo")
    assert [Path(path).name for path in paths] == [f"demo_0000.{format}", f"demo_0001.{format}"]
    for path, image in zip(paths, images, strict=True):
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        assert pixels.shape == image.shape
        if not format.startswith("jp"):
            np.testing.assert_array_equal(pixels, image)


def test_nothing_is_overwritten_and_then_nothing_written(tmp_path):
    taken = tmp_path / "image_0002.png"
    taken.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"1 of its 4 files exist, .*image_0002\.png"):
        save_images(noise(4), tmp_path)
    assert os.listdir(tmp_path) == ["image_0002.png"]
    assert taken.read_bytes() == b"precious"
    assert len(save_images(noise(4), tmp_path, prefix="other")) == 4


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"format": "gif"}, ValueError, "format must be one of png"),
        ({"prefix": "../image"}, ValueError, "prefix must be a plain name"),
        ({"prefix": 1}, TypeError, "prefix"),
        ({"images": noise(1)[0]}, ValueError, "images: "),
        ({"images": [noise(1)[0], None]}, ValueError, "at position 1"),
    ],
)
def test_bad_arguments_of_saving_are_named(tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        save_images(**{"images": noise(2), "folder": tmp_path / "new", **arguments})
    assert not (tmp_path / "new").exists()


def test_paths_sort_in_the_order_of_the_images(tmp_path):
    assert save_images([], tmp_path) == []
    paths = save_images(noise(12), tmp_path)
    assert len(paths) == 12
    assert paths == sorted(paths)
