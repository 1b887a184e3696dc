import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'
import { commands } from '../helpers/advised.js'
import { hasNats, withNats } from '../helpers/nats.js'

/** A program that fails where `x` is odd, each time with another word. */
const spec = `experiment:
  command: ['sh', '-c', 'if [ $(($1 % 2)) = 1 ]; then echo "no luck with $1" >&2; exit 3; fi; echo "{\\"loss\\": $1}"', 'sh', '{x}']
axes: { x: 0..9 }
`
const whole = `experiment: { command: ['echo', '{"loss":{x}}'] }
axes: { x: 0..3 }
`

function folder(text: string): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'my.yaml'), text)
  return cwd
}
const sweep = ['sweep', 'my.yaml', '--name', 'mine', '--workers', '1']

/** Mentions a command that reads or writes a store of this host. */
const ofStore = [...commands].flatMap(([name, { storeUse }]) =>
  storeUse === 'none' || name === 'worker start' ? [] : [name],
)
const advises = new RegExp(`: .*\\bmlds (${ofStore.join('|')})\\b`)

describe('what a message advises does what it says when it is typed', () => {
  it.each([[['--store', "it's a folder/of mine"]], [['--store=elsewhere']]])(
    'after a sweep that ended early, in the store that was named: %j',
    async (store) => {
      const [ended, resumed] = await inOneProcess(
        [[...sweep, '--max-failures', '1', ...store], { advised: 'resume' }],
        folder(spec),
      )
      expect(ended!.stdout).toMatch(/It ended early: .*\nRun the rest with: mlds resume --store /)
      expect(resumed!.code).toBe(1)
      expect(resumed!.stdout).toContain('mine: 5 of 10 trials finished, 5 failed in')
    },
  )

  it('for the store that was named, whatever command prints it', async () => {
    const cwd = folder(spec)
    const inStore = (args: string[]): string[] => [...args, '--store', "it's here"]
    const printed = await inOneProcess(
      [
        ['list'],
        ['status'],
        [...sweep, '--max-failures', '1'],
        [...sweep, '--set', 'x=0..11', '--name', 'mine'],
        ['resume', 'mine', '--only', 'missing', '--max-failures', '1'],
        ['status', 'mine'],
        ['logs', 'ffff'],
        ['show', 'ffff'],
        ['verify', 'mine'],
        ['verify', 'mine', '--repair'],
        ['best', 'mine'],
        ['best', 'other'],
        ['plan', 'my.yaml', '--name', 'mine', '--set', 'x=0..11'],
        ['compare', 'mine', 'none'],
        ['data', 'list'],
        ['data', 'fetch', 'none'],
        ['doctor'],
        ['nats', 'init'],
        ['cancel', 'mine'],
        ['sync', 'mine'],
        ['audit'],
        ['export', 'mine'],
      ].map(inStore),
      cwd,
    )
    const trial = /^([0-9a-f]{16}),/m.exec(printed.at(-1)!.stdout)![1]!
    printed.push(...(await inOneProcess([inStore(['show', trial]), inStore(['logs', trial])], cwd)))
    const lines = printed.flatMap(({ args, stdout, stderr }) =>
      [stdout, stderr].flatMap((text) => text.split('\n')).map((line) => `${args.join(' ')}: ${line}`),
    )
    const advised = lines.filter((line) => advises.test(line))
    expect(advised.length).toBeGreaterThan(10)
    expect(advised.filter((line) => !line.includes(`--store 'it'\\''s here'`))).toEqual([])
  })

  it('of a damaged journal: verify --repair, then resume, and it is complete', async () => {
    const cwd = folder(whole)
    await inOneProcess([sweep], cwd)
    const journal = join(cwd, '.mlds/sweeps/mine/journal.jsonl')
    const lines = readFileSync(journal, 'utf8').split('\n')
    const ended = lines.findIndex((line) => line.includes('"type":"ended"'))
    writeFileSync(journal, lines.map((line, i) => (i === ended ? line.slice(0, 30) : line)).join('\n'))
    const [found, repaired, resumed, verified] = await inOneProcess(
      [['verify', 'mine'], { advised: 'verify' }, { advised: 'resume' }, ['verify', 'mine']],
      cwd,
    )
    expect(found!.code).toBe(1)
    expect(repaired!.args).toEqual(['verify', 'mine', '--repair'])
    expect(resumed!).toMatchObject({ code: 0, args: ['resume', 'mine'] })
    expect(verified!).toMatchObject({ code: 0 })
    expect(verified!.stdout).toContain('planned 4, finished 4, unique 4: complete')
    expect(verified!.stdout).not.toContain('journal:')
  })

  it('of another plan for a known sweep: --extend runs what is new, another --name all', async () => {
    const more = ['sweep', 'my.yaml', '--set', 'x=0..5', '--workers', '1', '--name']
    const [, refused, extended, named] = await inOneProcess(
      [sweep, [...more, 'mine'], [...more, 'mine', '--extend'], [...more, 'another']],
      folder(whole),
    )
    expect(refused!).toMatchObject({ code: 2 })
    expect(refused!.stderr).toMatch(/--extend .*--name/)
    expect(extended!).toMatchObject({ code: 0 })
    expect(extended!.stdout).toContain('mine: 6 of 6 trials finished')
    expect(named!).toMatchObject({ code: 0 })
    expect(named!.stdout).toContain('another: 6 of 6 trials finished')
  })

  it('of a trial that nobody has: export lists them', async () => {
    const [, refused, exported] = await inOneProcess([sweep, ['show', 'ffffffff'], ['export', 'mine']], folder(whole))
    expect(refused!.stderr).toContain('mlds export SWEEP')
    expect(exported!.stdout).toMatch(/^trial,/)
  })

  it.skipIf(!hasNats)('of a sweep on NATS: status, and cancel before prune', async () => {
    const { url } = await withNats('')
    const nats = ['--nats', url]
    const [detached, status, refused, cancelled, pruned] = await inOneProcess(
      [
        ['sweep', 'params', '-p', 'smoke', '--name', 'mine', ...nats, '--detach'],
        { advised: 'status' },
        ['nats', 'prune', 'mine', ...nats, '--yes'],
        { advised: 'cancel' },
        ['nats', 'prune', 'mine', ...nats, '--yes'],
      ],
      temporaryFolder(),
    )
    expect(detached!.stdout).toMatch(/see them with: mlds status mine, collect them with: mlds resume mine$/m)
    expect(status!).toMatchObject({ code: 0, args: ['status', 'mine'] })
    expect(refused!).toMatchObject({ code: 3 })
    expect(cancelled!.stdout).toContain('mine is cancelled')
    expect(pruned!).toMatchObject({ code: 0 })
  })
})
