"""Near duplicates, by perceptual hashes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .._base import StrOptions
from ..measurements import FLIPS, VIEWS, Column
from ._base import Links
from ._clusters import linked_clusters
from ._contents import Contents
from ._graphs import LEAST_CONTRAST, VIEWS_OPTIONS, Features, Graph, HammingMetric, graphs_of_views
from ._keep import Keep
from ._linked import LinkedDuplicateDetector, links_within
from ._neighbours import unpack_hashes

_BITS = {
    **dict.fromkeys(("phash", "dhash", "ahash", "whash"), 64),
    **dict.fromkeys(("phash_256", "dhash_256", "ahash_256", "whash_256"), 256),
}
_BITS_WITHOUT_VIEWS = {"colorhash": 42, "colorhash_256": 252}  # colours have no mirror image


class NearDuplicateDetector(LinkedDuplicateDetector):
    """Find images that look alike: recompressed, resized, slightly edited copies.

    Images whose perceptual hashes differ in at most so many bits are linked, and linked images
    form a group. How many bits is chosen from the collection itself: at the chosen distance
    the mirror images of the collection, which are copies of nothing in it, would give no more
    than a small share of the pairs found. A collection without duplicates reports none.

    The score of an image is 1 / the size of its group in the fitted collection. For images
    that were not in ``fit``, the content is looked up among the fitted ones; unmatched is 1.

    Parameters
    ----------
    method : {"single_linkage", "complete_linkage", "hdbscan", "identical"}, \
