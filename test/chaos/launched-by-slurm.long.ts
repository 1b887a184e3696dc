import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { hasNats, withNats } from '../helpers/nats.js'
import { hasSlurm, withSlurm } from '../helpers/slurm.js'
import { LaunchedSweep } from './launched.js'

const shape = { trials: 120, ms: 2_500, poison: false }

describe.skipIf(!hasSlurm || !hasNats)('a sweep, with its code, on workers that a real Slurm preempts', () => {
  it('has every result once and the same numbers as undisturbed, whatever Slurm ends, and leaves nothing', async () => {
    const [slurm, server, home] = [await withSlurm(), await withNats(''), temporaryFolder()]
    const at = { cwd: home, env: { ...slurm.env, HOME: home, XDG_STATE_HOME: join(home, 'state') } }
    const sweep = new LaunchedSweep(at, server.url, shape, ['--ship'])
    await sweep.runUndisturbed()
    const submit = async (name: string, count: number, time: string): Promise<string> => {
      const told = ['--nats', server.url, '--name', name, '--setup', sweep.setup, '--accept-code', '--json']
      const slots = ['--worker-arg=--slots', '--worker-arg=1']
      const words = ['fleet', 'slurm', '--count', String(count), '--time', time, ...told, ...slots]
      const { code, stdout, stderr } = await mlds(words, at)
      expect(code, stderr).toBe(0)
      return (JSON.parse(stdout) as { job: string }).job
    }
    const workers = async (): Promise<string[]> => {
      const { stdout } = await mlds(['worker', 'list', '--nats', server.url, '--json'], at)
      return (JSON.parse(stdout) as { worker: string }[]).map(({ worker }) => worker)
    }
    const tasks = (...states: string[]): string[] =>
      slurm.call('squeue', '-h', '-r', '-t', states.join(), '-p', 'test', '-o', '%K').split('\n').filter(Boolean)
    const job = await submit('long', 4, '30m')
    // These are told to go, and are gone, when their minute is over.
    await submit('short', 2, '1m')
    await expect.poll(workers).toHaveLength(6)
    sweep.start()

    await sweep.untilEnded(6)
    slurm.call('scancel', `${job}_1`)
    await sweep.untilEnded(14)
    slurm.call('scontrol', 'requeue', `${job}_2`)
    await sweep.untilEnded(22)
    await sweep.killAndResume()
    await sweep.untilEnded(30)
    // Whoever may preempt takes the whole node; what ran waits in the queue, and comes again.
    const go = join(home, 'go')
    const urgent = join(home, 'urgent.sh')
    writeFileSync(urgent, `#!/bin/sh\nwhile [ ! -e ${go} ]; do sleep 0.2; done\n`)
    slurm.call('sbatch', '--partition=urgent', '--exclusive', '--output=/dev/null', urgent)
    await expect.poll(() => tasks('RUNNING', 'COMPLETING')).toEqual([])
    await expect.poll(workers).toEqual([])
    const begun = sweep.begun()
    expect(tasks('PENDING').length).toBeGreaterThan(0)
    expect(sweep.ended()).toBeLessThan(shape.trials)
    writeFileSync(go, '')
    await sweep.expectWhole()
    expect(sweep.begun()).toBeGreaterThan(begun)
    // What was handed back or lost ran again.
    expect(sweep.begun()).toBeGreaterThan(shape.trials)

    const stopped = await mlds(['fleet', 'stop', '--all', '--now'], at)
    expect(stopped.code, stopped.stdout + stopped.stderr).toBe(0)
    expect(slurm.call('squeue', '-h')).toBe('')
    expect(readdirSync(home)).not.toContain('.cache')
    expect(readdirSync(join(home, 'state', 'mlds', 'fleets'))).toEqual([])
    expect(await workers()).toEqual([])
  })
})
