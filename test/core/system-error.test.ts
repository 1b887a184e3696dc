import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { describeSystemError, systemReason } from '../../src/core/system-error.js'
import { temporaryFolder } from '../helpers/cli.js'

/** Runs a program of Node with its output on a terminal that is closed once the program has said that it is there. */
const onClosedTerminal = `
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True)
os.close(theirs)
os.read(ours, 5)
os.close(ours)
child.stdin.close()
sys.stderr.buffer.write(child.stderr.read())
child.wait()
`
/** Says that it is there, waits for the terminal's end, prints once more, and tells of the error that it meets. */
const printing = `
process.stdout.on('error', ({ message, code, syscall }) => {
  require('node:fs').writeFileSync(process.argv[1], JSON.stringify({ message, code, syscall }))
  // On its way out Node would set the terminal back as it was, and abort over that.
  process.kill(process.pid, 'SIGKILL')
})
process.stdout.write('there')
process.stdin.on('end', () => process.stdout.write('more'))
process.stdin.resume()
`

describe('an error of the system, in words', () => {
  it('calls a terminal that was closed a terminal, and no disk', () => {
    const file = join(temporaryFolder(), 'met.json')
    execFileSync('python3', ['-c', onClosedTerminal, process.execPath, '-e', printing, file])
    const { message, ...facts } = JSON.parse(readFileSync(file, 'utf8')) as NodeJS.ErrnoException
    expect(facts).toEqual({ code: 'EIO', syscall: 'write' })
    const met = Object.assign(new Error(message), facts)
    expect(systemReason(met)).toBe('the terminal is gone')
    expect(describeSystemError(met)).toBe('what was printed is lost: the terminal is gone')
  })

  it('calls a file that can not be written a file, although Node names neither path nor file', () => {
    const file = join(temporaryFolder(), 'read-only')
    writeFileSync(file, '')
    const descriptor = openSync(file, 'r')
    let met: unknown
    try {
      writeSync(descriptor, 'x')
    } catch (error) {
      met = error
    } finally {
      closeSync(descriptor)
    }
    expect(met).toMatchObject({ syscall: 'write' })
    expect(met).not.toHaveProperty('path')
    expect(describeSystemError(met)).toMatch(/^a file could not be written: /)
    // A disk that fails can't be had here: the same call's error with the code that it would have.
    const broken = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', syscall: 'write' })
    expect(describeSystemError(broken)).toBe('a file could not be written: the disk fails to read or write')
  })
})
