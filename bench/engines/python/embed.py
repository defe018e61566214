"""Texts embedded by all-MiniLM-L6-v2 in torch, from text to vector, in the way that is quickest on processors: texts of like
length side by side, filled up to the longest of their batch alone, with attention in one operation.

    python embed.py FOLDER TEXTS.jsonl THREADS REPETITIONS [BATCH]

Without BATCH the best of 32, 64 and 128 is taken, as a fifth of the texts shows. Prints the seconds of each repetition, the
number of texts and of their tokens, the batch, and the seconds that each size took of that fifth.
"""

import json
import os
import sys
import time
from pathlib import Path

folder, path = Path(sys.argv[1]), sys.argv[2]
threads, repetitions = map(int, sys.argv[3:5])
os.environ |= {"HF_HUB_OFFLINE": "1", "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}

import torch
from tokenizers import Tokenizer
from transformers import BertModel

torch.set_num_threads(threads)
model = BertModel.from_pretrained(
    folder, dtype=torch.float32, attn_implementation="sdpa", add_pooling_layer=False, local_files_only=True
).eval()
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.enable_truncation(256)
tokenizer.no_padding()
with open(path, encoding="utf-8") as file:
    texts = [json.loads(line)["text"] for line in file]


@torch.inference_mode()
def embed(texts, batch):
    """The vectors, and the number of tokens."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
    out = torch.empty(len(rows), model.config.hidden_size)
    for start in range(0, len(rows), batch):
        places = order[start : start + batch]
        longest = len(rows[places[0]])
        ids = torch.zeros(len(places), longest, dtype=torch.int64)
        lengths = torch.tensor([len(rows[i]) for i in places])
        for row, i in zip(ids, places):
            row[: len(rows[i])] = torch.tensor(rows[i])
        mask = (torch.arange(longest) < lengths[:, None]).long()
        # Where nothing is filled up attention needs no mask, and is quicker without.
        full = bool((lengths == longest).all())
        hidden = model(ids, attention_mask=None if full else mask).last_hidden_state
        means = (hidden * mask.unsqueeze(-1)).sum(1) / lengths[:, None]
        out[places] = torch.nn.functional.normalize(means, dim=1)
    return out, sum(map(len, rows))


def seconds_of(texts, batch):
    started = time.perf_counter()
    _, tokens = embed(texts, batch)
    return time.perf_counter() - started, tokens


embed(texts[:64], 32)
tried = {}
if len(sys.argv) > 5:
    batch = int(sys.argv[5])
else:
    tried = {size: seconds_of(texts[::5], size)[0] for size in (32, 64, 128)}
    batch = min(tried, key=tried.get)
runs = [seconds_of(texts, batch) for _ in range(repetitions)]
print(
    json.dumps(
        {
            "seconds": [seconds for seconds, _ in runs],
            "texts": len(texts),
            "tokens": runs[0][1],
            "batch": batch,
            "tried": tried,
        }
    )
)
