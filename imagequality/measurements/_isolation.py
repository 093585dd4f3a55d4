"""How far an image may go before it is given up: the parameter ``isolate`` of a scan."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from numbers import Integral, Real


@dataclass(frozen=True)
class Isolation:
    """Limits for images that are read and measured in processes of their own.

    Parameters
    ----------
    time_limit : float, default=30.0
        Seconds for each image, reading included; None means no limit. The time that a process
        takes to start does not count. A transformer of an :class:`Embedding` gets as much for each
        batch, which is then tried again image by image.
    memory_limit : int, default=None
        Bytes that a process may allocate beyond what it holds when it has started; None means no
        limit. Linux only.

    Raises
    ------
    TypeError, ValueError
        If a limit is no number, or not positive; for a ``memory_limit`` where the system has
        none.

    See Also
    --------
    measure : Its parameter ``isolate`` takes this, or True for the defaults.

    Examples
    --------
    >>> from imagequality import measure
    >>> from imagequality.measurements import Isolation
    >>> table = measure([b"no image"], ["width"], isolate=Isolation(time_limit=60))
    >>> table["reason"].tolist()
    ['not an image in a format that can be read']
    """

    time_limit: float | None = 30.0
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        _check("time_limit", self.time_limit, Real, "a number of seconds")
        _check("memory_limit", self.memory_limit, Integral, "a whole number of bytes")
        if self.memory_limit is not None and sys.platform != "linux":
            raise ValueError(
                f"memory_limit works on Linux only, this is {sys.platform}: leave it None"
            )


def _check(name: str, limit: object, kind: type, meaning: str) -> None:
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, kind):
        raise TypeError(f"{name} must be {meaning} or None, got {limit!r}")
    if not 0 < limit < math.inf:  # type: ignore[operator]  # also true of NaN
        raise ValueError(f"{name} must be {meaning} above 0, or None, got {limit!r}")


def resolve_isolation(isolate: bool | Isolation) -> Isolation | None:
    """Return the limits that the parameter ``isolate`` stands for, None for no isolation.

    Examples
    --------
    >>> resolve_isolation(True), resolve_isolation(False)
    (Isolation(time_limit=30.0, memory_limit=None), None)
    """
    if isinstance(isolate, Isolation):
        return isolate
    return Isolation() if isolate else None
