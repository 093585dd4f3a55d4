"""Hugging Face's data sets: a filter for them, and their images without decoding them twice.

``dataset.filter(QualityFilter())`` keeps the good examples; ``measure(images_of(dataset))``
measures all.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from PIL import Image

from .images._datasets import images_of
from .validation import validate_many
from .validation._profiles import ProfileLike, resolve_profile
from .validation._tensors import array_of_tensor, is_tensor
from .validation._validate import admitted, check_score

__all__ = ["QualityFilter", "images_of"]

_MOST_CHANNELS = 4


@dataclass(frozen=True)
class QualityFilter:
    """Say of examples whether their image is good enough.

    For ``datasets.Dataset.filter``, also with ``batched=True``, ``num_proc`` and
    ``input_columns``. The package ``datasets`` is not needed to import it.

    Parameters
    ----------
    profile : str, Profile, dict or path, default="classification"
        See :func:`validate`.
    column : str, default="image"
        Where the image stands in an example: a PIL image, an array (h, w[, c]), a path, bytes,
        the ``{"bytes": …, "path": …}`` of ``Image(decode=False)``, or a PyTorch tensor (h, w) or
        (c, h, w), uint8 or floating point in [0, 1], as of ``with_format("torch")``.
    min_score : float, default=0.5
        Examples whose overall score is below it are left out, and those whose image is missing
        or cannot be read.
    thresholds, min_side
        See :func:`validate`.
    n_jobs : int, default=None
        Number of workers for a batch, see :func:`measure`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`validate`. A TypeError when it is called with what is no image.

    Notes
    -----
    ``datasets`` decodes an image before this filter sees it: a file that is missing or damaged
    raises there and ends ``filter``. To have such files left out instead, let the filter decode:
    ``dataset.cast_column("image", datasets.Image(decode=False)).filter(QualityFilter())``, and
    cast the result back to ``datasets.Image()``.

    Examples
    --------
    >>> import numpy as np
    >>> keep = QualityFilter(min_side=32, thresholds={"noisy": 0})
    >>> full = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    >>> keep({"image": full})
    True
    >>> keep({"image": [full, full // 20, None]})
    [True, False, False]
    """

    profile: ProfileLike = "classification"
    column: str = "image"
    _: KW_ONLY
    min_score: float = 0.5
    thresholds: Mapping[str, float] | None = None
    min_side: int | None = None
    n_jobs: int | None = None

    def __post_init__(self) -> None:
        check_score(self.min_score)
        # A file of limits is read once, here, and not by each worker.
        chosen = resolve_profile(self.profile, self.thresholds, self.min_side)
        object.__setattr__(self, "profile", chosen)
        object.__setattr__(self, "thresholds", None)
        object.__setattr__(self, "min_side", None)

    def __call__(self, examples: Any) -> bool | list[bool]:
        """Judge one example, or a batch.

        Parameters
        ----------
        examples : mapping, or image or batch of images
            A mapping of columns, or the column itself (``input_columns``). A batch is a list, or
            a one-dimensional array of images; for images of one shape also an array
            (n, h, w[, c]) or a tensor (n, c, h, w).

        Returns
        -------
        keep : bool, or list of bool for a batch
        """
        images = self._images(examples)
        if _is_batch(images):
            images = list(images)
        if not isinstance(images, list):
            return self._keep_all([images])[0]
        if images and isinstance(images[0], list):
            raise TypeError(
                f"column {self.column!r} holds nested lists; use dataset.with_format('numpy')"
            )
        return self._keep_all(images)

    def _images(self, examples: Any) -> Any:
        if not isinstance(examples, Mapping) or _is_encoded(examples):
            return examples
        if self.column not in examples:
            raise KeyError(f"no column {self.column!r}; there are {', '.join(map(repr, examples))}")
        return examples[self.column]

    def _keep_all(self, images: list[Any]) -> list[bool]:
        references = [_reference(image) for image in images]
        table = validate_many(references, self.profile, n_jobs=self.n_jobs, progress=False)
        return [bool(keep) for keep in admitted(table, self.min_score)]


def _is_batch(images: Any) -> bool:
    """Whether this array or tensor is several images."""
    if is_tensor(images):
        return bool(images.ndim == 4)  # `datasets` gives grey images a channel axis in tensors
    if not isinstance(images, np.ndarray):
        return False
    # Three axes: grey images of one shape, if the last is too long to be that of the channels.
    return images.ndim in (1, 4) or (images.ndim == 3 and images.shape[-1] > _MOST_CHANNELS)


def _is_encoded(value: Any) -> bool:
    """Whether this is what ``datasets`` makes of an image that it does not decode."""
    return isinstance(value, Mapping) and set(value) == {"bytes", "path"}


def _reference(image: Any) -> Any:
    """Return what can be read; None stays None, a missing image.

    Raises
    ------
    TypeError
        If it is no image in any form: a wrong column must not empty the data set.
    """
    if _is_encoded(image):
        return image["path"] if image["bytes"] is None else image["bytes"]
    if is_tensor(image):
        return array_of_tensor(image)
    known = (str, os.PathLike, bytes, bytearray, memoryview, Image.Image, np.ndarray)
    if image is None or isinstance(image, known) or hasattr(image, "read"):
        return image
    raise TypeError(
        "an example must hold a PIL image, an array, a PyTorch tensor, a path or bytes, "
        f"got {type(image).__name__}"
    )
