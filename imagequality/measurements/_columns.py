"""Which columns exist, which function makes each, and which are measured by default."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from ..images import DecodedImage, RGBArray
from . import (
    _compression,
    _content,
    _exposure,
    _geometry,
    _hashes,
    _noise,
    _pixelation,
    _sharpness,
)
from ._descriptor import descriptor, descriptor_crops, descriptor_with_crops
from ._embedding import Embedding, Vector
from ._pixels import Pixels
from ._stack import Stack
from ._views import FLIPS, VIEWS, View

Value = float | int | str | bool | Vector | None


@dataclass(frozen=True)
class Measurement:
    """A quantity of one's own, measured in the same pass as the library's.

    Parameters
    ----------
    name : str
        Name of its column.
    function : callable
        ``(h, w, 3)`` uint8 RGB array → float. An exception in it makes the row invalid, with
        the reason.
    version : str, default=None
        Needed for ``measure(..., cache=...)`` only. Give another one when the function changes:
        what was stored under the former is then measured again.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import Measurement, measure
    >>> redness = Measurement("redness", lambda rgb: rgb[..., 0].mean() / 255)
    >>> images = np.zeros((2, 8, 8, 3), np.uint8)
    >>> images[1, ..., 0] = 255
    >>> measure(images, columns=["width", redness])["redness"].tolist()
    [0.0, 1.0]
    """

    name: str
    function: Callable[[RGBArray], float]
    version: str | None = None


Column = str | Measurement | Embedding


def column_name(column: Column) -> str:
    """Return the name that a column has in the table.

    Examples
    --------
    >>> column_name("width"), column_name(Measurement("mean", lambda rgb: rgb.mean()))
    ('width', 'mean')
    """
    return column if isinstance(column, str) else column.name


def holds_vectors(column: Column) -> bool:
    """Whether the cells of a column are arrays of shape (d,).

    Examples
    --------
    >>> holds_vectors("descriptor"), holds_vectors("width")
    (True, False)
    """
    return isinstance(column, Embedding) or column in VECTOR_COLUMNS


BRIGHT = 192  # three quarters of the range: where highlights begin
CRUSHED = 4  # up to this level, 1.6 % of the range, shadows hold no detail


_OfImage = Callable[[DecodedImage, Pixels], Sequence[Value]]
_Columns = Iterable[Any]  # of each column the values of a stack: a list or an array of shape (n,)
_OfStack = Callable[[Sequence[DecodedImage], Stack], _Columns]


@dataclass(frozen=True)
class _Group:
    """Columns that one function computes together.

    ``of_image`` measures one image and returns a value for each column. ``of_stack`` measures
    some small images of one shape and returns for each column the values of all of them; where
    there is none the images are measured one by one. With ``all_or_none`` the group is computed
    only where all of its columns are wanted; otherwise each of them has another group, further
    down, by which it costs less.
    """

    columns: tuple[str, ...]
    of_image: _OfImage
    of_stack: _OfStack | None = None
    all_or_none: bool = False

    def measure_stack(self, images: Sequence[DecodedImage], stack: Stack) -> _Columns:
        if self.of_stack is not None:
            return self.of_stack(images, stack)
        rows = [self.of_image(image, Pixels(image.pixels)) for image in images]
        return list(zip(*rows, strict=True))


def _facts(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    return image.format, image.mode, image.file_size


def _facts_of_stack(images: Sequence[DecodedImage], stack: Stack) -> _Columns:
    formats = [image.format for image in images]
    sizes = [math.nan if image.file_size is None else image.file_size for image in images]
    return formats, [image.mode for image in images], sizes


def _shape(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    height, width = image.pixels.shape[:2]
    return (
        width,
        height,
        _geometry.size(width, height),
        _geometry.aspect_ratio(width, height),
    )


def _shape_of_stack(images: Sequence[DecodedImage], stack: Stack) -> _Columns:
    return [[value] * len(images) for value in _shape(images[0], Pixels(images[0].pixels))]


def _brightness(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    return _exposure.brightness_percentiles(pixels.sampled_rgb, _exposure.PERCENTILES).tolist()


def _brightness_of_stack(images: Sequence[DecodedImage], stack: Stack) -> _Columns:
    return _exposure.brightness_percentiles_of_stack(stack.rgb, _exposure.PERCENTILES).T


def _descriptor_and_crops(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    whole, crops = descriptor_with_crops(pixels.rgb)
    return whole.copy(), crops.flatten()  # either column can be dropped without the other


def _ends_of_the_scale(value_histogram: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    clipped, bright, visible = _exposure.value_shares_of_histogram(
        value_histogram, [255, BRIGHT, CRUSHED + 1]
    )
    return clipped, bright, 1 - visible


def _quality_of_file(image: DecodedImage) -> float:
    table = image.luminance_table
    return math.nan if table is None else _jpeg_quality(table)


# A collection has few different tables.
_jpeg_quality = functools.lru_cache(maxsize=256)(_compression.jpeg_quality)


_HASH_FUNCTIONS = {
    "dhash": _hashes.dhash,
    "ahash": _hashes.ahash,
    "whash": _hashes.whash,
}
_HASH_SIZES = {"": 8, "_256": 16}  # the end of a hash's name → the side of its square of bits
_VIEWS_OF_HASH = {"": VIEWS[:1], "_flips": FLIPS, "_views": VIEWS}


def _hash(hash_name: str, hash_size: int, views: tuple[View, ...]) -> _OfImage:
    """Return the function of one hash column."""

    def of_image(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
        if hash_name == "phash":  # one transform for all views
            return (_hashes.phash_of_views(pixels.low_frequencies(hash_size), views),)
        hash_function = _HASH_FUNCTIONS[hash_name]
        return (_hashes.hash_of_views(hash_function, pixels.grey, hash_size, views),)

    return of_image


def _hash_of_stack(hash_name: str, hash_size: int, views: tuple[View, ...]) -> _OfStack | None:
    if hash_name != "phash":
        return None

    def of_stack(images: Sequence[DecodedImage], stack: Stack) -> _Columns:
        return (_hashes.phashes_of_views(stack.low_frequencies(hash_size), views),)

    return of_stack


# <hash>, <hash>_flips and <hash>_views, each by itself: the views of some hashes are dear.
_HASH_GROUPS = tuple(
    _Group(
        (hash_name + size_name + views_name,),
        _hash(hash_name, hash_size, views),
        _hash_of_stack(hash_name, hash_size, views),
    )
    for hash_name in ("phash", *_HASH_FUNCTIONS)
    for size_name, hash_size in _HASH_SIZES.items()
    for views_name, views in _VIEWS_OF_HASH.items()
)

HASHES = tuple(
    hash_name + size_name for hash_name in ("phash", *_HASH_FUNCTIONS) for size_name in _HASH_SIZES
)
"""The perceptual hashes. Each has two more columns: ``<hash>_flips``, the hashes of the views in
:data:`FLIPS`, and ``<hash>_views``, the hashes of all :data:`VIEWS`, one after the other."""

HASHES_WITHOUT_VIEWS = ("colorhash", "colorhash_256")
"""The hashes that are the same for every view of an image."""

_GROUPS = (
    _Group(("format", "mode", "file_size"), _facts, _facts_of_stack),
    _Group(("width", "height", "size", "aspect_ratio"), _shape, _shape_of_stack),
    _Group(
        tuple(f"brightness_perc_{percentile}" for percentile in _exposure.PERCENTILES),
        _brightness,
        _brightness_of_stack,
    ),
    _Group(("brightness",), lambda image, pixels: (_exposure.mean_brightness(pixels.histogram),)),
    _Group(("intensity",), lambda image, pixels: (_exposure.mean_intensity(pixels.histogram),)),
    _Group(
        ("value_perc_99",),
        lambda image, pixels: _exposure.value_percentiles_of_histogram(
            pixels.value_histogram, [99]
        ).tolist(),
        lambda images, stack: (
            _exposure.value_percentiles_of_histogram(stack.value_histograms, [99]).T
        ),
    ),
    _Group(
        ("clipped_share", "bright_share", "crushed_share"),
        lambda image, pixels: _ends_of_the_scale(pixels.value_histogram),
        lambda images, stack: _ends_of_the_scale(stack.value_histograms),
    ),
    _Group(
        ("noise_sigma",),
        lambda image, pixels: (_noise.noise_sigma_of_plane(pixels.green),),
        lambda images, stack: (_noise.noise_sigmas_of_stack(stack.planes[1]),),
    ),
    _Group(
        ("blockiness",),
        lambda image, pixels: (_compression.blockiness(pixels.grey),),
        lambda images, stack: (_compression.blockinesses_of_stack(stack.grey),),
    ),
    _Group(
        ("jpeg_quality",),
        lambda image, pixels: (_quality_of_file(image),),
        lambda images, stack: ([_quality_of_file(image) for image in images],),
    ),
    _Group(
        ("block_repetition",),
        lambda image, pixels: (_pixelation.block_repetition(pixels.grey),),
        lambda images, stack: (_pixelation.block_repetitions_of_stack(stack.grey),),
    ),
    _Group(
        ("spectral_extent",),
        lambda image, pixels: (_pixelation.spectral_extent(pixels.grey),),
        lambda images, stack: (_pixelation.spectral_extents_of_stack(stack.grey),),
    ),
    _Group(
        ("edge_frequency",),
        lambda image, pixels: (_sharpness.edge_frequency(pixels.grey_for_sharpness),),
        lambda images, stack: (_sharpness.edge_frequencies_of_stack(stack.grey),),
    ),
    _Group(
        ("laplacian_variance",),
        lambda image, pixels: (_sharpness.laplacian_variance(pixels.grey),),
    ),
    _Group(
        ("blurriness", "blurriness_grayscale_std"),
        lambda image, pixels: _sharpness.cleanvision_blurriness(pixels.rgb),
    ),
    _Group(
        ("entropy",),
        lambda image, pixels: (_content.entropy(pixels.histogram),),
        lambda images, stack: (_content.entropy(stack.histograms),),
    ),
    _Group(
        ("channels_identical",),
        lambda image, pixels: (float(_content.channels_identical(pixels.rgb)),),
        lambda images, stack: (_content.channels_identical_of_stack(stack.planes),),
    ),
    _Group(
        ("pixel_digest",),
        lambda image, pixels: (_hashes.pixel_digest(pixels.rgb),),
        lambda images, stack: (_hashes.pixel_digests_of_stack(stack.rgb),),
    ),
    *_HASH_GROUPS,
    _Group(("colorhash",), lambda image, pixels: (_hashes.colorhash(pixels.rgb, 3),)),
    _Group(("colorhash_256",), lambda image, pixels: (_hashes.colorhash(pixels.rgb, 18),)),
    _Group(
        ("hash_contrast",),
        lambda image, pixels: (_hashes.hash_contrast(pixels.grey_for_contrast),),
        lambda images, stack: (_hashes.hash_contrast_of_stack(stack.grey),),
    ),
    _Group(("descriptor", "descriptor_crops"), _descriptor_and_crops, all_or_none=True),
    _Group(("descriptor",), lambda image, pixels: (descriptor(pixels.rgb),)),
    _Group(("descriptor_crops",), lambda image, pixels: (descriptor_crops(pixels.rgb).ravel(),)),
)

TEXT_COLUMNS = frozenset(
    {
        *("reason", "format", "mode", "pixel_digest"),
        *HASHES_WITHOUT_VIEWS,
        *(column for group in _HASH_GROUPS for column in group.columns),
    }
)
"""The columns that hold text."""

VECTOR_COLUMNS = frozenset({"descriptor", "descriptor_crops"})
"""The columns that hold vectors, as :class:`Embedding` does; all others hold numbers or text.

