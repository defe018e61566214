/**
 * k-means on rows without structure: ten whole iterations from given starts.
 * @module
 */
import { kMeansWorkload } from '../k-means.js'

export const workload = kMeansWorkload({
  name: 'k-means',
  about: 'normal draws, ten iterations',
  clumps: 0,
  iterations: 10,
  bars: [
    { rival: 'faiss-cpu', atLeast: 1.2 },
    { rival: 'scikit-learn', atLeast: 2 },
    { rival: 'numpy', atLeast: 1.1 },
    { rival: 'ml-kmeans', atLeast: 50 },
    { rival: 'javascript', atLeast: 50 },
  ],
})
