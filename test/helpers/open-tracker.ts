import { join } from 'node:path'
import type { Clock } from '../../src/core/clock.js'
import { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../src/tracking/mlflow/rest/settings.js'
import { MlflowTracker, type MlflowTrackerOptions } from '../../src/tracking/mlflow/tracker.js'
import type { SweepStory } from '../../src/tracking/mlflow/projection/story.js'
import type { SweepInfo } from '../../src/tracking/tracker.js'
import { eventfulJournal, type Entry } from './told-by-journal.js'

export const story = async (): Promise<SweepStory> => ({
  verdicts: [{ state: 'reproduced', statement: 'It arrives | whole', summary: 'seven of seven' }],
  figures: [],
  files: new Map([['sweep/verdicts.json', Buffer.from('[]')]]),
  facts: { profile: 'smoke' },
})

/** A tracker of the toy sweep, with short pauses unless `env` says otherwise. */
export function openTracker(
  url: string,
  sweep: string,
  folder: string,
  entries: readonly Entry[],
  {
    env = {},
    clock,
    ...more
  }: { env?: Readonly<Record<string, string>>; clock?: Clock } & Partial<MlflowTrackerOptions> = {},
): { tracker: MlflowTracker; info: SweepInfo; warnings: string[] } {
  const warnings: string[] = []
  const tracker = new MlflowTracker({
    client: new MlflowClient(mlflowSettings(url, { MLDS_TRACKING_BACKOFF_MS: '5', ...env }), undefined, clock),
    experimentName: 'toy',
    acknowledgedFile: join(folder, 'acknowledged.jsonl'),
    history: () => entries,
    readLog: async (id) => Buffer.from(`log of ${id}`),
    readPlan: async () => Buffer.from('{}'),
    datasetsOf: () => [{ name: 'dots', digest: '0123456789abcdef', sourceType: 'mlds', source: '{}' }],
    warn: (message) => warnings.push(message),
    linksTo: ({ experiment, parentRun }) => ({ link: `${experiment}/runs`, parentLink: parentRun, compareLink: '' }),
    flushMs: 5,
    ...more,
  })
  const info: SweepInfo = {
    sweep,
    name: sweep,
    experiment: 'toy',
    question: 'Does it arrive?',
    objective: { metric: 'train/loss', direction: 'minimize' },
    spec: {},
    planHash: 'abc',
    codeVersion: '0',
    openedAtMs: 1_699_999_999_000,
    trials: eventfulJournal().trials,
  }
  return { tracker, info, warnings }
}
