"""Image sets with known flaws, and loaders for local copies of known sets.

Nothing here opens a socket: the photographs that :func:`make_flawed_images` cuts from are
carried by scikit-learn and scikit-image inside their installed packages.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from .images import UnreadableImageError, as_references, list_images, load_image
from .perturbations import (
    adjust_brightness,
    as_generator,
    blur,
    check_integer,
    crop_to_strip,
    downscale,
    low_information,
    near_duplicate,
    to_grayscale,
)

__all__ = [
    "ThresholdCase",
    "cifake_label",
    "load_image_folder",
    "load_threshold_benchmark",
    "make_flawed_images",
    "plant_flaws",
    "save_images",
]

RGBArray = NDArray[np.uint8]
Images = list[RGBArray] | RGBArray
Flaw = Callable[[RGBArray], RGBArray]
Maker = Callable[[RGBArray, np.random.Generator], RGBArray]

# ---------------------------------------------------------------------------- flaws


def _blurry(image: RGBArray, generator: np.random.Generator) -> RGBArray:
    size = round(11 * max(1.0, max(image.shape[:2]) / 512))
    return blur(image, "average", size + 1 - size % 2)


def _odd_size(image: RGBArray, generator: np.random.Generator) -> RGBArray:
    height, width = image.shape[:2]
    size = (max(1, round(width * 7 / 32)), max(1, round(height * 7 / 32)))
    return downscale(image, size, restore=False)


def _odd_aspect_ratio(image: RGBArray, generator: np.random.Generator) -> RGBArray:
    height, width = image.shape[:2]
    upright = bool(generator.integers(2)) if height == width else height > width
    return crop_to_strip(image, vertical=upright)


# Image issue → what gives an image that flaw, at the strength documented in plant_flaws.
_FLAWS: dict[str, Maker] = {
    "light": lambda image, generator: adjust_brightness(image, 3.5),
    "dark": lambda image, generator: adjust_brightness(image, 0.05),
    "blurry": _blurry,
    "low_information": lambda image, generator: low_information(image),
    "odd_size": _odd_size,
    "odd_aspect_ratio": _odd_aspect_ratio,
    "grayscale": lambda image, generator: to_grayscale(image),
}

# Duplicate issue → what makes the copy of the source.
_COPIES: dict[str, Maker] = {
    "exact_duplicates": lambda image, generator: image.copy(),
    "near_duplicates": lambda image, generator: near_duplicate(image, random_state=generator),
}


def plant_flaws(
    images: Any,
    issues: Sequence[str],
    *,
    contamination: float | Mapping[str, float] = 0.12,
    flaws: Mapping[str, Flaw] | None = None,
    random_state: Any = None,
) -> tuple[Images, pd.DataFrame]:
    """Give a known share of images a known flaw: the paper's evaluation protocol.

    Each issue gets its own random subset of ``round(contamination · n)`` images; no image gets
    two flaws. The defaults are the paper's strongest perturbations (those that hurt its network
    most):

    ====================  =====================================================================
    issue                 what is done
    ====================  =====================================================================
    ``light``             every pixel value times 3.5
    ``dark``              every pixel value times 0.05
    ``blurry``            average blur over 11×11 pixels; where the longer side exceeds 512,
                          the window grows in proportion, so that the blur remains visible
    ``low_information``   a thumbnail of 12/32 of the sides on a black canvas
    ``odd_size``          resized to 7/32 of the sides
    ``grayscale``         three identical channels
    ``odd_aspect_ratio``  the middle strip, sides 0.3 : 1, along the longer side (square images:
                          lying or standing at random); not in the paper
    ``exact_duplicates``  the image is replaced by a copy of another one
    ``near_duplicates``   the same, and brightness, contrast and saturation of the copy change
                          by random factors in 0.8–1.2
    ====================  =====================================================================

    Parameters
    ----------
    images : (n, h, w, 3) array, or list, tuple or Series of images
        The images, thought clean: arrays, paths, or whatever
        :func:`imagequality.images.load_image` takes. Never modified.
    issues : sequence of str
        Issue keys from the table, each once; and those of ``flaws``.
    contamination : float or mapping of issue to float, default=0.12
        Share of the images that each issue gets, from 0 to 1. For duplicates it is the share of
        *copies*; as many further images serve as their sources, one each.
    flaws : mapping of issue to callable, default=None
        Other strengths, or flaws of your own: a function from an RGB uint8 array to another
        one, that takes the place of the table's for that issue. Not for duplicates.
    random_state : int, Generator, RandomState or None, default=None
        Chooses the images and every random detail; an int makes the result reproducible.

    Returns
    -------
    images : ndarray of shape (n, h, w, 3), or list of ndarray
        The images in their order, RGB uint8, copied. An array if ``images`` was an array and
        all sizes are still equal, else a list.
    y : DataFrame of shape (n, n_issues), int
        1 where the image has the issue: one column per issue, in the order given. Of a pair of
        duplicates both are marked, the copy and its source, as detectors flag every member of a
        group: the column sums to twice the number of copies. Sources are otherwise untouched,
        and exact duplicates are not also marked as near duplicates. Paths and Series label the
        rows as :func:`imagequality.measure` labels them.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an issue is unknown or named twice, a share lies outside [0, 1], all shares together
        ask for more images than there are, or an image cannot be read.

    See Also
    --------
    make_flawed_images : The same on photographs that come with the library.

    References
    ----------
    The paper this library implements, sections IV-A (perturbations) and IV-B (12 % of the
    images, Table I; 6 % for each of two issues, Table II).

    Examples
    --------
    >>> import numpy as np
    >>> images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    >>> flawed, y = plant_flaws(images, ["dark", "exact_duplicates"], random_state=0)
    >>> flawed.shape, y.sum().to_dict()
    ((50, 32, 32, 3), {'dark': 6, 'exact_duplicates': 12})
    >>> bool((flawed[y["dark"] == 1] <= 13).all())
    True

    A weaker flaw:

    >>> flawed, y = plant_flaws(
    ...     images, ["blurry"], contamination=0.1, random_state=0,
    ...     flaws={"blurry": lambda image: blur(image, "gaussian", 3)})
    """
    makers = _flaw_makers(flaws)
    issues = _check_issues(issues, known=(*makers, *_COPIES))
    try:
        references, names = as_references(images)
    except (TypeError, ValueError) as error:
        raise type(error)(f"images: {error}") from error
    n = len(references)
    counts = _counts(issues, contamination, n)
    generator = as_generator(random_state)
    result = [_load(reference, position) for position, reference in enumerate(references)]

    y = pd.DataFrame(0, index=names, columns=pd.Index(issues), dtype=np.int64)
    free = iter(generator.permutation(n).tolist())
    for column, issue in enumerate(issues):
        for _ in range(counts[issue]):
            target = next(free)
            y.iloc[target, column] = 1
            if issue in _COPIES:
                source = next(free)
                y.iloc[source, column] = 1
                result[target] = _COPIES[issue](result[source], generator)
            else:
                result[target] = _check_made(issue, makers[issue](result[target], generator))
    is_array = isinstance(images, np.ndarray) and images.ndim == 4
    if is_array and n and len({image.shape for image in result}) == 1:
        return np.stack(result), y
    return (images.copy() if is_array and not n else result), y


def _flaw_makers(
    flaws: Mapping[str, Flaw] | None,
) -> dict[str, Maker]:
    """Return the table of flaws with the user's in it."""
    makers = dict(_FLAWS)
    if flaws is None:
        return makers
    if not isinstance(flaws, Mapping):
        raise TypeError(f"flaws must map issues to functions, got {type(flaws).__name__}")
    for issue, flaw in flaws.items():
        if not callable(flaw):
            raise TypeError(f"flaws must map issues to functions, got {flaw!r} for {issue!r}")
        if issue in _COPIES:
            raise ValueError(f"flaws cannot replace {issue!r}: it is about two images")
        makers[issue] = _without_generator(flaw)
    return makers


