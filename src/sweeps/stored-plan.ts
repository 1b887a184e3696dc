import { crc32 } from 'node:zlib'
import { formatCount } from '../core/format.js'
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { StoreError } from '../core/errors.js'
import { refuseNewer } from '../core/newer-format.js'
import { isMapping } from '../core/is-mapping.js'
import { isMine } from '../system/ownership.js'
import type { Trial, TrialsAdded } from '../core/trial.js'
import { hashTrials, mayGrow, type Plan } from './plan.js'
import { pausesTrials } from './scheduling/stopping.js'

/** Raised when plan.json changes meaning; a plan of a higher number is refused, never guessed at. */
export const planFormat = 8

/**
 * The format that a plan needs: values that are null, lists or of mixed kinds came with the second, plans that grow by what
 * their journal says with the third, several objectives, constraints, confirmation and studies with the fourth, what earlier
 * sweeps taught with the fifth, axes that are averaged as seeds are with the sixth, rules under which trials pause, and
 * confirmation of other sweeps than searches that learn, with the seventh, later versions of a sampler with the eighth, and
 * older ones read the rest.
 */
export function formatOf({
  trials,
  spec,
  learnt,
  samplerVersion,
}: Pick<Plan, 'trials' | 'spec' | 'learnt' | 'samplerVersion'>): number {
  if (samplerVersion !== undefined) return planFormat
  const { objective, constraints, confirm, own, search } = spec
  const isConfirmedGrid = confirm !== undefined && search?.learning === undefined
  if (pausesTrials(spec.scheduler ?? []) || isConfirmedGrid) return 7
  if (spec.average !== undefined) return 6
  if (learnt !== undefined) return 5
  const isOfFourth = objective?.also !== undefined || constraints !== undefined || confirm !== undefined
  if (isOfFourth || own?.kind === 'study') return 4
  if (mayGrow(spec)) return 3
  const axes = spec.own?.kind === 'command' ? Object.values(spec.own.command.axes ?? {}) : []
  const isNew =
    axes.some(({ kind }) => kind === 'literal') ||
    trials.some(({ params }) => Object.values(params).some((value) => typeof value === 'object'))
  return isNew ? 2 : 1
}

/** A plan as plan.json holds it: one JSON text whose trials have a line each, so that no plan is too long for a string. */
export interface StoredPlan extends Plan {
  readonly format: number
  readonly sweep: string
  readonly codeVersion: string
  readonly createdAtMs: number
  /** What the plan has grown by, in a copy that has no journal beside it. */
  readonly added?: readonly TrialsAdded[]
}

export type PlanFacts = Omit<StoredPlan, 'trials'>

/** What ends the first line of a plan.json whose trials have lines of their own. */
const trialsBegin = '"trials":['
const trialsEnd = ']}'
/** What ends the last line: the CRC-32 of the trials' lines, since an id does not tell that a parameter beside it was changed. */
const summedEnd = /^\],"trialsCrc32":"([0-9a-f]{8})"\}$/
const blockBytes = 1 << 20

/** The bytes of plan.json, block by block. */
export function* encodePlan({ trials, ...facts }: StoredPlan): Generator<Uint8Array> {
  let block = `${JSON.stringify(facts).slice(0, -1)},${trialsBegin}`
  let sum = 0
  for (const [i, trial] of trials.entries()) {
    const line = JSON.stringify(trial)
    sum = crc32(line, sum)
    block += `${i === 0 ? '' : ','}\n${line}`
    if (block.length < blockBytes) continue
    yield Buffer.from(block)
    block = ''
  }
  yield Buffer.from(`${block}\n],"trialsCrc32":"${inHex(sum)}"}\n`)
}

/**
 * Reads plan.json. @throws StoreError when it is not JSON, was altered or was written by a newer version; errors of the
 * file system as they are.
 */
export function readPlan(file: string): {
  plan: StoredPlan
  /** Whether whoever runs this process owns the file. */ isMine: boolean
} {
  let owner: Stats | undefined
  const plan = decodePlan(
    blocksOf(file, blockBytes, (found) => (owner = found)),
    file,
  )
  return { plan, isMine: owner !== undefined && isMine(owner) }
}

/** The plan that the bytes of a plan.json hold; `where` is named in what is said of it. @throws StoreError as `readPlan`. */
export function parsePlan(bytes: Uint8Array, where: string): StoredPlan {
  return decodePlan([bytes], where)
}

/** What plan.json says beside its trials, without reading those. @throws as `readPlan`. */
export function readPlanFacts(file: string): PlanFacts {
  return decodeFacts(linesOf(blocksOf(file)), file).facts
}

