"""What the machine can do: the best of several tries of each.

    python limits.py THREADS    prints multiply-adds, bytes read and bytes written a second as one line of JSON
"""

import ctypes
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIDE = 4096
BYTES = 1 << 28


def best(tries, work):
    least = float("inf")
    for _ in range(tries):
        started = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - started)
    return least


def matrix():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    b = rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    out = np.empty((SIDE, SIDE), dtype=np.float32)
    np.matmul(a, b, out=out)
    return SIDE**3 / best(5, lambda: np.matmul(a, b, out=out))


def on_pieces(pool, pieces, work):
    return lambda: list(pool.map(work, pieces))


def main(threads):
    buffer = np.ones(BYTES // 4, dtype=np.float32)
    pieces = np.array_split(buffer, threads)
    limits = {"matrix": matrix()}
    with ThreadPoolExecutor(threads) as pool:
        reads = [lambda piece: piece.max(), lambda piece: piece.view(np.int64).max()]
        writes = [
            lambda piece: piece.fill(2),
            lambda piece: ctypes.memset(piece.ctypes.data, 1, piece.nbytes),
        ]
        limits["memory"] = BYTES / min(best(5, on_pieces(pool, pieces, read)) for read in reads)
        limits["store"] = BYTES / min(best(5, on_pieces(pool, pieces, write)) for write in writes)
    return limits


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
