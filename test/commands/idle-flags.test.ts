import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mlds, temporaryFolder } from '../helpers/cli.js'
import { inOneProcess } from '../helpers/in-one-process.js'

/** A call in which a flag changes nothing, and the reason that is given. */
interface Idle {
  readonly call: string
  readonly why: string
}
/** It has an effect in every call: what that is. */
type Always = string

const queue = 'it names a queue on a NATS server'
const toMlflow = 'nothing goes to MLflow'
const noProfiles = 'this experiment has no profiles'
const noEngine = 'this experiment trains no net'
const left = 'with --detach nobody waits for failures'
const first = '--fail-fast ends the sweep at its first failure'
const saidByWorkers = 'workers say it themselves'
const nats = '--nats nats://127.0.0.1:9'

/** Every flag of every command; one that is new has to be placed here. */
const table: Readonly<Record<string, Readonly<Record<string, Always | readonly Idle[]>>>> = {
  audit: { repair: 'mends', deep: 'looks at contents', 'idle-minutes': 'what counts as running' },
  best: {
    metric: 'ranks by it',
    maximize: 'ranks by it',
    minimize: 'ranks by it',
    top: 'how many',
    'trust-code': 'permits code',
  },
  cancel: { nats: 'where', tenant: [{ call: 'cancel q --tenant a', why: queue }] },
  compare: { metric: 'compares it', 'trust-code': 'permits code' },
  completion: {},
  dashboard: {
    port: 'where it listens',
    'allow-actions': 'permits changes',
    'no-open': 'opens nothing',
    'trust-code': 'permits code',
  },
  diff: { config: 'the plan', set: 'the plan', profile: [{ call: 'diff q q.yaml --profile smoke', why: noProfiles }] },
  doctor: {},
  experiments: {
    ...{ nets: 'shows them', functions: 'shows them' },
    ...{ profile: 'needs --nets', out: 'needs --nets or --functions' },
  },
  export: {
    format: 'what is written',
    output: 'where to',
    'track-checkpoints': [
      { call: 'export q --track-checkpoints', why: 'rows of csv hold no weights' },
      { call: 'export q --format jsonl --track-checkpoints', why: 'rows of jsonl hold no weights' },
      { call: 'export q --format evidence --track-checkpoints', why: 'evidence always holds weights' },
    ],
    'trust-code': [{ call: 'export q --trust-code', why: 'rows of csv run no code' }],
  },
  figure: {
    from: 'where from',
    beside: [
      {
        call: 'figure q --from http://127.0.0.1:9 --sweep q --beside q',
        why: 'only sweeps of this store are drawn beside each other',
      },
    ],
    sweep: 'which',
    output: 'where to',
    format: 'what is written',
    width: 'how wide',
    'no-title': 'what stands above',
    font: 'what it is set in',
    grayscale: 'colours',
    show: 'shows them',
    'trust-code': 'permits code',
  },
  list: { where: 'which' },
  logs: { attempt: 'which', follow: 'how long' },
  note: { clear: 'takes it away' },
  pause: { nats: 'where', tenant: [{ call: 'pause q --tenant a', why: queue }] },
  plan: {
    config: 'the plan',
    set: 'the plan',
    profile: [{ call: 'plan q.yaml -p full', why: noProfiles }],
    name: 'the id',
    search: 'the plan',
    count: 'the plan',
    range: 'the plan',
    parallel: 'the plan',
    confirm: 'the plan',
    scheduler: 'is checked',
    workers: 'the estimate',
    engine: [{ call: 'plan q.yaml --engine cpu', why: noEngine }],
    pilot: 'the estimate',
    all: 'every trial',
  },
  recover: { from: 'where from' },
  report: { from: 'where from', sweep: 'which', out: 'where to', full: 'how much', 'trust-code': 'permits code' },
  rename: {},
  resume: {
    only: 'which trials',
    workers: 'how many',
    nats: 'where',
    tenant: [{ call: 'resume q --tenant a', why: queue }],
    experiment: [{ call: 'resume q --experiment q.yaml', why: 'it is for a sweep that comes from a NATS server' }],
    ship: [{ call: 'resume q --ship', why: 'files travel to workers of a NATS server' }],
    fleet: 'whose workers',
    context: [{ call: 'resume q --context a', why: '' }],
    setup: [{ call: 'resume q --setup a', why: '' }],
    tunnel: [{ call: 'resume q --fleet slurm:1,1h --tunnel', why: 'no ssh of yours reaches the nodes' }],
    'worker-arg': [{ call: 'resume q --worker-arg a', why: '' }],
    engine: [{ call: 'resume q --engine cpu', why: noEngine }],
    track: 'where to',
    'track-checkpoints': [{ call: 'resume q --track-checkpoints', why: toMlflow }],
    'track-programs': [{ call: 'resume q --track-programs', why: toMlflow }],
    budget: 'when it ends',
    copies: 'runs stragglers twice',
    'fail-fast': 'when it ends',
    'max-failures': [{ call: 'resume q --fail-fast --max-failures 2', why: first }],
    'failing-alike': [{ call: 'resume q --failing-alike 2 --fail-fast', why: first }],
    grace: 'how long',
    'checkpoint-every': [{ call: `resume q ${nats} --checkpoint-every 1`, why: saidByWorkers }],
    retries: 'how often',
    'trust-code': 'permits code',
  },
  rm: { yes: 'removes' },
  schema: {},
  show: { 'all-attempts': 'void results' },
  status: { nats: 'where', tenant: [{ call: 'status q --tenant a', why: queue }] },
  sweep: {
    workers: [{ call: `sweep q.yaml --workers 2 ${nats} --detach`, why: '' }],
    nats: 'where',
    tenant: [{ call: 'sweep q.yaml --tenant a', why: queue }],
    lease: [{ call: 'sweep q.yaml --lease 1m', why: '' }],
    config: 'the plan',
    set: 'the plan',
    profile: [{ call: 'sweep q.yaml --profile smoke', why: noProfiles }],
    name: [{ call: 'sweep all --name a', why: '' }],
    search: 'the plan',
    count: 'the plan',
    range: 'the plan',
    parallel: 'the plan',
    confirm: 'the plan',
    scheduler: 'what is stopped',
    'until-decided': 'how many seeds',
    'max-seeds': [{ call: 'sweep q.yaml --max-seeds 9', why: '' }],
    engine: [{ call: 'sweep q.yaml --engine cpu', why: noEngine }],
    track: 'where to',
    'track-checkpoints': [{ call: 'sweep q.yaml --track-checkpoints', why: toMlflow }],
    'track-programs': [
      { call: 'sweep q.yaml --track-programs', why: toMlflow },
      {
        call: `sweep q.yaml ${nats} --detach --track http://127.0.0.1:9 --track-programs`,
        why: 'with --detach nobody passes on what programs log',
      },
      { call: 'sweep params --track http://127.0.0.1:9 --track-programs', why: 'this experiment runs no program' },
    ],
    extend: [{ call: 'sweep params --extend', why: 'only a sweep with a name grows' }],
    fresh: 'all again',
    detach: [{ call: 'sweep q.yaml --detach', why: '' }],
    ship: [
      { call: 'sweep q.yaml --ship', why: 'files travel to workers of a NATS server' },
      { call: `sweep params ${nats} --ship`, why: 'this experiment is built in' },
    ],
    fleet: [{ call: `sweep q.yaml ${nats} --detach --fleet ssh:a`, why: '' }],
    context: [{ call: 'sweep q.yaml --context a', why: '' }],
    setup: [{ call: 'sweep q.yaml --setup a', why: '' }],
    tunnel: [{ call: `sweep q.yaml ${nats} --fleet slurm:1,1h --tunnel`, why: 'no ssh of yours reaches the nodes' }],
    'worker-arg': [{ call: 'sweep q.yaml --worker-arg a', why: '' }],
    budget: [{ call: `sweep q.yaml ${nats} --detach --budget 1h`, why: 'with --detach nobody counts the time' }],
    copies: [
      { call: `sweep q.yaml ${nats} --detach --copies 1`, why: 'with --detach nobody sees what takes too long' },
    ],
    'fail-fast': [{ call: `sweep q.yaml ${nats} --detach --fail-fast`, why: left }],
    'max-failures': [
      { call: `sweep q.yaml ${nats} --detach --max-failures 1`, why: left },
      { call: 'sweep q.yaml --fail-fast --max-failures 2', why: first },
    ],
    'failing-alike': [
      { call: `sweep q.yaml ${nats} --detach --failing-alike 1`, why: left },
      { call: 'sweep q.yaml --fail-fast --failing-alike 2', why: first },
    ],
    retries: [{ call: `sweep q.yaml ${nats} --detach --retries 1`, why: left }],
    grace: 'how long',
    'checkpoint-every': [{ call: `sweep q.yaml ${nats} --checkpoint-every 1`, why: saidByWorkers }],
  },
  sync: {
    track: 'where to',
    deep: 'looks at contents',
    'track-checkpoints': 'what is sent',
    'trust-code': 'permits code',
  },
  ui: { port: 'where' },
  tag: { remove: 'takes them away' },
  verify: { repair: 'mends' },
  watch: { metric: 'what is shown', axis: 'the preview, where there is a terminal', 'trust-code': 'permits code' },
  'data:add': {},
  'data:fetch': { from: 'where from' },
  'data:list': {},
  'fleet:doctor': { fleet: 'whose hosts' },
  'fleet:drain': {},
  'fleet:key': {},
  'fleet:list': {},
  'fleet:logs': { fleet: 'which', lines: 'how many' },
  'fleet:k8s': {
    name: 'what it is called',
    nats: 'where',
    tenant: 'whose',
    context: 'by which credentials',
    'accept-code': 'what they run',
    'worker-arg': 'how workers start',
    print: 'must be said',
    image: 'what runs',
    count: 'how many',
    namespace: 'where',
    cores: 'how large',
    memory: 'how large',
    gpus: 'how large',
    grace: 'how long',
    'idle-timeout': 'when they end',
  },
  'fleet:slurm': {
    name: 'what it is called',
    nats: 'where',
    tenant: 'whose',
    context: 'by which credentials',
    setup: 'what the shell reads',
    'accept-code': 'what they run',
    'worker-arg': 'how workers start',
    count: 'how many',
    time: 'how long',
    'idle-timeout': 'when they end',
    on: 'whose sbatch',
    print: 'starts nothing',
    'dry-run': 'starts nothing',
  },
  'fleet:ssh': {
    name: 'what it is called',
    nats: 'where',
    tenant: 'whose',
    context: 'by which credentials',
    setup: 'what the shell reads',
    tunnel: 'by which way',
    install: 'whose mlds',
    'join-timeout': 'how long it waits',
    'accept-code': 'what they run',
    'worker-arg': 'how workers start',
  },
  'fleet:stop': { all: 'which', now: 'how soon', keep: 'what stays' },
  helper: {},
  'import:hydra': {
    program: 'the command',
    partial: 'what is left out',
    multirun: 'as it was typed',
    'config-path': 'which configs',
    'config-name': 'which of them',
  },
  'import:nni': { partial: 'what is left out' },
  'import:optuna': { program: 'the command', partial: 'what is left out', study: 'which', tried: 'how many' },
  'import:ray': { program: 'the command', partial: 'what is left out' },
  'import:wandb': { partial: 'what is left out' },
  'nats:init': {
    tenant: 'whose keys',
    worker: 'whose keys',
    domain: 'where the server is reached',
    host: 'the address',
    port: 'the address',
    url: 'the address',
    'tls-cert': 'the scheme',
    'tls-key': 'the scheme',
    'tls-ca': 'whom to trust',
  },
  'nats:prune': { nats: 'where', tenant: 'whose', 'older-than': 'which', yes: 'removes' },
  'nats:up': { port: 'the address', config: 'how' },
  'worker:drain': { nats: 'where', tenant: 'whose', all: 'which' },
  'worker:list': { nats: 'where', tenant: 'whose' },
  'worker:start': {
    nats: 'where',
    tenant: 'whose',
    slots: 'how many',
    experiment: [{ call: `worker start ${nats} --experiment params`, why: '' }],
    name: 'what it is called',
    label: 'what sweeps may ask for',
    gpus: 'what sweeps may ask for',
    memory: 'what sweeps may ask for',
    grace: 'how long',
    'checkpoint-every': 'how often',
    'accept-code': 'whose code',
    'trial-user': 'whose rights',
    'time-limit': 'when it leaves',
    'idle-timeout': 'when it ends',
    lease: 'how long a queue waits',
    'on-server-lost': 'how long it waits',
  },
}

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'oclif.manifest.json'), 'utf8')) as {
  commands: Record<string, { flags: Record<string, unknown> }>
}
/** Every command takes them, so that a shell may always add them. */
const everywhere = ['json', 'store']

