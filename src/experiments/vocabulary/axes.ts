import { lookUp } from '../../core/names.js'
import { choice, integer, number, type ChoiceAxis, type IntegerAxis, type NumberAxis } from '../../core/space.js'
import { targetFunctionNames, type TargetFunction } from '../../data/functions.js'
import { dataSets, sourceOf, type DataSources } from '../../data/sets.js'

/** The axes of data and training that experiments have in common; each takes its default, and its doc where it differs. */

const digitShape = '28,28,1'

/** Names of the data sets there are, of 28×28 images alone where a net is made for such. */
export const setNames = (shape?: 'digits', sets: DataSources = dataSets): string[] =>
  Object.keys(sets).filter((name) => shape === undefined || sets[name]!.shape.join() === digitShape)

interface Rows {
  readonly train: number
  readonly test: number
}

/** Any data set of images, and how many rows of it are used. */
export const imageRows = (rows: Rows) => ({ dataset: dataset(), ...rowsOf(rows) })
/** A data set of 28×28 images, and how many rows of it are used. */
export const digitRows = (rows: Rows) => ({ dataset: dataset('digits'), ...rowsOf(rows) })

export const dataset = (shape?: 'digits', sets?: DataSources): ChoiceAxis =>
  choice({ choices: setNames(shape, sets), default: 'mnist-10k', doc: 'what is classified' })
const rowsOf = ({ train, test }: Rows) => ({ trainRows: trainRows(train), testRows: heldOutRows(test) })
export const trainRows = (count: number): IntegerAxis => heldOutRows(count, 'rows trained on')
export const heldOutRows = (count: number, doc = 'rows held out'): IntegerAxis =>
  integer({ min: 10, max: 60_000, default: count, doc, unit: 'rows' })

/** The shape of an image of this set. */
export const shapeOf = (set: string): readonly number[] => (sourceOf(dataSets, set) ?? dataSets['mnist-10k']).shape
/** Whether a trial's images are 28×28, as all of the original's are. */
export const isOfDigits = (params: Readonly<Record<string, unknown>>): boolean =>
  shapeOf(String(lookUp(params, 'dataset'))).join() === digitShape

export const batch = (rows: number, doc = 'rows per update'): IntegerAxis =>
  integer({ min: 1, max: 60_000, default: rows, doc, unit: 'rows' })
export const epochs = (count: number, { max = 100_000, doc = 'passes over the training rows' } = {}): IntegerAxis =>
  integer({ min: 1, max, default: count, doc, unit: 'epochs' })
export const learningRate = (rate: number, doc = "Adam's step size"): NumberAxis =>
  number({ above: 0, max: 1e9, default: rate, doc })
/** The original's optimiser comes first. */
export const optimizer = <const T extends string>(original: T, ...others: readonly T[]): ChoiceAxis<T> =>
  choice({ choices: [original, ...others], default: original, doc: 'how weights are updated' })

/** A function to fit. */
export const target = (original: TargetFunction): ChoiceAxis<TargetFunction> =>
  choice({ choices: targetFunctionNames, default: original, doc: 'the function to fit' })
/** Points of a function. */
export const points = (count: number, min: number, doc = 'points to train on, and as many to test'): IntegerAxis =>
  integer({ min, max: 1_000_000, default: count, doc, unit: 'rows' })
export const batchOfPoints = (count: number, doc = 'points per update'): IntegerAxis => points(count, 1, doc)
/** How many of something that is drawn or tried. */
export const count = (most: number, original: number, doc: string, { min = 1, unit = 'samples' } = {}): IntegerAxis =>
  integer({ min, max: most, default: original, doc, unit })
