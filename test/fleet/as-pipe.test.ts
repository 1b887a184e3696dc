import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { temporaryFolder } from '../helpers/cli.js'

describe('the words that make ssh a pipe', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it.each([
    ['8.7 and later', 'echo stdinnull yes; echo sessiontype none; echo forkafterauthentication yes', 3],
    ['before, which ends at an option that it does not know', 'echo user me; echo batchmode no', 0],
    ['before 6.8, which has no -G', 'echo unknown option -- G >&2; exit 255', 0],
  ])('are such as it knows: %s', async (_, says, count) => {
    const bin = temporaryFolder()
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\n${says}\n`, { mode: 0o755 })
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`)
    // It asks once.
    vi.resetModules()
    const { asPipe } = await import('../../src/fleet/ssh.js')
    const all = ['forkafterauthentication=no', 'sessiontype=default', 'stdinnull=no']
    expect(await asPipe()).toEqual(all.slice(0, count).flatMap((option) => ['-o', option]))
  })
})
