import { describe, expect, it } from 'vitest'
import { drawGlyphs } from '../../src/data/glyphs.js'
import { epochOrder, stratifiedSplit } from '../../src/data/split.js'
import type { Dataset } from '../../src/data/dataset.js'

const labels = Int32Array.from({ length: 1000 }, (_, i) => (i < 100 ? 0 : i < 500 ? 1 : 2))
const dataset: Dataset = {
  name: 'toy',
  fingerprint: '',
  rows: 1000,
  shape: [1],
  features: new Float32Array(1000),
  labels,
  classes: 3,
  targets: new Float32Array(0),
}
const share = (rows: Int32Array, label: number): number => rows.filter((row) => labels[row] === label).length

describe('a stratified split', () => {
  const split = stratifiedSplit(dataset, { train: 750, test: 250, seed: 3 })

  it('uses every row at most once and has the sizes asked for', () => {
    expect(split.train).toHaveLength(750)
    expect(split.test).toHaveLength(250)
    expect(new Set([...split.train, ...split.test]).size).toBe(1000)
  })

  it('gives each class its share on both sides', () => {
    expect([0, 1, 2].map((label) => share(split.test, label))).toEqual([25, 100, 125])
    expect([0, 1, 2].map((label) => share(split.train, label))).toEqual([75, 300, 375])
  })

  it('depends on the seed alone', () => {
    expect(stratifiedSplit(dataset, { train: 750, test: 250, seed: 3 })).toEqual(split)
    expect(stratifiedSplit(dataset, { train: 750, test: 250, seed: 4 })).not.toEqual(split)
  })

  it('holds out the same rows whatever is trained on', () => {
    expect(stratifiedSplit(dataset, { train: 100, test: 250, seed: 3 }).test.slice().sort()).toEqual(
      split.test.slice().sort(),
    )
  })

  it('does not leave the training rows grouped by class', () => {
    const runs = [...split.train].filter((row, i) => i > 0 && labels[row] !== labels[split.train[i - 1]!]).length
    expect(runs).toBeGreaterThan(300)
  })

  it('refuses more rows than there are', () => {
    expect(() => stratifiedSplit(dataset, { train: 900, test: 250, seed: 3 })).toThrow(
      /toy has 1000 rows: too few for 900/,
    )
  })
})

describe('the order of an epoch', () => {
  it('is a permutation of the rows, another for each epoch and seed, the same for the same', () => {
    const rows = Int32Array.from([5, 7, 9, 11, 13, 15, 17, 19])
    const order = epochOrder(rows, 1, 0)
    expect([...order].sort((a, b) => a - b)).toEqual([...rows])
    expect(epochOrder(rows, 1, 0)).toEqual(order)
    expect(epochOrder(rows, 2, 0)).not.toEqual(order)
    expect(epochOrder(rows, 1, 1)).not.toEqual(order)
  })
})

describe('glyphs', () => {
  it('are the same every time, lie in 0…1 and hold every class alike', () => {
    const one = drawGlyphs(200)
    expect(drawGlyphs(200)).toEqual(one)
    expect(one.features.every((v) => v >= 0 && v <= 1)).toBe(true)
    expect(Array.from({ length: 10 }, (_, c) => one.labels.filter((l) => l === c).length)).toEqual(
      new Array(10).fill(20),
    )
  })

  it('can be told apart by their nearest class mean far better than by chance, but not perfectly', () => {
    const { features, labels: classesOf } = drawGlyphs(1000)
    const means = Array.from({ length: 10 }, () => new Float64Array(784))
    for (let r = 0; r < 500; r++) for (let i = 0; i < 784; i++) means[classesOf[r]!]![i]! += features[r * 784 + i]! / 50
    let right = 0
    for (let r = 500; r < 1000; r++) {
      const distances = means.map((mean) => mean.reduce((sum, m, i) => sum + (features[r * 784 + i]! - m) ** 2, 0))
      if (distances.indexOf(Math.min(...distances)) === classesOf[r]) right++
    }
    expect(right / 500).toBeGreaterThan(0.5)
    expect(right / 500).toBeLessThan(0.999)
  })
})