def _without_generator(flaw: Flaw) -> Maker:
    return lambda image, generator: flaw(image)


def _check_issues(issues: Any, known: Sequence[str]) -> list[str]:
    if isinstance(issues, (str, bytes)) or not isinstance(issues, Iterable):
        raise TypeError(f"issues must be a sequence of issue keys, got {issues!r}")
    issues = list(issues)
    unknown = [issue for issue in issues if issue not in known]
    if unknown:
        raise ValueError(
            f"issues holds {', '.join(map(repr, unknown))}; known are {', '.join(known)}"
        )
    twice = sorted({issue for issue in issues if issues.count(issue) > 1})
    if twice:
        raise ValueError(f"issues must name each issue once, got twice: {', '.join(twice)}")
    return issues


def _counts(
    issues: Sequence[str], contamination: float | Mapping[str, float], n: int
) -> dict[str, int]:
    """Return how many images each issue changes."""
    if isinstance(contamination, Mapping):
        if set(contamination) != set(issues):
            raise ValueError(
                f"contamination must have a share for each of the issues and no other, "
                f"got {sorted(contamination)} for {sorted(issues)}"
            )
        shares = dict(contamination)
    else:
        shares = dict.fromkeys(issues, contamination)
        shares = shares or {"": contamination}  # checked where no issue is asked for, too
    for share in shares.values():
        if not _is_number(share):
            raise TypeError(
                f"contamination must be a number, or map issues to numbers, got {share!r}"
            )
        if not 0 <= share <= 1:
            raise ValueError(f"contamination must lie between 0 and 1, got {share!r}")
    counts = {issue: round(float(shares[issue]) * n) for issue in issues}
    needed = sum(count * (2 if issue in _COPIES else 1) for issue, count in counts.items())
    if needed > n:
        listed = ", ".join(
            f"{issue} {count}" + (" copies and as many sources" if issue in _COPIES else "")
            for issue, count in counts.items()
        )
        raise ValueError(
            f"contamination {contamination!r} asks for {needed} of {n} images ({listed})"
        )
    return counts


