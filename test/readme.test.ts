import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './helpers/cli.js'

const repository = join(import.meta.dirname, '..')
const readme = readFileSync(join(repository, 'README.md'), 'utf8')

/** The commands of every console block in order, each with the lines shown beneath it. */
const shown = [...readme.matchAll(/^```console\n([^]*?)^```$/gm)].flatMap(([, block]) =>
  block!
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [line, ...output] = part.trimEnd().split('\n')
      return { command: line!.replace(/\s+#.*$/, ''), output }
    }),
)

/** What differs from one run to the next: times and memory. */
const normal = (line: string): string =>
  line
    .replace(/in [\d.]+ (ms|s|min)\b/, 'in TIME')
    .replace(/at most \d+ MB/, 'at most MEMORY')
    .trimEnd()

/** Whether the lines are as shown, where a line of … is any number of lines. */
function isAsShown(printed: readonly string[], output: readonly string[]): boolean {
  const [wanted, ...rest] = output
  if (wanted === undefined) return printed.length === 0
  if (wanted === '…') return printed.some((_, i) => isAsShown(printed.slice(i), rest)) || rest.length === 0
  return printed.length > 0 && printed[0] === wanted && isAsShown(printed.slice(1), rest)
}

/** A shell where `npx mlds` is what was built here. */
function shellIn(cwd: string): (command: string) => string {
  const bin = join(cwd, 'bin')
  mkdirSync(bin)
  const run = join(repository, 'bin', 'run.js')
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\nexec '${process.execPath}' '${run}' "$@"\n`, { mode: 0o755 })
  const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: cwd, NO_COLOR: '1' }
  return (command) => spawnSync('sh', ['-c', `exec 2>&1; ${command}`], { cwd, env, encoding: 'utf8' }).stdout
}

describe('the README', () => {
  it('shows what its commands print, one after the other in a fresh folder', () => {
    const shell = shellIn(temporaryFolder())
    expect(shown.length).toBeGreaterThan(4)
    for (const { command, output } of shown) {
      const printed = shell(command).trimEnd().split('\n').map(normal)
      const wanted = output.map(normal)
      // The whole of both where they differ, so that the README can be mended from the message.
      if (!isAsShown(printed.join('') === '' ? [] : printed, wanted))
        expect({ command, printed }).toEqual({ command, printed: wanted })
    }
  })

  it('says how many nets its first command trains', () => {
    const [, command, count] = /npx mlds (sweep params)[^#\n]*# trains (\d+) nets/.exec(readme)!
    const printed = shellIn(temporaryFolder())(`npx mlds ${command!.replace('sweep', 'plan')}`)
    expect(printed).toContain(`: ${count} trials of params`)
  })

  it('names, as every page does, only files and folders that are there', () => {
    const pages = [
      'README.md',
      'CONTRIBUTING.md',
      ...readdirSync(join(repository, 'docs')).map((name) => `docs/${name}`),
    ]
    const missing = pages
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) => {
        const text = readFileSync(join(repository, page), 'utf8')
        const code = [...text.matchAll(/`((?:src|test|bench|scripts|examples|docs|\.ci)\/[\w./-]*)`/g)]
        const links = [...text.matchAll(/\]\(([\w./-]+)(?:#[\w-]*)?\)/g)]
        return [
          ...code.map(([, name]) => ({ page, name: name!, from: '.' })),
          ...links.map(([, name]) => ({ page, name: name!, from: dirname(page) })),
        ]
      })
      // NAME stands for whatever a person chooses.
      .filter(({ name, from }) => !/\/[A-Z]+\.ts$/.test(name) && !existsSync(join(repository, from, name)))
    expect(missing).toEqual([])
  })
})
