"""Any function of the scores as a selector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from skimage.filters import threshold_isodata

from ._base import Scores, ThresholdSelector
from ._histogram import histogram_of


class FunctionThreshold(ThresholdSelector):
    """Take the threshold from a function of the scores.

    Parameters
    ----------
    function : callable, default=None
        Takes the scores (1-D float64, sorted, without NaN, at least two distinct values) and
        returns one finite number, in the unit of the scores. None: scikit-image's
        ``threshold_isodata``, midway between the means of the two classes.
    inclusive : bool, default=False
        Whether a score equal to what the function returns is flagged too. Set it for
        scikit-image's functions, whose low class is "up to and including".

    Attributes
    ----------
    threshold_ : float
        What the function returned; with ``inclusive`` the next float above it.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    The function is not called for constant scores, which flag nothing. Since the scores arrive
    sorted, their order cannot matter. The failures are those of the function. A selector with a
    lambda can be cloned but not pickled.

    A detector of outliers that returns labels (as pythresh's ``eval`` does, for scores of which
    the highest are outliers) becomes a function by taking the lowest score that it lets pass::

        lambda scores: scores[MAD().eval(-scores) == 0].min()

    References
    ----------
    For the default: T. W. Ridler and S. Calvard, "Picture Thresholding Using an Iterative
    Selection Method", IEEE Transactions on Systems, Man, and Cybernetics 8(8), 630-632, 1978.

    Examples
    --------
    >>> import numpy as np
    >>> from skimage.filters import threshold_triangle
    >>> from imagequality.thresholds import FunctionThreshold
    >>> scores = np.r_[np.linspace(0.7, 0.9, 99), 0.1]
    >>> selector = FunctionThreshold(lambda scores: np.median(scores) / 2).fit(scores)
    >>> round(selector.threshold_, 3), int(selector.predict(scores).sum())
    (0.399, 1)
    >>> FunctionThreshold(threshold_triangle, inclusive=True).fit(scores).reason_
    'chosen by threshold_triangle'
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "function": [callable, None],
        "inclusive": ["boolean"],
    }

    def __init__(
        self, function: Callable[[Scores], float] | None = None, *, inclusive: bool = False
    ) -> None:
        self.function = function
        self.inclusive = inclusive

    def _select(self, scores: Scores) -> float:
        function = _isodata if self.function is None else self.function
        named = threshold_isodata if self.function is None else self.function
        name = getattr(named, "__name__", type(named).__name__)
        returned = np.asarray(function(np.sort(scores)))
        if returned.ndim or returned.dtype.kind not in "iuf" or not np.isfinite(returned):
            raise ValueError(
                f"function must return one finite number, but {name} returned {returned!r}"
            )
        self.reason_ = f"chosen by {name}"
        threshold = np.float64(returned)
        if self.inclusive and threshold < np.finfo(np.float64).max:
            threshold = np.nextafter(threshold, np.inf)
        return float(threshold)


def _isodata(scores: Scores) -> float:
    """Return scikit-image's isodata threshold, the centre of a bin, for any range of scores."""
    counts, edges = histogram_of(scores, bins=256)
    # Bin numbers in place of centres: the choice is the same, and nothing overflows.
    chosen = int(threshold_isodata(hist=(counts, np.arange(counts.size, dtype=np.float64))))
    centre = edges[chosen] / 2 + edges[chosen + 1] / 2
    # Of a bin as narrow as two adjacent floats it may round to the highest score.
    return float(min(centre, np.nextafter(scores[-1], -np.inf)))
