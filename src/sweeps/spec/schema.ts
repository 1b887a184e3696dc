import type { Experiment } from '../../experiments/experiment.js'
import { describeAxis, type Axis } from '../../core/space.js'
import { sweepIdPattern } from '../../system/store.js'
import { ruleNames } from '../scheduling/rules.js'
import { maxExpressionLength } from '../../core/parse-expression.js'
import { claimIdPattern, type claimKeys } from './claims.js'
import { figureNamePattern, maxCourseMetrics, type figureKeys } from './figures.js'
import { figureKinds } from '../../core/written-figure.js'
import { gridKeys } from './grid.js'
import { defaultParallel, learningSamplers, maxConfirm, type learningKeys } from './learning.js'
import { rangeKinds } from './sampled-axis.js'
import { samplerNames } from './samplers.js'
import type { specKeys } from './spec.js'
import { newestLanguage } from './language.js'

type Json = Readonly<Record<string, unknown>>

const numbers = { type: 'array', items: { type: 'number' } } as const
const sequence: Json = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  additionalProperties: false,
  properties: { range: numbers, linspace: numbers, logspace: numbers },
}

/** A sweep file as JSON Schema (draft 2020-12), so that an editor completes and checks what is written. */
export function sweepSchema(experiments: readonly Experiment[]): Json {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'a sweep of mlds',
    type: 'object',
    required: ['experiment'],
    additionalProperties: false,
    properties: common,
    patternProperties: { '^x-': true },
    allOf: experiments.map((experiment) => ({
      if: { properties: { experiment: { enum: [experiment.name, ...experiment.aliases] } }, required: ['experiment'] },
      then: { properties: ofExperiment(experiment) },
    })),
  }
}

const pattern: Json = { type: 'object', minProperties: 1 }
const expression: Json = { type: 'string', maxLength: maxExpressionLength }
const range = { type: 'array', items: { type: 'number' }, minItems: 2, maxItems: 2 } as const

const goal: Json = {
  type: 'object',
  required: ['metric'],
  additionalProperties: false,
  properties: { metric: { type: 'string' }, direction: { enum: ['minimize', 'maximize'] } },
}

const scale = { enum: ['linear', 'log'] } as const
const figure: Readonly<Record<(typeof figureKeys)[number], Json>> = {
  kind: {
    enum: figureKinds,
    description:
      'results: final metrics, by lines where settings differ in x alone; line or points says which; course: over steps',
  },
  name: { type: 'string', pattern: figureNamePattern.source, description: "the file's name without extension" },
  x: { type: 'string', description: 'an axis; of points a final metric too; of a course nothing' },
  y: {
    description: "a metric, of a course up to four; the objective's unless it is said",
    oneOf: [{ type: 'string' }, { type: 'array', minItems: 1, maxItems: maxCourseMetrics, items: { type: 'string' } }],
  },
  colour: { type: 'string', description: 'the axis that is told by colour' },
  panel: { type: 'string', description: 'the axis that is told by panels' },
  scale: { type: 'object', additionalProperties: false, properties: { x: scale, y: scale } },
}
const oneFigure: Json = {
  oneOf: [
    { type: 'string', minLength: 1, description: 'a figure that the sweep has without this list, or all of them' },
    { type: 'object', additionalProperties: false, properties: figure },
  ],
}

const claim: Readonly<Record<(typeof claimKeys)[number], Json>> = {
  says: { type: 'string', description: 'the claim in words' },
  metric: { type: 'string', description: "a final metric; the objective's unless it is said" },
  of: { ...pattern, description: 'the trials it is about' },
  compare: {
    type: 'array',
    description: 'the first setting against the second, in pairs of equal seeds',
    items: pattern,
    minItems: 2,
    maxItems: 2,
  },
  trend: { type: 'string', description: 'the axis with which the metric is to rise or fall within each seed' },
  scale: { enum: ['linear', 'log'], description: 'on log, comparisons are ratios and means geometric' },
  above: { type: 'number' },
  below: { type: 'number' },
  within: { type: 'number', description: 'a comparison: how little the two differ' },
}

