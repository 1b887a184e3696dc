import { isMapping } from '../core/is-mapping.js'
/** What a part of an experiment must be, as the end of a sentence, and whether it is. */
interface Rule {
  readonly right: string
  readonly fits: (value: unknown) => boolean
}

const isText = (value: unknown): boolean => typeof value === 'string'
const isFunction = (value: unknown): boolean => typeof value === 'function'
const isListOf =
  (fits: (item: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(fits)
const hasParts =
  (parts: Readonly<Record<string, (value: unknown) => boolean>>) =>
  (value: unknown): boolean =>
    isMapping(value) && Object.entries(parts).every(([name, fits]) => fits(value[name]))

const text: Rule = { right: 'a text', fits: isText }
const names: Rule = { right: 'a list of texts', fits: isListOf(isText) }
const isListOfValues = isListOf(() => true)
const isSeed = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

const frame: Readonly<Record<string, Rule>> = {
  name: text,
  title: text,
  question: text,
  source: text,
  aliases: names,
  version: { right: 'an integer', fits: (value) => Number.isSafeInteger(value) },
  objective: {
    right: "{ metric: a text, direction: 'minimize' or 'maximize' }",
    fits: hasParts({ metric: isText, direction: (value) => value === 'minimize' || value === 'maximize' }),
  },
  profiles: {
    right: 'an object of { axes: an object of lists, seeds: a list of integers from 0 }',
    fits: (value) =>
      isMapping(value) &&
      Object.values(value).every(
        hasParts({
          axes: (axes) => isMapping(axes) && Object.values(axes).every(isListOfValues),
          seeds: isListOf(isSeed),
        }),
      ),
  },
  figures: {
    right: 'a list of { name: a text, caption: a text, draw: a function }',
    fits: isListOf(hasParts({ name: isText, caption: isText, draw: isFunction })),
  },
  claims: {
    right: 'a list of { id: a text, statement: a text, published: a text, check: a function }',
    fits: isListOf(hasParts({ id: isText, statement: isText, published: isText, check: isFunction })),
  },
}

const stage: Readonly<Record<string, Rule>> = {
  name: text,
  engine: { right: 'false (leave it out where nets are trained)', fits: (value) => value === false },
  data: { right: 'a function that gives a list of texts', fits: isFunction },
  cost: { right: 'a function that gives a number', fits: isFunction },
  rows: { right: 'a function that gives arrays by part', fits: isFunction },
  net: { right: 'a function that gives a net', fits: isFunction },
  derive: {
    right: '{ from: the name of a stage, groups: a function }',
    fits: hasParts({ from: isText, groups: isFunction }),
  },
}

/** The first part of an experiment, beside its stages, that is of another kind than it must be, as a sentence. */
export const frameProblem = (given: object): string | undefined => problemOf(given, frame)

/** The same of a stage. */
export const stageProblem = (given: object): string | undefined => problemOf(given, stage)

/** The data sets of an experiment that is one stage, which lists them. */
export const dataProblem = (data: unknown): string | undefined => problemOf({ data }, { data: names })

function problemOf(given: object, rules: Readonly<Record<string, Rule>>): string | undefined {
  for (const [name, { right, fits }] of Object.entries(rules)) {
    const value = (given as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined && !fits(value)) return `${name}: ${describe(value)} is not ${right}`
  }
  return undefined
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  return (JSON.stringify(value) ?? String(value)).slice(0, 200)
}
