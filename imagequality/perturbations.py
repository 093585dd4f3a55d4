"""The flaws of the paper's experiments, and those of cameras and files, on pixels.

Each takes an RGB uint8 array of shape (h, w, 3) and returns a new one; the input is never
modified. The strengths and the protocol are those of section IV-A of the paper this library
implements (perturbations of CIFAKE, 32×32 pixels); what the paper leaves open (borders,
interpolation, position) is settled here and said where it applies. Noise, JPEG compression,
enlargement and exposure are not among the paper's.

:func:`imagequality.datasets.plant_flaws` applies them to a share of a data set.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.utils import check_random_state

__all__ = [
    "add_noise",
    "adjust_brightness",
    "adjust_exposure",
    "blur",
    "compress_jpeg",
    "crop_to_strip",
    "downscale",
    "low_information",
    "near_duplicate",
    "pixelate",
    "to_grayscale",
]

RGBArray = NDArray[np.uint8]

_KERNELS = ("average", "gaussian", "median")
_NOISES = ("gaussian", "shot")
_INTERPOLATIONS = {"nearest": cv2.INTER_NEAREST_EXACT, "bicubic": cv2.INTER_CUBIC}
_LARGEST_MEDIAN = 255  # OpenCV counts the pixels of a column of the kernel in 16 bits


def adjust_brightness(image: RGBArray, factor: float) -> RGBArray:
    """Multiply every pixel value by a factor.

    ``out = clip(round(factor · value), 0, 255)``, each channel alone.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    factor : float
        At least 0. 1 changes nothing; the paper goes from 0.05 (severe underexposure) to 3.5
        (severe overexposure).

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``factor`` no number.
    ValueError
        If ``image`` has another shape, or ``factor`` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.array([[[0, 60, 200]]], dtype=np.uint8)
    >>> adjust_brightness(image, 1.5)
    array([[[  0,  90, 255]]], dtype=uint8)
    """
    _check_image(image)
    factor = _check_real("factor", factor, low=0.0)
    table = np.clip(np.rint(np.arange(256) * factor), 0, 255).astype(np.uint8)
    return table[image]


def blur(
    image: RGBArray,
    kernel: Literal["average", "gaussian", "median"] = "average",
    size: int = 11,
) -> RGBArray:
    """Smooth an image with a square window.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    kernel : {"average", "gaussian", "median"}, default="average"
        What becomes of the window: its mean, its Gaussian-weighted mean (standard deviation
        ``0.3 · ((size − 1) / 2 − 1) + 0.8`` pixels, OpenCV's rule), or its median, each channel
        alone. Beyond the border the image is mirrored without repeating the border pixel; for
        the median the border pixel is repeated.
    size : int, default=11
        Side of the window in pixels: odd, at least 1 (which changes nothing), at most 255 for
        the median. The paper uses 3, 5, 7, 9 and 11 on 32×32 pixels.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``size`` no integer.
    ValueError
        If ``image`` has another shape, ``kernel`` is unknown, or ``size`` is even or out of range.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((5, 5, 3), dtype=np.uint8)
    >>> image[2, 2] = 90
    >>> blur(image, "average", 3)[:, :, 0]
    array([[ 0,  0,  0,  0,  0],
           [ 0, 10, 10, 10,  0],
           [ 0, 10, 10, 10,  0],
           [ 0, 10, 10, 10,  0],
           [ 0,  0,  0,  0,  0]], dtype=uint8)
    """
    _check_image(image)
    if kernel not in _KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(_KERNELS)}, got {kernel!r}")
    size = check_integer("size", size, low=1)
    if size % 2 == 0:
        raise ValueError(f"size must be odd, got {size}")
    if kernel == "median" and size > _LARGEST_MEDIAN:
        raise ValueError(f"size must be at most {_LARGEST_MEDIAN} for the median, got {size}")
    if size == 1:
        return image.copy()
    pixels = np.ascontiguousarray(image)
    if kernel == "average":
        return _pixels(cv2.blur(pixels, (size, size)))
    if kernel == "gaussian":
        return _pixels(cv2.GaussianBlur(pixels, (size, size), 0))
    return _pixels(cv2.medianBlur(pixels, size))


def downscale(image: RGBArray, size: int | tuple[int, int], *, restore: bool = True) -> RGBArray:
    """Shrink an image, and bring it back to its size unless told otherwise.

    Shrunk by averaging areas, enlarged by linear interpolation. The round trip loses detail
    (the paper's Table B-III); without the way back the image is one of odd size (Table I).

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    size : int or tuple (width, height)
        What to shrink to, in pixels. One number is the shorter side, the other then keeps the
        aspect ratio. From 1 to the image's own size. The paper uses 27, 22, 17, 12, 7, 6, 5
        and 4 on 32×32 pixels.
    restore : bool, default=True
        Whether to enlarge to the original size again.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8
        With ``restore=False`` of shape (height, width, 3) as asked for.

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``size`` neither an integer nor two.
    ValueError
        If ``image`` has another shape, or ``size`` is below 1 or larger than the image.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 80, 3), dtype=np.uint8)
    >>> downscale(image, 10).shape, downscale(image, 10, restore=False).shape
    ((40, 80, 3), (10, 20, 3))
    >>> downscale(image, (16, 12), restore=False).shape
    (12, 16, 3)
    """
    _check_image(image)
    height, width = image.shape[:2]
    if isinstance(size, Sequence) and not isinstance(size, str):
        if len(size) != 2:
            raise TypeError(f"size must be an integer or (width, height), got {size!r}")
        to_width, to_height = (check_integer("size", side, low=1) for side in size)
    else:
        side, shorter = check_integer("size", size, low=1), min(height, width)
        to_width, to_height = round(width * side / shorter), round(height * side / shorter)
    if to_width > width or to_height > height:
        raise ValueError(
            f"size must not exceed the image's (width {width}, height {height}), got {size!r}"
        )
    small = _shrink(image, to_width, to_height)
    if not restore:
        return small
    return _pixels(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def to_grayscale(image: RGBArray) -> RGBArray:
    """Take the colour out: three identical channels.

    ``grey = round(0.299 R + 0.587 G + 0.114 B)``.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError, ValueError
        If ``image`` is no uint8 array of that shape.

    Examples
    --------
    >>> import numpy as np
    >>> to_grayscale(np.array([[[255, 0, 0]]], dtype=np.uint8))
    array([[[76, 76, 76]]], dtype=uint8)
    """
    _check_image(image)
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return _pixels(np.repeat(grey[:, :, np.newaxis], 3, axis=2))


def low_information(image: RGBArray) -> RGBArray:
    """Put a small thumbnail of the image in the middle of a black canvas.

    The paper puts 12×12 pixels on 32×32; other sizes in proportion: the thumbnail's sides are
    12/32 of the image's, rounded, and at least 1 pixel.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError, ValueError
        If ``image`` is no uint8 array of that shape.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((8, 8, 3), 7, dtype=np.uint8)
    >>> low_information(image)[:, :, 0]
    array([[0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 7, 7, 7, 0, 0, 0],
           [0, 0, 7, 7, 7, 0, 0, 0],
           [0, 0, 7, 7, 7, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0],
           [0, 0, 0, 0, 0, 0, 0, 0]], dtype=uint8)
    """
    _check_image(image)
    height, width = image.shape[:2]
    small = _shrink(image, max(1, round(width * 12 / 32)), max(1, round(height * 12 / 32)))
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    canvas = np.zeros_like(image, order="C")
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def crop_to_strip(image: RGBArray, ratio: float = 0.3, *, vertical: bool = False) -> RGBArray:
    """Cut the middle strip out of an image, so that its aspect ratio is odd.

    Not one of the paper's perturbations, which leave the aspect ratio alone.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    ratio : float, default=0.3
        Shorter side / longer side of the strip, in (0, 1]. CleanVision flags below 0.35. An
        image that is narrower already stays as it is.
    vertical : bool, default=False
        Whether the strip stands (keeps the image's height) or lies (keeps its width).

    Returns
    -------
    image : ndarray of shape (height, width, 3), uint8
        The strip; its shorter side is rounded down, and at least 1 pixel.

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``ratio`` no number.
    ValueError
        If ``image`` has another shape, or ``ratio`` lies outside (0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((40, 60, 3), dtype=np.uint8)
    >>> crop_to_strip(image).shape, crop_to_strip(image, vertical=True).shape
    ((18, 60, 3), (40, 12, 3))
    """
    _check_image(image)
    ratio = _check_real("ratio", ratio, low=0.0, high=1.0)
    if ratio == 0:
        raise ValueError("ratio must lie in (0, 1], got 0")
    height, width = image.shape[:2]
    if vertical:
        width = min(width, max(1, int(ratio * height)))
    else:
        height = min(height, max(1, int(ratio * width)))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width].copy()


def near_duplicate(
    image: RGBArray,
    *,
    strength: float = 0.2,
    hue: bool = False,
    random_state: Any = None,
) -> RGBArray:
    """Change brightness, contrast and saturation at random: a copy that is not identical.

    Three factors b, c and s are drawn uniformly from [1 − strength, 1 + strength]. Then, in
    floating point and rounded once at the end:

    1. brightness: ``value · b``;
    2. contrast: ``m + c · (value − m)`` with m the mean grey level of the whole image;
    3. saturation: ``grey + s · (value − grey)`` with the pixel's own
       grey = 0.299 R + 0.587 G + 0.114 B;
    4. hue, if asked for: turned by an angle drawn uniformly from ±strength · 180°;

    each followed by clipping to 0..255.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    strength : float, default=0.2
        From 0 (an exact copy) to 1. The paper uses 0.2 (factors in 0.8–1.2) and 0.5 (0.5–1.5).
    hue : bool, default=False
        Whether to turn the hue as well. The paper's appendix names it, its section IV does not.
    random_state : int, Generator, RandomState or None, default=None
        Where the factors come from; an int makes the result reproducible.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``strength`` no number.
    ValueError
        If ``image`` has another shape, ``strength`` lies outside [0, 1], or ``random_state``
        cannot seed a generator.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((2, 2, 3), 100, dtype=np.uint8)
    >>> copy = near_duplicate(image, random_state=0)
    >>> bool((copy != image).any()), bool((abs(copy.astype(int) - 100) <= 20).all())
    (True, True)
    """
    _check_image(image)
    strength = _check_real("strength", strength, low=0.0, high=1.0)
    generator = as_generator(random_state)
    brightness, contrast, saturation = generator.uniform(1 - strength, 1 + strength, size=3)
    angle = generator.uniform(-strength, strength) * 180 if hue else 0.0

    pixels = np.clip(image.astype(np.float32) * brightness, 0, 255)
    mean = _grey(pixels).mean()
    pixels = np.clip(mean + contrast * (pixels - mean), 0, 255)
    grey = _grey(pixels)[:, :, np.newaxis]
    pixels = np.clip(grey + saturation * (pixels - grey), 0, 255).astype(np.float32)
    if angle:
        hsv = cv2.cvtColor(pixels / 255, cv2.COLOR_RGB2HSV)  # hue in degrees
        hsv[:, :, 0] = (hsv[:, :, 0] + angle) % 360
        pixels = np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255, 0, 255)
    return _pixels(np.rint(pixels))


def adjust_exposure(image: RGBArray, ev: float) -> RGBArray:
    """Expose an image longer or shorter, by whole or fractional stops.

    Each value is decoded from sRGB to linear light, multiplied by ``2 ** ev``, clipped to the
    range, and encoded again: what reaches the top of the scale loses its detail, as on a sensor.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB, taken as sRGB.
    ev : float
        Exposure value: +1 doubles the light, −1 halves it; from −16 to 16. 0 changes nothing.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``ev`` no number.
    ValueError
        If ``image`` has another shape, or ``ev`` is out of range.

    References
    ----------
    IEC 61966-2-1:1999, the sRGB transfer function.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.array([[[0, 60, 200]]], dtype=np.uint8)
    >>> adjust_exposure(image, 1), adjust_exposure(image, -1)
    (array([[[  0,  85, 255]]], dtype=uint8), array([[[  0,  41, 146]]], dtype=uint8))
    """
    _check_image(image)
    ev = _check_real("ev", ev, low=-16.0, high=16.0)
    encoded = np.arange(256) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    linear = np.minimum(linear * 2.0**ev, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.rint(encoded * 255).astype(np.uint8)
    return table[image]


def add_noise(
    image: RGBArray,
    sigma: float,
    kind: Literal["gaussian", "shot"] = "gaussian",
    random_state: Any = None,
) -> RGBArray:
    """Add noise that is independent in every pixel and channel.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    sigma : float
        Standard deviation in grey levels, at least 0 (which changes nothing): of
        ``"gaussian"`` noise everywhere, of ``"shot"`` noise at the grey level 127.5.
    kind : {"gaussian", "shot"}, default="gaussian"
        ``"gaussian"``: ``value + sigma · N(0, 1)``, the noise of a sensor's electronics.
        ``"shot"``: ``Poisson(k · value) / k`` with ``k = 127.5 / sigma²`` photons per grey
        level, the noise of light itself; its variance is proportional to the value. Both are
        rounded and clipped to 0..255.
    random_state : int, Generator, RandomState or None, default=None
        Where the noise comes from; an int makes the result reproducible.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``sigma`` no number.
    ValueError
        If ``image`` has another shape, ``sigma`` is negative or not finite, ``kind`` is
        unknown, or ``random_state`` cannot seed a generator.

    References
    ----------
    D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common
    corruptions and perturbations", ICLR 2019, for the two kinds.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((100, 100, 3), 100, dtype=np.uint8)
    >>> round(float(add_noise(image, 10, random_state=0).std()))
    10
    """
    _check_image(image)
    sigma = _check_real("sigma", sigma, low=0.0)
    if kind not in _NOISES:
        raise ValueError(f"kind must be one of {', '.join(_NOISES)}, got {kind!r}")
    generator = as_generator(random_state)
    if sigma == 0:
        return image.copy()
    noisy: NDArray[Any]
    if kind == "gaussian":
        noisy = generator.normal(image, sigma)
    else:
        photons = 127.5 / sigma**2  # per grey level
        # Beyond 1e9 photons per level the noise is far below rounding, and Poisson overflows.
        noisy = image if photons > 1e9 else generator.poisson(image * photons) / photons
    return _pixels(np.clip(np.rint(noisy), 0, 255))


def compress_jpeg(image: RGBArray, quality: int) -> RGBArray:
    """Compress an image as JPEG and decode it again.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    quality : int
        libjpeg's setting, from 1 (worst) to 95; with its chroma subsampling of 4:2:0.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``quality`` no integer.
    ValueError
        If ``image`` has another shape or a side above 65,500 pixels, or ``quality`` is out of
        range.

    References
    ----------
    ITU-T T.81 (JPEG); the encoder is that of Pillow.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    >>> compress_jpeg(image, 10).shape
    (16, 16, 3)
    """
    _check_image(image)
    quality = check_integer("quality", quality, low=1)
    if quality > 95:
        raise ValueError(f"quality must be at most 95, got {quality}")
    if max(image.shape[:2]) > 65_500:
        raise ValueError(f"a JPEG's sides have at most 65500 pixels, got {image.shape}")
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(
        file, "JPEG", quality=quality, subsampling="4:2:0"
    )
    with Image.open(file) as decoded:
        return np.array(decoded, dtype=np.uint8)


def pixelate(
    image: RGBArray,
    factor: float,
    interpolation: Literal["nearest", "bicubic"] = "nearest",
) -> RGBArray:
    """Replace an image by an enlargement of a smaller version of it, at the same size.

    Its sides are divided by the factor (rounded, at least 1 pixel) by averaging areas, and
    enlarged again: to visible squares by ``"nearest"``, smoothly by ``"bicubic"``.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB.
    factor : float
        At least 1, which changes nothing.
    interpolation : {"nearest", "bicubic"}, default="nearest"
        How it is enlarged.

    Returns
    -------
    image : ndarray of shape (h, w, 3), uint8

    Raises
    ------
    TypeError
        If ``image`` is no uint8 array, or ``factor`` no number.
    ValueError
        If ``image`` has another shape, ``factor`` is below 1, or ``interpolation`` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.arange(16, dtype=np.uint8).reshape(4, 4)[:, :, None].repeat(3, axis=2)
    >>> pixelate(image, 2)[:, :, 0]
    array([[ 3,  3,  5,  5],
           [ 3,  3,  5,  5],
           [11, 11, 13, 13],
           [11, 11, 13, 13]], dtype=uint8)
    """
    _check_image(image)
    factor = _check_real("factor", factor, low=1.0)
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {', '.join(_INTERPOLATIONS)}, got {interpolation!r}"
        )
    height, width = image.shape[:2]
    small = _shrink(image, max(1, round(width / factor)), max(1, round(height / factor)))
    if small.shape == image.shape:
        return small
    method = _INTERPOLATIONS[interpolation]
    return _pixels(cv2.resize(small, (width, height), interpolation=method))


def as_generator(random_state: Any) -> np.random.Generator:
    """Bring any way to name a source of randomness to a NumPy Generator.

    Parameters
    ----------
    random_state : int, Generator, RandomState or None
        A Generator is used as it is (and advanced). Anything else goes through
        :func:`sklearn.utils.check_random_state`, whose next number seeds the Generator; so None
        follows ``np.random.seed``.

    Returns
    -------
    generator : numpy.random.Generator

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> int(as_generator(0).integers(100)) == int(as_generator(0).integers(100))
    True
    """
    if isinstance(random_state, np.random.Generator):
        return random_state
    try:
        state = check_random_state(random_state)
    except ValueError as error:
        raise ValueError(
            "random_state must be an int from 0 to 2**32 - 1, a Generator, a RandomState or "
            f"None, got {random_state!r}"
        ) from error
    return np.random.default_rng(int(state.randint(2**32, dtype=np.uint32)))


def check_integer(name: str, value: Any, low: int) -> int:
    """Check an integer parameter and return it as an int.

    Raises
    ------
    TypeError, ValueError
        If it is no integer, or below ``low``; the message names it.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}")
    return int(value)


def _grey(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _shrink(image: RGBArray, width: int, height: int) -> RGBArray:
    """Resize to at most the image's own size, by area."""
    pixels = np.ascontiguousarray(image)
    if (height, width) == pixels.shape[:2]:
        return pixels.copy()
    return _pixels(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))


def _pixels(array: Any) -> RGBArray:
    return np.asarray(array).astype(np.uint8, copy=False)


def _check_image(image: Any) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = f"dtype {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f"image must be an RGB uint8 array, got {got}")
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"image must have shape (h, w, 3) and a pixel, got {image.shape}")


def _check_real(name: str, value: Any, *, low: float, high: float = math.inf) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not (math.isfinite(number) and low <= number <= high):
        allowed = f"at least {low:g}" if high == math.inf else f"from {low:g} to {high:g}"
        raise ValueError(f"{name} must be finite and {allowed}, got {value!r}")
    return number
