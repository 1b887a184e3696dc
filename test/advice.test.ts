import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allFlags, codeOf, faultsOf, flagsIn, isCommand, isName, mentionsIn, textsOf } from './helpers/advised.js'

const repository = join(import.meta.dirname, '..')
const filesIn = (folder: string, ending: string): string[] =>
  readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => join(repository, folder, file))

const sources = filesIn('src', '.ts').map((file) => ({ file, texts: textsOf(file) }))
const pages = [join(repository, 'README.md'), ...filesIn('docs', '.md')].map((file) => ({
  file,
  texts: codeOf(readFileSync(file, 'utf8')).filter((code) => !isName(code.replace(/^mlds /, ''))),
}))

/** Flags of other programs that pages and messages name: Node, MLflow, NATS, npm, Hydra, and a person's own. */
const foreign = new Set(
  [
    'max-old-space-size',
    'backend-store-uri artifacts-destination source target allowed-hosts experiment-id',
    'signal replicas',
    'ignore-scripts omit audit-level',
    'multirun',
    'option lr',
    'test-only partition gres job-name array open-mode parsable batch state bind mem',
    'cached others exclude-standard enable-experimental-regexp-engine',
  ].flatMap((flags) => flags.split(' ')),
)

/** What may follow `mlds` in a sentence that is about it. */
const prose = new Set([
  'can',
  'copies',
  'does',
  'has',
  'in',
  'is',
  'needs',
  'on',
  'or',
  'put',
  'reaches',
  'starts',
  'takes',
  'there',
  'to',
  'too',
  'was',
  'writes',
])

function faultsIn(from: readonly { readonly file: string; readonly texts: readonly string[] }[]): string[] {
  return from.flatMap(({ file, texts }) =>
    texts.flatMap(mentionsIn).flatMap((mention) => {
      if (prose.has(mention.split(/\W/)[0]!)) return []
      const faults = isCommand(mention) ? faultsOf(mention) : ['no such command']
      return faults.map((fault) => `${relative(repository, file)}: mlds ${mention}: ${fault}`)
    }),
  )
}

describe('a command that mlds advises', () => {
  it('can be typed as it stands in every message and help text: it exists, with its flags, values and arguments', () => {
    expect(sources.flatMap(({ texts }) => texts.flatMap(mentionsIn)).length).toBeGreaterThan(100)
    expect(faultsIn(sources)).toEqual([])
  })

  it('can be typed as it stands in the README and in every page of the documentation', () => {
    expect(pages.flatMap(({ texts }) => texts.flatMap(mentionsIn)).length).toBeGreaterThan(80)
    expect(faultsIn(pages)).toEqual([])
  })

  it('has flags that some command has, named alone too', () => {
    // What begins with dashes there are properties of CSS and arguments of git.
    const others = ['page-style.ts', 'system/git.ts']
    const readable = sources.filter(({ file }) => !others.some((other) => file.endsWith(other)))
    const unknown = [...readable, ...pages].flatMap(({ file, texts }) =>
      texts.flatMap((text) =>
        flagsIn(text)
          .filter((flag) => !allFlags.has(flag) && !foreign.has(flag))
          .map((flag) => `${relative(repository, file)}: --${flag}: ${text.slice(0, 80)}`),
      ),
    )
    expect(unknown).toEqual([])
  })
})
