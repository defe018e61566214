/** Golden cases: read from a folder, and run against the public API. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as tamis from 'tamis'
import { type Difference, decode, differences, type Tolerance } from './values.js'

/** What is called, and what must come of it. */
interface Outcome {
  args?: unknown[]
  expect?: unknown
  /** In lower case, what the message of the error must hold. */
  error?: string
}

type Step = Outcome & ({ new: string } | { method: string })

/** A file of a folder of golden cases. */
export interface GoldenCase extends Outcome {
  recipe: string
  name: string
  about: string
  call?: string
  steps?: Step[]
  tolerance?: Partial<Tolerance>
}

/** Nothing differs in a case that passes. A case of functions that do not exist yet is to come. */
export type Verdict = { state: 'to come' } | { state: 'ran'; differences: Difference[] }

/** The short names that a folder has cases of. */
export function recipesIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

/** One recipe's cases. */
export function casesOf(folder: string, recipe: string): GoldenCase[] {
  const names = readdirSync(join(folder, recipe)).filter((name) => name.endsWith('.json'))
  return names
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, recipe, name), 'utf8')) as GoldenCase)
}

/** The functions and classes that a case calls by name. */
export function calledBy({ call, steps = [] }: GoldenCase): string[] {
  const built = steps.flatMap((step) => ('new' in step ? [step.new] : []))
  return call === undefined ? built : [call, ...built]
}

/** `corpus.klReduction` of the public API. */
export function find(name: string): unknown {
  return name
    .split('.')
    .reduce<unknown>((room, key) => (room as Record<string, unknown> | undefined)?.[key], tamis)
}

type Callable = (...args: unknown[]) => unknown

/** Runs a case; never throws. */
export async function runCase(golden: GoldenCase): Promise<Verdict> {
  if (calledBy(golden).some((name) => typeof find(name) !== 'function')) return { state: 'to come' }
  const tolerance = { abs: 0, rel: 0, ...golden.tolerance }
  if (golden.steps) return { state: 'ran', differences: await runSteps(golden.steps, tolerance) }
  const call = find(golden.call as string) as Callable
  const { differences } = await outcome(golden, tolerance, (args) => call(...args))
  return { state: 'ran', differences }
}

async function runSteps(steps: readonly Step[], tolerance: Tolerance): Promise<Difference[]> {
  let object: unknown
  const found: Difference[] = []
  for (const [i, step] of steps.entries()) {
    const done = await outcome(step, tolerance, (args) =>
      'new' in step ? build(step.new, args) : use(object, step.method, args),
    )
    if ('new' in step) object = done.value
    found.push(...done.differences.map((one) => ({ ...one, path: `step ${i}: ${one.path}` })))
  }
  return found
}

/** A class that can be long to build has a static `build`. */
function build(name: string, args: unknown[]): unknown {
  const Class = find(name) as (new (...args: unknown[]) => unknown) & { build?: Callable }
  return Class.build ? Class.build(...args) : new Class(...args)
}

function use(object: unknown, name: string, args: unknown[]): unknown {
  const member = (object as Record<string, unknown>)[name]
  return typeof member === 'function' ? (member as Callable).apply(object, args) : member
}

async function outcome(
  { args = [], expect, error }: Outcome,
  tolerance: Tolerance,
  act: (args: unknown[]) => unknown,
): Promise<{ value?: unknown; differences: Difference[] }> {
  let value: unknown
  try {
    value = await act(decode(args) as unknown[])
  } catch (thrown) {
    const got = thrown instanceof Error ? thrown.message : String(thrown)
    if (error !== undefined && got.toLowerCase().includes(error)) return { differences: [] }
    return { differences: [{ path: '(error)', got, want: error ?? 'no error' }] }
  }
  if (error !== undefined) return { value, differences: [{ path: '(error)', got: 'no error', want: error }] }
  return { value, differences: expect === undefined ? [] : differences(value, decode(expect), tolerance) }
}
