import { basename } from 'node:path'
import { latest } from '../../core/names.js'
import { sweepIdOf, type Plan } from '../../sweeps/plan.js'
import { planFactsOf } from '../../sweeps/sweep-folder.js'
import { sweepIdPattern, type Store } from '../../system/store.js'

/** What decides how a sweep is called that says no name. */
export interface Naming {
  /** The sweep file or module that was named. */
  readonly file?: string | undefined
  /** A server that others use too: there a file's name alone would be theirs as well. */
  readonly nats?: string | undefined
  readonly extend?: boolean
}

/** A sweep's name, and the sweep of the file's name beside which it got one with a hash, for that has another plan. */
export interface NameOfSweep {
  readonly name?: string
  readonly beside?: string
}

/**
 * A sweep file's or module's name without its ending; where a sweep of another plan has it, with the plan's hash behind.
 * A plan that is in the store already goes on under the name that it has there. No name where no file was named.
 */
export async function nameAfterFile(store: Store, plan: Plan, { file, nats, extend }: Naming): Promise<NameOfSweep> {
  const stem = file === undefined ? undefined : stemOf(file)
  if (stem === undefined) return {}
  const own = sweepIdOf(plan)
  const ids = new Set(await store.sweepIds())
  if (extend === true && ids.has(stem)) return { name: stem }
  // As sweeps were called that an earlier mlds began.
  if (ids.has(own)) return {}
  const long = `${stem}-${own.slice(-8)}`
  if (ids.has(long)) return { name: long }
  if (!ids.has(stem)) return { name: nats === undefined ? stem : long }
  return isOf(store, stem, own) ? { name: stem } : { name: long, beside: stem }
}

/** Whether a sweep has the plan that without a name would be called `own`. */
function isOf(store: Store, id: string, own: string): boolean {
  const facts = planFactsOf(store, id)
  if (facts === undefined) return false
  const { name: _, ...spec } = facts.spec
  return sweepIdOf({ ...facts, spec, trials: [] }) === own
}

/** A file's name as a sweep's: letters that none has become dashes; `undefined` where nothing is left. */
export function stemOf(file: string): string | undefined {
  const plain = basename(file)
    .replace(/\.\w+$/, '')
    .replaceAll(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+|-+$/g, '')
    .slice(0, 80)
  return plain === latest || !sweepIdPattern.test(plain) ? undefined : plain
}
