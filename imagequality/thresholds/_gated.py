"""Any selector, behind a gate that first asks whether there is anything to divide."""

from __future__ import annotations

from typing import Any, ClassVar

from ._auto import AutoThreshold
from ._base import Scores, ThresholdSelector
from ._composed import ComposedThreshold
from ._li import LiThreshold


class GatedThreshold(ComposedThreshold):
    """Let a selector choose the threshold only where a separate group of low scores exists.

    The gate is fitted first. If it finds a separate low group (its ``separated_`` is true), a
    clone of ``selector`` is fitted on the same scores, and its threshold counts. Else the
    gate's threshold does, which flags nothing, or what lies below the gate's fixed limit or its
    limit of excess.

    Parameters
    ----------
    selector : ThresholdSelector, default=None
        What divides the scores. None: :class:`LiThreshold`.
    gate : ThresholdSelector, default=None
        What says whether there is anything to divide: a selector that has ``separated_`` once
        fitted. None: :class:`AutoThreshold`. A detector fills its ``floor`` and ``cap``, where
        unset, from its calibrated limits.

    Attributes
    ----------
    threshold_ : float
        In the unit of the scores.
    separated_ : bool
        Whether the gate found a separate low group.
    gate_ : ThresholdSelector
        The fitted gate.
    selector_ : ThresholdSelector or None
        The fitted selector; None where the gate found nothing to divide.
    n_samples_, reason_
        See :class:`ThresholdSelector`.

    Notes
    -----
    Only the question *whether* is the gate's; *where* is the selector's alone: the gate's
    ``cap`` does not bound it, and a selector that puts its threshold far into the bulk of clean
    data still does so as soon as there are a few bad images. What the gate misses, the selector
    never sees. Labels are not handed on: a :class:`SupervisedThreshold` inside uses its
    fallback.

    References
    ----------
    The gate is this library's own; see :class:`AutoThreshold`.

    Examples
    --------
    >>> import numpy as np
    >>> from imagequality.thresholds import GatedThreshold, OtsuThreshold
    >>> rng = np.random.default_rng(0)
    >>> clean = rng.normal(0.8, 0.05, 1000)
    >>> int(OtsuThreshold().fit(clean).predict(clean).sum()) > 300
    True
    >>> gated = GatedThreshold(OtsuThreshold()).fit(clean)
    >>> gated.separated_, int(gated.predict(clean).sum())
    (False, 0)
    >>> flawed = np.concatenate([clean, rng.normal(0.3, 0.05, 100)])
    >>> gated.fit(flawed).separated_, int(gated.predict(flawed).sum())
    (True, 100)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "selector": [None, ThresholdSelector],
        "gate": [None, ThresholdSelector],
    }

    def __init__(
        self, selector: ThresholdSelector | None = None, gate: ThresholdSelector | None = None
    ) -> None:
        self.selector = selector
        self.gate = gate

    def _defaults(self) -> dict[str, ThresholdSelector]:
        return {"selector": LiThreshold(), "gate": AutoThreshold()}

    def _threshold(self, scores: Scores) -> float:
        self.gate_ = self._part("gate").fit(scores)
        self.selector_: ThresholdSelector | None = None
        if not hasattr(self.gate_, "separated_"):
            raise TypeError(
                f"gate must say in separated_ whether there is a separate low group, as "
                f"AutoThreshold does; {type(self.gate_).__name__} has no such attribute"
            )
        self.separated_ = bool(self.gate_.separated_)
        self.reason_ = self.gate_.reason_
        if not self.separated_:
            return self.gate_.threshold_
        self.selector_ = self._part("selector").fit(scores)
        self.reason_ += f"; {type(self.selector_).__name__}: {self.selector_.reason_}"
        return self.selector_.threshold_
