"""Threshold selectors: quality scores in, the threshold below which they are flagged out."""

from ._auto import AutoThreshold
from ._base import FixedThreshold, ThresholdSelector
from ._entropy import MaxEntropyThreshold
from ._function import FunctionThreshold
from ._gamma import GammaMixtureThreshold
from ._gated import GatedThreshold
from ._ght import GeneralizedHistogramThreshold
from ._iqr import IQRThreshold
from ._li import LiThreshold
from ._met import MinimumErrorThreshold
from ._mve import ModifiedValleyEmphasisThreshold
from ._otsu import OtsuThreshold
from ._quantile import QuantileThreshold
from ._supervised import SupervisedThreshold

__all__ = [
    "AutoThreshold",
    "FixedThreshold",
    "FunctionThreshold",
    "GammaMixtureThreshold",
    "GatedThreshold",
    "GeneralizedHistogramThreshold",
    "IQRThreshold",
    "LiThreshold",
    "MaxEntropyThreshold",
    "MinimumErrorThreshold",
    "ModifiedValleyEmphasisThreshold",
    "OtsuThreshold",
    "QuantileThreshold",
    "SupervisedThreshold",
    "ThresholdSelector",
]
