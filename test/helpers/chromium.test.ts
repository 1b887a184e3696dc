import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { hasChromium, keepScreenshot, launchChromium } from './chromium.js'

it.skipIf(!hasChromium)('Chromium runs scripts of a page and its picture is kept', async () => {
  const browser = await launchChromium()
  try {
    const page = await browser.newPage()
    await page.setContent('<h1></h1><script>document.querySelector("h1").textContent = 6 * 7</script>')
    expect(await page.textContent('h1')).toBe('42')
    expect(existsSync(await keepScreenshot(page, 'chromium'))).toBe(true)
  } finally {
    await browser.close()
  }
})
