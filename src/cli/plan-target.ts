import { readFile } from 'node:fs/promises'
import { openData } from '../data/catalog.js'
import { SpecError } from '../errors.js'
import type { Experiment } from '../experiments/experiment.js'
import { canonicalName, findExperiment } from '../experiments/registry.js'
import type { Store } from '../store.js'
import { makePlan, type Plan } from '../sweeps/plan.js'
import { parseStoppingFlag } from '../sweeps/stopping.js'
import { applyOverrides, parseSweepFile, type SweepSpec } from '../sweeps/spec.js'

export interface TargetFlags {
  readonly set: readonly string[]
  readonly profile?: string | undefined
  readonly name?: string | undefined
  /** Rules that stop trials early, instead of the file's. */
  readonly scheduler?: readonly string[] | undefined
}

/** An experiment's name or a sweep file, with flags laid over it, checked and expanded. Starts nothing. */
export async function planTarget(
  target: string,
  flags: TargetFlags,
  store: Store,
): Promise<{ plan: Plan; experiment: Experiment }> {
  const written = await readSpec(target)
  const spec: SweepSpec = {
    ...applyOverrides(written, flags.set),
    experiment: canonicalName(written.experiment),
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...((flags.scheduler ?? []).length === 0 ? {} : { scheduler: flags.scheduler!.map(parseStoppingFlag) }),
  }
  const experiment = await findExperiment(spec.experiment)
  const data = openData({ cacheFolder: store.cacheFolder })
  return { plan: makePlan(experiment, spec, (name) => data.resolve(name).fingerprint), experiment }
}

async function readSpec(target: string): Promise<SweepSpec> {
  if (!/\.ya?ml$|\.json$/i.test(target)) return { experiment: target, axes: {} }
  let text: string
  try {
    text = await readFile(target, 'utf8')
  } catch (error) {
    throw new SpecError(
      target,
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : (error as Error).message,
      { cause: error },
    )
  }
  return parseSweepFile(text, target)
}