``descriptor`` has shape (320,); ``descriptor_crops`` has shape (1600,), the vectors of
:func:`descriptor_crops` one after the other."""

INTEGER_COLUMNS = frozenset({"file_size", "width", "height"})

_FORMULA_VERSION = "1"
"""Of all columns; raise it when a formula changes, so that stored numbers are measured again."""


def _version(column: str) -> str:
    """Return the version of a built-in column; hashes also depend on Pillow's resampling."""
    of_pillow = column.split("_")[0] in {"phash", "dhash", "ahash", "whash", "colorhash"}
    return f"{_FORMULA_VERSION}, Pillow {PIL.__version__}" if of_pillow else _FORMULA_VERSION


STATUS_COLUMNS = ("valid", "reason")
"""In every table: whether the image could be measured, and if not, why."""

ALL_COLUMNS = tuple(dict.fromkeys(column for group in _GROUPS for column in group.columns))
"""Every column that :func:`measure` knows."""

DEFAULT_COLUMNS = (
    "format",
    "mode",
    "file_size",
    "jpeg_quality",
    "width",
    "height",
    "size",
    "aspect_ratio",
    *(f"brightness_perc_{percentile}" for percentile in _exposure.PERCENTILES),
    "value_perc_99",
    "clipped_share",
    "bright_share",
    "crushed_share",
    "noise_sigma",
    "blockiness",
    "block_repetition",
    "spectral_extent",
    "edge_frequency",
    "entropy",
    "channels_identical",
    "pixel_digest",
    "phash_256",
    "phash_256_flips",
    "hash_contrast",
)
"""What the default pipeline needs, and the facts of the file."""


