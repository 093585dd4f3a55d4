"""The one error that an image which cannot be read ends in."""

from __future__ import annotations


class UnreadableImageError(ValueError):
    """An image that cannot be decoded, or that the decode policy refuses.

    The message is the reason, in words, without the reference.
    """


_MOST_WORDS = 300  # characters of a reason: an error may quote the whole of a broken file


def words_of(error: BaseException) -> str:
    """Return the text of any error on one line; the name of its class if it has none."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an error of the user's own whose text fails
        text = ""
    # Half of a surrogate pair, as in names that are no UTF-8, cannot be written to a table.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text[:_MOST_WORDS] or type(error).__name__
