/**
 * DivPrune on one image's tokens, a request at a time.
 * @module
 */
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelEngine, KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment, tunedBlas } from '../python.js'

const [TOKENS, WIDTH, KEEP] = [576, 4096, 56]
const ARGS = [TOKENS, WIDTH, KEEP].map(String)
const numpy = pythonEnvironment('numpy')
const torch = pythonEnvironment('merge')

function python(
  name: string,
  about: string,
  environment: typeof numpy,
  env?: Record<string, string>,
): KernelEngine {
  return {
    name,
    about,
    threads: [1, 2],
    setUp: environment.setUp,
    version: () => environment.version(name),
    command: (threads) => environment.command(`prune-tokens-${name}.py`, ARGS, threads, env),
  }
}

export const workload: KernelWorkload = {
  name: 'prune-tokens',
  about:
    `\`vectors.pruneTokens\`, ${KEEP} of ${TOKENS} x ${WIDTH} tokens in 100 kinds, one request at a time; p50 and p99 ` +
    'in milliseconds. The share of the limit is that of the whole product of all pairs.',
  bars: [
    { rival: 'torch', atLeast: 2 },
    { rival: 'numpy', atLeast: 2 },
    { rival: 'javascript', atLeast: 30 },
  ],
  limit: { of: 'matrix', atLeast: 0.5 },
  work: { multiplyAdds: TOKENS * TOKENS * WIDTH },
  engines: [
    tamisEngine('`vectors.pruneTokens`', 'prune-tokens.ts', ARGS),
    python('torch', 'the whole product, then a step for each token, as the authors do', torch),
    python('numpy', 'the same', numpy, tunedBlas()),
    javascriptEngine('half the product, then a step for each token', 'prune-tokens.ts', ARGS),
  ],
}
