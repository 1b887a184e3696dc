import { join } from 'node:path'
import { Config } from '@oclif/core'
import { describe, expect, it } from 'vitest'
import FleetK8s from '../../../src/commands/fleet/k8s.js'
import FleetSlurm from '../../../src/commands/fleet/slurm.js'
import FleetSsh from '../../../src/commands/fleet/ssh.js'
import Resume from '../../../src/commands/resume.js'
import Sweep from '../../../src/commands/sweep.js'
import WorkerStart from '../../../src/commands/worker/start.js'

const commands = {
  sweep: Sweep,
  resume: Resume,
  'fleet ssh': FleetSsh,
  'fleet slurm': FleetSlurm,
  'fleet k8s': FleetK8s,
}
const needed: Record<string, string[]> = {
  sweep: ['params', '--fleet', 'ssh:lab1'],
  resume: ['latest', '--fleet', 'ssh:lab1'],
  'fleet ssh': ['lab1'],
  'fleet slurm': ['--count', '1', '--time', '1h'],
  'fleet k8s': ['--print', '--image', 'a', '--count', '1', '--cores', '1', '--memory', '1', '--nats', 'nats://a'],
}

const config = await Config.load(join(import.meta.dirname, '..', '..', '..'))

describe('a word for the workers', () => {
  const words = Object.keys(WorkerStart.flags).map((name) => `--${name}`)

  it.each(Object.entries(commands))('is one also where mlds %s has a flag of that name', async (name, Command) => {
    for (const word of words) {
      let read: unknown
      class Probe extends (Command as typeof Sweep) {
        override async run(): Promise<unknown> {
          read = (await this.parse(Command as typeof Sweep)).flags['worker-arg']
          return undefined
        }
      }
      await Probe.run([...needed[name]!, `--worker-arg=${word}`, '--worker-arg=1', `--worker-arg=${word}=1`], config)
      expect(read).toEqual([word, '1', `${word}=1`])
    }
  })
})
