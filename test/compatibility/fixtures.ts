import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { temporaryFolder } from '../helpers/cli.js'

/** What the version that wrote the fixtures said of a sweep. */
interface Said {
  readonly csv: string
  readonly jsonl: string
  readonly verify: Record<string, unknown>
  readonly best: Record<string, unknown>
  readonly status: Record<string, unknown>
}

interface Expected {
  readonly sweeps: Readonly<Record<string, Said>>
  readonly plans: Readonly<
    Record<string, { args: readonly string[]; sweep: string; hash: string; trials: readonly string[] }>
  >
  readonly list: readonly Record<string, unknown>[]
  /** Exports of what was interrupted, as they are when nothing interrupts it. */
  readonly undisturbed: Readonly<Record<string, { csv: string; jsonl: string }>>
  /** What the NATS server knew of each sweep (`status --json`). */
  readonly standing: Readonly<Record<string, Record<string, unknown>>>
}

export interface Fixture {
  /** Holds the store and the experiments' files. */
  readonly folder: string
  readonly expected: Expected
  /** Ids of the sweeps that the version before called complete. */
  readonly complete: readonly string[]
}

/** Where the fixtures were written. */
const home = '/srv/mlds'

/**
 * Unpacks a folder that c44b4e1 wrote. Plans name files of that place: they are taken along, as by a person who moves.
 * The locks that killed processes left are deleted, as mlds advises where the host is gone; `locks` keeps them.
 */
export function unpack(name: 'local' | 'remote' | 'tracked', { locks = false } = {}): Fixture {
  const into = temporaryFolder()
  const archive = join(import.meta.dirname, '../fixtures/c44b4e1', `${name}.tar.gz`)
  execFileSync('tar', ['-xzf', archive, '-C', into])
  const folder = join(into, name)
  const moved = (file: string): string => readFileSync(file, 'utf8').replaceAll(`${home}/${name}`, folder)
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, path)
    // In stores, and in MLflow's artifacts.
    if (basename(file) === 'plan.json') writeFileSync(file, moved(file))
    if (basename(file) === 'lock' && !locks) rmSync(file)
  }
  const expected = JSON.parse(moved(join(folder, 'expected.json'))) as Expected
  const complete = Object.keys(expected.sweeps).filter((id) => {
    const { planned, finished } = expected.sweeps[id]!.verify
    return planned === finished
  })
  return { folder, expected, complete }
}
