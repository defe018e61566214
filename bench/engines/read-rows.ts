/**
 * Reads float32 rows.
 * @module
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** All items of a file; read in parts, since one read ends at 2 GB. */
export function readRows(file: string): Float32Array {
  const from = openSync(file, 'r')
  const bytes = new Uint8Array(fstatSync(from).size)
  for (let at = 0; at < bytes.length; )
    at += readSync(from, bytes, at, Math.min(2 ** 30, bytes.length - at), at)
  closeSync(from)
  return new Float32Array(bytes.buffer)
}
