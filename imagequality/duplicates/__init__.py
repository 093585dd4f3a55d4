"""Content keys → neighbouring pairs → clusters, and the duplicate detectors."""

from ._clusters import (
    complete_linkage,
    density_clusters,
    describe_clusters,
    identical,
    linked_clusters,
    merge_forests,
    minimum_spanning_forest,
    similarity_components,
    single_linkage,
    spanning_forest_of_chunks,
)
from ._exact import ExactDuplicateDetector
from ._leaks import find_leaks
from ._near import NearDuplicateDetector
from ._neighbours import (
    Pairs,
    cosine_distances,
    cosine_histogram,
    cosine_pairs,
    hamming_distances,
    hamming_histogram,
    hamming_pairs,
    iter_cosine_pairs,
    iter_hamming_pairs,
    unpack_hashes,
)
from ._outlier import OutlierDetector
from ._semantic import SemanticDuplicateDetector
from ._united import DuplicateDetector

__all__ = [
    "DuplicateDetector",
    "ExactDuplicateDetector",
    "NearDuplicateDetector",
    "OutlierDetector",
    "Pairs",
    "SemanticDuplicateDetector",
    "complete_linkage",
    "cosine_distances",
    "cosine_histogram",
    "cosine_pairs",
    "density_clusters",
    "describe_clusters",
    "find_leaks",
    "hamming_distances",
    "hamming_histogram",
    "hamming_pairs",
    "identical",
    "iter_cosine_pairs",
    "iter_hamming_pairs",
    "linked_clusters",
    "merge_forests",
    "minimum_spanning_forest",
    "similarity_components",
    "single_linkage",
    "spanning_forest_of_chunks",
    "unpack_hashes",
]
