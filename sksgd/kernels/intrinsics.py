"""Access to flat arrays that Numba's own indexing does not give: tuples of slots, columns of the table, prefetching.

Each is a Python function, which is what ``kernel.py_func`` runs, and an intrinsic of the same meaning. An intrinsic
passes scalars only, so no array is reference-counted once per weight (measured: 15 times slower).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import errors, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from .jit import overload

_INT64 = ir.IntType(64)


def prefetch(array: Any, i: Any) -> None:
    """Hint that element `i` of a contiguous array, counted flat, is to be read: it comes into the second cache.

    The first one is soon crowded.
    """


def prefetch_soon(array: Any, i: Any) -> None:
    """Hint that it is about to be read: it comes into the first cache."""


def _prefetch_into(locality: int) -> Any:
    @intrinsic
    def hint(context: Any, array: Any, i: Any) -> Any:
        def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            pointer = _element(ctx, builder, signature.args[0], args[0], args[1])
            byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            function = builder.module.globals.get("llvm.prefetch.p0") or ir.Function(
                builder.module, kind, "llvm.prefetch.p0"
            )
            # For reading, of data.
            builder.call(function, [builder.bitcast(pointer, byte), word(0), word(locality), word(1)])
            return ctx.get_dummy_value()

        return types.void(array, types.int64), codegen

    return hint


_prefetch, _prefetch_soon = _prefetch_into(2), _prefetch_into(3)


@overload(prefetch)
def _(array: Any, i: Any) -> Any:
    return lambda array, i: _prefetch(array, i)


@overload(prefetch_soon)
def _(array: Any, i: Any) -> Any:
    return lambda array, i: _prefetch_soon(array, i)


def slots_at(opt: Any, array: Any, i: int, stride: int) -> tuple:
    """The slots of a weight: elements i, i + stride, ... of a flat array, as many as the optimizer has."""
    return tuple(array[i + m * stride] for m in range(opt.n_slots))


@intrinsic
def _slots_at(context: Any, opt: Any, array: Any, i: Any, stride: Any) -> Any:
    n = opt.cls.n_slots
    result = types.Tuple((array.dtype,) * n)

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = []
        for m in range(n):
            at = builder.add(args[2], builder.mul(args[3], _INT64(m)))
            pointer = _element(ctx, builder, signature.args[1], args[1], at)
            values.append(ctx.unpack_value(builder, array.dtype, pointer))
        return ctx.make_tuple(builder, result, values)

    return result(opt, array, types.int64, types.int64), codegen


@overload(slots_at)
def _(opt: Any, array: Any, i: Any, stride: Any) -> Any:
    return lambda opt, array, i, stride: _slots_at(opt, array, i, stride)


def put_slots(opt: Any, array: Any, i: int, stride: int, slots: tuple) -> None:
    """Store what `slots_at` reads."""
    for m in range(opt.n_slots):
        array[i + m * stride] = slots[m]


@intrinsic
def _put_slots(context: Any, opt: Any, array: Any, i: Any, stride: Any, slots: Any) -> Any:
    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        for m in range(opt.cls.n_slots):
            at = builder.add(args[2], builder.mul(args[3], _INT64(m)))
            pointer = _element(ctx, builder, signature.args[1], args[1], at)
            value = ctx.cast(builder, builder.extract_value(args[4], m), slots.types[m], array.dtype)
            ctx.pack_value(builder, array.dtype, value, pointer)
        return ctx.get_dummy_value()

    return types.void(opt, array, types.int64, types.int64, slots), codegen


@overload(put_slots)
def _(opt: Any, array: Any, i: Any, stride: Any, slots: Any) -> Any:
    return lambda opt, array, i, stride, slots: _put_slots(opt, array, i, stride, slots)


def begun_at(opt: Any, table: Any, i: int, like: Any) -> tuple:
    """What `begin` made for one update: the table's elements from `i` on, in the precision of the array `like`."""
    n = len(opt.begin(0, 1.0))
    return tuple(like.dtype.type(table[i + m]) for m in range(n))


@intrinsic
def _begun_at(context: Any, opt: Any, table: Any, i: Any, like: Any) -> Any:
    result = types.Tuple((like.dtype,) * opt.n_begun)

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = []
        for m in range(opt.n_begun):
            at = builder.add(args[2], _INT64(m))
            value = ctx.unpack_value(builder, table.dtype, _element(ctx, builder, signature.args[1], args[1], at))
            values.append(ctx.cast(builder, value, table.dtype, like.dtype))
        return ctx.make_tuple(builder, result, values)

    return result(opt, table, types.int64, like), codegen


