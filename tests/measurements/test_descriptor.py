"""The descriptor against its definition in plain loops, and what its views are."""

import cv2
import naive
import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from imagequality.measurements import (
    CROP,
    CROPS,
    VIEWS,
    descriptor,
    descriptor_crops,
    descriptor_views,
    measure,
    to_grey,
)
from imagequality.measurements._descriptor import thumbnail

SETTINGS = settings(max_examples=40, deadline=None, database=None)
ROUNDING = 1e-6

PHOTOS = {
    "astronaut": skimage.data.astronaut(),
    "chelsea": skimage.data.chelsea(),
    "coffee": skimage.data.coffee(),
    "rocket": skimage.data.rocket(),
    "camera": skimage.data.camera()[..., np.newaxis].repeat(3, axis=2),
}
each_photo = pytest.mark.parametrize("photo", PHOTOS.values(), ids=PHOTOS)

rgb_arrays = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 70), st.integers(1, 70), st.just(3)),
    elements=st.one_of(st.sampled_from([0, 1, 255]), st.integers(0, 255)),
)
thumbnails = hnp.arrays(
    np.uint8,
    (32, 32, 3),
    elements=st.one_of(st.sampled_from([0, 1, 255]), st.integers(0, 255)),
    fill=st.integers(0, 255),
)


def noise(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def definition(small):
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV)
    return naive.descriptor(to_grey(small).tolist(), hsv[..., 0].tolist(), hsv[..., 1].tolist())


@SETTINGS
@given(thumbnails)
def test_descriptor_is_its_definition(small):
    np.testing.assert_allclose(descriptor(small), definition(small), atol=1e-5)


@each_photo
def test_descriptor_of_a_photo_is_its_definition(photo):
    np.testing.assert_allclose(descriptor(photo), definition(thumbnail(photo)), atol=1e-5)


@SETTINGS
@given(rgb_arrays)
def test_descriptor_of_any_image_is_a_unit_vector(rgb):
    vector = descriptor(rgb)
    assert vector.shape == (320,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert vector.min() >= 0


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (3, 200), (300, 20)])
def test_a_flat_image_has_colour_only(colour, shape):
    vector = descriptor(np.full((*shape, 3), colour, np.uint8))
    assert not vector[:288].any()
    assert (np.sort(vector[288:])[::-1] == [1] + [0] * 31).all()


def test_a_little_change_of_a_gradient_changes_its_bins_little():
    # Nearly level and exactly level edges: with hard bins of orientation or of cells, one step
    # could move all of a gradient from one number to another.
    row, column = np.indices((32, 32))

    def edge(angle):
        levels = 128 + 3 * (np.cos(angle) * (column - 15.5) + np.sin(angle) * (row - 15.5))
        return np.rint(levels).astype(np.uint8)[..., np.newaxis].repeat(3, axis=2)

    angles = np.linspace(0, np.pi, 90)
    vectors = np.stack([descriptor(edge(angle)) for angle in angles])
    steps = np.linalg.norm(np.diff(vectors, axis=0), axis=1)
    assert steps.max() < np.linalg.norm(vectors[45] - vectors[0]) / 4


@SETTINGS
@given(thumbnails)
def test_views_of_any_thumbnail(small):
    views = descriptor_views(descriptor(small)[np.newaxis])
    for view, found in zip(VIEWS, views[:, 0], strict=True):
        turned = np.ascontiguousarray(view.of(small))
        np.testing.assert_allclose(found, descriptor(turned), atol=ROUNDING)


@each_photo
def test_views_of_a_photos_thumbnail(photo):
    small = thumbnail(photo)
    views = descriptor_views(descriptor(photo)[np.newaxis])
    for position, view in enumerate(VIEWS):
        turned = descriptor(np.ascontiguousarray(view.of(small)))
        np.testing.assert_allclose(views[position, 0], turned, atol=ROUNDING)
        assert position == 0 or views[0, 0] @ turned < 0.999  # the test could fail


@each_photo
def test_views_of_a_photo_are_near_those_of_the_turned_file(photo):
    views = descriptor_views(descriptor(photo)[np.newaxis])
    for view, found in zip(VIEWS, views[:, 0], strict=True):
        assert found @ descriptor(np.ascontiguousarray(view.of(photo))) > 0.995


def test_views_of_many_are_those_of_each():
    vectors = np.stack([descriptor(noise(seed)) for seed in range(5)])
    views = descriptor_views(vectors)
    assert views.shape == (8, 5, 320)
    assert views.dtype == np.float32
    np.testing.assert_array_equal(views[0], vectors)
    for item in range(5):
        np.testing.assert_array_equal(views[:, [item]], descriptor_views(vectors[[item]]))
    assert descriptor_views(vectors[:0]).shape == (8, 0, 320)


@pytest.mark.parametrize("shape", [(320,), (2, 319), (1, 2, 320), (320, 1)])
def test_vectors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(n, 320\), got"):
        descriptor_views(np.zeros(shape, np.float32))


