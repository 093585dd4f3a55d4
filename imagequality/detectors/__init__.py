"""Measurements → quality scores → flags: one class an issue."""

from ._base import IssueDetector
from ._content import GrayscaleDetector, LowInformationDetector
from ._exposure import DarkDetector, LightDetector
from ._geometry import OddAspectRatioDetector, OddSizeDetector
from ._sharpness import BlurDetector
from ._validity import InvalidImageDetector

__all__ = [
    "BlurDetector",
    "DarkDetector",
    "GrayscaleDetector",
    "InvalidImageDetector",
    "IssueDetector",
    "LightDetector",
    "LowInformationDetector",
    "OddAspectRatioDetector",
    "OddSizeDetector",
]
