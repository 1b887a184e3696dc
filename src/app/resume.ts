import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MldsError, StoreError } from '../core/errors.js'
import { authorsName, reopenCustom } from '../experiments/custom/custom.js'
import { encodePlan, parsePlan, type StoredPlan } from '../sweeps/stored-plan.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { makeFolder } from '../system/make-folder.js'
import { replaceFile } from '../system/replace-file.js'
import type { Store } from '../system/store.js'
import type { NatsTarget } from './backends/nats-target.js'
import { findSweepOn, withTenant } from './backends/tenant.js'
import { readCustom, inferAxes } from './planning/plan.js'

/**
 * Makes a sweep's folder here from what the server keeps, so that it can be resumed: its plan; results are taken over
 * when it runs.
 * @param file the experiment, when it is not built in: no server hands it out.
 * @throws MldsError when such a file is missing, or is of another version.
 */
export async function fetchSweep(
  store: Store,
  target: NatsTarget,
  wanted: string,
  file: string | undefined,
): Promise<SweepFolder> {
  const { fetchPlan } = await import('../worker/remote/wire/sweep-registry.js')
  return withTenant(target, async (broker) => {
    const found = await findSweepOn(broker, wanted)
    const plan = parsePlan(await fetchPlan(broker, store, found), `NATS, sweep ${found.sweep}`)
    const folder = store.sweepFolder(found.sweep)
    const adopted = await trustPlan(plan, file)
    if (existsSync(join(folder, 'plan.json')))
      throw new StoreError(`sweep ${found.sweep} has a plan here already: ${folder}`, {
        hint: `resume it by its full id: mlds resume ${found.sweep}`,
      })
    await makeFolder(folder)
    await replaceFile(join(folder, 'plan.json'), encodePlan(adopted))
    return SweepFolder.open(store, found.sweep)
  })
}

/** The plan of another host, which runs this host's own code or none: what stood in it is not believed. */
async function trustPlan(plan: StoredPlan, file: string | undefined): Promise<StoredPlan> {
  const { own: _, ...spec } = plan.spec
  if (authorsName(plan.experiment) === undefined) return { ...plan, spec }
  if (file === undefined)
    throw new MldsError('USAGE', `the experiment of sweep ${plan.sweep} is not built in: ${plan.experiment}`, {
      hint: `give the file that the sweep was started with: mlds resume ${plan.sweep} --nats URL --experiment FILE`,
    })
  const source = await readCustom(file)
  const { own } = await inferAxes({ ...spec, own: source })
  await reopenCustom(source, plan.experiment)
  return { ...plan, spec: { ...spec, own: own! } }
}
