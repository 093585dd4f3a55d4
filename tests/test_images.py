"""Folders, references and the decode policy, row by row. Every file is made here."""

import io
import os
import pathlib
import struct
import tempfile
import time
import tracemalloc
import warnings
import zlib

import numpy as np
import pandas as pd
import PIL
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFile

from imagequality.images import (
    MAX_PIXELS,
    DecodedImage,
    UnreadableImageError,
    as_references,
    list_images,
    load_image,
    read_image,
)

ORIENTATION = 0x0112
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def encode(image, format_name, **options):
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def picture(height=30, width=40, seed=0):
    """An RGB image with large and small structure and no symmetry."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    smooth = np.stack([rows * 5, columns * 4, rows + 2 * columns], axis=2)
    return ((smooth + rng.integers(0, 60, (height, width, 3))) % 256).astype(np.uint8)


def png_chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width, height, bit_depth, colour_type, rows, *extra_chunks):
    """A PNG by hand; ``rows`` are the bytes before compression, filter bytes included."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return b"".join(
        [
            PNG_MAGIC,
            png_chunk(b"IHDR", header),
            *(png_chunk(kind, data) for kind, data in extra_chunks),
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        ]
    )


def pam(kind, depth, largest, values, width=2, height=1):
    header = (
        f"P7\n# a comment\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {largest}\n"
        f"TUPLTYPE {kind}\nENDHDR\n"
    )
    return header.encode() + bytes(values)


def reason_of(reference, **options):
    with pytest.raises(UnreadableImageError) as caught:
        read_image(reference, **options)
    return str(caught.value)


def no_warning(function, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments)
    assert [str(warning.message) for warning in caught] == []
    return result


# --------------------------------------------------------------------------- folders


def names(paths, folder):
    return [os.path.relpath(path, folder) for path in paths]


def test_list_images_is_sorted_and_recursive(tmp_path):
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in ("b.png", "a.jpg", "sub/c.JPEG", "sub/deep/a.webp", "Z.bmp"):
        (tmp_path / name).write_bytes(b"")
    paths = no_warning(list_images, tmp_path)
    assert paths == sorted(paths)
    assert set(names(paths, tmp_path)) == {
        "b.png",
        "a.jpg",
        os.path.join("sub", "c.JPEG"),
        os.path.join("sub", "deep", "a.webp"),
        "Z.bmp",
    }
    assert all(isinstance(path, str) and path.startswith(str(tmp_path)) for path in paths)
    assert names(list_images(str(tmp_path), recursive=False), tmp_path) == [
        "Z.bmp",
        "a.jpg",
        "b.png",
    ]


