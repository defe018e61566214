/**
 * Max-Min selection of rows without any structure.
 * @module
 */
import { farthestWorkload } from '../farthest-workload.js'

export const workload = farthestWorkload('uniform', 3)
