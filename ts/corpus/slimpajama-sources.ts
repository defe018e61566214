/**
 * Where texts are from.
 * @hidden
 * @module
 */
import { fromCall, TamisError } from '../errors.js'
import { native } from '../native.js'
import { show } from '../options.js'
import { packTexts } from '../texts.js'

/** The source of each text, by number (0..2^32-1) or by name. */
export type Sources = ArrayLike<number> | readonly string[]

/** Numbers sources, the same in every batch. */
export class SourceNumbers {
  readonly #names = new native.SourceNames()
  #kind: 'numbers' | 'names' | undefined

  /**
   * The numbers of a list of sources, one for each of `count` texts if that is given.
   * @throws TamisError the list's name: another length, no list, names among numbers
   */
  of(name: string, sources: Sources, count?: number): Uint32Array {
    if (typeof sources !== 'object' || sources === null || typeof sources.length !== 'number') {
      throw new TamisError(
        'ERR_TAMIS_TYPE',
        `${name} must be a list of numbers or of names, got ${show(sources)}`,
      )
    }
    if (count !== undefined && sources.length !== count) {
      const want = `${name} must hold the source of each of the ${count} texts`
      throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${sources.length}`)
    }
    if (sources.length === 0) return new Uint32Array(0)
    const kind = typeof sources[0] === 'string' ? 'names' : 'numbers'
    this.#kind ??= kind
    if (this.#kind !== kind) {
      throw new TamisError('ERR_TAMIS_TYPE', `${name} must be all ${this.#kind}, got ${kind}`)
    }
    try {
      if (kind === 'names') return this.#names.number(packTexts(name, sources))
      return native.sourceNumbers(name, Float64Array.from(sources as ArrayLike<number>))
    } catch (error) {
      throw fromCall(error)
    }
  }
}

/** Scope `local` needs sources. */
export function checkScope(local: boolean, sources: Uint32Array | undefined): void {
  if (!local || sources) return
  throw new TamisError('ERR_TAMIS_RANGE', "sources must be given with scope 'local'")
}