def test_list_images_begins_with_the_folder_as_given(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert list_images("photos") == [os.path.join("photos", "a.png")]


def test_list_images_not_recursive_says_nothing_about_sub_folders(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes.txt").write_text("text")
    assert no_warning(list_images, tmp_path, False) == []


def test_list_images_of_an_empty_folder(tmp_path):
    assert no_warning(list_images, tmp_path) == []


MAGIC_FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM", "TIFF", "JPEG2000", "QOI", "DDS"]


@pytest.mark.parametrize("format_name", [*MAGIC_FORMATS, "AVIF"])
def test_list_images_knows_content_without_an_extension(tmp_path, format_name):
    Image.init()
    if format_name not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {format_name}")
    data = encode(Image.fromarray(picture()), format_name)
    (tmp_path / "noextension").write_bytes(data)
    (tmp_path / "wrong.txt").write_bytes(data)
    assert names(no_warning(list_images, tmp_path), tmp_path) == ["noextension", "wrong.txt"]


@pytest.mark.parametrize("header_size", [12, 40, 52, 56, 64, 108, 124])
def test_list_images_knows_every_bmp_header(tmp_path, header_size):
    data = b"BM" + bytes(12) + struct.pack("<I", header_size) + bytes(header_size)
    (tmp_path / "bmp").write_bytes(data)
    assert len(list_images(tmp_path)) == 1


@pytest.mark.parametrize(
    "head",
    [b"P1 1 1\n0", b"P4\n8 1\n\0", b"P5\n#c\n1 1", b"P7\nWIDTH 1", b"#?RADIANCE\n", b"MM\0*"],
)
def test_list_images_knows_further_magic(tmp_path, head):
    (tmp_path / "file").write_bytes(head)
    assert len(list_images(tmp_path)) == 1


@pytest.mark.parametrize("head", [b"", b"BMW is a car", b"P6", b"Peter", b"RIFF1234WAVE", b"\0"])
def test_list_images_passes_over_what_is_no_image(tmp_path, head):
    (tmp_path / "file").write_bytes(head)
    with pytest.warns(UserWarning, match="passed over 1 entries"):
        assert list_images(tmp_path) == []


def test_list_images_goes_by_extension_or_by_content(tmp_path):
    (tmp_path / "text.jpg").write_text("this is no image")
    (tmp_path / "text").write_text("this is no image")
    with pytest.warns(UserWarning, match=r"1 not images \(no extension\)"):
        assert names(list_images(tmp_path), tmp_path) == ["text.jpg"]


def test_list_images_counts_what_it_passes_over_in_one_warning(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.png").write_bytes(b"")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    for name in ("a.txt", "b.TXT", "sub/c.txt", "sub/d.csv", "README", "sub/.DS_Store"):
        (tmp_path / name).write_text("text")
    (tmp_path / "image.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="list_images") as caught:
        paths = list_images(tmp_path)
    assert names(paths, tmp_path) == ["image.png"]
    (warning,) = caught
    message = str(warning.message)
    assert "passed over 8 entries" in message
    assert "3 hidden" in message
    assert "3 not images (.txt)" in message
    assert "1 not images (.csv)" in message
    assert "1 not images (no extension)" in message
    assert warning.filename == __file__


def test_list_images_missing_folder_or_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder.*nowhere"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"not a folder.*a\.png"):
        list_images(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError):
        list_images("")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_blocks_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.warns(UserWarning, match="passed over 1"):
        (path,) = list_images(tmp_path)
    assert reason_of(path) == "not a regular file"
    assert reason_of(tmp_path / "pipe") == "not a regular file"


def test_links(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    (elsewhere / "real").write_bytes(encode(Image.fromarray(picture()), "PNG"))
    try:
        (folder / "file_link").symlink_to(elsewhere / "real")
    except OSError:
        pytest.skip("no links here")
    (folder / "folder_link").symlink_to(elsewhere, target_is_directory=True)
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "dangling.png").symlink_to(folder / "nothing")
    paths = no_warning(list_images, folder)
    assert names(paths, folder) == ["dangling.png", "file_link"]
    assert reason_of(paths[0]) == "file not found"
    np.testing.assert_array_equal(load_image(paths[1]), picture())
    (tmp_path / "root_link").symlink_to(folder, target_is_directory=True)
    assert len(list_images(tmp_path / "root_link")) == 2


def test_a_dangling_link_without_extension_is_passed_over(tmp_path):
    try:
        (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    except OSError:
        pytest.skip("no links here")
    with pytest.warns(UserWarning, match="no extension"):
        assert list_images(tmp_path) == []


def test_every_extension_that_pillow_decodes_is_listed(tmp_path):
    Image.init()
    by_other_programs = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "PCD", "WMF"}
    expected = {
        f"image{extension}"
        for extension, name in Image.registered_extensions().items()
        if name in Image.OPEN and name not in by_other_programs
    }
    assert len(expected) > 40
    for name in (*expected, "image.heic", "image.hdr", "image.pam", "image.mpo"):
        (tmp_path / name).write_bytes(b"")
        (tmp_path / name.upper()).write_bytes(b"")
    found = set(names(no_warning(list_images, tmp_path), tmp_path))
    assert expected | {name.upper() for name in expected} <= found
    assert {"image.heic", "image.hdr", "image.pam", "image.mpo"} <= found


def test_what_needs_another_program_is_not_listed(tmp_path):
    for name in ("a.eps", "b.wmf", "c.mpg", "d.h5", "e.pdf"):
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(UserWarning, match="passed over 5"):
        assert list_images(tmp_path) == []


@pytest.mark.parametrize(
    "name", [b"new\nline.png", "😀 ü.png".encode(), b"\xff\xfe.png", b"a'b\"c.png"]
)
def test_strange_names(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)
    try:
        pathlib.Path(os.fsdecode(path)).write_bytes(encode(Image.fromarray(picture()), "PNG"))
    except OSError:
        pytest.skip("the file system refuses the name")
    assert no_warning(list_images, tmp_path) == [os.fsdecode(path)]
    np.testing.assert_array_equal(load_image(os.fsdecode(path)), picture())
    assert as_references([os.fsdecode(path)])[1].tolist() == [os.fsdecode(path)]


def test_a_strange_extension_can_be_warned_about(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"a.\xff")
    try:
        pathlib.Path(os.fsdecode(path)).write_bytes(b"")
    except OSError:
        pytest.skip("the file system refuses the name")
    with pytest.warns(UserWarning, match="passed over 1"):
        list_images(tmp_path)


# ------------------------------------------------------------------------ references


class OnlyPath:
    """Path-like, with a text of its own that is not the path."""

    def __fspath__(self):
        return "a/b.png"


def test_list_and_tuple_of_paths_are_named_by_themselves():
    for X in (["b.png", pathlib.Path("a.png")], ("b.png", pathlib.Path("a.png"))):
        references, index = as_references(X)
        assert references is X
        assert index.tolist() == ["b.png", "a.png"]
        assert index.name == "path"
        assert all(type(name) is str for name in index)


def test_a_path_like_is_named_by_its_path(tmp_path):
    assert as_references([OnlyPath()])[1].tolist() == ["a/b.png"]
    (tmp_path / "a.png").write_bytes(b"")
    with os.scandir(tmp_path) as entries:
        found = list(entries)
    assert as_references(found)[1].tolist() == [str(tmp_path / "a.png")]


def test_what_is_no_path_is_named_by_its_position():
    data = [b"bytes", Image.new("L", (2, 2)), np.zeros((2, 2))]
    references, index = as_references(data)
    assert references is data
    pd.testing.assert_index_equal(index, pd.RangeIndex(3))
    mixed = as_references([b"bytes", "a.png", None])[1]
    assert mixed.tolist() == [0, "a.png", 2]
    assert as_references([])[1].tolist() == []


def test_duplicate_paths_keep_their_names():
    assert as_references(["a", "b", "a"])[1].tolist() == ["a", "b", "a"]


def test_pandas_input_keeps_its_index():
    index = pd.Index([7, 7, "x"], name="mine")
    for X in (
        pd.Series(["a", "b", "c"], index=index),
        pd.DataFrame({"path": ["a", "b", "c"]}, index=index),
    ):
        references, found = as_references(X)
        assert list(references) == ["a", "b", "c"]
        pd.testing.assert_index_equal(found, index)


def test_a_frame_of_several_columns_is_refused_by_name():
    with pytest.raises(ValueError, match=r"one column of references, got 2 columns: path, label"):
        as_references(pd.DataFrame({"path": ["a"], "label": [1]}))
    with pytest.raises(ValueError, match="got 0 columns"):
        as_references(pd.DataFrame(index=[0, 1]))


@pytest.mark.parametrize("dtype", [object, np.str_, "T"])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_arrays_of_paths(dtype, shape):
    kind = np.dtypes.StringDType() if dtype == "T" else dtype
    references, index = as_references(np.array(["a", "b"], dtype=kind).reshape(shape))
    assert list(references) == ["a", "b"]
    assert index.tolist() == ["a", "b"]
    assert all(type(reference) is str for reference in references)


def test_arrays_of_other_references():
    array = np.empty((2, 1), dtype=object)
    array[:, 0] = [b"x", Image.new("L", (1, 1))]
    references, index = as_references(array)
    assert references[0] == b"x"
    assert isinstance(references[1], Image.Image)
    assert index.tolist() == [0, 1]
    assert as_references(np.array([b"ab", b"c"]))[0] == [b"ab", b"c"]


@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 1), ()])
def test_object_arrays_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match=r"shape \(n,\) or \(n, 1\), got"):
        as_references(np.full(shape, "a", dtype=object))


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 5, 6, 3), (2, 5, 6, 1), (1, 2, 2, 4), (0, 5, 6)])
def test_arrays_of_images(shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    references, index = as_references(array)
    assert len(references) == len(index) == shape[0]
    for one, expected in zip(references, array, strict=True):
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("shape", [(), (5,), (5, 6), (5, 6, 3), (5, 6, 1), (5, 6, 4), (1,) * 5])
def test_arrays_that_are_no_collection(shape):
    with pytest.raises(ValueError, match=r"\(n, h, w\) or \(n, h, w, c\), got .*pass \[image\]"):
        as_references(np.zeros(shape))


@pytest.mark.parametrize(
    "one",
    ["a.png", pathlib.Path("a.png"), b"\x89PNG", bytearray(b"x"), memoryview(b"x"), OnlyPath()],
)
def test_one_image_is_no_collection(one):
    with pytest.raises(TypeError, match=r"got one .*pass \[image\].*list_images"):
        as_references(one)


def test_one_pil_image_is_no_collection():
    with pytest.raises(TypeError, match=r"got one Image.*pass \[image\]"):
        as_references(Image.new("L", (1, 1)))


@pytest.mark.parametrize("other", [None, 3, {"a"}, {"a": 1}, iter(["a"]), object()])
def test_what_is_no_collection(other):
    with pytest.raises(TypeError, match=f"must be a list.* got {type(other).__name__}"):
        as_references(other)


# --------------------------------------------------------------- the decode policy: EXIF


ORIENTED = {  # what is stored for an image that is to be seen upright
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation, format_name):
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](picture())))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if format_name == "WEBP" else {}
    data = encode(stored, format_name, exif=exif, **options)
    np.testing.assert_array_equal(load_image(data), picture())
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(load_image(image), picture())


