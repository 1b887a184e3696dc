import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { startDashboard, type Dashboard } from '../../src/dashboard/server/dashboard-server.js'
import { journalFormat } from '../../src/sweeps/journal/journal.js'
import type { SweepFolder } from '../../src/sweeps/sweep-folder.js'
import { openStore, type Store } from '../../src/system/store.js'
import { logFileOf } from '../../src/system/log-file.js'
import { makeFolderSync } from '../../src/system/make-folder.js'
import { writeSweep } from '../helpers/written-sweep.js'

const hostile = `\u001b[2J</script><script>alert(1)</script>`
const wholeSnapshot = /event: snapshot\ndata: (.*)\n\n/
let folder: string
let store: Store
let sweep: SweepFolder
let dashboard: Dashboard
let base: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mlds-dashboard-'))
  store = openStore(join(folder, '.mlds'))
  const saved = await store.putObject(Buffer.from('weights'))
  sweep = await writeSweep(store, 'attacked', [1, 2, 3], (trials) => {
    const [a, b] = trials as [(typeof trials)[0], (typeof trials)[0]]
    const facts = { sweep: 'attacked', planHash: 'x', codeVersion: '0', atMs: 1 }
    return [
      { type: 'opened', format: journalFormat, ...facts },
      { type: 'started', trial: a.id, attempt: 1, atMs: 2, worker: hostile },
      {
        type: 'report',
        trial: a.id,
        attempt: 1,
        atMs: 3,
        step: 1,
        metrics: { [`loss ${'x'.repeat(9)}`]: 1, loss: NaN },
      },
      {
        ...{ type: 'ended', trial: a.id, attempt: 1, atMs: 4 },
        outcome: { state: 'finished', metrics: { loss: Infinity }, artifacts: { [hostile]: saved } },
      },
      { type: 'started', trial: b.id, attempt: 1, atMs: 5, worker: 'w' },
      {
        ...{ type: 'ended', trial: b.id, attempt: 1, atMs: 6 },
        outcome: { state: 'failed', error: { name: 'Error', message: `${hostile}${'y'.repeat(1_000_000)}` } },
      },
    ]
  })
  makeFolderSync(sweep.logsFolder)
  writeFileSync(logFileOf(sweep.logsFolder, sweep.plan.trials[1]!.id, 1), `${hostile}\n${'z'.repeat(10_000_000)}\n`)
  dashboard = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: false })
  base = dashboard.url.replace(/^http:\/\/[^/]+/, '')
  // The stream brings the snapshot when the journal has been read.
  await ask(`${base}events?sweep=attacked`, {}, { until: wholeSnapshot })
})
afterAll(async () => {
  await dashboard.close()
  rmSync(folder, { recursive: true })
})

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

