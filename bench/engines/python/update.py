"""The update of `engines/update.ts`, the same items."""

import numpy as np


def update(n):
    block = 1 << 16
    # state(i) = a^i state(0) + c (a^i - 1) / (a - 1), by blocks: the first is run, the others follow from it.
    a, c, mask = 1664525, 1013904223, (1 << 32) - 1
    first = np.empty(min(block, n), dtype=np.uint64)
    state = 1
    for i in range(len(first)):
        state = (state * a + c) & mask
        first[i] = state
    power, step = 1, 0
    for _ in range(block):
        step = (step * a + c) & mask
        power = (power * a) & mask
    out = np.empty(n, dtype=np.float32)
    states = first
    for start in range(0, n, block):
        v = (states[: n - start].astype(np.float64) + 0.5) / 2**31 - 1
        out[start : start + block] = v * v * v / 100
        states = (states * power + step) & mask
    return out
