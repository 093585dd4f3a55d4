"""What identifies an image: a digest of its pixels, and perceptual hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import imagehash
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from ..images import RGBArray
from ._resampling import box, lanczos
from ._views import VIEWS, View

_OVERSAMPLING = 4  # pHash transforms a thumbnail of 4 · hash_size pixels a side (imagehash)
_THUMBNAIL_PIXELS_AT_ONCE = 1 << 16  # so that they stay in the processor's cache
_MOST_DIGESTED = 1 << 17  # bytes that are digested as they are
_STATES = 4096  # of 64 bits, into which more than that are folded
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: its bits are well mixed
_HALF_A_WORD = np.uint64(32)
_COARSE = 16  # side of the means that hash_contrast compares


def pixel_digest(rgb: RGBArray) -> str:
    """Digest of the decoded pixels and their shape.

    Two images have the same digest if their decoded pixels are equal, in whatever files they are
    stored, and practically only then. The shape takes part: a 2 × 8 image is no duplicate of a
    4 × 4 one.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    digest : str of 32 hexadecimal digits
        The first 128 bits of a SHA-256.

    Notes
    -----
    Up to 131,072 bytes of pixels the SHA-256 is that of the shape and the pixels. Of more, the
    pixels are first folded into 4096 states of 64 bits: each takes one word in 4096, by an
    exclusive or, a product with an odd number and a shift, steps that can be undone. So one
    changed word changes its state for certain, and several changed words of one state cancel
    only where they meet in all 64 bits. It costs a third of a SHA-256 of all, and is no
    protection against somebody who looks for two images of one digest.

    Examples
    --------
    >>> import numpy as np
    >>> one, two = np.zeros((2, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    >>> pixel_digest(one) == pixel_digest(two)
    False
    """
    digest = hashlib.sha256(f"{rgb.shape[0]}x{rgb.shape[1]}:".encode())
    for part in _folded(np.ascontiguousarray(rgb).reshape(-1)):
        digest.update(part)
    return digest.hexdigest()[:32]


def _folded(values: NDArray[np.uint8]) -> list[memoryview]:
    """Return what is digested of an image's bytes: all of them, or of many a few."""
    if values.size <= _MOST_DIGESTED:
        return [values.data]
    rows = values.size // (_STATES * 8)
    folded, rest = values[: rows * _STATES * 8], values[rows * _STATES * 8 :]
    words = folded.view("<u8").reshape(rows, _STATES)
    states = np.full(_STATES, _ODD, dtype="<u8")
    shifted = np.empty_like(states)
    for row in words:
        np.bitwise_xor(states, row, out=states)
        np.multiply(states, _ODD, out=states)
        np.right_shift(states, _HALF_A_WORD, out=shifted)
        np.bitwise_xor(states, shifted, out=states)
    return [states.data, rest.data]


def pixel_digests_of_stack(rgb: RGBArray) -> list[str]:
    """Digest each of several small images of one shape, see :func:`pixel_digest`.

    Parameters
    ----------
    rgb : ndarray of shape (n, h, w, 3), uint8
        Of at most 131,072 bytes each.

    Returns
    -------
    digests : list of n str

    Examples
    --------
    >>> import numpy as np
    >>> images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    >>> pixel_digests_of_stack(images) == [pixel_digest(image) for image in images]
    True
    """
    shape = hashlib.sha256(f"{rgb.shape[1]}x{rgb.shape[2]}:".encode())
    digests = []
    for image in np.ascontiguousarray(rgb).reshape(len(rgb), -1):
        digest = shape.copy()
        digest.update(image.data)
        digests.append(digest.hexdigest()[:32])
    return digests


def phash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Perceptual hash by the discrete cosine transform; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size * hash_size`` bits. A multiple of 4, so that the bits fill bytes.

    Returns
    -------
    hash : str of hexadecimal digits
        As ``str(imagehash.phash(image, hash_size))``.

    Notes
    -----
    Its value depends on the resampling of the installed Pillow; for tall images Pillow 13
    differs from the versions before it.

    References
    ----------
    C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010;
    imagehash's ``phash``.

    Examples
    --------
    >>> import numpy as np
    >>> phash(np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1)))
    'aa00000000000000'
    """
    return phash_of_views(low_frequencies(grey, hash_size), VIEWS[:1])


def low_frequencies(grey: NDArray[np.uint8], hash_size: int = 8) -> NDArray[np.float64]:
    """Discrete cosine transform of a thumbnail, its lowest frequencies: what pHash compares.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        A multiple of 4.

    Returns
    -------
    coefficients : ndarray of shape (hash_size, hash_size), float64
        Of the unnormalised type-II transform of the thumbnail, whose sides are
        4 · ``hash_size`` pixels. The mean comes first.

    Examples
    --------
    >>> import numpy as np
    >>> low_frequencies(np.full((9, 9), 2, np.uint8), 4)[0].tolist()  # 2 · (2 · 16)²
    [2048.0, 0.0, 0.0, 0.0]
    """
    return np.asarray(low_frequencies_of_stack(grey[np.newaxis], hash_size)[0])


def low_frequencies_of_stack(grey: NDArray[np.uint8], hash_size: int = 8) -> NDArray[np.float64]:
    """Transform each of several images of one shape, see :func:`low_frequencies`.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        A multiple of 4.

    Returns
    -------
    coefficients : ndarray of shape (n, hash_size, hash_size), float64

    Notes
    -----
    The thumbnails are Pillow's, byte for byte. Of their transforms only the corner is computed,
    as a product with cosines, so that the last digits may differ from SciPy's and depend on the
    size of the stack. They decide nothing: where two coefficients of an image, whatever their
    signs, are nearer to each other than rounding could move them (flat, symmetric and striped
    images), the image is transformed as imagehash does it.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 32, 32), dtype=np.uint8)
    >>> coefficients = low_frequencies_of_stack(images, 16)
    >>> coefficients.shape
    (5, 16, 16)
    >>> np.allclose(coefficients[3], low_frequencies(images[3], 16))
    True
    """
    _check_hash_size(hash_size)
    side = _OVERSAMPLING * hash_size
    at_once = max(1, _THUMBNAIL_PIXELS_AT_ONCE // side**2)
    coefficients = np.empty((len(grey), hash_size, hash_size))
    for first in range(0, len(grey), at_once):
        part = slice(first, first + at_once)
        coefficients[part] = _settled_transforms(lanczos(grey[part], side, side), hash_size)
    return coefficients


def _settled_transforms(thumbnails: NDArray[np.float32], hash_size: int) -> NDArray[np.float64]:
    """Transform thumbnails so that no bit of a hash hangs on a rounding that is not SciPy's."""
    coefficients = _corner_of_transform(thumbnails, hash_size)
    for position in np.flatnonzero(_has_near_ties(coefficients)):
        coefficients[position] = _transform_as_imagehash(thumbnails[:, position], hash_size)
    return coefficients


