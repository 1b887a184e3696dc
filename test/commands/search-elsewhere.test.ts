import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readJournal, type JournalEvent } from '../../src/sweeps/journal/journal.js'
import { suggestedBy } from '../../src/sweeps/searching/replay.js'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { connectNats } from '../../src/worker/remote/wire/connect.js'
import { namesOf } from '../../src/worker/remote/wire/names.js'
import { openBroker, subjectsOf } from '../../src/worker/remote/wire/streams.js'
import { linesOf, mlds, startMlds, temporaryFolder, until } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

/** A valley; how long a trial takes is of its own, and one fails at its first run alone. */
const module = `import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { defineExperiment, number } from 'mlds'
export default defineExperiment({
  space: { x: number({ default: 0 }) },
  objective: { metric: 'loss', direction: 'minimize' },
  async run({ x }, { seeds }) {
    appendFileSync('ran.log', x + ' ' + seeds.init + '\\n')
    await new Promise((wake) => setTimeout(wake, 5 - 40 * Math.log(1 - ((x * 7919) % 1))))
    if (existsSync('fails') && !existsSync('failed')) {
      writeFileSync('failed', '')
      throw new Error('odd')
    }
    return { loss: (x - 0.3) ** 2 }
  },
})
`

const orders = ['fixed', 'arrival'] as const

/** Hosts are stores of their own, around one server with a worker of four slots. */
async function open(order: (typeof orders)[number], { count }: { count: number }) {
  const cwd = temporaryFolder()
  const server = await startNatsServer(join(cwd, 'nats'), 0)
  onTestFinished(() => server.stop('SIGKILL'))
  const connection = await connectNats(server.url, 'test')
  onTestFinished(() => connection.close())
  const broker = await openBroker(connection, namesOf('mlds'), { leaseMs: 3_000 })
  writeFileSync(join(cwd, 'valley.ts'), module)
  const search = { sampler: 'tpe', count, parallel: 4, order, axes: { x: { uniform: [0, 1] } } }
  writeFileSync(
    join(cwd, 'search.yaml'),
    JSON.stringify({ name: 'far', experiment: './valley.ts', search, seeds: [0, 1] }),
  )
  const nats = ['--nats', server.url]
  const work = async (): Promise<void> => {
    const args = ['worker', 'start', ...nats, '--slots', '4', '--store', 'worker', '--experiment', 'valley.ts']
    const worker = startMlds(args, { cwd })
    await until(() => worker.output().includes('is ready') || worker.child.exitCode !== null)
    expect(worker.child.exitCode, worker.output()).toBe(null)
  }
  const journal = (store: string): JournalEvent[] => {
    const file = join(cwd, store, 'sweeps', 'far', 'journal.jsonl')
    return existsSync(file) ? [...readJournal(file)].map(({ event }) => event) : []
  }
  const suggestions = (store: string) => journal(store).flatMap((event) => suggestedBy(event) ?? [])
  const elsewhere = ['resume', 'far', ...nats, '--experiment', 'valley.ts']
  return {
    ...{ cwd, broker, work, journal, suggestions },
    begin: ['sweep', 'search.yaml', ...nats],
    elsewhere,
    ran: () => linesOf(join(cwd, 'ran.log')),
    run: (args: readonly string[], store: string) => mlds([...args, '--store', store], { cwd }),
    /** Killed once it has suggested so many. */
    killed: async (args: readonly string[], store: string, suggested: number): Promise<void> => {
      const sweep = startMlds([...args, '--store', store], { cwd })
      await until(() => suggestions(store).length >= suggested || sweep.child.exitCode !== null)
      expect(sweep.child.exitCode, sweep.output()).toBe(null)
      sweep.child.kill('SIGKILL')
      await sweep.finished
    },
    /** How many suggestions the server keeps. */
    kept: async () => (await subjectsOf(broker.jsm, broker.names.suggestions, '>')).length,
  }
}

/** Without how long each took. */
const whatIs = (suggestions: readonly object[]) => suggestions.map((one) => ({ ...one, tookMs: 0 }))

