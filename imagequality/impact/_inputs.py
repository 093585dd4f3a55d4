"""What estimators are given: images, or the features that an embedder makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.exceptions import NotFittedError

from .._base import safe_indexing
from ..images import RGBArray
from ._splits import Rows


def as_collection(images: Sequence[RGBArray]) -> Any:
    """Return images as an estimator gets them: one array if they are of one size, else a list."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    return list(images)


def as_inputs(images: Sequence[RGBArray], embedder: Any) -> Any:
    """Return what estimators are given of images.

    Parameters
    ----------
    images : sequence of n ndarray of shape (h, w, 3), uint8
    embedder : object with ``transform``, or None

    Returns
    -------
    inputs : list of n ndarray; or features: ndarray, sparse matrix or DataFrame of n rows

    Raises
    ------
    ValueError
        If the embedder needs to be fitted, or does not return one row for each image.
    """
    if embedder is None:
        return list(images)
    try:
        features = embedder.transform(as_collection(images))
    except NotFittedError as error:
        raise ValueError(
            "embedder must be ready to transform. What learns from the training images belongs "
            f"into the estimator, at the head of a Pipeline: {error}"
        ) from error
    if sparse.issparse(features):
        features = features.tocsr()
    elif not isinstance(features, pd.DataFrame):
        features = np.asarray(features)
    n_rows = features.shape[0] if features.ndim else 0
    if n_rows != len(images):
        raise ValueError(
            f"embedder must return one row for each image, got {n_rows} for {len(images)}"
        )
    return features


def joined(given: Any, spoilt: Any) -> Any:
    """Put the inputs of the spoilt images below those of the images as given.

    Raises
    ------
    ValueError
        If an embedder has made rows of another length.
    """
    if isinstance(given, list):
        return [*given, *spoilt]
    if given.shape[1:] != spoilt.shape[1:]:
        raise ValueError(
            "embedder must return rows of one length, got shape "
            f"{given.shape[1:]} for the images as given and {spoilt.shape[1:]} for spoilt ones"
        )
    if isinstance(given, pd.DataFrame):
        return pd.concat([given, spoilt])
    if sparse.issparse(given):
        return sparse.vstack([given, spoilt], format="csr")
    return np.concatenate([given, spoilt])


def take(inputs: Any, rows: Rows) -> Any:
    """Return some rows of the inputs, as an estimator gets them."""
    if isinstance(inputs, list):
        return as_collection([inputs[row] for row in rows])
    return safe_indexing(inputs, rows)
