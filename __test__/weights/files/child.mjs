/** A process of its own: runs one call on checkpoints and prints what came of it, and its peak memory, as JSON. */
import { existsSync, readFileSync } from 'node:fs'
import { setThreads, weights } from 'tamis'

const { call, args, threads, abortIn } = JSON.parse(process.argv[2])
if (threads !== undefined) setThreads(threads)
const options = args.at(-1)
if (abortIn !== undefined) {
  const controller = new AbortController()
  options.signal = controller.signal
  options.onProgress = ({ pass }) => {
    if (pass === abortIn) controller.abort(new Error('enough'))
  }
}
try {
  const result = await weights[call](...args)
  console.log(JSON.stringify({ ...result, peak: peak() }))
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }))
  process.exitCode = 1
}

/** In bytes. On Linux the kernel's own mark: a usage record would start with the size of the parent. */
function peak() {
  const status = '/proc/self/status'
  const mark = existsSync(status) && /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8'))?.[1]
  return 1024 * (mark ? Number(mark) : process.resourceUsage().maxRSS)
}