@overload(begun_at)
def _(opt: Any, table: Any, i: Any, like: Any) -> Any:
    return lambda opt, table, i, like: _begun_at(opt, table, i, like)


def _element(ctx: Any, builder: Any, kind: Any, array: Any, i: Any) -> Any:
    return builder.gep(ctx.make_array(kind)(ctx, builder, array).data, [i])


def scaled(slots: tuple, factor: float) -> tuple:
    """Every slot times `factor`."""
    return tuple(s * factor for s in slots)


@intrinsic
def _scaled(context: Any, slots: Any, factor: Any) -> Any:
    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = [builder.fmul(builder.extract_value(args[0], m), args[1]) for m in range(len(slots))]
        return ctx.make_tuple(builder, slots, values)

    return slots(slots, slots.dtype if len(slots) else factor), codegen


@overload(scaled)
def _(slots: Any, factor: Any) -> Any:
    return lambda slots, factor: _scaled(slots, factor)


def _require_contiguous(array: Any) -> None:
    """Refuse to compile what would read or write past the elements of a view with gaps."""
    if not array.is_contig:
        raise errors.TypingError(f"{array} is not contiguous. Pass a copy, as np.ascontiguousarray makes it.")


def get(array: Any, i: Any) -> Any:
    """Element `i` of a contiguous array, counted flat; no test for a negative index, which would stop vectorisation."""
    return array.reshape(-1)[i]


@intrinsic
def _get(context: Any, array: Any, i: Any) -> Any:
    _require_contiguous(array)

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ctx.unpack_value(builder, array.dtype, _element(ctx, builder, signature.args[0], args[0], args[1]))

    return array.dtype(array, types.int64), codegen


@overload(get)
def _(array: Any, i: Any) -> Any:
    return lambda array, i: _get(array, i)


def put(array: Any, i: Any, value: Any) -> None:
    """Set what `get` reads."""
    array.reshape(-1)[i] = value


@intrinsic
def _put(context: Any, array: Any, i: Any, value: Any) -> Any:
    _require_contiguous(array)

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(ctx, builder, signature.args[0], args[0], args[1])
        ctx.pack_value(builder, array.dtype, ctx.cast(builder, args[2], value, array.dtype), pointer)
        return ctx.get_dummy_value()

    return types.void(array, types.int64, value), codegen


@overload(put)
def _(array: Any, i: Any, value: Any) -> Any:
    return lambda array, i, value: _put(array, i, value)


def borrowed(value: Any) -> Any:
    """An argument of the kernel, an array or a tuple with arrays, which helpers do not count the references of.

    The caller holds them. Counting took 20 locked additions a row, a fifth of the time of a CSR row of 70 values.
    """
    return value


@intrinsic
def _borrowed(context: Any, value: Any) -> Any:
    parts = value if isinstance(value, types.BaseTuple) else (value,)

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        found = []
        for m, part in enumerate(parts):
            item = builder.extract_value(args[0], m) if isinstance(value, types.BaseTuple) else args[0]
            if isinstance(part, types.Array):
                array = ctx.make_array(part)(ctx, builder, item)
                array.meminfo = ir.Constant(array.meminfo.type, None)
                item = array._getvalue()
            found.append(item)
        return ctx.make_tuple(builder, value, found) if isinstance(value, types.BaseTuple) else found[0]

    return value(value), codegen


@overload(borrowed)
def _(value: Any) -> Any:
    return lambda value: _borrowed(value)


def flat(array: Any) -> Any:
    """A contiguous array that the caller holds, counted flat, and borrowed.

    Numba's `reshape` can fail, which takes a tenth of a second to compile.
    """
    return array.reshape(-1)


@intrinsic
def _flat(context: Any, array: Any) -> Any:
    _require_contiguous(array)
    result = types.Array(array.dtype, 1, "C")

    def codegen(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        old, new = ctx.make_array(array)(ctx, builder, args[0]), ctx.make_array(result)(ctx, builder)
        populate_array(new, old.data, [old.nitems], [old.itemsize], old.itemsize, None)
        return new._getvalue()

    return result(array), codegen


@overload(flat)
def _(array: Any) -> Any:
    return lambda array: _flat(array)
