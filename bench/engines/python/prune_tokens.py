"""The tokens and the clock of the engines that prune tokens."""

import json
import sys
import time

import numpy as np

from timing import digest


def tokens(n, width):
    """As `tokens.ts` makes them."""

    def hash_of(a, b):
        return (a * 7919 + b * 104_729) % 65_521 * 12_345 % 65_521

    row, column = np.arange(n)[:, None], np.arange(width)[None, :]
    kind = row * 37 % 100
    return ((hash_of(kind + 1, column) + 0.7 * hash_of(row + 1000, column)) / 65_521 - 0.85).astype(np.float32)


def latency(make, requests=200):
    """Times `make(x, keep)()` request by request; prints the line that the harness reads."""
    n, width, keep = map(int, sys.argv[1:4])
    answer = make(tokens(n, width), keep)
    for _ in range(10):
        last = answer()
    seconds = []
    for _ in range(requests):
        started = time.perf_counter()
        last = answer()
        seconds.append(time.perf_counter() - started)
    p50, p99 = (f"{1000 * q:.2f}" for q in np.quantile(seconds, [0.5, 0.99]))
    check = digest(np.asarray(last, dtype=np.uint32))
    print(json.dumps({"seconds": seconds, "check": check, "notes": {"p50": p50, "p99": p99}}))