describe.skipIf(!hasNats)('a search that is resumed without its journal', () => {
  it.each(orders)(
    'goes on in order %s with the settings that were suggested, and runs no trial twice',
    async (order) => {
      const count = 20
      const { begin, elsewhere, work, run, killed, journal, suggestions, ran, kept } = await open(order, { count })
      await work()
      await killed(begin, 'a', 3)
      await killed(elsewhere, 'b', 9)
      const last = await run([...elsewhere, '--json'], 'd')
      expect(last.code, last.stderr).toBe(0)
      expect(JSON.parse(last.stdout)).toMatchObject({ planned: 2 * count, finished: 2 * count, missing: 0 })
      const all = whatIs(suggestions('d'))
      expect(all).toHaveLength(count - 4)
      for (const store of ['a', 'b']) {
        const before = suggestions(store)
        expect(all.slice(0, before.length), store).toEqual(whatIs(before))
      }
      expect(ran()).toHaveLength(2 * count)
      expect(new Set(ran()).size).toBe(2 * count)
      expect(await kept()).toBe(count - 4)

      // The first host has a journal of its own, and goes on with what others suggested meanwhile.
      expect((await run(['resume', 'far'], 'a')).code).toBe(0)
      expect(whatIs(suggestions('a'))).toEqual(all)
      expect(ran()).toHaveLength(2 * count)
      for (const store of ['a', 'd']) {
        const { code, stdout } = await run(['verify', 'far'], store)
        expect(code, stdout).toBe(0)
        expect(stdout).toContain(`search: ${count} settings, each suggested anew as it was`)
      }
      const table = async (store: string) =>
        (await run(['export', 'far', '--format', 'csv'], store)).stdout.split('\n').sort()
      expect(await table('a')).toEqual(await table('d'))
      expect(journal('d').some((event) => event.type === 'lost')).toBe(false)

      expect((await run(['nats', 'prune', ...begin.slice(2), '--yes'], 'a')).code).toBe(0)
      expect(await kept()).toBe(0)
    },
  )

  it.each(orders)('takes in order %s a failure that taught for what it is', async (order) => {
    const { cwd, begin, elsewhere, work, run, killed, suggestions, ran } = await open(order, { count: 14 })
    writeFileSync(join(cwd, 'fails'), '')
    await work()
    await killed(begin, 'a', 7)
    const { stdout } = await run([...elsewhere, '--json'], 'b')
    expect(JSON.parse(stdout)).toMatchObject({ planned: 28, finished: 27, failed: 1 })
    expect(whatIs(suggestions('b')).slice(0, suggestions('a').length)).toEqual(whatIs(suggestions('a')))
    expect(new Set(ran()).size).toBe(28)
    expect(ran()).toHaveLength(28)
    expect((await run(['verify', 'far'], 'b')).stdout).toContain('search: 14 settings, each suggested anew as it was')
  })

  it('sends what a journal holds that the server has not, and begins anew where results are void', async () => {
    const { begin, elsewhere, broker, work, run, killed, suggestions, kept } = await open('arrival', { count: 16 })
    await work()
    await killed(begin, 'a', 6)
    // As a server of an earlier version would have kept it.
    await broker.jsm.streams.delete(broker.names.suggestions)
    await killed(['resume', 'far'], 'a', 8)
    const before = suggestions('a')
    expect((await run(elsewhere, 'b')).code).toBe(0)
    expect(whatIs(suggestions('b')).slice(0, before.length)).toEqual(whatIs(before))
    expect(await kept()).toBe(12)

    const fresh = await run([...begin, '--fresh'], 'b')
    expect(fresh.code, fresh.stderr).toBe(0)
    const anew = suggestions('b').slice(12)
    expect(anew).toHaveLength(12)
    expect(await kept()).toBe(12)
    expect((await run(elsewhere, 'c')).code).toBe(0)
    expect(whatIs(suggestions('c'))).toEqual(whatIs(anew))
  })
})
