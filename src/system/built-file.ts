import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { UnavailableError } from '../core/errors.js'

/**
 * The built file of that name beside the one at `url`, which a thread is to run; from sources, that of the last build.
 * @throws UnavailableError when there is none.
 */
export function builtFile(url: string, name: string): string {
  const beside = fileURLToPath(new URL(name, url))
  const file = existsSync(beside) ? beside : beside.replace(/([/\\])src([/\\](?:(?![/\\]src[/\\]).)*)$/, '$1dist$2')
  if (existsSync(file)) return file
  throw new UnavailableError(`the code of a thread is not built: ${file}`, { hint: 'build it with: npm run build' })
}