@pytest.mark.parametrize("orientation", ORIENTED)
def test_exif_orientation_of_a_jpeg(orientation):
    stored = Image.fromarray(np.ascontiguousarray(ORIENTED[orientation](picture(32, 48))))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    raw = load_image(encode(stored, "JPEG", quality=95, subsampling=0))
    upright = load_image(encode(stored, "JPEG", quality=95, subsampling=0, exif=exif))
    np.testing.assert_array_equal(ORIENTED[orientation](upright), raw)


@pytest.mark.parametrize("orientation", [0, 9, 77, 65535])
def test_an_unknown_orientation_is_ignored(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(Image.fromarray(picture()), "PNG", exif=exif.tobytes())
    np.testing.assert_array_equal(no_warning(load_image, data), picture())


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01\x12\0\x03",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\xf0\xff\0\0\0\0\0\0",
        b"Exif\0\0",
    ],
)
def test_a_corrupt_exif_block_is_ignored(block):
    clean = encode(Image.fromarray(picture()), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    data = clean[:2] + segment + clean[2:]
    np.testing.assert_array_equal(no_warning(load_image, data), load_image(clean))


# -------------------------------------------------------------- the decode policy: alpha


def over_white(rgb, alpha):
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "WEBP"])
def test_rgba_is_composited_over_white(format_name):
    alpha = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    rgba = np.dstack([picture(), alpha])
    options = {"lossless": True, "exact": True} if format_name == "WEBP" else {}
    pixels = load_image(encode(Image.fromarray(rgba), format_name, **options))
    np.testing.assert_allclose(pixels, over_white(picture(), alpha), atol=1)
    assert (pixels[:, 0] == 255).all()
    np.testing.assert_array_equal(pixels[:, -1], picture()[:, -1])
    np.testing.assert_array_equal(pixels, load_image(rgba))


