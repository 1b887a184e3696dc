import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { here } from '../../src/fleet/check.js'
import { thisHost } from '../../src/fleet/host.js'
import { askHost, copyToHost, type Launch } from '../../src/fleet/launch.js'
import type { Pack } from '../../src/fleet/pack.js'
import { newPlace, stopScript } from '../../src/fleet/scripts.js'
import { tarOf, type TarFile } from '../../src/fleet/tar.js'
import { temporaryFolder } from '../helpers/cli.js'
import { gzipSync } from 'node:zlib'

const files: TarFile[] = [{ path: 'bin/run.js', content: Buffer.from('run') }]
const digest = createHash('sha256').update('run').digest('hex')
const pack: Pack = { digest, files, bytes: 3, run: 'bin/run.js', node: undefined }

async function archive(): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of tarOf(files)) parts.push(part as Buffer)
  return gzipSync(Buffer.concat(parts))
}

/** This host as another: a home folder of its own. @returns it, and what copies to it. */
function withHome() {
  const home = temporaryFolder()
  vi.stubEnv('HOME', home)
  const told: string[] = []
  const copy = async (place: string, sent: Buffer, freeBytes?: number) => {
    const shelf: Launch['shelf'] = {
      pack: () => pack,
      open: async () => ({ stream: Readable.from([sent], { objectMode: false }), bytes: sent.length }),
    }
    const launch = { place, install: 'copy', setup: undefined, workerArgs: [], shelf } as const
    const { platform, arch, glibc = '2.36' } = here()
    const checked = {
      ...{ platform, arch, glibc, node: process.version, nodePath: process.execPath },
      ...{ ownMlds: '', cores: 1, freeBytes, home },
    }
    const { signal } = new AbortController()
    await copyToHost(thisHost, checked, { ...launch, signal }, (_, detail) => void told.push(detail))
  }
  const stop = (place: string) =>
    askHost(thisHost, stopScript(place, place, digest, { patience: 0, now: true, keep: false }), { timeoutMs: 60_000 })
  return { home, cache: join(home, '.cache', 'mlds'), told, copy, stop }
}

describe('mlds on a host', () => {
  afterEach(() => void vi.unstubAllEnvs())

  it('is sent once, used by each fleet and by hosts that share the home folder, and goes with the last', async () => {
    const { home, cache, told, copy, stop } = withHome()
    const sent = await archive()
    for (const place of ['one', newPlace('two', 'lab1-1'), newPlace('two', 'lab2-2')]) await copy(place, sent)
    const again = 'nothing: mlds is there already'
    expect(told).toEqual([expect.stringMatching(/^mlds, 0\.0 MB sent/), again, again])
    expect(existsSync(join(cache, digest, 'bin', 'run.js'))).toBe(true)
    await stop('one')
    expect(readdirSync(cache).sort()).toEqual([digest, 'fleet'].sort())
    await stop(newPlace('two', 'lab1-1'))
    expect(readdirSync(join(cache, 'fleet'))).toEqual(['two.lab2-2'])
    expect(existsSync(join(cache, digest))).toBe(true)
    await stop(newPlace('two', 'lab2-2'))
    expect(readdirSync(home)).toEqual([])
  })

  it('is not left half when it does not arrive whole, nor sent to a disk that is too small', async () => {
    const { home, copy } = withHome()
    const sent = await archive()
    await expect(copy('half', sent.subarray(0, sent.length / 2))).rejects.toThrow(/gzip|tar|end of file/i)
    expect(readdirSync(home)).toEqual([])
    await expect(copy('small', sent, 1)).rejects.toThrow('its disk has 0.0 MB left, and mlds takes 0.0 MB')
    expect(readdirSync(home)).toEqual([])
  })

  it('of a fleet of the same name is left alone', async () => {
    const { cache, copy } = withHome()
    mkdirSync(join(cache, 'fleet', 'lab'), { recursive: true })
    writeFileSync(join(cache, 'fleet', 'lab', 'uses'), 'other')
    await expect(copy('lab', await archive())).rejects.toThrow('a fleet lab is on this host already')
    expect(readdirSync(join(cache, 'fleet', 'lab'))).toEqual(['uses'])
  })
})
