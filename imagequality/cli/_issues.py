"""Which issues are looked for, and by which thresholds: options → detectors."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any

from ..detectors import IssueDetector, ResolutionDetector
from ..duplicates import DuplicateDetector, OutlierDetector, SemanticDuplicateDetector
from ..pipeline import default_detectors
from ..thresholds import (
    AutoThreshold,
    GammaMixtureThreshold,
    GeneralizedHistogramThreshold,
    IQRThreshold,
    LiThreshold,
    MaxEntropyThreshold,
    MinimumErrorThreshold,
    ModifiedValleyEmphasisThreshold,
    OtsuThreshold,
    ThresholdSelector,
)
from ._arguments import check_known, distance, limit

NamedDetectors = list[tuple[str, IssueDetector]]

DEFAULT = "default"
"""What stands for all issues that are looked for by default."""

_ASKED_FOR: tuple[Callable[[], Any], ...] = (
    ResolutionDetector,
    OutlierDetector,
    SemanticDuplicateDetector,
    DuplicateDetector,
)

SELECTORS: dict[str, Callable[[], ThresholdSelector]] = {
    "auto": AutoThreshold,
    "otsu": OtsuThreshold,
    "li": LiThreshold,
    "met": MinimumErrorThreshold,
    "max_entropy": MaxEntropyThreshold,
    "ght": GeneralizedHistogramThreshold,
    "mve": ModifiedValleyEmphasisThreshold,
    "gmm": GammaMixtureThreshold,
    "iqr": IQRThreshold,
}
"""The methods that choose a threshold, by the names that the command line has for them."""


def all_detectors() -> NamedDetectors:
    """Return every detector that the command line knows, unfitted: the default ones first.

    Examples
    --------
    >>> [name for name, _ in all_detectors()][-4:]
    ['low_resolution', 'outlier', 'semantic_duplicates', 'duplicates']
    """
    asked_for = [make() for make in _ASKED_FOR]
    return [*default_detectors(), *((detector.issue, detector) for detector in asked_for)]


def choose_detectors(
    issues: Sequence[str] | None,
    dropped: Sequence[str],
    thresholds: Sequence[tuple[str, str]],
) -> NamedDetectors:
    """Return the detectors that the options ask for.

    Parameters
    ----------
    issues : sequence of str or None
        Issues to look for; "default" stands for all the default ones. None: these.
    dropped : sequence of str
        Issues not to look for.
    thresholds : sequence of (issue, value)
        A value is a number in [0, 1] or a name in ``SELECTORS``; of detectors of duplicates it is
        a distance or "auto".

    Returns
    -------
    detectors : list of (str, IssueDetector)
        Unfitted, causes first, whatever the order of ``issues``.

    Raises
    ------
    ValueError
        If an issue or a method is unknown or has no threshold, a number is out of range, or
        nothing is left to look for. The message names what is known.

    Examples
    --------
    >>> choose_detectors(["blurry", "dark"], [], [("blurry", "0.4")])
    [('dark', DarkDetector()), ('blurry', BlurDetector(threshold=0.4))]
    """
    detectors = dict(all_detectors())
    defaults = [name for name, _ in default_detectors()]
    wanted = [DEFAULT] if issues is None else issues
    for name in wanted:
        check_known("issue", name, [*detectors, DEFAULT])
    for name in dropped:
        check_known("issue", name, detectors)
    chosen = {*wanted, *(defaults if DEFAULT in wanted else [])} - set(dropped)
    for issue, value in thresholds:
        check_known("issue", issue, detectors)
        if issue not in chosen:
            raise ValueError(f"a threshold is given for {issue!r}, which is not looked for")
        _set_threshold(issue, detectors[issue], value)
    kept = [(name, detector) for name, detector in detectors.items() if name in chosen]
    if not kept:
        raise ValueError("no issue is left to look for")
    return kept


def _set_threshold(issue: str, detector: IssueDetector, value: str) -> None:
    parameters = detector.get_params(deep=False)
    if "threshold" in parameters:
        fixed = limit(issue, value)
        if fixed is None:
            check_known("method", value, SELECTORS)
        detector.set_params(threshold=SELECTORS[value]() if fixed is None else fixed)
    elif "distance" in parameters:
        try:
            detector.set_params(distance=distance(value))
        except ArgumentTypeError as error:
            raise ValueError(f"{issue}: {error}") from error
    else:
        raise ValueError(f"{issue!r} has no threshold that could be set")
