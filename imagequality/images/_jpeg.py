"""The fast path for plain JPEG files: their header, and OpenCV's decoder."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ._jpeg_damage import ZEROS, examine, examine_scan

_START = b"\xff\xd8\xff"
_END = b"\xff\xd9"

_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended and progressive, with Huffman codes
_PROGRESSIVE = 0xC2
_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_SCAN, _TABLES, _INTERVAL = 0xDA, 0xDB, 0xDD
_APP1, _APP2, _APP14 = 0xE1, 0xE2, 0xEE
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})

_ORIENTATION = 0x0112

_ALL_BANDS = b"\x00\x3f\x00"  # the end of the header of a scan: from 0 to 63, not in parts

# Where each entry of a table stands in a file (ITU-T T.81, figure A.6), row by row.
_ZIGZAG = (
    *(0, 1, 5, 6, 14, 15, 27, 28),
    *(2, 4, 7, 13, 16, 26, 29, 42),
    *(3, 8, 12, 17, 25, 30, 41, 43),
    *(9, 11, 18, 24, 31, 40, 44, 53),
    *(10, 19, 23, 32, 39, 45, 52, 54),
    *(20, 22, 33, 38, 46, 51, 55, 60),
    *(21, 34, 37, 47, 50, 56, 59, 61),
    *(35, 36, 48, 49, 57, 58, 62, 63),
)

# OpenCV before 4.11 does not know this flag.
_READ_RGB: int | None = getattr(cv2, "IMREAD_COLOR_RGB", None)


class JpegHeader(NamedTuple):
    """What stands before the first scan of a plain JPEG file.

    Attributes
    ----------
    width, height : int
        In pixels, as stored.
    mode : str
        Pillow's: "RGB" or "L".
    luminance_table : tuple of 64 int, or None
        The quantisation table of the lowest number, row by row.
    """

    width: int
    height: int
    mode: str
    luminance_table: tuple[int, ...] | None


def read_header(data: bytes) -> JpegHeader | None:
    """Read the header of a JPEG file, if nothing in it asks for more than a plain decoder.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    header : JpegHeader or None
        None for what is left to Pillow: another or a broken file, 4 channels, more than 8
        bits, arithmetic codes, several pictures in one file, an orientation other than
        upright, a file that does not end as it should.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("L", (6, 4)).save(file, "JPEG")
    >>> read_header(file.getvalue())[:3]
    (6, 4, 'L')
    """
    if not (data.startswith(_START) and data.endswith(_END)):
        return None
    tables: dict[int, bytes] = {}
    frame: tuple[int, int, str] | None = None
    restarts = progressive = False
    position, end = 2, len(data) - 4
    while position < end:
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:  # fill bytes, restarts: not in a header
            return None
        start = position + 4
        position += 2 + (data[position + 2] << 8 | data[position + 3])
        if marker == _SCAN:
            if frame is None or not _ends_well(data, position, restarts, progressive):
                return None
            return JpegHeader(*frame, _table_of_lowest_number(tables))
        if marker == _TABLES:
            if not _collect_tables(data[start:position], tables):
                return None
        elif marker == _INTERVAL:
            restarts = data[start:position] != b"\0\0"
        elif marker in _FRAMES:
            frame = _read_frame(data[start:position])
            progressive = marker == _PROGRESSIVE
            if frame is None:
                return None
        elif (
            marker in _OTHER_FRAMES
            or (marker == _APP1 and not _is_upright(data[start:position]))
            or (marker == _APP2 and data.startswith(b"MPF\0", start))
            # Nothing but CMYK needs Adobe's marker, but a file may use it for plain RGB.
            or (marker == _APP14 and data.startswith(b"Adobe", start))
        ):
            return None
    return None


def _ends_well(data: bytes, position: int, restarts: bool, progressive: bool) -> bool:
    """Whether the coded data from here on is sound, and the file ends where the picture does."""
    # Libraries do not agree about other bands of a sequential scan than the one that holds all.
    if not progressive and not data.startswith(_ALL_BANDS, position - len(_ALL_BANDS)):
        return False
    if data.find(ZEROS, position) < 0:
        damage, end = examine_scan(data, position, restarts)
        if damage is None and end == len(data) - 2:  # the file ends with _END: the only scan
            return True
    damage, end = examine(data)
    return progressive and damage is None and end == len(data)


def _read_frame(segment: bytes) -> tuple[int, int, str] | None:
    if len(segment) < 6 or segment[0] != 8:
        return None
    height, width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
    mode = {1: "L", 3: "RGB"}.get(segment[5])
    if mode is None or not (width and height):  # a height of 0 is told later, after the scan
        return None
    if mode == "RGB" and segment[6::3] != b"\1\2\3":  # other names may mean other colours
        return None
    return width, height, mode


def _collect_tables(segment: bytes, tables: dict[int, bytes]) -> bool:
    """Add the quantisation tables of a segment, two bytes an entry if the first one says so."""
    position = 0
    while position < len(segment):
        wide, number = segment[position] >> 4, segment[position] & 15
        after = position + 1 + (128 if wide else 64)
        if after > len(segment):
            return False
        tables[number] = segment[position:after]
        position = after
    return True


def _table_of_lowest_number(tables: dict[int, bytes]) -> tuple[int, ...] | None:
    return _in_rows(tables[min(tables)]) if tables else None


@functools.lru_cache(maxsize=256)  # a collection has few different tables
def _in_rows(stored: bytes) -> tuple[int, ...]:
    dtype = ">u2" if stored[0] >> 4 else "u1"
    entries = np.frombuffer(stored, dtype, 64, offset=1)
    return tuple(int(entries[position]) for position in _ZIGZAG)


def _is_upright(segment: bytes) -> bool:
    """Whether a segment of metadata says nothing of an orientation, or says upright."""
    if segment.startswith(b"Exif\0"):
        exif = Image.Exif()
        try:
            exif.load(segment)
            return bool(exif.get(_ORIENTATION, 1) == 1)
        except Exception:  # corrupt: says nothing about the pixels
            return False
    return b"rientation" not in segment  # XMP


def decode(data: bytes) -> NDArray[np.uint8] | None:
    """Decode a file of which :func:`read_header` gave a header.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    pixels : ndarray of shape (h, w, 3), uint8, or None
        RGB, equal to Pillow's where both use the same library; None if it cannot be decoded.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> Image.new("RGB", (3, 2), (0, 0, 254)).save(file, "JPEG")
    >>> decode(file.getvalue())[0, 0].tolist()
    [0, 0, 254]
    """
    encoded = np.frombuffer(data, np.uint8)
    flag = cv2.IMREAD_COLOR if _READ_RGB is None else _READ_RGB
    try:
        pixels: Any = cv2.imdecode(encoded, flag | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or _READ_RGB is not None:
        return pixels
    return cast("NDArray[np.uint8]", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
