import { StoreError } from '../../core/errors.js'
import { withoutUnsaid } from '../../core/without-unsaid.js'
import { canonicalJson, contentHash } from '../../core/seed.js'
import type { TrialId } from '../../core/trial.js'
import type { KeptSuggestion, SuggestionKeeper } from '../../worker/backend.js'
import type { SearchCourse, Suggested, Suggestion } from './course.js'
import type { SuggesterOptions } from './suggester.js'

/** A suggestion for hosts without the journal: which trials it has, they find themselves. */
export const keptOf = ({ trials, ...suggested }: Suggested): KeptSuggestion => ({
  ...suggested,
  trialsHash: hashOf(trials),
})

const hashOf = (trials: readonly TrialId[]): string => contentHash(trials)

/**
 * Sends what is not kept yet of what the journal says was suggested. @returns what is kept beyond that.
 * @param suggested all of it, those left out that were planned with the sweep, each with what the sampler was told for it.
 * @throws StoreError where another host went on with other settings.
 */
export async function reconcile(
  keeper: SuggestionKeeper,
  planned: number,
  suggested: readonly Suggested[],
): Promise<readonly KeptSuggestion[]> {
  const kept = await keeper.read(planned)
  for (const [i, one] of suggested.entries()) {
    const other = kept[i]
    if (other === undefined) await keeper.keep(keptOf(one))
    else if (!isSame(keptOf(one), other))
      throw new StoreError(
        `another host went on with this search from setting ${one.setting} on: ${canonicalJson(other.values)}, and here that is ${canonicalJson(one.values)}`,
        { hint: 'resume it there, or from an empty store; with --fresh it begins anew' },
      )
  }
  return kept.slice(suggested.length)
}

/** Whether two suggestions are one setting that was suggested from the same; how long that took is each host's own. */
export const isSame = (one: KeptSuggestion, other: KeptSuggestion): boolean => whatIs(one) === whatIs(other)

const whatIs = ({ setting, values, trialsHash, told }: KeptSuggestion): string =>
  canonicalJson([setting, values, trialsHash, told ?? null])

/**
 * The setting that was suggested elsewhere, once all is known that it was suggested from, which the sampler is told;
 * `undefined` before. @throws StoreError when it is none of this search.
 */
export function suggestAsKept(
  kept: KeptSuggestion,
  course: Pick<SearchCourse, 'requestOf' | 'knows'>,
  { space, planSetting, source }: SuggesterOptions,
): Suggestion | undefined {
  const { trialsHash, ...said } = kept
  const request = course.requestOf(said)
  if (request === undefined) return undefined
  const { setting, observations, ended, told, failed } = request
  const refuse = (problem: string, cause?: unknown): never => {
    throw new StoreError(`setting ${setting} as the server keeps it is none of this search: ${problem}`, {
      hint: 'with --fresh the search begins again; results that it has are void then',
      cause,
    })
  }
  const planned = (() => {
    try {
      const values = space.valuesOf(space.pointOf(said.values))
      return canonicalJson(values) === canonicalJson(said.values) ? planSetting(values)?.trials : undefined
    } catch (error) {
      return refuse((error as Error).message, error)
    }
  })()
  const ids = planned?.map(({ id }) => id) ?? []
  const trials = planned?.filter(({ id }) => !course.knows(id)) ?? []
  if (trials.length === 0 || hashOf(ids) !== trialsHash) return refuse(canonicalJson(said.values))
  source.observe(observations)
  const { ended: _, told: __, failed: ___, ...rest } = said
  const by = withoutUnsaid({ ended, told, failed })
  return { suggested: { ...rest, ...by, trials: ids }, trials }
}
