import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { lockHolder, lockSweep } from '../../src/sweeps/lock.js'
import { until } from '../helpers/cli.js'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe("a sweep's lock", () => {
  it('refuses a second holder and names the first by pid', () => {
    const release = lockSweep(file, 's')
    expect(() => lockSweep(file, 's')).toThrow(new RegExp(`another process: pid ${process.pid}`))
    expect(lockHolder(file)).toBe(process.pid)
    release()
    expect(existsSync(file)).toBe(false)
    lockSweep(file, 's')()
  })

  it('takes over from a process that is gone', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(file, JSON.stringify({ pid, host: hostname(), started: '1' }))
    expect(lockHolder(file)).toBeUndefined()
    lockSweep(file, 's')()
  })

  it.skipIf(process.platform !== 'linux')('takes over from a dead process that nobody has asked after', async () => {
    // The shell becomes a program that never waits for its child, as the first process of a container may be. The child
    // must outlive the shell, which would wait for it: it ends when its input does.
    const script = 'cat <&3 & echo $!; exec sleep 1000 3<&-'
    const careless = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] })
    onTestFinished(() => void careless.kill('SIGKILL'))
    const pid = Number((await once(careless.stdout!, 'data'))[0])
    await until(() => readFileSync(`/proc/${careless.pid}/comm`, 'utf8').trim() === 'sleep')
    careless.stdio[3]!.destroy()
    const fields = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    await until(() => fields()[0] === 'Z')
    writeFileSync(file, JSON.stringify({ pid, host: hostname(), started: fields()[19] }))
    expect(lockHolder(file)).toBeUndefined()
    lockSweep(file, 's')()
  })

  it('takes over when the pid lives on in another process', () => {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname(), started: 'long ago' }))
    lockSweep(file, 's')()
  })

  it('takes over a lock that a crash left unreadable', () => {
    writeFileSync(file, '{"pi')
    lockSweep(file, 's')()
  })

  it("leaves another host's lock alone and says how to remove it", () => {
    writeFileSync(file, JSON.stringify({ pid: 1, host: 'elsewhere.example', started: '1' }))
    expect(() => lockSweep(file, 's')).toThrow(/pid 1 on elsewhere\.example/)
  })

  it('does not remove a lock that has become someone else’s', () => {
    const release = lockSweep(file, 's')
    writeFileSync(file, JSON.stringify({ pid: 1, host: 'elsewhere.example', started: '1' }))
    release()
    expect(existsSync(file)).toBe(true)
  })
})
