import { checksOf, claimsOf, isCheck, stateWord } from '../../sweeps/tally.js'
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, join } from 'node:path'
import { readRegularFile } from '../../system/read-regular-file.js'
import type { Conclusion } from '../../sweeps/conclusion.js'
import type { SweepFolder } from '../../sweeps/sweep-folder.js'
import { readRecords } from '../../sweeps/verdicts.js'
import { digestRecords } from '../../tracking/mlflow/records-digest.js'
import type { ProjectionSources } from '../../tracking/mlflow/projection.js'
import type { SweepStory } from '../../tracking/mlflow/story.js'
import { dataReader, planFacts } from '../plan-facts.js'
import type { StoredSweep } from '../stored-sweep.js'

/** Where a projection of the sweep finds logs, saved files, data sets and the plan. */
export function sourcesOf({ store, sweep, experiment }: StoredSweep, checkpoints: boolean): ProjectionSources {
  const trials = new Map(sweep.plan.trials.map((trial) => [trial.id, trial]))
  const dataOf = dataReader(store, experiment, (id) => trials.get(id))
  return {
    readLog: async (trial, attempt) => (await sweep.readLog(trial, attempt).catch(() => undefined))?.bytes,
    readArtifact: (artifact) => store.readObject(artifact).catch(() => undefined),
    readPlan: () => Promise.resolve(readRegularFile(join(sweep.folder, 'plan.json'))),
    datasetsOf: (trial) =>
      dataOf(trial).flatMap(({ name, fingerprint }) =>
        fingerprint === undefined
          ? []
          : [
              {
                name,
                digest: fingerprint.slice(0, 16),
                sourceType: 'mlds',
                source: JSON.stringify({ name, fingerprint }),
              },
            ],
      ),
    checkpoints,
    ...userOf(),
  }
}

/** A host may have no name for who runs this. */
function userOf(): { user?: string } {
  try {
    return { user: userInfo().username }
  } catch {
    return {}
  }
}

/** What the sweep has come to, for the run that carries its story. */
export async function storyOf(stored: StoredSweep, { verdicts, figures }: Conclusion): Promise<SweepStory> {
  const { store, sweep, experiment } = stored
  const drawn = new Set(figures.map((file) => basename(file)))
  const files = new Map<string, Uint8Array>([
    ['sweep/verdicts.json', Buffer.from(`${JSON.stringify(verdicts, null, 1)}\n`)],
  ])
  for (const figure of figures) files.set(`figures/${basename(figure)}`, await readFile(figure))
  const closed = closingWord(sweep)
  return {
    ...(closed === undefined ? {} : { closed }),
    verdicts: [...claimsOf(verdicts), ...checksOf(verdicts)].map((verdict) => ({
      ...verdict,
      state: `${isCheck(verdict) ? 'check ' : ''}${stateWord(verdict)}`,
    })),
    figures: experiment.figures.filter(({ name }) => drawn.has(`${name}.png`)),
    files,
    facts: {
      ...planFacts(store, sweep, experiment),
      version: experiment.version,
      recordsDigest: digestRecords(readRecords(sweep)),
    },
  }
}

/** Why the sweep's last process stopped, as it wrote itself; undefined while one runs, and after one that was killed. */
export function closingWord(sweep: SweepFolder): string | undefined {
  let closed: string | undefined
  for (const { event } of sweep.entries()) {
    if (event.type === 'opened') closed = undefined
    if (event.type === 'closed') closed = event.reason
  }
  return closed
}
