import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../../helpers/cli.js'

/** A fleet of two hosts, and one that is an array of four tasks, of which the third has said something. */
function withFleets() {
  const home = temporaryFolder()
  const [states, place] = [join(home, 'state', 'mlds', 'fleets'), join(home, '.cache', 'mlds', 'fleet', 'lab')]
  for (const folder of [states, place]) mkdirSync(folder, { recursive: true })
  const common = { format: 1, createdAtMs: 0, nats: 'nats://127.0.0.1:1', tenant: 'mlds', graceSeconds: 20 }
  const write = (state: { name: string; hosts: object[]; slurm?: object }): void =>
    writeFileSync(join(states, `${state.name}.json`), JSON.stringify({ ...common, ...state }))
  write({ ...{ name: 'lab', hosts: [] }, ...{ slurm: { job: '57', count: 4 } } })
  writeFileSync(join(place, '3.log'), 'one\ntwo\nthree\n')
  const env = { HOME: home, XDG_STATE_HOME: join(home, 'state') }
  return { write, logs: (...words: string[]) => mlds(['fleet', 'logs', ...words], { cwd: home, env }) }
}

describe('mlds fleet logs', () => {
  it.each(['lab-3', 'lab-3-57'])('shows what a task of Slurm has said, by the name %s', async (name) => {
    const { logs } = withFleets()
    expect(await logs(name, '--lines', '2')).toMatchObject({ code: 0, stdout: 'two\nthree\n' })
  })

  it('says of a task that waits that it has no log yet, and of what is none which there are', async () => {
    const { write, logs } = withFleets()
    expect(await logs('lab-2')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no log is there: task 2 has not begun, see squeue') as string,
    })
    write({ ...{ name: 'other' }, ...{ hosts: [{ host: 'lab1', worker: 'lab1-0a', step: 'joined' }] } })
    for (const name of ['lab-5', 'lab-0', 'lab-x', 'lab2'])
      expect(await logs(name)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('lab-1 to lab-4') as string,
      })
    expect((await logs('lab2')).stderr).toContain('did you mean lab1?')
  })
})