def _group_numbers(wanted: Iterable[str]) -> tuple[int, ...]:
    """Return which groups to compute so that every wanted column comes from one of them."""
    missing = set(wanted)
    numbers = []
    for number, group in enumerate(_GROUPS):
        if group.all_or_none:
            needed = missing.issuperset(group.columns)
        else:
            needed = not missing.isdisjoint(group.columns)
        if needed:
            numbers.append(number)
            missing.difference_update(group.columns)
    return tuple(numbers)


class Plan:
    """What to compute for each image, so that it can be sent to a worker once.

    Parameters
    ----------
    columns : sequence of str, Measurement or Embedding, or None
        None means :data:`DEFAULT_COLUMNS`.

    Attributes
    ----------
    columns : tuple of str
        What the table will hold, in order.
    own : tuple of Measurement
        What remains to be asked for, of each image alone.
    embeddings : tuple of Embedding
        What remains to be asked for, of many images at once.
    vector_columns : frozenset of str

    Raises
    ------
    TypeError, ValueError
        For one string, an unknown column, or two columns of one name.
    """

    def __init__(self, columns: Iterable[Column] | None) -> None:
        if isinstance(columns, str):
            raise TypeError(f"columns must be a list of columns, got {columns!r}")
        wanted: list[Column] = list(DEFAULT_COLUMNS) if columns is None else list(columns)
        self.own = tuple(item for item in wanted if isinstance(item, Measurement))
        self.embeddings = tuple(item for item in wanted if isinstance(item, Embedding))
        built_in = [item for item in wanted if not isinstance(item, (Measurement, Embedding))]
        unknown = [
            name for name in built_in if name not in ALL_COLUMNS and name not in STATUS_COLUMNS
        ]
        if unknown:
            raise ValueError(
                f"columns: unknown {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(ALL_COLUMNS)}, and Measurement and Embedding objects"
            )
        given = [item.name for item in self.embeddings if item.transformer is None]
        if given:
            raise ValueError(
                f"the column {given[0]!r} holds vectors that are not measured from images: give a "
                "measurement table that has it"
            )
        self.columns: tuple[str, ...] = tuple(
            dict.fromkeys(name for name in map(column_name, wanted) if name not in STATUS_COLUMNS)
        )
        self.vector_columns = frozenset(
            column_name(column) for column in wanted if holds_vectors(column)
        )
        own_names = [own.name for own in self.own] + [own.name for own in self.embeddings]
        clash = [
            name
            for name in own_names
            if own_names.count(name) > 1 or name in ALL_COLUMNS or name in STATUS_COLUMNS
        ]
        if clash:
            raise ValueError(f"columns: the name {clash[0]!r} is taken")
        self._built_in = frozenset(built_in)
        self._group_numbers = _group_numbers(built_in)

    def versions(self) -> dict[str, str]:
        """Return the version of each column: another one means other numbers.

        Returns
        -------
        versions : dict of str to str

        Raises
        ------
        ValueError
            If a column of the user's own has no version.
        """
        versions = {name: _version(name) for name in self._built_in if name in self.columns}
        owned: tuple[Measurement | Embedding, ...] = (*self.own, *self.embeddings)
        for own in owned:
            if own.version is None:
                raise ValueError(
                    f"cache: the column {own.name!r} needs a version, as in "
                    f'{type(own).__name__}(..., version="1"), so that a store of measurements '
                    "can tell when it has changed"
                )
            versions[own.name] = own.version
        return {name: versions[name] for name in self.columns}

    def measure(self, image: DecodedImage) -> dict[str, Any]:
        """Measure one decoded image: all but what is the user's own.

        Parameters
        ----------
        image : DecodedImage

        Returns
        -------
        values : dict of str to a number, text, vector or None
        """
        pixels = Pixels(image.pixels)
        values: dict[str, Value] = {}
        for number in self._group_numbers:
            group = _GROUPS[number]
            values.update(zip(group.columns, group.of_image(image, pixels), strict=True))
        return self._wanted(values)

    def measure_stack(self, images: Sequence[DecodedImage]) -> dict[str, Sequence[Any]]:
        """Measure decoded images of one shape together: all but what is the user's own.

        Parameters
        ----------
        images : sequence of n DecodedImage
            Small ones, see :func:`is_stacked`.

        Returns
        -------
        values : dict of str to sequence of n
        """
        stack = Stack(np.stack([image.pixels for image in images]))
        values: dict[str, Sequence[Any]] = {}
        for number in self._group_numbers:
            group = _GROUPS[number]
            values.update(zip(group.columns, group.measure_stack(images, stack), strict=True))
        return self._wanted(values)

    def _wanted(self, values: dict[str, Any]) -> dict[str, Any]:
        """Leave out what a group computes beside what was asked for."""
        return {name: value for name, value in values.items() if name in self._built_in}
