"""Duplicates by several kinds of evidence at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from .._base import DetectorComposition, validate_parameters
from ..measurements import Column, column_name
from ._base import DuplicateDetectorBase, Links, joined, select
from ._clusters import linked_clusters
from ._contents import Contents
from ._keep import Keep
from ._linked import LinkedDuplicateDetector
from ._near import NearDuplicateDetector
from ._semantic import SemanticDuplicateDetector


def default_evidence() -> list[tuple[str, DuplicateDetectorBase]]:
    """Return the detectors that ``DuplicateDetector()`` unites."""
    return [
        ("near", NearDuplicateDetector(views="mirror")),
        ("semantic", SemanticDuplicateDetector()),
    ]


class DuplicateDetector(DetectorComposition, DuplicateDetectorBase):
    """Find duplicates by several kinds of evidence at once.

    The links that the detectors find, each within its own distance, are put together, and
    linked images form a group. By default perceptual hashes find edited and mirrored copies,
    and a descriptor of gradients and colours those that are cropped or turned a little.

    The score of an image is 1 / the size of its group in the fitted collection. For images
    that were not in ``fit``, the content is looked up among the fitted ones; unmatched is 1.

    Parameters
    ----------
    detectors : list of (str, detector) or None, default=None
        Duplicate detectors and their names. None: :class:`NearDuplicateDetector` that looks
        for mirror images too, named "near", and :class:`SemanticDuplicateDetector`,
        "semantic". Parameters nest: ``near__views="all"`` finds quarter turns too.
    keep : {"best", "first"} or callable, default="best"
        See :class:`NearDuplicateDetector`.

    Attributes
    ----------
    labels_, keep_
        See :class:`NearDuplicateDetector`.
    pairs_ : DataFrame
        See :class:`NearDuplicateDetector`; two images may be linked in several ways. The
        unit of ``distance`` depends on ``kind``.
    groups_ : DataFrame
        See :class:`NearDuplicateDetector`. ``diameter`` and ``weakest_link`` are shares of the
        distance that each kind of evidence allows: 1 is just within it. Of several kinds, the
        smallest share counts.
    distances_ : dict of str to float or None
        The distance of each kind of links.
    reason_ : str
        What led to the distances.
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    References
    ----------
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-C: pixel-level and semantic-level
    duplicates together.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import DuplicateDetector
    >>> from imagequality.datasets import make_flawed_images
    >>> images, _ = make_flawed_images(100, size=64, contamination=0, random_state=0)
    >>> cropped = [image[6:58, 6:58] for image in images[:10]]
    >>> mirrored = [np.fliplr(image) for image in images[10:20]]
    >>> detector = DuplicateDetector().fit([*images, *cropped, *mirrored])
    >>> len(detector.groups_), (detector.labels_ >= 0).sum()
    (20, np.int64(40))
    >>> sorted(detector.pairs_["kind"].unique())
    ['descriptor', 'phash_256 mirror']
    """

    issue = "duplicates"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DuplicateDetectorBase._parameter_constraints,
        "detectors": [None, list],
    }

    def __init__(
        self, detectors: list[tuple[str, Any]] | None = None, *, keep: Keep = "best"
    ) -> None:
        self.detectors = detectors
        self.keep = keep

    def _default_detectors(self) -> list[tuple[str, DuplicateDetectorBase]]:
        return default_evidence()

    def _evidence_columns(self) -> tuple[Column, ...]:
        return tuple(
            column for _, detector in self._checked() for column in detector._evidence_columns()
        )

    def _checked(self) -> list[tuple[str, DuplicateDetectorBase]]:
        named = self._named_detectors
        for item in named:
            if not (isinstance(item, Sequence) and len(item) == 2 and isinstance(item[0], str)):
                raise ValueError(f"detectors must hold (name, detector) pairs, got {item!r}")
            if not isinstance(item[1], DuplicateDetectorBase) or isinstance(item[1], type(self)):
                raise TypeError(
                    f"detectors: {item[0]!r} must be a detector of exact, near or semantic "
                    f"duplicates, got {item[1]!r}"
                )
            validate_parameters(item[1])
        if not named:
            raise ValueError("detectors: at least one is needed, got none")
        self._validate_names([name for name, _ in named])
        return named

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        links: Links = []
        named = self._checked()
        evidence = [columns[0] for _, part in named if (columns := part._evidence_columns())]
        self._share_evidence = len(set(map(column_name, evidence))) < len(evidence)
        self._parts, self._graphs = [], {}
        self._dense = set()  # the kinds whose links come from HDBSCAN, which has no distance
        self.distances_: dict[str, float | None] = {}
        reasons = []
        for name, detector in named:
            part = clone(detector)
            found, labels = part._link(table, contents)
            self._parts.append((name, part))
            if isinstance(part, LinkedDuplicateDetector):
                for graph in part._graphs:
                    kind = self._kind(name, graph.kind)
                    self._graphs[kind] = graph
                    if part.method == "hdbscan":
                        self._dense.add(kind)
                    self.distances_[kind] = part.distances_[graph.kind]
                    reasons.append(f"{kind}: {part._fits[graph.kind].reason}")
            for kind, pairs in found:
                inside = labels[pairs.i] == labels[pairs.j]
                links.append((self._kind(name, kind), select(pairs, inside)))
        self.reason_ = "; ".join(reasons)
        return links, linked_clusters(*joined([pairs for _, pairs in links])[:2], len(contents))

    def _kind(self, name: str, kind: str) -> str:
        """Tell apart the links of detectors that use the same evidence."""
        return f"{name} {kind}" if self._share_evidence else kind

    def _match(self, table: pd.DataFrame) -> Links:
        return [
            (self._kind(name, kind), pairs)
            for name, part in self._parts
            for kind, pairs in part._match(table)
        ]

    def _in_unit(self, kind: str, distance: NDArray[Any]) -> NDArray[np.float64]:
        allowed = self.distances_[kind]
        if allowed is None and kind in self._dense:  # as where nothing is known
            allowed = self._graphs[kind].metric.fallback
        if allowed is None:
            return np.full(len(distance), np.inf)
        # Within a distance of 0 there is nothing but 0.
        return np.asarray(distance / allowed if allowed else np.where(distance > 0, np.inf, 0.0))

    def _distances(self, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        shares = [np.full(len(i), np.inf)]
        for kind, graph in self._graphs.items():
            shares.append(self._in_unit(kind, graph.distances(i, j)))
        return np.min(shares, axis=0)
