import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileProblem, SpecError } from '../../../core/errors.js'
import { flatten } from '../../../core/flatten.js'
import { isMapping } from '../../../core/is-mapping.js'
import { printableLine } from '../../../core/printable.js'
import { valueProblem } from '../../../core/param-value.js'
import type { ParamValue } from '../../../core/trial.js'
import { asAxis, AxisNames, commandFor, type Imported } from './imported.js'

const maxTrials = 100_000
const maxBytes = 1 << 20

/**
 * The results folder of a Ray Tune experiment as a sweep file: the settings of its trials, from each `params.json`. A grid where they
 * are the product of their values, else one by one: ranges and schedulers stand in Ray's pickled files alone, which are code.
 * @throws SpecError when the folder holds no trial of Ray's.
 */
export function importRay(folder: string, program: string): Imported {
  const leftOut: string[] = []
  const settings = trialsIn(folder).map((file) => readSetting(file, leftOut))
  if (settings.length === 0)
    throw new SpecError(folder, 'no trial of Ray Tune is in it (a folder with a params.json)', {
      hint: 'name the folder of one experiment, such as ~/ray_results/NAME',
    })
  const names = [...new Set(settings.flatMap((setting) => Object.keys(setting)))]
  const values = new Map(names.map((name) => [name, distinct(settings.map((setting) => setting[name]))]))
  const axisNames = new AxisNames('.-')
  const distinctSettings = [...new Map(settings.map((setting) => [keyOf(setting), setting])).values()]
  const isGrid =
    distinctSettings.every((setting) => names.every((name) => Object.hasOwn(setting, name))) &&
    [...values.values()].reduce((product, { length }) => product * length, 1) === distinctSettings.length
  const fixed = names.filter(
    (name) => values.get(name)!.length === 1 && settings.every((one) => Object.hasOwn(one, name)),
  )
  const taken = [
    isGrid
      ? `${distinctSettings.length} settings: the product of their values`
      : `${distinctSettings.length} settings one by one: the ranges that they were drawn from stand in Ray's pickled files alone`,
    'results of Ray, its scheduler and its number of samples: not taken over',
    `program: ${program}, with every parameter as --name=value`,
    ...(settings.length > distinctSettings.length
      ? [`${settings.length} trials have ${distinctSettings.length} different settings`]
      : []),
  ]
  const inFile = (setting: Setting, which: readonly string[]): Record<string, ParamValue> =>
    Object.fromEntries(
      which.flatMap((name) => (Object.hasOwn(setting, name) ? [[axisNames.of(name), setting[name]!]] : [])),
    )
  const axes = (which: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(which.map((name) => [axisNames.of(name), asAxis(values.get(name)!)]))
  const varying = names.filter((name) => !fixed.includes(name))
  return {
    spec: {
      experiment: { command: commandFor(program, names, axisNames) },
      ...(isGrid
        ? { axes: axes(names) }
        : {
            ...(fixed.length === 0 ? {} : { axes: axes(fixed) }),
            // What a trial had not is an option left out.
            points: distinctSettings.map((setting) => ({
              ...Object.fromEntries(varying.map((name) => [axisNames.of(name), null])),
              ...inFile(setting, varying),
            })),
          }),
    },
    leftOut: [...new Set(leftOut)],
    taken,
  }
}

type Setting = Readonly<Record<string, ParamValue>>

function trialsIn(folder: string): string[] {
  try {
    const found = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const file = join(folder, entry.name, 'params.json')
      return entry.isDirectory() && statSync(file, { throwIfNoEntry: false })?.isFile() === true ? [file] : []
    })
    if (found.length > maxTrials) throw new SpecError(folder, `${found.length} trials (at most ${maxTrials})`)
    return found.sort()
  } catch (error) {
    if (error instanceof SpecError) throw error
    throw new SpecError(folder, fileProblem(error), { cause: error })
  }
}

function readSetting(file: string, leftOut: string[]): Setting {
  let raw: unknown
  try {
    if (statSync(file).size > maxBytes) throw new SpecError(file, `it has more than ${maxBytes} bytes`)
    raw = readPythonJson(readFileSync(file, 'utf8'))
  } catch (error) {
    if (error instanceof SpecError) throw error
    throw new SpecError(
      file,
      (error as NodeJS.ErrnoException).code === undefined
        ? `not JSON: ${printableLine((error as Error).message)}`
        : fileProblem(error),
      { cause: error },
    )
  }
  if (!isMapping(raw)) throw new SpecError(file, 'these are no parameters: a mapping is')
  const flat = flatten('params.json', raw)
  return Object.fromEntries(
    Object.entries(flat).filter(([name, value]) => {
      const notFinite = typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : undefined
      if (notFinite === undefined && valueProblem(value) === undefined) return true
      leftOut.push(`${name}: ${notFinite ?? JSON.stringify(value)}`)
      return false
    }),
  ) as Setting
}

/** Before what is no number of JSON's, while it is on its way to the list of what was left out. */
const mark = '\u0000not finite '

/** Python writes NaN and infinities into JSON, which has neither. */
const readPythonJson = (text: string): unknown =>
  JSON.parse(
    text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
      token.startsWith('"') ? token : JSON.stringify(mark + token),
    ),
  )

function distinct(values: readonly (ParamValue | undefined)[]): ParamValue[] {
  return [
    ...new Map(
      values.flatMap((value) => (value === undefined ? [] : [[JSON.stringify(value), value] as const])),
    ).values(),
  ]
}

const keyOf = (setting: Setting): string => JSON.stringify(Object.entries(setting).sort(([a], [b]) => (a < b ? -1 : 1)))