def test_la_is_composited_over_white():
    la = np.array([[[10, 255], [10, 0], [100, 128]]], np.uint8)
    expected = [[[10] * 3, [255] * 3, [177] * 3]]
    for reference in (la, Image.fromarray(la), encode(Image.fromarray(la), "PNG")):
        np.testing.assert_allclose(load_image(reference), expected, atol=1)


def test_every_mode_with_alpha_is_composited_over_white():
    for mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        assert load_image(Image.new(mode, (2, 2), 0)).min() == 255, mode


def test_a_palette_with_transparency_is_composited_over_white():
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    for column in range(3):
        image.putpixel((column, 0), column)
    data = encode(image, "PNG", transparency=1)
    np.testing.assert_array_equal(load_image(data), [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]])
    data = encode(image, "PNG", transparency=bytes([255, 0, 0]))
    np.testing.assert_array_equal(no_warning(load_image, data)[0, 1:], [[255] * 3] * 2)
    data = encode(image, "GIF", transparency=0)
    np.testing.assert_array_equal(load_image(data)[0, 0], [255] * 3)


def test_a_palette_that_holds_alpha_is_composited_over_white():
    transparent = Image.new("RGBA", (4, 4), (255, 0, 0, 0)).quantize()
    assert transparent.mode == "P"
    assert "transparency" not in transparent.info
    assert load_image(transparent).min() == 255


def test_the_transparent_colour_of_an_rgb_png():
    rgb = np.array([[[1, 2, 3], [3, 2, 1]]], np.uint8)
    data = encode(Image.fromarray(rgb), "PNG", transparency=(1, 2, 3))
    np.testing.assert_array_equal(load_image(data), [[[255] * 3, [3, 2, 1]]])


@pytest.mark.parametrize(("bit_depth", "row"), [(8, b"\0\x07\x08"), (16, b"\0\x07\x08\x08\x08")])
def test_the_transparent_level_of_a_grey_png(bit_depth, row):
    level = 0x07 if bit_depth == 8 else 0x0708
    data = png(2, 1, bit_depth, 0, row, (b"tRNS", struct.pack(">H", level)))
    np.testing.assert_array_equal(load_image(data), [[[255] * 3, [8] * 3]])


# ------------------------------------------------------------- the decode policy: colour


def test_cmyk_jpeg():
    cmyk = Image.fromarray(picture()).convert("CMYK")
    data = encode(cmyk, "JPEG", quality=100, subsampling=0)
    image = read_image(data)
    assert (image.format, image.mode) == ("JPEG", "CMYK")
    assert np.abs(image.pixels.astype(int) - picture()).mean() < 8


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB", "CMYK", "RGBX"])
def test_other_colour_spaces(mode):
    image = Image.new(mode, (3, 2), 0)
    decoded = read_image(image)
    assert decoded.mode == mode
    np.testing.assert_array_equal(decoded.pixels, np.asarray(image.convert("RGB")))


def test_palette_is_looked_up():
    image = Image.fromarray(picture()).quantize(16)
    data = encode(image, "PNG")
    decoded = read_image(data)
    assert decoded.mode == "P"
    np.testing.assert_array_equal(decoded.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_one_bit_becomes_0_and_255(format_name):
    bits = np.random.default_rng(0).random((9, 11)) < 0.5
    pixels = load_image(encode(Image.fromarray(bits), format_name))
    np.testing.assert_array_equal(pixels, np.repeat(bits[..., None] * 255, 3, axis=2))


SIXTEEN_BIT = np.array([[0, 128, 129, 257, 385, 386, 32767, 32768, 65406, 65407, 65535]], np.uint16)
FROM_SIXTEEN_BIT = np.rint(SIXTEEN_BIT / 257)[..., None].repeat(3, axis=2)


@pytest.mark.parametrize("format_name", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_files(format_name):
    if format_name == "PPM":  # Pillow 10 does not write it
        data = b"P5 11 1 65535\n" + SIXTEEN_BIT.astype(">u2").tobytes()
    else:
        data = encode(Image.fromarray(SIXTEEN_BIT), format_name)
    decoded = read_image(data)
    assert decoded.mode.startswith("I")
    np.testing.assert_array_equal(decoded.pixels, FROM_SIXTEEN_BIT)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_arrays_of_either_byte_order(dtype):
    np.testing.assert_array_equal(load_image(SIXTEEN_BIT.astype(dtype)), FROM_SIXTEEN_BIT)
    colour = np.repeat(SIXTEEN_BIT[..., None], 3, axis=2).astype(dtype)
    np.testing.assert_array_equal(load_image(colour), FROM_SIXTEEN_BIT)


def test_big_endian_16_bit_pil_image():
    image = Image.frombytes("I;16B", (11, 1), SIXTEEN_BIT.astype(">u2").tobytes())
    np.testing.assert_array_equal(load_image(image), FROM_SIXTEEN_BIT)


def test_every_16_bit_level_is_rounded():
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    np.testing.assert_array_equal(load_image(levels)[..., 0], np.rint(levels / 257))


def test_16_bit_colour_files_give_the_high_byte():
    data = png(1, 1, 16, 2, b"\0" + bytes([1, 255, 2, 0, 3, 128]))
    np.testing.assert_array_equal(load_image(data), [[[1, 2, 3]]])


def test_32_bit_integer_images():
    image = Image.fromarray(SIXTEEN_BIT.astype(np.int32))
    assert image.mode == "I"
    np.testing.assert_array_equal(load_image(image), FROM_SIXTEEN_BIT)
    np.testing.assert_array_equal(load_image(encode(image, "TIFF")), FROM_SIXTEEN_BIT)
    for value in (-1, 65536):
        image = Image.fromarray(np.array([[0, value]], np.int32))
        assert "must lie in [0, 65535]" in reason_of(image)


FLOATS = np.array([[0, 0.25, 0.5, 1 / 255, 0.999, 1]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.longdouble])
def test_float_arrays(dtype):
    values = FLOATS.astype(dtype)
    expected = np.rint(values.astype(np.float64) * 255)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(load_image(values), expected)


def test_float_tiff():
    data = encode(Image.fromarray(FLOATS.astype(np.float32)), "TIFF")
    decoded = read_image(data)
    assert decoded.mode == "F"
    np.testing.assert_array_equal(decoded.pixels, load_image(FLOATS.astype(np.float32)))


@pytest.mark.parametrize("bad", [-0.001, 1.001, 255, np.nan, np.inf, -np.inf])
def test_floats_out_of_range_are_refused(bad):
    values = np.array([[0.5, bad]], np.float32)
    for reference in (values, encode(Image.fromarray(values), "TIFF")):
        message = no_warning(reason_of, reference)
        assert "float32 values must lie in [0, 1]" in message
        assert "nan" in message or f"{np.float32(bad):g}" in message


def test_bool_arrays():
    values = np.array([[True, False]])
    np.testing.assert_array_equal(load_image(values), [[[255] * 3, [0] * 3]])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint32", "uint64", ">i4"])
def test_other_integer_arrays(dtype):
    np.testing.assert_array_equal(load_image(np.array([[0, 127]], dtype)), [[[0] * 3, [127] * 3]])
    bad = -1 if np.dtype(dtype).kind == "i" else 256
    assert "must lie in [0, 255], got" in reason_of(np.array([[0, bad]]).astype(dtype))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 2), complex),
        np.full((2, 2), "a"),
        np.full((2, 2), None),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((2, 2), [("a", int)]),
    ],
)
def test_arrays_of_other_types_are_refused(array):
    assert "cannot have dtype" in reason_of(array)


