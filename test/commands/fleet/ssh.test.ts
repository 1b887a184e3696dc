import { existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { giveMlds, hasSshHosts, shelve, untilAnswering, withSshLab, type SshLab } from '../../helpers/ssh-hosts.js'

interface Started {
  readonly hosts: readonly { host: string; worker: string; step: string; why?: string }[]
}

const fleetsFolder = ({ env }: SshLab): string => join(env['XDG_STATE_HOME']!, 'mlds', 'fleets')

/** The process that holds the only tunnel of a fleet. */
function tunnelPid(lab: SshLab, fleet: string): number {
  const text = readFileSync(join(fleetsFolder(lab), `${fleet}.json`), 'utf8')
  return (JSON.parse(text) as { hosts: [{ tunnel: { identity: { pid: number } } }] }).hosts[0].tunnel.identity.pid
}

/** An experiment that costs nothing. */
function writeTrial(folder: string): string {
  const [program, file] = [join(folder, 'trial.sh'), join(folder, 'trial.yaml')]
  writeFileSync(program, 'echo "{\\"loss\\": $1}"\n')
  writeFileSync(file, `experiment: { command: [sh, ${program}, '{x}'] }\naxes: { x: [1, 2] }\n`)
  return file
}

describe.skipIf(!hasSshHosts || !hasNats)('mlds fleet ssh', () => {
  it('starts what it can on hosts of all kinds, says of each other why not, runs a sweep, and leaves nothing', async () => {
    const [good, inner] = [{ name: 'good' }, { name: 'inner', behind: 'good' }]
    const twin = { name: 'twin', shares: 'good' }
    const closed = { name: 'closed', login: 'echo The lab is closed; exit 1' }
    const shut = { name: 'shut', forwards: false }
    const lab = withSshLab(good, inner, twin, closed, { name: 'changed' }, { name: 'locked' }, { name: 'bare' }, shut)
    const server = await withNats('authorization { user: u, password: "s3cret" }', { host: '0.0.0.0' })
    const { port } = new URL(server.url)
    const url = `nats://${lab.here}:${port}`
    const mine = { ...lab, env: { ...lab.env, NATS_USER: 'u', NATS_PASSWORD: 's3cret' } }
    const run = (...args: string[]) => mlds(args, mine)
    const configuration = 'Host changed\n  HostKeyAlias good\nHost locked\n  PubkeyAuthentication no\n'
    lab.configure(configuration)
    for (const name of ['good', 'inner', 'twin', 'shut']) giveMlds(lab.host(name))
    await untilAnswering(lab, 'inner')
    // What a person has for logins is not for mlds.
    const logins = `Host inner\n  RemoteCommand false\n  ExitOnForwardFailure yes\n  LocalForward ${port} 127.0.0.1:1\n`
    const asNoPipe = 'Host inner twin\n  ForkAfterAuthentication yes\n  SessionType none\n  StdinNull yes\n'
    lab.configure(configuration + logins + asNoPipe)
    const { home } = lab.host('good')
    const theirs = JSON.stringify({ url: 'nats://elsewhere', user: 'u', password: 's3cret' })
    writeFileSync(join(lab.cwd, 'theirs.json'), theirs)
    const file = writeTrial(lab.cwd)

    const refused = await run('fleet', 'ssh', 'good', '--nats', url)
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('yours are not for workers') as string })
    expect(readdirSync(home)).toEqual([])

    // Which hosts come, and why the others do not.
    const given = ['--context', 'theirs.json', '--install', 'none', '--json']
    const hosts = ['good', 'inner', 'twin', 'changed', 'locked', 'bare', 'closed']
    const words = ['--', '--slots', '1', '--experiment', file]
    const started = await run('fleet', 'ssh', ...hosts, '--nats', url, '--name', 'lab', ...given, ...words)
    expect(started.code).toBe(1)
    const { hosts: outcomes } = JSON.parse(started.stdout) as Started
    expect(outcomes).toMatchObject([
      { host: 'good', step: 'joined' },
      { host: 'inner', step: 'joined' },
      { host: 'twin', step: 'joined' },
      { host: 'changed', step: 'none', why: expect.stringContaining('Host key verification failed') as string },
      { host: 'locked', step: 'none', why: expect.stringContaining('Permission denied (publickey)') as string },
      { host: 'bare', step: 'connected', why: expect.stringContaining('no mlds on its PATH') as string },
      { host: 'closed', step: 'none', why: 'The lab is closed' },
    ])
    expect(started.stderr).toContain('locked: not connected: ')
    expect(started.stderr).toMatch(/good: copied: nothing: it has .*\/mlds \d+\.\d+\.\d+/)
    for (const name of ['changed', 'locked', 'bare']) expect(readdirSync(lab.host(name).home)).toEqual([])

    // Credentials stand where only the user reads them.
    const fleet = join(home, '.cache', 'mlds', 'fleet', `lab.${outcomes[0]!.worker}`)
    const pid = readFileSync(join(fleet, 'pid'), 'utf8').trim()
    for (const place of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, join(fleet, 'run')])
      expect(readFileSync(place, 'utf8')).not.toContain('s3cret')
    expect(statSync(join(fleet, 'context.json')).mode & 0o77).toBe(0)
    expect(readFileSync(join(fleet, 'context.json'), 'utf8')).toContain('s3cret')

    // The trials run there; a fleet that a sweep brings along goes with it.
    shelve(lab.host('inner'))
    const brought = ['--fleet', 'ssh:inner', '--context', 'theirs.json', '--worker-arg=--experiment']
    const sweep = await run('sweep', file, '--nats', url, ...brought, `--worker-arg=${file}`)
    expect(sweep).toMatchObject({ code: 0, stderr: expect.stringContaining('1 of 1 workers joined') as string })
    expect(readdirSync(fleetsFolder(lab))).toEqual(['lab.json'])
    expect((await run('fleet', 'list')).stdout).toMatch(
      new RegExp(`lab +good +${outcomes[0]!.worker} +joined +0 of 1 slots busy`),
    )

    // A second fleet, to which the server is brought; its tunnel is lost.
    const own = `nats://127.0.0.1:${port}`
    const tunnelled = ['--nats', own, '--name', 'far', '--tunnel', ...given]
    const far = await run('fleet', 'ssh', 'twin', 'shut', ...tunnelled, '--', '--slots', '1')
    expect((JSON.parse(far.stdout) as Started).hosts).toMatchObject([
      { host: 'twin', step: 'joined' },
      { host: 'shut', step: 'copied', why: expect.stringContaining('no tunnel: ') as string },
    ])
    expect(readdirSync(lab.host('shut').home)).toEqual([])
    expect((await run('fleet', 'list', 'far')).stdout).not.toContain('shut')
    const lost = tunnelPid(lab, 'far')
    process.kill(lost, 'SIGKILL')
    const doctor = await run('fleet', 'doctor', '--fleet', 'far')
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining('was opened again') as string })
    const again = tunnelPid(lab, 'far')
    expect(again).not.toBe(lost)

    const drained = await run('fleet', 'drain', 'lab')
    expect(drained.stdout.match(/takes no more trials/g)).toHaveLength(3)

    // A fleet that an earlier version started has its files under the fleet's name.
    const [state, inners] = [join(fleetsFolder(lab), 'lab.json'), join(lab.host('inner').home, '.cache/mlds/fleet')]
    const { hosts: members, ...rest } = JSON.parse(readFileSync(state, 'utf8')) as { hosts: { place?: string }[] }
    const earlier = members.map(({ place, ...member }, i) => (i === 1 ? member : { ...member, place }))
    expect(members[1]!.place).toBe(`lab.${outcomes[1]!.worker}`)
    renameSync(join(inners, members[1]!.place!), join(inners, 'lab'))
    writeFileSync(state, JSON.stringify({ ...rest, hosts: earlier }))
    expect((await run('fleet', 'logs', 'inner')).stdout).toContain('is ready')
    expect((await run('fleet', 'doctor', 'inner')).stdout).toContain(`${outcomes[1]!.worker} `)

    // A host that can't be reached stays written down.
    lab.configure(`${configuration}Host good\n  HostName 127.0.0.1\n  Port 1\n`)
    const away = await run('fleet', 'stop', '--all', '--now')
    expect(away).toMatchObject({ code: 1, stdout: expect.stringContaining('left on 2 of 3 hosts') as string })
    lab.configure(configuration)
    expect((await run('fleet', 'stop', '--all', '--now')).code).toBe(0)
    for (const name of ['good', 'inner']) expect(readdirSync(lab.host(name).home)).toEqual([])
    expect(readdirSync(fleetsFolder(lab))).toEqual([])
    await expect.poll(() => existsSync(`/proc/${again}`)).toBe(false)
  })
})
