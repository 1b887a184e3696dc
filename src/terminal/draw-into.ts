import { basename, dirname, extname } from 'node:path'
import { MldsError } from '../core/errors.js'
import { drawFigures } from '../figures/draw.js'
import type { VegaLiteSpec } from '../figures/figure.js'

/** Draws one picture into a file. @throws MldsError for a file of another kind, StoreError when it can't be written. */
export async function drawInto(file: string, title: string, spec: VegaLiteSpec): Promise<void> {
  const format = (['svg', 'png', 'pdf'] as const).find((known) => extname(file) === `.${known}`)
  if (format === undefined) throw new MldsError('USAGE', `--out: ${file} (a file that ends in .svg, .png or .pdf)`)
  const definition = { name: basename(file, `.${format}`), caption: title, draw: async () => spec }
  const fail = (trouble: string): never => {
    throw new MldsError('FIGURE', trouble)
  }
  await drawFigures([definition], [], async () => new Uint8Array(), dirname(file), fail, { formats: [format] })
}
