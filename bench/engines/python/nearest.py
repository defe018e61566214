"""The k nearest rows of a base by cosine.

    python nearest.py faiss|numpy QUERIES BASE WIDTH K THREADS
"""

import sys

import numpy as np

from timing import timed

# Queries that every engine answers but the slowest.
CHECKED = 50

way, query_file, base_file = sys.argv[1:4]
width, k, threads = map(int, sys.argv[4:])
queries = np.fromfile(query_file, dtype=np.float32).reshape(-1, width)
base = np.fromfile(base_file, dtype=np.float32).reshape(-1, width)
queries /= np.linalg.norm(queries, axis=1, keepdims=True)
base /= np.linalg.norm(base, axis=1, keepdims=True)


def by_faiss():
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(width)
    index.add(base)
    return lambda: index.search(queries, k)[0]


def by_numpy():
    block = 8192

    def search():
        best = np.full((len(queries), 0), -np.inf, dtype=np.float32)
        for first in range(0, len(base), block):
            scores = queries @ base[first : first + block].T
            top = min(k, scores.shape[1])
            scores = -np.partition(-scores, top - 1, axis=1)[:, :top]
            best = np.concatenate([best, scores], axis=1)
            best = -np.partition(-best, k - 1, axis=1)[:, :k] if best.shape[1] > k else best
        return -np.sort(-best, axis=1)

    return search


work = {"faiss": by_faiss, "numpy": by_numpy}[way]()
timed(work, repetitions=2, check=lambda scores: float(np.mean(scores[:CHECKED], dtype=np.float64)))
