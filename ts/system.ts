/**
 * What tamis runs on.
 * @hidden
 * @module
 */
import { native, nativePath } from './native.js'
import { platformName } from './platform.js'
import { threads } from './threads.js'

/** An installation and its machine. */
export interface SystemInfo {
  version: string
  /** As the addon's package is named. */
  platform: string
  node: string
  /** Where the addon was loaded from. */
  addon: string
  /** What the addon uses of the processor beyond its baseline. */
  instructionSets: string[]
  threads: number
  devices: string[]
  /** Version of the tables that cut and lower-case words. */
  unicode: string
}

/** Loads the addon and asks it. */
export function systemInfo(): SystemInfo {
  return {
    version: native.version(),
    platform: platformName(),
    node: process.version,
    addon: nativePath,
    instructionSets: native.instructionSets(),
    threads: threads(),
    devices: ['cpu'],
    unicode: native.unicodeVersion(),
  }
}
