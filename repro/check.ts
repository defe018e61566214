/**
 * What every reproduction prints: a number, what it must be, and whether it came out.
 * @module
 */

/** Collects the conditions of one reproduction. */
export class Conditions {
  private failed = 0

  /** Prints a condition and remembers it. */
  must(what: string, got: string, holds: boolean): void {
    console.log(`${holds ? 'pass' : 'FAIL'}  ${what}: ${got}`)
    if (!holds) this.failed++
  }

  /** True if all held. */
  get held(): boolean {
    return this.failed === 0
  }
}
