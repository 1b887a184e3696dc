import type { ChildProcess } from 'node:child_process'
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasChromium, keepScreenshot, launchChromium } from '../helpers/chromium.js'
import { mlds, spawnMlds, until } from '../helpers/cli.js'

const token = 'a-token-that-outlives-the-server'
/** Reports and ends as the test says; what it prints is meant for a terminal or a browser to fall for. */
const program = `import { existsSync } from 'node:fs'
const [width, kind] = process.argv.slice(2)
console.log('\\u001b[31mred\\u001b[0m <script>window.owned = 1</script>')
for (let step = 1; step <= 6; step++) {
  while (step > 2 && !existsSync('go-' + step)) await new Promise((resolve) => setTimeout(resolve, 20))
  console.log(JSON.stringify({ step, loss: 1 / (step * width) }))
}
if (kind !== 'plain' && width === '8') throw new Error('<img src=x onerror="window.owned = 2">')
`
const spec = `experiment: {command: 'node train.mjs {width} {kind}'}
name: live
axes: {width: [2, 8], kind: [plain, '<img src=x onerror=window.owned=3>']}
`

let cwd: string
let browser: Browser
let port: number
let sweep: ReturnType<typeof spawnMlds>
let server: ReturnType<typeof spawnMlds>

const start = (): ReturnType<typeof spawnMlds> =>
  spawnMlds(['dashboard', '--port', String(port), '--no-open'], { cwd, env: { MLDS_DASHBOARD_TOKEN: token } })
const isUp = (): boolean => server.output().includes(`http://127.0.0.1:${port}/${token}/`)

beforeAll(async () => {
  if (!hasChromium) return
  cwd = mkdtempSync(join(tmpdir(), 'mlds-browser-'))
  writeFileSync(join(cwd, 'train.mjs'), program)
  writeFileSync(join(cwd, 'live.yaml'), spec)
  port = await freePort()
  sweep = spawnMlds(['sweep', 'live.yaml', '--workers', '4', '--failing-alike', '0'], { cwd })
  await until(() => existsSync(join(cwd, '.mlds', 'sweeps', 'live', 'journal.jsonl')))
  server = start()
  browser = await launchChromium()
  await until(isUp)
})
afterAll(async () => {
  await browser.close()
  for (const { child } of [sweep, server]) end(child)
  rmSync(cwd, { recursive: true, force: true })
})

const end = (child: ChildProcess): void => void child.kill('SIGKILL')

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

