"""Perceptual hashes against imagehash, of the image and of its eight views."""

import imagehash
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from imagequality.measurements import (
    HASHES,
    HASHES_WITHOUT_VIEWS,
    TEXT_COLUMNS,
    VIEWS,
    ahash,
    colorhash,
    dhash,
    hash_of_views,
    low_frequencies,
    measure,
    phash,
    phash_of_views,
    to_grey,
    whash,
)
from imagequality.measurements._pixels import Pixels

SETTINGS = settings(max_examples=40, deadline=None, database=None)

IMAGEHASH = {
    "phash": imagehash.phash,
    "dhash": imagehash.dhash,
    "ahash": imagehash.average_hash,
    "whash": imagehash.whash,
}
FUNCTIONS = {"phash": phash, "dhash": dhash, "ahash": ahash, "whash": whash}

NUMPY_VIEWS = {
    "identity": lambda a: a,
    "mirror": np.fliplr,
    "upside_down_mirror": np.flipud,
    "half_turn": lambda a: np.rot90(a, 2),
    "transpose": lambda a: np.swapaxes(a, 0, 1),
    "clockwise": lambda a: np.rot90(a, -1),
    "counterclockwise": lambda a: np.rot90(a, 1),
    "anti_transpose": lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
}

PHOTOS = {
    "astronaut": skimage.data.astronaut(),
    "chelsea": skimage.data.chelsea(),
    "coffee": skimage.data.coffee(),
    "rocket": skimage.data.rocket(),
    "camera": skimage.data.camera()[..., np.newaxis].repeat(3, axis=2),
}
ASTRONAUT = PHOTOS["astronaut"]


def random_rgb(height, width):
    rng = np.random.default_rng(height * 1000 + width)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


PICTURES = {
    **{f"{h}x{w}": random_rgb(h, w) for h, w in ((1, 1), (1, 2), (3, 200), (200, 3), (37, 41))},
    **{f"flat {level}": np.full((33, 20, 3), level, np.uint8) for level in (0, 131, 255)},
    "photo": ASTRONAUT,
    "tall": np.ascontiguousarray(ASTRONAUT[:, 200:230]),
    "wide": np.ascontiguousarray(ASTRONAUT[100:120]),
    "saturated": random_rgb(40, 40) // 128 * 255,
    "dark": ASTRONAUT // 9,
}
rgb_arrays = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
    elements=st.one_of(st.sampled_from([0, 31, 32, 255]), st.integers(0, 255)),
)


def hashes_of(rgb, columns):
    """The hashes of one image, as the scan measures them."""
    (row,) = measure([rgb], columns=columns).to_dict("records")
    assert row["valid"]
    return {column: row[column] for column in columns}


def imagehash_of(name, rgb):
    """What imagehash says."""
    image = Image.fromarray(np.ascontiguousarray(rgb))
    kind, _, bits = name.partition("_")
    if kind == "colorhash":
        return str(imagehash.colorhash(image, binbits=18 if bits else 3))
    return str(IMAGEHASH[kind](image, hash_size=16 if bits else 8))


@pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)
def test_every_hash_is_imagehashs(rgb):
    names = [*HASHES, *HASHES_WITHOUT_VIEWS]
    assert hashes_of(rgb, names) == {name: imagehash_of(name, rgb) for name in names}


@SETTINGS
@given(rgb_arrays)
def test_every_hash_of_any_image_is_imagehashs(rgb):
    names = [*HASHES, *HASHES_WITHOUT_VIEWS]
    assert hashes_of(rgb, names) == {name: imagehash_of(name, rgb) for name in names}


@SETTINGS
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=30)))
def test_grey_images_hash_as_imagehash_hashes_them(grey):
    # A grey image arrives as three equal channels, whose luma is the grey itself.
    expected = {name: imagehash_of(name, grey) for name in HASHES}
    assert hashes_of(grey, HASHES) == expected


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("hash_size", [4, 8, 16, 32])
def test_hash_functions_of_other_sizes(kind, hash_size):
    expected = str(IMAGEHASH[kind](Image.fromarray(ASTRONAUT), hash_size=hash_size))
    assert FUNCTIONS[kind](to_grey(ASTRONAUT), hash_size) == expected


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_hash_size_that_fills_no_bytes_is_refused(kind):
    with pytest.raises(ValueError, match="hash_size must be a multiple of 4, got 6"):
        FUNCTIONS[kind](to_grey(ASTRONAUT), 6)


@pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)
def test_imagehash_reads_the_hashes(rgb):
    for name, text in hashes_of(rgb, HASHES).items():
        image_hash = IMAGEHASH[name.partition("_")[0]]
        expected = image_hash(Image.fromarray(rgb), hash_size=16 if "_" in name else 8)
        assert imagehash.hex_to_hash(text) == expected
        assert str(imagehash.hex_to_hash(text)) == text


