"""A model for those who have none at hand: a linear one on descriptors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer

from .._base import takes_images
from ..images import UnreadableImageError, as_references, load_image
from ..measurements import descriptor
from ..measurements._descriptor import DESCRIPTOR_LENGTH


def default_model() -> Pipeline:
    """Return a linear classifier of feature vectors, each brought to unit norm.

    Features are not standardised: one that a flaw makes constant would be divided by next to
    nothing, and the model would be lost for that reason alone.
    """
    return make_pipeline(Normalizer(), LogisticRegression(C=10.0, max_iter=1000))


class DescriptorEmbedder(TransformerMixin, BaseEstimator):
    """The vector of each image's oriented gradients and colours, as a transformer.

    It needs no network and no model file: see :func:`imagequality.measurements.descriptor`. With
    a linear classifier behind it, it makes a model that is trained in seconds. It sees the
    32 × 32 thumbnail of an image only, and gradients without their contrast: so it bears darkness
    better than most networks, and large images bear blur and noise.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.impact import DescriptorEmbedder
    >>> images = np.random.default_rng(0).integers(0, 256, (5, 40, 60, 3), dtype=np.uint8)
    >>> DescriptorEmbedder().transform(images).shape
    (5, 320)
    """

    def fit(self, X: Any, y: Any = None) -> DescriptorEmbedder:
        """Do nothing: there is nothing to learn.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self : DescriptorEmbedder
        """
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the descriptor of each image.

        Parameters
        ----------
        X : collection of images
            Arrays, paths, or whatever :func:`imagequality.load_image` takes.

        Returns
        -------
        vectors : ndarray of shape (n, 320), float32, in [0, 1]

        Raises
        ------
        UnreadableImageError
            A ValueError; it tells the position of the image.
        """
        references, _ = as_references(X)
        vectors = np.empty((len(references), DESCRIPTOR_LENGTH), dtype=np.float32)
        for position, reference in enumerate(references):
            try:
                vectors[position] = descriptor(load_image(reference))
            except UnreadableImageError as error:
                raise UnreadableImageError(f"image at position {position}: {error}") from error
        return vectors

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = takes_images(super().__sklearn_tags__())
        tags.requires_fit = False
        tags.input_tags.allow_nan = False
        return tags
