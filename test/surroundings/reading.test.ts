import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { mayRun, nobody, runAs, startAs, underReadOnlyMount } from '../helpers/surroundings.js'

const commandsFolder = join(import.meta.dirname, '..', '..', 'dist', 'commands')
const commandFiles = readdirSync(commandsFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.js'),
)
interface Declared {
  readonly words: string[]
  readonly storeUse: string | undefined
}
const commands: Declared[] = await Promise.all(
  commandFiles.map(async (file) => {
    const { default: command } = (await import(pathToFileURL(join(commandsFolder, file)).href)) as {
      default: { storeUse?: string }
    }
    return { words: file.replace(/\.js$/, '').split('/'), storeUse: command.storeUse }
  }),
)
/** These run until they are told to end. */
const endless = ['dashboard']
const reading = commands.filter(
  ({ storeUse, words }) => (storeUse === 'reads' || storeUse === 'peeks') && !endless.includes(words.join(' ')),
)

/** What to type after each command that reads; `OUT` is a folder of the reader's own. A new command must be added here. */
const typed: Readonly<Record<string, readonly string[]>> = {
  audit: ['ftp://nowhere'],
  best: ['first'],
  cancel: ['first'],
  compare: ['first', 'second'],
  'data list': [],
  diff: ['first', 'OUT/first.yaml'],
  doctor: [],
  export: ['first', '-o', 'OUT/rows.csv'],
  figure: ['first', '-o', 'OUT/figures'],
  list: [],
  logs: ['TRIAL'],
  'nats prune': ['--nats', 'nats://127.0.0.1:9'],
  pause: ['first'],
  plan: ['OUT/first.yaml'],
  report: ['first', '-o', 'OUT/report.html'],
  show: ['TRIAL'],
  status: ['first'],
  verify: ['first'],
  watch: ['first'],
}
/** Those that need a server, or a sweep that ran on one: they end with a sentence all the same. */
const refused = ['audit', 'cancel', 'nats prune', 'pause']

let lab: string
let trial: string

function writeSpec(folder: string, name: string): void {
  writeFileSync(
    join(folder, `${name}.yaml`),
    `experiment: {command: [echo, '{"loss": {x}}']}\nname: ${name}\naxes: {x: [1, 2]}\nobjective: {metric: loss, direction: minimize}\n`,
  )
}

