/**
 * Texts on their way into the addon.
 * @hidden
 * @module
 */
import { types } from 'node:util'
import { fromCall, TamisError } from './errors.js'
import { type NativeTexts, native } from './native.js'
import { show } from './options.js'

/**
 * Copies an array of strings out of JavaScript, once for all the calls that take it; lone surrogates become U+FFFD.
 * @throws TamisError with the array's name and the place of what is no string
 */
export function packTexts(name: string, texts: unknown): NativeTexts {
  if (!Array.isArray(texts) || types.isProxy(texts)) {
    const got = types.isProxy(texts) ? 'a Proxy' : show(texts)
    throw new TamisError('ERR_TAMIS_TYPE', `${name} must be an array of strings, got ${got}`)
  }
  try {
    return new native.Texts(name, texts)
  } catch (error) {
    throw fromCall(error)
  }
}
