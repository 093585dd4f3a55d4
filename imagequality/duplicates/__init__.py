"""Content keys → neighbouring pairs → clusters, and the duplicate detectors."""

from ._clusters import linked_clusters
from ._detectors import ExactDuplicateDetector, NearDuplicateDetector
from ._neighbours import Pairs, hamming_pairs, unpack_hashes

__all__ = [
    "ExactDuplicateDetector",
    "NearDuplicateDetector",
    "Pairs",
    "hamming_pairs",
    "linked_clusters",
    "unpack_hashes",
]
