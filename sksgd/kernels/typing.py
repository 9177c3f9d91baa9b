"""How Numba sees components: one struct type per class, whose hooks are inlined into the kernels.

The type of a component is named after its class and a fingerprint of its code, of the classes and functions that code
calls, and of the source of this package. Kernels are therefore shared by all instances of a class, cached on disk
across processes, and compiled again after an edit of any of these. Fields are float64. Classes of ``__main__`` work, in
worker processes too, because nothing is registered: the type is made when Numba first meets an instance.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
import types as pytypes
from collections.abc import Iterator
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    overload_method,
    register_model,
    typeof_impl,
    unbox,
)

from .. import base, functions
from .jit import UNWRAPPED

_CLASSES: dict[str, type] = {}


class ComponentType(types.Type):
    """A component class as a Numba type, known by its fingerprint; `fields` are the names of its float64 fields.

    It holds names and numbers only, because cached kernels are looked up by pickled types and the class itself may live
    in ``__main__``.
    """

    def __init__(self, fingerprint: str, fields: tuple[str, ...], n_begun: int):
        self.fields = fields
        #: How many numbers the optimizer's `begin` hands to each update.
        self.n_begun = n_begun
        self.fingerprint = fingerprint
        super().__init__(name=f"{fingerprint}({', '.join(fields)}){n_begun}")

    @property
    def cls(self) -> type:
        return _CLASSES[self.fingerprint]


class LossType(ComponentType): ...


class JointLossType(ComponentType): ...


class PenaltyType(ComponentType): ...


class OptimizerType(ComponentType): ...


class SampleStepType(ComponentType): ...


class IdleType(ComponentType): ...


#: Their functions change with their versions only.
_LIBRARIES = {"math", "numba", "numpy", "scipy"}


def _code(value: Any, seen: set[int]) -> Iterator[str]:
    """The parts of a class or function that decide what it computes, with what it calls, recursively."""
    value = getattr(value, "py_func", value)
    value = getattr(value, "__func__", value)
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, type):
        for klass in value.__mro__[:-1]:
            if klass.__module__ == "builtins":
                continue
            yield f"{klass.__module__}.{klass.__qualname__}"
            for name, item in sorted(vars(klass).items()):
                if not name.startswith("__"):
                    yield name
                    yield from _code(item, seen)
    elif isinstance(value, pytypes.FunctionType) and value.__module__.partition(".")[0] not in _LIBRARIES:
        code = value.__code__
        yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames}"
        for constant in code.co_consts:
            yield constant.co_code.hex() if isinstance(constant, pytypes.CodeType) else repr(constant)
        used = [value.__globals__[name] for name in code.co_names if name in value.__globals__]
        for module in [item for item in used if isinstance(item, pytypes.ModuleType)]:
            used += [vars(module)[name] for name in code.co_names if name in vars(module)]
        for item in [*used, *(cell.cell_contents for cell in value.__closure__ or ())]:
            yield from _code(item, seen)
    elif isinstance(value, bool | int | float | str | tuple):
        yield repr(value)


def _source() -> bytes:
    folder = pathlib.Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), pathlib.Path(functions.__file__)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files if f.exists())).digest()


_SOURCE = _source()


def fingerprint(cls: type) -> str:
    """Qualified name of the class and a hash of all that its hooks compute."""
    digest = hashlib.sha256(_SOURCE)
    for part in _code(cls, set()):
        digest.update(part.encode())
    return f"{cls.__module__}.{cls.__qualname__}#{digest.hexdigest()[:16]}"


_TYPES: dict[type, ComponentType] = {}


@typeof_impl.register(base.Component)
def _typeof(value: Any, context: Any) -> ComponentType:
    cls = type(value)
    if cls not in _TYPES:
        name = fingerprint(cls)
        _CLASSES[name] = cls
        fields = tuple(f.name for f in dataclasses.fields(cls))
        n_begun = len(value.begin(np.zeros(1), np.ones(1))) if isinstance(value, base.Optimizer) else 0
        _TYPES[cls] = _role(cls)(name, fields, n_begun)
    return _TYPES[cls]


@register_model(LossType)
@register_model(JointLossType)
@register_model(PenaltyType)
@register_model(OptimizerType)
@register_model(SampleStepType)
@register_model(IdleType)
class _Model(models.StructModel):
    def __init__(self, manager: Any, fe_type: ComponentType):
        super().__init__(manager, fe_type, [(name, types.float64) for name in fe_type.fields])


def _register(role: type[ComponentType], hooks: dict[str, str]) -> None:
    """Field access, unboxing and the hooks (name -> arguments) of one role."""

    @infer_getattr
    class _Fields(AttributeTemplate):
        key = role

        def generic_resolve(self, component: ComponentType, name: str) -> types.Type | None:
            constant = isinstance(getattr(component.cls, name, None), bool | int | float)
            return types.float64 if name in component.fields or constant else None

    @lower_getattr_generic(role)
    def _getattr(context: Any, builder: Any, component: ComponentType, value: Any, name: str) -> Any:
        if name not in component.fields:  # a number of the class
            return context.get_constant(types.float64, float(getattr(component.cls, name)))
        struct = cgutils.create_struct_proxy(component)(context, builder, value=value)
        return impl_ret_borrowed(context, builder, types.float64, getattr(struct, name))

    @unbox(role)
    def _unbox(component: ComponentType, obj: Any, c: Any) -> NativeValue:
        struct = cgutils.create_struct_proxy(component)(c.context, c.builder)
        failed = cgutils.alloca_once_value(c.builder, cgutils.false_bit)
        for name in component.fields:
            attribute = c.pyapi.object_getattr_string(obj, name)
            native = c.unbox(types.float64, attribute)
            setattr(struct, name, native.value)
            c.builder.store(c.builder.or_(c.builder.load(failed), native.is_error), failed)
            c.pyapi.decref(attribute)
        return NativeValue(struct._getvalue(), is_error=c.builder.load(failed))

    for name, arguments in hooks.items():
        # Not strict: a hook may name its arguments as it likes.
        namespace: dict[str, Any] = {}
        exec(f"def hook(self, {arguments}):\n    return getattr(self.cls, {name!r})", namespace)
        overload_method(role, name, strict=False, jit_options=UNWRAPPED)(namespace["hook"])


class Idle(base.Component):
    """How a weight catches up with the updates that did not touch it; the classes are in `idle`."""


def _role(cls: type) -> type[ComponentType]:
    if issubclass(cls, base.Loss):
        return JointLossType if cls.joint else LossType
    return next(r for b, r in _ROLES.items() if issubclass(cls, b))


_ROLES: dict[type, type[ComponentType]] = {
    base.Penalty: PenaltyType,
    base.Optimizer: OptimizerType,
    base.SampleStep: SampleStepType,
    Idle: IdleType,
}

_register(LossType, {"value": "p, y", "gradient": "p, y", "curvature": "p, y", "prox": "p, y, step"})
_register(JointLossType, {"value": "p, y, norm", "gradient": "p, y, norm"})
_register(
    PenaltyType,
    {
        "value": "w, alpha",
        "prox": "w, step, alpha",
        "shrink": "w, a",
        "drift": "w, move, time, alpha",
        "size": "w, total",
        "truncate": "w, paid, total",
        "cost": "squares, sizes, alpha",
    },
)
_register(
    OptimizerType,
    {"coord": "g, w, slots, begun", "scale": "slots, begun", "glide": "w, slots, k, begun"},
)
_register(SampleStepType, {"update": "loss, p, y, eta, square"})
_register(
    IdleType,
    {
        "catch_up": "opt, pen, w, slots, then, now, begun, step, alpha",
        "catch_up_sum": "opt, pen, w, slots, then, now, begun, lines, width",
        "advance": "clock, step, amount",
        "slot_scale": "scale",
    },
)
