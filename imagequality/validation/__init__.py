"""Judge images against fixed limits: nothing is fitted, no verdict depends on other images."""

from ._folder import validate_folder
from ._profiles import ISSUES, PROFILES, Profile
from ._validate import ValidationResult, validate, validate_many

__all__ = [
    "ISSUES",
    "PROFILES",
    "Profile",
    "ValidationResult",
    "validate",
    "validate_folder",
    "validate_many",
]