@pytest.mark.parametrize("shape", [(), (5,), (5, 5, 5), (3, 5, 5), (1, 2, 3, 3), (5, 5, 0)])
def test_arrays_of_a_wrong_shape_are_refused(shape):
    assert f"got {shape}" in reason_of(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0, 3)])
def test_arrays_without_pixels_are_refused(shape):
    assert "has no pixels" in reason_of(np.zeros(shape, np.uint8))


# ------------------------------------------------------------- the decode policy: frames


FRAMES = [Image.new("RGB", (6, 5), colour) for colour in ("red", "green", "blue")]


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_is_read(format_name):
    options = {"lossless": True} if format_name == "WEBP" else {}
    data = encode(FRAMES[0], format_name, save_all=True, append_images=FRAMES[1:], **options)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 3
    np.testing.assert_array_equal(load_image(data), np.asarray(FRAMES[0]))


def test_a_pil_image_is_read_at_the_frame_where_it_stands():
    data = encode(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:])
    with Image.open(io.BytesIO(data)) as image:
        image.seek(2)
        np.testing.assert_array_equal(load_image(image), np.asarray(FRAMES[2]))
        assert image.tell() == 2


# --------------------------------------------------------------- the decode policy: size


def bomb(width, height):
    return png(width, height, 8, 2, b"\0" * 100)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(bomb(60_000, 60_000))
    load_image(encode(FRAMES[0], "PNG"))  # imports done
    tracemalloc.start()
    start = time.perf_counter()
    message = no_warning(reason_of, tmp_path / "bomb.png")
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "too large" in message
    assert seconds < 2
    assert peak < 5e6


def test_nothing_is_warned_about_a_large_image():
    # Between the size at which Pillow warns and that at which it refuses; the data is missing,
    # so that nothing large is decoded.
    message = no_warning(reason_of, bomb(12_000, 12_000))
    assert "too large" not in message


def test_max_pixels():
    data = encode(Image.fromarray(picture(30, 40)), "PNG")
    assert read_image(data, max_pixels=1200).pixels.shape == (30, 40, 3)
    for reference in (data, picture(30, 40), Image.fromarray(picture(30, 40)), pam_picture()):
        assert reason_of(reference, max_pixels=1199) == (
            "too large: 40 × 30 pixels, the limit is 1,199 pixels"
        )


def pam_picture():
    return pam("RGB", 3, 255, picture(30, 40).tobytes(), 40, 30)


def test_the_limit_is_where_pillow_refuses():
    assert MAX_PIXELS == 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3)])
@pytest.mark.parametrize("format_name", ["PNG", "BMP", "TIFF", "PPM"])
def test_tiny_and_thin_images(shape, format_name):
    pixels = picture(*shape)
    data = encode(Image.fromarray(pixels), format_name)
    np.testing.assert_array_equal(load_image(data), pixels)
    np.testing.assert_array_equal(load_image(pixels), pixels)


# -------------------------------------------------------------------------- broken files


