"""TIES over files with mergekit, on the CPU.

python merge-ties-mergekit.py FOLDER MODELS
"""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TQDM_DISABLE"] = "1"

import torch
from mergekit.config import MergeConfiguration
from mergekit.merge import MergeOptions, run_merge

from merge_check import mean_move, peak_megabytes
from timing import timed

folder, models = sys.argv[1], int(sys.argv[2])
threads = int(os.environ["OMP_NUM_THREADS"])
torch.set_num_threads(threads)
config = MergeConfiguration.model_validate(
    {
        "merge_method": "ties",
        "base_model": f"{folder}/base",
        "dtype": "float32",
        "parameters": {"normalize": True},
        "models": [
            {"model": f"{folder}/model-{m}", "parameters": {"density": 0.2, "weight": 1.0}} for m in range(models)
        ],
    }
)
out = f"{folder}/out-mergekit"
options = MergeOptions(device="cpu", copy_tokenizer=False, quiet=True, write_model_card=False, num_threads=threads)


def work():
    run_merge(config, out, options)
    return out


timed(
    work,
    repetitions=1,
    warm=False,
    check=lambda out: mean_move(folder, out),
    megabytes=peak_megabytes,
)
