import { readFileSync } from 'node:fs'
import { builtFile } from '../system/built-file.js'

export interface PageAssets {
  /** One script and one style sheet, the same for the dashboard and for reports; the libraries that they need are inside. */
  readonly script: string
  readonly style: string
}

/** As the build made them. @throws UnavailableError when there is no build. */
export function readPageAssets(): PageAssets {
  const [script, style] = ['./page.js', './page-style.css'].map((name) =>
    readFileSync(builtFile(import.meta.url, name), 'utf8'),
  ) as [string, string]
  return { script, style }
}
