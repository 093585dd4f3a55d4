"""What every room shares: parameter checks, and the one door to scikit-learn's private modules."""

from __future__ import annotations

from typing import Any

from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition

__all__ = [
    "BaseComposition",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "safe_indexing",
    "validate_parameters",
]


def validate_parameters(estimator: Any) -> None:
    """Check an estimator's parameters against its ``_parameter_constraints``.

    Raises
    ------
    InvalidParameterError
        A ValueError and a TypeError at once; it names the parameter, what is
        allowed and what was got.
    """
    estimator._validate_params()
