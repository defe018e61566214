"""Near duplicates from files to a data set on disk, by text-dedup's MinHash program.

python near-dedup-text-dedup.py FOLDER BANDS ROWS WORKERS
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time

from datasets import load_from_disk

folder, bands, rows, workers = sys.argv[1], *map(int, sys.argv[2:5])
work = f"{folder}-text-dedup"

if __name__ == "__main__":
    shutil.rmtree(work, ignore_errors=True)
    records = 0
    for name in os.listdir(folder):
        with open(f"{folder}/{name}", "rb") as lines:
            records += sum(1 for _ in lines)
    options = {
        "path": "json",
        "data_files": f"{folder}/*.jsonl",
        "split": "train",
        "cache_dir": f"{work}/cache",
        "output": f"{work}/kept",
        "column": "text",
        "num_proc": workers,
        "num_perm": bands * rows,
        "b": bands,
        "r": rows,
        "hash_func": "xxh3",
        "hash_bits": 32,
    }
    command = [sys.executable, "-m", "text_dedup.minhash"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    kept = len(load_from_disk(f"{work}/kept"))
    # Of the largest of its processes, which is the one that holds the hash tables.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    shutil.rmtree(work)
    notes = {"kept": f"{100 * kept / records:.1f} %"}
    print(json.dumps({"seconds": [seconds], "megabytes": peak * 1024 / 1e6, "notes": notes}))
