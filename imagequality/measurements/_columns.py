"""Which columns exist, which function makes each, and which are measured by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..images import DecodedImage, RGBArray
from . import _content, _exposure, _geometry, _hashes, _sharpness
from ._pixels import Pixels

Value = float | int | str | bool | None


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


Column = str | Measurement


BRIGHT = 192  # three quarters of the range: where highlights begin


@dataclass(frozen=True)
class _Group:
    """Columns that one function computes together."""

    columns: tuple[str, ...]
    function: Callable[[DecodedImage, Pixels], Sequence[Value]]


def _facts(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    return image.format, image.mode, image.file_size


def _shape(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    height, width = image.pixels.shape[:2]
    return (
        width,
        height,
        _geometry.size(width, height),
        _geometry.aspect_ratio(width, height),
    )


def _brightness(image: DecodedImage, pixels: Pixels) -> Sequence[Value]:
    return _exposure.brightness_percentiles(pixels.rgb, _exposure.PERCENTILES).tolist()


_GROUPS = (
    _Group(("format", "mode", "file_size"), _facts),
    _Group(("width", "height", "size", "aspect_ratio"), _shape),
    _Group(
        tuple(f"brightness_perc_{percentile}" for percentile in _exposure.PERCENTILES),
        _brightness,
    ),
    _Group(("brightness",), lambda image, pixels: (_exposure.mean_brightness(pixels.histogram),)),
    _Group(("intensity",), lambda image, pixels: (_exposure.mean_intensity(pixels.histogram),)),
    _Group(
        ("value_perc_99",),
        lambda image, pixels: _exposure.value_percentiles(pixels.rgb, [99]).tolist(),
    ),
    _Group(
        ("clipped_share", "bright_share"),
        lambda image, pixels: (
            _exposure.value_share(pixels.rgb, 255),
            _exposure.value_share(pixels.rgb, BRIGHT),
        ),
    ),
    _Group(
        ("edge_frequency",),
        lambda image, pixels: (_sharpness.edge_frequency(pixels.grey_for_sharpness),),
    ),
    _Group(
        ("laplacian_variance",),
        lambda image, pixels: (_sharpness.laplacian_variance(pixels.grey),),
    ),
    _Group(
        ("blurriness", "blurriness_grayscale_std"),
        lambda image, pixels: _sharpness.cleanvision_blurriness(pixels.rgb),
    ),
    _Group(("entropy",), lambda image, pixels: (_content.entropy(pixels.histogram),)),
    _Group(
        ("channels_identical",),
        lambda image, pixels: (float(_content.channels_identical(pixels.rgb)),),
    ),
    _Group(("pixel_digest",), lambda image, pixels: (_hashes.pixel_digest(pixels.rgb),)),
    _Group(("phash",), lambda image, pixels: (_hashes.phash(pixels.grey, 8),)),
    _Group(("phash_256",), lambda image, pixels: (_hashes.phash(pixels.grey, 16),)),
    _Group(("hash_contrast",), lambda image, pixels: (_hashes.hash_contrast(pixels.grey),)),
)

TEXT_COLUMNS = frozenset({"reason", "format", "mode", "pixel_digest", "phash", "phash_256"})
"""The columns that hold text; all others hold numbers."""

INTEGER_COLUMNS = frozenset({"file_size", "width", "height"})

STATUS_COLUMNS = ("valid", "reason")
"""In every table: whether the image could be measured, and if not, why."""

ALL_COLUMNS = tuple(column for group in _GROUPS for column in group.columns)
"""Every column that :func:`measure` knows."""

DEFAULT_COLUMNS = (
    "format",
    "mode",
    "file_size",
    "width",
    "height",
    "size",
    "aspect_ratio",
    *(f"brightness_perc_{percentile}" for percentile in _exposure.PERCENTILES),
    "value_perc_99",
    "clipped_share",
    "bright_share",
    "edge_frequency",
    "entropy",
    "channels_identical",
    "pixel_digest",
    "phash_256",
    "hash_contrast",
)
"""What the default pipeline needs, and the facts of the file."""


class Plan:
    """What to compute for each image, so that it can be sent to a worker once.

    Parameters
    ----------
    columns : sequence of str or Measurement, or None
        None means :data:`DEFAULT_COLUMNS`.

    Raises
    ------
    TypeError, ValueError
        For one string, an unknown column, or two columns of one name.
    """

    def __init__(self, columns: Iterable[Column] | None) -> None:
        if isinstance(columns, str):
            raise TypeError(f"columns must be a list of columns, got {columns!r}")
        wanted = list(DEFAULT_COLUMNS) if columns is None else list(columns)
        self._own = tuple(item for item in wanted if isinstance(item, Measurement))
        built_in = [item for item in wanted if not isinstance(item, Measurement)]
        unknown = [
            name for name in built_in if name not in ALL_COLUMNS and name not in STATUS_COLUMNS
        ]
        if unknown:
            raise ValueError(
                f"columns: unknown {', '.join(map(repr, unknown))}; "
                f"known are {', '.join(ALL_COLUMNS)}, and Measurement objects"
            )
        self.columns: tuple[str, ...] = tuple(
            dict.fromkeys(
                name
                for name in (item if isinstance(item, str) else item.name for item in wanted)
                if name not in STATUS_COLUMNS
            )
        )
        own_names = [measurement.name for measurement in self._own]
        clash = [
            name
            for name in own_names
            if own_names.count(name) > 1 or name in ALL_COLUMNS or name in STATUS_COLUMNS
        ]
        if clash:
            raise ValueError(f"columns: the name {clash[0]!r} is taken")
        self._group_numbers = tuple(
            number
            for number, group in enumerate(_GROUPS)
            if not set(group.columns).isdisjoint(built_in)
        )

    def measure(self, image: DecodedImage) -> dict[str, Any]:
        """Measure one decoded image."""
        pixels = Pixels(image.pixels)
        row: dict[str, Value] = {}
        for number in self._group_numbers:
            group = _GROUPS[number]
            row.update(zip(group.columns, group.function(image, pixels), strict=True))
        for measurement in self._own:
            row[measurement.name] = float(measurement.function(image.pixels))
        return row
