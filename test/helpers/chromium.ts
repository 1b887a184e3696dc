import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { requireService } from './services.js'

const program = process.env['MLDS_CHROMIUM'] ?? '/usr/bin/chromium'

/** True when there is a Chromium to look at pages with. */
export const hasChromium = requireService('Chromium', existsSync(program), `install Debian's chromium: ${program}`)

/** What CI keeps of pages that tests looked at. */
export const screenshotsFolder = join(import.meta.dirname, '..', '..', '.cache', 'screenshots')

/**
 * A headless Chromium that talks to nobody but the pages it is sent to. Close it in `afterAll`; pages go with it.
 * `page.on('console')` and `page.on('pageerror')` tell what a page complained of.
 */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** Keeps what the page shows under `name` and returns the file. */
export async function keepScreenshot(page: Page, name: string): Promise<string> {
  mkdirSync(screenshotsFolder, { recursive: true })
  const file = join(screenshotsFolder, `${name}.png`)
  await page.screenshot({ path: file, fullPage: true })
  return file
}
