import { SpaceError } from '../core/errors.js'
import { lookUp } from '../core/names.js'
import type { Metrics, Params, ParamValue, Trial } from '../core/trial.js'
import { axesNamed, readExpression } from '../core/expression.js'

/** What a condition may name of a sweep beside the axes of its trials, which count before these. */
export type SweepFacts = Readonly<Record<string, ParamValue>>

/** A sweep as a condition sees it. */
export interface Candidate {
  readonly facts: SweepFacts
  readonly tags: readonly string[]
  /** Each with what it came to, where it has a result. */
  readonly trials: readonly (Pick<Trial, 'params' | 'seeds'> & { readonly metrics?: Metrics })[]
}

/** Longer sweeps are looked at by this many of their trials; it is for finding sweeps, not trials. */
const maxTrials = 100_000

/**
 * The sweeps of which a trial fulfils a condition, such as `lr>=0.01 and loss<0.1 and tag=paper`: an expression over axes, the sweep's own
 * facts, the final metrics of its trials and its tags, in which `=` is `==` and a word that names nothing anywhere is a text.
 * @param onTexts is told which words are taken for texts.
 * @throws SpaceError, UnknownNameError for what is no condition.
 */
export function thoseWhere<T>(
  text: string,
  sweeps: readonly T[],
  candidateOf: (sweep: T) => Candidate,
  onTexts: (words: readonly string[]) => void = () => {},
): T[] {
  const candidates = sweeps.map((sweep) => ({ sweep, ...candidateOf(sweep) }))
  const { axes, metrics } = namesOf(candidates)
  const condition = withSigns(text, [...metrics].filter(isCompound(axes)))
  const names = axesNamed(condition)
  const texts = names.filter((name) => !axes.has(name) && !metrics.has(name) && name !== 'tag' && name !== 'seed')
  onTexts(texts)
  const words = Object.fromEntries(texts.map((name) => [name, name] as const))
  const wanted = readExpression(condition, () => 'any', [])
  if (wanted.type !== 'boolean' && wanted.type !== 'any')
    throw new SpaceError(
      `--where: ${text}: is a ${wanted.type} (it must be true or false, such as 'lr>=0.01 and tag=paper')`,
    )
  return candidates
    .filter((one) => pointsOf(one, names, words).some((point) => holds(wanted, point, names)))
    .map(({ sweep }) => sweep)
}

/** What there is to be named: axes and facts, which count before metrics. */
function namesOf(candidates: readonly Candidate[]): { readonly axes: Set<string>; readonly metrics: Set<string> } {
  const [axes, metrics] = [new Set<string>(), new Set<string>()]
  for (const { facts, trials } of candidates) {
    for (const name of Object.keys(facts)) axes.add(name)
    for (const { params, metrics: own = {} } of trials.slice(0, maxTrials)) {
      for (const name of Object.keys(params)) axes.add(name)
      for (const name of Object.keys(own)) metrics.add(name)
    }
  }
  return { axes, metrics }
}

/** A metric such as `test/loss`, whose name would be read as a division; not where both its parts are axes. */
const isCompound =
  (axes: ReadonlySet<string>) =>
  (metric: string): boolean =>
    /[^\p{L}\p{N}_.]/u.test(metric) && !metric.includes('`') && !metric.split(/[/-]/).every((part) => axes.has(part))

/** The condition as an expression: `==` for `=`, and backquotes around metrics that are no plain words. */
function withSigns(text: string, metrics: readonly string[]): string {
  const named = metrics
    .filter((metric) => text.includes(metric))
    .sort((a, b) => b.length - a.length)
    .map((metric) => metric.replace(/[$()*+./?[\\\]^{|}]/g, '\\$&'))
  const metric = named.length === 0 ? '(?!)' : `(?<![\\p{L}\\p{N}_./])(?:${named.join('|')})(?![\\p{L}\\p{N}_./])`
  return text.replaceAll(
    new RegExp(`("[^"]*"|'[^']*'|\`[^\`]*\`|[<>=!]=)|(${metric})|=`, 'gu'),
    (_, kept?: string, name?: string) => kept ?? (name === undefined ? '==' : `\`${name}\``),
  )
}

/** What the names stand for, point by point. */
function pointsOf({ facts, tags, trials }: Candidate, names: readonly string[], words: Params): Params[] {
  const byKey = new Map<string, Params>()
  for (const { params, seeds, metrics } of trials.slice(0, maxTrials)) {
    const all: Params = { ...words, ...metrics, ...facts, seed: seeds.init, ...params }
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
