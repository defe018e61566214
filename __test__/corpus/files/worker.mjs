/** A worker that selects from files, tells when it has begun, and posts what it kept. */
import { parentPort, workerData } from 'node:worker_threads'
import { corpus } from 'tamis'

const { raw, targets, options } = workerData
const onProgress = () => parentPort.postMessage({ begun: true })
const { kept, klReduction } = await corpus.selectFilesByImportance(raw, targets, { ...options, onProgress })
parentPort.postMessage({ kept, klReduction })
