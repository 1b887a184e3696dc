import { ruleExamples } from '../../sweeps/scheduling/rules.js'
import { defaultParallel, learningSamplers, maxConfirm } from '../../sweeps/spec/learning.js'
import { samplerNames } from '../../sweeps/spec/samplers.js'
import { availableParallelism } from 'node:os'
import { Args, Flags } from '@oclif/core'
import { MldsError } from '../../core/errors.js'
import { latest } from '../../core/names.js'
import { engineNames, type EngineName } from '../../core/trial.js'
import { durationFlag } from './duration-flag.js'
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

export const configFlag = Flags.string({
  description: 'a part of a sweep file that counts before the target (docs/sweep-language.md)',
  helpValue: 'FILE',
  multiple: true,
  multipleNonGreedy: true,
  default: [],
  defaultHelp: async () => '',
})

export const profileFlag = Flags.string({
  char: 'p',
  description: 'smoke (under a minute), reduced (minutes, the default) or full (the original sizes)',
})

export const schedulerFlag = Flags.string({
  description: `stop hopeless trials early: ${ruleExamples.join(', ')} (docs/stopping.md)`,
  helpValue: 'RULE[:OPTION=N,…]',
  multiple: true,
  multipleNonGreedy: true,
  default: [],
  defaultHelp: async () => '',
})

export const nameFlag = Flags.string({ description: 'a name for the sweep, used as its id', helpValue: 'NAME' })

/** A search, instead of one in a file or over what it says. */
export const searchFlags = {
  search: Flags.string({
    description: `search instead of a grid: ${[...learningSamplers, ...samplerNames].join(', ')} (docs/search.md)`,
    helpValue: 'SAMPLER',
  }),
  count: integerFlag({ description: 'how many points a search tries', min: 1, max: 1_000_000, helpValue: 'N' }),
  range: Flags.string({
    description: 'an axis to search: width=8..1024:log · dropout=0.0..0.9 · optimizer=adam,adagrad',
    helpValue: 'AXIS=LOW..HIGH',
    multiple: true,
    multipleNonGreedy: true,
    default: [],
    defaultHelp: async () => '',
  }),
  confirm: integerFlag({
    description: 'run the best settings, or the front, again on so many fresh seeds once all else is over',
    min: 1,
    max: maxConfirm,
    helpValue: 'N',
  }),
  parallel: integerFlag({
    description: `settings of a search that learns at once, whatever the workers (default ${defaultParallel})`,
    min: 1,
    max: 1000,
    helpValue: 'N',
  }),
}

/** What stops a sweep early when trials fail. */
export const failureFlags = {
  budget: durationFlag({
    description: 'begin no trial after so much time of running, that of earlier processes included (a resume keeps it)',
    helpValue: '2h',
  }),
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

export const copiesFlag = integerFlag({
  description:
    'at the end, run trials that take far too long once more elsewhere, so many at once; what ends first counts',
  min: 0,
  max: 1_000,
  default: 0,
  helpValue: 'N',
})

/** What becomes of running trials when mlds is told to go. */
export const preemptionFlags = {
  grace: integerFlag({
    description: 'seconds after SIGTERM or SIGHUP for what runs to end or keep a checkpoint; then it is given up',
    min: 0,
    max: 86_400,
    default: 20,
    helpValue: 'SECONDS',
  }),
  'checkpoint-every': integerFlag({
    description: 'seconds from one checkpoint of a trial to the next, at least',
    min: 0,
    max: 86_400,
    default: 60,
    helpValue: 'SECONDS',
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

export const trackProgramsFlag = Flags.boolean({
  description: "let a command's programs log to MLflow themselves (mlflow.autolog()), each into its trial's run",
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

export const gpusFlag = integerFlag({
  description: 'GPUs that trials may ask for in their resources',
  helpValue: 'N',
  min: 1,
  max: 1_024,
  defaultHelp: async () => 'those of CUDA_VISIBLE_DEVICES',
})

export const natsFlag = Flags.custom<string>({
  description: 'the NATS server whose workers run the trials (else NATS_URL, a context, or this host)',
  helpValue: 'URL',
})

export const shipFlag = Flags.boolean({
  description: 'send the files of your own experiment along, signed, to workers that accept them (docs/remote.md)',
})

/**
 * How long the queue of a tenant is patient with a worker that fell silent, where this process is the first to come and makes it.
 * @param needed flags of which one has to be there too.
 */
export const leaseFlag = (needed: string[] = []) =>
  durationFlag({
    description: 'where the queue is made: how long a silent worker keeps its trials, from 5s to 1h (default 30s)',
    minMs: 5_000,
    maxMs: 3_600_000,
    helpValue: '30s',
    ...(needed.length === 0 ? {} : { relationships: [{ type: 'some' as const, flags: needed }] }),
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
