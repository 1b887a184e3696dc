import type { Scale } from '../analysis/intervals.js'
import { formatNumber } from '../core/format.js'
import { MldsError } from '../core/errors.js'
import type { Claim, Experiment, Tested } from '../experiments/experiment.js'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../terminal/base-command.js'
import { writeValue } from '../core/param-value.js'
import { formatTable } from '../terminal/table.js'

export default class Experiments extends BaseCommand {
  static override storeUse = 'none' as const
  static override description =
    'Lists the built-in experiments, or describes one: its question, axes, profiles and claims'
  static override examples = [
    '<%= config.bin %> experiments params',
    '<%= config.bin %> experiments cnn --nets -o nets.svg',
    '<%= config.bin %> experiments ./mine.ts --nets',
    '<%= config.bin %> experiments sim-func --functions -o functions.svg',
  ]
  static override args = { name: Args.string({ description: 'an experiment to describe, or the file of your own' }) }
  static override flags = {
    nets: Flags.boolean({ description: 'the nets that it trains instead: layers, shapes, activations, parameters' }),
    functions: Flags.boolean({ description: 'the functions that its nets can fit instead', exclusive: ['nets'] }),
    profile: Flags.string({ description: 'whose nets (default: reduced)', dependsOn: ['nets'], helpValue: 'NAME' }),
    out: Flags.string({
      char: 'o',
      description: 'draw them into this file (.svg, .png or .pdf)',
      relationships: [{ type: 'some', flags: ['nets', 'functions'] }],
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Experiments)
    const { experimentNames, findExperiment } = await import('../experiments/registry.js')
    if (flags.nets && args.name === undefined)
      throw new MldsError('USAGE', '--nets: no experiment is named (such as: mlds experiments cnn --nets)')
    if (flags.functions && args.name === undefined)
      throw new MldsError('USAGE', '--functions: no experiment is named (mlds experiments sim-func --functions)')
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
    const { decidingProfiles } = await import('../app/planning/decidable.js')
    const experiment = await openExperiment(args.name)
    if (flags.nets) {
      const { drawNetsInto, formatNets, shownNets } = await import('../terminal/show-nets.js')
      const nets = shownNets(experiment, flags.profile ?? 'reduced')
      this.log(formatNets(nets))
      if (flags.out !== undefined) {
        await drawNetsInto(flags.out, `Nets of ${experiment.name}`, nets)
        this.log(`drawn: ${flags.out}`)
      }
      return nets
    }
    if (flags.functions) {
      const { drawFunctionsInto, formatFunctions, shownFunctions } = await import('../terminal/show-functions.js')
      const functions = shownFunctions(experiment)
      this.log(formatFunctions(functions))
      if (flags.out !== undefined) {
        await drawFunctionsInto(flags.out, `Functions of ${experiment.name}`, functions)
        this.log(`drawn: ${flags.out}`)
      }
      return functions
    }
    const { name, aliases, title, question, source, version, stages, profiles, claims } = experiment
    const deciding = decidingProfiles(experiment)
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
    if (weighed.length > 0)
      this.log(`Claims\n${weighed.flatMap((claim) => describeClaim(claim, deciding.get(claim.id)!)).join('\n')}`)
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
        ...(tested === undefined ? {} : { tested, profiles: deciding.get(id)! }),
      })),
    }
  }
}

/** A claim, what was published, what it rests on, and which profiles can decide it. */
function describeClaim(
  { id, statement, published, fragile, tested = [] }: Claim,
  profiles: readonly string[],
): string[] {
  return [
    `  ${id}: ${statement}`,
    `      published: ${published}${fragile === true ? '; fragile: the literature disagrees' : ''}`,
    ...tested.map((one) => `      weighed: ${describeTested(one)}`),
    `      can be decided by ${profiles.length === 0 ? 'no profile as it stands' : `profile ${profiles.join(', ')}`}`,
  ]
}

function describeTested({ quantity, scale, above, below, why, minSeeds, settings }: Tested): string {
  const bounds = [
    ...(above === undefined ? [] : [`above ${formatNumber(above)}`]),
    ...(below === undefined ? [] : [`below ${formatNumber(below)}`]),
  ]
  const least = `at least ${minSeeds} seeds${settings === undefined ? '' : ` of ${settings.least} ${settings.what}`}`
  return `${quantity}, ${bounds.join(' and ')} (${scaleWords[scale]}; ${least})${why === undefined ? '' : `: ${why}`}`
}

/** A built-in experiment by name, or one's own by its file. @throws UnknownNameError, SpecError. */
async function openExperiment(name: string): Promise<Experiment> {
  const { fileOf, readCustom } = await import('../app/planning/plan.js')
  if (fileOf(name) === undefined) return (await import('../experiments/registry.js')).findExperiment(name)
  const { openCustom } = await import('../experiments/custom/custom.js')
  return openCustom(await readCustom(name))
}

const scaleWords = {
  linear: 'mean over seeds, Student’s t',
  log: 'geometric mean over seeds, Student’s t of logarithms',
  rank: 'mean over seeds, Student’s t of Fisher’s z',
  share: 'share of seeds, Clopper and Pearson',
} as const satisfies Record<Scale, string>