async function openPage(hash: string): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 700 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('ERR_')) complaints.push(message.text())
  })
  await page.goto(`http://127.0.0.1:${port}/${token}/${hash}`)
  return { page, complaints }
}
/** Read in the page, of which this file knows no types. */
const textsOf = (page: Page, selector: string): Promise<string[]> =>
  page.evaluate<string[]>(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((one) => one.textContent)`)

describe.skipIf(!hasChromium)('the dashboard in a browser', () => {
  it('shows a sweep as it goes on, tells that the server is gone, and goes on where it was when it is back', async () => {
    const { page, complaints } = await openPage('#/sweep/live/curves')
    await expect.poll(async () => (await textsOf(page, '.legend li')).length).toBe(4)
    const curve = (): Promise<string | null> => page.getAttribute('.chart', 'aria-label')
    await expect.poll(curve).toMatch(/width=2 kind=plain: 0.25\b/)
    writeFileSync(join(cwd, 'go-3'), '')
    await expect.poll(curve).toMatch(/width=2 kind=plain: 0.1667/)

    end(server.child)
    await page.waitForSelector('.notice.lost')
    expect(await page.textContent('#connection')).toContain('what you see is as it was')
    expect(await curve()).toMatch(/0.1667/)
    // It goes on meanwhile.
    writeFileSync(join(cwd, 'go-4'), '')
    server = start()
    await until(isUp)
    await page.waitForSelector('.notice.lost', { state: 'detached' })
    await expect.poll(curve).toMatch(/width=2 kind=plain: 0.125\b/)
    writeFileSync(join(cwd, 'go-5'), '')
    await expect.poll(curve).toMatch(/width=2 kind=plain: 0.1\b/)
    expect(await textsOf(page, '.legend li')).toHaveLength(4)
    await keepScreenshot(page, 'dashboard-live')

    await page.goto(`http://127.0.0.1:${port}/${token}/#/sweep/live/workers`)
    await expect.poll(async () => (await textsOf(page, 'tbody tr')).length).toBe(4)
    writeFileSync(join(cwd, 'go-6'), '')
    await sweep.finished
    await expect.poll(() => page.textContent('.standing')).toMatch(/^ended/)
    expect(await page.textContent('.standing')).toMatch(/ended · 3 of 4 · 1 failed/)
    expect(complaints).toEqual([])
    await page.close()
  })

  it('obeys nothing that names, values, logs and errors of trials bring along', async () => {
    const { page, complaints } = await openPage('#/sweep/live')
    await expect
      .poll(() =>
        textsOf(page, '#trial-table tbody tr').then((rows) => rows.filter((row) => row.includes('onerror')).length),
      )
      .toBe(2)
    await page.fill('#filter', 'state == "failed"')
    await expect.poll(() => page.textContent('#count')).toBe('1 of 4 trials')
    await page.click('#trial-table tbody a')
    await page.waitForSelector('pre[aria-label=Log]')
    const log = (await page.textContent('pre[aria-label=Log]')) ?? ''
    expect(log).toContain('<script>window.owned')
    expect(log).not.toContain('\u001b')
    expect(await page.evaluate('window.owned')).toBeUndefined()
    expect(complaints).toEqual([])
    await page.close()
  })

  it('brushes an axis of the parallel coordinates into a filter of the table, and compares two trials', async () => {
    const { page, complaints } = await openPage('#/sweep/live/parallel')
    const box = (await (await page.waitForSelector('canvas.parallel')).boundingBox())!
    // The first axis stands at 60 pixels, from 34 to 322: its upper half.
    await page.mouse.move(box.x + 60, box.y + 36)
    await page.mouse.down()
    await page.mouse.move(box.x + 60, box.y + 150, { steps: 3 })
    await page.mouse.up()
    await expect.poll(() => page.inputValue('#filter')).toMatch(/^width >= 5\.\d+$/)
    await expect.poll(() => page.textContent('#count')).toBe('2 of 4 trials')
    for (const box of await page.$$('#trial-table input')) await box.check()
    await page.click('text=Compare the two')
    await page.waitForSelector('table.compared')
    const names = await textsOf(page, 'table.compared tbody th')
    expect(names).toContain('kind')
    expect(names).not.toContain('width')
    expect(complaints).toEqual([])
    await page.close()
  })

  it('fits a phone, is dark where that is wanted, and says what each emptiness is', async () => {
    appendFileSync(join(cwd, '.mlds', 'sweeps', 'live', 'journal.jsonl'), '')
    const context = await browser.newContext({ viewport: { width: 400, height: 700 }, colorScheme: 'dark' })
    for (const view of ['', '/curves', '/parallel', '/scatter', '/figures', '/workers']) {
      const page = await context.newPage()
      await page.goto(`http://127.0.0.1:${port}/${token}/#/sweep/live${view}`)
      await page.waitForSelector('main > *')
      expect(await page.evaluate('document.documentElement.scrollWidth'), view).toBeLessThanOrEqual(400)
      const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
      expect(ground).toBe('rgb(22, 22, 22)')
      await page.close()
    }
    await context.close()
    const { page } = await openPage('#/sweep/nothing')
    await expect.poll(() => page.textContent('.notice.broken')).toContain('There is no sweep nothing in this store.')
    await page.goto(`http://127.0.0.1:${port}/${token}/#/sweep/live`)
    await page.fill('#filter', 'width > 100')
    await expect.poll(() => page.textContent('.notice.empty')).toContain('No trial passes the filter: width > 100')
    await page.fill('#filter', 'widht > 100')
    await expect.poll(() => page.textContent('.trouble')).toContain('The filter is not applied: unknown axis: widht')
    await page.close()
  })

  it('ends with Ctrl-C, cleanly', async () => {
    const { page } = await openPage('')
    await page.waitForSelector('table.sweeps')
    server.child.kill('SIGINT')
    const { code, stderr } = await server.finished
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const wrong = await mlds(['dashboard', '--no-open'], { cwd, env: { MLDS_DASHBOARD_TOKEN: 'short' } })
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
  })
})
