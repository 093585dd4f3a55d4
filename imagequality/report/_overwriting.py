"""Which files a report may be written over: never an image, never an archive of them."""

from __future__ import annotations

import os

_HEAD = 512  # bytes; those of a tar archive stand at 257
_IMAGE_STARTS = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n",
    b"GIF8",
    b"II*\0",  # TIFF, and the raw files of most cameras
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
    b"8BPS",  # Photoshop
    b"\0\0\x01\0",  # icon
    b"\0\0\0\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x0cJXL ",
    b"\xff\x0a",
    b"qoif",
    b"v/1\x01",  # OpenEXR
)
_ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def refuse_to_overwrite_images(path: str | os.PathLike[str]) -> None:
    """Refuse to write a report where an image, or a zip or tar archive, lies now.

    Nobody means to: ``imagequality scan a.jpg --csv b.jpg`` is a slip, and would cost an image.

    Parameters
    ----------
    path : str or path-like
        What is no file, or an empty one, passes.

    Raises
    ------
    FileExistsError
        If the first bytes of the file are those of an image or an archive.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from PIL import Image
    >>> photo = pathlib.Path(tempfile.mkdtemp(), "photo.csv")
    >>> Image.new("RGB", (8, 8)).save(photo, "PNG")
    >>> refuse_to_overwrite_images(photo)
    Traceback (most recent call last):
    ...
    FileExistsError: '...photo.csv' is an image; a report is not written over it: ...
    """
    if not isinstance(path, (str, os.PathLike)) or not os.path.isfile(path):
        return
    try:
        with open(path, "rb") as file:
            kind = _kind_of(file.read(_HEAD))
    except OSError:  # may be written, yet not read
        return
    if kind:
        raise FileExistsError(
            f"{os.fspath(path)!r} is {kind}; a report is not written over it: "
            "give another path, or move the file away"
        )


def _kind_of(head: bytes) -> str | None:
    if head.startswith(_ARCHIVE_STARTS) or head[257:262] == b"ustar":
        return "an archive"
    is_image = (
        head.startswith(_IMAGE_STARTS)
        or head[4:8] == b"ftyp"  # HEIF, AVIF
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        or (head.startswith(b"BM") and head[6:10] == b"\0\0\0\0")
        or (head[:1] == b"P" and head[1:2] in b"1234567" and head[2:3] in (b"\n", b" ", b"\t"))
    )
    return "an image" if is_image else None
