"""DivPrune by numpy: the whole product, then a step for each token.

    python prune-tokens-numpy.py TOKENS WIDTH KEEP
"""

import numpy as np

from prune_tokens import latency


def make(x, keep):
    def prune():
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        distances = 1.0 - unit @ unit.T
        np.fill_diagonal(distances, np.inf)
        order = np.empty(keep, dtype=np.int64)
        order[0] = distances.min(axis=1).argmax()
        near = distances[order[0]].copy()
        near[order[0]] = -np.inf
        for i in range(1, keep):
            order[i] = near.argmax()
            np.minimum(near, distances[order[i]], out=near)
            near[order[i]] = -np.inf
        return order

    return prune


latency(make)
