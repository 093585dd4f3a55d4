"""Pictures of what was found, as scikit-learn's Display classes. Needs ``imagequality[plot]``.

Each class is made by ``from_estimator``, ``from_report``, ``from_scores`` or ``from_study``, which
draw at once, and can draw again with ``plot``. Given an ``ax``, they draw into it and leave pyplot
alone.
"""

from ._comparison import ThresholdComparisonDisplay
from ._gallery import IssueGalleryDisplay
from ._groups import DuplicateGroupsDisplay
from ._impact import ImpactDisplay
from ._score_histogram import ScoreHistogramDisplay

__all__ = [
    "DuplicateGroupsDisplay",
    "ImpactDisplay",
    "IssueGalleryDisplay",
    "ScoreHistogramDisplay",
    "ThresholdComparisonDisplay",
]
