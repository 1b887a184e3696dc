import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { describeArray } from '../../src/app/fleet/look.js'
import { here, misfit, readCheck, unready } from '../../src/fleet/check.js'
import { parseHost, thisHost } from '../../src/fleet/host.js'
import { askHost, checkHost, lookAtWorker } from '../../src/fleet/launch.js'
import { checkScript, receiveScript, stateScript } from '../../src/fleet/scripts.js'
import { toldBy } from '../../src/fleet/ssh.js'
import type { FleetState } from '../../src/fleet/state.js'
import { temporaryFolder } from '../helpers/cli.js'

const ask = (script: string) => askHost(thisHost, script, { timeoutMs: 60_000 })
const greeting = 'printf "Welcome to the lab"'

/** Everything but tar. */
function withoutTar(home: string): void {
  for (const program of readdirSync('/usr/bin'))
    if (program !== 'tar') symlinkSync(join('/usr/bin', program), join(home, program))
  vi.stubEnv('PATH', home)
}

describe('what a host is understood to say', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('is the same after a profile that prints something without a newline', async () => {
    vi.stubEnv('HOME', temporaryFolder())
    expect(readCheck(await ask(`${greeting}; ${checkScript({ setup: false, own: false })}`))).toMatchObject({
      platform: process.platform,
      arch: process.arch,
    })
    expect(toldBy(await ask(`${greeting}; ${receiveScript('lab', undefined)}`)).has('have')).toBe(true)
    expect(toldBy(await ask(`${greeting}; ${stateScript('none', 'none-1')}`)).get('worker')).toBe('gone')
  })

  it.each([
    [
      'a login shell that refuses on its standard output',
      'echo "Your account has ended"; exit 3',
      'Your account has ended',
    ],
    [
      'tar, whose last line says nothing',
      'echo "tar: x: Cannot write: No space left on device" >&2; echo "tar: Exiting with failure status due to previous errors" >&2; exit 2',
      'tar: x: Cannot write: No space left on device',
    ],
    ['a program that says nothing', 'echo "mlds: want"; exit 4', 'the host ended a step with exit code 4'],
  ])('is why it failed, of %s', async (_, script, reason) => {
    await expect(ask(script)).rejects.toThrow(reason)
  })

  it.each(['exit 0\n', 'set -e\nfalse\n', 'exec true\n'])('is that the setup ends its shell, of %j', async (setup) => {
    vi.stubEnv('HOME', temporaryFolder())
    const { signal } = new AbortController()
    await expect(checkHost(thisHost, { setup, signal, own: false })).rejects.toThrow(
      /the file of --setup ends the shell|ended a step with exit code 1/,
    )
    expect(await checkHost(thisHost, { setup: 'echo loaded; cd /\n', signal, own: false })).toMatchObject({
      arch: process.arch,
    })
  })

  it.each([
    ['a file in the place of ~/.cache', (home: string) => writeFileSync(join(home, '.cache'), ''), /\/\.cache\b/],
    ['a link that leads nowhere', (home: string) => symlinkSync('/nowhere', join(home, '.cache')), /\/\.cache\b/],
    [
      'a file in the place of ~/.cache/mlds',
      (home: string) => {
        mkdirSync(join(home, '.cache'))
        writeFileSync(join(home, '.cache', 'mlds'), '')
      },
      /\/\.cache\/mlds\b/,
    ],
    ['a home folder that is not there', (home: string) => rmSync(home, { recursive: true }), /^nothing can be made in/],
    ['a PATH without tar', withoutTar, /^there is no tar on its PATH$/],
  ])('is why nothing can be brought, before it is tried, of %s', async (_, spoil, reason) => {
    const home = temporaryFolder()
    vi.stubEnv('HOME', home)
    const check = () => checkHost(thisHost, { setup: undefined, own: false, signal: new AbortController().signal })
    expect(unready(await check())).toBeUndefined()
    spoil(home)
    expect(unready(await check())).toMatch(reason)
  })

  it('is why mlds can’t be copied, of a home folder on a disk from which nothing can be executed', async () => {
    const [home, bin] = [temporaryFolder(), temporaryFolder()]
    vi.stubEnv('HOME', home)
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`)
    const check = () => checkHost(thisHost, { setup: undefined, own: false, signal: new AbortController().signal })
    expect(misfit(await check(), here())).toBeUndefined()
    writeFileSync(join(bin, 'findmnt'), '#!/bin/sh\necho rw,nosuid,noexec,relatime\n', { mode: 0o755 })
    expect(misfit(await check(), here())).toContain(`nothing can be executed from ${home} (noexec)`)
    // Its own mlds may be elsewhere.
    expect(unready(await check())).toBeUndefined()
  })

  it('is that its shell knows no home folder', async () => {
    vi.stubEnv('HOME', '')
    const { signal } = new AbortController()
    await expect(checkHost(thisHost, { setup: undefined, own: false, signal })).rejects.toThrow('HOME is not set')
  })

  it.each([
    ['a jump host whose key is another', 'Host key verification failed.'],
    ['a jump host that refuses', 'ssh: connect to host jump port 22: Connection refused'],
    ['a ProxyCommand that is not there', 'sh: 1: /no/such: not found'],
    ['nothing but the end of the way', undefined],
  ])('is why it can’t be reached, of %s', async (_, reason) => {
    const bin = temporaryFolder()
    const end = 'kex_exchange_identification: Connection closed by remote host'
    const said = [...(reason === undefined ? [] : [reason]), end, 'Connection closed by UNKNOWN port 65535']
    const lines = said.map((line) => `printf "%s\\r\\n" "${line}" >&2`)
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\n${lines.join('\n')}\nexit 255\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`)
    const away = askHost(parseHost('lab1'), 'true', { timeoutMs: 60_000 })
    await expect(away).rejects.toThrow(reason ?? 'Connection closed by UNKNOWN port 65535')
  })

  it('is of an ended worker what was wrong, and not the advice beneath it', async () => {
    const home = temporaryFolder()
    vi.stubEnv('HOME', home)
    const place = join(home, '.cache', 'mlds', 'fleet', 'lab')
    mkdirSync(place, { recursive: true })
    writeFileSync(
      join(place, 'log'),
      'waiting\nError: the certificate is for another host\n  NATS_CA names the authority\n',
    )
    expect(await lookAtWorker(thisHost, stateScript('lab', 'lab-1'))).toEqual({
      worker: 'ended',
      said: 'Error: the certificate is for another host',
    })
  })
})

describe('a fleet of Slurm', () => {
  const state = { name: 'lab', hosts: [], slurm: { count: 2, job: '57' } } as unknown as FleetState
  const worker = (name: string) =>
    ({ fleet: 'lab', member: { host: 'vm', worker: name, step: 'joined' }, present: undefined }) as const

  it('is told of also while none of its workers has come', () => {
    expect(describeArray(state, [])).toContain('lab: job 57 of Slurm; of 2 workers the server knows 0')
    expect(describeArray(state, [worker('lab-1-58'), worker('lab1-abc')])).toContain('the server knows 1')
    expect(describeArray({ ...state, slurm: undefined } as unknown as FleetState, [])).toBeUndefined()
  })
})
