"""The fast path for JPEG files: equal to Pillow's decoder, and left to it where it is not sure."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imagequality.images import UnreadableImageError, _decode, _jpeg, read_image


def picture(height=21, width=37, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]


def jpeg(pixels=None, **options):
    file = io.BytesIO()
    Image.fromarray(picture() if pixels is None else pixels).save(file, "JPEG", **options)
    return file.getvalue()


def with_segment(data, marker, payload):
    """Put a segment behind the start of the file."""
    return (
        data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + data[2:]
    )


def by_pillow(data, monkeypatch):
    monkeypatch.setattr(_jpeg, "read_header", lambda data: None)
    try:
        return read_image(data)
    finally:
        monkeypatch.undo()


def assert_same(found, expected):
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found._replace(pixels=None) == expected._replace(pixels=None)


@pytest.mark.parametrize("quality", [1, 30, 75, 95, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_colour_files(quality, subsampling, progressive, monkeypatch):
    data = jpeg(quality=quality, subsampling=subsampling, progressive=progressive)
    assert _jpeg.read_header(data) is not None
    assert_same(read_image(data), by_pillow(data, monkeypatch))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (7, 9), (64, 64), (300, 200)])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_rows": 1}])
def test_shapes_and_restarts(shape, options, monkeypatch):
    data = jpeg(picture(*shape), **options)
    assert _jpeg.read_header(data)[:2] == shape[::-1]
    assert_same(read_image(data), by_pillow(data, monkeypatch))


def test_grey_files(monkeypatch):
    data = jpeg(picture()[..., 0])
    header = _jpeg.read_header(data)
    assert header.mode == "L"
    assert_same(read_image(data), by_pillow(data, monkeypatch))


@pytest.mark.parametrize(
    "extra", [{"comment": b"hello"}, {"icc_profile": b"p" * 300}, {"dpi": (9, 9)}]
)
def test_segments_that_do_not_matter(extra, monkeypatch):
    data = jpeg(**extra)
    assert _jpeg.read_header(data) is not None
    assert_same(read_image(data), by_pillow(data, monkeypatch))


@pytest.mark.parametrize("orientation", range(10))
def test_orientations(orientation, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(exif=exif)
    assert (_jpeg.read_header(data) is not None) == (orientation == 1)
    found = read_image(data)
    assert_same(found, by_pillow(data, monkeypatch))
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(found.pixels, np.asarray(expected))


XMP = b"http://ns.adobe.com/xap/1.0/\0"


@pytest.mark.parametrize(
    ("marker", "payload"),
    [
        (0xE1, XMP + b'<x:xmpmeta tiff:Orientation="6"/>'),
        (0xE1, b"Exif\0\0corrupt"),
        (0xE2, b"MPF\0more pictures"),
        (0xEE, b"Adobe\0\x64\0\0\0\0\1"),
    ],
)
def test_what_is_left_to_pillow(marker, payload, monkeypatch):
    data = with_segment(jpeg(), marker, payload)
    assert _jpeg.read_header(data) is None
    assert_same(read_image(data), by_pillow(data, monkeypatch))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colours(mode, monkeypatch):
    file = io.BytesIO()
    Image.fromarray(picture()).convert(mode).save(file, "JPEG")
    assert_same(read_image(file.getvalue()), by_pillow(file.getvalue(), monkeypatch))


def test_channels_that_are_stored_as_rgb(monkeypatch):
    data = jpeg(keep_rgb=True)
    assert _jpeg.read_header(data) is None
    assert_same(read_image(data), by_pillow(data, monkeypatch))


def test_tables_of_two_bytes(monkeypatch):
    data = jpeg(qtables=[[300] * 64, [7] * 64])
    header = _jpeg.read_header(data)
    expected = by_pillow(data, monkeypatch)
    assert header is None or header.luminance_table == expected.luminance_table
    assert_same(read_image(data), expected)


def test_a_file_that_is_too_large_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(_jpeg, "decode", lambda data: pytest.fail("decoded"))
    with pytest.raises(UnreadableImageError, match="too large: 37 × 21 pixels"):
        read_image(jpeg(), max_pixels=700)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_truncated_files_are_refused(share):
    data = jpeg(picture(90, 120))
    with pytest.raises(UnreadableImageError):
        read_image(data[: int(len(data) * share)])


def test_bytes_behind_the_end(monkeypatch):
    data = jpeg() + b"appended"
    assert _jpeg.read_header(data) is None
    assert_same(read_image(data), by_pillow(data, monkeypatch))


FILES = [jpeg(), jpeg(progressive=True), jpeg(picture()[..., 0]), jpeg(restart_marker_rows=1)]


@settings(deadline=None, max_examples=300)
@given(
    file=st.sampled_from(FILES),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.tuples(st.floats(0, 1), st.integers(0, 40)),
)
def test_damaged_files_are_judged_as_by_pillow(file, damage, cut):
    data = bytearray(file)
    for where, byte in damage:
        data[int(where * (len(data) - 1))] = byte
    start = int(cut[0] * (len(data) - 2))
    del data[start : min(start + cut[1], len(data) - 2)]
    outcomes = []
    for fast in (True, False):
        with pytest.MonkeyPatch.context() as monkeypatch:
            if not fast:
                monkeypatch.setattr(_jpeg, "read_header", lambda data: None)
            try:
                outcomes.append(read_image(bytes(data), max_pixels=100_000))
            except UnreadableImageError as error:
                outcomes.append(str(error))
    if isinstance(outcomes[0], str):
        assert outcomes[0] == outcomes[1]
    else:
        assert_same(*outcomes)


def test_without_opencvs_flag_for_rgb(monkeypatch):
    data = jpeg()
    expected = read_image(data)
    monkeypatch.setattr(_jpeg, "_READ_RGB", None)
    assert_same(read_image(data), expected)


def test_a_file_longer_than_one_read(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg())
    expected = read_image(path)
    original = _decode.os.read
    monkeypatch.setattr(_decode.os, "read", lambda descriptor, size: original(descriptor, 100))
    assert_same(read_image(path), expected)
