"""Hugging Face data sets as lazy collections of references, without importing ``datasets``."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, overload

from ._errors import UnreadableImageError, words_of
from ._identity import identity
from ._remote import is_url, read_url
from ._streams import file_content
from ._unreadable import UnreadableItem


def is_dataset(value: Any) -> bool:
    """Whether this is a data set of Hugging Face's ``datasets``, map-style or streaming."""
    return hasattr(value, "features") and hasattr(value, "cast_column")


class DatasetImage:
    """A reference to one image of a data set: its file as it is stored, undecoded.

    Parameters
    ----------
    rows : datasets.Dataset
        With the one column, in the format "arrow".
    column : str
    position : int
    """

    __slots__ = ("column", "position", "rows")

    def __init__(self, rows: Any, column: str, position: int) -> None:
        self.rows = rows
        self.column = column
        self.position = position

    def __repr__(self) -> str:
        return f"DatasetImage({self.column!r}, {self.position})"

    def read_bytes(self) -> bytes:
        """Return the encoded image.

        Returns
        -------
        data : bytes

        Raises
        ------
        UnreadableImageError
            If the cell is empty, or the file that it names cannot be read.
        """
        stored = self._stored()
        if isinstance(stored, str):
            stored = read_url(stored) if is_url(stored) else file_content(stored)
        return stored if isinstance(stored, bytes) else stored.read_bytes()

    def cache_key(self) -> Any:
        """Tell what the image is known by from one scan to the next; see :func:`identity`."""
        return identity(self._stored())

    def _stored(self) -> bytes | str | UnreadableItem:
        try:
            cell = self.rows[self.position][self.column][0].as_py()
        except Exception as error:  # Arrow's errors on a damaged file are many
            raise UnreadableImageError(
                f"cannot be read from the data set: {words_of(error)}"
            ) from error
        if cell is None or (cell["bytes"] is None and cell["path"] is None):
            return UnreadableItem("there is no image in the data set here")
        return cell["path"] if cell["bytes"] is None else cell["bytes"]

    def __reduce__(self) -> Any:
        # A data set on disk travels to a worker as the names of its files; one in memory
        # would travel whole with each batch, so of that only the image does.
        if self.rows.cache_files:
            return DatasetImage, (self.rows, self.column, self.position)
        return _as_it_is, (self._stored(),)


def _as_it_is(reference: Any) -> Any:
    return reference


class DatasetImages(Sequence[DatasetImage]):
    """The images of a data set as a sequence of references. :func:`images_of` makes it.

    Parameters
    ----------
    dataset : datasets.Dataset
    column : str
    """

    def __init__(self, dataset: Any, column: str) -> None:
        # The table's own cells: neither decoded nor changed by a format or a transform.
        self._rows = dataset.select_columns([column]).with_format("arrow")
        self._column = column

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> DatasetImage: ...

    @overload
    def __getitem__(self, index: slice) -> list[DatasetImage]: ...

    def __getitem__(self, index: int | slice) -> DatasetImage | list[DatasetImage]:
        positions = range(len(self))
        if isinstance(index, slice):
            return [DatasetImage(self._rows, self._column, at) for at in positions[index]]
        return DatasetImage(self._rows, self._column, positions[operator.index(index)])


def images_of(dataset: Any, column: str | None = None) -> DatasetImages:
    """Take the images of a Hugging Face data set as they are stored, without decoding them.

    :func:`measure` and all that takes a collection of images then decode each once, and see the
    file that is stored: its format, size and compression. A format or transform that is set on
    the data set is not applied.

    Parameters
    ----------
    dataset : datasets.Dataset
        One split.
    column : str, default=None
        The column of the images; None means the only one of type ``Image``.

    Returns
    -------
    images : sequence of references
        Item i is of row i. It can be indexed and sliced, pickled, and given to scikit-learn.

    Raises
    ------
    TypeError
        If it is no data set, has several splits, or is a streaming one.
    ValueError
        If the column does not exist or holds no images, or there is not exactly one to choose.

    Examples
    --------
    >>> from imagequality.huggingface import images_of
    >>> images_of({"train": []})
    Traceback (most recent call last):
    ...
    TypeError: dataset must be one split of a datasets.Dataset, got dict
    """
    if not is_dataset(dataset):
        raise TypeError(
            f"dataset must be one split of a datasets.Dataset, got {type(dataset).__name__}"
        )
    chosen = _image_column(dataset, column)
    if not hasattr(dataset, "__len__"):
        raise TypeError(
            "a streaming data set can be read only in order: "
            f"measure(row[{chosen!r}] for row in "
            f"dataset.cast_column({chosen!r}, datasets.Image(decode=False)))"
        )
    return DatasetImages(dataset, chosen)


def _image_column(dataset: Any, column: str | None) -> str:
    features = dataset.features or {}
    images = [name for name, feature in features.items() if type(feature).__name__ == "Image"]
    if column is None and len(images) == 1:
        return images[0]
    if column in images:
        return str(column)
    known = ", ".join(map(repr, images)) or "none"
    if column is None:
        raise ValueError(f"the data set must have one column of images, it has: {known}")
    raise ValueError(f"no column of images {column!r}; there are: {known}")
