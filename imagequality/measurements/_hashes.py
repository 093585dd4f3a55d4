"""What identifies an image: a digest of its pixels, and perceptual hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import imagehash
import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image

from ..images import RGBArray
from ._views import VIEWS, View

_OVERSAMPLING = 4  # pHash transforms a thumbnail of 4 · hash_size pixels a side (imagehash)


def pixel_digest(rgb: RGBArray) -> str:
    """SHA-256 of the decoded pixels and their shape.

    Two images have the same digest if and only if their decoded pixels are equal, in whatever
    files they are stored. The shape takes part: a 2 × 8 image is no duplicate of a 4 × 4 one.

    Parameters
    ----------
    rgb : ndarray of shape (h, w, 3), uint8

    Returns
    -------
    digest : str of 32 hexadecimal digits
        The first 128 bits of the SHA-256.

    Examples
    --------
    >>> import numpy as np
    >>> one, two = np.zeros((2, 8, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)
    >>> pixel_digest(one) == pixel_digest(two)
    False
    """
    digest = hashlib.sha256(f"{rgb.shape[0]}x{rgb.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest()[:32]


def phash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Perceptual hash by the discrete cosine transform; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size``² bits. A multiple of 4, so that the bits fill bytes.

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
    _check_hash_size(hash_size)
    side = _OVERSAMPLING * hash_size
    thumbnail = Image.fromarray(grey).resize((side, side), Image.Resampling.LANCZOS)
    # Columns first, as in imagehash: in a flat image the rounding decides the bits.
    spectrum = scipy.fft.dct(scipy.fft.dct(np.asarray(thumbnail), axis=0), axis=1)
    return np.asarray(spectrum[:hash_size, :hash_size])


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
    return "".join(_phash_of_view(coefficients, view) for view in views)


def _phash_of_view(coefficients: NDArray[np.float64], view: View) -> str:
    signs = np.where(np.arange(len(coefficients)) % 2, -1.0, 1.0)
    if view.transpose:
        coefficients = coefficients.T
    if view.flip_rows:
        coefficients = coefficients * signs[:, np.newaxis]
    if view.flip_columns:
        coefficients = coefficients * signs
    return _hexadecimal(coefficients > np.median(coefficients))


def ahash(grey: NDArray[np.uint8], hash_size: int = 8) -> str:
    """Average hash: which pixels of a thumbnail exceed their mean; imagehash's, bit for bit.

    Parameters
    ----------
    grey : ndarray of shape (h, w), uint8
        Pillow's luma.
    hash_size : int, default=8
        The hash has ``hash_size``² bits. A multiple of 4.

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
        The hash has ``hash_size``² bits. A multiple of 4.

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
        The hash has ``hash_size``² bits. 4, 8, 16, …: a power of 2.

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
    height, width = grey.shape
    coarse = Image.fromarray(grey).resize((min(16, width), min(16, height)), Image.Resampling.BOX)
    return float(np.asarray(coarse).std())