SOUND = {
    "JPEG": encode(Image.fromarray(picture()), "JPEG"),
    "progressive JPEG": encode(Image.fromarray(picture()), "JPEG", progressive=True),
    "PNG": encode(Image.fromarray(picture()), "PNG"),
    "GIF": encode(Image.fromarray(picture()), "GIF"),
    "WEBP": encode(Image.fromarray(picture()), "WEBP"),
    "lossless WEBP": encode(Image.fromarray(picture()), "WEBP", lossless=True),
    "BMP": encode(Image.fromarray(picture()), "BMP"),
    "TIFF": encode(Image.fromarray(picture()), "TIFF"),
    "PPM": encode(Image.fromarray(picture()), "PPM"),
    "PAM": pam_picture(),
}


@pytest.mark.parametrize("format_name", SOUND)
def test_a_truncated_file_is_refused(format_name):
    data = SOUND[format_name]
    assert load_image(data).shape == (30, 40, 3)
    lengths = {3, 8, 20, 60, *(len(data) * tenth // 10 for tenth in range(1, 10)), len(data) - 6}
    for length in lengths:
        assert no_warning(reason_of, data[:length]), length


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_one_missing_byte_is_found(format_name):
    assert "truncated" in reason_of(SOUND[format_name][:-1]).lower()


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT", b"IEND"])
def test_a_wrong_checksum_in_a_png_is_found(chunk):
    data = bytearray(SOUND["PNG"])
    end = (
        data.index(chunk)
        + 4
        + int.from_bytes(data[data.index(chunk) - 4 : data.index(chunk)], "big")
    )
    data[end] ^= 1
    assert f"wrong checksum in {chunk!r}" in reason_of(bytes(data))


def test_a_wrong_checksum_behind_the_pixels_does_not_matter():
    sound = png(1, 1, 8, 0, b"\0\x07")
    text = bytearray(png_chunk(b"tEXt", b"k\0v"))
    text[-1] ^= 1
    end = sound.index(b"IEND") - 4
    np.testing.assert_array_equal(load_image(sound[:end] + text + sound[end:]), [[[7, 7, 7]]])


def test_what_follows_the_end_of_a_png_does_not_matter():
    np.testing.assert_array_equal(load_image(SOUND["PNG"] + b"trailing"), picture())


def test_a_png_whose_stream_of_pixels_breaks_off_is_refused():
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in picture()))
    start, end = SOUND["PNG"].index(b"IDAT") - 4, SOUND["PNG"].index(b"IEND") - 4

    def with_rows(data):
        return SOUND["PNG"][:start] + png_chunk(b"IDAT", data) + SOUND["PNG"][end:]

    np.testing.assert_array_equal(load_image(with_rows(rows)), picture())
    assert "truncated" in reason_of(with_rows(rows[: len(rows) // 2]))


def test_an_animated_gif_cut_in_its_first_frame_is_refused():
    data = encode(
        Image.fromarray(picture()),
        "GIF",
        save_all=True,
        append_images=[Image.fromarray(picture(seed=1))],
    )
    assert reason_of(data[: len(data) // 4])


@pytest.mark.parametrize("data", [b"", bytearray(), memoryview(b"")])
def test_empty_bytes(data):
    assert reason_of(data) == "empty file"


def test_broken_files(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("this is no image, whatever it is called")
    (tmp_path / "folder.jpg").mkdir()
    assert reason_of(tmp_path / "empty.jpg") == "empty file"
    assert reason_of(tmp_path / "text.jpg") == "not an image in a format that can be read"
    assert reason_of(tmp_path / "folder.jpg") == "is a folder"
    assert reason_of(tmp_path / "missing.jpg") == "file not found"
    assert reason_of(str(tmp_path / "text.jpg" / "below.jpg")) == "cannot be read: not a directory"
    assert "null" in reason_of("a\0b")
    assert reason_of("") == "file not found"
    assert "too long" in reason_of("a" * 5000)


def test_a_wrong_extension_does_not_matter(tmp_path):
    (tmp_path / "a.jpg").write_bytes(SOUND["PNG"])
    decoded = read_image(tmp_path / "a.jpg")
    assert decoded.format == "PNG"
    np.testing.assert_array_equal(decoded.pixels, picture())


def test_a_file_without_permission():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.png")
        pathlib.Path(path).write_bytes(SOUND["PNG"])
        os.chmod(folder, 0o755)
        os.chmod(path, 0)
        is_root = os.geteuid() == 0  # who reads everything: be nobody for a moment
        if is_root:
            os.seteuid(65534)
        try:
            reason = reason_of(path)
        finally:
            if is_root:
                os.seteuid(0)
    assert reason == "no permission to read the file"


def test_permission_and_memory_errors_have_words(monkeypatch):
    for error, words in (
        (PermissionError(13, "Permission denied"), "no permission to read the file"),
        (MemoryError(), "not enough memory to decode the image"),
        (OSError(5, "Input/output error"), "cannot be read: input/output error"),
        (ValueError(), "cannot be decoded: ValueError"),
    ):

        def fails(path, error=error):
            raise error

        monkeypatch.setattr("imagequality.images._decode.read_file", fails)
        assert reason_of("a.png") == words


def test_the_cause_is_kept():
    with pytest.raises(UnreadableImageError) as caught:
        load_image(SOUND["JPEG"][:300])
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value, ValueError)


def test_formats_that_would_run_another_program_are_refused():
    data = encode(Image.fromarray(picture()), "EPS")
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "EPS"  # Pillow would try
    assert reason_of(data) == "not an image in a format that can be read"
    wmf = b"\xd7\xcd\xc6\x9a\0\0" + struct.pack("<hhhhH", 0, 0, 100, 100, 72) + bytes(100)
    assert reason_of(wmf) == "not an image in a format that can be read"


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"msf1"])
def test_heic_names_the_extra(monkeypatch, brand):
    data = struct.pack(">I", 24) + b"ftyp" + brand + b"\0\0\0\0mif1heic" + bytes(100)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert reason_of(data) == "HEIC needs the extra: pip install 'imagequality[heif]'"


@pytest.mark.skipif(".avif" not in Image.registered_extensions(), reason="Pillow without AVIF")
def test_avif_needs_no_extra():
    assert load_image(encode(Image.fromarray(picture()), "AVIF")).shape == (30, 40, 3)


# ------------------------------------------------------------------- Radiance HDR and PAM


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pam("RGB", 3, 255, [1, 2, 3, 4, 5, 6]), [[1, 2, 3], [4, 5, 6]]),
        (pam("RGB_ALPHA", 4, 255, [1, 2, 3, 255, 4, 5, 6, 0]), [[1, 2, 3], [255] * 3]),
        (pam("GRAYSCALE", 1, 255, [1, 2]), [[1] * 3, [2] * 3]),
        (pam("GRAYSCALE_ALPHA", 2, 255, [10, 255, 20, 0]), [[10] * 3, [255] * 3]),
        (pam("BLACKANDWHITE", 1, 1, [0, 1]), [[0] * 3, [255] * 3]),
        (pam("GRAYSCALE", 1, 100, [50, 100]), [[128] * 3, [255] * 3]),
        (pam("GRAYSCALE", 1, 65535, [255, 255, 1, 1]), [[255] * 3, [1] * 3]),
    ],
)
def test_pam(data, expected):
    decoded = read_image(data)
    np.testing.assert_array_equal(decoded.pixels, [expected])
    assert decoded.format == "PAM"
    assert decoded.file_size == len(data)


