import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const read = (file: string): string => readFileSync(join(import.meta.dirname, '..', file), 'utf8')
const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> }
const { packages } = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { dev?: boolean; devOptional?: boolean; license?: string; link?: boolean }>
}
const table = read('docs/dependencies.md')

describe('what an installation brings', () => {
  it('is named, each dependency, with what it is for', () => {
    const missing = Object.keys(dependencies).filter((name) => {
      // A row may name several packages of one scope: `@nats-io/transport-node, jetstream`.
      const short = name.split('/').at(-1)!
      return !table
        .split('\n')
        .some((line) => line.startsWith('|') && (line.includes(name) || new RegExp(`[ -]${short}[ ,|]`).test(line)))
    })
    expect(missing).toEqual([])
  })

  it('is of exact versions', () => {
    for (const version of Object.values(dependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it('has licences that the table of dependencies knows', () => {
    const shipped = Object.entries(packages).filter(
      ([path, { dev, devOptional, link }]) => path.startsWith('node_modules/') && !dev && !devOptional && !link,
    )
    expect(shipped.length).toBeGreaterThan(100)
    const counted = Object.fromEntries(
      [...table.matchAll(/^\| ([^|]+?) +\| +(\d+) +\|$/gm)].map(([, licence, count]) => [licence!, Number(count)]),
    )
    const found: Record<string, number> = {}
    for (const [, { license = 'none' }] of shipped) found[license] = (found[license] ?? 0) + 1
    expect(counted).toEqual(found)
  })
})
