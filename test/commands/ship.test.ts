import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startNatsServer } from '../../src/worker/remote/admin/nats-server.js'
import { mlds, startMlds, temporaryFolder, until, type Running } from '../helpers/cli.js'
import { hasNats } from '../helpers/nats.js'

const helper = (factor: number): string => `def loss(x):\n    return ${factor} * x\n`
const files: Record<string, string> = {
  'train.py':
    'import json, os, sys\nfrom helper import loss\nprint(json.dumps({"loss": loss(float(sys.argv[1])), "factor": int(os.environ["FACTOR"])}))\n',
  'helper.py': helper(1),
  'train.yaml': 'experiment: { command: "python3 train.py {x}", env: { FACTOR: 7 } }\naxes: { x: [1, 2] }\n',
  'mine.ts': `import { defineExperiment, number } from 'mlds'
import { target } from './target.js'
export default defineExperiment({ space: { x: number({ default: 0 }) }, run: async ({ x }) => ({ loss: Math.abs(x - target) }) })
`,
  'target.ts': 'export const target = 3\n',
}

/** Hosts are folders: a worker's has no file of the experiment. */
describe.skipIf(!hasNats)('mlds sweep --ship', () => {
  const open = async (config?: (root: string) => Promise<string>) => {
    const root = temporaryFolder()
    const server = await startNatsServer(join(root, 'nats'), 0, await config?.(root))
    onTestFinished(() => server.stop('SIGKILL'))
    const folder = (name: string): string => {
      mkdirSync(join(root, name))
      return join(root, name)
    }
    const home = folder('home')
    for (const [file, text] of Object.entries(files)) writeFileSync(join(home, file), text)
    const nats = ['--nats', server.url]
    const worker = async (env: Record<string, string>, ...flags: string[]): Promise<Running> => {
      const running = startMlds(['worker', 'start', ...nats, '--slots', '1', ...flags], {
        cwd: folder(`w${++workers}`),
        env,
      })
      await until(() => /is ready|waiting for the first sweep/.test(running.output()))
      return running
    }
    const run = (...words: string[]) => mlds(words, { cwd: home })
    const losses = async (sweep: string): Promise<number[]> => {
      const { stdout } = await run('export', sweep, '--format', 'jsonl')
      return stdout
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { loss: number }).loss)
    }
    const key = (await run('fleet', 'key')).stdout.trim()
    return { root, home, nats, worker, run, losses, key }
  }
  let workers = 0

  it('runs a program and a module on a worker that has neither; what is edited runs in the next sweep', async () => {
    const { root, home, nats, worker, run, losses, key } = await open()
    const there = await worker({}, '--accept-code', key)
    const first = await run('sweep', 'train.yaml', ...nats, '--ship', '--name', 'first')
    expect(first.code, first.stderr).toBe(0)
    expect(await losses('first')).toEqual([1, 2])
    writeFileSync(join(home, 'helper.py'), helper(10))
    const second = await run('sweep', 'train.yaml', ...nats, '--ship', '--name', 'second', '--fresh')
    expect(second.code, second.stderr).toBe(0)
    expect(await losses('second')).toEqual([10, 20])
    const module = await run('sweep', 'mine.ts', '--set', 'x=1,5', ...nats, '--ship', '--name', 'module')
    expect(module.code, module.stderr).toBe(0)
    expect(await losses('module')).toEqual([2, 2])
    expect(there.output()).not.toContain('Error')
    // The key lies in the program's folder, since that is the settings' here.
    const stored = readdirSync(join(root, 'nats'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join()
    expect(stored).toContain('from helper import loss')
    expect(stored).not.toContain('PRIVATE KEY')
    const list = await run('worker', 'list', ...nats)
    expect(list.stdout).toContain(`code of ${key}`)
  })

  it('says within seconds that nobody takes the code, and with what typed a worker does; resume ships it again', async () => {
    const { home, nats, worker, run, losses, key } = await open()
    await worker({})
    const left = await run('sweep', 'train.yaml', ...nats, '--ship', '--name', 'kept', '--detach')
    expect(left.code, left.stderr).toBe(0)
    const waiting = startMlds(['resume', 'kept'], { cwd: home })
    await until(() => /no worker can run 2 trials of train\.[0-9a-f]{8}: .* it takes no code/.test(waiting.output()))
    const [, advice] = /\((?:one that comes later is enough: )mlds ([^)]*)\)/.exec(waiting.output()) ?? []
    expect(advice).toBe(`worker start --accept-code ${key}`)
    await worker({}, ...advice!.split(' ').slice(2))
    expect((await waiting.finished).code, waiting.output()).toBe(0)
    expect(await losses('kept')).toEqual([1, 2])
  })

  it('works with accounts, whose workers can but read what is sent', async () => {
    const config = async (root: string): Promise<string> => {
      expect((await mlds(['nats', 'init', join(root, 'access')], { cwd: root })).code).toBe(0)
      return join(root, 'access', 'server.conf')
    }
    const { root, home, nats, worker, key } = await open(config)
    const context = (role: string) => ({ NATS_CONTEXT: join(root, 'access', 'mlds', `${role}.json`) })
    await worker(context('worker'), '--accept-code', key)
    const env = context('orchestrator')
    const swept = await mlds(['sweep', 'train.yaml', ...nats, '--ship', '--name', 'first'], { cwd: home, env })
    expect(swept.code, swept.stderr).toBe(0)
  })

  it('signs with a key that only its owner can read, and workers take no list of keys that others may write', async () => {
    const { home, run, nats, key } = await open()
    expect(key).toMatch(/^ed25519:[\w-]{43}$/)
    expect((await run('fleet', 'key')).stdout.trim()).toBe(key)
    const file = join(home, 'mlds', 'code.key')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readFileSync(file, 'utf8')).toContain('PRIVATE KEY')
    chmodSync(file, 0o640)
    const refused = await run('sweep', 'train.yaml', ...nats, '--ship')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('others can read or change the key')])
    const keys = join(home, 'keys')
    const start = (word: string) => run('worker', 'start', ...nats, '--accept-code', word)
    for (const [text, mode, why] of [
      [`# lab\n${key}\n`, 0o666, 'others can change this file'],
      ['ssh-ed25519 AAAA\n', 0o600, 'ssh-ed25519 AAAA is not a key'],
      ['', 0o600, 'nothing is not a key'],
    ] as const) {
      writeFileSync(keys, text)
      chmodSync(keys, mode)
      const { code, stderr } = await start(keys)
      expect([code, stderr]).toEqual([2, expect.stringContaining(why)])
    }
    expect((await start('ed25519:short')).stderr).toContain('is neither a key (ed25519:…) nor a file with keys')
  })
})
