"""One operation on normal draws: the other side is `tamis/operation.ts`.

    python operation.py OPERATION DRAWS
"""

import os
import sys

import numpy as np

from timing import timed

operation, path = sys.argv[1:]
draws = np.fromfile(path, dtype=np.float32)


def float32(first, *dims):
    return draws[first : first + int(np.prod(dims))].reshape(dims)


def float64(first, *dims):
    return float32(first, *dims).astype(np.float64)


def symmetric(n, shift):
    a = float64(0, n, n)
    return a + a.T + shift * np.eye(n)


def mean_magnitude(x):
    return float(np.abs(np.asarray(x, dtype=np.float64)).mean())


def assign():
    from scipy.optimize import linear_sum_assignment

    cost = float64(0, 1000, 1000)
    return lambda: cost[linear_sum_assignment(cost)]


def on_torch(work, *arrays):
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.set_grad_enabled(False)
    tensors = [torch.from_numpy(array.copy()) for array in arrays]
    return lambda: work(torch, *tensors)


def convolve():
    def work(torch, x, weight):
        return torch.nn.functional.conv2d(x, weight, padding=1)

    return on_torch(work, float32(0, 8, 32, 128, 128), float32(8 << 20, 32, 32, 3, 3))


def eigh():
    a = symmetric(1024, 0)
    return lambda: np.linalg.eigh(a)[0]


def gumbel_top_k():
    weights, k = float32(0, 10_000_000), 1_000_000

    def work():
        # Anew each time: how many times it is called must not show in what is compared.
        generator = np.random.default_rng(0)
        keys = weights + generator.gumbel(size=len(weights))
        chosen = np.argpartition(-keys, k - 1)[:k]
        return np.sort(keys[chosen])[::-1]

    return work


def least_squares():
    x, y = float64(0, 65_536, 64), float64(8 << 20, 65_536, 4)
    return lambda: np.linalg.lstsq(x, y, rcond=None)[0]


def normal():
    generator = np.random.default_rng(0)
    return lambda: generator.standard_normal(1 << 24, dtype=np.float32)


def pairwise():
    from scipy.spatial.distance import cdist

    x, y = float32(0, 4096, 384), float32(4 << 20, 4096, 384)
    return lambda: cdist(x, y)


def permutation():
    generator = np.random.default_rng(0)
    return lambda: generator.permutation(10_000_000)


def quantize():
    def work(torch, x):
        groups = x.view(4096, -1, 128)
        low, high = torch.aminmax(groups, dim=-1, keepdim=True)
        low, high = low.clamp(max=0), high.clamp(min=0)
        scale = (high - low) / 15
        zero = torch.round(-low / scale).clamp(0, 15)
        return torch.round(groups / scale).add(zero).clamp(0, 15).to(torch.uint8)

    return on_torch(work, float32(0, 4096, 4096))


def solve():
    from scipy.linalg import solve as positive

    a, b = symmetric(1024, 200), float64(4 << 20, 1024, 64)
    return lambda: positive(a, b, assume_a="pos")


def sparsify():
    def work(torch, x):
        groups = x.view(-1, 4)
        places = groups.abs().topk(2, dim=1, sorted=False).indices
        return torch.zeros_like(groups).scatter_(1, places, groups.gather(1, places))

    return on_torch(work, float32(0, 4096, 4096))


def svd():
    a = float64(0, 2048, 256)
    return lambda: np.linalg.svd(a, full_matrices=False)[1]


def wavelet():
    from pywt import dwt2

    image = float32(0, 4096, 4096)
    return lambda: dwt2(image, "db4", mode="symmetric")[0]


timed(globals()[operation.replace("-", "_")](), check=mean_magnitude)
