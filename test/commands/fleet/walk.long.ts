import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { journalOf } from '../../chaos/courses.js'
import { mlds, startMlds, until } from '../../helpers/cli.js'
import { hasNats } from '../../helpers/nats.js'
import { freePort } from '../../helpers/services.js'
import { hasSlurm, withSlurm } from '../../helpers/slurm.js'
import { hasSshHosts, untilAnswering, withSshLab } from '../../helpers/ssh-hosts.js'

/** `MLDS_WALK_PROFILE=reduced` walks it at the size that a person would. */
const profile = process.env['MLDS_WALK_PROFILE'] ?? 'smoke'

describe.skipIf(!hasSshHosts || !hasNats || !hasSlurm)(
  'a person with three lab machines and an account of Slurm',
  () => {
    it('runs params on all of them by what docs/operations.md says, and nothing stays behind', async () => {
      const slurm = await withSlurm()
      const lab = withSshLab({ name: 'lab1' }, { name: 'lab2', node: false }, { name: 'lab3' })
      await untilAnswering(lab, 'lab1', 'lab2', 'lab3')
      const before = readdirSync(lab.cwd)
      const env = { ...lab.env, ...slurm.env, NATS_CONTEXT: '.mlds/nats/mlds/orchestrator.json' }
      const at = { cwd: lab.cwd, env }
      const url = `nats://${lab.here}:${await freePort()}`
      const took: string[] = []
      const sinceMs = performance.now()
      const note = (what: string, fromMs: number): void =>
        void took.push(`${((performance.now() - fromMs) / 1_000).toFixed(1)} s  ${what}`)
      const step = async (...words: string[]): Promise<string> => {
        const startedMs = performance.now()
        const { code, stdout, stderr } = await mlds(words, words[0] === 'nats' ? lab : at)
        note(`mlds ${words.join(' ')}`, startedMs)
        expect(code, `${words.join(' ')}\n${stdout}${stderr}`).toBe(0)
        return stdout + stderr
      }
      const busy = (): Set<string> =>
        new Set(journalOf(join(lab.cwd, '.mlds')).flatMap((event) => (event.type === 'started' ? [event.worker] : [])))

      await step('nats', 'init', '--host', '0.0.0.0', '--url', url)
      const server = startMlds(['nats', 'up'], lab)
      await until(() => server.output().includes(new URL(url).port))
      const slots = ['--slots', '1']
      await step('fleet', 'ssh', 'lab1', 'lab2', 'lab3', '--nats', url, '--name', 'lab', '--', ...slots)
      const words = slots.map((word) => `--worker-arg=${word}`)
      await step('fleet', 'slurm', '--count', '2', '--time', '1h', '--nats', url, '--name', 'cluster', ...words)
      const sweptMs = performance.now()
      const sweep = startMlds(['sweep', 'params', '--profile', profile, '--nats', url], at)
      const workers = ['lab1-', 'lab2-', 'lab3-', 'cluster-1-', 'cluster-2-']
      const idle = () => workers.filter((worker) => ![...busy()].some((name) => name.includes(worker)))
      // What looks for them is to take nothing from them.
      await expect.poll(idle, { interval: 500 }).toEqual([])
      note('from the first line until each of the five has a trial', sinceMs)
      const { code, stdout: ran, stderr } = await sweep.finished
      expect(code, ran + stderr).toBe(0)
      note(`mlds sweep params --profile ${profile} --nats ${url}`, sweptMs)
      const list = await step('worker', 'list', '--nats', url)
      await step('verify')
      await step('fleet', 'stop', '--all')
      note('in all', sinceMs)
      console.info(`${took.join('\n')}\n${ran.split('\n').slice(-3).join('\n')}\n${list}`)

      for (const name of ['lab1', 'lab2', 'lab3']) expect(readdirSync(lab.host(name).home)).toEqual([])
      expect(slurm.call('squeue', '-h')).toBe('')
      // The sweep and the server's folder are what a person asked for.
      expect(readdirSync(lab.cwd).sort()).toEqual([...before, '.mlds'].sort())
      expect(readdirSync(join(lab.env['XDG_STATE_HOME']!, 'mlds', 'fleets'))).toEqual([])
    })
  },
)
