import { MldsError } from '../core/errors.js'

/** Kinds of file that a figure can be written as; `html` is a page of its own that needs nothing else. */
export const figureFormats = ['svg', 'png', 'pdf', 'html', 'json', 'csv'] as const
export type FigureFormat = (typeof figureFormats)[number]

const unitsPerInch: Readonly<Record<string, number>> = { in: 1, cm: 2.54, mm: 25.4, pt: 72 }

/** A width as papers state it, in inches: `3.25in`, `84mm`. @throws MldsError for anything else, or outside 1 to 40 inches. */
export function parseWidthInches(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(in|cm|mm|pt)$/.exec(text.trim()) ?? []
  const inches = Number(number) / (unitsPerInch[unit] ?? NaN)
  if (!(inches >= 1 && inches <= 40))
    throw new MldsError('WIDTH', `width: ${text} is not one of print (1in to 40in, such as 3.25in, 84mm, 8.4cm, 234pt)`)
  return inches
}
