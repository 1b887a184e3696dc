import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

const files: Record<string, string> = {
  'mine.ts': `import { defineExperiment, number } from 'mlds'
import { target } from './target.js'
export default defineExperiment({
  space: { x: number({ default: 0 }) },
  async run({ x }, { report, save }) {
    await report(1, { loss: Math.abs(x - target) })
    await save('x', new TextEncoder().encode(String(x)))
    return { loss: (x - target) ** 2 }
  },
})
`,
  'target.ts': 'export const target = 3\n',
  'train.py': `import json, os, sys
lr = float(sys.argv[1])
print(json.dumps({"step": 1, "loss": lr * int(os.environ["FACTOR"])}))
print(json.dumps({"twice": 2 * lr}))
open(os.path.join(os.environ["MLDS_FOLDER"], "lr.txt"), "w").write(sys.argv[1])
`,
  'train.yaml': `experiment:
  command: python3 train.py {lr}
  env: { FACTOR: 7, WORD: s3cret-word }
axes: { lr: [0.25, 0.5] }
`,
}

/** Hosts are folders: each has its own copies of the files, and a store of its own. */
describe.skipIf(!hasNats)("a person's own experiment on remote workers", () => {
  const open = async () => {
    const root = temporaryFolder()
    const server = await startNatsServer(join(root, 'nats'), 0)
    onTestFinished(() => server.stop('SIGKILL'))
    const nats = ['--nats', server.url]
    const host = (name: string): string => {
      const folder = join(root, name)
      mkdirSync(folder)
      for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
      return folder
    }
    const worker = async (cwd: string, ...flags: string[]): Promise<Running> => {
      const running = startMlds(['worker', 'start', ...nats, '--slots', '1', ...flags], { cwd })
      await until(() => running.output().includes('is ready'))
      return running
    }
    return { nats, host, worker, serverFolder: join(root, 'nats') }
  }
  const rowsOf = async (cwd: string, sweep: string): Promise<string> =>
    (await mlds(['export', sweep, '--format', 'jsonl'], { cwd })).stdout

  it('gives the numbers of threads, wherever its files are', async () => {
    const { nats, host, worker } = await open()
    const [threads, home] = [host('threads'), host('home')]
    const without = await worker(host('without'))
    await worker(host('able'), '--experiment', 'mine.ts', '--experiment', 'train.yaml')
    for (const [file, flags] of [['mine.ts', ['--set', 'x=1,2']] as const, ['train.yaml', []] as const]) {
      const name = ['--name', file.slice(0, 4)]
      expect((await mlds(['sweep', file, ...flags, ...name], { cwd: threads })).code).toBe(0)
      const swept = await mlds(['sweep', file, ...flags, ...name, ...nats], { cwd: home })
      expect(swept.code, swept.stderr).toBe(0)
      const rows = await rowsOf(home, file.slice(0, 4))
      expect(rows.trim().split('\n')).toHaveLength(2)
      expect(rows).toBe(await rowsOf(threads, file.slice(0, 4)))
    }
    const workers = await mlds(['worker', 'list', ...nats, '--json'], { cwd: home })
    const has = (JSON.parse(workers.stdout) as { experiments?: string[] }[]).flatMap(
      ({ experiments = [] }) => experiments,
    )
    expect(has).toEqual([expect.stringMatching(/^mine\.[0-9a-f]{8}$/), expect.stringMatching(/^train\.[0-9a-f]{8}$/)])
    expect(without.output()).not.toContain('Error')
  })

  it('is never given to a worker with another version of it: the sweep says so, and waits for one that has it', async () => {
    const { nats, host, worker } = await open()
    const [home, old] = [host('home'), host('old')]
    writeFileSync(join(old, 'target.ts'), 'export const target = 5\n')
    await worker(old, '--experiment', 'mine.ts')
    const waiting = startMlds(['sweep', 'mine.ts', ...nats], { cwd: home })
    await until(() => /it has mine\.[0-9a-f]{8}, another version of mine\.[0-9a-f]{8}/.test(waiting.output()))
    const able = host('able')
    const worker2 = await worker(able, '--experiment', 'mine.ts')
    expect((await waiting.finished).code, waiting.output()).toBe(0)
    // Its file changes under it: it would run other code under the same name.
    writeFileSync(join(able, 'target.ts'), 'export const target = 5\n')
    const changed = startMlds(['sweep', 'mine.ts', '--set', 'x=9', ...nats], { cwd: home })
    await until(() => changed.output().includes('leaves trials to others: the experiment has changed since'))
    expect(worker2.output()).toContain('the experiment has changed since')
  })

  it('is resumed on another host by whoever has the file; the server never holds the command', async () => {
    const { nats, host, worker, serverFolder } = await open()
    const [home, elsewhere] = [host('home'), host('elsewhere')]
    const left = await mlds(['sweep', 'train.yaml', ...nats, '--detach', '--name', 'kept'], { cwd: home })
    expect(left.code, left.stderr).toBe(0)
    const stored = join(temporaryFolder(), 'copy')
    cpSync(serverFolder, stored, { recursive: true })
    const texts = readdirSync(stored, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join()
    expect(texts).toContain('train.')
    for (const word of ['python3', 'train.py', 's3cret-word', home]) expect(texts).not.toContain(word)

    const unnamed = await mlds(['resume', 'kept', ...nats], { cwd: elsewhere })
    expect(unnamed.code).toBe(2)
    expect(unnamed.stderr).toMatch(/the experiment of sweep kept is not built in: train\.[0-9a-f]{8}/)
    await worker(host('able'), '--experiment', 'train.yaml')
    const resumed = await mlds(['resume', 'kept', ...nats, '--experiment', 'train.yaml', '--json'], {
      cwd: elsewhere,
    })
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(JSON.parse(resumed.stdout)).toMatchObject({ planned: 2, finished: 2 })
    expect(await rowsOf(elsewhere, 'kept')).toContain('"twice":1')
  })
})
