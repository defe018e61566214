/**
 * TIES over files.
 *
 *   tsx bench/engines/tamis/merge-ties.ts FOLDER MODELS
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { argv } from 'node:process'
import { weights } from 'tamis'
import { peakMegabytes } from '../../memory.js'
import { timed } from '../timing.js'

const [folder = '', models] = argv.slice(2)
const paths = Array.from({ length: Number(models) }, (_, m) => `${folder}/model-${m}`)
const out = `${folder}/out-tamis`

await timed(
  () =>
    weights.mergeFiles(paths, {
      base: `${folder}/base`,
      out,
      method: 'ties',
      density: 0.2,
      scope: 'tensor',
      force: true,
    }),
  {
    repetitions: 3,
    check: ({ files: [file = ''] }) => checksum(file),
    megabytes: peakMegabytes,
  },
)

/** The mean magnitude of one tensor's move. */
function checksum(path: string): number {
  const name = 'model.layers.0.mlp.down_proj.weight'
  const base = tensor(`${folder}/base/model.safetensors`, name)
  return tensor(path, name).reduce((sum, x, i) => sum + Math.abs(x - (base[i] as number)), 0) / base.length
}

/** One tensor of a file, and no more of it in memory. */
function tensor(path: string, name: string): Float32Array {
  const file = openSync(path, 'r')
  const read = (begin: number, bytes: number) => {
    const out = Buffer.alloc(bytes)
    readSync(file, out, 0, bytes, begin)
    return out
  }
  const header = 8 + Number(read(0, 8).readBigUInt64LE())
  const [begin, end] = JSON.parse(read(8, header - 8).toString())[name].data_offsets as [number, number]
  const bytes = read(header + begin, end - begin)
  closeSync(file)
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}
