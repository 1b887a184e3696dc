import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { netsOf } from '../../src/app/nets.js'
import { defineExperiment } from '../../src/experiments/experiment.js'
import { experimentNames, findExperiment } from '../../src/experiments/registry.js'
import { defineNet, type Net } from '../../src/net/net.js'
import { describeNet, outlineOf } from '../../src/net/describe-net.js'
import { boolean, integer } from '../../src/core/space.js'
import { drawNetsInto, formatNets, shownNets } from '../../src/terminal/show-nets.js'
import { temporaryFolder } from '../helpers/cli.js'

const counts = async (name: string, profile = 'reduced'): Promise<Record<string, number>> =>
  Object.fromEntries(netsOf(await findExperiment(name), profile).map(({ name, net }) => [name, net.parameterCount]))

describe('the nets of an experiment', () => {
  it('are those of the original, by its published numbers of parameters', async () => {
    // README and scripts of the course: cnn.py, sim_func.py.
    expect(await counts('cnn')).toEqual({
      ...{ 'structure=c1': 5330, 'structure=c2': 5331, 'structure=c3': 5329, 'structure=c4': 5288 },
    })
    expect(new Set(Object.values(await counts('sim-func')))).toEqual(new Set([1254, 1252, 1257]))
    expect(await counts('pca')).toEqual({ pca: 128_026 })
    expect(Object.values(await counts('interpolate'))).toEqual([269_322])
    expect(Object.values(await counts('params', 'smoke'))[0]).toBeLessThan(10_000)
  })

  it.each(experimentNames)('of %s are told layer by layer, whose parameters add up', async (name) => {
    for (const { net } of netsOf(await findExperiment(name), 'smoke')) {
      const layers = describeNet(net)
      expect(layers.reduce((sum, line) => sum + line.parameters, 0)).toBe(net.parameterCount)
      expect(layers).toHaveLength(net.layers.length + 1)
    }
  })

  it('are named by the axes that tell them apart, also one’s own', () => {
    const own = defineExperiment({
      space: { width: integer({ default: 2 }), isDeep: boolean({ default: false }), rate: integer({ default: 1 }) },
      net: ({ width, isDeep }): Net =>
        defineNet(
          [3],
          [
            { kind: 'dense', units: width, activation: 'relu' },
            ...(isDeep ? ([{ kind: 'dense', units: width, activation: { leakyRelu: 0.2 } }] as const) : []),
            { kind: 'dense', units: 1, bias: false },
          ],
        ),
      run: () => ({ loss: 0 }),
    })
    const axes = { width: [2, 4], isDeep: [false, true], rate: [1, 2] }
    const nets = netsOf({ ...own, profiles: { ...own.profiles, smoke: { axes, seeds: [0, 1] } } }, 'smoke')
    expect(nets.map(({ name, net }) => [name, outlineOf(net)])).toEqual([
      ['width=2 isDeep=false', '3 → 2 → 1'],
      ['width=2 isDeep=true', '3 → 2 → 2 → 1'],
      ['width=4 isDeep=false', '3 → 4 → 1'],
      ['width=4 isDeep=true', '3 → 4 → 4 → 1'],
    ])
    expect(describeNet(nets[1]!.net)).toEqual([
      { layer: 'input', output: '3', activation: '', parameters: 0 },
      { layer: 'dense 2', output: '2', activation: 'ReLU', parameters: 8 },
      { layer: 'dense 2', output: '2', activation: 'leaky ReLU 0.2', parameters: 6 },
      { layer: 'dense 1', output: '1', activation: '', parameters: 2 },
    ])
  })

  it('are refused in a sentence where none is named, and for a profile that is not there', () => {
    const without = defineExperiment({ space: { n: integer({ default: 0 }) }, run: () => ({ loss: 0 }) })
    expect(() => netsOf(without, 'smoke')).toThrow(/does not say which nets it trains/)
    expect(() => netsOf(without, 'smok')).toThrow(/unknown profile: smok/)
  })

  it('are drawn, each layer with its words, and of many some', async () => {
    const file = join(temporaryFolder(), 'nets.svg')
    await drawNetsInto(file, 'Nets of cnn', shownNets(await findExperiment('cnn'), 'reduced'))
    const drawn = readFileSync(file, 'utf8')
    for (const words of ['structure=c1', '5,330 parameters', 'conv2d 17 of 12×12', '17×17×17 · 2,448 parameters'])
      expect(drawn).toContain(words)
    const many = shownNets(await findExperiment('params'), 'reduced')
    await drawNetsInto(file, 'Nets of params', many)
    expect(readFileSync(file, 'utf8')).toContain(`Nets of params (8 of ${many.length})`)
    expect(formatNets(many).split('\n')).toHaveLength(many.length + 2)
    await expect(drawNetsInto('nets.txt', '', many)).rejects.toThrow(
      'nets.txt (a file that ends in .svg, .png or .pdf)',
    )
  })
})
