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
    "DetectorComposition",
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


class DetectorComposition(BaseComposition):
    """An estimator whose parameter ``detectors`` is a list of (name, detector), or None.

    None stands for a default list: ``get_params`` shows the parameters of its detectors and
    ``set_params`` reaches them.
    """

    detectors: list[tuple[str, Any]] | None

    def _default_detectors(self) -> list[Any]:
        """Return a new default list."""
        raise NotImplementedError

    @property
    def _named_detectors(self) -> list[tuple[str, Any]]:
        return self._default_detectors() if self.detectors is None else self.detectors

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, with ``deep`` those of every detector too.

        Parameters
        ----------
        deep : bool, default=True

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = self._get_params("_named_detectors", deep=deep)
        return params

    def set_params(self, **params: Any) -> Any:
        """Set own parameters, or those of the detectors.

        Parameters
        ----------
        **params : dict
            ``name=detector`` replaces a detector, ``name="drop"`` leaves it out
            where that is allowed,
            ``name__parameter=value`` sets a detector's parameter.

        Returns
        -------
        self
        """
        before = self.detectors
        own = set(self.get_params(deep=False))
        if "detectors" in params:
            self.detectors = params.pop("detectors")
        if self.detectors is None and set(params) - own:
            self.detectors = self._default_detectors()
        for name in {name.partition("__")[0] for name in params if "__" in name}:
            if name not in params and dict(self.detectors or []).get(name) == "drop":
                self.detectors = before
                raise ValueError(f"{name!r} is dropped, so its parameters cannot be set")
        try:
            self._set_params("detectors", **params)
        except (AttributeError, ValueError):
            self.detectors = before
            raise
        return self
