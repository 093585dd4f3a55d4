"""What stands in a collection for an image that is known to be unreadable."""

from __future__ import annotations

from dataclasses import dataclass

from ._errors import UnreadableImageError


@dataclass(frozen=True)
class UnreadableItem:
    """A reference to an image that cannot be read: measured, it gives an invalid row.

    Parameters
    ----------
    reason : str
        Why, in words.

    Examples
    --------
    >>> from imagequality import measure
    >>> measure([UnreadableItem("the archive ends here")], columns=["width"])["reason"][0]
    'the archive ends here'
    """

    reason: str

    def read_bytes(self) -> bytes:
        """Raise the error.

        Raises
        ------
        UnreadableImageError
            Always.
        """
        raise UnreadableImageError(self.reason)
