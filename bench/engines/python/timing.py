"""How every Python engine of the kernels' workloads times its work."""

import hashlib
import json
import time

import numpy as np


def timed(work, repetitions=5, check=None, notes=None):
    """Runs the work once unmeasured and then several times; prints the line that the harness reads.

    `check` makes of the last result what engines must agree on.
    """
    result = work()
    seconds = []
    for _ in range(repetitions):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    run = {"seconds": seconds}
    if check is not None:
        run["check"] = check(result)
    if notes is not None:
        run["notes"] = notes(result)
    print(json.dumps(run))


def digest(array):
    """The first half of the SHA-256 of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:32]
