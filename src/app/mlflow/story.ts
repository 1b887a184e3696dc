import { checksOf, claimsOf, isCheck, stateWord } from '../../sweeps/tally.js'
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename } from 'node:path'
import type { Conclusion } from '../../sweeps/conclusion.js'
import { sweepObjective } from '../../core/objective.js'
import { describeImportances, importancesOf } from '../importance.js'
import { readRecordsAndEngines } from '../../sweeps/verdicts.js'
import { digestRecords } from '../../tracking/mlflow/records-digest.js'
import type { ProjectionSources } from '../../tracking/mlflow/projection/projection.js'
import type { SweepStory } from '../../tracking/mlflow/projection/story.js'
import { dataReader, planFacts } from '../planning/plan-facts.js'
import type { StoredSweep } from '../stored-sweep.js'

/** Where a projection of the sweep finds logs, saved files, data sets and the plan. */
export function sourcesOf({ store, sweep, experiment }: StoredSweep, checkpoints: boolean): ProjectionSources {
  const trials = new Map(sweep.plan.trials.map((trial) => [trial.id, trial]))
  const dataOf = dataReader(store, experiment, (id) => trials.get(id))
  return {
    readLog: async (trial, attempt) => (await sweep.readLog(trial, attempt).catch(() => undefined))?.bytes,
    readArtifact: (artifact) => store.readObject(artifact).catch(() => undefined),
    readPlan: () => Promise.resolve(sweep.wholePlan()),
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
  const drawn = new Map(figures.map((file) => [basename(file), file]))
  const shown = experiment.figures.filter(({ name }) => drawn.has(`${name}.png`))
  const files = new Map<string, Uint8Array>([
    ['sweep/verdicts.json', Buffer.from(`${JSON.stringify(verdicts, null, 1)}\n`)],
  ])
  for (const [i, { name }] of shown.entries())
    for (const format of figureFormats) {
      const file = drawn.get(`${name}.${format}`)
      if (file !== undefined) files.set(figurePath(i, name, format), await readFile(file))
    }
  const closed = sweep.closedAs
  const { records, engines } = readRecordsAndEngines(sweep)
  const importances = importancesOf(sweep, sweepObjective(sweep.plan.spec, experiment))
  return {
    ...(importances === undefined ? {} : { importance: describeImportances(importances) }),
    ...(closed === undefined ? {} : { closed }),
    verdicts: [...claimsOf(verdicts), ...checksOf(verdicts)].map((verdict) => ({
      ...verdict,
      state: `${isCheck(verdict) ? 'check ' : ''}${stateWord(verdict)}`,
    })),
    // As SVG: MLflow shows pictures in their own size, and a PNG has twice the width.
    figures: shown.map(({ name, caption }, i) => ({ name, caption, path: figurePath(i, name, 'svg') })),
    files,
    facts: {
      ...planFacts(store, sweep, experiment, engines),
      version: experiment.version,
      recordsDigest: digestRecords(records),
    },
  }
}

const figureFormats = ['png', 'svg', 'html', 'vl.json', 'csv'] as const

/**
 * Numbered in the order of the note, and with one format a folder: MLflow's tree of artifacts shows no more than 17 letters
 * of a name, and no end of it.
 */
function figurePath(index: number, name: string, format: (typeof figureFormats)[number]): string {
  const folders = {
    png: 'figures',
    svg: 'figures/svg',
    html: 'figures/html',
    'vl.json': 'figures/vega-lite',
    csv: 'figures/csv',
  }
  return `${folders[format]}/${index + 1}-${name}.${format}`
}
