import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const source = join(import.meta.dirname, '..', 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

interface Import {
  readonly from: string
  readonly to: string
  readonly typeOnly: boolean
  readonly lazy: boolean
}

const imports: Import[] = files.flatMap((from) => {
  const text = readFileSync(join(source, from), 'utf8')
  const statics = [...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gms)].map((m) => ({
    typeOnly: m[1] !== undefined,
    to: m[2]!,
    lazy: false,
  }))
  const lazies = [...text.matchAll(/import\(\s*'([^']+)'\s*\)/g)].map((m) => ({
    typeOnly: false,
    to: m[1]!,
    lazy: true,
  }))
  return [...statics, ...lazies].map(({ to, ...rest }) => ({
    from,
    to: to.startsWith('.') ? normalize(join(dirname(from), to)).replace(/\.js$/, '.ts') : to,
    ...rest,
  }))
})
const inside = imports.filter(({ to }) => files.includes(to))

const folderOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : 'front door')
const leaves = ['core', 'system']
const middle = [
  'net',
  'engines',
  'data',
  'analysis',
  'figures',
  'report',
  'experiments',
  'search',
  'sweeps',
  'worker',
  'tracking',
  'fleet',
]
const below = [...leaves, ...middle]

/** Who may lean on whom: docs/architecture.md. Types alone may also come from an interface file. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  system: ['core'],
  net: ['core'],
  engines: [...leaves, 'net'],
  data: leaves,
  analysis: ['core'],
  figures: [...leaves, 'analysis'],
  tracking: leaves,
  worker: leaves,
  experiments: [...leaves, 'net', 'engines', 'data', 'analysis', 'figures'],
  search: ['core', 'analysis'],
  sweeps: [...leaves, 'analysis', 'search'],
  report: [...leaves, 'figures', 'sweeps'],
  fleet: leaves,
  app: below,
  dashboard: [...below, 'app'],
  terminal: [...below, 'app'],
  commands: [...below, 'app', 'terminal', 'dashboard'],
}
/** Interfaces are words everyone may use, as long as only types are taken from them. */
const interfaces = [
  'experiments/experiment.ts',
  'experiments/custom/source.ts',
  'worker/backend.ts',
  'tracking/tracker.ts',
  'data/dataset.ts',
  'engines/engine.ts',
]
/**
 * Folders of several rooms, and which others each room may lean on; '.' is the folder's own files.
 */
const rooms: Record<string, Record<string, readonly string[]>> = {
  dashboard: {
    '.': [],
    server: ['.'],
    frozen: ['.'],
    page: ['.'],
  },
  engines: {
    '.': ['eager', 'compiled'],
    eager: ['.'],
    compiled: ['.', 'compiled/programs', 'compiled/update'],
    'compiled/lowering': ['.'],
    'compiled/programs': ['.', 'compiled/lowering'],
    'compiled/update': ['.'],
  },
  sweeps: {
    '.': ['journal', 'scheduling', 'searching', 'spec'],
    journal: [],
    scheduling: ['journal'],
    searching: ['.', 'journal', 'scheduling', 'spec'],
    spec: ['scheduling', 'spec/samplers'],
    'spec/import': ['spec'],
    'spec/samplers': [],
  },
  'tracking/mlflow': {
    '.': ['rest', 'projection', 'audit', 'gateway'],
    rest: [],
    projection: ['rest'],
    gateway: ['rest', 'projection'],
    audit: ['rest', 'projection'],
  },
  'worker/remote': {
    wire: [],
    host: ['wire'],
    orchestrator: ['wire'],
    admin: ['wire', 'host', 'orchestrator'],
  },
}
/** The files where a backend meets what it runs. */
const entryFiles = [
  'worker/threads/thread-entry.ts',
  'worker/processes/process-entry.ts',
  'worker/remote/host/attempt.ts',
  'worker/remote/host/requirements.ts',
]

