import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Numbers that programs of others computed: `test/fixtures/search/make.py` makes them again. */
export const reference = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, '..', 'fixtures', 'search', `${name}.json`), 'utf8')) as T
