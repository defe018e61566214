/** A process of its own: runs one call on files and prints what came of it as a line of JSON. */
import { corpus, setThreads } from 'tamis'

const { call = 'selectFilesByImportance', args, threads, abort } = JSON.parse(process.argv[2])
if (threads !== undefined) setThreads(threads)
const options = args.at(-1)
if (abort) {
  const controller = new AbortController()
  options.signal = controller.signal
  setImmediate(() => controller.abort())
}
try {
  const { report: _, counts: __, ...result } = await corpus[call](...args)
  console.log(JSON.stringify(result))
} catch (error) {
  console.log(JSON.stringify({ code: error.code, message: error.message }))
  process.exitCode = 1
}
