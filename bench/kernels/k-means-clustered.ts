/**
 * k-means on rows in clumps, to convergence from given starts.
 * @module
 */
import { kMeansWorkload } from '../k-means.js'

export const workload = kMeansWorkload({
  name: 'k-means-clustered',
  about: 'a mixture of 2,000 clumps, until no label changes',
  clumps: 2000,
  iterations: 300,
  bars: [
    { rival: 'faiss-cpu', atLeast: 3 },
    { rival: 'scikit-learn', atLeast: 3 },
    { rival: 'scikit-learn-elkan', atLeast: 3 },
  ],
})
