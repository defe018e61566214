"""DSIR by the authors' package, as its README shows it.

    python dsir.py JOB.json    prints what it did as one line of JSON
"""

import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time

import numpy
from data_selection import HashedNgramDSIR


def peak_megabytes():
    """On Linux the kernel's own mark: a usage record would start with the size of the parent."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            kibibytes = int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M).group(1))
    except OSError:
        kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes * 1024 / 1e6


def run(job):
    folder = tempfile.mkdtemp(prefix="dsir-", dir=os.path.dirname(job["out"]))
    numpy.random.seed(job["seed"])
    started = time.perf_counter()
    before = time.process_time()
    dsir = HashedNgramDSIR(
        [job["raw"]],
        [job["target"]],
        cache_dir=os.path.join(folder, "cache"),
        num_proc=job["threads"],
        min_example_length=job["minTokens"],
    )
    dsir.fit_importance_estimator(num_tokens_to_fit="all")
    fitted = time.perf_counter()
    dsir.compute_importance_weights()
    scored = time.perf_counter()
    kept = os.path.join(folder, "kept")
    dsir.resample(out_dir=kept, num_to_sample=job["count"], cache_dir=None, top_k=job["method"] == "topK")
    ended = time.perf_counter()
    used = time.process_time() - before
    os.replace(os.path.join(kept, "0.jsonl"), job["out"])
    shutil.rmtree(folder)
    return {
        "seconds": ended - started,
        "phases": {"fit": fitted - started, "score": scored - fitted, "write": ended - scored},
        "cpuSeconds": used,
        "peakMegabytes": peak_megabytes(),
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(run(json.load(file))))
