"""Updates on CSR rows that visit only the weights a row has: O(non-zeros), and the dense result.

State is one record per feature, contiguous so that a non-zero costs one cache line: for each output its weight, slots
and average, then the clock at which the record was last brought up to date. What all records owe is in `debt`.

Where weights do more than shrink by a common factor between touches, sums over their iterates need a table (`tabled`):
average entries then take c_t w_t as they are, the caller gives c and its sums in four more columns, and ends the call
settled.

The table has one more line than there are updates: the first belongs to the last update of the call before. A kernel
stops before the first update that would use a prediction that is not finite, and after one that leaves the debt
`overdue`; it returns the number of updates done.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numba.extending import overload

from ..debt import CLOCK, KEEP, MASS, SCALE, STARTED
from .dense import move_intercepts
from .intrinsics import begun_at, get, put, put_slots, scaled, slots_at
from .jit import OPTIONS, helper, kernel
from .rows import records_ahead
from .update import clip, gradient_of, item, log_sum_exp, move


@kernel
def lazy_rows(model, idle, rows, work, first, last, many, table, stride, records, bias, debt, averaged, intercept):
    """Update with each of the rows ``order[first:last]`` by itself. `many`: None for one output, else how many."""
    K = 1 if many is None else many
    data, indices, indptr = rows
    y, order, weight = work
    z, b, lines, width = records.reshape(-1), bias.reshape(-1), table.reshape(-1), table.shape[1]
    size = records.shape[1]
    n = numbers(idle, size, K)
    scores, slopes = np.empty(K), np.empty(K)
    for i in range(first, last):
        r = order[i]
        records_ahead(rows, y, z, size, order, i, last)
        at = stride * (i - first) * width
        begun, step = begun_at(model.opt, lines, at, z), lines[at + width - 3]
        start, stop = np.int64(indptr[r]), np.int64(indptr[r + 1])
        if idle.owes:
            clock = z.dtype.type(debt[CLOCK])
            for q in range(start, stop):
                j = np.int64(indices[q])
                catch_up(model, idle, z, j * size, j, n, K, size, begun, step, clock, lines, width)
        total = 0.0
        for k in range(K):
            scores[k] = record_dot(data, indices, start, stop, z, size, k * n) * debt[SCALE] + b[k]
            total += scores[k]
        if not math.isfinite(total):
            return i - first
        norm = log_sum_exp(model.loss, scores, 0, K)
        for k in range(K):
            slopes[k] = item(weight, i) * gradient_of(model.loss, scores[k], y, r, k, norm)
        at += stride * width
        begin_average(idle, debt, lines[at + width - 1], averaged)
        update = update_at(model, idle, lines, at, width, z, debt)
        for q in range(start, stop):
            j = np.int64(indices[q])
            for k in range(K):
                touch(model, idle, z, j * size + k * n, n, j, z.dtype.type(slopes[k]) * data[q], update, averaged)
            stamp(idle, z, j * size + size - 1, update)
        finish(model, idle, records, b, n, slopes, lines, at, width, debt, averaged, intercept)
        if overdue(debt, averaged):
            return i - first + 1
    return last - first


@kernel
def lazy_batches(
    model, idle, rows, work, first, last, many, batch, table, stride, records, bias, debt, averaged, intercept
):
    """Update with batches of `batch` of the rows ``order[first:last]``; `many` as in `lazy_rows`."""
    K = 1 if many is None else many
    data, indices, indptr = rows
    y, order, weight = work
    z, b, lines, width = records.reshape(-1), bias.reshape(-1), table.reshape(-1), table.shape[1]
    size = records.shape[1]
    n = numbers(idle, size, K)
    scores, slopes, sums = np.empty(K), np.empty(K), np.zeros(K)
    gradient, touched = np.zeros(len(records) * K, z.dtype), np.empty(len(records), np.int64)
    seen = np.zeros(len(records), np.bool_)
    done = 0
    for low in range(first, last, batch):
        high = min(low + batch, last)
        at = stride * done * width
        begun, step, clock = begun_at(model.opt, lines, at, z), lines[at + width - 3], z.dtype.type(debt[CLOCK])
        n_touched = 0
        for i in range(low, high):
            r = order[i]
            records_ahead(rows, y, z, size, order, i, last)
            start, stop = np.int64(indptr[r]), np.int64(indptr[r + 1])
            for q in range(start, stop):
                j = np.int64(indices[q])
                if not seen[j]:
                    seen[j] = True
                    touched[n_touched] = j
                    n_touched += 1
                    if idle.owes:
                        catch_up(model, idle, z, j * size, j, n, K, size, begun, step, clock, lines, width)
            total = 0.0
            for k in range(K):
                scores[k] = record_dot(data, indices, start, stop, z, size, k * n) * debt[SCALE] + b[k]
                total += scores[k]
            if not math.isfinite(total):
                return done
            norm = log_sum_exp(model.loss, scores, 0, K)
            for k in range(K):
                slopes[k] = item(weight, i) * gradient_of(model.loss, scores[k], y, r, k, norm)
                sums[k] += slopes[k]
                g = z.dtype.type(slopes[k])
                for q in range(start, stop):
                    p = int(indices[q]) * K + k
                    put(gradient, p, get(gradient, p) + g * data[q])
        at += stride * width
        begin_average(idle, debt, lines[at + width - 1], averaged)
        update = update_at(model, idle, lines, at, width, z, debt)
        factor = 1.0 / (high - low)
        kept = shorten(model.opt, factor, gradient, touched[:n_touched], sums, K, intercept)
        scale, limit = z.dtype.type(kept * factor), z.dtype.type(kept * model.opt.clip_value)
        for m in range(n_touched):
            j = touched[m]
            seen[j] = False
            for k in range(K):
                g = min(max(scale * get(gradient, j * K + k), -limit), limit)
                put(gradient, j * K + k, 0.0)
                touch(model, idle, z, j * size + k * n, n, j, g, update, averaged)
            stamp(idle, z, j * size + size - 1, update)
        for k in range(K):
            sums[k] = min(max(scale * sums[k], -limit), limit)
        finish(model, idle, records, b, n, sums, lines, at, width, debt, averaged, intercept)
        sums[:] = 0.0
        done += 1
        if overdue(debt, averaged):
            return done
    return done


@kernel
def settle(model, idle, records, table, line, K, debt, averaged):
    """Bring all records to the clock of now and multiply the scale out, so that nothing is owed."""
    z, lines, size = records.reshape(-1), table.reshape(-1), records.shape[1]
    at, width = line * table.shape[1], table.shape[1]
    begun, step, clock = begun_at(model.opt, lines, at, z), lines[at + width - 3], z.dtype.type(debt[CLOCK])
    n = numbers(idle, size, K)
    slot_scale = z.dtype.type(idle.slot_scale(debt[SCALE]))
    for j in range(len(records)):
        if idle.owes:
            catch_up(model, idle, z, j * size, j, n, K, size, begun, step, clock, lines, width)
            put(z, j * size + size - 1, 0.0)
        for k in range(K):
            p = j * size + k * n
            if averaged and debt[STARTED] > 0.0:
                put(z, p + n - 1, debt[KEEP] * (debt[MASS] * get(z, p) + get(z, p + n - 1)))
            put(z, p, get(z, p) * debt[SCALE])
            put_slots(model.opt, z, p + 1, 1, scaled(slots_at(model.opt, z, p + 1, 1), slot_scale))
    debt[SCALE], debt[CLOCK], debt[MASS], debt[KEEP] = 1.0, 0.0, 0.0, 1.0


@helper
def numbers(idle, size, K):
    """How many numbers of a record belong to one output."""
    return (size - 1) // K if idle.owes else size // K


@njit(**OPTIONS | {"fastmath": OPTIONS["fastmath"] | {"reassoc"}})
def record_dot(data, indices, start, stop, z, size, offset):
    """Sum of data times the numbers at `offset` of the records named by `indices`."""
    p = z.dtype.type(0)
    for q in range(start, stop):
        p += get(data, q) * get(z, np.int64(get(indices, q)) * size + offset)
    return p


@helper
def catch_up(model, idle, z, at, j, n, K, size, begun, step, clock, lines, width):
    """Bring the record at `at` to the clock of now."""
    then = get(z, at + size - 1)
    if then != clock:
        for k in range(K):
            p = at + k * n
            owned = slots_at(model.opt, z, p + 1, 1)
            if idle.tabled:
                w, slots, total = idle.catch_up_sum(
                    model.opt, model.pen, get(z, p), owned, np.int64(then), np.int64(clock), begun, lines, width
                )
                put(z, p + n - 1, get(z, p + n - 1) + total)
            else:
                w, slots = idle.catch_up(
                    model.opt, model.pen, get(z, p), owned, then, clock, begun, step, item(model.alpha, j)
                )
            put(z, p, w)
            put_slots(model.opt, z, p + 1, 1, slots)
        put(z, at + size - 1, clock)


@helper
def begin_average(idle, debt, rho, averaged):
    """Up to the first rho below 1 the average is the weight: all the mass lies on the iterate before this update."""
    if averaged and not idle.tabled and rho < 1.0 and debt[STARTED] == 0.0:
        debt[MASS], debt[KEEP], debt[STARTED] = debt[SCALE], 1.0, 1.0


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
def touch(model, idle, z, p, n, j, g, update, averaged):
    """Update the weight at `p`, of feature j, with gradient `g`."""
    begun, step, a, scale, unscale, mass, _ = update
    old = get(z, p)
    slots = scaled(slots_at(model.opt, z, p + 1, 1), scale[1])
    w, slots = move(model.opt, model.pen, g, old * scale[0], slots, begun, step, a, item(model.alpha, j))
    w = clip(w, model.bounds, j)
    new = z.dtype.type(w) * unscale[0]
    put(z, p, new)
    put_slots(model.opt, z, p + 1, 1, scaled(slots, unscale[1]))
    if averaged:
        put(z, p + n - 1, get(z, p + n - 1) + mass * (w if idle.tabled else new - old))


def common(model: Any, scale: float, a: float) -> float:
    """The scale after an update with amount `a`."""
    return scale * a if model.alpha is None and model.pen.linear else scale


@overload(common, strict=False)
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


@helper
def finish(model, idle, records, b, n, slopes, lines, at, width, debt, averaged, intercept):
    """What an update owes besides the touched records: intercepts, scale, clock and the mass of the average."""
    K = len(slopes)
    step, a, rho = lines[at + width - 3], lines[at + width - 2], lines[at + width - 1]
    if intercept:
        move_intercepts(model.opt, slopes, b, K, begun_at(model.opt, lines, at, b))
    debt[SCALE] = common(model, debt[SCALE], a)
    debt[CLOCK] = idle.advance(debt[CLOCK], step, a)
    if averaged:
        mean = len(b) - K
        for k in range(K):
            put(b, mean + k, get(b, mean + k) + rho * (get(b, k) - get(b, mean + k)))
        if not idle.tabled and rho < 1.0:
            debt[KEEP] *= 1.0 - rho
            debt[MASS] += rho * debt[SCALE] / debt[KEEP]
        elif not idle.tabled and debt[STARTED] > 0.0:
            for j in range(len(records)):
                for k in range(K):
                    records[j, k * n + n - 1] = 0.0
            debt[STARTED] = 0.0


@helper
def overdue(debt, averaged):
    """Before a factor underflows, float32 cannot count, or two digits of mass * record + entry cancel."""
    return debt[SCALE] < (1e-2 if averaged else 1e-20) or debt[KEEP] < 1e-20 or debt[CLOCK] > 8e6


@helper
def shorten(opt, factor, gradient, touched, slopes, K, intercept):
    """As in `dense`, over the touched features."""
    if math.isinf(opt.clip_norm):
        return 1.0
    total = 0.0
    for j in touched:
        for k in range(K):
            total += min(abs(factor * gradient[j * K + k]), opt.clip_value) ** 2
    if intercept:
        for g in slopes:
            total += min(abs(factor * g), opt.clip_value) ** 2
    return min(1.0, opt.clip_norm / math.sqrt(total)) if total > 0.0 else 1.0