def _is_number(value: Any) -> bool:
    return not isinstance(value, (bool, str)) and isinstance(value, (int, float, np.number))


def _load(reference: Any, position: int) -> RGBArray:
    try:
        return load_image(reference).copy()
    except UnreadableImageError as error:
        raise ValueError(f"images holds, at position {position}, no image: {error}") from error


def _check_made(issue: str, image: Any) -> RGBArray:
    ok = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
    if not (ok and image.shape[2] == 3 and image.size):
        raise ValueError(f"flaws[{issue!r}] must return an RGB uint8 array of shape (h, w, 3)")
    return image


# ------------------------------------------------------------------ bundled photographs

# Colour photographs inside the wheels of scikit-learn ≥ 1.6 and scikit-image 0.24–0.26. The
# other pictures there are grey, synthetic, microscopic or astronomic, or (motorcycle_right)
# nearly the same as one of these.
_PHOTOGRAPHS = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("skimage", "data/astronaut.png"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/motorcycle_left.png"),
    ("skimage", "data/rocket.jpg"),
)

_LARGEST_OVERLAP = 0.4
_ATTEMPTS = 20


def make_flawed_images(
    n_samples: int = 200,
    *,
    issues: Sequence[str] = ("light", "dark", "blurry", "low_information", "odd_size"),
    contamination: float | Mapping[str, float] = 0.05,
    size: int = 64,
    random_state: Any = None,
) -> tuple[Images, pd.DataFrame]:
    """Cut clean crops from bundled photographs and plant flaws in some: a set with known truth.

    The photographs are those that scikit-learn (china, flower) and scikit-image (astronaut,
    chelsea, coffee, motorcycle, rocket) carry inside their packages; nothing is downloaded.

    Parameters
    ----------
    n_samples : int, default=200
        Number of images.
    issues : sequence of str
        What to plant: see :func:`plant_flaws`. By default the five issues of the paper's
        Table I.
    contamination : float or mapping of issue to float, default=0.05
        Share of the images that each issue gets. 0 makes a clean set.
    size : int, default=64
        Side of the square images in pixels, at least 16. The shorter sides of the photographs
        are 300 to 512 pixels, so above 256 more and more crops are enlarged, which leaves them
        soft, and overlap each other.
    random_state : int, Generator, RandomState or None, default=None
        An int makes the result reproducible.

    Returns
    -------
    images : ndarray of shape (n_samples, size, size, 3), or list of ndarray
        RGB uint8. A list where sizes differ: with odd sizes or odd aspect ratios among the
        issues.
    y : DataFrame of shape (n_samples, n_issues), int
        1 where the image has the issue.

    Raises
    ------
    TypeError, ValueError
        For a bad parameter; it is named.
    FileNotFoundError
        If the installed packages come without their photographs.

    Notes
    -----
    A crop is a square at a random place, its side log-uniform between a lower limit and the
    photograph's shorter side s. The limit is twice ``size`` but at most 0.8 s; when room gets
    scarce, ``size`` but at most 0.6 s. The crop is brought to ``size`` by averaging areas; if
    it must be enlarged, by Lanczos' kernel and then an unsharp mask. It is drawn again unless
    it is clean, that is, at ``size`` or at its own resolution if that is lower:

    - its grey levels have a mean in 50–180 and a standard deviation of at least 25;
    - at least 5 % of its pixels are darker than grey 100, at least 2 % have a channel of 170 or
      more, and at most 5 % have one of 254 or more;
    - the mean difference between a pixel's largest and smallest channel is at least 15;
    - it is not mostly sky: of 4×4 tiles, at least 10 have a standard deviation of 6 or more;
    - it is in focus: horizontally and vertically, the second differences of grey are at least
      as large as the first ones (root mean squares).

    It is also drawn again if it shares more than 40 % with an earlier crop (intersection over
    union), so that crops are no near duplicates of each other. Where no such place is found in
    40 attempts, the one with the least overlap is taken. That begins at about 200 images of 32
    pixels, 100 of 64 and 10 of 256; the overlap remains below two thirds up to 2,000, 1,000 and
    50 images.

    Examples
    --------
    >>> from imagequality.datasets import make_flawed_images
    >>> images, y = make_flawed_images(100, random_state=0)
    >>> len(images), images[0].shape
    (100, (64, 64, 3))
    >>> y.sum().to_dict()
    {'light': 5, 'dark': 5, 'blurry': 5, 'low_information': 5, 'odd_size': 5}
    >>> clean, y = make_flawed_images(10, contamination=0, size=32, random_state=0)
    >>> clean.shape, int(y.to_numpy().sum())
    ((10, 32, 32, 3), 0)
    """
    n_samples = check_integer("n_samples", n_samples, low=1)
    size = check_integer("size", size, low=16)
    issues = _check_issues(issues, known=(*_FLAWS, *_COPIES))
    _counts(issues, contamination, n_samples)  # complain before the work, not after it
    generator = as_generator(random_state)
    crops = _clean_crops(n_samples, size, generator)
    return plant_flaws(crops, issues, contamination=contamination, random_state=generator)


