"""Bytes, arrays, names and objects of any kind: one row each, sound or with a reason.

The number of examples of each test is ``IMAGEQUALITY_FUZZ``, a small one if it is not set; with
it set, each run draws other examples::

    IMAGEQUALITY_FUZZ=20000 pytest tests/test_fuzz_images.py

A decoder that crashes takes the test process with it; ``python -X faulthandler`` tells where, and
the environment variable ``IMAGEQUALITY_FUZZ_FILE`` names a file in which the input that is being
decoded is left.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torture
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageOps

from imagequality import list_images, measure
from imagequality.images import UnreadableImageError, read_image
from imagequality.images._jpeg_damage import examine
from imagequality.measurements import DEFAULT_COLUMNS

N_EXAMPLES = os.environ.get("IMAGEQUALITY_FUZZ")
LAST_INPUT = os.environ.get("IMAGEQUALITY_FUZZ_FILE")


def fuzz(share=1.0):
    return settings(
        max_examples=max(10, int(int(N_EXAMPLES or 120) * share)),
        deadline=None,
        derandomize=N_EXAMPLES is None,
        database=None,
        print_blob=True,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    )


COLUMNS = [*DEFAULT_COLUMNS, "brightness", "intensity", "blurriness", "laplacian_variance", "whash"]
SMALL = 4_000_000  # pixels: below it an image that a mutation has made large is decoded

# The documented range of each number; jpeg_quality is missing where there is none.
SHARES = ("brightness", "intensity", "value_perc_99", "channels_identical", "edge_frequency")
RANGES = {
    **{name: (0, 1) for name in COLUMNS if name.startswith("brightness_perc")},
    **{name: (0, 1) for name in COLUMNS if name.endswith("_share")},
    **dict.fromkeys(SHARES, (0, 1)),
    "spectral_extent": (0, 1),
    "block_repetition": (np.nextafter(0, 1), 1),
    "aspect_ratio": (np.nextafter(0, 1), 1),
    "width": (1, np.inf),
    "height": (1, np.inf),
    "size": (1, np.inf),
    "noise_sigma": (0, np.inf),
    "blockiness": (0, np.inf),
    "laplacian_variance": (0, np.inf),
    "blurriness": (0, np.inf),
    "hash_contrast": (0, np.inf),
    "entropy": (np.log2(3) - 1e-9, np.log2(768) + 1e-9),
    "jpeg_quality": (1, 100),
}


def row_of(reference):
    """Measure one reference; check what must hold of every row; return it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = measure([reference], COLUMNS, progress=False)
    assert len(table) == 1
    row = table.iloc[0]
    assert isinstance(row["reason"], str)
    assert bool(row["reason"].strip()) == (not row["valid"])
    assert "\n" not in row["reason"]
    row["reason"].encode("utf-8")
    if row["valid"]:
        for name, (low, high) in RANGES.items():
            missing_rightly = name == "jpeg_quality" and row["format"] not in ("JPEG", "MPO")
            if not (missing_rightly and np.isnan(row[name])):
                value = row[name]
                assert low <= value <= high or (name == "jpeg_quality" and np.isnan(value)), name
    else:
        missing = row[list(RANGES)].isna()
        assert missing.all()
    return row


# ----------------------------------------------------------------------------------- bytes


SEEDS = sorted(torture.seeds())
EXTREMES = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
NUMBERS = [
    struct.pack(order + code, number & (256**size - 1))
    for number in [*EXTREMES, 3, 4, 8, 16, 17, 60_000, 10**6]
    for order in "<>"
    for code, size in (("B", 1), ("H", 2), ("I", 4))
]