beforeAll(async () => {
  lab = mkdtempSync(join(tmpdir(), 'mlds-reading-'))
  chmodSync(lab, 0o755)
  mkdirSync(join(lab, 'out'))
  if (mayRun) spawnSync('chown', [String(nobody), join(lab, 'out')])
  for (const name of ['first', 'second']) {
    writeSpec(lab, name)
    writeSpec(join(lab, 'out'), name)
    const { code, stderr } = runAs(undefined, lab, ['sweep', `${name}.yaml`, '--fresh'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  }
  const { stdout } = runAs(undefined, lab, ['export', 'first', '--format', 'jsonl'])
  trial = (JSON.parse(stdout.split('\n')[0]!) as { trial: string }).trial
})
afterAll(() => rmSync(lab, { recursive: true, force: true }))

/** Every file and folder with its size and the time it was last changed. */
function lookAt(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .concat(folder)
    .map((path) => {
      const { size, mtimeMs } = statSync(path)
      return `${relative(folder, path)} ${size} ${mtimeMs}`
    })
    .sort()
}

const argsOf = (words: readonly string[]): string[] => [
  ...words,
  ...typed[words.join(' ')]!.map((word) => word.replace('OUT', join(lab, 'out')).replace('TRIAL', trial)),
]

describe('every command', () => {
  it.each(commands)('$words says how it uses the store', ({ storeUse }) => {
    expect(['none', 'peeks', 'reads', 'changes', 'makes']).toContain(storeUse)
  })

  it('that reads is tried here without permission to write', () => {
    expect(reading.map(({ words }) => words.join(' ')).sort()).toEqual(Object.keys(typed).sort())
  })
})

describe.skipIf(!mayRun)('a store of another user', () => {
  it.each(reading)('is read by $words, which makes and changes nothing in it', ({ words }) => {
    const store = join(lab, '.mlds')
    const before = lookAt(store)
    const { code, stdout, stderr } = runAs(nobody, join(lab, 'out'), [...argsOf(words), '--store', store])
    const name = words.join(' ')
    // doctor says that sweeps need another store.
    if (!refused.includes(name) && name !== 'doctor')
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout, stderr })
    expect([0, 2, 3]).toContain(code)
    expect(stderr).not.toMatch(/ {4}at |bug|can't be written/)
    expect(lookAt(store)).toEqual(before)
  })

  it('is served by dashboard, which makes and changes nothing in it', async () => {
    const store = join(lab, '.mlds')
    const before = lookAt(store)
    const child = startAs(nobody, join(lab, 'out'), ['dashboard', 'first', '--no-open', '--store', store])
    const ended = once(child, 'exit')
    try {
      let printed = ''
      for await (const chunk of child.stdout!.setEncoding('utf8')) {
        printed += chunk as string
        if (/http:\/\/\S+\s/.test(printed)) break
      }
      expect((await fetch(/http:\/\/\S+/.exec(printed)![0])).status).toBe(200)
    } finally {
      child.kill('SIGINT')
    }
    expect(await ended).toEqual([0, null])
    expect(lookAt(store)).toEqual(before)
  })

  it.each([
    ['figure', 'draw elsewhere with: mlds figure', 'first -o DIR'],
    ['report', 'write it elsewhere with: mlds report', 'first -o FILE.html'],
  ])('is where %s would write, and it says where else to', (command, hint, rest) => {
    const { code, stderr } = runAs(nobody, join(lab, 'out'), [command, 'first', '--store', join(lab, '.mlds')])
    expect(code).toBe(3)
    expect(stderr).toContain(`the folder can't be written: ${join(lab, '.mlds', 'sweeps', 'first')}: no permission`)
    expect(stderr).toContain(`${hint} --store ${join(lab, '.mlds')} ${rest}`)
  })

  it.each([
    ['sweep', 'first.yaml'],
    ['resume', 'first'],
    ['sync', 'first', '--track', 'http://127.0.0.1:9'],
  ])('is not written by %s, with a sentence and exit code 3', (...args) => {
    const { code, stderr } = runAs(nobody, join(lab, 'out'), [...args, '--store', join(lab, '.mlds')])
    expect(code).toBe(3)
    expect(stderr).toMatch(/^Error: the store can't be written: .*: no permission\n/)
  })
})

describe.skipIf(!mayRun)('a store on a read-only mount', () => {
  it.each(reading)('is read by $words', ({ words }) => {
    const store = join(lab, '.mlds')
    const { code, stderr } = underReadOnlyMount(store, join(lab, 'out'), [...argsOf(words), '--store', store])
    const name = words.join(' ')
    if (refused.includes(name) || name === 'doctor') expect([0, 2, 3]).toContain(code)
    else expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    expect(stderr).not.toMatch(/ {4}at |bug|can't be written/)
  })
})

describe('a store that is not there', () => {
  it.each(['list', 'status', 'best', 'resume'])('is said so by %s, and not made', async (command) => {
    const cwd = temporaryFolder()
    const args = ['best', 'resume'].includes(command) ? [command, 'latest'] : [command]
    const named = await mlds([...args, '--store', 'nothing'], { cwd })
    if (command === 'status') expect(named.stderr).toMatch(/there is no sweep yet/)
    else
      expect(named).toMatchObject({
        code: 3,
        stderr: expect.stringContaining(`there is no store: ${join(cwd, 'nothing')}`) as string,
      })
    await mlds(args, { cwd })
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('from a subfolder', () => {
  it('the store above is found and named, and one in the folder itself goes before it', async () => {
    const cwd = temporaryFolder()
    const below = join(cwd, 'a', 'b')
    mkdirSync(below, { recursive: true })
    writeSpec(cwd, 'first')
    writeSpec(below, 'second')
    expect((await mlds(['sweep', 'first.yaml'], { cwd })).code).toBe(0)
    const found = await mlds(['list'], { cwd: below })
    expect(found).toMatchObject({ code: 0, stderr: `The store is ${join(cwd, '.mlds')}\n` })
    expect(found.stdout).toMatch(/^first /m)
    // Writing goes there too; what is typed stays relative to where it is typed.
    expect((await mlds(['sweep', 'second.yaml'], { cwd: below })).code).toBe(0)
    expect(readdirSync(join(cwd, '.mlds', 'sweeps')).sort()).toEqual(['first', 'second'])
    const json = await mlds(['list', '--json'], { cwd: below })
    expect(json.stderr).toBe('')
    expect(JSON.parse(json.stdout)).toHaveLength(2)

    expect((await mlds(['list', '--store', 'mine'], { cwd: below })).code).toBe(3)
    expect((await mlds(['sweep', 'second.yaml', '--store', '.mlds'], { cwd: below })).code).toBe(0)
    expect((await mlds(['list'], { cwd: below })).stdout).not.toMatch(/^first /m)
  })

  it('a store of the home folder or above it is not taken', async () => {
    const home = temporaryFolder()
    const below = join(home, 'project')
    mkdirSync(below)
    writeSpec(home, 'first')
    expect((await mlds(['sweep', 'first.yaml'], { cwd: home, env: { HOME: home } })).code).toBe(0)
    expect((await mlds(['list'], { cwd: below, env: { HOME: home } })).stdout).toMatch(/No sweeps yet/)
  })

  it.skipIf(!mayRun)('a store that another user has put there is not taken', async () => {
    const cwd = temporaryFolder()
    const below = join(cwd, 'project')
    mkdirSync(join(cwd, '.mlds', 'sweeps'), { recursive: true })
    mkdirSync(below)
    spawnSync('chown', ['-R', String(nobody), join(cwd, '.mlds')])
    expect((await mlds(['list'], { cwd: below })).stderr).toBe('')
  })
})

const trap = (mark: string): string => `import { writeFileSync } from 'node:fs'
writeFileSync(${JSON.stringify(mark)}, 'ran')
export default {
  name: 'trap', aliases: [], version: 1, title: '', question: '', source: '', claims: [], figures: [],
  objective: { metric: 'loss', direction: 'minimize' },
  stages: [{ name: 'main', space: { x: { kind: 'number', default: 1 } }, engine: false, data: () => [], cost: () => 1, run: ({ x }) => ({ loss: x }) }],
  profiles: { smoke: { axes: {}, seeds: [0] }, reduced: { axes: {}, seeds: [0] }, full: { axes: {}, seeds: [0] } },
}
`

describe.skipIf(!mayRun)("another user's code", () => {
  const reads = [
    ['figure', 'trap', '-o', 'drawn'],
    ['report', 'trap', '-o', 'page.html'],
    ['best', 'trap'],
    ['watch', 'trap'],
    ['compare', 'trap', 'trap'],
    ['export', 'trap', '--format', 'mlruns', '-o', 'runs'],
  ]

  it.each([
    ['the plan and the code', ['plan.json', 'trap.mjs']],
    ['the plan', ['plan.json']],
    ['the code', ['trap.mjs']],
  ])('is not run where %s belong to them, unless it is trusted', async (_, theirs) => {
    const cwd = temporaryFolder()
    const mark = join(cwd, 'mark')
    writeFileSync(join(cwd, 'trap.mjs'), trap(mark))
    expect((await mlds(['sweep', 'trap.mjs', '--name', 'trap', '--set', 'x=1,2'], { cwd })).code).toBe(0)
    expect(readFileSync(mark, 'utf8')).toBe('ran')
    const files: Record<string, string> = {
      'plan.json': join(cwd, '.mlds/sweeps/trap/plan.json'),
      'trap.mjs': join(cwd, 'trap.mjs'),
    }
    for (const file of theirs) spawnSync('chown', [String(nobody), files[file]!])
    rmSync(mark)
    for (const args of reads) {
      const { code, stderr } = await mlds(args, { cwd })
      expect({ args, code, stderr: code === 0 ? '' : stderr, ran: readdirSync(cwd).includes('mark') }).toEqual({
        args,
        code: 0,
        stderr: '',
        ran: false,
      })
    }
    const refused = await mlds(['resume', 'trap'], { cwd })
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('--trust-code runs it') as string })
    expect(readdirSync(cwd)).not.toContain('mark')

    expect((await mlds(['report', 'trap', '--trust-code'], { cwd })).code).toBe(0)
    expect(readdirSync(cwd)).toContain('mark')
    expect((await mlds(['resume', 'trap', '--trust-code'], { cwd })).code).toBe(0)
  })

  it('is not run through a link in a store of one’s own, nor by a sweep that was planned elsewhere under the same name', async () => {
    const cwd = temporaryFolder()
    const [mark, mine] = [join(cwd, 'mark'), join(cwd, 'mine')]
    mkdirSync(mine)
    writeFileSync(join(cwd, 'trap.mjs'), trap(mark))
    expect((await mlds(['sweep', 'trap.mjs', '--name', 'trap', '--store', 'theirs'], { cwd })).code).toBe(0)
    spawnSync('chown', ['-R', String(nobody), join(cwd, 'theirs'), join(cwd, 'trap.mjs')])
    rmSync(mark)
    mkdirSync(join(mine, '.mlds', 'sweeps', 'trap'), { recursive: true })
    spawnSync('ln', ['-s', join(cwd, 'theirs/sweeps/trap/plan.json'), join(mine, '.mlds/sweeps/trap/plan.json')])
    spawnSync('ln', [
      '-s',
      join(cwd, 'theirs/sweeps/trap/journal.jsonl'),
      join(mine, '.mlds/sweeps/trap/journal.jsonl'),
    ])
    expect((await mlds(['report', 'trap'], { cwd: mine })).code).toBe(0)
    expect((await mlds(['resume', 'trap'], { cwd: mine })).code).toBe(3)
    expect(readdirSync(cwd)).not.toContain('mark')
  })
})
