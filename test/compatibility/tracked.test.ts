import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { contentHash } from '../../src/core/seed.js'
import { MlflowClient } from '../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../src/tracking/mlflow/rest/settings.js'
import { inOneProcess } from '../helpers/in-one-process.js'
import { hasMlflow, startMlflow } from '../helpers/mlflow.js'
import { expectSameExport, withDiverged } from './exports.js'
import { unpack } from './fixtures.js'

describe.skipIf(!hasMlflow)('an MLflow database that c44b4e1 wrote', () => {
  const serve = async () => {
    const fixture = unpack('tracked')
    const { folder, expected } = fixture
    const server = await startMlflow({ folder })
    onTestFinished(() => server.kill())
    const client = new MlflowClient(mlflowSettings(server.url, {}))
    const run = async (...commands: string[][]) => {
      const answers = await inOneProcess(commands, folder)
      answers.forEach(({ code, stdout, stderr }, i) =>
        expect(code, `${commands[i]!.join(' ')}: ${stdout}${stderr}`).toBeLessThan(2),
      )
      return answers
    }
    /** Ids and keys of all runs of the sweeps. */
    const runs = async () => {
      const found = await client.searchRuns(await client.experimentIds(), '')
      return found.map(({ id, tags }) => `${tags['mlds.run_key']} ${id}`).sort()
    }
    const audit = async (store: string) => {
      const [answer] = await run(['audit', server.url, '--store', store, '--idle-minutes', '0', '--json'])
      const { sweeps } = JSON.parse(answer!.stdout) as {
        sweeps: { sweep: string; findings: { kind: string; trial?: string }[] }[]
      }
      return Object.fromEntries(sweeps.map(({ sweep, findings }) => [sweep, findings.map(({ kind }) => kind).sort()]))
    }
    const ids = Object.keys(expected.sweeps)
    return { ...fixture, ids, url: server.url, run, runs, audit }
  }

  it(
    'is read: audit, figures and reports from it alone, and stores rebuilt from it',
    { timeout: 480_000 },
    async () => {
      const { folder, expected, ids, url, run, runs, audit } = await serve()
      const before = await runs()
      const sound = Object.fromEntries(ids.map((id) => [id, []]))
      // Its parent and the three trials that ran when it was killed; the other three never began.
      const cut = [...Array<string>(3).fill('missing'), ...Array<string>(4).fill('unended')]
      expect(await audit('elsewhere')).toEqual({ ...sound, cut })

      const drawn = await run(
        ...ids.flatMap((id) => [
          ['figure', id, '--json'],
          ['figure', '--from', url, '--sweep', id, '--trust-code', '--output', `figures/${id}`],
          ['report', '--from', url, '--sweep', id, '--trust-code'],
        ]),
      )
      ids.forEach((id, i) => {
        const { figures } = JSON.parse(drawn[3 * i]!.stdout) as { figures: string[] }
        // The tower's author gave it none.
        expect(figures.length > 0, id).toBe(id !== 'tower')
        for (const figure of figures)
          expect(readFileSync(join(folder, 'figures', id, basename(figure))), figure).toEqual(readFileSync(figure))
        expect(existsSync(join(folder, 'reports', id, 'report.html'))).toBe(true)
      })

      const again = ['--store', 'rebuilt']
      await run(...ids.map((id) => ['recover', id, '--from', url, ...again]))
      const formats = ['csv', 'jsonl'] as const
      const exports = (wanted: readonly string[]) =>
        run(...wanted.flatMap((id) => formats.map((format) => ['export', id, '--format', format, ...again])))
      const rows = await exports(ids)
      ids.forEach((id, i) => {
        const exported = { csv: rows[2 * i]!.stdout, jsonl: rows[2 * i + 1]!.stdout }
        const { csv, jsonl } = withDiverged(expected.sweeps[id]!)
        // What ran when its process was killed runs no longer in a store that was rebuilt.
        const settled = {
          csv: csv.replaceAll(',running,', ',planned,'),
          jsonl: jsonl.replaceAll('"state":"running"', '"state":"planned"'),
        }
        expectSameExport(exported, settled, id)
      })
      const [resumed] = await run(['resume', 'cut', '--json', ...again])
      expect(JSON.parse(resumed!.stdout)).toMatchObject({ planned: 8, finished: 8, unique: 8 })
      const [csv, jsonl] = await exports(['cut'])
      expect({ csv: csv!.stdout, jsonl: jsonl!.stdout }).toEqual(expected.undisturbed['cut'])
      expect(await runs()).toEqual(before)
    },
  )

  it('is gone on with: sync makes no run twice, with and without what it wrote down, and resume ends what was cut', async () => {
    const { folder, expected, ids, url, run, runs, audit } = await serve()
    const before = await runs()
    const ledgers = ids.map((id) => join(folder, '.mlds/sweeps', id, 'tracking'))
    // What a server has acknowledged is written down under its address, which is another now.
    for (const ledger of ledgers)
      for (const file of readdirSync(ledger).filter((name) => name.endsWith('.jsonl')))
        renameSync(join(ledger, file), join(ledger, `${contentHash(url)}.jsonl`))
    const sync = async () => {
      const answers = await run(...ids.map((id) => ['sync', id, '--track', url, '--json']))
      return answers.map(({ stdout }) => (JSON.parse(stdout) as { sent: number }).sent)
    }
    const sent = await sync()
    expect(await runs()).toEqual(before)
    expect(Math.max(...sent)).toBeLessThan(6)
    for (const ledger of ledgers) rmSync(ledger, { recursive: true })
    await sync()
    expect(await runs()).toEqual(before)

    const [resumed, rows] = await run(['resume', 'cut', '--track', url, '--json'], ['export', 'cut'])
    expect(JSON.parse(resumed!.stdout)).toMatchObject({ planned: 8, finished: 8, unique: 8 })
    expect(rows!.stdout).toBe(expected.undisturbed['cut']!.csv)
    expect(await audit('.mlds')).toEqual(Object.fromEntries(ids.map((id) => [id, []])))
    const after = await runs()
    expect(after).toEqual(expect.arrayContaining(before))
    // Five never ran to an end: three began anew as second attempts, as did three that had not begun, as first.
    expect(after.length - before.length).toBe(6)
  })
})
