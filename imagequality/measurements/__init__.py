"""Images → measurements: one decode per image, one named row.

``measure`` is the scan, ``Measurer`` the transformer of it. The functions below them are the
quantities themselves: pure functions of one image's pixels, or of their histogram.
"""

from ._columns import (
    ALL_COLUMNS,
    DEFAULT_COLUMNS,
    HASHES,
    HASHES_WITHOUT_VIEWS,
    TEXT_COLUMNS,
    VECTOR_COLUMNS,
    Column,
    Measurement,
    column_name,
    holds_vectors,
)
from ._compression import blockiness, jpeg_quality
from ._content import channels_identical, entropy
from ._descriptor import CROP, CROPS, descriptor, descriptor_crops, descriptor_views
from ._embedding import Embedding
from ._exposure import (
    brightness_percentiles,
    mean_brightness,
    mean_intensity,
    value_percentiles,
    value_share,
    value_shares,
)
from ._geometry import aspect_ratio, size
from ._hashes import (
    ahash,
    colorhash,
    dhash,
    hash_contrast,
    hash_of_views,
    low_frequencies,
    phash,
    phash_of_views,
    pixel_digest,
    whash,
)
from ._isolation import Isolation
from ._isolation_pool import WorkerError
from ._noise import noise_sigma
from ._pixelation import block_repetition, spectral_extent
from ._pixels import channel_histograms, to_grey
from ._sampling import sampled_rows
from ._scan import Measurer, measure
from ._sharpness import cleanvision_blurriness, edge_frequency, laplacian_variance
from ._store import Store, StoreError, export_parquet, read_store
from ._views import FLIPS, VIEWS, View

__all__ = [
    "ALL_COLUMNS",
    "CROP",
    "CROPS",
    "DEFAULT_COLUMNS",
    "FLIPS",
    "HASHES",
    "HASHES_WITHOUT_VIEWS",
    "TEXT_COLUMNS",
    "VECTOR_COLUMNS",
    "VIEWS",
    "Column",
    "Embedding",
    "Isolation",
    "Measurement",
    "Measurer",
    "Store",
    "StoreError",
    "View",
    "WorkerError",
    "ahash",
    "aspect_ratio",
    "block_repetition",
    "blockiness",
    "brightness_percentiles",
    "channel_histograms",
    "channels_identical",
    "cleanvision_blurriness",
    "colorhash",
    "column_name",
    "descriptor",
    "descriptor_crops",
    "descriptor_views",
    "dhash",
    "edge_frequency",
    "entropy",
    "export_parquet",
    "hash_contrast",
    "hash_of_views",
    "holds_vectors",
    "jpeg_quality",
    "laplacian_variance",
    "low_frequencies",
    "mean_brightness",
    "mean_intensity",
    "measure",
    "noise_sigma",
    "phash",
    "phash_of_views",
    "pixel_digest",
    "read_store",
    "sampled_rows",
    "size",
    "spectral_extent",
    "to_grey",
    "value_percentiles",
    "value_share",
    "value_shares",
    "whash",
]