default="single_linkage"
        How links form groups. ``"single_linkage"`` (the paper): linked images, directly or
        through others. ``"complete_linkage"``: any two images of a group are linked.
        ``"hdbscan"``: clusters of density, whatever the distance; it finds clusters in
        collections without duplicates too, and takes time that grows with n².
        ``"identical"`` (CleanVision's rule): images of one hash, unless all of them are equal
        pixel for pixel, which is left to the detector of exact duplicates.
    hash : str, default="phash_256"
        ``"phash"``, ``"dhash"``, ``"ahash"`` or ``"whash"`` with 64 bits, the same with
        ``"_256"``, ``"colorhash"`` or ``"colorhash_256"``: imagehash's, bit for bit.
    distance : "auto" or float, default="auto"
        Largest Hamming distance between two linked images, in bits.
    views : {"identity", "mirror", "all"}, default="identity"
        Whether to find mirror images too, or images turned by quarter turns and mirrored.
        Each view has a distance of its own.
    keep : {"best", "first"} or callable, default="best"
        Which image of a group stays. ``"best"``: the largest, then the largest file, then the
        first; within a :class:`QualityPipeline` an image without other issues before all
        others, and of equally large ones the least flawed. A callable gets the rows of one
        group in the measurement table and returns the position of one of them.

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int
        Number of the group of each fitted image, −1 for images without a duplicate.
    pairs_ : DataFrame
        Linked images: positions ``i`` < ``j`` in the collection, ``distance`` in bits,
        ``kind`` ("exact", the hash, or the hash and the view).
    groups_ : DataFrame
        One row per group: ``group``, ``size``, ``contents`` (distinct images in it), ``kept``
        (position of the image that stays), ``diameter`` (largest distance between any two of
        its images, in bits; a lower bound where ``diameter_exact`` is False),
        ``weakest_link`` (the largest step on the way from one image of the group to any
        other). A diameter far above the weakest link is a chain.
    keep_ : ndarray of shape (n,), bool
        False for the images of each group that need not be kept.
    distance_ : float or None
        The distance for images as they are. None if no distance is safe, so that only exact
        copies are grouped, and for ``method="hdbscan"``, which has none.
    distances_ : dict of str to float or None
        The same for each kind of links.
    reason_ : str
        What led to the distance.
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    Exact duplicates are near duplicates too. A nearly flat image (its coarse structure varies
    by less than 2 grey levels) has a hash of rounding noise; it is matched by its exact pixels
    only. Crops and small rotations are found by :class:`SemanticDuplicateDetector`.

    ``predict`` on new images tells which of them repeat a *group* of the fitted collection;
    whether they repeat any fitted image is asked with ``find_matches``, and whether two sets
    share images with :func:`find_leaks`.

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
    >>> detector = NearDuplicateDetector().fit(images)
    >>> detector.labels_
    array([ 0,  0, -1])
    >>> detector.pairs_
       i  j  distance       kind
    0  0  1       0.0  phash_256
    """

    issue = "near_duplicates"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinkedDuplicateDetector._parameter_constraints,
        "method": [StrOptions({"single_linkage", "complete_linkage", "hdbscan", "identical"})],
        "hash": [StrOptions({*_BITS, *_BITS_WITHOUT_VIEWS})],
        "views": VIEWS_OPTIONS,
    }

    def __init__(
        self,
        method: str = "single_linkage",
        *,
        hash: str = "phash_256",
        distance: float | str = "auto",
        views: str = "identity",
        keep: Keep = "best",
    ) -> None:
        self.method = method
        self.hash = hash
        self.distance = distance
        self.views = views
        self.keep = keep

    def _evidence_columns(self) -> tuple[Column, ...]:
        columns = [self.hash, "hash_contrast"]
        if self.views != "identity" and self.hash not in _BITS:
            raise ValueError(
                f"views={self.views!r}: a hash of colours has no views; use another "
                f"hash than {self.hash!r}, or views='identity'"
            )
        if self.views == "all":
            columns.append(f"{self.hash}_views")
        elif self.views == "mirror" or self._needs_decoys():
            columns.append(f"{self.hash}_flips")
        return tuple(columns)

    def _needs_decoys(self) -> bool:
        chosen = self.distance == "auto" and self.method in {"single_linkage", "complete_linkage"}
        return chosen and self.hash in _BITS

    def _hashed(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Return the rows whose hash says something."""
        structured = table["hash_contrast"].to_numpy() >= LEAST_CONTRAST
        return np.flatnonzero(structured & table[self.hash].notna().to_numpy())

    def _make_graphs(self, table: pd.DataFrame, order: NDArray[np.int64]) -> list[Graph]:
        items = self._hashed(table)
        hashed = table.iloc[items]
        views = {0: unpack_hashes(hashed[self.hash].tolist())}
        for column, first in ((f"{self.hash}_flips", 1), (f"{self.hash}_views", 0)):
            if column in hashed:
                views.update(enumerate(_unpacked(hashed[column], first), first))
        metric = HammingMetric({**_BITS, **_BITS_WITHOUT_VIEWS}[self.hash])
        features = Features(self.hash, metric, items, views, order)
        return graphs_of_views(features, self.views)

    def _new_features(self, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[Any]]:
        rows = self._hashed(table)
        return rows, unpack_hashes(table[self.hash].iloc[rows].tolist())

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        if self.method != "identical":
            return super()._link(table, contents)
        self._graphs = self._make_graphs(table, contents.by_digest)[:1]
        fit = self._graphs[0].fit(0)
        self._set_fits({self.hash: fit})
        links = [(self.hash, links_within(self._graphs[0], 0, len(contents)))]
        return links, linked_clusters(*links[0][1][:2], len(contents))

    def _groups_exact_copies(self) -> bool:
        return self.method != "identical"


def _unpacked(texts: pd.Series, first: int) -> list[NDArray[np.uint64]]:
    """Cut the hashes of several views apart: of all, or of the flips, which begin at the second."""
    number = len(VIEWS) if first == 0 else len(FLIPS)
    if texts.empty:
        return [np.empty((0, 1), dtype=np.uint64)] * number
    words = unpack_hashes(texts.tolist())  # a view has 16 or 64 digits: whole words
    return [np.ascontiguousarray(view) for view in np.split(words, number, axis=1)]
