import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type CDPSession, type Page } from 'playwright-core'

const program = join(import.meta.dirname, '..', 'bin', 'run.js')

export function launch(): Promise<Browser> {
  const executablePath = process.env['MLDS_CHROMIUM'] ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) throw new Error(`no Chromium at ${executablePath}: MLDS_CHROMIUM names another`)
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--js-flags=--expose-gc',
  ]
  return chromium.launch({ executablePath, headless: true, args })
}

/** Seconds from asking for the address to what the expression says being there. */
export async function openAt(page: Page, url: string, until: string): Promise<number> {
  const start = performance.now()
  await page.goto(url, { waitUntil: 'commit' })
  await untilTrue(page, until)
  return (performance.now() - start) / 1000
}

/** Asked from outside: the page's content policy lets nothing be evaluated within it. */
export async function untilTrue(page: Page, expression: string): Promise<void> {
  const until = performance.now() + 120_000
  while (!(await page.evaluate<boolean>(`Boolean(${expression})`))) {
    if (performance.now() > until) throw new Error(`never so: ${expression}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** What a page holds after its garbage was collected: of JavaScript, and in all its process's resident memory. */
export async function memoryMb(page: Page): Promise<{ readonly heap: number; readonly process: number }> {
  const session: CDPSession = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  await session.detach()
  return { heap: usedSize / 1e6, process: largestRendererMb() }
}

/** Of this process's descendants that draw pages the largest: a benchmark has one page. */
function largestRendererMb(): number {
  const parents = new Map<number, number>()
  const renderers: number[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('--type=renderer')) renderers.push(Number(name))
    } catch {
      // It has ended.
    }
  }
  const isMine = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (pid === process.pid || isMine(parents.get(pid)))
  const sizes = renderers.filter(isMine).map((pid) => {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kilobytes ?? 0) / 1000
  })
  return sizes.reduce((a, b) => Math.max(a, b), 0)
}

export interface Served {
  readonly url: string
  readonly pid: number
  /** Of processor time so far. */
  cpuSeconds(): number
  memoryMb(): number
  end(): void
}

/** `mlds dashboard` of the store in a folder, in a process of its own. Needs a build. */
export async function serve(folder: string): Promise<Served> {
  const child: ChildProcess = spawn(process.execPath, [program, 'dashboard', '--no-open'], { cwd: folder })
  const url = await new Promise<string>((resolve, reject) => {
    let told = ''
    const take = (chunk: Buffer): void => {
      told += chunk.toString()
      const found = /http:\/\/127\.0\.0\.1:\d+\/[\w-]+\//.exec(told)
      if (found !== null) resolve(found[0])
    }
    child.stdout!.on('data', take)
    child.stderr!.on('data', take)
    child.on('exit', () => reject(new Error(`mlds dashboard ended: ${told}`)))
  })
  const pid = child.pid!
  return {
    ...{ url, pid },
    cpuSeconds() {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) / 100
    },
    memoryMb: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000,
    end: () => void child.kill('SIGINT'),
  }
}
