"""Vectors from a transformer of the user's: a neural network, say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images import RGBArray
from ._views import VIEWS, View

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Embedding:
    """A vector for each image from a transformer of one's own, in the same pass as all else.

    Parameters
    ----------
    transformer : object
        Fitted. ``transformer.transform(images)`` takes a list of k ``(h, w, 3)`` uint8 RGB
        arrays, of any sizes, and returns k vectors of one length: an array-like of shape
        (k, d). OpenCV and NumPy's matrix products work on one thread meanwhile, since the workers
        share the cores. It should treat each image alone, since the batches are those of the
        scan. With several workers it is called from several threads at once. An exception in it
        makes the row of the image that causes it invalid, with the reason. None: the vectors were
        made elsewhere, in a column of a table; they cannot be measured.
    name : str, default="embedding"
        Name of its column, which holds one float32 array of shape (d,) per row, None where
        there is no vector.
    view : View, default=VIEWS[0]
        In which each image is shown to the transformer, one of
        :data:`imagequality.measurements.VIEWS`; by default as it is. Of one transformer there
        may be several in a scan, with a view and a name each, to find mirrored or turned
        images, say.
    version : str, default=None
        Needed for ``measure(..., cache=...)`` only, to tell this transformer's vectors from
        those of another one of the same name.

    Raises
    ------
    TypeError
        If the transformer has no method ``transform``, or the view is none.

    Notes
    -----
    ``sklearn.base.clone`` shares the transformer: it is fitted, and may be large.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.measurements import Embedding, measure
    >>> class MeanColour:
    ...     def transform(self, images):
    ...         return [image.mean(axis=(0, 1)) for image in images]
    >>> images = np.zeros((2, 8, 8, 3), np.uint8)
    >>> images[1, ..., 0] = 255
    >>> measure(images, columns=[Embedding(MeanColour(), "colour")])["colour"].tolist()
    [array([0., 0., 0.], dtype=float32), array([255.,   0.,   0.], dtype=float32)]

    The same of the image as it is and of the image turned upside down:

    >>> from imagequality.measurements import VIEWS
    >>> class TopRow:
    ...     def transform(self, images):
    ...         return [image[0, :, 0] for image in images]
    >>> model = TopRow()
    >>> both = [Embedding(model), Embedding(model, "embedding_half_turn", VIEWS[3])]
    >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
    >>> table = measure([image], columns=both)
    >>> table["embedding"][0].tolist(), table["embedding_half_turn"][0].tolist()
    ([0.0, 1.0, 2.0], [5.0, 4.0, 3.0])
    """

    # A transformer need not be hashable.
    transformer: Any = field(hash=False)
    name: str = "embedding"
    view: View = VIEWS[0]
    version: str | None = None

    def __post_init__(self) -> None:
        given = self.transformer is None
        if not given and not callable(getattr(self.transformer, "transform", None)):
            raise TypeError(
                f"transformer must have a method transform(images), got {self.transformer!r}"
            )
        if not isinstance(self.view, View):
            raise TypeError(f"view must be one of VIEWS, got {self.view!r}")

    def __sklearn_clone__(self) -> Embedding:
        return self


def embed(embedding: Embedding, images: Sequence[RGBArray]) -> list[Vector | str]:
    """Ask for the vectors of some images at once; one by one, if that fails.

    Parameters
    ----------
    embedding : Embedding
    images : sequence of ndarray of shape (h, w, 3), uint8
        As they are; the transformer gets them in the embedding's view.

    Returns
    -------
    outcomes : list
        Of each image its vector, float32 of shape (d,), or the reason why there is none.

    Raises
    ------
    ValueError
        If the transformer returns more or fewer vectors than it got images.

    Examples
    --------
    >>> import numpy as np
    >>> class Inverse:
    ...     def transform(self, images):
    ...         return [[1 / int(image.max())] for image in images]
    >>> embed(Embedding(Inverse()), [np.ones((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)])
    [array([1.], dtype=float32), 'division by zero']
    """
    try:
        # A view is made contiguous since not every transformer takes negative strides.
        shown = [np.ascontiguousarray(embedding.view.of(image)) for image in images]
        result = embedding.transformer.transform(shown)
        with np.errstate(over="ignore"):  # what float32 cannot hold is not finite, see below
            vectors = np.array(result, dtype=np.float32)
    except Exception as error:  # one image must not end the scan of a million
        if len(images) == 1:
            return [str(error) or type(error).__name__]
        return [outcome for image in images for outcome in embed(embedding, [image])]
    if vectors.ndim != 2:
        # The same words for any number of images: a row must not depend on its neighbours.
        reason = (
            f"the transformer of {embedding.name!r} must return an array of shape (k, d) for k "
            f"images, got {vectors.ndim} dimension(s)"
        )
        return [reason] * len(images)
    if len(vectors) != len(images):
        raise ValueError(
            f"the transformer of {embedding.name!r} must return one vector per image, got "
            f"{len(vectors)} for {len(images)}"
        )
    return [_why_useless(vector, embedding.name) or vector for vector in vectors]


def _why_useless(vector: Vector, name: str) -> str:
    if not vector.size:
        return f"the vector of {name!r} is empty"
    return "" if np.isfinite(vector).all() else f"the vector of {name!r} is not finite"