def _photographs() -> list[RGBArray]:
    photographs = []
    for package, name in _PHOTOGRAPHS:
        path = files(package) / name
        if path.is_file():
            with Image.open(io.BytesIO(path.read_bytes())) as image:
                photographs.append(np.asarray(image.convert("RGB")))
    if not photographs:
        raise FileNotFoundError(
            "neither scikit-learn nor scikit-image is installed with its photographs: "
            + ", ".join(f"{package}/{name}" for package, name in _PHOTOGRAPHS)
        )
    return photographs


def _clean_crops(n: int, size: int, generator: np.random.Generator) -> RGBArray:
    """Cut n clean crops that overlap little."""
    photographs = _photographs()
    shapes = np.array([photo.shape[:2] for photo in photographs])
    crops = np.empty((n, size, size, 3), dtype=np.uint8)
    taken = np.empty((n, 4), dtype=np.int64)
    for position in range(n):
        crop = None
        while crop is None:
            crop, taken[position] = _next_crop(
                photographs, shapes, taken[:position], size, generator
            )
        crops[position] = crop
    return crops


def _next_crop(
    photographs: Sequence[RGBArray],
    shapes: NDArray[np.int64],
    taken: NDArray[np.int64],
    size: int,
    generator: np.random.Generator,
) -> tuple[RGBArray | None, NDArray[np.int64]]:
    """Draw places until one is free and clean; else the clean one that overlaps least, if any."""
    occupied: list[tuple[float, NDArray[np.int64]]] = []
    for shortest, share in ((2 * size, 0.8), (size, 0.6)):
        windows = _draw_windows(shapes, shortest, share, generator)
        overlaps = _largest_overlaps(windows, taken).tolist()
        for overlap, window in zip(overlaps, windows, strict=True):
            if overlap > _LARGEST_OVERLAP:
                occupied.append((overlap, window))
                continue
            crop = _clean_crop(photographs, window, size)
            if crop is not None:
                return crop, window
    for _, window in sorted(occupied, key=lambda place: place[0]):
        crop = _clean_crop(photographs, window, size)
        if crop is not None:
            return crop, window
    return None, np.zeros(4, dtype=np.int64)


