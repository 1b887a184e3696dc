import { lookUp } from '../../core/names.js'
import { choice, integer, number, type ChoiceAxis, type IntegerAxis, type NumberAxis } from '../../core/space.js'
import { targetFunctionNames, type TargetFunction } from '../../data/functions.js'
import { dataSets, sourceOf, type DataSources } from '../../data/sets.js'

/** The axes of data and training that experiments have in common; each takes its default, and its doc where it differs. */

/** One of several ways, the original's first. */
export const oneOf = <const T extends string>(choices: readonly [T, ...T[]], doc: string): ChoiceAxis<T> =>
  choice({ choices, default: choices[0], doc })
/** A number from 0 to `most`. */
export const upTo = (most: number, original: number, doc: string): NumberAxis =>
  number({ min: 0, max: most, default: original, doc })
/** A share of something. */
export const share = (original: number, doc: string, most = 1): NumberAxis => upTo(most, original, doc)
/** How many of something. */
export const count = (most: number, original: number, doc: string, { min = 1, unit = 'samples' } = {}): IntegerAxis =>
  integer({ min, max: most, default: original, doc, unit })
/** Units in a layer. */
export const units = (most: number, original: number, doc: string, { min = 1 } = {}): IntegerAxis =>
  count(most, original, doc, { min, unit: 'units' })
/** Hidden layers. */
export const layers = (most: number, original: number, doc = 'hidden layers', { min = 1 } = {}): IntegerAxis =>
  count(most, original, doc, { min, unit: 'layers' })

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
export const trainRows = (rows: number): IntegerAxis => heldOutRows(rows, 'rows trained on')
export const heldOutRows = (rows: number, doc = 'rows held out'): IntegerAxis =>
  count(60_000, rows, doc, { min: 10, unit: 'rows' })

/** The shape of an image of this set. */
export const shapeOf = (set: string): readonly number[] => (sourceOf(dataSets, set) ?? dataSets['mnist-10k']).shape
/** Whether a trial's images are 28×28, as all of the original's are. */
export const isOfDigits = (params: Readonly<Record<string, unknown>>): boolean =>
  shapeOf(String(lookUp(params, 'dataset'))).join() === digitShape

export const batch = (rows: number, doc = 'rows per update'): IntegerAxis => count(60_000, rows, doc, { unit: 'rows' })
export const epochs = (original: number, { max = 100_000, doc = 'passes over the training rows' } = {}): IntegerAxis =>
  count(max, original, doc, { unit: 'epochs' })
export const learningRate = (rate: number, doc = "Adam's step size"): NumberAxis =>
  number({ above: 0, max: 1e9, default: rate, doc })
export const optimizer = <const T extends string>(...kinds: readonly [T, ...T[]]): ChoiceAxis<T> =>
  oneOf(kinds, 'how weights are updated')

export const initScale = (stddev: number): NumberAxis =>
  number({ above: 0, max: 10, default: stddev, doc: 'standard deviation of the initial weights and biases' })

/** A function to fit. */
export const target = (original: TargetFunction): ChoiceAxis<TargetFunction> =>
  choice({ choices: targetFunctionNames, default: original, doc: 'the function to fit' })
/** Points of a function. */
export const points = (original: number, min: number, doc = 'points to train on, and as many to test'): IntegerAxis =>
  count(1_000_000, original, doc, { min, unit: 'rows' })
export const batchOfPoints = (original: number, doc = 'points per update'): IntegerAxis => points(original, 1, doc)
