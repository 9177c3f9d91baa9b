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

import numpy as np

from ..debt import CLOCK, KEEP, MASS, SCALE, STARTED
from .dense import move_intercepts, moves
from .intrinsics import begun_at, borrowed, flat, get, put, put_slots, scaled, slots_at
from .jit import helper, kernel
from .records import bring, catch_up, change, common, longest, numbers, recall, stamp, take, touch, update_at
from .rows import csr_dot, records_ahead, span
from .update import gradient_of, log_sum_exp, target_of


@kernel
def lazy_rows(model, idle, rows, work, first, last, many, table, stride, records, bias, debt, averaged, intercept):
    """Update with each of the rows ``order[first:last]`` by itself. `many`: None for one output, else how many.

    The records of a row are copied into `held`, number by number, so that loops over them vectorise.
    """
    K, rest = 1 if many is None else many, moves(model)
    rows, work, debt = borrowed(rows), borrowed(work), borrowed(debt)
    z, b, lines = flat(records), flat(bias), flat(table)
    (y, order, weight), alike = work, len(work.weight) - 1
    size, width = records.shape[1], table.shape[1]
    n, room = numbers(idle, size, K), longest(rows, order, first, last)
    # Averages have a place in any case, lest there be two variants of each loop to compile.
    scores, slopes, held = np.empty(K), np.empty(K), np.zeros((n + 2) * K * room, z.dtype)
    for i in range(first, last):
        r = get(order, i)
        records_ahead(rows, y, z, size, order, i, last)
        at = stride * (i - first) * width
        now = begun_at(model.opt, lines, at, z), lines[at + width - 3], z.dtype.type(debt[CLOCK])
        start, length = span(rows, r)
        total = 0.0
        for k in range(K):
            take(rest, idle, rows, z, size, k, n, start, length, held, room, averaged)
            p = recall(rest, idle, rows, start, length, held, k * (n + 2) * room, n, room, now, lines, width)
            scores[k] = p * debt[SCALE] + b[k]
            total += scores[k]
        if not math.isfinite(total):
            return i - first
        norm = log_sum_exp(model.loss, scores, 0, K)
        at += stride * width
        begin_average(idle, debt, lines[at + width - 1], averaged)
        update = update_at(rest, idle, lines, at, width, z, debt)
        own = get(weight, min(i, alike))
        for k in range(K):
            slopes[k] = own * gradient_of(model.loss, scores[k], target_of(model.loss, y, r, k), k, norm)
            g = z.dtype.type(slopes[k])
            change(rest, idle, rows, start, length, held, k * (n + 2) * room, n, room, g, update)
            bring(rest, idle, rows, z, size, k, n, start, length, held, room, update, averaged)
        finish(rest, idle, z, size, b, n, slopes, lines, at, width, debt, averaged, intercept)
        if overdue(debt, averaged):
            return i - first + 1
    return last - first


