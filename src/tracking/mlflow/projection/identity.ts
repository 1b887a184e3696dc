import type { Run } from '../rest/wire.js'

/** Which attempt of which sweep a run is; the run of a sweep itself has no trial. */
export interface RunIdentity {
  /** Tells sweeps of one name apart; of a run that something else tagged, that name. */
  readonly sweepKey: string
  /** Names the run for ever. */
  readonly key: string
  readonly trial: string | undefined
  /** Counted from 1; `NaN` where nothing tells. */
  readonly attempt: number
}

/** A run key as mlds writes it: a sweep's name and hash, and which attempt, unless it is of the sweep itself. */
const runKey = /^(.+:[0-9a-f]{8}):(?:sweep|([0-9a-f]{16}):(\d+))$/

/** By the run's key; where that was taken away or altered, as its other tags say the same. */
export function identify({ tags }: Pick<Run, 'tags'>): RunIdentity {
  const { 'mlds.run_key': given = '', 'mlds.sweep': name = '', 'mlds.sweep_key': sweepKey = name } = tags
  const told = runKey.exec(given)
  if (told !== null) return { sweepKey: told[1]!, key: given, trial: told[2], attempt: Number(told[3]) }
  const { 'mlds.trial': trial, 'mlds.attempt': attempt } = tags
  const key = `${sweepKey}:${trial === undefined ? 'sweep' : `${trial}:${attempt}`}`
  return { sweepKey, key, trial, attempt: Number(attempt) }
}

/** Which of the tags that say what a run is are not there, or say something else. */
export function identityProblems(run: Pick<Run, 'tags'>): string[] {
  const { sweepKey, key, trial, attempt } = identify(run)
  const wanted: Readonly<Record<string, string>> = {
    'mlds.run_key': key,
    'mlds.sweep_key': sweepKey,
    'mlds.sweep': sweepKey.replace(/:[0-9a-f]{8}$/, ''),
    ...(trial !== undefined && { 'mlds.trial': trial, 'mlds.attempt': String(attempt) }),
  }
  return Object.entries(wanted).flatMap(([tag, value]) => {
    const is = run.tags[tag]
    return is === value ? [] : [`its tag ${tag} is ${is === undefined ? 'missing' : 'another'}`]
  })
}

/** Whether it is the run of one attempt, and no sweep's. */
export const isChild = (run: Pick<Run, 'tags'>): boolean => identify(run).trial !== undefined

/**
 * A sweep's runs by where they lie: those of the experiment that holds its own run, with those that lie in one without, where no page
 * shows them together. A copy of the whole in another experiment is another place; its own run alone is no copy of the whole.
 */
export function placesOf<R extends Pick<Run, 'tags' | 'experimentId'>>(runs: readonly R[]): Map<string, R[]> {
  const children = new Set(runs.filter(isChild).map(({ experimentId }) => experimentId))
  const parents = runs.filter((run) => !isChild(run)).map(({ experimentId }) => experimentId)
  const whole = parents.filter((experimentId) => children.has(experimentId))
  const homes = new Set(whole.length > 0 ? whole : parents)
  const [first = runs[0]?.experimentId ?? ''] = homes
  const places = new Map<string, R[]>()
  for (const run of runs) {
    const place = homes.has(run.experimentId) ? run.experimentId : first
    places.set(place, [...(places.get(place) ?? []), run])
  }
  return places
}
