"""What identifies an image: a digest of its pixels, and perceptual hashes."""

from __future__ import annotations

import hashlib

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..images import RGBArray


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
    It is computed by imagehash itself. Its value depends on the resampling of the installed
    Pillow; for tall images Pillow 13 differs from the versions before it.

    Examples
    --------
    >>> import numpy as np
    >>> phash(np.tile(np.arange(0, 64, dtype=np.uint8), (64, 1)))
    'aa00000000000000'
    """
    if hash_size % 4:
        raise ValueError(f"hash_size must be a multiple of 4, got {hash_size}")
    bits = imagehash.phash(Image.fromarray(grey), hash_size=hash_size).hash.ravel()
    return np.packbits(bits).tobytes().hex()


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