def _draw_windows(
    shapes: NDArray[np.int64], shortest: int, share: float, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw squares inside the photographs: rows of photograph, top, left, side."""
    areas = shapes.prod(axis=1)
    which = generator.choice(len(shapes), size=_ATTEMPTS, p=areas / areas.sum())
    longest = shapes[which].min(axis=1)
    low = np.log(np.minimum(shortest, share * longest))
    side = np.exp(generator.uniform(low, np.log(longest))).astype(np.int64)
    corner = generator.integers(shapes[which] - side[:, np.newaxis] + 1)
    return np.column_stack([which, corner, side])


def _largest_overlaps(windows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the largest intersection over union of each window with the others."""
    if not len(others):
        return np.zeros(len(windows))
    which, top, left, side = windows.astype(np.int32).T[:, :, np.newaxis]
    other, tops, lefts, sides = others.astype(np.int32).T
    height = np.minimum(top + side, tops + sides) - np.maximum(top, tops)
    width = np.minimum(left + side, lefts + sides) - np.maximum(left, lefts)
    shared = np.maximum(height, 0) * np.maximum(width, 0) * (which == other)
    return (shared / (side**2 + sides**2 - shared)).max(axis=1)


def _clean_crop(
    photographs: Sequence[RGBArray], window: NDArray[np.int64], size: int
) -> RGBArray | None:
    """Cut a window out and resize it, or return None where it is not clean."""
    which, top, left, side = window.tolist()
    crop = np.ascontiguousarray(photographs[which][top : top + side, left : left + side])
    if side > size:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    if not _is_clean(crop):
        return None
    if side < size:
        large = cv2.resize(crop, (size, size), interpolation=cv2.INTER_LANCZOS4)
        smooth = cv2.GaussianBlur(large, (0, 0), 0.6 * size / side)
        crop = cv2.addWeighted(large, 2, smooth, -1, 0).astype(np.uint8)
    return crop


def _is_clean(crop: RGBArray) -> bool:
    """Tell whether a crop is a photograph without flaws: see make_flawed_images."""
    levels = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(levels))
    if not (50 <= mean <= 180 and deviation >= 25 and (levels < 100).mean() >= 0.05):
        return False
    largest = crop.max(axis=2)
    if not (
        (largest >= 170).mean() >= 0.02
        and (largest >= 254).mean() <= 0.05
        and (largest - crop.min(axis=2)).mean() >= 15
    ):
        return False
    grey = levels.astype(np.float32)
    tiles = cv2.resize(grey, (4, 4), interpolation=cv2.INTER_AREA)
    squares = cv2.resize(grey * grey, (4, 4), interpolation=cv2.INTER_AREA)
    if (squares - tiles * tiles >= 6**2).sum() < 10:
        return False
    return all(
        np.square(np.diff(grey, n=2, axis=axis)).mean()
        >= np.square(np.diff(grey, axis=axis)).mean()
        for axis in (0, 1)
    )


# --------------------------------------------------------------------------- folders

_CIFAKE_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_CIFAKE_NAME = re.compile(r"\d+(?: \((10|[2-9])\))?")
_TRAILING_NUMBER = re.compile(r"[\s._()\[\]#-]*\d+[\s()\[\]]*$")


