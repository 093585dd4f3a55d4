"""The one error that an image which cannot be read ends in."""

from __future__ import annotations


class UnreadableImageError(ValueError):
    """An image that cannot be decoded, or that the decode policy refuses.

    The message is the reason, in words, without the reference.
    """
