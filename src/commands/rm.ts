import { Args, Flags } from '@oclif/core'
import type { Removal, RemovalPlan } from '../app/remove.js'
import { exitCodes } from '../core/errors.js'
import { formatBytes, formatCount } from '../core/format.js'
import { BaseCommand } from '../terminal/base-command.js'
import { formatTable } from '../terminal/table.js'

export default class Rm extends BaseCommand {
  static override storeUse = 'changes' as const
  static override description =
    'Removes sweeps with their results, logs, figures and the files that their trials alone have saved; asks before, unless told --yes'
  static override examples = [
    '<%= config.bin %> rm params-1a2b3c4d',
    '<%= config.bin %> rm params-1a2b3c4d pca-5e6f7a8b --yes',
  ]
  static override args = {
    sweep: Args.string({ description: 'the full name of a sweep, or several', required: true }),
  }
  static override flags = { yes: Flags.boolean({ char: 'y', description: 'remove it without asking' }) }
  static override strict = false

  async run(): Promise<unknown> {
    const { argv, flags } = await this.parse(Rm)
    const store = await this.openStore(flags.store)
    const { planRemoval, removeSweeps } = await import('../app/remove.js')
    const { requireFullName } = await import('../sweeps/sweep-folder.js')
    const named = await Promise.all((argv as string[]).map((typed) => requireFullName(store, typed)))
    const ids = [...new Set(named)]
    const planned = await planRemoval(store, ids)
    // What is asked about is seen before, also where standard output is for JSON.
    const say = (text: string): void => void (this.jsonEnabled() ? process.stderr.write(`${text}\n`) : this.log(text))
    const { askYes, canAsk } = await import('../terminal/ask.js')
    const asks = !flags.yes && canAsk()
    if (!flags.yes) say(this.inNamedStore(describe(planned)))
    const isWanted = flags.yes || (asks && (await askYes(`Remove ${formatCount(ids.length, 'sweep')}?`)))
    if (!isWanted) {
      say(asks ? 'Nothing was removed.' : 'Nothing was removed: say --yes for that.')
      return this.endWith(asks ? exitCodes.ok : exitCodes.usage, { ...planned, removed: false })
    }
    const removed = await removeSweeps(store, ids)
    const bytes = removed.sweeps.reduce((sum, sweep) => sum + sweep.bytes, removed.objects.bytes)
    this.log(`${formatCount(ids.length, 'sweep')} removed: ${formatBytes(bytes)}`)
    if (flags.yes) for (const line of words(removed)) this.advise(line)
    return { ...removed, removed: true }
  }
}

function describe(plan: RemovalPlan): string {
  const rows = plan.sweeps.map(({ sweep, trials, bytes }) => [sweep, trials ?? 'unreadable', formatBytes(bytes)])
  const { count, bytes } = plan.objects
  const saved =
    count === 0 ? [] : [`and ${formatCount(count, 'file')} that only their trials saved: ${formatBytes(bytes)}`]
  return [formatTable(['sweep', 'trials', 'takes'], rows), ...saved, ...words(plan)].join('\n')
}

/** What a person should know beside the sizes. */
const words = ({ sweeps, objectsStay }: RemovalPlan): string[] => [
  ...sweeps.flatMap(wordsOf),
  ...(objectsStay === undefined ? [] : [`Files that trials saved stay: ${objectsStay}`]),
]

function wordsOf({ sweep, takenBy, learntBy, inMlflow, onServer }: Removal): string[] {
  const taken = takenBy.map(
    ({ sweep: other, results }) =>
      `${other} took ${formatCount(results, 'result')} over from ${sweep}: it keeps them, without their logs`,
  )
  return [
    ...taken,
    ...learntBy.map((other) => `${other} has learnt from ${sweep}: it keeps what it learnt`),
    ...(inMlflow === undefined
      ? []
      : [`The runs of ${sweep} in MLflow stay, as ${inMlflow}: mlds recover ${inMlflow} --from URL brings it back`]),
    ...(onServer
      ? [`Trials of ${sweep} may be queued on a NATS server: mlds cancel ${sweep} ends them while it is here`]
      : []),
  ]
}
