import { readFileSync } from 'node:fs'

/** The package's version, as results and journals record it. */
export const codeVersion: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
