import type { Experiment } from '../../experiments/experiment.js'
import { describeAxis, type Axis } from '../../core/space.js'
import { sweepIdPattern } from '../../system/store.js'
import { ruleNames } from '../scheduling/rules.js'
import { maxExpressionLength } from './parse-expression.js'
import { gridKeys } from './grid.js'
import { samplerNames } from './samplers.js'
import type { specKeys } from './spec.js'
import { newestLanguage } from './values.js'

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

const common: Readonly<Record<(typeof specKeys)[number], Json>> = {
  experiment: { type: 'string', description: 'what a trial does' },
  language: { enum: [1, newestLanguage], description: 'how values are read; the newest unless it is said' },
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
      sampler: { enum: [...samplerNames] },
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
              maxProperties: 1,
              additionalProperties: false,
              properties: {
                uniform: range,
                log: range,
                int: range,
                'log-int': range,
                choice: { type: 'array', minItems: 1 },
              },
            },
          ],
        },
      },
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
    type: 'object',
    required: ['metric'],
    additionalProperties: false,
    properties: { metric: { type: 'string' }, direction: { enum: ['minimize', 'maximize'] } },
  },
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
