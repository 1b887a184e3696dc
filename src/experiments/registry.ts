import { MldsError, UnknownNameError, exitCodes } from '../core/errors.js'
import { isTrustedCode } from '../system/ownership.js'
import type { Experiment } from './experiment.js'
import type { CustomSource } from './custom/source.js'
import type { ClaimsOfSweep } from './written-claims.js'
import type { UnreadPlan } from './vocabulary/unread.js'

interface BuiltIn {
  /** The original scripts' names, and other words for the same thing. */
  readonly aliases: readonly string[]
  /** That of the experiment, here too so that a worker says what it has without loading everything. */
  readonly version: number
  /** Each experiment is loaded when it is asked for: a list of names costs nothing. */
  load(): Promise<Experiment>
}

// Each experiment knows its own parameters' types; behind the registry they are checked by the space instead.
const known = (version: number, load: () => Promise<unknown>, ...aliases: string[]): BuiltIn => ({
  aliases,
  version,
  load: async () => ({ ...((await load()) as Experiment), aliases }),
})

/** The experiments that come with mlds. A new one is one more row. */
const builtIn: Readonly<Record<string, BuiltIn>> = {
  'sim-func': known(1, async () => (await import('./built-in/sim-func.js')).simFunc, 'sim_func'),
  cnn: known(1, async () => (await import('./built-in/cnn.js')).cnn),
  pca: known(2, async () => (await import('./built-in/pca.js')).pca, 'pca3d'),
  'grad-norm': known(1, async () => (await import('./built-in/grad-norm.js')).gradNorm, 'min_ratio_grad'),
  'err-surface': known(1, async () => (await import('./built-in/err-surface.js')).errSurface, 'err_surface'),
  shuffle: known(
    1,
    async () => (await import('./built-in/shuffle.js')).shuffle,
    ...['shuffled_label', 'shuffled_label_keras'],
  ),
  'min-ratio': known(1, async () => (await import('./built-in/min-ratio.js')).minRatio, 'min_ratio'),
  interpolate: known(1, async () => (await import('./built-in/interpolate.js')).interpolate, 'inter_model'),
  params: known(1, async () => (await import('./built-in/params.js')).params, 'number_of_params', 'number_of_param'),
  sensitivity: known(1, async () => (await import('./built-in/sensitivity.js')).sensitivity),
  sharpness: known(5, async () => (await import('./built-in/sharpness.js')).sharpness, 'bonus'),
}

export const experimentNames: readonly string[] = Object.keys(builtIn)

/** Each built-in experiment and its version, without loading any. */
export const experimentVersions: readonly (readonly [name: string, version: number])[] = Object.entries(builtIn).map(
  ([name, { version }]) => [name, version],
)

function nameOf(name: string): string | undefined {
  const bare = name.replace(/\.py$/, '')
  return experimentNames.find((known) => known === bare || builtIn[known]!.aliases.includes(bare))
}

/** Whether a name, or an original script's, is that of a built-in experiment. */
export const isExperimentName = (name: string): boolean => nameOf(name) !== undefined

/** The experiment's own name for a name or alias. @throws UnknownNameError with the nearest known name. */
export function canonicalName(name: string): string {
  const found = nameOf(name)
  if (found === undefined) throw new UnknownNameError('experiment', name, experimentNames)
  return found
}

/** A stored plan, and whether whoever runs this process wrote it: only then is the code that it names theirs to run. */
interface PlanToRun {
  readonly plan: { readonly experiment: string; readonly spec: ClaimsOfSweep & { readonly own?: CustomSource } }
  readonly isMine: boolean
  /** Where the sweep's copy of its program is, if it has one. */
  readonly codeFolder?: string
}
export interface PlanToOpen extends PlanToRun {
  readonly plan: PlanToRun['plan'] & UnreadPlan
}

export interface CodeTrust {
  /** Run the code that a plan names, whoever wrote the plan and whosever the code is. Default false. */
  readonly trustCode?: boolean | undefined
}

/**
 * The experiment of a stored plan, to run its trials.
 * @throws MldsError when it is a person's own and its code has changed since, or is another user's and not trusted.
 */
export async function experimentOf(
  { plan, isMine, codeFolder }: PlanToRun,
  { trustCode }: CodeTrust = {},
): Promise<Experiment> {
  const { own } = plan.spec
  const { asPlanned } = await import('./as-planned.js')
  if (own === undefined) return asPlanned(plan.spec, await findExperiment(plan.experiment))
  const { reopenCustom, whereFrom } = await import('./custom/custom.js')
  if (trustCode !== true && !(isMine && isTrusted(own)))
    throw new MldsError('FOREIGN', `the code of this sweep is another user's: ${whereFrom(own, plan.experiment)}`, {
      hint: 'look at it first; --trust-code runs it with your rights',
      exitCode: exitCodes.environment,
    })
  const { withCopy } = await import('./custom/code-copy.js')
  return asPlanned(plan.spec, await reopenCustom(withCopy(own, codeFolder), plan.experiment))
}

/**
 * The experiment of a stored plan, to read its results. Code of another user is not run unless it is trusted: figures are
 * then the general ones. `warn` is told of that, and of code that has changed since.
 */
export async function experimentToRead(
  { plan, isMine }: PlanToOpen,
  { trustCode, warn }: CodeTrust & { readonly warn: (message: string) => void },
): Promise<Experiment> {
  const { own } = plan.spec
  const { asPlanned } = await import('./as-planned.js')
  if (own === undefined) return asPlanned(plan.spec, await findExperiment(plan.experiment))
  if (own.kind === 'file' && trustCode !== true && !(isMine && isTrusted(own))) {
    warn(
      `the code of this sweep is another user's and is not run: ${own.file} (figures are the general ones, claims are left out; --trust-code runs it)`,
    )
    const { unreadExperiment } = await import('./vocabulary/unread.js')
    return unreadExperiment(plan)
  }
  const { customToRead } = await import('./custom/custom.js')
  return asPlanned(plan.spec, await customToRead(own, plan.experiment, warn))
}

/** Of a command whose plan is one's own nothing else is looked at: it names programs of the system too. */
const isTrusted = (own: CustomSource): boolean => own.kind !== 'file' || isTrustedCode(own.file)

/** @throws UnknownNameError with the nearest known name. */
export async function findExperiment(name: string): Promise<Experiment> {
  return await builtIn[canonicalName(name)]!.load()
}
