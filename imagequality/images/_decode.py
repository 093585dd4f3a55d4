"""Any reference to an image → RGB uint8 pixels and the facts of its source."""

from __future__ import annotations

import importlib.util
import io
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from . import _jpeg, _jpeg_damage
from ._errors import UnreadableImageError, words_of
from ._files import read_file, read_file_object
from ._formats import HEIF_BRANDS, OPENCV_MAGIC, PAM_MAGIC, pillow_formats, what_it_is
from ._remote import is_url, read_url

MAX_PIXELS = 178_956_970
"""Largest image that is decoded, in pixels: a guard against decompression bombs.

Twice the number at which Pillow begins to warn, which is where Pillow itself refuses.
"""

BACKGROUND = (255, 255, 255)
INK_BACKGROUND = (0, 0, 0)  # for what would vanish on white
"""RGB colour that transparent images are composited over."""

RGBArray = NDArray[np.uint8]

_EXIF_ORIENTATION = 0x0112
_DDS_HEADER = 128  # bytes
_DDS_COMPRESSED = 0x4  # flag: the pixel format is named by four letters
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_VALUES_AT_ONCE = 1 << 20  # that are brought to 8 bits: what lies between takes 8 bytes each


class DecodedImage(NamedTuple):
    """One decoded image and the facts of its source.

    Attributes
    ----------
    pixels : ndarray of shape (h, w, 3), uint8
        RGB, C-contiguous.
    format : str or None
        Name of the file format ("JPEG", "PNG", …); None for arrays.
    mode : str
        Pillow's mode of the source before conversion ("RGB", "L", "P", "CMYK", …), or the
        dtype of an array.
    file_size : int or None
        Encoded size in bytes; None for arrays and PIL images.
    luminance_table : tuple of 64 int, or None
        The luminance quantisation table of a JPEG file, row by row; None for all else.
    """

    pixels: RGBArray
    format: str | None
    mode: str
    file_size: int | None
    luminance_table: tuple[int, ...] | None = None


def load_image(reference: Any) -> RGBArray:
    """Decode one image to RGB uint8 by the library's policy (see the module's text).

    Parameters
    ----------
    reference : str, Path, bytes, PIL image, ndarray or binary file object

    Returns
    -------
    pixels : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    UnreadableImageError
        With the reason, if it cannot be decoded or the policy refuses it.

    Examples
    --------
    >>> import numpy as np
    >>> load_image(np.array([[0.0, 1.0]]))
    array([[[  0,   0,   0],
            [255, 255, 255]]], dtype=uint8)
    """
    return read_image(reference).pixels