@each_photo
def test_edited_copies_are_nearer_than_other_photos(photo):
    vector = descriptor(photo)
    height, width = photo.shape[:2]
    cropped = photo[height // 20 : -height // 20, width // 20 : -width // 20]
    turning = cv2.getRotationMatrix2D((width / 2, height / 2), 5, 1)
    turned = cv2.warpAffine(photo, turning, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    brighter = (photo * 0.8 + 40).astype(np.uint8)
    copies = [vector @ descriptor(copy) for copy in (cropped, turned, brighter)]
    others = [vector @ descriptor(other) for other in PHOTOS.values() if other is not photo]
    assert min(copies) > max(others)


@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (31, 33), (5, 900), (700, 40)])
def test_thumbnails_keep_the_mean(shape):
    rgb = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    small = thumbnail(rgb)
    assert small.shape == (32, 32, 3)
    assert small.dtype == np.uint8
    assert small.mean() == pytest.approx(rgb.mean(), abs=6)
    assert (small is rgb) == (shape == (32, 32))


def cut_out(photo):
    """The crops of a square picture, by the definition: corners and middle."""
    kept = round(CROP * len(photo))
    far = len(photo) - kept
    corners = [(0, 0), (0, far), (far, 0), (far, far), (far // 2, far // 2)]
    return [photo[top : top + kept, left : left + kept] for top, left in corners]


@SETTINGS
@given(hnp.arrays(np.uint8, st.sampled_from([(54, 54, 3), (9, 70, 3), (1, 1, 3), (32, 32, 3)])))
def test_crops_are_descriptors_of_parts_of_a_thumbnail(rgb):
    expected = [descriptor(part) for part in cut_out(thumbnail(rgb, 54))]
    np.testing.assert_array_equal(descriptor_crops(rgb), expected)


@pytest.mark.parametrize("shape", [(512, 432), (110, 108), (107, 300), (216, 218), (1, 640)])
def test_crops_of_a_large_image_are_those_of_its_thumbnail(shape):
    # Large images with even sides take another way, which rounds once more.
    rgb = cv2.resize(PHOTOS["coffee"], shape)
    likeness = (descriptor_crops(rgb) * descriptor_crops(thumbnail(rgb, 54))).sum(axis=1)
    assert likeness.min() > 0.998


@each_photo
def test_crops_are_near_those_of_the_file_and_each_nearest_its_own(photo):
    photo = np.ascontiguousarray(photo[:300, :300])
    parts = np.stack([descriptor(np.ascontiguousarray(part)) for part in cut_out(photo)])
    likeness = descriptor_crops(photo) @ parts.T
    assert likeness.shape == (CROPS, CROPS)
    assert likeness.argmax(axis=0).tolist() == list(range(CROPS))
    assert likeness.diagonal().min() > 0.97
    assert (likeness.diagonal() > parts @ descriptor(photo)).all()


@SETTINGS
@given(hnp.arrays(np.uint8, (54, 54, 3), elements=st.sampled_from([0, 1, 2, 90, 255])))
def test_crops_of_a_view_are_views_of_the_crops_in_another_order(wide):
    for view, expected in zip(VIEWS, descriptor_views(descriptor_crops(wide)), strict=True):
        found = descriptor_crops(np.ascontiguousarray(view.of(wide)))
        apart = np.abs(found[:, np.newaxis] - expected).max(axis=2)
        assert apart.min(axis=0).max() < ROUNDING
        assert apart.min(axis=1).max() < ROUNDING


@each_photo
def test_crops_of_a_mirrored_photo_are_the_mirrored_crops_in_another_order(photo):
    views = descriptor_views(descriptor_crops(photo))
    orders = [
        (views[number] @ descriptor_crops(np.ascontiguousarray(VIEWS[number].of(photo))).T)
        for number in range(len(VIEWS))
    ]
    # Top left, top right, bottom left, bottom right, middle; where each of them lies in the view.
    assert orders[0].argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert orders[1].argmax(axis=1).tolist() == [1, 0, 3, 2, 4]
    assert orders[3].argmax(axis=1).tolist() == [3, 2, 1, 0, 4]
    assert orders[4].argmax(axis=1).tolist() == [0, 2, 1, 3, 4]
    for likeness in orders:
        assert likeness.max(axis=1).min() > 0.99


@each_photo
def test_a_crop_is_nearer_to_the_crops_than_to_the_whole(photo):
    height, width = photo.shape[:2]
    crop = descriptor(np.ascontiguousarray(photo[: round(0.88 * height), : round(0.88 * width)]))
    assert (descriptor_crops(photo) @ crop).max() > descriptor(photo) @ crop


@pytest.mark.parametrize(
    "columns",
    [["descriptor"], ["descriptor_crops"], ["descriptor_crops", "width", "descriptor"]],
    ids="+".join,
)
def test_columns_are_the_functions_alone_or_together(columns):
    images = [noise(), b"broken", PHOTOS["chelsea"], np.zeros((4, 9, 3), np.uint8)]
    table = measure(images, columns=columns)
    assert list(table.columns) == ["valid", "reason", *columns]
    for position in (0, 2, 3):
        for name, function in (("descriptor", descriptor), ("descriptor_crops", descriptor_crops)):
            if name in columns:
                found = table[name].iloc[position]
                assert found.dtype == np.float32
                assert found.base is None or found.base.size == found.size  # holds no more
                np.testing.assert_array_equal(found, function(images[position]).ravel())


def test_descriptor_is_a_column_of_vectors():
    images = [noise(), b"broken", np.zeros((4, 9, 3), np.uint8)]
    column = measure(images, columns=["descriptor"])["descriptor"]
    assert column.dtype == object
    assert column.iloc[1] is None
    np.testing.assert_array_equal(column.iloc[0], descriptor(images[0]))
    np.testing.assert_array_equal(column.iloc[2], descriptor(images[2]))
