import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock } from '../../src/core/clock.js'
import { lockHolder, lockSweep } from '../../src/system/lock.js'
import { until } from '../helpers/cli.js'
import { plantDeadLock, raceForDeadLocks, startHolder } from '../helpers/lock-holder.js'
import { requireService } from '../helpers/services.js'

const hasNamespaces = requireService(
  'PID namespaces',
  spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status === 0,
  'unshare -pf --mount-proc must be permitted (root, or a kernel that lets users).',
)

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-lock-'))
  file = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe("a sweep's lock", () => {
  it('refuses a second holder and names the first by pid', () => {
    const lock = lockSweep(file, 's')
    expect(() => lockSweep(file, 's')).toThrow(new RegExp(`another process: pid ${process.pid}`))
    expect(lockHolder(file)).toBe(process.pid)
    lock.release()
    expect(existsSync(file)).toBe(false)
    lockSweep(file, 's').release()
  })

  it('takes over from a process that is gone', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(file, JSON.stringify({ pid, host: hostname(), started: '1' }))
    expect(lockHolder(file)).toBeUndefined()
    lockSweep(file, 's').release()
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
    lockSweep(file, 's').release()
  })

  it('takes over when the pid lives on in another process', () => {
    writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname(), started: 'long ago' }))
    lockSweep(file, 's').release()
  })

  it('takes over a lock that a crash left unreadable', () => {
    writeFileSync(file, '{"pi')
    lockSweep(file, 's').release()
  })

  it("leaves another host's lock alone and says how to remove it", () => {
    writeFileSync(file, JSON.stringify({ pid: 1, host: 'elsewhere.example', started: '1' }))
    expect(() => lockSweep(file, 's')).toThrow(/pid 1 on elsewhere\.example/)
  })

  it('does not remove a lock that has become someone else’s', () => {
    const lock = lockSweep(file, 's')
    writeFileSync(file, JSON.stringify({ pid: 1, host: 'elsewhere.example', started: '1' }))
    lock.release()
    expect(existsSync(file)).toBe(true)
  })
})

/** As if the lock's holder had given no sign of life for ten minutes. */
function letSilenceFall(): void {
  const held = `${file}.held`
  const before = Date.now() / 1000 - 600
  for (const entry of readdirSync(held)) utimesSync(join(held, entry), before, before)
}

describe('a dead lock', () => {
  it('has one next holder, however many processes find it at the same moment', async () => {
    expect(new Set(await raceForDeadLocks(folder, 150))).toEqual(new Set([1]))
  })

  it.each(['this', 'c44b4e1'] as const)('of version %s is taken over, and leaves nothing behind', (version) => {
    plantDeadLock(file, version)
    expect(lockHolder(file)).toBeUndefined()
    const lock = lockSweep(file, 's')
    expect(lockHolder(file)).toBe(process.pid)
    // What a version that knows only a file reads.
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() })
    lock.release()
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('a holder that stands still', () => {
  it('keeps its lock on its own host, for however long, and writes on when it wakes', async () => {
    const [holder, other] = await Promise.all([startHolder(), startHolder()])
    await holder.ask('take', { file, journal: join(folder, 'journal'), beatMs: 1 })
    process.kill(holder.pid, 'SIGSTOP')
    letSilenceFall()
    expect(lockHolder(file)).toBe(holder.pid)
    expect((await other.ask('take', { file })).answer).toContain(`another process: pid ${holder.pid} on`)
    process.kill(holder.pid, 'SIGCONT')
    expect((await holder.ask('append')).answer).toBe('at 0')
  })

  it.runIf(hasNamespaces)('is ousted from another PID namespace, and writes nothing when it wakes', async () => {
    const journal = join(folder, 'journal')
    const [holder, other] = await Promise.all([startHolder(), startHolder({ apart: true })])
    await holder.ask('take', { file, journal, beatMs: 1 })
    expect((await holder.ask('append')).answer).toBe('at 0')
    process.kill(holder.pid, 'SIGSTOP')
    letSilenceFall()
    expect((await other.ask('take', { file, journal })).answer).toBe('held')
    const before = readFileSync(journal)
    process.kill(holder.pid, 'SIGCONT')
    expect((await holder.ask('append')).answer).toMatch(
      /^sweep s was taken over while this process stood still, by pid 1 on .*: nothing more is written here$/,
    )
    await holder.ask('release')
    expect(readFileSync(journal)).toEqual(before)
    expect((await other.ask('append')).answer).toBe(`at ${before.length}`)
  })
})

describe.runIf(hasNamespaces)('a holder in another PID namespace, under the same host name', () => {
  it('keeps its lock while it gives signs of life, from within as from outside', async () => {
    const [inside, outside] = await Promise.all([startHolder({ apart: true }), startHolder()])
    await inside.ask('take', { file })
    expect(lockHolder(file)).toBe(1)
    expect(await outside.ask('take', { file })).toEqual({
      answer: expect.stringContaining('sweep s is being run by another process: pid 1 on') as string,
      hint: expect.stringMatching(/if it has ended, try again in \d+ s$/) as string,
    })
    await inside.ask('release')
    await outside.ask('take', { file })
    expect((await inside.ask('take', { file })).answer).toContain(`another process: pid ${outside.pid} on`)
  })

  it('is taken for dead when it has been silent for long', async () => {
    const inside = await startHolder({ apart: true })
    await inside.ask('take', { file })
    process.kill(inside.pid, 'SIGKILL')
    expect(() => lockSweep(file, 's')).toThrow('is being run by another process')
    letSilenceFall()
    expect(lockHolder(file)).toBeUndefined()
    lockSweep(file, 's').release()
  })
})

describe('a lock that is held', () => {
  it('is confirmed by a look at the clock, and by the lock itself once that shows a gap', () => {
    let nowMs = 0
    // No timer fires while a process stands still.
    const clock = { now: () => nowMs, monotonic: () => 0, after: () => () => {} }
    const lock = lockSweep(file, 's', { clock, beatMs: 10 })
    rmSync(`${file}.held`, { recursive: true })
    lock.assertHeld()
    nowMs = 1000
    expect(() => lock.assertHeld()).toThrow('sweep s was taken over while this process stood still')
    lock.release()
  })

  it('gives a sign of life at each beat', () => {
    const clock = new SimulatedClock()
    const lock = lockSweep(file, 's', { clock, beatMs: 10 })
    letSilenceFall()
    clock.advance(10)
    const entry = join(`${file}.held`, readdirSync(`${file}.held`)[0]!)
    expect(Date.now() - statSync(entry).mtimeMs).toBeLessThan(300_000)
    lock.release()
  })

  it('says that a full or foreign folder keeps it from being taken', () => {
    expect(() => lockSweep(join(folder, 'no', 'such', 'lock'), 's')).toThrow(/^sweep s could not be locked: .*no\/such/)
  })
})
