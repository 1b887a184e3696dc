import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { gridOf, targetFormulas, targetFunctionNames } from '../../src/data/functions.js'
import { findExperiment } from '../../src/experiments/registry.js'
import { drawFunctionsInto, formatFunctions, shownFunctions } from '../../src/terminal/show-functions.js'
import { temporaryFolder } from '../helpers/cli.js'

/** A formula as JavaScript computes it. */
function computed(formula: string): (x: number) => number {
  const code = formula
    .replaceAll('½', '0.5')
    .replaceAll('−', '-')
    .replaceAll('·', '*')
    .replace(/\[(.*)\]/, '* ($1)')
    .replaceAll(/(\d+)π\(/g, '$1*π*(')
    .replaceAll(/ 5πx/g, ' (5*π*x)')
    .replaceAll(/sin (\d+)π\*\((.*?)\)/g, 'sin($1*π*($2))')
    .replaceAll(/sin (\d+)\*π\*\((.*?)\)/g, 'sin($1*π*($2))')
    .replaceAll(/sin (\d+)πx/g, 'sin($1*π*x)')
    .replaceAll(/sin (\d+)x/g, 'sin($1*x)')
    .replaceAll('5πx', '5*π*x')
    .replaceAll('3x', '3*x')
  const names = { sin: Math.sin, exp: Math.exp, ln: Math.log, sgn: Math.sign, π: Math.PI }
  return (x) => runInNewContext(code, { ...names, x }) as number
}

describe('the functions of an experiment', () => {
  it.each(targetFunctionNames)('have the formula that they are computed by: %s', (name) => {
    const written = computed(targetFormulas[name])
    const { features, targets } = gridOf(name, 101)
    for (const [i, x] of features.entries()) if (i % 20 !== 0) expect(targets[i]).toBeCloseTo(written(x), 5)
  })

  it('are told and drawn, each in a panel under its formula', async () => {
    const functions = shownFunctions(await findExperiment('sim-func'))
    expect(functions.map(({ name }) => name)).toEqual(targetFunctionNames)
    expect(formatFunctions(functions)).toContain('exp(sin 40x) · ln(x + 1)')
    const file = join(temporaryFolder(), 'functions.svg')
    await drawFunctionsInto(file, 'Functions', functions)
    const svg = readFileSync(file, 'utf8')
    for (const { name, formula } of functions) for (const text of [name, formula]) expect(svg).toContain(text)
    await expect(drawFunctionsInto('functions.gif', 'Functions', functions)).rejects.toThrow('.svg, .png or .pdf')
  })

  it('are none of an experiment that fits none, which is said', async () => {
    const cnn = await findExperiment('cnn')
    expect(() => shownFunctions(cnn)).toThrow('cnn fits no function')
  })
})
