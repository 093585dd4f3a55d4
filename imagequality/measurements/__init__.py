"""Images → measurements: one decode per image, one named row.

``measure`` is the scan, ``Measurer`` the transformer of it. The functions below them are the
quantities themselves: pure functions of one image's pixels, or of their histogram.
"""

from ._columns import ALL_COLUMNS, DEFAULT_COLUMNS, TEXT_COLUMNS, Column, Measurement
from ._content import channels_identical, entropy
from ._exposure import (
    brightness_percentiles,
    mean_brightness,
    mean_intensity,
    value_percentiles,
    value_share,
)
from ._geometry import aspect_ratio, size
from ._hashes import hash_contrast, phash, pixel_digest
from ._pixels import channel_histograms, to_grey
from ._scan import Measurer, measure
from ._sharpness import cleanvision_blurriness, edge_frequency, laplacian_variance

__all__ = [
    "ALL_COLUMNS",
    "DEFAULT_COLUMNS",
    "TEXT_COLUMNS",
    "Column",
    "Measurement",
    "Measurer",
    "aspect_ratio",
    "brightness_percentiles",
    "channel_histograms",
    "channels_identical",
    "cleanvision_blurriness",
    "edge_frequency",
    "entropy",
    "hash_contrast",
    "laplacian_variance",
    "mean_brightness",
    "mean_intensity",
    "measure",
    "phash",
    "pixel_digest",
    "size",
    "to_grey",
    "value_percentiles",
    "value_share",
]
