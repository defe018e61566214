/**
 * Chooses from files inside a program that does other things too: progress, an upper bound on threads, and a way out.
 *
 *   tsx examples/select-files.ts RAW TARGET OUT
 */
import { argv, exit, stderr } from 'node:process'
import { corpus, setThreads, TamisError } from 'tamis'

const [raw, target, out] = argv.slice(2)
if (!raw || !target || !out) {
  console.error('usage: select-files RAW TARGET OUT')
  exit(2)
}

setThreads(2) // what all calls of this process share
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

try {
  const selection = await corpus.selectFilesByImportance([raw], [target], {
    fraction: 0.1,
    out,
    force: true,
    resume: true, // where an earlier run was stopped, this one goes on
    signal: stop.signal,
    onProgress: ({ pass, bytes, totalBytes }) => {
      stderr.write(`\r${pass}: ${Math.floor((100 * bytes) / Math.max(1, totalBytes))} %  `)
    },
  })
  stderr.write('\n')
  console.log(`kept ${selection.kept} of ${selection.candidates} candidates, ${selection.records} records`)
  console.log(`KL reduction ${selection.klReduction.toFixed(3)}, in ${selection.files.join(', ')}`)
} catch (error) {
  if (!(error instanceof TamisError)) throw error
  console.error(`${error.code}: ${error.message}`)
  exit(1)
}
