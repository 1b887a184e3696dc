import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, until, type Running } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasSshHosts, shelve, untilAnswering, withSshLab, type SshLab } from '../../helpers/ssh-hosts.js'

const fleets = ({ env }: SshLab): string[] => {
  const folder = join(env['XDG_STATE_HOME']!, 'mlds', 'fleets')
  return existsSync(folder) ? readdirSync(folder) : []
}
const at = (running: Running, text: string) => until(() => running.output().includes(text))

/** A program that waits until a file is there. */
function writeWaiting(folder: string): { file: string; go: string; begun: string } {
  const [program, file, go, begun] = ['wait.sh', 'wait.yaml', 'go', 'begun'].map((name) => join(folder, name))
  writeFileSync(program!, `touch ${begun}\nwhile [ ! -e ${go} ]; do sleep 0.1; done\necho '{"loss": 1}'\n`)
  writeFileSync(file!, `experiment: { command: [sh, ${program}, '{x}'] }\naxes: { x: [1, 2, 3, 4] }\n`)
  return { file: file!, go: go!, begun: begun! }
}

async function withLab() {
  const lab = withSshLab({ name: 'lab1' }, { name: 'lab2' })
  const server = await withNats('', { host: '0.0.0.0' })
  await untilAnswering(lab, 'lab1', 'lab2')
  const waiting = writeWaiting(lab.cwd)
  const url = `nats://${lab.here}:${new URL(server.url).port}`
  const words = [`--worker-arg=--experiment`, `--worker-arg=${waiting.file}`, '--worker-arg=--slots', '--worker-arg=1']
  const sweep = ['sweep', waiting.file, '--nats', url, ...words]
  /** Both without what was copied; none is written down. */
  const expectNothing = (): void => {
    for (const name of ['lab1', 'lab2']) expect(readdirSync(lab.host(name).home)).toEqual([])
    expect(fleets(lab)).toEqual([])
  }
  return { lab, url, sweep, words, ...waiting, expectNothing }
}

describe.skipIf(!hasSshHosts || !hasNats)('a sweep that brings its workers along', () => {
  it('starts them once there is something to run, and ends them', async () => {
    const { lab, sweep, go, expectNothing } = await withLab()
    writeFileSync(go, '')
    const ran = await mlds([...sweep, '--fleet', 'ssh:lab1,lab2'], lab)
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining('2 of 2 workers joined') as string })
    expect(ran.stdout).toContain('4 of 4 trials finished')
    expectNothing()
    const again = await mlds([...sweep, '--fleet', 'ssh:lab1,lab2'], lab)
    expect(again.code).toBe(0)
    expect(again.stderr).not.toContain('connected')
  })

  it('takes back what was begun when Ctrl-C comes while they are started', async () => {
    const { lab, sweep, expectNothing } = await withLab()
    const early = startMlds([...sweep, '--fleet', 'ssh:lab1,lab2'], lab)
    await at(early, 'connected')
    early.child.kill('SIGINT')
    const { code, stderr } = await early.finished
    expect([code, stderr]).toEqual([130, expect.stringContaining('nothing has run')])
    expectNothing()
  })

  it('ends them after Ctrl-C while trials run, once or twice', async () => {
    const { lab, sweep, go, begun, expectNothing } = await withLab()
    const interrupt = async () => {
      shelve(lab.host('lab1'))
      const running = startMlds([...sweep, '--fleet', 'ssh:lab1'], lab)
      await until(() => existsSync(begun))
      running.child.kill('SIGINT')
      await at(running, 'Letting the running trials finish')
      return running
    }
    const twice = await interrupt()
    twice.child.kill('SIGINT')
    expect((await twice.finished).code).toBe(130)
    expectNothing()

    rmSync(begun)
    const once = await interrupt()
    writeFileSync(go, '')
    expect((await once.finished).code).toBe(130)
    expectNothing()
  })

  it('is gone on with after its process was killed, here and from a host that has nothing of it', async () => {
    const { lab, url, sweep, words, file, go, begun, expectNothing } = await withLab()
    const brought = ['--fleet', 'ssh:lab1,lab2', ...words]
    const shelveBoth = (): void => ['lab1', 'lab2'].forEach((name) => shelve(lab.host(name)))
    const kill = async ({ child, finished }: Running): Promise<void> => {
      await until(() => existsSync(begun))
      child.kill('SIGKILL')
      await finished
      rmSync(begun)
    }
    shelveBoth()
    await kill(startMlds([...sweep, '--name', 'q', '--fleet', 'ssh:lab1'], lab))
    const [left] = fleets(lab)
    const resumed = startMlds(['resume', 'q', ...brought], lab)
    // Who looks learns what the killed one has left, and how to end it.
    await at(resumed, `mlds fleet stop ${left!.replace('.json', '')}`)
    await kill(resumed)
    writeFileSync(go, '')
    const id = readdirSync(join(lab.cwd, '.mlds', 'sweeps'))[0]!
    const elsewhere = ['--store', join(lab.cwd, 'elsewhere'), '--experiment', file]
    const finished = await mlds(['resume', id, '--nats', url, ...elsewhere, ...brought], lab)
    expect(finished).toMatchObject({ code: 0, stdout: expect.stringContaining('4 of 4 trials') as string })
    const here = await mlds(['resume', 'q', ...brought], lab)
    expect(here).toMatchObject({ code: 0, stdout: expect.stringContaining('4 of 4 trials') as string })
    expect(fleets(lab)).toHaveLength(2)
    expect((await mlds(['fleet', 'stop', '--all', '--now'], lab)).code).toBe(0)
    expectNothing()
  })

  it('goes on with those that come, says what is left where a host is lost, and fails where none comes', async () => {
    const { lab, url, sweep, go, begun, expectNothing } = await withLab()
    lab.configure('Host lab2\n  PubkeyAuthentication no\n')
    const none = await mlds([...sweep, '--fleet', 'ssh:lab2'], lab)
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('no worker joined: lab2') as string })
    expectNothing()

    shelve(lab.host('lab1'))
    const running = startMlds([...sweep, '--fleet', 'ssh:lab1,lab2'], lab)
    await at(running, '1 of 2 workers joined')
    await until(() => existsSync(begun))
    lab.configure('Host lab1\n  HostName 127.0.0.1\n  Port 1\n')
    writeFileSync(go, '')
    const ran = await running.finished
    expect(ran.stdout).toContain('4 of 4 trials finished')
    expect(ran.code).toBe(1)
    const [, advice] = /End it with: mlds (.*)/.exec(ran.stderr) ?? []
    lab.configure('')
    expect((await mlds(advice!.split(' '), lab)).code).toBe(0)
    expectNothing()
    expect((await mlds(['worker', 'list', '--nats', url], lab)).stdout).toContain('No workers')
  })
})
