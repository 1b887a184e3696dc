import { epochOrder } from '../../data/split.js'
import type { EpochResult, Rows } from '../../engines/engine.js'
import { initialize, type Net } from '../../net/net.js'
import type { Loss, OptimizerSpec, TrainingObjective } from '../../net/training-spec.js'
import type { TrialContext } from '../experiment.js'
import { courseOf, encodeTrainings, type Memory } from './kept-trainings.js'

export interface TrainNetOptions {
  readonly net: Net
  readonly loss: Loss
  readonly rows: Rows
  /** Rows to train on; all of them when left out. */
  readonly train?: Int32Array
  readonly optimizer: OptimizerSpec
  readonly batch: number
  /** Goes on until this says that it is enough; asked after each epoch, counted from 1. */
  readonly enough: (epoch: number, trained: EpochResult, updates: number) => boolean
  readonly gradientNorms?: boolean
  /** Default the loss. */
  readonly objective?: TrainingObjective
  /** Whether each epoch has an order of rows of its own. Default true. */
  readonly shuffled?: boolean
  /** Epochs that were done before, by another training: the count goes on from there. Default 0. */
  readonly epochsBefore?: number
  /** Initial weights; drawn by the init seed when left out. */
  readonly parameters?: Float32Array
  /** What `onEpoch` remembers: an attempt that goes on from a checkpoint remembers it too. Default: nothing. */
  readonly memory?: Memory
  /** Told after each epoch, with the weights as they are then. */
  readonly onEpoch: (epoch: number, trained: EpochResult, parameters: () => Float32Array) => Promise<void>
}

/** Row numbers from 0. */
export const firstRows = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i)

/** Adam, or another of the plain optimisers, in batches, for so many epochs. */
export function recipe(
  { learningRate, batch, epochs }: { learningRate: number; batch: number; epochs: number },
  kind: 'adam' | 'adagrad' | 'adamax' | 'sgd' | 'momentum' = 'adam',
): Pick<TrainNetOptions, 'optimizer' | 'batch' | 'enough'> {
  return { optimizer: { kind, learningRate }, batch, enough: (epoch) => epoch >= epochs }
}

/**
 * Trains a net, with a new order of rows each epoch unless told otherwise; returns its final weights. It keeps checkpoints between
 * epochs, and goes on from the last of an earlier attempt, bit for bit as if it had not been interrupted.
 */
export async function trainNet(
  context: TrialContext,
  options: TrainNetOptions,
): Promise<{ parameters: Float32Array; updates: number }> {
  const { net, loss, rows, optimizer, batch, gradientNorms = false, objective = 'loss' } = options
  const { shuffled = true, epochsBefore = 0 } = options
  const { engine, seeds, signal, checkpoint } = context
  const course = await courseOf(checkpoint)
  const over = course.kept?.ended[course.ended.length]
  if (over !== undefined) {
    options.memory?.write(over.memory)
    course.ended.push(over)
    return over
  }
  const { kept } = course
  course.kept = undefined
  if (kept !== undefined) options.memory?.write(kept.memory)
  const train = options.train ?? firstRows(rows.targets.length)
  const training = await engine.train({
    net,
    loss,
    optimizer,
    rows,
    batch,
    parameters: options.parameters ?? initialize(net, seeds.init),
    dropoutSeed: seeds.shuffle,
    gradientNorms,
    objective,
    ...(kept === undefined ? {} : { from: kept.state }),
  })
  try {
    for (let epoch = (kept?.epoch ?? epochsBefore) + 1; ; epoch++) {
      const trained = await training.run(shuffled ? epochOrder(train, epoch, seeds.shuffle) : train, signal)
      await options.onEpoch(epoch, trained, () => training.parameters())
      if (options.enough(epoch, trained, training.updates)) break
      const memory = options.memory?.read()
      await checkpoint.save(() => encodeTrainings({ ended: course.ended, epoch, state: training.state(), memory }))
    }
    const ended = { parameters: training.parameters(), updates: training.updates }
    course.ended.push({ ...ended, memory: options.memory?.read() })
    return ended
  } finally {
    training.dispose()
  }
}
