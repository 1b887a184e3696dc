import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { startDashboard, type Dashboard } from '../../src/dashboard/server/dashboard-server.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { readNote } from '../../src/sweeps/sweep-note.js'
import { lockSweep } from '../../src/system/lock.js'
import { openStore, type Store } from '../../src/system/store.js'
import { hasChromium, launchChromium } from '../helpers/chromium.js'
import { until } from '../helpers/cli.js'
import { writeSweep } from '../helpers/written-sweep.js'

let folder: string
let store: Store
let sweep: SweepFolder
let dashboard: Dashboard
let base: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-actions-'))
  store = openStore(join(folder, '.mlds'))
  sweep = await writeSweep(store, 'acted-on', [1, 2], () => [])
  dashboard = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: true })
  base = new URL(dashboard.url).pathname
  // It is known once the store has been looked at.
  while ((await act({ do: 'tag', tag: 'known' })).status === 404);
})
afterAll(async () => {
  await dashboard.close()
  rmSync(folder, { recursive: true })
})

interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** As the dashboard's own page sends it, but for what is given; a header given as `undefined` is left out. */
function act(
  body: unknown,
  { method = 'POST', path, headers = {} }: Sent = {},
): Promise<{ status: number; text: string }> {
  const own = `http://127.0.0.1:${dashboard.port}`
  const all = { 'content-type': 'application/json', origin: own, 'sec-fetch-site': 'same-origin', ...headers }
  const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port: dashboard.port, path: path ?? `${base}act?sweep=acted-on`, method, headers: sent },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve({ status: response.statusCode!, text }))
      },
    )
    asked.on('error', reject)
    asked.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

const kept = (): ReturnType<typeof readNote> => readNote(sweep.folder)

describe('an action of the dashboard', () => {
  it('changes the note and the tags, and says so', async () => {
    expect(await act({ do: 'note', note: '**by hand**' })).toEqual({
      status: 200,
      text: '{"told":"The note is kept."}',
    })
    await act({ do: 'tag', tag: 'paper' })
    await act({ do: 'untag', tag: 'known' })
    expect(kept()).toEqual({ note: '**by hand**', tags: ['paper'] })
  })

  it('is refused in a sentence, and changes nothing, where it can’t be done', async () => {
    const before = kept()
    const refused: [unknown, number, RegExp][] = [
      [{ do: 'tag', tag: '../x' }, 409, /not a tag: "..\/x"/],
      [{ do: 'note', note: 'x'.repeat(20_001) }, 409, /at most 20000/],
      [{ do: 'resume' }, 409, /mlds resume acted-on/],
      [{ do: 'cancel' }, 409, /only one on NATS is cancelled/],
      [{ do: 'pause' }, 409, /no process of this host runs the sweep/],
      [{ do: 'drain', worker: 'w' }, 409, /no workers of its own/],
      [{ do: 'remove' }, 409, /no action of the dashboard/],
      [{ do: 'tag', tag: 'a', also: 1 }, 409, /no action of the dashboard/],
      [{ do: 'tag', tag: { toString: 1 } }, 409, /no action of the dashboard/],
      ['{"do":', 409, /no action of the dashboard/],
      ['', 409, /no action of the dashboard/],
      ['[]', 409, /no action of the dashboard/],
      ['x'.repeat(130_001), 409, /more than 130000 bytes/],
    ]
    for (const [body, status, told] of refused) {
      expect(await act(body), JSON.stringify(body)).toEqual({ status, text: expect.stringMatching(told) as string })
    }
    expect(kept()).toEqual(before)
  })

  it('is taken from the page of this very address alone', async () => {
    const before = kept()
    const body = { do: 'tag', tag: 'forged' }
    const other = 'http://evil.example'
    const path = `${base}act?sweep=acted-on`
    const attacks: [string, Sent, number][] = [
      [
        'a form of another site',
        { headers: { origin: other, 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' } },
        403,
      ],
      ['a form without an origin', { headers: { origin: undefined, 'sec-fetch-site': undefined } }, 403],
      ['a form of a page without one', { headers: { origin: 'null', 'sec-fetch-site': undefined } }, 403],
      ['plain text, which needs no leave', { headers: { 'content-type': 'text/plain' } }, 415],
      ['a form’s own type', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }, 415],
      ['another port of this host', { headers: { origin: 'http://127.0.0.1:1' } }, 403],
      ['a name that was made to lead here', { headers: { host: 'evil.example', origin: other } }, 403],
      [
        'a navigation from elsewhere',
        {
          headers: {
            'sec-fetch-site': 'cross-site',
            'sec-fetch-mode': 'navigate',
            'sec-fetch-dest': 'document',
            origin: other,
          },
        },
        403,
      ],
      ['another token', { path: `/${'A'.repeat(22)}/act?sweep=acted-on` }, 404],
      ['no token', { path: '/act?sweep=acted-on' }, 404],
      ['another method', { method: 'PUT' }, 405],
      ['a third method', { method: 'PATCH' }, 405],
      ['another route', { path: `${base}events?sweep=acted-on` }, 404],
      ['a path for a name', { path: `${base}act?sweep=..%2F..%2Facted-on` }, 404],
      ['a prototype for a name', { path: `${base}act?sweep=__proto__` }, 404],
    ]
    for (const [name, sent, status] of attacks) expect((await act(body, { path, ...sent })).status, name).toBe(status)
    expect(kept()).toEqual(before)
  })

  it('is refused by a dashboard that was not started for it', async () => {
    const closed = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: false })
    onTestFinished(() => closed.close())
    const answer = await fetch(`${closed.url}act?sweep=acted-on`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${closed.port}` },
      body: '{"do":"tag","tag":"forged"}',
    })
    expect([answer.status, await answer.text()]).toEqual([405, expect.stringContaining('--allow-actions')])
    expect(kept().tags).not.toContain('forged')
  })

  it('lets the process of this host that runs the sweep finish what runs, as Ctrl-C does', async () => {
    const lock = lockSweep(sweep.lockFile, sweep.id)
    onTestFinished(() => lock.release())
    let interrupts = 0
    const onInterrupt = (): void => void interrupts++
    process.on('SIGINT', onInterrupt)
    onTestFinished(() => void process.off('SIGINT', onInterrupt))
    const { status, text } = await act({ do: 'pause' })
    expect([status, text]).toEqual([200, expect.stringContaining(`Process ${process.pid} lets what runs finish`)])
    await until(() => interrupts === 1)
  })

  it.skipIf(!hasChromium)('is a click on its page, which says what came of it and shows it at once', async () => {
    const browser = await launchChromium()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    page.on('dialog', (dialog) => void dialog.accept())
    await page.goto(`${dashboard.url}#/sweep/acted-on`)
    await page.fill('#tag', 'by-click')
    await page.click('text=Add')
    await expect.poll(() => page.textContent('h1')).toContain('by-click')
    await page.click('text=Note …')
    await page.fill('#note', '<b>seen</b>')
    await page.click('button:text-is("Keep")')
    await expect.poll(() => page.textContent('.written')).toBe('<b>seen</b>')
    await page.click('text=Cancel …')
    await expect.poll(() => page.textContent('.said')).toContain('only one on NATS is cancelled')
    expect(await page.getAttribute('.said', 'class')).toContain('trouble')
  })
})
