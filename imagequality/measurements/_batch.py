"""One batch of references → their cells: what a worker does, whatever happens to an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ..images import (
    DecodedImage,
    RGBArray,
    UnreadableImageError,
    quiet_decoders,
    read_quietened_image,
)
from ..images._errors import words_of
from ._columns import Plan
from ._embedding import embed
from ._stack import PIXELS_PER_STACK, is_stacked
from ._table import Cells, empty_cells, fill, fill_one, refuse
from ._threads import single_threaded

_PIXELS_HELD = 32_000_000  # that wait for an embedding: 96 MB per worker

Waiting = list[tuple[int, DecodedImage]]


class AlreadyDecoded:
    """Stands in a batch for an image that was decoded before.

    Parameters
    ----------
    image : DecodedImage
    """

    def __init__(self, image: DecodedImage) -> None:
        self.image = image


def measure_batch(
    references: Sequence[Any], plan: Plan, after_each: Callable[[], None] = lambda: None
) -> Cells:
    """Decode and measure some images.

    Parameters
    ----------
    references : sequence of n references
        Each is fetched where it is decoded.
    plan : Plan
    after_each : callable, optional
        Called whenever something was done with an image: a sign that none takes too long.

    Returns
    -------
    cells : dict of str to ndarray of shape (n,)
        Of every input a row, in order.
    """
    batch = _Batch(len(references), plan, after_each)
    with quiet_decoders, single_threaded:
        for position in range(len(references)):
            try:
                image = _read(_fetch(references, position))
            except UnreadableImageError as error:
                refuse(batch.cells, position, str(error))
            else:
                batch.add(position, image)
            after_each()
        batch.finish()
    return batch.cells


def _fetch(references: Sequence[Any], position: int) -> Any:
    try:
        return references[position]
    except Exception as error:  # of a data set that makes its images when asked for them
        raise UnreadableImageError(f"cannot be fetched: {words_of(error)}") from error


def _read(reference: Any) -> DecodedImage:
    if isinstance(reference, AlreadyDecoded):
        return reference.image
    return read_quietened_image(reference)


class _Batch:
    """The rows of a batch as they come to be, and the images that wait to be measured together."""

    def __init__(self, number: int, plan: Plan, after_each: Callable[[], None]) -> None:
        self.cells = empty_cells(plan, number)
        self._plan = plan
        self._after_each = after_each
        self._stacks: dict[tuple[int, ...], Waiting] = defaultdict(list)
        self._unembedded: list[tuple[int, RGBArray]] = []
        self._pixels_unembedded = 0

    def add(self, position: int, image: DecodedImage) -> None:
        height, width = image.pixels.shape[:2]
        if not is_stacked(image.pixels.shape):
            self._measure_one(position, image)
            return
        stack = self._stacks[image.pixels.shape]
        stack.append((position, image))
        if len(stack) * height * width >= PIXELS_PER_STACK:
            self._measure_stack(self._stacks.pop(image.pixels.shape))

    def finish(self) -> None:
        for waiting in self._stacks.values():
            self._measure_stack(waiting)
        self._stacks.clear()
        self._add_embeddings()

    def _measure_one(self, position: int, image: DecodedImage) -> None:
        try:
            fill_one(self.cells, position, self._plan.measure(image))
        except Exception as error:  # one image must not end the scan of a million
            self._refuse_unmeasured(position, words_of(error))
        else:
            self._add_own(position, image)

    def _measure_stack(self, waiting: Waiting) -> None:
        try:
            values = self._plan.measure_stack([image for _, image in waiting])
        except Exception as error:
            if len(waiting) == 1:
                self._refuse_unmeasured(waiting[0][0], words_of(error))
            else:
                for one in waiting:
                    self._measure_stack([one])
            return
        fill(self.cells, [position for position, _ in waiting], values)
        if self._plan.own or self._plan.embeddings:
            for position, image in waiting:
                self._add_own(position, image)
                self._after_each()

    def _add_own(self, position: int, image: DecodedImage) -> None:
        """Add the user's own measurements, and remember the image for the embeddings."""
        try:
            for own in self._plan.own:
                self.cells[own.name][position] = float(own.function(image.pixels))
        except Exception as error:
            self._refuse_unmeasured(position, words_of(error))
            return
        if self._plan.embeddings:
            self._hold(position, image.pixels)

    def _refuse_unmeasured(self, position: int, why: str) -> None:
        refuse(self.cells, position, f"cannot be measured: {why}")

    def _hold(self, position: int, rgb: RGBArray) -> None:
        pixels = rgb.shape[0] * rgb.shape[1]
        if self._pixels_unembedded + pixels > _PIXELS_HELD:
            self._add_embeddings()
        self._unembedded.append((position, rgb))
        self._pixels_unembedded += pixels

    def _add_embeddings(self) -> None:
        """Put the vectors into the rows; a row without one becomes invalid."""
        held, self._unembedded, self._pixels_unembedded = self._unembedded, [], 0
        for embedding in self._plan.embeddings:
            if not held:
                return
            outcomes = embed(embedding, [rgb for _, rgb in held])
            self._after_each()
            for (position, _), outcome in zip(held, outcomes, strict=True):
                if isinstance(outcome, str):
                    self._refuse_unmeasured(position, outcome)
                else:
                    self.cells[embedding.name][position] = outcome
            held = [(position, rgb) for position, rgb in held if self.cells["valid"][position]]