def read_image(reference: Any, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode one image and tell the facts of its source.

    Parameters
    ----------
    reference : str, Path, bytes, PIL image, ndarray or binary file object
    max_pixels : int, default=MAX_PIXELS
        A larger image is refused before it is decoded.

    Returns
    -------
    image : DecodedImage

    Raises
    ------
    UnreadableImageError
        With the reason, if it cannot be decoded or the policy refuses it.

    Examples
    --------
    >>> import numpy as np
    >>> image = read_image(np.zeros((4, 6), np.uint16))
    >>> image.pixels.shape, image.mode
    ((4, 6, 3), 'uint16')
    """
    with quiet_decoders:
        return read_quietened_image(reference, max_pixels)


def read_quietened_image(reference: Any, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Do what :func:`read_image` does, within ``quiet_decoders``, which many calls can share.

    Parameters
    ----------
    reference, max_pixels
        See :func:`read_image`.

    Returns
    -------
    image : DecodedImage

    Raises
    ------
    UnreadableImageError
    """
    try:
        return _read(reference, max_pixels)
    except UnreadableImageError:
        raise
    # A decoder fed with broken data may raise almost anything (OSError, SyntaxError,
    # struct.error, IndexError, MemoryError, …); each means that this image cannot be read.
    except Exception as error:
        raise UnreadableImageError(_reason(error)) from error


class _QuietDecoders:
    """Keep Pillow strict and its warnings to itself: what matters becomes the row's reason.

    Python's warning filters and Pillow's settings belong to the process. The first thread to enter
    puts them aside and the last to leave brings them back, so that threads do not undo each
    other's. So what a user has set for decoding elsewhere (``LOAD_TRUNCATED_IMAGES``,
    ``MAX_IMAGE_PIXELS``) changes no row.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()
        self._settings: tuple[bool, int | None] = (False, None)

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                warnings.filterwarnings("ignore", module=r"PIL\b")
                self._settings = ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
                ImageFile.LOAD_TRUNCATED_IMAGES = False
                Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # it refuses from twice as many
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._bring_back()

    def _bring_back(self) -> None:
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = self._settings
        self._filters.__exit__(None, None, None)

    def after_fork(self) -> None:
        """Begin anew in a child process, in which no other thread will leave."""
        if self._inside:
            self._bring_back()
        self.__init__()  # type: ignore[misc]


quiet_decoders = _QuietDecoders()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=quiet_decoders.after_fork)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "file not found"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a format that can be read"
    if isinstance(error, MemoryError):
        return "not enough memory to decode the image"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large to decode safely: {words_of(error)}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {str(error.strerror).lower()}"
    return f"cannot be decoded: {words_of(error)}"


def _read(reference: Any, max_pixels: int) -> DecodedImage:
    if isinstance(reference, str) and is_url(reference):
        return _read_encoded(read_url(reference), max_pixels)
    if isinstance(reference, (str, os.PathLike)):
        return _read_encoded(read_file(reference), max_pixels)
    if isinstance(reference, (bytes, bytearray, memoryview)):
        return _read_encoded(bytes(reference), max_pixels)
    if isinstance(reference, Image.Image):
        return _read_pil(reference, max_pixels, None)
    if isinstance(reference, np.ndarray):
        return _read_array(reference, max_pixels)
    if hasattr(reference, "read_bytes"):  # a member of an archive, say
        return _read_encoded(reference.read_bytes(), max_pixels)
    if hasattr(reference, "fetch"):  # an item of a data set: another kind of reference
        return _read(reference.fetch(), max_pixels)
    if hasattr(reference, "read"):
        return _read_encoded(read_file_object(reference), max_pixels)
    raise UnreadableImageError(f"not a reference to an image: {type(reference).__name__}")


def _read_encoded(data: bytes, max_pixels: int) -> DecodedImage:
    if not data:
        raise UnreadableImageError("empty file")
    header = _jpeg.read_header(data)
    if header is not None and header.width * header.height <= max_pixels:
        plain = _jpeg.decode(data)
        if plain is not None:
            return DecodedImage(plain, "JPEG", header.mode, len(data), header.luminance_table)
    if data.startswith(OPENCV_MAGIC):
        return _read_with_opencv(data, max_pixels)
    if data.startswith(PAM_MAGIC):
        return _read_pam(data, max_pixels)
    if data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS and b"avif" not in data[8:64]:
        return _read_pil(_open_heif(data), max_pixels, len(data))
    _refuse_corrupt(data)
    try:
        opened = Image.open(io.BytesIO(data), formats=pillow_formats())
    except UnidentifiedImageError as error:
        what = what_it_is(data)
        if what is None:
            raise
        raise UnreadableImageError(f"not an image in a format that can be read: {what}") from error
    with opened as image:
        return _read_pil(image, max_pixels, len(data))


def _open_heif(data: bytes) -> Image.Image:
    if importlib.util.find_spec("pillow_heif") is None:
        raise UnreadableImageError("HEIC needs the extra: pip install 'imagequality[heif]'")
    import pillow_heif

    image: Image.Image = pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    image.format = "HEIF"
    return image


def _refuse_corrupt(data: bytes) -> None:
    """Find the damage that Pillow reads past."""
    if data.startswith(b"\xff\xd8\xff"):
        damage, _ = _jpeg_damage.examine(data)
        if damage is not None:
            raise UnreadableImageError(f"corrupt JPEG: {damage}")
    elif data.startswith(b"\x89PNG\r\n\x1a\n"):
        _refuse_corrupt_png(data)
    elif data.startswith(b"DDS "):
        _refuse_cut_dds(data)


def _refuse_cut_dds(data: bytes) -> None:
    """Find missing rows of an uncompressed DDS file: Pillow before 13 makes them black."""
    if len(data) < _DDS_HEADER:
        return  # which is refused by all
    height, width = struct.unpack_from("<2I", data, 12)
    flags, _, bits_per_pixel = struct.unpack_from("<3I", data, 80)
    if flags & _DDS_COMPRESSED:
        return
    if len(data) < _DDS_HEADER + height * width * (bits_per_pixel // 8):
        raise UnreadableImageError("cannot be decoded: image file is truncated")


def _refuse_corrupt_png(data: bytes) -> None:
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        end = position + 12 + length
        if end > len(data):
            raise UnreadableImageError("truncated PNG")
        # Ancillary chunks (a lower-case first letter) do not carry pixels.
        if kind[:1].isupper():
            checksum = zlib.crc32(data[position + 4 : end - 4])
            if checksum != int.from_bytes(data[end - 4 : end], "big"):
                raise UnreadableImageError(f"corrupt PNG: wrong checksum in {kind!r}")
        if kind == b"IEND":
            return
        position = end
    raise UnreadableImageError("truncated PNG")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise UnreadableImageError(f"has no pixels ({width} × {height})")
    if width * height > max_pixels:
        raise UnreadableImageError(
            f"too large: {width} × {height} pixels, the limit is {max_pixels:,} pixels"
        )


def _read_pil(image: Image.Image, max_pixels: int, file_size: int | None) -> DecodedImage:
    _check_size(*image.size, max_pixels)
    image.load()
    format_name, mode = image.format, image.mode
    luminance_table = _luminance_table(image)
    pixels = np.array(_to_rgb(_upright(image)), dtype=np.uint8, order="C")
    return DecodedImage(pixels, format_name, mode, file_size, luminance_table)


def _luminance_table(image: Image.Image) -> tuple[int, ...] | None:
    """Return the first quantisation table of a JPEG: by convention that of luminance."""
    tables = getattr(image, "quantization", None)  # of other formats and new images: none
    if not isinstance(tables, dict) or not tables:
        return None
    table = tuple(tables[min(tables)])
    return table if len(table) == 64 else None


def _upright(image: Image.Image) -> Image.Image:
    # Not by ImageOps.exif_transpose, which also writes the block anew and fails at a corrupt one.
    try:
        transposition = _TRANSPOSITIONS.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # a corrupt EXIF block says nothing about the pixels
        return image
    return image if transposition is None else image.transpose(transposition)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        values = np.asarray(image)
        grey = _from_16_bit(values)
        if isinstance(transparent := image.info.get("transparency"), int):
            grey[values == transparent] = 255
        return _grey_image(grey)
    if image.mode == "F":
        return _grey_image(_from_float(np.asarray(image)))
    if image.mode == "La":  # Pillow has no other way out of it
        image = image.convert("LA")
    if image.has_transparency_data:
        return _over_background(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_background(image: Image.Image) -> Image.Image:
    """Composite over white, or over black where white would hide a white drawing."""
    shown = _composite(image, BACKGROUND)
    least_alpha, most_alpha = image.getchannel("A").getextrema()
    drawn = least_alpha != most_alpha
    if drawn and not np.ptp(np.asarray(shown), axis=(0, 1)).any():
        return _composite(image, INK_BACKGROUND)
    return shown


def _composite(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    opaque = Image.new("RGBA", image.size, (*background, 255))
    opaque.alpha_composite(image)
    return opaque.convert("RGB")


def _grey_image(grey: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(grey).convert("RGB")


def _from_16_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    if values.dtype.itemsize != 2:
        _check_range(values, 0, 65535)
    return _row_by_row(values, lambda rows: (rows.astype(np.uint32) + 128) // 257)


def _from_float(values: NDArray[Any]) -> NDArray[np.uint8]:
    _check_range(values, 0, 1)
    return _row_by_row(values, lambda rows: np.rint(rows.astype(np.float64) * 255))


def _row_by_row(
    values: NDArray[Any], scale: Callable[[NDArray[Any]], NDArray[Any]]
) -> NDArray[np.uint8]:
    """Scale an array, some rows at a time: what lies between takes many times the memory."""
    scaled = np.empty(values.shape, dtype=np.uint8)
    count = max(1, _VALUES_AT_ONCE * len(values) // values.size)
    for start in range(0, len(values), count):
        rows = slice(start, start + count)
        scaled[rows] = scale(values[rows]).astype(np.uint8)
    return scaled


def _check_range(values: NDArray[Any], low: int, high: int) -> None:
    lowest, highest = values.min(), values.max()
    if not (low <= lowest and highest <= high):  # also false where either is NaN
        raise UnreadableImageError(
            f"{values.dtype} values must lie in [{low}, {high}], got {lowest:g} to {highest:g}"
        )


def _read_array(given: NDArray[Any], max_pixels: int) -> DecodedImage:
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise UnreadableImageError("a masked array in which values are missing")
    array = np.asarray(given)  # np.matrix, say, has no third axis
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise UnreadableImageError(
            f"an image array must have shape (h, w) or (h, w, 1 to 4 channels), got {array.shape}"
        )
    _check_size(array.shape[1], array.shape[0], max_pixels)
    mode = str(array.dtype)
    eight_bit = _array_to_8_bit(array)
    channels = 1 if eight_bit.ndim == 2 else eight_bit.shape[2]
    if channels == 1:
        eight_bit = np.repeat(eight_bit.reshape(*eight_bit.shape[:2], 1), 3, axis=2)
    elif channels != 3:  # with alpha: the same arithmetic as for files
        eight_bit = np.asarray(_to_rgb(Image.fromarray(np.ascontiguousarray(eight_bit))))
    # A copy, so that nothing done to the result reaches the caller's array.
    return DecodedImage(np.array(eight_bit, dtype=np.uint8, order="C"), None, mode, None)


def _array_to_8_bit(array: NDArray[Any]) -> NDArray[np.uint8]:
    kind = array.dtype.kind
    if array.dtype == np.uint8:
        return array
    if kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if kind == "u" and array.dtype.itemsize == 2:  # in either byte order
        return _from_16_bit(array)
    if kind == "f":
        return _from_float(array)
    if kind in "iu":
        _check_range(array, 0, 255)
        return array.astype(np.uint8)
    raise UnreadableImageError(f"an image array cannot have dtype {array.dtype}")


def _read_with_opencv(data: bytes, max_pixels: int) -> DecodedImage:
    """Read Radiance HDR, which Pillow does not know."""
    header = data[:4096].split(b"\n\n", 1)[1].split(b"\n", 1)[0].split()
    sides = {header[0][1:]: int(header[1]), header[2][1:]: int(header[3])}
    _check_size(sides[b"X"], sides[b"Y"], max_pixels)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise UnreadableImageError("corrupt or truncated image")
    read = _read_array(decoded[:, :, ::-1], max_pixels)
    return DecodedImage(read.pixels, "HDR", read.mode, len(data))


def _read_pam(data: bytes, max_pixels: int) -> DecodedImage:
    """Read a portable arbitrary map (https://netpbm.sourceforge.net/doc/pam.html)."""
    header, _, body = data.partition(b"\nENDHDR\n")
    try:
        fields = dict(
            line.split(None, 1) for line in header.split(b"\n")[1:] if line and line[:1] != b"#"
        )
        width, height, depth, largest = (
            int(fields[name]) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        )
    except (KeyError, ValueError) as error:
        raise UnreadableImageError("corrupt PAM: its header lacks a number") from error
    _check_size(width, height, max_pixels)
    kind = fields.get(b"TUPLTYPE", b"").strip().decode("latin-1")
    with_alpha = depth in (2, 4) and kind.endswith("_ALPHA")
    if not (with_alpha or depth in (1, 3)) or not 1 <= largest <= 65535:
        raise UnreadableImageError(f"PAM of {depth} channels {kind!r} up to {largest}")
    dtype = np.dtype(">u2" if largest > 255 else "u1")
    count = width * height * depth
    if len(body) < count * dtype.itemsize:
        raise UnreadableImageError("truncated PAM")
    values = np.frombuffer(body, dtype, count)
    if values.max() > largest:
        raise UnreadableImageError(f"corrupt PAM: a value above {largest}")
    eight_bit = _row_by_row(
        values.reshape(height, width * depth), lambda rows: np.rint(rows * 255.0 / largest)
    )
    read = _read_array(eight_bit.reshape(height, width, depth), max_pixels)
    return DecodedImage(read.pixels, "PAM", dtype.name, len(data))
