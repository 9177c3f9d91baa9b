"""`Component`: a small immutable value object, which every loss, penalty, optimizer and rule is."""

from __future__ import annotations

import dataclasses
from typing import Any, dataclass_transform

__all__ = ["Component"]


@dataclass_transform(frozen_default=True)
class Component:
    """An immutable value: equal by fields, hashable, printable, picklable, with scikit-learn's `get_params`.

    A subclass becomes a frozen dataclass by itself. `set_params` does not exist, because a component may be shared by
    several estimators: `replace` returns a changed copy, and ``estimator.set_params(optimizer__momentum=0.5)`` uses it.

    Examples
    --------
    >>> class Range(Component):
    ...     low: float
    ...     high: float = 1.0
    >>> Range(0.0).replace(high=2.0)
    Range(low=0.0, high=2.0)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True)(cls)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The fields by name; with ``deep=True`` those of nested components too, as ``outer__inner``."""
        params = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        if deep:
            for name, value in list(params.items()):
                if isinstance(value, Component):
                    params.update({f"{name}__{k}": v for k, v in value.get_params().items()})
        return params

    def replace(self, **params: Any) -> Component:
        """A copy with some fields changed; ``outer__inner`` changes a field of a nested component."""
        valid = self.get_params(deep=False)
        nested: dict[str, dict[str, Any]] = {}
        changed: dict[str, Any] = {}
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in valid:
                raise ValueError(
                    f"Invalid parameter {name!r} for {type(self).__name__}. Valid parameters are: {sorted(valid)}."
                )
            if rest:
                nested.setdefault(name, {})[rest] = value
            else:
                changed[name] = value
        for name, inner in nested.items():
            changed[name] = changed.get(name, valid[name]).replace(**inner)
        return dataclasses.replace(self, **changed)  # type: ignore[type-var]

    def __sklearn_clone__(self) -> Component:
        return self