/** What only a sampler that learns takes. */
const learning: Readonly<Record<(typeof learningKeys)[number], Json>> = {
  parallel: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    default: defaultParallel,
    description: 'setting i is suggested from the results of settings 0 to i less this',
  },
  order: { enum: ['fixed', 'arrival'], description: 'whose results count: by index, or all that have come by then' },
  failed: { enum: ['worst', 'ignore'], description: 'what a setting with a failed trial teaches' },
  learnFrom: {
    description: 'earlier sweeps of the same axes and objective, whose results the search begins with',
    oneOf: [{ type: 'string' }, { type: 'array', minItems: 1, items: { type: 'string' } }],
  },
  enqueue: { description: 'settings tried first', oneOf: [pattern, { type: 'array', items: pattern }] },
}

const common: Readonly<Record<(typeof specKeys)[number], Json>> = {
  experiment: { type: 'string', description: 'what a trial does' },
  include: {
    description: 'parts of sweep files, relative to this one; what is said here counts before them',
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
  },
  language: { enum: [1, 2, newestLanguage], description: 'how values are read; the newest unless it is said' },
  profile: { type: 'string', description: 'where the axes that are not named here come from' },
  name: { type: 'string', description: "the sweep's id", pattern: sweepIdPattern.source },
  axes: { type: 'object', description: 'values per axis; stage.axis names an axis of a later stage' },
  seeds: { description: 'one list moves all seeds together; a mapping sets data, init, shuffle and corruption apart' },
  repeat: { type: 'integer', minimum: 1, description: 'seeds 0 to this, less one' },
  zip: {
    description: 'axes that advance together: lists of one length',
    oneOf: [
      { type: 'object', minProperties: 2 },
      { type: 'array', items: { type: 'object', minProperties: 2 } },
    ],
  },
  when: {
    type: 'object',
    description: 'an axis that matters only where others have these values',
    additionalProperties: pattern,
  },
  exclude: { description: 'points left out', oneOf: [pattern, { type: 'array', items: pattern }] },
  points: {
    description: 'settings one by one, each a value of some axes',
    oneOf: [pattern, { type: 'array', minItems: 1, items: pattern }],
  },
  around: {
    type: 'object',
    description: 'a baseline, and values that its axes take one axis at a time',
    required: ['vary'],
    additionalProperties: false,
    properties: { baseline: { type: 'object' }, vary: pattern },
  },
  where: {
    description: 'expressions that every point must fulfil',
    oneOf: [expression, { type: 'array', minItems: 1, items: expression }],
  },
  blocks: {
    type: 'array',
    minItems: 1,
    description: 'grids of their own; the sweep has the points of all',
    items: { type: 'object', minProperties: 1, propertyNames: { enum: [...gridKeys] } },
  },
  search: {
    type: 'object',
    required: ['count', 'axes'],
    additionalProperties: false,
    properties: {
      sampler: { enum: [...samplerNames, ...learningSamplers] },
      count: { type: 'integer', minimum: 1 },
      seed: { type: 'integer', minimum: 0 },
      axes: {
        type: 'object',
        minProperties: 1,
        additionalProperties: {
          oneOf: [
            { type: 'array', minItems: 1 },
            {
              type: 'object',
              minProperties: 1,
              maxProperties: 2,
              additionalProperties: false,
              properties: {
                ...Object.fromEntries(rangeKinds.map((kind) => [kind, range])),
                choice: { type: 'array', minItems: 1 },
                step: { type: 'number', exclusiveMinimum: 0, description: 'values are low, low + step, …' },
                weights: { type: 'array', items: { type: 'number', minimum: 0 }, description: 'how often, of any sum' },
              },
            },
          ],
        },
      },
      ...learning,
    },
  },
  budget: {
    type: 'object',
    minProperties: 1,
    maxProperties: 1,
    additionalProperties: false,
    properties: { epochs: { type: 'integer' }, updates: { type: 'integer' }, targetLoss: { type: 'number' } },
  },
  scheduler: { description: `what may stop a trial early: ${ruleNames.join(', ')}, or a list` },
  objective: {
    description: 'what points are ranked by; of a list, no point is the best and those that none beats are the front',
    oneOf: [goal, { type: 'array', minItems: 1, maxItems: 6, items: goal }],
  },
  constraints: {
    type: 'object',
    description: 'bounds of final metrics; a point that breaks one is behind every point that does not',
    minProperties: 1,
    additionalProperties: {
      type: 'object',
      minProperties: 1,
      additionalProperties: false,
      properties: { min: { type: 'number' }, max: { type: 'number' } },
    },
  },
  average: {
    description: 'axes that are averaged as seeds are, such as the folds of a cross-validation',
    oneOf: [{ type: 'string' }, { type: 'array', minItems: 1, items: { type: 'string' } }],
  },
  confirm: {
    type: 'integer',
    minimum: 1,
    maximum: maxConfirm,
    description: 'the best settings, or the front, are run again on so many fresh seeds',
  },
  claims: {
    type: 'object',
    description: 'what the sweep is to bear out, beside the claims of its experiment',
    propertyNames: { pattern: claimIdPattern.source },
    additionalProperties: {
      type: 'object',
      additionalProperties: false,
      properties: claim,
      anyOf: ['above', 'below', 'within'].map((bound) => ({ required: [bound] })),
      not: { required: ['compare', 'trend'] },
    },
  },
  figures: {
    description: 'which figures are drawn, in order, and further ones',
    oneOf: [oneFigure, { type: 'array', maxItems: 50, items: oneFigure }],
  },
  tags: {
    description: 'words by which mlds list --where tag=… finds the sweep',
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
  },
  labels: {
    description: 'names that a worker must have been given (mlds worker start --label NAME)',
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
  },
  resources: {
    type: 'object',
    description:
      'what a trial takes of its host: GPUs, or a share of one, and GB of memory; isolate: true gives it a process of its own',
    additionalProperties: false,
    properties: {
      gpu: { type: 'number', exclusiveMinimum: 0 },
      memoryGb: { type: 'number', exclusiveMinimum: 0 },
      isolate: { type: 'boolean' },
    },
  },
  timeout: { type: 'string', description: 'after so long a trial is ended and has failed: 90s, 10m, 1h30m' },
  retries: { type: 'integer', minimum: 0, maximum: 100, description: 'further attempts for a trial that fails' },
  timeLimitMs: { type: 'number', minimum: 1, description: 'milliseconds after which a trial is ended and has failed' },
}

