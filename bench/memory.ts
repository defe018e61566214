/**
 * The largest resident set of this process.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs'
import { resourceUsage } from 'node:process'

const STATUS = '/proc/self/status'

/** In megabytes. On Linux the kernel's own mark: a usage record would start with the size of the parent. */
export function peakMegabytes(): number {
  const mark = existsSync(STATUS) && /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(STATUS, 'utf8'))?.[1]
  return ((mark ? Number(mark) : resourceUsage().maxRSS) * 1024) / 1e6
}
