"""Semantic duplicates, by the cosine distance of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from .._base import HasMethods, Interval, StrOptions, clone_with_shared
from ..measurements import VIEWS, Column, Embedding, column_name, descriptor_views
from ._base import Links, select
from ._clusters import similarity_components
from ._contents import Contents
from ._graphs import LEAST_CONTRAST, VIEWS_OPTIONS, CosineMetric, Features, Graph, graphs_of_views
from ._keep import Keep
from ._linked import LinkedDuplicateDetector, links_within
from ._vectors import Vectors

_FASTDUP_SIMILARITY = 0.96
_FASTDUP_NEIGHBORS = 2
_FALLBACK = 0.02  # cosine distance of the descriptor for collections that do not tell another
_HALF_TURN = 3  # in VIEWS


class SemanticDuplicateDetector(LinkedDuplicateDetector):
    """Find images that show the same: copies cropped, turned a little, drawn over.

    Images whose vectors lie within a cosine distance are linked, and linked images form a
    group. The vectors are those of an ``embedder``, or by default a fixed descriptor that needs
    no model: gradients and colours of a thumbnail (:func:`imagequality.measurements.descriptor`)
    of the image and of five crops of it, so that an image is found near a crop of it. The
    distance is chosen from the collection itself, as in :class:`NearDuplicateDetector`.

    The score of an image is 1 / the size of its group in the fitted collection. For images
    that were not in ``fit``, the content is looked up among the fitted ones; unmatched is 1.

    Parameters
    ----------
    embedder : transformer, str or None, default=None
        Fitted: ``embedder.transform(list of (h, w, 3) uint8 RGB arrays)`` gives one vector for
        each; see :mod:`imagequality.embedders`. For ``distance="auto"`` each image is shown to
        it a second time, upside down, to see what chance gives. A str names a column of the
        measurement table that holds vectors. None: the descriptor.
    column : str, default="embedding"
        Name of the column that the embedder's vectors get; of two embedders in one pipeline or
        :class:`DuplicateDetector`, each needs its own.
    method : {"single_linkage", "complete_linkage", "hdbscan", "fastdup"}, \
