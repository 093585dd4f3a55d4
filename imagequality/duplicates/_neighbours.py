"""All pairs of neighbours: within a Hamming distance of hashes, or a cosine distance of vectors."""

from ._cosine import cosine_distances, cosine_histogram, cosine_pairs, iter_cosine_pairs
from ._hamming import (
    hamming_distances,
    hamming_histogram,
    hamming_pairs,
    iter_hamming_pairs,
    unpack_hashes,
)
from ._pairs import Pairs

__all__ = [
    "Pairs",
    "cosine_distances",
    "cosine_histogram",
    "cosine_pairs",
    "hamming_distances",
    "hamming_histogram",
    "hamming_pairs",
    "iter_cosine_pairs",
    "iter_hamming_pairs",
    "unpack_hashes",
]
