import { DataError } from '../../core/errors.js'
import { floatsOf } from '../../core/floats.js'
import type { TrainingState } from '../../engines/engine.js'
import { encodeTensors, openTensors, type NamedTensor } from '../../net/tensors.js'
import type { Checkpoint } from '../experiment.js'

/**
 * What an experiment remembers from one epoch to the next, as plain data: numbers, texts, lists and objects of them, and
 * Float32Arrays. What is written was read at the same epoch of an earlier attempt.
 */
export interface Memory<T = unknown> {
  read(): T
  write(value: T): void
}

/** A training of the trial that is over. */
interface EndedTraining {
  readonly parameters: Float32Array
  readonly updates: number
  readonly memory: unknown
}

/** The trainings of a trial up to the end of an epoch: those that are over, and the one that runs. */
interface KeptTrainings {
  readonly ended: readonly EndedTraining[]
  readonly epoch: number
  readonly state: TrainingState
  readonly memory: unknown
}

/** The course of a trial's trainings in one attempt. */
interface TrainingCourse {
  readonly ended: EndedTraining[]
  /** What an earlier attempt has done of them, until this one has come so far. */
  kept: KeptTrainings | undefined
}

const courses = new WeakMap<Checkpoint, Promise<TrainingCourse>>()

/** The trainings of the trial that these checkpoints are of. @throws DataError when what was kept can't be read. */
export function courseOf(checkpoint: Checkpoint): Promise<TrainingCourse> {
  const begin = async (): Promise<TrainingCourse> => {
    const bytes = await checkpoint.load()
    return { ended: [], kept: bytes === undefined ? undefined : decodeTrainings(bytes) }
  }
  const course = courses.get(checkpoint) ?? begin()
  courses.set(checkpoint, course)
  return course
}

/** As a safetensors file; what is no vector is JSON in its metadata. */
export function encodeTrainings({ ended, epoch, state, memory }: KeptTrainings): Uint8Array {
  const tensor = (name: string, data: Float32Array): NamedTensor => ({ name, shape: [data.length], data })
  const facts = {
    ended: ended.map(({ updates, memory: own }) => ({ updates, memory: own })),
    ...{ epoch, memory, updates: state.updates, vectors: state.vectors.length },
  }
  const tensors = [
    ...ended.map(({ parameters }, i) => tensor(`ended${i}`, parameters)),
    ...state.vectors.map((vector, i) => tensor(`state${i}`, vector)),
  ]
  return encodeTensors(tensors, { trainings: JSON.stringify(facts, toPlain) })
}

function decodeTrainings(bytes: Uint8Array): KeptTrainings {
  const file = openTensors(bytes)
  let facts: Omit<KeptTrainings, 'state' | 'ended'> & {
    readonly updates: number
    readonly vectors: number
    readonly ended: readonly Omit<EndedTraining, 'parameters'>[]
  }
  try {
    facts = JSON.parse(String(file.metadata['trainings']), fromPlain) as typeof facts
  } catch (error) {
    throw new DataError('the checkpoint is of no training', { cause: error })
  }
  const { epoch, memory, updates, vectors, ended } = facts
  if (
    ![epoch, updates, vectors].every((n) => Number.isSafeInteger(n) && n >= 0) ||
    vectors > 100 ||
    !Array.isArray(ended)
  )
    throw new DataError('the checkpoint is of no training')
  return {
    ended: (ended as readonly Omit<EndedTraining, 'parameters'>[]).map((one, i) => ({
      ...one,
      parameters: file.read(`ended${i}`),
    })),
    ...{ epoch, memory },
    state: { updates, vectors: Array.from({ length: vectors }, (_, i) => file.read(`state${i}`)) },
  }
}

/** JSON has neither NaN nor vectors. */
function toPlain(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) }
  return value instanceof Float32Array
    ? { float32: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
    : value
}

function fromPlain(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { number, float32 } = value as { readonly number?: unknown; readonly float32?: unknown }
  if (typeof number === 'string') return Number(number)
  return typeof float32 === 'string' ? floatsOf(Buffer.from(float32, 'base64')) : value
}