def load_image_folder(
    folder: str | os.PathLike[str],
    *,
    label: Literal["folder", "name"] | Callable[[str], Any] | None = "folder",
    recursive: bool = True,
) -> tuple[list[str], NDArray[Any] | None]:
    """List the images of a folder with their class labels, without opening them.

    Parameters
    ----------
    folder : str or path-like
        The folder, for example a local copy of CIFAKE.
    label : {"folder", "name"}, callable or None, default="folder"
        Where the class of an image comes from:

        - ``"folder"``: the name of the folder that the file lies in (``cats/1.jpg`` → cats);
        - ``"name"``: the file's name without its extension and a number at its end
          (``cat_001.jpg``, ``cat.1.jpg``, ``cat (1).jpg`` → cat);
        - a function from the path to the label, such as :func:`cifake_label`;
        - ``None``: no labels.
    recursive : bool, default=True
        Whether to descend into sub-folders.

    Returns
    -------
    paths : list of str
        Sorted, as from :func:`imagequality.list_images`, which also warns of what it passed
        over.
    y : ndarray of shape (n,), or None
        The labels.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``folder`` does not exist or is a file.
    ValueError
        If ``label`` is unknown, or a file's name is nothing but a number.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> folder = tempfile.mkdtemp()
    >>> images = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    >>> _ = save_images(images, folder + "/cats"), save_images(images, folder + "/dogs")
    >>> paths, y = load_image_folder(folder)
    >>> y
    array(['cats', 'cats', 'dogs', 'dogs'], dtype='<U4')
    """
    if label is None:
        labeller: Callable[[str], Any] | None = None
    elif callable(label):
        labeller = label
    elif isinstance(label, str) and label in ("folder", "name"):
        labeller = {"folder": _label_of_folder, "name": _label_of_name}[label]
    else:
        raise ValueError(f"label must be 'folder', 'name', a function or None, got {label!r}")
    paths = list_images(folder, recursive=recursive)
    if labeller is None:
        return paths, None
    labels = [labeller(path) for path in paths]
    return paths, np.array(labels) if labels else np.array([], dtype=str)


def _label_of_folder(path: str) -> str:
    return os.path.basename(os.path.dirname(os.path.abspath(path)))


def _label_of_name(path: str) -> str:
    stem = os.path.splitext(os.path.basename(path))[0]
    name = _TRAILING_NUMBER.sub("", stem)
    if not name:
        raise ValueError(
            f"label='name' finds nothing but a number in {path!r}; "
            "use label='folder' or a function of the path"
        )
    return name


def cifake_label(path: str | os.PathLike[str]) -> str:
    """Return the class of a CIFAKE image, which is written in its file's name.

    ``128.jpg`` is an airplane, ``128 (2).jpg`` an automobile, and so on in CIFAR-10's order to
    ``128 (10).jpg``, a truck.

    Parameters
    ----------
    path : str or path-like
        The file; it need not exist.

    Returns
    -------
    label : str
        One of airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Raises
    ------
    ValueError
        If the name is not made like that.

    References
    ----------
    J. J. Bird and A. Lotfi, "CIFAKE: Image Classification and Explainable Identification of
    AI-Generated Synthetic Images", IEEE Access, 2024.

    Examples
    --------
    >>> cifake_label("test/FAKE/128.jpg"), cifake_label("test/FAKE/128 (4).jpg")
    ('airplane', 'cat')
    """
    stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
    match = _CIFAKE_NAME.fullmatch(stem)
    if match is None:
        raise ValueError(
            f"path is no CIFAKE file: expected a name like '128.jpg' or '128 (4).jpg' with a "
            f"class from 2 to 10, got {os.fspath(path)!r}"
        )
    return _CIFAKE_CLASSES[int(match[1] or 1) - 1]


_FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "tiff": "TIFF"}


def save_images(
    images: Any,
    folder: str | os.PathLike[str],
    *,
    format: Literal["png", "jpg", "jpeg", "bmp", "tiff"] = "png",
    prefix: str = "image",
) -> list[str]:
    """Write images to a folder, numbered: for demonstrations, and to try the library on files.

    Parameters
    ----------
    images : (n, h, w, 3) array, or list, tuple or Series of images
        As from :func:`make_flawed_images`.
    folder : str or path-like
        Made if it does not exist.
    format : {"png", "jpg", "jpeg", "bmp", "tiff"}, default="png"
        Also the extension. JPEG (quality 95) changes pixels; the others do not.
    prefix : str, default="image"
        Files are called ``<prefix>_0000.png`` and so on, in order.

    Returns
    -------
    paths : list of str
        One per image, in order.

    Raises
    ------
    FileExistsError
        If a file is in the way. Then nothing is written: no file is ever overwritten.
    TypeError, ValueError
        If an argument is wrong, or an image cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> images, y = make_flawed_images(2, contamination=0, random_state=0)
    >>> [os.path.basename(path) for path in save_images(images, tempfile.mkdtemp())]
    ['image_0000.png', 'image_0001.png']
    """
    if format not in _FORMATS:
        raise ValueError(f"format must be one of {', '.join(_FORMATS)}, got {format!r}")
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a str, got {prefix!r}")
    if os.path.basename(prefix) != prefix:
        raise ValueError(f"prefix must be a plain name, without a folder, got {prefix!r}")
    try:
        references, _ = as_references(images)
    except (TypeError, ValueError) as error:
        raise type(error)(f"images: {error}") from error
    digits = max(4, len(str(len(references) - 1)))
    root = os.fspath(folder)
    paths = [
        os.path.join(root, f"{prefix}_{position:0{digits}d}.{format}")
        for position in range(len(references))
    ]
    in_the_way = [path for path in paths if os.path.lexists(path)]
    if in_the_way:
        raise FileExistsError(
            f"save_images overwrites nothing, and {len(in_the_way)} of its {len(paths)} files "
            f"exist, the first {in_the_way[0]!r}; choose another folder or prefix"
        )
    options = {"quality": 95} if _FORMATS[format] == "JPEG" else {}
    loaded = [_load(reference, position) for position, reference in enumerate(references)]
    os.makedirs(root, exist_ok=True)
    for path, image in zip(paths, loaded, strict=True):
        with open(path, "xb") as file:
            Image.fromarray(image).save(file, format=_FORMATS[format], **options)
    return paths


