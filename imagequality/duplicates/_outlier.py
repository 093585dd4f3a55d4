"""Images unlike all others."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from .._base import HasMethods, Interval, clone_with_shared
from ..detectors import IssueDetector
from ..measurements import Column, Embedding, column_name
from ..thresholds import ThresholdSelector

_SAME = 1e-6  # cosine distance; two vectors of one image, whichever way they were computed


class OutlierDetector(IssueDetector):
    """Find images unlike all others in the collection.

    The score is 1 minus half the mean cosine distance to the ``n_neighbors`` nearest images of
    the fitted collection, the image itself (or one copy of it) left out.

    Parameters
    ----------
    embedder : transformer or None, default=None
        What the images are compared by, see :class:`SemanticDuplicateDetector`.
    n_neighbors : int, default=10
        Number of neighbours; in a smaller collection all others.
    threshold : ThresholdSelector, float or None, default=None
        What chooses the threshold from the scores.

    Attributes
    ----------
    threshold_ : float
    selector_ : ThresholdSelector
    classes_ : ndarray of shape (2,)

    Notes
    -----
    An outlier by the default descriptor has an unusual layout of edges and colours. It may be
    the most valuable image of the set: look before you drop it. The search compares all
    images with all, so its time grows with n².

    References
    ----------
    J. Kuan and J. Mueller, "Back to the Basics: Revisiting Out-of-Distribution Detection
    Baselines", 2022: the mean distance to the k nearest neighbours, k = 10.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality import OutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> ramp = np.linspace(0, 200, 32).astype(np.uint8)[:, None, None]
    >>> images = [ramp + rng.integers(0, 30, (32, 32, 3), dtype=np.uint8) for _ in range(50)]
    >>> stripes = np.tile(np.uint8([0, 0, 255, 255]), (32, 8))
    >>> np.flatnonzero(OutlierDetector().fit_predict([*images, np.dstack([stripes] * 3)]))
    array([50])
    """

    issue = "outlier"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **IssueDetector._parameter_constraints,
        "embedder": [None, HasMethods("transform")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        embedder: Any = None,
        *,
        n_neighbors: int = 10,
        threshold: ThresholdSelector | float | None = None,
    ) -> None:
        super().__init__(threshold)
        self.embedder = embedder
        self.n_neighbors = n_neighbors

    def __sklearn_clone__(self) -> Any:
        return clone_with_shared(self, "embedder")  # it is fitted

    def _columns(self) -> tuple[Column, ...]:
        return ("descriptor",) if self.embedder is None else (Embedding(self.embedder),)

    def _limits(self) -> tuple[float | None, float | None]:
        return (0.78, 0.87) if self.embedder is None else (None, None)

    def _vectors(self, table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        column = table[column_name(self._columns()[0])]
        rows = np.flatnonzero([vector is not None for vector in column])
        if not len(rows):
            return rows, np.empty((0, 1))
        return rows, normalize(np.stack(column.iloc[rows].tolist()).astype(np.float64))

    def _learn(self, table: pd.DataFrame) -> None:
        _, vectors = self._vectors(table)
        self._fitted, self._neighbors = vectors, None
        if len(vectors) > 1:
            self._neighbors = NearestNeighbors(metric="cosine", algorithm="brute").fit(vectors)

    def _score(self, table: pd.DataFrame) -> ArrayLike:
        rows, vectors = self._vectors(table)
        scores = np.full(len(table), np.nan)
        scores[rows] = 1.0
        if self._neighbors is not None and len(rows):
            asked = min(self.n_neighbors + 1, self._neighbors.n_samples_fit_)
            nearest = self._neighbors.kneighbors(vectors, asked, return_distance=False)
            distance = np.sort(self._distances(vectors, nearest), axis=1)
            # The image itself is no neighbour of its own; a new image may have one too many.
            itself = distance[:, 0] <= _SAME
            of_fitted, of_new = distance[:, 1:], distance[:, : self.n_neighbors]
            mean = np.where(itself, of_fitted.mean(axis=1), of_new.mean(axis=1))
            scores[rows] = 1 - mean / 2
        return scores

    def _distances(
        self, vectors: NDArray[np.float64], neighbors: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return the distance of each image to each of its neighbours.

        Once more, row by row: those of the search depend on the batch in their last digits.
        """
        columns = [(vectors * self._fitted[column]).sum(axis=1) for column in neighbors.T]
        return 1 - np.column_stack(columns)
