"""Max-Min selection by numpy: for each step a product, a minimum and an argmax.

    python farthest-first.py FILE WIDTH KEEP
"""

import sys

import numpy as np

from timing import digest, timed

path, width, keep = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x = np.fromfile(path, dtype=np.float32).reshape(-1, width)
x /= np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64)).astype(np.float32)[:, None]
product = np.empty(len(x), dtype=np.float32)


def select():
    """The similarity to the nearest kept row is largest where the distance is least."""
    most = np.full(len(x), -np.inf, dtype=np.float32)
    kept = np.empty(keep, dtype=np.uint32)
    kept[0] = 0
    for i in range(1, keep):
        np.dot(x, x[kept[i - 1]], out=product)
        np.maximum(most, product, out=most)
        most[kept[i - 1]] = np.inf
        kept[i] = most.argmin()
    return kept


timed(select, repetitions=2, check=lambda kept: digest(kept[:12]))
