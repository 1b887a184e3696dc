import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, startMlds, until } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { giveMlds, hasSshHosts, untilAnswering, withSshLab, type SshHost } from '../../helpers/ssh-hosts.js'

/** A disk of that size in the place of a folder, as the host sees it: its mounts are its own. @returns where it is seen from here. */
function smallDisk({ sshd }: SshHost, folder: string, megabytes: number): string {
  const mount = ['mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]
  execFileSync('nsenter', ['-t', String(sshd.pid), '-m', ...mount])
  return join('/proc', String(sshd.pid), 'root', folder)
}
const copiesIn = ({ home }: SshHost): string[] => {
  const folder = join(home, '.cache', 'mlds')
  return existsSync(folder) ? readdirSync(folder) : []
}

describe.skipIf(!hasSshHosts || !hasNats)('mlds fleet ssh, on a bad day', () => {
  it('brings Node to a host that has none, and takes it away again', async () => {
    const lab = withSshLab({ name: 'bare', node: false })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'bare')
    const start = await mlds(['fleet', 'ssh', 'bare', '--nats', url, '--', '--slots', '1'], lab)
    expect(start.stderr).toContain(`copied: mlds and Node ${process.version}`)
    expect(start.code).toBe(0)
    expect((await mlds(['sweep', 'min-ratio', '--profile', 'smoke', '--nats', url], lab)).code).toBe(0)
    expect((await mlds(['fleet', 'stop', '--now'], lab)).code).toBe(0)
    expect(readdirSync(lab.host('bare').home)).toEqual([])
  })

  it('sends mlds to a host once, and with the last of its fleets it goes again', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'lab1')
    const { home } = lab.host('lab1')
    const start = (name: string) =>
      mlds(['fleet', 'ssh', 'lab1', '--nats', url, '--name', name, '--', '--slots', '1'], lab)
    expect((await start('one')).stderr).toMatch(/lab1: copied: mlds, [\d.]+ MB sent, [\d.]+ MB on its disk\n/)
    expect((await start('two')).stderr).toContain('nothing: mlds is there already')
    expect((await mlds(['sweep', 'min-ratio', '--profile', 'smoke', '--nats', url], lab)).code).toBe(0)
    expect((await mlds(['fleet', 'stop', 'one'], lab)).stderr).toMatch(/lab1-\w+ has ended/)
    expect(readdirSync(join(home, '.cache', 'mlds'))).toHaveLength(2)
    expect((await mlds(['fleet', 'stop'], lab)).code).toBe(0)
    expect(readdirSync(home)).toEqual([])
  })

  it('waits no longer than it is told for a worker that does not come, says what that said last, and ends it later', async () => {
    const lab = withSshLab({ name: 'slow' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'slow')
    giveMlds(lab.host('slow'))
    const setup = join(lab.cwd, 'setup.sh')
    // Read once to look at the host, and once by the shell that is to become the worker.
    writeFileSync(setup, 'if [ -e .cache/mlds/fleet/late.*/pid ]; then echo loading modules; sleep 3600; fi\n')
    const start = ['fleet', 'ssh', 'slow', '--nats', url, '--install', 'none', '--name', 'late', '--setup', setup]
    const late = await mlds([...start, '--join-timeout', '1s'], lab)
    expect(late).toMatchObject({ code: 1, stdout: expect.stringContaining('0 of 1 workers joined as the') as string })
    expect(late.stderr).toMatch(
      /slow: not joined: the server has not heard of .* it runs on, and last said: loading modules/,
    )
    expect((await mlds(['fleet', 'logs', 'slow'], lab)).stdout).toBe('loading modules\n')
    const stopped = await mlds(['fleet', 'stop', '--now'], lab)
    expect(stopped).toMatchObject({ code: 0, stderr: expect.stringContaining('has ended') as string })
    expect(readdirSync(lab.host('slow').home)).toEqual([])
  })

  it('keeps in mind a host whose cable is cut', async () => {
    const lab = withSshLab({ name: 'good' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    giveMlds(lab.host('good'))
    await untilAnswering(lab, 'good')
    const start = ['fleet', 'ssh', 'good', '--nats', url, '--install', 'none', '--', '--slots', '1']
    expect((await mlds(start, lab)).code).toBe(0)
    const { network, home } = lab.host('good')
    network.cut('silently')
    const cut = await mlds(['fleet', 'stop'], lab)
    expect(cut).toMatchObject({ code: 1, stdout: expect.stringContaining('left on 1 of 1 hosts') as string })
    await network.heal()
    expect((await mlds(['fleet', 'stop'], lab)).code).toBe(0)
    expect(readdirSync(home)).toEqual([])

    // In the middle of what is copied: nothing can be taken back.
    const copying = startMlds(['fleet', 'ssh', 'good', '--nats', url, '--name', 'cut'], lab)
    await until(() => copiesIn(lab.host('good')).some((name) => name.startsWith('.part-cut')))
    network.cut('silently')
    const lost = await copying.finished
    expect(lost).toMatchObject({ code: 1, stdout: expect.stringContaining('ends with: mlds fleet stop cut') as string })
    expect(lost.stderr).toMatch(/good: not copied: .*; what it was given may still be there/)
    await network.heal()
    expect((await mlds(['fleet', 'stop'], lab)).code).toBe(0)
    expect(readdirSync(home)).toEqual([])
  })

  it('says of ^C that it was that, and what it leaves', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'lab1')
    const { home } = lab.host('lab1')
    const early = startMlds(['fleet', 'ssh', 'lab1', '--nats', url], lab)
    await until(() => early.output().includes('lab1: connected'))
    early.child.kill('SIGINT')
    expect(await early.finished).toMatchObject({
      code: 130,
      stdout: expect.stringContaining('nothing was left') as string,
    })
    expect(readdirSync(home)).toEqual([])
  })

  it('ends and lists what it can beside a fleet whose file is broken', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'lab1')
    giveMlds(lab.host('lab1'))
    const start = ['fleet', 'ssh', 'lab1', '--nats', url, '--install', 'none', '--name', 'fine', '--', '--slots', '1']
    expect((await mlds(start, lab)).code).toBe(0)
    const broken = join(lab.env['XDG_STATE_HOME']!, 'mlds', 'fleets', 'broken.json')
    writeFileSync(broken, '{"format": 1')
    const told = expect.stringContaining(`not a fleet's file: ${broken}`) as string
    const list = await mlds(['fleet', 'list'], lab)
    expect(list).toMatchObject({
      code: 0,
      stderr: told,
      stdout: expect.stringContaining('0 of 1 slots busy') as string,
    })
    expect(await mlds(['fleet', 'logs', 'lab1'], lab)).toMatchObject({ code: 0, stderr: told })
    expect(await mlds(['fleet', 'stop', '--all', '--now'], lab)).toMatchObject({ code: 1, stderr: told })
    expect(readdirSync(lab.host('lab1').home)).toEqual([])
  })

  it('is ended by stop after it was killed half way, with two fleets at once', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    await untilAnswering(lab, 'lab1')
    const host = lab.host('lab1')
    const start = ['fleet', 'ssh', 'lab1', '--nats', url, '--name']
    const killed = startMlds([...start, 'killed'], lab)
    const other = startMlds([...start, 'other', '--', '--slots', '1'], lab)
    await until(() => copiesIn(host).some((name) => name.startsWith('.part-killed')))
    killed.child.kill('SIGKILL')
    expect((await other.finished).code).toBe(0)
    expect((await mlds(['fleet', 'stop', 'killed'], lab)).code).toBe(0)
    expect((await mlds(['fleet', 'doctor'], lab)).stdout).toContain('the server hears of it')
    expect((await mlds(['fleet', 'stop', 'other', '--now'], lab)).code).toBe(0)
    expect(readdirSync(host.home)).toEqual([])
  })

  it('says that a disk is too small before it sends anything, and what tar said when it fills up', async () => {
    const lab = withSshLab({ name: 'small' }, { name: 'fills' })
    const server = await withNats('', { host: '0.0.0.0' })
    const url = `nats://${lab.here}:${new URL(server.url).port}`
    const home = smallDisk(lab.host('small'), lab.host('small').home, 60)
    mkdirSync(join(lab.host('fills').home, '.cache'))
    const cache = smallDisk(lab.host('fills'), join(lab.host('fills').home, '.cache'), 60)
    await untilAnswering(lab, 'small', 'fills')
    const doctor = await mlds(['fleet', 'doctor', 'small'], lab)
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringMatching(/wrong +its disk has/) as string })
    const start = await mlds(['fleet', 'ssh', 'small', 'fills', '--nats', url, '--name', 'full'], lab)
    expect(start).toMatchObject({ code: 1, stdout: expect.stringContaining('nothing was left') as string })
    expect(start.stderr).toMatch(/small: not copied: its disk has \S+ MB left, and mlds takes \S+ MB/)
    expect(start.stderr).toMatch(/fills: not copied: .*No space left on device|fills: not copied: tar: /)
    expect(readdirSync(home)).toEqual([])
    expect(readdirSync(cache)).toEqual([])
    expect((await mlds(['fleet', 'list'], lab)).stdout).toContain('No fleet was started from here')
  })
})
