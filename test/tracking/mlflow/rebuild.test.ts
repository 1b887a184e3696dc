import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MlflowClient } from '../../../src/tracking/mlflow/rest/client.js'
import { mlflowSettings } from '../../../src/tracking/mlflow/rest/settings.js'
import { mlds, startMlds, temporaryFolder } from '../../helpers/cli.js'
import { commitFiles, makeRepository } from '../../helpers/repository.js'
import { hasMlflow, readWithPython, startMlflow, type MlflowServer } from '../../helpers/mlflow.js'

/** Two stages: the second reads what the first saved, and fails where BROKEN is set; the figure reads a table. */
const staged = `import { defineExperiment, defineStage, integer, number } from 'mlds'
const main = defineStage({
  name: 'main', space: { n: integer({ default: 0 }) }, engine: false, data: () => ['glyphs-2000'], cost: () => 1,
  async run({ n }, { report, save }) {
    for (let step = 1; step <= 3; step++) await report(step, { loss: (n + 1) / step })
    await save('end.safetensors', Buffer.from('weights of ' + n))
    await save('table #1.json', Buffer.from(JSON.stringify({ n })))
    return { loss: n / 3 }
  },
})
const line = defineStage({
  name: 'line', space: { alpha: number({ default: 0.5 }) }, engine: false, data: () => [], cost: () => 1,
  derive: { from: 'main', groups: (trials) => trials.map((trial) => [trial]) },
  async run({ alpha }, { parents, load }) {
    if (process.env.BROKEN) throw new Error('broken')
    return { loss: alpha * (await load(parents[0], 'end.safetensors')).length }
  },
})
const profile = { axes: { n: [1, 20] }, seeds: [0] }
export default defineExperiment({
  name: 'staged', aliases: [], version: 1, title: 'Staged', question: 'Is it rebuilt?', source: 'none',
  objective: { metric: 'loss', direction: 'minimize' },
  stages: [main, line], profiles: { smoke: profile, reduced: profile, full: profile }, claims: [],
  figures: [{
    name: 'numbers', caption: 'Numbers from tables.',
    async draw(records, read) {
      const mains = records.filter(({ trial, artifacts }) => trial.stage === 'main' && 'table #1.json' in artifacts)
      const values = await Promise.all(mains.map(async (record) => JSON.parse(Buffer.from(await read(record, 'table #1.json')))))
      return { data: { values }, mark: 'point', encoding: { x: { field: 'n', type: 'quantitative' } } }
    },
  }],
})
`

