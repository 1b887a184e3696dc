import { lookUp } from '../../core/names.js'
import type { Params } from '../../core/trial.js'
import { apart, coloured, gradient, palette } from '../style.js'
import { labelOfValue, type DrawnAxis, type Layout } from './lay-out.js'

/** What tells a setting from others, as a row of data says it. */
export interface Told {
  readonly colour?: number | string
  readonly panel?: string
  readonly shape?: string
  /** Where other axes than x vary: their values, in words. Rows of one line have the same. */
  readonly setting?: string
}

/** More numbers than there are colours of their own are a scale of colours. */
export const isGraded = ({ numbers }: DrawnAxis): boolean => numbers !== undefined && numbers.length > 8

/** `others`: all axes but x. */
export function toldOf(params: Params, { colour, panel, shape }: Layout, others: readonly DrawnAxis[]): Told {
  const label = ({ name }: DrawnAxis): string => labelOfValue(lookUp(params, name))
  const shade = colour !== undefined && isGraded(colour) ? (lookUp(params, colour.name) as number) : undefined
  return {
    ...(colour === undefined ? {} : { colour: shade ?? label(colour) }),
    ...(panel === undefined ? {} : { panel: label(panel) }),
    ...(shape === undefined ? {} : { shape: label(shape) }),
    ...(others.length === 0 ? {} : { setting: others.map((axis) => `${axis.name} ${label(axis)}`).join(', ') }),
  }
}

/** The encoding of colours: names or a scale of the axis that has them, else one for all. */
export function colourOf({ colour }: Layout): Record<string, unknown> {
  if (colour === undefined) return { value: palette[0] }
  const { name, labels, numbers } = colour
  return isGraded(colour) ? gradient('colour', name, numbers!) : coloured('colour', name, labels)
}

/** Dashes and marks by the axis that has them, else by that of the colours, so that these are told apart in grey too. */
export function looksOf({ colour, shape }: Layout): ReturnType<typeof apart> {
  const told = shape ?? colour
  if (told === undefined) return { line: {}, markedLine: {}, mark: {} }
  return apart(shape === undefined ? 'colour' : 'shape', told.name, told.labels)
}

/** What keeps lines of one look apart. */
export const detailOf = ({ colour, shape, panel, rest }: Layout): object =>
  colour === undefined && shape === undefined && panel === undefined && rest.length === 0
    ? {}
    : { detail: { field: 'setting' } }

/** Panels in a row, and the size of each. */
export function panelGrid(count: number): { columns: number; width: number } {
  if (count === 3 || count > 4) return { columns: 3, width: 194 }
  return { columns: 2, width: 300 }
}

export const panelTitle = ({ name }: DrawnAxis, label: string): object => ({
  title: { text: `${name} ${label}`, fontSize: 12, offset: 6, frame: 'group' },
})
