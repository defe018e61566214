"""Alignment by compression as the authors' package does it, with gzip at level 6.

    python zip-fit.py DATA.json PART PROCESSES    PART: of the sources
"""

import gzip
import json
import sys
from collections import defaultdict
from multiprocessing import Pool

import numpy as np

from timing import timed

CHUNK = 2000


def compress(text):
    return len(gzip.compress(text.encode("utf-8"), compresslevel=6))


def similarity(args):
    s1, s2, c1, c2, index = args
    c12 = compress(s1 + s2)
    return index, 1 - (c12 - min(c1, c2)) / max(c1, c2)


def rank(sources, targets, processes):
    with Pool(processes) as pool:
        source_sizes = pool.map(compress, sources, chunksize=CHUNK)
        target_sizes = pool.map(compress, targets, chunksize=CHUNK)
        pairs = [
            (source, target, source_sizes[i], target_sizes[j], i)
            for i, source in enumerate(sources)
            for j, target in enumerate(targets)
        ]
        by_source = defaultdict(list)
        for index, score in pool.imap_unordered(similarity, pairs, chunksize=CHUNK):
            by_source[index].append(score)
    return {index: np.mean(scores) for index, scores in by_source.items()}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        data = json.load(file)
    part = round(float(sys.argv[2]) * len(data["sources"]))
    sources = data["sources"][:part]
    timed(
        lambda: rank(sources, data["targets"], int(sys.argv[3])),
        repetitions=2,
        check=lambda scores: sum(scores.values()) / len(scores),
    )
