"""From the loss that a model may suffer to the quality score where it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

MILDER_NEEDED = "the mildest level costs more: add milder ones"


class Step(NamedTuple):
    """A level of a flaw: what it costs, and the typical score of images that have it."""

    level: Any
    loss: float
    score: float


class Limit(NamedTuple):
    """Where a flaw begins to cost too much.

    Attributes
    ----------
    score : float
        The quality score; NaN where there is none.
    bears, exceeds : object
        The last level that costs no more than is allowed, and the first that does; None where
        there is none.
    note : str
        Why there is no score, or why it is uncertain; else empty.
    """

    score: float
    bears: Any
    exceeds: Any
    note: str


def limit_of(as_given: float, steps: Sequence[Step], max_loss: float) -> Limit:
    """Find the quality score at which the loss passes what is allowed.

    Between two levels both loss and score are taken to change linearly; before the first stand
    the images as they are given, which cost nothing.

    Parameters
    ----------
    as_given : float
        Typical score of the images as given.
    steps : sequence of Step
        From mild to strong. Those without a loss or a score (NaN) are passed over.
    max_loss : float

    Returns
    -------
    limit : Limit

    Examples
    --------
    >>> limit = limit_of(0.9, [Step("mild", 0.0, 0.7), Step("strong", 0.04, 0.3)], max_loss=0.02)
    >>> round(limit.score, 3), limit.bears, limit.exceeds
    (0.5, 'mild', 'strong')
    """
    before = Step(None, 0.0, as_given)
    for step in steps:
        if np.isnan(step.loss) or np.isnan(step.score):
            continue
        if step.loss > max_loss:
            if not step.score < as_given:
                return Limit(np.nan, before.level, step.level, "the score does not see this flaw")
            part = (max_loss - before.loss) / (step.loss - before.loss)
            score = before.score + part * (step.score - before.score)
            note = MILDER_NEEDED if before.level is None else ""
            return Limit(float(score), before.level, step.level, note)
        before = step
    return Limit(np.nan, before.level, None, "no level costs that much")
