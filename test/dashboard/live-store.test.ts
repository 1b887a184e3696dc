import type { ServerResponse } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { EventStream } from '../../src/dashboard/server/event-stream.js'
import { LiveStore } from '../../src/dashboard/server/live-store.js'
import { journalFormat } from '../../src/sweeps/journal/journal.js'
import { openStore } from '../../src/system/store.js'
import { writeSweep } from '../helpers/written-sweep.js'

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'mlds-live-store-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const unheard = { writeHead: () => {}, write: () => true, destroyed: false, writableLength: 0 }

it('keeps in memory what was looked at last, however large, and lets go what else is beyond its bound', async () => {
  const store = openStore(join(folder, '.mlds'))
  for (const name of ['a', 'b', 'c'])
    await writeSweep(store, name, [1, 2, 3, 4, 5, 6], () => [
      { type: 'opened', format: journalFormat, sweep: name, planHash: 'x', codeVersion: '0', atMs: 1_700_000_000_000 },
    ])
  const end = new AbortController()
  const live = new LiveStore({ store, clock: systemClock, trustCode: false, signal: end.signal, maxIdleTrials: 4 })
  const following = live.follow()
  const lookAt = async (id: string): Promise<EventStream> => {
    const stream = new EventStream(unheard as unknown as ServerResponse, id)
    live.add(stream, undefined)
    await expect.poll(() => live.sweep(id)?.share).toBe(1)
    return stream
  }
  const first = await lookAt('a')
  const known = live.sweep('a')
  await expect.poll(() => ['b', 'c'].map((id) => live.sweep(id))).toEqual([undefined, undefined])
  live.remove(first)
  // A round in which another sweep is read has passed by.
  const second = await lookAt('b')
  await expect.poll(() => second.position).toBeDefined()
  expect(live.sweep('a')).toBe(known)
  live.remove(second)
  await expect.poll(() => live.sweep('a')).toBeUndefined()
  expect(live.sweep('b')).toBeDefined()
  end.abort()
  await following
})
