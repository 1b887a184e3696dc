import { ruleExamples } from '../sweeps/scheduling/rules.js'
import { availableParallelism } from 'node:os'
import { Args, Flags } from '@oclif/core'
import { MldsError } from '../core/errors.js'
import { latest } from '../core/names.js'
import { engineNames, type EngineName } from '../core/trial.js'
import { integerFlag } from './integer-flag.js'

const maxWorkers = 256

export const workersFlag = Flags.custom<number>({
  char: 'w',
  description: 'trials to run at once, each on a thread of its own',
  helpValue: 'N',
  // Not the cores of the machine that built this.
  defaultHelp: async () => 'the cores',
  default: async () => availableParallelism(),
  parse: async (raw) => {
    const count = Number(raw)
    if (!Number.isInteger(count) || count < 1 || count > maxWorkers) {
      throw new MldsError('USAGE', `--workers: ${raw} is not a number of workers (an integer from 1 to ${maxWorkers})`)
    }
    return count
  },
})

export const engineFlag = Flags.custom<EngineName>({
  description: 'what trains the nets (mlds doctor says which work here)',
  options: [...engineNames],
  default: 'compiled',
})

export const setFlag = Flags.string({
  description: 'values of an axis: width=8,32,128 · lr=logspace(1e-4,1e-1,4) · seed=0..4',
  helpValue: 'AXIS=VALUES',
  multiple: true,
  // So that what follows the values is the next argument, not more of them.
  multipleNonGreedy: true,
  default: [],
  defaultHelp: async () => '',
})

export const profileFlag = Flags.string({
  char: 'p',
  description: 'smoke (under a minute), reduced (minutes, the default) or full (the original sizes)',
})

export const schedulerFlag = Flags.string({
  description: `stop hopeless trials early: ${ruleExamples.join(', ')} (docs/sweep-language.md)`,
  helpValue: 'RULE[:OPTION=N,…]',
  multiple: true,
  multipleNonGreedy: true,
  default: [],
  defaultHelp: async () => '',
})

export const nameFlag = Flags.string({ description: 'a name for the sweep, used as its id', helpValue: 'NAME' })

/** What stops a sweep early when trials fail. */
export const failureFlags = {
  'fail-fast': Flags.boolean({ description: 'start no more trials after the first failure' }),
  'max-failures': integerFlag({
    description: 'start no more trials after this many failures',
    min: 1,
    helpValue: 'N',
  }),
  'failing-alike': integerFlag({
    description: 'start no more trials when the first N all fail with one message (0: go on whatever they say)',
    min: 0,
    default: 3,
    helpValue: 'N',
  }),
  retries: integerFlag({
    description: 'further attempts for a trial that fails',
    min: 0,
    max: 100,
    default: 0,
    helpValue: 'N',
  }),
}

export const metricFlag = Flags.string({
  description: 'a final metric (default: the objective of the sweep)',
  helpValue: 'NAME',
})

/** Code that a stored plan names is only run unasked when both are the person's own. */
export const trustCodeFlag = Flags.boolean({
  description: "run the code that the sweep's plan names although it is another user's",
})

/** A sweep to look at or to go on with: the newest, unless one is named. */
export const sweepArg = Args.string({ description: 'a sweep id, or the beginning of one', default: latest })
/** A sweep that has to be named, since it is changed. */
export const namedSweepArg = Args.string({
  description: 'a sweep id, the beginning of one, or "latest"',
  required: true,
})
export const targetArg = Args.string({
  description: 'an experiment, your own (./mine.ts), a sweep file (.yaml), or all',
  required: true,
})

export const trackFlag = Flags.string({
  description: 'show the sweep in MLflow at this address (default: MLFLOW_TRACKING_URI)',
  helpValue: 'URL',
})

export const trackCheckpointsFlag = Flags.boolean({
  description: 'keep the weights that trials saved in MLflow too (large)',
})

/** A sweep from MLflow alone instead of the journal. */
export const fromFlags = {
  from: Flags.string({ description: 'an MLflow server to read instead of the journal', helpValue: 'URL' }),
  sweep: Flags.string({
    description: 'the full id of the sweep in MLflow, or the run id of its parent run',
    helpValue: 'ID',
  }),
}

/** The sweep that an argument, or `--sweep`, names: one from MLflow has to be named. */
export function sweepNamed(
  argument: string | undefined,
  flags: { sweep?: string | undefined; from?: string | undefined },
): string {
  if (argument !== undefined && flags.sweep !== undefined)
    throw new MldsError('USAGE', `--sweep: ${flags.sweep} and ${argument} name two sweeps (leave one out)`)
  const named = flags.sweep ?? argument
  if (named !== undefined || flags.from === undefined) return named ?? latest
  throw new MldsError('USAGE', '--from: no sweep was named', {
    hint: 'name it in full with --sweep ID; mlds audit lists them',
  })
}

export const natsFlag = Flags.custom<string>({
  description: 'the NATS server whose workers run the trials (else NATS_URL, a context, or this host)',
  helpValue: 'URL',
})

export const tenantFlag = Flags.custom<string>({
  description: 'whose queue on the NATS server',
  default: 'mlds',
  helpValue: 'NAME',
  parse: async (raw) => {
    if (/^[a-z0-9-]{1,40}$/.test(raw)) return raw
    throw new MldsError('USAGE', `--tenant: ${raw} is not a name (lower-case letters, digits and dashes, at most 40)`)
  },
})
