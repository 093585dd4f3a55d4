"""Which file formats are read, told by the extension and by the first bytes."""

from __future__ import annotations

import functools
import io
import os
import re
import stat

from PIL import Image, TiffImagePlugin

# Formats that Pillow recognises but cannot decode by itself (it would need another program or
# only reads a header), and some that would take any text or number table for an image.
_NOT_DECODED = frozenset(
    {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MCIDAS", "MPEG", "PCD", "SPIDER", "WMF", "XVTHUMB"}
)
_COMMON_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")

# Read by OpenCV where Pillow does not know them.
OPENCV_MAGIC = (b"#?RADIANCE", b"#?RGBE")
_OPENCV_EXTENSIONS = frozenset({".hdr", ".pic"})
# Read here: OpenCV swaps red and blue of it and does not scale by its largest value.
PAM_MAGIC = b"P7\n"
_PAM_EXTENSIONS = frozenset({".pam"})
_HEIF_EXTENSIONS = frozenset({".heic", ".heif", ".hif"})
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")

# The first bytes of the formats that are told by content when the extension says nothing.
_MAGIC = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",  # TIFF, little endian
    b"MM\x00*",  # TIFF, big endian
    b"II+\x00",  # BigTIFF
    b"MM\x00+",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n",  # JPEG 2000
    b"\xff\x4f\xff\x51",  # JPEG 2000 code stream
    b"8BPS",  # PSD
    b"qoif",
    b"DDS ",
    b"\x59\xa6\x6a\x95",  # Sun raster
    *OPENCV_MAGIC,
    PAM_MAGIC,
)

# The header sizes of BMP: core, info with masks, OS/2, version 4 and 5.
_BMP_HEADER_SIZES = tuple(bytes((size, 0, 0, 0)) for size in (12, 40, 52, 56, 64, 108, 124))

# What is often found in the place of an image, by its first bytes in lower case.
_DRAWING = "an SVG drawing"
_OTHER_FILES = (
    (b"version https://git-lfs.", "a Git LFS pointer; the file itself has not been fetched"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", _DRAWING),
    (b"<!doctype svg", _DRAWING),
    (b"%pdf-", "a PDF document"),
    (b"\x00\x05\x16\x07", "what macOS keeps beside a file, not the file"),
    (b"\x00\x05\x16\x00", "what macOS keeps beside a file, not the file"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"rar!\x1a\x07", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"pk\x03\x04", "a zip archive"),
)

HEAD_LENGTH = 32
"""So many bytes at the start of a file tell its format."""

_PORTABLE_ANYMAP = re.compile(rb"P[1-6]\s[0-9#]")


@functools.lru_cache(maxsize=1)
def pillow_formats() -> tuple[str, ...]:
    """Pillow's formats that are decoded, the common ones first since they are tried in order."""
    Image.init()
    known = [name for name in Image.OPEN if name not in _NOT_DECODED]
    return tuple(sorted(known, key=lambda name: (name not in _COMMON_FORMATS, name)))


@functools.lru_cache(maxsize=1)
def image_extensions() -> frozenset[str]:
    formats = {*pillow_formats(), "MPO"}
    of_pillow = {
        extension
        for extension, format_name in Image.registered_extensions().items()
        if format_name in formats
    }
    return frozenset(of_pillow | _OPENCV_EXTENSIONS | _PAM_EXTENSIONS | _HEIF_EXTENSIONS)


def has_image_magic(path: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a FIFO would wait for ever
            return False
        with open(path, "rb") as file:
            head = file.read(HEAD_LENGTH)
    except OSError:
        return False
    return is_image_head(head)


def has_image_extension(name: str) -> bool:
    return extension_of(name) in image_extensions()


def extension_of(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def what_it_is(data: bytes) -> str | None:
    """Tell in words what a file is that often stands where an image should; None if not known."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf\t\n\r ").lower()
    for start, words in _OTHER_FILES:
        if head.startswith(start):
            return words
    if head.startswith(b"<?xml") and b"<svg" in head:
        return _DRAWING
    if head.startswith((b"ii*\x00", b"mm\x00*")):
        return _kind_of_tiff(data)
    return None


def _kind_of_tiff(data: bytes) -> str | None:
    directory = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
    file = io.BytesIO(data)
    try:
        file.seek(directory.next)
        directory.load(file)
        bits = directory.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        number = directory.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)
        kind = directory.get(TiffImagePlugin.SAMPLEFORMAT, (1,))[0]
        words = {1: "integers", 2: "signed integers", 3: "floating-point numbers"}[kind]
        return f"a TIFF of {number:d} {words} of {bits[0]:d} bits a pixel"
    except Exception:  # broken: nothing can be said of it
        return None


def is_hidden(name: str) -> bool:
    """Whether a part of this relative name (with ``/``) is hidden, or macOS's shadow of a file."""
    parts = name.split("/")
    return "__MACOSX" in parts or any(
        part.startswith(".") and part not in (".", "..") for part in parts
    )


def is_image_head(head: bytes) -> bool:
    """Whether the first bytes of a file, ``HEAD_LENGTH`` or more, are those of an image."""
    return (
        head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[14:18] in _BMP_HEADER_SIZES)
        or _PORTABLE_ANYMAP.match(head) is not None
        or (head[4:8] == b"ftyp" and head[8:12] in (*HEIF_BRANDS, b"avif", b"avis"))
    )