function ofExperiment({ stages, profiles }: Experiment): Json {
  const axes = stages.flatMap(({ name, space }) =>
    Object.entries(space).flatMap(([axis, definition]) => [
      [axis, axisSchema(definition)] as const,
      [`${name}.${axis}`, axisSchema(definition)] as const,
    ]),
  )
  return {
    profile: { enum: Object.keys(profiles) },
    axes: { type: 'object', additionalProperties: false, properties: Object.fromEntries(axes) },
  }
}

function axisSchema(axis: Axis): Json {
  const one = valueSchema(axis)
  return {
    description: `${axis.doc === undefined ? '' : `${axis.doc}; `}${describeAxis(axis)}; default ${String(axis.default)}`,
    // A text in the place of a list holds the notations 8,32 and 0..4 and logspace(…); an item of a list may be a numeral.
    anyOf: [
      one,
      {
        type: 'array',
        items: { anyOf: [one, { type: 'string', not: { pattern: '\\.\\.|^[a-z]+\\s*\\(' } }] },
        minItems: 1,
      },
      sequence,
      { type: 'object', required: ['expr'], additionalProperties: false, properties: { expr: expression } },
      { type: 'string' },
    ],
  }
}

function valueSchema(axis: Axis): Json {
  switch (axis.kind) {
    case 'integer':
    case 'number':
      return {
        type: axis.kind,
        ...(axis.min === undefined ? {} : { minimum: axis.min }),
        ...(axis.max === undefined ? {} : { maximum: axis.max }),
        ...(axis.kind === 'number' && axis.above !== undefined ? { exclusiveMinimum: axis.above } : {}),
      }
    case 'choice':
      return { enum: [...axis.choices] }
    case 'boolean':
      return { type: 'boolean' }
    case 'text':
      return { type: ['string', 'number', 'boolean'] }
    case 'literal':
      return {}
  }
}