# ------------------------------------------------------------------ threshold benchmark

_BENCHMARK = "_threshold_benchmark.npz"  # made by benchmarks/make_threshold_benchmark.py
_CLEAN = "clean"


@dataclass(frozen=True, eq=False)
class ThresholdCase:
    """The scores of one collection, and which of its images are bad: a threshold's task.

    Attributes
    ----------
    name : str
        ``"<data set> <issue> <perturbation> <contamination>"``, such as
        ``"photographs blurry gaussian 7 4%"``.
    data_set, issue, perturbation : str
        Of what the scores were measured. The perturbation is ``"clean"`` where there is none.
    contamination : float
        Share of the images that were perturbed, as asked for; 0 where none was.
    scores : ndarray of shape (n,), float64
        In [0, 1], low = bad, as the detector of the issue gives them. Not writeable.
    labels : ndarray of shape (n,), int64
        1 where the image was perturbed, else 0. Not writeable.
    floor, cap : float or None
        What the detector knows of its score beforehand: of clean images at most 0.05 % score
        below the floor, and 5 % below the cap. None where nothing is known.

    Examples
    --------
    A case of one's own:

    >>> import numpy as np
    >>> ThresholdCase(
    ...     "mine", "phone", "blurry", "hand-held", 0.5, np.array([0.2, 0.8]), np.array([1, 0]))
    ThresholdCase(name='mine', data_set='phone', issue='blurry', perturbation='hand-held',
                  contamination=0.5, floor=None, cap=None)
    """

    name: str
    data_set: str
    issue: str
    perturbation: str
    contamination: float
    scores: NDArray[np.float64] = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    floor: float | None = None
    cap: float | None = None


