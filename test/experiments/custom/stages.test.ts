import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { planTarget } from '../../../src/app/planning/plan.js'
import { parseCommand } from '../../../src/experiments/custom/command.js'
import { runSweep } from '../../../src/index.js'
import { putParentFiles } from '../../../src/experiments/custom/parent-files.js'
import { readStore } from '../../../src/system/store.js'
import { temporaryFolder } from '../../helpers/cli.js'

const node = process.execPath
const train = `const [lr] = process.argv.slice(2)
const fs = require('node:fs'), folder = process.env.MLDS_FOLDER
fs.mkdirSync(folder + '/deep er')
fs.writeFileSync(folder + '/deep er/w.txt', lr)
console.log(JSON.stringify({ loss: Number(lr) + Number(process.env.MLDS_SEED) }))
`
const evaluate = `const fs = require('node:fs'), [folder, digits] = process.argv.slice(2)
const parents = JSON.parse(fs.readFileSync(process.env.MLDS_PARENTS + '/parents.json', 'utf8'))
const weights = parents.map((parent) => Number(fs.readFileSync(parent.folder + '/deep er/w.txt', 'utf8')))
if (parents[0].folder !== folder) throw new Error('not the first')
console.log(JSON.stringify({ sum: weights.reduce((a, b) => a + b, 0), count: weights.length, digits: Number(digits), parentLoss: parents[0].metrics.loss }))
`

/** A sweep file of two programs in a folder whose name a shell would part. */
function file(derive: string, more = ''): { folder: string; path: string } {
  const folder = join(temporaryFolder(), 'a folder; of $HOME')
  mkdirSync(folder)
  writeFileSync(join(folder, 'train.cjs'), train)
  writeFileSync(join(folder, 'evaluate.cjs'), evaluate)
  const path = join(folder, 'my.yaml')
  writeFileSync(
    path,
    `experiment:
  stages:
    train: { command: ['${node}', train.cjs, '{lr}'] }
    evaluate: { derive: ${derive}, command: ['${node}', evaluate.cjs, '{parent}', '{digits}'], defaults: { digits: 2 } }
axes: { lr: [1, 2, 4] }
repeat: 2
objective: { metric: sum, direction: maximize }
${more}`,
  )
  return { folder, path }
}

const planned = async (path: string, set: string[] = []) => {
  const { plan } = await planTarget(path, { set }, readStore(join(path, '..', 'store')))
  return plan.trials.filter(({ stage }) => stage === 'evaluate')
}

