"""Near duplicates from files to files, by datatrove's MinHash pipeline.

python near-dedup-datatrove.py FOLDER BANDS ROWS WORKERS
"""

import glob
import gzip
import json
import os
import resource
import shutil
import sys
import time

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.logging import logger

folder, bands, rows, workers = sys.argv[1], *map(int, sys.argv[2:5])
work = f"{folder}-datatrove"
config = MinhashConfig(
    n_grams=5, num_buckets=bands, hashes_per_bucket=rows, hash_config=HashConfig(precision=64)
)


def run(name, pipeline, tasks):
    executor = LocalPipelineExecutor(
        pipeline, tasks=tasks, workers=workers, logging_dir=f"{work}/logs/{name}", skip_completed=False
    )
    executor.run()


def count(pattern, opener):
    total = 0
    for path in glob.glob(pattern):
        with opener(path, "rb") as lines:
            total += sum(1 for _ in lines)
    return total


if __name__ == "__main__":
    logger.remove()
    shutil.rmtree(work, ignore_errors=True)
    files = len(os.listdir(folder))
    started = time.perf_counter()
    run("signatures", [JsonlReader(folder), MinhashDedupSignature(f"{work}/signatures", config=config)], files)
    run("buckets", [MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)], bands)
    run("clusters", [MinhashDedupCluster(f"{work}/buckets", f"{work}/remove", config=config)], 1)
    run(
        "filter",
        [JsonlReader(folder), MinhashDedupFilter(f"{work}/remove"), JsonlWriter(f"{work}/kept")],
        files,
    )
    seconds = time.perf_counter() - started
    kept = count(f"{work}/kept/*", gzip.open)
    records = count(f"{folder}/*", open)
    # Of the largest of its processes, as often as there are workers.
    peak = workers * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    notes = {"kept": f"{100 * kept / records:.1f} %"}
    print(json.dumps({"seconds": [seconds], "megabytes": peak * 1024 / 1e6, "notes": notes}))
