import type { Scale } from '../analysis/intervals.js'
import { formatNumber } from '../core/format.js'
import type { Claim, Tested } from '../experiments/experiment.js'
import { Args } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { writeValue } from '../core/param-value.js'
import { formatTable } from '../terminal/table.js'

export default class Experiments extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Lists the built-in experiments, or describes one: its question, axes, profiles and claims'
  static override args = { name: Args.string({ description: 'an experiment to describe' }) }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Experiments)
    const { experimentNames, findExperiment } = await import('../experiments/registry.js')
    const { describeAxis } = await import('../core/space.js')
    if (args.name === undefined) {
      const all = await Promise.all(experimentNames.map(findExperiment))
      this.log(
        formatTable(
          ['experiment', 'question', 'original'],
          all.map((e) => [e.name, e.question, e.aliases[0] ?? '']),
        ),
      )
      return all.map(({ name, aliases, title, question, source, version }) => ({
        name,
        aliases,
        title,
        question,
        source,
        version,
      }))
    }
    const { name, aliases, title, question, source, version, stages, profiles, claims } = await findExperiment(
      args.name,
    )
    this.log(`${title}\n${question}\n${source}\n`)
    for (const stage of stages) {
      const rows = Object.entries(stage.space).map(([axis, spec]) => [
        axis,
        String(spec.default),
        describeAxis(spec),
        spec.doc ?? '',
      ])
      this.log(
        `${stages.length > 1 ? `stage ${stage.name}\n` : ''}${formatTable(['axis', 'default', 'values', 'meaning'], rows)}\n`,
      )
    }
    const profileRows = Object.entries(profiles).map(([profile, { axes, points = [], seeds }]) => {
      const varied = Object.entries(axes).map(
        ([axis, values]) =>
          `${axis}: ${values.length > 8 ? `${values.length} values ${writeValue(values[0])}…${writeValue(values.at(-1))}` : values.map(writeValue).join(', ')}`,
      )
      const settings = points.length === 0 ? [] : [`${points.length} settings of several axes`]
      return [profile, [...varied, ...settings].join(' · '), seeds.join(', ')]
    })
    this.log(`${formatTable(['profile', 'axes', 'seeds'], profileRows)}\n`)
    const [weighed, checks] = [
      claims.filter(({ kind }) => kind !== 'check'),
      claims.filter(({ kind }) => kind === 'check'),
    ]
    if (weighed.length > 0) this.log(`Claims\n${weighed.flatMap(describeClaim).join('\n')}`)
    if (checks.length > 0) this.log(`Checks\n${checks.map(({ statement }) => `  ${statement}`).join('\n')}`)
    return {
      name,
      aliases,
      title,
      question,
      source,
      version,
      stages: stages.map((s) => ({ name: s.name, space: s.space })),
      profiles,
      claims: claims.map(({ id, version: ofRule = 1, kind, fragile = false, statement, published, tested }) => ({
        ...{ id, version: ofRule, fragile, statement, published },
        ...(kind === undefined ? {} : { kind }),
        ...(tested === undefined ? {} : { tested }),
      })),
    }
  }
}

/** A claim, what was published, and what it rests on. */
function describeClaim({ statement, published, tested = [] }: Claim): string[] {
  const bounds = ({ above, below }: Tested): string =>
    [
      ...(above === undefined ? [] : [`above ${formatNumber(above)}`]),
      ...(below === undefined ? [] : [`below ${formatNumber(below)}`]),
    ].join(' and ')
  return [
    `  ${statement}`,
    `      published: ${published}`,
    ...tested.map(
      (one) =>
        `      weighed: ${one.quantity}, ${bounds(one)} (${scaleWords[one.scale]})${one.why === undefined ? '' : `: ${one.why}`}`,
    ),
  ]
}

const scaleWords = {
  linear: 'mean over seeds',
  log: 'geometric mean over seeds',
  rank: 'mean over seeds on Fisher’s z',
  share: 'share of seeds',
} as const satisfies Record<Scale, string>
