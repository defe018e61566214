/**
 * What goes wrong, with a code that stays and a message for people.
 * @module
 */

/** What kind of thing went wrong. */
export type TamisErrorCode =
  /** Dims, ranks or lengths that do not fit together. */
  | 'ERR_TAMIS_SHAPE'
  /** A value outside what the argument allows. */
  | 'ERR_TAMIS_RANGE'
  /** An argument of another kind, or an unknown option. */
  | 'ERR_TAMIS_TYPE'
  /** A file or record that is not what its name or the options say. */
  | 'ERR_TAMIS_FORMAT'
  /** What the operating system refused: reading, writing, space. */
  | 'ERR_TAMIS_IO'
  /** No addon or device for this machine. */
  | 'ERR_TAMIS_DEVICE'
  /** The call's `signal` was aborted; `cause` is the signal's reason. */
  | 'ERR_TAMIS_ABORTED'
  /** A defect of tamis itself, caught before it could harm the process. */
  | 'ERR_TAMIS_INTERNAL'

/**
 * Every error that tamis throws or rejects with. The message names the argument (or the file and record), what it
 * got and what it wants.
 * @example
 * import { kernels, TamisError } from 'tamis'
 * try {
 *   kernels.belowSync(3, 0)
 * } catch (error) {
 *   if (error instanceof TamisError && error.code === 'ERR_TAMIS_RANGE') console.error(error.message)
 * }
 */
export class TamisError extends Error {
  override readonly name = 'TamisError'
  readonly code: TamisErrorCode

  constructor(code: TamisErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const CODED = /^(ERR_TAMIS_[A-Z]+): (.*)$/s

/**
 * What the addon threw, as a {@link TamisError}: it writes `ERR_TAMIS_X: message`.
 * @hidden
 */
export function fromNative(error: unknown): TamisError {
  if (error instanceof TamisError) return error
  const text = error instanceof Error ? error.message : String(error)
  const [, code, message] = CODED.exec(text) ?? []
  if (code !== undefined && message !== undefined) return new TamisError(code as TamisErrorCode, message)
  return new TamisError('ERR_TAMIS_INTERNAL', `internal error, please report it: ${text}`, { cause: error })
}

/**
 * The same of a call that runs code of the caller (a getter, a proxy): what that threw stays as it is.
 * @hidden
 */
export function fromCall(error: unknown): unknown {
  // The binding layer gives every error that it makes the name of a status.
  const isNative = error instanceof Error && 'code' in error && typeof error.code === 'string'
  return isNative ? fromNative(error) : error
}
