"""Exact and near duplicates, by the content of the images."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._base import Interval, StrOptions
from ..detectors import IssueDetector
from ..measurements import Column
from ..thresholds import FixedThreshold, ThresholdSelector
from ._clusters import linked_clusters
from ._neighbours import hamming_pairs, unpack_hashes

_LEAST_CONTRAST = 2.0  # grey levels; below it the bits of a hash are rounding noise


class _DuplicateDetector(IssueDetector):
    """What the duplicate detectors share: content keys → clusters → 1 / size.

    A subclass gives every row a content key, None where the image could not be read, and says
    which of the distinct keys belong together.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def _keys(self, table: pd.DataFrame) -> NDArray[np.object_]:
        raise NotImplementedError

    def _cluster_keys(self, keys: pd.Index) -> NDArray[np.int64]:
        """Return a cluster label for each of the distinct keys."""
        return np.arange(len(keys))

    def _left_out(self, table: pd.DataFrame, clusters: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the clusters that are not duplicates of this kind."""
        return np.empty(0, dtype=np.int64)

    def _default_threshold(self) -> ThresholdSelector:
        return FixedThreshold(1.0)

    def _learn(self, table: pd.DataFrame) -> None:
        codes, keys = pd.factorize(self._keys(table))  # code −1: no key
        cluster_of_key = self._cluster_keys(pd.Index(keys))
        readable = codes >= 0
        clusters = np.full(len(table), -1)
        clusters[readable] = cluster_of_key[codes[readable]]
        sizes = np.bincount(clusters[readable], minlength=1)
        sizes[self._left_out(table, clusters)] = 1
        self._size_of_key = dict(zip(keys, sizes[cluster_of_key], strict=True))
        self.labels_ = _number_groups(clusters, sizes)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        size_of_key = self._size_of_key
        return np.array(
            [np.nan if key is None else 1 / size_of_key.get(key, 1) for key in self._keys(table)]
        )


def _number_groups(clusters: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each cluster of two or more a number by first appearance, everything else −1."""
    grouped = np.flatnonzero((clusters >= 0) & (sizes[clusters] > 1))
    labels = np.full(len(clusters), -1)
    labels[grouped] = pd.factorize(clusters[grouped])[0]
    return labels


class ExactDuplicateDetector(_DuplicateDetector):
    """Find images whose decoded pixels are equal, in whatever files they are stored.

    The score of an image is 1 / the number of images in the fitted collection with its pixels
    and shape, itself included (CleanVision's definition): 1 for a unique image, 0.5 for each
    of a pair. For images that were not in ``fit``, the content is looked up among the fitted
    ones; unmatched is 1.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int
        Number of the group of each fitted image, −1 for images without a duplicate.
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Images are compared as they are measured, in RGB with 8 bits a channel: a file and its
    losslessly converted or EXIF-rotated twin are equal, and so are two 16-bit images that
    differ only in their low bytes. ``predict`` on new images tells which of them repeat a
    *group* of the fitted collection; it is no search for leaks between two sets, since a copy
    of a unique image scores 1. To compare two sets, fit on both together.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-A.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import ExactDuplicateDetector
    >>> images = np.stack([np.full((8, 8, 3), level, np.uint8) for level in (1, 2, 1)])
    >>> detector = ExactDuplicateDetector().fit(images)
    >>> detector.predict(images), detector.labels_
    (array([1, 0, 1]), array([ 0, -1,  0]))
    """

    issue = "exact_duplicates"
    columns = ("pixel_digest",)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init__(self) -> None:
        pass

    def _keys(self, table: pd.DataFrame) -> NDArray[np.object_]:
        return table["pixel_digest"].to_numpy()


class NearDuplicateDetector(_DuplicateDetector):
    """Find images that look alike: recompressed, resized, slightly edited copies.

    ``method="single_linkage"`` (the paper): images whose perceptual hashes differ in at most
    ``distance`` bits are linked, and linked images form a cluster.

    ``method="identical"`` (CleanVision's rule): images of one hash form a cluster, unless all
    of them are equal pixel for pixel, which is left to the detector of exact duplicates.

    The score of an image is 1 / the size of its cluster in the fitted collection. For images
    that were not in ``fit``, the hash is looked up among the fitted ones; unmatched is 1.

    Parameters
    ----------
    method : {"single_linkage", "identical"}, default="single_linkage"
        How hashes form clusters.
    hash : {"phash_256", "phash"}, default="phash_256"
        imagehash's pHash with 256 or with 64 bits.
    distance : int, default=24
        Largest Hamming distance between two linked images, in bits, at least 0. For
        ``hash="phash"`` divide by four.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int
        Number of the group of each fitted image, −1 for images without a duplicate.
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    A nearly flat image (its coarse structure varies by less than 2 grey levels) has a hash of
    rounding noise; it is matched by its exact pixels only. With single linkage, exact
    duplicates are near duplicates too. It chains: the ends of a long cluster may differ by more
    than ``distance``. Crops, rotations and mirror images are not found by a hash.

    ``predict`` on new images tells which of them repeat a *group* of the fitted collection; it
    is no search for leaks between two sets, since a copy of a unique image scores 1. To compare
    two sets, fit on both together.

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", sections III-A and III-C.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import NearDuplicateDetector
    >>> image = np.random.default_rng(0).integers(0, 200, (32, 32, 3), dtype=np.uint8)
    >>> images = [image, image + np.uint8(20), image.transpose(1, 0, 2)]
    >>> NearDuplicateDetector().fit_predict(images)
    array([1, 1, 0])
    """

    issue = "near_duplicates"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [StrOptions({"single_linkage", "identical"})],
        "hash": [StrOptions({"phash", "phash_256"})],
        "distance": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        method: str = "single_linkage",
        *,
        hash: str = "phash_256",
        distance: int = 24,
    ) -> None:
        self.method = method
        self.hash = hash
        self.distance = distance

    def _columns(self) -> tuple[Column, ...]:
        return (self.hash, "hash_contrast", "pixel_digest")

    def _keys(self, table: pd.DataFrame) -> NDArray[np.object_]:
        keys = table[self.hash].to_numpy(copy=True)
        flat = np.flatnonzero(table["hash_contrast"].to_numpy() < _LEAST_CONTRAST)
        digests = table["pixel_digest"].to_numpy()[flat]
        keys[flat] = [None if digest is None else f"={digest}" for digest in digests]
        return keys

    def _left_out(self, table: pd.DataFrame, clusters: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.method != "identical":
            return super()._left_out(table, clusters)
        contents = table["pixel_digest"].groupby(clusters).nunique()
        return contents.index[(contents == 1) & (contents.index >= 0)].to_numpy()

    def _cluster_keys(self, keys: pd.Index) -> NDArray[np.int64]:
        if self.method == "identical":
            return np.arange(len(keys))
        hashed = np.flatnonzero([not key.startswith("=") for key in keys])
        pairs = hamming_pairs(unpack_hashes(keys[hashed].tolist()), self.distance)
        return linked_clusters(hashed[pairs.i], hashed[pairs.j], len(keys))