const program = `experiment: {command: ['sh', '-c', 'echo "{\\"loss\\": $1}"', 'sh', '{x}']}
axes: {x: [1, 2]}
`

describe('a flag that has no effect', () => {
  it('is known for each flag of each command', () => {
    const known = Object.entries(manifest.commands).map(([id, { flags }]) => [
      id,
      Object.keys(flags)
        .filter((name) => !everywhere.includes(name))
        .sort(),
    ])
    expect(Object.fromEntries(Object.entries(table).map(([id, flags]) => [id, Object.keys(flags).sort()]))).toEqual(
      Object.fromEntries(known),
    )
  })

  it('is refused with the reason, and nothing is started', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'q.yaml'), program)
    expect((await mlds(['sweep', 'q.yaml', '--name', 'q', '--set', 'x=1'], { cwd })).code).toBe(0)
    const cases = Object.values(table).flatMap((flags) =>
      Object.entries(flags).flatMap(([flag, idle]) =>
        typeof idle === 'string' ? [] : idle.map(({ call, why }) => ({ flag, call, why })),
      ),
    )
    const answers = await inOneProcess(
      cases.map(({ call }) => call.split(' ')),
      cwd,
    )
    for (const [i, { flag, call, why }] of cases.entries()) {
      const { code, stderr } = answers[i]!
      expect(code, `${call}: ${stderr}`).toBe(2)
      expect(stderr, call).toContain(why === '' ? `Error: ` : `Error: --${flag} has no effect here: ${why}`)
    }
    const { stdout } = await mlds(['list', '--json'], { cwd })
    expect(JSON.parse(stdout)).toMatchObject([{ sweep: 'q', planned: 1 }])
  })

  it('is no flag that the environment sets: MLflow, NATS and the store may be named there for other commands', async () => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'q.yaml'), program)
    const env = { MLDS_STORE: 'kept', NATS_URL: 'nats://127.0.0.1:9' }
    expect((await mlds(['sweep', 'q.yaml'], { cwd, env })).code).toBe(0)
    for (const command of ['schema', 'experiments', 'status', 'best', 'export'])
      expect(await mlds([command], { cwd, env: { ...env, MLFLOW_TRACKING_URI: 'http://127.0.0.1:9' } })).toMatchObject({
        code: 0,
      })
  })
})

