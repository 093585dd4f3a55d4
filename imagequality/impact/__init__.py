"""What each flaw costs a model: the paper's study (section IV-A) on images of one's own.

:class:`ImpactStudy` spoils the training images, the test images or both with one flaw at a time,
at several strengths, trains and tests any scikit-learn classifier, and says how much of its score
is lost, whether that can be told from chance, whether dropping the spoilt images pays, and which
threshold of a detector belongs to a loss that can be borne.
"""

from ._flaws import DEFAULT_LEVELS
from ._model import DescriptorEmbedder
from ._study import ImpactStudy

__all__ = ["DEFAULT_LEVELS", "DescriptorEmbedder", "ImpactStudy"]