/** The path goes out as it is: no `fetch` tidies it. Ends when `until` is in the answer. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  { method = 'GET', until }: { method?: string; until?: RegExp } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: dashboard.port, path, method, headers }, (response) => {
      let text = ''
      const done = (): void => {
        resolve({ status: response.statusCode!, headers: response.headers, text })
        response.destroy()
      }
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
        if (until?.test(text) === true) done()
      })
      response.on('end', done)
      response.on('error', () => {})
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('a request to the dashboard', () => {
  it('is answered with its token, by a page that may load nothing but what comes from there', async () => {
    const { status, headers, text } = await ask(base)
    expect(status).toBe(200)
    expect(text).toContain('src="./page.js"')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/)
    expect(headers['content-security-policy']).not.toMatch(/unsafe/)
    expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' })
    expect(headers['access-control-allow-origin']).toBeUndefined()
  })

  it('is refused without its token, with another, and with a long one', async () => {
    for (const path of ['/', '/AAAAAAAAAAAAAAAAAAAAAA/', `/${'A'.repeat(5_000)}/`, '//'])
      for (const tail of ['', 'events?sweep=attacked', 'trial?sweep=attacked'])
        expect((await ask(`${path}${tail}`)).status).toBeGreaterThanOrEqual(400)
  })

  it('is refused under another name than this host’s own, as a page sends whose name was made to lead here', async () => {
    for (const host of ['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil', '192.168.0.1'])
      expect((await ask(base, { host })).status, host).toBeGreaterThanOrEqual(400)
    for (const host of ['localhost:1234', '127.0.0.1', '[::1]:99']) expect((await ask(base, { host })).status).toBe(200)
  })

  it('is refused when another site’s page sends it, but for a click on the address', async () => {
    const { port } = dashboard
    for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 1}`, `https://127.0.0.1:${port}`])
      expect((await ask(base, { origin })).status, origin).toBe(403)
    expect((await ask(base, { origin: `http://127.0.0.1:${port}` })).status).toBe(200)
    const crossSite = { 'sec-fetch-site': 'cross-site' }
    for (const [mode, dest] of [
      ['no-cors', 'script'],
      ['cors', 'empty'],
      ['navigate', 'iframe'],
    ] as const)
      expect((await ask(base, { ...crossSite, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest })).status).toBe(403)
    const click = { ...crossSite, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    expect((await ask(base, click)).status).toBe(200)
  })

  it('only reads', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      expect((await ask(`${base}trial?sweep=attacked`, {}, { method })).status).toBe(405)
  })

  it('for headers alone has an end, of streams too', async () => {
    const trial = sweep.plan.trials[1]!.id
    for (const path of ['', 'events', `log?sweep=attacked&trial=${trial}&attempt=1`])
      expect(await ask(`${base}${path}`, {}, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  })

  it('reaches no file by any path', async () => {
    const tricks = [
      '../../../../etc/passwd',
      '..%2f..%2f..%2fetc%2fpasswd',
      '%2e%2e/%2e%2e/package.json',
      'page.js/../../package.json',
      './page.js/',
      'page.js%2f..%2f..%2fpackage.json',
      'server/guard.js',
      'lib/../package.json',
      '/etc/passwd',
      'page\\..\\package.json',
      'style.css%00.js',
      '__proto__',
      'constructor',
      'file?sweep=../attacked&trial=x&name=y',
      'file?sweep=attacked&trial=../../plan.json&name=..',
      `file?sweep=attacked&trial=${sweep.plan.trials[0]!.id}&name=__proto__`,
      `file?sweep=attacked&trial=${sweep.plan.trials[0]!.id}&name=constructor`,
      `log?sweep=attacked&trial=../../../x&attempt=1`,
      `log?sweep=attacked&trial=${sweep.plan.trials[1]!.id}&attempt=2`,
      `log?sweep=attacked&trial=${sweep.plan.trials[1]!.id}&attempt=../1`,
      'trial?sweep=attacked&trial=__proto__',
      'trial?sweep=%2e%2e&trial=x',
      'figures?sweep=nothing',
    ]
    for (const path of tricks) {
      const { status, text } = await ask(`${base}${path}`)
      expect(status, path).toBeGreaterThanOrEqual(400)
      expect(text.length, path).toBeLessThan(200)
    }
  })

  it('of nonsense gets an answer or an end, and the next one is served', async () => {
    const nonsense = [
      'GARBAGE\r\n\r\n',
      `GET ${base} HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'h'.repeat(40_000)}\r\n\r\n`,
      `GET ${base}events?since=${encodeURIComponent('x'.repeat(3000))} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 9/__proto__:1:1\r\nConnection: close\r\n\r\n`,
      randomBytes(5_000),
    ]
    for (const bytes of nonsense) {
      const socket = connect(dashboard.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(bytes)
      await new Promise((resolve) => socket.once('data', resolve).once('close', resolve))
      socket.destroy()
    }
    expect((await ask(base)).status).toBe(200)
  })

  it('is not taken beyond 200 connections, and is again when they are gone', async () => {
    const sockets: Socket[] = []
    let refused = 0
    for (let i = 0; i < 230; i++) {
      const socket = connect(dashboard.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => refused++)
      socket.write(`GET ${base}events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      sockets.push(socket)
    }
    await expect.poll(() => refused).toBeGreaterThanOrEqual(30)
    expect(refused).toBeLessThan(60)
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(() =>
        ask(base).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
  })
})

describe('what comes from trials', () => {
  it('travels as JSON, numbers that JSON lacks as words, long reasons cut', async () => {
    const { text } = await ask(`${base}events?sweep=attacked`, {}, { until: wholeSnapshot })
    expect(text.length).toBeLessThan(50_000)
    const { rows } = JSON.parse(wholeSnapshot.exec(text)![1]!) as { rows: unknown[][] }
    expect(rows[0]!.at(-1)).toContain('Infinity')
    expect(rows[0]![6]).toBe(hostile)
    expect(String(rows[1]![9])).toHaveLength(300)
    // Nothing of a trial ends a message or begins one.
    expect(text).not.toContain('\u001b')
  })

  it('is sent of a log of one line of 10 MB the end alone', async () => {
    const { text } = await ask(
      `${base}log?sweep=attacked&trial=${sweep.plan.trials[1]!.id}&attempt=1`,
      {},
      { until: /event: over/ },
    )
    expect(text.length).toBeLessThan(400_000)
    expect(text).toMatch(/"skipped":97\d{5},/)
  })

  it('is no log where none was left: none and empty are told apart', async () => {
    const { text } = await ask(
      `${base}log?sweep=attacked&trial=${sweep.plan.trials[0]!.id}&attempt=1`,
      {},
      { until: /event: over/ },
    )
    expect(text).toContain('event: none')
    expect(text).not.toContain('event: log')
  })

  it('is given away as a file that no browser shows', async () => {
    const query = new URLSearchParams({ sweep: 'attacked', trial: sweep.plan.trials[0]!.id, name: hostile })
    const { status, headers, text } = await ask(`${base}file?${query.toString()}`)
    expect({ status, text }).toEqual({ status: 200, text: 'weights' })
    expect(headers['content-type']).toBe('application/octet-stream')
    expect(headers['content-disposition']).toMatch(/^attachment; filename="[0-9a-f]{16}\.bin"$/)
  })
})

describe('the dashboard', () => {
  it('refuses a token that could be guessed, and says which port is taken', async () => {
    const options = { store, clock: systemClock, port: 0, trustCode: false, allowsActions: false }
    await expect(startDashboard({ ...options, token: 'short' })).rejects.toThrow(/MLDS_DASHBOARD_TOKEN: not a token/)
    await expect(startDashboard({ ...options, port: dashboard.port })).rejects.toThrow(
      `127.0.0.1:${dashboard.port}: another program listens there`,
    )
  })

  it('has another token each time', async () => {
    const other = await startDashboard({ store, clock: systemClock, port: 0, trustCode: false, allowsActions: false })
    expect(new URL(other.url).pathname).not.toBe(new URL(dashboard.url).pathname)
    await other.close()
  })
})
