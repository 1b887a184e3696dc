import { DataError, UnknownNameError } from '../core/errors.js'
import { contentHash } from '../core/seed.js'
import type { Dataset } from './dataset.js'
import { addedFacts, isAddable, loadAdded, readAdded, type AddedFacts, type AddedName } from './added.js'
import { drawGlyphs } from './glyphs.js'
import { imageSet } from './image-set.js'
import { loadMnist10k, mnist10kHash, mnist10kRows } from './mnist-package.js'

/** Data sets by name. */
export interface DataCatalog {
  /** A set's fingerprint, without reading its rows. @throws UnknownNameError, DataError when it is not here. */
  resolve(name: string): { name: string; fingerprint: string }
  /** For a set that does not come with the package: what is known of it, and its bytes as they are stored. */
  stored(name: string): { facts: AddedFacts; read: () => Promise<Uint8Array> } | undefined
  /** The set, in shared memory; read once. @throws DataError when its bytes are not what they should be. */
  load(name: string): Promise<Dataset>
}

export interface DataFolders {
  /** Decoded sets; made anew when deleted. */
  readonly cacheFolder: string
  /** Sets that a person added. */
  readonly dataFolder: string
}

const glyphsName = /^glyphs-(\d{2,6})$/
const known = ['mnist-10k', 'mnist', 'cifar10', 'glyphs-2000']

export function openData({ cacheFolder, dataFolder }: DataFolders): DataCatalog {
  const loaded = new Map<string, Promise<Dataset>>()
  return {
    resolve(name) {
      if (name === 'mnist-10k') return { name, fingerprint: mnist10kHash }
      // The version is raised when the drawing changes: the same name must mean the same bytes.
      if (glyphsName.test(name)) return { name, fingerprint: contentHash({ kind: 'glyphs', version: 1, name }, 64) }
      if (isAddable(name)) return { name, fingerprint: added(dataFolder, name).sha256 }
      throw new UnknownNameError('data set', name, known)
    },
    stored(name) {
      if (!isAddable(name)) return undefined
      return { facts: added(dataFolder, name), read: () => readAdded(dataFolder, name) }
    },
    load(name) {
      const { fingerprint } = this.resolve(name)
      let dataset = loaded.get(name)
      if (dataset === undefined) {
        dataset =
          name === 'mnist-10k'
            ? openMnist10k(cacheFolder)
            : isAddable(name)
              ? loadAdded(dataFolder, added(dataFolder, name))
              : Promise.resolve(openGlyphs(name, fingerprint))
        loaded.set(name, dataset)
      }
      return dataset
    },
  }
}

function added(folder: string, name: AddedName): AddedFacts {
  const facts = addedFacts(folder, name)
  if (facts !== undefined) return facts
  throw new DataError(`the data set ${name} is not here`, {
    hint: `mlds data fetch ${name}, or mlds data add FILES… for files you have`,
    exitCode: 2,
  })
}

async function openMnist10k(cacheFolder: string): Promise<Dataset> {
  const digits = await loadMnist10k(cacheFolder)
  return imageSet({ name: 'mnist-10k', fingerprint: mnist10kHash, rows: mnist10kRows, shape: [28, 28, 1], ...digits })
}

function openGlyphs(name: string, fingerprint: string): Dataset {
  const rows = Number(glyphsName.exec(name)?.[1])
  if (!(rows >= 10)) throw new DataError(`${name} would have ${rows} rows (at least 10)`)
  return { name, fingerprint, rows, shape: [28, 28, 1], ...drawGlyphs(rows), classes: 10, targets: new Float32Array(0) }
}
