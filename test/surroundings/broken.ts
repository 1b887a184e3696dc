import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Finished } from '../helpers/cli.js'
import { mayRun, nobody, onSmallDisk, runAs } from '../helpers/surroundings.js'

/** What people type, with outputs that can't be written among it. */
const commands: readonly (readonly string[])[] = [
  ['--version'],
  ['--help'],
  ['list'],
  ['list', '--json'],
  ['status'],
  ['best', 'first'],
  ['verify', 'first'],
  ['show', '0'],
  ['plan', 'first.yaml'],
  ['sweep', 'first.yaml'],
  ['sweep', 'params', '-p', 'smoke', '--set', 'width=4', '--set', 'seed=0'],
  ['resume', 'first'],
  ['export', 'first'],
  ['export', 'first', '-o', 'first.yaml/rows.csv'],
  ['export', 'first', '-o', '/proc/nope/rows.csv'],
  ['export', 'first', '--format', 'mlruns', '-o', '/proc/nope/runs'],
  ['report', 'first', '-o', '/proc/nope/page.html'],
  ['figure', 'first', '-o', '/dev/null/figures'],
  ['report', 'first'],
  ['data', 'list'],
  ['data', 'add', 'first.yaml'],
  ['nats', 'init'],
  ['nats', 'init', '/proc/nope/nats'],
  ['experiments'],
  ['completion', 'bash'],
  ['import', 'wandb', '/proc/self/mem'],
]

type Run = (cwd: string, args: readonly string[]) => Finished
const surroundings: Readonly<Record<string, Run>> = {
  'a full standard output': (cwd, args) => runAs(undefined, cwd, args, { redirect: '> /dev/full' }),
  'no standard streams': (cwd, args) => runAs(undefined, cwd, args, { redirect: '<&- >&- 2>&-' }),
  'all streams full': (cwd, args) => runAs(undefined, cwd, args, { redirect: '> /dev/full 2> /dev/full' }),
  'a reader that has gone': (cwd, args) => runAs(undefined, cwd, args, { redirect: '| true' }),
  'a store below /proc': (cwd, args) => runAs(undefined, cwd, args, { env: { MLDS_STORE: '/proc/nope/store' } }),
  'a store that is a file': (cwd, args) =>
    runAs(undefined, cwd, args, { env: { MLDS_STORE: join(cwd, 'first.yaml') } }),
  'a store below a file': (cwd, args) =>
    runAs(undefined, cwd, args, { env: { MLDS_STORE: join(cwd, 'first.yaml/x') } }),
  'another user, without a name or a home': (cwd, args) => runAs(54_321, cwd, args, { env: { HOME: undefined } }),
  'no temporary folder': (cwd, args) => runAs(undefined, cwd, args, { env: { TMPDIR: '/proc/nope' } }),
  'a home that is a file': (cwd, args) => runAs(undefined, cwd, args, { env: { HOME: join(cwd, 'first.yaml') } }),
  'a language that is none': (cwd, args) =>
    runAs(undefined, cwd, args, { env: { LANG: 'xx', LC_ALL: 'C', TERM: 'none' } }),
  'a working folder that is gone': (cwd, args) =>
    runAs(undefined, cwd, args, { before: 'mkdir gone && cd gone && rmdir ../gone' }),
  'few open files': (cwd, args) => runAs(undefined, cwd, args, { before: 'ulimit -n 30' }),
  'files of at most 64 KiB': (cwd, args) => runAs(undefined, cwd, args, { before: 'ulimit -f 64' }),
  'a full disk': (cwd, args) => onSmallDisk(join(cwd, 'disk'), 256, cwd, args),
  'a user who may not write': (cwd, args) => runAs(nobody, cwd, args),
}

const spec = `experiment: {command: [echo, '{"loss": {x}}']}
name: first
axes: {x: [1, 2]}
objective: {metric: loss, direction: minimize}
`

/** Runs every command in some of the surroundings, or in all: none may hang, print a stack trace or be called a bug. */
export function describeBrokenSurroundings(each: number): void {
  describe.skipIf(!mayRun)('in broken surroundings', () => {
    let lab: string
    beforeAll(() => {
      lab = mkdtempSync(join(tmpdir(), 'mlds-broken-'))
      chmodSync(lab, 0o755)
      mkdirSync(join(lab, 'disk'))
      writeFileSync(join(lab, 'first.yaml'), spec)
      expect(runAs(undefined, lab, ['sweep', 'first.yaml']).code).toBe(0)
    }, 60_000)
    afterAll(() => rmSync(lab, { recursive: true, force: true }))

    const names = Object.keys(surroundings)
    const count = Math.min(each, names.length)
    // Each command meets so many of the surroundings, and the surroundings take turns.
    const pairs = commands.flatMap((args, i) =>
      Array.from({ length: count }, (_, j) => ({
        command: args.join(' '),
        name: names[(i * count + j) % names.length]!,
        args,
      })),
    )
    it.each(pairs)('mlds $command ends with a sentence: $name', { timeout: 90_000 }, ({ args, name }) => {
      const { code, signal, stdout, stderr } = surroundings[name]!(lab, args)
      expect({ signal, stdout, stderr, code: [0, 1, 2, 3].includes(code ?? -1) ? 'honest' : code }).toEqual({
        ...{ signal: null, stdout, stderr, code: 'honest' },
      })
      expect(stderr).not.toMatch(/^\s+at |node:internal|this is a bug|ERR_[A-Z]|errno/m)
    })
  })
}