def load_threshold_benchmark(
    *,
    contaminations: Sequence[float] = (0.0, 0.005, 0.01, 0.04, 0.12, 0.24, 0.4),
    random_state: Any = 0,
) -> list[ThresholdCase]:
    """Load scores with known flaws, to compare threshold methods on.

    The scores were measured with the library's default detectors on three data sets: 2,000
    images of the test part of CIFAKE's FAKE half (``"cifake_fake"``, 32×32 pixels), and 500
    photographs of flowers, many with a shallow focus, at native size (``"photographs"``, 0.1 to
    0.3 megapixels) and at half of it (``"photographs_half"``). Every image was measured clean
    and after each of 31 perturbations:

    ===================  ======================================================================
    issue                perturbations
    ===================  ======================================================================
    ``light``            every pixel value times 1.75, 2, 2.5, 3, 3.5
    ``dark``             every pixel value times 0.3, 0.25, 0.2, 0.1, 0.05
    ``blurry``           average over 3, 5, 7, 11 pixels; Gaussian over 5, 7, 9, 11; median over
                         11; motion over 9; shrunk 2 and 4 times and enlarged again
    ``low_information``  a thumbnail of 8/32, 12/32, 16/32, 20/32 of the sides, on black
    ``odd_size``         resized 7/32, 12/32, 1/2, 2 and 4 times
    ===================  ======================================================================

    A case is the clean scores of a data set and an issue, with those of a random share of the
    images replaced by what they became under one perturbation.

    Parameters
    ----------
    contaminations : sequence of float, default=(0.0, 0.005, 0.01, 0.04, 0.12, 0.24, 0.4)
        Which shares of perturbed images, each from 0 to 1 and named once; of n images
        ``round(share · n)`` are perturbed, and at least one unless the share is 0. A share of 0
        gives one clean case for each data set and issue; every other gives one for each data
        set and perturbation.
    random_state : int, Generator, RandomState or None, default=0
        Chooses the perturbed images. Those of a smaller share are among those of a larger one,
        and do not depend on which other shares are asked for.

    Returns
    -------
    cases : list of ThresholdCase
        With the defaults 573: 15 clean ones and 93 at each of 6 contaminations. Sorted by
        contamination as given, then by data set, issue and perturbation as listed above.

    Raises
    ------
    TypeError, ValueError
        If a share is no number, lies outside [0, 1] or is named twice, or ``random_state``
        cannot seed a generator.

    See Also
    --------
    imagequality.testing.rank_selectors : Fits threshold selectors to the cases, and compares.

    Notes
    -----
    The images are thought clean, but nobody looked through them; and weak perturbations overlap
    the clean scores. So the best possible F1 is not always 1:
    ``rank_selectors(…, oracle=True)`` shows it.
    Scores are rounded to 1/65535. The odd-size score compares with the median size of the
    collection, perturbed images included, so there the clean images' scores move too. Do not
    tune a method to these cases and then report its figures on them.

    Examples
    --------
    >>> cases = load_threshold_benchmark(contaminations=(0.04,))
    >>> len(cases), cases[0].name
    (93, 'cifake_fake light brightness x1.75 4%')
    >>> cases[0].scores.shape, int(cases[0].labels.sum())
    ((2000,), 80)

    The clean ones:

    >>> len(load_threshold_benchmark(contaminations=[0]))
    15
    """
    shares = _check_shares(contaminations)
    generator = as_generator(random_state)
    content = (files(__package__) / _BENCHMARK).read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        stored = {tuple(key.split("/")): archive[key] for key in archive.files}
    limits = {key[1]: stored.pop(key).tolist() for key in list(stored) if key[0] == "limits"}
    orders = {key: generator.permutation(len(stored[key])) for key in stored if key[2] != _CLEAN}
    cases = []
    for share in shares:
        for key, perturbed in stored.items():
            data_set, issue, perturbation = key
            if (perturbation == _CLEAN) != (share == 0):
                continue
            values = stored[data_set, issue, _CLEAN].copy()
            labels = np.zeros(len(values), dtype=np.int64)
            name = " ".join(key)
            if share > 0:
                chosen = orders[key][: max(1, round(share * len(values)))]
                values[chosen] = perturbed[chosen]
                labels[chosen] = 1
                name += f" {100 * share:g}%"
            scores = _benchmark_scores(values)
            scores.setflags(write=False)
            labels.setflags(write=False)
            floor, cap = limits[issue]
            cases.append(
                ThresholdCase(
                    name, data_set, issue, perturbation, share, scores, labels, floor, cap
                )
            )
    return cases


def _benchmark_scores(values: NDArray[Any]) -> NDArray[np.float64]:
    """Turn what is stored of a collection into scores: quantised scores, or its sizes."""
    if values.dtype == np.uint16:
        return np.asarray(values / np.iinfo(np.uint16).max)
    sizes = values.astype(np.float64)
    median = np.median(sizes)
    return np.minimum(sizes / median, median / sizes)  # as OddSizeDetector does


def _check_shares(contaminations: Any) -> list[float]:
    if isinstance(contaminations, (str, bytes)) or not isinstance(contaminations, Iterable):
        raise TypeError(f"contaminations must be a sequence of numbers, got {contaminations!r}")
    shares = []
    for share in contaminations:
        if not _is_number(share):
            raise TypeError(f"contaminations must hold numbers, got {share!r}")
        if not 0 <= share <= 1:
            raise ValueError(f"contaminations must lie between 0 and 1, got {share!r}")
        shares.append(float(share))
    if len(set(shares)) < len(shares):
        raise ValueError(f"contaminations must name each share once, got {shares}")
    return shares
