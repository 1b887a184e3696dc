import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { mlds } from '../helpers/cli.js'
import { hasNats, withNats } from '../helpers/nats.js'
import { giveMlds, hasSshHosts, pidOfWorker, untilAnswering, withSshLab, type SshLab } from '../helpers/ssh-hosts.js'
import { LaunchedSweep } from './launched.js'

const names = ['lab1', 'lab2', 'lab3'] as const
const shape = { trials: 90, ms: 600, poison: true }

/** A worker on each host; where one has died, whoever looks after the lab starts the next. */
class KeptWorkers {
  readonly #pids = new Map<string, number>()
  /** Workers that were started. */
  started = 0

  constructor(
    private readonly lab: SshLab,
    private readonly words: readonly string[],
  ) {}

  async start(host: string): Promise<void> {
    const fleet = `kept-${++this.started}`
    const { code } = await mlds(['fleet', 'ssh', host, '--name', fleet, ...this.words], this.lab)
    if (code === 0) this.#pids.set(host, pidOfWorker(this.lab.host(host), fleet))
  }

  isAlive = (host: string): boolean => existsSync(`/proc/${this.#pids.get(host) ?? 0}`) && this.#pids.has(host)

  /** Kills the worker of the host, or of the next that has one. */
  kill(host: string): void {
    const living = [host, ...names].find((name) => this.isAlive(name))
    if (living !== undefined) process.kill(this.#pids.get(living)!, 'SIGKILL')
  }

  async keep(isOver: () => boolean): Promise<void> {
    const keepOne = async (host: string): Promise<void> => {
      while (!isOver()) {
        if (!this.isAlive(host)) await this.start(host)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
    await Promise.all(names.map(keepOne))
  }
}

describe.skipIf(!hasSshHosts || !hasNats)('a sweep on workers that mlds fleet ssh started on three hosts', () => {
  it('has every result once and the same numbers as undisturbed, whoever is killed and cut off, and leaves nothing', async () => {
    const lab = withSshLab(...names.map((name) => ({ name })))
    const server = await withNats('', { host: '0.0.0.0' })
    await untilAnswering(lab, ...names)
    for (const name of names) giveMlds(lab.host(name))
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    const sweep = new LaunchedSweep(lab, url, shape)
    await sweep.runUndisturbed()
    const told = ['--nats', url, '--install', 'none', '--setup', sweep.setup]
    const words = ['--', '--slots', '2', '--lease', '5s', '--experiment', sweep.file]
    const workers = new KeptWorkers(lab, [...told, ...words])
    let isOver = false
    onTestFinished(() => void (isOver = true))
    await Promise.all(names.map((name) => workers.start(name)))
    expect(names.filter(workers.isAlive)).toEqual(names)
    const keeping = workers.keep(() => isOver)
    sweep.start()

    await sweep.untilEnded(8)
    workers.kill('lab1')
    await sweep.untilEnded(16)
    lab.host('lab2').network.cut('silently')
    await sweep.untilEnded(26)
    await sweep.killAndResume()
    await sweep.untilEnded(34)
    await lab.host('lab2').network.heal()
    workers.kill('lab3')
    await sweep.untilEnded(44)
    lab.host('lab1').network.cut('with a reset')
    await sweep.untilEnded(54)
    await lab.host('lab1').network.heal()
    await sweep.killAndResume()
    await sweep.untilEnded(62)
    workers.kill('lab2')
    await sweep.expectWhole()
    isOver = true
    await keeping
    expect(sweep.begun()).toBeGreaterThan(shape.trials + 1)
    // Three were killed by hand, three by the poison.
    expect(workers.started).toBeGreaterThanOrEqual(names.length + 3)

    const stopped = await mlds(['fleet', 'stop', '--all', '--now'], lab)
    expect(stopped.code, stopped.stdout + stopped.stderr).toBe(0)
    for (const name of names) expect(readdirSync(lab.host(name).home)).toEqual([])
    expect(readdirSync(join(lab.env['XDG_STATE_HOME']!, 'mlds', 'fleets'))).toEqual([])
    // One that has ended stays in the list of processes until it was asked after.
    await expect.poll(() => names.filter(workers.isAlive)).toEqual([])
    // One that was killed lately stays in the server's list for half a minute; those that were stopped have said that they go.
    expect(stopped.stderr).not.toContain('was killed')
    const listed = async (): Promise<string> => (await mlds(['worker', 'list', '--nats', url], lab)).stdout
    await expect.poll(listed).toContain('No workers')
  })
})
