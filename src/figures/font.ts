import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { MldsError } from '../core/errors.js'

/** A font that figures are set in: its family as CSS names it, and the files that PNG and PDF are drawn with. */
export interface FigureFont {
  readonly family: string
  readonly regular: string
  readonly bold: string
}

/** DejaVu Sans, which comes with mlds: a fresh container has no font, and the same one gives the same bytes anywhere. */
export function ownFont(): FigureFont {
  const { resolve } = createRequire(import.meta.url)
  const fileOf = (name: string): string => resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`)
  return { family: 'DejaVu Sans', regular: fileOf('DejaVuSans'), bold: fileOf('DejaVuSans-Bold') }
}

/**
 * The font of that family which the system has, by fontconfig.
 * @throws MldsError when there is none, or it lies in a kind of file that can't be embedded.
 */
export async function systemFont(family: string): Promise<FigureFont> {
  const [regular, bold] = await Promise.all([find(family, ''), find(family, ':bold')])
  return { family, regular, bold }
}

async function find(family: string, style: string): Promise<string> {
  const refuse = (problem: string, hint: string): never => {
    throw new MldsError('FONT', `font: ${family}: ${problem}`, { hint })
  }
  // fontconfig reads - : , and \ in a pattern as its own.
  const pattern = family.replace(/[-:,\\]/g, '\\$&') + style
  const found = await promisify(execFile)('fc-match', ['--format', '%{family}\n%{file}', '--', pattern]).catch(() =>
    refuse('fontconfig, which knows the fonts of this system, is not here', 'leave --font out, or install fontconfig'),
  )
  const [families = '', file = ''] = found.stdout.split('\n')
  if (!families.split(',').some((name) => name.toLowerCase() === family.toLowerCase()))
    refuse('this system has no font of that family', 'fc-list : family  lists those that it has')
  if (!/\.(ttf|otf)$/i.test(file))
    refuse(`it lies in ${file}, and only .ttf and .otf files can be embedded`, 'choose another font')
  return file
}
