"""Validated data sets for PyTorch. Needs the extra ``imagequality[torch]``."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd
from PIL import Image

try:
    import torch
    from torch.utils.data import Dataset, Subset
except ImportError as error:
    raise ImportError(
        "imagequality.torch needs PyTorch: pip install 'imagequality[torch]'"
    ) from error

from .images import UnreadableImageError, as_references, load_image
from .validation import validate_many
from .validation._profiles import Profile, ProfileLike, resolve_profile
from .validation._tensors import array_of_tensor
from .validation._validate import INVALID, admitted, check_score

__all__ = ["DatasetItem", "DatasetItems", "ValidatedImageDataset", "ValidatedSubset", "images_of"]

_CHUNK = 256  # items of a wrapped data set that are held in memory at once


def _load_rgb(reference: Any) -> Image.Image:
    """Return the image as it was judged: upright, three channels, 8 bits."""
    return Image.fromarray(load_image(reference))


class ValidatedImageDataset(Dataset[Any]):
    """Map-style data set of the images that are good enough.

    The images are judged once, when the data set is made, and not at every epoch.

    Parameters
    ----------
    paths : collection of images
        Paths, or any references that :func:`measure` takes.
    transform : callable, default=None
        Applied to each loaded image.
    min_score : float, default=0.5
        Images whose overall score (see :class:`ValidationResult`) is below it are left out.
        0.5 is the profile's limits.
    labels : sequence, default=None
        The label of each image; with them an item is ``(image, label)``.
    profile, thresholds, min_side
        See :func:`validate`.
    loader : callable, default=None
        Reference → image. None loads a PIL image of mode RGB, upright, by the library's
        decode policy.
    n_jobs : int, default=None
        Number of workers for judging, see :func:`measure`.
    progress : bool, default=True
        Whether to show a progress bar when judging takes longer than a second.

    Attributes
    ----------
    paths : list
        The references that were kept.
    labels : list or None
        Their labels.
    indices : list of int
        Their positions in the ``paths`` given.
    dropped : DataFrame
        The rows of :func:`validate_many` of the images left out, and ``position``.
    validation : DataFrame
        Those of all images; :func:`class_report` takes it.

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each image, ``min_score`` is no number in [0, 1], or as
        for :func:`validate_many`.

    Warns
    -----
    UserWarning
        If no image is kept.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> full = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> data = ValidatedImageDataset(
    ...     [full, full // 20, b"broken"], labels=["a", "b", "c"], thresholds={"noisy": 0}
    ... )
    >>> len(data), data[0][0].size, data[0][1]
    (1, (64, 64), 'a')
    >>> data.dropped["issues"].str[0].tolist()
    ['dark', 'invalid']
    """

    def __init__(
        self,
        paths: Any,
        transform: Callable[[Any], Any] | None = None,
        min_score: float = 0.5,
        *,
        labels: Any = None,
        profile: ProfileLike = "classification",
        thresholds: Mapping[str, float] | None = None,
        min_side: int | None = None,
        loader: Callable[[Any], Any] | None = None,
        n_jobs: int | None = None,
        progress: bool = True,
    ) -> None:
        check_score(min_score)
        chosen = resolve_profile(profile, thresholds, min_side)
        if isinstance(paths, Iterator):
            raise TypeError(
                f"paths must be a collection, got {type(paths).__name__}; pass list(paths)"
            )
        references = list(as_references(paths)[0])
        all_labels = None if labels is None else list(labels)
        if all_labels is not None and len(all_labels) != len(references):
            raise ValueError(
                f"there must be one label for each image: {len(references)} images, "
                f"{len(all_labels)} labels"
            )
        self.transform = transform
        self.loader = _load_rgb if loader is None else loader
        self.validation = validate_many(references, chosen, n_jobs=n_jobs, progress=progress)
        self.indices, self.dropped = _split(self.validation, min_score)
        self.paths = [references[position] for position in self.indices]
        self.labels = (
            None if all_labels is None else [all_labels[position] for position in self.indices]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        image = self.loader(self.paths[index])
        if self.transform is not None:
            image = self.transform(image)
        return image if self.labels is None else (image, self.labels[index])

    @staticmethod
    def wrap(
        dataset: Any,
        min_score: float = 0.5,
        *,
        profile: ProfileLike = "classification",
        thresholds: Mapping[str, float] | None = None,
        min_side: int | None = None,
        image_of: Callable[[Any], Any] | None = None,
        n_jobs: int | None = None,
    ) -> ValidatedSubset:
        """Keep the good items of a data set that exists already.

        An item that the data set itself cannot give, because its file is damaged for example,
        is left out as ``invalid``, with the error as the reason.

        Parameters
        ----------
        dataset : map-style data set
            Items are an image, or a tuple, list or mapping whose first value is one: a PIL
            image, an array (h, w[, c]), or a tensor (h, w) or (c, h, w), uint8 or floating
            point in [0, 1]. Normalise afterwards, or give ``image_of``.
        min_score, profile, thresholds, min_side, n_jobs
            See :class:`ValidatedImageDataset`.
        image_of : callable, default=None
            Item → the image to judge.

        Returns
        -------
        subset : ValidatedSubset
            Its items are those of ``dataset``, unchanged.

        Examples
        --------
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> images = torch.rand((3, 3, 64, 64), generator=generator)
        >>> images[1] /= 10
        >>> whole = torch.utils.data.TensorDataset(images, torch.arange(3))
        >>> ValidatedImageDataset.wrap(whole, thresholds={"noisy": 0}).indices
        [0, 2]
        """
        check_score(min_score)
        chosen = resolve_profile(profile, thresholds, min_side)
        validation = _judge_items(dataset, image_of or _first_value, chosen, n_jobs)
        return ValidatedSubset(dataset, validation, min_score)


class ValidatedSubset(Subset[Any]):
    """The items of a data set that are good enough. Made by :meth:`ValidatedImageDataset.wrap`.

    Parameters
    ----------
    dataset : map-style data set
    validation : DataFrame
        The verdict on each of its items, from :func:`validate_many`.
    min_score : float, default=0.5

    Attributes
    ----------
    indices : list of int
        Positions of the items kept.
    dropped, validation : DataFrame
        See :class:`ValidatedImageDataset`.
    """

    def __init__(self, dataset: Any, validation: pd.DataFrame, min_score: float = 0.5) -> None:
        indices, self.dropped = _split(validation, min_score)
        self.validation = validation
        super().__init__(dataset, indices)


def _split(validation: pd.DataFrame, min_score: float) -> tuple[list[int], pd.DataFrame]:
    """Return the positions to keep, and the rows of the others."""
    kept = admitted(validation, min_score)
    dropped = validation[~kept].copy()
    dropped.insert(0, "position", np.flatnonzero(~kept))
    if len(validation) and not kept.any():
        reason = validation["reason"].iloc[0]
        warnings.warn(
            f"none of the {len(validation)} images is kept; the first: {reason}", stacklevel=3
        )
    return np.flatnonzero(kept).tolist(), dropped


def _judge_items(
    dataset: Any, image_of: Callable[[Any], Any], profile: Profile, n_jobs: int | None
) -> pd.DataFrame:
    tables = []
    for start in range(0, max(len(dataset), 1), _CHUNK):
        stop = min(start + _CHUNK, len(dataset))
        images, errors = _images(dataset, range(start, stop), image_of)
        table = validate_many(images, profile, n_jobs=n_jobs, progress=False)
        reasons = [
            f"{INVALID}: {errors[row]}" if row in errors else reason
            for row, reason in enumerate(table["reason"])
        ]
        tables.append(table.assign(reason=pd.Series(reasons, index=table.index, dtype=object)))
    return pd.concat([table.set_axis(range(len(table))) for table in tables], ignore_index=True)


def _images(
    dataset: Any, positions: range, image_of: Callable[[Any], Any]
) -> tuple[list[Any], dict[int, str]]:
    """Return the images of some items, and the errors of those that could not be had."""
    images, errors = [], {}
    for row, position in enumerate(positions):
        try:
            item = dataset[position]
        except Exception as error:  # what a data set raises on a damaged file is its own affair
            images.append(b"")
            errors[row] = f"{type(error).__name__}: {error}"
            continue
        image = image_of(item)
        images.append(array_of_tensor(image) if isinstance(image, torch.Tensor) else image)
    return images, errors


def _first_value(item: Any) -> Any:
    if isinstance(item, Mapping):
        return next(iter(item.values()))
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return item[0]
    return item


class DatasetItem:
    """A reference to the image of one item of a data set, which is fetched when it is measured.

    Parameters
    ----------
    dataset : map-style data set
    position : int
    item : int or str
        See :func:`images_of`.
    """

    __slots__ = ("dataset", "item", "position")

    def __init__(self, dataset: Any, position: int, item: int | str) -> None:
        self.dataset = dataset
        self.position = position
        self.item = item

    def fetch(self) -> Any:
        """Return the image.

        Returns
        -------
        image : PIL image, ndarray of shape (h, w[, c]), or another reference

        Raises
        ------
        UnreadableImageError
            If the data set cannot give it, with the data set's error as the reason.
        """
        try:
            image = _chosen(self.dataset[self.position], self.item)
        except Exception as error:  # what a data set raises on a damaged file is its own affair
            raise UnreadableImageError(f"{type(error).__name__}: {error}") from error
        return array_of_tensor(image) if isinstance(image, torch.Tensor) else image


class DatasetItems(Sequence[Any]):
    """The images of a data set as a sequence of references. :func:`images_of` makes it.

    Parameters
    ----------
    dataset : map-style data set
    item : int or str
    """

    def __init__(self, dataset: Any, item: int | str) -> None:
        self.dataset = dataset
        self.item = item

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> DatasetItem: ...

    @overload
    def __getitem__(self, index: slice) -> list[DatasetItem]: ...

    def __getitem__(self, index: int | slice) -> DatasetItem | list[DatasetItem]:
        positions = range(len(self))
        if isinstance(index, slice):
            return [DatasetItem(self.dataset, at, self.item) for at in positions[index]]
        return DatasetItem(self.dataset, positions[operator.index(index)], self.item)


def images_of(dataset: Any, item: int | str = 0) -> Sequence[Any]:
    """Take the images of a data set as a lazy collection for :func:`measure` and all else.

    An image is fetched from the data set when it is measured, by the worker that measures it,
    and no sooner. What the data set's transforms make of it is what is measured.

    Parameters
    ----------
    dataset : map-style data set
        Its images are PIL images, arrays (h, w[, c]), tensors (h, w) or (c, h, w), uint8 or
        floating point in [0, 1], paths or bytes.
    item : int or str, default=0
        Where the image stands in an item that is a tuple, list or mapping. 0 is the first value
        of a mapping, too. An item that is an image by itself is taken as it is.

    Returns
    -------
    images : sequence of references, or list of str
        Paths for a ``torchvision.datasets.ImageFolder`` without a transform and with the default
        loader, so that the files themselves are judged: they are decoded once, by the
        library's policy (upright, transparency over white), which that loader does not follow.

    Raises
    ------
    TypeError
        If the data set is not map-style.

    Notes
    -----
    Under a joblib backend of processes the data set travels with each batch. Threads, which
    are the default, are better for one that holds its images in memory.

    Examples
    --------
    >>> import torch
    >>> from imagequality import measure
    >>> from imagequality.torch import images_of
    >>> dataset = torch.utils.data.TensorDataset(torch.rand(3, 1, 8, 6), torch.arange(3))
    >>> measure(images_of(dataset), columns=["width", "height"])["width"].tolist()
    [6, 6, 6]
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise TypeError(
            "dataset must be map-style, with a length; one that is read in order can be given "
            "to measure: measure(image for image, label in dataset)"
        )
    paths = _paths_of_folder(dataset)
    return DatasetItems(dataset, item) if paths is None else paths


def _paths_of_folder(dataset: Any) -> list[str] | None:
    """Return the paths of an ImageFolder whose items are its files, unchanged."""
    module = "torchvision.datasets.folder"
    loader = getattr(dataset, "loader", None)
    if (getattr(loader, "__module__", None), getattr(loader, "__name__", None)) != (
        module,
        "default_loader",
    ):
        return None
    if dataset.transform is not None or type(dataset).__getitem__.__module__ != module:
        return None
    return [path for path, _ in dataset.samples]


def _chosen(item: Any, which: int | str) -> Any:
    if isinstance(item, Mapping) and which in item:
        return item[which]
    if which == 0:
        return _first_value(item)
    return item[which]
