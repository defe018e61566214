"""k-means from the first rows.

    python k-means.py faiss|lloyd|elkan|numpy FILE WIDTH K ITERATIONS THREADS
"""

import sys
import warnings

import numpy as np

from timing import timed

way, file = sys.argv[1:3]
width, k, iterations, threads = map(int, sys.argv[3:])
x = np.fromfile(file, dtype=np.float32).reshape(-1, width)
starts = x[:k].copy()


def by_faiss():
    import faiss

    faiss.omp_set_num_threads(threads)

    def train(centers, count):
        clustering = faiss.Clustering(width, k)
        clustering.niter = count
        clustering.min_points_per_centroid = 1
        clustering.max_points_per_centroid = len(x)
        faiss.copy_array_to_vector(centers.ravel(), clustering.centroids)
        clustering.train(x, faiss.IndexFlatL2(width))
        centers = faiss.vector_to_array(clustering.centroids).reshape(k, width)
        return centers, clustering.iteration_stats.at(count - 1).obj

    def cluster():
        if iterations <= 10:
            centers, _ = train(starts, iterations)
        else:
            # It has no end of its own: the objective stays once the labels do.
            centers, last = starts, None
            for _ in range(iterations):
                centers, objective = train(centers, 1)
                if objective == last:
                    break
                last = objective
        index = faiss.IndexFlatL2(width)
        index.add(centers)
        distances, _ = index.search(x, 1)
        return float(distances.sum(dtype=np.float64))

    return cluster


def by_sklearn(algorithm):
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    def cluster():
        with warnings.catch_warnings(), threadpool_limits(threads):
            warnings.simplefilter("ignore")
            model = KMeans(k, init=starts, n_init=1, max_iter=iterations, tol=0, algorithm=algorithm)
            return float(model.fit(x).inertia_)

    return cluster


def by_numpy():
    block = 4096

    def label(centers):
        halves = (centers * centers).sum(axis=1) / 2
        labels = np.empty(len(x), dtype=np.int64)
        for first in range(0, len(x), block):
            forms = halves - x[first : first + block] @ centers.T
            labels[first : first + block] = forms.argmin(axis=1)
        return labels

    def cluster():
        centers = starts.copy()
        for _ in range(iterations):
            labels = label(centers)
            order = labels.argsort(kind="stable")
            counts = np.bincount(labels, minlength=k)
            edges = np.concatenate([[0], counts.cumsum()])
            for j in np.flatnonzero(counts):
                centers[j] = x[order[edges[j] : edges[j + 1]]].mean(axis=0, dtype=np.float64)
        difference = x - centers[label(centers)]
        return float(np.einsum("ij,ij->", difference, difference, dtype=np.float64))

    return cluster


if way == "faiss":
    work = by_faiss()
elif way == "numpy":
    work = by_numpy()
else:
    work = by_sklearn(way)
# To convergence takes so long that the first time weighs nothing.
timed(work, repetitions=2, check=lambda inertia: inertia, warm=iterations <= 10)
