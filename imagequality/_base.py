"""What every room shares: parameter checks, and the one door to scikit-learn's private modules."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from numbers import Integral
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Hidden,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition

__all__ = [
    "N_JOBS",
    "BaseComposition",
    "HasMethods",
    "Hidden",
    "Interval",
    "InvalidParameterError",
    "Options",
    "StrOptions",
    "clone_with_shared",
    "safe_indexing",
    "takes_images",
    "validate_arguments",
    "validate_parameters",
]

N_JOBS = [
    None,
    Interval(Integral, 1, None, closed="left"),
    Interval(Integral, None, -1, closed="right"),
]
"""What a number of workers may be: joblib's rule."""


def validate_parameters(estimator: Any) -> None:
    """Check an estimator's parameters against its ``_parameter_constraints``.

    Raises
    ------
    InvalidParameterError
        A ValueError and a TypeError at once; it names the parameter, what is
        allowed and what was got.
    """
    estimator._validate_params()


def validate_arguments(
    constraints: Mapping[str, Any], arguments: Mapping[str, Any], function: str
) -> None:
    """Check the arguments of a function as :func:`validate_parameters` checks an estimator's.

    Raises
    ------
    InvalidParameterError
    """
    validate_parameter_constraints(constraints, arguments, caller_name=function)


def clone_with_shared(estimator: Any, name: str) -> Any:
    """Clone an estimator as scikit-learn does, but share one parameter with the clone.

    For a parameter that is fitted, which a clone of it would not be, or large.
    """
    bare = copy(estimator)
    setattr(bare, name, None)
    cloned = BaseEstimator.__sklearn_clone__(bare)
    setattr(cloned, name, getattr(estimator, name))
    return cloned


def takes_images(tags: Any) -> Any:
    """Say in scikit-learn's tags that X is a collection of images, not a table of numbers."""
    tags.input_tags.two_d_array = False
    tags.input_tags.three_d_array = True
    tags.input_tags.string = True
    tags.input_tags.allow_nan = True
    tags.target_tags.required = False
    return tags