@pytest.mark.parametrize(("bits_per_share", "digits"), [(3, 11), (4, 14), (5, 18), (18, 63)])
@pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)
def test_imagehash_reads_the_colour_hashes(rgb, bits_per_share, digits):
    text = colorhash(rgb, bits_per_share)
    assert len(text) == digits
    assert str(imagehash.colorhash(Image.fromarray(rgb), binbits=bits_per_share)) == text
    if bits_per_share in (3, 18):  # the sizes that are columns
        read = imagehash.hex_to_flathash(text, bits_per_share)
        assert read == imagehash.colorhash(Image.fromarray(rgb), binbits=bits_per_share)


@SETTINGS
@given(rgb_arrays)
def test_colour_hashes_are_those_of_every_view(rgb):
    for view in VIEWS:
        turned = np.ascontiguousarray(view.of(rgb))
        assert colorhash(turned, 18) == colorhash(rgb, 18)


def test_finer_colour_hash_sees_small_areas():
    grey = np.full((64, 64, 3), 128, np.uint8)
    spotted = grey.copy()
    spotted[:4, :4] = (255, 0, 0)
    spotted[40:60, 40:60] = (0, 160, 60)
    less = spotted.copy()
    less[:4, :2] = (0, 160, 60)
    assert colorhash(spotted) == colorhash(less)
    assert colorhash(spotted, 18) != colorhash(less, 18)


# ----------------------------------------------------------------------------- views


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 3), (1, 5)])
def test_views_are_what_numpy_makes(shape):
    picture = np.arange(np.prod(shape)).reshape(shape)
    assert [view.name for view in VIEWS] == list(NUMPY_VIEWS)
    for view in VIEWS:
        np.testing.assert_array_equal(view.of(picture), NUMPY_VIEWS[view.name](picture))


def test_each_odd_view_mirrors_the_one_before():
    picture = np.arange(12).reshape(3, 4)
    for even, odd in zip(VIEWS[::2], VIEWS[1::2], strict=True):
        np.testing.assert_array_equal(odd.of(picture), np.fliplr(even.of(picture)))
    assert len({view.of(picture).tobytes() + bytes(view.of(picture).shape) for view in VIEWS}) == 8


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)
def test_views_begin_with_the_hash_and_its_flips(name, rgb):
    columns = [name, f"{name}_flips", f"{name}_views"]
    plain, flips, views = hashes_of(rgb, columns).values()
    assert len(views) == 8 * len(plain)
    assert len(flips) == 3 * len(plain)
    assert views.startswith(plain + flips)
    assert set(columns) <= TEXT_COLUMNS


@pytest.mark.parametrize("kind", ["dhash", "ahash", "whash"])
@pytest.mark.parametrize("rgb", PICTURES.values(), ids=PICTURES)
def test_views_are_imagehashs_of_the_turned_images(kind, rgb):
    grey = to_grey(rgb)
    expected = "".join(imagehash_of(kind, NUMPY_VIEWS[view.name](rgb)) for view in VIEWS)
    assert hash_of_views(FUNCTIONS[kind], grey, 8, VIEWS) == expected
    assert hashes_of(rgb, [f"{kind}_views"])[f"{kind}_views"] == expected


@SETTINGS
@given(hnp.arrays(np.uint8, (64, 64)))
def test_phash_of_views_is_that_of_the_turned_thumbnail(thumbnail):
    # Of 64 × 64 pixels nothing is resampled: each view is a transform of its own, to rounding.
    coefficients = low_frequencies(thumbnail, 16)
    for view in VIEWS:
        turned = low_frequencies(np.ascontiguousarray(view.of(thumbnail)), 16)
        found = phash_of_views(coefficients, [view])
        bits = imagehash.hex_to_hash(found).hash
        distance = turned - np.median(turned)
        decided = np.abs(distance) > 1e-6
        np.testing.assert_array_equal(bits[decided], (distance > 0)[decided])


@pytest.mark.parametrize("photo", PHOTOS.values(), ids=PHOTOS)
def test_phash_of_a_view_is_near_imagehashs_of_the_turned_file(photo):
    found = hashes_of(photo, ["phash_256_views"])["phash_256_views"]
    hashes = [imagehash.hex_to_hash(found[start : start + 64]) for start in range(0, 512, 64)]
    for view, one in zip(VIEWS, hashes, strict=True):
        turned = imagehash.hex_to_hash(imagehash_of("phash_256", NUMPY_VIEWS[view.name](photo)))
        assert one - turned <= 8
    for position, one in enumerate(hashes):  # while a photograph looks like no view of itself
        for other in hashes[:position]:
            assert one - other > 60


def test_unrelated_views_differ():
    views = [hashes_of(photo, ["phash_256_views"])["phash_256_views"] for photo in PHOTOS.values()]
    for position, one in enumerate(views):
        for other in views[:position]:
            for start in range(0, 512, 64):
                far = imagehash.hex_to_hash(one[:64]) - imagehash.hex_to_hash(
                    other[start : start + 64]
                )
                assert far > 60


def test_the_hashes_of_an_image_share_one_transform():
    pixels = Pixels(ASTRONAUT)
    assert pixels.low_frequencies(16) is pixels.low_frequencies(16)
    assert pixels.low_frequencies(8).shape == (8, 8)
    assert pixels.low_frequencies(16).shape == (16, 16)
    np.testing.assert_array_equal(
        pixels.low_frequencies(16), low_frequencies(to_grey(ASTRONAUT), 16)
    )