describe('stages of programs', () => {
  it.each([
    ['train', 6, [1]],
    ['{from: train, pairs: [lr]}', 6, [2]],
    ['{from: train, groups: [lr]}', 3, [2]],
    ['{groups: [lr, seed]}', 6, [1]],
    ['{groups: []}', 1, [6]],
  ])('derived by %s are %i trials, of so many each: %j', async (derive, count, sizes) => {
    const trials = await planned(file(derive).path)
    expect([trials.length, [...new Set(trials.map(({ parents }) => parents.length))]]).toEqual([count, sizes])
  })

  it('find what earlier ones saved by path, whoever they are, and leave nothing behind', async () => {
    const { path, folder } = file('{from: train, pairs: [lr]}', 'when: {}\n')
    const { sweep } = await runSweep(path, { store: join(folder, 'store'), workers: 2 })
    const rows = sweep.records().filter(({ trial }) => trial.stage === 'evaluate')
    expect(
      sweep.records().flatMap(({ outcome }) => (outcome?.state === 'failed' ? outcome.error.message : [])),
    ).toEqual([])
    expect(rows.map(({ state }) => state)).toEqual(Array(6).fill('finished'))
    expect(rows.map(({ metrics }) => metrics['sum']).sort()).toEqual([3, 3, 5, 5, 6, 6])
    expect(rows[0]!.metrics).toMatchObject({ count: 2, digits: 2 })
    const ids = sweep.records().map(({ trial }) => trial.id)
    expect(readdirSync(tmpdir()).filter((name) => ids.some((id) => name.includes(id)))).toEqual([])
  })

  it('have axes of their own, by name or with their stage before it, and those of what they work on', async () => {
    const { path } = file('train')
    expect((await planned(path, ['digits=3,4'])).map(({ params }) => params)).toHaveLength(12)
    expect((await planned(path, ['evaluate.digits=5']))[0]!.params).toEqual({ digits: 5 })
    await expect(planned(path, ['digit=5'])).rejects.toThrow('unknown axis: digit')
    const command = parseCommand({ stages: { a: 'p {lr}', b: 'q {lr} {parent}/x {parent.2} {parents} {mine}' } }, '/')
    const { withAxes } = await import('../../../src/experiments/custom/command-axes.js')
    const { later } = withAxes(command, { lr: [1], mine: ['x'] }, { language: 3 })
    expect(Object.keys(later![0]!.command.axes!)).toEqual(['mine'])
  })

  it('go on after a kill between them with what was saved, and ends what failed only after its retries', async () => {
    const { path, folder } = file('train', 'retries: 1\ntimeout: 1m\n')
    // The first attempt at each evaluation dies like a program that is killed.
    const tried = join(folder, 'tried')
    mkdirSync(tried)
    writeFileSync(
      join(folder, 'evaluate.cjs'),
      `const file = ${JSON.stringify(tried)} + '/' + process.env.MLDS_TRIAL
if (!require('node:fs').existsSync(file)) { require('node:fs').writeFileSync(file, ''); process.kill(process.pid, 'SIGKILL') }
${evaluate}`,
    )
    const { sweep, summary } = await runSweep(path, { store: join(folder, 'store'), workers: 2 })
    expect([summary.planned, summary.finished]).toEqual([12, 12])
    expect(sweep.records().filter(({ attempts }) => attempts === 2)).toHaveLength(6)
  })

  it('are other experiments when a later program is another', async () => {
    const { path, folder } = file('train')
    const ids = async () => (await planned(path)).map(({ id }) => id)
    const before = await ids()
    expect(await ids()).toEqual(before)
    writeFileSync(join(folder, 'evaluate.cjs'), `${evaluate}// changed\n`)
    expect((await ids()).filter((id) => before.includes(id))).toEqual([])
  })

  it.each([
    [{}, /stages: a mapping of names/],
    [[], /stages: a mapping of names/],
    [{ '../x': 'p' }, /"\.\.\/x" is not a name/],
    [JSON.parse('{"__proto__": "p"}') as object, /is not a name/],
    [{ a: 'p', b: { command: 'q', derive: 'c' } }, /unknown earlier stage .*: c/],
    [{ a: 'p', b: { command: 'q', derive: 'b' } }, /unknown earlier stage .*: b/],
    [{ a: { command: 'p', derive: 'a' } }, /it is the first/],
    [{ a: 'p', b: { command: 'q', derive: { pairs: ['lr'], groups: ['lr'] } } }, /pairs and groups/],
    [{ a: 'p', b: { command: 'q', derive: { pairs: [] } } }, /is not a list of axes/],
    [{ a: 'p', b: { command: 'q', derive: { form: 'a' } } }, /unknown key of stages: b: derive: form/],
    [{ a: 'p', b: { stages: { c: 'q' } } }, /no stages of its own/],
    [{ a: 'p', b: { comand: 'q' } }, /unknown key of experiment: comand/],
    [Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`s${i}`, 'p'])), /21 are too many/],
  ])('%j are refused with a sentence', (stages, message) => {
    expect(() => parseCommand({ stages }, '/')).toThrow(message)
  })

  it('refuse an axis that the earlier stage has not', async () => {
    await expect(planned(file('{pairs: [rate]}').path)).rejects.toThrow(/unknown axis of train: rate/)
  })

  const put = (where: string, ...names: string[]) => {
    const artifacts = Object.fromEntries(names.map((name) => [name, { sha256: '0', sizeBytes: 1 }]))
    const parent = { trial: { id: 'p', stage: 'train', params: {}, seeds: { init: 0 } }, metrics: {}, artifacts }
    const context = { trial: { id: 'c' }, parents: [parent], load: async () => Buffer.from('x') }
    return putParentFiles(context as never, where, undefined)
  }

  it.each(['../out', '/etc/out', 'a/../../out', 'a\0b', '..', '.'])('take no file by the name %j', async (name) => {
    const where = temporaryFolder()
    await expect(put(where, name)).rejects.toThrow('leads out of its folder')
    expect(readdirSync(where)).toEqual([])
  })

  it.each([
    [['a', 'a/b'], 'a file and a folder have one name): a/b'],
    [['a/b', 'a'], 'a file and a folder have one name): a'],
    [['a'.repeat(300)], 'its name is too long): aaa'],
  ])('say which of the files %j no folder can hold', async (names, why) => {
    const where = temporaryFolder()
    await expect(put(where, ...names)).rejects.toThrow(`a file of trial p can't be put into a folder (${why}`)
    expect(readdirSync(where)).toEqual([])
  })
})
