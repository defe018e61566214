"""Uniform float32 draws by numpy's Philox.

    python philox.py N
"""

import sys

import numpy as np

from timing import timed

n = int(sys.argv[1])
generator = np.random.Generator(np.random.Philox(0))
out = np.empty(n, dtype=np.float32)
timed(lambda: generator.random(dtype=np.float32, out=out))