def test_broken_pam():
    assert reason_of(pam("RGB", 3, 255, [1, 2, 3])) == "truncated PAM"
    assert "above 1" in reason_of(pam("BLACKANDWHITE", 1, 1, [0, 2]))
    assert "'CMYK'" in reason_of(pam("CMYK", 4, 255, range(8)))
    assert "too large" in reason_of(pam("RGB", 3, 255, b"", 60_000, 60_000))
    assert reason_of(b"P7\nWIDTH 2\nENDHDR\n")
    assert reason_of(b"P7\nWIDTH\nENDHDR\n")


def test_radiance_hdr(tmp_path):
    import cv2

    values = np.zeros((4, 5, 3), np.float32)
    values[..., 2] = 0.5  # red, in OpenCV's order
    data = cv2.imencode(".hdr", values)[1].tobytes()
    decoded = read_image(data)
    assert (decoded.format, decoded.mode) == ("HDR", "float32")
    np.testing.assert_allclose(decoded.pixels, np.full((4, 5, 3), [128, 0, 0]), atol=2)
    (tmp_path / "noextension").write_bytes(data)
    assert len(list_images(tmp_path)) == 1
    bright = cv2.imencode(".hdr", values * 10)[1].tobytes()
    assert "must lie in [0, 1]" in reason_of(bright)
    huge = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n" + bytes(100)
    assert "too large" in reason_of(huge)


# --------------------------------------------------------------------- kinds of reference


def test_the_same_pixels_through_every_door(tmp_path):
    path = tmp_path / "a.png"
    data = SOUND["PNG"]
    path.write_bytes(data)
    with path.open("rb") as file, Image.open(path) as image:
        doors = [
            str(path),
            path,
            np.str_(path),
            data,
            bytearray(data),
            memoryview(data),
            io.BytesIO(data),
            file,
            image,
            Image.fromarray(picture()),
            picture(),
            np.asfortranarray(picture()),
            picture().astype(np.int64),
            picture() / 255,
        ]
        for door in doors:
            pixels = no_warning(load_image, door)
            np.testing.assert_array_equal(pixels, picture(), err_msg=repr(type(door)))
            assert pixels.dtype == np.uint8
            assert pixels.flags.c_contiguous
            assert pixels.flags.writeable


@pytest.mark.parametrize("channels", [None, 1, 2, 4])
def test_arrays_give_writeable_contiguous_pixels(channels):
    shape = (4, 5) if channels is None else (4, 5, channels)
    pixels = load_image(np.zeros(shape, np.uint8))
    assert pixels.shape == (4, 5, 3)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


