import { SpaceError } from '../core/errors.js'
import { lookUp } from '../core/names.js'
import type { Params, ParamValue, Trial } from '../core/trial.js'
import { axesNamed, readExpression } from '../core/expression.js'

/** What a condition may name of a sweep beside the axes of its trials, which count before these. */
export type SweepFacts = Readonly<Record<string, ParamValue>>

/** A sweep as a condition sees it. */
export interface Candidate {
  readonly facts: SweepFacts
  readonly tags: readonly string[]
  readonly trials: readonly Trial[]
}

/** Longer sweeps are looked at by this many of their trials; it is for finding sweeps, not trials. */
const maxTrials = 100_000

/**
 * The sweeps of which a trial fulfils a condition, such as `lr>=0.01 and tag=paper`: an expression over axes, the sweep's own facts and
 * its tags, in which `=` is `==` and a word that names nothing anywhere is a text.
 * @throws SpaceError, UnknownNameError for what is no condition.
 */
export function thoseWhere<T>(text: string, sweeps: readonly T[], candidateOf: (sweep: T) => Candidate): T[] {
  const condition = text.replaceAll(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([<>=!]=)|=/g, (whole, quoted, operator) =>
    quoted !== undefined || operator !== undefined ? whole : '==',
  )
  const names = axesNamed(condition)
  const candidates = sweeps.map((sweep) => ({ sweep, ...candidateOf(sweep) }))
  const known = new Set(
    candidates.flatMap(({ facts, trials }) => [...Object.keys(facts), ...Object.keys(trials[0]?.params ?? {})]),
  )
  for (const { trials } of candidates)
    for (const { params } of trials.slice(0, maxTrials))
      for (const name of names) if (Object.hasOwn(params, name)) known.add(name)
  const words = Object.fromEntries(
    names.filter((name) => !known.has(name) && name !== 'tag').map((name) => [name, name] as const),
  )
  const wanted = readExpression(condition, () => 'any', [])
  if (wanted.type !== 'boolean' && wanted.type !== 'any')
    throw new SpaceError(
      `--where: ${text}: is a ${wanted.type} (it must be true or false, such as 'lr>=0.01 and tag=paper')`,
    )
  return candidates
    .filter((one) => pointsOf(one, names, words).some((point) => holds(wanted, point, names)))
    .map(({ sweep }) => sweep)
}

/** What the names stand for, point by point. */
function pointsOf({ facts, tags, trials }: Candidate, names: readonly string[], words: Params): Params[] {
  const byKey = new Map<string, Params>()
  for (const { params, seeds } of trials.slice(0, maxTrials)) {
    const all: Params = { ...words, ...facts, seed: seeds.init, ...params }
    const point = Object.fromEntries(
      names.flatMap((name) => (Object.hasOwn(all, name) ? [[name, lookUp(all, name)!] as const] : [])),
    )
    const key = JSON.stringify(point)
    if (!byKey.has(key)) byKey.set(key, point)
  }
  const points = [...byKey.values()]
  if (!names.includes('tag')) return points
  const own = tags.length === 0 ? [''] : tags
  return points.flatMap((point) => own.map((tag) => ({ ...point, tag })))
}

/** A sweep that has not all that is named, or something of another kind, does not fulfil it. */
function holds(wanted: ReturnType<typeof readExpression>, point: Params, names: readonly string[]): boolean {
  if (!names.every((name) => Object.hasOwn(point, name))) return false
  try {
    return wanted.evaluate(point) === true
  } catch (error) {
    if (error instanceof SpaceError) return false
    throw error
  }
}