default="single_linkage"
        How links form groups, see :class:`NearDuplicateDetector`. ``"fastdup"``: images linked
        with one of their two nearest neighbours at a cosine similarity above 0.96, whatever
        the ``distance``.
    distance : "auto" or float, default="auto"
        Largest cosine distance (1 − cosine, 0 … 2) between two linked images.
    n_components : int or None, default=None
        Dimensions that a principal component analysis of the collection keeps; None: all.
    crops : bool, default=True
        Whether the descriptor is compared with those of crops too, in 6 to 11 times the time.
    views : {"identity", "mirror", "all"}, default="identity"
        See :class:`NearDuplicateDetector`; only with the descriptor.
    index : {"exact", "faiss"}, default="exact"
        How neighbours are searched, see :func:`imagequality.duplicates.cosine_pairs`. "faiss"
        needs ``crops=False`` or an embedder.
    keep : {"best", "first"} or callable, default="best"
        See :class:`NearDuplicateDetector`.

    Attributes
    ----------
    labels_, pairs_, groups_, keep_, distance_, distances_, reason_
        See :class:`NearDuplicateDetector`; distances are cosine distances.
    pca_ : PCA or None
    threshold_ : float
        1.0
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    A collection is searched all against all; the time grows with n². The fitted detector keeps
    the vectors, 31 kB an image with ``crops``. A nearly flat image (see
    :class:`NearDuplicateDetector`), and one whose vector is zero, is matched by its exact pixels
    only. Small grey images are better found by their hash.

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005.
    P.-H. Chen and S.-C. Chung, "A Data-Centric Perspective on the Influence of Image Data
    Quality in Machine Learning Models", section III-B (fastdup's rule).

    Examples
    --------
    >>> from imagequality import SemanticDuplicateDetector
    >>> from imagequality.datasets import make_flawed_images
    >>> images, _ = make_flawed_images(100, size=64, contamination=0, random_state=0)
    >>> cropped = [image[2:62, 2:62] for image in images[:20]]
    >>> detector = SemanticDuplicateDetector().fit([*images, *cropped])
    >>> detector.groups_[["size", "kept"]].head(2)
       size  kept
    0     2     0
    1     2     1
    """

    issue = "semantic_duplicates"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **LinkedDuplicateDetector._parameter_constraints,
        "embedder": [None, str, HasMethods("transform")],
        "column": [str],
        "method": [StrOptions({"single_linkage", "complete_linkage", "hdbscan", "fastdup"})],
        "n_components": [None, Interval(Integral, 1, None, closed="left")],
        "crops": ["boolean"],
        "views": VIEWS_OPTIONS,
        "index": [StrOptions({"exact", "faiss"})],
    }

    def __init__(
        self,
        embedder: Any = None,
        *,
        column: str = "embedding",
        method: str = "single_linkage",
        distance: float | str = "auto",
        n_components: int | None = None,
        crops: bool = True,
        views: str = "identity",
        index: str = "exact",
        keep: Keep = "best",
    ) -> None:
        self.embedder = embedder
        self.column = column
        self.method = method
        self.distance = distance
        self.n_components = n_components
        self.crops = crops
        self.views = views
        self.index = index
        self.keep = keep

    def __sklearn_clone__(self) -> Any:
        return clone_with_shared(self, "embedder")  # it is fitted

    def _evidence_columns(self) -> tuple[Column, ...]:
        if isinstance(self.embedder, str):
            return (Embedding(None, self.embedder),)
        if self.embedder is None:
            crops = ("descriptor_crops",) if self.crops else ()
            return ("descriptor", *crops, "hash_contrast")
        if self.distance != "auto" or self.method in {"hdbscan", "fastdup"}:
            return (Embedding(self.embedder, self.column),)
        shown = Embedding(self.embedder, self.column)
        return shown, Embedding(self.embedder, self._decoys, VIEWS[_HALF_TURN])

    @property
    def _decoys(self) -> str:
        return f"{self.column}_half_turn"

    def _table(self, X: Any) -> pd.DataFrame:
        names = [column_name(column) for column in self._evidence_columns()]
        is_table = isinstance(X, pd.DataFrame) and names[0] in X.columns
        if is_table and self._decoys in names and self._decoys not in X.columns:
            X = X.assign(**{self._decoys: None})  # vectors of the user's own making
        return super()._table(X)

    def _make_graphs(self, table: pd.DataFrame, order: NDArray[np.int64]) -> list[Graph]:
        if self.embedder is not None and self.views != "identity":
            raise ValueError(
                f"views={self.views!r} needs the descriptor, embedder=None: what an embedder gives "
                "for a mirrored image is not known"
            )
        if self.index == "faiss" and self.embedder is None and self.crops:
            raise ValueError("index='faiss' compares one vector an image: it needs crops=False")
        rows, vectors = self._vectors(table)
        self._fit_pca(vectors)
        views = {0: self._reduced(vectors)}
        for number, view in self._other_views(table, rows, vectors):
            views[number] = self._reduced(view)
        if self.embedder is None:
            kind, fallback = "descriptor", _FALLBACK
        else:
            kind = column_name(self._evidence_columns()[0])
            fallback = 1 - _FASTDUP_SIMILARITY
        sampled = 2_000 if vectors.shape[1] > 1 else 6_000  # more vectors, more products
        metric = CosineMetric(fallback, self.index, sampled)
        features = Features(kind, metric, rows, views, order)
        return graphs_of_views(features, self.views if len(rows) else "identity")

    def _other_views(
        self, table: pd.DataFrame, rows: NDArray[np.int64], vectors: Vectors
    ) -> Iterator[tuple[int, Vectors]]:
        """Yield the vectors of the images in other views, by number in :data:`VIEWS`."""
        if not len(rows):
            return
        if self.embedder is None:
            n, k, d = vectors.shape
            shown = descriptor_views(vectors.reshape(n * k, d))
            for number in range(1, 8 if self.views == "all" else 4):
                yield number, shown[number].reshape(n, k, d)
        elif self._decoys in table and table[self._decoys].iloc[rows].notna().all():
            yield _HALF_TURN, _stacked([table[self._decoys].iloc[rows]])

    def _new_features(self, table: pd.DataFrame) -> tuple[NDArray[np.int64], Vectors]:
        rows, vectors = self._vectors(table)
        return rows, self._reduced(vectors)

    def _vectors(self, table: pd.DataFrame) -> tuple[NDArray[np.int64], Vectors]:
        """Return the rows that have a vector other than zero, and their vectors at unit length.

        Returns
        -------
        rows : ndarray of shape (n,), int
        vectors : ndarray of shape (n, n_vectors, n_features)
            The first is that of the whole image, the others those of its crops.
        """
        names = [column_name(column) for column in self._evidence_columns()]
        columns = [table[name] for name in names if name not in (self._decoys, "hash_contrast")]
        directed = [vector is not None and bool(vector.any()) for vector in columns[0]]
        usable = np.array(directed, dtype=bool)
        if self.embedder is None:  # of a flat image only the colour is left
            usable &= table["hash_contrast"].to_numpy() >= LEAST_CONTRAST
        rows = np.flatnonzero(usable)
        if not len(rows):
            return rows, np.empty((0, 1, 1), dtype=np.float32)
        return rows, _stacked([column.iloc[rows] for column in columns])

    def _fit_pca(self, vectors: Vectors) -> None:
        self.pca_ = None
        if self.n_components is not None and len(vectors):
            flat = vectors[:, 0]
            kept = min(self.n_components, *flat.shape)
            # The solver without randomness: the same collection gives the same groups.
            self.pca_ = PCA(kept, svd_solver="full").fit(flat)

    def _reduced(self, vectors: Vectors) -> Vectors:
        if self.pca_ is None or not len(vectors):
            return vectors
        n, k, d = vectors.shape
        reduced = normalize(self.pca_.transform(vectors.reshape(n * k, d)))
        return np.asarray(reduced.reshape(n, k, -1), dtype=np.float32)

    def _link(self, table: pd.DataFrame, contents: Contents) -> tuple[Links, NDArray[np.int64]]:
        if self.method != "fastdup":
            return super()._link(table, contents)
        self._graphs = self._make_graphs(table, contents.by_digest)[:1]
        graph, n, distance = self._graphs[0], len(contents), 1 - _FASTDUP_SIMILARITY
        self._set_fits({graph.kind: graph.fit(distance)})
        pairs = links_within(graph, distance, n)
        labels = similarity_components(pairs, n, _FASTDUP_SIMILARITY, _FASTDUP_NEIGHBORS)
        inside = labels[pairs.i] == labels[pairs.j]
        return [(graph.kind, select(pairs, inside))], labels


def _stacked(columns: Sequence[pd.Series]) -> Vectors:
    """Stack the vectors of the whole image and of its crops, which are as long, at unit length."""
    first, *others = (np.stack(column.tolist()) for column in columns)
    n, length = first.shape
    parts = [first.reshape(n, 1, length), *(part.reshape(n, -1, length) for part in others)]
    vectors = np.concatenate(parts, axis=1)
    flat = normalize(vectors.reshape(-1, length))
    return np.asarray(flat.reshape(vectors.shape), dtype=np.float32)
