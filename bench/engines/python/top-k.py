"""The best of many by numpy.

    python top-k.py N K
"""

import sys

import numpy as np

from timing import digest, timed
from update import update

n, k = int(sys.argv[1]), int(sys.argv[2])
x = update(n)


def work():
    places = np.argpartition(x, n - k)[n - k :]
    values = x[places]
    order = np.argsort(-values)
    return values[order], places[order]


timed(work, repetitions=3, check=lambda result: digest(result[0]))
