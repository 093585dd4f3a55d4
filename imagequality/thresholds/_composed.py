"""What selectors made of other selectors share."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from ._base import ThresholdSelector


class ComposedThreshold(ThresholdSelector):
    """A selector with selectors as parameters, where None stands for a default one.

    ``get_params`` shows the parameters of the defaults and ``set_params`` reaches them, so that
    ``gate__floor`` can be set, by a grid or by a detector, though ``gate`` is None.
    """

    def _defaults(self) -> dict[str, ThresholdSelector]:
        """Return, by parameter, the selector that None stands for."""
        raise NotImplementedError

    def _part(self, name: str) -> ThresholdSelector:
        """Return an unfitted copy of a parameter's selector."""
        given = getattr(self, name)
        selector: ThresholdSelector = clone(self._defaults()[name] if given is None else given)
        return selector

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Also those of the selectors inside, by ``<parameter>__<name>``.

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = super().get_params(deep=deep)
        if deep:
            for part, selector in self._defaults().items():
                if params[part] is None:
                    nested = selector.get_params()
                    params |= {f"{part}__{name}": value for name, value in nested.items()}
        return params

    def set_params(self, **params: Any) -> ComposedThreshold:
        """Set parameters, those of the selectors inside by ``<parameter>__<name>``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : ThresholdSelector
        """
        inside = {name.partition("__")[0] for name in params if "__" in name}
        for part, selector in self._defaults().items():
            if part in inside and params.get(part, getattr(self, part)) is None:
                params[part] = selector
        super().set_params(**params)
        return self
