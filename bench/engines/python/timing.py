"""How every Python engine of the kernels' workloads times its work."""

import hashlib
import json
import os
import time

import numpy as np


# So many repetitions at most, whatever the program would do.
MOST = int(os.environ.get("TAMIS_BENCH_REPETITIONS", 1 << 30))


def timed(work, repetitions=5, check=None, notes=None, megabytes=None, warm=True):
    """Runs the work once unmeasured (unless not `warm`) and then several times; prints the line that the harness reads.

    `check` makes of the last result what engines must agree on.
    """
    if warm:
        work()
    seconds = []
    for _ in range(min(repetitions, MOST)):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    run = {"seconds": seconds}
    if check is not None:
        run["check"] = check(result)
    if megabytes is not None:
        run["megabytes"] = megabytes()
    if notes is not None:
        run["notes"] = notes(result)
    print(json.dumps(run))


def digest(array):
    """The first half of the SHA-256 of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]
