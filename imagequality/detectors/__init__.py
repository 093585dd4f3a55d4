"""Measurements → quality scores → flags: one class an issue."""

from ._base import IssueDetector
from ._compression import CompressionDetector, PixelationDetector
from ._content import GrayscaleDetector, LowInformationDetector
from ._exposure import DarkDetector, ExposureDetector, LightDetector
from ._geometry import OddAspectRatioDetector, OddSizeDetector, ResolutionDetector
from ._noise import NoiseDetector
from ._sharpness import BlurDetector
from ._validity import InvalidImageDetector

__all__ = [
    "BlurDetector",
    "CompressionDetector",
    "DarkDetector",
    "ExposureDetector",
    "GrayscaleDetector",
    "InvalidImageDetector",
    "IssueDetector",
    "LightDetector",
    "LowInformationDetector",
    "NoiseDetector",
    "OddAspectRatioDetector",
    "OddSizeDetector",
    "PixelationDetector",
    "ResolutionDetector",
]
