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
  library = name,
): KernelEngine {
  return {
    name,
    about,
    threads: [1, 2],
    setUp: environment.setUp,
    version: () => environment.version(library),
    command: (threads) => environment.command(`prune-tokens-${library}.py`, ARGS, threads, env),
  }
}

export const workload: KernelWorkload = {
  name: 'prune-tokens',
  about:
    `\`vectors.pruneTokens\`, ${KEEP} of ${TOKENS} x ${WIDTH} tokens in 100 kinds, one request at a time; p50 and p99 ` +
    'in milliseconds.',
  bars: [
    { rival: 'torch', atLeast: 2 },
    { rival: 'numpy', atLeast: 2 },
    { rival: 'javascript', atLeast: 30 },
  ],
  engines: [
    tamisEngine('`vectors.pruneTokens`', 'prune-tokens.ts', ARGS),
    python('torch', 'the whole product, then a step for each token, as the authors do', torch),
    python('numpy', 'the same, its OpenBLAS set to this processor', numpy, tunedBlas()),
    python('numpy-shipped', 'the same as it is shipped', numpy, {}, 'numpy'),
    javascriptEngine('half the product, then a step for each token', 'prune-tokens.ts', ARGS),
  ],
}
