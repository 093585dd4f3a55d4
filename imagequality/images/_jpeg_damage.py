"""Damage in the coded data of a JPEG file that libjpeg reads past, as far as it shows in bytes.

The codes of a picture may be followed by almost anything, so that most damage can be told only
by decoding them, and libjpeg tells nobody but the standard error output. Two things cannot stand
in what an encoder has written, and what writes over a part of a file mostly leaves one of them:
a marker that does not belong, and many zeros where zeros would be codes of no picture.
"""

from __future__ import annotations

import re

_SEQUENTIAL = (0xC0, 0xC1)  # frames with Huffman codes whose scans hold whole blocks
_FRAMES = (*_SEQUENTIAL, 0xC2, 0xC9, 0xCA)
_CODES, _LAST, _SCAN, _INTERVAL = 0xC4, 0xD9, 0xDA, 0xDD
_RESTARTS = range(0xD0, 0xD8)
# What may follow a scan: tables, the number of lines, an interval, a comment, applications' data.
_BETWEEN_SCANS = frozenset({_CODES, 0xCC, _SCAN, 0xDB, 0xDC, _INTERVAL, 0xFE, *range(0xE0, 0xF0)})

_END_OF_BLOCK = 0x00
ZEROS = bytes(64)
"""More zeros than any picture has in a scan in which they do not stand for the end of a block."""

_MARKER = re.compile(rb"\xff[^\x00]", re.DOTALL)  # or fill bytes before one
_FILL = 0xFF


def examine(data: bytes) -> tuple[str | None, int]:
    r"""Look in a JPEG file for what no encoder writes.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    damage : str or None
        In words. None if there is none, and also for a file of which this cannot be told: not
        a JPEG, another process than the common ones, a header that is not as it should be.
    end : int
        The position behind the end of the (first) picture, up to which the file was looked at.
        If no end was found, or there is damage, it has no meaning.

    Notes
    -----
    The rules are those of ITU-T T.81: section B.1.1.5 for the markers within coded data, F.1.2.2
    for the codes. An AC code of all zeros is the first symbol of its table; if that is not
    the end of a block, 64 bytes of zeros would be blocks in which every coefficient is the same.

    Examples
    --------
    >>> import io
    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.linear_gradient("L").save(file, "JPEG")
    >>> data = file.getvalue()
    >>> examine(data) == (None, len(data))
    True
    >>> examine(data[:-100] + b"\xff\x07" + data[-98:])[0]
    'the marker ff07 within coded data'
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None, -1
    frame, interval, in_header = 0, False, True
    first_symbols: dict[int, int] = {}  # of each AC table: what a code of zeros means
    position = 2
    while (segment := _segment(data, position)) is not None:
        marker, start, position = segment
        if marker == _LAST:
            return None, position
        if not in_header and marker not in _BETWEEN_SCANS:
            return f"the marker ff{marker:02x} between scans", position
        if marker in _FRAMES:
            frame = marker
        elif marker == _CODES:
            _collect_first_symbols(data[start:position], first_symbols)
        elif marker == _INTERVAL:
            interval = data[start:position] != b"\0\0"
        elif marker == _SCAN:
            if not frame:
                return None, -1
            in_header = False
            damage, end = examine_scan(data, position, interval)
            if damage is None and frame in _SEQUENTIAL:
                damage = _damage_by_zeros(data, position, end, data[start:position], first_symbols)
            if damage is not None:
                return damage, end
            position = end
    if in_header or position >= len(data) - 1:  # cut: a decoder tells that
        return None, -1
    return "no marker behind a scan", position


def examine_scan(data: bytes, position: int, restarts: bool) -> tuple[str | None, int]:
    """Look at the markers within the coded data of one scan.

    Parameters
    ----------
    data : bytes
    position : int
        Of the first byte of the coded data.
    restarts : bool
        Whether the file declares that there are restart markers.

    Returns
    -------
    damage : str or None
    end : int
        The position of the marker that ends the scan; the end of the data if none does.
    """
    number = 0
    while (found := _MARKER.search(data, position)) is not None:
        start = found.start()
        marker, position = _behind_fill(data, start + 1)
        if marker in _RESTARTS:
            if not restarts:
                return "a restart marker where none belongs", start
            if marker - _RESTARTS.start != number % 8:
                return "restart markers out of order", start
            number += 1
        elif marker == _LAST or marker in _BETWEEN_SCANS:
            return None, start
        elif marker:  # 0 stands for a byte 255 of the codes
            return f"the marker ff{marker:02x} within coded data", start
    return None, len(data)


def _segment(data: bytes, position: int) -> tuple[int, int, int] | None:
    """Return the marker at a position, where its content starts, and where that ends."""
    if data[position : position + 1] != b"\xff":
        return None
    marker, start = _behind_fill(data, position + 1)
    if marker == 0:
        return None
    if marker == _LAST:
        return marker, start, start
    return marker, start + 2, start + int.from_bytes(data[start : start + 2], "big")


def _behind_fill(data: bytes, position: int) -> tuple[int, int]:
    """Return the first byte that is no fill byte, 0 at the end, and the position behind it."""
    while position < len(data) and data[position] == _FILL:
        position += 1
    return (data[position] if position < len(data) else 0), position + 1


def _damage_by_zeros(
    data: bytes, start: int, end: int, scan_header: bytes, first_symbols: dict[int, int]
) -> str | None:
    if data.find(ZEROS, start, end) < 0:
        return None
    number = scan_header[0] if scan_header else 0
    tables = {selectors & 15 for selectors in scan_header[2 : 1 + 2 * number : 2]}
    known = tables <= first_symbols.keys()
    if known and any(first_symbols[table] != _END_OF_BLOCK for table in tables):
        return "a part of the coded data is zeros"
    return None


def _collect_first_symbols(segment: bytes, first_symbols: dict[int, int]) -> None:
    position = 0
    while position + 17 < len(segment):
        kind, number = segment[position] >> 4, segment[position] & 15
        if kind == 1:
            first_symbols[number] = segment[position + 17]
        position += 17 + sum(segment[position + 1 : position + 17])
