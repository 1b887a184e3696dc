import type * as ort from 'onnxruntime-node'
import { dropoutLayers, updateDropoutMasks } from '../../net/dropout.js'
import type { EpochResult, Training, TrainingOptions, TrainingState } from '../engine.js'
import { callInPlace } from './in-place-call.js'
import type { Net } from '../../net/net.js'
import { Tensor } from './onnx-runtime.js'
import { optimizerRules } from '../optimizers.js'
import { summariseEpoch } from '../epoch.js'
import { restoreState } from '../training-state.js'
import { openUpdate } from './update/update-code.js'

const floatBytes = 4
/** Updates go four numbers at a time. */
const lanes = 4

/** The bytes of a training's vectors: parameters, gradient, slots. */
export function stateBytes({ net, optimizer }: Pick<TrainingOptions, 'net' | 'optimizer'>): number {
  return (2 + optimizerRules[optimizer.kind].slots) * vectorBytes(net)
}

const vectorBytes = ({ parameterCount }: Net): number => floatBytes * lanes * Math.ceil(parameterCount / lanes)

/**
 * A training of many parameters, step by step: the runtime reads the parameters and writes the gradient where they lie,
 * in memory that the update's code works on, so that nothing is copied and the update reads and writes everything once.
 */
export class StepwiseTraining implements Training {
  #updates = 0
  readonly #parameters: Float32Array
  /** The parameters and the optimiser's slots, with the zeros that fill them up. */
  readonly #kept: readonly Float32Array[]
  readonly #feeds: Readonly<Record<string, ort.Tensor>>
  readonly #fetches: Readonly<Record<string, ort.Tensor>>
  readonly #update: () => void

  constructor(
    private readonly options: TrainingOptions,
    memory: WebAssembly.Memory,
    stored: Readonly<Record<string, ort.Tensor>>,
    private readonly open: (batch: number) => Promise<ort.InferenceSession>,
    private close: () => void,
  ) {
    const { net, optimizer } = options
    const rule = optimizerRules[optimizer.kind]
    const bytes = vectorBytes(net)
    const [parameters, gradient, ...slots] = Array.from(
      { length: 2 + rule.slots },
      (_, i) => new Float32Array(memory.buffer, i * bytes, bytes / floatBytes),
    )
    parameters!.fill(0).set(options.parameters)
    gradient!.fill(0)
    slots.forEach((slot) => slot.fill(rule.initial(optimizer)))
    this.#kept = [parameters!, ...slots]
    if (options.from !== undefined) this.#updates = restoreState(options.from, this.#kept)
    this.#parameters = parameters!.subarray(0, net.parameterCount)
    this.#feeds = { ...stored, ...tensors('parameter', net, parameters!) }
    this.#fetches = {
      ...tensors('gradient', net, gradient!),
      loss: scalar(),
      correct: scalar(),
      ...(options.gradientNorms === true ? { norm: scalar() } : {}),
    }
    const update = openUpdate(optimizer.kind, memory)
    const places = [parameters!, gradient!, ...slots].map(({ byteOffset }) => byteOffset)
    const rates = rule.hyperparameters(optimizer)
    this.#update = () => update(bytes, ...places, ...rates, ...rule.schedule(rates, ++this.#updates))
  }

  get updates(): number {
    return this.#updates
  }

  parameters(): Float32Array {
    return this.#parameters.slice()
  }

  state(): TrainingState {
    return { updates: this.#updates, vectors: this.#kept.map((vector) => vector.slice()) }
  }

  async run(order: Int32Array, signal?: AbortSignal): Promise<EpochResult> {
    const { batch } = this.options
    const measured = { losses: [] as number[], correct: [] as number[], norms: [] as number[], rows: [] as number[] }
    const whole = await this.open(batch)
    for (let first = 0; first < order.length; first += batch) {
      signal?.throwIfAborted()
      // A partial last batch has a program of its own: shapes are fixed when a step is traced.
      const indexes = order.slice(first, first + batch)
      const session = indexes.length === batch ? whole : await this.open(indexes.length)
      const feeds = {
        ...this.#feeds,
        ...this.#masks(indexes.length),
        indexes: new Tensor('int32', indexes, [indexes.length]),
      }
      await callInPlace(session, feeds, this.#fetches)
      this.#update()
      const { loss, correct, norm } = this.#fetches
      measured.losses.push(numberOf(loss!))
      measured.correct.push(numberOf(correct!))
      if (norm !== undefined) measured.norms.push(numberOf(norm))
      measured.rows.push(indexes.length)
    }
    return summariseEpoch(measured, this.options.loss)
  }

  #masks(rows: number): Record<string, ort.Tensor> {
    const { net, dropoutSeed = 0 } = this.options
    return Object.fromEntries(
      dropoutLayers(net).map((layer, i) => {
        const mask = updateDropoutMasks(layer, dropoutSeed, this.#updates, rows)
        return [`mask${i}`, new Tensor('float32', mask, [rows, ...layer.shape])]
      }),
    )
  }

  dispose(): void {
    this.close()
    // The memory is another training's now.
    this.close = () => {}
  }
}

const numberOf = ({ data }: ort.Tensor): number => (data as Float32Array)[0]!
const scalar = (): ort.Tensor => new Tensor('float32', new Float32Array(1), [])

/** The net's parameters where they lie in a vector of theirs, each by its number. */
function tensors(name: string, { parameters }: Net, vector: Float32Array): Record<string, ort.Tensor> {
  return Object.fromEntries(
    parameters.map(({ shape, offset, size }, i) => [
      `${name}${i}`,
      new Tensor('float32', vector.subarray(offset, offset + size), shape),
    ]),
  )
}