def _corner_of_transform(thumbnails: NDArray[np.float32], hash_size: int) -> NDArray[np.float64]:
    """Transform thumbnails, given rows first as (side, n, side), to (n, hash_size, hash_size)."""
    side, n, _ = thumbnails.shape
    cosines = _cosines(side, hash_size)
    # The waves are even or odd about the middle: the upper half of them does for both halves.
    upper, lower = thumbnails[: side // 2], thumbnails[: side // 2 - 1 : -1]
    down = np.empty((2, hash_size // 2, n * side))
    for parity, fold in enumerate((np.add, np.subtract)):
        half = fold(upper, lower, dtype=np.float64).reshape(side // 2, n * side)
        waves = np.ascontiguousarray(cosines[: side // 2, parity::2].T)
        np.matmul(waves, half, out=down[parity])
    across = (down.reshape(hash_size * n, side) @ cosines).reshape(2, -1, n, hash_size)
    return np.asarray(across.transpose(2, 1, 0, 3).reshape(n, hash_size, hash_size))


@lru_cache(maxsize=8)
def _cosines(side: int, hash_size: int) -> NDArray[np.float64]:
    """Waves of the unnormalised type-II transform, shape (side, hash_size)."""
    odd_numbers = 2 * np.arange(side)[:, np.newaxis] + 1
    return np.asarray(2 * np.cos(np.pi * odd_numbers * np.arange(hash_size) / (2 * side)))


def _has_near_ties(coefficients: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether rounding could change the order of an image's coefficients, in any view of it.

    No sum of side² terms of at most 4 · 255 is rounded by more than this: each is the sum of
    ``side`` sums of ``side`` products, and the cosines are rounded too.
    """
    side = _OVERSAMPLING * coefficients.shape[-1]
    tolerance = 8 * side * np.finfo(np.float64).eps * 4 * 255 * side**2
    ordered = np.sort(np.abs(coefficients.reshape(len(coefficients), -1)), axis=1)
    return np.asarray((np.diff(ordered, axis=1) < tolerance).any(axis=1))


def _transform_as_imagehash(thumbnail: NDArray[np.float32], hash_size: int) -> NDArray[np.float64]:
    # Columns first, as in imagehash: in a flat image the rounding decides the bits.
    rows = scipy.fft.dct(np.ascontiguousarray(thumbnail, dtype=np.uint8), axis=0)
    return np.asarray(scipy.fft.dct(rows, axis=1)[:hash_size, :hash_size])


def phash_of_views(coefficients: NDArray[np.float64], views: Sequence[View]) -> str:
    """Perceptual hashes of several views of an image, from one transform of it.

    Flipping an axis changes the sign of every odd coefficient along it, and transposing the
    image transposes the coefficients, so that no view needs a transform of its own.

    Parameters
    ----------
    coefficients : ndarray of shape (hash_size, hash_size)
        From :func:`low_frequencies`.
    views : sequence of View
        Of :data:`imagequality.measurements.VIEWS`.

    Returns
    -------
    hashes : str of hexadecimal digits
        One hash after the other.

    Notes
    -----
    The views are those of the thumbnail. imagehash's hash of a mirrored *file* can differ from
    the hash of the view in a few bits, since resampling rounds and is not quite symmetric; and
    where coefficients are zero but for rounding (flat or symmetric images), in many.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import VIEWS
    >>> ramp = np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1))
    >>> mirrored = phash_of_views(low_frequencies(ramp), VIEWS[1:2])
    >>> mirrored, phash(ramp[:, ::-1])
    ('ff00000000000000', 'ff00000000000000')
    """
    return phashes_of_views(coefficients[np.newaxis], views)[0]


def phashes_of_views(coefficients: NDArray[np.float64], views: Sequence[View]) -> list[str]:
    """Perceptual hashes of several views of each of several images, see :func:`phash_of_views`.

    Parameters
    ----------
    coefficients : ndarray of shape (n, hash_size, hash_size)
        From :func:`low_frequencies_of_stack`.
    views : sequence of View
        Of :data:`imagequality.measurements.VIEWS`.

    Returns
    -------
    hashes : list of n str
        Of each image the hashes of its views, one after the other.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import VIEWS
    >>> ramp = np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1))
    >>> coefficients = low_frequencies_of_stack(np.stack([ramp, ramp[:, ::-1]]))
    >>> phashes_of_views(coefficients, VIEWS[:2])
    ['aa00000000000000ff00000000000000', 'ff00000000000000aa00000000000000']
    """
    n, hash_size, _ = coefficients.shape
    n_bits = hash_size**2
    squares = np.empty((n, len(views), hash_size, hash_size))
    for number, view in enumerate(views):
        turned = coefficients.swapaxes(1, 2) if view.transpose else coefficients
        np.multiply(turned, _signs(view, hash_size), out=squares[:, number])
    seen = squares.reshape(n, len(views), n_bits)
    ordered = np.sort(seen, axis=2)  # in vector instructions, ten times as fast as to partition
    medians = (ordered[..., n_bits // 2 - 1] + ordered[..., n_bits // 2]) / 2
    digits = np.packbits(seen > medians[..., np.newaxis]).tobytes().hex()
    length = len(views) * n_bits // 4
    return [digits[start : start + length] for start in range(0, n * length, length)]


def _signs(view: View, hash_size: int) -> NDArray[np.float64]:
    """Return what flips multiply the coefficients by: the odd ones of a flipped axis by −1."""
    alternating = np.where(np.arange(hash_size) % 2, -1.0, 1.0)
    rows = alternating if view.flip_rows else np.ones(hash_size)
    columns = alternating if view.flip_columns else np.ones(hash_size)
    return np.outer(rows, columns)


def ahash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Average hash: which pixels of a thumbnail exceed their mean; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size * hash_size`` bits. A multiple of 4.

    Returns
    -------
    hash : str of hexadecimal digits
        As ``str(imagehash.average_hash(image, hash_size))``.

    References
    ----------
    N. Krawetz, "Looks like it", 2011, hackerfactor.com.

    Examples
    --------
    >>> import numpy as np
    >>> ahash(np.repeat(np.array([[0], [255]], np.uint8), 8, axis=0), 4)
    '00ff'
    """
    return _by_imagehash(imagehash.average_hash, grey, hash_size)


def dhash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Difference hash: which pixels exceed their left neighbour; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size * hash_size`` bits. A multiple of 4.

    Returns
    -------
    hash : str of hexadecimal digits
        As ``str(imagehash.dhash(image, hash_size))``.

    References
    ----------
    N. Krawetz, "Kind of like that", 2013, hackerfactor.com.

    Examples
    --------
    >>> import numpy as np
    >>> dhash(np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1)))
    'ffffffffffffffff'
    """
    return _by_imagehash(imagehash.dhash, grey, hash_size)


def whash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Wavelet hash: coarse Haar coefficients against their median; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size * hash_size`` bits. 4, 8, 16, …: a power of 2.

    Returns
    -------
    hash : str of hexadecimal digits
        As ``str(imagehash.whash(image, hash_size))``.

    Notes
    -----
    The wavelets run over the largest square of 2ⁿ pixels that fits the image: on photographs
    this hash costs many times what the others do.

    Examples
    --------
    >>> import numpy as np
    >>> whash(np.repeat(np.array([[0], [255]], np.uint8), 8, axis=0), 4)
    '00ff'
    """
    return _by_imagehash(imagehash.whash, grey, hash_size)


def _by_imagehash(function: Callable[..., Any], grey: NDArray[np.uint8], hash_size: int) -> str:
    _check_hash_size(hash_size)
    image = Image.fromarray(np.ascontiguousarray(grey))
    return _hexadecimal(function(image, hash_size=hash_size).hash)


def hash_of_views(
    hash_function: Callable[[NDArray[np.uint8], int], str],
    grey: NDArray[np.uint8],
    hash_size: int,
    views: Sequence[View],
) -> str:
    """Hash several views of an image, one after the other.

    Parameters
    ----------
    hash_function : callable
        :func:`ahash`, :func:`dhash` or :func:`whash`; for :func:`phash` there is the faster
        :func:`phash_of_views`.
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int
    views : sequence of View
        Of :data:`imagequality.measurements.VIEWS`.

    Returns
    -------
    hashes : str of hexadecimal digits
        One hash after the other, each equal to imagehash's of the mirrored or turned image.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import VIEWS
    >>> halves = np.repeat(np.array([[0], [255]], np.uint8), 8, axis=0)
    >>> hash_of_views(ahash, halves, 4, VIEWS[:3])
    '00ff00ffff00'
    """
    return "".join(hash_function(view.of(grey), hash_size) for view in views)


def colorhash(rgb: RGBArray, bits_per_share: int = 3) -> str:
    """Hash of the colours, wherever they are; imagehash's ``colorhash``, bit for bit.

    The hash is a histogram of 14 shares: of black pixels, of grey ones, and of six hues among
    the faint and six among the bright colours. It does not depend on where a colour is, so it
    is the same for every mirrored or turned view, and unrelated images may share it.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8
    bits_per_share : int, default=3
        imagehash's ``binbits``. The hash has 14 times as many bits: 42 with its default of 3.
        With 18, the most that stay within 256, it has 252. Each share is then rounded down to
        a multiple of 2⁻¹⁸, not of 1/8, so that colours of small areas count.

    Returns
    -------
    hash : str of hexadecimal digits
        As ``str(imagehash.colorhash(image, bits_per_share))``; 42 bits in 11 digits, 252 in 63.
        ``imagehash.hex_to_flathash(hash, bits_per_share)`` reads it.

    Notes
    -----
    imagehash's code of a share is not its plain binary number: the upper half of its bits says
    which powers of two the share reaches.

    Examples
    --------
    >>> import numpy as np
    >>> colorhash(np.zeros((4, 4, 3), np.uint8))  # all black: the first share is full
    '38000000000'
    """
    return _hexadecimal(imagehash.colorhash(Image.fromarray(rgb), binbits=bits_per_share).hash)


def _check_hash_size(hash_size: int) -> None:
    if hash_size % 4:
        raise ValueError(f"hash_size must be a multiple of 4, got {hash_size}")


def _hexadecimal(bits: NDArray[np.bool_]) -> str:
    """Write bits as the digits of one number, as imagehash does: zeros fill up the front."""
    digits = -(-bits.size // 4)
    filled = np.concatenate([np.zeros(-bits.size % 8, dtype=bool), bits.ravel()])
    return np.packbits(filled).tobytes().hex()[-digits:]


def hash_contrast(grey: NDArray[np.uint8]) -> float:
    """Measure the coarse structure of an image, which a perceptual hash stands on: its spread.

    The luma is averaged down to at most 16 × 16 pixels. Where this is flat, the bits of a
    perceptual hash are rounding noise, and unrelated images share them.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8

    Returns
    -------
    contrast : float in [0, 127.5], grey levels
        Standard deviation.

    Examples
    --------
    >>> import numpy as np
    >>> hash_contrast(np.full((50, 50), 200, np.uint8))
    0.0
    """
    return float(hash_contrast_of_stack(grey[np.newaxis])[0])


def hash_contrast_of_stack(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Measure the coarse structure of each of several images, see :func:`hash_contrast`.

    Parameters
    ----------
    grey : ndarray of shape (n, h, w), uint8

    Returns
    -------
    contrasts : ndarray of shape (n,), in [0, 127.5], grey levels

    Examples
    --------
    >>> import numpy as np
    >>> halves = np.repeat(np.array([[0], [100]], np.uint8), 20, axis=0).repeat(40, axis=1)
    >>> hash_contrast_of_stack(np.stack([halves, halves // 2, halves * 0])).tolist()
    [50.0, 25.0, 0.0]
    """
    n, height, width = grey.shape
    coarse = box(grey, min(_COARSE, height), min(_COARSE, width))
    levels = coarse.reshape(n, -1).astype(np.float64)
    # Sums of whole numbers, which are exact in any order.
    sums = levels.sum(axis=1)
    squares = np.einsum("ij,ij->i", levels, levels)
    return np.asarray(np.sqrt(squares * levels.shape[1] - sums**2) / levels.shape[1])
