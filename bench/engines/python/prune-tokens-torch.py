"""DivPrune by torch: the whole product, then a step for each token.

    python prune-tokens-torch.py TOKENS WIDTH KEEP
"""

import os

import torch

from prune_tokens import latency

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def make(given, keep):
    x = torch.from_numpy(given)

    @torch.inference_mode()
    def prune():
        unit = torch.nn.functional.normalize(x, dim=1)
        distances = 1.0 - unit @ unit.T
        distances.fill_diagonal_(torch.inf)
        order = torch.empty(keep, dtype=torch.int64)
        first = distances.amin(dim=1).argmax()
        order[0] = first
        near = distances[first].clone()
        near[first] = -torch.inf
        for i in range(1, keep):
            farthest = near.argmax()
            order[i] = farthest
            torch.minimum(near, distances[farthest], out=near)
            near[farthest] = -torch.inf
        return order.numpy()

    return prune


latency(make)