describe('an axis or a seed that no word of a command has', () => {
  it.each([
    [['--set', 'y=1,2'], '{y}, which varies: the program learns of it only if it reads MLDS_PARAMS in its environment'],
    [
      ['--set', 'seed=0..1'],
      '{seed}, which varies: the program learns of it only if it reads MLDS_SEED in its environment',
    ],
    [
      ['--set', 'y=1,2', '--set', 'seed=0..1'],
      '{y}, {seed}, which varies: the program learns of it only if it reads MLDS_PARAMS and MLDS_SEED',
    ],
    [['--set', 'y=1'], undefined],
    [['--set', 'x=1,3', '--set', 'seed=4'], undefined],
  ])('is told of before anything runs, and runs: %j', async (set, told) => {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'q.yaml'), program.replace('x: [1, 2]', 'x: [1, 2], y: [0]'))
    const [plan, sweep] = await inOneProcess(
      [
        ['plan', 'q.yaml', ...set],
        ['sweep', 'q.yaml', ...set],
      ],
      cwd,
    )
    expect([plan!.code, sweep!.code]).toEqual([0, 0])
    for (const text of [plan!.stderr, sweep!.stdout]) {
      if (told === undefined) expect(text).not.toContain('No word')
      else expect(text).toContain(`No word of the command has ${told}`)
    }
  })
})