where = st.one_of(st.integers(0, 200), st.integers(0, 20_000), st.integers(-200, -1))
mutation = st.one_of(
    st.tuples(st.just("overwrite"), where, st.sampled_from(NUMBERS)),
    st.tuples(st.just("overwrite"), where, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), where, st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("delete"), where, st.integers(1, 400)),
    st.tuples(st.just("repeat"), where, st.integers(1, 400)),
    st.tuples(st.just("zeros"), where, st.integers(1, 600)),
    st.tuples(st.just("flip"), where, st.integers(1, 255)),
    st.tuples(st.just("cut"), where, st.none()),
    st.tuples(st.just("splice"), where, st.sampled_from(SEEDS)),
)


def mutated(data, mutations):
    """Apply some changes, each given by a name, a position and what it needs."""
    for name, place, what in mutations:
        if not data:
            break
        at = place % len(data)
        if name == "overwrite":
            data = torture.overwrite(data, at, what)
        elif name == "insert":
            data = data[:at] + what + data[at:]
        elif name == "delete":
            data = data[:at] + data[at + what :]
        elif name == "repeat":
            data = data[: at + what] + data[at:]
        elif name == "zeros":
            data = torture.overwrite(data, at, bytes(what))
        elif name == "flip":
            data = torture.overwrite(data, at, bytes([data[at] ^ what]))
        elif name == "cut":
            data = data[:at]
        else:
            data = data[:at] + torture.seeds()[what][at:]
    return data


