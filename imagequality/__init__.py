"""Finds low-quality and duplicate images in a data set and chooses every threshold by itself.

>>> import imagequality as iq
>>> images, y = iq.datasets.make_flawed_images(100, random_state=0)
>>> report = iq.QualityPipeline().fit(images).report()
"""

from . import datasets, perturbations, testing
from .detectors import (
    BlurDetector,
    CompressionDetector,
    DarkDetector,
    ExposureDetector,
    GrayscaleDetector,
    InvalidImageDetector,
    IssueDetector,
    LightDetector,
    LowInformationDetector,
    NoiseDetector,
    OddAspectRatioDetector,
    OddSizeDetector,
    PixelationDetector,
    ResolutionDetector,
)
from .diagnosis import ClassReport, class_report
from .duplicates import (
    DuplicateDetector,
    ExactDuplicateDetector,
    NearDuplicateDetector,
    OutlierDetector,
    SemanticDuplicateDetector,
    find_leaks,
)
from .embedders import Embedder, OnnxEmbedder, TorchEmbedder
from .images import UnreadableImageError, list_images, load_image, stream_images
from .impact import ImpactStudy
from .measurements import Measurement, Measurer, measure, read_store
from .pipeline import QualityPipeline, default_detectors
from .report import QualityReport, ReportComparison
from .resample import DropDuplicates, DropFlagged
from .thresholds import (
    AutoThreshold,
    FixedThreshold,
    FunctionThreshold,
    GammaMixtureThreshold,
    GatedThreshold,
    GeneralizedHistogramThreshold,
    IQRThreshold,
    LiThreshold,
    MaxEntropyThreshold,
    MinimumErrorThreshold,
    ModifiedValleyEmphasisThreshold,
    OtsuThreshold,
    QuantileThreshold,
    SupervisedThreshold,
    ThresholdSelector,
)
from .validation import Profile, ValidationResult, validate, validate_folder, validate_many

__version__ = "0.1.0"

__all__ = [
    "AutoThreshold",
    "BlurDetector",
    "ClassReport",
    "CompressionDetector",
    "DarkDetector",
    "DropDuplicates",
    "DropFlagged",
    "DuplicateDetector",
    "Embedder",
    "ExactDuplicateDetector",
    "ExposureDetector",
    "FixedThreshold",
    "FunctionThreshold",
    "GammaMixtureThreshold",
    "GatedThreshold",
    "GeneralizedHistogramThreshold",
    "GrayscaleDetector",
    "IQRThreshold",
    "ImpactStudy",
    "InvalidImageDetector",
    "IssueDetector",
    "LiThreshold",
    "LightDetector",
    "LowInformationDetector",
    "MaxEntropyThreshold",
    "Measurement",
    "Measurer",
    "MinimumErrorThreshold",
    "ModifiedValleyEmphasisThreshold",
    "NearDuplicateDetector",
    "NoiseDetector",
    "OddAspectRatioDetector",
    "OddSizeDetector",
    "OnnxEmbedder",
    "OtsuThreshold",
    "OutlierDetector",
    "PixelationDetector",
    "Profile",
    "QualityPipeline",
    "QualityReport",
    "QuantileThreshold",
    "ReportComparison",
    "ResolutionDetector",
    "SemanticDuplicateDetector",
    "SupervisedThreshold",
    "ThresholdSelector",
    "TorchEmbedder",
    "UnreadableImageError",
    "ValidationResult",
    "__version__",
    "class_report",
    "datasets",
    "default_detectors",
    "find_leaks",
    "list_images",
    "load_image",
    "measure",
    "perturbations",
    "read_store",
    "stream_images",
    "testing",
    "validate",
    "validate_folder",
    "validate_many",
]
