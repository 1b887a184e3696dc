import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockHolder, lockSweep } from '../../src/sweeps/lock.js'

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
