import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditTracking, describeFindings, type Audit } from '../../../src/app/audit.js'
import { drawFromMlflow } from '../../../src/app/from-mlflow.js'
import { syncSweep } from '../../../src/app/sync.js'
import { systemClock } from '../../../src/core/clock.js'
import type { Metrics, Trial } from '../../../src/core/trial.js'
import type { JournalEvent } from '../../../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../../../src/sweeps/sweep-folder.js'
import { logFileOf } from '../../../src/system/log-file.js'
import { openStore, type Store } from '../../../src/system/store.js'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import { damages, type HeldSweep } from '../../helpers/damage.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'
import { expectEqual, type Entry } from '../../helpers/told-by-journal.js'
import { writeSweep } from '../../helpers/written-sweep.js'

/** One finished, one failed, one lost and then finished. */
function happened([first, second, third]: readonly Trial[]): JournalEvent[] {
  let atMs = 1_700_000_000_000
  const events: JournalEvent[] = []
  const run = ({ id: trial }: Trial, attempt: number, ...ends: object[]): void => {
    const add = (event: object): void =>
      void events.push({ trial, attempt, atMs: (atMs += 7), ...event } as JournalEvent)
    add({ type: 'started', worker: 'w' })
    for (let step = 1; step <= 3; step++) add({ type: 'report', step, metrics: { loss: 1 / step } satisfies Metrics })
    for (const end of ends) add(end)
  }
  const finished = { type: 'ended', outcome: { state: 'finished', metrics: { loss: 1 / 3 }, artifacts: {} } }
  run(first!, 1, { ...finished, usage: { peakBytes: 1e8, cpuShare: 0.5 } })
  run(second!, 1, { type: 'ended', outcome: { state: 'failed', error: { name: 'Error', message: 'no' } } })
  run(third!, 1, { type: 'lost', reason: 'the thread ended' })
  run(third!, 2, finished)
  return [...events, { type: 'closed', reason: 'done', atMs }]
}

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('runs that were damaged on the server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mlds-damage-'))
  const store: Store = openStore(join(folder, 'store'))
  const warn = (message: string): void => expect.fail(message)
  let server: MlflowServer
  let client: MlflowClient
  let sweep: SweepFolder
  beforeAll(async () => {
    server = await startMlflow()
    client = new MlflowClient(mlflowSettings(server.url, {}))
    sweep = await writeSweep(store, 'damaged', [1, 2, 3], happened)
    mkdirSync(sweep.logsFolder)
    writeFileSync(logFileOf(sweep.logsFolder, sweep.plan.trials[0]!.id, 1), 'what it said')
    expect(await sync(false)).toBe(4)
  })
  afterAll(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  const sync = async (deep: boolean): Promise<number> =>
    (await syncSweep(store, 'damaged', { url: server.url, warn, deep })).sent
  const audit = (repair: boolean, deep: boolean): Promise<Audit> => auditIn(store, repair, deep)
  const auditIn = (where: Store, repair: boolean, deep: boolean): Promise<Audit> =>
    auditTracking({
      ...{ store: where, url: server.url, idleMs: 0, repair, deep },
      clock: systemClock,
      warn,
      say: warn,
    })
  const repair = async (deep: boolean): Promise<number> => {
    const { repairs } = await audit(true, deep)
    expect(repairs).toEqual([{ sweep: 'damaged', did: expect.stringMatching(/^brought .* \d+ runs?$/) as string }])
    return Number(/(\d+) runs?$/.exec(repairs[0]!.did)![1])
  }
  const held = async (): Promise<HeldSweep> => {
    const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'damaged'`)
    const children = runs.filter(({ tags }) => 'mlds.trial' in tags)
    const parent = runs.find((run) => !children.includes(run))!
    return { server, client, parent, children, child: children.find(({ tags }) => tags['mlds.index'] === '0')! }
  }
  const findings = ({ sweeps }: Audit): string[] => sweeps.flatMap((each) => describeFindings(each.findings))

  describe.each([
    ['mlds sync', sync],
    ['mlds audit --repair', repair],
  ] as const)('%s', (_command, mend) => {
    describe.each(['with', 'without'])('%s what was written down of the server', (written) => {
      it.each(damages)(
        'mends $what, tells how many runs it brought, and has nothing to do afterwards',
        async (damage) => {
          const deep = damage.isDeep === true
          const wanting = await damage.harm(await held())
          if (written === 'without') rmSync(join(sweep.folder, 'tracking'), { recursive: true })
          expect(await mend(deep)).toBe(wanting)
          expect(findings(await audit(false, true))).toEqual([])
          if (mend === sync) expect(await sync(deep)).toBe(0)
        },
      )
    })
  })

  describe('elsewhere, without the journal', () => {
    const elsewhere = openStore(join(folder, 'elsewhere'))
    const audited = async (deep: boolean): Promise<string[]> => findings(await auditIn(elsewhere, false, deep))
    const drawn = async (): Promise<string[]> => {
      const said: string[] = []
      const options = { warn: (message: string): void => void said.push(message), trustCode: true }
      await drawFromMlflow(server.url, 'damaged', join(folder, 'figures'), options, warn)
      return said
    }

    it('nothing is found while nothing is wrong', async () => {
      expect(await audited(true)).toEqual([])
      expect(await drawn()).toEqual([])
    })

    it.each(damages.filter(({ isSilent }) => isSilent !== true))('an audit sees $what', async (damage) => {
      await damage.harm(await held())
      const [search, deep] = [await audited(false), await audited(true)]
      expect(damage.isDeep === true ? search : []).toEqual([])
      expect(damage.isDeep === true ? deep : search).not.toEqual([])
      await sync(true)
    })

    it.each(damages.filter(({ what }) => /point missing|false point|another outcome|run deleted/.test(what)))(
      'figures from MLflow alone come with a warning: $what',
      async (damage) => {
        await damage.harm(await held())
        expect(await drawn()).toEqual([expect.stringContaining('are not as they were sent')])
        await sync(true)
      },
    )
  })

  it('a metric that somebody adds is no difference, and in nothing that is read from there', async () => {
    const { child } = await held()
    const points = [{ key: 'mine', value: 7, step: 1, timestamp: child.startMs }]
    await client.log(child.id, { points })
    const elsewhere = openStore(join(folder, 'elsewhere'))
    for (const where of [store, elsewhere]) expect(findings(await auditIn(where, false, true))).toEqual([])
    const drawn = { warn, trustCode: true }
    await drawFromMlflow(server.url, 'damaged', join(folder, 'figures'), drawn, warn)
    expect(await sync(true)).toBe(0)
    expect(await client.history(child.id, 'mine')).toEqual(points)
    await client.deleteRun(child.id)
    expect(await sync(false)).toBe(1)
  })

  it('figures from MLflow say that nobody can tell whether they are as they were sent, where the manifest is gone', async () => {
    const { parent } = await held()
    const said: string[] = []
    const drawn = { warn: (message: string): void => void said.push(message), trustCode: true }
    await client.putArtifact(parent, 'manifest.json', Buffer.from('no JSON'))
    await drawFromMlflow(server.url, 'damaged', join(folder, 'figures'), drawn, warn)
    expect(said).toEqual([expect.stringContaining('can’t be told')])
    await sync(true)
  })

  it.each([
    ['ended early on purpose: incomplete, as its journal says', 'early', [], 2],
    ['whose process was killed: wanting', 'killed', ['2 planned trials have no run'], 0],
  ] as const)('an audit calls a sweep %s', async (_words, name, wanting, left) => {
    await writeSweep(store, name, [1, 2, 3], (trials) =>
      happened(trials)
        .filter((event) => ('trial' in event ? event.trial === trials[0]!.id : name === 'early'))
        .map((event) => (event.type === 'closed' ? { ...event, reason: 'the first 3 trials all failed' } : event)),
    )
    await syncSweep(store, name, { url: server.url, warn })
    for (const where of [store, openStore(join(folder, 'elsewhere'))]) {
      const { sweeps } = await auditIn(where, false, true)
      const sweep = sweeps.find((each) => each.sweep === name)!
      expect(describeFindings(sweep.findings)).toEqual(wanting.map((line) => expect.stringContaining(line) as string))
      expect(sweep.left).toBe(left)
    }
  })

  it('are equal to the journal again', () => {
    const journal = [...sweep.entries()].filter((entry): entry is Entry => 'trial' in entry.event)
    expectEqual(readWithPython(server.url, 'damaged'), journal)
  })
})
