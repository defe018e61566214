"""Diverse rows by apricot: facility location, as it has no Max-Min.

    python farthest-first-apricot.py FILE WIDTH ROWS KEEP
"""

import sys

import numpy as np
from apricot import FacilityLocationSelection

from timing import timed

path, width, rows, keep = sys.argv[1], *map(int, sys.argv[2:])
x = np.fromfile(path, dtype=np.float32, count=rows * width).reshape(-1, width)

timed(lambda: FacilityLocationSelection(keep, metric="cosine", optimizer="lazy").fit(x), repetitions=2)
