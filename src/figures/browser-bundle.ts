import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The scripts that draw figures in a browser, in the order they must run: about 830 kB in all. */
export async function readBrowserBundle(): Promise<string[]> {
  const { resolve } = createRequire(import.meta.url)
  const files = ['vega', 'vega-lite', 'vega-embed'].map((name) => join(dirname(resolve(name)), `${name}.min.js`))
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
  // A map would be looked for beside the page; the page must ask for nothing.
  return texts.map((text) => text.replace(/\n?\/\/# sourceMappingURL=\S*\s*$/, '\n'))
}
