import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openSweep, runSweep, type SweepDescription } from '../../src/app/library.js'
import { planTarget } from '../../src/app/planning/plan.js'
import { number, choice } from '../../src/core/space.js'
import { asPlanned } from '../../src/experiments/as-planned.js'
import { defineExperiment } from '../../src/experiments/experiment.js'
import { findExperiment } from '../../src/experiments/registry.js'
import { parseSweepObject } from '../../src/sweeps/spec/spec.js'
import { openStore } from '../../src/system/store.js'
import { temporaryFolder } from '../helpers/cli.js'

const toy = defineExperiment({
  name: 'toy',
  space: { lr: number({ default: 0.1 }), act: choice({ choices: ['relu', 'tanh'], default: 'relu' }) },
  async run({ lr, act }, { report }) {
    const loss = lr + (act === 'relu' ? 1 : 2)
    for (const step of [1, 2]) await report(step, { loss: loss + 1 / step, gap: 1 })
    return { loss, gap: 1 / lr }
  },
})

async function drawn(figures: SweepDescription['figures'], name = 'toy'): Promise<{ files: string[]; folder: string }> {
  const folder = temporaryFolder()
  const axes = { lr: [0.1, 0.2, 0.3], act: ['relu', 'tanh'] }
  await runSweep({ experiment: toy, name, axes, ...(figures === undefined ? {} : { figures }) }, { store: folder })
  const sweep = await openSweep(name, { store: folder, experiment: toy })
  return { files: (await sweep.draw()).filter((file) => file.endsWith('.csv')), folder }
}

const nameOf = (file: string): string => file.slice(file.lastIndexOf('/') + 1).replace('.csv', '')

describe('the figures that a sweep file lists', () => {
  it('are drawn instead of the others, in order, named by what they show', async () => {
    const { files } = await drawn([
      'result-against-act',
      { x: 'lr', colour: 'act' },
      { kind: 'points', x: 'gap', y: 'loss', panel: 'act', name: 'gaps' },
      { kind: 'course', y: ['loss', 'gap'], colour: 'lr', scale: { y: 'log' } },
    ])
    expect(files.map(nameOf)).toEqual(['result-against-act', 'loss-against-lr', 'gaps', 'course-of-loss'])
    const rows = readFileSync(files[1]!, 'utf8').trim().split(/\r?\n/)
    expect(rows[0]).toBe('x,mean,seeds,colour,setting')
    expect(rows).toHaveLength(7)
    expect(readFileSync(files[2]!, 'utf8')).toContain('panel')
    expect(readFileSync(files[3]!, 'utf8').trim().split(/\r?\n/)).toHaveLength(1 + 2 * 2 * 6)
  })

  it('may be one, and all that there are without a list', async () => {
    expect((await drawn({ x: 'lr', y: 'gap' })).files.map(nameOf)).toEqual(['gap-against-lr'])
    const own = (await drawn(undefined)).files.map(nameOf)
    expect((await drawn(['all', { x: 'lr', y: 'gap' }])).files.map(nameOf)).toEqual([...own, 'gap-against-lr'])
  })

  it('change nothing of the trials: run again with others, a sweep that has finished is drawn by those', async () => {
    const { folder } = await drawn(['course'])
    const axes = { lr: [0.1, 0.2, 0.3], act: ['relu', 'tanh'] }
    const options = { store: folder }
    const { summary } = await runSweep({ experiment: toy, name: 'toy', axes, figures: { x: 'act' } }, options)
    expect(summary.figures.some((file) => file.endsWith('loss-against-act.svg'))).toBe(true)
    expect(readdirSync(join(folder, 'sweeps'))).toEqual(['toy'])
  })

  it('say which metric was meant once every trial has ended and none has that one', async () => {
    const folder = temporaryFolder()
    const description = { experiment: toy, name: 'slip', axes: { lr: [0.1, 0.2] }, figures: { x: 'lr', y: 'los' } }
    const warnings: string[] = []
    await runSweep(description, { store: folder, onMessage: (message: string) => warnings.push(message) })
    expect(warnings.join('\n')).toContain(
      'the figure los-against-lr could not be drawn: no trial has a final metric los (did you mean loss? they have: loss, gap)',
    )
  })

  it.each([
    ['figures: nothing', /:3:10: unknown figure: nothing/, /known: all, course, result-against-x/],
    ['figures: [{x: xx}]', /:3:12: unknown axis: xx/, /did you mean x\?/],
    ['figures:\n  - course\n  - {x: x, colur: y}', /:5:19: unknown key of a figure: colur/, /did you mean colour\?/],
    ['figures: [{x: x, colour: yy}]', /:3:18: unknown axis: yy/, /did you mean y\?/],
    ['figures: [{kind: pionts, x: x}]', /:3:18: unknown kind of figure: pionts/, /did you mean points\?/],
    ['figures: [{kind: course, x: x}]', /:3:29: figures: x: a course has its steps there/, /^$/],
    ['figures: [{y: loss}]', /:3:11: figures: x: missing/, /^$/],
    ['figures: [{x: x, scale: {y: lgo}}]', /:3:29: unknown scale: lgo/, /did you mean log\?/],
    ['figures: [{x: x, name: ../../up}]', /:3:24: figures: name: "..\/..\/up" is not a name/, /^$/],
    ['figures: [course, course]', /:3:19: figures: course is there twice/, /^$/],
    ['figures: 7', /:3:10: figures: 7 is not a figure/, /^$/],
  ])('are refused where they are wrong, with file, line and column: %s', async (figures, message, hint) => {
    const folder = temporaryFolder()
    const file = join(folder, 'sweep.yaml')
    writeFileSync(file, `experiment: {command: "echo {x} {y}"}\naxes: {x: [1, 2], y: [1, 2]}\n${figures}\n`)
    const store = openStore(join(folder, '.mlds'))
    const error = await planTarget(file, { set: [] }, store).then(
      () => undefined,
      (one: Error & { hint?: string }) => one,
    )
    expect(error?.message).toMatch(message)
    expect(error?.hint ?? '').toMatch(hint)
  })

  it('are those of built-in experiments, too, by the names of these', async () => {
    const params = await findExperiment('params')
    const { figures } = parseSweepObject({
      experiment: 'params',
      figures: ['loss-against-parameters-log', { x: 'width' }],
    })
    expect(asPlanned({ figures }, params).figures.map(({ name }) => name)).toEqual([
      'loss-against-parameters-log',
      `${params.objective.metric.replace('/', '-')}-against-width`,
    ])
  })
})
