"""Uniform float32 draws by numpy's Philox.

    python philox.py N CALLS
"""

import sys

import numpy as np

from timing import timed

n, calls = int(sys.argv[1]), int(sys.argv[2])
generator = np.random.Generator(np.random.Philox(0))
out = np.empty(n, dtype=np.float32)


def draw():
    for _ in range(calls):
        generator.random(dtype=np.float32, out=out)


timed(draw)