def test_the_facts_of_the_source(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(SOUND["GIF"])
    decoded = read_image(path)
    assert (decoded.format, decoded.mode) == ("GIF", "P")
    assert decoded.file_size == len(SOUND["GIF"])
    decoded = read_image(picture().astype(np.int16))
    assert (decoded.format, decoded.mode, decoded.file_size) == (None, "int16", None)
    with Image.open(path) as image:
        decoded = read_image(image)
    assert (decoded.format, decoded.file_size) == ("GIF", None)
    decoded = read_image(Image.new("L", (2, 2)))
    assert (decoded.format, decoded.mode) == (None, "L")


def test_a_file_object_is_read_from_its_start_every_time():
    buffer = io.BytesIO()
    Image.fromarray(picture()).save(buffer, "PNG")  # stands at its end now
    for _ in range(2):
        np.testing.assert_array_equal(load_image(buffer), picture())
    assert not buffer.closed


class Stream:
    """Can be read once and not rewound."""

    def __init__(self, data):
        self.data = data

    def read(self):
        return self.data


class Pipe(Stream):
    def seek(self, position):
        raise io.UnsupportedOperation("not seekable")


@pytest.mark.parametrize("kind", [Stream, Pipe])
def test_a_stream_that_cannot_be_rewound(kind):
    np.testing.assert_array_equal(load_image(kind(SOUND["PNG"])), picture())


def test_file_objects_that_cannot_be_read():
    assert reason_of(io.StringIO("text")) == "the file object must be opened in binary mode"
    closed = io.BytesIO(SOUND["PNG"])
    closed.close()
    assert "closed" in reason_of(closed)


@pytest.mark.parametrize("reference", [None, 3, 2.5, np.nan, object(), [1, 2], {"a": 1}, pd.NA])
def test_what_is_no_reference(reference):
    assert reason_of(reference) == f"not a reference to an image: {type(reference).__name__}"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK", "1", "I", "F", "I;16"])
def test_a_pil_image_is_not_changed(mode):
    image = Image.new(mode, (6, 5), 1)
    image.info["mine"] = "kept"
    before = (image.mode, image.size, image.tobytes(), dict(image.info))
    pixels = load_image(image)
    pixels[...] = 77
    assert (image.mode, image.size, image.tobytes(), dict(image.info)) == before


def test_an_oriented_pil_image_is_not_changed():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = encode(Image.fromarray(picture()), "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        assert load_image(image).shape == (40, 30, 3)
        assert image.size == (40, 30)
        assert image.getexif()[ORIENTATION] == 6
        assert load_image(image).shape == (40, 30, 3)


def test_a_pil_image_is_not_closed():
    data = encode(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:])
    with Image.open(io.BytesIO(data)) as image:
        load_image(image)
        image.seek(1)
        np.testing.assert_array_equal(load_image(image), np.asarray(FRAMES[1]))


def test_a_closed_pil_image_is_unreadable():
    with Image.open(io.BytesIO(SOUND["TIFF"])) as image:
        pass
    image.close()
    assert reason_of(image)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 2), (4, 5, 3), (4, 5, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64, np.uint16, bool])
def test_an_array_is_neither_changed_nor_handed_out(shape, dtype):
    array = np.ones(shape, dtype)
    array.flags.writeable = False
    pixels = load_image(array)
    assert not np.shares_memory(pixels, array)
    pixels[...] = 77
    assert (array == 1).all()


def test_array_subclasses_and_views():
    matrix = np.arange(20, dtype=np.uint8).reshape(4, 5)
    assert type(load_image(matrix.view(np.recarray))) is np.ndarray
    np.testing.assert_array_equal(load_image(matrix[::-1, ::2])[..., 1], matrix[::-1, ::2])


def test_pillow_settings_are_left_alone():
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    load_image(SOUND["PNG"])
    reason_of(SOUND["JPEG"][:300])
    assert before == (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(warnings.filters),
    )


# ----------------------------------------------------------------------------- properties


SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


@SETTINGS
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(
            lambda sides: st.sampled_from([sides, *((*sides, c) for c in (1, 2, 3, 4))])
        ),
    )
)
def test_any_uint8_array_is_the_same_as_its_png(array):
    channels = 1 if array.ndim == 2 else array.shape[2]
    image = Image.fromarray(array[..., 0] if array.ndim == 3 and channels == 1 else array)
    from_array, from_file = load_image(array), load_image(encode(image, "PNG"))
    np.testing.assert_array_equal(from_array, from_file)
    if channels == 3:
        np.testing.assert_array_equal(from_array, array)
    elif channels == 1:
        np.testing.assert_array_equal(
            from_array, np.broadcast_to(array.reshape(*array.shape[:2], 1), from_array.shape)
        )


def decodes_or_is_refused(data):
    try:
        decoded = no_warning(read_image, data, 1_000_000)
    except UnreadableImageError:
        return
    assert isinstance(decoded, DecodedImage)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.ndim == 3
    assert decoded.pixels.shape[2] == 3
    assert decoded.pixels.size > 0


HEADS = [
    b"",
    b"\xff\xd8\xff\xe0",
    PNG_MAGIC,
    b"GIF89a",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P6\n3 3\n255\n",
    b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n",
    b"\0\0\0\x18ftypavif",
    b"8BPS\0\x01",
    b"qoif",
    b"\0\0\x01\0\x01\0",
    b"\x0a\x05\x01\x08",
]


@SETTINGS
@given(head=st.sampled_from(HEADS), tail=st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(head, tail):
    decodes_or_is_refused(head + tail)


SMALL = [
    encode(Image.fromarray(picture(8, 9)), name)
    for name in ("PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "PCX", "TGA", "ICO", "SGI", "JPEG2000")
] + [pam("RGB", 3, 255, picture(8, 9).tobytes(), 9, 8)]


@SETTINGS
@given(data=st.data())
def test_any_damage_decodes_or_is_refused(data):
    damaged = bytearray(data.draw(st.sampled_from(SMALL)))
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, min(len(damaged), 120) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    decodes_or_is_refused(bytes(damaged))


def test_pillow_is_recent_enough():
    assert tuple(int(part) for part in PIL.__version__.split(".")[:2]) >= (10, 3)
