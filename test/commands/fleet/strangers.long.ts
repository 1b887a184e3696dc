import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, mlds, startMlds, until } from '../../helpers/cli.js'
import { hasNats, withNats } from '../../helpers/nats.js'
import { hasSshHosts, shelve, untilAnswering, withSshLab, type SshLab } from '../../helpers/ssh-hosts.js'

const nobody = 65_534

async function withServer(lab: SshLab): Promise<string> {
  const server = await withNats('', { host: '0.0.0.0' })
  return `nats://${lab.here}:${new URL(server.url).port}`
}

function writeProgram({ cwd }: SshLab, ...lines: readonly string[]): void {
  writeFileSync(join(cwd, 'train.sh'), `${lines.join('\n')}\necho "{\\"loss\\": $1}"\n`)
  writeFileSync(join(cwd, 'train.yaml'), 'experiment: { command: "sh train.sh {x}" }\naxes: { x: [1, 2, 3] }\n')
}

describe.skipIf(!hasSshHosts || !hasNats)('mlds fleet ssh, on hosts as strangers have them', () => {
  it('serves a user without rights, whose home folder has a space, quotes and a dollar in its name', async () => {
    const lab = withSshLab({ name: 'odd', folder: "it's $HOME of `me`", uid: nobody })
    const url = await withServer(lab)
    await untilAnswering(lab, 'odd')
    const { home } = lab.host('odd')
    writeProgram(lab, `[ $(id -u) = ${nobody} ] && [ "$GREETING" = hello ] || exit 1`)
    writeFileSync(join(lab.cwd, 'setup.sh'), 'export GREETING=hello\n')
    const start = ['fleet', 'ssh', 'odd', '--nats', url, '--accept-code', '--setup', 'setup.sh', '--', '--slots', '1']
    expect((await mlds(start, lab)).code).toBe(0)
    const sweep = await mlds(['sweep', 'train.yaml', '--nats', url, '--ship'], lab)
    expect(sweep).toMatchObject({ code: 0, stdout: expect.stringContaining('3 of 3 trials finished') as string })
    for (const words of [['list'], ['logs', 'odd'], ['doctor'], ['stop']])
      expect((await mlds(['fleet', ...words], lab)).code, words[0]).toBe(0)
    expect(readdirSync(home)).toEqual([])
  })

  it.each([true, false])(
    'copies nothing to a home folder from which nothing can be executed, and says so (Node there: %s)',
    async (node) => {
      const lab = withSshLab({ name: 'closed', node })
      const url = await withServer(lab)
      await untilAnswering(lab, 'closed')
      const { home, sshd } = lab.host('closed')
      const enter = ['-t', String(sshd.pid), '-m']
      execFileSync('nsenter', [...enter, 'mount', '-t', 'tmpfs', '-o', 'noexec', 'tmpfs', home])
      const said = `nothing can be executed from ${home} (noexec)`
      const start = () => mlds(['fleet', 'ssh', 'closed', '--nats', url, '--', '--slots', '1'], lab)
      expect(await start()).toMatchObject({ code: 1, stderr: expect.stringContaining(said) as string })
      const doctor = await mlds(['fleet', 'doctor', 'closed'], lab)
      expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining(said) as string })
      expect(readdirSync(join('/proc', String(sshd.pid), 'root', home))).toEqual([])

      // As it advises.
      const other = join(lab.cwd, '..', 'scratch')
      const link = `mkdir ${other} ${home}/.cache && ln -s ${other} ${home}/.cache/mlds`
      execFileSync('nsenter', [...enter, 'sh', '-c', link])
      expect((await start()).code).toBe(0)
      expect((await mlds(['sweep', 'min-ratio', '--profile', 'smoke', '--nats', url], lab)).code).toBe(0)
      expect((await mlds(['fleet', 'stop', '--now'], lab)).code).toBe(0)
      expect(readdirSync(other)).toEqual([])
    },
  )

  it('runs a sweep to its end with the code that it began with, whatever is edited meanwhile', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const url = await withServer(lab)
    await untilAnswering(lab, 'lab1')
    const [trace, go] = [join(lab.cwd, '..', 'trace'), join(lab.cwd, '..', 'go')]
    const write = (version: string): void =>
      writeProgram(lab, `echo ${version} >>${trace}`, `while [ ! -e ${go} ]; do sleep 0.1; done`)
    write('first')
    shelve(lab.host('lab1'))
    expect((await mlds(['fleet', 'ssh', 'lab1', '--nats', url, '--accept-code', '--', '--slots', '1'], lab)).code).toBe(
      0,
    )
    const sweep = ['sweep', 'train.yaml', '--nats', url, '--ship']
    const first = startMlds(sweep, lab)
    await until(() => existsSync(trace))
    write('second')
    writeFileSync(go, '')
    expect((await first.finished).code).toBe(0)
    expect(linesOf(trace)).toEqual(['first', 'first', 'first'])
    expect((await mlds(sweep, lab)).code).toBe(0)
    expect(linesOf(trace).slice(3)).toEqual(['second', 'second', 'second'])
    expect((await mlds(['fleet', 'stop'], lab)).code).toBe(0)
  })

  it('leaves code that another key has signed alone, and says to whoever sent it whose code is taken', async () => {
    const lab = withSshLab({ name: 'lab1' })
    const url = await withServer(lab)
    await untilAnswering(lab, 'lab1')
    const trace = join(lab.cwd, '..', 'trace')
    writeProgram(lab, `echo ran >>${trace}`)
    shelve(lab.host('lab1'))
    expect((await mlds(['fleet', 'ssh', 'lab1', '--nats', url, '--accept-code', '--', '--slots', '1'], lab)).code).toBe(
      0,
    )
    const stranger = { cwd: lab.cwd, env: { ...lab.env, XDG_CONFIG_HOME: join(lab.cwd, '..', 'stranger') } }
    const foreign = startMlds(['sweep', 'train.yaml', '--nats', url, '--ship'], stranger)
    await until(() =>
      /lab1-\w+ on .*: it takes no code of ed25519:\S+ \(.*--accept-code ed25519:/.test(foreign.output()),
    )
    foreign.child.kill('SIGINT')
    expect((await foreign.finished).code).toBe(130)
    expect(existsSync(trace)).toBe(false)
    const own = await mlds(['sweep', 'train.yaml', '--nats', url, '--ship', '--name', 'own'], lab)
    expect(own.code).toBe(0)
    expect(readFileSync(trace, 'utf8')).toBe('ran\nran\nran\n')
    expect((await mlds(['fleet', 'stop'], lab)).code).toBe(0)
  })
})