@kernel
def lazy_batches(
    model, idle, rows, work, first, last, many, batch, table, stride, records, bias, debt, averaged, intercept
):
    """Update with batches of `batch` of the rows ``order[first:last]``; `many` as in `lazy_rows`."""
    K, rest = 1 if many is None else many, moves(model)
    rows, work, debt = borrowed(rows), borrowed(work), borrowed(debt)
    z, b, lines = flat(records), flat(bias), flat(table)
    data, indices, _ = rows
    (y, order, weight), alike = work, len(work.weight) - 1
    size, width = records.shape[1], table.shape[1]
    n = numbers(idle, size, K)
    scores, slopes, sums = np.empty(K), np.empty(K), np.zeros(K)
    gradient, touched = np.zeros(len(records) * K, z.dtype), np.empty(len(records), np.int64)
    seen = np.zeros(len(records), np.bool_)
    done = 0
    for low in range(first, last, batch):
        high = min(low + batch, last)
        at = stride * done * width
        now = begun_at(model.opt, lines, at, z), lines[at + width - 3], z.dtype.type(debt[CLOCK])
        n_touched = 0
        for i in range(low, high):
            r = get(order, i)
            records_ahead(rows, y, z, size, order, i, last)
            start, length = span(rows, r)
            for q in range(start, start + length):
                j = np.int64(get(indices, q))
                if not get(seen, j):
                    put(seen, j, True)
                    put(touched, n_touched, j)
                    n_touched += 1
                    settle_record(rest, idle, z, j, n, K, size, now, lines, width)
            total = 0.0
            for k in range(K):
                scores[k] = csr_dot(rows, start, length, z, k * n, size) * debt[SCALE] + b[k]
                total += scores[k]
            if not math.isfinite(total):
                return done
            norm, own = log_sum_exp(model.loss, scores, 0, K), get(weight, min(i, alike))
            for k in range(K):
                slopes[k] = own * gradient_of(model.loss, scores[k], target_of(model.loss, y, r, k), k, norm)
                sums[k] += slopes[k]
                g = z.dtype.type(slopes[k])
                for q in range(start, start + length):
                    p = np.int64(get(indices, q)) * K + k
                    put(gradient, p, get(gradient, p) + g * get(data, q))
        at += stride * width
        begin_average(idle, debt, lines[at + width - 1], averaged)
        update = update_at(rest, idle, lines, at, width, z, debt)
        factor = 1.0 / (high - low)
        kept = shorten(model.opt, factor, gradient, touched[:n_touched], sums, K, intercept)
        scale, limit = z.dtype.type(kept * factor), z.dtype.type(kept * model.opt.clip_value)
        for m in range(n_touched):
            j = get(touched, m)
            put(seen, j, False)
            for k in range(K):
                g = min(max(scale * get(gradient, j * K + k), -limit), limit)
                put(gradient, j * K + k, 0.0)
                touch(rest, idle, z, j * size + k * n, 1, j * size + k * n + n - 1, j, g, update, averaged)
            stamp(idle, z, j * size + size - 1, update)
        for k in range(K):
            sums[k] = min(max(scale * sums[k], -limit), limit)
        finish(rest, idle, z, size, b, n, sums, lines, at, width, debt, averaged, intercept)
        sums[:] = 0.0
        done += 1
        if overdue(debt, averaged):
            return done
    return done


@kernel
def settle(model, idle, records, table, line, K, debt, averaged):
    """Bring all records to the clock of now and multiply the scale out, so that nothing is owed.

    The model has no loss.
    """
    z, lines, size = flat(records), flat(table), records.shape[1]
    at, width = line * table.shape[1], table.shape[1]
    now = begun_at(model.opt, lines, at, z), lines[at + width - 3], z.dtype.type(debt[CLOCK])
    n = numbers(idle, size, K)
    slot_scale = z.dtype.type(idle.slot_scale(debt[SCALE]))
    for j in range(len(records)):
        settle_record(model, idle, z, j, n, K, size, now, lines, width)
        if idle.owes:
            put(z, j * size + size - 1, 0.0)
        for k in range(K):
            p = j * size + k * n
            if averaged and debt[STARTED] > 0.0:
                put(z, p + n - 1, debt[KEEP] * (debt[MASS] * get(z, p) + get(z, p + n - 1)))
            put(z, p, get(z, p) * debt[SCALE])
            put_slots(model.opt, z, p + 1, 1, scaled(slots_at(model.opt, z, p + 1, 1), slot_scale))
    debt[SCALE], debt[CLOCK], debt[MASS], debt[KEEP] = 1.0, 0.0, 0.0, 1.0


@helper
def settle_record(model, idle, z, j, n, K, size, now, lines, width):
    """Bring the record of feature j to the clock of now."""
    if idle.owes:
        clock = j * size + size - 1
        for k in range(K):
            p = j * size + k * n
            catch_up(model, idle, z, p, 1, p + n - 1, clock, j, now, lines, width)
        put(z, clock, now[2])


@helper
def begin_average(idle, debt, rho, averaged):
    """Up to the first rho below 1 the average is the weight: all the mass lies on the iterate before this update."""
    if averaged and not idle.tabled and rho < 1.0 and debt[STARTED] == 0.0:
        debt[MASS], debt[KEEP], debt[STARTED] = debt[SCALE], 1.0, 1.0


@helper
def finish(model, idle, z, size, b, n, slopes, lines, at, width, debt, averaged, intercept):
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
            for at in range(0, len(z), size):
                for k in range(K):
                    put(z, at + k * n + n - 1, 0.0)
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
