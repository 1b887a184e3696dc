import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { experimentNames, findExperiment } from '../src/experiments/registry.js'

const docs = join(import.meta.dirname, '..', 'docs')
const shown = [
  ...readFileSync(join(docs, 'gallery.md'), 'utf8').matchAll(/\]\((images\/([\w-]+)\/(?:([\w-]+)\/)?([\w-]+)\.png)\)/g),
].map(([, path, experiment, profile = 'reduced', figure]) => ({
  path: path!,
  experiment: experiment!,
  profile,
  figure: figure!,
}))
const fileOf = ({ path }: (typeof shown)[0]): Buffer => readFileSync(join(docs, path))

describe('the gallery', () => {
  it.each(shown)(
    "shows $path, a figure that $experiment draws of a $profile sweep, as a PNG of a page's width",
    async (image) => {
      const { figures, profiles } = await findExperiment(image.experiment)
      expect(Object.keys(profiles)).toContain(image.profile)
      expect(figures.map(({ name }) => name)).toContain(image.figure)
      const png = fileOf(image)
      expect(png.subarray(1, 4).toString()).toBe('PNG')
      expect(png.readUInt32BE(16)).toBe(720)
    },
  )

  it('shows every experiment, and is no burden to a clone', () => {
    expect(new Set(shown.map(({ experiment }) => experiment))).toEqual(new Set(experimentNames))
    expect(shown.reduce((bytes, image) => bytes + fileOf(image).length, 0)).toBeLessThan(2.6e6)
  })
})
