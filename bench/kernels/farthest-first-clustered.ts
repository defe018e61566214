/**
 * Max-Min selection of rows in clusters.
 * @module
 */
import { farthestWorkload } from '../farthest-workload.js'

export const workload = farthestWorkload('clustered', 10)
