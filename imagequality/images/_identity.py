"""Any reference to an image → what it is known by in a store of measurements, undecoded."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ._decode import MAX_PIXELS, quiet_decoders
from ._remote import cache_key_of_url, is_url

_EXIF_ORIENTATION = 0x0112
_MOST_VALUES = 4 * MAX_PIXELS  # of an array, with alpha


class Identity(NamedTuple):
    """What an image is known by from one scan to the next.

    Attributes
    ----------
    key : str
        Which image: the absolute path of a file, its URL, or a digest of the content of an image in
        memory.
    stamp : str
        Which state of it: ``"<size in bytes>:<time of modification in nanoseconds>"`` of a file;
        of a remote file what its store says; empty where the key is a digest of the content.
    """

    key: str
    stamp: str


def identity(reference: Any) -> Identity | None:
    """Tell what an image is known by, without decoding it.

    Take it *before* the image is read: a file that is changed in between is then stored with its
    former stamp and looked at again the next time.

    Parameters
    ----------
    reference : str, Path, URL, bytes, PIL image, ndarray or object with ``cache_key()``
        Of a URL the store is asked, which takes a round trip each. A method ``cache_key()``
        returns ``(key, stamp)``, or None where it cannot tell. Its keys should begin with the
        kind of their source ("s3://…"), so that they meet no others.

    Returns
    -------
    identity : Identity or None
        None for what cannot be recognised again: a file that is missing or no regular file, a
        file object, a PIL image that cannot be loaded, anything else.

    Notes
    -----
    Files are recognised by path, size and time of modification, as ``make`` and ``rsync`` do:
    a file that was overwritten with as many bytes and given back its former time is not seen to
    have changed. Bytes, arrays and PIL images are recognised by SHA-256 of all that the decode
    policy looks at. An open PIL image is loaded, as measuring it would.

    Examples
    --------
    >>> identity(b"the bytes of a file").key[:16]
    'sha256:0f599b945'
    >>> identity("no such file.jpg") is None
    True
    """
    if isinstance(reference, str) and is_url(reference):
        given = cache_key_of_url(reference)
        return None if given is None else Identity(*given)
    if isinstance(reference, (str, os.PathLike)):
        return _of_file(reference)
    if hasattr(reference, "cache_key"):
        return _as_given(reference)
    if isinstance(reference, (bytes, bytearray, memoryview)):
        # A view of every second byte, say, is no buffer to digest.
        return Identity(f"sha256:{hashlib.sha256(bytes(reference)).hexdigest()}", "")
    if isinstance(reference, np.ndarray):
        return _of_array(reference)
    if isinstance(reference, Image.Image):
        return _of_pil_image(reference)
    return None


def _of_file(path: str | os.PathLike[str]) -> Identity | None:
    if hasattr(path, "cache_key"):  # a remote reference may well be path-like
        return _as_given(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Identity(os.path.abspath(os.fsdecode(path)), f"{status.st_size}:{status.st_mtime_ns}")


def _as_given(reference: Any) -> Identity | None:
    try:
        given = reference.cache_key()
    except Exception:  # a source that does not answer: reading the image will tell why
        return None
    return None if given is None else Identity(*given)


def _of_array(array: NDArray[Any]) -> Identity | None:
    # Of other classes (masked arrays), the values are not the whole content.
    if type(array) not in (np.ndarray, np.memmap) or array.dtype.kind not in "buif":
        return None
    if array.size > _MOST_VALUES:  # refused when read; it may be one value, repeated by strides
        return None
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).data)
    return Identity(f"array:{digest.hexdigest()}", "")


def _of_pil_image(image: Image.Image) -> Identity | None:
    width, height = image.size
    if width * height > MAX_PIXELS:  # refused when read: not to be decoded here either
        return None
    try:
        with quiet_decoders:
            image.load()
            pixels = image.tobytes()
    except Exception:  # a decoder may raise almost anything, see read_image
        return None
    palette = image.palette if image.mode in ("P", "PA") else None
    seen_by_decoder = (
        image.format,
        image.mode,
        image.size,
        image.info.get("transparency"),
        palette and (palette.mode, image.getpalette(rawmode=None)),
        _orientation(image),
        getattr(image, "quantization", None),
    )
    digest = hashlib.sha256(repr(seen_by_decoder).encode())
    digest.update(pixels)
    return Identity(f"pil:{digest.hexdigest()}", "")


def _orientation(image: Image.Image) -> Any:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # a corrupt EXIF block is ignored, as by the decoder
        return 1
