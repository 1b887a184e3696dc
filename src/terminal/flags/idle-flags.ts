import { MldsError } from '../../core/errors.js'
import type { CustomSource } from '../../experiments/custom/source.js'
import type { Experiment } from '../../experiments/experiment.js'

/** What was typed, as oclif's parser tells it: neither defaults nor the environment. */
export type Typed = readonly { readonly type: string; readonly flag?: string }[]

/** By flag, why it has no effect in this call; anything else where it has one. */
export type IdleFlags = Readonly<Record<string, string | false>>

/** @throws MldsError for the first flag that was typed and would change nothing: whoever typed it expects something of it. */
export function refuseIdle(typed: Typed, idle: IdleFlags): void {
  for (const { flag } of typed) {
    const why = flag !== undefined && Object.hasOwn(idle, flag) && idle[flag]
    if (typeof why === 'string') throw new MldsError('USAGE', `--${flag} has no effect here: ${why}`)
  }
}

/** Whose queue it is matters on a named server alone; a sweep that ran on one knows both. */
export function idleTenant({ nats }: { readonly nats?: string | undefined }): IdleFlags {
  return { tenant: nats === undefined && 'it names a queue on a NATS server (name that too, with --nats URL)' }
}

/** Flags of a command that runs trials, before it is known which. */
export async function idleInRun(flags: {
  readonly nats?: string | undefined
  readonly track?: string | undefined
  readonly detach?: boolean
  readonly 'fail-fast': boolean
}): Promise<IdleFlags> {
  const { trackingUrl } = await import('../../tracking/mlflow/rest/settings.js')
  const { track, detach = false } = flags
  const untracked =
    trackingUrl(track) === undefined &&
    'nothing goes to MLflow (name a server, with --track URL or MLFLOW_TRACKING_URI)'
  const left = detach && 'with --detach nobody waits for failures (give it to mlds resume, which collects the results)'
  const first = flags['fail-fast'] && '--fail-fast ends the sweep at its first failure'
  return {
    ...idleTenant(flags),
    'track-checkpoints': untracked,
    'track-programs': untracked || (detach && 'with --detach nobody passes on what programs log'),
    'fail-fast': left,
    'max-failures': left || first,
    'failing-alike': left || first,
    retries: left,
    copies: detach && 'with --detach nobody sees what takes too long (give it to mlds resume)',
    budget: detach && 'with --detach nobody counts the time (give it to mlds resume, which collects the results)',
    'checkpoint-every':
      flags.nats !== undefined && 'workers say it themselves (mlds worker start --checkpoint-every SECONDS)',
  }
}

/** Flags about what an experiment may lack; `own` is where it comes from if it is not built in. */
export async function idleFor(experiment: Experiment, own?: CustomSource): Promise<IdleFlags> {
  const { hasProfiles } = await import('../../core/has-profiles.js')
  return {
    'track-programs': own?.kind !== 'command' && 'this experiment runs no program (a command is one that does)',
    ship: own === undefined && 'this experiment is built in: every worker has it',
    profile: !hasProfiles(experiment) && 'this experiment has no profiles (set its axes with --set)',
    engine:
      experiment.stages.every(({ engine }) => engine === false) &&
      'this experiment trains no net with an engine of mlds',
  }
}
