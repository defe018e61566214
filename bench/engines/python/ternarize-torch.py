"""An update made ternary in torch, in the authors' steps, and written.

    python ternarize-torch.py N FILE
"""

import os
import sys

import torch

from timing import timed
from update import update

n, path = int(sys.argv[1]), sys.argv[2] + "-torch"
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
x = torch.from_numpy(update(n))


def work():
    keep = max(1, int(0.05 * n + 1e-6))
    magnitude = x.abs()
    threshold = magnitude.kthvalue(n - keep + 1).values
    signs = torch.where(magnitude >= threshold, x.sign(), 0.0).to(torch.int8)
    scale = x.std()
    with open(path, "wb") as file:
        torch.save({"signs": signs, "scale": scale}, file)
        file.flush()
        os.fsync(file.fileno())
    return float(scale)


timed(work, repetitions=3, check=lambda scale: scale)
