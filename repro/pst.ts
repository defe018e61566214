/**
 * Parameter-efficient sparsity's headline, small: at 95 % sparsity a network that trains two thin pairs of matrices a layer
 * stays near the dense one, where pruning it by magnitude at once does not.
 * @module
 */
import { kernels, type Tensor, training } from 'tamis'
import { Conditions } from './check.js'
import { digits, percent } from './digits.js'
import {
  accuracy,
  batches,
  crossEntropy,
  logitsOf,
  type Mlp,
  pick,
  relu,
  rightOf,
  trained,
  untrained,
} from './mlp.js'

const [SIDE, HIDDEN, SPARSITY, STEPS, BATCH, RATE, EPOCHS] = [28, 256, 0.95, 1500, 32, 1e-3, 3] as const
const [ABOVE, WITHIN] = [0.25, 0.12]
/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { train, test } = digits({ side: SIDE })
  const epoch = Math.floor(train.labels.length / BATCH)
  const adam = { variant: 'adam', learningRate: RATE } as const
  const dense = trained(untrained(SIDE * SIDE, HIDDEN, 2), train, EPOCHS * epoch, BATCH, adam)
  const pruned = dense.map((x) =>
    x.dims.length === 1 ? x : kernels.sparsifySync(x, { sparsity: SPARSITY }).values,
  )
  const [whole, oneShot] = [accuracy(dense, test), accuracy(pruned, test)]

  type Name = keyof ReturnType<typeof training.pstInit>
  const names = Object.keys(training.pstInit(dense[0] as Tensor)) as Name[]
  const layers = [0, 2].map((i) => {
    const weight = dense[i] as Tensor
    return { weight, bias: dense[i + 1] as Tensor, ...training.pstInit(weight, { seed: i }) }
  })
  const [first, second] = layers as [training.PstWeights, training.PstWeights]
  const small = () => layers.flatMap((layer) => names.map((name) => layer[name]))
  const optimiser = new training.Hesso(small(), [], { variant: 'adamw', learningRate: RATE, pruningSteps: 1 })
  const schedule = { totalSteps: STEPS, finalSparsity: SPARSITY }
  const rows = batches(train.labels.length, BATCH, 5)
  for (let step = 1; step <= STEPS; step++) {
    const sparsity = training.cubicSparsity(step, schedule)
    const { pixels, labels } = pick(train, rows.next().value as Uint32Array)
    const input: Tensor = { type: 'float32', dims: [BATCH, SIDE * SIDE], data: pixels }
    const hidden = training.pstLinear(input, first, { sparsity }).output
    relu(hidden.data)
    const { output } = training.pstLinear(hidden, second, { sparsity })
    const { slope } = crossEntropy(output.data, labels)
    const gradOutput: Tensor = { ...output, data: slope }
    const behind = training.pstLinear(hidden, second, { sparsity, gradOutput }).grads as Grads
    const back = behind.input.data.map((x, i) => (hidden.data[i] === 0 ? 0 : x))
    const gradHidden: Tensor = { ...hidden, data: back }
    const before = training.pstLinear(input, first, { sparsity, gradOutput: gradHidden }).grads as Grads
    const { params } = optimiser.step([before, behind].flatMap((grads) => names.map((name) => grads[name])))
    for (const [i, name] of [...names, ...names].entries()) {
      const layer = layers[Math.floor(i / names.length)] as training.PstWeights
      layer[name] = params[i] as Tensor
    }
  }
  const merged: Mlp = layers.flatMap((layer) => [
    training.pstMergeWeight(layer, { sparsity: SPARSITY }).weight,
    layer.bias as Tensor<'float32'>,
  ])
  const sparse = rightOf(logitsOf(merged, test.pixels), test.labels)
  const parameters = (tensors: readonly Tensor[]) => tensors.reduce((sum, { data }) => sum + data.length, 0)
  console.log(
    `      dense ${percent(whole)}; ${percent(parameters(small()) / parameters(dense))} of the parameters are trained, ` +
      `${percent(SPARSITY)} of the weights are pruned`,
  )
  conditions.must(
    'at least 25 points above pruning by magnitude at once',
    `${percent(sparse)} against ${percent(oneShot)}`,
    sparse >= oneShot + ABOVE,
  )
  conditions.must('within 12 points of the dense network', percent(sparse), sparse >= whole - WITHIN)
  return conditions
}

type Grads = NonNullable<training.PstLinear['grads']>
