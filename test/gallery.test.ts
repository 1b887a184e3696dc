import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { experimentNames, findExperiment } from '../src/experiments/registry.js'

const docs = join(import.meta.dirname, '..', 'docs')
const shown = [
  ...readFileSync(join(docs, 'gallery.md'), 'utf8').matchAll(/\]\(images\/([\w-]+)\/([\w-]+)\.png\)/g),
].map(([, experiment, figure]) => ({ experiment: experiment!, figure: figure! }))
const fileOf = ({ experiment, figure }: (typeof shown)[0]): Buffer =>
  readFileSync(join(docs, 'images', experiment, `${figure}.png`))

describe('the gallery', () => {
  it.each(shown)("shows $figure, a figure that $experiment draws, as a PNG of a page's width", async (image) => {
    const { figures } = await findExperiment(image.experiment)
    expect(figures.map(({ name }) => name)).toContain(image.figure)
    const png = fileOf(image)
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    expect(png.readUInt32BE(16)).toBe(720)
  })

  it('shows every experiment, and is no burden to a clone', () => {
    expect(new Set(shown.map(({ experiment }) => experiment))).toEqual(new Set(experimentNames))
    expect(shown.reduce((bytes, image) => bytes + fileOf(image).length, 0)).toBeLessThan(2.5e6)
  })
})
