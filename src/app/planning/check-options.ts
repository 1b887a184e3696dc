import { isMapping } from '../../core/is-mapping.js'
import { MldsError, UnknownNameError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { engineNames } from '../../core/trial.js'
import { rerunnable } from '../running/left-to-run.js'

/** What a value must be, as the end of a sentence, and whether it is. */
interface Rule {
  readonly right: string
  readonly fits: (value: unknown) => boolean
}

const isTextOf =
  (known: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === 'string' && known.includes(value)
const text: Rule = { right: 'a text', fits: (value) => typeof value === 'string' }
const flag: Rule = { right: 'true or false', fits: (value) => typeof value === 'boolean' }
const listener: Rule = { right: 'a function', fits: (value) => typeof value === 'function' }
const signal: Rule = { right: 'an AbortSignal', fits: (value) => value instanceof AbortSignal }
const integerFrom = (least: number): Rule => ({
  right: `an integer of at least ${least}`,
  fits: (value) => Number.isInteger(value) && (value as number) >= least,
})
const limit: Rule = {
  right: 'an integer of at least 1, or Infinity',
  fits: (value) => value === Infinity || integerFrom(1).fits(value),
}

const limits: Readonly<Record<string, Rule>> = {
  maxAttempts: integerFrom(1),
  retries: integerFrom(0),
  maxFailures: limit,
  failingAlike: integerFrom(0),
}

const storeOptions = { store: text }
const runOptions = {
  workers: integerFrom(1),
  engine: { right: engineNames.join(' or '), fits: isTextOf(engineNames) },
  nats: text,
  tenant: text,
  track: text,
  limits: { right: 'an object', fits: isMapping },
  fresh: flag,
  budgetMs: {
    right: 'milliseconds, an integer from 1 to those of 24 days',
    fits: (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 24 * 86_400_000,
  },
  copies: integerFrom(0),
  checkpointEveryMs: integerFrom(1),
  only: {
    right: `a list of ${rerunnable.join(', ')}`,
    fits: (value: unknown) => Array.isArray(value) && value.every(isTextOf(rerunnable)),
  },
  signal,
  drain: signal,
  onEvent: listener,
  onMessage: listener,
}

/** The options of each function of the library; what each means is told where its type is. */
const optionsOf: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  planSweep: storeOptions,
  runSweep: { ...storeOptions, ...runOptions, extend: flag },
  openSweep: { ...storeOptions, experiment: { right: 'an experiment', fits: isMapping }, trustCode: flag },
  openStudy: storeOptions,
  resume: runOptions,
}

/** @throws MldsError naming the first option of a function of the library that it does not know, or that is of another kind. */
export function checkOptions(
  of: 'planSweep' | 'runSweep' | 'openSweep' | 'openStudy' | 'resume',
  options: object,
): void {
  check(`option of ${of}`, optionsOf[of]!, options)
  if ('limits' in options && options.limits !== undefined) check('limit', limits, options.limits, 'limits.')
}

function check(kind: string, rules: Readonly<Record<string, Rule>>, given: unknown, prefix = ''): void {
  if (!isMapping(given)) throw new MldsError('USAGE', `the options are not an object: ${String(given)}`)
  for (const [name, value] of Object.entries(given)) {
    const rule = lookUp(rules, name)
    if (rule === undefined) throw new UnknownNameError(kind, name, Object.keys(rules))
    if (value !== undefined && !rule.fits(value))
      throw new MldsError('USAGE', `${prefix}${name}: ${describe(value)} is not ${rule.right}`)
  }
}

function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return JSON.stringify(value) ?? typeof value
}

/** @throws MldsError for what no sweep can be described by. */
export function checkSweep(sweep: unknown): void {
  if (typeof sweep === 'string' || isMapping(sweep)) return
  throw new MldsError('USAGE', `the sweep is neither a text nor a description: ${String(sweep)}`, {
    hint: "give a built-in experiment's name, the path of a file, or an object with the keys of a sweep file",
  })
}
