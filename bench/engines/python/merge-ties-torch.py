"""TIES over files in plain torch, tensor by tensor.

python merge-ties-torch.py FOLDER MODELS
"""

import os
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from merge_check import mean_move, peak_megabytes
from timing import timed

folder, models = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
out = f"{folder}/out-torch"
os.makedirs(out, exist_ok=True)


def opened(place):
    return safe_open(f"{place}/model.safetensors", framework="pt")


def trim(delta, density):
    keep = max(1, int(density * delta.numel() + 1e-6))
    flat = delta.view(-1)
    kept = torch.topk(flat.abs(), keep, sorted=False).indices
    mask = torch.zeros_like(flat, dtype=torch.bool)
    mask[kept] = True
    return (flat * mask).view_as(delta)


def work():
    base = opened(f"{folder}/base")
    others = [opened(f"{folder}/model-{m}") for m in range(models)]
    merged = {}
    for name in base.keys():
        below = base.get_tensor(name)
        deltas = torch.stack([trim(other.get_tensor(name) - below, 0.2) for other in others])
        sign = torch.where(deltas.sum(0) >= 0, 1.0, -1.0)
        agrees = deltas * sign > 0
        count = agrees.sum(0).clamp(min=1)
        merged[name] = below + (deltas * agrees).sum(0) / count
    save_file(merged, f"{out}/model.safetensors", metadata={"format": "pt"})
    return out


timed(
    work,
    repetitions=1,
    warm=False,
    check=lambda out: mean_move(folder, out),
    megabytes=peak_megabytes,
)