describe('the architecture', () => {
  it('has imports to judge', () => {
    expect(inside.length).toBeGreaterThan(50)
  })

  it('makes folders in one place: the recursive mkdir of Node never returns where none can be made, as under /proc', () => {
    const making = files.filter((file) => /\bmkdir(?:Sync)?\(/.test(readFileSync(join(source, file), 'utf8')))
    // The lock makes one folder in a folder that is there.
    expect(making.sort()).toEqual(['system/lock.ts', 'system/make-folder.ts'])
  })

  it('lets each folder lean only on those below it', () => {
    const wrong = inside.filter(({ from, to, typeOnly }) => {
      const [a, b] = [folderOf(from), folderOf(to)]
      if (a === b || allowed[a]?.includes(b) || entryFiles.includes(from) || from === 'index.ts') return false
      return !(typeOnly && interfaces.includes(to))
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('lists as interfaces only files whose types a folder needs that may not lean on theirs', () => {
    const needed = inside.filter(({ from, to }) => {
      const [a, b] = [folderOf(from), folderOf(to)]
      return a !== b && from !== 'index.ts' && allowed[a]?.includes(b) !== true && !entryFiles.includes(from)
    })
    expect(interfaces.filter((file) => !needed.some(({ to }) => to === file))).toEqual([])
  })

  it.each(Object.entries(rooms))('lets each room of %s lean only on those of its table', (home, table) => {
    const roomOf = (file: string): string => relative(home, dirname(file)) || '.'
    const here = files.filter((file) => file.startsWith(`${home}/`))
    expect([...new Set(here.map(roomOf))].sort()).toEqual(Object.keys(table).sort())
    const wrong = inside.filter(({ from, to }) => {
      if (!here.includes(from) || !here.includes(to)) return false
      const [a, b] = [roomOf(from), roomOf(to)]
      return a !== b && table[a]?.includes(b) !== true
    })
    expect(wrong.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it.each([
    ['@tensorflow/', 'engines'],
    ['onnxruntime-node', 'engines'],
    ['onnx-proto', 'engines'],
    ['vega', 'figures'],
    ['@resvg/', 'figures'],
    ['@nats-io/', 'worker'],
    ['piscina', 'worker'],
  ])('keeps %s in %s', (library, home) => {
    const elsewhere = imports.filter(
      ({ from, to, typeOnly }) => to.startsWith(library) && folderOf(from) !== home && !typeOnly,
    )
    expect(elsewhere.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })

  it('gives a browser nothing of Node: what the page of the dashboard imports leads to none of it', () => {
    const reached = new Set<string>()
    const visit = (file: string): void => {
      if (reached.has(file)) return
      reached.add(file)
      for (const { from, to, typeOnly } of imports) if (from === file && !typeOnly) visit(to)
    }
    visit('dashboard/page/main.ts')
    const foreign = [...reached].filter((file) => !files.includes(file))
    expect(foreign).toEqual(['uplot'])
    expect([...reached].filter((file) => !/^(dashboard\/page|core)\/|^uplot$/.test(file))).toEqual([])
  })

  it('gives a file that was written aside its name in one place, which forces it to the disk first', () => {
    const renames = files.filter((file) => /\brename(Sync)?\(/.test(readFileSync(join(source, file), 'utf8')))
    // A lock changes hands by a rename: who holds it is its entry's name.
    expect(renames.sort()).toEqual(['system/lock.ts', 'system/replace-file.ts'])
  })

  it('loads ONNX Runtime in one file, which turns its telemetry off first', () => {
    const loading = imports.filter(({ to, typeOnly }) => to === 'onnxruntime-node' && !typeOnly)
    expect(loading.map(({ from }) => from)).toEqual(['engines/compiled/onnx-runtime.ts'])
  })

  it('has no import cycle, neither of types nor of files that are imported later', () => {
    const graph = new Map(files.map((file) => [file, inside.filter(({ from }) => from === file).map(({ to }) => to)]))
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): string[] => {
      if (path.includes(file)) return [...path.slice(path.indexOf(file)), file]
      if (done.has(file)) return []
      for (const next of graph.get(file) ?? []) {
        const cycle = visit(next, [...path, file])
        if (cycle.length > 0) return cycle
      }
      done.add(file)
      return []
    }
    expect(files.map((file) => visit(file, [])).find((cycle) => cycle.length > 0) ?? []).toEqual([])
  })

  it('sets the exit code in the base command alone: a command says what it ends with', () => {
    const setting = files.filter((file) => /process\.exitCode\b/.test(readFileSync(join(source, file), 'utf8')))
    // Where there is no command: one that is not found, and output that is lost as the process ends.
    expect(setting.sort()).toEqual(['terminal/base-command.ts', 'terminal/command-not-found.ts', 'terminal/start.ts'])
  })

  it('reads the wall clock and rolls dice only where they are arguments', () => {
    const pure = files.filter((file) =>
      ['sweeps', 'search', 'experiments', 'analysis', 'figures', 'report', 'data', 'net', 'engines'].includes(
        folderOf(file),
      ),
    )
    const offenders = pure.filter((file) =>
      /Date\.now\(\)|Math\.random\(\)|new Date\(\)/.test(readFileSync(join(source, file), 'utf8')),
    )
    expect(offenders.map((file) => relative(source, join(source, file)))).toEqual([])
  })

  it('gives heavy libraries to commands only when they run', () => {
    const eager = imports.filter(
      ({ from, to, typeOnly, lazy }) =>
        folderOf(from) === 'commands' &&
        !lazy &&
        !typeOnly &&
        !/^@oclif\/core$|^node:|^(terminal\/|figures\/formats|core\/(errors|names|trial|space|version|clock|format|group-by|newer-format|param-value|has-profiles|shell-word))/.test(
          to,
        ),
    )
    expect(eager.map(({ from, to }) => `${from} imports ${to}`)).toEqual([])
  })
})