function decodePlan(blocks: Iterable<Uint8Array>, where: string): StoredPlan {
  const lines = linesOf(blocks)
  const { facts, trials, isWhole, trialsCrc32 } = decodeFacts(lines, where)
  let sum = trials.reduce<number>((before, trial) => crc32(JSON.stringify(trial), before), 0)
  let line: string | undefined
  for (line of lines) {
    if (isTrialsEnd(line)) break
    const text = line.endsWith(',') ? line.slice(0, -1) : line
    sum = crc32(text, sum)
    trials.push(parseJson(text, where))
  }
  if (!isWhole && !isTrialsEnd(line)) throw unreadable(where, `it ends after ${formatCount(trials.length, 'trial')}`)
  if (!trials.every(isTrial)) throw unreadable(where, 'a trial is none')
  const { sweep, hash, experiment } = facts
  const written = trialsCrc32 ?? summedEnd.exec(line ?? '')?.[1]
  if (hashTrials(trials) !== hash || (written !== undefined && written !== inHex(sum)))
    throw new StoreError(`the plan of sweep ${sweep} was altered: its trials do not match its hash (${where})`)
  // One text for all of them: a million copies would take their room.
  for (const trial of trials) if (trial.experiment === experiment) trial.experiment = experiment
  return { ...facts, trials }
}

const isTrialsEnd = (line: string | undefined): boolean =>
  line !== undefined && (line === trialsEnd || summedEnd.test(line))
const inHex = (sum: number): string => sum.toString(16).padStart(8, '0')

/** What the first line says; all of the plan when an older mlds wrote it in one line, or a person laid it out anew. */
function decodeFacts(
  lines: Generator<string, undefined>,
  where: string,
): { facts: PlanFacts; trials: unknown[]; /** The trials too. */ isWhole: boolean; trialsCrc32?: string | undefined } {
  const first = lines.next().value ?? ''
  const isWhole = !first.endsWith(trialsBegin)
  const plan = parseJson(isWhole ? [first, ...lines].join('\n') : first + trialsEnd, where)
  if (!isPlan(plan)) throw unreadable(where, 'it is not a plan')
  const { trials, trialsCrc32, ...facts } = plan
  checkFormat(facts)
  return { facts, trials, isWhole, trialsCrc32 }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw unreadable(where, (error as Error).message, error)
  }
}

function unreadable(where: string, reason: string, cause?: unknown): StoreError {
  return new StoreError(`the plan can't be read: ${where}: ${reason}`, { cause })
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

function isPlan(value: unknown): value is PlanFacts & { trials: unknown[]; trialsCrc32?: string } {
  if (typeof value !== 'object' || value === null || !('trials' in value && Array.isArray(value.trials))) return false
  const { format, createdAtMs, sweep, experiment, hash, spec } = value as Partial<PlanFacts>
  if (!isAdded((value as Partial<PlanFacts>).added ?? [])) return false
  const { learnt = [], samplerVersion = 1 } = value as Partial<PlanFacts>
  if (!isLearnt(learnt) || !(Number.isSafeInteger(samplerVersion) && samplerVersion > 0)) return false
  const areNumbers = [format, createdAtMs].every((fact) => typeof fact === 'number')
  return areNumbers && [sweep, experiment, hash].every((fact) => typeof fact === 'string') && typeof spec === 'object'
}

const isAdded = (added: unknown): boolean =>
  Array.isArray(added) &&
  added.every((one: Partial<TrialsAdded> | null) => Array.isArray(one?.trials) && one.trials.every(isTrial))

const isLearnt = (learnt: unknown): boolean =>
  Array.isArray(learnt) &&
  learnt.every(
    (one: unknown) =>
      isMapping(one) &&
      typeof one['from'] === 'string' &&
      isMapping(one['leftOut']) &&
      Array.isArray(one['settings']) &&
      one['settings'].every(
        (setting: unknown) =>
          isMapping(setting) &&
          isMapping(setting['values']) &&
          [setting['results'] ?? [], setting['violations'] ?? []].every(isListOfNumbers),
      ),
  )
const isListOfNumbers = (list: unknown): boolean =>
  Array.isArray(list) && list.every((one) => one === null || typeof one === 'number')

function isTrial(value: unknown): value is Mutable<Trial> {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string'
}

function checkFormat({ format, sweep, codeVersion }: Pick<StoredPlan, 'format' | 'sweep' | 'codeVersion'>): void {
  refuseNewer(`the plan of sweep ${sweep}`, 'plan format', { format, known: planFormat, by: codeVersion })
}

/** Lines without their ends; the last one only if anything is in it. */
function* linesOf(blocks: Iterable<Uint8Array>): Generator<string, undefined> {
  let begun: Uint8Array[] = []
  for (const block of blocks) {
    const bytes = Buffer.from(block.buffer, block.byteOffset, block.length)
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield Buffer.concat([...begun, bytes.subarray(start, end)]).toString()
      begun = []
      start = end + 1
    }
    if (start < bytes.length) begun.push(bytes.subarray(start))
  }
  if (begun.length > 0) yield Buffer.concat(begun).toString()
}

/** A file's bytes, read as they are asked for: opened late, closed when nobody wants more. */
function* blocksOf(file: string, length = blockBytes, onOpen: (found: Stats) => void = () => {}): Generator<Buffer> {
  // Not waiting: a pipe in the place of a plan would never answer.
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const found = fstatSync(descriptor)
    if (!found.isFile()) throw unreadable(file, 'it is not a file')
    // Of the very file that is read: a name may lead elsewhere a moment later.
    onOpen(found)
    for (;;) {
      const block = Buffer.allocUnsafe(length)
      const count = readSync(descriptor, block)
      if (count === 0) return
      yield block.subarray(0, count)
    }
  } finally {
    closeSync(descriptor)
  }
}
