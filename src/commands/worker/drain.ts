import { Args, Flags } from '@oclif/core'
import { exitCodes, MldsError, UnknownNameError } from '../../core/errors.js'
import { BaseCommand } from '../../terminal/base-command.js'
import { natsFlag, tenantFlag } from '../../terminal/flags/flags.js'

export default class WorkerDrain extends BaseCommand {
  static override storeUse = 'none' as const
  static override description = 'Tells a worker to take no more trials, to finish what runs, and to end'
  static override args = {
    worker: Args.string({ description: 'its name, or the beginning of it; the only one there is unless one is named' }),
  }
  static override examples = ['<%= config.bin %> worker drain gpu-17 --nats nats://host:4222']
  static override flags = {
    nats: natsFlag(),
    tenant: tenantFlag(),
    all: Flags.boolean({ description: 'tell every worker of the tenant' }),
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(WorkerDrain)
    const { drainChosen } = await import('../../app/drain.js')
    const { systemClock } = await import('../../core/clock.js')
    const { nats, tenant, all } = flags
    const choose = (there: readonly string[]): readonly string[] => (all ? there : [chooseOne(there, args.worker)])
    const { told, silent } = await drainChosen({ nats, tenant }, choose, systemClock)
    if (told.length + silent.length === 0) this.log('No worker is there.')
    for (const worker of told) this.log(`${worker} takes no more trials and ends with what runs.`)
    for (const worker of silent)
      process.stderr.write(`${worker} did not answer: it is gone, or of a version that can't be told\n`)
    if (silent.length > 0) this.endWith(exitCodes.incomplete, undefined)
    return { told, silent }
  }
}

/** @throws UnknownNameError when it is not there; MldsError when several may be meant. */
function chooseOne(there: readonly string[], wanted = ''): string {
  const exact = there.find((worker) => worker === wanted)
  if (exact !== undefined) return exact
  const fitting = there.filter((worker) => worker.startsWith(wanted))
  if (fitting.length === 0) throw new UnknownNameError('worker', wanted, there)
  if (fitting.length > 1)
    throw new MldsError('USAGE', `several workers are there: ${fitting.join(', ')}`, {
      hint: 'name one, or tell all of them with --all',
    })
  return fitting[0]!
}