// MLflow takes 5 to 25 s to start.
describe.skipIf(!hasMlflow)('a sweep from MLflow alone', () => {
  let server: MlflowServer
  beforeAll(async () => {
    server = await startMlflow()
  })
  afterAll(() => server.close())

  async function track(name: string, env: Record<string, string> = {}): Promise<string> {
    const cwd = temporaryFolder()
    writeFileSync(join(cwd, 'staged.ts'), staged)
    const ran = await mlds(['sweep', './staged.ts', '--name', name, '--track', server.url], { cwd, env })
    expect(ran.code, ran.stdout + ran.stderr).toBe('BROKEN' in env ? 1 : 0)
    return cwd
  }

  it('has the same report and figures, byte for byte, and names the runs they are from', async () => {
    const cwd = await track('reported')
    const here = await mlds(['report', 'reported', '--out', 'report.html'], { cwd })
    expect(here, here.stderr).toMatchObject({ code: 0 })
    const elsewhere = temporaryFolder()
    const untrusted = await mlds(['report', '--from', server.url, '--sweep', 'reported', '--out', 'general.html'], {
      cwd: elsewhere,
    })
    expect(untrusted.stderr.replaceAll(/[\s›]+/g, ' ')).toContain("another user's and is not run")
    expect(untrusted.stdout).not.toContain('numbers.png')
    // A plan from a server counts as another user's: its code is one's own here, and has to be said to be.
    const from = ['--from', server.url, '--sweep', 'reported', '--trust-code']
    const there = await mlds(['report', ...from], { cwd: elsewhere })
    expect(there, there.stderr).toMatchObject({ code: 0 })
    expect(await mlds(['figure', ...from], { cwd: elsewhere })).toMatchObject({ code: 0 })
    const same = (rebuilt: string, original: string): void =>
      expect(readFileSync(join(elsewhere, rebuilt)).equals(readFileSync(join(cwd, original))), rebuilt).toBe(true)
    for (const file of ['report.html', 'report.md', 'report-figures/numbers.png'])
      same(`reports/reported/${file}`, file)
    const figures = join('.mlds', 'sweeps', 'reported', 'figures')
    expect(readdirSync(join(cwd, figures)).sort()).toEqual(
      ['csv', 'html', 'png', 'svg', 'vl.json'].map((end) => `numbers.${end}`),
    )
    for (const file of readdirSync(join(cwd, figures))) same(join('figures', 'reported', file), join(figures, file))

    const runs = readWithPython(server.url, 'reported')
    const parent = runs.find(({ tags }) => tags['mlds.trial'] === undefined)!
    const manifest = JSON.parse(readFileSync(join(elsewhere, 'reports', 'reported', 'manifest.json'), 'utf8')) as {
      runs: { run: string }[]
    }
    expect(manifest).toMatchObject({
      sweep: 'reported',
      specHash: parent.tags['mlds.spec_hash'],
      planHash: parent.tags['mlds.plan_hash'],
      codeVersion: parent.tags['mlds.code_version'],
      parentRun: parent.run_id,
      data: { 'glyphs-2000': expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    })
    const children = runs.filter((run) => run !== parent).map(({ run_id }) => run_id)
    expect(manifest.runs.map(({ run }) => run).sort()).toEqual(children.sort())
    expect(Object.keys(parent.artifacts).sort()).toEqual([
      ...[
        '1-numbers.png',
        'csv/1-numbers.csv',
        'html/1-numbers.html',
        'svg/1-numbers.svg',
        'vega-lite/1-numbers.vl.json',
      ].map((path) => `figures/${path}`),
      'manifest.json',
      ...['note.md', 'plan.json', 'spec.json', 'verdicts.json'].map((file) => `sweep/${file}`),
    ])
  })

  it('says from which commit each trial ran, also after it was recovered', async () => {
    const sweep = (ns: string): string => `experiment: ./line.ts\nname: committed\naxes: {n: [${ns}]}\n`
    const line = `import { defineExperiment, integer } from 'mlds'
export default defineExperiment({ space: { n: integer({ default: 0 }) }, run: async ({ n }) => ({ loss: n }) })\n`
    const { folder, commit } = makeRepository({ 'line.ts': line, 'sweep.yaml': sweep('1, 2') })
    const command = ['sweep', 'sweep.yaml', '--extend', '--track', server.url]
    expect(await mlds(command, { cwd: folder })).toMatchObject({ code: 0 })
    const later = commitFiles(folder, { 'README.md': 'Later.\n', 'sweep.yaml': sweep('1, 2, 3') })
    expect(await mlds(command, { cwd: folder })).toMatchObject({ code: 0 })

    const sourcesOf = (): string[][] =>
      readWithPython(server.url, 'committed')
        .map(({ params, tags }) => [
          params['n'] ?? 'sweep',
          ...['name', 'git.commit', 'git.branch', 'git.dirty'].map((tag) => tags[`mlflow.source.${tag}`]!),
          tags['mlds.sweep_file']!,
        ])
        .sort()
    const from = (n: string, at: string): string[] => [n, 'line.ts', at, 'trunk', 'false', 'sweep.yaml']
    expect(sourcesOf()).toEqual([from('1', commit), from('2', commit), from('3', later), from('sweep', later)])

    const elsewhere = temporaryFolder()
    const recovered = await mlds(['recover', 'committed', '--from', server.url], { cwd: elsewhere })
    expect(recovered, recovered.stderr).toMatchObject({ code: 0 })
    const audit = await mlds(['audit', server.url, '--json'], { cwd: elsewhere })
    const { sweeps } = JSON.parse(audit.stdout) as { sweeps: { sweep: string; findings: unknown[] }[] }
    expect(sweeps.find(({ sweep }) => sweep === 'committed')).toMatchObject({ journalHere: true, findings: [] })
  })

  it('is told from another of the same name, and is found by its parent run', async () => {
    await track('namesake')
    const one = readWithPython(server.url, 'namesake').map(({ run_id }) => run_id)
    await track('namesake')
    const both = readWithPython(server.url, 'namesake')
    expect(both).toHaveLength(2 * one.length)
    const cwd = temporaryFolder()
    const vague = await mlds(['figure', '--from', server.url, '--sweep', 'namesake'], { cwd })
    expect(vague.code).toBe(2)
    expect(vague.stderr).toContain('2 sweeps in MLflow are called namesake')
    const parents = both.filter(({ tags }) => tags['mlds.trial'] === undefined)
    for (const { run_id } of parents) expect(vague.stderr).toContain(run_id)
    const exact = await mlds(['figure', '--from', server.url, '--sweep', parents[0]!.run_id], { cwd })
    expect(exact, exact.stderr).toMatchObject({ code: 0 })
  })

  it('is recovered with what later stages need, when it is there, and says what is not', async () => {
    const recover = async (name: string, cwd: string): Promise<Record<string, unknown>> => {
      const { code, stdout, stderr } = await mlds(['recover', name, '--from', server.url, '--json'], { cwd })
      expect(code, stderr).toBe(0)
      return JSON.parse(stdout) as Record<string, unknown>
    }
    const origin = await track('broken', { BROKEN: '1' })
    // The weights are nowhere, and the second stage wants them: they are trained again.
    const without = await recover('broken', temporaryFolder())
    expect(without).toMatchObject({
      planned: 4,
      finished: 0,
      fetched: 2,
      leftOut: [expect.any(String), expect.any(String)],
    })

    const synced = await mlds(['sync', 'broken', '--track', server.url, '--track-checkpoints', '--json'], {
      cwd: origin,
    })
    expect(synced.code, synced.stderr).toBe(0)
    const elsewhere = temporaryFolder()
    expect(await recover('broken', elsewhere)).toMatchObject({ finished: 2, fetched: 4, leftOut: [], withoutFiles: [] })
    const resumed = await mlds(['resume', 'broken', '--json'], { cwd: elsewhere })
    expect(JSON.parse(resumed.stdout), resumed.stderr).toMatchObject({ planned: 4, finished: 4 })
    const [there, here] = await Promise.all(
      [elsewhere, origin].map(async (cwd) => {
        if (cwd === origin) expect(await mlds(['resume', 'broken'], { cwd })).toMatchObject({ code: 0 })
        return (await mlds(['export', 'broken'], { cwd })).stdout
      }),
    )
    expect(there).toBe(here)
  })

  it('is recovered and resumed when its host was lost in the middle', async () => {
    const cwd = temporaryFolder()
    const gate = join(cwd, 'gate')
    const gated = staged.replace(
      'if (process.env.BROKEN)',
      'while (process.env.GATE && !existsSync(process.env.GATE)) await new Promise((wake) => setTimeout(wake, 10))\n    if (process.env.BROKEN)',
    )
    writeFileSync(join(cwd, 'staged.ts'), `import { existsSync } from 'node:fs'\n${gated}`)
    const args = ['sweep', './staged.ts', '--name', 'lost-host', '--track', server.url, '--track-checkpoints']
    const sweep = startMlds(args, { cwd, env: { GATE: gate } })
    const client = new MlflowClient(mlflowSettings(server.url, {}))
    const arrived = async (): Promise<boolean> => {
      const runs = await client.searchRuns(await client.experimentIds(), `tags."mlds.sweep" = 'lost-host'`)
      return runs.filter(({ status }) => status === 'FINISHED').length === 2
    }
    while (!(await arrived())) {
      expect(sweep.child.exitCode, sweep.output()).toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    sweep.child.kill('SIGKILL')
    await sweep.finished

    const elsewhere = temporaryFolder()
    const recovered = await mlds(['recover', 'lost-host', '--from', server.url, '--json'], { cwd: elsewhere })
    expect(recovered.code, recovered.stderr).toBe(0)
    expect(JSON.parse(recovered.stdout)).toMatchObject({ planned: 4, finished: 2, fetched: 4, leftOut: [] })
    const resumed = await mlds(['resume', 'lost-host', '--track', server.url, '--json'], { cwd: elsewhere })
    expect(JSON.parse(resumed.stdout), resumed.stderr).toMatchObject({ planned: 4, finished: 4, unique: 4 })
    // The same runs, brought to their end: no second parent, no trial twice.
    const runs = readWithPython(server.url, 'lost-host')
    expect(runs.filter(({ tags }) => tags['mlds.trial'] === undefined)).toMatchObject([{ status: 'FINISHED' }])
    expect(runs.filter(({ status, tags }) => status === 'FINISHED' && 'mlds.trial' in tags)).toHaveLength(4)
    expect(runs.every(({ status }) => status !== 'RUNNING')).toBe(true)
  })

  it('keeps results whose checkpoints are gone when nothing needs them', async () => {
    await track('whole')
    const cwd = temporaryFolder()
    const recovered = await mlds(['recover', 'whole', '--from', server.url], { cwd })
    expect(recovered.stdout).toContain('4 of 4 trials recovered')
    expect(recovered.stdout).toContain('2 are without their checkpoints, which are not in MLflow')
    const resumed = await mlds(['resume', 'whole'], { cwd })
    expect(resumed.stdout).toContain('Nothing is left to run')
  })
})
