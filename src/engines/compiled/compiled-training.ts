import type * as ort from 'onnxruntime-node'
import { dropoutLayers, updateDropoutMasks } from '../../net/dropout.js'
import type { EpochResult, Training, TrainingOptions, TrainingState } from '../engine.js'
import { Tensor } from './onnx-runtime.js'
import { optimizerRules } from '../optimizers.js'
import { Pace } from './pace.js'
import { stateNames } from './programs/training-program.js'
import type { TrainedNet } from './programs/homogeneous-net.js'
import type { BatchSupply } from './training-batches.js'
import { summariseEpoch, type StepMeasurements } from '../epoch.js'
import { restoreState } from '../training-state.js'
import { pick, place, weightGroups, type WeightGroup } from './programs/weight-groups.js'

type Measured = { readonly [K in keyof StepMeasurements]: number[] }

/** What a step changes: the weights and the optimiser's slots, group by group, by name. */
type State = Readonly<Record<string, ort.Tensor>>

/** A training whose state stays in the arrays that its program reads and writes. */
export class CompiledTraining implements Training {
  #state: State
  /** Where the next call writes; the two change places. New arrays each call would pile up faster than they are collected. */
  #spare: State
  #updates = 0
  readonly #groups: readonly WeightGroup[]
  readonly #fixed: Record<string, ort.Tensor>
  readonly #pace = new Pace()

  constructor(
    private readonly options: TrainingOptions,
    private readonly trained: TrainedNet,
    private readonly supply: BatchSupply,
    private readonly open: (batch: number) => Promise<ort.InferenceSession>,
    private readonly close: () => void,
  ) {
    const { optimizer } = options
    const parameters = trained.widen(options.parameters)
    const rule = optimizerRules[optimizer.kind]
    this.#groups = weightGroups(trained.net)
    const state = (): State =>
      Object.fromEntries(
        this.#groups.flatMap((group, k) => {
          const [weights, ...slots] = stateNames(k, rule.slots)
          const values = pick(group, parameters)
          const tensor = (data: Float32Array): ort.Tensor => new Tensor('float32', data, [1, group.size])
          const kept = trained.mask && pick(group, trained.mask)
          const initial = (slot: number): Float32Array => {
            const numbers = new Float32Array(group.size).fill(rule.initial(optimizer))
            // What the mask leaves out is never to change.
            if (kept === undefined || !rule.lastSlotDivides || slot < rule.slots - 1) return numbers
            return numbers.map((number, i) => (kept[i] === 0 ? Infinity : number))
          }
          return [[weights!, tensor(values)], ...slots.map((name, slot) => [name, tensor(initial(slot))] as const)]
        }),
      )
    this.#state = state()
    this.#spare = state()
    if (options.from !== undefined) this.#updates = restoreState(options.from, vectorsOf(this.#state))
    this.#fixed = { ...supply.fixed }
    rule.hyperparameters(optimizer).forEach((value, i) => (this.#fixed[`hyper${i}`] = scalar(value)))
  }

  get updates(): number {
    return this.#updates
  }

  parameters(): Float32Array {
    const flat = new Float32Array(this.trained.net.parameterCount)
    this.#groups.forEach((group, k) => place(group, this.#state[`weights${k}`]!.data as Float32Array, flat))
    return this.trained.narrow(flat)
  }

  state(): TrainingState {
    return { updates: this.#updates, vectors: vectorsOf(this.#state).map((vector) => vector.slice()) }
  }

  async run(order: Int32Array, signal?: AbortSignal): Promise<EpochResult> {
    const { batch } = this.options
    const whole = Math.floor(order.length / batch)
    const rest = order.length - whole * batch
    const parts: Measured = { losses: [], correct: [], norms: [], rows: [] }
    for (let done = 0; done < whole;) {
      const steps = this.#pace.next(whole - done)
      await this.#steps(order.subarray(done * batch, (done + steps) * batch), steps, batch, parts, signal)
      done += steps
    }
    // A partial last batch has a program of its own: shapes are fixed when a step is traced.
    if (rest > 0) await this.#steps(order.subarray(whole * batch), 1, rest, parts, signal)
    return summariseEpoch(parts, this.options.loss)
  }

  async #steps(order: Int32Array, steps: number, batch: number, parts: Measured, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const session = await this.open(batch)
    const feeds = {
      ...this.#fixed,
      ...this.#state,
      ...this.supply.batches(order, batch),
      ...this.#scheduled(steps),
      ...this.#masks(steps, batch),
    }
    const measured = { losses: null, correct: null, ...(this.options.gradientNorms === true ? { norms: null } : {}) }
    const fetches = {
      ...Object.fromEntries(Object.entries(this.#spare).map(([name, tensor]) => [`next_${name}`, tensor])),
      ...measured,
    }
    const call = (): Promise<ort.InferenceSession.ReturnType> => session.run(feeds, fetches)
    const result = batch === this.options.batch ? await this.#pace.time(steps, call) : await call()
    ;[this.#state, this.#spare] = [this.#spare, this.#state]
    this.#updates += steps
    for (const value of result['losses']!.data as Float32Array) parts.losses.push(value)
    for (const value of result['correct']!.data as Float32Array) parts.correct.push(value)
    if (result['norms'] !== undefined) for (const value of result['norms'].data as Float32Array) parts.norms.push(value)
    for (let i = 0; i < steps; i++) parts.rows.push(batch)
  }

  #scheduled(steps: number): Record<string, ort.Tensor> {
    const rule = optimizerRules[this.options.optimizer.kind]
    const hyper = rule.hyperparameters(this.options.optimizer)
    const perStep = Array.from({ length: steps }, (_, i) => rule.schedule(hyper, this.#updates + i + 1))
    return Object.fromEntries(
      perStep[0]!.map((_, k) => [
        `schedule${k}`,
        new Tensor(
          'float32',
          Float32Array.from(perStep, (numbers) => numbers[k]!),
          [steps, 1, 1],
        ),
      ]),
    )
  }

  #masks(steps: number, batch: number): Record<string, ort.Tensor> {
    const { net, dropoutSeed = 0 } = this.options
    return Object.fromEntries(
      dropoutLayers(net).map((layer, i) => {
        const masks = updateDropoutMasks(layer, dropoutSeed, this.#updates, batch, steps)
        return [`mask${i}`, new Tensor('float32', masks, [steps, batch, ...layer.shape])]
      }),
    )
  }

  dispose(): void {
    this.#state = {}
    this.#spare = {}
    this.close()
  }
}

const vectorsOf = (state: State): Float32Array[] => Object.values(state).map(({ data }) => data as Float32Array)

const scalar = (value: number): ort.Tensor => new Tensor('float32', Float32Array.of(value), [1, 1])