def by_pillow(data):
    """Return what Pillow itself makes of a file that is plainly brought to RGB, else None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(data))
            image.load()
        except Image.UnidentifiedImageError:
            return None  # of a format that only the library knows
        if image.mode in ("I", "F", "La") or image.mode.startswith("I;"):
            return None
        try:
            image = ImageOps.exif_transpose(image)
        except Exception:  # a corrupt block, which says nothing
            return None
        return None if image.has_transparency_data else np.asarray(image.convert("RGB"))


def declares_too_much(data):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return image.width * image.height > SMALL
    except Exception:
        return False


def check_bytes(data):
    if LAST_INPUT:
        Path(LAST_INPUT).write_bytes(data)
    if declares_too_much(data):  # to decode hundreds of megabytes tells nothing more
        return
    row = row_of(data)
    if not row["valid"]:
        return
    image = read_image(data)
    assert (row["width"], row["height"]) == image.pixels.shape[1::-1]
    expected = by_pillow(data)
    if expected is not None:
        np.testing.assert_array_equal(image.pixels, expected)


@fuzz()
@given(seed=st.sampled_from(SEEDS), mutations=st.lists(mutation, min_size=1, max_size=5))
def test_changed_files(seed, mutations):
    check_bytes(mutated(torture.seeds()[seed], mutations))


@fuzz(0.5)
@given(
    seed=st.sampled_from(SEEDS),
    numbers=st.lists(
        st.tuples(st.integers(0, 100), st.sampled_from(NUMBERS)), min_size=1, max_size=3
    ),
)
def test_extreme_numbers_in_the_header(seed, numbers):
    check_bytes(
        mutated(torture.seeds()[seed], [("overwrite", place, number) for place, number in numbers])
    )


@fuzz(0.5)
@given(seed=st.sampled_from(SEEDS), size=st.sampled_from([4, 16, 40]), tail=st.binary(max_size=300))
def test_first_bytes_of_a_format_and_anything(seed, size, tail):
    check_bytes(torture.seeds()[seed][:size] + tail)


@fuzz(0.2)
@given(data=st.binary(max_size=200))
def test_any_bytes(data):
    check_bytes(data)


# ---------------------------------------------------------------- JPEG files of any content


def flat(level):
    return np.full((70, 90, 3), level, np.uint8)


def gradient(level):
    return np.add.outer(np.arange(70), np.arange(90) * (level % 4))[..., None].repeat(3, 2) % 256


def noise(level):
    return np.random.default_rng(level).integers(0, 256, (70, 90, 3))


def stripes(level):
    return (
        np.where(np.arange(90) // (level % 9 + 1) % 2, level, 0)[None, :, None]
        .repeat(70, axis=0)
        .repeat(3, axis=2)
    )


@fuzz()
@given(
    draw=st.sampled_from([flat, gradient, noise, stripes]),
    level=st.integers(0, 255),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    options=st.fixed_dictionaries(
        {"quality": st.integers(1, 100)},
        optional={
            "optimize": st.booleans(),
            "progressive": st.booleans(),
            "restart_marker_blocks": st.integers(1, 9),
            "subsampling": st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
            "exif": st.just(b"Exif\0\0" + bytes(300)),
        },
    ),
)
def test_no_sound_jpeg_is_taken_for_damaged(draw, level, mode, options):
    data = torture.encode(
        Image.fromarray(draw(level).astype(np.uint8)).convert(mode), "JPEG", **options
    )
    assert examine(data) == (None, len(data))
    assert examine(data + b"\xff\xd8\xff and more") == (None, len(data))
    assert read_image(data).pixels.shape == (70, 90, 3)


# ---------------------------------------------------------------------------------- arrays


dtypes = st.one_of(
    hnp.scalar_dtypes(),
    hnp.array_dtypes(max_size=3),
    st.sampled_from([np.dtype("f2"), np.dtype("g"), np.dtype(">f8"), np.dtype(">u2")]),
)
shapes = st.one_of(
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 5)),
    hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=5),
    st.just(()),
)


def fortran(array):
    return np.asfortranarray(array)


def backwards(array):
    return array[::-1] if array.ndim else array


def every_second(array):
    return array.repeat(2, axis=0)[::2] if array.ndim else array


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def as_matrix(array):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.matrix(array) if array.ndim == 2 and array.size else array


def masked(array):
    mask = np.zeros(array.shape, bool)
    if mask.size:
        mask.flat[0] = True
    return np.ma.masked_array(array, mask) if not array.dtype.names else array


def unmasked(array):
    return np.ma.masked_array(array)


def record_array(array):
    return array.view(np.recarray)


FORMS = [np.asarray, fortran, backwards, every_second, read_only]
FORMS += [as_matrix, masked, unmasked, record_array]


@fuzz()
@given(
    array=dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shapes, fill=st.nothing())),
    form=st.sampled_from(FORMS),
)
@example(np.full((3, 3), np.nan), np.asarray)
@example(np.full((3, 3), -np.inf), np.asarray)
@example(np.full((3, 3), np.nan, np.float16), masked)
@example(np.full((3, 3, 1), 2**63, np.uint64), np.asarray)
@example(np.full((3, 3), -(2**63)), np.asarray)
@example(np.zeros((3, 3), "V4"), np.asarray)
@example(np.full((3, 3), None), np.asarray)
@example(np.full((3, 3), 0.5, object), np.asarray)
def test_arrays_of_any_kind(array, form):
    with np.errstate(over="ignore"):  # masked arrays choose what to fill with, 1e20
        given_array = form(array)
    before = None if array.dtype == object else np.asarray(given_array).tobytes()
    row = row_of(given_array)
    if before is not None:
        assert np.asarray(given_array).tobytes() == before
    kind = array.dtype.kind
    shape = given_array.shape
    sound_shape = 0 not in shape and (len(shape) == 2 or (len(shape) == 3 and shape[2] <= 4))
    if not sound_shape or kind not in "buif" or form is masked:
        assert not row["valid"]
        return
    with np.errstate(invalid="ignore"):
        highest = {"f": 1, "b": 1}.get(kind, 65535 if array.dtype.itemsize == 2 else 255)
        highest = 65535 if kind == "u" and array.dtype.itemsize == 2 else min(highest, 255)
        in_range = bool((array >= 0).all() and (array <= highest).all())
    assert row["valid"] == in_range


@pytest.mark.parametrize("shape", [(60_000, 60_000), (60_000, 60_000, 3), (2**31, 2**31, 1)])
def test_a_value_repeated_by_strides_of_zero(shape, tmp_path):
    huge = np.broadcast_to(np.uint8(3), shape)
    table = measure([huge, np.zeros((4, 4))], ["width"], cache=tmp_path / "store.db")
    assert table["valid"].tolist() == [False, True]
    assert "too large" in table["reason"].iloc[0]


# ------------------------------------------------------------------------ names and objects


names = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(categories=["Cs", "Cc", "Lu"]), max_size=10),
    st.text("/.\\:~%", max_size=20),
    st.binary(max_size=20).map(os.fsdecode),
    st.sampled_from(["a" * 5000, "a/" * 3000, "\0", "~", "/dev/stdin/x", "C://a", "-", ".", "/"]),
    st.sampled_from(["nosuch://a.png", "zip://a::b", "file:///nowhere/x.png", "://", "a://"]),
)


@fuzz()
@given(name=names)
def test_any_string_is_a_name(name, tmp_path_factory):
    row = row_of(os.path.join("no such folder anywhere", name) if len(name) < 2 else name)
    assert not row["valid"]


@fuzz(0.5)
@given(name=names)
def test_any_string_as_a_folder(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = list_images(os.path.join("no such folder anywhere", name), recursive=False)
        except (OSError, ValueError, ImportError):
            return
    assert isinstance(found, list)


class RaisesAtAnything:
    def __getattr__(self, name):
        raise RuntimeError(f"no {name} here")


class PathThatFails(os.PathLike):
    def __fspath__(self):
        raise ValueError("no path here")


class PathOfNothing(os.PathLike):
    def __fspath__(self):
        return 7


class FailingTextError(Exception):
    def __str__(self):
        raise ValueError("not even a text")


class ReadsNothing:
    def read(self, *size):
        raise FailingTextError


class ReadsNone:
    def read(self, *size):
        return None


class ReadsALie:
    def read_bytes(self):
        return "text"


class FetchesItself:
    def fetch(self):
        return self


class OwnBytes(bytes):
    def startswith(self, *arguments):
        raise RuntimeError


ODD_OBJECTS = [
    RaisesAtAnything(),
    PathThatFails(),
    PathOfNothing(),
    ReadsNothing(),
    ReadsNone(),
    ReadsALie(),
    FetchesItself(),
    OwnBytes(b"GIF89a"),
    memoryview(b"GIF89a")[::2],
    memoryview(np.zeros((3, 3))),
    type,
    int,
    len,
    NotImplemented,
    Ellipsis,
    float("nan"),
    {"bytes": None, "path": None},
    [b"GIF89a"],
    (1, 2),
    np.float32(1),
    np.ma.masked,
    io.StringIO("text"),
    io.BytesIO(b""),
]


@pytest.mark.parametrize("odd", ODD_OBJECTS, ids=lambda odd: type(odd).__name__)
def test_odd_objects(odd, tmp_path):
    row = row_of(odd)
    assert not row["valid"]
    references = [np.zeros((4, 4), np.uint8), odd]
    for options in ({"n_jobs": 2}, {"cache": tmp_path / "store.db"}):
        table = measure(references, ["width"], progress=False, **options)
        assert table["valid"].tolist() == [True, False]


# --------------------------------------------------------------------- what the fuzz found


def test_an_error_that_quotes_a_whole_file_is_cut_short():
    class LongError:
        def read(self):
            raise ValueError("x" * 100_000 + "\n\udcff")

    with pytest.raises(UnreadableImageError) as caught:
        read_image(LongError())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("bands", [b"\x00\x04\x00", b"\x01\x3f\x00", b"\x00\x3f\x10"])
@pytest.mark.parametrize("name", ["baseline.jpg", "restarts.jpg", "grey.jpg"])
def test_other_bands_of_a_sequential_scan_are_judged_by_pillow(name, bands):
    # The libjpeg of OpenCV warns, and reads on; that of Pillow may be newer and refuse.
    data = torture.seeds()[name]
    start, _ = torture.coded_data(data)
    check_bytes(torture.overwrite(data, start - 3, bands))
