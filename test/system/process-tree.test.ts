import { spawn } from 'node:child_process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { processList, PsList, type ListedProcess, type ProcessList } from '../../src/system/process-list.js'
import { ProcessTree } from '../../src/system/process-tree.js'
import { isRunning } from '../helpers/processes.js'
import { until } from '../helpers/cli.js'

/** A host as the test says it is: no signal is sent to a pid of it, since none is one of a process. */
class FakeHost implements ProcessList {
  processes: (ListedProcess & { readonly marked?: boolean; readonly resident?: number; readonly own?: number })[] = []
  marksRead = 0

  list(): ListedProcess[] {
    return this.processes
  }

  isMarked(pid: number): boolean {
    this.marksRead++
    return this.#find(pid)?.marked ?? false
  }

  residentBytes(pid: number): number {
    return this.#find(pid)?.resident ?? 0
  }

  proportionalBytes(pid: number): number {
    return this.#find(pid)?.own ?? 0
  }

  usage(): undefined {
    return undefined
  }

  #find(wanted: number) {
    return this.processes.find(({ pid }) => pid === wanted)
  }
}

/** Above what any kernel gives out. */
const root = 2 ** 30
const at = (pid: number, parent: number, group: number, started = '1') => ({
  ...{ pid: root + pid, parent: root + parent, group: root + group, started },
})

describe('a tree of processes', () => {
  it('is what is in its group, descends from it or has its mark, and nothing else', () => {
    const host = new FakeHost()
    host.processes = [
      at(0, 90, 0),
      at(1, 0, 0),
      at(2, 1, 2),
      at(3, 2, 2),
      at(4, 91, 0),
      { ...at(5, 91, 5), marked: true },
      at(6, 5, 6),
      at(7, 91, 7),
    ]
    const tree = new ProcessTree(root, 'MARK=1', host)
    expect(
      tree
        .look()
        .map((pid) => pid - root)
        .sort(),
    ).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('keeps those that it has seen when their parents are gone, and takes no other process for them', () => {
    const host = new FakeHost()
    host.processes = [at(0, 90, 0), at(2, 0, 2), at(3, 0, 3)]
    const tree = new ProcessTree(root, 'MARK=1', host)
    tree.look()
    // The root is gone, and another process has been given the pid of one of its children.
    host.processes = [at(2, 91, 2), at(3, 91, 3, 'later')]
    expect(tree.look()).toEqual([root + 2])
  })

  it('asks each other process once for its mark', () => {
    const host = new FakeHost()
    host.processes = [at(0, 90, 0), at(7, 91, 7)]
    const tree = new ProcessTree(root, 'MARK=1', host)
    for (let look = 0; look < 5; look++) tree.look()
    expect(host.marksRead).toBe(1)
  })

  it('counts what processes share for each of them, unless that is more than the limit', () => {
    const host = new FakeHost()
    host.processes = [
      { ...at(0, 90, 0), resident: 600, own: 350 },
      { ...at(1, 0, 0), resident: 600, own: 250 },
      { ...at(7, 91, 7), resident: 9_000, own: 9_000 },
    ]
    const tree = new ProcessTree(root, 'MARK=1', host)
    expect(tree.memory(1_200)).toEqual({ bytes: 1_200, processes: 2 })
    expect(tree.memory(1_199)).toEqual({ bytes: 600, processes: 2 })
  })

  it('is given up where processes come faster than they can be ended', () => {
    const host = new FakeHost()
    let next = 0
    host.list = () => [at(0, 90, 0), at(++next, 0, 0)]
    expect(new ProcessTree(root, 'MARK=1', host).kill()).toBe(false)
  })
})

describe.each([
  ['/proc', () => processList('linux')],
  ['ps', () => new PsList()],
])('by what %s tells, a tree of processes', (kind, open) => {
  it.skipIf(kind === '/proc' && process.platform !== 'linux')(
    'ends with all that it has started, also in sessions of their own without an environment',
    async () => {
      const script = `const { spawn } = require('child_process')
        const options = { detached: true, env: {}, stdio: 'ignore' }
        const pids = [1, 2].map(() => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], options).pid)
        process.on('SIGTERM', () => {})
        console.log(JSON.stringify(pids))
        setInterval(() => {}, 1000)`
      const child = spawn(process.execPath, ['-e', script], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
      onTestFinished(() => void child.kill('SIGKILL'))
      const pids = JSON.parse(
        await new Promise<string>((resolve) => child.stdout.once('data', (chunk) => resolve(String(chunk)))),
      ) as number[]
      const tree = new ProcessTree(child.pid!, 'MARK=none', open())
      const { bytes, processes } = tree.memory(Infinity)
      expect(processes).toBe(3)
      // Three runtimes of JavaScript.
      expect(bytes).toBeGreaterThan(3 * 20e6)
      expect(bytes).toBeLessThan(3 * 500e6)
      expect(tree.kill()).toBe(true)
      await until(() => ![child.pid!, ...pids].some((pid) => isRunning(pid)))
    },
  )

  it.skipIf(kind === '/proc' && process.platform !== 'linux')('ends although it forks as fast as it can', async () => {
    // Each lives for a moment, in a session of its own.
    const script = 'while :; do setsid sleep 0.01 & done'
    const child = spawn('sh', ['-c', script], {
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, MARK: 'fast' },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const tree = new ProcessTree(child.pid!, 'MARK=fast', open())
    while (tree.look().length < 3);
    expect(tree.kill()).toBe(true)
    // One that is killed is there until it has had its turn.
    await expect.poll(() => tree.look()).toEqual([])
  })
})
