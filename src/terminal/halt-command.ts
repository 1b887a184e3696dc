import { BaseCommand } from './base-command.js'
import { idleTenant, refuseIdle } from './flags/idle-flags.js'
import { natsFlag, namedSweepArg, tenantFlag } from './flags/flags.js'

/** What pausing and cancelling share: the sweep may be here or only on the server, and anyone may run it. */
export abstract class HaltCommand extends BaseCommand {
  static override args = { sweep: namedSweepArg }
  static override flags = { nats: natsFlag(), tenant: tenantFlag() }

  protected async halt(wanted: 'pause' | 'cancel'): Promise<unknown> {
    const { args, flags, raw } = await this.parse({
      args: HaltCommand.args,
      flags: HaltCommand.flags,
      baseFlags: BaseCommand.baseFlags,
    })
    refuseIdle(raw, idleTenant(flags))
    const { haltSweep, findSweepAndServer } = await import('../app/halt.js')
    const store = await this.openStore(flags.store)
    const { target, sweep } = await findSweepAndServer(store, args.sweep, flags)
    const { orchestrator, recalled } = await haltSweep(target, sweep, wanted)
    this.log(
      wanted === 'pause'
        ? `${sweep} is paused: what waits is taken back, what runs goes on to its end.`
        : `${sweep} is cancelled: what waits is taken back, what runs is given up.`,
    )
    this.advise(
      orchestrator === undefined
        ? `No process runs it now; to go on: mlds resume ${sweep}`
        : `${orchestrator} runs it${wanted === 'pause' ? ` and waits for: mlds resume ${sweep}` : ' and ends it'}.`,
    )
    return { sweep, wanted, recalled, ...(orchestrator === undefined ? {} : { orchestrator }) }
  }
}
