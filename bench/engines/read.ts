/**
 * No rival but a limit: one pass of tamis that reads the raw file and finds every text, and does nothing with it.
 * @module
 */
import { fileURLToPath } from 'node:url'
import type { Engine } from '../bench.js'

const program = fileURLToPath(new URL('read/read.ts', import.meta.url))

export const engines: Engine[] = [
  {
    name: 'read',
    about: 'one pass that only reads the file and finds the texts, through the reader of tamis',
    version: () => `Node.js ${process.version}`,
    threads: [1, 2],
    readsOnly: true,
    sameNoise: false,
    clock: 'job',
    dsir: (_job, jobFile) => ({ file: process.execPath, args: ['--import=tsx', program, jobFile] }),
  },
]
