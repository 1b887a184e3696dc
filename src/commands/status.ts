import { BaseCommand } from '../terminal/base-command.js'
import { formatVerdicts } from '../terminal/summary.js'
import { formatTable } from '../terminal/table.js'
import { natsFlag, sweepArg, tenantFlag } from '../terminal/flags/flags.js'
import { idleTenant, refuseIdle } from '../terminal/flags/idle-flags.js'
import { formatDuration, formatSetting } from '../core/format.js'
import { lookUp } from '../core/names.js'
import { NewerFormatError } from '../core/newer-format.js'
import type { Store } from '../system/store.js'
import type { NatsTarget } from '../app/backends/nats-target.js'
import type { SweepStanding } from '../app/standing.js'
import type { SweepFolder } from '../sweeps/sweep-folder.js'
import type { RemoteStatus } from '../worker/remote/admin/remote-status.js'

export default class Status extends BaseCommand {
  static override storeUse = 'peeks' as const
  static override description = 'Says where a sweep stands: counts, what runs, what failed, its verdicts'
  static override args = { sweep: sweepArg }

  static override flags = { nats: natsFlag(), tenant: tenantFlag() }

  async run(): Promise<unknown> {
    const { args, flags, raw } = await this.parse(Status)
    refuseIdle(raw, idleTenant(flags))
    const store = await this.openStore(flags.store)
    const { targetOf } = await import('../app/backends/nats-target.js')
    const { findSweepAndServer } = await import('../app/halt.js')
    // A sweep that is not in this store may still be on the server.
    const located = flags.nats === undefined ? undefined : await findSweepAndServer(store, args.sweep, flags)
    if (located !== undefined && located.folder === undefined)
      return { sweep: located.sweep, remote: await this.#remote(store, located.target, located.sweep) }
    const { SweepFolder } = await import('../sweeps/sweep-folder.js')
    const sweep = await SweepFolder.open(store, await this.sweepId(store, args.sweep))
    const { standingOf } = await import('../app/standing.js')
    const { summarise } = await import('../app/summary.js')
    const standing = await standingOf(sweep)
    await this.#say(sweep, standing)
    const { counts, runningPid, ranked, verdicts } = standing
    const best = ranked?.ranking.best()
    const { hasFront } = await import('../core/objective.js')
    const target = targetOf(flags, sweep)
    const remote = target === undefined ? undefined : await this.#remote(store, target, sweep.id)
    return {
      ...summarise(sweep, counts),
      running: counts.running,
      ...(runningPid === undefined ? {} : { runningPid }),
      ...(best === undefined ? {} : { best }),
      ...(ranked !== undefined && hasFront(ranked.objective) ? { front: ranked.ranking.front() } : {}),
      verdicts,
      ...(remote === undefined ? {} : { remote }),
    }
  }

  async #say({ id, plan }: SweepFolder, standing: SweepStanding): Promise<void> {
    const { describeStanding } = await import('../sweeps/journal/state.js')
    const { describeSeeds, varyingAxes } = await import('../sweeps/plan.js')
    const { describeBest } = await import('../core/describe-best.js')
    const { counts, runningPid, ranked, notable, verdicts } = standing
    const axes = varyingAxes(plan.trials)
    const rows = notable.map(({ trial, state: standing, attempts, step }) => [
      trial.id,
      standing,
      attempts,
      step ?? '',
      ...axes.map((axis) => formatSetting(lookUp(trial.params, axis))),
      describeSeeds(trial.seeds),
    ])
    this.log(`${id}: ${describeStanding(counts)}`)
    this.log(runningPid === undefined ? 'No process is running it.' : `Process ${runningPid} is running it.`)
    if (ranked !== undefined) this.log(describeBest(ranked.ranking, ranked.objective, axes))
    if (rows.length > 0) this.log(`\n${formatTable(['trial', 'state', 'attempts', 'step', ...axes, 'seed'], rows)}`)
    if (verdicts.length > 0) this.log(`\n${formatVerdicts(verdicts)}`)
  }

  /**
   * What the NATS server knows; a server that does not answer takes nothing from the rest.
   * @throws NewerFormatError when a newer mlds wrote what it keeps of the sweep.
   */
  async #remote(store: Store, target: NatsTarget, sweep: string): Promise<RemoteStatus | undefined> {
    const { withTenant } = await import('../app/backends/tenant.js')
    const { remoteStatus } = await import('../worker/remote/admin/remote-status.js')
    const { systemClock } = await import('../core/clock.js')
    let status: RemoteStatus
    try {
      status = await withTenant(target, (broker) => remoteStatus(broker, store, sweep))
    } catch (error) {
      if (error instanceof NewerFormatError) throw error
      process.stderr.write(`On NATS: ${(error as Error).message}\n`)
      return undefined
    }
    const { queued, running, ended, dead, wanted, orchestrator } = status
    const ends = Object.entries(ended).map(([state, count]) => `${count} ${state}`)
    const halted = { run: '', pause: ', paused', cancel: ', cancelled' }[wanted]
    this.log(`\nOn NATS: ${[`${queued} queued`, `${running.length} running`, ...ends].join(', ')}${halted}`)
    this.log(orchestrator === undefined ? 'No process collects its results.' : `${orchestrator} collects its results.`)
    const now = systemClock.now()
    const rows = running.map(({ trial, message, heardAtMs }) => [
      trial,
      message.worker,
      message.attempt,
      formatDuration(now - message.startedAtMs),
      heardAtMs === undefined ? '' : `${formatDuration(Math.max(0, now - heardAtMs))} ago`,
    ])
    if (rows.length > 0) this.log(`\n${formatTable(['trial', 'runs on', 'attempt', 'since', 'last heard'], rows)}`)
    if (dead.length > 0)
      this.log(
        `\n${formatTable(
          ['dead trial', 'attempts', 'why'],
          dead.map(({ trial, attempts, reason }) => [trial, attempts, reason]),
        )}`,
      )
    return status
  }
}
