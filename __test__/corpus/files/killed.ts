/** Runs that are killed at each of their hooks, and go on. */
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { complete, contents } from './places.js'
import type { Outcome } from './run.js'
import { folder, lcg } from './support.js'

/** What is run and killed. */
export interface Killed {
  /** The output's name. */
  out: string
  /** Options of a run whose output lies there before; undefined for none. */
  earlier: ((dir: string) => object) | undefined
  /** Names of what that run leaves. */
  leaves: RegExp
  /** Writes the inputs. */
  fill(dir: string): Promise<void>
  /** A run in a folder with inputs. */
  run(dir: string, options: object, failpoint?: string, env?: Record<string, string>): Promise<Outcome>
  /** At which of the `n` times that it passes a hook it is killed. */
  times(n: number): number[]
  /** Kills anywhere: how many, and the seed of where; every fourth run is killed again when it goes on, if `again`. */
  random: { count: number; seed: number; again: boolean }
}

/**
 * Kills a run at every hook and anywhere: what lies there is the earlier complete output, the new one, or none, and
 * resume gives the bytes of a run that nobody killed. Returns the hooks that a whole run passes.
 */
export async function killEverywhere(t: ExecutionContext, o: Killed): Promise<string[]> {
  const { out } = o
  const earlier = o.earlier !== undefined
  const home = await folder(t)
  const template = join(home, 'template')
  await mkdir(template)
  // One folder for all runs: manifests name the inputs by path.
  const dir = join(home, 'work')
  const reset = async () => {
    await rm(dir, { recursive: true, force: true })
    await cp(template, dir, { recursive: true, preserveTimestamps: true })
  }
  await o.fill(template)
  await reset()
  if (o.earlier !== undefined) {
    t.is((await o.run(dir, o.earlier(dir))).code, 0)
    for (const entry of await readdir(dir)) {
      if (o.leaves.test(entry)) await cp(join(dir, entry), join(template, entry), { recursive: true })
    }
    await reset()
  }
  const before = await complete(dir, out)
  t.is(before !== undefined, earlier)
  const log = join(home, 'log')
  const whole = await o.run(dir, {}, undefined, { TAMIS_FAILPOINT_LOG: log })
  t.is(whole.code, 0, JSON.stringify(whole.result))
  const after = await complete(dir, out)
  t.true(after !== undefined && after !== before)
  const want = await contents(dir)
  const hooks = (await readFile(log, 'utf8')).trim().split('\n')

  /** One kill, or two, and the run that goes on. */
  const killAt = async (failpoint: string, again?: string) => {
    await reset()
    t.is((await o.run(dir, {}, failpoint)).signal, 'SIGKILL', failpoint)
    let found = await complete(dir, out)
    t.true(found === undefined || found === before || found === after, `${failpoint}: ${found}`)
    // Folders change places in one step.
    if (earlier && !out.includes('.')) t.true(found !== undefined, failpoint)
    if (again !== undefined && found !== after) {
      await o.run(dir, { resume: true }, again)
      found = await complete(dir, out)
      t.true(found === undefined || found === before || found === after, `${failpoint} ${again}: ${found}`)
    }
    const resumed = await o.run(dir, { resume: true })
    if (found === after && !earlier && resumed.code !== 0) {
      t.regex(resumed.result.message as string, /exists/, failpoint)
    } else {
      t.is(resumed.code, 0, `${failpoint}: ${JSON.stringify(resumed.result)}`)
    }
    t.is(await complete(dir, out), after, failpoint)
    t.deepEqual(await contents(dir), want, failpoint)
  }

  for (const hook of new Set(hooks)) {
    const times = o.times(hooks.filter((other) => other === hook).length)
    for (const nth of new Set(times)) await killAt(`${hook}:${nth}=kill`)
  }
  const { count, seed, again } = o.random
  const next = lcg(seed)
  const anywhere = () => `any:${1 + Math.floor(next() * hooks.length)}=kill`
  for (let i = 0; i < count; i++) await killAt(anywhere(), again && i % 4 === 0 ? anywhere() : undefined)
  return hooks
}
