"""An update made ternary in numpy and written as two masks of bits.

    python ternarize-numpy.py N FILE
"""

import os
import sys

import numpy as np

from timing import timed
from update import update

n, path = int(sys.argv[1]), sys.argv[2] + "-numpy"
x = update(n)


def work():
    keep = max(1, int(0.05 * n + 1e-6))
    magnitude = np.abs(x)
    threshold = np.partition(magnitude, n - keep)[n - keep]
    kept = magnitude >= threshold
    scale = np.float32(np.std(x, ddof=1, dtype=np.float64))
    positive = np.packbits(kept & (x > 0), bitorder="little")
    negative = np.packbits(kept & (x < 0), bitorder="little")
    with open(path, "wb") as file:
        file.write(scale.tobytes())
        file.write(positive.tobytes())
        file.write(negative.tobytes())
        file.flush()
        os.fsync(file.fileno())
    return float(scale)


timed(work, repetitions=3, check=lambda scale: scale)
