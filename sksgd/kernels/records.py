"""Records of the features of a CSR row: read, brought up to date, updated and written back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..debt import CLOCK, MASS, SCALE
from .intrinsics import begun_at, get, put, put_slots, scaled, slots_at
from .jit import helper, overload, reordered
from .rows import span
from .update import clip, item, move


@helper
def longest(rows, order, first, last):
    """The most stored values of one of the rows ``order[first:last]``."""
    most = 0
    for i in range(first, last):
        most = max(most, span(rows, get(order, i))[1])
    return most


@helper
def take(model, idle, rows, z, size, k, n, start, length, held, room, averaged):
    """Copy the n numbers of output k of a row's records to `held`, and after them averages and clocks."""
    at, mean = k * (n + 2) * room, (k * (n + 2) + n) * room
    for q in range(length):
        record = np.int64(get(rows.indices, start + q)) * size
        p = record + k * n
        put(held, at + q, get(z, p))
        put_slots(model.opt, held, at + room + q, room, slots_at(model.opt, z, p + 1, 1))
        if idle.owes:
            put(held, mean + room + q, get(z, record + size - 1))
    if averaged:
        for q in range(length):
            put(held, mean + q, get(z, np.int64(get(rows.indices, start + q)) * size + k * n + n - 1))


@helper
def bring(model, idle, rows, z, size, k, n, start, length, held, room, update, averaged):
    """Copy back what `take` took, and stamp the records."""
    at, mean = k * (n + 2) * room, (k * (n + 2) + n) * room
    for q in range(length):
        record = np.int64(get(rows.indices, start + q)) * size
        p = record + k * n
        put(z, p, get(held, at + q))
        put_slots(model.opt, z, p + 1, 1, slots_at(model.opt, held, at + room + q, room))
        stamp(idle, z, record + size - 1, update)
    if averaged:
        for q in range(length):
            put(z, np.int64(get(rows.indices, start + q)) * size + k * n + n - 1, get(held, mean + q))


@reordered
def recall(model, idle, rows, start, length, held, at, n, room, now, lines, width):
    """Bring held weights to the clock of now, and return their product with the row."""
    total, mean = held.dtype.type(0), at + n * room
    for q in range(length):
        if idle.owes:
            j = np.int64(get(rows.indices, start + q))
            catch_up(model, idle, held, at + q, room, mean + q, mean + room + q, j, now, lines, width)
        total += get(rows.data, start + q) * get(held, at + q)
    return total


@helper
def change(model, idle, rows, start, length, held, at, n, room, g, update):
    """Update held weights, where `g` is the slope of the loss."""
    mean = at + n * room
    for q in range(length):
        j = np.int64(get(rows.indices, start + q))
        touch(model, idle, held, at + q, room, mean + q, j, g * get(rows.data, start + q), update, True)


@helper
def numbers(idle, size, K):
    """How many numbers of a record belong to one output."""
    return (size - 1) // K if idle.owes else size // K


@helper
def catch_up(model, idle, z, p, by, mean, clock, j, now, lines, width):
    """Bring the weight at `p`, of feature j, whose slots follow at distance `by`, to the clock of now."""
    opt, pen, (begun, step, until) = model.opt, model.pen, now
    then, w, slots = get(z, clock), get(z, p), slots_at(opt, z, p + by, by)
    behind = then != until
    if idle.tabled:
        moved, faded, total = idle.catch_up_sum(
            opt, pen, w, slots, np.int64(then), np.int64(until), begun, lines, width
        )
        put(z, mean, get(z, mean) + (total if behind else 0.0))
    else:
        moved, faded = idle.catch_up(opt, pen, w, slots, then, until, begun, step, item(model.alpha, j))
    # Selected, not branched around, so that loops over weights vectorise.
    put(z, p, moved if behind else w)
    put_slots(opt, z, p + by, by, faded if behind else slots)


@helper
def update_at(model, idle, lines, at, width, z, debt):
    """What touched weights share: `begin`, step, amount, scales before and after, mass or c, the clock after."""
    begun, step, amount = begun_at(model.opt, lines, at, z), lines[at + width - 3], lines[at + width - 2]
    after = common(model, debt[SCALE], amount)
    return (
        begun,
        step,
        z.dtype.type(amount),
        (z.dtype.type(debt[SCALE]), z.dtype.type(idle.slot_scale(debt[SCALE]))),
        (z.dtype.type(1.0 / after), z.dtype.type(1.0 / idle.slot_scale(after))),
        z.dtype.type(lines[at + width - 4] if idle.tabled else -debt[MASS]),
        z.dtype.type(idle.advance(debt[CLOCK], step, amount)),
    )


@helper
def touch(model, idle, z, p, by, mean, j, g, update, averaged):
    """Update the weight at `p`, of feature j, whose slots follow at distance `by`, with gradient `g`."""
    begun, step, a, scale, unscale, mass, _ = update
    old = get(z, p)
    slots = scaled(slots_at(model.opt, z, p + by, by), scale[1])
    w, slots = move(model.opt, model.pen, g, old * scale[0], slots, begun, step, a, item(model.alpha, j))
    w = clip(w, model.bounds, j)
    new = z.dtype.type(w) * unscale[0]
    put(z, p, new)
    put_slots(model.opt, z, p + by, by, scaled(slots, unscale[1]))
    if averaged:
        put(z, mean, get(z, mean) + mass * (w if idle.tabled else new - old))


def common(model: Any, scale: float, a: float) -> float:
    """The scale after an update with amount `a`."""
    return scale * a if model.alpha is None and model.pen.linear else scale


@overload(common)
def _(model: Any, scale: Any, a: Any) -> Any:
    fields = dict(zip(model.fields, model.types, strict=True))
    if fields["alpha"].name == "none" and fields["pen"].cls.linear:
        return lambda model, scale, a: scale * a
    return lambda model, scale, a: scale


@helper
def stamp(idle, z, at, update):
    """Set the clock of a record to what it will be after this update."""
    if idle.owes:
        put(z, at, update[-1])
