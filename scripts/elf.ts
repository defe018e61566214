/** What an ELF library asks of the system it is loaded into. */

const VERSION_NEEDS = 0x6ffffffe

/** The symbol versions that a 64-bit little-endian ELF file needs, as `GLIBC_2.28`, `GCC_3.0`; sorted. */
export function neededVersions(file: Uint8Array): string[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (view.getUint32(0) !== 0x7f454c46 || view.getUint8(4) !== 2 || view.getUint8(5) !== 1)
    throw new Error('not a 64-bit little-endian ELF file')
  const number = (offset: number) => Number(view.getBigUint64(offset, true))
  const sections = number(40)
  const sectionSize = view.getUint16(58, true)
  const header = (index: number) => {
    const at = sections + index * sectionSize
    return {
      type: view.getUint32(at + 4, true),
      offset: number(at + 24),
      link: view.getUint32(at + 40, true),
      entries: view.getUint32(at + 44, true),
    }
  }
  const versions = new Set<string>()
  for (let index = 0; index < view.getUint16(60, true); index++) {
    const section = header(index)
    if (section.type !== VERSION_NEEDS) continue
    const names = header(section.link).offset
    let need = section.offset
    for (let left = section.entries; left > 0; left--) {
      let version = need + view.getUint32(need + 8, true)
      for (let more = view.getUint16(need + 2, true); more > 0; more--) {
        versions.add(text(file, names + view.getUint32(version + 8, true)))
        version += view.getUint32(version + 12, true)
      }
      need += view.getUint32(need + 12, true)
    }
  }
  return [...versions].sort((a, b) => compareVersions(a, b))
}

/** The highest glibc that the file needs, as `2.28`; undefined where it needs none. */
export function neededGlibc(file: Uint8Array): string | undefined {
  return neededVersions(file)
    .filter((version) => version.startsWith('GLIBC_'))
    .at(-1)
    ?.slice('GLIBC_'.length)
}

/** Compares dotted versions by their numbers. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}

function text(file: Uint8Array, start: number): string {
  return Buffer.from(file.subarray(start, file.indexOf(0, start))).toString('latin1')
}
